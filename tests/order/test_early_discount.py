from odoo.fields import Command
from odoo.tests import tagged

from odoo.addons.payment_btcpay.tests.common import BTCPayCommon
from odoo.addons.payment_btcpay.tests.refund.refund_common import RefundMixin


@tagged('post_install', '-at_install')
class TestEarlyDiscount(RefundMixin, BTCPayCommon):
    """Invoices that are cheaper where they are paid early, and what of that is in the books."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.taxes = cls.env['account.tax'].create([
            {'name': f"{amount} %", 'amount': amount} for amount in (10, 20)
        ])

    def _pay_early(self, computation):
        """Return an invoice with two taxes, paid with its discount, and the payment of that."""
        term = self.env['account.payment.term'].create({
            'name': "2 % within 10 days", 'early_discount': True, 'discount_percentage': 2,
            'discount_days': 10, 'early_pay_discount_computation': computation,
        })
        invoice = self._create_invoice(invoice_payment_term_id=term.id, invoice_line_ids=[
            Command.create({
                'product_id': self.product.id, 'price_unit': 100, 'tax_ids': [Command.set(tax.ids)],
            }) for tax in self.taxes
        ])
        self.tx = self._create_btcpay_transaction(
            invoice_ids=[Command.set(invoice.ids)], partner_id=self.partner.id,
            amount=invoice._btcpay_get_amount_due(), reference=invoice.name,
        )
        self._receive()
        return invoice, self.tx.payment_id

    def _items(self, payment):
        """Return what is booked, by account."""
        return sorted(payment.move_id.line_ids.mapped(
            lambda line: (line.account_id.code, line.balance)
        ))

    def test_when_there_are_several_taxes_then_the_discount_of_each_is_booked(self):
        self._add_outstanding_account()
        for computation in ('included', 'excluded', 'mixed'):
            with self.subTest(computation=computation):
                invoice, payment = self._pay_early(computation)
                self.assertLess(payment.amount, invoice.amount_total)
                self.assertEqual(invoice.amount_residual, 0)
                self.assertEqual(invoice._btcpay_get_amount_due(), 0)
                self.assertFalse(self._activities(invoice))

    def test_when_the_payment_is_confirmed_again_then_it_has_its_discount(self):
        for has_account in (True, False):
            self._book_as(has_account)
            for computation in ('included', 'excluded', 'mixed'):
                with self.subTest(has_account=has_account, computation=computation):
                    invoice, payment = self._pay_early(computation)
                    before = self._items(payment)
                    payment.action_draft()
                    payment.action_cancel()
                    self.assertFalse(payment.move_id)
                    payment.action_draft()
                    payment.action_post()
                    self.assertEqual(self._items(payment), before)
                    self.assertEqual(invoice._btcpay_get_amount_due(), 0)
                    self.tx._btcpay_reconcile_invoices(payment, invoice)
                    self.assertEqual(invoice.amount_residual, 0)
