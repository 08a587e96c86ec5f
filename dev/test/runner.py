"""Runs the programs of `make test` with their output in a log and progress on the terminal."""
import subprocess
import time

from ..odoo.processes import running
from ..paths import LOG, ROOT
from ..setup.console import Progress

LONGEST = 40 * 60


def run_logged(command, log_name, measure=None, limit=LONGEST, **options):
    """Run a program.

    :param str log_name: name of the log in .dev/log
    :param measure: callable that gets the log's text and returns the progress
    :return: exit code (or nothing after the time limit), and the log
    :rtype: tuple[int | None, pathlib.Path]
    """
    LOG.mkdir(parents=True, exist_ok=True)
    file = LOG / log_name
    with open(file, 'w') as output:
        progress = Progress(lambda: measure(file.read_text(errors='replace')) if measure else '')
        deadline = time.monotonic() + limit
        options.setdefault('cwd', ROOT)
        with running(command, stdout=output, stderr=subprocess.STDOUT, **options) as process:
            try:
                while time.monotonic() < deadline:
                    try:
                        return process.wait(0.5), file
                    except subprocess.TimeoutExpired:
                        progress.show()
            finally:
                progress.close()
    return None, file
