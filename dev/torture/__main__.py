"""The torture: nothing may be lost or paid twice, whatever happens.

    python -m dev.torture                a few minutes, with a random seed
    python -m dev.torture --ci           as `make test` runs it: a minute, with a fixed seed

Any other option is pytest's, or of `conftest.py` (`--seed`, `--shards`, `--sequences`, `--dealt`,
`--rounds`, `--kills`, `--module`).
"""
import argparse

import pytest

from ..odoo.processes import run_main
from ..paths import ROOT
from ..setup.console import say

#: the sequences of the model are run beside the others, and waited for in the end
PARTS = ('concurrency', 'refund', 'crash', 'model')
MINUTES = 5
#: with each seed, where the time counts: the last one is run to its end
SEQUENCES = 20
#: about a minute, in which each kind has its turn, with what it needs done before it
CI = ('--dealt', '--seed', '1585', '--rounds', '1', '--kills', '1')


class Count:
    """Counts the results.

    :ivar set failed: names
    """

    def __init__(self):
        self.passed = 0
        self.failed = set()

    def pytest_runtest_logreport(self, report):
        if report.failed:
            self.failed.add(report.nodeid)
        elif report.when == 'call' and report.passed:
            self.passed += 1


def main():
    parser = argparse.ArgumentParser(
        prog='python -m dev.torture', description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--ci', action='store_true', help='a minute, with a fixed seed')
    parser.add_argument('--minutes', type=float, help=f'of random sequences, default {MINUTES}')
    parser.add_argument('--only', choices=PARTS, help='one of the tests')
    options, others = parser.parse_known_args()
    chosen = [options.only] if options.only else PARTS
    arguments = [
        *(str(ROOT / 'dev' / 'torture' / f'{part}_test.py') for part in chosen),
        '-q', '-s', '-W', 'ignore::DeprecationWarning', f'--rootdir={ROOT}',
        '-c', str(ROOT / 'pyproject.toml'), *(CI if options.ci else ()), *others]
    if options.minutes or not {'--dealt', '--sequences'} & {*arguments}:
        arguments += ['--minutes', str(options.minutes or MINUTES)]
        if '--sequences' not in others:
            arguments += ['--sequences', str(SEQUENCES)]
        if '--seed' not in others:
            arguments += ['--seed', '0']
    count = Count()
    code = pytest.main(arguments, plugins=[count])
    say(f'{count.passed} passed, {len(count.failed)} failed')
    return int(code)


if __name__ == '__main__':
    run_main(main)
