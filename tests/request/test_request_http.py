import html
from unittest.mock import patch
from urllib.parse import urlsplit

from lxml import etree

from odoo.http import root
from odoo.tests import tagged
from odoo.tools import mute_logger

from odoo.addons.payment_btcpay.controllers import payment_request
from odoo.addons.payment_btcpay.controllers.payment_request import SESSION_KEY
from odoo.addons.payment_btcpay.tests.common import BTCPayHttpCommon
from odoo.addons.payment_btcpay.tests.request.request_common import RequestMixin


@tagged('post_install', '-at_install')
class TestRequestHttp(RequestMixin, BTCPayHttpCommon):
    """The customer opens the link by which a Bitcoin payment was requested."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.dummy_provider.write({'state': 'test', 'is_published': True})

    def _request(self, document, **values):
        """Ask for a payment.

        :return: The link in the mail.
        """
        self._send(self._open_request(document, **values))
        mail = document.message_ids.filtered(lambda m: self.partner in m.partner_ids)[0]
        return next(
            url for url in html.unescape(str(mail.body)).split('"') if url.startswith('http')
        )

    def _open(self, url, **params):
        self.env.flush_all()
        response = self._make_http_get_request(url, params=params)
        self.assertEqual(response.status_code, 200)
        return self._get_payment_context(response)

    def _get_text(self, url):
        self.env.invalidate_all()
        response = self._make_http_get_request(url)
        self.assertEqual(response.status_code, 200)
        return response.text

    def _press(self, context, provider=None, **values):
        """Press the page's button.

        :return: The answer.
        :rtype: dict
        """
        provider = provider or self.btcpay
        return self.url_open(context['transaction_route'], json={'params': {
            'provider_id': provider.id,
            'payment_method_id': provider.payment_method_ids[:1].id,
            'token_id': None,
            'amount': context['amount'],
            'flow': 'redirect',
            'tokenization_requested': False,
            'landing_route': context['landing_route'],
            'access_token': context['access_token'],
            **values,
        }}).json()

    def _pay(self, *args, **values):
        """Press the page's button.

        :return: The transaction.
        """
        answer = self._press(*args, **values)
        self.assertIn('result', answer)
        self.env.invalidate_all()
        return self._get_tx(answer['result']['reference'])

    def _assert_refused(self, *args, **values):
        """Check that what the page does not offer is not taken."""
        count = self.env['payment.transaction'].search_count([])
        with mute_logger('odoo.http'):
            answer = self._press(*args, **values)
        self.assertIn("A Bitcoin payment was requested", answer['error']['data']['message'])
        self.assertEqual(self.env['payment.transaction'].search_count([]), count)

    def _assert_offers_all(self, context):
        methods = self.payment_method | self.dummy_provider.payment_method_ids[:1]
        self.assertLessEqual(set(methods.ids), set(context['payment_method_ids']))

    def _settle(self, tx):
        self.world.pay(tx.btcpay_invoice_id)
        self.world.mine()
        self._look(tx)
        self._post_process()

    # === ORDERS === #

    def test_when_a_quotations_link_is_paid_then_the_order_is_confirmed(self):
        order = self._create_order()
        url = self._request(order)
        context = self._open(url)
        self.assertEqual(context['amount'], 100)
        self.assertEqual(context['payment_method_ids'], self.payment_method.ids)
        # The invoice is made when they pay, and not when the page is opened.
        self.assertFalse(order.transaction_ids)
        tx = self._pay(context)
        self.assertTrue(tx.btcpay_invoice_id)
        self.assertEqual(tx.amount, 100)
        self._settle(tx)
        self.assertRecordValues(order, [{
            'state': 'sale', 'btcpay_received_amount': 100, 'btcpay_status_text': "Paid",
        }])

    def test_when_a_down_payments_link_is_paid_then_the_order_is_confirmed(self):
        order = self._create_order(require_payment=True, prepayment_percent=0.3)
        tx = self._pay(self._open(self._request(order, amount_type='down_payment')))
        self.assertEqual(tx.amount, 30)
        self._settle(tx)
        self.assertRecordValues(order, [{'state': 'sale', 'amount_paid': 30}])

    def test_when_the_quotation_became_dearer_then_its_links_ask_for_what_is_due_now(self):
        order = self._create_order(require_payment=True, require_signature=False)
        url = self._request(order)
        order.order_line.price_unit = 120
        self.assertEqual(self._open(url)['amount'], 120)
        tx = self._pay(self._open(url))
        self.world.pay(tx.btcpay_invoice_id, fraction='0.5')
        self.world.mine()
        self.world.expire(tx.btcpay_invoice_id)
        self._look(tx)
        tx.action_btcpay_accept_partial()
        self._post_process()
        [link] = tx._btcpay_get_amount_due_links()
        self.assertEqual(self._open(link['url'])['amount'], 60)
        order.order_line.price_unit = 150
        for each in (link['url'], url):
            self.assertEqual(self._open(each)['amount'], 90)
        self.assertEqual(self._pay(self._open(url)).btcpay_asked_amount, 90)

    def test_when_a_chosen_amount_is_requested_then_the_link_charges_exactly_that(self):
        order = self._create_order()
        order.action_confirm()
        tx = self._pay(self._open(self._request(order, amount_type='amount', amount=12.34)))
        self.assertEqual(tx.amount, 12.34)

    def test_when_part_was_paid_otherwise_then_the_link_asks_for_the_amount_due(self):
        """Odoo's page refuses less than the whole prepayment, paid or not."""
        order = self._create_order(require_payment=True, prepayment_percent=1.0)
        self._create_other_transaction(order, amount=40)._set_done()
        self.env.invalidate_all()
        context = self._open(self._request(order))
        self.assertEqual(context['amount'], 60)
        self._settle(self._pay(context))
        self.assertEqual(order.state, 'sale')

    def test_when_bitcoin_was_requested_then_another_provider_is_refused(self):
        order = self._create_order()
        url = self._request(order)
        context = self._open(url)
        self._assert_refused(context, self.dummy_provider)
        self.assertFalse(order.transaction_ids)
        for provider_id in (0, None, self.dummy_provider.id + 10**6):
            with self.subTest(provider_id=provider_id):
                self._assert_refused(context, provider_id=provider_id)
        self.assertTrue(self._pay(context).btcpay_invoice_id)

    def test_when_bitcoin_was_requested_then_a_saved_card_is_refused(self):
        order = self._create_order()
        token = self._create_token(partner_id=self.partner.id)
        context = self._open(self._request(order))
        self._assert_refused(
            context, self.dummy_provider, flow='token', token_id=token.id
        )

    def test_when_the_ordinary_page_is_opened_then_other_providers_can_be_used(self):
        order = self._create_order()
        url = self._request(order)
        context = self._open(url)
        self._assert_refused(context, self.dummy_provider)
        page = f'/my/orders/{order.id}'
        ordinary = self._open(
            page, access_token=order.access_token, payment_amount=100
        )
        self._assert_offers_all(ordinary)
        self.assertEqual(
            self._pay(ordinary, self.dummy_provider).provider_id, self.dummy_provider
        )
        # And by the link not any more.
        self._assert_refused(self._open(url), self.dummy_provider)

    def test_when_choices_are_made_on_the_page_then_it_stays_restricted_to_bitcoin(self):
        """The page comes back to itself for the down payment, and when it was signed."""
        values = {
            'require_payment': True, 'require_signature': False, 'prepayment_percent': 0.3,
        }
        order = self._create_order(**values)
        self._open(self._request(order))
        for params, amount in [
            ({'amount_selection': 'down_payment', 'btcpay': 1}, 30),
            ({'amount_selection': 'full_amount', 'btcpay': 1}, 100),
            ({'message': 'sign_ok'}, 30),
        ]:
            with self.subTest(params=params):
                context = self._open(
                    f'/my/orders/{order.id}', access_token=order.access_token, **params
                )
                self.assertEqual(context['amount'], amount)
                self.assertEqual(context['payment_method_ids'], self.payment_method.ids)
                self._assert_refused(context, self.dummy_provider)
        # Without having come by the link there is no restriction.
        other = self._create_order(**values)
        self._assert_offers_all(self._open(
            f'/my/orders/{other.id}', access_token=other._portal_ensure_token(),
            message='sign_ok',
        ))

    def test_when_one_document_was_requested_then_others_are_not_restricted(self):
        asked, other = self._create_order(), self._create_order()
        self._open(self._request(asked))
        context = self._open(
            f'/my/orders/{other.id}', access_token=other._portal_ensure_token(),
            payment_amount=100,
        )
        self.assertEqual(
            self._pay(context, self.dummy_provider).provider_id, self.dummy_provider
        )

    def test_when_the_order_was_canceled_then_its_link_opens_without_a_payment(self):
        """Mailed links do not expire, but what was asked for may be done with."""
        order = self._create_order()
        url = self._request(order)
        order._action_cancel()
        self.env.flush_all()
        self.assertEqual(self._make_http_get_request(url).status_code, 200)
        self.assertFalse(order.transaction_ids)

    def test_when_the_request_is_paid_then_its_link_asks_for_nothing_more(self):
        """Odoo's page would take the amount of the link again, from an order that is paid."""
        for by_btcpay in (True, False):
            order = self._create_order()
            url = self._request(order)
            if by_btcpay:
                self._settle(self._pay(self._open(url)))
                self.assertEqual(order.state, 'sale')
                url = url.replace('&btcpay=1', '')  # As in the mails for the rest.
            else:
                self._create_other_transaction(order)._set_done()
            with self.subTest(by_btcpay=by_btcpay):
                self.assertNotIn('o_payment_form', self._get_text(url))
        other = self._create_order()
        self._create_other_transaction(other)._set_done()
        self.assertIn('o_payment_form', self._get_text(
            f'/my/orders/{other.id}?access_token={other._portal_ensure_token()}&payment_amount=100'
        ), "What is not about Bitcoin is as it was.")

    def test_when_part_is_paid_meanwhile_then_the_link_shows_the_amount_due(self):
        order = self._create_order()
        order.action_confirm()
        url = self._request(order)
        self._create_other_transaction(order, amount=70)._set_done()
        self.assertEqual(self._open(url)['amount'], 30)
        page = etree.fromstring(self._get_text(url), etree.HTMLParser())
        [shown] = page.xpath('//div[@name="sale_order_modal_validate"]//main/div[1]')
        self.assertIn("30.00", ''.join(shown.itertext()))

    def test_when_the_payment_failed_then_coming_back_stays_restricted_to_bitcoin(self):
        """After a payment that failed they can pay what was requested again, with Bitcoin only."""
        confirmed = self._create_order()
        confirmed.action_confirm()
        for document, values, amount in [
            (self._create_order(), {}, 100),
            (self._create_order(require_payment=True, prepayment_percent=1.0), {}, 100),
            (confirmed, {'amount_type': 'amount', 'amount': 30}, 30),
            (self._create_invoice(), {}, 100),
        ]:
            with self.subTest(document=document, values=values):
                tx = self._pay(self._open(self._request(document, **values)), amount=amount)
                self.world.expire(tx.btcpay_invoice_id)
                self._look(tx)
                self._post_process()
                context = self._open(tx._btcpay_get_retry_url())
                self.assertEqual(context['amount'], amount)
                self.assertEqual(context['payment_method_ids'], self.payment_method.ids)
                self._assert_refused(context, self.dummy_provider)

    def test_when_the_order_costs_more_then_coming_back_asks_for_the_new_amount(self):
        order = self._create_order(require_payment=True, require_signature=False)
        order.prepayment_percent = 1.0
        tx = self._pay(self._open(self._request(order)))
        order.order_line.price_unit = 120
        self._carry_out()
        self.assertEqual(tx.state, 'cancel')
        self.assertEqual(self._open(tx._btcpay_get_retry_url())['amount'], 120)

    # === INVOICES === #

    def test_when_an_invoices_link_is_paid_then_nothing_remains_due(self):
        move = self._create_invoice()
        context = self._open(self._request(move))
        self.assertEqual(context['payment_method_ids'], self.payment_method.ids)
        self._assert_refused(context, self.dummy_provider)
        self.assertFalse(move.transaction_ids)
        tx = self._pay(context)
        self.assertEqual((tx.amount, tx.invoice_ids), (100, move))
        self._settle(tx)
        self.assertEqual(move.amount_residual, 0)
        ordinary = self._create_invoice()
        context = self._open(
            f'/my/invoices/{ordinary.id}', access_token=ordinary._portal_ensure_token(),
        )
        self._assert_offers_all(context)
        self._pay(context, self.dummy_provider)

    def test_when_part_of_an_invoice_is_requested_then_that_amount_is_shown_and_paid(self):
        move = self._create_invoice()
        url = self._request(move, amount_type='amount', amount=40)
        context = self._open(url)
        page = etree.fromstring(self._make_http_get_request(url).text, etree.HTMLParser())
        [shown] = page.xpath('//div[@id="o_payment_installments"]')
        self.assertIn("40.00", ''.join(shown.itertext()))  # The page's script takes that.
        self._settle(self._pay(context, amount=40))
        self.assertEqual(move.amount_residual, 60)

    def test_when_the_links_amount_is_changed_then_it_leads_to_the_login_page(self):
        move = self._create_invoice()
        url = self._request(move, amount_type='amount', amount=40)
        self.env.flush_all()
        response = self._make_http_get_request(url.replace('amount=40.0', 'amount=4.0'))
        self.assertEqual(urlsplit(response.url).path.rstrip('/').split('/')[-1], 'login')

    def test_when_the_invoices_ordinary_page_is_opened_then_other_providers_can_be_used(self):
        move = self._create_invoice()
        self._assert_refused(self._open(self._request(move)), self.dummy_provider)
        context = self._open(
            f'/my/invoices/{move.id}', access_token=move._portal_ensure_token()
        )
        self.assertEqual(
            self._pay(context, self.dummy_provider).provider_id, self.dummy_provider
        )

    # === SESSIONS === #

    def _get_remembered(self):
        session = root.session_store.get(self.session.sid)
        return session.get(SESSION_KEY, [])

    def test_when_the_visitor_has_no_access_then_the_session_remembers_nothing(self):
        self.authenticate(None, None)
        order, move = self._create_order(), self._create_invoice()
        for path in (f'/my/orders/{order.id}', f'/my/invoices/{move.id}', '/my/orders/999999999'):
            for params in ({}, {'access_token': 'wrong'}, {'access_token': ''}):
                with self.subTest(path=path, params=params):
                    self.env.flush_all()
                    self.url_open(
                        path, params={'btcpay': 1, **params}, allow_redirects=False
                    )
                    self.assertEqual(self._get_remembered(), [])

    def test_when_many_documents_are_opened_then_the_session_remembers_the_newest(self):
        self.authenticate(None, None)
        orders = [self._create_order() for _order in range(4)]
        with patch.object(payment_request, 'MAX_RESTRICTED', 3):
            for order in [*orders, orders[2]]:
                self.env.flush_all()
                self.url_open(f'/my/orders/{order.id}', params={
                    'btcpay': 1, 'access_token': order._portal_ensure_token(),
                })
        self.assertEqual(self._get_remembered(), [
            f'sale.order,{order.id}' for order in (orders[1], orders[3], orders[2])
        ])

    # === LANGUAGE === #

    def test_when_the_customer_speaks_french_then_the_request_mail_is_in_french(self):
        self.env['res.lang']._activate_lang('fr_FR')
        for name in ('order', 'invoice'):
            self.env.ref(f'payment_btcpay.mail_template_request_{name}').with_context(
                lang='fr_FR'
            ).write({
                'subject': "{{ object.name }} : payez en bitcoin",
                'body_html': '<p>Payez <a t-att-href="ctx.get(\'btcpay_link\')">ici</a>.</p>',
            })
        self.partner.lang = 'fr_FR'
        for document in (self._create_order(), self._create_invoice()):
            with self.subTest(document=document):
                url = self._request(document)
                mail = document.message_ids.filtered(lambda m: self.partner in m.partner_ids)[0]
                self.assertEqual(mail.subject, f"{document.name} : payez en bitcoin")
                self.assertEqual(self._open(url)['amount'], 100)
