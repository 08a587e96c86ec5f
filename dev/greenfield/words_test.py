"""Signatures, languages, amounts, times, texts and methods."""
from datetime import datetime
from decimal import Decimal

import pytest

from greenfield import (
    Money,
    find_missing_methods,
    format_amount,
    format_crypto,
    is_api_id,
    is_lightning,
    is_signed,
    is_web_link,
    list_known_methods,
    make_storable,
    match_language,
    name_method,
    parse_decimal,
    parse_timestamp,
    round_amount,
    sign,
    to_payout_methods,
)
from greenfield.refund import PullPayment, RefundDraft
from greenfield.store import ServerInfo, Store
from greenfield.text import first_line, sum_up_log

#: what `GET /misc/lang` of BTCPay Server 2.4.1 lists
LANGUAGES = (
    'zh-TW sv np-NP zh-SP is-IS no bg-BG el-GR hy he hr-HR kk-KZ sl-SI az nl-NL am-ET ja-JP fr-FR'
    ' hu-HU id da-DK ca-ES ru-RU sk-SK ka cs-CZ lv zh-SG en ro pt-PT pt-BR vi-VN fa tr fi-FI de-DE'
    ' uk-UA sr bs-BA hi pl th-TH ar es-ES zu it-IT ko'
).split()


@pytest.mark.parametrize(('lang', 'expected'), {
    'en_US': 'en', 'en_GB': 'en', 'fr_FR': 'fr-FR', 'fr_BE': 'fr-FR', 'fr-BE': 'fr-FR',
    'de_CH': 'de-DE', 'pt_BR': 'pt-BR', 'pt_PT': 'pt-PT', 'pt_AO': 'pt-PT', 'es_419': 'es-ES',
    'nb_NO': 'no', 'sr@latin': 'sr', 'ja_JP': 'ja-JP', 'zh_CN': 'zh-SG', 'zh_HK': 'zh-TW',
    'zh_TW': 'zh-TW', 'ne_NP': 'np-NP', 'da_DK': 'da-DK', 'ca_ES': 'ca-ES', 'eu_ES': None,
    'xx_XX': None, '': None, None: None,
}.items())
def test_language(lang, expected):
    assert match_language(lang, LANGUAGES) == expected


def test_language_of_other_lists():
    assert match_language('nb_NO', ['en']) is None
    assert match_language('fr_FR', []) is None
    assert match_language('pt_AO', ['pt-XB', 'pt-XA']) == 'pt-XA'


def test_signature():
    # Computed with `openssl dgst -sha256 -hmac secret`.
    expected = 'sha256=f04e9c1538711e39131e58114b0f9655fea0cc9ec8b6693e2e63c2570d3cf950'
    assert sign('secret', b'{\n  "a": 1\n}') == expected
    assert is_signed(b'{\n  "a": 1\n}', expected, ['secret'])
    assert is_signed(b'{\n  "a": 1\n}', expected, ['other', None, '', 'secret'])


@pytest.mark.parametrize(('body', 'signature', 'secrets'), [
    (b'a ', sign('s', b'a'), ['s']),
    (b'a', sign('s', b'a'), ['t']),
    (b'a', sign('s', b'a'), []),
    (b'a', sign('', b'a'), ['']),
    (b'a', sign('', b'a'), [None]),
    (b'a', sign('s', b'a').upper(), ['s']),
    (b'a', sign('s', b'a').removeprefix('sha256='), ['s']),
    (b'a', sign('s', b'a')[:-1], ['s']),
    (b'a', '', ['s']),
    (b'a', None, ['s']),
    (b'a', 'sha256=\xff\ud800', ['s']),
])
def test_not_signed(body, signature, secrets):
    assert not is_signed(body, signature, secrets)


@pytest.mark.parametrize(('value', 'expected'), [
    ('100.00', '100.00'), ('0.0', '0.0'), ('0.00000001', '0.00000001'), (7, '7'), ('-1.5', '-1.5'),
    (Decimal('1.5'), '1.5'), ('999999999999999999999999', '999999999999999999999999'),
    ('1e-23', '0.00000000000000000000001'), ('0e-999999', '0'), (Decimal('0e999999'), '0'),
])
def test_decimal(value, expected):
    assert format(parse_decimal(value), 'f') == expected


