from datetime import timedelta
from unittest.mock import patch

from lxml import html

from odoo import fields
from odoo.tests import tagged
from odoo.tools import mute_logger

from odoo.addons.payment_btcpay import const
from odoo.addons.payment_btcpay.tests.common import BTCPayHttpCommon

SYNCHRONIZE_LOG = 'odoo.addons.payment_btcpay.models.payment_transaction.pages'
REQUEST_LOG = 'odoo.addons.payment_btcpay.models.payment_provider.client'


@tagged('post_install', '-at_install')
class TestReturnPage(BTCPayHttpCommon):
    """What the customer sees who comes back, and what coming back does."""

    def setUp(self):
        super().setUp()
        self.authenticate(None, None)

    def _return(self, ref=None, **params):
        """Open the return page as the server's checkout page has the browser do.

        :return: The response, and the number of questions that were asked of the server.
        """
        before = self._last_request()
        self.env.flush_all()
        response = self.url_open(
            const.RETURN_ROUTE, params={'ref': ref, **params} if ref is not None else params,
            allow_redirects=False,
        )
        self.env.invalidate_all()
        return response, len(self.world.requests(before))

    def _last_request(self):
        return self.world.requests()[-1]['n']

    def _start_payment(self, **values):
        """Begin a payment as a visitor does, whose session then has the transaction.

        :return: The transaction.
        """
        with mute_logger(REQUEST_LOG):
            processing_values = self._portal_transaction(**{
                **self._prepare_transaction_values(self.payment_method_id, None, 'redirect'),
                'tokenization_requested': False,
                **values,
            })
        self.env.invalidate_all()
        return self._get_tx(processing_values['reference'])

    def _let_time_pass(self, tx):
        """As if the last look were some time ago."""
        tx.btcpay_synced_at = fields.Datetime.now() - timedelta(seconds=const.SYNC_INTERVAL + 1)
        tx.btcpay_asked_at = tx.btcpay_asked_at and tx.btcpay_synced_at
        self.env.flush_all()

    def _get_progress(self, page):
        """Return what the page says it shows."""
        return html.fromstring(page).xpath('//div[@name="o_btcpay_waiting"]/@data-progress')[0]

    def _poll(self):
        result = self.make_jsonrpc_request('/payment/status/poll')
        self.env.invalidate_all()
        return result

    # === RETURN === #

    def test_when_a_customer_returns_after_paying_then_the_payment_is_synced_to_done(self):
        tx = self._create_btcpay_transaction(self._create_order())
        self.world.pay(tx.btcpay_invoice_id, method='BTC-LN')
        self._let_time_pass(tx)
        response, questions = self._return(tx.reference)
        self.assertEqual(response.status_code, 303)
        self.assertURLEqual(response.headers['Location'], '/payment/status')
        self.assertTrue(questions)
        self.assertEqual(tx.state, 'done')

    def test_when_the_reference_has_special_characters_then_the_redirect_finds_the_payment(self):
        """The reference survives the way through the server's redirection."""
        tx = self._create_btcpay_transaction(reference='S1/2 ä&b?c=d#e+f%')
        self.world.pay(tx.btcpay_invoice_id, method='BTC-LN')
        self._let_time_pass(tx)
        url = self.world.invoice(tx.btcpay_invoice_id)['checkout']['redirectURL']
        self.url_open(url, allow_redirects=False)
        self.env.invalidate_all()
        self.assertEqual(tx.state, 'done')

    def test_when_the_address_claims_a_payment_then_it_is_not_believed(self):
        tx = self._create_btcpay_transaction(self._create_order())
        self._let_time_pass(tx)
        self._return(tx.reference, status='Settled', state='done', invoiceId='x', amount='100')
        self.assertEqual((tx.state, tx.btcpay_status), ('draft', 'New'))

    def test_when_the_reference_is_unknown_then_the_server_is_not_asked(self):
        other_ref = self._create_transaction(
            'redirect', reference='other-provider', provider_id=self.dummy_provider.id,
            payment_method_id=self.pm_unknown.id,
        ).reference
        for ref in (None, '', 'unknown', 'a\0b', '\0', '%', "' OR 1=1 --", 'x' * 5000, other_ref):
            with self.subTest(ref=ref and ref[:20]):
                response, questions = self._return(ref)
                self.assertEqual((response.status_code, questions), (303, 0))

    def test_when_the_reference_is_a_file_then_the_server_is_not_asked(self):
        before = self._last_request()
        response = self.opener.request(
            'GET', f'{self.base_url()}{const.RETURN_ROUTE}', files={'ref': b'a'},
            allow_redirects=False, timeout=30,
        )
        self.assertEqual(response.status_code, 303)
        self.assertFalse(self.world.requests(before))

    def test_when_the_page_is_opened_again_at_once_then_the_server_is_not_asked_again(self):
        tx = self._create_btcpay_transaction(self._create_order())
        self._let_time_pass(tx)
        self.assertEqual(self._return(tx.reference)[1], 1)
        self.assertEqual(self._return(tx.reference)[1], 0, "The server was asked again at once.")
        self._let_time_pass(tx)
        self.assertEqual(self._return(tx.reference)[1], 1)

    def test_when_the_state_is_final_then_the_server_is_not_asked(self):
        for set_state in ('_set_done', '_set_canceled', '_set_error'):
            tx = self._create_btcpay_transaction(self._create_order())
            getattr(tx, set_state)(state_message='…')
            self._let_time_pass(tx)
            self.assertEqual(self._return(tx.reference)[1], 0)

    def test_when_the_server_does_not_answer_then_the_customer_is_redirected_all_the_same(self):
        tx = self._create_btcpay_transaction(self._create_order())
        self._let_time_pass(tx)
        self.world.fault('status', path='/invoices/')
        with mute_logger(REQUEST_LOG), self.assertLogs(SYNCHRONIZE_LOG, 'WARNING') as logs:
            response, _questions = self._return(tx.reference)
        self.assertEqual(response.status_code, 303)
        self.assertIn(tx.reference, logs.output[0])
        self.assertEqual(tx.state, 'draft')

    def test_when_the_return_page_syncs_then_it_waits_only_briefly(self):
        """No browser waits for as long as the scheduled action does."""
        tx = self._create_btcpay_transaction(self._create_order())
        self._let_time_pass(tx)
        with patch.object(type(tx), '_btcpay_sync') as synchronize:
            self._return(tx.reference)
        self.assertEqual(synchronize.call_args.kwargs['timeout'], const.SHORT_TIMEOUT)

    def test_when_another_browser_returns_then_it_is_told_the_payment_is_on_its_way(self):
        """Who pays by phone comes back with another browser."""
        tx = self._create_btcpay_transaction(self._create_order())
        response = self.url_open(f'{const.RETURN_ROUTE}?ref={tx.reference}')
        self.assertEqual(response.status_code, 200)
        self.assertIn("Your payment is on its way!", response.text)

    def test_when_the_customer_returns_then_no_session_cookie_is_set(self):
        """A customer whose browser sends no cookie here keeps their session."""
        tx = self._create_btcpay_transaction(self._create_order())
        response, _questions = self._return(tx.reference)
        self.assertNotIn('session_id', response.headers.get('Set-Cookie', ''))

    def test_when_two_orders_are_paid_in_two_tabs_then_each_return_shows_its_own_payment(self):
        orders = [self._create_order() for _tab in range(2)]
        txs = []
        for order in orders:
            values = self._press_pay(f'/my/orders/{order.id}/transaction', order)
            self.env.invalidate_all()
            txs.append(self._get_tx(values['reference']))
        self.world.pay(txs[0].btcpay_invoice_id, method='BTC-LN')
        for tx, state in zip([*txs, txs[0]], ('done', 'draft', 'done'), strict=True):
            with self.subTest(tx=tx.reference, state=state):
                self._let_time_pass(tx)
                self._return(tx.reference)
                page = self.url_open('/payment/status').text
                self.assertIn(tx.reference, page)
                self.assertEqual("No payment has been seen yet." in page, state == 'draft')
                self.assertEqual(self._poll()['state'], state)
        self.assertEqual([order.state for order in orders], ['sale', 'draft'])
        # Another browser is shown neither.
        self.authenticate(None, None)
        self._return(txs[0].reference)
        self.assertNotIn(txs[0].reference, self.url_open('/payment/status').text)

    def test_when_another_provider_was_tried_in_a_second_tab_then_ours_is_shown_on_return(self):
        order = self._create_order()
        route = f'/my/orders/{order.id}/transaction'
        tx = self._get_tx(self._press_pay(route, order)['reference'])
        other = self._press_pay(
            route, order, provider_id=self.dummy_provider.id,
            payment_method_id=self.dummy_provider.payment_method_ids[:1].id,
        )
        self.world.pay(tx.btcpay_invoice_id, method='BTC-LN')
        self._let_time_pass(tx)
        self._return(tx.reference)
        self.assertNotIn(other['reference'], self.url_open('/payment/status').text)
        self.assertEqual(self._poll()['provider_code'], 'btcpay')
        self.assertEqual(order.state, 'sale')

    def test_when_a_newer_payment_is_for_the_same_then_the_older_ones_return_leaves_it_shown(self):
        order = self._create_order()
        older, newer = (
            self._get_tx(self._press_pay(f'/my/orders/{order.id}/transaction', order)['reference'])
            for _tab in range(2)
        )
        self._return(older.reference)
        page = self.url_open('/payment/status').text
        self.assertIn(newer.btcpay_checkout_link, page)

    # === STATUS PAGE === #

    def test_when_the_waiting_page_polls_then_it_follows_the_payment_to_done(self):
        tx = self._start_payment()
        page = self.url_open('/payment/status').text
        self.assertIn('o_payment_status', page)
        self.assertIn("No payment has been seen yet.", page)
        self.assertIn(tx.btcpay_checkout_link, page)
        self.assertEqual(self._get_progress(page), self._poll()['btcpay_progress'])
        self._let_time_pass(tx)
        self.world.pay(tx.btcpay_invoice_id)
        values = self._poll()
        self.assertEqual(values['state'], 'pending')
        self.assertNotEqual(self._get_progress(page), values['btcpay_progress'])  # It reloads.
        page = self.url_open('/payment/status').text
        self.assertEqual(self._get_progress(page), values['btcpay_progress'])
        self.assertIn("We have seen your payment.", page)
        self.assertNotIn(tx.btcpay_checkout_link, page)
        self._let_time_pass(tx)
        self.world.mine()
        self.assertEqual(self._poll()['state'], 'done')
        self.assertEqual(tx.state, 'done')
        self.assertTrue(tx.is_post_processed)

    def test_when_a_partial_payment_was_synced_then_the_waiting_page_asks_for_the_amount_due(self):
        tx = self._start_payment()
        self.world.pay(tx.btcpay_invoice_id, fraction='0.4')
        tx._btcpay_sync()
        page = html.fromstring(self.url_open('/payment/status').text)
        page = ' '.join(page.text_content().split())
        self.assertIn("Your payment is not complete", page)
        self.assertIn("Please pay the amount due, $", page)
        self.assertIn("Pay the amount due", page)
        self.assertNotIn("has been processed", page)

    def test_when_the_payment_is_of_another_provider_then_polling_asks_the_server_nothing(self):
        before = self._last_request()
        values = self._prepare_transaction_values(self.pm_unknown.id, None, 'redirect')
        self._portal_transaction(**{
            **values, 'provider_id': self.dummy_provider.id, 'tokenization_requested': False,
        })
        self.assertEqual(self._poll()['provider_code'], 'none')
        self.assertFalse(self.world.requests(before))

    def test_when_a_partial_payment_is_polled_then_the_page_links_to_pay_the_amount_due(self):
        tx = self._start_payment()
        self.world.pay(tx.btcpay_invoice_id, fraction='0.4')
        self._let_time_pass(tx)
        self._poll()
        page = self.url_open('/payment/status').text
        self.assertIn("60.00", page)
        self.assertIn("Please pay the amount due", page)
        self.assertIn(tx.btcpay_checkout_link, page)

    def test_when_the_payment_fails_then_the_status_page_stays_and_links_back(self):
        for bring_about, state in [
            (self.world.expire, 'cancel'),
            (lambda invoice_id: self.world.mark(invoice_id, 'Invalid'), 'error'),
        ]:
            with self.subTest(state=state):
                tx = self._start_payment(landing_route='/my/somewhere')
                bring_about(tx.btcpay_invoice_id)
                self._let_time_pass(tx)
                values = self._poll()
                self.assertEqual(
                    (values['state'], values['landing_route']), (state, '/payment/status')
                )
                page = self.url_open('/payment/status').text
                self.assertIn('o_btcpay_payment_failed', page)
                self.assertNotIn('name="o_payment_status"', page)  # Which polls, and leaves.
                self.assertIn('href="/my/somewhere', page)
                self.assertNotIn(tx.btcpay_checkout_link, page)

    def test_when_a_landing_route_is_set_or_not_then_the_retry_address_follows_from_it(self):
        tx = self._create_btcpay_transaction(make_invoice=False)
        for landing_route, expected in [
            ('/shop/payment/validate', '/shop/payment'), ('/my/orders/7?x=y', '/my/orders/7?x=y'),
            (False, '/my/home'),
        ]:
            tx.landing_route = landing_route
            self.assertEqual(tx._btcpay_get_retry_url(), expected)
