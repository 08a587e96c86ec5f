from datetime import timedelta

from odoo import fields
from odoo.exceptions import AccessError, UserError
from odoo.tests import freeze_time, new_test_user, tagged
from odoo.tools import mute_logger

from odoo.addons.payment_btcpay import const
from odoo.addons.payment_btcpay.tests.provider.test_checkup import CheckupCommon

MODELS = 'odoo.addons.payment_btcpay.models'
QUIET = (f'{MODELS}.payment_provider.client', 'odoo.addons.payment_btcpay.controllers.main')


@tagged('post_install', '-at_install')
class TestRenewSecret(CheckupCommon):
    """“New Webhook Secret” loses no event, whatever comes in between."""

    def _post(self, secret):
        """Return the status of an event signed with a secret."""
        with mute_logger(*QUIET):
            return self._post_event(self._prepare_event(), secret=secret).status_code

    def _speak(self):
        """Have the server speak, and return how its event was answered."""
        with mute_logger(*QUIET), self._world_speaks() as world:
            world.new_invoice(self.store_id)
        return self.world.deliveries(self.btcpay.btcpay_webhook_id)[0]['httpCode']

    def test_when_the_secret_is_renewed_then_the_new_and_for_a_while_the_old_are_good(self):
        old = self.btcpay.sudo().btcpay_webhook_secret
        action = self.btcpay.action_btcpay_renew_secret()
        self.assertEqual(action['params']['type'], 'success')
        new = self.btcpay.sudo().btcpay_webhook_secret
        self.assertNotEqual(new, old)
        self.assertGreaterEqual(len(new), 32)
        self.assertEqual(self._speak(), 200, "The server signs with another.")
        self.assertEqual((self._post(new), self._post(old)), (200, 200))
        with freeze_time(fields.Datetime.now() + timedelta(hours=3)):
            self.assertEqual(self._get_webhook_secrets(), [new])

    def test_when_the_server_does_not_answer_then_both_are_good_whichever_it_has(self):
        for after in (False, True):
            with self.subTest(took_effect=after):
                old = self.btcpay.sudo().btcpay_webhook_secret
                self.world.fault('status', path='/webhooks/', method='PUT', after=after)
                with mute_logger(*QUIET):
                    action = self.btcpay.action_btcpay_renew_secret()
                self.assertEqual(action['params']['type'], 'warning')
                self.assertEqual(self.btcpay.sudo().btcpay_webhook_secret, old)
                self.assertEqual(self._speak(), 200)
                self.btcpay.action_btcpay_renew_secret()
                self.assertEqual(self._speak(), 200)

    def test_when_it_is_not_known_which_it_has_then_both_stay_good_until_that_is_known(self):
        old = self.btcpay.sudo().btcpay_webhook_secret
        for after in (True, False):  # The second time it stays with what it has.
            self.world.fault('status', path='/webhooks/', method='PUT', after=after)
            with mute_logger(*QUIET):
                self.btcpay.action_btcpay_renew_secret()
        with freeze_time(fields.Datetime.now() + timedelta(days=30)):
            known, other = self._get_webhook_secrets()
            self.assertEqual(known, old)
            self.assertEqual(self._speak(), 200, "What the server signs with is over.")
            self.btcpay.action_btcpay_renew_secret()
        with freeze_time(fields.Datetime.now() + timedelta(days=31)):
            self.assertEqual(self._get_webhook_secrets(), [other])
            self.assertEqual(self._speak(), 200)

    def test_when_another_store_took_its_place_meanwhile_then_the_secret_is_a_new_one(self):
        self.world.fault('status', path='/webhooks/', method='PUT', after=True)
        with mute_logger(*QUIET):
            self.btcpay.action_btcpay_renew_secret()
        known, other = self._get_webhook_secrets()
        store_id = self.world.new_store("Another shop", methods=self.store_methods)
        key = self.world.new_key(store_id, const.PERMISSIONS)
        with self._world_speaks():
            self.btcpay._btcpay_connect(self.world.url, key)
        [secret] = self._get_webhook_secrets()
        self.btcpay.action_btcpay_renew_secret()
        renewed = self._get_webhook_secrets()
        self.assertEqual((len(set(renewed)), renewed[1]), (2, secret))
        self.assertFalse({known, other} & set(renewed))

    def test_when_the_server_refuses_then_the_new_one_is_good_for_a_while_only(self):
        old = self.btcpay.sudo().btcpay_webhook_secret
        self.world.fault('status', path='/webhooks/', method='PUT', status=422)
        with mute_logger(*QUIET):
            self.btcpay.action_btcpay_renew_secret()
        with freeze_time(fields.Datetime.now() + timedelta(hours=3)):
            self.assertEqual(self._get_webhook_secrets(), [old])

    def test_when_there_is_no_webhook_of_ours_then_nothing_can_be_renewed(self):
        for values in ({'btcpay_webhook_by_hand': True}, {'btcpay_webhook_id': False}):
            self.btcpay.sudo().write(values)
            with self.subTest(values=values), self.assertRaises(UserError):
                self.btcpay.action_btcpay_renew_secret()

    def test_when_somebody_may_not_change_the_provider_then_they_cannot_renew(self):
        user = new_test_user(self.env, 'renew_reader', 'base.group_user')
        with self.assertRaises(AccessError):
            self.btcpay.with_user(user).action_btcpay_renew_secret()


