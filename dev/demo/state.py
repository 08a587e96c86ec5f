"""What the demo remembers from one start to the next, and what runs where at this moment."""
import hashlib
import json
import os
from dataclasses import asdict, dataclass

import psutil

from ..odoo.processes import free_port
from ..paths import DEMO, ROOT, RUN

SETTINGS = DEMO / 'settings.json'
RUNNING = RUN / 'demo.json'
PORTS = {'shop': 8069, 'btcpay': 14142}
MODULE_FOLDERS = ('controllers', 'data', 'i18n', 'models', 'security', 'static', 'views', 'wizards')


@dataclass
class Running:
    """A demo that runs. Logins are (name, password)."""
    address: str
    shop: str
    backoffice: str
    btcpay: str
    admin: tuple
    customer: tuple
    merchant: tuple
    pids: dict

    @classmethod
    def read(cls):
        """The demo that runs now, or nothing."""
        try:
            found = cls(**json.loads(RUNNING.read_text()))
        except (FileNotFoundError, ValueError, TypeError):
            return None
        return found if alive(found.pids.get('demo')) else None

    def write(self):
        write_json(RUNNING, asdict(self))


def mark(pid):
    """A process by number and start, as numbers are used again."""
    return [pid, psutil.Process(pid).create_time()]


def alive(marked):
    try:
        return bool(marked) and psutil.Process(marked[0]).create_time() == marked[1]
    except psutil.Error:
        return False


def write_json(file, data):
    file.parent.mkdir(parents=True, exist_ok=True)
    fresh = file.with_suffix(f'.{os.getpid()}')
    fresh.write_text(json.dumps(data, indent=2) + '\n')
    fresh.replace(file)


def read_settings():
    try:
        return json.loads(SETTINGS.read_text())
    except (FileNotFoundError, ValueError):
        return {}


def choose_ports(settings):
    """The ports of the last start, the usual ones or free ones.

    :return: names whose port is another than last time
    """
    before = settings.get('ports', {})
    settings['ports'] = ports = {}
    for name, usual in PORTS.items():
        ports[name] = free_port(before.get(name, usual))
    return [name for name in before if before[name] != ports[name]]


def module_version():
    """Changes with every file of the module that Odoo reads at installation."""
    digest = hashlib.sha256()
    files = [*ROOT.glob('*.py')]
    for folder in (*MODULE_FOLDERS, 'dev/demo/addons'):
        files += (ROOT / folder).rglob('*')
    for file in sorted(files):
        if file.is_file() and '__pycache__' not in file.parts:
            digest.update(str(file.relative_to(ROOT)).encode() + file.read_bytes())
    return digest.hexdigest()
