"""make test: runs every part, tells failures as they come, and ends with one summary."""
import os
import sys
import threading
import time
import traceback

from ..odoo import databases
from ..odoo.postgres import locked
from ..odoo.processes import raise_on_sigterm
from ..paths import TEST
from ..setup.console import SetupError, say
from . import module, packages, static
from .outcome import Outcome, summarise, tell_failures

# Each returns an Outcome; those with `True` are given Odoo's test instance. In this order they are
# told of in the end
PARTS = {
    'contract': ("Contract of the BTCPay stand-in", static.contract, False),
    'pylint': ('Linter pylint-odoo', static.pylint, False),
    'web': ('Linters prettier and eslint', static.web, False),
    'house': ('What is packed, how files are written', static.house, False),
    'greenfield': ('Tests of the package greenfield', static.greenfield, False),
    'security': ("Table of who may call what", static.security, False),
    'translations': ("Tool that renews translations", static.translations, False),
    'mypy': ('Types of the package greenfield', static.mypy, False),
    'lint': ('Linter ruff', static.ruff, False),
    'install': ('Wheel and zip file, installed', packages.install, True),
    'odoo': ("The module's tests in Odoo", module.tests, True),
    'others': ("Those beside more of Odoo's modules", module.other_modules, True),
    'upgrade': ('Upgrade of the module', module.upgrade, True),
    'uninstall': ('Uninstallation of the module', module.uninstall, True),
    'bench': ('Tests of the bench', static.bench, True),
    'torture': ('Torture: random sequences, workers, crashes', static.torture, True),
}
# The tests in Odoo take by far the longest; all others are run beside them, one after the other,
# but for those of which time is a part
LONGEST = ('install', 'odoo', 'torture')
# What needs the database that `install` leaves
INSTALLED = {'upgrade', 'uninstall'}


def _run(title, part, with_odoo, instance):
    say(f'* {title} …')
    begun = time.monotonic()
    try:
        outcome = part(*[instance][:with_odoo])
    except SetupError as error:
        outcome = Outcome()
        outcome.fail(title, f'{error.why}\n{error.todo}')
    except (Exception, SystemExit):  # as a step that failed ends; the other lane goes on
        outcome = Outcome()
        outcome.fail(title, traceback.format_exc())
    outcome.title, outcome.seconds = title, time.monotonic() - begun
    tell_failures(outcome.settle())
    return outcome


def main(names):
    unknown = set(names) - set(PARTS)
    if unknown:
        sys.exit(f'No such part: {", ".join(unknown)}. There are: {", ".join(PARTS)}')
    instance = databases.test_instance()
    cluster_ran = bool(instance.cluster.process()) and not os.environ.get('CI')
    chosen = [name for name in PARTS if not names or name in names]
    outcomes, installed = {}, threading.Event()

    def run(lane):
        for name in lane:
            if name in INSTALLED and 'install' in chosen:
                installed.wait()
            outcomes[name] = _run(*PARTS[name], instance)
            if name == 'install':
                installed.set()

    with locked(TEST / 'make-test.lock'):
        try:
            if any(PARTS[name][2] for name in chosen):
                instance.cluster.start()
            # It ends with us, and its programs with it, see `processes.start`
            beside = threading.Thread(
                target=run, args=[[name for name in chosen if name not in LONGEST]], daemon=True)
            beside.start()
            run([name for name in chosen if name in LONGEST])
            beside.join()
        finally:
            if not cluster_ran:  # a developer's is left running
                instance.cluster.stop()
    return summarise([outcomes[name] for name in chosen])


if __name__ == '__main__':
    raise_on_sigterm()
    try:
        sys.exit(0 if main(sys.argv[1:]) else 1)
    except KeyboardInterrupt:
        say('Interrupted')
        sys.exit(130)
