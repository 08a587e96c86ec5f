from odoo.fields import Command
from odoo.tests import tagged

from odoo.addons.payment_btcpay.tests.common import BTCPayCommon
from odoo.addons.payment_btcpay.tests.refund.refund_common import RefundMixin


@tagged('post_install', '-at_install')
class TestChangedCurrency(RefundMixin, BTCPayCommon):
    """The currency of an order or invoice is changed after something was paid of it."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.yen = cls.env.ref('base.JPY')
        cls.yen.active = True
        company = cls.env.company.currency_id
        for currency, rate in ((cls.currency, 1), (cls.yen, 150)):
            if currency != company:
                cls.env['res.currency.rate'].create({
                    'currency_id': currency.id, 'rate': rate, 'name': '2020-01-01',
                    'company_id': cls.env.company.id,
                })

    def _pay(self, document, amount):
        link = 'sale_order_ids' if document._name == 'sale.order' else 'invoice_ids'
        self.tx = self._create_btcpay_transaction(
            amount=amount, partner_id=self.partner.id,
            reference=self.env['payment.transaction']._compute_reference('btcpay', document.name),
            **{link: [Command.set(document.ids)]},
        )
        self._receive()

    def _change(self, document):
        """Change the currency and, at its rate, the price."""
        self.rate = self.currency._convert(1000, self.yen, self.env.company) / 1000
        lines = document[
            'order_line' if document._name == 'sale.order' else 'invoice_line_ids'
        ]
        document.currency_id = self.yen
        lines.price_unit = 100 * self.rate

    def _due(self, document):
        self.env.invalidate_all()
        return self.yen.round(document._btcpay_get_amount_due() / self.rate)

    def test_when_an_order_is_in_another_currency_then_the_rest_is_due_in_that(self):
        for has_entries in (True, False):
            with self.subTest(has_entries=has_entries):
                self._book_as(has_entries)
                order = self._create_order()
                self._pay(order, 40)
                self._change(order)
                self.assertEqual(self._due(order), 60)
                [link] = self.tx._btcpay_get_amount_due_links()
                self.assertEqual(link['amount'], 60 * self.rate)
                order.order_line.qty_delivered = 1
                invoice = order._create_invoices()
                invoice.action_post()
                self.assertEqual((self._due(order), self._due(invoice)), (60, 60))

    def test_when_an_invoice_is_in_another_currency_then_what_is_paid_is_not_due_again(self):
        for has_entries in (True, False):
            with self.subTest(has_entries=has_entries):
                self._book_as(has_entries)
                invoice = self._create_invoice()
                self._pay(invoice, 100)
                invoice.button_draft()
                self._change(invoice)
                invoice.action_post()
                self.assertEqual(self._due(invoice), 0)
                invoice.line_ids.remove_move_reconcile()
                self.assertEqual(self._due(invoice), 0)
