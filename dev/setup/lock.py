"""make lock: renews dev/requirements*.txt from the .in files, for all Pythons that Odoo runs on,
and dev/web/package-lock.json.

`make lock` keeps versions as they are where it can; `make lock UPGRADE=--upgrade` takes the newest.
"""
import os
import shutil
import sys

from ..paths import DOT, ROOT
from . import node
from .console import run, step

TODO = 'Look at the message: two packages may ask for versions that do not fit together.'


def _uv():
    """The program uv: the system's, or in an environment of its own."""
    found = shutil.which('uv')
    if found:
        return found
    venv = DOT / 'lock-venv'
    if not (venv / 'bin' / 'uv').exists():
        run([sys.executable, '-m', 'venv', venv], 'apt-get install -y python3-venv')
        run([venv / 'bin' / 'pip', 'install', 'uv'], 'Check the network and try again.')
    return venv / 'bin' / 'uv'


def main():
    with step('Locking the Python packages'):
        uv = _uv()
        for name in ('requirements-build', 'requirements'):
            run([uv, 'pip', 'compile', '--universal', '--python-version', '3.10',
                 '--generate-hashes', '--custom-compile-command', 'make lock',
                 *os.environ.get('UPGRADE', '').split(), f'{name}.in', '-o', f'{name}.txt'],
                TODO, cwd=ROOT / 'dev', measure=lambda name=name: name)
    with step('Locking the packages of npm'):
        node.lock()


if __name__ == '__main__':
    main()
