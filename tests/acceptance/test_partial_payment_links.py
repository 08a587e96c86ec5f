import html
from datetime import timedelta

from lxml import etree

from odoo import fields
from odoo.fields import Command
from odoo.tests import tagged
from odoo.tools import html2plaintext, mute_logger

from odoo.addons.payment_btcpay.tests.common import BTCPayHttpCommon
from odoo.addons.payment_btcpay.tests.money_common import MoneyMixin


@tagged('post_install', '-at_install')
class TestPartLinks(MoneyMixin, BTCPayHttpCommon):
    """What the customer reads of a part, and how they pay the amount due."""

    def setUp(self):
        super().setUp()
        self.order = self._create_order(require_payment=True, prepayment_percent=1.0)
        self.tx = self._create_btcpay_transaction(self.order)

    def _accept_part(self, fraction='0.4'):
        self.btcpay.btcpay_accept_partial = True
        self.world.pay(self.tx.btcpay_invoice_id, fraction=fraction)
        self._look(self.tx)
        self.world.expire(self.tx.btcpay_invoice_id)
        self.world.mine()
        self._look(self.tx)
        self._post_process()

    def _find_link(self, message):
        return next(
            url for url in html.unescape(str(message.body)).split('"')
            if url.startswith('http')
        )

    def _open(self, url, **params):
        response = self._make_http_get_request(url, params=params)
        self.assertEqual(response.status_code, 200)
        return response

    def _pay_on_page(self, response):
        """Pay with Bitcoin what the page asks for.

        :return: The transaction.
        """
        context = self._get_payment_context(response)
        values = self._portal_transaction(
            tx_route=context['transaction_route'],
            provider_id=self.btcpay.id,
            payment_method_id=self.payment_method.id,
            token_id=None,
            amount=context['amount'],
            flow='redirect',
            tokenization_requested=False,
            landing_route=context['landing_route'],
            access_token=context['access_token'],
        )
        tx = self._get_tx(values['reference'])
        self.world.pay(tx.btcpay_invoice_id)
        self.world.mine()
        self._look(tx)
        self._post_process()
        return tx

    # === MAILS === #

    def test_when_the_quotation_has_expired_then_no_rest_is_asked_for_until_it_is_extended(self):
        today = fields.Date.today()
        self.order.validity_date = today - timedelta(days=1)
        self._receive('0.4')
        page = self._open(self.order.get_portal_url()).text
        self.assertIn("We are looking at it", page)
        self.assertNotIn("Pay the amount due", page)
        self._assert_refused(self.order.action_btcpay_accept_partial, "Extend it")
        self.order.validity_date = today
        self.order.action_btcpay_accept_partial()
        self._post_process()
        link = self._find_link(self._mails(self.order)[0])
        self.assertEqual(self._get_payment_context(self._open(link))['amount'], 60)
        self.order.validity_date = today - timedelta(days=1)
        self.env.flush_all()
        self.assertNotIn("Pay the amount due", self._open(link).text)

    def test_when_a_partial_payment_is_received_then_the_amount_due_is_mailed_once(self):
        for index, (fraction, missing) in enumerate([('0.4', '60.00'), ('0.2', '45.00')]):
            self.world.pay(self.tx.btcpay_invoice_id, fraction=fraction)
            self._look(self.tx, self.tx)  # Once a part, however often it is synced.
            mails = self._mails(self.order)
            self.assertEqual(len(mails), index + 1)
            self.assertIn(missing, mails[0].subject)
            self.assertIn(missing, html2plaintext(mails[0].body))
            self.assertEqual(self._find_link(mails[0]), self.tx.btcpay_checkout_link)
            self.assertIn(self.partner, mails[0].notified_partner_ids)
            # It is a mail, and not its source, that arrives.
            self.assertNotIn('&lt;', mails[0].body)

    def test_when_the_customer_speaks_french_then_the_partial_payment_mail_is_in_french(self):
        self.env['res.lang']._activate_lang('fr_FR')
        self.env.ref('payment_btcpay.mail_template_partial_paid').with_context(lang='fr_FR').write({
            'subject': "{{ object.reference }} : il manque quelque chose",
            'body_html': "<p>Il manque quelque chose.</p>",
        })
        self.partner.lang = 'fr_FR'
        tx = self._create_btcpay_transaction(self._create_order())
        self.world.pay(tx.btcpay_invoice_id, fraction='0.4')
        self._look(tx)
        mail = tx.sale_order_ids.message_ids.filtered(lambda m: self.partner in m.partner_ids)
        self.assertEqual(mail.subject, f"{tx.reference} : il manque quelque chose")
        self.assertIn("Il manque quelque chose.", mail.body)

    def test_when_an_expired_partial_payment_is_not_accepted_then_nothing_is_mailed(self):
        self.world.pay(self.tx.btcpay_invoice_id, fraction='0.4')
        self.world.expire(self.tx.btcpay_invoice_id)
        self._look(self.tx)
        self.assertFalse(self._mails(self.order))

    def test_when_the_customer_has_no_email_address_then_nothing_is_mailed(self):
        self.partner.email = False
        self.world.pay(self.tx.btcpay_invoice_id, fraction='0.4')
        self._look(self.tx)
        self.assertFalse(self._mails(self.order))
        self.assertEqual(self.tx.state, 'pending')

    def test_when_it_is_accepted_without_an_email_address_then_a_person_is_to_ask(self):
        self.partner.email = False
        self._receive('0.4')
        self.tx.action_btcpay_accept_partial()
        self.assertEqual(self.order.amount_paid, 40)
        self.assertIn("has no email address", self._activities(self.order))

    def test_when_a_partial_payment_is_to_be_accepted_then_the_dialog_says_what_follows(self):
        words = {
            'sale.order': ("is booked for this order", "a link to pay the amount due",
                           "in advance, or any amount if it asks for none"),
            'account.move': ("is booked for this invoice", "a link to pay the amount due"),
            'payment.transaction': ("is booked for what this payment is for",
                                    "a link to pay the amount due",
                                    "in advance, or any amount if it asks for none"),
        }
        for model, sentences in words.items():
            arch = etree.fromstring(self.env[model].get_view(view_type='form')['arch'])
            buttons = arch.findall('.//button[@name="action_btcpay_accept_partial"]')
            self.assertTrue(buttons)
            for button in buttons:
                for sentence in sentences:
                    with self.subTest(model, sentence=sentence):
                        self.assertIn(sentence, button.get('confirm'))

    def test_when_a_partial_payment_is_accepted_then_what_the_dialog_said_happens(self):
        for prepayment, state in ((1.0, 'draft'), (0.5, 'draft'), (0.3, 'sale')):
            with self.subTest(prepayment=prepayment):
                self.order = self._create_order(require_payment=True, prepayment_percent=prepayment)
                self.tx = self._create_btcpay_transaction(self.order)
                self._receive('0.4')
                self.order.action_btcpay_accept_partial()
                self._post_process()
                self.assertEqual((self.order.state, self.order.amount_paid), (state, 40))
                mail = self.order.message_ids.filtered(
                    lambda message: "was accepted" in (message.subject or '')
                )
                self.assertIn('payment_amount=60.0', self._find_link(mail))
                text = f'{mail.subject} {html2plaintext(mail.body)}'
                self.assertIn("40.00 that had arrived by then is credited to you", ' '.join(
                    text.replace('\xa0', ' ').split()
                ))
                self.assertNotIn("paid", text)

    # === THE LINK FOR THE REST === #

    def test_when_the_mailed_link_is_opened_then_the_amount_due_is_paid_by_it(self):
        """Odoo's own link refuses less than the full prepayment."""
        self._accept_part()
        self.assertEqual((self.order.state, self.order.amount_paid), ('draft', 40))
        mail = self._mails(self.order)[0]
        self.assertIn("40.00", html2plaintext(mail.body))
        url = self._find_link(mail)
        self.assertIn('payment_amount=60.0', url)
        response = self._open(url)
        self.assertEqual(self._get_payment_context(response)['amount'], 60)
        rest = self._pay_on_page(response)
        self.assertEqual(rest.amount, 60)
        self.assertRecordValues(self.order, [{'state': 'sale', 'amount_paid': 100}])
        self.assertEqual(
            sorted(self.order.transaction_ids.payment_id.mapped('amount')), [40, 60]
        )
        self.assertFalse(self.order.activity_ids)

    def test_when_floats_cannot_hold_the_amounts_then_the_link_asks_for_the_exact_amount_due(self):
        self.order = self._create_order(
            100.1, require_payment=True, prepayment_percent=1.0
        )
        for amount in (33.37, 33.36, 33.37):  # 100.1 - 33.37 is 66.72999999999999.
            tx = self._create_btcpay_transaction(self.order, amount=amount)
            self.world.pay(tx.btcpay_invoice_id)
            self.world.mine()
            self._look(tx)
            self._post_process()
            links = tx._btcpay_get_amount_due_links()
            for link in links:
                context = self._get_payment_context(self._open(link['url']))
                self.assertEqual(context['amount'], self.order._btcpay_get_amount_due())
        self.assertFalse(links)
        self.assertEqual(self.order.state, 'sale')

    def test_when_the_quotations_own_link_is_opened_then_only_the_amount_due_is_asked_for(self):
        """The customer comes by the quotation's own link."""
        self.order.require_signature = False
        self._accept_part()
        for params in ({}, {'amount_selection': 'full_amount'}):
            response = self._open(
                f'/my/orders/{self.order.id}',
                access_token=self.order._portal_ensure_token(), **params,
            )
            self.assertEqual(self._get_payment_context(response)['amount'], 60)

    def test_when_more_than_half_is_paid_then_paying_the_amount_due_confirms_the_order(self):
        """The page does not take the rest to be all there is to prepay."""
        self._accept_part('0.7')
        url = self._find_link(self._mails(self.order)[0])
        response = self._open(url)
        self.assertIn("you confirm acceptance", ' '.join(html2plaintext(response.text).split()))
        self.assertEqual(self.order.state, 'draft')
        self._pay_on_page(response)
        self.assertEqual(self.order.state, 'sale')

    def test_when_a_link_is_for_less_than_the_amount_due_then_the_page_asks_for_that(self):
        self._accept_part()
        response = self._open(
            f'/my/orders/{self.order.id}',
            access_token=self.order._portal_ensure_token(), payment_amount=10,
        )
        self.assertEqual(self._get_payment_context(response)['amount'], 60)

    def test_when_partly_paid_without_bitcoin_then_the_page_refuses_less_than_the_prepayment(self):
        order = self._create_order(require_payment=True, prepayment_percent=1.0)
        other = self._create_other_transaction(order, amount=40)
        other._set_done()
        with mute_logger('odoo.http'):
            response = self._make_http_get_request(f'/my/orders/{order.id}', params={
                'access_token': order._portal_ensure_token(), 'payment_amount': 60,
            })
        self.assertNotEqual(response.status_code, 200)

    def test_when_the_cart_became_a_quotation_then_the_retry_link_opens_the_order(self):
        self.tx.landing_route = '/shop/payment/validate'
        self.assertEqual(self.tx._btcpay_get_retry_url(), '/shop/payment')
        self.world.pay(self.tx.btcpay_invoice_id, fraction='0.4')
        self._look(self.tx)
        self._post_process()
        self.assertEqual((self.tx.state, self.order.state), ('pending', 'sent'))
        self.world.expire(self.tx.btcpay_invoice_id)
        self._look(self.tx)
        response = self._open(self.tx._btcpay_get_retry_url())
        self.assertIn(self.order.name, response.text)

    def test_when_a_salesperson_makes_a_payment_link_then_it_asks_for_the_amount_due(self):
        self._accept_part()
        wizard = self.env['payment.link.wizard'].with_context(
            active_model='sale.order', active_id=self.order.id
        ).create({})
        self.assertEqual((wizard.amount, wizard.amount_max), (60, 60))
        self.assertFalse(wizard.warning_message)
        self.assertEqual(self._get_payment_context(self._open(wizard.link))['amount'], 60)

    def test_when_a_customer_invoices_mailed_link_is_paid_then_nothing_remains_due(self):
        self.env['ir.config_parameter'].sudo().set_param(
            'account_payment.enable_portal_payment', 'True'
        )
        move = self._create_invoice()
        self.tx = self._create_btcpay_transaction(
            reference='INV-rest', invoice_ids=[Command.set(move.ids)]
        )
        self._accept_part()
        response = self._open(self._find_link(self._mails(move)[0]))
        self.assertEqual(self._get_payment_context(response)['amount'], 60)
        rest = self._pay_on_page(response)
        self.assertEqual(rest.invoice_ids, move)
        self.assertEqual(move.amount_residual, 0)
        self.assertFalse(move.activity_ids)

    def test_when_nothing_is_due_then_there_is_no_link_for_the_amount_due(self):
        [link] = self.tx._btcpay_get_amount_due_links()
        self.assertIn('payment_amount=100', link['url'])
        self._create_other_transaction(self.order)._set_done()
        self.assertFalse(self.tx._btcpay_get_amount_due_links())
        self.order._action_cancel()
        self.assertFalse(self.tx._btcpay_get_amount_due_links())
        self.assertFalse(self._create_btcpay_transaction()._btcpay_get_amount_due_links())
