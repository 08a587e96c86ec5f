from contextlib import contextmanager
from unittest.mock import patch

from odoo.fields import Command

from odoo.addons.payment_btcpay.tests.common import BTCPayHttpCommon


class ShopCommon(BTCPayHttpCommon):
    """The customer's way through the shop; where `website_sale` is not installed there is none."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        if cls.env['ir.module.module']._get('website_sale').state != 'installed':
            cls.skipTest(cls, "The shop (module website_sale) is not installed.")
        cls.website = cls.env['website'].get_current_website()
        cls.env.company.country_id = cls.country_belgium
        cls.website.company_id = cls.env.company
        cls.env['website'].search([]).company_id = cls.env.company
        cls.product = cls.env['product.product'].create({
            'name': "Hat of the tests", 'list_price': 100.0, 'taxes_id': [Command.clear()],
            'website_published': True, 'type': 'service', 'sale_ok': True,
        })

    def setUp(self):
        super().setUp()
        partner = self.portal_user.partner_id
        partner.write({
            'street': "Rue de la Loi 1", 'city': "Brussels", 'zip': '1000', 'phone': '+32 1',
            'email': 'shopper@example.com', 'country_id': self.country_belgium.id,
        })
        self.portal_user.password = 'portal_user_password'
        self.authenticate(self.portal_user.login, 'portal_user_password')

    def _fill_cart(self):
        """Put the hat in the cart.

        :return: The order that is the cart.
        """
        self.make_jsonrpc_request('/shop/cart/add', {
            'product_template_id': self.product.product_tmpl_id.id,
            'product_id': self.product.id,
            'quantity': 1,
        })
        self.env.invalidate_all()
        order = self.env['sale.order'].search(
            [('partner_id', '=', self.portal_user.partner_id.id)], limit=1
        )
        self.assertEqual(order.order_line.product_id, self.product)
        return order

    def _discount_lightning(self):
        """Have the shop take less by five per cent for paying by Lightning.

        :return: The payment method.
        """
        methods = self.btcpay.with_context(active_test=False).payment_method_ids
        lightning = methods.filtered(lambda method: method.code == 'btcpay_lightning')
        lightning.active = True
        self.btcpay.sudo().write({
            'btcpay_discount_method_id': lightning.id, 'btcpay_discount_percent': 5,
        })
        return lightning

    def _pay(self, order, **values):
        """Press “Pay now” on the shop's payment page.

        :return: The transaction.
        """
        result = self._press_pay(
            f'/shop/payment/transaction/{order.id}', order,
            landing_route='/shop/payment/validate', is_validation=False, **values,
        )
        self.env.invalidate_all()
        return self._get_tx(result['reference'])

    def _poll(self, tx):
        """What the waiting page does, some time after the last look."""
        tx.btcpay_synced_at = False
        self.env.flush_all()
        result = self.make_jsonrpc_request('/payment/status/poll')
        self.env.invalidate_all()
        return result

    @contextmanager
    def _world_speaks_during_tours(self):
        """Let the server's deliveries reach Odoo as well as the browser's requests."""
        allow_requests = self.allow_requests

        @contextmanager
        def allow_all_requests(browser=None, **_kwargs):
            with allow_requests(browser=browser, all_requests=True):
                yield
                self.world.wait_deliveries(timeout=30)

        with patch.object(self, 'allow_requests', allow_all_requests):
            yield
        self.env.invalidate_all()
