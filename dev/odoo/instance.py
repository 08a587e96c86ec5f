"""Odoo on one of our clusters: its settings, its environment and its command lines."""
import os
import tempfile
import time
import urllib.error
import urllib.request

from ..paths import ADDONS, BIN, ODOO, PYTHON
from ..setup.console import SetupError, run
from .postgres import PORT, USER

MODULE = 'payment_btcpay'
DROPPED = {
    'PYTHONDONTWRITEBYTECODE',  # without its byte code Odoo starts seconds later each time
    'ODOO_RC', 'OPENERP_SERVER', 'ODOO_ADDONS_PATH', 'ODOO_TEST_MAX_FAILED_TESTS',
    *(f'PG{name}' for name in ('HOST', 'PORT', 'USER', 'PASSWORD', 'DATABASE', 'SSLMODE')),
}


def environment():
    """The environment of Odoo: its source, our programs, and nothing that changes its ways."""
    kept = {key: value for key, value in os.environ.items() if key not in DROPPED}
    return {**kept, 'PYTHONPATH': str(ODOO), 'PYTHONUNBUFFERED': '1', 'LC_ALL': 'C.UTF-8',
            'TZ': 'UTC', 'PATH': f'{BIN}:{PYTHON.parent}:{kept.get("PATH", os.defpath)}'}


class Instance:
    """Odoo's settings for a cluster.

    :param Cluster cluster: the PostgreSQL server
    :param Path folder: holds the settings and Odoo's files
    :param Path addons: holds modules beside ours, if there are any
    """

    def __init__(self, cluster, folder, addons=None):
        self.cluster = cluster
        self.folder = folder
        self.addons = addons
        self.data_dir = folder / 'files'
        self.config = folder / 'odoo.conf'

    def filestore(self, database):
        return self.data_dir / 'filestore' / database

    def write_config(self):
        self.data_dir.mkdir(parents=True, exist_ok=True)
        options = {
            'addons_path': f'{ADDONS},{self.addons}' if self.addons else ADDONS,
            'data_dir': self.data_dir, 'db_host': self.cluster.socket_folder, 'db_port': PORT,
            'db_user': USER, 'http_interface': '127.0.0.1', 'workers': 0,
            'admin_passwd': 'admin', 'limit_time_real': 3600, 'list_db': False,
            # Debian keeps GeoIP's files here, others have none: nobody is located either way
            'geoip_city_db': '/nonexistent', 'geoip_country_db': '/nonexistent',
        }
        text = '[options]\n' + ''.join(f'{key} = {value}\n' for key, value in options.items())
        if not self.config.exists() or self.config.read_text() != text:
            fresh = self.config.with_suffix(f'.{os.getpid()}')
            fresh.write_text(text)
            fresh.replace(self.config)

    def command(self, database, *options, subcommand=None, python=PYTHON):
        """Odoo's command line; to be run with :func:`environment` and in `self.folder`."""
        self.write_config()
        first = [subcommand] if subcommand else []
        return [str(part) for part in (
            python, '-W', 'ignore::DeprecationWarning', '-m', 'odoo', *first,
            '--config', self.config, '--database', database, *options)]

    def run_script(self, database, code, doing):
        """Run Python code in Odoo's shell.

        :param str code: sees `env`; has to commit what is to stay
        :param str doing: shown while it runs
        :return: what was printed and logged
        """
        with tempfile.TemporaryFile('w+') as script:
            script.write(code)
            script.seek(0)
            return run(self.command(database, '--no-http', subcommand='shell'),
                       'Try again; if it fails again, look at the log.', cwd=self.folder,
                       env=environment(), stdin=script, measure=lambda: doing)

    def has_module(self, database, module=MODULE):
        with self.cluster.cursor(database) as cursor:
            cursor.execute('SELECT 1 FROM ir_module_module WHERE name = %s AND state IN '
                           "('installed', 'to upgrade')", [module])
            return bool(cursor.fetchone())


def wait_until_up(process, port, seconds, what, log):
    """Wait until an HTTP server answers.

    :param process: ends the wait when it ends
    """
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise SetupError(f'{what} ended with {process.returncode} while starting.',
                             f'Look at the end of {log}')
        try:
            urllib.request.urlopen(
                f'http://127.0.0.1:{port}/web/health', timeout=10).close()
            return
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.2)
    raise SetupError(f'{what} did not answer within {seconds} s.', f'Look at the end of {log}')
