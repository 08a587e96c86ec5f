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
