from odoo.fields import Command
from odoo.tests import tagged

from odoo.addons.payment_btcpay.tests.common import BTCPayCommon
from odoo.addons.payment_btcpay.tests.money_common import MoneyMixin


@tagged('post_install', '-at_install')
class TestCashRounding(MoneyMixin, BTCPayCommon):
    """What was rounded to cash stays so, where not all of it was paid to the cent before."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.rounding = cls.env['account.cash.rounding'].create({
            'name': "Five cents", 'rounding': 0.05, 'strategy': 'add_invoice_line',
            'profit_account_id': cls.company_data['default_account_revenue'].id,
            'loss_account_id': cls.company_data['default_account_expense'].id,
        })

    def test_when_a_rounded_invoice_is_paid_and_credited_then_the_credit_note_is_rounded_too(self):
        order = self._create_order(99.77)
        order.action_confirm()
        invoice = order._create_invoices()
        invoice.invoice_cash_rounding_id = self.rounding
        invoice.action_post()
        self.assertEqual(invoice.amount_total, 99.75)
        tx = self._create_btcpay_transaction(order)
        self.world.pay(tx.btcpay_invoice_id)
        self.world.mine()
        self._look(tx)
        self._post_process()
        self.assertTrue(order._btcpay_is_all_paid())
        credit_note = invoice._reverse_moves()
        credit_note.action_post()
        self.assertEqual(credit_note.invoice_cash_rounding_id, self.rounding)
        self.assertEqual(credit_note.amount_total, 99.75)

    def test_when_an_invoice_has_more_than_what_was_paid_then_it_is_rounded(self):
        order = self._create_order(99.77)
        tx = self._create_btcpay_transaction(order)
        self.world.pay(tx.btcpay_invoice_id)
        self.world.mine()
        self._look(tx)
        self._post_process()
        invoice = order._create_invoices()
        invoice.write({
            'invoice_cash_rounding_id': self.rounding.id,
            'invoice_line_ids': [Command.create({
                'product_id': self.product.id, 'price_unit': 10, 'tax_ids': [Command.clear()],
            })],
        })
        invoice.action_post()
        self.assertEqual((invoice.amount_total, invoice.amount_residual), (109.75, 9.98))
