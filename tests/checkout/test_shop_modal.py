from odoo.tests import tagged

from odoo.addons.payment_btcpay.tests.checkout.shop_common import ShopCommon


@tagged('post_install', '-at_install')
class TestShopModal(ShopCommon):

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.btcpay.btcpay_checkout_mode = 'modal'

    def test_when_the_modal_is_closed_then_the_cart_is_as_it_was(self):
        self.world.settings(auto_close=True)
        self.addCleanup(self.world.settings, auto_close=False)
        self.dummy_provider.state = 'enabled'
        order = self._fill_cart()
        self.start_tour(
            '/shop/payment', 'payment_btcpay.modal_closed_on_page',
            login=self.portal_user.login,
        )
        self.env.invalidate_all()
        self.assertEqual((order.state, order.transaction_ids.state), ('draft', 'draft'))
        self.assertIn("Hat of the tests", self.url_open('/shop/cart').text)

    def test_when_the_customer_signs_up_in_the_checkout_then_the_modal_opens_and_is_paid(self):
        self.website.write({'account_on_checkout': 'mandatory', 'auth_signup_uninvited': 'b2c'})
        self.world.settings(auto_pay='lightning')
        self.addCleanup(self.world.settings, auto_pay=None)
        self.start_tour('/shop', 'payment_btcpay.modal_signup')
        self.env.invalidate_all()
        user = self.env['res.users'].search([('login', '=', 'newcomer@example.com')])
        order = self.env['sale.order'].search([('partner_id', '=', user.partner_id.id)])
        tx = order.transaction_ids
        self.assertEqual((order.state, tx.state, order.amount_paid), ('sale', 'done', 100))
        paths = [(r['path'], r['query']) for r in self.world.requests()]
        self.assertIn(('/invoice', f'id={tx.btcpay_invoice_id}&view=modal'), paths)
        self.assertNotIn(f'/i/{tx.btcpay_invoice_id}', dict(paths))
