"""The parts of `make test` that run Odoo with the module: tests, upgrade, uninstall."""
import os
import re

from ..odoo import databases, log
from ..odoo.instance import MODULE, environment
from ..odoo.processes import free_port
from ..paths import LOG
from ..setup.console import SetupError
from ..world import StandIn
from . import shares, traces, used
from .outcome import Outcome
from .prepare import prepare
from .runner import run_side_by_side

DATABASE = 'make_test'
#: a process for each core, as far as memory lasts: each takes some 400 MB
PROCESSES = min(max(len(os.sched_getaffinity(0)), 2), 4)
COPIES = [f'make_test_{number}' for number in range(1, PROCESSES + 1)]
OTHER = 'make_test_other_modules'
COPY = 'make_test_uninstall'
UPGRADED = 'make_test_upgrade'


def command(instance, database, *options, **others):
    return instance.command(
        database, '--http-port', free_port(), '--max-cron-threads=0', '--stop-after-init',
        '--screenshots', LOG / 'screenshots', *options, **others)


def run_odoo(instance, commands, measure):
    """Run Odoo once or several times at once.

    :return: of each its exit code, its log and what that says
    """
    for code, file in run_side_by_side(commands, measure, cwd=instance.folder, env=environment()):
        yield code, file, log.read(file.read_text(errors='replace').splitlines())


def judge(outcome, code, file, result):
    """Whatever Odoo warned of and no test expected is a failure, and so is an unclean end."""
    outcome.log = file
    failed = [log.test_name(name) for name, _text in result.failed]
    for record in result.warnings:
        # A tour that fails is told twice, by the browser too
        if not any(f'.{name}.' in record.logger for name in failed):
            outcome.fail(f'{record.level} of {record.logger}', record.text)
    if code is None:
        outcome.fail('Odoo', f'Odoo did not end in time; see {file}')
    elif code and not outcome.failed:
        outcome.fail('Odoo', f'Odoo ended with {code}:\n{file.read_text()[-3000:]}')


def _need_module(instance):
    if DATABASE not in instance.cluster.databases() or not instance.has_module(DATABASE):
        raise SetupError('The module is not installed in the database of the tests.',
                         'See what failed at the installation: python -m dev.test install')


def run_tests(instance, options):
    """Run tests, on several databases at once.

    :param dict options: those of Odoo, by database
    :rtype: Outcome
    """
    outcome = Outcome()
    commands = {
        f'odoo-tests-{database}.log': command(instance, database, *others)
        for database, others in options.items()}
    for code, file, result in run_odoo(
            instance, commands, lambda text: f'{text.count(": Starting ")} tests in Odoo begun'):
        outcome.passed += result.passed
        outcome.failed += result.failed
        outcome.skipped += result.skipped
        if result.total is None:
            outcome.fail('Odoo', f'Odoo told no result of its tests; see {file}')
        judge(outcome, code, file, result)
    return outcome


def tests(instance):
    """Run the module's tests, in equal shares beside each other."""
    _need_module(instance)
    first, *others = COPIES
    databases.copy_database(instance, DATABASE, first)
    prepare(instance, first)
    for copy in others:
        databases.copy_database(instance, first, copy)
    outcome = run_tests(instance, {
        copy: ['--test-tags', share]
        for copy, share in zip(COPIES, shares.shares(PROCESSES), strict=True)})
    shares.measure(LOG / f'odoo-tests-{copy}.log' for copy in COPIES)
    for copy in COPIES:
        databases.remove_database(instance, copy)
    return outcome


def other_modules(instance):
    """Run the tests that need more of Odoo's modules, in a database of their own, in which the
    module is installed, too: with all modules in that of the others each process would start much
    later."""
    template = databases.ensure_template(instance, databases.OTHER_MODULES)
    databases.copy_database(instance, template, OTHER)
    outcome = run_tests(instance, {
        OTHER: ['--init', MODULE, '--test-tags', shares.tags(shares.other_classes())]})
    databases.remove_database(instance, OTHER)
    return outcome


def _run_used(instance, database, code, doing, outcome):
    """Have a database used, with a stand-in BTCPay Server.

    :return: what the code printed
    """
    with StandIn.started() as world:
        output = instance.run_script(database, used.script(code, world), doing)
    for record in log.read(output.splitlines()).warnings:
        outcome.fail(f'{record.level} of {record.logger}', record.text)
    return output


def upgrade(instance):
    """Update the module where it is installed and was used, from the version before this one:
    nothing moves."""
    _need_module(instance)
    outcome = Outcome(log=LOG / 'setup.log')
    databases.copy_database(instance, DATABASE, UPGRADED)
    try:
        output = _run_used(instance, UPGRADED, used.PAYMENTS, 'paying', outcome)
        if not re.search(r"USED \['cancel', 'done', 'draft', 'error', 'pending'\]", output):
            outcome.fail('upgrade', f'There is no payment in each state:\n{output[-3000:]}')
        with instance.cluster.cursor(UPGRADED) as cursor:
            cursor.execute(
                'UPDATE ir_module_module SET latest_version = %s WHERE name = %s',
                ['19.0.0.9.9', MODULE])
        before = used.snapshot(instance.cluster, UPGRADED)
        commands = {'odoo-upgrade.log': command(instance, UPGRADED, '--update', MODULE)}
        for code, file, result in run_odoo(instance, commands, lambda _text: 'upgrading'):
            judge(outcome, code, file, result)
        if moved := used.compare(before, used.snapshot(instance.cluster, UPGRADED)):
            outcome.fail('an upgrade moves nothing', '\n'.join(moved))
        outcome.passed = int(not outcome.failed)
    finally:
        databases.remove_database(instance, UPGRADED)
    return outcome


def uninstall(instance):
    """Uninstall the module where it was used, and compare the database with one that never had it:
    neither there nor at the server anything is left."""
    _need_module(instance)
    outcome = Outcome(log=LOG / 'setup.log')
    databases.copy_database(instance, DATABASE, COPY)
    try:
        output = _run_used(instance, COPY, used.UNINSTALL, 'uninstalling', outcome)
        if instance.has_module(COPY):
            outcome.fail('uninstall', output[-3000:])
            return outcome
        if 'SERVER 401 0' in output:
            outcome.passed += 1
        else:
            outcome.fail('uninstall leaves nothing at the server', output[-1000:])
        before = databases.template_name(databases.MODULES)
        for name, left in traces.compare(instance.cluster, before, COPY):
            if left:
                outcome.fail(f'uninstall leaves no {name}', '\n'.join(left))
            else:
                outcome.passed += 1
    finally:
        databases.remove_database(instance, COPY)
    return outcome
