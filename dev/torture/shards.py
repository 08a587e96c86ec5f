"""Runs the model-based test in several processes, each with a stack of its own, and sums up."""
import json
import sys
import time
from collections import Counter
from pathlib import Path

from ..odoo.instance import environment
from ..odoo.processes import end, start
from ..paths import LOG, ROOT
from ..setup.console import Progress, say
from .stack import FOLDER, NAME


class Shards:
    """The processes, begun at once; what they find is waited for later.

    :param int seed: of the first process; the same seed brings the same sequences
    :param int shards: how many
    :param int sequences: for each seed
    :param float minutes: go on with further seeds till then
    :param int shrinking: seconds to look for a shorter sequence that fails as well
    :param bool dealt: sequences in which every step has its turn, instead of random ones
    """

    def __init__(self, seed, shards, sequences, minutes=None, shrinking=60, dealt=False):
        LOG.mkdir(parents=True, exist_ok=True)
        self.begun = time.monotonic()
        self.running = []
        for number in range(shards):
            result = FOLDER / f'result-{number}.json'
            result.unlink(missing_ok=True)
            log = LOG / f'{NAME}-shard-{number}.log'
            command = [
                sys.executable, '-m', 'dev.torture.model', number, '--seed',
                seed if dealt else seed + 1000 * number, '--sequences', sequences,
                '--result', result, '--shrinking', shrinking]
            if dealt:
                command += ['--dealt', shards]
            elif minutes:
                command += ['--minutes', minutes]
            with open(log, 'w') as output:
                process = start(command, cwd=ROOT, env=environment(), stdout=output, stderr=output)
            self.running.append((process, result, log))

    def wait(self):
        """:return: the violations, as text
        :rtype: list[str]
        """
        progress = Progress(lambda: 'sequences are run')
        try:
            while any(process.poll() is None for process, _result, _log in self.running):
                time.sleep(0.5)
                progress.show()
        finally:
            progress.close()
        return _sum_up(self.running, time.monotonic() - self.begun)

    def close(self):
        for process, _result, _log in self.running:
            end(process)


def _sum_up(running, seconds):
    counts, violations = Counter(), []
    for process, result, log in running:
        if not result.exists():
            violations.append(f'A process ended with {process.returncode}:\n'
                              f'{Path(log).read_text()[-3000:]}')
            continue
        found = json.loads(result.read_text())
        counts.update(found['counts'])
        violations += [_describe(violation) for violation in found['violations']]
    say(f'{counts["sequences"]} sequences, {counts["steps"]} steps in {seconds:.0f} s')
    for name in sorted(counts):
        if name.startswith('fault: '):
            say(f'  {counts[name]:5}  {name.removeprefix("fault: ")}')
    say(f'{len(violations)} violations')
    return violations


def _describe(violation):
    return (
        'To see it again:\n'
        f'  python -m dev.torture --only model {violation["options"]}\n'
        'What happened first:\n  ' + '\n  '.join(violation['first'])
        + '\nThe shortest that was found:\n' + violation['shrunk'])
