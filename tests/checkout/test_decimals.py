from dataclasses import replace
from decimal import Decimal

from odoo.tests import tagged
from odoo.tools import html2plaintext

from odoo.addons.payment_btcpay.tests.common import BTCPayCommon
from odoo.addons.payment_btcpay.tests.refund.refund_common import RefundMixin


@tagged('post_install', '-at_install')
class TestDecimals(RefundMixin, BTCPayCommon):
    """The server rounds amounts to digits of its own: what it asks for is what is to be paid."""

    def setUp(self):
        super().setUp()
        self.world.set_rates(self.store_id, BTC_RSD=10_000_000, BTC_IQD=100_000_000)
        self.addCleanup(self.world.set_rates, self.store_id)
        self.currency = self._enable_currency('RSD')

    def test_when_the_server_rounds_then_its_invoice_is_ours_and_pays_the_order_in_full(self):
        for currency, amount, asked in [
            ('RSD', 1234.56, 1235),
            ('RSD', 1234.44, 1234),
            ('RSD', 1234.50, 1235),
            ('RSD', 1234.00, 1234),
            ('IQD', 1234.57, 1235),
            ('KWD', 1234.57, 1234.57),
            ('MGA', 1234.56, 1234.56),  # Not rounded at all.
        ]:
            with self.subTest(currency=currency, amount=amount):
                self.currency = self._enable_currency(currency)
                order = self._create_order(amount)
                self.assertEqual(order.amount_total, amount)
                tx = self._paid(order)
                invoice = self.world.invoice(tx.btcpay_invoice_id)
                self.assertEqual(float(invoice['amount']), asked)
                self.assertEqual((tx.state, order.state), ('done', 'sale'))
                self.assertEqual(tx.btcpay_status_text, "Paid")
                self.assertEqual(
                    (tx.amount, tx.btcpay_asked_amount, tx.btcpay_paid_amount),
                    (amount, asked, asked),
                )
                self.assertEqual((tx.btcpay_due_amount, tx.btcpay_overpaid_amount), (0, 0))
                self.assertEqual(order._btcpay_get_amount_due(), 0)
                self.assertFalse(order.activity_ids or tx.btcpay_review_note)

    def test_when_the_server_rounds_what_was_paid_only_then_it_is_paid_in_full(self):
        """Of small amounts it leaves a digit more, but not of what was paid of them."""
        for amount, asked, shown in [(12.34, 12.3, '12'), (3.60, 3.6, '4')]:
            with self.subTest(amount=amount):
                order = self._create_order(amount)
                tx = self._paid(order, method='BTC-LN')
                invoice = self.world.invoice(tx.btcpay_invoice_id)
                self.assertEqual((float(invoice['amount']), invoice['paidAmount']), (asked, shown))
                self.assertEqual((tx.state, tx.btcpay_status_text), ('done', "Paid"))
                self.assertEqual((tx.btcpay_paid_amount, tx.payment_id.amount), (asked, asked))
                self.assertEqual(order._btcpay_get_amount_due(), 0)
                self.assertFalse(order.activity_ids)

    def test_when_the_server_has_more_digits_then_what_is_due_goes_with_what_was_paid(self):
        tx = self._create_btcpay_transaction(self._create_order(100))
        invoice = tx._btcpay_fetch_invoice(tx._btcpay_client())
        for paid, stored, due, overpaid in [
            ('99.99', 99.99, 0.01, 0), ('99.994', 99.99, 0.01, 0), ('99.995', 100, 0, 0),
            ('100.004', 100, 0, 0), ('100.005', 100.01, 0, 0.01),
        ]:
            with self.subTest(paid=paid):
                tx._btcpay_write_invoice(replace(invoice, paid_amount=Decimal(paid)))
                self.assertEqual(
                    (tx.btcpay_paid_amount, tx.btcpay_due_amount, tx.btcpay_overpaid_amount),
                    (stored, due, overpaid),
                )

    def test_when_the_server_rounds_then_the_books_take_its_amount_and_the_difference(self):
        account = self.btcpay.company_id.default_cash_difference_expense_account_id
        self.assertTrue(account)
        for amount, asked, rounding in [(1234.56, 1235, -0.44), (1234.44, 1234, 0.44)]:
            with self.subTest(amount=amount):
                order = self._create_order(amount)
                payment = self._paid(order).payment_id
                self.assertEqual(payment.amount, asked)
                self.assertEqual(self._booked(payment, account), rounding)
                self.assertEqual(self._booked(payment, payment.destination_account_id), -amount)
                order._create_invoices().action_post()
                self.assertEqual(order.invoice_ids.amount_residual, 0)

    def test_when_there_is_no_account_for_differences_then_the_order_is_paid_all_the_same(self):
        self.btcpay.company_id.default_cash_difference_expense_account_id = False
        for amount, asked in [(1234.56, 1235), (1234.44, 1234)]:
            with self.subTest(amount=amount):
                order = self._create_order(amount)
                tx = self._paid(order)
                self.assertEqual((tx.payment_id.amount, order.state), (asked, 'sale'))
                self.assertEqual(tx._btcpay_get_amount_due(order), 0)
                self.assertFalse(order.activity_ids)

    def test_when_all_is_paid_out_again_then_the_books_balance(self):
        account = self.btcpay.company_id.default_cash_difference_expense_account_id
        for amount, asked, paid in [
            (1234.56, 1235, None), (1234.44, 1234, None), (1234.56, 1300, '0.00013'),
        ]:
            with self.subTest(amount=amount, paid=paid):
                tx = self._paid(self._create_order(amount), amount=paid)
                refund = tx._btcpay_request_refund(asked)
                self._claim(refund)
                self._look(refund)
                self._post_process()
                self.assertEqual(refund.state, 'done')
                payments = tx._btcpay_get_receipts().payment_id | refund.payment_id
                self.assertEqual(refund.payment_id.amount, asked)
                receivable = payments.destination_account_id
                self.assertEqual(self._booked(payments, account), 0)
                self.assertEqual(self._booked(payments, receivable), 0)
                self.assertEqual(tx._btcpay_get_amount_due(tx.sale_order_ids), amount)

    def _booked(self, payments, account):
        """Return what payments have on an account, in the currency."""
        return self.currency.round(sum(payments.move_id.line_ids.filtered(
            lambda line: line.account_id == account
        ).mapped('amount_currency')))

    def test_when_the_answer_was_lost_then_the_rounded_invoice_is_adopted(self):
        self.world.fault('drop', path='/invoices$', method='POST', after=True)
        tx = self._create_btcpay_transaction(self._create_order(1234.56), make_invoice=False)
        with self.assertLogs('odoo.addons.payment_btcpay', 'WARNING'):
            tx._get_processing_values()
        tx._btcpay_sync()
        self.assertEqual(tx.btcpay_asked_amount, 1235)
        self.world.pay(tx.btcpay_invoice_id)
        self.world.mine()
        self._look(tx)
        self._post_process()
        self.assertEqual(tx.sale_order_ids._btcpay_get_amount_due(), 0)

    def test_when_part_is_paid_then_what_is_due_is_of_what_the_server_asks_for(self):
        for amount, due in [(1234.56, 635), (1234.44, 634)]:
            with self.subTest(amount=amount):
                order = self._create_order(amount)
                tx = self._pay_order(order, amount='0.00006')
                self.assertEqual((tx.btcpay_paid_amount, tx.btcpay_due_amount), (600, due))
                asked = self.currency.format(tx.btcpay_asked_amount)
                self.assertIn(f'of {asked} was received', html2plaintext(
                    ''.join(order.message_ids.mapped('body'))
                ))

    def test_when_more_is_paid_then_what_is_beyond_the_servers_amount_is_the_overpayment(self):
        for amount, asked in [(1234.56, 1235), (1234.44, 1234)]:
            with self.subTest(amount=amount):
                order = self._create_order(amount)
                tx = self._paid(order, amount='0.00013')
                self.assertEqual(tx.btcpay_paid_amount, 1300)
                self.assertEqual(tx.btcpay_overpaid_amount, 1300 - asked)
                self.assertIn(
                    ' '.join(f'{self.currency.format(1300 - asked)} more than the'.split()),
                    self._activities(order),
                )
                sums = tx._btcpay_get_refund_sums()
                self.assertEqual((sums['available'], sums['overpayment']), (1300, 1300 - asked))
                self.assertEqual(order._btcpay_get_amount_due(), 0)

    def test_when_a_late_payment_is_accepted_then_the_order_is_paid_in_full(self):
        for amount, asked in [(1234.56, 1235), (1234.44, 1234)]:
            with self.subTest(amount=amount):
                order = self._create_order(amount)
                tx = self._create_btcpay_transaction(order)
                self.world.expire(tx.btcpay_invoice_id)
                self.world.pay(tx.btcpay_invoice_id)
                self.world.mine()
                self._look(tx)
                self.assertEqual(tx._btcpay_get_unbooked_amount(), amount)
                self.assertTrue(tx.btcpay_can_accept_late)
                tx.action_btcpay_accept_late()
                self._post_process()
                self.assertEqual((tx.btcpay_paid_amount, order.state), (asked, 'sale'))
                self.assertEqual(order._btcpay_get_amount_due(), 0)

    def test_when_all_is_refunded_then_all_of_the_order_is_due_again(self):
        for amount, asked in [(1234.56, 1235), (1234.44, 1234)]:
            for variant in ('fiat', 'rate_then'):
                with self.subTest(amount=amount, variant=variant):
                    order = self._create_order(amount)
                    tx = self._paid(order)
                    refund = tx._btcpay_request_refund(asked, variant=variant)
                    self.assertEqual((refund.state, -refund.amount), ('pending', asked))
                    self.assertTrue(refund.btcpay_refund_link)
                    self.assertEqual(tx._btcpay_get_amount_due(order), amount)
                    self.assertEqual(tx._btcpay_get_refund_sums()['available'], 0)

    def test_when_the_server_refunds_digits_that_it_does_not_show_then_its_answer_counts(self):
        """Whole satoshis are paid, which are a little more than what is asked for."""
        self.world.set_rates(self.store_id, BTC_RSD=11_234_567)
        for variant in ('fiat', 'rate_then'):
            with self.subTest(variant=variant):
                tx = self._paid(self._create_order(1234.56))
                refund = tx._btcpay_request_refund(1235, variant=variant)
                self.assertTrue(refund.btcpay_refund_link)
                self.assertFalse(refund.btcpay_review_note)
                self.assertEqual(
                    -refund.amount, 1235.02 if variant == 'fiat' else 1235
                )
                self.assertEqual(refund.btcpay_refund_fee_amount, 0)
                self.assertEqual(tx._btcpay_get_refund_sums()['available'], 0)

    def test_when_a_part_is_refunded_then_that_is_due_again(self):
        order = self._create_order(1234.56)
        tx = self._paid(order)
        tx._btcpay_request_refund(500)
        self.assertEqual(tx._btcpay_get_amount_due(order), 500)
        self.assertEqual(tx._btcpay_get_refund_sums()['available'], 735)

    def test_when_the_customer_pays_again_then_the_earlier_rounded_invoice_is_invalidated(self):
        order = self._create_order(1234.56)
        first = self._create_btcpay_transaction(order)
        self._create_btcpay_transaction(order)
        self._carry_out()
        self.assertEqual(self._status(first), ('Invalid', 'Marked'))
        self.assertFalse(order.activity_ids)
