from unittest.mock import patch

from lxml import html

from odoo import http
from odoo.tests import tagged
from odoo.tools import html2plaintext, mute_logger

from odoo.addons.payment_btcpay.tests.checkout.methods_common import MethodsMixin
from odoo.addons.payment_btcpay.tests.checkout.pages_common import (
    RULES_FOR_DIALOGS,
    RULES_FOR_DOCUMENTS,
    PagesCommon,
)
from odoo.addons.payment_btcpay.tests.request.request_common import RequestMixin

# What the customer does on the page of an order.
OPEN_PAYMENT = """
    (await waitFor('a[data-bs-target="#modalaccept"]')).click();
    const modal = await waitFor('.modal.show:has([name="o_payment_radio"])');
    await wait(() => getComputedStyle(modal).opacity === '1');
"""
PAY_BY_LIGHTNING = """
    document.querySelector('[data-payment-method-code="btcpay_lightning"]').click();
    (await waitFor('[name="o_payment_submit_button"]:not(:disabled)')).click();
    await waitFor('.o_dialog .modal-footer button:focus');
"""

@tagged('post_install', '-at_install')
class TestCustomerPages(PagesCommon):
    """What the customer reads, and may do, at every moment of the payment."""

    # What the status page and the page of the document say, and the button they have.
    SITUATIONS = {
        'seen': (
            "We have seen your payment. The Bitcoin network needs about ten minutes to confirm it."
            " You can close this page; we will write to you. Time passed: 0 min", None,
        ),
        'partial': (
            "Your payment is not complete $ 50.00 of $ 100.00 has arrived. Please pay the amount"
            " due, $ 55.00 by Bitcoin (a network fee of $ 5.00 included) or $ 50.00 by Lightning,"
            " before the invoice expires.", "Pay the amount due",
        ),
        'expired': (
            "The time for this payment is over Nothing was charged, and your order is kept: you can"
            " pay it again.", None,
        ),
        'expired_partial': (
            "Your payment is not complete $ 50.00 of $ 100.00 has arrived, but the rest did not"
            " before the time for this payment was over. What arrived is credited to you when you"
            " go on to pay the amount due.", "Pay the amount due",
        ),
        'late': (
            "Your payment arrived after the time was up $ 100.00 has arrived, but not before the"
            " time for this payment was over. We are looking at it and will write to you: you need"
            " not pay again.", None,
        ),
        'late_partial': (
            "Your payment is not complete $ 50.00 of $ 100.00 has arrived after the time for this"
            " payment was over.", "Pay the amount due",
        ),
        'overpaid': (
            "Thank you! Your payment has arrived. You have sent $ 200.00, $ 100.00 more than the"
            " $ 100.00 that we asked for. We will write to you about it.", None,
        ),
        'invalid': (
            "Your payment was not made This payment was declared invalid. Please contact us if you"
            " have sent money.", None,
        ),
        'paid_invalid': (
            "Your payment was not accepted This payment was declared invalid. Please contact us if"
            " you have sent money.", None,
        ),
    }

    def test_when_the_payment_stands_so_then_each_page_says_so_and_has_the_button(self):
        for situation, (words, button) in self.SITUATIONS.items():
            tx = self._begin()
            self._bring_to(situation, tx)
            pages = {'order': tx.sale_order_ids.get_portal_url()}
            if tx.state != 'done':  # Then the status page goes on to the order by itself.
                pages['status'] = '/payment/status'
            for page, url in pages.items():
                with self.subTest(situation, page=page):
                    text, links = self._read_page(url)
                    self.assertIn(words, text)
                    self.assertEqual(
                        [link for link in links if link not in ("Continue", "Back to your order")],
                        [button] if button else [],
                    )

    def test_when_nothing_was_seen_then_the_page_waits_without_hurrying(self):
        self._begin()
        text, links = self._read_page('/payment/status')
        self.assertIn("We are waiting for your payment No payment has been seen yet.", text)
        self.assertEqual(links, ["Back to the Bitcoin invoice", "Back to your order"])
        page = self.url_open('/payment/status').text
        for words in ("Please wait", "fa-cog", "fa-spin", "o_payment_status_alert"):
            self.assertNotIn(words, page)

    def test_when_the_payment_was_seen_just_now_then_the_page_counts_from_zero(self):
        tx = self._begin()
        self._bring_to('seen', tx)
        for seconds in (0, 61):
            with (
                self._in_everybodys_session(tx),
                patch.object(
                    self.registry['payment.transaction'], '_btcpay_get_seconds_passed',
                    lambda _tx, seconds=seconds: seconds,
                ),
            ):
                page = html.fromstring(self.url_open('/payment/status').text)
            [minutes] = page.xpath('//span[@name="o_btcpay_minutes"]')
            self.assertEqual(minutes.get('data-seconds'), str(seconds))
            self.assertEqual(minutes.text, str(seconds // 60))

    def test_when_the_payment_was_seen_then_no_page_calls_it_processed_or_to_be_approved(self):
        tx = self._begin()
        self._bring_to('seen', tx)
        for url in ('/payment/status', tx.sale_order_ids.get_portal_url()):
            page = self.url_open(url).text
            for words in (
                "waiting for approval", "has been processed", "Please wait", "fa-cog", "cancelled",
            ):
                self.assertNotIn(words, page)
        self.assertIn("The Bitcoin network needs about ten minutes", str(self.btcpay.pending_msg))
        self.assertNotIn("cancelled", str(self.btcpay.cancel_msg))

    def test_when_the_invoice_is_paid_by_its_own_page_then_that_says_the_same(self):
        for situation in ('seen', 'partial', 'late'):
            with self.subTest(situation):
                tx = self._begin(self._create_invoice())
                self._bring_to(situation, tx)
                text, _links = self._read_page('/payment/status')
                # Nobody writes of invoices.
                words = self.SITUATIONS[situation][0].partition("; we will write")[0]
                self.assertIn(words, text)
                if situation != 'late':  # Odoo's page shows what is done or on its way.
                    self.assertEqual(
                        self._read_page(tx.invoice_ids.get_portal_url())[0][:60], text[:60]
                    )

    def test_when_odoo_noted_it_in_its_own_language_then_the_page_speaks_the_readers(self):
        self.env['res.lang']._activate_lang('fr_FR')
        declared, newer = self._begin(), self._begin()
        self._bring_to('invalid', declared)
        self._create_btcpay_transaction(newer.sale_order_ids)
        self._carry_out()
        for tx, state, words in (
            (declared, 'error', "Ce paiement a été déclaré invalide."),
            (newer, 'cancel', "La facture Bitcoin a été invalidée"),
        ):
            with self.subTest(state=state):
                self.assertEqual(tx.state, state)
                self.assertIn("nvalid", tx.state_message)
                french = tx.with_context(lang='fr_FR')
                self.assertIn(words, french._btcpay_get_page_status().message)
                self.assertEqual(tx._btcpay_get_page_status().message, tx.state_message)

    def test_when_the_page_is_open_for_an_hour_then_it_still_asks_within_five_seconds(self):
        with self._in_everybodys_session(self._begin()):
            self.browser_js('/payment/status', """
                const { PaymentPostProcessing } = odoo.loader.modules.get(
                    '@payment/interactions/post_processing'
                );
                const page = { pollCount: 900, timeout: 0 };
                PaymentPostProcessing.prototype.updateTimeout.call(page);
                if (page.timeout <= 5000) {
                    console.log('test successful');
                } else {
                    console.error(`It asks after ${page.timeout} ms.`);
                }
            """, ready="odoo.loader.modules.has('@payment_btcpay/interactions/waiting')")

    # === WHAT IS MISSING IS PAID === #

    def _click(self, url, label="Pay the amount due"):
        """Press a button of the page.

        :return: The page it leads to.
        """
        self.env.flush_all()
        page = html.fromstring(self.url_open(url).text)
        form = next(
            form for form in page.xpath('//div[@name="o_btcpay_status"]//form')
            if label in form.text_content()
        )
        response = self.url_open(form.get('action'), data=dict(form.form_values()))
        self.env.invalidate_all()
        return response

    def test_when_the_rest_is_paid_after_expiry_then_what_had_arrived_is_credited(self):
        for page in ('/payment/status', 'order'):
            with self.subTest(page=page):
                tx = self._begin()
                order = tx.sale_order_ids
                self._bring_to('expired_partial', tx)
                self.assertTrue(order.activity_ids)
                response = self._click(order.get_portal_url() if page == 'order' else page)
                self.assertIn(f'/my/orders/{order.id}', response.url)
                self.assertIn('payment_amount=50.0', response.url)
                self._post_process()
                mail = order.message_ids.filtered(
                    lambda message: "was accepted" in (message.subject or '')
                )
                self.assertIn("is credited to you", ' '.join(html2plaintext(mail.body).split()))
                self.assertNotIn("paid", mail.subject + html2plaintext(mail.body))
                self.assertEqual((tx.state, order.amount_paid), ('cancel', 50))
                self.assertFalse(order.activity_ids)
                text, links = self._read_page(order.get_portal_url())
                self.assertIn(
                    "Your payment is not complete $ 50.00 has arrived and is credited to you."
                    " Please pay the amount due.", text,
                )
                self.assertEqual(links, ["Pay the amount due: $ 50.00"])
                context = self._get_payment_context(response)
                values = self._portal_transaction(
                    tx_route=context['transaction_route'], provider_id=self.btcpay.id,
                    payment_method_id=self.payment_method_id, token_id=None,
                    amount=context['amount'], flow='redirect', tokenization_requested=False,
                    landing_route=context['landing_route'], access_token=context['access_token'],
                )
                rest = self._get_tx(values['reference'])
                self.assertEqual(rest.amount, 50)
                self._bring_to('done', rest)
                self.assertEqual((order.amount_paid, order.state), (100, 'sale'))

    def test_when_the_rest_is_asked_for_twice_then_what_had_arrived_is_credited_once(self):
        tx = self._begin()
        self._bring_to('expired_partial', tx)
        token = tx._btcpay_get_rest_token()
        for _time in range(2):
            response = self._ask_for_rest(tx.reference, token)
            self.assertIn('payment_amount=50.0', response.headers['Location'])
        self.assertEqual(tx.sale_order_ids.amount_paid, 50)
        self.assertEqual(len(tx.child_transaction_ids), 1)

    def _ask_for_rest(self, reference, token):
        self.env.flush_all()
        response = self.url_open('/payment/btcpay/rest', data={
            'ref': reference, 'token': token, 'csrf_token': http.Request.csrf_token(self),
        }, allow_redirects=False)
        self.env.invalidate_all()
        return response

    def test_when_the_rest_is_not_to_be_paid_then_nothing_is_credited(self):
        other = self._begin()
        for situation in ('partial', 'late', 'expired', 'seen'):
            with self.subTest(situation):
                tx = self._begin()
                self._bring_to(situation, tx)
                self._ask_for_rest(tx.reference, tx._btcpay_get_rest_token())
                self.assertFalse(tx.child_transaction_ids)
        tx = self._begin()
        self._bring_to('expired_partial', tx)
        for reference, token in (
            (tx.reference, ''), (tx.reference, other._btcpay_get_rest_token()), ('unknown', 'x'),
            (tx.reference, 'ä'), ('\0', 'x'), (f'{tx.reference}\0', '\0'),
        ):
            with self.subTest(reference=reference, token=token):
                response = self._ask_for_rest(reference, token)
                self.assertURLEqual(response.headers['Location'], '/my')
                self.assertFalse(tx.child_transaction_ids)

    # === WHAT CAME LATE === #

    def test_when_all_came_late_then_it_is_mailed_once_and_nothing_is_asked_for_again(self):
        for make in (self._create_order_to_pay, self._create_invoice):
            document = make()
            with self.subTest(document=document._name):
                tx = self._begin(document)
                self.assertTrue(document._has_to_be_paid())
                self._bring_to('late', tx)
                tx._btcpay_sync()
                mails = document.message_ids.filtered(
                    lambda message: "after the time was up" in (message.subject or '')
                )
                self.assertEqual(mails.partner_ids, self.partner)
                body = ' '.join(html2plaintext(mails.body).replace('\xa0', ' ').split())
                self.assertIn("*$ 100.00* of $ 100.00 has arrived", body)
                self.assertIn("You need not pay again.", body)
                self.assertFalse(document._has_to_be_paid())
                page = self.url_open(document.get_portal_url()).text
                self.assertNotIn('id="o_payment_form"', page)
                _text, links = self._read_page('/payment/status')
                self.assertNotIn("Pay the amount due", links)
                tx.action_btcpay_accept_late()
                self._post_process()
                self.assertEqual(tx.state, 'done')


@tagged('post_install', '-at_install')
class TestCustomerPagesOnPhone(RequestMixin, MethodsMixin, PagesCommon):
    """The pages on a small screen, for people who cannot see them or use a mouse."""

    browser_size = '360x740'
    touch_enabled = True

    def test_when_axe_looks_at_the_status_page_then_it_finds_nothing(self):
        for situation in ('open', 'seen', 'partial', 'expired', 'expired_partial'):
            tx = self._begin()
            self._bring_to(situation, tx)
            is_over = tx.state in ('cancel', 'error')
            with self.subTest(situation), self._in_everybodys_session(tx):
                self._run_axe('/payment/status', last='frontend_lazy' if is_over else '/poll')

    def test_when_axe_looks_at_the_pages_of_documents_then_it_finds_nothing(self):
        for make, situations in (
            (self._create_order_to_pay, ('seen', 'expired_partial', 'overpaid', 'refunded')),
            (self._create_invoice, ('seen', 'refunded')),
        ):
            for situation in situations:
                document = make()
                tx = self._begin(document)
                self._bring_to('done' if situation == 'refunded' else situation, tx)
                if situation == 'refunded':
                    tx._btcpay_request_refund(50)
                with self.subTest(situation, document=document._name):
                    self._run_axe_on_document(document.get_portal_url())

    def test_when_axe_looks_at_the_page_of_a_request_then_it_finds_nothing(self):
        for document in (self._create_order_to_pay(), self._create_invoice()):
            with self.subTest(document=document._name):
                self._run_axe_on_document(self._open_request(document).link, ours='')

    def test_when_axe_looks_at_the_discount_of_a_method_then_it_finds_nothing(self):
        self.btcpay.sudo().write({
            'btcpay_discount_method_id': self.lightning.id, 'btcpay_discount_percent': 5,
        })
        self._run_axe_on_document(
            self._create_order_to_pay().get_portal_url(), rules={}, before=OPEN_PAYMENT,
            ours='[name="o_btcpay_discount"]',
        )

    def test_when_axe_looks_at_the_dialog_of_the_other_method_then_it_finds_nothing(self):
        self.world.settings(down='lightning')
        self.addCleanup(self.world.settings, down=None)
        with self._quiet(), mute_logger(
            'odoo.addons.payment_btcpay.models.payment_transaction.checkout_failure'
        ):
            self._run_axe_on_document(
                self._create_order_to_pay().get_portal_url(), rules=RULES_FOR_DIALOGS,
                ours='.o_dialog', before=OPEN_PAYMENT + PAY_BY_LIGHTNING,
            )

    def _run_axe_on_document(self, url, rules=RULES_FOR_DOCUMENTS, **values):
        self._run_axe(url, last='assets_chatter.min.js', rules=rules, **values)

    def test_when_there_is_only_a_keyboard_then_each_button_is_reached_and_pressed(self):
        for situation, url, labels in (
            ('open', '/payment/status', ["Back to the Bitcoin invoice", "Back to your order"]),
            ('seen', '/payment/status', ["Continue"]),
            ('partial', None, ["Pay the amount due"]),
            ('expired_partial', '/payment/status', ["Pay the amount due"]),
            ('expired', '/payment/status', ["Back to your order"]),
        ):
            tx = self._begin()
            self._bring_to(situation, tx)
            with self.subTest(situation), self._in_everybodys_session(tx):
                pressed = self._press_all(url or tx.sale_order_ids.get_portal_url())
                self.assertEqual([label for label in pressed if label in labels], labels)
