"""The comparison notices what it is there for: each recording here was spoilt in one place."""
import copy
import json
from decimal import Decimal

import pytest

from ..btcpay import addresses
from .conftest import load_recordings
from .replay_compare import Comparison
from .replay_engine import Player
from .replay_lightning import read_bolt11
from .replay_receiver import Receiver
from .replay_records import unknown
from .replay_times import Shift

RECORDINGS = load_recordings()
MINUTE = 60


def recording(name):
    found = next(key for key in RECORDINGS if key.startswith(name + '_'))
    return copy.deepcopy(RECORDINGS[found])


def pick(records, kind, which=0, **values):
    """:return: one of the records of a kind, or of those with a body's type or an end of a path"""
    return [
        record for record in records if record['kind'] == kind
        and values.get('type') in (None, record.get('body', {}).get('type'))
        and record.get('path', '').partition('?')[0].endswith(values.get('end', ''))
    ][which]


def later(value, *fields):
    """Put times off by a minute, wherever they are in some JSON."""
    for key, item in value.items() if isinstance(value, dict) else enumerate(value):
        if key in fields:
            value[key] += MINUTE
        elif isinstance(item, (dict, list)):
            later(item, *fields)


# --- ways to spoil a recording, and what must be noticed ------------------------------------------

def webhook_timestamp(records):
    later(pick(records, 'webhook', type='InvoiceSettled')['body'], 'timestamp')


def webhook_before_its_cause(records):
    event = pick(records, 'webhook', type='InvoicePaymentSettled')
    records.remove(event)
    records.insert(records.index(pick(records, 'chain', which=1)), event)


def webhook_too_late(records):
    event = pick(records, 'webhook', type='InvoiceCreated')
    records.remove(event)
    event['t'] = pick(records, 'chain')['t'] + 5
    records.insert(records.index(pick(records, 'webhook', type='InvoiceReceivedPayment')), event)


def event_after_the_end(records):
    records.remove(pick(records, 'webhook', type='InvoiceSettled'))


def event_that_does_not_come(records):
    records.append(copy.deepcopy(pick(records, 'webhook', type='InvoiceSettled')))


def other_events_while_waiting(records):
    pick(records, 'missing')['seen'].append('InvoiceInvalid')


def second_id_for_the_same(records):
    pick(records, 'api', -2)['response']['id'] = '1111111111111111111111'


def same_id_for_a_second(records):
    first, second = (pick(records, 'api', which, end='/invoices')['response'] for which in (0, 1))
    second['id'] = first['id']


def invoice_times(records):
    later(pick(records, 'api', -2)['response'],
          'createdTime', 'expirationTime', 'monitoringExpiration')


def received_date(records):
    later(pick(records, 'api', -1)['response'], 'receivedDate')


def pull_payment_start(records):
    later(pick(records, 'api', end='/refund', which=-1)['response'], 'startsAt')


def payout_date(records):
    later(pick(records, 'api', end='/payouts', which=-1)['response'], 'date')


def delivery_time(records):
    later(pick(records, 'api', end='/deliveries')['response'], 'deliveryTime')


def log_time(records):
    refused = next(record for record in records if record['kind'] == 'api'
                   and record['status'] == 400 and 'invoice starting' in str(record['response']))
    refused['response']['message'] = refused['response']['message'].replace('/2026 ', '/2027 ')


def key_index(records):
    payments = pick(records, 'api', end='/payment-methods', which=-1)['response'][0]
    payments['additionalData']['keyIndex'] += 1


def missing_header(records):
    del pick(records, 'api')['response_headers']['X-Frame-Options']


def one_more_header(records):
    answer = next(r for r in records if r['kind'] == 'api' and r['status'] == 401)
    answer['response_headers']['WWW-Authenticate'] = 'Bearer'


def content_type(records):
    pick(records, 'api')['response_headers']['Content-Type'] = 'application/json'


def location(records):
    pick(records, 'api')['response_headers']['Location'] = 'http://127.0.0.1:23000/login'


def agent(records):
    pick(records, 'webhook')['headers']['User-Agent'] = 'BTCPayServer/2.5.0'


def trace(records):
    pick(records, 'webhook')['headers']['traceparent'] = f'00-{"0" * 32}-{"0" * 16}-00'


def host(records):
    pick(records, 'webhook', -1)['headers']['Host'] = 'shop.example.com'


def signature(records):
    pick(records, 'webhook')['headers']['BTCPay-Sig'] = f'sha256={"0" * 64}'


def bolt11_description(records):
    """For another order than the invoice's."""
    prompt = pick(records, 'api', end='/payment-methods', which=-2)['response'][0]
    prompt['destination'] = made_bolt11(description='Paid to Lightning Shop (Order ID: S00001)')


