"""make one: some test classes or methods, on a database that is kept.

    python -m dev.test.one TestX TestY.test_z    these; without names all of them
    python -m dev.test.one --fresh TestX         begin with a new database

The module is only updated where anything but tests has changed since the last time.
"""
import argparse
import hashlib
import json
import re

from ..odoo import databases
from ..odoo.instance import MODULE, environment
from ..odoo.postgres import locked
from ..odoo.processes import run_main
from ..paths import ROOT, TEST
from ..setup.console import SetupError, run, say
from . import module, shares
from .outcome import tell_failures
from .prepare import prepare

#: by the modules of Odoo in them
DATABASE, OTHER = 'one', 'one_other_modules'
DATABASES = {DATABASE: databases.MODULES, OTHER: databases.OTHER_MODULES}
#: what the database does not depend on
OUTSIDE = {'dev', 'tests'}


def _fingerprint():
    """Changes whenever a file does that can change the database."""
    digest = hashlib.sha256()
    for file in sorted(ROOT.rglob('*')):
        parts = file.relative_to(ROOT).parts
        if parts[0] in OUTSIDE or any(part.startswith(('.', '__pycache__')) for part in parts):
            continue
        if file.is_file():
            digest.update(repr(parts).encode() + file.read_bytes())
    return digest.hexdigest()


def _tags(names):
    """Odoo's tags of the tests with these names, by the database that they need.

    :param list names: `TestX` or `TestX.test_y`; empty for all
    :raise SetupError: if there is no such test
    """
    tests = '\n'.join(file.read_text() for file in (ROOT / 'tests').rglob('test_*.py'))
    for name in names:
        class_name, _dot, method = name.partition('.')
        if not (re.search(rf'^class {re.escape(class_name)}\(', tests, re.M)
                and (not method or re.search(rf'^    def {re.escape(method)}\(', tests, re.M))):
            raise SetupError(f'No test is called {name}.',
                             'Name a class, or a method of it: make one T=TestX.test_y')
    others = shares.other_classes()
    if not names:
        return {DATABASE: shares.tags(without=others), OTHER: shares.tags(others)}
    chosen = {}
    for name in names:
        database = OTHER if name.partition('.')[0] in others else DATABASE
        chosen.setdefault(database, []).append(name)
    return {database: shares.tags(some) for database, some in chosen.items()}


def _prepare(instance, database, state, fresh):
    """Have a database as the tests need it.

    :param Path state: tells of the database, gone until tests have run on it
    :return: what Odoo still has to do, as its options
    """
    before = json.loads(state.read_text()) if state.exists() else {}
    state.unlink(missing_ok=True)
    template = databases.ensure_template(instance, DATABASES[database])
    if (fresh or before.get('template') != template
            or database not in instance.cluster.databases()):
        databases.copy_database(instance, template, database)
        run(instance.command(
            database, '--init', MODULE, '--no-http', '--max-cron-threads=0', '--stop-after-init'),
            'Look at the log.', cwd=instance.folder, env=environment(),
            measure=lambda: 'installing')
        prepare(instance, database)
        return []
    return [] if before.get('module') == _fingerprint() else ['--update', MODULE]


def _went_through(outcome):
    """Whether Odoo came to the end of the tests, however those went."""
    return 'Odoo' not in [name for name, _detail in outcome.failed]


def _run(instance, database, tags, fresh):
    """Run tests on a database.

    :rtype: Outcome
    """
    state = TEST / f'{database}.json'
    fingerprint = _fingerprint()
    options = _prepare(instance, database, state, fresh)
    outcome = module.run_tests(instance, {database: [*options, '--test-tags', tags]})
    if options and not _went_through(outcome):
        say('The update did not go through: once more, with a new database')
        _prepare(instance, database, state, fresh=True)
        outcome = module.run_tests(instance, {database: ['--test-tags', tags]})
    if _went_through(outcome):
        template = databases.template_name(DATABASES[database])
        state.write_text(json.dumps({'template': template, 'module': fingerprint}))
    tell_failures(outcome)
    return outcome


def run_named(names, fresh=False):
    """:return: whether all passed"""
    instance = databases.test_instance()
    instance.cluster.start()
    outcomes = []
    with locked(TEST / 'one.lock'):
        for database, tags in _tags(names).items():
            outcomes.append(_run(instance, database, tags, fresh))
    for outcome in outcomes:
        for name, reason in outcome.skipped:
            say(f'skipped: {name}: {reason}')
        say(f'{outcome.passed} passed, {len(outcome.failed)} failed, '
            f'{len(outcome.skipped)} skipped; log: {outcome.log}')
    return all(not outcome.failed and outcome.passed for outcome in outcomes)


def main():
    parser = argparse.ArgumentParser(
        prog='python -m dev.test.one', description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('names', nargs='*', metavar='TestX.test_y')
    parser.add_argument('--fresh', action='store_true')
    options = parser.parse_args()
    return 0 if run_named(options.names, options.fresh) else 1


if __name__ == '__main__':
    run_main(main)
