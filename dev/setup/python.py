"""The Python environment .dev/venv, from the locked requirements."""
import hashlib
import shutil
import sys
import sysconfig

from ..paths import CACHE, PYTHON, ROOT, VENV
from .console import SetupError, megabytes, run

LOCKS = [ROOT / 'dev' / 'requirements-build.txt', ROOT / 'dev' / 'requirements.txt']
STAMP = VENV / '.locked'
TODO = 'Look at the message; if a download failed, try again: what is there is kept.'
PIP = [PYTHON, '-m', 'pip', '--disable-pip-version-check', '--no-input']


def _key(*parts):
    digest = hashlib.sha256()
    for lock in LOCKS:
        digest.update(lock.read_bytes())
    for part in parts:
        digest.update(str(part).encode())
    return digest.hexdigest()


def ready():
    # Whichever Python it was made with will do, as long as that is still there
    return PYTHON.exists() and STAMP.exists() and STAMP.read_text() == _key(VENV)


def _size(folder):
    return sum(file.stat().st_size for file in folder.rglob('*') if file.is_file())


def _install(wheels, download):
    for lock in LOCKS:
        # The two packages that come as source only are built with the setuptools of the first lock
        checked = ['--require-hashes', '--no-deps', '--no-build-isolation',
                   '--find-links', wheels, '-r', lock]
        if download:
            run([*PIP, 'download', '-d', wheels, *checked], TODO,
                measure=lambda: megabytes(_size(wheels)) + ' downloaded')
        run([*PIP, 'install', '--no-index', *checked], TODO, measure=lambda: 'installing')


def install():
    """Make the environment anew, so that nothing of an older lock is left in it."""
    wheels = CACHE / 'wheels'
    wheels.mkdir(parents=True, exist_ok=True)
    complete = wheels / f'.complete-{_key(sys.version_info[:2], sysconfig.get_platform())[:16]}'
    shutil.rmtree(VENV, ignore_errors=True)
    run([sys.executable, '-m', 'venv', VENV], 'apt-get install -y python3-venv')
    try:
        _install(wheels, download=not complete.exists())
    except SetupError:
        if not complete.exists():
            raise
        complete.unlink()  # somebody tidied the cache, or a file in it is damaged
        _install(wheels, download=True)
    complete.touch()
    STAMP.write_text(_key(VENV))
