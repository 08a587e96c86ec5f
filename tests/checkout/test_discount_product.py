from odoo.tests import tagged

from odoo.addons.payment_btcpay.tests.checkout.methods_common import DiscountMixin
from odoo.addons.payment_btcpay.tests.common import BTCPayCommon


@tagged('post_install', '-at_install')
class TestDiscountProduct(DiscountMixin, BTCPayCommon):
    """Odoo's product for discounts, where ours is the first discount of the shop."""

    def test_when_the_first_discount_is_a_foreigners_then_each_reads_it_in_their_language(self):
        self.env['res.lang']._activate_lang('fr_FR')
        self.env['res.lang']._activate_lang('ja_JP')
        self.partner.lang = 'fr_FR'
        self._see(self._begin(order := self._create_order()), method='BTC-LN')
        product = self._discount_lines(order).product_id
        self.assertTrue(product)
        self.assertEqual(
            [product.with_context(lang=lang).name for lang in ('en_US', 'fr_FR', 'ja_JP')],
            ["Discount", "Remise", "割引"],
        )