def test_no_decimal():
    for value in (
        '', 'abc', 'NaN', 'Infinity', None, True, [], {}, 1.5, '1,5', '1e24', 10 ** 24, '1e-24',
        '1e999999', '0.' + '1' * 100, Decimal('1.' + '1' * 101),
    ):
        assert parse_decimal(value) is None


@pytest.mark.parametrize(('amount', 'decimals', 'expected'), [
    (100, 2, '100.00'), (0.1 + 0.2, 2, '0.30'), (1.005, 2, '1.01'), (Decimal('-1.005'), 2, '-1.01'),
    (1234567.89, 2, '1234567.89'), (1e-7, 2, '0.00'), (1e12, 2, '1000000000000.00'),
    (1500.0, 0, '1500'), (0.5, 0, '1'), ('1.2345', 3, '1.235'), ('0.000000001', 8, '0.00000000'),
    (1e23, 8, f'1{"0" * 23}.00000000'), ('9' * 24, 24, f'{"9" * 24}.{"0" * 24}'),
])
def test_amount(amount, decimals, expected):
    assert format_amount(amount, decimals) == expected
    assert round_amount(amount, decimals) == Decimal(expected)


@pytest.mark.parametrize(('amount', 'expected'), [
    ('0.00200', '0.002'), (Decimal('1E-8'), '0.00000001'), ('100', '100'), ('1E+2', '100'),
    ('0.000', '0'), (None, ''), ('abc', 'abc'), ('', ''),
])
def test_crypto(amount, expected):
    assert format_crypto(amount) == expected


def test_time():
    for value in (1795478952, '1795478952', Decimal('1795478952.9')):
        assert parse_timestamp(value) == datetime(2026, 11, 24, 0, 9, 12)
    for value in (None, 'soon', 10 ** 20, [], float('inf'), 1.5, True, '1e999999', -10 ** 12):
        assert parse_timestamp(value) is None


def test_ids():
    assert is_api_id('E7k1DRAWPSjHyYeeDCFz7K')
    assert is_api_id('BTC-CHAIN')
    for value in ('', 'a/b', '..', 'a b', 'a?b', 'a\n', 'a' * 65, None, 5, ['a'], 'ä', '%2e%2e'):
        assert not is_api_id(value)


def test_links():
    for link in ('https://a.example/i/1', 'http://127.0.0.1:23000/', 'HTTPS://A.example'):
        assert is_web_link(link)
    for value in (None, 5, '', 'a.example', '//a.example', 'ftp://a', 'javascript:a', 'https:///a'):
        assert not is_web_link(value)


def test_texts():
    assert make_storable('a\0b\ud800ö€') == 'ab?ö€'
    assert first_line('\n one \r\ntwo') == 'one'
    assert first_line(None) == ''
    assert len(first_line('x' * 10_000_000)) == 500


def test_when_the_server_names_something_then_it_cannot_change_what_stands_beside_it():
    said = 'My\r\n\x1b[2Jshop\u202e\u2066 of 5 \u20ac\u2028'
    names = (
        Store.parse({'id': 'a', 'name': said}).name,
        PullPayment.parse({'id': 'a', 'amount': '1', 'currency': 'BTC', 'name': said}).name,
        ServerInfo.parse({'version': said}).version,
    )
    assert names == ('My   [2Jshop   of 5 \u20ac ',) * 3
    # What a person has typed of a refund goes to the customer as it is.
    draft = RefundDraft('Fiat', description='\u0645\u06cc\u200c\u0634\u0648\u062f')
    assert RefundDraft.parse(draft.dump()) == draft


def test_methods():
    assert to_payout_methods(['BTC-LNURL', 'BTC-CHAIN', 'BTC-LN', None, 'a/b', 5]) == [
        'BTC-LN', 'BTC-CHAIN']
    assert is_lightning('BTC-LN')
    assert is_lightning('BTC-LNURL')
    assert not is_lightning('BTC-CHAIN')


