from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

from odoo import fields
from odoo.exceptions import ValidationError
from odoo.tests import Form, new_test_user, tagged
from odoo.tools import mute_logger

from odoo.addons.payment_btcpay import const
from odoo.addons.payment_btcpay.tests.common import BTCPayHttpCommon
from odoo.addons.payment_btcpay.tests.sync.test_sync_in_batches import MODELS


@tagged('post_install', '-at_install')
class TestNoWebhook(BTCPayHttpCommon):
    """A shop that the server cannot reach."""

    def setUp(self):
        super().setUp()
        self.btcpay = self.btcpay.sudo()
        # Connecting removes the ones before from the server.
        for webhook in self.world.webhooks(self.store_id):
            self.world.api('DELETE', f"/stores/{self.store_id}/webhooks/{webhook['id']}")
        self.btcpay.write({
            'btcpay_api_key': self.world.new_key(self.store_id, const.PERMISSIONS),
            'btcpay_webhook_id': self.world.new_webhook(
                self.store_id, self.webhook_url, secret=self.webhook_secret
            )['id'],
        })
        self.env.cr.commit()

    def _connect(self, **choices):
        key = self.world.new_key(self.store_id, const.PERMISSIONS)
        self.btcpay._btcpay_connect(self.world.url, key, **choices)

    def _pass_minutes(self, minutes):
        """Let time pass since the last syncs, and run the scheduled action."""
        for tx in self.env['payment.transaction'].sudo().search([('provider_code', '=', 'btcpay')]):
            if tx.btcpay_next_sync_at:
                tx.btcpay_next_sync_at -= timedelta(minutes=minutes)
        self.env.cr.commit()
        self.env['payment.provider']._cron_btcpay_sync()
        self.env.invalidate_all()

    # === CONNECTING === #

    def test_when_connecting_without_a_webhook_then_none_is_made_and_ours_is_removed(self):
        other = self.world.new_webhook(self.store_id, 'http://127.0.0.1:9/somebody-elses')
        self._connect(use_webhook=False, poll_minutes=3)
        self.assertEqual([w['id'] for w in self.world.webhooks(self.store_id)], [other['id']])
        self.assertFalse(self.btcpay.btcpay_use_webhook)
        self.assertEqual(self.btcpay.btcpay_poll_minutes, 3)
        self.assertEqual(self.btcpay.btcpay_connection_state, 'connected')
        self.assertFalse(self.btcpay.btcpay_webhook_id)
        self.assertEqual(self._get_webhook_secrets(), [])

    def test_when_connecting_without_a_webhook_fails_then_the_webhook_stays(self):
        before = self.world.webhooks(self.store_id)
        self.world.fault('status', path='/payment-methods')
        with mute_logger(f'{MODELS}.payment_provider.client'), self.assertRaisesRegex(
            ValidationError, "HTTP 503"
        ):
            self._connect(use_webhook=False)
        self.assertEqual(self.world.webhooks(self.store_id), before)
        self.assertTrue(self.btcpay.btcpay_use_webhook)

    def test_when_the_wizard_is_told_to_use_no_webhook_then_the_connection_uses_none(self):
        user = new_test_user(
            self.env, 'btcpay_administrator', 'base.group_system,account.group_account_manager'
        )
        self.authenticate('btcpay_administrator', 'btcpay_administrator')
        wizard = Form(self.env['btcpay.connect.wizard'].with_user(user).with_context(
            default_provider_id=self.btcpay.id
        ))
        wizard.server_url = self.world.url
        wizard.no_webhook = True
        wizard.poll_minutes = 7
        url = wizard.save().action_connect()['url']
        callback = parse_qs(urlsplit(url).query)['redirect'][0]
        key = self.world.new_key(self.store_id, const.PERMISSIONS)
        self.env.flush_all()
        self.url_open(
            f'{const.CALLBACK_ROUTE}?{urlsplit(callback).query}', data={'apiKey': key},
        )
        self.env.invalidate_all()
        self.assertEqual(self.btcpay.btcpay_api_key, key)
        self.assertFalse(self.btcpay.btcpay_use_webhook)
        self.assertEqual(self.btcpay.btcpay_poll_minutes, 7)

    def test_when_no_webhook_is_used_then_the_wizard_begins_with_what_is_set(self):
        self.btcpay.write({'btcpay_use_webhook': False, 'btcpay_poll_minutes': 9})
        wizard = Form(self.env['btcpay.connect.wizard'].sudo().with_context(
            default_provider_id=self.btcpay.id
        ))
        self.assertTrue(wizard.no_webhook)
        self.assertEqual(wizard.poll_minutes, 9)

    def test_when_the_polling_interval_is_less_than_a_minute_then_the_wizard_refuses(self):
        with self.assertRaisesRegex(ValidationError, "minute"):
            self.env['btcpay.connect.wizard'].sudo().create({
                'provider_id': self.btcpay.id, 'server_url': self.world.url,
                'no_webhook': True, 'poll_minutes': 0,
            })

    def test_when_the_server_cannot_reach_odoo_then_the_wizard_says_so(self):
        self.btcpay.btcpay_webhook_url = False
        parameters = self.env['ir.config_parameter'].sudo()
        for odoo, server, is_unreachable in (
            ('http://localhost:8069', 'https://btcpay.example.com', True),
            ('http://127.0.0.1:8069', 'https://btcpay.example.com', True),
            ('http://127.0.0.1:8069', 'http://localhost:23000', False),
            ('https://shop.example.com', 'https://btcpay.example.com', False),
            ('http://127.0.0.1:8069', '', False),
        ):
            with self.subTest(odoo=odoo, server=server):
                parameters.set_param('web.base.url', odoo)
                wizard = self.env['btcpay.connect.wizard'].sudo().new({
                    'provider_id': self.btcpay.id, 'server_url': server,
                })
                self.assertEqual(wizard.is_unreachable, is_unreachable)

    # === CHANGING IT LATER === #

    def test_when_the_webhook_is_disabled_and_repaired_then_events_come_again(self):
        self.btcpay.action_btcpay_disable_webhook()
        self.assertFalse(self.btcpay.btcpay_use_webhook)
        self.assertEqual(self.world.webhooks(self.store_id), [])
        self.btcpay.btcpay_webhook_url = self.webhook_url  # Else that of web.base.url.
        self.btcpay.action_btcpay_repair_webhook()
        self.assertTrue(self.btcpay.btcpay_use_webhook)
        [webhook] = self.world.webhooks(self.store_id)
        self.assertEqual(webhook['id'], self.btcpay.btcpay_webhook_id)
        tx = self._create_btcpay_transaction()
        with self._world_speaks() as world:
            world.pay(tx.btcpay_invoice_id)
            world.mine()
        self.assertEqual(tx.state, 'done')

    def test_when_the_server_cannot_be_told_then_the_person_is_asked_to_remove_the_webhook(self):
        self.world.fault('status', path='/webhooks', count=None)
        with mute_logger(
            f'{MODELS}.payment_provider.client', f'{MODELS}.payment_provider.webhook'
        ):
            action = self.btcpay.action_btcpay_disable_webhook()
        self.assertFalse(self.btcpay.btcpay_use_webhook)
        self.assertIn("Remove it in the store's settings", action['params']['message'])

    # === WITHOUT === #

    def test_when_the_polling_interval_has_passed_then_the_order_is_paid_and_confirmed(self):
        self._connect(use_webhook=False, poll_minutes=2)
        order = self._create_order()
        tx = self._create_btcpay_transaction(order)
        with self._world_speaks() as world:
            world.pay(tx.btcpay_invoice_id)
            world.mine()
        deliveries = self.env['btcpay.delivery'].sudo()
        self.assertFalse(deliveries.search([('invoice_ref', '=', tx.btcpay_invoice_id)]))
        self._pass_minutes(1)
        self.assertEqual(tx.state, 'draft', "It is not time yet.")
        self._pass_minutes(1)
        self.assertEqual(tx.state, 'done')
        self.env['payment.transaction'].sudo()._cron_post_process()
        self.assertEqual(order.state, 'sale')

    def test_when_no_webhook_is_used_then_none_is_missed(self):
        self._connect(use_webhook=False)
        self._pass_minutes(0)
        self.assertFalse(self.btcpay.btcpay_webhook_problem)
        self.assertTrue(self.btcpay.btcpay_webhook_checked_at, "The key is tried all the same.")

    def test_when_nothing_is_open_then_a_revoked_key_is_still_noticed(self):
        self._connect(use_webhook=False)
        self.world.revoke_key(self.btcpay.btcpay_api_key)
        with mute_logger(
            f'{MODELS}.payment_provider.client', f'{MODELS}.payment_provider.health'
        ):
            self._pass_minutes(0)
        self.assertEqual(self.btcpay.btcpay_connection_state, 'refused')

    def test_when_the_customer_waits_on_the_page_then_the_server_is_asked_at_once(self):
        self._connect(use_webhook=False, poll_minutes=60)
        tx = self._create_btcpay_transaction()
        self.world.pay(tx.btcpay_invoice_id)
        self.world.mine()
        tx.btcpay_synced_at = fields.Datetime.now() - timedelta(seconds=const.SYNC_INTERVAL + 1)
        tx._btcpay_sync_for_browser()
        self.assertEqual(tx.state, 'done')
