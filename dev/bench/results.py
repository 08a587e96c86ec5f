"""What was measured, as JSON for programs and as tables for people."""
import json
import os
import platform
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from ..paths import ROOT
from . import texts

#: of what is kept: before the work on what things cost, and now
RUNS = ('before', 'after')


@dataclass(frozen=True)
class Goal:
    """What a step may cost; None: no matter.

    :param float time: as a multiple of the quicker of Mollie and Stripe
    """

    time: float | None = None
    queries: int | None = None
    calls: int | None = None
    commits: int | None = None

    def misses(self, ours, ratio):
        """:return: the names of what costs more"""
        found = [name for name in ('queries', 'calls', 'commits')
                 if getattr(self, name) is not None and ours[name] > getattr(self, name)]
        if self.time is not None and ratio is not None and ratio > self.time:
            found.insert(0, 'time')
        return found

    def __str__(self):
        said = [f'≤ {self.time} × the better' if self.time is not None else None,
                *(f'≤ {value} {name}' for name in ('queries', 'calls', 'commits')
                  if (value := getattr(self, name)) is not None)]
        return ', '.join(text for text in said if text)


#: steps of the table, and what they may cost
STEPS = {
    'settled': ('settling webhook', Goal(time=1.0, queries=23, calls=1, commits=3)),
    'again': ('same event again', Goal(queries=4, calls=0)),
    'redelivered': ('redelivery of what is done', Goal(time=1.0, calls=0)),
    'uninteresting': ('event of no interest', Goal(queries=5, calls=0)),
    'nobody': ('invoice of nobody', Goal(time=1.3, calls=0)),
    'forged': ('forged signature', Goal(queries=2, calls=0)),
    'pay': ('Pay click', Goal(time=1.05, calls=1)),
    'returned': ('return page, unpaid → done', Goal(time=1.0)),
}


def ratio(by_peer, name='ms'):
    """:return: ours as a multiple of the better of the others; None where there are none"""
    others = [figures[name] for code, figures in by_peer.items() if code != 'btcpay']
    return round(by_peer['btcpay'][name] / min(others), 2) if others and min(others) else None


def commit_of(module):
    """:return: the short name of the commit of a source, with + if it was changed"""
    def git(*arguments):
        return subprocess.run(['git', '-C', module, *arguments], capture_output=True, text=True,
                              check=False).stdout.strip()

    changed = git('status', '--porcelain', '--untracked-files=no', '--', '.', ':!dev', ':!doc')
    return git('rev-parse', '--short=10', 'HEAD') + ('+' if changed else '')


def machine():
    cpu = re.search(r'model name\s*: (.*)', Path('/proc/cpuinfo').read_text())
    memory = re.search(r'MemTotal:\s*(\d+)', Path('/proc/meminfo').read_text())
    return {
        'cores': len(os.sched_getaffinity(0)), 'cpu': cpu[1] if cpu else platform.machine(),
        'memory_gb': round(int(memory[1]) / 2**20), 'system': platform.platform(),
        'python': platform.python_version(),
    }


class Results:
    """:param Path folder: holds `results.json` and `RESULTS.md`"""

    def __init__(self, folder):
        self.json, self.text = folder / 'results.json', folder / 'RESULTS.md'
        self.runs = json.loads(self.json.read_text()) if self.json.exists() else {}

    def add(self, run, part, **values):
        """Keep what was measured, in place of what was before.

        :param str run: one of `RUNS`
        """
        # As it is read again: JSON has no numbers as keys.
        self.runs.setdefault(run, {})[part] = json.loads(json.dumps(values))

    def write(self):
        self.json.parent.mkdir(parents=True, exist_ok=True)
        self.json.write_text(json.dumps(self.runs, indent=1) + '\n')
        self.text.write_text(texts.render(self.runs))


def figures(runs, run, part):
    return runs.get(run, {}).get(part, {}).get('figures')


FOLDER = ROOT / 'dev' / 'bench'
