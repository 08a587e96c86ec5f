"""The Lightning node, for those who may use it: what it is, and paying from it."""
from .. import addresses, payments
from ..errors import ApiError, refusal
from .http import Api

api = Api()

SERVER = '/server/lightning/<crypto>'
STORE = '/stores/<store_id>/lightning/<crypto>'
INTERNAL = 'btcpay.server.canuseinternallightningnode'


def _node(context, crypto):
    """:raise ApiError: 404 where there is no node"""
    store = context.store
    if crypto != 'BTC' or (store and 'BTC-LN' not in store.methods):
        raise refusal(404, 'lightning-node-not-configured', 'The lightning node is not set up')


def _info(context, crypto):
    _node(context, crypto)
    return {
        'nodeURIs': [addresses.NODE],
        'blockHeight': context.server.height,
        'alias': 'stand-in',
        'color': '02a996',
        'version': '24.08',
        'peersCount': 1,
        'activeChannelsCount': 1,
        'inactiveChannelsCount': 0,
        'pendingChannelsCount': 0,
    }


@api('GET', STORE + '/info', policy='btcpay.store.canuselightningnode')
def info(context, crypto):
    return _info(context, crypto)


@api('GET', SERVER + '/info', policy=INTERNAL)
def server_info(context, crypto):
    return _info(context, crypto)


def _pay(context, crypto):
    """Pays an invoice of this server, as a node that pays itself does."""
    _node(context, crypto)
    body = context.body
    bolt11, amount = body.text('BOLT11'), body.integer('amount')
    body.check()
    if not addresses.is_bolt11(bolt11 or ''):
        raise ApiError(422, [{'path': 'BOLT11', 'message': 'The BOLT11 invoice was invalid.'}])
    value = addresses.bolt11_amount(bolt11) if amount is None else addresses.millisatoshi(amount)
    try:
        paid = payments.pay_address(context.server, bolt11, value)
    except ApiError as error:
        raise refusal(400, 'generic-error', error.message)
    if 'paymentHash' not in paid:
        raise refusal(400, 'could-not-find-route', 'Impossible to find a route to the destination')
    total = str(int(value * 10**11))
    return {
        'id': paid['paymentHash'], 'status': 'Complete', 'BOLT11': bolt11,
        'paymentHash': paid['paymentHash'],
        'createdAt': int(context.server.now()), 'totalAmount': total, 'feeAmount': '0',
    }


@api('POST', STORE + '/invoices/pay', policy='btcpay.store.cancreatelightninginvoice')
def pay(context, crypto):
    return _pay(context, crypto)


@api('POST', SERVER + '/invoices/pay', policy=INTERNAL)
def server_pay(context, crypto):
    return _pay(context, crypto)
