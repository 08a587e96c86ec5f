from odoo.tests import tagged
from odoo.tools import mute_logger

from odoo.addons.payment_btcpay import const
from odoo.addons.payment_btcpay.greenfield import Payout, PullPayment
from odoo.addons.payment_btcpay.greenfield.reader import parse_listing
from odoo.addons.payment_btcpay.tests.common import BTCPayCommon
from odoo.addons.payment_btcpay.tests.refund.refund_common import RefundMixin

WEBHOOK_LOG = 'odoo.addons.payment_btcpay.models.payment_provider.webhook'
RECONCILE_LOG = 'odoo.addons.payment_btcpay.models.payment_transaction.sync'
REFUNDS_LOG = 'odoo.addons.payment_btcpay.models.payment_provider.sync'
PROVIDER_RECONCILE_LOG = 'odoo.addons.payment_btcpay.models.payment_provider.sync'


@tagged('post_install', '-at_install')
class TestRefundFollow(RefundMixin, BTCPayCommon):
    """From the claim to the payout, and what else becomes of a refund."""

    def _notes(self, refund):
        """Return what stands on the order, newest first."""
        order = refund._btcpay_get_document()
        return '\n'.join(
            str(body) for body in order.message_ids.sorted('id', reverse=True).mapped('body')
        )

    def _apply(self, refund, pull_payment, payouts):
        """Have the refund updated by answers of the server."""
        refund._btcpay_apply_refund(
            PullPayment.parse({'id': refund.btcpay_pull_payment_id, **pull_payment}),
            parse_listing(payouts, 'payouts', Payout.parse).items, (None, None),
        )

    def _states(self, refund):
        return sorted(refund.btcpay_payout_ids.mapped('state'))

    # === CLAIMS === #

    def test_when_a_claim_goes_through_its_steps_then_the_refund_is_done_with_the_last(self):
        refund = self._paid()._btcpay_request_refund(50)
        payout_id = self._claim(refund, pay=False)
        for step, state in (
            (lambda: None, 'AwaitingApproval'),
            (lambda: self.world.approve(payout_id), 'AwaitingPayment'),
            (lambda: self.world.pay_payout(payout_id, 'InProgress'), 'InProgress'),
        ):
            step()
            refund._btcpay_sync()
            self.assertEqual(self._states(refund), [state])
            self.assertEqual(refund.state, 'pending')
            self.assertEqual(refund.btcpay_paid_out_amount, 0)
        self.assertIn("when it is approved on the BTCPay Server", self._notes(refund))
        self.world.pay_payout(payout_id)
        refund._btcpay_sync()
        self.assertEqual(refund.state, 'done')
        payout = refund.btcpay_payout_ids
        self.assertEqual(payout.claimed_amount, '50.00')
        self.assertEqual(payout.crypto_amount, '0.001')
        self.assertEqual(payout.method, 'BTC-CHAIN')
        self.assertTrue(payout.destination)
        self.assertTrue(payout.claimed_at)

    def test_when_a_claim_is_synced_several_times_then_it_is_noted_once(self):
        refund = self._paid()._btcpay_request_refund(50)
        self._claim(refund, '12.00', pay=False)
        for _time in range(3):
            refund._btcpay_sync()
        self.assertEqual(self._notes(refund).count("The customer claimed"), 1)

    def test_when_a_claim_is_canceled_and_made_again_then_the_refund_is_done(self):
        refund = self._paid()._btcpay_request_refund(50)
        payout_id = self._claim(refund, pay=False)
        refund._btcpay_sync()
        self.world.cancel_payout(payout_id)
        refund._btcpay_sync()
        self.assertEqual((refund.state, self._states(refund)), ('pending', ['Cancelled']))
        self.assertIn("not claimed yet", refund.btcpay_status_text)
        self.assertIn("was canceled at the BTCPay Server", self._notes(refund))
        self._claim(refund)
        refund._btcpay_sync()
        self.assertEqual(refund.state, 'done')
        self.assertEqual(self._states(refund), ['Cancelled', 'Completed'])
        self.assertEqual(refund.btcpay_paid_out_amount, 50)

    def test_when_a_part_is_paid_out_then_the_refund_is_pending_and_says_how_much(self):
        refund = self._paid()._btcpay_request_refund(50)
        self._claim(refund, '12.00')
        self._claim(refund, '8.00', pay=False)
        refund._btcpay_sync()
        self.assertEqual(refund.state, 'pending')
        self.assertEqual(refund.btcpay_status_text, '$\xa012.00 of $\xa050.00 paid out')
        self.assertIn('12.00', self._notes(refund).split('paid out')[0])
        self.assertEqual(refund.source_transaction_id.btcpay_refunded_amount, 12)

    def test_when_a_refund_in_bitcoin_is_paid_in_parts_then_the_parts_add_up_to_its_amount(self):
        refund = self._paid()._btcpay_request_refund(50, variant='rate_then')
        self._claim(refund, '0.00025')
        refund._btcpay_sync()
        self.assertEqual(refund.btcpay_paid_out_amount, 12.5)
        self._claim(refund)
        refund._btcpay_sync()
        self.assertEqual((refund.state, refund.btcpay_paid_out_amount), ('done', 50))

    def test_when_only_parts_of_a_satoshi_are_left_then_the_refund_is_done(self):
        """What came in by Lightning is counted in them, and no wallet claims them."""
        self.world.set_rates(self.store_id, BTC_USD='63123.45')
        self.addCleanup(self.world.set_rates, self.store_id)
        tx = self._paid(method='BTC-LN')
        made = self._server_refund(tx, refundVariant='CurrentRate')
        refund = tx._btcpay_find_or_adopt_refund(made['id'])
        self.assertEqual(refund.btcpay_pull_amount, '0.00158419731')
        refund._btcpay_sync()
        self.assertEqual(refund.state, 'pending')
        self.world.pay_payout(self._claim(refund, '0.001', pay=False))
        refund._btcpay_sync()
        self.assertEqual(refund.state, 'pending')
        self.world.pay_payout(self._claim(refund, '0.00058419', pay=False))
        refund._btcpay_sync()
        self.assertEqual((refund.state, refund.btcpay_paid_out_amount), ('done', 100))

    def test_when_a_satoshi_or_more_is_not_paid_out_yet_then_the_refund_stays_pending(self):
        refund = self._paid()._btcpay_request_refund(50, variant='rate_then')
        for amount, claimed in (('0.000000009', None), ('0.0010000173', '0.001')):
            self._apply(
                refund, {'amount': amount, 'currency': 'BTC'},
                [{'id': 'a', 'originalAmount': claimed, 'state': 'Completed'}],
            )
            self.assertEqual(refund.state, 'pending')

    def test_when_amounts_have_more_or_fewer_decimals_then_they_are_compared_by_value(self):
        refund = self._paid()._btcpay_request_refund(50, variant='rate_then')
        pull_payment = {'amount': '0.00100000', 'currency': 'BTC'}
        payout = {'state': 'Completed', 'originalCurrency': 'BTC'}
        self._apply(refund, pull_payment, [
            {'id': 'a', 'originalAmount': '0.0007', **payout},
            {'id': 'b', 'originalAmount': '0.00029', **payout},
        ])
        self.assertEqual((refund.state, refund.btcpay_paid_out_amount), ('pending', 49.5))
        self._apply(refund, pull_payment, [{'id': 'c', 'originalAmount': '0.000010', **payout}])
        self.assertEqual(refund.state, 'done')

    def test_when_the_server_approves_claims_by_itself_then_they_are_synced_all_the_same(self):
        """A key with a wider permission than we ask for has the server approve claims."""
        self.btcpay.sudo().btcpay_api_key = self.world.new_key(
            self.store_id, [*const.PERMISSIONS[:5], 'btcpay.store.cancreatepullpayments']
        )
        self.addCleanup(self.btcpay.sudo().write, {'btcpay_api_key': self.api_key})
        refund = self._paid()._btcpay_request_refund(100, variant='rate_then')
        payout_id = self._claim(refund, pay=False)
        refund._btcpay_sync()
        self.assertEqual(self._states(refund), ['AwaitingPayment'])
        self.world.pay_payout(payout_id)
        refund._btcpay_sync()
        self.assertEqual(refund.state, 'done')

    def test_when_a_done_refund_is_archived_at_the_server_then_it_stays_done(self):
        refund = self._paid()._btcpay_request_refund(50)
        self._claim(refund)
        refund._btcpay_sync()
        self.world.archive_pull_payment(refund.btcpay_pull_payment_id)
        refund._btcpay_sync()
        self.assertEqual((refund.state, refund.amount), ('done', -50))
        self.assertEqual(len(self._refund_mails(refund._btcpay_get_document())), 2)

    def test_when_the_list_of_payouts_is_nonsense_then_no_payout_is_stored(self):
        refund = self._paid()._btcpay_request_refund(50)
        self._apply(refund, {'amount': '50.00', 'currency': 'USD'}, [
            None, 'x', {}, {'id': 'a', 'state': 'Completed', 'originalAmount': 'NaN'},
            {'id': 'b', 'state': 'Paid', 'originalAmount': '50'},
            {'id': '../c', 'state': 'Completed', 'originalAmount': '50'},
        ])
        self.assertFalse(refund.btcpay_payout_ids)
        self.assertEqual(refund.state, 'pending')

    def test_when_a_payout_is_of_less_than_nothing_then_no_more_can_be_refunded(self):
        tx = self._paid()
        refund = tx._btcpay_request_refund(50)
        for archived in (False, True):
            self._apply(refund, {'amount': '50.00', 'currency': 'USD', 'archived': archived}, [
                {'id': 'a', 'state': 'Completed', 'originalAmount': '-20',
                 'originalCurrency': 'USD'},
            ])
        self.assertEqual((refund.state, refund.amount), ('cancel', -50))
        self.assertFalse(refund.btcpay_payout_ids)
        self.assertEqual(tx._btcpay_get_refund_sums()['limit'], 100)

    # === CANCELED === #

    def test_when_a_refund_is_archived_at_the_server_then_it_is_canceled(self):
        refund = self._paid()._btcpay_request_refund(50)
        self.world.archive_pull_payment(refund.btcpay_pull_payment_id)
        refund._btcpay_sync()
        self.assertEqual((refund.state, refund.btcpay_status_text), ('cancel', "Refund canceled"))
        self.assertIn("knows of no claim", refund.state_message)

    def test_when_archived_while_a_claim_is_being_paid_then_that_claim_is_waited_for(self):
        refund = self._paid()._btcpay_request_refund(50)
        payout_id = self._cancel_while_being_paid(refund)
        self.assertEqual(refund.state, 'pending')
        self.assertTrue(refund.btcpay_pull_is_archived)
        self.world.pay_payout(payout_id)
        self._tell_payout(refund, payout_id, 'Completed')
        self.assertEqual((refund.state, refund.amount), ('done', -20))
        self.assertIn("was canceled with", self._notes(refund))

    # === MADE AT THE SERVER ITSELF === #

    def test_when_a_refund_is_made_at_the_server_then_the_scheduled_action_adopts_it(self):
        tx = self._paid()
        pull_payment = self._server_refund(tx)
        self.btcpay.sudo().btcpay_webhook_checked_at = False
        with self._quiet(), mute_logger(WEBHOOK_LOG):
            self._reconcile()
        refund = tx.btcpay_refund_ids
        self.assertEqual(refund.btcpay_pull_payment_id, pull_payment['id'])
        self.assertEqual((refund.state, refund.amount), ('pending', -100))
        self.assertIn("was made at the BTCPay Server itself", self._notes(refund))
        self.assertFalse(self._refund_mails(refund._btcpay_get_document()))
        self._assert_refused(lambda: tx._btcpay_request_refund(1), "at most")
        self._claim(refund)
        self._make_old(refund)
        self._reconcile()
        self.assertEqual(refund.state, 'done')

    def test_when_a_refund_in_bitcoin_is_adopted_then_it_counts_at_the_rate_of_the_payment(self):
        tx = self._paid()
        self.world.set_rates(self.store_id, BTC_USD='100000')
        self.addCleanup(self.world.set_rates, self.store_id)
        pull_payment = self._server_refund(tx, refundVariant='CurrentRate')
        refund = tx._btcpay_find_or_adopt_refund(pull_payment['id'])
        # At the rate of the payment: what went out of what came in.
        self.assertEqual((refund.amount, refund.btcpay_pull_currency), (-50, 'BTC'))

    def test_when_the_server_refunds_more_than_was_received_then_it_is_flagged_once(self):
        tx = self._paid()
        tx._btcpay_request_refund(50)
        pull_payment = self._server_refund(tx)
        for _time in range(2):
            self.assertFalse(tx._btcpay_find_or_adopt_refund(pull_payment['id']))
        self.assertEqual(len(tx.btcpay_refund_ids), 1)
        self.assertIn("only $ 50.00 can be refunded", self._activities(tx.sale_order_ids))
        self.assertEqual(len(tx.sale_order_ids.activity_ids), 1)

    def test_when_the_payment_is_not_known_yet_then_adopting_its_refund_books_both(self):
        tx = self._create_btcpay_transaction(self._create_order())
        self.world.pay(tx.btcpay_invoice_id)
        self.world.mine()
        pull_payment = self._server_refund(tx)
        refund = tx._btcpay_find_or_adopt_refund(pull_payment['id'])
        self.assertEqual((tx.state, refund.amount), ('done', -100))
        self.assertTrue(tx.payment_id)

    def test_when_one_refund_cannot_be_adopted_then_the_others_are(self):
        tx = self._paid()
        self._server_refund(tx)
        unbooked = self._pay_order(self._create_order())
        self._server_refund(unbooked)  # The newer comes first.
        self.patch(type(tx), '_btcpay_try_to_confirm', lambda tx: None)
        self.btcpay.sudo().btcpay_webhook_checked_at = False
        with self._quiet(), mute_logger(WEBHOOK_LOG, REFUNDS_LOG):
            self._reconcile()
        self.assertFalse(unbooked.btcpay_refund_ids)
        self.assertEqual(tx.btcpay_refund_ids.state, 'pending')

    # === THE SCHEDULED ACTION === #

    def test_when_many_refunds_are_due_then_two_lists_are_read_for_all(self):
        refunds = self.env['payment.transaction'].sudo().union(*(
            self._paid()._btcpay_request_refund(50) for _time in range(3)
        ))
        for refund in refunds:
            self._claim(refund)
            self._make_old(refund)
        self._call_count('', '')
        self._reconcile()
        self.assertEqual(set(refunds.mapped('state')), {'done'})
        self.assertEqual([
            call['path'].rpartition('/')[2] for call in self.world.requests(since=self.last_call)
        ], ['pull-payments', 'payouts'])
        # Nothing is open: nothing is asked.
        self._call_count('', '')
        self._reconcile()
        self.assertFalse(self.world.requests(since=self.last_call))

    def test_when_the_server_refuses_the_list_then_the_refund_is_synced_by_itself(self):
        refund = self._paid()._btcpay_request_refund(50)
        self._claim(refund)
        self._make_old(refund)
        self.world.fault('status', path=f'{self.store_id}/pull-payments', status=403)
        with self._quiet():
            self._reconcile()
        self.assertEqual(refund.state, 'done')

    def test_when_a_refund_was_synced_just_now_then_the_next_run_does_not_ask(self):
        refund = self._paid()._btcpay_request_refund(50)
        self._make_old(refund)
        self._reconcile()
        self._call_count('', '')
        self._reconcile()
        self.assertFalse(self.world.requests(since=self.last_call))
        self.assertTrue(refund.btcpay_synced_at)

    # === THE STORE IS NO LONGER CONNECTED === #

    def _change_connection(self, **values):
        before = {name: self.btcpay.sudo()[name] for name in values}
        self.btcpay.sudo().write(values)
        self.addCleanup(self.btcpay.sudo().write, before)

    def _disconnect(self):
        self._change_connection(
            state='disabled', is_published=False, **self.btcpay._btcpay_get_empty_connection()
        )

    def _assert_synced_without_key(self, refund):
        self._claim(refund)
        self._make_old(refund, minutes=70)
        self._reconcile()
        self.assertEqual(refund.state, 'done')
        self.assertTrue(refund.btcpay_payout_ids)

    def test_when_the_store_is_disconnected_then_the_refund_is_still_synced_without_a_key(self):
        refund = self._paid()._btcpay_request_refund(50)
        self._disconnect()
        self._assert_synced_without_key(refund)

    def test_when_another_server_is_connected_then_the_old_refund_is_synced_at_its_own(self):
        refund = self._paid()._btcpay_request_refund(50)
        self._change_connection(
            btcpay_server_url='http://127.0.0.1:9', btcpay_store_id='other', btcpay_api_key='x' * 40
        )
        with self._quiet(), mute_logger(
            RECONCILE_LOG, 'odoo.addons.payment_btcpay.models.payment_provider.health'
        ):
            self._assert_synced_without_key(refund)
        self._assert_refused(refund.action_btcpay_cancel_refund, "cannot be canceled")

    def test_when_syncing_refunds_elsewhere_breaks_then_those_here_are_synced(self):
        here = self._paid()._btcpay_request_refund(50)
        self._claim(here)
        self._make_old(here, minutes=70)

        def broken(provider, refunds):
            raise KeyError("somebody's module")

        self.patch(type(self.btcpay), '_btcpay_sync_elsewhere', broken)
        with self.assertLogs(PROVIDER_RECONCILE_LOG, 'ERROR'):
            self._reconcile()
        self.assertEqual(here.state, 'done')

    def test_when_the_store_is_disconnected_then_canceling_a_refund_is_refused(self):
        refund = self._paid()._btcpay_request_refund(50)
        self._disconnect()
        self._assert_refused(refund.action_btcpay_cancel_refund, "no longer connected")

    def test_when_the_api_key_is_changed_then_the_refund_is_still_synced(self):
        refund = self._paid()._btcpay_request_refund(50)
        self._change_connection(
            btcpay_api_key=self.world.new_key(self.store_id, const.PERMISSIONS)
        )
        self._claim(refund)
        refund._btcpay_sync()
        self.assertEqual(refund.state, 'done')

    def test_when_a_refund_is_synced_then_the_api_key_is_not_sent(self):
        """Everybody may read a pull payment; elsewhere nobody is to get our key."""
        refund = self._paid()._btcpay_request_refund(50)
        sent = []
        send = type(self.btcpay)._build_request_headers

        def build(provider, *args, **kwargs):
            headers = send(provider, *args, **kwargs)
            sent.append(headers)
            return headers

        self.patch(type(self.btcpay), '_build_request_headers', build)
        refund._btcpay_sync()
        self.assertEqual(len(sent), 2)
        self.assertFalse([headers for headers in sent if 'Authorization' in headers])

    def test_when_the_server_is_gone_then_what_is_known_of_the_refund_stays(self):
        refund = self._paid()._btcpay_request_refund(50)
        self._claim(refund, '20.00')
        refund._btcpay_sync()
        self.world.fault('status', path='/pull-payments', count=None)
        self._disconnect()
        self._make_old(refund, minutes=70)
        with self._quiet(), mute_logger(RECONCILE_LOG):
            self._reconcile()
        # What is known stays.
        self.assertEqual(refund.btcpay_status_text, '$\xa020.00 of $\xa050.00 paid out')
        self.assertEqual(refund.btcpay_payout_ids.mapped('state'), ['Completed'])
