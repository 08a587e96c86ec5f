from odoo.fields import Command
from odoo.tests import new_test_user, tagged

from odoo.addons.payment_btcpay.tests.common import BTCPayCommon
from odoo.addons.payment_btcpay.tests.refund.refund_common import RefundMixin


@tagged('post_install', '-at_install')
class TestReplacedInvoice(RefundMixin, BTCPayCommon):
    """An accountant reverses an invoice that is paid, and creates another one in its place."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.accountant = new_test_user(cls.env, 'replaces', 'account.group_account_invoice')

    def _replace(self, invoice, price=100):
        wizard = self.env['account.move.reversal'].with_user(self.accountant).with_context(
            active_model='account.move', active_ids=invoice.ids
        ).create({'journal_id': invoice.journal_id.id})
        move = self.env['account.move'].browse(wizard.modify_moves()['res_id'])
        move.invoice_line_ids.price_unit = price
        move.with_user(self.accountant).action_post()
        self.env.cr.commit()
        self.env.invalidate_all()
        return move

    def _begin_for(self, invoice):
        self.tx = self._create_btcpay_transaction(
            invoice_ids=[Command.set(invoice.ids)], partner_id=self.partner.id,
            reference=invoice.name,
        )

    def _receive_for(self, invoice, fraction='1'):
        self._begin_for(invoice)
        self._receive(fraction)

    def test_when_it_is_replaced_then_the_new_one_is_paid_and_its_credit_note_can_be_refunded(self):
        for has_entries in (True, False):
            self._book_as(has_entries)
            for price, due in ((100, 0), (80, 0), (130, 30)):
                with self.subTest(has_entries=has_entries, price=price):
                    self._receive_for(invoice := self._create_invoice())
                    new = self._replace(invoice, price)
                    self.assertEqual(new._btcpay_get_amount_due(), due)
                    self.assertEqual(new._has_to_be_paid(), due > 0)
                    if has_entries:
                        self.assertEqual(new.amount_residual, due)
                    # What is open in the books needs no credit note.
                    self.assertEqual(
                        invoice.reversal_move_ids._btcpay_get_refund_amount_due(),
                        0 if has_entries else max(100 - price, 0),
                    )
                    credit_note = self._credit(new, 50)
                    self.assertEqual(credit_note._btcpay_get_refund_amount_due(), 50 - due)
                    self.assertFalse(invoice.activity_ids)
                    self.assertEqual(bool(new.activity_ids), price < 100, self._asked(new))

    def test_when_it_is_paid_in_part_then_the_rest_of_the_new_one_is_due(self):
        self._add_outstanding_account()
        self._receive_for(invoice := self._create_invoice(), '0.4')
        self.tx.action_btcpay_accept_partial()
        self._post_process()
        new = self._replace(invoice)
        self.assertEqual((new.amount_residual, new._btcpay_get_amount_due()), (60, 60))

    def test_when_an_order_was_paid_then_the_new_invoice_of_it_is_paid(self):
        self._add_outstanding_account()
        order = self._create_order()
        self._paid(order)
        order.order_line.qty_delivered = 1
        invoice = order._create_invoices()
        invoice.action_post()
        new = self._replace(invoice)
        self.assertEqual((new.amount_residual, order._btcpay_get_amount_due()), (0, 0))
        self.assertFalse(order.activity_ids)

    def test_when_it_is_being_paid_then_the_new_one_is_paid_once_that_is_confirmed(self):
        for has_entries in (True, False):
            self._book_as(has_entries)
            with self.subTest(has_entries=has_entries):
                self._begin_for(invoice := self._create_invoice())
                self.world.pay(self.tx.btcpay_invoice_id)
                self._look(self.tx)
                new = self._replace(invoice)
                self._carry_out()
                self.assertFalse(new._has_to_be_paid())
                self.world.mine()
                self._look(self.tx)
                self._post_process()
                self.env.invalidate_all()
                self.assertEqual(new.amount_residual, 0 if has_entries else 100)
                self.assertEqual(new._btcpay_get_amount_due(), 0)
                self.assertFalse(invoice.activity_ids | new.activity_ids)

    # === MORE WAS PAID THAN IT COMES TO NOW === #

    def _asked(self, document):
        return self._activities(document).replace('\xa0', ' ')

    def test_when_a_paid_one_is_posted_anew_for_less_then_a_person_is_told_until_refunded(self):
        for has_entries in (True, False):
            self._book_as(has_entries)
            with self.subTest(has_entries=has_entries):
                self._receive_for(invoice := self._create_invoice())
                for price, asked in ((60, "it comes to $ 60.00 now. Refund $ 40.00."), (100, "")):
                    invoice.with_user(self.accountant).button_draft()
                    invoice.invoice_line_ids.price_unit = price
                    invoice.with_user(self.accountant).action_post()
                    self.env.cr.commit()
                    self.tx.action_btcpay_sync()
                    self.assertEqual(bool(invoice.activity_ids), bool(asked))
                    self.assertIn(asked, self._asked(invoice))
                new = self._replace(invoice, 70)
                self.assertIn("it comes to $ 70.00 now. Refund $ 30.00.", self._asked(new))
                self.tx._btcpay_request_refund(30)
                self.assertFalse(new.activity_ids, self._asked(new))

    def test_when_a_paid_order_becomes_cheaper_then_its_invoice_has_a_person_told(self):
        order = self._create_order()
        self._paid(order)
        order.order_line.write({'price_unit': 60, 'qty_delivered': 1})
        order._create_invoices().with_user(self.accountant).action_post()
        self.assertIn("it comes to $ 60.00 now. Refund $ 40.00.", self._asked(order))

    def test_when_a_paid_one_is_posted_anew_for_more_then_the_customer_is_not_mailed(self):
        self._receive_for(invoice := self._create_invoice())
        invoice.button_draft()
        invoice.invoice_line_ids.price_unit = 130
        invoice.action_post()
        self.assertFalse(invoice.activity_ids)
        self.assertFalse(self._mails(invoice))
        self.assertEqual(invoice._btcpay_get_amount_due(), 30)

    def test_when_it_is_replaced_while_being_paid_then_only_the_new_one_is_told_of(self):
        for price, asked in (
            (60, "it comes to $ 60.00 now. Refund $ 40.00."),
            (130, "it comes to $ 130.00 now, so that $ 30.00 is due."),
        ):
            with self.subTest(price=price):
                self._begin_for(invoice := self._create_invoice())
                self.world.pay(self.tx.btcpay_invoice_id)
                self._look(self.tx)
                new = self._replace(invoice, price)
                self.world.mine()
                self._look(self.tx)
                self._post_process()
                told = self._asked(self.tx._btcpay_get_document())
                self.assertIn(f"when {new.display_name} came to $ 100.00; {asked}", told)
