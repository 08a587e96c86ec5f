from datetime import timedelta
from unittest.mock import patch

from odoo import fields
from odoo.tests import tagged

from odoo.addons.payment_btcpay.tests.common import BTCPayCommon
from odoo.addons.payment_btcpay.tests.refund.refund_common import RefundMixin


@tagged('post_install', '-at_install')
class TestRefundChanged(RefundMixin, BTCPayCommon):
    """Refunds of orders that were changed, and of which more came in, after they were paid."""

    def test_when_surplus_of_changed_order_is_refunded_then_the_difference_is_mailed_once(self):
        order = self._create_order(require_payment=True, prepayment_percent=1.0)
        tx = self._create_btcpay_transaction(order)
        self.world.pay(tx.btcpay_invoice_id, fraction='1.5')
        self.world.mine()
        self._look(tx)
        order.order_line.price_unit = 300
        self._post_process()
        self.assertEqual(len(self._mails(order)), 1)
        asked = self._activities(order)
        self.assertIn("The customer is sent a link to pay it", asked)
        tx._btcpay_request_refund(50)
        self.assertEqual(sum(tx._btcpay_get_loose_receipts().mapped('amount')), 50)
        self._post_process()
        self.env.cr.commit()
        later = fields.Datetime.now() + timedelta(days=1)
        with patch.object(fields.Datetime, 'now', lambda: later):
            self.env['payment.transaction']._btcpay_confirm_due()
        self.env.invalidate_all()
        self.assertEqual(len(self._mails(order)), 1, "Mailed again.")
        self.assertIn("The customer is sent a link to pay it", self._activities(order))
        self.assertNotIn("Ask the customer for it", tx.btcpay_review_note)

    def test_when_more_comes_in_after_a_refund_then_all_of_it_is_surplus_and_told(self):
        order = self._create_order()
        tx = self._paid(order)
        refund = tx._btcpay_request_refund(40)
        self._claim(refund, '40.00')
        refund._btcpay_sync()
        self._post_process()
        self.world.pay(tx.btcpay_invoice_id, fraction='0.6')
        self.world.mine()
        self._look(tx)
        surplus = tx.btcpay_overpaid_amount
        self.assertGreater(surplus, 50)
        self.assertIn("Refund the overpayment", self._activities(order))
        self.assertEqual(tx._btcpay_get_refund_sums()['overpayment'], surplus)
        tx._btcpay_request_refund(surplus)
        self.assertEqual(tx._btcpay_get_refund_sums()['overpayment'], 0)
        # All that came in is in the books, and the refund of the order stays one of the order.
        booked = sum(tx._btcpay_get_receipts().payment_id.mapped('amount'))
        self.assertEqual(booked, tx.btcpay_paid_amount)
        self.assertEqual(tx._btcpay_get_accounted_amount(), 60)
        self.assertEqual(tx._btcpay_get_kept_amount(), 60)
        self._look(tx)
        self.assertFalse(order.activity_ids)
