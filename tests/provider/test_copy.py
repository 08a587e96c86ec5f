from odoo import fields
from odoo.exceptions import UserError
from odoo.modules.neutralize import get_neutralization_queries
from odoo.tests import tagged
from odoo.tools import mute_logger

from odoo.addons.payment_btcpay import const
from odoo.addons.payment_btcpay.tests.common import BTCPayHttpCommon
from odoo.addons.payment_btcpay.tests.request.request_common import RequestMixin

CLIENT_LOG = 'odoo.addons.payment_btcpay.models.payment_provider.client'


class CopyCommon(RequestMixin, BTCPayHttpCommon):

    def setUp(self):
        super().setUp()
        self.order = self._create_order()
        self.tx = self._pay_order(self.order)
        self._post_process()

    def _neutralize(self):
        """As `odoo neutralize` does."""
        self.env.flush_all()
        for query in get_neutralization_queries(['payment_btcpay']):
            self.env.cr.execute(query)
        self.env.cr.commit()
        self.env.invalidate_all()

    def _become_copy(self, with_uuid=True):
        """As Odoo's copies have a UUID of their own, and PostgreSQL's another name."""
        if with_uuid:
            self.env['ir.config_parameter'].set_param('database.uuid', 'that of the copy')
        else:
            uuid = self.env['ir.config_parameter'].sudo().get_param('database.uuid')
            self.btcpay.sudo().btcpay_database = f'{uuid} production'
        self.env.cr.commit()

    def _assert_untouched(self, since):
        """What production made at the server is there, and nobody has written to the server."""
        self.assertFalse([
            (r['method'], r['path']) for r in self.world.requests(since)
            if (r['method'] != 'GET' and '/webhooks' not in r['path']) or r['method'] == 'DELETE'
        ])
        self.assertIn(self.webhook_url, [w['url'] for w in self.world.webhooks(self.store_id)])
        self.assertEqual(self.world.call(
            'GET', '/api/v1/api-keys/current', key=self.api_key
        ).status_code, 200)

    def _get_last_request(self):
        return self.world.requests()[-1]['n']


@tagged('post_install', '-at_install')
class TestNeutralizedCopy(CopyCommon):
    """A staging copy that went through `odoo neutralize` leaves the live store alone."""

    def test_when_neutralized_then_nothing_of_the_connection_is_left(self):
        self.btcpay.sudo().write({'state': 'test', 'is_published': True})
        self.env['btcpay.authorization'].sudo()._start(
            self.btcpay, self.world.url, self.base_url()
        )
        typed = self.env['btcpay.connect.wizard'].create({
            'provider_id': self.btcpay.id, 'server_url': self.world.url,
            'api_key': 'a' * 40, 'webhook_secret': 'typed at the server',
        }).sudo()
        self.assertTrue(typed.kept_api_key and typed.kept_webhook_secret)
        self.btcpay.btcpay_debug = True
        self.tx._btcpay_sync()
        self.assertTrue(self.env['btcpay.log.entry'].search([]))
        self._neutralize()
        provider = self.btcpay.sudo()
        self.assertFalse(provider.btcpay_debug or provider.btcpay_debug_until)
        self.assertFalse(self.env['btcpay.log.entry'].search([]))
        self.assertEqual((provider.state, provider.is_published), ('disabled', False))
        for name, value in provider._btcpay_get_empty_connection().items():
            self.assertEqual(provider[name], value, name)
        self.assertFalse(self.env['btcpay.authorization'].sudo().search([]))
        self.assertFalse(typed.kept_api_key or typed.kept_webhook_secret)

    @mute_logger(CLIENT_LOG)
    def test_when_neutralized_then_no_call_of_the_server_is_made_any_more(self):
        refund = self.tx._btcpay_request_refund(40)
        unanswered = self._pay_order(self._create_order())
        unanswered.btcpay_pending_action = 'invalidate'
        self.env['btcpay.delivery'].sudo().create({
            'provider_id': self.btcpay.id, 'delivery_ref': 'kept', 'invoice_ref':
            self.tx.btcpay_invoice_id, 'next_try_at': fields.Datetime.subtract(
                fields.Datetime.now(), hours=1
            ), 'pull_payment_ref': refund.btcpay_pull_payment_id,
        })
        since = self._get_last_request()
        pull_payment_id = refund.btcpay_pull_payment_id
        self._neutralize()
        self.assertFalse(refund.btcpay_refund_link)
        for query in (
            'SELECT * FROM payment_transaction', 'SELECT * FROM btcpay_delivery',
            'SELECT * FROM mail_mail', 'SELECT * FROM mail_message',
        ):
            self.env.cr.execute(query)
            self.assertNotIn(pull_payment_id, str(self.env.cr.fetchall()), "It is money.")
        self.env['payment.provider']._cron_btcpay_sync()
        self.env['payment.transaction']._cron_btcpay_run_pending_actions()
        self.env['btcpay.delivery']._cron_process()
        self.order.action_btcpay_sync()
        refund.action_btcpay_sync()
        for refused in (
            lambda: self.tx._btcpay_request_refund(10),
            lambda: self.tx._refund(10),
            self.btcpay.action_btcpay_repair_webhook,
            self._create_order().action_btcpay_request,
            refund.action_btcpay_cancel_refund,
        ):
            with self.assertRaises(UserError):
                refused()
        self.btcpay.action_btcpay_disable_webhook()
        self.btcpay.action_reset_credentials()
        self.assertFalse(self.world.requests(since))
        self._assert_untouched(since)

    @mute_logger('odoo.addons.payment_btcpay.controllers.main')
    def test_when_neutralized_then_the_live_stores_signed_events_are_refused(self):
        since = self._get_last_request()
        self._neutralize()
        self.assertEqual(self._post_event(self._prepare_event(self.tx)).status_code, 403)
        self.assertFalse(self.world.requests(since))


