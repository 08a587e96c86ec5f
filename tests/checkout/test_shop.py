from datetime import timedelta

from odoo.tests import JsonRpcException, tagged
from odoo.tools import mute_logger

from odoo.addons.payment_btcpay.tests.checkout.shop_common import ShopCommon


@tagged('post_install', '-at_install')
class TestShop(ShopCommon):

    @mute_logger('odoo.http')
    def test_when_the_amount_was_tampered_with_then_no_transaction_is_made(self):
        order = self._fill_cart()
        before = len(self.world.requests())
        for amount in (1.0, -100.0, 1000.0):
            with self.subTest(amount=amount), self.assertRaises(JsonRpcException):
                self._pay(order, amount=amount)
        self.assertFalse(order.transaction_ids)
        self.assertEqual(len(self.world.requests()), before)

    def test_when_the_payment_fails_then_the_cart_is_kept_and_can_be_paid_again(self):
        order = self._fill_cart()
        self.url_open('/shop/checkout')
        for bring_about, state in [
            (self.world.expire, 'cancel'),
            (lambda invoice_id: self.world.mark(invoice_id, 'Invalid'), 'error'),
        ]:
            with self.subTest(state=state):
                tx = self._pay(order)
                self.url_open('/payment/status')
                bring_about(tx.btcpay_invoice_id)
                with mute_logger('odoo.addons.payment.models.payment_transaction'):
                    values = self._poll(tx)
                self.assertEqual((values['state'], tx.state), (state, state))
                # The page goes where it is told to, and from there back to the order.
                page = self.url_open(values['landing_route'])
                self.assertIn('o_btcpay_payment_failed', page.text)
                self.assertIn('href="/shop/payment"', page.text)
                page = self.url_open('/shop/payment')
                self.assertTrue(page.url.endswith('/shop/payment'), page.url)
                self.assertIn("Hat of the tests", page.text)
        # And it can be paid by a new attempt.
        tx = self._pay(order)
        self.world.pay(tx.btcpay_invoice_id, method='BTC-LN')
        values = self._poll(tx)
        self.assertEqual(
            (values['state'], values['landing_route']), ('done', '/shop/payment/validate')
        )
        self.assertEqual(order.state, 'sale')
        page = self.url_open('/shop/payment/validate')
        self.assertIn('/shop/confirmation', page.url)

    def test_when_a_partial_payment_is_received_then_the_cart_is_closed(self):
        """What is being paid must not change any more."""
        order = self._fill_cart()
        tx = self._pay(order)
        self.world.pay(tx.btcpay_invoice_id, fraction='0.4')
        self.assertEqual(self._poll(tx)['state'], 'pending')
        page = self.url_open('/shop/cart')
        self.assertNotIn("Hat of the tests", page.text)

    def test_when_a_payment_is_late_then_the_cart_is_closed_and_nobody_is_reminded_to_pay(self):
        """What was paid is to be decided on as it is: Odoo mails who has left a cart behind."""
        for fraction in ('1', '0.4'):
            with self.subTest(fraction=fraction):
                order = self._fill_cart()
                tx = self._pay(order)
                self.world.expire(tx.btcpay_invoice_id)
                tx._btcpay_sync()
                order.date_order -= timedelta(days=1)
                self.assertTrue(order.is_abandoned_cart)
                self.assertIn("Hat of the tests", self.url_open('/shop/cart').text)
                self.world.pay(tx.btcpay_invoice_id, fraction=fraction)
                tx._btcpay_sync()
                self.env.invalidate_all()
                self.assertEqual((tx.state, order.state), ('cancel', 'sent'))
                self.assertFalse(order.is_abandoned_cart)
                self.assertNotIn("Hat of the tests", self.url_open('/shop/cart').text)

    def test_when_the_customer_goes_on_from_the_waiting_page_then_no_unpaid_cart_is_emptied(self):
        """Odoo's “Skip” leads to where the cart is dropped, and called canceled."""
        order = self._fill_cart()
        self.url_open('/shop/checkout')
        tx = self._pay(order)
        self.assertIn('href="/shop/payment"', self._get_waiting_page())
        self.assertIn("Hat of the tests", self.url_open('/shop/cart').text)
        self.world.pay(tx.btcpay_invoice_id, fraction='0.4')
        self.assertEqual(self._poll(tx)['state'], 'pending')
        self.assertIn(f'href="/my/orders/{order.id}?', self._get_waiting_page())
        self.world.pay(tx.btcpay_invoice_id, fraction='0.65')
        tx.btcpay_asked_at = False
        self.assertEqual((self._poll(tx)['state'], tx.btcpay_status), ('pending', 'Processing'))
        self.assertIn('href="/shop/payment/validate"', self._get_waiting_page(is_seen=True))
        page = self.url_open('/shop/payment/validate')
        self.assertIn('/shop/confirmation', page.url)
        self.assertIn("We have seen your payment.", page.text)
        self.assertNotIn("waiting for approval", page.text)

    def _get_waiting_page(self, is_seen=False):
        page = self.url_open('/payment/status').text
        self.assertEqual('/shop/payment/validate' in page, is_seen)
        return page

    def test_when_the_cart_is_recomputed_then_only_a_real_change_invalidates_its_invoice(self):
        """Each step of the checkout computes the cart's prices and taxes anew."""
        self.product.taxes_id = self.env['account.tax'].create({
            'name': "Nine", 'amount': 9.25, 'company_id': self.env.company.id,
        })
        order = self._fill_cart()
        self.assertEqual(order.amount_total, 109.25)
        tx = self._pay(order)
        for step in ('/shop/cart', '/shop/checkout', '/shop/payment', '/shop/payment'):
            self.url_open(step)
            self.env.invalidate_all()
            self.env['payment.transaction'].sudo()._cron_btcpay_run_pending_actions()
            self.assertEqual(tx.state, 'draft', f"Invalidated by {step}.")
        self.make_jsonrpc_request('/shop/cart/update', {
            'line_id': order.order_line.id, 'product_id': self.product.id, 'quantity': 2,
        })
        self.env.invalidate_all()
        self.assertEqual(order.amount_total, 218.5)
        self.env['payment.transaction'].sudo()._cron_btcpay_run_pending_actions()
        self.assertEqual(tx.state, 'cancel')
        self.assertIn("Hat of the tests", self.url_open('/shop/cart').text)

    def test_when_a_customer_buys_in_the_shop_then_the_order_is_confirmed_and_paid(self):
        """A customer buys in a browser, up to the confirmed order."""
        self.world.settings(auto_pay='full', auto_mine=True)
        self.addCleanup(self.world.settings, auto_pay=None, auto_mine=False)
        with self._world_speaks_during_tours():
            self.start_tour('/shop', 'payment_btcpay.purchase', login=self.portal_user.login)
        order = self.env['sale.order'].search(
            [('partner_id', '=', self.portal_user.partner_id.id)], limit=1
        )
        self.assertEqual(order.state, 'sale')
        tx = order.transaction_ids
        self.assertEqual((tx.provider_code, tx.state), ('btcpay', 'done'))
        self.assertEqual((order.amount_total, tx.amount, order.amount_paid), (100, 100, 100))
        self.assertTrue(tx.payment_id)
        deliveries = self.env['btcpay.delivery'].search([('transaction_id', '=', tx.id)])
        self.assertIn('InvoiceSettled', deliveries.mapped('event'))
        # Nothing follows from the event that the invoice was made.
        self.assertEqual(set(deliveries.mapped('state')), {'processed', 'ignored'})

    def test_when_lightning_is_down_then_a_customer_pays_with_bitcoin_in_the_same_step(self):
        methods = self.btcpay.with_context(active_test=False).payment_method_ids
        chain = methods.filtered(lambda method: method.code == 'btcpay_chain')
        lightning = methods.filtered(lambda method: method.code == 'btcpay_lightning')
        (chain | lightning).active = True
        self.world.settings(auto_pay='full', auto_mine=True, down='lightning')
        self.addCleanup(self.world.settings, auto_pay=None, auto_mine=False, down=None)
        with self._world_speaks_during_tours(), mute_logger(
            'odoo.addons.payment_btcpay.models.payment_provider.client',
            'odoo.addons.payment_btcpay.models.payment_transaction.checkout_failure',
        ):
            self.start_tour('/shop', 'payment_btcpay.other_method', login=self.portal_user.login)
        order = self.env['sale.order'].search(
            [('partner_id', '=', self.portal_user.partner_id.id)], limit=1
        )
        self.assertEqual((order.state, order.amount_paid), ('sale', 100))
        self.assertEqual(
            [(tx.payment_method_id, tx.state) for tx in order.transaction_ids.sorted('id')],
            [(lightning, 'cancel'), (lightning, 'cancel'), (chain, 'done')],
        )

    def test_when_a_method_has_a_discount_then_the_shop_shows_it_before_it_is_chosen(self):
        lightning = self._discount_lightning()
        order = self._fill_cart()
        self.url_open('/shop/checkout')
        for _time in range(2):
            page = self.url_open('/shop/payment').text.replace('\xa0', ' ')
            self.assertEqual(page.count('name="o_btcpay_discount"'), 1)
            self.assertIn('−5 %', page)
            self.assertIn('You pay $ 95.00', page)
            tx = self._pay(order, payment_method_id=lightning.id)
            self.assertEqual((tx.amount, order.amount_total), (95, 100))
        # Another method, after all.
        other = self._pay(order)
        self.assertEqual((other.amount, order.amount_total), (100, 100))
        self.assertEqual(len(order.order_line), 1)
        self.world.pay(tx.btcpay_invoice_id, method='BTC-LN')
        self._poll(tx)
        tx._btcpay_sync()
        self.env.invalidate_all()
        self.assertEqual((tx.state, order.amount_total), ('done', 95))


@tagged('post_install', '-at_install')
class TestShopOnPhone(ShopCommon):

    browser_size = '360x740'

    def test_when_a_method_has_a_discount_then_its_icon_stays_beside_its_name(self):
        self._discount_lightning()
        self._fill_cart()
        self.browser_js('/shop/payment', """
            const discount = document.querySelector('[name="o_btcpay_discount"]');
            const [name, icon, saved] = [
                ...discount.parentElement.querySelectorAll('label, img'), discount,
            ].map((part) => part.getBoundingClientRect());
            if (icon.top < name.bottom && name.right < icon.left && saved.top >= name.bottom) {
                console.log('test successful');
            } else {
                console.error(JSON.stringify({ name, icon, saved }));
            }
        """, ready="document.readyState === 'complete'", login=self.portal_user.login)
