from odoo.fields import Command
from odoo.tests import tagged

from odoo.addons.payment_btcpay.tests.common import BTCPayCommon
from odoo.addons.payment_btcpay.tests.refund.refund_common import RefundMixin


@tagged('post_install', '-at_install')
class TestRefundCreditNotes(RefundMixin, BTCPayCommon):
    """Credit notes that are taken back or changed while they are refunded, or afterwards."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls._add_outstanding_account()

    def _begin(self):
        """Return a credit note of 40 of an invoice, and its refund."""
        self.invoice, self.tx = self._invoiced()
        credit_note = self._credit(self.invoice, 40)
        return credit_note, self.tx._btcpay_request_refund(40, credit_note=credit_note)

    def _pay_out(self, refund, amount=None):
        self._claim(refund, amount)
        refund._btcpay_sync()
        self._post_process()

    def _take_back(self, credit_note, how):
        credit_note.button_draft()
        if how == 'cancel':
            credit_note.button_cancel()
        self.env.cr.commit()

    def _post_again(self, credit_note, price=40):
        if credit_note.state == 'cancel':
            credit_note.button_draft()
        credit_note.invoice_line_ids.price_unit = price
        credit_note.action_post()
        self.env.invalidate_all()

    def test_when_taken_back_while_it_is_refunded_then_it_is_paid_once_it_is_posted_again(self):
        for how, price, left in (('draft', 40, 0), ('cancel', 40, 0), ('draft', 60, 20)):
            with self.subTest(how=how, price=price):
                credit_note, refund = self._begin()
                self._take_back(credit_note, how)
                self._pay_out(refund)
                self.assertEqual(refund.payment_id.amount, 40)
                self._post_again(credit_note, price)
                self.assertEqual(credit_note.amount_residual, left)
                self.assertEqual(credit_note._btcpay_get_refund_amount_due(), left)

    # === LOST WHILE IT IS REFUNDED === #

    def _lose(self, credit_note, how):
        """Use a credit note for another invoice, in part or all of it, or cancel it."""
        if how == 'cancel':
            self._take_back(credit_note, how)
            return
        other = self._create_invoice(10 if how == 'part' else 40)
        self._match(credit_note, other)

    def _match(self, *moves):
        self.env['account.move'].union(*moves).line_ids.filtered(
            lambda line: line.account_type == 'asset_receivable' and not line.reconciled
        ).reconcile()
        self.env.cr.commit()

    def test_when_it_is_lost_while_it_is_refunded_then_a_person_is_told_until_that_is_over(self):
        for how in ('cancel', 'part', 'all'):
            with self.subTest(how=how):
                credit_note, refund = self._begin()
                self._carry_out()
                self.assertFalse(self.invoice.activity_ids)
                self._lose(credit_note, how)
                self._carry_out()
                asked = self._activities(self.invoice).replace('\xa0', ' ')
                self.assertIn("$ 40.00 is refunded for it by", asked)
                self.assertIn(credit_note.name, asked)
                self._carry_out()
                self.assertEqual(len(self.invoice.activity_ids), 1)
                self.world.archive_pull_payment(refund.btcpay_pull_payment_id)
                refund._btcpay_sync()
                self.assertFalse(self.invoice.activity_ids)

    def test_when_it_is_refunded_though_it_is_lost_then_it_is_told_until_the_payment_is_matched(
        self
    ):
        for how in ('cancel', 'part', 'all'):
            with self.subTest(how=how):
                credit_note, refund = self._begin()
                self._lose(credit_note, how)
                self._pay_out(refund)
                self.assertEqual(len(self.invoice.activity_ids), 1)
                self._match(refund.payment_id.move_id, self._credit(self.invoice, 40))
                self.tx.action_btcpay_sync()
                self.assertFalse(self.invoice.activity_ids)

    def test_when_payments_have_no_entries_then_it_is_told_also_once_the_refund_is_paid(self):
        self._book_without_entries()
        for how in ('cancel', 'all'):
            for is_told_before in (True, False):
                with self.subTest(how=how, is_told_before=is_told_before):
                    self.invoice = self._create_invoice()
                    self.tx = self._create_btcpay_transaction(
                        invoice_ids=[Command.set(self.invoice.ids)], partner_id=self.partner.id,
                        reference=self.invoice.name,
                    )
                    self._receive()
                    credit_note = self._credit(self.invoice, 40)
                    refund = self.tx._btcpay_request_refund(40, credit_note=credit_note)
                    credit_note.line_ids.remove_move_reconcile()
                    self._lose(credit_note, how)
                    if is_told_before:
                        self._carry_out()
                    self._pay_out(refund)
                    self.tx.action_btcpay_sync()
                    self.assertIn(credit_note.name, self._activities(self.invoice))

    def test_when_several_refunds_are_of_lost_ones_then_it_is_told_once(self):
        self.invoice, self.tx = self._invoiced()
        credit_note = self._credit(self.invoice, 80)
        refunds = [
            self.tx._btcpay_request_refund(30, credit_note=credit_note) for _number in range(2)
        ]
        self._lose(credit_note, 'cancel')
        self._carry_out()
        asked = self._activities(self.invoice).replace('\xa0', ' ')
        self.assertIn("$ 60.00 is refunded for it by", asked)
        for refund in refunds:
            self.assertIn(refund.reference, asked)
        messages = self.invoice.message_ids
        self._carry_out()
        self.assertEqual(self.invoice.message_ids, messages)

    def test_when_what_it_was_used_for_is_undone_then_nothing_is_asked(self):
        credit_note, refund = self._begin()
        self._lose(credit_note, 'all')
        self._carry_out()
        self.assertTrue(self.invoice.activity_ids)
        credit_note.line_ids.remove_move_reconcile()
        refund.action_btcpay_sync()
        self.tx.action_btcpay_sync()
        self.assertFalse(self.invoice.activity_ids)
        self._pay_out(refund)
        self.assertFalse(self.invoice.activity_ids)

    def test_when_it_is_as_it_was_then_nothing_is_asked(self):
        """Also where Odoo matches it with the invoice, which is open until the bank statement."""
        for has_entries in (True, False):
            if not has_entries:
                self._book_without_entries()
            for amount in (None, '15.00'):
                with self.subTest(has_entries=has_entries, amount=amount):
                    invoice = self._create_invoice()
                    self.tx = self._create_btcpay_transaction(
                        invoice_ids=[Command.set(invoice.ids)], partner_id=self.partner.id,
                        reference=invoice.name,
                    )
                    self._receive()
                    credit_note = self._credit(invoice, 40)
                    refund = self.tx._btcpay_request_refund(
                        40, credit_note=credit_note, fee_percent=10
                    )
                    self._carry_out()
                    self._pay_out(refund, amount)
                    self._carry_out()
                    self.assertFalse(invoice.activity_ids)

    # === CREDITED OTHERWISE === #

    def test_when_no_open_invoice_is_credited_then_the_credit_note_can_be_opened(self):
        """As that of anybody's invoice, which was never paid in Bitcoin."""
        invoice, receipt, foreign = (
            self._create_invoice(move_type=move_type)
            for move_type in ('out_invoice', 'out_receipt', 'out_invoice')
        )
        notes = self._credit(invoice) | self._credit(receipt) | self._credit(
            foreign, currency_id=self.env.company.currency_id.search([
                ('id', 'not in', (self.env.company.currency_id | self.currency).ids),
            ], limit=1).id
        )
        lines = (foreign | notes[2]).line_ids
        lines.filtered(lambda line: line.display_type == 'payment_term').reconcile()
        invoice.button_draft()
        for note, move in zip(notes, (invoice, receipt, foreign), strict=True):
            with self.subTest(state=move.state, move_type=move.move_type):
                self.assertIn(move, note.line_ids.matched_debit_ids.debit_move_id.move_id)
                self.assertFalse(note.btcpay_can_refund)

    def test_when_a_part_of_it_pays_what_is_open_then_only_the_rest_is_refunded(self):
        invoice = self._create_invoice()
        self.tx = self._create_btcpay_transaction(
            invoice_ids=[Command.set(invoice.ids)], partner_id=self.partner.id, amount=60,
            reference=invoice.name,
        )
        self._receive()
        credit_note = self._credit(invoice, 60)
        self.assertEqual((invoice.amount_residual, credit_note.amount_residual), (0, 20))
        self.assertEqual(credit_note._btcpay_get_refund_amount_due(), 20)
        refund = self.tx._btcpay_request_refund(20, credit_note=credit_note)
        self.assertEqual(credit_note._btcpay_get_refund_amount_due(), 0)
        self._pay_out(refund)
        self.assertEqual(credit_note._btcpay_get_refund_amount_due(), 0)

    def test_when_taken_back_after_its_refund_then_it_is_paid_once_it_is_posted_again(self):
        credit_note, refund = self._begin()
        self._pay_out(refund)
        self._take_back(credit_note, 'draft')
        self._post_again(credit_note)
        self.assertEqual(credit_note.amount_residual, 0)

    def test_when_another_takes_its_place_then_what_was_refunded_is_not_refunded_again(self):
        for how in ('draft', 'cancel'):
            with self.subTest(how=how):
                credit_note, refund = self._begin()
                self._take_back(credit_note, how)
                other = self._credit(self.invoice, 40)
                self.assertFalse(other.btcpay_can_refund)
                self._claim(refund, '15.00')
                refund._btcpay_sync()
                self.world.archive_pull_payment(refund.btcpay_pull_payment_id)
                refund._btcpay_sync()
                self._post_process()
                self.env.invalidate_all()
                self.assertEqual(refund.amount, -15)
                self.assertEqual(other._btcpay_get_refund_amount_due(), 25)
                if how == 'draft':
                    self._post_again(credit_note)
                    self.assertEqual(
                        [note._btcpay_get_refund_amount_due() for note in (credit_note, other)],
                        [25, 40],
                    )
