from contextlib import suppress
from datetime import timedelta

from odoo import fields
from odoo.exceptions import AccessError, UserError
from odoo.modules.neutralize import get_neutralization_queries
from odoo.tests import freeze_time, tagged
from odoo.tools import mute_logger

from odoo.addons.payment_btcpay import const
from odoo.addons.payment_btcpay.greenfield import GreenfieldError
from odoo.addons.payment_btcpay.models.payment_provider.connection_check import ManualSetup
from odoo.addons.payment_btcpay.tests.common import StandIn
from odoo.addons.payment_btcpay.tests.provider.connect_common import BTCPayConnectCommon
from odoo.addons.payment_btcpay.tests.refund.refund_common import RefundMixin

MODELS = 'odoo.addons.payment_btcpay.models'
QUIET = (
    f'{MODELS}.payment_provider.client', f'{MODELS}.payment_transaction.sync',
    f'{MODELS}.payment_transaction.pages',
    f'{MODELS}.payment_provider.sync', 'odoo.addons.payment_btcpay.controllers.main',
)


@tagged('post_install', '-at_install')
class TestEarlierStore(BTCPayConnectCommon, RefundMixin):
    """“Authorize Again” with another store loses nothing of the one that was connected before."""

    def setUp(self):
        super().setUp()
        self.old_key = self._connect_well()
        self.old_secret = self.btcpay.sudo().btcpay_webhook_secret
        self.other_store = self.world.new_store("Other")
        self.addCleanup(self._forget_other_webhooks)

    def _forget_other_webhooks(self):
        for webhook in self.world.webhooks(self.other_store):
            self.world.api('DELETE', f'/stores/{self.other_store}/webhooks/{webhook["id"]}')

    def _switch(self):
        """Connect the other store, and return its key."""
        key = self._connect_well(self._new_key(self.other_store))
        self.assertEqual(self.btcpay.btcpay_store_id, self.other_store)
        return key

    def _earlier(self):
        return self.env['btcpay.earlier.store'].sudo().search([])

    def _run_cron(self, minutes=11):
        self.env.cr.commit()
        with freeze_time(fields.Datetime.now() + timedelta(minutes=minutes)):
            self.env['payment.provider']._cron_btcpay_sync()

    def _assert_removed(self):
        self.assertFalse(self._earlier())
        self.assertFalse(self._is_key_known(self.old_key))
        self.assertFalse(self.world.webhooks(self.store_id))

    # === NOTHING IS LOST === #

    def test_when_a_payment_is_open_then_its_event_arrives_after_the_switch(self):
        tx = self._create_btcpay_transaction(self._create_order())
        self._switch()
        self.assertTrue(self._is_key_known(self.old_key))
        with self._world_speaks() as world:
            world.pay(tx.btcpay_invoice_id)
            world.mine()
        self.assertEqual((tx.state, tx.btcpay_paid_amount), ('done', 100))
        deliveries = self.env['btcpay.delivery'].sudo().search([
            ('invoice_ref', '=', tx.btcpay_invoice_id),
        ])
        self.assertIn('InvoiceSettled', deliveries.mapped('event'))
        self.assertEqual((deliveries.transaction_id, set(deliveries.mapped('state'))),
                         (tx, {'processed'}))
        self._post_process()
        self.assertEqual(tx.sale_order_ids.state, 'sale')

    def test_when_no_event_arrives_then_the_scheduled_action_asks_the_old_store(self):
        tx = self._create_btcpay_transaction(self._create_order())
        self._switch()
        self.world.pay(tx.btcpay_invoice_id)
        self.world.mine()
        self._run_cron(minutes=10)
        self.assertEqual(tx.state, 'done')

    def test_when_it_is_paid_then_it_can_be_refunded_with_the_old_key_until_it_is_over(self):
        tx = self._paid()
        new_key = self._switch()
        since = self.world.requests()[-1]['n']
        refund = tx._btcpay_request_refund(40)
        self.assertEqual(refund.state, 'pending')
        made = [r for r in self.world.requests(since) if r['path'].endswith('/refund')]
        self.assertIn(self.store_id, made[0]['path'])
        self._claim(refund)
        self._run_cron(minutes=10)
        self.assertEqual((refund.state, refund.btcpay_paid_out_amount), ('done', 40))
        self.assertTrue(self._is_key_known(new_key))

    def test_when_new_payments_are_made_then_they_are_of_the_new_store(self):
        self._create_btcpay_transaction(self._create_order())
        self._switch()
        tx = self._create_btcpay_transaction(self._create_order())
        self.assertEqual(tx.sudo().btcpay_store_id, self.other_store)
        with self._world_speaks() as world:
            world.pay(tx.btcpay_invoice_id)
            world.mine()
        self.assertEqual(tx.state, 'done')

    def test_when_another_server_is_connected_then_the_old_one_is_asked_of_its_payments(self):
        tx = self._create_btcpay_transaction(self._create_order())
        world = StandIn.started()
        self.addCleanup(world.close)
        store = world.new_store("Elsewhere")
        self._connect_well(world.new_key(store, const.PERMISSIONS), server_url=world.url)
        self.world.pay(tx.btcpay_invoice_id)
        self.world.mine()
        since = world.requests()[-1]['n']
        tx._btcpay_sync()
        self.assertEqual(tx.state, 'done')
        self.assertFalse(world.requests(since), "No key is sent to another server.")
        refund = tx._btcpay_request_refund(10)
        self.assertEqual(refund.sudo().btcpay_refund_server_url, self.world.url)

    # === IT ENDS BY ITSELF === #

    def test_when_nothing_was_open_then_nothing_is_kept_for_long(self):
        self._switch()
        self._run_cron(minutes=5)
        self.assertTrue(self._is_key_known(self.old_key), "Somebody may be about to pay there.")
        self._run_cron()
        self._assert_removed()

    def test_when_all_is_over_then_key_and_webhook_are_removed_and_forgotten(self):
        tx = self._create_btcpay_transaction(self._create_order())
        new_key = self._switch()
        self.world.pay(tx.btcpay_invoice_id)
        self.world.mine()
        tx._btcpay_sync()
        self._run_cron()
        self.assertTrue(self._earlier(), "The customer may still pay twice.")
        tx.sudo().btcpay_next_sync_at = False
        self._run_cron()
        self._assert_removed()
        self.assertTrue(self._is_key_known(new_key))
        self.assertEqual(len(self.world.webhooks(self.other_store)), 1)
        with self.assertRaisesRegex(Exception, "no longer connected"):
            tx._btcpay_sync()

    def test_when_somebody_is_to_decide_then_the_key_stays_until_it_is_decided(self):
        tx = self._create_btcpay_transaction(self._create_order())
        self.world.expire(tx.btcpay_invoice_id)
        self.world.pay(tx.btcpay_invoice_id)
        self.world.mine()
        tx._btcpay_sync()
        self.assertEqual(tx.btcpay_decision, 'late')
        self._switch()
        tx.sudo().btcpay_next_sync_at = False
        self._run_cron()
        tx.action_btcpay_accept_late()
        self._carry_out()
        tx._btcpay_sync()
        self.assertEqual(tx.state, 'done')
        self._post_process()
        tx.sudo().btcpay_next_sync_at = False
        self._run_cron()
        self._assert_removed()

    def _end_without_answer(self, tx):
        """Connect another store, and let nothing of the earlier one be open, whose server is down.

        :return: The earlier store.
        """
        self._switch()
        tx.sudo().btcpay_next_sync_at = False
        earlier = self._earlier()
        earlier.server_url = 'http://127.0.0.1:1'
        with mute_logger(*QUIET):
            self._run_cron()
        self.assertTrue(earlier.over_at)
        return earlier

    def test_when_the_old_server_does_not_answer_then_removal_is_tried_for_days(self):
        tx = self._create_btcpay_transaction()
        earlier = self._end_without_answer(tx)
        self.assertTrue(earlier.retry_at)
        with mute_logger(*QUIET):
            self._run_cron(minutes=30)
            self._run_cron(minutes=100)
            self.assertTrue(earlier.exists())
            self._run_cron(minutes=8 * 24 * 60)
        self.assertFalse(earlier.exists())
        self.assertIn("could not be removed", self.btcpay.message_ids[0].body)
        self.assertEqual(self.btcpay.btcpay_connection_state, 'connected')

    def test_when_something_opens_before_the_key_is_removed_then_it_is_followed(self):
        tx = self._paid()
        earlier = self._end_without_answer(tx)
        earlier.server_url = self.world.url  # It answers again.
        # Nothing is begun with a key that is about to be revoked.
        since = self.world.requests()[-1]['n']
        with mute_logger(*QUIET), suppress(UserError, GreenfieldError):
            tx._btcpay_request_refund(40)
        self.assertFalse(self.world.requests(since))
        event = self._prepare_event(tx, webhookId=earlier.webhook_id)
        with mute_logger(*QUIET):
            self.assertEqual(
                self._post_event(event, secret=earlier.webhook_secret).status_code, 200)
            self._run_cron(minutes=100)
        self.assertRecordValues(earlier, [{'over_at': False, 'retry_at': False}])
        self.assertTrue(self._is_key_known(self.old_key))
        delivery = self.env['btcpay.delivery'].search([
            ('delivery_ref', '=', event['deliveryId']),
        ])
        with freeze_time(fields.Datetime.now() + timedelta(minutes=100)):
            delivery._cron_process()
        self.assertEqual(delivery.state, 'processed')
        tx.sudo().btcpay_next_sync_at = False
        self._run_cron()
        self._assert_removed()

    def test_when_the_old_server_fails_then_the_connected_one_is_not_blamed(self):
        tx = self._create_btcpay_transaction(self._create_order())
        self._switch()
        self._earlier().server_url = 'http://127.0.0.1:1'
        with mute_logger(*QUIET):
            for _time in range(3):
                tx.sudo().write({'btcpay_synced_at': False, 'btcpay_asked_at': False})
                tx._btcpay_sync_for_browser()
                self.assertTrue(tx.btcpay_asked_at)
                self._run_cron(minutes=10)
            event = self._prepare_event(tx, webhookId=self._earlier().webhook_id)
            self._post_event(event, secret=self._earlier().webhook_secret)
        self.assertFalse(self.btcpay.btcpay_unreachable_since)
        self.assertEqual(self.btcpay.btcpay_health, 'healthy')

    # === BACK AGAIN === #

    def test_when_the_old_store_is_authorized_again_then_it_is_as_before(self):
        tx = self._create_btcpay_transaction(self._create_order())
        self._switch()
        [webhook] = self.world.webhooks(self.store_id)
        key = self._connect_well()
        self.assertEqual(self._earlier().store_id, self.other_store)
        self.assertFalse(self._is_key_known(self.old_key))
        self.assertTrue(self._is_key_known(key))
        self.assertRecordValues(self.btcpay.sudo(), [{
            'btcpay_store_id': self.store_id, 'btcpay_webhook_id': webhook['id'],
            'btcpay_webhook_secret': self.old_secret,
        }])
        with self._world_speaks() as world:
            world.pay(tx.btcpay_invoice_id)
            world.mine()
        self.assertEqual(tx.state, 'done')
        self._run_cron()
        self.assertFalse(self._earlier())
        self.assertFalse(self.world.webhooks(self.other_store))
        self.assertTrue(self._is_key_known(key))

    def test_when_disconnected_then_nothing_is_left_of_either(self):
        self._create_btcpay_transaction(self._create_order())
        new_key = self._switch()
        self.btcpay.action_reset_credentials()
        self._assert_removed()
        self.assertFalse(self._is_key_known(new_key))
        self.assertFalse(self.world.webhooks(self.other_store))

    def test_when_both_stores_have_one_key_then_no_webhook_is_left(self):
        key = self.world.new_key([self.store_id, self.other_store], const.PERMISSIONS)
        for remove in (
            self.btcpay.action_reset_credentials,
            lambda: self.env['payment.provider'].sudo()._remove_provider('btcpay'),
        ):
            with self.subTest(remove=remove):
                self._connect_well(self._new_key(self.store_id))
                for store in (self.store_id, self.other_store):
                    self.btcpay._btcpay_connect(
                        self.world.url, key, manual=ManualSetup(store, is_excess_accepted=True))
                self.assertEqual(self._earlier().api_key, key)
                self.assertTrue(self.world.webhooks(self.store_id))
                remove()
                self.assertFalse(self.world.webhooks(self.store_id))
                self.assertFalse(self.world.webhooks(self.other_store))
                self.assertFalse(self._is_key_known(key))
                key = self.world.new_key([self.store_id, self.other_store], const.PERMISSIONS)

    def test_when_the_module_is_uninstalled_then_nothing_is_left_of_either(self):
        tx = self._create_btcpay_transaction()
        new_key = self._switch()
        tx.unlink()
        self.env['payment.provider'].sudo()._remove_provider('btcpay')
        self._assert_removed()
        self.assertFalse(self._is_key_known(new_key))
        self.assertFalse(self.world.webhooks(self.other_store))

    def test_when_the_old_key_is_refused_then_another_store_is_not_connected(self):
        self._create_btcpay_transaction(amount=16.25)
        self.world.revoke_key(self.old_key)
        self.btcpay.sudo().btcpay_connection_state = 'refused'
        with mute_logger('odoo.addons.payment_btcpay.controllers.onboarding'):
            response = self._connect(self._new_key(self.other_store))
        self.assertEqual(response.status_code, 400)
        self.assertIn("1 payments over $\N{NO-BREAK SPACE}16.25 are under way", response.text)
        self.assertEqual(self.btcpay.btcpay_store_id, self.store_id)

    # === WHAT IS SAID === #

    def test_when_payments_are_under_way_then_the_dialog_warns_and_the_health_tells(self):
        self._create_btcpay_transaction(amount=16.25)
        for by_hand in (False, True):
            action = self.btcpay.with_user(self.administrator)
            action = action.action_btcpay_connect_by_hand() if by_hand else (
                action.action_btcpay_connect())
            wizard = self.env[action['res_model']].with_user(self.administrator).with_context(
                action['context']).create({})
            self.assertIn("1 payments over $\N{NO-BREAK SPACE}16.25 of the store"
                          " “TestEarlierStore” are under way", wizard.under_way)
        self._switch()
        self.assertIn("1 payments and refunds of “TestEarlierStore” are open",
                      self.btcpay.btcpay_health_text)
        self.assertFalse(wizard.new({'provider_id': self.btcpay.id}).under_way)

    # === SECRETS === #

    def test_when_anybody_asks_then_the_old_key_is_not_told(self):
        self._create_btcpay_transaction()
        self._switch()
        earlier = self._earlier()
        self.assertTrue(earlier.api_key)
        with self.assertRaises(AccessError):
            earlier.with_user(self.administrator).read(['store_id'])
        for name in ('api_key', 'webhook_secret', 'old_webhook_secret', 'database'):
            with self.assertRaises(AccessError):
                earlier.with_user(self.administrator).mapped(name)
        with self.assertRaises(AccessError):
            self.btcpay.with_user(self.administrator).read(['btcpay_earlier_store_ids'])

    def test_when_neutralized_or_copied_then_the_old_key_is_of_no_use(self):
        tx = self._create_btcpay_transaction()
        self._switch()
        self.env['ir.config_parameter'].set_param('database.uuid', 'that of the copy')
        tx.sudo().btcpay_next_sync_at = False
        self._run_cron()
        self.assertFalse(self._earlier())
        self.assertTrue(self._is_key_known(self.old_key), "It is production's.")
        self.assertTrue(self.world.webhooks(self.store_id))
        self.env['btcpay.earlier.store'].sudo().create({
            'provider_id': self.btcpay.id, 'database': 'x', 'server_url': 'x', 'api_key': 'x',
            'store_id': 'x',
        })
        self.env.flush_all()
        for query in get_neutralization_queries(['payment_btcpay']):
            self.env.cr.execute(query)
        self.env.invalidate_all()
        self.assertFalse(self._earlier())

    def test_when_a_store_tells_of_a_payment_of_the_other_then_it_is_not_believed(self):
        tx = self._create_btcpay_transaction()
        self._switch()
        earlier, provider = self._earlier(), self.btcpay.sudo()
        for store_id, webhook_id, secret, state in (
            (self.other_store, provider.btcpay_webhook_id, provider.btcpay_webhook_secret,
             'ignored'),
            (self.store_id, earlier.webhook_id, earlier.webhook_secret, 'processed'),
        ):
            event = self._prepare_event(tx, storeId=store_id, webhookId=webhook_id)
            self.assertEqual(self._post_event(event, secret=secret).status_code, 200)
            delivery = self.env['btcpay.delivery'].search([
                ('delivery_ref', '=', event['deliveryId']),
            ])
            self.assertEqual(delivery.state, state)
            self.assertEqual(delivery.transaction_id, tx if state == 'processed' else tx.browse())

    def test_when_an_event_is_signed_for_the_other_store_then_it_is_refused(self):
        tx = self._create_btcpay_transaction()
        self._switch()
        earlier, provider = self._earlier(), self.btcpay.sudo()
        stores = (
            (self.store_id, earlier.webhook_id, earlier.webhook_secret),
            (self.other_store, provider.btcpay_webhook_id, provider.btcpay_webhook_secret),
        )
        for i, (store_id, webhook_id, _secret) in enumerate(stores):
            for j, (_store_id, _webhook_id, secret) in enumerate(stores):
                event = self._prepare_event(tx, storeId=store_id, webhookId=webhook_id)
                with self.subTest(store=i, secret=j), mute_logger(*QUIET):
                    code = self._post_event(event, secret=secret).status_code
                    self.assertEqual(code, 200 if i == j else 403)
