from datetime import datetime
from decimal import Decimal

from odoo.tests import TransactionCase, tagged

from odoo.addons.payment_btcpay.utils import (
    BTCPayError,
    format_amount,
    is_api_id,
    match_language,
    parse_decimal,
    parse_timestamp,
)

# What `GET /misc/lang` of BTCPay Server 2.4.1 lists.
LANGUAGES = (
    'zh-TW sv np-NP zh-SP is-IS no bg-BG el-GR hy he hr-HR kk-KZ sl-SI az nl-NL am-ET ja-JP fr-FR'
    ' hu-HU id da-DK ca-ES ru-RU sk-SK ka cs-CZ lv zh-SG en ro pt-PT pt-BR vi-VN fa tr fi-FI de-DE'
    ' uk-UA sr bs-BA hi pl th-TH ar es-ES zu it-IT ko'
).split()


@tagged('post_install', '-at_install')
class TestUtils(TransactionCase):

    def test_language(self):
        for lang, expected in {
            'en_US': 'en', 'en_GB': 'en', 'fr_FR': 'fr-FR', 'fr_BE': 'fr-FR', 'de_CH': 'de-DE',
            'pt_BR': 'pt-BR', 'pt_PT': 'pt-PT', 'pt_AO': 'pt-PT', 'es_419': 'es-ES',
            'nb_NO': 'no', 'sr@latin': 'sr', 'ja_JP': 'ja-JP', 'zh_CN': 'zh-SG', 'zh_HK': 'zh-TW',
            'zh_TW': 'zh-TW', 'ne_NP': 'np-NP', 'da_DK': 'da-DK', 'ca_ES': 'ca-ES',
            'eu_ES': None, 'xx_XX': None, '': None, False: None, None: None,
        }.items():
            with self.subTest(lang=lang):
                self.assertEqual(match_language(lang, LANGUAGES), expected)
        self.assertIsNone(match_language('nb_NO', ['en']))
        self.assertIsNone(match_language('fr_FR', []))
        self.assertEqual(match_language('pt_AO', ['pt-XB', 'pt-XA']), 'pt-XA')

    def test_decimal(self):
        for value, expected in {
            '100.00': '100.00', '0.0': '0.0', '0.00000001': '1E-8', 7: '7', Decimal('1.5'): '1.5',
        }.items():
            self.assertEqual(parse_decimal(value), Decimal(expected))
        for value in ('', 'abc', 'NaN', 'Infinity', None, True, [], {}, 1.5, '1,5'):
            with self.subTest(value=value):
                self.assertIsNone(parse_decimal(value))

    def test_amount(self):
        currencies = self.env['res.currency'].with_context(active_test=False)
        usd = currencies.search([('name', '=', 'USD')])
        jpy = currencies.search([('name', '=', 'JPY')])
        kwd = currencies.search([('name', '=', 'KWD')])
        for amount, currency, expected in (
            (100, usd, '100.00'), (0.1 + 0.2, usd, '0.30'), (1.005, usd, '1.01'),
            (1234567.89, usd, '1234567.89'), (1e-7, usd, '0.00'), (1e12, usd, '1000000000000.00'),
            (1500.0, jpy, '1500'), (0.5, jpy, '1'), (1.2345, kwd, '1.235'),
        ):
            with self.subTest(amount=amount, currency=currency.name):
                self.assertEqual(format_amount(amount, currency), expected)

    def test_timestamp(self):
        self.assertEqual(parse_timestamp(1795478952), datetime(2026, 11, 24, 0, 9, 12))
        for value in (None, 'soon', 10**20, [], float('inf')):
            with self.subTest(value=value):
                self.assertIs(parse_timestamp(value), False)

    def test_id(self):
        self.assertTrue(is_api_id('E7k1DRAWPSjHyYeeDCFz7K'))
        for value in (
            '', 'a/b', '..', 'a b', 'a?b', 'a\n', 'a' * 65, None, 5, ['a'], 'ä', '%2e%2e',
        ):
            with self.subTest(value=value):
                self.assertFalse(is_api_id(value))

    def test_temporary(self):
        for status, expected in {
            None: True, 500: True, 503: True, 408: True, 429: True, 400: False, 401: False,
            403: False, 404: False, 422: False, 301: False,
        }.items():
            self.assertEqual(BTCPayError("", status=status).is_temporary, expected, status)
