from urllib.parse import quote

from odoo.exceptions import ValidationError
from odoo.tests import tagged
from odoo.tools import mute_logger

from odoo.addons.payment_btcpay import const
from odoo.addons.payment_btcpay.tests.provider.connect_common import BTCPayConnectCommon

REQUEST = 'odoo.addons.payment_btcpay.models.payment_provider.client'
WITHOUT_WEBHOOK = [p for p in const.PERMISSIONS if p != const.WEBHOOK_PERMISSION]
SECRET = 'typed at the server'


@tagged('post_install', '-at_install')
class TestManualSetup(BTCPayConnectCommon):
    """The connection is set up with a key that was made at the server by hand."""

    def _open(self, key, server_url=None, **values):
        """Type the address and the key."""
        action = self.btcpay.with_user(self.administrator).action_btcpay_connect_by_hand()
        return self.env[action['res_model']].with_user(self.administrator).with_context(
            action['context']
        ).create({'server_url': server_url or self.world.url, 'api_key': key, **values})

    def _check(self, key, **kwargs):
        """Type the address and the key, and have it checked."""
        wizard = self._open(key, **kwargs)
        action = wizard.action_check_key()
        self.assertEqual(action['res_id'], wizard.id)
        return wizard

    def _refuse(self, wizard, text):
        """Have the connection refused: nothing changes, and the key stays good at the server."""
        before, key = self._read_row(), wizard.sudo().kept_api_key
        self.env.cr.commit()  # What was typed is stored before the button's work begins.
        with mute_logger(REQUEST), self.assertRaisesRegex(ValidationError, text):
            wizard.action_connect_by_hand()
        self.assertEqual(self._read_row(), before)
        self.assertFalse(self.world.webhooks(self.store_id))
        self.assertTrue(self._is_key_known(key), "A key that was typed is not ours to revoke.")

    def test_when_a_good_key_is_typed_then_its_store_is_connected_with_a_webhook(self):
        key = self._new_key()
        wizard = self._check(f' {key} ')
        self.assertEqual(wizard.store_id.store_ref, self.store_id)
        self.assertFalse(wizard.excess or wizard.is_webhook_by_hand)
        wizard.action_connect_by_hand()
        self.assertRecordValues(self.btcpay.sudo(), [{
            'state': 'enabled', 'btcpay_connection_state': 'connected', 'btcpay_api_key': key,
            'btcpay_store_id': self.store_id, 'btcpay_webhook_by_hand': False,
        }])
        [webhook] = self.world.webhooks(self.store_id)
        self.assertEqual(webhook['id'], self.btcpay.btcpay_webhook_id)
        self.assertFalse(wizard.sudo().kept_api_key, "It is kept no longer than it has to be.")

    def test_when_secrets_are_typed_then_no_call_gets_them_back(self):
        wizard = self._open('a' * 40, webhook_secret=SECRET)
        self.env.invalidate_all()
        [read] = wizard.read()
        self.assertNotIn('a' * 40, str(read))
        self.assertNotIn(SECRET, str(read))
        self.assertFalse({'kept_api_key', 'kept_webhook_secret'} & set(read))

    def test_when_the_key_may_see_several_stores_then_one_is_chosen_and_the_warning_stays(self):
        other = self.world.new_store("Other")
        for stores, words in (([self.store_id, other], "2 stores"), (None, "all stores")):
            with self.subTest(words=words):
                key = self.world.new_key(stores, const.PERMISSIONS)
                wizard = self._check(key)
                self.assertLessEqual(
                    {self.store_id, other}, set(wizard.store_ids.mapped('store_ref')))
                self.assertIn(words, wizard.excess)
                self._refuse(wizard, "choose the store")
                wizard.store_id = wizard.store_ids.filtered(lambda s: s.store_ref == other)
                self._refuse(wizard, f"may do more than is needed: {words}")
                wizard.is_excess_accepted = True
                wizard.action_connect_by_hand()
                self.assertEqual(self.btcpay.btcpay_store_id, other)
                self.assertIn(words, self.btcpay.btcpay_excess_text)
                self.assertEqual(self.btcpay.btcpay_health, 'attention')
                self.btcpay.action_reset_credentials()

    def test_when_the_key_may_do_more_then_it_is_taken_by_express_word_only(self):
        for more in (
            'btcpay.store.canmodifystoresettings', 'btcpay.store.canmodifypaymentrequests',
        ):
            with self.subTest(more=more):
                wizard = self._check(self._new_key(permissions=[*const.PERMISSIONS, more]))
                self._refuse(wizard, f"more than is needed: {more}")
                wizard.is_excess_accepted = True
                wizard.action_connect_by_hand()
                self.assertEqual(self.btcpay.btcpay_excess_text, more)
                self.btcpay.action_reset_credentials()

    def test_when_a_wider_permission_stands_for_one_of_the_six_then_none_is_missing(self):
        """`canmodifystoresettings` is all six of them."""
        wizard = self._check(self._new_key(
            permissions=['btcpay.store.canmodifystoresettings']))
        wizard.is_excess_accepted = True
        wizard.action_connect_by_hand()
        self.assertEqual(self.btcpay.btcpay_connection_state, 'connected')
        self.assertFalse(self.btcpay.btcpay_checkup['missing'])

    def test_when_a_permission_is_missing_then_it_is_named(self):
        for missing in const.PERMISSIONS:
            if missing in ('btcpay.store.canviewstoresettings', const.WEBHOOK_PERMISSION):
                continue
            with self.subTest(missing=missing):
                key = self._new_key(permissions=set(const.PERMISSIONS) - {missing})
                self._refuse(self._check(key), f"lacks permissions: {missing}.*API Keys")

    def test_when_the_key_is_of_no_use_then_it_is_said_what_to_do(self):
        for key, text in (
            ('', "Enter the API key"),
            *(
                (key, "does not accept the API key.*Copy it once more")
                # Masked ones, and what no header can have.
                for key in ('a' * 40, '•' * 40, 'aé' * 20, 'a\nX-Y: b', 'a\0é\r', '\ud800é')
            ),
            (self._new_key(permissions=['btcpay.store.cancreateinvoice']), "may not see any store"),
        ):
            with self.subTest(text=text), mute_logger(REQUEST):
                with self.assertRaisesRegex(ValidationError, text):
                    self._open(key).action_check_key()
        with self.assertRaisesRegex(ValidationError, "must begin with https"):
            self._open('a' * 40, server_url='ftp://example.com').action_check_key()

    # === THE WEBHOOK BY HAND === #

    def _connect_by_hand(self):
        key = self._new_key(permissions=WITHOUT_WEBHOOK)
        wizard = self._check(key)
        self.assertTrue(wizard.is_webhook_by_hand, "The key may make none.")
        self.assertEqual(
            wizard.webhook_url, f'{self.base_url()}{const.WEBHOOK_ROUTE}/{self.btcpay.id}')
        for event in const.WEBHOOK_EVENTS:
            self.assertIn(event, wizard.webhook_events)
        self._refuse(wizard, "Enter the webhook's secret")
        wizard.webhook_secret = 'short'
        self._refuse(wizard, "of at least 16 characters")
        wizard.webhook_secret = SECRET
        wizard.action_connect_by_hand()
        return wizard

    def test_when_the_key_may_make_no_webhook_then_one_made_by_hand_reports(self):
        wizard = self._connect_by_hand()
        self.world.new_webhook(self.store_id, wizard.webhook_url, secret=SECRET)
        provider = self.btcpay.sudo()
        self.assertEqual(provider.btcpay_webhook_secret, SECRET)
        self.assertFalse(provider.btcpay_checkup['missing'])
        rows = {name: (level, words) for level, name, words in provider._btcpay_get_health_rows()}
        self.assertEqual(rows["Webhook"][0], 'warning')
        self.assertIn("has not reported anything yet", rows["Webhook"][1])
        with self._world_speaks() as world:
            invoice_id = world.new_invoice(self.store_id)['id']
        self.assertTrue(self.env['btcpay.delivery'].search([('invoice_ref', '=', invoice_id)]))
        rows = {name: (level, words) for level, name, words in provider._btcpay_get_health_rows()}
        self.assertEqual(rows["Webhook"][0], 'success')
        provider.btcpay_webhook_checked_at = False
        self.env['payment.provider']._cron_btcpay_sync()
        self.assertEqual(provider.btcpay_health, 'healthy')
        self.assertFalse(provider.btcpay_webhook_problem)

    def test_when_the_webhook_is_by_hand_then_the_one_of_before_is_removed(self):
        self._connect_well()
        self.assertTrue(self.world.webhooks(self.store_id))
        key = self._new_key()
        wizard = self._check(key)
        wizard.write({'is_webhook_by_hand': True, 'webhook_secret': SECRET})
        wizard.action_connect_by_hand()
        self.assertFalse(self.world.webhooks(self.store_id))
        self.assertEqual(
            self._get_webhook_secrets()[0], SECRET)

    def test_when_the_webhook_is_by_hand_then_disconnecting_says_that_it_stays(self):
        self._connect_by_hand()
        wizard = self.env['btcpay.disconnect.wizard'].create({'provider_id': self.btcpay.id})
        self.assertTrue(wizard.is_webhook_by_hand)

    def test_when_there_is_to_be_no_webhook_then_odoo_polls(self):
        wizard = self._check(self._new_key())
        wizard.write({'no_webhook': True, 'poll_minutes': 7})
        wizard.action_connect_by_hand()
        self.assertEqual(
            (self.btcpay.btcpay_use_webhook, self.btcpay.btcpay_poll_minutes), (False, 7))
        self.assertFalse(self.world.webhooks(self.store_id))

    def test_when_an_administrator_sets_it_up_in_the_browser_then_the_provider_is_enabled(self):
        action = self.env.ref('payment.action_payment_provider')
        key = self.world.new_key(
            self.store_id, [*const.PERMISSIONS, 'btcpay.store.canmodifypaymentrequests'])
        with mute_logger('odoo.http', 'odoo.sql_db'):
            self.start_tour(
                f'/odoo/action-{action.id}/{self.btcpay.id}', 'btcpay_manual_setup_tour',
                login='btcpay_administrator', cookies={
                    'btcpay_server': quote(self.world.url, safe=''), 'btcpay_key': key,
                },
            )
        self.env.invalidate_all()
        self.assertEqual(self.btcpay.btcpay_store_id, self.store_id)
        self.assertEqual(self.btcpay.state, 'enabled')
