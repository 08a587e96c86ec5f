from odoo.fields import Command
from odoo.tests import tagged

from odoo.addons.payment_btcpay.tests.common import BTCPayCommon
from odoo.addons.payment_btcpay.tests.refund.refund_common import RefundMixin


@tagged('post_install', '-at_install')
class TestUnmatchedMoney(RefundMixin, BTCPayCommon):
    """What accountants match otherwise or not at all is not asked for again."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls._add_outstanding_account()
        cls.partner.email = 'customer@example.com'
        cls.env['ir.config_parameter'].sudo().set_param(
            'account_payment.enable_portal_payment', 'True'
        )

    def _due(self, *documents):
        """Return what customers are asked for of each document."""
        self.env.invalidate_all()
        return tuple(document._btcpay_get_amount_due() for document in documents)

    def _receive_for(self, document, fraction='1', amount=None):
        """Have (a part of) what is due of a document paid by its link, and accepted."""
        link = 'sale_order_ids' if document._name == 'sale.order' else 'invoice_ids'
        self.tx = self._create_btcpay_transaction(
            amount=amount or document._btcpay_get_amount_due(), partner_id=self.partner.id,
            reference=self.env['payment.transaction']._compute_reference('btcpay', document.name),
            **{link: [Command.set(document.ids)]},
        )
        self._receive(fraction)
        if fraction != '1':
            self.tx.action_btcpay_accept_partial()
            self._post_process()
        return self.tx

    def _invoice(self, order, **values):
        if order.state != 'sale':
            order.action_confirm()
        order.order_line.filtered(lambda line: not line.is_downpayment).qty_delivered = 1
        invoice = order._create_invoices(final=True)
        invoice.write(values)
        invoice.action_post()
        return invoice

    def _pay_by_bank(self, invoice, amount):
        wizard = self.env['account.payment.register'].with_context(
            active_model='account.move', active_ids=invoice.ids
        ).create({'amount': amount})
        wizard.payment_difference_handling = 'open'
        wizard._create_payments()

    def _unmatch(self, moves):
        moves.line_ids.filtered(
            lambda line: line.account_type == 'asset_receivable'
        ).remove_move_reconcile()
        self.env.cr.commit()

    def test_when_the_payment_of_an_invoice_is_unmatched_then_it_is_not_asked_for_again(self):
        invoice = self._create_invoice()
        tx = self._receive_for(invoice)
        for what in ('remove', 'cancel'):
            with self.subTest(what=what):
                if what == 'remove':
                    self._unmatch(invoice)
                else:
                    tx.payment_id.action_draft()
                    tx.payment_id.action_cancel()
                    tx.payment_id.action_draft()
                    tx.payment_id.action_post()
                self.assertEqual((invoice.amount_residual, *self._due(invoice)), (100, 0))
                self.assertEqual(invoice._btcpay_find_request_obstacle(), "Nothing is due.")
                self.assertFalse(tx._btcpay_get_amount_due_links())
                line = tx.payment_id.move_id.line_ids.filtered(
                    lambda line: line.account_type == 'asset_receivable'
                )
                invoice.js_assign_outstanding_line(line.id)
                self.assertEqual((invoice.amount_residual, *self._due(invoice)), (0, 0))

    def test_when_it_is_matched_with_another_invoice_then_that_one_is_paid(self):
        first, second = self._create_invoice(), self._create_invoice()
        tx = self._receive_for(first)
        self._unmatch(first)
        tx._btcpay_reconcile_invoices(tx.payment_id, second)
        self.assertEqual(self._due(first, second), (100, 0))

    def test_when_unmatched_money_is_refunded_then_that_is_due_again(self):
        invoice = self._create_invoice()
        tx = self._receive_for(invoice)
        self._unmatch(invoice)
        refund = tx._btcpay_request_refund(30)
        self.assertEqual(self._due(invoice), (30,))
        self._claim(refund)
        refund._btcpay_sync()
        self._post_process()
        self.assertEqual(self._due(invoice), (30,))

    def test_when_a_part_is_unmatched_and_the_rest_came_by_bank_then_nothing_is_due(self):
        order = self._create_order()
        tx = self._receive_for(order, '0.4')
        invoice = self._invoice(order)
        self.assertEqual(self._due(order, invoice), (60, 60))
        self._pay_by_bank(invoice, 60)
        self._unmatch(tx.child_transaction_ids.payment_id.move_id)
        self.assertEqual(invoice.amount_residual, 40)
        self.assertEqual(self._due(order, invoice), (0, 0))
        self.assertFalse(tx._btcpay_get_amount_due_links())

    def test_when_all_of_a_down_payment_is_unmatched_then_no_invoice_is_due(self):
        order = self._create_order()
        order.action_confirm()
        down_payment = self._create_down_payment(
            order, advance_payment_method='percentage', amount=30
        )
        down_payment.action_post()
        self._receive_for(down_payment, '0.5')
        final = self._invoice(order)
        self.assertEqual(self._due(order, down_payment, final), (85, 15, 70))
        self._receive_for(order)
        self._unmatch(down_payment)
        self.assertEqual(self._due(order, down_payment, final), (0, 0, 0))

    # === MATCHED BY ITSELF === #

    def _invoice_line(self, line):
        line.qty_delivered = 1
        invoice = line.order_id._create_invoices()
        invoice.action_post()
        return invoice

    def _create_order_of_two(self):
        """Return a confirmed order that is invoiced in two steps."""
        self.product.invoice_policy = 'delivery'
        order = self._create_order(100)
        order.order_line = [Command.create({'product_id': self.product.id, 'price_unit': 50})]
        order.action_confirm()
        return order

    def test_when_a_paid_order_is_invoiced_in_two_steps_then_both_invoices_are_paid(self):
        order = self._create_order_of_two()
        tx = self._receive_for(order)
        moves = self.env['account.move'].union(*map(self._invoice_line, order.order_line))
        self.assertEqual(moves.mapped('amount_residual'), [0, 0])
        self.assertEqual(tx._btcpay_get_open_amount(), 0)

    def test_when_the_journal_has_no_statements_then_the_paid_orders_invoice_is_paid(self):
        """Its payments are paid at once, on the account of the bank itself."""
        lines = self.btcpay.journal_id.inbound_payment_method_line_ids
        lines.payment_account_id = self.btcpay.journal_id.default_account_id
        for fraction, due in (('1', 0), ('0.4', 60)):
            with self.subTest(fraction=fraction):
                order = self._create_order()
                self._receive_for(order, fraction)
                self.assertEqual(self._invoice(order).amount_residual, due)

    def test_when_an_invoiced_order_is_paid_by_its_link_then_its_invoices_are_paid(self):
        order = self._create_order_of_two()
        first = self._invoice_line(order.order_line[0])
        self._receive_for(order, '0.4')
        self.assertEqual(self._due(order, first), (90, 40))
        self.assertEqual(first.amount_residual, 40)
        self._receive_for(order)
        second = self._invoice_line(order.order_line[1])
        self.assertEqual((first | second).mapped('amount_residual'), [0, 0])
        self.assertEqual(self._due(order, first, second), (0, 0, 0))

    def test_when_a_refund_is_under_way_then_what_it_takes_stays_open(self):
        lines = self.btcpay.journal_id.inbound_payment_method_line_ids
        lines.payment_account_id = self.btcpay.journal_id.default_account_id
        order = self._create_order()
        refund = self._receive_for(order)._btcpay_request_refund(40)
        invoice = self._invoice(order)
        self.assertEqual(invoice.amount_residual, 100)
        self._claim(refund)
        refund._btcpay_sync()
        self._post_process()
        self.assertTrue(refund.payment_id.move_id.line_ids.filtered(
            lambda line: line.account_type == 'asset_receivable'
        ).reconciled)

    # === ROUNDED TO CASH === #

    def _round_to_cash(self, method):
        account = self.company_data['default_account_revenue']
        return [self.env['account.cash.rounding'].create({
            'name': strategy, 'rounding': 0.5, 'rounding_method': method, 'strategy': strategy,
            'profit_account_id': account.id, 'loss_account_id': account.id,
        }) for strategy in ('biggest_tax', 'add_invoice_line')]

    def test_when_the_invoice_is_rounded_to_cash_then_the_order_is_due_as_it_is(self):
        tax = self.env['account.tax'].create({'name': "Ten", 'amount': 10})
        for method, total in (('DOWN', 109.5), ('UP', 110)):
            for rounding in self._round_to_cash(method):
                with self.subTest(method=method, strategy=rounding.strategy):
                    order = self._create_order(99.8)
                    order.order_line.tax_ids = tax
                    self._receive_for(order, '0.4')
                    invoice = self._invoice(order, invoice_cash_rounding_id=rounding.id)
                    self.assertEqual(invoice.amount_total, total)
                    rest = order.currency_id.round(total - 43.91)
                    self.assertEqual(self._due(order, invoice), (rest, rest))
                    self._pay_by_bank(invoice, rest)
                    self.assertEqual(self._due(order, invoice), (0, 0))

    def test_when_what_is_rounded_to_cash_is_credited_then_nothing_is_due(self):
        for method in ('DOWN', 'UP'):
            for rounding in self._round_to_cash(method):
                with self.subTest(method=method, strategy=rounding.strategy):
                    order = self._create_order(99.8)
                    order.order_line.tax_ids = self.env['account.tax'].create({
                        'name': f"{method} {rounding.strategy}", 'amount': 10,
                    })
                    invoice = self._invoice(order, invoice_cash_rounding_id=rounding.id)
                    self._credit(invoice)
                    self.assertEqual(self._due(order), (0,))
