import logging
from datetime import timedelta
from unittest.mock import patch
from urllib.parse import urljoin, urlsplit

from odoo import fields
from odoo.tests import freeze_time, tagged
from odoo.tools import mute_logger

from odoo.addons.payment_btcpay import const
from odoo.addons.payment_btcpay.models.payment_provider.connection_check import ManualSetup
from odoo.addons.payment_btcpay.tests.common import StandIn
from odoo.addons.payment_btcpay.tests.provider.connect_common import BTCPayConnectCommon

REQUEST = 'odoo.addons.payment_btcpay.models.payment_provider.client'


@tagged('post_install', '-at_install')
class TestConnection(BTCPayConnectCommon):

    def _get_webhook_body(self, method='POST'):
        """Return what was last asked of the server about webhooks."""
        return [
            request['body'] for request in self.world.requests()
            if request['method'] == method and '/webhooks' in request['path']
        ][-1]

    def _run_sync_later(self):
        self.env.cr.commit()
        with freeze_time(fields.Datetime.now() + timedelta(minutes=11)):
            self.env['payment.provider']._cron_btcpay_sync()

    def test_when_a_store_is_connected_then_the_provider_is_enabled_and_has_a_webhook(self):
        api_key = self._new_key()
        response = self._connect(api_key)
        self.assertEqual(response.status_code, 303, response.text)
        action = self.env.ref('payment.action_payment_provider')
        self.assertEqual(
            urlsplit(urljoin(self.base_url(), response.headers['Location'])).path,
            f'/odoo/action-{action.id}/{self.btcpay.id}',
        )
        [webhook] = self.world.webhooks(self.store_id)
        url = f'{self.base_url()}/payment/btcpay/webhook/{self.btcpay.id}'
        self.assertRecordValues(self.btcpay.sudo(), [{
            'state': 'enabled',
            'is_published': True,
            'btcpay_connection_state': 'connected',
            'btcpay_server_url': self.world.url,
            'btcpay_api_key': api_key,
            'btcpay_store_id': self.store_id,
            'btcpay_store_name': self.__class__.__name__,
            'btcpay_store_payment_methods': "BTC-CHAIN BTC-LN",
            'btcpay_webhook_id': webhook['id'],
            'btcpay_webhook_url': url,
            'btcpay_old_webhook_secret': False,
        }])
        self.assertEqual(webhook['url'], url)
        self.assertTrue(webhook['enabled'])
        self.assertTrue(webhook['automaticRedelivery'])
        self.assertTrue(webhook['authorizedEvents']['everything'])
        secret = self.btcpay.sudo().btcpay_webhook_secret
        self.assertEqual(secret, self._get_webhook_body()['secret'])
        self.assertGreaterEqual(len(secret), 32)
        self.assertIn('fr-FR', self.btcpay.btcpay_languages.split())
        self.assertTrue(self._is_key_known(api_key))
        self.assertTrue(self.payment_method.active)

    def test_when_a_store_is_connected_then_its_events_are_accepted(self):
        self._connect_well()
        with self._world_speaks() as world:
            world.new_invoice(self.store_id)
        [delivery] = self.world.deliveries(self.btcpay.btcpay_webhook_id)
        self.assertEqual(delivery['httpCode'], 200)

    def test_when_a_store_is_connected_again_then_the_mode_is_kept(self):
        self._connect_well()
        self.btcpay.write({'state': 'test', 'is_published': False})
        self._connect_well()
        self.assertEqual((self.btcpay.state, self.btcpay.is_published), ('test', False))

    def test_when_the_server_is_below_a_path_then_it_can_be_connected(self):
        world = StandIn.started(path='/pay')
        self.addCleanup(world.close)
        store = world.new_store("Below")
        self._connect_well(world.new_key(store, const.PERMISSIONS), server_url=f'{world.url}/')
        self.assertEqual(self.btcpay.btcpay_server_url, world.url)
        self.assertEqual(self.btcpay.btcpay_store_name, "Below")
        self.assertIn('ja-JP', self.btcpay.btcpay_languages)
        self.assertEqual(len(world.webhooks(store)), 1)

    def test_when_the_languages_cannot_be_read_then_the_store_is_connected_without_them(self):
        for kind in ('status', 'wrong_json', 'drop'):
            self.world.fault(kind, path='/misc/lang', status=500)
            with self.subTest(kind=kind), mute_logger(REQUEST):
                self._connect_well()
            self.assertFalse(self.btcpay.btcpay_languages)
        self._connect_well()
        self.assertTrue(self.btcpay.btcpay_languages)

    # === AGAIN === #

    def test_when_the_server_has_our_webhook_already_then_it_is_used_again(self):
        url = f'{self.base_url()}{const.WEBHOOK_ROUTE}/{self.btcpay.id}'
        foreign = self.world.new_webhook(self.store_id, f'{url}0')
        ours = self.world.new_webhook(self.store_id, url, enabled=False)
        self._connect_well()
        self.assertEqual(
            {webhook['id'] for webhook in self.world.webhooks(self.store_id)},
            {foreign['id'], ours['id']},
        )
        self.assertEqual(self.btcpay.btcpay_webhook_id, ours['id'])
        body = self._get_webhook_body('PUT')
        self.assertEqual(self.btcpay.sudo().btcpay_webhook_secret, body['secret'])
        self.assertNotEqual(body['secret'], ours['secret'])
        [webhook] = [w for w in self.world.webhooks(self.store_id) if w['id'] == ours['id']]
        self.assertTrue(webhook['enabled'])

    def test_when_connected_again_then_the_previous_key_is_revoked_and_the_webhook_kept(self):
        old_key = self._connect_well()
        webhook_id = self.btcpay.btcpay_webhook_id
        secret = self.btcpay.sudo().btcpay_webhook_secret
        new_key = self._connect_well()
        self.assertNotEqual(new_key, old_key)
        self.assertFalse(self._is_key_known(old_key), "The previous key is still good.")
        self.assertTrue(self._is_key_known(new_key))
        self.assertEqual(self.btcpay.btcpay_webhook_id, webhook_id)
        self.assertEqual([w['id'] for w in self.world.webhooks(self.store_id)], [webhook_id])
        self.assertEqual(self.btcpay.sudo().btcpay_webhook_secret, secret)
        self.assertEqual(self._get_webhook_body('PUT')['secret'], secret)

    def test_when_connected_again_with_the_same_key_then_it_is_not_revoked(self):
        key = self._connect_well()
        self._connect_well(key)
        self.assertTrue(self._is_key_known(key))
        self.assertEqual(len(self.world.webhooks(self.store_id)), 1)

    def test_when_another_provider_uses_the_previous_key_then_it_is_not_revoked(self):
        key = self._connect_well()
        other = self.btcpay.copy()
        other.sudo().write({
            'btcpay_server_url': self.world.url, 'btcpay_api_key': key,
            'btcpay_store_id': self.store_id,
        })
        self._connect_well()
        self.assertTrue(self._is_key_known(key), "Another provider uses it.")

    def test_when_the_previous_server_is_gone_then_another_can_be_connected(self):
        self._connect_well()
        self.btcpay.sudo().btcpay_server_url = 'http://127.0.0.1:1'
        with mute_logger(REQUEST):
            self._connect_well(server_url=self.world.url)
        self.assertEqual(self.btcpay.btcpay_server_url, self.world.url)

    def test_when_another_store_is_connected_then_nothing_is_left_at_the_old_one(self):
        old_key = self._connect_well()
        old_secret = self.btcpay.sudo().btcpay_webhook_secret
        store = self.world.new_store("Other")
        new_key = self._connect_well(self._new_key(store))
        self.assertEqual(self.btcpay.btcpay_store_id, store)
        self.assertEqual(self.btcpay.btcpay_store_name, "Other")
        self._run_sync_later()
        self.assertFalse(self.world.webhooks(self.store_id), "The old store has our webhook still.")
        self.assertFalse(self._is_key_known(old_key))
        self.assertTrue(self._is_key_known(new_key))
        [webhook] = self.world.webhooks(store)
        self.assertEqual(self.btcpay.btcpay_webhook_id, webhook['id'])
        self.assertNotEqual(self.btcpay.sudo().btcpay_webhook_secret, old_secret)

    def test_when_another_server_is_connected_then_nothing_is_left_at_the_old_one(self):
        old_key = self._connect_well()
        world = StandIn.started()
        self.addCleanup(world.close)
        store = world.new_store("Elsewhere")
        new_key = world.new_key(store, const.PERMISSIONS)
        self._connect_well(new_key, server_url=world.url)
        self.assertEqual(self.btcpay.btcpay_server_url, world.url)
        self.assertTrue(self._is_key_known(new_key, world))
        self.assertEqual(len(world.webhooks(store)), 1)
        self._run_sync_later()
        self.assertFalse(self.world.webhooks(self.store_id))
        self.assertFalse(self._is_key_known(old_key))

    def test_when_connected_then_it_is_known_whether_the_key_may_cancel_refunds(self):
        for more, may_archive in (
            ([], False),
            (['btcpay.store.canarchivepullpayments'], True),
        ):
            with self.subTest(more=more):
                self._connect_well(self._new_key(permissions=[*const.PERMISSIONS, *more]))
                self.assertEqual(self.btcpay.sudo().btcpay_key_may_archive, may_archive)
        # It may do more: that is taken by express word only.
        key = self._new_key(permissions=[*const.PERMISSIONS, 'btcpay.store.canmanagepullpayments'])
        self.btcpay._btcpay_connect(
            self.world.url, key, manual=ManualSetup(self.store_id, is_excess_accepted=True)
        )
        self.assertTrue(self.btcpay.sudo().btcpay_key_may_archive)

    def test_when_another_administrator_is_quicker_then_that_key_and_webhook_are_removed(self):
        """Another administrator is quicker: that key and webhook are the ones to be removed."""
        key, quick_key = self._new_key(), self._new_key()
        check = self.env.registry['payment.provider']._btcpay_check_key
        provider = self.btcpay

        calls = []

        def connect_first(records, client, *args):
            calls.append(client)
            if len(calls) == 1:
                provider.with_env(records.env)._btcpay_connect(self.world.url, quick_key)
            return check(records, client, *args)

        with patch.object(self.env.registry['payment.provider'], '_btcpay_check_key',
                          connect_first):
            self.btcpay._btcpay_connect(self.world.url, key)
        self.assertEqual(self.btcpay.sudo().btcpay_api_key, key)
        self.assertFalse(self._is_key_known(quick_key))
        self.assertEqual(
            [webhook['id'] for webhook in self.world.webhooks(self.store_id)],
            [self.btcpay.btcpay_webhook_id],
        )

    # === THE ADDRESS AND THE SECRET OF THE WEBHOOK === #

    def test_when_the_base_url_changes_then_the_address_of_the_webhook_stays(self):
        self._connect_well()
        url = self.btcpay.btcpay_webhook_url
        self.env['ir.config_parameter'].set_param('web.base.url', 'https://other.example.com')
        self._connect_well()
        self.assertEqual(self.btcpay.btcpay_webhook_url, url)
        self.assertEqual([w['url'] for w in self.world.webhooks(self.store_id)], [url])

    def test_when_there_are_two_providers_then_each_has_a_webhook_address_of_its_own(self):
        other = self.btcpay.copy()
        self.assertNotEqual(other._btcpay_get_webhook_url(), self.btcpay._btcpay_get_webhook_url())
        self.assertTrue(other._btcpay_get_webhook_url().endswith(f'/{other.id}'))

    def test_when_the_webhook_secret_changes_then_the_old_one_is_accepted_for_two_hours(self):
        self._connect_well()
        provider = self.btcpay.sudo()
        old_secret = provider.btcpay_webhook_secret
        self.assertEqual(self._get_webhook_secrets(provider), [old_secret])
        self._forget_webhooks()
        with mute_logger(REQUEST):  # The webhook that is to be removed is not there.
            self._connect_well()
        secret = provider.btcpay_webhook_secret
        self.assertNotEqual(secret, old_secret)
        self.assertEqual(self._get_webhook_secrets(provider), [secret, old_secret])
        self.assertAlmostEqual(
            provider.btcpay_old_webhook_secret_until, fields.Datetime.now() + timedelta(hours=2),
            delta=timedelta(minutes=1),
        )
        provider.btcpay_old_webhook_secret_until = fields.Datetime.now() - timedelta(seconds=1)
        self.assertEqual(self._get_webhook_secrets(provider), [secret])

    def test_when_nothing_is_connected_then_there_is_no_webhook_secret(self):
        self.assertEqual(self._get_webhook_secrets(), [])

    # === LOGS === #

    def test_when_everything_is_logged_then_no_secret_is_in_the_logs(self):
        sql_logger = logging.getLogger('odoo.sql_db')  # Logs whole queries, when told to.
        self.addCleanup(sql_logger.setLevel, sql_logger.level)
        sql_logger.setLevel(logging.INFO)
        odoo_logger = logging.getLogger('odoo')
        self.addCleanup(odoo_logger.setLevel, odoo_logger.level)
        odoo_logger.setLevel(logging.DEBUG)
        with self.assertLogs(None, 'DEBUG') as log:
            first = self._connect_well()
            first_secret = self.btcpay.sudo().btcpay_webhook_secret
            self._forget_webhooks()
            refused = self._new_key(permissions=const.PERMISSIONS[:2])
            self._connect(refused)
            second = self._connect_well()
            second_secret = self.btcpay.sudo().btcpay_webhook_secret
        output = "\n".join(log.output)
        self.assertIn('BTCPay GET /api-keys/current', output)
        self.assertIn('DEBUG:urllib3', output)
        for secret in (first, refused, second, first_secret, second_secret):
            self.assertNotIn(secret, output)