@pytest.mark.parametrize(('method_id', 'name'), [
    ('BTC-CHAIN', 'Bitcoin'), ('BTC-LN', 'Lightning'), ('BTC-LNURL', 'Lightning'),
    ('LTC-CHAIN', 'Litecoin'), ('LTC-LN', 'Litecoin (Lightning)'), ('XMR-CHAIN', 'Monero'),
    ('ABC-CHAIN', 'ABC'), ('USDT-TRON', 'USDT-TRON'), ('', ''),
])
def test_methods_have_names(method_id, name):
    assert name_method(method_id) == name


def test_known_methods_have_names():
    methods = list_known_methods()
    assert {'BTC-CHAIN', 'BTC-LNURL', 'XMR-CHAIN'} <= set(methods)
    assert not any(name_method(method_id) == method_id for method_id in methods)


@pytest.mark.parametrize(('asked', 'made', 'missing'), [
    ('BTC-CHAIN', 'BTC-CHAIN', ''),
    ('BTC-LN BTC-LNURL', 'BTC-LNURL', 'BTC-LN BTC-LNURL'),  # Which nobody can pay.
    ('BTC-LN BTC-LNURL', 'BTC-LN', 'BTC-LNURL'),
    ('BTC-LNURL', 'BTC-LNURL', ''),  # The store has no other.
    ('BTC-CHAIN BTC-LN BTC-LNURL', 'BTC-CHAIN BTC-LNURL', 'BTC-LN BTC-LNURL'),
    ('BTC-LN LTC-LNURL', 'LTC-LNURL', 'BTC-LN'),
    ('BTC-CHAIN', '', 'BTC-CHAIN'),
    ('', 'BTC-CHAIN', ''),
])
def test_methods_that_an_invoice_lacks(asked, made, missing):
    assert find_missing_methods(asked.split(), made.split()) == missing.split()


def test_an_invoice_lacks_nothing_where_the_server_does_not_say_what_it_has():
    assert find_missing_methods(['BTC-CHAIN'], None) == []


def test_the_servers_log_is_summed_up():
    log = (
        'Error retrieving a matching payment method or rate.\n'
        '11/26/2026 00:16:37:Info Creation of invoice starting\n'
        '11/26/2026 00:16:37:Info Rate for BTC_RSD: ERR_RATE_UNAVAILABLE(X) = \n'
        '11/26/2026 00:16:37:Error BTC-LN: Payment method unavailable (Connection refused)\n'
        '11/26/2026 00:16:37:Info BTC-LN: Payment method details creation took 1 milliseconds\n'
    )
    assert sum_up_log(log) == (
        'Error retrieving a matching payment method or rate. Rate for BTC_RSD:'
        ' ERR_RATE_UNAVAILABLE(X) BTC-LN: Payment method unavailable (Connection refused)')
    assert sum_up_log(log.replace('11/26', '11/27')) == sum_up_log(log)
    assert sum_up_log('No wallet has been linked.\n') == 'No wallet has been linked.'
    assert (sum_up_log(None), sum_up_log('\n')) == ('', '')
    assert len(sum_up_log(log * 10_000)) <= 500


@pytest.mark.parametrize(('made', 'asked', 'is_ours'), [
    ('1234.56', '1234.56', True), ('1235', '1234.56', True), ('1234.6', '1234.56', True),
    ('1235.00', '1234.56', True), ('1234', '1234.44', True), ('1235', '1234.50', True),
    ('3.4', '3.40', True), ('0.001', '0.001', True), ('12.346', '12.3456', True),
    ('1234', '1234.56', False), ('1234', '1234.50', False), ('1236', '1234.56', False),
    ('1234.57', '1234.56', False), ('1234.561', '1234.56', False), ('1230', '1234', False),
    ('0', '0.40', False), ('0', '0', False), ('-1235', '1234.56', False),
])
def test_an_amount_is_ours_if_it_is_rounded_to_fewer_digits(made, asked, is_ours):
    asked = Money(Decimal(asked), 'RSD')
    assert Money(Decimal(made), 'RSD').is_rounded_from(asked) == is_ours
    assert not Money(Decimal(made), 'EUR').is_rounded_from(asked)
