from odoo.fields import Command
from odoo.tests import tagged

from odoo.addons.payment_btcpay.tests.checkout.methods_common import DiscountMixin
from odoo.addons.payment_btcpay.tests.common import BTCPayCommon


@tagged('post_install', '-at_install')
class TestDiscountRounding(DiscountMixin, BTCPayCommon):
    """An order of which the lines of the discount take another amount than they come to."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.tax_6, cls.tax_21 = cls.env['account.tax'].create([
            {'name': str(percent), 'amount': percent, 'company_id': cls.company.id}
            for percent in (6, 21)
        ])

    def _assert_discounted(self, lines, total, asked, **values):
        """Check that an order comes to what was paid, and so does its invoice."""
        order = self._create_order(require_payment=True, order_line=[Command.create({
            'product_id': self.product.id, 'price_unit': price, 'product_uom_qty': quantity,
            'discount': percent, 'tax_ids': [Command.set(tax.ids)],
        }) for price, quantity, percent, tax in lines], **values)
        self.assertEqual(order.amount_total, total)
        tx = self._begin(order)
        self.assertEqual(tx.amount, asked)
        self._see(tx, method='BTC-LN')
        self._post_process()
        self.assertEqual((tx.state, order.state), ('done', 'sale'))
        self.assertEqual((order.amount_total, tx.payment_id.amount), (asked, asked))
        self.assertTrue(all(line.price_total < 0 for line in self._discount_lines(order)))
        move = order._create_invoices()
        move.action_post()
        self.assertEqual((move.amount_total, move.amount_residual), (asked, 0))
        self.assertFalse(order.activity_ids or tx.btcpay_review_note)

    def test_when_taxes_are_rounded_globally_then_the_order_comes_to_what_was_paid(self):
        self.company.tax_calculation_rounding_method = 'round_globally'
        no_tax = self.env['account.tax']
        for lines, total, asked in [
            ([(55.75, 3, 0, no_tax), (28.76, 2, 10, self.tax_6)], 222.13, 211.02),
            ([
                (58.19, 8, 10, no_tax), (43.85, 3, 0, self.tax_21), (54.73, 1, 33.3, self.tax_21),
            ], 622.31, 591.19),
        ]:
            with self.subTest(total=total):
                self._assert_discounted(lines, total, asked)

    def test_when_taxes_are_less_for_who_pays_early_then_the_order_comes_to_what_was_paid(self):
        term = self.env['account.payment.term'].create({
            'name': "2/7 net 30", 'early_discount': True, 'discount_percentage': 2,
            'discount_days': 7, 'early_pay_discount_computation': 'mixed',
            'line_ids': [Command.create({
                'value': 'percent', 'value_amount': 100, 'nb_days': 30,
            })],
        })
        self._assert_discounted(
            [(12345.67, 1, 0, self.tax_21)], 14886.41, 14142.09, payment_term_id=term.id
        )
