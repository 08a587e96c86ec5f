"""Where things are. Standard library only: the bootstrap reads it before anything is installed."""
import os
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DOT = ROOT / '.dev'
VENV = DOT / 'venv'
PYTHON = VENV / 'bin' / 'python'
ODOO = DOT / 'odoo'  # link to the folder that holds the package `odoo`
ADDONS = DOT / 'addons'  # holds one link, payment_btcpay -> repository
BIN = DOT / 'bin'  # wrappers of programs that the system lacks
LOG = DOT / 'log'
NODE = DOT / 'node'  # what of npm the linters need
DIST = DOT / 'dist'  # what `make dist` builds
RUN = DOT / 'run'
DEMO = DOT / 'demo'
TEST = DOT / 'test'

_cache_home = os.environ.get('XDG_CACHE_HOME') or Path.home() / '.cache'
CACHE = Path(_cache_home) / 'payment_btcpay'
