"""The parts of `make test` that are other programs: linters and pytest."""
from lxml import etree

from ..odoo.instance import MODULE, environment
from ..paths import ADDONS, LOG, PYTHON, ROOT
from .outcome import Outcome
from .runner import run_logged


def _linter(title, log_name, command, **options):
    """A linter is one test."""
    code, log = run_logged(command, log_name, **options)
    outcome = Outcome(log=log)
    if code:
        outcome.fail(title, log.read_text())
    else:
        outcome.passed = 1
    return outcome


def ruff():
    return _linter('ruff', 'ruff.log', [PYTHON, '-m', 'ruff', 'check', '--no-cache'])


def pylint():
    # From the addons folder, where the module has its name whatever the clone is called
    return _linter('pylint-odoo', 'pylint.log', [
        PYTHON, '-m', 'pylint', '--rcfile', ROOT / 'pyproject.toml', MODULE],
        cwd=ADDONS, env=environment())


def web():
    return _linter('prettier and eslint', 'web.log', [PYTHON, '-m', 'dev.test.web'])


def mypy():
    # What it checks is in pyproject.toml
    return _linter('mypy', 'mypy.log', [PYTHON, '-m', 'mypy'])


def _cases(report):
    for case in etree.parse(report).getroot().iter('testcase'):
        name = f'{case.get("classname", "").rpartition(".")[2]}::{case.get("name")}'
        found = {child.tag: child for child in case}
        yield name, found


def read_report(report, outcome):
    """Add what pytest reported in JUnit's format.

    :param Outcome outcome: gets the results
    """
    for name, found in _cases(report):
        bad = [found[tag] for tag in ('failure', 'error') if tag in found]
        if bad:
            outcome.fail(name, '\n'.join(element.text or element.get('message') for element in bad))
        elif 'skipped' in found:
            outcome.skipped.append((name, found['skipped'].get('message')))
        else:
            outcome.passed += 1


def _pytest(name, *arguments):
    """Run tests of pytest, each of which counts."""
    report = LOG / f'{name}.xml'
    report.unlink(missing_ok=True)
    code, log = run_logged(
        [PYTHON, '-m', *arguments, '--junit-xml', report], f'{name}.log',
        lambda text: f'{name}: {(text.strip().splitlines() or [""])[-1][-60:]}', env=environment())
    outcome = Outcome(log=log)
    if report.exists():
        read_report(report, outcome)
    if code and not outcome.failed:
        outcome.fail(name, f'pytest ended with {code}:\n{log.read_text()[-3000:]}')
    return outcome


def contract():
    return _pytest('contract', 'pytest', 'dev/contract', '-q')


def security():
    return _pytest('security', 'pytest', 'dev/security', '-q')


def translations():
    return _pytest('translations', 'pytest', 'dev/i18n', '-q')


def greenfield():
    return _pytest('greenfield', 'pytest', 'dev/greenfield', '-q')


def house():
    return _pytest('house', 'pytest', 'dev/house', '-q')


def bench(_instance):
    return _pytest('bench', 'pytest', 'dev/bench', '-q')


def torture(_instance):
    return _pytest('torture', 'dev.torture', '--ci')
