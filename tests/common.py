import json
from unittest import SkipTest
from unittest.mock import patch

from lxml import etree

from odoo import fields
from odoo.fields import Command
from odoo.tests import HttpCase
from odoo.tests.test_cursor import TestCursor

from odoo.addons.account_payment.tests.common import AccountPaymentCommon
from odoo.addons.base.models.ir_qweb import IrQweb
from odoo.addons.payment.tests.http_common import PaymentHttpCommon
from odoo.addons.payment_btcpay import const
from odoo.addons.payment_btcpay.tests.leaks import LeakMixin
from odoo.addons.payment_btcpay.tests.prepared import PreparedMixin

try:
    from odoo.addons.payment_btcpay.dev.world.stand_in import StandIn
except ImportError:  # A packaged module comes without what serves developers only.
    StandIn = None

_generate_code = IrQweb._generate_code_uncached
_generated = {}  # by what the template says


def _generate_code_once(qweb, template):
    """Compile a template as Odoo does, but not in each test anew, which took a tenth of them."""
    if not isinstance(template, (int, etree._Element)):
        return _generate_code(qweb, template)
    content = etree.tostring(
        template if isinstance(template, etree._Element) else qweb._get_template(template)[0])
    key = content, isinstance(template, int) and template, *(
        qweb.env.context.get(name) for name in qweb._get_template_cache_keys())
    if key not in _generated:
        _generated[key] = _generate_code(qweb, template)
    return _generated[key]


