"""Objects: what is malformed is refused by its name, left out or cleaned, once."""
import dataclasses
import json
from datetime import datetime
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from greenfield import (
    ApiKey,
    Delivery,
    Invoice,
    InvoicePaymentMethod,
    Money,
    NotUnderstood,
    Payment,
    Payout,
    Permission,
    PullPayment,
    Rate,
    RefundDraft,
    RefundPreview,
    Store,
    StorePaymentMethod,
    Webhook,
    WebhookEvent,
)
from greenfield.reader import parse_listing

PAYMENT = {
    'id': 'aa-1', 'receivedDate': 1795651059, 'value': '0.002', 'fee': '0.0001',
    'status': 'Settled', 'destination': 'bcrt1q',
}
#: a good example of each, as the server answers it
GOOD = {
    Invoice: {
        'id': '98CQLdnU8L4AS1uGPBFS8U', 'storeId': 'B7FBa3', 'amount': '100.00', 'currency': 'USD',
        'paidAmount': '0.0', 'status': 'New', 'additionalStatus': 'None', 'archived': False,
        'checkoutLink': 'https://btcpay.example.com/i/98C', 'createdTime': 1795479275,
        'expirationTime': 1795480175, 'monitoringExpiration': 1795566575,
        'metadata': {'orderId': 'S00042'}, 'checkout': {'paymentMethods': ['BTC-CHAIN']},
    },
    Payment: PAYMENT,
    InvoicePaymentMethod: {
        'paymentMethodId': 'BTC-CHAIN', 'currency': 'BTC', 'rate': '50000', 'due': '0.0',
        'destination': 'bcrt1q', 'payments': [PAYMENT],
    },
    PullPayment: {
        'id': '2iZPLL4CnZ6AR5tiEQZphuyoTyeJ', 'name': 'Refund 98CQLd', 'description': '',
        'currency': 'BTC', 'amount': '0.002', 'BOLT11Expiration': '30', 'archived': False,
        'viewLink': 'https://btcpay.example.com/pull-payments/2iZ', 'autoApproveClaims': False,
    },
    Payout: {
        'id': '3nrLDuMsbwessvPirPmLhRQvuXr2', 'date': 1795479297, 'pullPaymentId': '3Ch9Gz',
        'destination': 'mySRxk', 'payoutMethodId': 'BTC-CHAIN', 'originalAmount': '100.00',
        'originalCurrency': 'USD', 'payoutCurrency': 'BTC', 'payoutAmount': '0.002',
        'state': 'Completed', 'paymentProof': {'proofType': 'PayoutTransactionOnChainBlob',
                                               'id': 'aabb'},
    },
    RefundPreview: {
        'paymentAmountNow': Decimal('0.002'), 'paymentAmountThen': Decimal('0.0021'),
        'invoiceAmount': Decimal('100.0'), 'overpaidPaymentAmount': None, 'invoiceCurrency': 'USD',
        'paymentCurrency': 'BTC', 'paymentCurrencyDivisibility': 11,
    },
    RefundDraft: {
        'refundVariant': 'Custom', 'customAmount': '1.50', 'customCurrency': 'USD',
        'payoutMethods': ['BTC-CHAIN'], 'payoutMethodId': 'BTC-CHAIN', 'name': 'Refund S00042',
        'description': 'Of S00042',
    },
    ApiKey: {'apiKey': 'a' * 40, 'label': 'odoo', 'permissions': ['p.a:S1', 'p.b']},
    Store: {'id': 'B7FBa3', 'name': 'Shop', 'defaultCurrency': 'EUR', 'archived': True},
    StorePaymentMethod: {'paymentMethodId': 'BTC-LN', 'enabled': True},
    Rate: {'currencyPair': 'BTC_EUR', 'rate': '40000', 'errors': []},
    Webhook: {
        'id': '9AaihR', 'enabled': True, 'url': 'https://shop.example.com/hook',
        'authorizedEvents': {'everything': False, 'specificEvents': ['InvoiceSettled', 5]},
    },
    Delivery: {
        'id': 'SsC8q6', 'timestamp': 1795479389, 'deliveryTime': 1795479399, 'httpCode': 408,
        'errorMessage': 'HTTP Error Code 408', 'status': 'HttpError',
    },
}
EVENT = {
    'deliveryId': 'RS2D4i', 'webhookId': 'A4KHfz', 'originalDeliveryId': 'RS2D4j',
    'isRedelivery': True, 'type': 'PayoutUpdated', 'timestamp': 1795479305, 'storeId': 'B7FBa3',
    'payoutId': '3nrLDu', 'pullPaymentId': '3Ch9Gz', 'payoutState': 'Completed',
    'invoiceId': '98CQLd', 'metadata': {'orderId': 'S00042'}, 'overPaid': True,
    'manuallyMarked': True,
}
TIME = datetime(2026, 11, 24, 0, 14, 35)
BAD_IDS = (
    None, '', 5, ['a'], {}, True, 'a/b', '..', 'a b', 'a\n', 'a\0', 'a' * 65, 'ä', '\ud800')
