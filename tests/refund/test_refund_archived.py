from datetime import timedelta

from odoo import fields
from odoo.tests import tagged

from odoo.addons.payment_btcpay.tests.common import BTCPayCommon, BTCPayHttpCommon
from odoo.addons.payment_btcpay.tests.refund.refund_common import RefundMixin


@tagged('post_install', '-at_install')
class TestRefundArchived(RefundMixin, BTCPayCommon):
    """The server lists none of an archived pull payment's payouts, paid ones included."""

    def _half_paid(self, amount=64.5, paid='32.25', step=None):
        """Return a refund of which half is paid out and half is claimed, and the second claim."""
        refund = self._paid()._btcpay_request_refund(amount)
        self._claim(refund, paid)
        payout_id = self._claim(refund, pay=False)
        if step:
            self.world.approve(payout_id)
        if step == 'InProgress':
            self.world.pay_payout(payout_id, 'InProgress')
        refund._btcpay_sync()
        return refund, payout_id

    def _archive(self, refund):
        self.world.archive_pull_payment(refund.btcpay_pull_payment_id)
        self.assertFalse(self.world.api(
            'GET', f'/pull-payments/{refund.btcpay_pull_payment_id}/payouts',
            params={'includeCancelled': 'true'},
        ))

    def _states(self, refund):
        return refund.btcpay_payout_ids.sorted('id').mapped('state')

    def test_when_half_is_paid_and_half_claimed_then_it_ends_with_the_half(self):
        refund, _payout_id = self._half_paid()
        tx = refund._btcpay_get_root()
        self._archive(refund)
        refund._btcpay_sync()
        self._post_process()
        self.assertEqual((refund.state, refund.amount), ('done', -32.25))
        self.assertEqual(self._states(refund), ['Completed', 'Cancelled'])
        self.assertEqual(refund.payment_id.amount, 32.25)
        # The rest can be refunded again.
        self.assertEqual(tx._btcpay_get_refund_sums()['available'], 67.75)
        self.assertEqual(self._open_wizard(tx).available_amount, 67.75)
        self.assertNotIn("may have been paid out", self._activities(tx.sale_order_ids))

    def test_when_what_was_approved_is_archived_then_a_person_looks_for_the_sum(self):
        refund, _payout_id = self._half_paid(step='AwaitingPayment')
        self._archive(refund)
        refund._btcpay_sync()
        self.assertEqual((refund.state, refund.amount), ('done', -32.25))
        self.assertIn("Up to $ 32.25 may have been paid out", self._activities(
            refund._btcpay_get_document()
        ))

    def test_when_the_event_tells_that_it_was_canceled_then_nobody_is_asked(self):
        refund, payout_id = self._half_paid(step='AwaitingPayment')
        self._archive(refund)
        self._tell_payout(refund, payout_id, 'Cancelled')
        self.assertEqual((refund.state, refund.amount), ('done', -32.25))
        self.assertNotIn("may have been paid out", self._activities(
            refund._btcpay_get_document()
        ))

    def test_when_it_was_on_its_way_then_the_event_decides(self):
        for state, amount, states in (
            ('Completed', -64.5, ['Completed', 'Completed']),
            ('Cancelled', -32.25, ['Completed', 'Cancelled']),
        ):
            with self.subTest(state=state):
                refund, payout_id = self._half_paid(step='InProgress')
                self._archive(refund)
                for _time in range(2):
                    refund._btcpay_sync()
                    self.assertEqual(refund.state, 'pending')
                self._tell_payout(refund, payout_id, state)
                self.assertEqual((refund.state, refund.amount), ('done', amount))
                self.assertEqual(self._states(refund), states)

    def test_when_the_event_comes_after_the_end_then_a_person_looks(self):
        refund, payout_id = self._half_paid()
        self._archive(refund)
        refund._btcpay_sync()
        self._tell_payout(refund, payout_id, 'Completed')
        self.assertEqual((refund.state, refund.amount), ('done', -32.25))
        self.assertIn("Up to $ 32.25 may have been paid out", self._activities(
            refund._btcpay_get_document()
        ))

    def test_when_claimed_and_approved_then_it_is_not_called_unclaimed(self):
        refund = self._paid()._btcpay_request_refund(50)
        self.world.approve(self._claim(refund, pay=False))
        refund._btcpay_sync()
        self._archive(refund)
        refund._btcpay_sync()
        self.assertEqual(refund.state, 'cancel')
        self.assertIn("what had been claimed", refund.state_message)
        self.assertNotIn("before it was claimed", refund.state_message)

    def test_when_odoo_was_down_meanwhile_then_a_person_looks_for_what_was_not_seen(self):
        for claimed, known, unseen in (
            (None, 0, "$ 50.00"), ('20.00', -20, "$ 30.00"), ('50.00', -50, None),
        ):
            with self.subTest(claimed=claimed):
                refund = self._paid()._btcpay_request_refund(50)
                if claimed:
                    self._claim(refund, claimed)
                    refund._btcpay_sync()
                refund.btcpay_synced_at = fields.Datetime.now() - timedelta(hours=3)
                if claimed != '50.00':
                    self._claim(refund)  # Odoo does not see it.
                self._archive(refund)
                refund._btcpay_sync()
                asked = self._activities(refund._btcpay_get_document())
                if unseen:
                    self.assertIn(f"Up to {unseen} may have been paid out", asked)
                else:
                    self.assertNotIn("may have been paid out", asked)
                if known:
                    self.assertEqual((refund.state, refund.amount), ('done', known))
                else:
                    self.assertEqual(refund.state, 'cancel')
                    self.assertNotIn("before it was claimed", refund.state_message)

    def test_when_archived_at_the_server_then_sync_on_the_order_notices(self):
        refund = self._paid()._btcpay_request_refund(50)
        self._archive(refund)
        refund._btcpay_get_document().action_btcpay_sync()
        self.assertEqual(refund.state, 'cancel')

    def test_when_done_then_archiving_takes_nothing_away(self):
        refund = self._paid()._btcpay_request_refund(50)
        self._claim(refund)
        refund._btcpay_sync()
        self._archive(refund)
        refund._btcpay_sync()
        self.assertEqual((refund.state, refund.btcpay_paid_out_amount), ('done', 50))
        self.assertEqual(self._states(refund), ['Completed'])


@tagged('post_install', '-at_install')
class TestRefundArchivedHttp(RefundMixin, BTCPayHttpCommon):
    """The same, told by the server's webhook."""

    def test_when_it_was_on_its_way_then_the_signed_event_decides(self):
        refund = self._paid()._btcpay_request_refund(50)
        payout_id = self._cancel_while_being_paid(refund)
        self.assertEqual(refund.state, 'pending')
        self._post_event(self._prepare_event(
            event_type='PayoutUpdated', payoutId=payout_id, payoutState='Completed',
            pullPaymentId=refund.btcpay_pull_payment_id, invoiceId=None,
        ))
        self.env.invalidate_all()
        self.assertEqual((refund.state, refund.amount), ('done', -20))
