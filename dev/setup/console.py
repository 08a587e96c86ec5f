"""Progress, logs and plain failure messages on the terminal."""
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager

from ..paths import LOG

TTY = sys.stdout.isatty()
SECONDS = 1 if TTY else 15  # where lines cannot be rewritten, progress is one line this often


class SetupError(Exception):
    """A step cannot go on.

    :param str why: the reason, as the failing program put it
    :param str todo: what the reader can do about it
    """

    def __init__(self, why, todo):
        super().__init__(why)
        self.why = why
        self.todo = todo


def say(text):
    print(text, flush=True)


@contextmanager
def step(title):
    """Print a step with its duration, or that it failed, why and what to do."""
    started = time.monotonic()
    say(f'* {title} …')
    try:
        yield
    except SetupError as error:
        say(f'\n✗ This step failed: {title}')
        say('  Why: ' + error.why.strip().replace('\n', '\n       '))
        say('  To do: ' + error.todo.strip().replace('\n', '\n         '))
        say(f'  Everything that was printed is in {LOG / "setup.log"}')
        raise SystemExit(1) from error
    seconds = time.monotonic() - started
    if seconds >= 1:
        say(f'  done in {seconds:.0f} s')


class Progress:
    """Show what `measure` returns while something runs.

    :param measure: callable returning a short text such as `12 of 117 MB`, or nothing
    """

    def __init__(self, measure):
        self.measure = measure
        self.started = self.shown = time.monotonic()
        self.width = 0

    def show(self):
        now = time.monotonic()
        if now - self.shown < SECONDS:
            return
        self.shown = now
        text = f'  {self.measure() or ""} ({now - self.started:.0f} s)'
        if TTY:
            self.width = max(self.width, len(text))
            print('\r' + text.ljust(self.width), end='', flush=True)
        else:
            say(text)

    def close(self):
        if TTY and self.width:
            print('\r' + ' ' * self.width + '\r', end='', flush=True)


def megabytes(done, total=None):
    if total:
        return f'{done / 1e6:.0f} of {total / 1e6:.0f} MB'
    return f'{done / 1e6:.0f} MB'


def run(command, todo, measure=None, **options):
    """Run a program with its output in the log, showing progress.

    :param list command: program and arguments
    :param str todo: what to do when it fails
    :param measure: see :class:`Progress`
    :return: what the program printed
    :rtype: str
    """
    LOG.mkdir(parents=True, exist_ok=True)
    # Several can run at once: each has its output for itself, and the log gets it in one piece
    with tempfile.TemporaryFile('w+', errors='replace') as output:
        progress = Progress(measure or (lambda: ''))
        options.setdefault('stdin', subprocess.DEVNULL)
        try:
            process = subprocess.Popen([str(part) for part in command], stdout=output,
                                       stderr=subprocess.STDOUT, **options)
        except OSError as error:
            raise SetupError(str(error), todo) from error
        try:
            while True:
                try:
                    process.wait(timeout=0.5)
                    break
                except subprocess.TimeoutExpired:
                    progress.show()
        finally:
            progress.close()
            if process.poll() is None:
                process.terminate()
                process.wait()
            output.seek(0)
            text = output.read()
            with open(LOG / 'setup.log', 'a') as log:
                log.write(f'\n$ {" ".join(map(str, command))}\n{text}')
    if process.returncode:
        tail = '\n'.join(text.strip().splitlines()[-8:])
        raise SetupError(f'{command[0]} ended with {process.returncode}:\n{tail}', todo)
    return text
