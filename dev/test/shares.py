"""Shares the module's tests out to several processes, by how long each class took.

`durations.json` holds the seconds of each class, as far as they were measured; they have to be
right to each other only. Each run writes its own to .dev/log/durations.json; copy it when the
processes no longer end at about the same time.
"""
import json
import re
from collections import defaultdict
from datetime import datetime
from pathlib import Path

from ..odoo.instance import MODULE
from ..paths import LOG, ROOT

RECORDED = Path(__file__).with_name('durations.json')
TESTS = ROOT / 'tests'
OTHER_MODULES = TESTS / 'other_modules'
LINE = re.compile(r'^(\S+ \S+,\d{3}) \d+ [A-Z]+ \S+ (\S+): (?:\x1b\[\S+m)*(.*)')
CLASS = re.compile(r'^class (\w+)\(.*?:\n((?:(?:[ )].*)?\n)*)', re.M)


def measure(files):
    """Write how long each class took.

    :param files: logs of Odoo
    """
    seconds = defaultdict(float)
    for file in files:
        current = begun = None
        for line in file.read_text(errors='replace').splitlines():
            match = LINE.match(line)
            if not match:
                continue
            time, logger, text = match.groups()
            starting = '.tests.' in logger and re.match(r'Starting (\w+)\.', text)
            if starting or re.match(r'\d+ post-tests in', text):
                now = datetime.strptime(time, '%Y-%m-%d %H:%M:%S,%f')
                if current:
                    seconds[current] += (now - begun).total_seconds()
                current, begun = starting and starting[1], now
    (LOG / RECORDED.name).write_text(json.dumps(
        {name: round(seconds[name], 1) for name in sorted(seconds)}, indent=1) + '\n')


def _count_tests(folder):
    """The number of tests of each class."""
    return {name: body.count('    def test_')
            for file in folder.rglob('test_*.py')
            for name, body in CLASS.findall(file.read_text())}


def other_classes():
    """The classes that need modules of Odoo which the others are run without."""
    return sorted(_count_tests(OTHER_MODULES))


def _weights():
    """Seconds of each class there is; those of new ones go by their number of tests."""
    recorded = json.loads(RECORDED.read_text())
    counts = _count_tests(TESTS)
    for name in other_classes():
        del counts[name]
    known = [name for name in counts if name in recorded]
    each = sum(recorded[name] for name in known) / (sum(counts[name] for name in known) or 1) or 1
    return {name: recorded.get(name, each * count) for name, count in sorted(counts.items())}


def tags(names=(), without=()):
    """Odoo's tags of some tests, by default of all.

    :param names: classes, or methods as `TestX.test_y`
    :param without: classes that are left out
    """
    chosen = [f'/{MODULE}:{name}' for name in names] or [f'/{MODULE}']
    return ','.join([*chosen, *(f'-/{MODULE}:{name}' for name in without)])


def shares(count):
    """Tags that share out the tests: equal shares by name, of which the last has all others, too.

    However few or many classes are found, each test is in one of them, but for those of
    :func:`other_classes`.

    :param int count: the number of shares
    :rtype: list[str]
    """
    weights = _weights()
    named = [[] for _share in range(count)]
    for name in sorted(weights, key=weights.get, reverse=True):
        min(named, key=lambda share: sum(weights[other] for other in share)).append(name)
    elsewhere = [name for share in named[:-1] for name in share]
    return [*map(tags, named[:-1]), tags(without=[*elsewhere, *other_classes()])]
