from unittest.mock import patch

from odoo.fields import Command
from odoo.tests import tagged

from odoo.addons.payment_btcpay.db import RowBusy
from odoo.addons.payment_btcpay.tests.common import BTCPayCommon
from odoo.addons.payment_btcpay.tests.refund.refund_common import RefundMixin


@tagged('post_install', '-at_install')
class TestRefundBooks(RefundMixin, BTCPayCommon):
    """The books: money out only where money came in, and both matched where they are open."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls._add_outstanding_account()

    def _refund_all(self, tx, amount, **values):
        """Refund an amount by the wizard, and pay it out."""
        refund = self._refund_by(self._open_wizard(tx, scope='amount', amount=amount, **values))
        self._claim(refund)
        refund._btcpay_sync()
        self.assertEqual(refund.state, 'done')
        self._post_process()
        return refund

    def _family(self, tx):
        return tx | tx.child_transaction_ids | tx.child_transaction_ids.child_transaction_ids

    def _assert_books(self, tx, received, refunded):
        """Check what is booked of a payment and its refunds."""
        payments = self._family(tx).payment_id
        self.assertTrue(all(payments.mapped('move_id')))
        inbound = payments.filtered(lambda payment: payment.payment_type == 'inbound')
        self.assertEqual(sum(inbound.mapped('amount')), received)
        self.assertEqual(sum((payments - inbound).mapped('amount')), refunded)
        lines = payments.move_id.line_ids
        self.assertEqual(set(lines.mapped('parent_state')), {'posted'})
        self.assertEqual(sum(lines.mapped('balance')), 0)
        at_bank = lines.filtered(lambda line: line.account_id == self.outstanding)
        self.assertEqual(sum(at_bank.mapped('balance')), received - refunded)

    def _receivable(self, *payments):
        return self._receivable_of(self.env['account.payment'].union(*payments).move_id)

    def _receivable_of(self, moves):
        return moves.line_ids.filtered(lambda line: line.account_type == 'asset_receivable')

    def test_when_the_whole_is_refunded_then_payment_and_refund_are_matched_in_full(self):
        tx = self._paid()
        refund = self._refund_all(tx, 100)
        self._assert_books(tx, 100, 100)
        lines = self._receivable(tx.payment_id, refund.payment_id)
        self.assertEqual(lines.mapped('reconciled'), [True, True])
        self.assertTrue(lines[0].full_reconcile_id)
        self.assertEqual(len(lines.full_reconcile_id), 1)

    def test_when_half_is_refunded_twice_then_each_half_is_matched_with_the_payment(self):
        tx = self._paid()
        refund = self._refund_all(tx, 50)
        self._assert_books(tx, 100, 50)
        self.assertTrue(self._receivable(refund.payment_id).reconciled)
        self.assertEqual(self._receivable(tx.payment_id).amount_residual, -50)
        other = self._refund_all(tx, 50)
        self._assert_books(tx, 100, 100)
        self.assertTrue(self._receivable(other.payment_id, tx.payment_id)[0].reconciled)
        self.assertEqual(self._receivable(tx.payment_id).amount_residual, 0)

    def test_when_a_fee_is_kept_then_only_the_rest_is_booked_as_refunded(self):
        tx = self._paid()
        self._refund_all(tx, 100, fee_percent=10)
        self._assert_books(tx, 100, 90)

    # === INVOICES AND CREDIT NOTES === #

    def test_when_the_payment_of_an_invoice_is_refunded_then_the_invoice_stays_paid(self):
        invoice, tx = self._invoiced()
        refund = self._refund_all(tx, 40)
        self._assert_books(tx, 100, 40)
        self.assertEqual(invoice.amount_residual, 0)
        self.assertTrue(self._receivable(tx.payment_id).reconciled)
        # Open until there is a credit note.
        self.assertFalse(self._receivable(refund.payment_id).reconciled)

    def test_when_a_credit_note_is_refunded_then_it_is_paid(self):
        invoice, tx = self._invoiced()
        credit_note = self._credit(invoice, 40)
        self.assertTrue(credit_note.btcpay_can_refund)
        wizard = self._open_wizard(credit_note)
        self.assertEqual((wizard.amount, wizard.scope), (40, 'amount'))
        refund = self._refund_by(wizard)
        self.assertEqual(refund.amount, -40)
        self.assertEqual(refund.btcpay_credit_note_id, credit_note)
        # It is underway.
        self.assertFalse(credit_note.btcpay_can_refund)
        self._claim(refund)
        refund._btcpay_sync()
        self._post_process()
        self.assertEqual(credit_note.amount_residual, 0)
        self.assertIn(credit_note.payment_state, ('paid', 'in_payment'))
        self.assertEqual(invoice.amount_residual, 0)
        self._assert_books(tx, 100, 40)

    def test_when_the_credit_note_of_an_order_is_refunded_then_nothing_of_it_is_due(self):
        order = self._create_order()
        tx = self._paid(order)
        order.order_line.qty_delivered = 1
        invoice = order._create_invoices()
        invoice.action_post()
        (invoice.line_ids | tx.payment_id.move_id.line_ids).filtered(
            lambda line: line.account_type == 'asset_receivable' and not line.reconciled
        ).reconcile()
        credit_note = self._credit(invoice)
        refund = self._refund_by(self._open_wizard(credit_note))
        self.assertEqual(refund.amount, -100)
        self._claim(refund)
        refund._btcpay_sync()
        self._post_process()
        self.assertEqual(credit_note.amount_residual, 0)

    def test_when_a_credit_note_is_refunded_in_part_then_only_its_rest_can_be_refunded(self):
        invoice, tx = self._invoiced()
        credit_note = self._credit(invoice, 40)
        tx._btcpay_request_refund(30, credit_note=credit_note)
        self.assertEqual(self._open_wizard(credit_note).amount, 10)
        self._assert_refused(
            lambda: tx._btcpay_request_refund(11, credit_note=credit_note), "Only"
        )
        self.assertEqual(len(self._pull_payments()), 1)

    def test_when_a_refund_of_a_credit_note_is_stored_then_whoever_began_before_begins_anew(self):
        """The credit note is written when a refund is stored: whoever began before, with another
        payment, has a serialization failure, and does not overlook the refund."""
        invoice, tx = self._invoiced()
        credit_note = self._credit(invoice, 40)
        before = self._row_version(credit_note)
        with patch.object(type(tx), '_btcpay_send_refund', lambda refund, **_kw: None):
            tx._btcpay_request_refund(30, credit_note=credit_note)
        self.assertNotEqual(self._row_version(credit_note), before)
        self.assertEqual(credit_note.btcpay_returned_amount, 30)

    def test_when_the_credit_note_is_of_something_else_then_its_refund_is_refused(self):
        credit_note = self._credit(self._invoiced()[0], 40)
        tx = self._paid()
        self._assert_refused(
            lambda: tx._btcpay_request_refund(40, credit_note=credit_note), "credited invoice"
        )
        self.assertFalse(self._pull_payments())

    def test_when_a_credit_note_was_used_in_part_then_its_amount_due_is_refunded(self):
        invoice, tx = self._invoiced()
        credit_note = self._credit(invoice, 40)
        other = self._create_invoice(10)
        self._receivable_of(credit_note | other).reconcile()
        refund = tx._btcpay_request_refund(20, credit_note=credit_note)
        self.assertEqual(credit_note._btcpay_get_refund_amount_due(), 10)
        self._claim(refund)
        refund._btcpay_sync()
        self._post_process()
        self.assertEqual(credit_note.amount_residual, 10)
        self.assertEqual(credit_note._btcpay_get_refund_amount_due(), 10)
        self._refund_all(tx, 10, credit_note_id=credit_note.id)
        self.assertEqual(credit_note.amount_residual, 0)

    def test_when_the_credited_invoice_was_not_paid_in_bitcoin_then_a_refund_is_refused(self):
        invoice = self._create_invoice()
        self._pay_move(invoice)
        credit_note = self._credit(invoice)
        self.assertFalse(credit_note.btcpay_can_refund)
        self._assert_refused(credit_note.action_btcpay_refund, "No Bitcoin payment")

    def _invoice_elsewhere(self):
        """Return an invoice on a receivable account that is not the customer's any more."""
        own = self.partner.property_account_receivable_id
        self.partner.property_account_receivable_id = self.env['account.account'].create({
            'name': "Foreign customers", 'code': f'{own.code}9',
            'account_type': 'asset_receivable', 'reconcile': True,
        })
        invoice = self._create_invoice()
        self.partner.property_account_receivable_id = own
        return invoice

    def test_when_the_credit_note_is_on_another_receivable_account_then_it_is_paid(self):
        invoice, tx = self._invoiced(self._invoice_elsewhere())
        credit_note = self._credit(invoice, 40)
        refund = self._refund_all(tx, 40, credit_note_id=credit_note.id)
        self.assertEqual((credit_note.amount_residual, invoice.amount_residual), (0, 0))
        other = self._refund_all(tx, 60)
        self.assertEqual(
            (refund | other).payment_id.destination_account_id,
            invoice.line_ids.account_id & tx.payment_id.destination_account_id,
        )

    def test_when_the_invoice_is_on_another_receivable_account_then_what_was_loose_pays_it(self):
        invoice = self._invoice_elsewhere()
        tx = self._create_btcpay_transaction(
            invoice_ids=[Command.set(invoice.ids)], partner_id=self.partner.id,
        )
        self.world.expire(tx.btcpay_invoice_id)
        self.world.pay(tx.btcpay_invoice_id, fraction='0.4')
        self.world.mine()
        tx._btcpay_sync()
        refund = tx._btcpay_request_refund(40)
        self.world.archive_pull_payment(refund.btcpay_pull_payment_id)
        refund._btcpay_sync()
        tx.action_btcpay_accept_partial()
        self._post_process()
        self.assertEqual(invoice.amount_residual, 60)

    # === MONEY THAT IS NOT BOOKED === #

    def _pay_part(self, *fractions, expire=True, late=False):
        order = self._create_order()
        tx = self._create_btcpay_transaction(order)
        if late:
            self.world.expire(tx.btcpay_invoice_id)
        for fraction in fractions:
            self.world.pay(tx.btcpay_invoice_id, fraction=fraction)
        self.world.mine()
        if expire and not late:
            self.world.expire(tx.btcpay_invoice_id)
        tx._btcpay_sync()
        self._post_process()
        return tx

    def test_when_a_partial_payment_of_an_expired_invoice_is_refunded_then_it_is_booked_first(self):
        tx = self._pay_part('0.4')
        self.assertEqual((tx.state, tx.btcpay_paid_amount), ('cancel', 40))
        self.assertFalse(tx.payment_id)
        refund = tx._btcpay_request_refund(40)
        # The receipt is booked first.
        self._assert_books(tx, 40, 0)
        self._claim(refund)
        refund._btcpay_sync()
        self._post_process()
        self._assert_books(tx, 40, 40)
        self.assertTrue(all(self._receivable(self._family(tx).payment_id).mapped('reconciled')))
        self.assertEqual(tx.state, 'cancel')
        self.assertEqual(tx.sale_order_ids.state, 'draft')
        self.assertEqual(tx.sale_order_ids.amount_paid, 0)

    def test_when_a_late_payment_is_refunded_then_both_are_booked_and_the_order_stays_a_draft(self):
        tx = self._pay_part('1', late=True)
        self.assertEqual(tx.btcpay_additional_status, 'PaidLate')
        self._refund_all(tx, 100)
        self._assert_books(tx, 100, 100)
        self.assertEqual(tx.sale_order_ids.state, 'draft')
        self.assertIn("your refund", self._refund_mails(tx.sale_order_ids)[0].subject)

    def test_when_an_accepted_partial_payment_is_refunded_then_the_refund_is_of_its_child(self):
        tx = self._pay_part('0.4')
        tx.action_btcpay_accept_partial()
        self._post_process()
        refund = self._refund_all(tx, 40)
        self.assertEqual(refund.source_transaction_id.source_transaction_id, tx)
        self._assert_books(tx, 40, 40)

    def test_when_an_invalid_invoice_with_money_is_refunded_then_both_are_booked(self):
        tx = self._create_btcpay_transaction(self._create_order())
        self.world.mark(tx.btcpay_invoice_id, 'Invalid')
        self.world.pay(tx.btcpay_invoice_id)
        self.world.mine()
        with self._quiet():
            tx._btcpay_sync()
        self.assertEqual(tx.state, 'error')
        self._refund_all(tx, 100)
        self._assert_books(tx, 100, 100)

    def test_when_an_overpayment_is_refunded_then_what_the_order_was_paid_with_stays(self):
        tx = self._pay_part('1.5', expire=False)
        refund = self._refund_all(tx, 50)
        self._assert_books(tx, 150, 50)
        # What the order was paid with is not touched.
        self.assertEqual(tx.sale_order_ids._btcpay_get_amount_due(), 0)
        self.assertEqual(tx.sale_order_ids.transaction_ids._btcpay_get_net_amount(), 100)
        self.assertEqual(
            self._receivable(refund.payment_id, refund.source_transaction_id.payment_id).mapped(
                'reconciled'
            ), [True, True],
        )
        self.assertIn(refund.reference, ' '.join(
            tx.sale_order_ids.message_ids.mapped('body')
        ))

    def test_when_more_than_the_overpayment_is_refunded_then_the_overpayment_is_used_up_first(self):
        tx = self._pay_part('1.5', expire=False)
        self._refund_all(tx, 80)
        self._assert_books(tx, 150, 80)
        self.assertEqual(tx.sale_order_ids.transaction_ids._btcpay_get_net_amount(), 70)
        self._refund_all(tx, 70)
        self._assert_books(tx, 150, 150)

    def test_when_a_double_payment_is_refunded_then_the_refund_is_matched_with_both_receipts(self):
        tx = self._pay_part('1', '1', expire=False)
        self.assertEqual(tx.btcpay_paid_amount, 195)  # Less the network's fee.
        self._refund_all(tx, 195)
        self._assert_books(tx, 195, 195)
        # With both receipts: that of the order, and that of what was too much.
        self.assertTrue(all(self._receivable(self._family(tx).payment_id).mapped('reconciled')))
        self.assertEqual(tx.sale_order_ids.transaction_ids._btcpay_get_net_amount(), 0)

    def test_when_what_is_not_booked_yet_is_refunded_then_it_is_booked_as_well(self):
        """The framework does not book a transaction that has finished children."""
        tx = self._pay_order(self._create_order())
        self.assertFalse(tx.payment_id)
        self._refund_all(tx, 100)
        self._assert_books(tx, 100, 100)

    def test_when_the_payment_cannot_be_booked_then_no_refund_is_made(self):
        tx = self._pay_order(self._create_order())
        self.patch(type(tx), '_btcpay_try_to_confirm', lambda tx: None)
        with self.assertRaisesRegex(RowBusy, "not booked yet"):
            tx._btcpay_request_refund(100)
        self.assertFalse(self._pull_payments())

    def test_when_a_refund_is_canceled_with_a_part_paid_out_then_it_is_done_with_that_part(self):
        tx = self._paid()
        refund = tx._btcpay_request_refund(50)
        self._claim(refund, '20.00')
        refund._btcpay_sync()  # The server does not list it any more afterwards.
        self.world.archive_pull_payment(refund.btcpay_pull_payment_id)
        refund._btcpay_sync()
        self._post_process()
        self.assertEqual((refund.state, refund.amount), ('done', -20))
        self._assert_books(tx, 100, 20)
        self.assertEqual(tx._btcpay_get_refund_sums()['available'], 80)
        # The next look, e.g. for the event of another claim that was cancelled with it.
        refund._btcpay_sync()
        self.assertEqual((refund.state, refund.btcpay_paid_out_amount), ('done', 20))
        self.assertEqual(tx.btcpay_refunded_amount, 20)
        [mail, _link] = self._refund_mails(tx.sale_order_ids)
        self.assertIn("was paid", mail.subject)
        self.assertIn('20.00', mail.body)

    def test_when_a_refund_with_a_fee_is_canceled_then_the_fee_is_given_up(self):
        tx = self._paid()
        refund = tx._btcpay_request_refund(50, fee_percent='10')
        self._claim(refund, '20.00')
        refund._btcpay_sync()  # The server does not list it any more afterwards.
        self.world.archive_pull_payment(refund.btcpay_pull_payment_id)
        refund._btcpay_sync()
        # The fee is for what was not paid out, too.
        self.assertEqual((refund.amount, refund.btcpay_refund_fee_amount), (-20, 0))
        self.assertEqual(tx._btcpay_get_refund_sums()['available'], 80)