class BTCPayCommon(LeakMixin, PreparedMixin, AccountPaymentCommon):
    """A provider that is connected with a store of the stand-in BTCPay Server, without webhook.

    What happens at the server is steered through `world`, see `dev/world/base.py`.
    """

    store_methods = ('BTC-CHAIN', 'BTC-LN')
    store_settings = {}

    @classmethod
    def setUpClass(cls):
        if StandIn is None:  # At once: what Odoo makes for each class takes seconds.
            raise SkipTest("The stand-in BTCPay Server (dev/) is not part of this installation.")
        super().setUpClass()
        cls.env.user.group_ids += cls.env.ref('sales_team.group_sale_manager')
        # Else who is asked where nobody else is could not see what about.
        cls.env.ref('base.user_admin').sudo().company_ids += cls.company
        cls.world = StandIn.shared()
        cls.addClassCleanup(cls.world.close)
        cls.addClassCleanup(cls.world.reset)  # Nothing is delivered any more.
        cls.store_id = cls.world.new_store(
            cls.__name__, methods=cls.store_methods, **cls.store_settings
        )
        cls.api_key = cls.world.new_key(cls.store_id, const.PERMISSIONS)
        cls.btcpay = cls._prepare_provider('btcpay', update_values={
            'btcpay_server_url': cls.world.url,
            'btcpay_api_key': cls.api_key,
            'btcpay_database': cls.env['payment.provider']._btcpay_get_database(),
            'btcpay_store_id': cls.store_id,
            'btcpay_store_name': cls.__name__,
            'btcpay_store_payment_methods': " ".join(sorted(cls.store_methods)),
            'btcpay_store_read_at': fields.Datetime.now(),
            'btcpay_webhook_id': 'webhook',
            'btcpay_webhook_secret': 'a secret of the tests',
            'btcpay_connection_state': 'connected',
            'is_published': True,
        }).with_env(cls.env)
        cls.btcpay.state = 'enabled'  # Customers do not pay with one in test mode.
        cls.provider = cls.btcpay
        cls.payment_method = cls.env.ref('payment_btcpay.payment_method_btcpay')
        cls.payment_method.active = True
        cls.payment_method_id = cls.payment_method.id
        cls.payment_method_code = cls.payment_method.code
        cls.currency = cls.currency_usd
        cls.amount = 100.0
        cls.product = cls.env['product.product'].create({
            'name': "Hat", 'list_price': 100.0, 'taxes_id': [Command.clear()],
        })

    def setUp(self):
        super().setUp()
        self.startPatcher(patch.object(
            self.registry['ir.qweb'], '_generate_code_uncached', _generate_code_once))
        self._simulate_commits()
        self.addCleanup(self.world.clear_faults)
        self._spare_documents()

    def _spare_documents(self):
        """Leave the order empty that Odoo attaches to its mails, which takes most of a test."""
        reports = self.registry['ir.actions.report']
        render = reports._pre_render_qweb_pdf

        def spare(reports, report_ref, res_ids=None, data=None):
            if reports._get_report(report_ref).model == 'sale.order':
                return b'', 'html'
            return render(reports, report_ref, res_ids=res_ids, data=data)

        self.startPatcher(patch.object(reports, '_pre_render_qweb_pdf', spare))

    def _simulate_commits(self):
        """Let the code under test commit and roll back the test's own cursor, as far as to here."""
        cr = self.env.cr
        savepoint = cr.savepoint
        savepoints = []
        last = None  # the savepoints that the last commit was within

        def keep_savepoint(*args, **kwargs):
            savepoints.append(savepoint(*args, **kwargs))
            return savepoints[-1]

        def commit():
            nonlocal last
            cr.flush()
            cr.clear()
            # Commits within each other make all that follows slow: PostgreSQL asks each of them
            # about each row.
            savepoints[:] = [each for each in savepoints if not each.closed]
            if last == savepoints and not TestCursor._cursors_stack:
                cr._obj.execute('RELEASE SAVEPOINT btcpay_commit')
            cr.execute('SAVEPOINT btcpay_commit')
            last = None if TestCursor._cursors_stack else savepoints[:]

        def rollback():
            cr.clear()
            cr.execute('ROLLBACK TO SAVEPOINT btcpay_commit')

        commit()
        self.startPatcher(patch.object(cr, 'savepoint', keep_savepoint))
        self.startPatcher(patch.object(cr, 'commit', commit))
        self.startPatcher(patch.object(cr, 'rollback', rollback))

    # === ORDERS AND TRANSACTIONS === #

    def _remember(self, *names):
        """Return the way back to here, in Odoo and at the server.

        :param str names: Attributes of the test that are part of it.
        """
        cr, number = self.env.cr, self.world.remember()
        values = {name: getattr(self, name) for name in names}
        cr.commit()
        savepoint = cr.savepoint()

        def go_back():
            nonlocal savepoint
            cr.clear()
            savepoint.close()
            savepoint = cr.savepoint()
            cr.commit()
            self.world.go_back(number)
            vars(self).update(values)

        return go_back

    def _create_order(self, amount=100.0, **values):
        """Create a quotation.

        :param float amount: The total.
        :param dict values: Other values of the quotation.
        :rtype: sale.order
        """
        return self.env['sale.order'].create({
            'partner_id': self.partner.id,
            'pricelist_id': False,
            'currency_id': self.currency.id,
            'order_line': [Command.create({
                'product_id': self.product.id, 'price_unit': amount,
            })],
            **values,
        })

    def _create_btcpay_transaction(self, order=None, amount=None, make_invoice=True, **values):
        """Create a transaction as a payment page does, with its invoice at the server.

        :param sale.order order: The order it pays; none by default.
        :param float amount: The amount, by default that of the order, else 100.00.
        :param bool make_invoice: Whether the invoice is made.
        :rtype: payment.transaction
        """
        if order:
            values.setdefault('sale_order_ids', [Command.set(order.ids)])
        reference = values.pop('reference', None) or self.env[
            'payment.transaction'
        ]._compute_reference('btcpay', prefix=order.name if order else f'tx-{self._testMethodName}')
        tx = self._create_transaction(
            'redirect', reference=reference,
            amount=amount or (order.amount_total if order else self.amount), **values,
        )
        if make_invoice:
            # As if it had been begun before what the test did since, see `TestCheckoutGuard`.
            with patch.object(type(tx), '_btcpay_cancel_checkout', lambda _tx: False):
                tx._get_processing_values()
            self.assertTrue(tx.btcpay_invoice_id, "The invoice was not made.")
        return tx

    def _pay_order(self, order=None, mine=True, **pay_values):
        """Create a transaction, have its invoice paid, and have Odoo look.

        :return: The transaction.
        :rtype: payment.transaction
        """
        tx = self._create_btcpay_transaction(order)
        self.world.pay(tx.btcpay_invoice_id, **pay_values)
        if mine:
            self.world.mine()
        tx._btcpay_sync()
        return tx


