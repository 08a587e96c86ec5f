from odoo.tests import tagged

from odoo.addons.payment_btcpay.tests.checkout.shop_common import ShopCommon
from odoo.addons.payment_btcpay.tests.money_common import MoneyMixin


@tagged('post_install', '-at_install')
class TestShopOtherWay(MoneyMixin, ShopCommon):
    """On a phone a customer chooses the discounted Lightning, and then pays in another way."""

    browser_size = '360x740'
    touch_enabled = True

    def setUp(self):
        super().setUp()
        self.world.settings(auto_close=True)
        self.addCleanup(self.world.settings, auto_close=False)
        self.lightning = self._discount_lightning()
        self.env['payment.provider'].search([
            ('custom_mode', '=', 'wire_transfer'), ('company_id', '=', self.env.company.id),
        ]).write({'state': 'enabled', 'is_published': True})

    def _pay_otherwise(self, tour, times=1):
        """Have that done in a browser, and the wire transfer be found on the bank's statement.

        :param int times: How often Lightning is chosen before.
        """
        order = self._fill_cart()
        fields = ['product_id', 'name', 'product_uom_qty', 'price_unit', 'discount', 'price_total']
        lines = order.order_line.read(fields)
        self.start_tour(
            '/shop/checkout?try_skip_step=true', f'payment_btcpay.{tour}',
            login=self.portal_user.login,
        )
        self.env.invalidate_all()
        *begun, other = order.transaction_ids.sorted('id')
        self.assertEqual(
            [(tx.payment_method_id, tx.amount) for tx in begun], times * [(self.lightning, 95)]
        )
        self.assertEqual((other.provider_code, other.amount), ('custom', 100))
        self._carry_out()  # Nobody is to pay the invoices any more.
        self.assertEqual(
            [(tx.state, tx.btcpay_status) for tx in begun], times * [('cancel', 'Invalid')]
        )
        self._set_done(other)
        order.action_confirm()
        self.assertEqual(order.order_line.read(fields), lines)
        self.assertRecordValues(
            order, [{'state': 'sale', 'amount_total': 100, 'amount_paid': 100}]
        )
        self.assertFalse(order.activity_ids)

    def test_when_the_modal_is_closed_then_no_discount_is_left(self):
        self.btcpay.btcpay_checkout_mode = 'modal'
        self._pay_otherwise('discount_then_other_way')

    def test_when_two_tabs_were_redirected_then_no_discount_is_left(self):
        self._pay_otherwise('discount_in_two_tabs_then_other_way', times=2)