SPOILT = [
    ('s03', webhook_timestamp, 'webhook InvoiceSettled.timestamp'),
    ('s03', webhook_before_its_cause, 'webhook InvoicePaymentSettled place'),
    ('s03', webhook_too_late, 'webhook InvoiceCreated place'),
    ('s03', event_after_the_end, 'webhooks to /hook'),
    ('s03', event_that_does_not_come, 'webhooks to /hook'),
    ('s04', other_events_while_waiting, 'waiting for InvoiceSettled'),
    ('s03', second_id_for_the_same, '.id: recorded'),
    ('s17', same_id_for_a_second, '.id: recorded'),
    ('s03', invoice_times, '.createdTime: recorded'),
    ('s03', invoice_times, '.monitoringExpiration: recorded'),
    ('s03', received_date, '.receivedDate: recorded'),
    ('s14', pull_payment_start, '.startsAt: recorded'),
    ('s24', payout_date, '.date: recorded'),
    ('s26', delivery_time, '.deliveryTime: recorded'),
    ('s25', log_time, '.message: recorded'),
    ('s03', key_index, '.keyIndex (counted)'),
    ('s03', missing_header, 'x-frame-options: recorded None'),
    ('s01', one_more_header, "www-authenticate: recorded 'Bearer'"),
    ('s03', content_type, 'content-type: recorded'),
    ('s03', location, 'location: recorded'),
    ('s03', agent, 'user-agent: recorded'),
    ('s03', trace, 'webhook InvoiceCreated headers'),
    ('s03', host, 'host: recorded'),
    ('s03', signature, 'webhook InvoiceCreated signed'),
    ('s21', bolt11_description, '.destination description: recorded'),
]


@pytest.mark.parametrize(
    ('name', 'spoil', 'noticed'), SPOILT,
    ids=[f'{name}-{spoil.__name__}-{i}' for i, (name, spoil, _noticed) in enumerate(SPOILT)])
def test_spoilt_recording_is_noticed(stand_in, name, spoil, noticed):
    spoilt = recording(name)
    spoil(spoilt['records'])
    receiver = Receiver()
    try:
        found = Player(stand_in, receiver, RECORDINGS).play(spoilt)
    finally:
        receiver.close()
    assert any(noticed in difference for difference in found), found


# --- records that the replay does not know --------------------------------------------------------

def new_kind(records):
    records.append({'t': 1, 'kind': 'mail'})


def new_field(records):
    pick(records, 'api')['took'] = 3


def field_left_out(records):
    del pick(records, 'webhook')['signature_ok']


def new_deed(records):
    pick(records, 'chain')['did'] = 'reorganised'


def new_note(records):
    records.append({'t': 1, 'kind': 'note', 'text': 'the merchant went home'})


def new_request_header(records):
    pick(records, 'api')['request_headers']['X-New'] = '1'


def new_delivery_header(records):
    pick(records, 'webhook')['headers']['X-New'] = '1'


def new_answer(records):
    pick(records, 'webhook')['answered'] = 'half of it'


@pytest.mark.parametrize(('spoil', 'noticed'), [
    (new_kind, "unknown kind 'mail'"),
    (new_field, "fields ['took']"),
    (field_left_out, "fields ['signature_ok']"),
    (new_deed, "unknown kind 'chain' reorganised"),
    (new_note, "unknown note 'the merchant went home'"),
    (new_request_header, "unknown request headers ['X-New']"),
    (new_delivery_header, "unknown or missing headers ['X-New']"),
    (new_answer, "unknown answer 'half of it'"),
])
def test_unknown_record_is_an_error(spoil, noticed):
    spoilt = recording('s03')
    assert unknown(spoilt) == []
    spoil(spoilt['records'])
    found = unknown(spoilt)
    assert len(found) == 1
    assert noticed in found[0]
    # and the player refuses to play it, whatever the server is
    assert Player('http://127.0.0.1:1', Receiver.__new__(Receiver), {}).play(spoilt) == found


def test_unknown_field_of_a_recording_is_an_error():
    spoilt = {**recording('s03'), 'server': '3.0', 'error': 'ended early'}
    assert unknown(spoilt) == [
        "unknown fields ['server']", 'the recorder ended with an error: ended early']


# --- Lightning ------------------------------------------------------------------------------------

def real_bolt11():
    """:return: (a recorded Lightning invoice, its fields)"""
    answer = pick(recording('s21')['records'], 'api', end='/payment-methods', which=-1)['response']
    return answer[0]['destination'], read_bolt11(answer[0]['destination'])


