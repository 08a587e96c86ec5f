"""The world as tests use it: a real server if one is named, else the stand-in and its faults."""
import time
from decimal import Decimal

import pytest
import requests

from ..world import Refused, StandIn, from_environment, real_server_named
from ..world.process import StandInProcess
from ..world.regtest import Regtest
from .replay_receiver import Receiver


@pytest.fixture(autouse=True, scope='module')
def nodes_are_up(world):
    """A node that was down in what was played before is believed to be there again."""
    if isinstance(world, StandIn):
        world.pass_time(45)


def test_money_and_refund(world):
    receiver = Receiver()
    store = world.new_store('Shop', ('BTC-CHAIN', 'BTC-LN'), speedPolicy='MediumSpeed')
    hook = world.new_webhook(store, receiver.url + '/hook')
    invoice = world.new_invoice(store, Decimal('50.00'), 'EUR')['id']
    assert world.pay(invoice, fraction='0.5') != world.pay(invoice)
    assert world.wait_invoice(invoice, 'Processing')['paidAmount'] == '50.00'
    world.mine()
    world.wait_invoice(invoice, 'Settled', 'None')
    payments = world.payment_methods(invoice)['BTC-CHAIN']['payments']
    assert payments[0]['value'] == '0.000625'
    lightning = world.new_invoice(store)['id']
    paid = world.pay(lightning, 'BTC-LN')
    world.wait_invoice(lightning, 'Settled')
    assert world.payment_methods(lightning)['BTC-LN']['payments'][0]['id'] == paid
    refund = world.api('POST', f'/invoices/{lightning}/refund', {'refundVariant': 'Fiat'})['id']
    part = world.claim(refund, '10')
    world.approve(part)
    world.pay_payout(part, 'InProgress')
    world.pay_payout(part)
    assert world.payout(part)['state'] == 'Completed'
    rest = world.claim(refund)
    assert Decimal(world.payout(rest)['originalAmount']) == 90
    world.cancel_payout(rest)
    assert world.payout(rest)['state'] == 'Cancelled'
    world.archive_pull_payment(refund)
    with pytest.raises(Refused, match='archived'):
        world.claim(refund)
    world.wait_deliveries()
    count = len(receiver.hooks)
    world.redeliver(hook['id'], world.deliveries(hook['id'], count=1)[0]['id'])
    world.wait_for(lambda: len(receiver.hooks) == count + 1)
    world.delete_store(store)
    receiver.close()


def test_replaced_and_late(world):
    store = world.new_store(methods=('BTC-CHAIN',), invoiceExpiration=60)
    invoice = world.new_invoice(store)['id']
    world.replace(world.pay(invoice, replaceable=True))
    world.mine()
    assert world.wait_invoice(invoice, 'New', 'None')['paidAmount'] == '0'
    world.expire(invoice)
    world.pay(invoice, amount='0.001')
    world.wait_invoice(invoice, 'Expired', 'PaidPartial')
    assert world.mark(invoice, 'Invalid')['additionalStatus'] == 'Marked'
    with pytest.raises(AssertionError, match='is Invalid/Marked, not Settled'):
        world.wait_invoice(invoice, 'Settled', timeout=0)


def test_stores_and_keys(world):
    store = world.new_store('One', ())
    assert world.api('GET', f'/stores/{store}/payment-methods') == []
    world.change_store(store, ('BTC-CHAIN', 'BTC-LNURL'), name='Two', paymentTolerance=1)
    world.change_store(store, ('BTC-LNURL',))
    methods = world.api('GET', f'/stores/{store}/payment-methods')
    assert {method['paymentMethodId']: method['enabled'] for method in methods} == {
        'BTC-CHAIN': False, 'BTC-LNURL': True}
    assert world.api('GET', f'/stores/{store}')['name'] == 'Two'
    key = world.new_key(store, ['btcpay.store.canviewinvoices'])
    assert world.api('GET', f'/stores/{store}/invoices', key=key) == []
    with pytest.raises(Refused, match='403'):
        world.api('GET', f'/stores/{store}', key=key)
    with pytest.raises(Refused, match='401'):
        world.api('GET', f'/stores/{store}', key='')
    world.revoke_key(key)
    with pytest.raises(Refused, match='401'):
        world.api('GET', f'/stores/{store}/invoices', key=key)


