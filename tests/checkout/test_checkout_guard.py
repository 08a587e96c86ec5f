from datetime import timedelta

from odoo import fields
from odoo.fields import Command
from odoo.tests import tagged

from odoo.addons.payment_btcpay import const
from odoo.addons.payment_btcpay.tests.common import BTCPayHttpCommon
from odoo.addons.payment_btcpay.tests.money_common import MoneyMixin


@tagged('-at_install', 'post_install')
class TestCheckoutGuard(MoneyMixin, BTCPayHttpCommon):
    """The pay page was opened earlier: what is asked for is what is due now."""

    def _pay(self, order=None, amount=None, **values):
        """Press “Pay” on a page that was opened before."""
        tx = self._create_btcpay_transaction(order, amount=amount, make_invoice=False, **values)
        before = len(self._get_new_invoices())
        values = tx._get_processing_values()
        self.made = len(self._get_new_invoices()) - before
        return tx, values

    def _get_new_invoices(self):
        return [
            r for r in self.world.requests()
            if r['method'] == 'POST' and r['path'].endswith('/invoices')
        ]

    def _assert_canceled(self, tx, values, message):
        self.assertEqual((tx.state, self.made), ('cancel', 0))
        self.assertIn(message, tx.state_message.replace('\xa0', ' '))
        form = self._extract_values_from_html_form(values['redirect_form_html'])
        self.assertEqual(form['action'], '/payment/status')

    def test_when_the_order_was_lowered_then_no_invoice_is_made(self):
        order = self._create_order(80)
        self._assert_canceled(
            *self._pay(order, amount=100), "$ 80.00 is due now, not $ 100.00. Nothing was charged."
        )

    def test_when_the_order_was_emptied_then_it_is_not_called_paid(self):
        order = self._create_order()
        order.order_line.unlink()
        self._assert_canceled(
            *self._pay(order, amount=100), "$ 0.00 is due now, not $ 100.00. Nothing was charged."
        )

    def test_when_the_order_was_raised_then_no_invoice_is_made(self):
        order = self._create_order(120, require_payment=True, prepayment_percent=1)
        self._assert_canceled(*self._pay(order, amount=100), "$ 120.00 is due now, not $ 100.00.")

    def test_when_a_down_payment_is_enough_then_the_invoice_is_made(self):
        order = self._create_order(120, require_payment=True, prepayment_percent=0.5)
        tx, _values = self._pay(order, amount=60)
        self.assertEqual((tx.state, self.made), ('draft', 1))

    def test_when_the_order_was_canceled_then_no_invoice_is_made(self):
        order = self._create_order()
        order._action_cancel()
        self._assert_canceled(*self._pay(order), f"{order.name} was canceled. Nothing was charged.")

    def test_when_the_quotation_expired_then_no_invoice_is_made(self):
        order = self._create_order(validity_date=fields.Date.today() - timedelta(days=1))
        self._assert_canceled(*self._pay(order), "has expired. Nothing was charged.")

    def test_when_the_order_was_paid_then_no_invoice_is_made(self):
        order = self._create_order()
        self._set_done(self._create_other_transaction(order))
        self._assert_canceled(*self._pay(order), "is already paid. Nothing was charged.")

    def test_when_the_invoice_was_partly_paid_by_bank_then_the_rest_is_named(self):
        move = self._create_invoice(100)
        self.env['account.payment.register'].with_context(
            active_model='account.move', active_ids=move.ids
        ).create({'amount': 60})._create_payments()
        self._assert_canceled(*self._pay(
            amount=100, reference='bank', invoice_ids=[Command.set(move.ids)]
        ), "$ 40.00 is due now, not $ 100.00.")

    def test_when_the_invoice_is_paid_by_installments_then_each_can_be_paid(self):
        move = self._create_invoice(100)
        tx, _values = self._pay(
            amount=30, reference='installment', invoice_ids=[Command.set(move.ids)]
        )
        self.assertEqual((tx.state, self.made), ('draft', 1))

    # === PRESSING BACK AFTER PAYING === #

    def test_when_a_payment_was_seen_then_the_customer_is_shown_it(self):
        order = self._create_order()
        seen = self._pay_order(order, mine=False)
        tx, values = self._pay(order)
        self._assert_canceled(
            tx, values, "Your payment of $ 100.00 was seen and waits for confirmation."
        )
        self.assertEqual(tx.btcpay_seen_transaction_id, seen)
        self.assertFalse(seen.btcpay_review_note)

    def test_when_a_part_was_received_then_the_amount_due_is_paid_there(self):
        order = self._create_order()
        seen = self._create_btcpay_transaction(order)
        self.world.pay(seen.btcpay_invoice_id, fraction='0.4')
        seen._btcpay_sync()
        self._assert_canceled(*self._pay(order), "Pay the amount due, $ 60.00, there.")

    def test_when_nothing_was_seen_then_the_second_tab_gets_its_invoice(self):
        order = self._create_order()
        self._create_btcpay_transaction(order)
        tx, _values = self._pay(order)
        self.assertEqual((tx.state, self.made), ('draft', 1))

    def _pay_in_browser(self, order, **values):
        """Press “Pay” on the order's page."""
        self.env.cr.commit()
        result = self._press_pay(f'/my/orders/{order.id}/transaction', order, **values)
        self.env.invalidate_all()
        return self._get_tx(result['reference'])

    def test_when_the_first_tabs_payment_arrives_then_no_page_asks_for_it_again(self):
        for method, state, invalidate in (
            ('BTC-CHAIN', 'pending', False), ('BTC-LN', 'done', False), ('BTC-LN', 'done', True),
        ):
            with self.subTest(method=method, invalidate=invalidate):
                order = self._create_order()
                self.authenticate(None, None)
                first, second = self._pay_in_browser(order), self._pay_in_browser(order)
                self.world.pay(first.btcpay_invoice_id, method=method)
                first._btcpay_sync()
                if invalidate:
                    self._carry_out()
                    self.assertEqual(second.state, 'cancel')
                self.env.flush_all()
                page = self.url_open('/payment/status').text
                self.assertNotIn(second.btcpay_checkout_link, page)
                self.assertNotIn("not made", page)
                self.assertEqual("We have seen your payment." in page, state == 'pending')
                self.env.flush_all()
                values = self.make_jsonrpc_request('/payment/status/poll')
                self.env.invalidate_all()
                self.assertEqual(values['state'], state)
                self.assertEqual(order.state, 'sale' if state == 'done' else 'sent')

    def test_when_the_payment_that_arrives_leads_elsewhere_then_nobody_is_led_there(self):
        """Whoever pays an order says where to go on to, and others may pay it as well."""
        for landing_route, expected in (
            ('javascript:alert(1)', '/alert(1)'), (' java\tscript:alert(1)', '/alert(1)'),
            ('https://evil.example/a?b=1', '/a?b=1'), ('//evil.example', '/'),
            ('/\\evil.example', '/evil.example'), ('/\t/evil.example/a', '/a'), ('http://[', ''),
            ('/my/orders/1?access_token=a', '/my/orders/1?access_token=a'),
        ):
            with self.subTest(landing_route):
                order = self._create_order()
                self.authenticate(None, None)
                first = self._pay_in_browser(order, landing_route=landing_route)
                self.authenticate(None, None)
                self._pay_in_browser(order)
                self.world.pay(first.btcpay_invoice_id, method='BTC-LN')
                first._btcpay_sync()
                self.env.flush_all()
                values = self.make_jsonrpc_request('/payment/status/poll')
                self.env.invalidate_all()
                self.assertEqual(values['landing_route'] or '', expected)

    def test_when_the_rest_is_paid_then_its_own_payment_is_shown(self):
        order = self._create_order(require_payment=True, prepayment_percent=0.4)
        self.authenticate(None, None)
        first = self._pay_in_browser(order, amount=40)
        self.world.pay(first.btcpay_invoice_id, method='BTC-LN')
        self._look(first)
        self._post_process()
        self.assertEqual((order.state, order.amount_paid), ('sale', 40))
        second = self._pay_in_browser(order, amount=60)
        self.env.flush_all()
        self.assertIn(second.btcpay_checkout_link, self.url_open('/payment/status').text)

    def test_when_the_page_speaks_another_language_then_so_do_its_scripts_and_the_checkout(self):
        self.env['res.lang']._activate_lang('fr_FR')
        self.btcpay.sudo().btcpay_languages = 'en fr-FR'
        self.authenticate(None, None)
        for lang, language in (('fr_FR', 'fr-FR'), ('xx_XX', 'en'), ('', 'en')):
            self.opener.cookies.set('frontend_lang', lang)
            with self.subTest(lang=lang):
                self._pay_in_browser(self._create_order())
                checkout = self._get_new_invoices()[-1]['body']['checkout']
                self.assertEqual(checkout['defaultLanguage'], language)
        words = self.url_open('/website/translations?hash=&lang=fr_FR').json()
        self.assertIn('payment_btcpay', words.get('modules', words))

    def test_when_the_customer_pays_again_all_the_same_then_it_takes_a_second_step(self):
        order = self._create_order()
        self._pay_order(order, mine=False)
        self.authenticate(None, None)
        self.assertEqual(self._pay_in_browser(order).state, 'cancel')
        page = self.url_open('/payment/status').text
        self.assertIn("Show that payment", page)
        self.assertIn("Pay again all the same", page)
        token = page.split('name="csrf_token" value="')[1].split('"')[0]
        response = self.url_open(
            const.PAY_AGAIN_ROUTE, data={'csrf_token': token}, allow_redirects=False
        )
        self.assertIn(f'/my/orders/{order.id}', response.headers['Location'])
        tx = self._pay_in_browser(order)
        self.assertEqual((tx.state, tx.btcpay_is_repeated), ('draft', True))
        self.assertTrue(tx.btcpay_invoice_id)

    def test_when_nobody_was_told_then_there_is_nothing_to_pay_again(self):
        order = self._create_order()
        self.authenticate(None, None)
        self._pay_in_browser(order)
        page = self.url_open('/my').text
        token = page.split('csrf_token: "')[1].split('"')[0] if 'csrf_token: "' in page else ''
        response = self.url_open(
            const.PAY_AGAIN_ROUTE, data={'csrf_token': token}, allow_redirects=False
        )
        self.assertIn(response.status_code, (303, 302))
        self.assertTrue(response.headers['Location'].endswith('/payment/status'))