@tagged('post_install', '-at_install')
class TestCopy(CopyCommon):
    """A copy that nobody neutralized does not take away what production made at the server."""

    def test_when_a_copy_is_disconnected_then_production_keeps_its_webhook_and_key(self):
        for with_uuid in (True, False):
            with self.subTest(with_uuid=with_uuid):
                since = self._get_last_request()
                self._become_copy(with_uuid)
                action = self.btcpay.action_reset_credentials()
                self.assertIn("of which this one is a copy", action['params']['message'])
                self.assertFalse(self.btcpay._btcpay_is_connected())
                self.assertFalse(self.world.requests(since))
                self._assert_untouched(since)
                self.btcpay.sudo().write({
                    'btcpay_server_url': self.world.url, 'btcpay_api_key': self.api_key,
                    'btcpay_store_id': self.store_id, 'btcpay_webhook_url': self.webhook_url,
                })

    def test_when_a_copy_is_connected_again_then_production_keeps_its_webhook_and_key(self):
        self._become_copy()
        self.env['ir.config_parameter'].set_param('web.base.url', 'https://staging.example.com')
        key = self.world.new_key(self.store_id, const.PERMISSIONS)
        since = self._get_last_request()
        self.btcpay._btcpay_connect(self.world.url, key)
        self.assertEqual(
            self.btcpay.btcpay_webhook_url,
            f'https://staging.example.com{const.WEBHOOK_ROUTE}/{self.btcpay.id}',
        )
        [production] = [
            w for w in self.world.webhooks(self.store_id) if w['url'] == self.webhook_url
        ]
        self.assertNotEqual(self.btcpay.btcpay_webhook_id, production['id'])
        self._assert_untouched(since)
        # From now on the connection is the copy's own.
        self.assertIs(self.btcpay.action_reset_credentials(), True)
        self.assertEqual(
            [w['id'] for w in self.world.webhooks(self.store_id)], [production['id']]
        )

    def test_when_a_copy_repairs_or_drops_the_webhook_then_production_keeps_it(self):
        self._become_copy()
        since = self._get_last_request()
        with self.assertRaisesRegex(UserError, "is a copy of another one"):
            self.btcpay.action_btcpay_repair_webhook()
        self.btcpay.action_btcpay_disable_webhook()
        self.assertFalse(self.world.requests(since))
        self._assert_untouched(since)

    def test_when_the_webhook_was_given_another_address_then_it_is_not_deleted(self):
        webhook_id = self.btcpay.btcpay_webhook_id
        self.world.api('PUT', f'/stores/{self.store_id}/webhooks/{webhook_id}', json={
            'url': 'https://another.example.com/hook', 'enabled': True,
        })
        self.btcpay.action_reset_credentials()
        self.assertIn(webhook_id, [w['id'] for w in self.world.webhooks(self.store_id)])


@tagged('post_install', '-at_install')
class TestDisabledProvider(CopyCommon):
    """A disabled provider gives nothing back, asks for nothing and repairs nothing."""

    def test_when_the_provider_is_disabled_then_no_way_leads_to_a_refund(self):
        self.btcpay.state = 'disabled'
        since = self._get_last_request()
        wizard = self.env['btcpay.refund.wizard'].create({'transaction_id': self.tx.id})
        for refund in (
            lambda: self.tx._btcpay_request_refund(10), lambda: self.tx._refund(10),
            wizard.action_refund,
        ):
            with self.assertRaisesRegex(UserError, "provider is disabled"):
                refund()
        self.assertFalse(self.tx.btcpay_refund_ids)
        self.assertFalse([r for r in self.world.requests(since) if r['method'] == 'POST'])

    def test_when_disabled_before_the_server_answered_then_the_refund_waits(self):
        self.world.fault('drop', path='/refund$')
        with mute_logger(CLIENT_LOG):
            refund = self.tx._btcpay_request_refund(10)
        self.assertEqual(refund.state, 'draft')
        self.world.clear_faults()
        refund.btcpay_requested_at = fields.Datetime.subtract(fields.Datetime.now(), hours=1)
        self.btcpay.state = 'disabled'
        refund._btcpay_sync()
        self.assertEqual((refund.state, refund.btcpay_pull_payment_id), ('draft', False))
        self.btcpay.state = 'enabled'
        refund._btcpay_sync()
        self.assertEqual(refund.state, 'pending')

    def test_when_the_provider_is_disabled_then_nothing_is_requested_or_repaired(self):
        self.btcpay.state = 'disabled'
        since = self._get_last_request()
        for document in (self._create_order(), self._create_invoice()):
            with self.assertRaisesRegex(UserError, "is disabled"):
                document.action_btcpay_request()
        with self.assertRaisesRegex(UserError, "Enable the payment provider first"):
            self.btcpay.action_btcpay_repair_webhook()
        self.assertFalse(self.world.requests(since))
