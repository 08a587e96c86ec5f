from odoo.fields import Command
from odoo.tests import tagged

from odoo.addons.payment_btcpay.tests.common import BTCPayCommon
from odoo.addons.payment_btcpay.tests.refund.refund_common import RefundMixin


@tagged('post_install', '-at_install')
class TestTakenBack(RefundMixin, BTCPayCommon):
    """An accountant cancels or reverses the payment that books bitcoin: the money is there, and is
    neither asked for again nor given back out of nothing."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls._add_outstanding_account()

    def _pay(self, document, amount=100):
        """Have a document paid by its link."""
        link = 'sale_order_ids' if document._name == 'sale.order' else 'invoice_ids'
        self.tx = self._create_btcpay_transaction(
            amount=amount, partner_id=self.partner.id,
            reference=self.env['payment.transaction']._compute_reference('btcpay', document.name),
            **{link: [Command.set(document.ids)]},
        )
        self._receive()
        return self.tx

    def _invoice(self, order, amount=None):
        """Invoice what is delivered of an order, and have it paid by what the order was paid by."""
        if order.state != 'sale':
            order.action_confirm()
        order.order_line.filtered(
            lambda line: amount in (None, line.price_unit)
        ).qty_delivered = 1
        invoice = order._create_invoices()
        invoice.action_post()
        return invoice

    def _due(self, *documents):
        self.env.invalidate_all()
        return tuple(document._btcpay_get_amount_due() for document in documents)

    def _take_back(self, payment, how):
        if how == 'reverse':
            self._reverse(payment.move_id)
        else:
            payment.action_draft()
            payment.action_cancel()
        self.env.cr.commit()

    def _reverse(self, move):
        """Reverse an entry, as an accountant does.

        :return: The reversal.
        """
        wizard = self.env['account.move.reversal'].with_context(
            active_model='account.move', active_ids=move.ids
        ).create({'journal_id': move.journal_id.id})
        return self.env['account.move'].browse(wizard.refund_moves()['res_id'])

    # === NOTHING IS GIVEN BACK OUT OF NOTHING === #

    def test_when_its_entry_is_reversed_then_no_refund_is_made_until_that_is_undone(self):
        def cancel(reversal):
            reversal.button_draft()
            reversal.button_cancel()

        for undo in (self._reverse, cancel):
            with self.subTest(undo=undo.__name__):
                tx = self._pay(self._create_invoice())
                reversal = self._reverse(tx.payment_id.move_id)
                self._assert_refused(
                    lambda tx=tx: tx._btcpay_request_refund(100), "was reversed in Odoo"
                )
                self.assertFalse(tx.btcpay_refund_ids)
                undo(reversal)
                self.env.cr.commit()
                self.assertEqual(tx._btcpay_request_refund(100).amount, -100)

    def test_when_it_is_taken_back_while_it_is_refunded_then_a_person_is_told_until_undone(self):
        for how in ('cancel', 'reverse'):
            with self.subTest(how=how):
                invoice = self._create_invoice()
                tx = self._pay(invoice)
                refund = tx._btcpay_request_refund(40)
                self._take_back(tx.payment_id, how)
                self._claim(refund)
                refund._btcpay_sync()
                self._post_process()
                self.assertEqual(refund.payment_id.amount, 40)
                asked = self._activities(invoice).replace('\xa0', ' ')
                self.assertIn("$ 40.00 was paid out and is booked, but the payment", asked)
                self.assertIn(tx.payment_id.display_name, asked)
                if how == 'reverse':
                    self._reverse(tx.payment_id.move_id.reversal_move_ids)
                else:
                    tx.payment_id.action_draft()
                    tx.payment_id.action_post()
                tx.action_btcpay_sync()
                self.assertFalse(invoice.activity_ids)

    # === NOTHING IS ASKED FOR AGAIN === #

    def test_when_it_is_taken_back_then_neither_order_nor_invoice_is_due(self):
        for how in ('cancel', 'reverse'):
            for link in ('order', 'invoice'):
                with self.subTest(how=how, link=link):
                    order = self._create_order()
                    if link == 'order':
                        tx = self._pay(order)
                    invoice = self._invoice(order)
                    if link == 'invoice':
                        tx = self._pay(invoice)
                    self.assertEqual(invoice.amount_residual, 0)
                    self._take_back(tx.payment_id, how)
                    self.assertEqual(invoice.amount_residual, 100)
                    self.assertEqual(self._due(order, invoice), (0, 0))
                    self.assertFalse(tx._btcpay_get_amount_due_links())

    def test_when_it_is_taken_back_and_paid_again_then_a_person_is_told(self):
        for how in ('cancel', 'reverse'):
            with self.subTest(how=how):
                invoice = self._create_invoice()
                self._take_back(self._pay(invoice).payment_id, how)
                self._pay(invoice)
                self.assertEqual(invoice.amount_residual, 0)
                self.assertIn("the customer paid twice", self._activities(invoice))

    def test_when_an_entry_of_the_accountants_replaces_it_then_the_rest_is_due(self):
        self.product.invoice_policy = 'delivery'
        for how in ('cancel', 'reverse'):
            with self.subTest(how=how):
                order = self._create_order(100)
                order.order_line = [Command.create({
                    'product_id': self.product.id, 'price_unit': 50,
                })]
                tx = self._pay(order, 100)
                first, second = self._invoice(order, 100), self._invoice(order, 50)
                self._take_back(tx.payment_id, how)
                self._pay_move(first)
                self.env.cr.commit()
                self.assertEqual(self._due(order, first, second), (50, 0, 50))

    # === MONEY OF SEVERAL INVOICES, WITHOUT ENTRIES === #

    def test_when_an_order_is_paid_in_part_and_invoiced_twice_then_each_cent_is_asked_for(self):
        self._book_without_entries()
        self.product.invoice_policy = 'delivery'
        order = self._create_order(100)
        order.order_line = [Command.create({'product_id': self.product.id, 'price_unit': 50})]
        self._pay(order, 45)
        first = self._invoice(order, 100)
        self.assertEqual(self._due(order, first), (105, 55))
        second = self._invoice(order, 50)
        self.assertEqual(self._due(order, first, second), (105, 100, 50))
        self._pay(second, 50)
        self.assertEqual(self._due(order, first, second), (55, 55, 0))
        self._pay(first, 55)
        self.assertEqual(self._due(order, first, second), (0, 0, 0))
        self.assertFalse(order.activity_ids | first.activity_ids | second.activity_ids)