BAD_NUMBERS = (
    None, '', 'abc', 'NaN', '-Infinity', True, [], {}, 1.5, '1,5', '1e24', Decimal('1e30'), '1e-24',
    '1' * 101, Decimal('sNaN'), 10 ** 30)
BAD_AMOUNTS = (*BAD_NUMBERS, '-1', '-0.00000001', Decimal('-5.5'))
BAD_WORDS = (
    None, '', 5, [], {}, True, 'a\0b', '\udfff', 'a\nb', 'a\x1b[31m', '\u202ea', 'a' * 257)
BAD_LINKS = (
    None, '', 5, 'javascript:alert(1)', '/i/98C', 'ftp://a.example', 'https://', 'http://[',
    'https://a.example/\0', 'https://a.example/\ud800', 'https://a.example/\nb',
    'https://a.example/' + 'a' * 4096)
BAD_TIMES = (None, 'soon', True, [], 10 ** 20, '1e23', -10 ** 15, 1.5, -1, 253_402_300_799)

#: the fields that are required, with values that they cannot have
REQUIRED = [
    *((Invoice, 'id', value) for value in BAD_IDS),
    *((Invoice, 'amount', value) for value in BAD_AMOUNTS),
    *((Invoice, 'paidAmount', value) for value in BAD_NUMBERS),
    *((Invoice, name, value) for name in ('status', 'additionalStatus') for value in BAD_WORDS),
    *((Payment, 'id', value) for value in BAD_WORDS),
    *((Payment, 'value', value) for value in BAD_AMOUNTS),
    *((InvoicePaymentMethod, 'paymentMethodId', value) for value in BAD_IDS),
    *((InvoicePaymentMethod, 'payments', value) for value in (None, {}, 'a', 5)),
    *((PullPayment, 'id', value) for value in BAD_IDS),
    *((PullPayment, 'amount', value) for value in BAD_AMOUNTS),
    *((PullPayment, 'currency', value) for value in BAD_WORDS),
    *((Payout, 'id', value) for value in BAD_IDS),
    *((Payout, 'originalAmount', value) for value in BAD_AMOUNTS),
    *((Payout, 'state', value) for value in (*BAD_WORDS, 'Dreaming')),
    *((RefundPreview, 'paymentCurrency', value) for value in BAD_WORDS),
    *((RefundDraft, 'refundVariant', value) for value in (*BAD_WORDS, 'Whatever')),
    *((RefundDraft, 'customAmount', value) for value in BAD_AMOUNTS),
    *((RefundDraft, 'customCurrency', value) for value in BAD_WORDS),
    *((ApiKey, 'permissions', value) for value in (
        None, {}, 'a', [5], [None], ['a:b/c'], ['a:'], ['a:b:c'])),
    *((Store, 'id', value) for value in BAD_IDS),
    *((StorePaymentMethod, 'paymentMethodId', value) for value in BAD_IDS),
    *((Rate, 'currencyPair', value) for value in BAD_WORDS),
    *((Webhook, 'id', value) for value in BAD_IDS),
    *((Webhook, 'url', value) for value in (None, 5, [])),
    *((Webhook, 'enabled', value) for value in (None, 'true', 1)),
    *((Webhook, 'authorizedEvents', value) for value in (None, [], 'a')),
    *((Delivery, 'id', value) for value in BAD_IDS),
]

