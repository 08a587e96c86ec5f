"""What debug mode keeps of calls and events: nothing secret, nothing about a customer."""
import json
import time

import pytest

from greenfield import redact_call, redact_event, redact_parameters, redact_words
from greenfield.redact import HIDDEN, MAX_BODY

from ..contract.conftest import load_recordings

KEY = '5ec7e7' + '0a' * 17
STORE = '/stores/B7FBa3KPRaf3'
INVOICE = f'{STORE}/invoices/98CQLdnU8L4'
CUSTOMER = {
    'buyerEmail': 'ann@example.com', 'buyerName': 'Ann Otter', 'buyerAddress1': '7 River Road',
    'buyerPhone': '+43 664 1234567', 'buyerZip': 1010, 'ip': '203.0.113.7',
    'plugin': {'any': ['Ann Otter', 4711]}, 'ann@example.com': 1, 'itemDesc': 'Ann Otter\'s hat',
    'orderId': 'S00042-1', 'itemCode': None,
}
PERSONAL = ('ann@', 'Ann', 'Otter', 'River', '664', '1010', '203.0.113', '4711')
#: of these fields nothing of the recordings is shown, wherever they stand
NEVER = {
    'apiKey', 'secret', 'viewLink', 'pullPaymentId', 'destination', 'label', 'name', 'config',
    'paymentLink', 'description', 'itemDesc', 'buyerEmail', 'website', 'additionalSearchTerms',
}


def _assert_hidden(text, *secrets):
    for secret in (*PERSONAL, *secrets):
        assert secret not in text


def test_when_a_customer_is_in_an_invoice_then_all_but_the_order_is_hidden():
    draft = {
        'amount': '100.00', 'currency': 'EUR', 'metadata': CUSTOMER, 'new': 'Ann Otter',
        'checkout': {'defaultLanguage': 'de-DE', 'redirectURL': 'https://shop.example/x?ref=Ann'},
        'additionalSearchTerms': ['Ann Otter'],
    }
    answer = {'id': '98CQLdnU8L4', 'status': 'New', **draft, 'checkoutLink': 'https://btc.pay/i/9'}
    sent, answered = redact_call(f'{STORE}/invoices', draft, 200, json.dumps(answer).encode())
    for text in (sent, answered):
        _assert_hidden(text)
        shown = json.loads(text)
        assert shown['metadata']['orderId'] == 'S00042-1'
        assert shown['metadata']['buyerEmail'] == shown['metadata']['plugin'] == HIDDEN
        assert (shown['amount'], shown['checkout']['defaultLanguage']) == ('100.00', 'de-DE')
        assert shown['checkout']['redirectURL'] == 'https://shop.example/…'
    assert json.loads(answered)['id'] == '98CQLdnU8L4'


def test_when_the_order_id_was_made_by_hand_and_is_a_customer_then_it_is_hidden():
    event = {'type': 'InvoiceSettled', 'metadata': {**CUSTOMER, 'orderId': 'ann@example.com'}}
    text = redact_event(json.dumps(event).encode())
    _assert_hidden(text)
    assert json.loads(text)['type'] == 'InvoiceSettled'


def test_when_a_refund_is_made_then_neither_its_id_nor_its_link_is_shown():
    money = 'pu11pay' + 'Z' * 20
    pull_payment = {
        'id': money, 'amount': '40', 'currency': 'BTC', 'viewLink': f'https://b.tc/pull-payments/{money}',
        'name': money,
    }
    payout = {'id': 'out', 'pullPaymentId': money, 'state': 'Completed', 'destination': 'bc1qann'}
    event = {'type': 'PayoutUpdated', 'pullPaymentId': money, 'payoutId': money[::-1]}
    for path, answer in (
        (f'{INVOICE}/refund', pull_payment), (f'{STORE}/pull-payments', [pull_payment]),
        (f'/pull-payments/{money}', pull_payment), (f'/pull-payments/{money}/payouts', [payout]),
        (f'{STORE}/payouts', [payout]), ('/something/new', pull_payment),
        (f'{STORE}/webhooks/w/deliveries/d/request', event),
    ):
        _sent, answered = redact_call(path, None, 200, json.dumps(answer).encode())
        _assert_hidden(answered, money, 'bc1qann')
    said = {'code': 'archived', 'message': f'{money} of https://b.tc/pull-payments/{money} is over'}
    _sent, answered = redact_call(f'/pull-payments/{money}', None, 400, json.dumps(said).encode())
    _assert_hidden(answered, money)
    assert json.loads(answered)['code'] == 'archived'


def test_when_a_key_or_secret_is_in_a_body_then_it_is_hidden_wherever_it_stands():
    webhook = {'url': f'https://u:{KEY}@shop.example/hook/{KEY}', 'secret': 'whsecretABCDEFGH'}
    sent, answered = redact_call(
        f'{STORE}/webhooks', webhook, 200, json.dumps({**webhook, 'id': KEY, KEY: 1}).encode())
    _assert_hidden(sent + answered, KEY, 'whsecret')
    for said in (
        {'message': f'Unknown key {KEY}'}, {'message': f'Authorization: token {KEY[:12]}'},
        {'code': KEY}, [{'path': KEY, 'message': 'ann@example.com is no address'}],
        {'message': 'from 203.0.113.7, call +43 664 1234567'}, {'other': KEY}, KEY, [KEY],
    ):
        _sent, answered = redact_call(INVOICE, None, 422, json.dumps(said).encode())
        _assert_hidden(answered, KEY, KEY[:12])
    _sent, answered = redact_call(INVOICE, None, 200, b'{"id": "odd one"}', ['odd one'])
    assert 'odd one' not in answered


