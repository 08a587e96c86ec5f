from odoo.exceptions import UserError, ValidationError
from odoo.tests import tagged

from odoo.addons.payment_btcpay.tests.common import BTCPayCommon
from odoo.addons.payment_btcpay.tests.refund.refund_common import RefundMixin


@tagged('post_install', '-at_install')
class TestRefund(RefundMixin, BTCPayCommon):
    """Making a refund: what of, how much, and never more than was received."""

    def test_half_refunded_in_two_parts(self):
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

    def test_pull_payment(self):
        tx = self._paid()
        refund = tx._btcpay_request_refund(30, methods=['BTC-CHAIN'], description="Sorry")
        [pull_payment] = self._pull_payments()
        self.assertEqual(refund.btcpay_pull_payment_id, pull_payment['id'])
        self.assertEqual(refund.provider_reference, pull_payment['id'])
        self.assertEqual(refund.btcpay_refund_link, pull_payment['viewLink'])
        self.assertEqual(pull_payment['name'], refund.btcpay_refund_name)
        self.assertEqual(pull_payment['description'], "Sorry")
        self.assertEqual((pull_payment['amount'], pull_payment['currency']), ('30.00', 'USD'))
        self.assertEqual(refund.source_transaction_id, tx)
        self.assertEqual(refund.operation, 'refund')

    # === NEVER MORE THAN WAS RECEIVED === #

    def test_pending_refunds_count(self):
        tx = self._paid()
        tx._btcpay_request_refund(60)
        self._assert_refused(lambda: tx._btcpay_request_refund(40.01), "at most")
        self.assertEqual(tx._btcpay_request_refund(40).state, 'pending')
        self._assert_refused(lambda: tx._btcpay_request_refund(0.01), "at most")
        self.assertEqual(len(self._pull_payments()), 2)
        self.assertFalse(tx.btcpay_can_refund)

    def test_amounts_that_are_none(self):
        tx = self._paid()
        for amount in (0, -5, 0.001):
            self._assert_refused(lambda amount=amount: tx._btcpay_request_refund(amount), "at most")
        self.assertFalse(self._pull_payments())

    def test_odoo_action_refund(self):
        tx = self._paid()
        tx.action_refund(amount_to_refund=70)
        self.assertEqual(tx.btcpay_refund_ids.mapped('amount'), [-70])
        self._assert_refused(lambda: tx.action_refund(amount_to_refund=70), "at most")
        self._assert_refused(tx.action_refund, "at most")
        self.assertEqual(len(self._pull_payments()), 1)

    def test_odoo_refund_wizard(self):
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

    def test_payment_button_opens_our_wizard(self):
        payment = self._paid().payment_id
        action = payment.action_refund_wizard()
        self.assertEqual(action['res_model'], 'btcpay.refund.wizard')

    def test_odoo_payment_button_of_others(self):
        tx = self._create_other_transaction(self._create_order())
        tx._set_done()
        tx._post_process()
        action = tx.payment_id.action_refund_wizard()
        self.assertEqual(action['res_model'], 'payment.refund.wizard')

    def test_disabled_provider(self):
        tx = self._paid()
        self.btcpay.state = 'disabled'
        with self.assertRaises(UserError):
            tx.action_refund(amount_to_refund=10)
        self.assertFalse(tx.btcpay_refund_ids)

    def test_cancelled_refund_can_be_made_again(self):
        tx = self._paid()
        refund = tx._btcpay_request_refund(100)
        self.world.archive_pull_payment(refund.btcpay_pull_payment_id)
        refund._btcpay_sync()
        self.assertEqual(refund.state, 'cancel')
        self.assertEqual(tx._btcpay_request_refund(100).state, 'pending')

    # === WHAT IS NOT REFUNDED === #

    def test_marked_settled_with_nothing_paid(self):
        tx = self._create_btcpay_transaction(self._create_order())
        self.world.mark(tx.btcpay_invoice_id, 'Settled')
        tx._btcpay_sync()
        self._post_process()
        self.assertEqual(tx.state, 'done')
        self.assertFalse(tx.btcpay_can_refund)
        self._assert_refused(lambda: tx._btcpay_request_refund(100), "Nothing was received")
        self._assert_refused(tx.action_refund, "Nothing was received")
        self.assertFalse(self._pull_payments())

    def test_marked_settled_with_a_part_paid(self):
        tx = self._create_btcpay_transaction(self._create_order())
        self.world.pay(tx.btcpay_invoice_id, fraction='0.4')
        self.world.mine()
        self.world.mark(tx.btcpay_invoice_id, 'Settled')
        tx._btcpay_sync()
        self._post_process()
        self._assert_refused(lambda: tx._btcpay_request_refund(41), "at most")
        refund = tx._btcpay_request_refund(40)
        self.assertEqual(refund.btcpay_pull_amount, '40.00')

    def test_unconfirmed(self):
        tx = self._pay_order(mine=False)
        self.assertFalse(tx.btcpay_can_refund)
        self._assert_refused(lambda: tx._btcpay_request_refund(10), "not confirmed")

    def test_part_of_what_can_still_be_paid(self):
        tx = self._create_btcpay_transaction(self._create_order())
        self.world.pay(tx.btcpay_invoice_id, fraction='0.4')
        self.world.mine()
        tx._btcpay_sync()
        self.assertEqual((tx.btcpay_status, tx._btcpay_is_confirmed()), ('New', True))
        self.assertFalse(tx.btcpay_can_refund)
        self._assert_refused(lambda: tx._btcpay_request_refund(10), "not confirmed")

    def test_unconfirmed_overpayment(self):
        tx = self._paid()
        self.world.pay(tx.btcpay_invoice_id, amount='0.001', replaceable=True)
        tx._btcpay_sync()
        self.assertEqual(tx.btcpay_overpaid_amount, 45)
        self._assert_refused(lambda: tx._btcpay_request_refund(45), "not confirmed")
        self.assertFalse(self._pull_payments())

    def test_unpaid(self):
        tx = self._create_btcpay_transaction(self._create_order())
        self._assert_refused(lambda: tx._btcpay_request_refund(10), "Nothing was received")

    def test_server_is_down(self):
        tx = self._paid()
        self.world.fault('status', status=503, count=None)
        with self._quiet():
            self._assert_refused(lambda: tx._btcpay_request_refund(10), "503")
        self.assertFalse(tx.btcpay_refund_ids)
