"""What the system itself has to bring, checked before anything else."""
import importlib.util
import os
import shutil
import sys

from ..paths import CACHE, DOT
from .console import SetupError

OLDEST, NEWEST = (3, 10), (3, 13)  # what Odoo 19 runs on
NEEDED_BYTES = 4 * 10**9
KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg'


def missing_packages(own_odoo):
    """Names of the Debian packages that have to be installed first.

    :param bool own_odoo: whether the developer brings their own Odoo source
    """
    missing = []
    if not all(importlib.util.find_spec(name) for name in ('venv', 'ensurepip')):
        missing.append('python3-venv')
    missing += [name for name in ('git', 'make') if not shutil.which(name)]
    if os.geteuid() == 0 and not shutil.which('setpriv'):
        missing.append('util-linux')
    if not own_odoo and not os.path.exists(KEYRING):
        missing.append('debian-archive-keyring')
    return missing


def check(own_odoo):
    version = sys.version_info[:2]
    if not OLDEST <= version <= NEWEST:
        raise SetupError(
            f'This is Python {version[0]}.{version[1]}; Odoo 19 runs on 3.10 to 3.13.',
            'Name another one: make setup PYTHON=python3.13')
    if not own_odoo and not (shutil.which('apt-get') and shutil.which('dpkg-deb')):
        raise SetupError(
            'Odoo comes as a Debian package, and this system has no apt-get.',
            'Get the source of Odoo 19 and name its folder: ODOO_DIR=/path/to/odoo make setup')
    missing = missing_packages(own_odoo)
    if missing:
        sudo = '' if os.geteuid() == 0 else 'sudo '
        raise SetupError(
            'Missing on this system: ' + ', '.join(missing),
            f'{sudo}apt-get install -y make git python3 python3-venv util-linux '
            'debian-archive-keyring')
    for folder in (DOT, CACHE):
        folder.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(folder).free
        if free < NEEDED_BYTES and not (DOT / 'venv').exists():
            raise SetupError(
                f'{folder} has {free / 1e9:.1f} GB free, {NEEDED_BYTES / 1e9:.0f} GB are needed.',
                'Make room, or name another cache folder: XDG_CACHE_HOME=/path make setup')