def made_bolt11(prefix='lnbcrt', **changes):
    """:return: the recorded Lightning invoice made anew, with changes"""
    fields = real_bolt11()[1]
    made = addresses.bolt11(**{
        'amount': Decimal('0.002'), 'payment_hash': fields['payment hash'],
        'description': fields['description'], 'created': fields['timestamp'],
        'expiry': fields['expiry'], **changes,
    })
    own, _one, words = made.rpartition('1')
    return addresses.bech32(
        own.replace('lnbcrt', prefix), [addresses.CHARSET.index(char) for char in words[:-6]])


def lightning_differences(actual):
    comparison = Comparison('http://127.0.0.1:1')
    comparison.compare('prompt', real_bolt11()[0], actual, 'destination')
    return [difference.partition(':')[0] for difference in comparison.differences]


def test_lightning_invoice_made_anew_agrees():
    assert lightning_differences(made_bolt11()) == []


@pytest.mark.parametrize(('changes', 'noticed'), [
    ({'amount': Decimal('0.0021')}, 'amount'),
    ({'amount': None}, 'amount'),
    ({'expiry': 60}, 'expiry'),
    ({'description': 'Paid to somebody else'}, 'description'),
    ({'created': 1_600_000_000}, 'timestamp'),
    ({'prefix': 'lnbc'}, 'network'),
    ({'prefix': 'lntb'}, 'network'),
])
def test_lightning_invoice_that_says_something_else_is_noticed(changes, noticed):
    assert lightning_differences(made_bolt11(**changes)) == [f'prompt {noticed}']


def test_lightning_invoice_with_another_hash_later_is_noticed():
    comparison = Comparison('http://127.0.0.1:1')
    recorded, fields = real_bolt11()
    comparison.learn(fields['payment hash'], 'ab' * 32)
    comparison.compare('prompt', recorded, made_bolt11(payment_hash='cd' * 32), 'destination')
    assert [text.partition(':')[0] for text in comparison.differences] == ['prompt payment hash']


def test_lightning_invoice_with_a_typing_error_is_noticed():
    recorded = real_bolt11()[0]
    assert lightning_differences(recorded[:-1] + ('q' if recorded[-1] != 'q' else 'p')) == [
        'prompt']


def test_lnurl_to_another_address_is_noticed():
    comparison = Comparison('http://127.0.0.1:1')
    links = [addresses.lnurl(f'{url}/BTC/UILNURL/pay/i/abc') for url in (
        'http://127.0.0.1:23000', 'http://127.0.0.1:1', 'http://127.0.0.1:2')]
    comparison.compare('same', links[0], links[1], 'destination')
    comparison.compare('other', links[0], links[2], 'destination')
    assert [text.partition(':')[0] for text in comparison.differences] == ['other']


# --- times ----------------------------------------------------------------------------------------

@pytest.mark.parametrize(('seconds', 'lag', 'less', 'differs'), [
    (0, 0, (), False),
    (1, 0, (), False),
    (-1, 0, (), False),
    (2, 0, (), True),
    (-3, 0, (), True),
    (2, 1.5, (), False),
    (3, 1.5, (), True),
    (-99, 0, (), True),
    (-99, 0, (99,), False),
    (-90, 0, (99,), True),
])
def test_one_shift_is_for_all_times(seconds, lag, less, differs):
    shift = Shift()
    shift.seconds, shift.lag = 1000, lag
    assert shift.differs(500, 1500 + seconds, less) is differs


# --- pairs ----------------------------------------------------------------------------------------

@pytest.mark.parametrize(('pairs', 'agrees'), [
    ([('a' * 40, 'b' * 40), ('c' * 40, 'd' * 40)], True),
    ([('a' * 40, 'b' * 40), ('a' * 40, 'b' * 40)], True),
    ([('a' * 40, 'b' * 40), ('a' * 40, 'd' * 40)], False),
    ([('a' * 40, 'b' * 40), ('c' * 40, 'b' * 40)], False),
    ([('a' * 40, 'b' * 64)], False),
])
def test_made_up_values_are_matched_one_to_one(pairs, agrees):
    comparison = Comparison('http://127.0.0.1:1')
    for recorded, actual in pairs:
        comparison.compare('key', {'apiKey': recorded}, {'apiKey': actual})
    assert (comparison.differences == []) is agrees


def test_recordings_are_whole():
    """Each is made of known records, and each body is the one that was signed and sent."""
    for name, found in RECORDINGS.items():
        assert unknown(found) == [], name
        for record in found['records']:
            if record['kind'] == 'webhook':
                assert json.loads(record['raw']) == record['body'], (name, record['t'])
