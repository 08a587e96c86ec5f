"""The small server answers as the stand-in does, counts each call, and can hang."""
import json
import threading
import time

import pytest

from . import recorded
from .peers import Request
from .place import Line
from .recorded import STORE
from .server import Server

INVOICES = f'/api/v1/stores/{STORE}/invoices'


@pytest.fixture(scope='module')
def answers():
    return recorded.record()


@pytest.fixture
def server(answers):
    made = Server(answers)
    threading.Thread(target=made.serve_forever, args=(0.02,), daemon=True).start()
    yield made
    made.books.released.set()
    made.shutdown()
    made.server_close()


def ask(server, path, data=None):
    body = None if data is None else json.dumps(data).encode()
    answer = Line(server.server_port, timeout=10).send(Request(path, body))
    return answer.status, json.loads(answer.body)


def create(server, order='S7'):
    status, invoice = ask(server, INVOICES, {
        'amount': '100', 'currency': 'USD', 'metadata': {'orderId': order, 'token': 'x'}})
    assert status == 200
    return invoice


def test_when_an_invoice_is_made_then_it_is_as_the_stand_in_writes_it(server, answers):
    invoice = create(server)
    real = json.loads(answers['open'].invoice)
    assert {key: type(value) for key, value in invoice.items()} == {
        key: type(value) for key, value in real.items()}
    assert (invoice['status'], invoice['storeId']) == ('New', STORE)
    assert invoice['metadata'] == {'orderId': 'S7', 'token': 'x'}
    assert answers['open'].id not in json.dumps(invoice)
    assert invoice['id'] in invoice['checkoutLink']
    assert abs(invoice['createdTime'] - time.time()) < 60
    for name in ('expirationTime', 'monitoringExpiration'):
        assert invoice[name] - invoice['createdTime'] == real[name] - real['createdTime']


def test_when_it_is_paid_then_it_is_settled_by_what_was_asked_for(server):
    invoice = create(server)
    ask(server, '/bench/state', 'paid')
    _status, paid = ask(server, f'{INVOICES}/{invoice["id"]}')
    assert (paid['status'], paid['additionalStatus']) == ('Settled', 'None')
    assert float(paid['paidAmount']) == float(paid['amount']) == 100
    _status, methods = ask(server, f'{INVOICES}/{invoice["id"]}/payment-methods')
    assert [p['status'] for method in methods for p in method['payments']] == ['Settled']


def test_when_one_has_a_state_of_its_own_then_the_state_of_all_is_not_its(server):
    ask(server, '/bench/invoices', [['mine', 'S1', 'paid', time.time()]])
    assert ask(server, f'{INVOICES}/mine')[1]['status'] == 'Settled'


def test_when_invoices_are_listed_then_those_of_the_orders_are(server):
    for order in ('S1', 'S2', 'S3'):
        create(server, order)
    _status, found = ask(server, f'{INVOICES}?orderId=S3&orderId=S1&orderId=S9')
    assert [invoice['metadata']['orderId'] for invoice in found] == ['S3', 'S1']


def test_when_it_is_called_then_each_call_is_counted_and_our_own_are_not(server):
    before = ask(server, '/bench/calls')[1]
    create(server)
    assert ask(server, f'{INVOICES}/nothing')[0] == 404
    ask(server, '/bench/state', 'paid')
    assert ask(server, '/bench/calls')[1] - before == 2


def test_when_it_hangs_then_no_call_is_answered_until_it_goes_on(server):
    ask(server, '/bench/hang', True)
    found = []
    caller = threading.Thread(target=lambda: found.append(create(server)))
    caller.start()
    caller.join(0.5)
    assert not found
    ask(server, '/bench/hang', False)
    caller.join(10)
    assert len(found) == 1
    assert ask(server, '/bench/calls')[1] == 1
