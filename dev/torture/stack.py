"""Odoo, the stand-in BTCPay Server and what stands between them, as processes that can be ended."""
import contextlib
import json
import os
import signal
import subprocess
from pathlib import Path

from ..odoo import databases
from ..odoo.instance import MODULE, environment, wait_until_up
from ..odoo.postgres import locked
from ..odoo.processes import end, free_port, start
from ..paths import LOG, ROOT, TEST
from ..setup.console import SetupError, step
from ..world import StandIn
from .gate import Gate

HELPER = 'btcpay_torture'
#: of the databases; another one than usual for a second torture at the same time
NAME = os.environ.get('TORTURE_NAME', 'torture')
BASE = f'{NAME}_base'
FOLDER = TEST / NAME


def alone():
    """Only one torture at a time: others wait."""
    return locked(FOLDER / 'torture.lock')


def addons(module):
    """A folder with the module and our helper, whatever the folder of the module is called.

    :param Path module: the source of the module: this repository, or a changed copy of it
    """
    folder = FOLDER / 'addons'
    folder.mkdir(parents=True, exist_ok=True)
    for name, source in ((MODULE, module), (HELPER, ROOT / 'dev' / 'torture' / HELPER)):
        link = folder / name
        if not link.is_symlink() or link.readlink() != source:
            link.unlink(missing_ok=True)
            link.symlink_to(source)
    return folder


def options(instance):
    """What every Odoo of ours is started with."""
    return [f'--addons-path={FOLDER / "addons"}', f'--load=base,rpc,web,{HELPER}',
            '--max-cron-threads=0', f'--config={instance.config}']


def prepare_base(module=ROOT):
    """Make the database that the stacks begin with, with the module as it is now."""
    instance = databases.test_instance()
    instance.cluster.start()
    addons(Path(module).resolve())
    with state_file(FOLDER / 'base.json') as state:
        template = databases.ensure_template(instance)
        databases.copy_database(instance, template, BASE)
        env = {**environment(), 'TORTURE_STATE': str(state)}
        with step('Database for the torture'):
            command = instance.command(
                BASE, *options(instance), '--no-http', '--stop-after-init',
                '--init', f'{MODULE},{HELPER}')
            done = subprocess.run(
                command, cwd=instance.folder, env=env, text=True, stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT, check=False)
            LOG.mkdir(parents=True, exist_ok=True)
            log = LOG / f'{NAME}-install.log'
            log.write_text(done.stdout)
            if done.returncode or ' ERROR ' in done.stdout or ' CRITICAL ' in done.stdout:
                raise SetupError('The database for the torture could not be made',
                                 f'{done.stdout[-3000:]}\nLook at {log}')
    return instance


@contextlib.contextmanager
def state_file(file):
    file.parent.mkdir(parents=True, exist_ok=True)
    write_state(file)
    yield file


def write_state(file, offset=0.0, broken=False):
    fresh = file.with_suffix('.new')
    fresh.write_text(json.dumps({'offset': offset, 'broken': broken}))
    fresh.replace(file)


class Stack:
    """Odoo on a database of its own and a stand-in of its own.

    :param Instance instance: from :func:`prepare_base`
    :param str name: of the database, after the name of the torture
    :param int workers: Odoo's processes; 0 for threads
    :ivar World world: the stand-in
    :ivar Gate gate: what its webhooks pass
    """

    def __init__(self, instance, name, workers=0):
        self.instance = instance
        self.name = f'{NAME}_{name}'
        self.workers = workers
        self.state = FOLDER / f'{name}.json'
        self.log = LOG / f'{self.name}.log'
        self.port, self.gevent_port = free_port(), free_port()
        self.odoo = self.world = self.gate = None
        self.offset, self.broken = 0.0, False
        os.environ['TORTURE_STATE'] = str(self.state)

    @property
    def url(self):
        return f'http://127.0.0.1:{self.port}'

    def start(self):
        """:return: self, once all answer"""
        databases.copy_database(self.instance, BASE, self.name)
        self.tell_odoo()
        self.log.unlink(missing_ok=True)
        try:
            self.world = StandIn.started()
            self.gate = Gate(self.port)
            self.start_odoo()
            self.prepare()
            self.wait_odoo()
        except BaseException:
            self.close()
            raise
        return self

    def prepare(self):
        """For more that is to be done while Odoo starts."""

    def tell_odoo(self, offset=0.0, broken=False):
        """:param float offset: seconds Odoo's clock is ahead
        :param bool broken: whether somebody's module keeps orders from being confirmed
        """
        self.offset, self.broken = offset, broken
        write_state(self.state, offset, broken)

    def pass_time(self, seconds):
        """Let time pass at both sides."""
        self.tell_odoo(self.offset + seconds, self.broken)
        self.world.pass_time(seconds)

    # --- Odoo's process ---------------------------------------------------------------------------

    def start_odoo(self):
        command = self.instance.command(
            self.name, *options(self.instance), '--http-port', self.port,
            '--gevent-port', self.gevent_port, '--workers', self.workers,
            '--db-filter', f'^{self.name}$', '--log-level', 'warn')
        with open(self.log, 'a') as log:
            self.odoo = start(command, cwd=self.instance.folder, env=environment(),
                              stdout=log, stderr=subprocess.STDOUT)

    def wait_odoo(self):
        wait_until_up(self.odoo, self.port, 120, 'Odoo', self.log)

    def restart_odoo(self):
        """Restart it as a person does: what is under way is finished."""
        end(self.odoo)
        self.start_odoo()
        self.wait_odoo()

    def kill_odoo(self):
        """End it at once, as a crash does."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.odoo.pid, signal.SIGKILL)
        self.odoo.wait()

    def close(self):
        if self.odoo:
            end(self.odoo, grace=0)  # Its database goes, too
        if self.gate:
            self.gate.close()
        if self.world:
            self.world.close()
        databases.remove_database(self.instance, self.name)
        self.state.unlink(missing_ok=True)

    def __enter__(self):
        return self.start()

    def __exit__(self, *_exc):
        self.close()
