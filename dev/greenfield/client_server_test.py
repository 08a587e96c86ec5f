"""Every operation on the server, keys, stores and webhooks, for real."""
from datetime import datetime, timezone
from decimal import Decimal

import pytest

from greenfield import (
    Forbidden,
    NotFound,
    Permission,
    Rate,
    Refused,
    ServerInfo,
    Store,
    StorePaymentMethod,
    Unauthorized,
    WebhookDraft,
    WebhookEvent,
    is_signed,
)

from ..contract.replay_receiver import Receiver
from ..world.base import GUIDE


@pytest.fixture
def receiver():
    return Receiver()


# --- the server and the key ---


def test_health_needs_no_key(connect):
    assert connect().get_health() is True


def test_server_info(world, client):
    info = client.get_server_info()
    assert info.version.startswith('2.4.1')
    assert not info.is_older_than((2, 4, 1))
    assert info.is_older_than((2, 5))


@pytest.mark.parametrize('version', ['', 'unknown', '+2.0'])
def test_unknown_version_is_not_old(version):
    assert not ServerInfo(version).is_older_than((2, 0))


def test_languages(client):
    codes = client.list_languages()
    assert {'en', 'fr-FR', 'no', 'zh-TW'} <= set(codes)


def test_current_key(client, store):
    key = client.get_current_key()
    assert key.store_ids == {store}
    assert not key.is_for_all_stores
    assert key.get_missing(GUIDE, store) == []
    assert key.get_missing(GUIDE, 'another') == list(GUIDE)
    assert key.get_missing(['btcpay.store.canmodifystoresettings', GUIDE[0]], store) == [
        'btcpay.store.canmodifystoresettings']
    assert Permission(GUIDE[0], store) in key.permissions
    assert key.get_excess(GUIDE) == []
    assert key.get_excess(GUIDE[1:]) == [GUIDE[0]]


def test_key_for_all_stores(world, connect, store):
    made = world.control('/key', {'permissions': ['btcpay.store.canviewinvoices']})
    key = connect(made['apiKey']).get_current_key()
    assert key.is_for_all_stores
    assert key.store_ids == frozenset()
    assert key.is_granted('btcpay.store.canviewinvoices', store)


def test_unrestricted_key(world, connect, store):
    key = connect(world.control('/key', {'permissions': ['unrestricted']})['apiKey'])
    assert key.get_current_key().get_missing(GUIDE, store) == []
    assert key.get_current_key().is_for_all_stores


def test_revoked_key_is_unauthorized(world, connect, store):
    client = connect(world.new_key(store, GUIDE))
    assert client.revoke_current_key() is None
    with pytest.raises(Unauthorized) as caught:
        client.get_current_key()
    assert caught.value.code == 'unauthenticated'
    assert (caught.value.is_temporary, caught.value.is_of_server) == (False, True)


# --- stores ---


def test_stores(client, store):
    assert client.list_stores().items == (Store(store, 'Shop'),)
    assert client.get_store(store) == Store(store, 'Shop')


def test_unknown_store_is_forbidden(client):
    with pytest.raises(Forbidden) as caught:
        client.get_store('unknown')
    assert caught.value.status == 403
    assert caught.value.code == 'missing-permission'
    assert caught.value.missing_permission == 'btcpay.store.canviewstoresettings'
    assert (caught.value.is_temporary, caught.value.is_of_server) == (False, False)


def test_payment_methods(world, connect):
    store = world.new_store('Methods', ('BTC-CHAIN', 'BTC-LN'))
    world.change_store(store, methods=('BTC-LN',))
    client = connect(world.new_key(store, GUIDE))
    assert set(client.list_payment_methods(store)) == {
        StorePaymentMethod('BTC-CHAIN', False), StorePaymentMethod('BTC-LN', True)}
    assert client.list_payment_methods(store, only_enabled=True).items == (
        StorePaymentMethod('BTC-LN', True),)


def test_rates(client, store):
    assert client.list_rates(store, ['BTC_USD', 'BTC_EUR']).items == (
        Rate('BTC_USD', Decimal(50000)), Rate('BTC_EUR', Decimal(40000)))


