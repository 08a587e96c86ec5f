"""The ways to pay an invoice: addresses, Lightning invoices, fees, links."""
from decimal import Decimal

from . import addresses, nodes
from .amounts import plain, round_up
from .sums import accounting


def activate(server, invoice, method_id):
    """Give a method its address or BOLT11; nothing happens if it has one, or its node is down.

    A lazy invoice's methods are activated when the customer opens the checkout page.
    """
    method = invoice.methods[method_id]
    if method.activated or nodes.trouble(server, method_id):
        return
    method.activated = True
    if method_id == 'BTC-CHAIN':
        store = server.stores[invoice.store_id]
        mode = store.settings['networkFeeMode']
        rate = Decimal(server.settings['fee_rate'])
        method.destination = addresses.new_address()
        method.details = {
            'feeMode': mode,
            'paymentMethodFeeRate': float(0 if mode == 'Never' else rate),
            'recommendedFeeRate': float(rate),
            'payjoinEnabled': store.settings['payJoinEnabled'],
            'keyIndex': server.key_index,
        }
        server.key_index += 1
        if mode == 'Always' or (mode == 'MultiplePaymentsOnly' and invoice.payments):
            method.fee = network_fee(method)
    else:
        renew_bolt11(server, invoice, method)
    server.changed()


def network_fee(method):
    """The network fee is that of 100 bytes at the invoice's fee rate."""
    return round_up(Decimal(str(method.details['paymentMethodFeeRate'])) * 100 / 10**8, 8)


def renew_bolt11(server, invoice, method):
    """A new BOLT11 for what is due now; the one before can no longer be paid."""
    method.details['preimage'], method.details['paymentHash'] = addresses.new_preimage()
    store = server.stores[invoice.store_id]
    description = store.settings['lightningDescriptionTemplate']
    for placeholder, value in (
        ('{StoreName}', store.name),
        ('{OrderId}', invoice.order_id or ''),
        ('{ItemDescription}', str(invoice.metadata.get('itemDesc') or '')),
    ):
        description = description.replace(placeholder, value)
    now = server.now()
    method.destination = addresses.bolt11(
        accounting(invoice, method.id).due, method.details['paymentHash'], description,
        int(now), max(1, int(invoice.expiration - now)),
    )


def payment_link(invoice, method_id):
    method = invoice.methods[method_id]
    if not method.activated:
        return ''
    if method_id == 'BTC-LNURL':
        return 'lightning:' + method.details['lnurl']
    if method_id == 'BTC-LN':
        return 'lightning:' + method.destination
    due = accounting(invoice, method_id).due
    return f'bitcoin:{method.destination}' + (f'?amount={plain(due)}' if due > 0 else '')
