"""Where it is measured: databases with and without the module, Odoo on them, and the server."""
import contextlib
import hashlib
import http.client
import json
import logging
import re
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from ..odoo import databases
from ..odoo.instance import MODULE, environment, wait_until_up
from ..odoo.processes import end, free_port, start
from ..paths import LOG, ROOT, TEST
from ..setup.console import SetupError, run, step
from . import recorded
from .peers import Request

HELPER = 'btcpay_bench'
FOLDER = TEST / 'bench'
#: databases, without and with the module
WITHOUT, WITH = 'bench_without', 'bench_with'
HERE = Path(__file__).parent
#: of a scheduled action
CODE = re.compile(r'model\.(\w+)\(\)')


@dataclass
class Answer:
    """:param float seconds: from the first byte sent to the last byte read
    :param dict costs: what Odoo counted, see `btcpay_bench/counters.py`
    :param float connecting: those of the seconds until the connection was there
    """

    status: int
    seconds: float
    costs: dict
    body: bytes
    connecting: float = 0


class Line:
    """Speaks HTTP with a server on 127.0.0.1."""

    def __init__(self, port, timeout=120):
        self.port, self.timeout = port, timeout

    def send(self, request):
        """:return: the Answer"""
        begun = time.perf_counter()
        connection = http.client.HTTPConnection('127.0.0.1', self.port, timeout=self.timeout)
        try:
            connection.connect()
            connecting = time.perf_counter() - begun
            connection.request(request.method, request.path, request.body, request.headers)
            response = connection.getresponse()
            body = response.read()
            seconds = time.perf_counter() - begun
            costs = json.loads(response.headers.get('X-Bench') or '{}')
            return Answer(response.status, seconds, costs, body, connecting)
        finally:
            connection.close()


def link_addons(module):
    """:return: Odoo's options, with the module, whatever its folder is called, and our helper"""
    # Several sources can be measured, or tested, at once.
    folder = FOLDER / f'addons-{hashlib.sha256(bytes(module)).hexdigest()[:8]}'
    folder.mkdir(parents=True, exist_ok=True)
    for name, source in ((MODULE, module), (HELPER, HERE / HELPER)):
        link = folder / name
        link.unlink(missing_ok=True)
        link.symlink_to(source)
    return [f'--addons-path={folder}', f'--load=base,rpc,web,{HELPER}', '--max-cron-threads=0']


def load_odoo(instance, options, database):
    """Have Odoo's code, and with it our helper, in this process."""
    import odoo.service.server
    from odoo.tools import config

    instance.write_config()
    config.parse_config(
        [*options, f'--config={instance.config}', '--database', database], setup_logging=False)
    odoo.service.server.load_server_wide_modules()
    logger = logging.getLogger('odoo')
    logger.propagate, logger.level = False, logging.ERROR
    logger.addHandler(logging.StreamHandler())


class Odoo(Line):
    """Odoo's processes on a database.

    :param int workers: 0 for threads
    """

    def __init__(self, place, database, workers=0):
        super().__init__(free_port())
        self.log = LOG / f'{database}.log'
        command = place.instance.command(
            database, *place.options, '--http-port', self.port, '--gevent-port', free_port(),
            '--workers', workers, '--db-filter', f'^{database}$', '--log-level', 'warn')
        with open(self.log, 'w') as log:
            self.process = start(
                command, cwd=place.instance.folder, stdout=log, stderr=subprocess.STDOUT,
                env={**environment(), 'BENCH_SERVER': place.server_url})
        try:
            wait_until_up(self.process, self.port, 120, 'Odoo', self.log)
        except BaseException:
            self.close()
            raise

    def close(self):
        end(self.process)

    def __enter__(self):
        return self

    def __exit__(self, *_exc):
        self.close()


