"""Every operation on invoices and refunds, for real."""
from decimal import Decimal

import pytest

from greenfield import (
    Client,
    Forbidden,
    InvoiceDraft,
    Money,
    NotFound,
    NotUnderstood,
    Payout,
    RefundDraft,
    Refused,
    Unreachable,
    refund,
)

from ..world.base import GUIDE


@pytest.fixture
def draft(order):
    return InvoiceDraft(
        Decimal('100.00'), 'USD', order, metadata={'ours': {'a': 1}},
        redirect_url='https://shop.example.com/back', is_redirected_automatically=True,
        language='fr-FR',
    )


@pytest.fixture
def paid(world, client, store, draft):
    """:return: the id of an invoice that was paid on-chain and confirmed"""
    invoice = client.create_invoice(store, draft)
    world.pay(invoice.id)
    world.mine(6)
    world.wait_invoice(invoice.id, 'Settled')
    return invoice.id


def get_state(invoice):
    return invoice.status, invoice.additional_status


# --- invoices ---


def test_new_invoice_as_the_shop_wants_it(world, client, store, order):
    """Each option reaches the server; what is left out is not sent."""
    invoice = client.create_invoice(store, InvoiceDraft(
        Decimal(100), 'USD', order, redirect_url='https://shop.example.com/back',
        is_redirected_automatically=False, search_terms=['INV/1'], payment_methods=['BTC-LN'],
        default_method='BTC-LN', speed_policy='LowSpeed', expiration_minutes=30,
        monitoring_minutes=60, tolerance=Decimal('2.5'), has_receipt=False,
    ))
    assert invoice.payment_methods == ('BTC-LN',)
    assert (invoice.expires_at - invoice.created_at).total_seconds() == 1800
    assert (invoice.monitored_until - invoice.expires_at).total_seconds() == 3600
    found = world.api('GET', f'/stores/{store}/invoices', params={'textSearch': 'INV/1'})
    assert [item['id'] for item in found] == [invoice.id]
    checkout = world.invoice(invoice.id)['checkout']
    assert (checkout['speedPolicy'], checkout['defaultPaymentMethod']) == ('LowSpeed', 'BTC-LN')
    assert (checkout['paymentTolerance'], checkout['redirectAutomatically']) == (2.5, False)
    assert world.invoice(invoice.id)['receipt']['enabled'] is False
    assert InvoiceDraft(Decimal(1), 'USD').dump() == {
        'amount': '1', 'currency': 'USD', 'metadata': {}, 'checkout': {},
    }


def test_new_invoice(world, client, store, draft, order):
    invoice = client.create_invoice(store, draft)
    assert get_state(invoice) == ('New', 'None')
    assert (invoice.amount, invoice.currency, invoice.paid_amount) == (100, 'USD', 0)
    assert str(invoice.amount) == '100.00'
    assert (invoice.store_id, invoice.order_id) == (store, order)
    assert invoice.metadata == {'orderId': order, 'ours': {'a': 1}}
    assert set(invoice.payment_methods) == {'BTC-CHAIN', 'BTC-LN', 'BTC-LNURL'}
    assert invoice.checkout_link == f'{world.url}/i/{invoice.id}'
    assert (invoice.expires_at - invoice.created_at).total_seconds() == 900
    assert invoice.monitored_until > invoice.expires_at
    assert client.get_invoice(store, invoice.id) == invoice
    checkout = world.api('GET', f'/stores/{store}/invoices/{invoice.id}')['checkout']
    assert checkout['redirectURL'] == 'https://shop.example.com/back'
    assert (checkout['redirectAutomatically'], checkout['defaultLanguage']) == (True, 'fr-FR')


def test_refused_fields(client, store):
    with pytest.raises(Refused) as caught:
        client.create_invoice(store, InvoiceDraft(Decimal(5), 'USD', language='xx'))
    assert (caught.value.status, caught.value.code) == (422, 'validation')
    assert [path for path, _message in caught.value.fields] == ['Checkout.DefaultLanguage']
    assert caught.value.reason.startswith('Checkout.DefaultLanguage: ')


