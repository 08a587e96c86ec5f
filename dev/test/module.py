"""The parts of `make test` that run Odoo: install with tests, upgrade, uninstall."""
from ..odoo import databases, log
from ..odoo.instance import MODULE, environment
from ..odoo.processes import free_port
from ..paths import LOG
from ..setup.console import SetupError
from . import traces
from .outcome import Outcome
from .runner import run_logged

DATABASE = 'make_test'
NOT_INSTALLED = 'The module is not installed in the database of the tests.'
COPY = 'make_test_uninstall'


def _odoo(instance, log_name, *options, measure=None):
    command = instance.command(
        DATABASE, '--http-port', free_port(), '--max-cron-threads=0', '--stop-after-init',
        '--screenshots', LOG / 'screenshots', *options)
    code, file = run_logged(command, log_name, measure, cwd=instance.folder, env=environment())
    return code, file, log.read(file.read_text(errors='replace').splitlines())


def _judge(outcome, code, result):
    """Whatever Odoo warned of and no test expected is a failure, and so is an unclean end."""
    for record in result.warnings:
        outcome.fail(f'{record.level} of {record.logger}', record.text)
    if code is None:
        outcome.fail('Odoo', 'Odoo did not end in time.')
    elif code and not outcome.failed:
        outcome.fail('Odoo', f'Odoo ended with {code}:\n{outcome.log.read_text()[-3000:]}')


def tests(instance):
    """Install the module in a fresh database and run its tests."""
    databases.copy_database(instance, databases.ensure_template(instance), DATABASE)
    code, file, result = _odoo(
        instance, 'odoo-tests.log', '--init', MODULE, '--test-tags', f'/{MODULE}',
        measure=lambda text: f'{text.count(": Starting ")} tests begun')
    outcome = Outcome(result.passed, list(result.failed), list(result.skipped), file)
    if result.total is None:
        outcome.fail('Odoo', 'Odoo told no result of its tests.')
    _judge(outcome, code, result)
    return outcome


def upgrade(instance):
    """Update the module where it is installed."""
    if not instance.has_module(DATABASE):
        raise SetupError(NOT_INSTALLED, 'See what failed at the installation.')
    code, file, result = _odoo(instance, 'odoo-upgrade.log', '--update', MODULE,
                               measure=lambda _text: 'upgrading')
    outcome = Outcome(log=file)
    _judge(outcome, code, result)
    if not outcome.failed:
        outcome.passed = 1
    return outcome


def uninstall(instance):
    """Uninstall the module and compare the database with one that never had it."""
    if not instance.has_module(DATABASE):
        raise SetupError(NOT_INSTALLED, 'See what failed at the installation.')
    outcome = Outcome(log=LOG / 'setup.log')
    databases.copy_database(instance, DATABASE, COPY)
    try:
        output = instance.run_script(COPY, traces.UNINSTALL, 'uninstalling')
        result = log.read(output.splitlines())
        for record in result.warnings:
            outcome.fail(f'{record.level} of {record.logger}', record.text)
        if instance.has_module(COPY):
            outcome.fail('uninstall', output[-3000:])
            return outcome
        for name, left in traces.compare(instance.cluster, databases.template_name(), COPY):
            if left:
                outcome.fail(f'uninstall leaves no {name}', '\n'.join(left))
            else:
                outcome.passed += 1
    finally:
        databases.remove_database(instance, COPY)
    return outcome
