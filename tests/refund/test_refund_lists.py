from datetime import timedelta
from decimal import Decimal
from unittest.mock import patch

from odoo import fields
from odoo.tests import tagged
from odoo.tools import SQL, mute_logger

from odoo.addons.payment_btcpay import const
from odoo.addons.payment_btcpay.greenfield import NotUnderstood, PullPayment
from odoo.addons.payment_btcpay.tests.common import BTCPayCommon
from odoo.addons.payment_btcpay.tests.refund.refund_common import RefundMixin

RECONCILE_LOG = 'odoo.addons.payment_btcpay.models.payment_transaction.sync'
HEALTH_LOG = 'odoo.addons.payment_btcpay.models.payment_provider.health'


@tagged('post_install', '-at_install')
class TestRefundLists(RefundMixin, BTCPayCommon):
    """What the scheduled action looks at, and what it makes of the server's lists and answers."""

    def _refunds(self, count):
        """Return refunds that are due."""
        refunds = self.env['payment.transaction'].sudo().union(*(
            self._paid()._btcpay_request_refund(50) for _time in range(count)
        ))
        for refund in refunds:
            self._make_old(refund, minutes=70)
        return refunds

    def _patch_answers(self, change):
        """Have what the server answers changed: `change(endpoint, answer)` returns it."""
        send = type(self.btcpay)._send_api_request

        def answer(provider, method, endpoint, **kwargs):
            return change(endpoint, send(provider, method, endpoint, **kwargs))

        self.startPatcher(patch.object(type(self.btcpay), '_send_api_request', answer))

    # === WHICH ONES === #

    def _assert_synced_next_in(self, refund, minutes):
        refund._btcpay_sync()
        self.assertAlmostEqual(
            (refund.btcpay_next_sync_at - fields.Datetime.now()) / timedelta(minutes=1), minutes,
            delta=1,
        )

    def test_when_a_refund_gets_old_then_it_is_synced_less_often(self):
        refund = self._paid()._btcpay_request_refund(50)
        self._assert_synced_next_in(refund, const.POLL_MINUTES)
        self.env.cr.execute(SQL(
            'UPDATE payment_transaction SET create_date = %s WHERE id = %s',
            fields.Datetime.now() - timedelta(days=const.REFUND_YOUNG_DAYS + 1), refund.id,
        ))
        refund.invalidate_recordset()
        self._assert_synced_next_in(refund, const.SLOW_POLL_MINUTES)

    def test_when_a_refund_is_done_then_it_is_not_synced_any_more(self):
        refund = self._paid()._btcpay_request_refund(50)
        self._claim(refund)
        refund._btcpay_sync()
        self.assertEqual(refund.state, 'done')
        self.assertFalse(refund.btcpay_next_sync_at)

    def test_when_the_making_was_not_answered_then_each_run_looks_for_the_refund(self):
        self._lose_answer()
        with self._quiet():
            refund = self._paid()._btcpay_request_refund(50)
        refund.btcpay_synced_at = fields.Datetime.now()
        self._reconcile()
        self.assertEqual(refund.state, 'pending')

    # === LISTS === #

    def test_when_a_refund_with_an_open_claim_is_archived_then_both_are_canceled(self):
        """With what is canceled the server cancels the claims that are open."""
        [refund] = self._refunds(1)
        self._claim(refund, pay=False)
        refund._btcpay_sync()
        self.world.archive_pull_payment(refund.btcpay_pull_payment_id)
        self._make_old(refund)
        self._reconcile()
        self.assertEqual(refund.btcpay_payout_ids.mapped('state'), ['Cancelled'])
        self.assertEqual(refund.state, 'cancel')

    def test_when_the_list_has_payouts_of_nothing_we_know_then_they_are_ignored(self):
        """The merchant pays out by hand, too."""
        [refund] = self._refunds(1)
        self._claim(refund)
        others = [None, {}, {
            'id': 'a', 'pullPaymentId': None, 'state': 'Completed', 'originalAmount': '9',
        }]
        self._patch_answers(lambda endpoint, answer: others + answer + others)
        self._reconcile()
        self.assertEqual(refund.state, 'done')
        self.assertEqual(len(refund.btcpay_payout_ids), 1)

    def test_when_the_server_has_no_list_then_each_refund_is_synced_by_itself(self):
        for fault in (
            {'kind': 'status', 'status': 403}, {'kind': 'status', 'status': 404},
            {'kind': 'status', 'status': 500}, {'kind': 'wrong_json'},
        ):
            [refund] = self._refunds(1)
            self._claim(refund)
            self.world.fault(path=f'{self.store_id}/pull-payments', **fault)
            with self._quiet():
                self._reconcile()
            self.assertEqual(refund.state, 'done')
        [refund] = self._refunds(1)
        self._claim(refund)
        self._patch_answers(lambda endpoint, answer: (
            None if endpoint.startswith('/stores/') else answer
        ))
        self._reconcile()
        self.assertEqual(refund.state, 'done')

    # === THE SERVER FAILS === #

    def _count_tries(self):
        return self._call_count('GET', '/v1/pull-payments/')

    def test_when_the_server_is_down_then_it_is_not_asked_for_each_refund(self):
        self._refunds(2)
        self.world.fault('status', count=None)
        self._call_count('', '')
        with self._quiet(), mute_logger(HEALTH_LOG):
            self._reconcile()
        self.assertEqual(len(self.world.requests(since=self.last_call)), 1)

    def test_when_the_server_fails_for_each_refund_then_it_is_not_asked_for_all(self):
        self._refunds(const.MAX_FAILURES + 1)
        self.world.fault('status', path=f'{self.store_id}/pull-payments', status=403)
        self.world.fault('status', path='/v1/pull-payments/', count=None)
        self._count_tries()
        with self._quiet(), mute_logger(RECONCILE_LOG, HEALTH_LOG):
            self._reconcile()
        self.assertEqual(self._count_tries(), const.MAX_FAILURES)

    def test_when_failures_are_not_in_a_row_then_the_server_is_not_taken_for_down(self):
        refunds = self._refunds(2 * const.MAX_FAILURES)
        self.world.fault('status', path=f'{self.store_id}/pull-payments', status=403)
        for refund in refunds:
            self._claim(refund)
        failing = refunds[::2]
        for refund in failing:
            self.world.fault(
                'status', path=f'/v1/pull-payments/{refund.btcpay_pull_payment_id}', count=None
            )
        with self._quiet(), mute_logger(RECONCILE_LOG):
            self._reconcile()
        self.assertEqual(set(failing.mapped('state')), {'pending'})
        self.assertEqual(set((refunds - failing).mapped('state')), {'done'})
        self.assertFalse(self.btcpay.sudo().btcpay_unreachable_since)

    def test_when_refunds_are_read_without_the_key_then_a_refused_key_stays_refused(self):
        self._refunds(1)
        self.btcpay.sudo().write({
            'btcpay_api_key': self.world.new_key(self.store_id, ['btcpay.store.cancreateinvoice']),
            'btcpay_connection_state': 'refused',
            'btcpay_unreachable_since': fields.Datetime.now() - timedelta(hours=1),
            'btcpay_webhook_id': 'webhook',
        })
        self.env.cr.commit()
        with self._quiet(), mute_logger(RECONCILE_LOG, HEALTH_LOG):
            self._reconcile()
        self.assertEqual(self.btcpay.btcpay_connection_state, 'refused')

    def test_when_a_server_elsewhere_fails_for_each_refund_then_it_is_not_asked_for_all(self):
        self._refunds(const.MAX_FAILURES + 1)
        self.btcpay.sudo().btcpay_store_id = 'another'
        self.addCleanup(self.btcpay.sudo().write, {'btcpay_store_id': self.store_id})
        self.world.fault('status', path='/v1/pull-payments/', count=None)
        self._count_tries()
        with self._quiet(), mute_logger(RECONCILE_LOG):
            self._reconcile()
        self.assertEqual(self._count_tries(), const.MAX_FAILURES)

    # === ANSWERS === #

    def test_when_the_answers_say_nothing_then_the_refund_stays_pending(self):
        refund = self._paid()._btcpay_request_refund(50)
        self._claim(refund)
        for end, values in (
            (refund.btcpay_pull_payment_id, {'amount': '0'}),
            (refund.btcpay_pull_payment_id, {'amount': None}),
            (refund.btcpay_pull_payment_id, {'currency': 1}),
            ('/payouts', None),
        ):
            with patch.object(
                type(self.btcpay), '_send_api_request', type(self.btcpay)._send_api_request
            ):
                self._patch_answers(lambda endpoint, answer, end=end, values=values: (
                    answer if not endpoint.endswith(end) else values and {**answer, **values}
                ))
                with self.assertRaises(NotUnderstood):
                    refund._btcpay_sync()
            self.assertEqual(refund.state, 'pending')

    def test_when_a_sync_finds_nothing_new_then_no_note_is_posted(self):
        refund = self._paid()._btcpay_request_refund(50)
        self._claim(refund, '12.00')
        refund._btcpay_sync()
        messages = refund._btcpay_get_document().message_ids
        refund._btcpay_sync()
        self.assertEqual(refund._btcpay_get_document().message_ids, messages)

    def test_when_a_refused_refund_is_synced_then_it_is_not_made_again(self):
        refund = self._refused()
        self._make_old(refund)
        refund.action_btcpay_sync()
        self.assertEqual(refund.state, 'error')
        self.assertFalse(self._pull_payments())

    def _refused(self):
        tx = self._paid()
        self.world.fault('status', path='/refund$', method='POST', status=400)
        with self._quiet():
            self._assert_refused(lambda: tx._btcpay_request_refund(60), "refused the request")
        return tx.btcpay_refund_ids

    def test_when_a_refused_refund_was_made_all_the_same_then_it_is_pending_again(self):
        """It can be claimed, and counts again."""
        refund = self._refused()
        tx = refund.source_transaction_id
        refund._btcpay_keep_pull_payment(PullPayment('abc', Decimal('60.00'), 'USD'))
        self.assertEqual(refund.state, 'pending')
        self.assertEqual(tx._btcpay_get_refund_sums()['available'], 40)

    def test_when_the_unanswered_refund_is_refused_then_another_one_can_be_made(self):
        tx = self._paid()
        self._lose_answer(took_effect=False)
        with self._quiet():
            first = tx._btcpay_request_refund(60)
        self._make_old(first)
        self.world.fault('status', path='/refund$', method='POST', status=422)
        with self._quiet():
            second = tx._btcpay_request_refund(60)
        self.assertEqual((first.state, second.state), ('error', 'pending'))

    # === MADE AT THE SERVER ITSELF === #

    def test_when_the_rate_of_a_refund_in_bitcoin_is_not_known_then_it_is_flagged_for_review(self):
        tx = self._paid()
        tx.btcpay_payment_ids.rate = False
        pull_payment = self._server_refund(tx, refundVariant='RateThen')
        self.assertFalse(tx._btcpay_find_or_adopt_refund(pull_payment['id']))
        self.assertIn("made at the BTCPay Server itself", self._activities(tx.sale_order_ids))

    def test_when_what_was_made_cannot_be_read_then_the_refund_is_not_made_again(self):
        """As by a version of the server that tells of it in another way."""
        with patch.object(PullPayment, 'parse', side_effect=NotUnderstood('pullPayment.amount')):
            with self._quiet():
                refund = self._paid()._btcpay_request_refund(60)
            self._make_old(refund)
            with self._quiet(), mute_logger(RECONCILE_LOG):
                self._reconcile()
        self.assertEqual((refund.state, refund.btcpay_pull_payment_id), ('draft', False))
        self._make_old(refund)
        self._reconcile()
        [made] = self._pull_payments()
        self.assertEqual((refund.state, refund.btcpay_pull_payment_id), ('pending', made['id']))