def test_when_the_server_refuses_then_its_own_words_are_shown():
    said = {'code': 'generic-error', 'message': 'Error retrieving a rate.\nBTC-CHAIN: no rate'}
    _sent, answered = redact_call(f'{STORE}/invoices', None, 400, json.dumps(said).encode())
    assert json.loads(answered)['message'] == 'Error retrieving a rate. BTC-CHAIN: no rate'
    fields = [{'path': 'Amount', 'message': 'The amount should be 0 or more.'}]
    _sent, answered = redact_call(f'{STORE}/invoices', None, 422, json.dumps(fields).encode())
    assert json.loads(answered) == fields


@pytest.mark.parametrize(('body', 'expected'), {
    b'': '', b'\xff\0\xfe': '(not JSON: 3 bytes)', b'a\0b': '(not JSON: 3 bytes)',
    b'[' * 200_000: '(not JSON: 200000 bytes)', b'1' * 9000: '(not JSON: 9000 bytes)',
    b'<html><title>502 Bad Gateway</title>Ann Otter': '(not JSON: 45 bytes, “502 Bad Gateway”)',
    b'{"message": "' + b'x' * 2_000_000 + b'"}': '(too long: 2000015 bytes)',
}.items())
def test_when_a_body_is_no_json_or_huge_then_only_its_length_and_title_are_shown(body, expected):
    assert redact_call(INVOICE, None, 502, body)[1] == expected


@pytest.mark.parametrize('body', [
    b'null', b'true', b'7', b'"text"', b'[]', b'[1, [2]]', b'{"id": {"a": {"b": 1}}}',
    b'{"a": NaN}', b'{"message": {"a": 1}}', b'"\\u0000\\ud800"',
    b'{"\\u0000": "\\ud800", "code": "\\u0000\\ud800"}',
    json.dumps({f'field{number}': number for number in range(5000)}).encode(),
    json.dumps([{'id': 'x' * 400}] * 5000).encode(),
    json.dumps({'message': 'x ' * 90000}).encode(),
])
def test_when_the_json_is_strange_or_long_then_what_is_kept_is_short_and_can_be_stored(body):
    for status in (200, 500, None):
        text = redact_call(INVOICE, None, status, body)[1]
        assert len(text) < MAX_BODY + 100
        assert '\0' not in text
        text.encode()


def test_when_parameters_are_kept_then_only_known_ones_are_shown():
    assert redact_parameters({'take': 1, 'textSearch': 'Ann'}) == f'take=1&textSearch={HIDDEN}'
    assert redact_parameters([('orderId', 'S1'), ('orderId', 'S2')]) == 'orderId=S1&orderId=S2'
    assert 'ann@' not in redact_parameters({'orderId': 'ann@example.com'})
    assert redact_parameters(None) == ''


def test_when_words_are_kept_then_they_are_on_one_line():
    assert redact_words('Not today.\r\n2 of 3 down') == 'Not today. 2 of 3 down'


@pytest.mark.parametrize('unit', ['a.', 'a', '1/', 'a(', ')a'])
def test_when_anybody_sends_long_words_then_they_are_read_in_no_time(unit):
    """Whoever has no signature may send them, too."""
    words = unit * 2000 + '!'
    start = time.process_time()
    redact_event(json.dumps({'type': [[words] * 8] * 2}).encode())
    assert time.process_time() - start < 0.5  # It was five seconds.


def _strings(value, names=()):
    """:return: the texts of a value, each with the names of the fields it stands in"""
    if isinstance(value, dict):
        for name, item in value.items():
            yield from _strings(item, (*names, name))
    elif isinstance(value, list):
        for item in value:
            yield from _strings(item, names)
    elif isinstance(value, str) and len(value) > 3:
        yield value, set(names)


def test_when_a_real_server_speaks_then_it_is_of_use_and_nothing_secret_is_kept():
    shown, words = set(), {'Settled', 'BTC-CHAIN', 'generic-error', 'AwaitingPayment'}
    for recording in load_recordings().values():
        for record in recording['records']:
            if record['kind'] != 'api' or not record['path'].startswith('/api/v1/'):
                continue
            path = record['path'].removeprefix('/api/v1').partition('?')[0]
            answer = record['response']
            kept = '\n'.join(redact_call(
                path, record['request'], record['status'], json.dumps(answer).encode()))
            known = {text for text, names in _strings([record['request'], answer])
                     if not names & NEVER}
            for text, names in _strings([record['request'], answer]):
                if names & NEVER and text not in known:
                    assert json.dumps(text) not in kept, (path, names)
            shown |= {word for word in words if f'"{word}"' in kept}
    assert shown == words


def test_when_a_list_is_long_then_its_beginning_is_shown_as_whole_json():
    invoices = [{'id': f'invoice{number}'} for number in range(30)]
    _sent, answered = redact_call(f'{STORE}/invoices', None, 200, json.dumps(invoices).encode())
    assert json.loads(answered) == [*invoices[:20], '(… 10 more)']
