from odoo.exceptions import AccessError, UserError, ValidationError
from odoo.tests import new_test_user, tagged

from odoo.addons.payment_btcpay.greenfield import PullPayment
from odoo.addons.payment_btcpay.tests.common import BTCPayCommon
from odoo.addons.payment_btcpay.tests.refund.refund_common import RefundMixin


@tagged('post_install', '-at_install')
class TestRefundGuards(RefundMixin, BTCPayCommon):
    """What is refused, and how; and what is of no concern to us."""

    # === THE LINK === #

    def test_when_a_canceled_refund_is_still_being_paid_then_its_link_is_not_sent(self):
        """A claim of before is still being paid, and no other can be made."""
        refund = self._paid()._btcpay_request_refund(50)
        self._cancel_while_being_paid(refund)
        self.assertEqual(refund.state, 'pending')
        self._assert_refused(refund.action_btcpay_send_refund_link, "nothing to claim")

    def test_when_the_link_of_the_server_is_not_a_web_address_then_it_is_not_stored(self):
        refund = self._paid()._btcpay_request_refund(50)
        refund.btcpay_pull_payment_id = False
        refund._btcpay_store_pull_payment(PullPayment.parse({
            'id': 'abc', 'amount': '50.00', 'currency': 'USD', 'viewLink': 'javascript:alert(1)',
        }))
        self.assertFalse(refund.btcpay_refund_link)
        self._assert_refused(refund.action_btcpay_send_refund_link, "nothing to claim")

    # === WHAT PEOPLE READ === #

    def _assert_readable(self, action, kind):
        """Check that a refusal is one of those that Odoo's pages show as a message: they go by the
        class itself, and show an error with its traceback for any other."""
        try:
            action()
        except UserError as error:
            self.env.cr.rollback()
            self.assertIs(type(error), kind)
        else:
            self.fail("It was not refused.")

    def test_when_a_refund_is_refused_then_the_person_reads_a_message(self):
        tx = self._paid()
        wizard = self._open_wizard(tx, scope='amount', amount=50)
        refund = tx._btcpay_request_refund(10)
        self.world.fault('status', path='/refund$', method='POST', status=400, count=None)
        self.world.fault('status', path='/pull-payments/', method='DELETE')
        with self._quiet():
            for action, kind in (
                (lambda: tx.action_refund(amount_to_refund=10), ValidationError),
                (wizard.action_refund, UserError),
                (refund.action_btcpay_cancel_refund, UserError),
            ):
                self._assert_readable(action, kind)

    def test_when_a_figure_is_no_number_then_the_person_reads_a_message(self):
        """Calls of Odoo's API can bring what nobody can type."""
        for name in ('amount', 'fee_percent'):
            for value in ('nan', 'inf', '-inf', '1e300'):
                with self.subTest(name=name, value=value):
                    tx = self._paid()
                    self._assert_readable(lambda name=name, value=value, tx=tx: self._open_wizard(
                        tx, scope='amount', **{'amount': 50, name: float(value)}
                    ).action_refund(), UserError)
                    self.assertFalse(tx.btcpay_refund_ids)

    def test_when_there_is_no_invoice_then_the_wizard_says_that_nothing_was_received(self):
        tx = self._create_btcpay_transaction(make_invoice=False)
        self._assert_refused(tx.action_btcpay_refund, "Nothing was received for")

    # === RIGHTS === #

    def test_when_the_user_is_an_administrator_without_accounting_then_refunds_are_allowed(self):
        admin = new_test_user(self.env, 'refund_admin', 'base.group_system')
        self.assertFalse(admin.has_group('account.group_account_invoice'))
        tx = self.env['payment.transaction'].with_user(admin)
        self.assertTrue(tx._btcpay_may_refund())

    def test_when_the_payment_has_no_order_then_the_refund_group_alone_may_not_refund_it(self):
        self._create_people()
        tx = self._pay_order()
        tx = tx.with_user(self.refunder)
        with self.assertRaises(AccessError):
            tx._btcpay_check_refund_rights()

    # === OF OTHER PROVIDERS, AND OF REFUNDS THEMSELVES === #

    def _paid_otherwise(self):
        tx = self._create_other_transaction(self._create_order())
        tx.provider_id.sudo().support_refund = 'partial'
        tx.payment_method_id.sudo().support_refund = 'partial'
        tx._set_done()
        tx._post_process()
        return tx

    def test_when_a_payment_of_another_provider_is_refunded_then_odoo_does_it_as_ever(self):
        tx = self._paid_otherwise()
        self.assertEqual(tx.payment_id.amount_available_for_refund, 100)
        tx.action_refund(amount_to_refund=30)
        self.assertEqual(tx.child_transaction_ids.mapped('amount'), [-30])
        self.assertFalse(self._pull_payments())

    def test_when_one_of_several_payments_is_refunded_then_only_that_one_is_available(self):
        """Odoo's own wizard refunds one payment: no more than that, and no refund."""
        tx = self._paid(fraction='1.5')
        self.assertEqual(tx._btcpay_get_refund_sums()['available'], 150)
        self.assertEqual(tx.payment_id.amount_available_for_refund, 100)
        refund = tx._btcpay_request_refund(20)
        self._claim(refund)
        refund._btcpay_sync()
        self._post_process()
        self.assertTrue(refund.payment_id)
        self.assertEqual(refund.payment_id.amount_available_for_refund, 0)

    # === CREDIT NOTES === #

    def _credited(self, amount=None, **values):
        """Return a credit note of an invoice, and the transaction that paid the invoice."""
        invoice, tx = self._invoiced()
        return self._credit(invoice, amount, **values), tx

    def test_when_a_credit_note_is_not_posted_any_more_then_its_refund_is_refused(self):
        credit_note, tx = self._credited(40)
        wizard = self._open_wizard(credit_note)
        for change in (credit_note.button_draft, credit_note.button_cancel):
            change()
            self.env.cr.commit()
            self.assertFalse(credit_note.btcpay_can_refund)
            for action in (credit_note.action_btcpay_refund, wizard.action_refund):
                self._assert_refused(action, "posted credit note")
        self.assertFalse(tx.btcpay_refund_ids)
        self.assertFalse(self._pull_payments())

    def test_when_a_refund_is_requested_of_an_invoice_then_it_is_refused(self):
        order = self._create_order()
        tx = self._paid(order)
        order.order_line.qty_delivered = 1
        invoice = order._create_invoices()
        invoice.action_post()
        invoice.line_ids.remove_move_reconcile()
        self.env.cr.commit()
        self.assertEqual(invoice.amount_residual, 100)
        self.assertTrue(tx.btcpay_can_refund)
        self.assertFalse(invoice.btcpay_can_refund)
        self._assert_refused(invoice.action_btcpay_refund, "posted credit note")

    def test_when_the_credit_note_is_in_another_currency_then_its_refund_is_refused(self):
        """Its amounts are none of the payment's."""
        self.currency_euro.active = True
        credit_note, tx = self._credited(40, currency_id=self.currency_euro.id)
        self.assertFalse(credit_note.btcpay_can_refund)
        self._assert_refused(
            lambda: tx._btcpay_request_refund(40, credit_note=credit_note), "credited invoice"
        )

    def test_when_a_credit_note_is_of_more_than_is_left_then_the_wizard_offers_what_is_left(self):
        credit_note, tx = self._credited()
        tx._btcpay_request_refund(70)
        self.assertEqual(self._open_wizard(credit_note).amount, 30)

    def test_when_it_was_refunded_before_its_credit_note_then_it_is_not_refunded_again(self):
        self._add_outstanding_account()
        for is_paid_out in (False, True):
            with self.subTest(is_paid_out=is_paid_out):
                invoice, tx = self._invoiced()
                refund = tx._btcpay_request_refund(40)
                if is_paid_out:
                    self._claim(refund)
                    self._look(refund)
                    self._post_process()
                credit_note = self._credit(invoice, 40)
                self.assertFalse(credit_note.btcpay_can_refund)
                self._assert_refused(
                    lambda tx=tx, credit_note=credit_note: tx._btcpay_request_refund(
                        40, credit_note=credit_note
                    ), "was refunded before there was a credit note",
                )
                other = self._credit(invoice, 30)
                self.assertEqual(other._btcpay_get_refund_amount_due(), 30)
                tx._btcpay_request_refund(30, credit_note=other)
                self.env.invalidate_all()
                self.assertEqual(credit_note._btcpay_get_refund_amount_due(), 0)

    def test_when_what_was_never_invoiced_is_refunded_then_a_credit_note_can_be_refunded(self):
        self._add_outstanding_account()
        order = self._create_order()
        tx = self._paid(order)
        order.order_line.write({'price_unit': 80, 'qty_delivered': 1})
        invoice = order._create_invoices()
        invoice.action_post()
        refund = tx._btcpay_request_refund(20)
        credit_note = self._credit(invoice, 30)
        self.assertEqual(credit_note._btcpay_get_refund_amount_due(), 30)
        self._claim(refund)
        self._look(refund)
        self._post_process()
        self.assertEqual(credit_note._btcpay_get_refund_amount_due(), 30)

    def test_when_that_refund_is_matched_with_its_credit_note_then_another_can_be_refunded(self):
        self._add_outstanding_account()
        invoice, tx = self._invoiced()
        refund = tx._btcpay_request_refund(40)
        self._claim(refund)
        self._look(refund)
        self._post_process()
        (self._credit(invoice, 40) | refund.payment_id.move_id).line_ids.filtered(
            lambda line: line.account_type == 'asset_receivable'
        ).reconcile()
        self.env.cr.commit()
        self.assertEqual(self._open_wizard(self._credit(invoice, 25)).amount, 25)
