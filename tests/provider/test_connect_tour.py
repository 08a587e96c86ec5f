from urllib.parse import quote

from odoo.tests import tagged
from odoo.tools import mute_logger

from odoo.addons.payment_btcpay.tests.provider.connect_common import BTCPayConnectCommon


@tagged('post_install', '-at_install')
class TestConnectTour(BTCPayConnectCommon):

    def test_when_an_administrator_connects_in_the_browser_then_the_provider_is_enabled(self):
        self.world.settings(auto_approve=True)
        self.addCleanup(self.world.settings, auto_approve=False)
        action = self.env.ref('payment.action_payment_provider')
        # One address is wrong; and Odoo opens the form of an enabled provider in a read-only
        # transaction, in which it then makes the missing payment method of the journal.
        with mute_logger('odoo.http', 'odoo.sql_db'):
            self.start_tour(
                f'/odoo/action-{action.id}/{self.btcpay.id}', 'btcpay_connect_tour',
                login='btcpay_administrator',
                cookies={'btcpay_server': quote(self.world.url, safe='')},
            )
        self.env.invalidate_all()
        self.assertEqual(self.btcpay.btcpay_connection_state, 'connected')
        self.assertEqual(self.btcpay.state, 'enabled')
        [webhook] = self.world.webhooks(self.btcpay.btcpay_store_id)
        self.assertEqual(webhook['id'], self.btcpay.btcpay_webhook_id)
        self.assertTrue(self._is_key_known(self.btcpay.sudo().btcpay_api_key))

    def test_when_the_key_was_revoked_then_the_administrator_sees_it_and_repairs_it(self):
        self.world.settings(auto_approve=True)
        self.addCleanup(self.world.settings, auto_approve=False)
        # The one that the server approves by itself.
        store_id = next(
            store['id'] for store in self.world.api('GET', '/stores')
            if store['name'] == "Demo Shop"
        )
        self.addCleanup(lambda: [
            self.world.api('DELETE', f'/stores/{store_id}/webhooks/{webhook["id"]}')
            for webhook in self.world.webhooks(store_id)
        ])
        old_key = self._connect_well(self._new_key(store_id))
        self.world.revoke_key(old_key)
        with mute_logger(*(
            f'odoo.addons.payment_btcpay.models.{name}' for name in (
                'payment_provider.client', 'payment_provider.health', 'payment_transaction.sync')
        )):
            self.btcpay.sudo().btcpay_webhook_checked_at = False  # As after an hour.
            self.env['payment.provider']._cron_btcpay_sync()
        self.assertEqual(self.btcpay.btcpay_connection_state, 'refused')
        self.env.flush_all()
        action = self.env.ref('payment.action_payment_provider')
        # The old key is tried to be revoked.
        with mute_logger('odoo.addons.payment_btcpay.models.payment_provider.client'):
            self.start_tour(
                f'/odoo/action-{action.id}/{self.btcpay.id}', 'btcpay_repair_tour',
                login='btcpay_administrator',
            )
        self.env.invalidate_all()
        self.assertEqual(self.btcpay.btcpay_health, 'healthy')
        self.assertEqual(self.btcpay.btcpay_store_id, store_id)