def test_rate_that_is_missing(world, client, store):
    world.control('/rates', {'BTC_CHF': None})
    [rate] = client.list_rates(store, ['BTC_CHF'])
    assert rate.rate is None


# --- webhooks ---


def test_webhook_made_changed_and_removed(client, store):
    draft = WebhookDraft('https://shop.example.com/hook', 'secret one', ('InvoiceSettled',))
    made = client.create_webhook(store, draft)
    assert (made.url, made.is_enabled, made.events) == (draft.url, True, ('InvoiceSettled',))
    assert made.get_missing_events(['InvoiceSettled', 'InvoiceExpired']) == ['InvoiceExpired']
    assert made in client.list_webhooks(store)
    changed = client.update_webhook(
        store, made.id, WebhookDraft('https://shop.example.com/other', 'secret two'))
    assert changed == client.get_webhook(store, made.id)
    assert (changed.url, changed.events) == ('https://shop.example.com/other', None)
    assert changed.get_missing_events(['InvoiceSettled']) == []
    assert client.delete_webhook(store, made.id) is None
    with pytest.raises(NotFound) as caught:
        client.get_webhook(store, made.id)
    assert caught.value.code == 'webhook-not-found'


def test_webhook_that_is_refused(client, store):
    with pytest.raises(Refused) as caught:
        client.create_webhook(store, WebhookDraft('no address', 'secret'))
    assert caught.value.fields


def test_secret_is_not_shown():
    assert 'secret of ours' not in repr(WebhookDraft('https://x.example', 'secret of ours'))


def test_event_and_its_redelivery(world, client, store, order, receiver):
    hook = client.create_webhook(store, WebhookDraft(
        receiver.url + '/hook', 'a secret', ('InvoiceCreated',)))
    invoice = world.new_invoice(store, metadata={'orderId': order})['id']
    world.wait_for(lambda: receiver.hooks)
    received = receiver.hooks[0]
    signature = received.headers['Btcpay-Sig']
    assert is_signed(received.raw, signature, [None, 'older', 'a secret'])
    event = WebhookEvent.parse(received.raw)
    assert (event.type, event.invoice_id, event.order_id) == ('InvoiceCreated', invoice, order)
    assert (event.store_id, event.webhook_id) == (store, hook.id)
    assert event.original_delivery_id == event.delivery_id
    assert not event.is_redelivery
    assert abs((event.sent_at - _now(world)).total_seconds()) < 60

    world.wait_deliveries()
    [delivery] = client.list_deliveries(store, hook.id)
    assert (delivery.id, delivery.http_code) == (event.delivery_id, 200)
    assert delivery.status == 'HttpSuccess'
    assert client.list_deliveries(store, hook.id).is_complete
    assert not client.list_deliveries(store, hook.id, count=1).is_complete
    assert delivery.is_answered
    again = client.redeliver(store, hook.id, delivery.id)
    world.wait_for(lambda: len(receiver.hooks) == 2)
    second = WebhookEvent.parse(receiver.hooks[1].raw)
    assert (second.delivery_id, second.original_delivery_id) == (again, event.delivery_id)
    assert second.is_redelivery
    world.wait_deliveries()
    assert client.get_delivery_original(store, hook.id, again) == delivery.id
    assert client.get_delivery_original(store, hook.id, delivery.id) == delivery.id
    client.delete_webhook(store, hook.id)


def test_unknown_delivery(client, store):
    hook = client.create_webhook(store, WebhookDraft('https://shop.example.com/x', 'secret'))
    with pytest.raises(NotFound) as caught:
        client.redeliver(store, hook.id, 'nosuch')
    assert caught.value.code == 'webhookdelivery-not-found'
    with pytest.raises(NotFound):
        client.get_delivery_original(store, hook.id, 'nosuch')
    client.delete_webhook(store, hook.id)


def _now(world):
    now = world.state()['now']
    return datetime.fromtimestamp(now, timezone.utc).replace(tzinfo=None)