#: fields that may be missing: what becomes of values that they cannot have
OPTIONAL = [
    *((Invoice, 'storeId', value, 'store_id', '') for value in BAD_IDS),
    *((Invoice, 'currency', value, 'currency', '') for value in BAD_WORDS),
    *((Invoice, 'checkoutLink', value, 'checkout_link', None) for value in BAD_LINKS),
    *((Invoice, 'createdTime', value, 'created_at', None) for value in BAD_TIMES),
    *((Invoice, 'expirationTime', value, 'expires_at', None) for value in BAD_TIMES),
    *((Invoice, 'monitoringExpiration', value, 'monitored_until', None) for value in BAD_TIMES),
    *((Invoice, 'metadata', value, 'metadata', {}) for value in (None, [], 'a')),
    *((Invoice, 'metadata', {'orderId': value}, 'order_id', '')
      for value in (*BAD_WORDS[:-1], 'a' * 4097)),
    *((Invoice, 'checkout', value, 'payment_methods', None) for value in (
        None, [], {}, {'paymentMethods': None}, {'paymentMethods': 'BTC'})),
    (Invoice, 'checkout', {'paymentMethods': [5, None, 'a/b']}, 'payment_methods', ()),
    *((Payment, 'fee', value, 'fee', 0) for value in BAD_AMOUNTS),
    *((Payment, 'status', value, 'status', '') for value in (*BAD_WORDS, 'Dreaming')),
    *((Payment, 'receivedDate', value, 'received_at', None) for value in BAD_TIMES),
    (Payment, 'destination', 'a\0b\ud800', 'destination', 'ab?'),
    (Payment, 'destination', 'a' * 5000, 'destination', 'a' * 4096),
    (Payment, 'destination', 5, 'destination', ''),
    *((InvoicePaymentMethod, 'rate', value, 'rate', None) for value in BAD_AMOUNTS),
    *((InvoicePaymentMethod, 'due', value, 'due', None) for value in BAD_NUMBERS),
    *((PullPayment, 'viewLink', value, 'view_link', None) for value in BAD_LINKS),
    *((PullPayment, 'BOLT11Expiration', value, 'bolt11_days', 0) for value in (
        *BAD_NUMBERS, '-1', '1.5', '36501')),
    (PullPayment, 'BOLT11Expiration', 30, 'bolt11_days', 30),
    *((PullPayment, 'archived', value, 'is_archived', False) for value in (None, 'true', 1)),
    (PullPayment, 'name', 'My own name', 'refunded_invoice_id', None),
    (PullPayment, 'name', 'Refund a/b', 'refunded_invoice_id', None),
    *((Payout, 'payoutAmount', value, 'paid', None) for value in BAD_AMOUNTS),
    *((Payout, 'pullPaymentId', value, 'pull_payment_id', None) for value in BAD_IDS),
    *((Payout, 'date', value, 'claimed_at', None) for value in BAD_TIMES),
    *((Payout, 'paymentProof', value, 'proof', '') for value in (None, [], 'a', {}, {'id': 5})),
    (Payout, 'paymentProof', {'id': None, 'preimage': 'ff'}, 'proof', 'ff'),
    *((RefundPreview, name, value, attribute, None) for name, attribute in (
        ('paymentAmountThen', 'payment_amount_then'), ('paymentAmountNow', 'payment_amount_now'),
    ) for value in BAD_AMOUNTS),
    *((RefundPreview, 'paymentCurrencyDivisibility', value, 'payment_divisibility', 8)
      for value in (*BAD_NUMBERS, 25, -1)),
    *((RefundDraft, 'payoutMethods', value, 'payout_methods', None) for value in (None, 'a', {})),
    *((Store, 'name', value, 'name', 'B7FBa3') for value in (None, '', 5, '\0')),
    *((StorePaymentMethod, 'enabled', value, 'is_enabled', False) for value in (None, 'true', 1)),
    *((Rate, 'rate', value, 'rate', None) for value in BAD_AMOUNTS),
    (Webhook, 'authorizedEvents', {'everything': True}, 'events', None),
    *((Delivery, 'httpCode', value, 'http_code', None) for value in (*BAD_NUMBERS, 0, 1000)),
    # Servers older than 2.3.4 do not have it.
    *((Delivery, 'deliveryTime', value, 'sent_at', datetime(2026, 11, 24, 0, 16, 29))
      for value in BAD_TIMES),
]


def name_case(value):
    return value.__name__ if isinstance(value, type) else str(value)[:20].encode(
        'ascii', 'backslashreplace').decode()


@pytest.mark.parametrize('kind', GOOD, ids=name_case)
def test_good(kind):
    parsed = kind.parse(GOOD[kind])
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(parsed, dataclasses.fields(kind)[0].name, 'another')
    assert kind.parse(GOOD[kind]) == parsed


@pytest.mark.parametrize(('kind', 'name', 'value'), REQUIRED, ids=name_case)
def test_required(kind, name, value):
    with pytest.raises(NotUnderstood) as caught:
        kind.parse({**GOOD[kind], name: value})
    assert name in caught.value.reason


