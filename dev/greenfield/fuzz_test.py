"""Whatever comes from outside is read, or refused by one of our errors; nothing else happens."""
import dataclasses
import inspect
import json
from decimal import Decimal

import pytest
from hypothesis import strategies as st

from greenfield import (
    Answer,
    Client,
    GreenfieldError,
    InvoiceDraft,
    NotUnderstood,
    RefundDraft,
    WebhookDraft,
    WebhookEvent,
    format_crypto,
    is_signed,
    match_language,
    parse_answer,
    parse_decimal,
    parse_timestamp,
)
from greenfield.address import REASONS, AddressRefused, normalize
from greenfield.text import make_storable

from ..fuzz import ANYTHING, SCALAR, TEXT, fuzz
from .objects_test import EVENT, GOOD


def plain(good):
    return {name: str(value) if isinstance(value, Decimal) else value
            for name, value in good.items()}


def broken(good):
    """A good object of which some fields are something else."""
    return st.dictionaries(st.sampled_from(sorted(good)), ANYTHING, max_size=5).map(
        lambda wrong: {**plain(good), **wrong})


#: of a refusal, and of each field that one names
ERROR = st.dictionaries(
    st.sampled_from(('code', 'message', 'missingPermission', 'path')), TEXT | ANYTHING)
OBJECT = st.sampled_from([*GOOD.values(), EVENT]).flatmap(broken)
JSON = st.one_of(OBJECT, st.lists(OBJECT, max_size=3), ANYTHING)
BODY = st.one_of(
    JSON.map(lambda data: json.dumps(data).encode()),
    JSON.map(lambda data: json.dumps(data).encode()[:-1]),
    st.binary(max_size=60),
    st.sampled_from((b'', b'[' * 50_000, b'{"a":' * 50_000, b'7' * 9000, b'\xef\xbb\xbf{}')),
)
STATUS = st.one_of(st.just(200), st.sampled_from(
    (201, 204, 301, 400, 401, 403, 404, 408, 422, 429, 500, 503, 599)))
HEADERS = st.sampled_from(({}, {'Content-Encoding': 'gzip'}, {'Content-Encoding': 'identity'}))


def assert_clean(value):
    """All texts of an object can be stored; the metadata alone is what others sent."""
    if isinstance(value, str):
        assert make_storable(value) == value
    elif isinstance(value, Decimal):
        assert value.is_finite()
        assert len(format(value, 'f')) < 200
    elif dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            if field.name != 'metadata':
                assert_clean(getattr(value, field.name))
    elif isinstance(value, (list, tuple)):
        for item in value:
            assert_clean(item)


def assert_line(text):
    assert text.isprintable()
    assert len(text) < 1000


def assert_lines(error):
    assert_line(str(error))
    assert_line(getattr(error, 'missing_permission', ''))
    for path, message in getattr(error, 'fields', ()):
        assert_line(path)
        assert_line(message)


#: what the operations are called with
ARGUMENTS = {
    'store_id': 'B7FBa3', 'invoice_id': '98CQLdnU8L4AS1uGPBFS8U', 'order_ids': ['S1'],
    'webhook_id': '9AaihR', 'delivery_id': 'RS2D4i', 'pull_payment_id': '3Ch9Gz',
    'payment_method_id': 'BTC-CHAIN', 'pairs': ['BTC_EUR'], 'status': 'Invalid',
}
DRAFTS = {
    'create_invoice': InvoiceDraft(Decimal(1), 'EUR'), 'refund_invoice': RefundDraft('Fiat'),
    'create_webhook': WebhookDraft('https://a.example', 's'),
    'update_webhook': WebhookDraft('https://a.example', 's'),
}
OPERATIONS = sorted(
    name for name, _method in inspect.getmembers(Client, inspect.isfunction)
    if not name.startswith('_'))


@pytest.mark.parametrize('name', OPERATIONS)
@fuzz(25, body=BODY, status=STATUS, headers=HEADERS)
def test_whatever_the_server_answers(name, body, status, headers):
    client = Client(lambda *_call, **_content: parse_answer(Answer(status, headers, body)))
    operation = getattr(client, name)
    arguments = {
        parameter: DRAFTS[name] if parameter == 'draft' else ARGUMENTS[parameter]
        for parameter, about in inspect.signature(operation).parameters.items()
        if about.default is about.empty}
    try:
        found = operation(**arguments)
    except GreenfieldError as error:
        assert_lines(error)
    else:
        assert_clean(list(found) if hasattr(found, 'items') else found)
        repr(found)


@fuzz(250, data=ERROR | st.lists(ERROR, max_size=3), status=st.sampled_from((400, 403, 422)))
def test_whatever_is_said_of_a_refusal(data, status):
    with pytest.raises(GreenfieldError) as caught:
        parse_answer(Answer(status, {}, json.dumps(data).encode()))
    assert_lines(caught.value)


@fuzz(250, body=st.one_of(broken(EVENT).map(lambda data: json.dumps(data).encode()), BODY))
def test_whatever_event_is_signed(body):
    try:
        assert_clean(WebhookEvent.parse(body))
    except NotUnderstood as error:
        assert_line(str(error))


@fuzz(100, body=st.binary(max_size=100), signature=st.none() | TEXT)
def test_whatever_the_signature_is(body, signature):
    assert not is_signed(body, signature, ['a secret', None, ''])


HOSTS = st.one_of(
    TEXT, st.ip_addresses().map(str), st.integers(0, 2 ** 33).map(str),
    st.integers(0, 2 ** 33).map(hex), st.ip_addresses(v=6).map(lambda ip: f'[{ip}]'),
    st.text('0123456789abcdefx.:[]%-_', max_size=30),
)
ADDRESSES = st.one_of(TEXT, st.builds(
    '{}{}{}{}'.format, st.sampled_from(('', 'http://', 'https://', 'HTTPS://', 'ftp://', '//')),
    HOSTS, st.sampled_from(('', ':80', ':0', ':99999', ':x')), st.just('') | TEXT,
))


@fuzz(600, typed=ADDRESSES)
def test_whatever_address_is_typed(typed):
    try:
        url = normalize(typed)
    except AddressRefused as error:
        assert error.reason in REASONS
        assert all(make_storable(value) == value for value in error.values.values())
    else:
        assert normalize(url) == url
        assert_line(url[:900])


@fuzz(150, value=st.one_of(SCALAR, ANYTHING))
def test_whatever_number_time_and_language(value):
    number = parse_decimal(value)
    assert number is None or number.is_finite()
    format_crypto(value)
    parse_timestamp(value)
    if value is None or isinstance(value, str):
        match_language(value, ['fr-FR', 'no'])