def test_refused_for_want_of_a_rate(world, connect):
    store = world.new_store('Without rates', ('BTC-CHAIN',))
    client = connect(world.new_key(store, GUIDE))
    world.control('/rates', {'BTC_CHF': None})
    with pytest.raises(Refused) as caught:
        client.create_invoice(store, InvoiceDraft(Decimal(5), 'CHF'))
    assert (caught.value.status, caught.value.code) == (400, 'generic-error')
    assert caught.value.reason.startswith(
        'Error retrieving a matching payment method or rate.'
        ' Rate for BTC_CHF: ERR_RATE_UNAVAILABLE')
    assert not caught.value.is_temporary


def test_no_invoice_of_nothing():
    for amount, currency in (('0', 'USD'), ('-1', 'USD'), ('NaN', 'USD'), ('1', '')):
        with pytest.raises(ValueError, match='No invoice'):
            InvoiceDraft(Decimal(amount), currency)


def test_unknown_invoice_is_forbidden(client, store):
    with pytest.raises(Forbidden):
        client.get_invoice(store, 'unknown')


def test_ids_lead_nowhere_else(client, store):
    for bad in ('..', 'a/b', '', 'a?b', None):
        with pytest.raises(ValueError, match='is no id'):
            client.get_invoice(store, bad)


def test_invoices_are_found_by_order_ids(client, store, draft, order):
    first = client.create_invoice(store, draft)
    second = client.create_invoice(store, draft)
    other = client.create_invoice(store, InvoiceDraft(Decimal(7), 'EUR', order + ' & more'))
    found = client.find_invoices(store, [order, order + ' & more', 'none'])
    assert {invoice.id for invoice in found} == {first.id, second.id, other.id}
    assert found.is_complete
    found = client.find_invoices(store, [order], take=2)
    assert len(found) == 2
    assert not found.is_complete


def test_no_order_ids_find_nothing(client, store, draft):
    client.create_invoice(store, draft)
    assert client.find_invoices(store, []).items == ()


def test_archived_invoices_are_found_when_asked_for(world, client, store, draft, order):
    invoice = client.create_invoice(store, draft)
    world.archive(invoice.id)
    assert client.find_invoices(store, [order]).items == ()
    [found] = client.find_invoices(store, [order], include_archived=True)
    assert found.id == invoice.id


def test_partial_payment(world, client, store, draft):
    invoice = client.create_invoice(store, draft)
    world.pay(invoice.id, amount='0.001')
    invoice = client.get_invoice(store, invoice.id)
    assert get_state(invoice) == ('New', 'PaidPartial')
    assert invoice.paid_amount == 50


def test_payments(world, client, store, paid):
    invoice = client.get_invoice(store, paid)
    assert (get_state(invoice), invoice.paid_amount) == (('Settled', 'None'), 100)
    methods = client.list_invoice_payment_methods(store, paid)
    by_id = {method.id: method for method in methods}
    assert set(by_id) == {'BTC-CHAIN', 'BTC-LN', 'BTC-LNURL'}
    chain = by_id['BTC-CHAIN']
    assert (chain.currency, chain.rate, chain.due) == ('BTC', 50000, 0)
    [payment] = chain.payments
    assert (payment.value, payment.fee, payment.status) == (Decimal('0.002'), 0, 'Settled')
    assert payment.destination
    assert payment.received_at >= invoice.created_at
    assert payment.value * chain.rate == 100
    assert by_id['BTC-LN'].payments.items == ()


def test_replaced_payment_is_listed(world, client, store, draft):
    invoice = client.create_invoice(store, draft)
    world.replace(world.pay(invoice.id, replaceable=True))
    world.mine()
    methods = client.list_invoice_payment_methods(store, invoice.id)
    payments = [payment for method in methods for payment in method.payments]
    assert [payment.status for payment in payments] == ['Invalid']
    assert client.get_invoice(store, invoice.id).paid_amount == 0


