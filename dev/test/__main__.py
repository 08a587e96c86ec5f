"""make test: runs every part, tells failures as they come, and ends with one summary."""
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from ..odoo import databases
from ..odoo.postgres import locked
from ..odoo.processes import raise_on_sigterm
from ..paths import TEST
from ..setup.console import SetupError, say
from . import module, packages, static
from .outcome import Outcome, summarise, tell_failures

# In this order; each returns an Outcome. Those with `True` are given Odoo's test instance; the
# others are programs of one core each and run two at a time, the longest first
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
    'upgrade': ('Upgrade of the module', module.upgrade, True),
    'uninstall': ('Uninstallation of the module', module.uninstall, True),
    'bench': ('Tests of the bench', static.bench, True),
    'torture': ('Torture: random sequences, workers, crashes', static.torture, True),
}


def _run(title, part, arguments):
    say(f'* {title} …')
    begun = time.monotonic()
    try:
        outcome = part(*arguments)
    except SetupError as error:
        outcome = Outcome()
        outcome.fail(title, f'{error.why}\n{error.todo}')
    outcome.title, outcome.seconds = title, time.monotonic() - begun
    tell_failures(outcome.settle())
    return outcome


def main(names):
    unknown = set(names) - set(PARTS)
    if unknown:
        sys.exit(f'No such part: {", ".join(unknown)}. There are: {", ".join(PARTS)}')
    instance = databases.test_instance()
    cluster_ran = bool(instance.cluster.process()) and not os.environ.get('CI')
    outcomes = []
    with locked(TEST / 'make-test.lock'):
        try:
            chosen = [part for name, part in PARTS.items() if not names or name in names]
            with ThreadPoolExecutor(2) as pool:
                outcomes += pool.map(
                    lambda part: _run(*part[:2], []), [part for part in chosen if not part[2]])
            for title, part, with_odoo in chosen:
                if with_odoo:
                    instance.cluster.start()
                    outcomes.append(_run(title, part, [instance]))
        finally:
            if not cluster_ran:  # a developer's is left running
                instance.cluster.stop()
    return summarise(outcomes)


if __name__ == '__main__':
    raise_on_sigterm()
    try:
        sys.exit(0 if main(sys.argv[1:]) else 1)
    except KeyboardInterrupt:
        say('Interrupted')
        sys.exit(130)
