"""Runs the programs of `make test` with their output in logs and progress on the terminal."""
import contextlib
import subprocess
import time

from ..odoo.processes import running
from ..paths import LOG, ROOT
from ..setup.console import Progress

#: A test hangs then; a slow machine with other work took 41 minutes.
LONGEST = 90 * 60


def run_side_by_side(commands, measure=None, limit=LONGEST, **options):
    """Run programs at the same time.

    :param dict commands: command lines by the name of their log in .dev/log
    :param measure: callable that gets the logs' text and returns the progress
    :return: of each its exit code (or nothing after the time limit) and its log
    :rtype: list[tuple[int | None, pathlib.Path]]
    """
    LOG.mkdir(parents=True, exist_ok=True)
    options.setdefault('cwd', ROOT)
    files = [LOG / name for name in commands]
    progress = Progress(lambda: measure(
        '\n'.join(file.read_text(errors='replace') for file in files)) if measure else '')
    deadline = time.monotonic() + limit
    with contextlib.ExitStack() as stack:
        stack.callback(progress.close)
        processes = []
        for file, command in zip(files, commands.values(), strict=True):
            output = stack.enter_context(open(file, 'w'))
            processes.append(stack.enter_context(
                running(command, stdout=output, stderr=subprocess.STDOUT, **options)))
        while time.monotonic() < deadline and any(p.poll() is None for p in processes):
            time.sleep(0.2)
            progress.show()
        codes = [process.poll() for process in processes]
    return list(zip(codes, files, strict=True))


def run_logged(command, log_name, measure=None, **options):
    """Run one program; see :func:`run_side_by_side`."""
    [result] = run_side_by_side({log_name: command}, measure, **options)
    return result