def test_tolerance(world, connect):
    store = world.new_store('Tolerant', ('BTC-CHAIN',), paymentTolerance=5)
    client = connect(world.new_key(store, GUIDE))
    invoice = client.create_invoice(store, InvoiceDraft(Decimal(100), 'USD'))
    world.pay(invoice.id, amount='0.00192')
    world.mine(6)
    invoice = client.get_invoice(store, invoice.id)
    assert (get_state(invoice), invoice.paid_amount) == (('Settled', 'None'), 96)


def test_marked(client, store, draft):
    invoice = client.create_invoice(store, draft)
    assert client.mark_invoice(store, invoice.id, 'Invalid') is None
    invoice = client.get_invoice(store, invoice.id)
    assert get_state(invoice) == ('Invalid', 'Marked')
    with pytest.raises(Refused):
        client.mark_invoice(store, invoice.id, 'Nonsense')


def test_made_although_unanswered(world, client, store, draft, order):
    world.fault('drop', path='/invoices$', method='POST', after=True)
    with pytest.raises(Unreachable) as caught:
        client.create_invoice(store, draft)
    assert caught.value.is_temporary
    assert [invoice.order_id for invoice in client.find_invoices(store, [order])] == [order]


# --- refunds ---


def test_refund_claimed_and_paid(world, client, connect, store, paid):
    made = client.refund_invoice(store, paid, RefundDraft(
        refund.FIAT, subtract_percentage=Decimal(10), payout_methods=['BTC-CHAIN'],
        name='Refund S00042', description='Of your order'))
    assert (made.amount, made.currency) == (90, 'USD')
    assert made.name == 'Refund S00042'
    assert made.view_link == f'{world.url}/pull-payments/{made.id}'
    assert made.bolt11_days == 30
    assert made.refunded_invoice_id == 'S00042'
    assert not made.is_archived
    assert made in client.list_pull_payments(store)

    anybody = connect()
    assert anybody.get_pull_payment(made.id) == made
    destination = world.new_address()
    payout_id = world.claim(made.id, '40', destination=destination)
    [claimed] = anybody.list_pull_payment_payouts(made.id)
    assert (claimed.id, claimed.state) == (payout_id, 'AwaitingApproval')
    assert (claimed.claimed, claimed.paid) == (Money(Decimal(40), 'USD'), None)
    assert (claimed.paid_currency, claimed.method) == ('BTC', 'BTC-CHAIN')
    assert (claimed.pull_payment_id, claimed.destination) == (made.id, destination)
    assert claimed.claimed_at
    assert claimed in client.list_payouts(store)

    world.approve(payout_id)
    world.pay_payout(payout_id)
    [completed] = anybody.list_pull_payment_payouts(made.id)
    assert completed.paid == Money(Decimal('0.0008'), 'BTC')
    assert completed.state == 'Completed'


def test_cancelled_payouts_are_listed(world, client, connect, store, paid):
    made = client.refund_invoice(store, paid, RefundDraft(refund.RATE_THEN))
    assert (made.amount, made.currency) == (Decimal('0.002'), 'BTC')
    assert made.refunded_invoice_id == paid
    payout_id = world.claim(made.id)
    world.cancel_payout(payout_id)
    anybody = connect()
    [payout] = anybody.list_pull_payment_payouts(made.id)
    assert (payout.id, payout.state) == (payout_id, 'Cancelled')
    assert payout in client.list_payouts(store)


def test_custom_refund(client, store, paid):
    made = client.refund_invoice(store, paid, RefundDraft(
        refund.CUSTOM, Money(Decimal('0.00012345'), 'BTC')))
    assert (made.amount, made.currency) == (Decimal('0.00012345'), 'BTC')


def test_refund_that_is_refused(client, store, paid):
    with pytest.raises(Refused) as caught:
        client.refund_invoice(store, paid, RefundDraft(
            refund.FIAT, payout_methods=['BTC-LNURL', 'BTC-CHAIN']))
    assert caught.value.status == 422
    assert ('PayoutMethods', 'Invalid or unsupported payout method: BTC-LNURL') in (
        caught.value.fields)


def test_nothing_to_refund(client, store, draft):
    invoice = client.create_invoice(store, draft)
    with pytest.raises(Refused) as caught:
        client.refund_invoice(store, invoice.id, RefundDraft(refund.FIAT))
    assert (caught.value.status, caught.value.code) == (400, 'non-refundable')


