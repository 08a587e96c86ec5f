from odoo.exceptions import UserError
from odoo.fields import Command
from odoo.tests import new_test_user, tagged

from odoo.addons.payment_btcpay.tests.common import BTCPayCommon
from odoo.addons.payment_btcpay.tests.refund.refund_common import RefundMixin


@tagged('post_install', '-at_install')
class TestInvoiceDue(RefundMixin, BTCPayCommon):
    """What is due of customer invoices, however accountants have their payments booked."""

    def _begin(self, invoice, amount=100):
        self.tx = self._create_btcpay_transaction(
            invoice_ids=[Command.set(invoice.ids)], partner_id=self.partner.id, amount=amount,
            reference=self.env['payment.transaction']._compute_reference('btcpay', 'invoice'),
        )

    def _pay(self, invoice, fraction='1'):
        self._begin(invoice)
        self._receive(fraction)
        self.env.invalidate_all()
        return self.tx

    def _due(self, document):
        self.env.invalidate_all()
        return self.env['payment.transaction'].sudo()._btcpay_get_amount_due(document)

    def _invoice_order(self, order):
        order.order_line.qty_delivered = 1
        invoice = order._create_invoices()
        invoice.action_post()
        return invoice

    # === PARTS === #

    def test_when_more_comes_for_an_invoice_after_a_part_then_each_part_is_booked(self):
        self.btcpay.btcpay_accept_partial = True
        invoice = self._create_invoice()
        self._pay(invoice, '0.4')
        self.assertEqual(invoice.amount_residual, 60)
        # The server takes off 5 for the network's fee of each further payment.
        for fraction, due in (('0.2', 45), ('0.3', 20)):
            self.world.pay(self.tx.btcpay_invoice_id, fraction=fraction)
            self.world.mine()
            self._look(self.tx)
            self._post_process()
            self.env.invalidate_all()
            self.assertEqual((invoice.amount_residual, self._due(invoice)), (due, due))
            self.assertFalse(invoice.activity_ids, self._activities(invoice))
        self.assertEqual(self.tx._btcpay_get_amount_due_without_this(), 100)

    def test_when_a_part_is_vouched_for_and_refunded_then_the_invoice_stays_as_it_is(self):
        """Nothing came in of what the merchant took for the rest, so that nothing is booked."""
        self._add_outstanding_account()
        invoice = self._create_invoice()
        tx = self._pay(invoice, '0.4')
        tx.action_btcpay_accept_partial()
        self.world.mark(tx.btcpay_invoice_id, 'Settled')
        self._look(tx)
        self._post_process()
        self.assertEqual((self._due(invoice), invoice.amount_residual), (60, 60))
        self._refund(tx, 40)
        self.assertEqual((self._due(invoice), invoice.amount_residual), (60, 60))

    def test_when_a_part_is_accepted_then_whoever_waits_for_the_lock_begins_anew(self):
        """Two people press the button at once; nothing else of the payment need change by it."""
        invoice = self._create_invoice()
        tx = self._pay(invoice, '0.4').with_context(tracking_disable=True)
        tx._btcpay_resolve()
        tx._btcpay_settle_matters('expired')
        self.env.cr.commit()
        before = self._row_version(tx)
        tx._btcpay_accept_partial()
        self.assertNotEqual(self._row_version(tx), before)
        self.assertFalse(tx._btcpay_can_accept_partial())

    # === ACCEPTED WHILE SOMETHING IS GIVEN BACK === #

    def _open(self, tx):
        """Return what is open in the books of what came in and was given back."""
        self.env.invalidate_all()
        family = tx | tx.child_transaction_ids | tx.child_transaction_ids.child_transaction_ids
        lines = family.payment_id.move_id.line_ids.filtered(
            lambda line: line.account_type == 'asset_receivable'
        )
        return sum(lines.mapped('amount_residual'))

    def test_when_accepted_while_the_surplus_is_refunded_then_the_invoice_is_paid(self):
        self._add_outstanding_account()
        invoice = self._create_invoice()
        self._begin(invoice)
        tx = self.tx
        self._receive('2', late=True)
        surplus = tx._btcpay_request_refund(100)
        self._cancel(tx._btcpay_request_refund(100))
        tx.action_btcpay_accept_late()
        self._post_process()
        self.assertEqual((tx.btcpay_returned_amount, surplus.state), (100, 'pending'))
        self.assertEqual((self._due(invoice), invoice.amount_residual), (0, 0))
        self.assertEqual(self._open(tx), -100)
        self._pay_out(surplus)
        self.assertEqual((self._open(tx), invoice.amount_residual), (0, 0))

    def test_when_the_invoice_would_take_what_is_refunded_then_it_is_paid_afterwards(self):
        self._add_outstanding_account()
        for what, open_amount, due in (('_pay_out', 0, 50), ('_cancel', -50, 0)):
            with self.subTest(what=what):
                invoice = self._create_invoice(150)
                self._begin(invoice)  # By a link, of a part.
                tx = self.tx
                self._receive('2', late=True)
                self._cancel(tx._btcpay_request_refund(200))
                refund = tx._btcpay_request_refund(100)
                tx.action_btcpay_accept_late()
                self._post_process()
                self.assertEqual(sum(tx._btcpay_get_receipts().payment_id.mapped('amount')), 200)
                self.assertEqual(self._open(tx), -200)  # Of which the invoice would take 150.
                getattr(self, what)(refund)
                self.assertEqual((self._open(tx), self._due(invoice)), (open_amount, due))

    def _refund(self, tx, amount):
        self._pay_out(tx._btcpay_request_refund(amount))

    def _pay_out(self, refund):
        self._claim(refund)
        refund._btcpay_sync()
        self._post_process()

    def _cancel(self, refund):
        self.world.archive_pull_payment(refund.btcpay_pull_payment_id)
        refund._btcpay_sync()
        self._post_process()

    # === PAYMENTS WITHOUT JOURNAL ENTRIES === #

    def test_when_payments_have_no_entries_then_what_is_paid_is_not_due(self):
        self._book_without_entries()
        invoice = self._create_invoice()
        self._pay(invoice)
        self.assertEqual((self.tx.payment_id.amount, self.tx.payment_id.state), (100, 'in_process'))
        self.assertFalse(self.tx.payment_id.move_id)
        self.assertEqual(invoice.amount_residual, 100)
        self.assertEqual(self._due(invoice), 0)
        self.assertEqual(self.tx._btcpay_get_amount_due_without_this(), 100)
        self.assertFalse(invoice.activity_ids)
        self._refund(self.tx, 30)
        self.assertEqual(self._due(invoice), 30)

    def test_when_a_payment_without_entry_is_validated_then_it_counts_once(self):
        self._book_without_entries()
        invoice = self._create_invoice()
        payment = self._pay(invoice).payment_id
        payment.action_validate()
        self.assertEqual((payment.state, invoice.payment_state), ('paid', 'in_payment'))
        self.assertEqual((invoice.amount_residual, self._due(invoice)), (100, 0))
        line = self.env['account.bank.statement.line'].create({
            'journal_id': self.btcpay.journal_id.id, 'payment_ref': "Bitcoin", 'amount': 100,
            'partner_id': self.partner.id,
        })
        _liquidity, suspense, _others = line._seek_for_lines()
        receivable = invoice.line_ids.filtered(lambda it: it.display_type == 'payment_term')
        suspense.account_id = receivable.account_id
        (suspense | receivable).reconcile()
        self.assertEqual((invoice.amount_residual, self._due(invoice)), (0, 0))

    def test_when_payments_have_no_entries_then_only_the_rest_of_a_part_is_asked_for(self):
        self._book_without_entries()
        invoice = self._create_invoice()
        self._pay(invoice, '0.4')
        self.tx.action_btcpay_accept_partial()
        self._post_process()
        self.assertEqual(self._due(invoice), 60)
        [link] = self.tx._btcpay_get_amount_due_links()
        self.assertEqual(link['amount'], 60)
        self._begin(invoice, amount=60)
        self._receive()
        self.assertEqual(self._due(invoice), 0)
        self.assertFalse(invoice.activity_ids, self._activities(invoice))

    def test_when_payments_have_no_entries_then_what_was_discounted_is_not_due(self):
        self._book_without_entries()
        term = self.env['account.payment.term'].create({
            'name': "2 % within 10 days", 'early_discount': True, 'discount_percentage': 2,
            'discount_days': 10,
        })
        invoice = self._create_invoice(invoice_payment_term_id=term.id)
        self._begin(invoice, amount=98)
        self._receive()
        self.assertEqual((invoice.payment_state, self._due(invoice)), ('in_payment', 0))
        self.assertFalse(self.tx._btcpay_get_amount_due_links())

    def test_when_payments_have_no_entries_then_what_is_paid_twice_is_told(self):
        self._book_without_entries()
        invoice = self._create_invoice()
        first = self._pay(invoice)
        self._pay(invoice)
        self.assertEqual(self._due(invoice), -100)
        self.assertIn("the customer paid twice", self._activities(invoice))
        self.assertEqual(first._btcpay_get_double_amount(), 100)

    def test_when_payments_have_no_entries_then_a_credit_note_can_be_refunded_once(self):
        """Odoo matches it with the invoice, which is open until the bank statement."""
        self._book_without_entries()
        for is_refunded_before in (False, True):
            with self.subTest(is_refunded_before=is_refunded_before):
                invoice = self._create_invoice()
                tx = self._pay(invoice)
                if is_refunded_before:
                    self._refund(tx, 40)
                credit_note = self._credit(invoice, 40)
                self.assertEqual((invoice.amount_residual, credit_note.amount_residual), (60, 0))
                if not is_refunded_before:
                    self.assertTrue(credit_note.btcpay_can_refund)
                    self._pay_out(tx._btcpay_request_refund(40, credit_note=credit_note))
                self.env.invalidate_all()
                self.assertFalse(credit_note.btcpay_can_refund)
                self.assertEqual(credit_note._btcpay_get_refund_amount_due(), 0)
                self.assertEqual(self._due(invoice), 0)
        open_invoice = self._create_invoice()
        self.assertFalse(self._credit(open_invoice, 40).btcpay_can_refund)

    def test_when_payments_have_no_entries_then_the_invoice_of_a_paid_order_is_not_due(self):
        self._book_without_entries()
        order = self._create_order()
        tx = self._paid(order)
        self.assertFalse(tx.payment_id.move_id)
        invoice = self._invoice_order(order)
        self.assertEqual((self._due(order), self._due(invoice)), (0, 0))

    # === THE CUSTOMER'S PAGE === #

    def test_when_all_has_arrived_then_the_customers_page_asks_for_it_by_no_provider(self):
        self.env['ir.config_parameter'].sudo().set_param(
            'account_payment.enable_portal_payment', 'True'
        )
        self._add_outstanding_account()
        order = self._create_order()
        order.action_confirm()
        by_link_of_order = self._invoice_order(order)
        self._paid(order)
        by_link_of_order.line_ids.remove_move_reconcile()
        taken_back = self._create_invoice()
        self._pay(taken_back).payment_id.action_draft()
        self.tx.payment_id.action_cancel()
        self._book_without_entries()
        without_entry = self._create_invoice()
        self._pay(without_entry)
        for invoice in (by_link_of_order, taken_back, without_entry):
            self.assertEqual((invoice.amount_residual, invoice._has_to_be_paid()), (100, False))
        self._refund(self.tx, 30)
        self.assertTrue(without_entry._has_to_be_paid())
        part = self._create_invoice()
        self._pay(part, '0.4').action_btcpay_accept_partial()
        self._post_process()
        self.assertTrue(part._has_to_be_paid())
        self.assertTrue(self._create_invoice()._has_to_be_paid())

    # === WHAT BECAME OF THE PAYMENT === #

    def test_when_the_payment_is_taken_back_then_no_refund_is_made_until_it_is_confirmed(self):
        self._add_outstanding_account()
        for what in ('action_draft', 'action_cancel', 'button_draft'):
            with self.subTest(what=what):
                tx = self._pay(self._create_invoice())
                booked = tx.payment_id.move_id if what == 'button_draft' else tx.payment_id
                getattr(booked, what)()
                self._assert_refused(
                    lambda tx=tx: tx._btcpay_request_refund(100), "was canceled or set to draft"
                )
                self.assertFalse(tx.btcpay_refund_ids)
                if what == 'action_cancel':
                    tx.payment_id.action_draft()
                booked.action_post()
                self.env.cr.commit()
                self.assertEqual(tx._btcpay_request_refund(100).amount, -100)

    def test_when_the_payment_books_bitcoin_then_it_cannot_be_deleted(self):
        self._add_outstanding_account()
        tx = self._pay(self._create_invoice())
        accountant = new_test_user(self.env, 'due_acc', 'account.group_account_manager')
        payment = tx.payment_id.with_user(accountant)
        payment.action_draft()
        copy = payment.copy()
        with self.assertRaisesRegex(UserError, "cannot be deleted. Cancel it instead"):
            payment.unlink()
        payment.action_cancel()
        with self.assertRaises(UserError):
            payment.unlink()
        copy.unlink()  # That books nothing of it.
        other = self.env['account.payment'].with_user(accountant).create({
            'amount': 1, 'partner_id': self.partner.id, 'payment_type': 'inbound',
        })
        other.unlink()
