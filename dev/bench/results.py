"""What was measured, as JSON for programs and as tables for people."""
import json
import os
import platform
import re
import subprocess
from pathlib import Path

from ..paths import ROOT
from . import texts

#: of what is kept: before the work on what things cost, and now
RUNS = ('before', 'after')


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
