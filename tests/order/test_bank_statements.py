from datetime import timedelta

from odoo import fields
from odoo.fields import Command
from odoo.tests import tagged

from odoo.addons.payment_btcpay.tests.common import BTCPayCommon
from odoo.addons.payment_btcpay.tests.refund.refund_common import RefundMixin


@tagged('post_install', '-at_install')
class TestBankStatements(RefundMixin, BTCPayCommon):
    """Where payments have no entries, the statements of their journal are matched with the
    invoices: before or after the payments are validated, and beside what came by bank."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.bank = cls.btcpay.journal_id.copy({'name': "Bank"})

    def setUp(self):
        super().setUp()
        self._book_without_entries()

    def _pay(self, invoice, amount):
        self.tx = self._create_btcpay_transaction(
            invoice_ids=[Command.set(invoice.ids)], partner_id=self.partner.id, amount=amount,
            reference=self.env['payment.transaction']._compute_reference('btcpay', 'invoice'),
        )
        self._receive()
        return self.tx

    def _state(self, move, amount, journal=None):
        """Match a line of a bank statement with an invoice or a credit note."""
        line = self.env['account.bank.statement.line'].create({
            'journal_id': (journal or self.btcpay.journal_id).id, 'payment_ref': "Statement",
            'amount': amount, 'partner_id': self.partner.id,
        })
        _liquidity, suspense, _others = line._seek_for_lines()
        receivable = move.line_ids.filtered(lambda it: it.display_type == 'payment_term')
        suspense.account_id = receivable.account_id
        (suspense | receivable.sorted('id')).reconcile()
        self.env.cr.commit()

    def _due(self, invoice):
        """Return what is open in the books, and what the customer is asked for."""
        self.env.invalidate_all()
        return invoice.amount_residual, invoice._btcpay_get_amount_due()

    def test_when_validated_after_a_part_came_by_bank_then_nothing_is_asked_for(self):
        for amount in (40, 60):  # As much as came by bank, Odoo validates it by that.
            with self.subTest(amount=amount):
                invoice = self._create_invoice(60 + amount)
                self._state(invoice, 60, self.bank)
                self._pay(invoice, amount).payment_id.action_validate()
                self.assertEqual(self._due(invoice), (amount, 0))
                self.assertFalse(self.tx._btcpay_get_amount_due_links())
                self.assertEqual(self.tx._btcpay_get_amount_due_without_this(), amount)
                self._state(invoice, amount)
                self.assertEqual(self._due(invoice), (0, 0))
                self.assertEqual(self.tx._btcpay_get_amount_due_without_this(), amount)

    def test_when_as_much_comes_by_bank_afterwards_then_nothing_is_asked_for(self):
        invoice = self._create_invoice()
        payment = self._pay(invoice, 50).payment_id
        self._state(invoice, 50, self.bank)
        self.assertEqual(payment.state, 'paid')  # Odoo's own doing.
        self.assertEqual(self._due(invoice), (50, 0))
        self._state(invoice, 50)
        self.assertEqual(self._due(invoice), (0, 0))

    def test_when_two_payments_are_validated_then_one_statement_is_for_one_of_them(self):
        invoice = self._create_invoice(150)
        payments = self._pay(invoice, 40).payment_id | self._pay(invoice, 60).payment_id
        self._state(invoice, 60)
        self.assertEqual(self._due(invoice), (90, 50))
        payments.action_validate()
        self.assertEqual(self._due(invoice), (90, 50))
        self._state(invoice, 40)
        self.assertEqual(self._due(invoice), (50, 50))

    def test_when_the_whole_invoice_is_credited_then_the_credit_note_can_be_refunded_once(self):
        """Odoo matches the two, and validates the payment by that."""
        invoice = self._create_invoice()
        tx = self._pay(invoice, 100)
        credit_note = self._credit(invoice)
        self.env.invalidate_all()
        self.assertEqual((invoice.amount_residual, tx.payment_id.state), (0, 'paid'))
        self.assertTrue(credit_note.btcpay_can_refund)
        refund = tx._btcpay_request_refund(100, credit_note=credit_note)
        self._claim(refund)
        refund._btcpay_sync()
        self._post_process()
        self.env.invalidate_all()
        self.assertEqual(credit_note._btcpay_get_refund_amount_due(), 0)
        self.assertEqual(self._due(invoice), (0, 0))

    def test_when_a_part_was_refunded_then_the_rest_of_the_credit_note_can_be(self):
        for is_credited_before in (True, False):
            with self.subTest(is_credited_before=is_credited_before):
                tx = self._pay(invoice := self._create_invoice(), 100)
                credit_note = is_credited_before and self._credit(invoice, 40)
                refund = tx._btcpay_request_refund(15, credit_note=credit_note or None)
                credit_note = credit_note or self._credit(invoice, 40)
                self.assertEqual(credit_note._btcpay_get_refund_amount_due(), 25)
                self._claim(refund)
                refund._btcpay_sync()
                self._post_process()
                self.env.invalidate_all()
                self.assertEqual(credit_note._btcpay_get_refund_amount_due(), 25)
                tx._btcpay_request_refund(25, credit_note=credit_note)
                self.assertEqual(credit_note._btcpay_get_refund_amount_due(), 0)
                self.assertEqual(self._due(invoice), (60, 0))

    def _refund(self, tx, amount, credit_note=None):
        """Refund a part, and have it paid out and booked."""
        refund = tx._btcpay_request_refund(amount, credit_note=credit_note)
        self._claim(refund)
        refund._btcpay_sync()
        self._post_process()
        self.env.invalidate_all()

    def test_when_the_statement_of_its_refund_is_matched_then_the_rest_can_be_refunded(self):
        invoice = self._create_invoice()
        tx = self._pay(invoice, 100)
        self._state(invoice, 100)
        credit_note = self._credit(invoice, 40)
        self._refund(tx, 15, credit_note)
        self.assertEqual(credit_note._btcpay_get_refund_amount_due(), 25)
        self._state(credit_note, -15)
        self.env.invalidate_all()
        self.assertEqual(credit_note.amount_residual, 25)
        self.assertEqual(credit_note._btcpay_get_refund_amount_due(), 25)
        self._refund(tx, 25, credit_note)
        self._state(credit_note, -25)
        self.env.invalidate_all()
        self.assertFalse(credit_note.btcpay_can_refund)

    def test_when_the_overpayment_was_refunded_then_the_credit_note_can_be_refunded_in_full(self):
        invoice = self._create_invoice()
        self.tx = self._create_btcpay_transaction(
            invoice_ids=[Command.set(invoice.ids)], partner_id=self.partner.id,
            reference=invoice.name,
        )
        self._receive('1.5')
        self._refund(self.tx, 50)
        credit_note = self._credit(invoice, 40)
        self.assertEqual(credit_note._btcpay_get_refund_amount_due(), 40)
        self._refund(self.tx, 40, credit_note)
        self.assertEqual(credit_note._btcpay_get_refund_amount_due(), 0)

    def test_when_an_invoiced_order_is_paid_then_the_credit_note_can_be_refunded(self):
        order = self._create_order()
        order.action_confirm()
        order.order_line.qty_delivered = 1
        invoice = order._create_invoices()
        invoice.action_post()
        self.tx = self._create_btcpay_transaction(order)
        self._receive()
        credit_note = self._credit(invoice, 40)
        self.env.invalidate_all()
        self.assertTrue(credit_note.btcpay_can_refund)
        self._refund(self.tx, 15, credit_note)
        self.assertEqual(credit_note._btcpay_get_refund_amount_due(), 25)
        self.assertEqual((self._due(invoice), order._btcpay_get_amount_due()), ((60, 0), 0))

    def test_when_what_was_returned_of_an_order_is_refunded_then_its_invoice_is_not_due(self):
        """Odoo does not match the credit note of a return with the invoice."""
        self.product.invoice_policy = 'delivery'
        order = self._create_order()
        order.order_line = [Command.create({'product_id': self.product.id, 'price_unit': 50})]
        self.tx = self._create_btcpay_transaction(order)
        self._receive()
        moves = self.env['account.move']
        for delivered in (1, 0):
            order.order_line[1].qty_delivered = delivered
            order.order_line[0].qty_delivered = 1
            moves |= order._create_invoices(final=True)
            moves.filtered(lambda move: move.state == 'draft').action_post()
        invoice, credit_note = moves
        self.assertEqual((invoice.amount_residual, credit_note.amount_residual), (150, 50))
        for amount, left in ((30, 20), (20, 0)):
            self._refund(self.tx, amount, credit_note)
            self.assertEqual(self._due(invoice), (150, 0))
            self.assertEqual(credit_note._btcpay_get_refund_amount_due(), left)
        self._state(credit_note, -30)
        self.assertEqual(self._due(invoice), (150, 0))
        (invoice | credit_note).line_ids.filtered(
            lambda line: line.display_type == 'payment_term' and not line.reconciled
        ).reconcile()
        self.assertEqual(self._due(invoice), (130, 0))
        self._refund(self.tx, 40)
        self.assertEqual(self._due(invoice), (130, 40))

    def test_when_all_of_several_invoices_is_returned_and_refunded_then_none_is_due(self):
        invoices = self._create_invoice() | self._create_invoice(50)
        tx = self._pay(invoices, 150)
        for invoice in invoices:
            credit_note = self._credit(invoice)
            credit_note.line_ids.remove_move_reconcile()
            self._refund(tx, invoice.amount_total, credit_note)
            self.assertEqual(
                [self._due(invoice) for invoice in invoices], [(100, 0), (50, 0)]
            )

    def test_when_only_a_part_of_it_pays_what_is_open_then_all_of_it_is_refunded_once(self):
        invoice = self._create_invoice()
        self._pay(invoice, 80)
        credit_note = self._credit(invoice, 100)
        self.env.invalidate_all()
        self.assertEqual((invoice.amount_residual, credit_note.amount_residual), (0, 0))
        self.assertEqual(credit_note._btcpay_get_refund_amount_due(), 80)
        self._refund(self.tx, 30, credit_note)
        self.assertEqual(credit_note._btcpay_get_refund_amount_due(), 50)
        self._refund(self.tx, 50, credit_note)
        self.assertEqual(credit_note._btcpay_get_refund_amount_due(), 0)

    def test_when_it_is_more_than_what_is_open_then_it_is_refunded_once(self):
        """A half of the invoice had come by bank, in another journal."""
        invoice = self._create_invoice()
        self._state(invoice, 50, self.bank)
        self._pay(invoice, 20)
        credit_note = self._credit(invoice, 100)
        self.env.invalidate_all()
        self.assertEqual((invoice.amount_residual, credit_note.amount_residual), (0, 50))
        self.assertEqual(credit_note._btcpay_get_refund_amount_due(), 70)
        self._refund(self.tx, 15, credit_note)
        self.assertEqual(credit_note._btcpay_get_refund_amount_due(), 55)

    def test_when_a_part_of_it_pays_another_invoice_then_only_the_rest_is_refunded(self):
        """Also of an invoice that more was paid of than is refunded by it."""
        invoice, other = self._create_invoice(), self._create_invoice(10)
        self._pay(invoice, 150)
        credit_note = self._credit(invoice, 40)
        credit_note.line_ids.remove_move_reconcile()
        for move in (other, invoice):
            (credit_note | move).line_ids.filtered(
                lambda line: line.display_type == 'payment_term'
            ).reconcile()
            self.assertEqual(credit_note._btcpay_get_refund_amount_due(), 30)

    def test_when_a_statement_is_divided_among_invoices_then_its_payment_counts_once(self):
        """Odoo validates a payment only by what is matched with one invoice of the same amount."""
        first, second = self._create_invoice(60), self._create_invoice(60)
        payment = self._pay(first | second, 90).payment_id
        self.assertEqual((self._due(first), self._due(second)), ((60, 30), (60, 30)))
        self._state(first | second, 90)
        self.assertEqual(payment.state, 'in_process')
        self.assertEqual((self._due(first), self._due(second)), ((0, 0), (30, 30)))
        credit_note = self._credit(second, 20)
        self.assertEqual((second.amount_residual, credit_note.amount_residual), (10, 0))
        self.assertFalse(credit_note.btcpay_can_refund)
        self.assertEqual(self._due(second), (10, 10))

    def test_when_the_statement_of_an_order_is_matched_then_its_next_invoice_is_due(self):
        """Its payment was made before there was an invoice, and stays unvalidated."""
        self.product.invoice_policy = 'delivery'
        order = self._create_order(100)
        order.order_line = [Command.create({'product_id': self.product.id, 'price_unit': 50})]
        order.action_confirm()
        self.tx = self._create_btcpay_transaction(order, amount=100)
        self._receive()
        invoices = self.env['account.move']
        for line in order.order_line:
            line.qty_delivered = 1
            invoices |= order._create_invoices()
        invoices.action_post()
        self._state(invoices[0], 100)
        self.assertEqual(self.tx.payment_id.state, 'in_process')
        self.assertEqual([self._due(invoice) for invoice in invoices], [(0, 0), (50, 50)])

    def test_when_an_order_has_several_invoices_then_each_credit_note_can_be_refunded_once(self):
        order = self._create_order()
        self.tx = self._create_btcpay_transaction(order)
        self._receive()
        down_payment = self._create_down_payment(order)
        order.order_line.filtered(lambda line: not line.is_downpayment).qty_delivered = 1
        final = order._create_invoices(final=True)
        (down_payment | final).action_post()
        for invoice, amount in ((down_payment, 30), (final, 70)):
            credit_note = self._credit(invoice)
            self.env.invalidate_all()
            self.assertEqual((invoice.amount_residual, credit_note.amount_residual), (0, 0))
            self.assertEqual(credit_note._btcpay_get_refund_amount_due(), amount)
            refund = self.tx._btcpay_request_refund(amount, credit_note=credit_note)
            self._claim(refund)
            refund._btcpay_sync()
            self._post_process()
            self.env.invalidate_all()
            self.assertFalse(credit_note.btcpay_can_refund)
        self.assertEqual(self.tx._btcpay_get_refund_sums()['available'], 0)

    def test_when_an_installment_is_paid_then_the_next_one_is_asked_for_when_it_is_due(self):
        self.env['ir.config_parameter'].sudo().set_param(
            'account_payment.enable_portal_payment', 'True'
        )
        self.partner.write({'email': 'customer@example.com', 'btcpay_request_due': True})
        today = fields.Date.today()
        later = today + timedelta(days=30)
        terms = self.env['account.payment.term'].create({
            'name': "30 now, 70 later", 'line_ids': [
                Command.create({'value_amount': 30, 'nb_days': 0}),
                Command.create({'value_amount': 70, 'nb_days': 30}),
            ],
        })
        for paid, installments in (
            (20, [(today, 10), (later, 70)]), (30, [(later, 70)]), (65, [(later, 35)]),
        ):
            with self.subTest(paid=paid):
                invoice = self._create_invoice(
                    invoice_payment_term_id=terms.id, invoice_date=today
                )
                self._pay(invoice, paid)
                self.env.invalidate_all()
                self.assertEqual(invoice.amount_residual, 100)
                self.assertEqual(invoice._btcpay_get_open_installments(), installments)
                self.assertEqual(invoice._btcpay_get_amount_asked(), installments[0][1])
                self.assertEqual(invoice._btcpay_get_amount_due(), 100 - paid)
                self.env['account.move']._cron_btcpay_request_due()
                self.assertEqual(
                    invoice.btcpay_requested_until, installments[0][0] == today and today
                )
