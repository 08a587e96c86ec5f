"""Child processes that are always ended, by their process id and with all that they started."""
import contextlib
import ctypes
import os
import signal
import socket
import subprocess
import sys

from ..setup.console import SetupError

GRACE_SECONDS = 20
PR_SET_PDEATHSIG = 1  # of Linux' prctl()


def free_port(*preferred):
    """A port on 127.0.0.1 that nobody listens on: one of the preferred, or any."""
    for port in (*preferred, 0):
        with socket.socket() as probe:
            # As servers do: a port whose last connections are just closing is free
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):
                probe.bind(('127.0.0.1', port))
                return probe.getsockname()[1]
    raise OSError('No free port on 127.0.0.1')


def _end_with_parent():
    """Have the system end this process should its parent be killed, which can end nothing then."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def start(command, **options):
    """Start a program in a process group of its own, so that its children end with it.

    To be called from the main thread: the program ends with the thread that started it.
    """
    options.setdefault('stdin', subprocess.DEVNULL)
    return subprocess.Popen([str(part) for part in command], start_new_session=True,
                            preexec_fn=_end_with_parent, **options)  # noqa: PLW1509 no threads here


def _signal_group(process, number):
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


def end(process, grace=GRACE_SECONDS):
    """End a program begun with :func:`start`, and what is left of its children."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(grace)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    _signal_group(process, signal.SIGKILL)


@contextlib.contextmanager
def running(command, **options):
    """A program that runs as long as the block does."""
    process = start(command, **options)
    try:
        yield process
    finally:
        end(process)


def raise_on_sigterm():
    """Let SIGTERM and SIGHUP unwind the stack as Ctrl-C does, so that every `finally` is run."""
    def interrupt(_number, _frame):
        raise KeyboardInterrupt
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupt)


def run_main(main):
    """Run a program of ours to its end: a failed step says why and what to do, Ctrl-C ends it.

    :param main: callable returning the exit code
    """
    raise_on_sigterm()
    try:
        sys.exit(main())
    except SetupError as error:
        sys.exit(f'{error.why}\n{error.todo}')
    except KeyboardInterrupt:
        os.write(2, b'Interrupted\n')
        sys.exit(130)