def test_what_cannot_be_paid_is_told(world):
    store = world.new_store(methods=('BTC-CHAIN',))
    with pytest.raises(Refused, match='BTC-LN'):
        world.pay(world.new_invoice(store)['id'], 'BTC-LN')


# --- what only the stand-in can -------------------------------------------------------------------


def test_what_is_wrong_with_the_environment_is_told(monkeypatch):
    with pytest.raises(RuntimeError, match='No answer'):
        Regtest('http://127.0.0.1:9', 'somebody@example.com', 'secret', 'http://u:p@127.0.0.1:9')
    monkeypatch.setenv('BTCPAY_URL', 'http://127.0.0.1:9')
    monkeypatch.delenv('BITCOIND_URL', raising=False)
    with pytest.raises(RuntimeError, match='BITCOIND_URL as well'):
        from_environment()


def test_faults_of_answers(world, stand_in):
    world.reset()
    health = f'{world.url}/api/v1/health'
    world.fault('status', path='health', method='GET', status=502)
    assert requests.get(health, timeout=10).status_code == 502
    assert requests.get(health, timeout=10).status_code == 200
    for kind in ('drop', 'half'):
        world.fault(kind, path='health')
        with pytest.raises(requests.RequestException):
            requests.get(health, timeout=10).json()
    world.fault('hang', path='health', seconds=3)
    with pytest.raises(requests.Timeout):
        requests.get(health, timeout=0.3)
    world.fault('slow', path='health', seconds=0.3)
    began = time.monotonic()
    assert requests.get(health, timeout=10).json() == {'synchronized': True}
    assert time.monotonic() - began >= 0.3
    world.fault('wrong_json', path='health', count=None)
    for _time in range(2):
        with pytest.raises(ValueError, match='Unterminated'):
            requests.get(health, timeout=10).json()
    world.clear_faults()
    assert requests.get(health, timeout=10).json()
    since = world.requests()[-1]['n']
    requests.get(health, timeout=10)
    assert [entry['path'] for entry in world.requests(since)] == ['/api/v1/health']


def test_a_call_whose_answer_is_lost_took_effect(world, stand_in):
    world.reset()
    store = world.new_store()
    world.fault('drop', path='invoices', method='POST', after=True)
    with pytest.raises(requests.ConnectionError):
        world.new_invoice(store, metadata={'orderId': 'S1'})
    found = world.api('GET', f'/stores/{store}/invoices', params={'orderId': 'S1'})
    assert len(found) == 1


def test_faults_of_deliveries(world, stand_in):
    world.reset()
    receiver, store = Receiver(), world.new_store()
    world.new_webhook(store, receiver.url + '/hook')

    def delivered(kind, **how):
        receiver.hooks.clear()
        world.webhook_fault(kind, **how)
        invoice = world.new_invoice(store)['id']
        world.pay(invoice)
        world.wait_deliveries()
        return [item['type'].removeprefix('Invoice') for item in world.delivered(invoice)], len(
            receiver.hooks)

    created, paid, processing = 'Created', 'ReceivedPayment', 'Processing'
    assert delivered('never', type='InvoiceReceivedPayment') == ([created, processing], 2)
    assert delivered('twice', type='InvoiceCreated')[1] == 4
    assert delivered('late', type='InvoiceCreated', seconds=0.5) == (
        [paid, processing, created], 3)
    assert delivered('reorder', type='InvoiceReceivedPayment') == ([created, processing, paid], 3)
    receiver.close()


def test_a_stand_in_keeps_its_state_and_ends_with_its_process(tmp_path):
    state = tmp_path / 'state'
    with StandIn.started(state=state, path='/pay') as world:
        assert world.url.endswith('/pay')
        invoice = world.new_invoice(world.new_store())
        assert invoice['checkoutLink'].startswith(f'{world.url}/i/')
        process = world.process.process
    assert process.returncode == 0
    with StandIn.started(state=state) as world:
        assert world.invoice(invoice['id'])['id'] == invoice['id']


def test_a_stand_in_that_cannot_start_says_so():
    with StandInProcess() as running:
        port = int(running.url.rpartition(':')[2])
        with pytest.raises(RuntimeError, match=f'did not start .port {port}'):
            StandInProcess(port=port).start()


def test_the_environment_decides(monkeypatch):
    if real_server_named():
        pytest.skip('a real server is named')
    monkeypatch.delenv('BTCPAY_URL', raising=False)
    with from_environment() as world:
        assert isinstance(world, StandIn)
        assert world.can_fault
