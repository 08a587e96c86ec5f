"""The recordings of a real BTCPay Server, played again on the stand-in."""
import pytest
import requests

from .conftest import RECORDINGS, shared_folder
from .replay_engine import Player
from .replay_receiver import Receiver
from .replay_swagger import Swagger

#: Where the real server's answers are not as its description says: field, what it really is.
#: The recordings win. ('' is the answer, or an item of the list, itself.)
DISAGREEMENTS = {
    ('', "Additional properties are not allowed ('currentRateText' was unexpected)"),
    ('', 'NoneType, described as object'),  # additionalData of a method not activated
    ('', 'dict, described as array'),  # 400: one refusal, not a list of problems
    ('BOLT11Expiration', 'int, described as string'),
    ('date', 'int, described as string'),
    ('defaultPaymentMethod', 'NoneType, described as string'),
    ('destination', 'NoneType, described as string'),
    ('errorMessage', 'NoneType, described as string'),
    ('invoiceAmount', 'float, described as string'),
    ('onion', 'NoneType, described as string'),
    ('overpaidPaymentAmount', 'float, described as string'),
    ('paymentAmountNow', 'float, described as string'),
    ('paymentAmountThen', 'float, described as string'),
    ('paymentMethodCriteria', 'list, described as object'),
    ('paymentProof', 'NoneType, described as object'),
}
#: The same in what was not recorded: a configuration always fits the "anything else" of its oneOf
#: as well.
UNRECORDED_DISAGREEMENTS = {
    ('config', 'oneOf'),
    ('preferredSource', 'NoneType, described as string'),  # as its own description says
}


@pytest.fixture(scope='session')
def description():
    """:return: the server's description of its API, None where it is not at hand"""
    folder = shared_folder() / 'swagger'
    return Swagger(folder) if folder.is_dir() else None


@pytest.fixture(scope='session')
def swagger(description):
    if description is None:
        pytest.skip(f"no description of the server's API in {shared_folder() / 'swagger'}")
    return description


@pytest.fixture
def player(stand_in, recordings):
    receiver = Receiver()
    yield Player(stand_in, receiver, recordings)
    receiver.close()


def test_recordings_are_those_that_were_handed_over():
    """Nobody makes a recording fit by editing it."""
    wire = shared_folder() / 'wire'
    if not wire.is_dir():
        pytest.skip(f'no recordings to compare with in {wire}')
    original = {path.name: path.read_bytes() for path in wire.glob('s*.json')}
    own = {path.name: path.read_bytes() for path in RECORDINGS.glob('s*.json')}
    assert sorted(original) == sorted(own)
    assert [name for name in own if own[name] != original[name]] == []


def test_replay(player, recordings, description, scenario):
    differences = player.play(recordings[scenario])
    for record, status, answer in player.answers if description else ():
        call = record['method'], record['path']
        recorded = description.problems(*call, record['status'], record['response'])
        own = description.problems(*call, status, answer)
        if own - recorded:
            differences.append(f'{call} not as described: {own - recorded}')
    assert not differences, '\n'.join(['', *differences])


def test_disagreements_are_those_of_the_table(recordings, swagger):
    """A row that no recording shows any more would excuse a fault of the stand-in."""
    found = set()
    for recording in recordings.values():
        for record in recording['records']:
            if record['kind'] == 'api' and not record['path'].startswith('/i/'):
                found |= swagger.problems(
                    record['method'], record['path'], record['status'], record['response'])
    assert found == DISAGREEMENTS


def test_what_was_not_recorded_is_as_described(stand_in, swagger):
    """The rest of the API the stand-in has is held against the description alone."""
    auth = ('merchant@example.com', 'bitcoin-demo')
    control = f'{stand_in}/_control'
    requests.post(f'{control}/reset', json={}, timeout=30)
    problems = {}

    def call(method, path, body=None, status=200):
        response = requests.request(
            method, f'{stand_in}/api/v1{path}', json=body, auth=auth, timeout=30)
        assert response.status_code == status, (method, path, response.text)
        answer = response.json() if response.content else None
        found = swagger.problems(method, f'/api/v1{path}', status, answer)
        found -= DISAGREEMENTS | UNRECORDED_DISAGREEMENTS
        if found:
            problems[f'{method} {path}'] = found
        return answer

    store = call('POST', '/stores', {'name': 'Another', 'defaultCurrency': 'EUR'})['id']
    call('PUT', f'/stores/{store}', {'name': 'Renamed', 'paymentTolerance': 5})
    for method in ('BTC-CHAIN', 'BTC-LN'):
        call('PUT', f'/stores/{store}/payment-methods/{method}', {'enabled': True, 'config': {}})
    call('GET', f'/stores/{store}/payment-methods/BTC-LN')
    call('GET', f'/stores/{store}/payment-methods?includeConfig=true')
    call('DELETE', f'/stores/{store}/payment-methods/BTC-LN')
    call('GET', f'/stores/{store}/users')
    script = {'isCustomScript': True, 'effectiveScript': 'BTC_EUR = 30000; X_X = 1;', 'spread': '0'}
    call('PUT', f'/stores/{store}/rates/configuration/primary', script)
    call('GET', f'/stores/{store}/rates/configuration/primary')
    key = call('POST', '/api-keys', {'label': 'a', 'permissions': ['btcpay.store.canviewinvoices']})
    call('DELETE', f"/api-keys/{key['apiKey']}")
    call('GET', '/users/me')
    invoice = call('POST', f'/stores/{store}/invoices', {
        'amount': 20, 'checkout': {'lazyPaymentMethods': True}})
    below = f"/stores/{store}/invoices/{invoice['id']}"
    call('POST', f'{below}/payment-methods/BTC-CHAIN/activate')
    call('GET', f'{below}/payment-methods?includeSensitive=true&onlyAccountedPayments=false')
    call('POST', f'{below}/unarchive', status=400)
    requests.post(f'{control}/pay', json={'invoice': invoice['id'], 'fraction': '2'}, timeout=30)
    requests.post(f'{control}/mine', json={}, timeout=30)
    call('GET', f'{below}/refund/BTC-CHAIN')
    pull_payment = call('POST', f'/stores/{store}/pull-payments', {
        'name': 'Gift', 'amount': '0.01', 'currency': 'BTC', 'payoutMethods': ['BTC-CHAIN']})
    call('GET', f'/stores/{store}/pull-payments?includeArchived=true')
    payout = call('POST', f"/pull-payments/{pull_payment['id']}/payouts", {
        'destination': 'mySRxkDCaDt9N5sUThSJmUxumkK7NveVkf', 'payoutMethodId': 'BTC-CHAIN'})
    payout = f"/stores/{store}/payouts/{payout['id']}"
    call('GET', payout)
    call('POST', payout, {'revision': 0})
    call('POST', f'{payout}/mark', {'state': 'InProgress'})
    call('POST', f'{payout}/mark', {'state': 'Completed'})
    call('GET', f'/stores/{store}/payouts?includeCancelled=true')
    call('DELETE', f"/stores/{store}/pull-payments/{pull_payment['id']}")
    call('DELETE', f'/stores/{store}')
    call('GET', f'/stores/{store}')  # still there for the administrator of the server
    assert not problems
