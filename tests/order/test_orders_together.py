from unittest.mock import patch

from odoo.fields import Command
from odoo.tests import tagged

from odoo.addons.payment_btcpay.tests.common import BTCPayCommon
from odoo.addons.payment_btcpay.tests.refund.refund_common import RefundMixin


@tagged('post_install', '-at_install')
class TestOrdersTogether(RefundMixin, BTCPayCommon):
    """Orders that are invoiced or paid together: money of one is not another's, and what is for all
    of them is for each as far as the others leave it."""

    def setUp(self):
        super().setUp()
        self._add_outstanding_account()
        self.first, self.second = self.orders = self._create_order(100) | self._create_order(50)

    def _pay(self, documents, amount):
        link = 'sale_order_ids' if documents._name == 'sale.order' else 'invoice_ids'
        self.tx = self._create_btcpay_transaction(
            amount=amount, partner_id=self.partner.id,
            reference=self.env['payment.transaction']._compute_reference(
                'btcpay', documents[0].name
            ),
            **{link: [Command.set(documents.ids)]},
        )
        self._receive()
        return self.tx

    def _invoice(self):
        """Invoice both orders by one invoice."""
        self.orders.filtered(lambda order: order.state != 'sale').action_confirm()
        self.orders.order_line.qty_delivered = 1
        invoice = self.orders._create_invoices()
        invoice.action_post()
        return invoice.ensure_one()

    def _due(self, *documents):
        self.env.invalidate_all()
        due = self.env['payment.transaction'].sudo()._btcpay_get_amount_due
        return tuple(due(document) for document in documents or self.orders)

    def test_when_one_of_them_is_paid_then_the_other_is_due(self):
        self._pay(self.first, 100)
        invoice = self._invoice()
        self.assertEqual(self._due(*self.orders, invoice), (0, 50, 50))
        self.assertTrue(self.second.btcpay_can_request)
        self._pay(self.second, 50)
        self.assertEqual(self._due(*self.orders, invoice), (0, 0, 0))
        self.assertFalse(self._activities(self.second))

    def test_when_each_is_paid_then_their_invoice_is_paid_and_can_be_refunded(self):
        for has_entries in (True, False):
            with self.subTest(has_entries=has_entries):
                if not has_entries:
                    self._book_without_entries()
                self.first, self.second = self.orders = (
                    self._create_order(100) | self._create_order(50)
                )
                transactions = [self._pay(order, order.amount_total) for order in self.orders]
                invoice = self._invoice()
                self.assertEqual(invoice.amount_residual, 0 if has_entries else 150)
                self.assertEqual(self._due(*self.orders, invoice), (0, 0, 0))
                credit_note = self._credit(invoice)
                for tx, left in zip(transactions, (150, 50), strict=True):
                    self.env.invalidate_all()
                    self.assertEqual(credit_note._btcpay_get_refund_amount_due(), left)
                    refund = tx._btcpay_request_refund(tx.amount, credit_note=credit_note)
                    self._claim(refund)
                    refund._btcpay_sync()
                    self._post_process()
                self.env.invalidate_all()
                self.assertFalse(credit_note.btcpay_can_refund)
                self.assertEqual(credit_note.amount_residual, 0)

    def test_when_their_invoice_is_paid_by_bank_then_neither_is_due(self):
        invoice = self._invoice()
        self._pay_move(invoice)
        self.assertEqual(self._due(*self.orders, invoice), (0, 0, 0))

    def test_when_a_part_of_their_invoice_is_paid_then_no_more_than_the_rest_is_due(self):
        for amount, due in ((60, (90, 50, 90)), (120, (30, 30, 30)), (150, (0, 0, 0))):
            with self.subTest(amount=amount):
                self.first, self.second = self.orders = (
                    self._create_order(100) | self._create_order(50)
                )
                invoice = self._invoice()
                self._pay(invoice, amount)
                self.assertEqual(self._due(*self.orders, invoice), due)

    def test_when_one_payment_is_for_both_then_its_money_counts_once(self):
        self._pay(self.orders, 60)
        self.assertEqual(self._due(), (90, 50))
        self.assertEqual(self._due(self.orders), (90,))
        self.second._action_cancel()
        self.assertEqual(self._due(self.first), (40,))

    def test_when_they_are_invoiced_again_and_again_with_others_then_what_is_paid_is_not_due(self):
        """As by the month: what of one order is on another invoice concerns no other order."""
        self.product.invoice_policy = 'delivery'
        third = self._create_order(70)
        orders = self.orders | third
        self.second.order_line = [Command.create({
            'product_id': self.product.id, 'price_unit': 30,
        })]
        orders.action_confirm()
        invoices = self.env['account.move']
        for lines in (
            self.first.order_line | self.second.order_line[0],
            self.second.order_line[1] | third.order_line,
        ):
            lines.qty_delivered = 1
            invoices |= lines.order_id._create_invoices()
        invoices.action_post()
        self.assertEqual(invoices.mapped('amount_total'), [150, 100])
        self.assertEqual(self._due(*orders), (100, 80, 70))
        self._pay_move(invoices[0])
        self.assertEqual(self._due(*orders), (0, 80, 70))
        self._pay_move(invoices[1])
        self.assertEqual(self._due(*orders), (0, 0, 0))

    def test_when_both_are_returned_then_neither_is_due(self):
        """Odoo does not match the credit note of a return with the invoice."""
        self.product.invoice_policy = 'delivery'
        self._invoice()
        self.orders.order_line.qty_delivered = 0
        self.orders._create_invoices(final=True).action_post()
        self.assertEqual(self._due(), (0, 0))

    def test_when_one_is_canceled_then_the_other_is_due_for_what_is_open_of_the_invoice(self):
        for is_paid_by_bank, due in ((True, 0), (False, 100)):
            with self.subTest(is_paid_by_bank=is_paid_by_bank):
                self.first, self.second = self.orders = (
                    self._create_order(100) | self._create_order(50)
                )
                if not is_paid_by_bank:
                    self._pay(self.second, 50)
                invoice = self._invoice()
                if is_paid_by_bank:
                    self._pay_move(invoice)
                self.second._action_cancel()
                self.assertEqual(self._due(self.first, invoice), (due, due))

    def test_when_each_is_being_paid_then_neither_payment_is_a_newer_one_of_the_other(self):
        transactions = [self._create_btcpay_transaction(order) for order in self.orders]
        for tx in transactions:
            self.world.pay(tx.btcpay_invoice_id)
            tx._btcpay_sync()
        invoice = self._invoice()
        self.assertEqual(len(invoice.transaction_ids), 2)
        self._carry_out()
        self.assertFalse(self.orders.activity_ids)
        self.world.mine()
        self._look(*transactions)
        self._post_process()
        self.assertFalse(self.orders.activity_ids)

    def test_when_orders_of_others_are_invoiced_then_nothing_is_written(self):
        orders = self._create_order() | self._create_order(
            partner_id=self.partner.copy().id
        )
        orders.action_confirm()
        orders.order_line.qty_delivered = 1
        moves = self.registry['account.move']
        with patch.object(moves, 'write', autospec=True, side_effect=moves.write) as write:
            self.assertEqual(len(orders._create_invoices()), 2)
        self.assertFalse([
            call.args[1] for call in write.call_args_list if 'transaction_ids' in call.args[1]
        ])
