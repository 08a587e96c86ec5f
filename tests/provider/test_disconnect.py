from odoo.exceptions import AccessError, UserError
from odoo.tests import new_test_user, tagged
from odoo.tools import SQL, mute_logger

from odoo.addons.payment_btcpay import const
from odoo.addons.payment_btcpay.tests.common import BTCPayCommon

REQUEST = 'odoo.addons.payment_btcpay.models.payment_provider.client'


@tagged('post_install', '-at_install')
class TestDisconnect(BTCPayCommon):
    """Nothing of ours is left at the server: no webhook and no key."""

    def setUp(self):
        super().setUp()
        self.foreign = self.world.new_webhook(self.store_id, 'https://example.com/hook')
        self.addCleanup(self._forget_webhooks)
        self.btcpay.sudo().write({
            'state': 'disabled', **self.btcpay._btcpay_get_empty_connection(),
        })
        self.key = self.world.new_key(self.store_id, const.PERMISSIONS)
        self.btcpay._btcpay_connect(self.world.url, self.key)
        self.assertEqual(len(self.world.webhooks(self.store_id)), 2)

    def _forget_webhooks(self):
        self.world.clear_faults()
        for webhook in self.world.webhooks(self.store_id):
            self.world.api('DELETE', f'/stores/{self.store_id}/webhooks/{webhook["id"]}')

    def _is_key_known(self):
        return self.world.call('GET', '/api/v1/api-keys/current', key=self.key).status_code == 200

    def _assert_nothing_is_left(self):
        self.assertEqual(
            [webhook['id'] for webhook in self.world.webhooks(self.store_id)],
            [self.foreign['id']], "Our webhook is still there, or another's is not.",
        )
        self.assertFalse(self._is_key_known())

    def _assert_disconnected(self, provider=None):
        provider = (provider or self.btcpay).sudo()
        self.assertEqual((provider.state, provider.is_published), ('disabled', False))
        self.assertEqual(provider.btcpay_connection_state, 'disconnected')
        for name, value in provider._btcpay_get_empty_connection().items():
            self.assertEqual(provider[name], value, name)

    # === DISCONNECT === #

    def test_when_disconnected_then_neither_webhook_nor_key_is_left_at_the_server(self):
        administrator = new_test_user(
            self.env, 'btcpay_administrator', 'base.group_system,account.group_account_manager'
        )
        self.assertIs(self.btcpay.with_user(administrator).action_reset_credentials(), True)
        self._assert_disconnected()
        self._assert_nothing_is_left()

    def test_when_disconnected_then_it_is_stored_before_the_server_is_told(self):
        """What cannot be taken back is done last; else Odoo would go on with a dead key."""
        states = []
        clean_up = type(self.btcpay)._btcpay_clean_up
        self.patch(self.env.registry['payment.provider'], '_btcpay_clean_up', lambda s, *c: [
            states.append(s.btcpay_connection_state), clean_up(s, *c),
        ][1])
        self.btcpay.action_reset_credentials()
        self.assertEqual(states, ['disconnected'])

    def test_when_it_cannot_be_uninstalled_then_disconnecting_wipes_every_secret(self):
        self._pay_order()
        self._post_process_all()
        with self.assertRaisesRegex(UserError, "cannot uninstall"):
            self.env['payment.provider']._remove_provider('btcpay')
        secret = self.btcpay.sudo().btcpay_webhook_secret
        self.btcpay.sudo()._btcpay_store_secret('another secret of the webhook')
        unused = self.world.new_key(self.store_id, const.PERMISSIONS)
        self.env['btcpay.authorization'].sudo()._start(
            self.btcpay, self.world.url, 'https://shop.example.com'
        )
        self.env['btcpay.authorization'].sudo().search([])._receive_key(unused)
        typed = self.world.new_key(self.store_id, const.PERMISSIONS)
        self.env['btcpay.connect.wizard'].create({
            'provider_id': self.btcpay.id, 'server_url': self.world.url, 'api_key': typed,
            'webhook_secret': 'typed and not used',
        })
        secrets = (
            self.key, secret, 'another secret of the webhook', unused, typed, 'typed and not used'
        )
        self.env.flush_all()
        self.assertEqual(self._find_in_database(secrets), set(secrets))
        self.btcpay.action_reset_credentials()
        self._assert_disconnected()
        self.env.flush_all()
        self.assertEqual(self._find_in_database(secrets), set())
        self.assertEqual(self.world.call(
            'GET', '/api/v1/api-keys/current', key=unused).status_code, 401)

    def _post_process_all(self):
        self.env['payment.transaction'].sudo().search([('state', '=', 'done')])._post_process()
        self.assertTrue(self.env['account.payment'].search([
            ('payment_transaction_id.provider_id', '=', self.btcpay.id)
        ]))

    def _find_in_database(self, texts):
        """Return those of the texts that any table has, in whichever column."""
        found = set()
        for table, in self.env.execute_query(SQL(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'"
            " AND table_type = 'BASE TABLE'"
        )):
            for text in texts:
                if self.env.execute_query(SQL(
                    'SELECT 1 FROM %s AS t WHERE t::text LIKE %s LIMIT 1',
                    SQL.identifier(table), f'%{text}%',
                )):
                    found.add(text)
        return found

    def test_when_another_provider_uses_the_key_then_disconnecting_does_not_revoke_it(self):
        other = self.btcpay.copy()
        other.sudo().write({
            'btcpay_server_url': self.world.url, 'btcpay_api_key': self.key,
            'btcpay_store_id': self.store_id,
        })
        self.assertIs(self.btcpay.action_reset_credentials(), True)
        self._assert_disconnected()
        self.assertEqual(len(self.world.webhooks(self.store_id)), 1)
        self.assertTrue(self._is_key_known())

    def test_when_the_key_was_revoked_already_then_disconnecting_succeeds(self):
        self.world.revoke_key(self.key)
        with mute_logger(REQUEST):
            self.assertIs(self.btcpay.action_reset_credentials(), True)
        self._assert_disconnected()

    def test_when_the_webhook_is_gone_already_then_disconnecting_revokes_the_key(self):
        self._forget_webhooks()
        with mute_logger(REQUEST):
            self.assertIs(self.btcpay.action_reset_credentials(), True)
        self._assert_disconnected()
        self.assertFalse(self._is_key_known())

    def test_when_the_server_is_gone_then_disconnecting_warns_of_what_could_not_be_removed(self):
        for path in ('/webhooks/', '/api-keys/current$'):
            with self.subTest(path=path):
                self.world.clear_faults()
                self.key = self.world.new_key(self.store_id, const.PERMISSIONS)
                self.btcpay._btcpay_connect(self.world.url, self.key)
                self.world.fault('drop', path=path, method='DELETE')
                with mute_logger(REQUEST):
                    action = self.btcpay.action_reset_credentials()
                self.assertEqual(action['params']['type'], 'warning')
                self.assertIn("could not be removed", action['params']['message'])
                self._assert_disconnected()

    def test_when_the_user_is_no_administrator_then_disconnecting_is_denied(self):
        with self.assertRaises(AccessError):
            self.btcpay.with_user(self.internal_user).action_reset_credentials()
        self.assertTrue(self._is_key_known())

    def test_when_nothing_is_connected_then_disconnecting_does_not_ask_the_server(self):
        self.btcpay.action_reset_credentials()
        since = max(request['n'] for request in self.world.requests())
        self.assertIs(self.btcpay.action_reset_credentials(), True)
        self.assertFalse(self.world.requests(since))

    def test_when_another_provider_is_reset_then_the_connection_stays(self):
        self.assertIs(self.dummy_provider.action_reset_credentials(), True)
        self.assertTrue(self._is_key_known())

    # === UNINSTALLATION === #

    def test_when_the_module_is_uninstalled_then_all_providers_are_disconnected(self):
        other_store = self.world.new_store("Other")
        other_key = self.world.new_key(other_store, const.PERMISSIONS)
        other = self.btcpay.copy()
        other._btcpay_connect(self.world.url, other_key)
        self.env['payment.provider'].sudo()._remove_provider('btcpay')
        self._assert_disconnected()
        self._assert_disconnected(other)
        self.assertEqual(set((self.btcpay + other).mapped('code')), {'none'})
        self._assert_nothing_is_left()
        self.assertFalse(self.world.webhooks(other_store))

    def test_when_the_module_is_uninstalled_from_a_copy_then_production_keeps_all(self):
        self.env['ir.config_parameter'].set_param('database.uuid', 'that of the copy')
        self.env['payment.provider'].sudo()._remove_provider('btcpay')
        self._assert_disconnected()
        self.assertEqual(len(self.world.webhooks(self.store_id)), 2)
        self.assertTrue(self._is_key_known())

    def test_when_the_server_is_gone_then_the_module_can_still_be_uninstalled(self):
        self.world.fault('drop', count=None)
        with mute_logger(REQUEST):
            self.env['payment.provider'].sudo()._remove_provider('btcpay')
        self._assert_disconnected()

    def test_when_another_module_is_uninstalled_then_the_connection_stays(self):
        self.env['payment.provider'].sudo()._remove_provider('none')
        self.assertEqual(self.btcpay.btcpay_connection_state, 'connected')
        self.assertTrue(self._is_key_known())

    def test_when_there_are_payments_then_uninstalling_is_refused_and_the_connection_stays(self):
        tx = self._pay_order(self._create_order())
        tx._post_process()
        self.assertTrue(tx.payment_id)
        with self.assertRaises(UserError):
            self.env['payment.provider'].sudo()._remove_provider('btcpay')
        self.assertEqual(self.btcpay.btcpay_connection_state, 'connected')
        self.assertEqual(len(self.world.webhooks(self.store_id)), 2)
        self.assertTrue(self._is_key_known())
