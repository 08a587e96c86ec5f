"""A stack with Odoo's models at hand in our own process, on cursors of their own.

What an administrator and the scheduled actions do is done here, as another of Odoo's processes
would do it; customers and the server use HTTP.
"""
import contextlib
import logging
import re
import sys

from ..paths import ODOO
from ..world import GUIDE
from .stack import MODULE, Stack, options

#: processes of Odoo where there are to be several
WORKERS = 2
#: of a scheduled action
CODE = re.compile(r'model\.(\w+)\(\)')


class Errors(logging.Handler):
    """Keeps what Odoo's code in our process logs as errors."""

    def __init__(self):
        super().__init__(logging.ERROR)
        self.found = []

    def emit(self, record):
        self.found.append(self.format(record))


class Rig(Stack):
    """:ivar Errors errors: what was logged as an error in our process"""

    registry = key = None
    is_enabled = True

    def prepare(self):
        """Override to load Odoo's models in our process."""
        if str(ODOO) not in sys.path:
            sys.path.insert(0, str(ODOO))
        import odoo.service.server
        from odoo import SUPERUSER_ID, api
        from odoo.orm.registry import Registry
        from odoo.tools import config

        config.parse_config([
            *options(self.instance), '--database', self.name], setup_logging=False)
        odoo.service.server.load_server_wide_modules()
        self.registry = Registry(self.name)
        self._environment = lambda cr: api.Environment(cr, SUPERUSER_ID, {})
        self.errors = Errors()
        logger = logging.getLogger('odoo')
        logger.addHandler(self.errors)
        logger.propagate = False
        with self.env() as env:
            self.provider_id = env['payment.provider'].search([('code', '=', 'btcpay')]).id
            self.wire_id = env.ref('payment.payment_provider_transfer').id
            self.graveyard_id = env['payment.provider'].search([('name', '=', 'Graveyard')]).id
            self.database = env['payment.provider']._btcpay_get_database()
            self.method_id = env.ref('payment_btcpay.payment_method_btcpay').id
            self.partner_id = env['res.partner'].search([('name', '=', 'Torture')]).id
            self.product_id = env['product.product'].search([('name', '=', 'Torture')]).id
            # All of ours, whatever they are called, then those of Odoo that they work with
            crons = env['ir.cron'].browse(env['ir.model.data'].search([
                ('module', '=', MODULE), ('model', '=', 'ir.cron'),
            ]).mapped('res_id')) + env.ref('payment.cron_post_process_payment_tx')
            self.crons = [
                (cron.user_id.id, cron.model_id.model, CODE.fullmatch(cron.code.strip())[1])
                for cron in crons]

    def close(self):
        if self.registry:
            import odoo.sql_db

            logging.getLogger('odoo').removeHandler(self.errors)
            odoo.sql_db.close_db(self.name)
            self.registry = None
        super().close()

    @contextlib.contextmanager
    def env(self):
        """An environment in a database transaction of its own, committed in the end."""
        with self.registry.cursor() as cr:
            yield self._environment(cr)

    def sql(self, query, *parameters):
        """:return: the rows, as dictionaries"""
        with self.registry.cursor() as cr:
            cr.execute(query, parameters)
            return cr.dictfetchall() if cr.description else []

    def run_cron(self, number):
        """Run a scheduled action, whether it is due or not.

        :param int number: which of them, beyond their number it is begun anew
        """
        user_id, model, method = self.crons[number % len(self.crons)]
        with self.env() as env:
            getattr(env[model].with_user(user_id), method)()

    def run_crons(self):
        for number in range(len(self.crons)):
            self.run_cron(number)

    # --- a clean table ----------------------------------------------------------------------------

    def begin(
        self, accept_part=False, late_policy='review', underpaid_policy='received', **store_settings
    ):
        """Begin anew: a server with one store, a provider connected with it, no open payments."""
        self.world.reset()
        self.tell_odoo()
        self.gate.mode = 'open'
        self.gate.passed.clear()
        self.errors.found.clear()
        self.world.settings(delivery_timeout='30', fee_rate='10')
        self.store_id = self.world.new_store(methods=('BTC-CHAIN', 'BTC-LN'), **store_settings)
        self.key, self.is_enabled = self.world.new_key(self.store_id, GUIDE), True
        webhook = self.world.new_webhook(
            self.store_id, f'{self.gate.url}/payment/btcpay/webhook/{self.provider_id}')
        self.webhook_id, self.secret = webhook['id'], webhook['secret']
        with self.registry.cursor() as cr:
            cr.execute('DELETE FROM btcpay_delivery')
            cr.execute('DELETE FROM ir_cron_trigger')
            cr.execute(
                'UPDATE payment_transaction SET provider_id = %s, is_post_processed = TRUE, '
                'btcpay_pending_action = NULL WHERE provider_id = %s',
                [self.graveyard_id, self.provider_id])
            cr.execute(
                "SELECT string_agg(quote_ident(attname), ', ') FROM pg_attribute "
                "WHERE attrelid = 'torture_provider'::regclass AND attnum > 0 "
                "AND NOT attisdropped AND attname <> 'id'")
            columns, = cr.fetchone()
            cr.execute(
                f'UPDATE payment_provider SET ({columns}) = '  # noqa: S608 all of it ours
                f'(SELECT {columns} FROM torture_provider) WHERE id = %s', [self.provider_id])
            cr.execute(
                'UPDATE payment_provider SET btcpay_server_url = %s, btcpay_api_key = %s, '
                'btcpay_store_id = %s, btcpay_webhook_id = %s, btcpay_webhook_secret = %s, '
                'btcpay_webhook_url = %s, btcpay_accept_partial = %s, btcpay_late_policy = %s, '
                'btcpay_underpaid_policy = %s, btcpay_database = %s WHERE id = %s',
                [self.world.url, self.key, self.store_id, self.webhook_id, self.secret,
                 webhook['url'], accept_part, late_policy, underpaid_policy, self.database,
                 self.provider_id])
            cr.execute('UPDATE payment_method SET active = TRUE WHERE id = %s', [self.method_id])
            # SQL tells nobody: Odoo's processes forget what they remember of the provider.
            cr.execute('INSERT INTO orm_signaling_default DEFAULT VALUES')

    # --- the connection ---------------------------------------------------------------------------

    def revoke_key(self):
        self.world.revoke_key(self.key)
        self.key = None

    def authorize(self):
        """Connect the store again, with a new key.

        :return: what was said if it was refused
        """
        key = self.world.new_key(self.store_id, GUIDE)
        said = self._manage(lambda provider: provider._btcpay_connect(self.world.url, key))
        if not said:
            self.key, self.is_enabled = key, True
        return said

    def repair_webhook(self):
        """:return: what was said if it was refused"""
        return self._manage(lambda provider: provider.action_btcpay_repair_webhook())

    def enable(self, is_enabled):
        self.is_enabled = is_enabled
        return self._manage(lambda provider: provider.write({
            'state': 'enabled' if is_enabled else 'disabled', 'is_published': is_enabled}))

    def mend(self):
        """Have the administrator see to it that Bitcoin can be taken."""
        if not self.is_enabled:
            self.enable(True)
        if not self.key and (said := self.authorize()):
            raise AssertionError(f'The store could not be authorized again: {said}')

    def _manage(self, change):
        from odoo.exceptions import UserError

        with self.env() as env:
            provider = env['payment.provider'].browse(self.provider_id)
            try:
                change(provider)
            except UserError as error:
                env.cr.rollback()
                return str(error)
            self.webhook_id, self.secret = provider.btcpay_webhook_id, (
                provider.sudo().btcpay_webhook_secret)
        return None
