"""make demo: runs the demo until Ctrl-C.

    python -m dev.demo          run
    python -m dev.demo stop     stop the one that runs elsewhere
    python -m dev.demo reset    stop it and forget its data
"""
import os
import shutil
import signal
import sys
import time

from ..odoo.processes import raise_on_sigterm
from ..paths import DEMO
from ..setup.console import SetupError, say
from .session import Demo
from .state import Running, alive

STOP_SECONDS = 60


def _box(lines):
    width = max(map(len, lines))
    bar = '─' * (width + 2)
    return '\n'.join([f'┌{bar}┐', *(f'│ {line.ljust(width)} │' for line in lines), f'└{bar}┘'])


def _tell(running):
    def login(pair):
        return ' / '.join(pair)
    say('\n' + _box([
        f'Open         {running.address}   ← the story in four steps, begin here',
        '',
        f'Shop         {running.shop}',
        f'             as a customer: {login(running.customer)} (or without an account)',
        f'Back office  {running.backoffice}',
        f'             {login(running.admin)}',
        f'BTCPay       {running.btcpay}',
        f'             {login(running.merchant)}',
    ]))


def run():
    running = Running.read()
    if running:
        say('The demo runs already; `python -m dev.demo stop` stops it.')
        _tell(running)
        return 0
    demo = Demo()
    code = 0
    try:
        running = demo.start()
        _tell(running)
        say('Ctrl-C stops it; the data are kept for the next time.')
        demo.watch()
    except KeyboardInterrupt:
        pass
    except SystemExit as stopped:  # a step has failed and said so
        code = stopped.code
    except SetupError as error:
        say(f'\n✗ {error.why}\n  To do: {error.todo}')
        code = 1
    finally:
        say('\nStopping …')
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second Ctrl-C must not leave half of it
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        demo.stop()
        say('Stopped.')
    return code


def stop():
    running = Running.read()
    if running:
        os.kill(running.pids['demo'][0], signal.SIGTERM)
        deadline = time.monotonic() + STOP_SECONDS
        while alive(running.pids['demo']) and time.monotonic() < deadline:
            time.sleep(0.2)
    return 0


def reset():
    stop()
    Demo().instance.cluster.stop()
    shutil.rmtree(DEMO, ignore_errors=True)
    say('The demo has been forgotten; the next `make demo` makes a new one.')
    return 0


if __name__ == '__main__':
    raise_on_sigterm()
    sys.exit({(): run, ('stop',): stop, ('reset',): reset}[tuple(sys.argv[1:])]())
