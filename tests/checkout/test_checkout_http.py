from unittest.mock import patch

from werkzeug.urls import url_parse

from odoo.tests import JsonRpcException, tagged
from odoo.tools import mute_logger

from odoo.addons.payment_btcpay import const
from odoo.addons.payment_btcpay.tests.common import BTCPayHttpCommon

CHECKOUT_LOG = 'odoo.addons.payment_btcpay.models.payment_transaction.checkout'


@tagged('post_install', '-at_install')
class TestCheckoutHttp(BTCPayHttpCommon):
    """What a browser may ask for, honest or not."""

    def setUp(self):
        super().setUp()
        self.authenticate(None, None)

    def _pay(self, route='/payment/transaction', headers=None, **values):
        """Press “Pay now”.

        :return: The processing values, and the payloads with which invoices were asked for.
        """
        before = self.world.requests()[-1]['n'] if self.world.requests() else 0
        self.env.flush_all()
        result = self.make_jsonrpc_request(route, {
            **self._prepare_transaction_values(self.payment_method_id, None, 'redirect'),
            'tokenization_requested': False,
            **values,
        }, headers=headers)
        self.env.invalidate_all()
        return result, self._get_posts(before)

    def _get_posts(self, since=0):
        return [
            r['body'] for r in self.world.requests(since)
            if r['method'] == 'POST' and r['path'].endswith('/invoices')
        ]

    def _assert_refused(self, reason, **values):
        with self.assertLogs(CHECKOUT_LOG, 'WARNING') as logs:
            result, posts = self._pay(**values)
        self.assertIn(reason, logs.output[0])
        self.assertFalse(posts)
        self.assertEqual(result['state'], 'error')
        self.assertIn("Nothing was charged", result['state_message'])
        self.assertEqual(self._get_tx(result['reference']).state, 'error')

    def _get_token(self, amount, currency=None):
        return self._generate_test_access_token(
            self.partner.id, amount, (currency or self.currency).id
        )

    # === HONEST === #

    def test_when_pay_now_is_pressed_then_the_browser_is_sent_to_the_invoice(self):
        result, (payload,) = self._pay()
        tx = self._get_tx(result['reference'])
        self.assertEqual(result['state'], 'draft')
        form = self._extract_values_from_html_form(result['redirect_form_html'])
        self.assertEqual(form['action'], tx.btcpay_checkout_link)
        self.assertEqual(payload['amount'], '100.00')
        self.assertEqual(payload['metadata'], {
            'orderId': tx.reference, const.TOKEN_KEY: tx.sudo().btcpay_invoice_token,
        })

    def test_when_paying_on_a_website_then_the_return_address_is_on_that_website(self):
        if self.env['ir.module.module']._get('website_payment').state != 'installed':
            self.skipTest("There are no websites (module website_payment is not installed).")
        for domain, host, scheme in (
            ('https://shop.example.com', 'shop.example.com', 'https'),
            ('https://laden.example.org:8443', 'laden.example.org:8443', 'https'),
            ('https://münchen.example.com', 'xn--mnchen-3ya.example.com', 'https'),
            ('http://plain.example.com', 'plain.example.com', 'https'),
            ('http://192.168.1.5:8069', '192.168.1.5:8069', 'http'),
        ):
            self.env['website'].create({
                'name': host, 'domain': domain, 'company_id': self.btcpay.company_id.id,
            })
            with self.subTest(host=host):
                url = self._get_return_url(host)
                self.assertEqual(
                    (url.scheme, url.netloc, url.path), (scheme, host, const.RETURN_ROUTE)
                )
        # And the webhook's address is not touched by that.
        self.assertEqual(self.btcpay.sudo().btcpay_webhook_url, self.webhook_url)

    def _get_return_url(self, host):
        _result, (payload,) = self._pay(headers={'Host': host})
        return url_parse(payload['checkout']['redirectURL'])

    def test_when_the_request_names_a_foreign_host_then_the_return_address_is_our_own(self):
        for base_url, expected in (
            ('https://odoo.example.com', ('https', 'odoo.example.com')),
            ('http://odoo.example.com', ('https', 'odoo.example.com')),
            ('http://192.168.1.5:8069/', ('http', '192.168.1.5:8069')),
        ):
            self.env['ir.config_parameter'].set_param('web.base.url', base_url)
            for host in ('evil.example.com', 'odoo.example.com.evil.example', 'odoo.example.com'):
                with self.subTest(base_url=base_url, host=host):
                    url = self._get_return_url(host)
                    self.assertEqual(
                        (url.scheme, url.netloc, url.path), (*expected, const.RETURN_ROUTE)
                    )

    def test_when_the_base_url_changed_then_customers_come_back_to_where_the_webhook_is(self):
        self.btcpay.sudo().btcpay_webhook_url = 'https://shop.example.com/payment/btcpay/webhook/1'
        for base_url in ('http://192.168.1.5:8069', 'http://shop.example.com'):
            self.env['ir.config_parameter'].set_param('web.base.url', base_url)
            with self.subTest(base_url=base_url):
                url = self._get_return_url('shop.example.com')
                self.assertEqual((url.scheme, url.netloc), ('https', 'shop.example.com'))

    def test_when_the_server_fails_then_the_customer_is_told_to_try_again(self):
        self.world.fault('status', path='/invoices$')
        with mute_logger(
            f'{CHECKOUT_LOG}_failure', 'odoo.addons.payment_btcpay.models.payment_provider.client',
            'odoo.addons.payment_btcpay.models.payment_provider.health',
        ):
            result, _posts = self._pay()
        self.assertEqual(result['state'], 'error')
        self.assertIn("try again in a few minutes", result['state_message'])
        self.assertEqual(self._get_tx(result['reference']).state, 'error')

    def test_when_pay_now_is_pressed_then_the_server_is_asked_once(self):
        before = self.world.requests()[-1]['n'] if self.world.requests() else 0
        self._pay()
        self.assertEqual(
            [(r['method'], r['path']) for r in self.world.requests(before)],
            [('POST', f'/api/v1/stores/{self.store_id}/invoices')],
        )

    def test_when_the_server_is_slow_then_the_customer_is_told_within_ten_seconds(self):
        providers = self.registry['payment.provider']
        send = providers._btcpay_send_request
        timeouts = []

        def spy(provider, *args, btcpay_timeout, **kwargs):
            timeouts.append(btcpay_timeout)
            return send(provider, *args, btcpay_timeout=btcpay_timeout, **kwargs)

        with patch.object(providers, '_btcpay_send_request', spy):
            self._pay()
        self.assertEqual(timeouts, [const.CHECKOUT_TIMEOUT])
        self.assertLess(const.CHECKOUT_TIMEOUT, 10)

    # === NOT HONEST === #

    @mute_logger('odoo.http')
    def test_when_the_browser_changes_agreed_values_then_no_invoice_is_made(self):
        before = len(self._get_posts())
        for values in (
            {'amount': 1.0}, {'amount': -100.0}, {'currency_id': self.currency_euro.id},
            {'partner_id': self.admin_partner.id},
        ):
            with self.subTest(**values), self.assertRaises(JsonRpcException):
                self._pay(**values)
        self.assertEqual(len(self._get_posts()), before)

    def test_when_the_browser_chooses_the_reference_then_it_is_one_line_that_comes_back(self):
        """Else log lines could be forged, and the server's answer be taken for another invoice's,
        which tells the shop's people that nobody can pay."""
        for prefix, kept in (
            ('a' * 5000, 'a' * const.MAX_REFERENCE_LENGTH),
            ('tx-1\nERROR forged', 'tx-1'),
            ('tx-2\x1b[31m', 'tx-2 [31m'),
            ('tx-<b>3', 'tx-<b>3'),
        ):
            with self.subTest(prefix=prefix[:20]):
                result, (payload,) = self._pay(reference_prefix=prefix)
                self.assertEqual(result['reference'], kept)
                self.assertEqual(payload['metadata']['orderId'], kept)
                self.assertTrue(self._get_tx(kept).btcpay_invoice_id)
                self.assertFalse(self.btcpay.btcpay_checkout_problem)

    def test_when_the_amount_is_negative_then_no_invoice_is_made(self):
        for amount in (-5.0, -0.01):
            self._assert_refused(
                "is not positive", amount=amount, access_token=self._get_token(amount)
            )

    def test_when_the_payment_method_is_of_another_provider_then_no_invoice_is_made(self):
        self._assert_refused(
            "payment method unknown is not offered", payment_method_id=self.pm_unknown.id
        )

    def test_when_the_provider_is_disabled_then_no_invoice_is_made(self):
        self.btcpay.state = 'disabled'
        self._assert_refused("disabled or not connected")

    def test_when_the_direct_flow_is_asked_for_then_no_invoice_is_made(self):
        self._assert_refused("operation online_direct", flow='direct')

    def test_when_a_validation_is_asked_for_then_no_invoice_is_made(self):
        # The framework makes a transaction over 0 of it.
        with self.assertLogs(CHECKOUT_LOG, 'WARNING'), mute_logger('odoo.http'):
            try:
                result, posts = self._pay(is_validation=True)
            except JsonRpcException:
                self.fail("The validation was not refused by us.")
        self.assertFalse(posts)
        self.assertEqual(result['state'], 'error')

    def test_when_the_browser_lowers_the_amount_then_the_order_is_not_confirmed(self):
        """The portal lets the browser choose the amount."""
        order = self._create_order()
        order.require_payment = True
        values = self._prepare_transaction_values(self.payment_method_id, None, 'redirect')
        values = {k: values[k] for k in (
            'provider_id', 'payment_method_id', 'token_id', 'flow', 'is_validation',
            'landing_route',
        )}

        def pay_one():
            result = self.make_jsonrpc_request(f'/my/orders/{order.id}/transaction', {
                **values, 'amount': 1.0, 'access_token': order._portal_ensure_token(),
                'tokenization_requested': False,
            })
            self.env.invalidate_all()
            return self._get_tx(result['reference'])

        tx = pay_one()
        self.assertEqual((tx.state, tx.btcpay_invoice_id), ('cancel', False))
        self.assertIn("is due now", tx.state_message)
        # Where the order was changed right after that was checked.
        with patch.object(type(tx), '_btcpay_find_change', lambda _tx: ''):
            tx = pay_one()
        self.world.pay(tx.btcpay_invoice_id, method='BTC-LN')
        tx._btcpay_sync()
        self.env['payment.transaction'].sudo()._cron_post_process()
        self.assertEqual((tx.state, tx.amount), ('done', 1))
        self.assertEqual(order.amount_paid, 1)
        self.assertNotEqual(order.state, 'sale')
