from odoo.exceptions import ValidationError
from odoo.fields import Command
from odoo.tests import tagged

from odoo.addons.payment_btcpay.tests.common import BTCPayCommon
from odoo.addons.payment_btcpay.tests.refund.refund_common import RefundMixin


@tagged('post_install', '-at_install')
class TestUnderpaid(RefundMixin, BTCPayCommon):
    """96 of 100 is paid for the server, by the store's tolerance: the books take what came in, and
    what is missing stays open or is written off."""

    store_settings = {'paymentTolerance': 5}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls._add_outstanding_account()
        cls.losses = cls.env['account.account'].create({
            'name': "Underpaid bitcoin", 'code': 'BTCLOSS', 'account_type': 'expense',
        })

    def _set_policy(self, policy):
        self.btcpay.write({
            'btcpay_underpaid_policy': policy, 'btcpay_write_off_account_id': self.losses.id,
        })

    def _pay_short(self, fraction='0.96', order=None, **values):
        """Have a part of what is asked for paid, in time."""
        self.order = order or self._create_order(require_payment=True, prepayment_percent=1.0)
        self.tx = self._create_btcpay_transaction(self.order, **values)
        self.world.pay(self.tx.btcpay_invoice_id, fraction=fraction)
        self.world.mine()
        self._catch_up()

    def _catch_up(self):
        self._look(self.tx)
        self._carry_out()
        self._post_process()
        self.env.invalidate_all()

    def _invoice_order(self, order):
        """Return the posted invoice of an order, paid by what the order was paid by."""
        order.order_line.qty_delivered = 1
        invoice = order._create_invoices()
        invoice.action_post()
        (invoice.line_ids | self.tx.payment_id.move_id.line_ids).filtered(
            lambda line: line.account_type == 'asset_receivable' and not line.reconciled
        ).reconcile()
        return invoice

    def _refund(self, amount, **values):
        """Refund an amount, and pay it out."""
        refund = self.tx._btcpay_request_refund(amount, **values)
        self._claim(refund)
        refund._btcpay_sync()
        self.assertEqual(refund.state, 'done')
        self._post_process()
        self.env.invalidate_all()
        return refund

    def _books(self):
        """Return what the books say: what came in, what is written off, what the customer has paid.
        """
        lines = self.env['account.move.line'].search([
            ('payment_id.payment_transaction_id', 'in', (
                self.tx | self.tx.child_transaction_ids
                | self.tx.child_transaction_ids.child_transaction_ids
            ).ids),
            ('parent_state', '=', 'posted'),
        ])
        at = {
            account: sum(lines.filtered_domain([('account_id', '=', account.id)]).mapped('balance'))
            for account in (self.outstanding, self.losses)
        }
        receivable = lines.filtered(lambda line: line.account_type == 'asset_receivable')
        return at[self.outstanding], at[self.losses], -sum(receivable.mapped('balance'))

    def _due(self, document):
        """Return what is due, whether Odoo's page would take it or not."""
        return self.tx._btcpay_get_amount_due(document)

    # === WHAT IS BOOKED === #

    def test_when_settled_short_then_the_books_take_what_came_in_or_write_off_the_rest(self):
        for policy, losses, paid, due, words in (
            ('received', 0, 96, 4, "$ 4.00 is missing and stays open"),
            ('write_off', 4, 100, 0, "$ 4.00 is missing and is written off"),
        ):
            with self.subTest(policy=policy):
                self._set_policy(policy)
                self._pay_short()
                self.assertEqual(self._status(self.tx), ('Settled', 'None'))
                self.assertEqual((self.tx.state, self.order.state), ('done', 'sale'))
                self.assertEqual(self.order.amount_paid, 100)
                self.assertEqual(self.tx.payment_id.amount, 96)
                self.assertEqual(self._books(), (96, losses, paid))
                self.assertEqual(self._due(self.order), due)
                self.assertEqual(self.order.btcpay_status_text, "Paid, underpaid")
                self.assertIn(words, self._notes(self.order))
                self.assertFalse(self.order.activity_ids)
                invoice = self._invoice_order(self.order)
                self.assertEqual(invoice.amount_residual, due)
                self.assertEqual(self._due(self.order), due)

    def test_when_an_invoice_is_paid_short_then_the_rest_is_open_or_written_off(self):
        for policy, losses, paid, due in (('received', 0, 96, 4), ('write_off', 4, 100, 0)):
            with self.subTest(policy=policy):
                self._set_policy(policy)
                invoice = self._pay_invoice_short()
                self.assertEqual(invoice.amount_residual, due)
                self.assertEqual(self._books(), (96, losses, paid))
                self.assertEqual(self._due(invoice), due)

    def test_when_the_currency_is_foreign_then_the_write_off_is_in_both_currencies(self):
        self._set_policy('write_off')
        euro = self.env.ref('base.EUR')
        euro.active = True
        self.env['res.currency.rate'].create({
            'name': '2020-01-01', 'currency_id': euro.id, 'rate': 0.5,
            'company_id': self.env.company.id,
        })
        self.assertEqual(self.env.company.currency_id, self.currency_usd)
        order = self._create_order(currency_id=euro.id)
        self._pay_short(order=order, currency_id=euro.id)
        self.assertEqual(self.tx.payment_id.amount, 96)
        line = self.tx.payment_id.move_id.line_ids.filtered_domain([
            ('account_id', '=', self.losses.id),
        ])
        self.assertEqual((line.amount_currency, line.balance, line.currency_id), (4, 8, euro))
        self.assertEqual(self._books(), (192, 8, 200))

    def _pay_invoice_short(self):
        invoice = self._create_invoice()
        self.tx = self._create_btcpay_transaction(
            invoice_ids=[Command.set(invoice.ids)], partner_id=self.partner.id,
            reference=invoice.name,
        )
        self.world.pay(self.tx.btcpay_invoice_id, fraction='0.96')
        self.world.mine()
        self._catch_up()
        return invoice

    def test_when_payments_have_no_entries_then_what_is_written_off_has_one(self):
        self._set_policy('write_off')
        self._book_without_entries()
        invoice = self._pay_invoice_short()
        self.assertEqual(self._books()[1:], (4, 100))
        self.assertEqual((invoice.amount_residual, self._due(invoice)), (0, 0))
        self.tx.payment_id.action_validate()
        self.assertEqual((invoice.payment_state, self._due(invoice)), ('in_payment', 0))
        self._pay_short('1')
        self.assertFalse(self.tx.payment_id.move_id)

    def test_when_the_payment_is_canceled_and_confirmed_again_then_it_is_written_off_again(self):
        self._set_policy('write_off')
        invoice = self._pay_invoice_short()
        payment = self.tx.payment_id
        payment.action_draft()
        payment.action_cancel()
        self.assertEqual(self._books(), (0, 0, 0))
        payment.action_draft()
        payment.action_post()
        self.assertEqual(self._books(), (96, 4, 100))
        self.tx._btcpay_reconcile_invoices(payment, invoice)
        self.assertEqual((invoice.amount_residual, self._due(invoice)), (0, 0))
        self._refund(96)
        self.assertEqual(self._books(), (0, 0, 0))

    def test_when_nothing_is_missing_then_the_setting_changes_nothing(self):
        self._set_policy('write_off')
        self._pay_short('1')
        self.assertEqual(self._books(), (100, 0, 100))
        self.assertEqual(self.order.btcpay_status_text, "Paid")

    # === GIVEN BACK === #

    def test_when_all_is_credited_and_refunded_then_the_books_balance(self):
        for policy in ('received', 'write_off'):
            for parts in ((96,), (50, 46)):
                with self.subTest(policy=policy, parts=parts):
                    self._set_policy(policy)
                    self._pay_short()
                    invoice = self._invoice_order(self.order)
                    credit_note = self._credit(invoice)
                    for part in parts:
                        self._refund(part, credit_note=credit_note)
                    self.assertEqual(self._books(), (0, 0, 0))
                    self.assertFalse(self.tx.btcpay_can_refund)
                    self.assertEqual(credit_note.amount_residual, 0)
                    self.assertEqual(invoice.amount_residual, 0)

    def test_when_refunded_then_what_was_written_off_is_taken_back_with_the_last_of_it(self):
        self._set_policy('write_off')
        self._pay_short()
        self._refund(50)
        self.assertEqual(self._books(), (46, 4, 50))
        self.assertEqual(self._due(self.order), 50)
        self._refund(46)
        self.assertEqual(self._books(), (0, 0, 0))
        self.assertEqual(self._due(self.order), 100)

    # === LATE, ACCEPTED, MARKED === #

    def test_when_late_and_short_within_tolerance_is_accepted_then_it_is_booked_as_in_time(self):
        for policy, books in (('received', (96, 0, 96)), ('write_off', (96, 4, 100))):
            for steps in ((), ('refund', 'cancel')):
                with self.subTest(policy=policy, steps=steps):
                    self._set_policy(policy)
                    self.order = self._create_order(require_payment=True, prepayment_percent=1.0)
                    self.tx = self._create_btcpay_transaction(self.order)
                    self.world.expire(self.tx.btcpay_invoice_id)
                    self.world.pay(self.tx.btcpay_invoice_id, fraction='0.96')
                    self.world.mine()
                    self._catch_up()
                    if steps:
                        refund = self.tx._btcpay_request_refund(96)
                        self.world.archive_pull_payment(refund.btcpay_pull_payment_id)
                        refund._btcpay_sync()
                    self.tx.action_btcpay_accept_late()
                    self._catch_up()
                    self._catch_up()
                    self.assertEqual(self._books(), books)
                    self.assertEqual((self.order.state, self.order.amount_paid), ('sale', 100))
                    self.assertEqual(self.order.btcpay_status_text, "Paid late, underpaid")
                    self.assertFalse(self.order.activity_ids)
                    self._refund(96)
                    self.assertEqual(self._books(), (0, 0, 0))

    def test_when_parts_within_tolerance_are_given_back_then_all_of_it_is_due_again(self):
        """Accepted in two parts: what is given back is what came in, not what it counted for."""
        for policy, books in (('received', (96, 0, 96)), ('write_off', (96, 4, 100))):
            with self.subTest(policy=policy):
                self._set_policy(policy)
                self._settle_in_parts()
                self.assertEqual(self._books(), books)
                self.assertEqual((self.order.state, self.order.amount_paid), ('sale', 100))
                self._refund(46)
                self.assertEqual(self.tx._btcpay_get_accounted_amount(), books[2] - 46)
                self.assertEqual(self._due(self.order), 100 - (books[2] - 46))
                self._refund(50)
                self._catch_up()
                self.assertEqual(self._books(), (0, 0, 0))
                self.assertEqual(self.tx._btcpay_get_accounted_amount(), 0)
                self.assertEqual(self._due(self.order), 100)

    def test_when_what_was_settled_in_parts_is_marked_invalid_then_a_person_is_told(self):
        for policy, booked in (('received', 96), ('write_off', 100)):
            with self.subTest(policy=policy):
                self._set_policy(policy)
                self._settle_in_parts()
                self.assertFalse(self.order.activity_ids)
                self.world.mark(self.tx.btcpay_invoice_id, 'Invalid')
                self._catch_up()
                [asked] = self._activities(self.order).replace('\xa0', ' ').splitlines()
                self.assertIn(f"$ {booked}.00 of the payment {self.tx.reference} is booked", asked)
                self.assertIn("now “Invalid” at the BTCPay Server, with $ 96.00 received", asked)
                self.assertEqual(self.order.state, 'sale')
                self.assertEqual(self._books()[0], 96)
                self.assertEqual(
                    self.order.btcpay_status_text, "Marked as invalid by the merchant"
                )
                activity = self.order.activity_ids
                self._catch_up()
                self.assertEqual(self.order.activity_ids, activity)
                self.world.mark(self.tx.btcpay_invoice_id, 'Settled')
                self._catch_up()
                self.assertFalse(self.order.activity_ids)

    def test_when_what_is_invalid_already_is_accepted_in_part_then_that_is_no_news(self):
        self.order = self._create_order(require_payment=True, prepayment_percent=1.0)
        self.tx = self._create_btcpay_transaction(self.order)
        self.world.pay(self.tx.btcpay_invoice_id, fraction='0.4')
        self.world.mark(self.tx.btcpay_invoice_id, 'Invalid')
        self.world.mine()
        self._catch_up()
        self.assertIn("is invalid at the BTCPay Server", self._activities(self.order))
        self.tx.action_btcpay_accept_partial()
        self._catch_up()
        self.assertEqual(self._books(), (40, 0, 40))
        self.assertFalse(self.order.activity_ids)

    def _settle_in_parts(self):
        """Have 50 accepted of what expired, and 46 more settled by the store's tolerance."""
        self.order = self._create_order(require_payment=True, prepayment_percent=1.0)
        self.tx = self._create_btcpay_transaction(self.order)
        self.world.pay(self.tx.btcpay_invoice_id, fraction='0.5')
        self.world.mine()
        self.world.expire(self.tx.btcpay_invoice_id)
        self._catch_up()
        self.tx.action_btcpay_accept_partial()
        self._catch_up()
        # 51.00, of which 5.00 are the network's fee of a second payment.
        self.world.pay(self.tx.btcpay_invoice_id, amount='0.00102')
        self.world.mine()
        self._catch_up()
        self.assertEqual(self.tx.btcpay_paid_amount, 96)
        self.tx.action_btcpay_accept_late()
        self._catch_up()
        self._catch_up()

    def test_when_the_merchant_marks_it_settled_then_what_was_received_counts(self):
        self._set_policy('write_off')
        for fraction, received in (('0.96', 96), ('0.4', 40), (None, 0)):
            with self.subTest(received=received):
                self.order = self._create_order(require_payment=True, prepayment_percent=1.0)
                self.tx = self._create_btcpay_transaction(self.order)
                self.world.expire(self.tx.btcpay_invoice_id)
                if fraction:
                    self.world.pay(self.tx.btcpay_invoice_id, fraction=fraction)
                    self.world.mine()
                    self._catch_up()
                self.world.mark(self.tx.btcpay_invoice_id, 'Settled')
                self._catch_up()
                self.assertEqual((self.tx.state, self.order.state), ('done', 'sale'))
                self.assertEqual(self._books(), (received, 0, received))
                self.assertEqual(self._due(self.order), 100 - received)
                self.assertEqual(self.order.btcpay_status_text, "Marked as paid by the merchant")

    def test_when_the_rest_comes_after_all_then_it_is_booked_and_the_write_off_taken_back(self):
        for policy in ('received', 'write_off'):
            for is_marked in (False, True):
                with self.subTest(policy=policy, is_marked=is_marked):
                    self._set_policy(policy)
                    if is_marked:
                        self.order = self._create_order()
                        self.tx = self._create_btcpay_transaction(self.order)
                        self.world.mark(self.tx.btcpay_invoice_id, 'Settled')
                        self._catch_up()
                        self.assertEqual(self._books(), (0, 0, 0))
                        self.world.pay(self.tx.btcpay_invoice_id, method='BTC-LN', fraction='1')
                    else:
                        self._pay_short()
                        self.world.pay(self.tx.btcpay_invoice_id, method='BTC-LN', fraction='0.04')
                    self._catch_up()
                    self._catch_up()
                    self.assertEqual(self.tx.btcpay_paid_amount, 100)
                    self.assertEqual(self._books(), (100, 0, 100))
                    self.assertEqual(self._due(self.order), 0)
                    self.assertEqual(self.order.amount_paid, 100)
                    self.assertFalse(self.order.activity_ids)
                    self._refund(100)
                    self.assertEqual(self._books(), (0, 0, 0))

    # === THE SETTING === #

    def test_when_differences_are_written_off_then_the_companys_account_is_proposed(self):
        company = self.btcpay.company_id
        company.default_cash_difference_expense_account_id = False
        with self.assertRaises(ValidationError), self.cr.savepoint():
            self.btcpay.btcpay_underpaid_policy = 'write_off'
        company.default_cash_difference_expense_account_id = self.losses
        self.btcpay.btcpay_underpaid_policy = 'write_off'
        self.assertEqual(self.btcpay.btcpay_write_off_account_id, self.losses)
        self.assertEqual(self.btcpay.copy().btcpay_underpaid_policy, 'received')
