"""The browser driver of the package `playwright`: a Node.js that needs a library of the system.

Where the system lacks it, it is unpacked in the cache, and a script of the driver's name in
.dev/venv starts the driver with it: whoever uses playwright need not know.
"""
import os
import subprocess

from ..paths import VENV
from .console import SetupError, say
from .programs import fetch, libraries, script

PACKAGES = ['libatomic1']
MOVED = 'node.bundled'  # the driver itself, where a script has its name
TODO = 'apt-get install -y ' + ' '.join(PACKAGES)


def _node():
    """The driver's place, or nothing where this system's playwright brings none."""
    return next(VENV.glob('lib/python3*/site-packages/playwright/driver/node'), None)


def _start(program, **environment):
    """Start a driver.

    :return: what it said when it did not start, or nothing
    """
    try:
        done = subprocess.run([program, '--version'], stdin=subprocess.DEVNULL, check=False,
                              capture_output=True, text=True, timeout=60,
                              env={**os.environ, **environment})
    except OSError as error:
        return str(error)
    return done.stderr.strip()[-300:] or f'ended with {done.returncode}' if done.returncode else ''


def ready():
    node = _node()
    return not node or not _start(node)


def install():
    """Have the driver start; say why it does not, and what follows."""
    node = _node()
    bundled = node.with_name(MOVED)
    try:
        if not bundled.exists():
            os.link(node, bundled)  # `node` is there at any time: others may be using it
        tree = fetch('driver', PACKAGES, depends=False)
        environment = {'LD_LIBRARY_PATH': libraries(tree)}
        why = _start(bundled, **environment)
        if why:
            raise SetupError(why, TODO)
        script(node, bundled, environment)
        say(f'  with {", ".join(PACKAGES)} of Debian')
    except SetupError as error:
        say(f'  It does not start: {error.why.strip()}\n  The walk and the contract tests in a '
            f'browser will fail. With what it needs of the system it works: {TODO}')
