"""Starts and stops the demo: PostgreSQL, the stand-in BTCPay Server, Odoo."""
import contextlib
import json
import os
import shutil
import subprocess
import time
from pathlib import Path

import psutil

from ..btcpay.state import MERCHANT, PASSWORD
from ..odoo import databases
from ..odoo.instance import MODULE, Instance, environment, wait_until_up
from ..odoo.postgres import Cluster
from ..odoo.processes import end, start
from ..paths import DEMO, LOG, PYTHON, ROOT
from ..setup.console import SetupError, run, say, step
from . import content, state

DATABASE = 'demo'
DEMO_MODULE = 'payment_btcpay_demo'
HERE = Path(__file__).parent
ADDONS = HERE / 'addons'
START_SECONDS = 120


class Demo:
    """One demo, to be started once and stopped in any case."""

    def __init__(self):
        self.instance = Instance(Cluster(DEMO / 'pg'), DEMO, ADDONS)
        self.processes = {}
        self.settings = state.read_settings()

    # What has to be there -------------------------------------------------------------------------

    def _end_leftovers(self):
        """End what a demo that was killed has left running."""
        with contextlib.suppress(FileNotFoundError, ValueError):
            for marked in json.loads(state.RUNNING.read_text())['pids'].values():
                if state.alive(marked):
                    left = psutil.Process(marked[0])
                    left.terminate()
                    with contextlib.suppress(psutil.TimeoutExpired):
                        left.wait(20)
        state.RUNNING.unlink(missing_ok=True)

    def _odoo(self, *options, doing):
        run(self.instance.command(DATABASE, '--no-http', '--max-cron-threads=0',
                                  '--stop-after-init', *options),
            'Look at the message; `make demo-reset` forgets the demo.', cwd=DEMO,
            env=environment(), measure=lambda: doing)

    def _create(self):
        databases.remove_database(self.instance, DATABASE)
        template = databases.ensure_template(self.instance)
        databases.copy_database(self.instance, template, DATABASE)
        with step('This module and the languages ' + ', '.join(content.LANGUAGES)):
            self._odoo('--init', DEMO_MODULE, '--load-language', ','.join(content.LANGUAGES),
                       doing='installing')
        with step("The shop's content"):
            data = json.dumps(content.data())
            self.instance.run_script(
                DATABASE, f'import json\nDATA = json.loads({data!r})\n'
                + (HERE / 'shop.py').read_text(), 'filling the shop')

    def _prepare_database(self):
        version = state.module_version()
        if not self.settings.get('complete') \
                or DATABASE not in self.instance.cluster.databases():
            self._create()
        elif self.settings.get('module') != version:
            with step('Upgrade of the module, which has changed'):
                # One of before this page has no such module yet
                self._odoo('--update', MODULE, '--init', DEMO_MODULE, doing='upgrading')
        pdf = bool(shutil.which('wkhtmltopdf', path=environment()['PATH']))
        if not pdf and self.settings.get('pdf', True):
            with step('Mails without PDF, as there is no wkhtmltopdf'):
                self.instance.run_script(DATABASE, (HERE / 'pdf.py').read_text(), 'adjusting')
        self.settings |= {'module': version, 'complete': True, 'pdf': pdf}

    def _choose_addresses(self):
        """Choose the ports after all that takes time: others could take them meanwhile."""
        moved = state.choose_ports(self.settings)
        if moved:
            say(f'! Another port than last time, which is taken: {", ".join(moved)}. '
                'Connect the shop to the BTCPay Server again.')
        with self.instance.cluster.cursor(DATABASE) as cursor:
            for key, name in (('web.base.url', 'shop'), (f'{DEMO_MODULE}.server_url', 'btcpay')):
                cursor.execute('UPDATE ir_config_parameter SET value = %s WHERE key = %s',
                               [self.url(name), key])

    def url(self, name):
        return f'http://127.0.0.1:{self.settings["ports"][name]}'

    # Servers -------------------------------------------------------------------------------------

    def _start(self, name, command, **options):
        LOG.mkdir(parents=True, exist_ok=True)
        with open(LOG / f'demo-{name}.log', 'w') as log:
            self.processes[name] = start(command, stdout=log, stderr=subprocess.STDOUT, **options)
        return self.processes[name], LOG / f'demo-{name}.log'

    def _start_btcpay(self):
        process, log = self._start('btcpay', [
            PYTHON, '-m', 'dev.btcpay', '--port', self.settings['ports']['btcpay'],
            '--state', DEMO / 'btcpay.state', '--fill-login'], cwd=ROOT)
        wait_until_up(process, self.settings['ports']['btcpay'], START_SECONDS,
                      'The stand-in BTCPay Server', log)

    def _start_odoo(self):
        process, log = self._start('odoo', self.instance.command(
            DATABASE, '--http-port', self.settings['ports']['shop'], '--max-cron-threads=2',
            '--db-filter', f'^{DATABASE}$'), cwd=DEMO, env=environment())
        wait_until_up(process, self.settings['ports']['shop'], START_SECONDS, 'Odoo', log)

    def start(self):
        """Start everything.

        :return: addresses and logins
        :rtype: Running
        """
        self._end_leftovers()
        with step('PostgreSQL'):
            self.instance.cluster.start()
        self._prepare_database()
        self._choose_addresses()
        state.write_json(state.SETTINGS, self.settings)
        with step('The stand-in BTCPay Server'):
            self._start_btcpay()
        with step('Odoo'):
            self._start_odoo()
        running = state.Running(
            address=f'{self.url("shop")}/', shop=f'{self.url("shop")}/shop',
            backoffice=f'{self.url("shop")}/odoo', btcpay=self.url('btcpay'), admin=content.ADMIN,
            customer=content.CUSTOMER, merchant=(MERCHANT, PASSWORD),
            pids={'demo': state.mark(os.getpid()), **{
                name: state.mark(process.pid) for name, process in self.processes.items()}})
        running.write()
        return running

    def watch(self):
        """Wait until a server ends, which it should not."""
        while True:
            for name, process in self.processes.items():
                if process.poll() is not None:
                    raise SetupError(f'{name} ended with {process.returncode}.',
                                     f'Look at the end of {LOG / f"demo-{name}.log"}')
            time.sleep(0.5)

    def stop(self):
        state.RUNNING.unlink(missing_ok=True)
        for process in reversed(self.processes.values()):
            end(process)
        self.instance.cluster.stop()


@contextlib.contextmanager
def running_demo():
    """Addresses and logins of the demo that runs, or of one that runs for this block."""
    running = state.Running.read()
    if running:
        yield running
        return
    demo = Demo()
    try:
        yield demo.start()
    finally:
        demo.stop()
