import json

from odoo.exceptions import ValidationError
from odoo.fields import Command
from odoo.tests import tagged
from odoo.tools import file_open

from odoo.addons.payment_btcpay import const
from odoo.addons.payment_btcpay.tests.common import BTCPayCommon
from odoo.addons.payment_btcpay.tests.module.test_protected_fields import SETTINGS
from odoo.addons.payment_btcpay.tests.money_common import MoneyMixin


@tagged('post_install', '-at_install')
class TestSettings(MoneyMixin, BTCPayCommon):
    """What the shop decides is what the server is asked for; the rest is as the store has it."""

    def _make(self, order=None, **settings):
        """Set what is given, and have an invoice made.

        :return: What was sent to the server.
        :rtype: dict
        """
        self.btcpay.sudo().write(settings)
        self._create_btcpay_transaction(order)
        return self.world.requests()[-1]['body']

    def test_when_nothing_is_set_then_the_stores_own_settings_hold(self):
        body = self._make(btcpay_redirect=False, btcpay_language=False)
        self.assertEqual(set(body), {'amount', 'currency', 'metadata', 'checkout'})
        self.assertEqual(set(body['checkout']), {'redirectURL', 'paymentMethods'})
        self.assertEqual(set(body['metadata']), {'orderId', const.TOKEN_KEY})

    def test_when_something_is_set_then_the_server_is_asked_for_it(self):
        self.btcpay.sudo().btcpay_languages = 'en fr-FR ja-JP'
        self.env.invalidate_all()
        for setting, value, sent in [
            ('btcpay_speed_policy', 'HighSpeed', {'speedPolicy': 'HighSpeed'}),
            ('btcpay_speed_policy', 'LowMediumSpeed', {'speedPolicy': 'LowMediumSpeed'}),
            ('btcpay_expiration_minutes', '30', {'expirationMinutes': 30}),
            ('btcpay_monitoring_minutes', ' 2880 ', {'monitoringMinutes': 2880}),
            ('btcpay_tolerance', '2.5', {'paymentTolerance': 2.5}),
            ('btcpay_tolerance', '0', {'paymentTolerance': 0.0}),
            ('btcpay_default_method', 'BTC-LN', {'defaultPaymentMethod': 'BTC-LN'}),
            ('btcpay_language', 'ja-JP', {'defaultLanguage': 'ja-JP'}),
            ('btcpay_language', 'customer', {'defaultLanguage': 'en'}),
            ('btcpay_redirect', 'yes', {'redirectAutomatically': True}),
            ('btcpay_redirect', 'no', {'redirectAutomatically': False}),
        ]:
            with self.subTest(setting=setting, value=value):
                self.btcpay.sudo().write({'btcpay_redirect': False, 'btcpay_language': False})
                checkout = self._make(**{setting: value})['checkout']
                checkout.pop('redirectURL')
                checkout.pop('paymentMethods')
                self.assertEqual(checkout, sent)
                self.btcpay.sudo()[setting] = False

    def test_when_time_and_tolerance_are_set_then_the_invoice_has_them(self):
        self._make(
            btcpay_expiration_minutes='30', btcpay_monitoring_minutes='60', btcpay_tolerance='5',
        )
        tx = self.env['payment.transaction'].search([], limit=1, order='id desc')
        invoice = self.world.invoice(tx.btcpay_invoice_id)
        self.assertEqual(invoice['expirationTime'] - invoice['createdTime'], 1800)
        self.assertEqual(invoice['monitoringExpiration'] - invoice['expirationTime'], 3600)
        self.world.pay(tx.btcpay_invoice_id, fraction='0.96')
        self.world.mine()
        tx._btcpay_sync()
        self.assertEqual((tx.state, tx.btcpay_status_text), ('done', "Paid, underpaid"))

    def test_when_the_receipt_is_decided_then_the_server_is_told(self):
        self.assertEqual(self._make(btcpay_receipt='yes')['receipt'], {'enabled': True})
        self.assertEqual(self._make(btcpay_receipt='no')['receipt'], {'enabled': False})

    def test_when_the_default_is_not_among_the_methods_then_it_is_that_of_the_chosen_one(self):
        chain = self.env.ref('payment_btcpay.payment_method_btcpay_chain')
        chain.active = True
        self.btcpay.sudo().btcpay_default_method = 'BTC-LN'
        self._create_btcpay_transaction(payment_method_id=chain.id)
        checkout = self.world.requests()[-1]['body']['checkout']
        self.assertEqual(checkout['defaultPaymentMethod'], 'BTC-CHAIN')

    def test_when_a_language_is_to_be_chosen_then_it_is_one_of_the_servers_by_its_name(self):
        self.btcpay.sudo().btcpay_languages = 'fr-FR ja-JP no np-NP'
        choices = dict(self.btcpay._get_btcpay_languages())
        self.assertEqual(choices, {
            'customer': "The customer's", 'fr-FR': "French (France)", 'ja-JP': "Japanese (Japan)",
            'no': "Norwegian", 'np-NP': 'np-NP',
        })

    def test_when_a_number_is_none_or_out_of_range_then_it_is_refused(self):
        for setting, values in {
            'btcpay_expiration_minutes': ('0', '-5', '34561', '1.5', 'soon', '1e9', 'NaN'),
            'btcpay_monitoring_minutes': ('0', '-5', '34561', '1.5'),
            'btcpay_tolerance': ('-1', '100.01', 'all', '1.234'),
        }.items():
            for value in values:
                with self.subTest(setting=setting, value=value):
                    with self.assertRaisesRegex(ValidationError, "enter a number from"):
                        self.btcpay.sudo()[setting] = value

    # === WHAT IS SENT === #

    def test_when_something_about_the_customer_is_switched_on_then_only_that_is_sent(self):
        partner = self.partner
        order = self._create_order()
        base_url = self.env['ir.config_parameter'].sudo().get_param('web.base.url')
        for setting, sent in [
            ('btcpay_send_email', {'buyerEmail': partner.email}),
            ('btcpay_send_name', {'buyerName': partner.name}),
            ('btcpay_send_address', {
                'buyerAddress1': f'{partner.street} {partner.street2}', 'buyerZip': partner.zip,
                'buyerCity': partner.city,
            }),
            ('btcpay_send_country', {'buyerCountry': partner.country_id.code}),
            ('btcpay_send_lines', {'posData': {'orderLines': [
                {'name': "Hat", 'quantity': '1', 'total': '100.00'},
            ]}}),
            ('btcpay_send_order_link', {
                'orderUrl': f'{base_url}/mail/view?model=sale.order&res_id={order.id}',
            }),
        ]:
            with self.subTest(setting=setting):
                self.btcpay.sudo().write({
                    name: name == setting for name in SETTINGS if name.startswith('btcpay_send_')
                })
                metadata = self._make(order)['metadata']
                for name in ('orderId', const.TOKEN_KEY):
                    metadata.pop(name)
                self.assertEqual(metadata, sent)

    def test_when_an_order_has_hundreds_of_lines_then_its_events_are_not_too_long(self):
        order = self._create_order()
        order.order_line.copy({'order_id': order.id})
        order.order_line[0].name = "帽子" * 5000
        self.btcpay.sudo().btcpay_send_lines = True
        self.patch(const, 'MAX_SHARED_LINES', 1)
        lines = self._make(order)['metadata']['posData']['orderLines']
        self.assertEqual(lines, [
            {'name': "帽子" * 50, 'quantity': '1', 'total': '100.00'},
            {'name': "… + 1", 'quantity': '', 'total': '100.00'},
        ])
        longest = json.dumps({'lines': [lines[0]] * 100}, indent=8, ensure_ascii=False).encode()
        self.assertLess(len(longest), const.MAX_WEBHOOK_SIZE - 4096)

    def test_when_an_invoice_is_paid_then_its_lines_and_its_link_are_sent(self):
        move = self._create_invoice(60)
        self.btcpay.sudo().write({'btcpay_send_lines': True, 'btcpay_send_order_link': True})
        self._create_btcpay_transaction(invoice_ids=[Command.set(move.ids)], amount=60)
        metadata = self.world.requests()[-1]['body']['metadata']
        self.assertEqual(metadata['posData']['orderLines'], [
            {'name': "Hat", 'quantity': '1', 'total': '60.00'},
        ])
        self.assertIn(f'model=account.move&res_id={move.id}', metadata['orderUrl'])

    def test_when_there_are_orders_and_invoices_then_their_numbers_find_the_invoice(self):
        order = self._create_order()
        self.assertEqual(self._make(order)['additionalSearchTerms'], [order.name])
        order.action_confirm()
        move = order._create_invoices()
        move.action_post()
        tx = self._create_btcpay_transaction(invoice_ids=[Command.set(move.ids)])
        terms = self.world.requests()[-1]['body']['additionalSearchTerms']
        self.assertEqual(terms, [order.name, move.name])
        for number in terms:
            found = self.world.api(
                'GET', f'/stores/{self.store_id}/invoices', params={'textSearch': number}
            )
            self.assertIn(tx.btcpay_invoice_id, [invoice['id'] for invoice in found])

    def test_when_a_description_is_set_then_the_customer_reads_it_in_their_language(self):
        self.env['res.lang']._activate_lang('fr_FR')
        order = self._create_order()
        text = "Order {documents} ({reference}) at {company}"
        self.btcpay.sudo().btcpay_item_description = text
        self.btcpay.sudo().with_context(lang='fr_FR').btcpay_item_description = (
            "Commande {documents}"
        )
        body = self._make(order)
        self.assertEqual(
            body['metadata']['itemDesc'],
            f"Order {order.name} ({body['metadata']['orderId']}) at {self.company.name}",
        )
        tx = self._create_btcpay_transaction(order, make_invoice=False)
        draft = tx.with_context(lang='fr_FR')._btcpay_prepare_invoice()
        self.assertEqual(draft.metadata['itemDesc'], f"Commande {order.name}")
        with self.assertRaisesRegex(ValidationError, "{order} stands for nothing"):
            self.btcpay.sudo().btcpay_item_description = "Order {order}"

    # === AMOUNTS === #

    def test_when_an_amount_is_out_of_range_then_the_provider_is_not_offered(self):
        euro = self._enable_currency('EUR')
        self.btcpay.sudo().write({'btcpay_minimum_amount': 10, 'maximum_amount': 50})
        company = self.btcpay.company_id
        main = company.currency_id
        for amount, currency, is_offered in [
            (9.99, main, False), (10, main, True), (50, main, True), (50.01, main, False),
            (main._convert(9.9, euro, company, '2026-01-01'), euro, False),
            (main._convert(10.1, euro, company, '2026-01-01'), euro, True),
        ]:
            offered = self.env['payment.provider'].sudo()._get_compatible_providers(
                company.id, self.partner.id, amount, currency_id=currency.id
            )
            with self.subTest(amount=amount, currency=currency.name):
                self.assertEqual(self.btcpay in offered, is_offered)

    # === WORDS === #

    def test_when_a_setting_is_offered_then_it_has_help_and_stands_in_the_readme(self):
        with file_open('payment_btcpay/README.rst') as file:
            readme = file.read()
        for name in SETTINGS:
            field = self.btcpay._fields[name]
            with self.subTest(setting=name):
                self.assertGreater(len(field.help or ''), 30)
                self.assertTrue(f'\n   * - {field.string}\n' in readme, "Not in the table.")