@tagged('post_install', '-at_install')
class TestDisconnectDialog(CheckupCommon):
    """“Disconnect” names what is under way before it does anything."""

    def setUp(self):
        super().setUp()
        self.btcpay.sudo().write({
            'btcpay_api_key': self.world.new_key(self.store_id, const.PERMISSIONS),
            'btcpay_webhook_url': self.webhook_url,
        })
        self.env.cr.commit()

    def _open(self):
        action = self.btcpay.action_btcpay_disconnect()
        return self.env[action['res_model']].with_context(action['context']).create({})

    def test_when_payments_and_refunds_are_under_way_then_they_are_counted_and_summed(self):
        self.assertFalse(self._open().under_way)
        for amount in (100, 16.25):
            self._create_btcpay_transaction(amount=amount, reference=f'tx-{amount}')
        self._create_btcpay_transaction(
            amount=50, reference='tx-euro', currency_id=self._enable_currency('EUR').id)
        over = self._create_btcpay_transaction(amount=7, reference='tx-over')
        self.world.pay(over.btcpay_invoice_id)
        self.world.mine()
        over._btcpay_sync()
        late = self._create_btcpay_transaction(amount=1.5, reference='tx-late')
        self.world.expire(late.btcpay_invoice_id)
        self.world.pay(late.btcpay_invoice_id)
        self.world.mine()
        late._btcpay_sync()
        self.assertEqual((late.state, late.btcpay_decision), ('cancel', 'late'))
        refund = over._create_child_transaction(2.5, is_refund=True)
        refund.state = 'pending'
        refund.sudo().btcpay_next_sync_at = fields.Datetime.now()
        under_way = self._open().under_way
        self.assertIn("4 payments over $\xa0117.75 and 50.00\xa0€", under_way)
        self.assertIn("1 refunds over $\xa02.50", under_way)
        self.assertTrue(over.btcpay_next_sync_at, "It is not looked at any more.")
        self._assert_row("Open payments", 'muted', "5, the oldest since")

    def test_when_it_is_confirmed_then_the_store_is_disconnected(self):
        webhook_id = self.btcpay.btcpay_webhook_id
        self._open().action_disconnect()
        self.assertEqual(self.btcpay.btcpay_connection_state, 'disconnected')
        self.assertNotIn(webhook_id, [w['id'] for w in self.world.webhooks(self.store_id)])

    def test_when_something_is_left_at_the_server_then_the_dialog_says_so(self):
        self.world.fault('drop', path='/api-keys/current$', method='DELETE')
        with mute_logger(*QUIET):
            action = self._open().action_disconnect()
        self.assertIn("could not be removed", action['params']['message'])
