from datetime import timedelta

from odoo import fields
from odoo.fields import Command
from odoo.tests import tagged
from odoo.tools import html2plaintext

from odoo.addons.payment_btcpay.tests.common import BTCPayCommon
from odoo.addons.payment_btcpay.tests.refund.refund_common import RefundMixin


@tagged('post_install', '-at_install')
class TestBatches(RefundMixin, BTCPayCommon):
    """Several customer invoices in one payment: sums, mails and links are those of all of them."""

    def setUp(self):
        super().setUp()
        self._begin()

    def _begin(self):
        today = fields.Date.today()
        self.moves = self.env['account.move']
        for days, amount in ((1, 40), (2, 60)):
            self.moves |= self._create_invoice(
                amount, invoice_date=today, invoice_date_due=today + timedelta(days=days),
                invoice_payment_term_id=False,
            )
        self.first, self.second = self.moves
        self.tx = self._create_btcpay_transaction(
            reference=f'batch-{self.first.id}', amount=100,
            invoice_ids=[Command.set(self.moves.ids)],
        )

    def _get_links(self):
        return [(link['name'], link['amount']) for link in self.tx._btcpay_get_amount_due_links()]

    def _asked(self):
        """Return what people are asked: all of it on one of the invoices."""
        asked = self._activities(self.moves).replace('\xa0', ' ')
        self.assertLessEqual(len(self.moves.activity_ids), 1, asked)
        return asked

    def _assert_due(self, *amounts):
        self.env.invalidate_all()
        self.assertEqual(tuple(self.moves.mapped('amount_residual')), amounts)

    def test_when_all_is_paid_then_each_invoice_is_paid_and_nothing_is_due(self):
        self.assertEqual(self.tx.btcpay_documents_total, 100)
        self._receive()
        self._assert_due(0, 0)
        self.assertFalse(self._get_links())
        self.assertFalse(self.moves.activity_ids)

    def test_when_a_part_is_accepted_then_the_mail_asks_for_the_rest_of_the_batch(self):
        """The parts that are accepted, and the invoices and amounts the customer is asked for
        then, before anything is booked and after."""
        for fraction, amounts in (('0.5', (0, 50)), ('0.3', (10, 60)), ('0.4', (0, 60))):
            with self.subTest(fraction=fraction):
                self._begin()
                rest = [
                    (move.name, amount)
                    for move, amount in zip(self.moves, amounts, strict=True) if amount
                ]
                self._receive(fraction)
                self.assertFalse(self._mails(self.tx._btcpay_get_document()))
                self.tx.action_btcpay_accept_partial()
                self.assertEqual(self._get_links(), rest)
                [mail] = self._mails(self.tx._btcpay_get_document())
                text = html2plaintext(str(mail.body)).replace('\xa0', ' ')
                for name, amount in rest:
                    self.assertIn(f'$ {amount}.00', text)
                    self.assertEqual(f'of {name}' in text, len(rest) > 1)
                self._post_process()
                self.assertEqual(self._get_links(), rest)
                for move in self.moves:
                    self.assertIn(
                        "was accepted", html2plaintext(''.join(move.message_ids.mapped('body')))
                    )

    def test_when_the_rest_is_paid_by_its_link_then_nothing_of_the_batch_is_due(self):
        self._receive('0.5')
        self.tx.action_btcpay_accept_partial()
        self._post_process()
        self._assert_due(0, 50)
        rest = self._create_btcpay_transaction(
            reference='rest', amount=50, invoice_ids=[Command.set(self.second.ids)]
        )
        self.world.pay(rest.btcpay_invoice_id)
        self.world.mine()
        self._look(rest)
        self._post_process()
        self._assert_due(0, 0)
        self.assertFalse(self._get_links())
        self.assertFalse(self.moves.activity_ids)

    def test_when_a_late_payment_is_accepted_then_each_invoice_is_paid(self):
        self._receive(late=True)
        self.assertIn("Late payment", self._asked())
        self.tx.action_btcpay_accept_late()
        self._post_process()
        self._assert_due(0, 0)

    def test_when_the_batch_is_overpaid_then_only_the_overpayment_is_refunded(self):
        self._receive('1.2')
        self.assertIn("$ 20.00 more", self._asked())
        self.assertEqual(self.tx._btcpay_get_refund_sums()['overpayment'], 20)
        refund = self.tx._btcpay_request_refund(20)
        self._claim(refund, '20.00')
        self._look(refund)
        self._post_process()
        self._assert_due(0, 0)
        self.assertFalse(self.moves.activity_ids)

    def test_when_an_invoice_of_the_batch_changes_then_the_open_invoice_is_invalidated(self):
        for amount in (70, None):
            self._begin()
            self._change(self.second, amount)
            self._carry_out()
            self.assertEqual(self._status(self.tx), ('Invalid', 'Marked'))

    def _change(self, move, amount):
        """Change what an invoice comes to, or cancel it."""
        move.button_draft()
        if not amount:
            move.button_cancel()
            return
        move.invoice_line_ids.price_unit = amount
        move.action_post()

    def test_when_it_is_paid_though_it_changed_then_a_person_is_told_the_difference(self):
        for amount, told in (
            (70, "came to $ 100.00; it comes to $ 110.00 now, so that $ 10.00 is due"),
            (50, "came to $ 100.00; it comes to $ 90.00 now. Refund $ 10.00"),
            (None, "came to $ 100.00; it comes to $ 40.00 now. Refund $ 60.00"),
        ):
            with self.subTest(amount=amount):
                self._begin()
                self.world.pay(self.tx.btcpay_invoice_id)
                self._look(self.tx)
                self._change(self.second, amount)
                self.world.mine()
                self._look(self.tx)
                self._post_process()
                self.assertIn(told, self._asked())
                document = self.tx._btcpay_get_document()
                mails = ''.join(str(mail.body) for mail in self._mails(document))
                self.assertEqual('amount=10.0' in mails, amount == 70)