class Place:
    """:param Path module: the source of the module: this repository, or another commit of it
    :ivar Line server: the small server
    """

    def __init__(self, module=ROOT):
        self.module = Path(module).resolve()
        self.instance = databases.test_instance()
        self.stack = contextlib.ExitStack()
        self.registries = {}

    def __enter__(self):
        try:
            self._prepare()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_exc):
        self.close()

    def close(self):
        if self.registries:
            import odoo.sql_db

            odoo.sql_db.close_all()
        self.stack.close()
        for database in (WITHOUT, WITH):
            databases.remove_database(self.instance, database)

    @property
    def server_url(self):
        return f'http://127.0.0.1:{self.server.port}'

    # --- what has to be there ---------------------------------------------------------------------

    def _prepare(self):
        self.instance.cluster.start()
        self.options = link_addons(self.module)
        self._start_server()
        template = self._peers_template()
        with step('Databases without and with the module'):
            databases.copy_database(self.instance, template, WITHOUT)
            databases.copy_database(self.instance, template, WITH)
            self._install(WITH, MODULE)
            self._load(WITH)
            from . import furnish

            with self.env(WITH) as env:
                furnish.bitcoin(env, self.server_url)
            self.registries[WITHOUT] = self._registry(WITHOUT)

    def _start_server(self):
        file = FOLDER / 'recorded.json'
        file.write_text(json.dumps({
            state: asdict(answers) for state, answers in recorded.record().items()}))
        process = start([sys.executable, '-m', 'dev.bench.server', file], cwd=ROOT,
                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.stack.callback(end, process, grace=1)
        self.server = Line(int(process.stdout.readline()))

    def _peers_template(self):
        """:return: the name of a database with Mollie and Stripe, which is kept"""
        source = (HERE / 'furnish.py').read_text()
        template = databases.ensure_template(self.instance)
        digest = hashlib.sha256(f'{template} {source}'.encode()).hexdigest()[:8]
        name = f'bench_peers_{digest}'
        if name in self.instance.cluster.databases():
            return name
        for old in self.instance.cluster.databases():
            if old.startswith('bench_peers_'):
                databases.remove_database(self.instance, old)
        unfinished = f'{name}_new'
        with step('Database with Mollie and Stripe (once)'):
            databases.copy_database(self.instance, template, unfinished)
            self._install(unfinished, 'payment_mollie,payment_stripe')
            self._load(unfinished)
            from . import furnish

            with self.env(unfinished) as env:
                furnish.shop(env)
            self._forget(unfinished)
            databases.copy_files(
                self.instance.filestore(unfinished), self.instance.filestore(name))
            self.instance.cluster.rename(unfinished, name)
        return name

    def _install(self, database, modules):
        run(self.instance.command(database, *self.options, '--no-http', '--stop-after-init',
                                  '--without-demo=all', '--init', modules),
            'Look at the message.', cwd=self.instance.folder, env=environment(),
            measure=lambda: 'installing')

    # --- Odoo's models in our process -------------------------------------------------------------

    def _load(self, database):
        if not self.registries:
            load_odoo(self.instance, self.options, database)
        self.registries[database] = self._registry(database)

    @staticmethod
    def _registry(database):
        from odoo.orm.registry import Registry

        return Registry(database)

    def _forget(self, database):
        import odoo.sql_db

        del self.registries[database]
        odoo.sql_db.close_db(database)
        from odoo.orm.registry import Registry

        Registry.delete(database)

    @contextlib.contextmanager
    def env(self, database=WITH):
        """An environment in a database transaction of its own, committed in the end."""
        from odoo import SUPERUSER_ID, api

        with self.registries[database].cursor() as cr:
            yield api.Environment(cr, SUPERUSER_ID, {})

    def sql(self, query, *parameters, database=WITH):
        """:return: the rows, as tuples"""
        with self.registries[database].cursor() as cr:
            cr.execute(query, parameters)
            return cr.fetchall() if cr.description else []

    def vacuum(self, table):
        """Do at once what PostgreSQL does by itself after a while."""
        with self.instance.cluster.cursor(WITH) as cursor:
            cursor.execute(f'VACUUM ANALYZE {table}')

    # --- the server -------------------------------------------------------------------------------

    def tell(self, what, value):
        """Tell the small server something, or ask it, see there.

        :return: its answer
        """
        answer = self.server.send(Request(f'/bench/{what}', json.dumps(value).encode()))
        if answer.status != 200:
            raise SetupError(f'The small server refused {what}', 'Look at dev/bench/server.py')
        return json.loads(answer.body)

    def calls(self):
        """:return: how often Odoo called any provider"""
        return json.loads(self.server.send(Request('/bench/calls')).body)

    def leave_off(self, references=()):
        """Leave what was measured before as it is: nothing is to be done about it any more.

        :param list references: of the transactions that are not to be left off
        """
        self.sql('UPDATE payment_transaction SET is_post_processed = TRUE, '
                 'btcpay_next_sync_at = NULL, btcpay_pending_action = NULL '
                 'WHERE NOT reference = ANY(%s)', list(references))
        self.sql("UPDATE btcpay_delivery SET state = 'ignored' WHERE state = 'pending' "
                 'AND NOT order_ref = ANY(%s)', list(references))

    # --- scheduled actions ------------------------------------------------------------------------

    def crons(self):
        """:return: user, model and method of ours and of Odoo's that confirms orders, by name"""
        with self.env() as env:
            found = env['ir.cron'].browse(env['ir.model.data'].search([
                ('module', '=', MODULE), ('model', '=', 'ir.cron'),
            ]).mapped('res_id')) + env.ref('payment.cron_post_process_payment_tx')
            return {cron.name: (cron.user_id.id, cron.model_id.model,
                                CODE.fullmatch(cron.code.strip())[1]) for cron in found}

    def run_cron(self, cron):
        user_id, model, method = cron
        with self.env() as env:
            getattr(env[model].with_user(user_id), method)()

    def run_crons(self):
        for cron in self.crons().values():
            self.run_cron(cron)