class BTCPayHttpCommon(BTCPayCommon, PaymentHttpCommon, HttpCase):
    """The same, with the server's webhook registered, which reaches Odoo in `_world_speaks`."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.webhook_url = f'{cls.base_url()}{const.WEBHOOK_ROUTE}/{cls.btcpay.id}'
        webhook = cls.world.new_webhook(cls.store_id, cls.webhook_url)
        cls.webhook_secret = webhook['secret']
        cls.btcpay.sudo().write({
            'btcpay_webhook_id': webhook['id'],
            'btcpay_webhook_secret': webhook['secret'],
            'btcpay_webhook_url': cls.webhook_url,
        })

    def _press_pay(self, route, document, **values):
        """Press “Pay” on the page of a document, as a browser does.

        :param str route: Where the page sends it.
        :param dict values: What it sends otherwise.
        :return: The processing values.
        :rtype: dict
        """
        return self.make_jsonrpc_request(self._build_url(route), {
            'provider_id': self.btcpay.id,
            'payment_method_id': self.payment_method_id,
            'token_id': None,
            'amount': document.amount_total,
            'flow': 'redirect',
            'tokenization_requested': False,
            'landing_route': document.get_portal_url(),
            'access_token': document._portal_ensure_token(),
            **values,
        })

    def _world_speaks(self):
        """Return the context in which the server's deliveries reach Odoo; at its end all have.

        :rtype: AbstractContextManager
        """
        return _WorldSpeaks(self)

    def _post_event(self, event, secret=None, signature=None, provider=None):
        """Send an event to the webhook as the server does.

        :param dict|bytes event: The event, or the raw body.
        :param str secret: The secret to sign with, by default the right one.
        :param str signature: The header's value instead of the one computed.
        :rtype: requests.Response
        """
        from hashlib import sha256
        from hmac import new as hmac

        body = event if isinstance(event, bytes) else json.dumps(event, indent=2).encode()
        if signature is None:
            key = (self.webhook_secret if secret is None else secret).encode()
            signature = f'sha256={hmac(key, body, sha256).hexdigest()}'
        return self.url_open(
            f'{const.WEBHOOK_ROUTE}/{(provider or self.btcpay).id}', data=body, method='POST',
            headers={'Content-Type': 'application/json', 'BTCPay-Sig': signature},
        )

    def _get_webhook_secrets(self, provider=None):
        """Return the secrets with which events for the provider may be signed.

        :rtype: list[str]
        """
        provider = provider or self.btcpay
        return provider._btcpay_find_senders(provider.id).webhooks[0].secrets

    def _prepare_event(self, tx=None, event_type='InvoiceSettled', **values):
        """Return an event as the server sends it.

        :rtype: dict
        """
        self.event_count = getattr(self, 'event_count', 0) + 1
        delivery_id = f'delivery{self.id()[-20:].replace(".", "_")}{self.event_count}'
        return {
            'deliveryId': delivery_id,
            'webhookId': self.btcpay.sudo().btcpay_webhook_id,
            'originalDeliveryId': delivery_id,
            'isRedelivery': False,
            'type': event_type,
            'timestamp': 1795478952,
            'storeId': self.store_id,
            'invoiceId': tx.btcpay_invoice_id if tx else 'unknown',
            'metadata': {'orderId': tx.reference if tx else 'unknown'},
            **values,
        }


class _WorldSpeaks:

    def __init__(self, test):
        self.test = test

    def __enter__(self):
        self.test.env.flush_all()
        self.allowed = self.test.allow_requests(all_requests=True)
        self.allowed.__enter__()
        return self.test.world

    def __exit__(self, *exc):
        try:
            if not exc[0]:
                self.test.world.wait_deliveries(timeout=30)
        finally:
            self.allowed.__exit__(*exc)
            self.test.env.invalidate_all()