@pytest.mark.parametrize(
    ('kind', 'name', 'value', 'attribute', 'expected'), OPTIONAL, ids=name_case)
def test_optional(kind, name, value, attribute, expected):
    assert getattr(kind.parse({**GOOD[kind], name: value}), attribute) == expected


@pytest.mark.parametrize('kind', GOOD, ids=name_case)
def test_no_object(kind):
    for data in (None, [], 'text', 5, Decimal('1.5'), True):
        with pytest.raises(NotUnderstood):
            kind.parse(data)


@pytest.mark.parametrize(('amount', 'paid', 'states', 'counted'), [
    ('3.4', '3', ('Settled', 'None'), '3.4'),
    ('3.6', '4', ('Processing', 'None'), '3.6'),
    ('3.4', '3', ('Expired', 'PaidLate'), '3.4'),
    ('3.4', '3', ('New', 'PaidPartial'), '3'),
    ('3.4', '2', ('Settled', 'None'), '2'),  # By the store's tolerance.
    ('3.4', '0', ('Settled', 'Marked'), '0'),
    ('100.40', '100.00', ('Settled', 'None'), '100.00'),  # By the store's tolerance.
    ('1235', '1235', ('Settled', 'None'), '1235'),
    # There is no end to the digits of a server that has gone mad.
    (f'100.{"0" * 90}', f'99.{"9" * 60}', ('Settled', 'None'), f'99.{"9" * 60}'),
    (f'100.{"0" * 90}', f'100.{"0" * 60}', ('Settled', 'None'), '100'),
])
def test_when_the_server_rounds_what_was_paid_then_it_counts_in_full(amount, paid, states, counted):
    invoice = Invoice.parse({
        **GOOD[Invoice], 'amount': amount, 'paidAmount': paid,
        'status': states[0], 'additionalStatus': states[1],
    })
    assert invoice.counted_amount == Decimal(counted)


def test_invoice():
    invoice = Invoice.parse(GOOD[Invoice])
    assert (invoice.created_at, invoice.order_id) == (TIME, 'S00042')
    assert invoice.payment_methods == ('BTC-CHAIN',)
    assert invoice.paid_amount == 0


def test_when_fees_are_more_than_what_was_paid_then_nothing_counts_as_paid():
    assert Invoice.parse({**GOOD[Invoice], 'paidAmount': '-4.50'}).paid_amount == 0


def test_money_of_payouts():
    payout = Payout.parse(GOOD[Payout])
    assert (payout.claimed, payout.paid) == (
        Money(Decimal(100), 'USD'), Money(Decimal('0.002'), 'BTC'))
    assert (payout.proof, payout.state) == ('aabb', 'Completed')
    assert str(payout.paid) == '0.002 BTC'


def test_permissions():
    key = ApiKey.parse(GOOD[ApiKey])
    assert key.permissions == (Permission('p.a', 'S1'), Permission('p.b'))
    assert key.store_ids == {'S1'}
    assert not key.is_for_all_stores
    assert key.get_missing(['p.a', 'p.b', 'p.c'], 'S1') == ['p.c']
    assert key.get_missing(['p.a', 'p.b'], 'S2') == ['p.a']
    assert 'aaaa' not in repr(key)


def test_preview_survives_storing():
    preview = RefundPreview.parse(GOOD[RefundPreview])
    assert (preview.payment_amount_then, preview.payment_divisibility) == (Decimal('0.0021'), 11)
    stored = json.loads(json.dumps(preview.dump()))
    assert stored['paymentAmountThen'] == '0.0021'
    assert RefundPreview.parse(stored) == preview


def test_draft_survives_storing():
    draft = RefundDraft.parse(GOOD[RefundDraft])
    assert draft.custom == Money(Decimal('1.50'), 'USD')
    assert json.loads(json.dumps(draft.dump())) == GOOD[RefundDraft]
    for draft in (
        RefundDraft('RateThen'), RefundDraft('Fiat', subtract_percentage=Decimal('2.5')),
        RefundDraft('CurrentRate', payout_methods=('BTC-LN', 'BTC-CHAIN'), name='a'),
    ):
        assert RefundDraft.parse(json.loads(json.dumps(draft.dump()))) == draft


def test_event():
    event = WebhookEvent.parse(json.dumps(EVENT, indent=2).encode())
    assert event == WebhookEvent(
        delivery_id='RS2D4i', type='PayoutUpdated', store_id='B7FBa3', webhook_id='A4KHfz',
        original_delivery_id='RS2D4j', is_redelivery=True, sent_at=datetime(2026, 11, 24, 0, 15, 5),
        invoice_id='98CQLd', order_id='S00042', pull_payment_id='3Ch9Gz', payout_id='3nrLDu',
        payout_state='Completed', is_overpaid=True, is_marked=True, metadata=EVENT['metadata'])