def test_drafts_that_are_none():
    for variant, custom in (
        ('Whatever', None), (refund.CUSTOM, None), (refund.FIAT, Money(Decimal(1), 'USD')),
    ):
        with pytest.raises(ValueError, match='No refund'):
            RefundDraft(variant, custom)


def test_preview(client, store, paid):
    preview = client.preview_refund(store, paid, 'BTC-CHAIN')
    assert (preview.payment_currency, preview.payment_divisibility) == ('BTC', 8)
    assert preview.payment_amount_then == Decimal('0.002')
    assert preview.payment_amount_now == Decimal('0.002')


def test_overpaid(world, client, store, draft):
    invoice = client.create_invoice(store, draft)
    world.pay(invoice.id, amount='0.003')
    world.mine(6)
    invoice = client.get_invoice(store, invoice.id)
    assert get_state(invoice) == ('Settled', 'PaidOver')
    made = client.refund_invoice(store, invoice.id, RefundDraft(refund.OVERPAID_AMOUNT))
    assert (made.amount, made.currency) == (Decimal('0.001'), 'BTC')


def test_archived_pull_payment(world, connect, store, client, paid):
    archive = 'btcpay.store.canarchivepullpayments'
    made = client.refund_invoice(store, paid, RefundDraft(refund.FIAT))
    with pytest.raises(Forbidden) as caught:
        client.archive_pull_payment(store, made.id)
    assert caught.value.missing_permission == archive
    able = connect(world.new_key(store, [*GUIDE, archive]))
    assert able.archive_pull_payment(store, made.id) is None
    assert client.get_pull_payment(made.id).is_archived
    listed = client.list_pull_payments(store)
    assert made.id in [found.id for found in listed if found.is_archived]


def test_unknown_pull_payment(connect):
    with pytest.raises(NotFound):
        connect().get_pull_payment('nosuch')
    with pytest.raises(NotFound):
        connect().list_pull_payment_payouts('nosuch')


HASH_OF_ZEROS = '66687aadf862bd776c8fc18b8e9f8e20089714856ee233b3902a591d0d5f2925'


@pytest.mark.parametrize(('proof', 'expected'), [
    # As the server writes them itself: of one kind in Pascal's case.
    ({'transactionId': 'ab' * 32, 'candidates': ['ab' * 32], 'accounted': True,
      'proofType': 'PayoutTransactionOnChainBlob'}, 'ab' * 32),
    ({'PaymentHash': HASH_OF_ZEROS, 'ProofType': 'PayoutLightningBlob', 'Link': None,
      'Id': HASH_OF_ZEROS, 'Preimage': '00' * 32}, HASH_OF_ZEROS),
    ({'preimage': '00' * 32}, HASH_OF_ZEROS),
])
def test_payout_is_known_by_what_wallets_and_explorers_list(proof, expected):
    assert Payout.parse({
        'id': 'a', 'state': 'Completed', 'originalAmount': '1', 'paymentProof': proof,
    }).proof == expected


@pytest.mark.parametrize(('ask', 'answer'), [
    (lambda client: client.get_pull_payment('mine'),
     {'id': 'another', 'amount': '1', 'currency': 'BTC'}),
    (lambda client: client.list_pull_payment_payouts('mine'),
     [{'id': 'a', 'state': 'Completed', 'originalAmount': '1', 'pullPaymentId': 'another'}]),
    (lambda client: client.get_invoice('store', 'mine'),
     {'id': 'another', 'status': 'New', 'additionalStatus': 'None', 'amount': '1',
      'paidAmount': '0'}),
    (lambda client: client.get_store('mine'), {'id': 'another'}),
])
def test_answer_about_another_is_refused(ask, answer):
    """Neither id is named: whoever has a pull payment's can claim the money."""
    with pytest.raises(NotUnderstood, match='not what was asked for') as caught:
        ask(Client(lambda *_args, **_kwargs: answer))
    assert not {'mine', 'another'} & set(str(caught.value).split())
