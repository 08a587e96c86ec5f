from odoo.exceptions import UserError, ValidationError
from odoo.tests import tagged

from odoo.addons.payment_btcpay.tests.common import BTCPayCommon
from odoo.addons.payment_btcpay.tests.refund.refund_common import RefundMixin


@tagged('post_install', '-at_install')
class TestRefund(RefundMixin, BTCPayCommon):
    """Making a refund: what of, how much, and never more than was received."""

    def test_when_half_is_refunded_and_claimed_in_two_parts_then_it_is_done_and_booked(self):
        tx = self._paid()
        refund = tx._btcpay_request_refund(50)
        self.assertEqual(refund.state, 'pending')
        self.assertEqual(refund.amount, -50)
        self.assertEqual(tx._btcpay_get_refund_sums()['available'], 50)
        self._claim(refund, '12.00')
        refund._btcpay_sync()
        self.assertEqual(refund.state, 'pending')
        self.assertIn('12.00', refund.btcpay_status_text)
        self.assertRegex(refund.btcpay_status_text, r'12\.00.* of .*50\.00.* paid out')
        self._claim(refund, '38.00')
        refund._btcpay_sync()
        self.assertEqual(refund.state, 'done')
        self.assertEqual(refund.btcpay_paid_out_amount, 50)
        self._post_process()
        self.assertEqual(refund.payment_id.payment_type, 'outbound')
        self.assertEqual(refund.payment_id.amount, 50)
        self.assertEqual(tx._btcpay_get_refund_sums()['refunded'], 50)

    def test_when_a_refund_is_requested_then_the_server_has_a_pull_payment_with_its_data(self):
        tx = self._paid()
        refund = tx._btcpay_request_refund(30, methods=['BTC-CHAIN'], description="Sorry")
        [pull_payment] = self._pull_payments()
        self.assertEqual(refund.btcpay_pull_payment_id, pull_payment['id'])
        self.assertFalse(refund.provider_reference)
        self.assertEqual(refund.btcpay_refund_link, pull_payment['viewLink'])
        self.assertEqual(pull_payment['name'], refund.btcpay_refund_name)
        self.assertEqual(pull_payment['description'], "Sorry")
        self.assertEqual((pull_payment['amount'], pull_payment['currency']), ('30.00', 'USD'))
        self.assertEqual(refund.source_transaction_id, tx)
        self.assertEqual(refund.operation, 'refund')

    # === NEVER MORE THAN WAS RECEIVED === #

    def test_when_refunds_are_pending_then_no_more_than_the_rest_can_be_refunded(self):
        tx = self._paid()
        tx._btcpay_request_refund(60)
        self._assert_refused(lambda: tx._btcpay_request_refund(40.01), "at most")
        self.assertEqual(tx._btcpay_request_refund(40).state, 'pending')
        self._assert_refused(lambda: tx._btcpay_request_refund(0.01), "at most")
        self.assertEqual(len(self._pull_payments()), 2)
        self.assertFalse(tx.btcpay_can_refund)

    def test_when_the_amount_comes_to_nothing_or_less_then_the_refund_is_refused(self):
        tx = self._paid()
        for amount in (0, -5, 0.001):
            self._assert_refused(lambda amount=amount: tx._btcpay_request_refund(amount), "at most")
        self.assertFalse(self._pull_payments())

    def test_when_refunded_by_the_action_of_odoo_then_no_more_than_the_rest_is_refunded(self):
        tx = self._paid()
        tx.action_refund(amount_to_refund=70)
        self.assertEqual(tx.btcpay_refund_ids.mapped('amount'), [-70])
        self._assert_refused(lambda: tx.action_refund(amount_to_refund=70), "at most")
        self._assert_refused(tx.action_refund, "at most")
        self.assertEqual(len(self._pull_payments()), 1)

    def test_when_refunded_by_the_wizard_of_odoo_then_pending_refunds_are_subtracted(self):
        payment = self._paid().payment_id
        self.assertEqual(payment.amount_available_for_refund, 100)
        wizard = self.env['payment.refund.wizard'].create({'payment_id': payment.id})
        wizard.amount_to_refund = 70
        wizard.action_refund()
        payment.invalidate_recordset()
        # Odoo's own would still say 100: it forgets what is underway.
        self.assertEqual(payment.amount_available_for_refund, 30)
        with self.assertRaises(ValidationError):
            self.env['payment.refund.wizard'].create({
                'payment_id': payment.id, 'amount_to_refund': 30.01,
            })
        stale = self.env['payment.refund.wizard'].create({
            'payment_id': payment.id, 'amount_to_refund': 30,
        })
        payment.payment_transaction_id._btcpay_request_refund(10)
        self._assert_refused(stale.action_refund, "at most")
        self.assertEqual(len(self._pull_payments()), 2)

    def test_when_the_refund_button_of_a_payment_is_pressed_then_our_wizard_opens(self):
        payment = self._paid().payment_id
        action = payment.action_refund_wizard()
        self.assertEqual(action['res_model'], 'btcpay.refund.wizard')

    def test_when_the_payment_is_of_another_provider_then_the_wizard_of_odoo_opens(self):
        tx = self._create_other_transaction(self._create_order())
        tx._set_done()
        tx._post_process()
        action = tx.payment_id.action_refund_wizard()
        self.assertEqual(action['res_model'], 'payment.refund.wizard')

    def test_when_the_provider_is_disabled_then_no_refund_is_made(self):
        tx = self._paid()
        self.btcpay.state = 'disabled'
        with self.assertRaises(UserError):
            tx.action_refund(amount_to_refund=10)
        self.assertFalse(tx.btcpay_refund_ids)

    def test_when_a_refund_was_canceled_then_it_can_be_made_again(self):
        tx = self._paid()
        refund = tx._btcpay_request_refund(100)
        self.world.archive_pull_payment(refund.btcpay_pull_payment_id)
        refund._btcpay_sync()
        self.assertEqual(refund.state, 'cancel')
        self.assertEqual(tx._btcpay_request_refund(100).state, 'pending')

    # === WHAT IS NOT REFUNDED === #

    def test_when_marked_settled_with_nothing_paid_then_nothing_can_be_refunded(self):
        tx = self._create_btcpay_transaction(self._create_order())
        self.world.mark(tx.btcpay_invoice_id, 'Settled')
        tx._btcpay_sync()
        self._post_process()
        self.assertEqual(tx.state, 'done')
        self.assertFalse(tx.btcpay_can_refund)
        self._assert_refused(lambda: tx._btcpay_request_refund(100), "Nothing was received")
        self._assert_refused(tx.action_refund, "Nothing was received")
        self.assertFalse(self._pull_payments())

    def test_when_marked_settled_with_a_partial_payment_then_only_that_can_be_refunded(self):
        tx = self._create_btcpay_transaction(self._create_order())
        self.world.pay(tx.btcpay_invoice_id, fraction='0.4')
        self.world.mine()
        self.world.mark(tx.btcpay_invoice_id, 'Settled')
        tx._btcpay_sync()
        self._post_process()
        self._assert_refused(lambda: tx._btcpay_request_refund(41), "at most")
        refund = tx._btcpay_request_refund(40)
        self.assertEqual(refund.btcpay_pull_amount, '40.00')

    def test_when_the_payment_is_not_confirmed_then_a_refund_is_refused(self):
        tx = self._pay_order(mine=False)
        self.assertFalse(tx.btcpay_can_refund)
        self._assert_refused(lambda: tx._btcpay_request_refund(10), "not confirmed")

    def test_when_a_partial_payment_can_still_be_completed_then_a_refund_is_refused(self):
        tx = self._create_btcpay_transaction(self._create_order())
        self.world.pay(tx.btcpay_invoice_id, fraction='0.4')
        self.world.mine()
        tx._btcpay_sync()
        self.assertEqual((tx.btcpay_status, tx._btcpay_is_confirmed()), ('New', True))
        self.assertFalse(tx.btcpay_can_refund)
        self._assert_refused(lambda: tx._btcpay_request_refund(10), "not confirmed")

    def test_when_an_overpayment_is_not_confirmed_then_its_refund_is_refused(self):
        tx = self._paid()
        self.world.pay(tx.btcpay_invoice_id, amount='0.001', replaceable=True)
        tx._btcpay_sync()
        self.assertEqual(tx.btcpay_overpaid_amount, 45)
        self._assert_refused(lambda: tx._btcpay_request_refund(45), "not confirmed")
        self.assertFalse(self._pull_payments())

    def test_when_nothing_was_paid_then_a_refund_is_refused(self):
        tx = self._create_btcpay_transaction(self._create_order())
        self._assert_refused(lambda: tx._btcpay_request_refund(10), "Nothing was received")

    def test_when_the_server_is_down_then_no_refund_is_stored(self):
        tx = self._paid()
        self.world.fault('status', status=503, count=None)
        with self._quiet():
            self._assert_refused(lambda: tx._btcpay_request_refund(10), "503")
        self.assertFalse(tx.btcpay_refund_ids)