@pytest.mark.parametrize('value', [None, 0, 1, 'false', 'true', [], {}], ids=name_case)
def test_event_whose_flags_are_none(value):
    event = WebhookEvent.parse(json.dumps(
        {**EVENT, 'overPaid': value, 'manuallyMarked': value}).encode())
    assert (event.is_overpaid, event.is_marked) == (None, False)


def test_event_with_nothing_but_its_id():
    assert WebhookEvent.parse(b'{"deliveryId": "a"}') == WebhookEvent('a')


@pytest.mark.parametrize('value', BAD_WORDS, ids=name_case)
def test_event_with_words_that_are_none(value):
    """They are logged: nothing in them begins another line, or steers who looks at it."""
    event = WebhookEvent.parse(json.dumps({
        **EVENT, 'type': value, 'payoutState': value
    }).encode())
    assert (event.type, event.payout_state) == ('', '')


@pytest.mark.parametrize('value', BAD_IDS, ids=name_case)
def test_event_without_id(value):
    with pytest.raises(NotUnderstood, match=r'event\.deliveryId'):
        WebhookEvent.parse(json.dumps({**EVENT, 'deliveryId': value}).encode())


@pytest.mark.parametrize('name', [
    'webhookId', 'originalDeliveryId', 'storeId', 'payoutId', 'pullPaymentId', 'invoiceId'])
def test_event_with_ids_that_are_none(name):
    for value in BAD_IDS:
        event = WebhookEvent.parse(json.dumps({**EVENT, name: value}).encode())
        assert list(dataclasses.astuple(event)).count(None) == 1


def test_no_event():
    for body in (b'', b'[]', b'"a"', b'{', b'\xff', b'null', b'[' * 100_000, b'{}'):
        with pytest.raises(NotUnderstood):
            WebhookEvent.parse(body)


def test_unreadable_items_do_not_hide_others():
    listing = parse_listing([PAYMENT, {}, None, PAYMENT], 'payments', Payment.parse)
    assert (len(listing), listing.is_complete) == (2, False)
    assert parse_listing([PAYMENT], 'payments', Payment.parse).is_complete
    method = InvoicePaymentMethod.parse({**GOOD[InvoicePaymentMethod], 'payments': [5, PAYMENT]})
    assert [payment.id for payment in method.payments] == ['aa-1']
    assert not method.payments.is_complete
    for data in (None, {}, 'text', 5):
        with pytest.raises(NotUnderstood, match='payments'):
            parse_listing(data, 'payments', Payment.parse)


# --- whatever comes ---

SCALARS = (
    st.none() | st.booleans() | st.integers() | st.decimals() | st.text(max_size=70)
    | st.text(st.characters(categories=['Cs', 'Cc']), max_size=5)
    | st.sampled_from(['1e999999', '0e-999999', 'Refund x', 'BTC-CHAIN', 'https://a.example'])
)
NAMES = st.sampled_from(
    ['id', 'preimage', 'orderId', 'everything', 'specificEvents', 'paymentMethods'])
ANYTHING = st.recursive(SCALARS, lambda inner: (
    st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3)), max_leaves=6)


def assert_storable(value):
    """What was parsed can be stored, shown and computed with."""
    if isinstance(value, str):
        assert '\0' not in value
        assert len(value.encode()) < 20_000
    elif isinstance(value, Decimal):
        assert len(format(value, 'f')) < 150
    elif isinstance(value, (tuple, list)):
        for item in value:
            assert_storable(item)
    elif dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            if field.name not in ('metadata', 'url', 'events', 'policy'):  # As they came.
                assert_storable(getattr(value, field.name))


@pytest.mark.parametrize('kind', GOOD, ids=name_case)
@settings(max_examples=25, deadline=None, database=None, derandomize=True)
@given(data=st.data())
def test_whatever_comes_is_refused_or_good(kind, data):
    names = data.draw(st.sets(st.sampled_from(sorted(GOOD[kind])), min_size=1))
    broken = {**GOOD[kind], **{name: data.draw(ANYTHING) for name in names}}
    try:
        parsed = kind.parse(broken)
    except NotUnderstood:
        return
    assert_storable(parsed)
    if hasattr(parsed, 'dump'):
        json.dumps(parsed.dump())
