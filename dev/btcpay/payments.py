"""A customer pays: on the chain, or over Lightning at once."""
import secrets
from decimal import Decimal, InvalidOperation

from . import chain, lifecycle, nodes, prompts
from .amounts import plain, round_up, trimmed
from .events import payment_event
from .model import Payment
from .sums import accounting

bad = chain.bad


def pay(server, invoice_id, method_id=None, amount=None, fraction=None, replaceable=False):
    """A customer pays an invoice.

    :param str method_id: 'BTC-CHAIN' (default where the invoice has it) or 'BTC-LN'
    :param amount: BTC; default what is due
    :param fraction: instead of amount: part of what was asked, '0.5' or '2'
    :param bool replaceable: whether ``chain.replace`` may follow (RBF)
    :return: {'txid' or 'paymentHash', 'amount', 'address'}
    :raise ApiError: 400 if the method cannot be paid
    """
    with server.lock:
        invoice = server.invoices.get(invoice_id)
        if invoice is None:
            raise bad('No such invoice')
        if method_id is None:
            method_id = 'BTC-CHAIN' if 'BTC-CHAIN' in invoice.methods else 'BTC-LN'
        if method_id not in invoice.methods or method_id == 'BTC-LNURL':
            raise bad(f'The invoice cannot be paid by {method_id}')
        if nodes.trouble(server, method_id):
            raise bad(f'The node for {method_id} is down')
        prompts.activate(server, invoice, method_id)
        value = _amount(invoice, method_id, amount, fraction)
        if method_id == 'BTC-LN':
            return pay_lightning(server, invoice, value)
        return pay_on_chain(server, invoice, value, replaceable)


def _amount(invoice, method_id, amount, fraction):
    asked = round_up(invoice.amount / invoice.methods[method_id].rate, 8)
    try:
        if amount is not None:
            value = Decimal(str(amount))
        elif fraction is not None:
            value = round_up(asked * Decimal(str(fraction)), 8)
        else:
            value = accounting(invoice, method_id).due
            value = value if value > 0 else asked
    except InvalidOperation:
        raise bad('amount and fraction are decimal numbers') from None
    if not value.is_finite() or value <= 0:
        raise bad('The amount must be more than 0')
    return trimmed(value)


def pay_address(server, destination, amount=None, replaceable=False):
    """Pay whatever an address or a BOLT11 belongs to; to nobody's it is just a transaction.

    :param amount: BTC; default what is due, for an address of an invoice
    """
    with server.lock:
        destination = destination.strip()
        for invoice in server.invoices.values():
            for method in invoice.methods.values():
                if method.destination and method.destination.lower() == destination.lower():
                    return pay(server, invoice.id, method.id, amount, None, replaceable)
        if amount is None:
            raise bad('No invoice has this destination: an amount is needed')
        txid = secrets.token_hex(32)
        server.transactions[txid] = chain.new_transaction(None, replaceable)
        server.changed()
        return {'txid': txid, 'amount': str(amount), 'address': destination}


def pay_on_chain(server, invoice, value, replaceable):
    method = invoice.methods['BTC-CHAIN']
    payment_id = f'{secrets.token_hex(32)}-{secrets.randbelow(2)}'
    txid = payment_id.partition('-')[0]
    payment = Payment(
        payment_id, method.id, value, method.fee, server.now(), method.destination,
        txid=txid, replaceable=replaceable,
    )
    server.transactions[txid] = chain.new_transaction(invoice.id, replaceable)
    invoice.payments.append(payment)
    if chain.settled(server, invoice, payment):
        payment.status = 'Settled'
        payment_event(server, invoice, payment, 'InvoicePaymentSettled')
    chain.confirm_payments(server, invoice)
    if method.details['feeMode'] == 'MultiplePaymentsOnly' and not method.fee:
        method.fee = prompts.network_fee(method)
    _received(server, invoice, payment)
    return {'txid': txid, 'amount': plain(value), 'address': method.destination}


def pay_lightning(server, invoice, value):
    method = invoice.methods['BTC-LN']
    payment_hash = method.details['paymentHash']
    if any(payment.id == payment_hash for payment in invoice.payments):
        raise bad('This Lightning invoice is already paid')
    if server.now() >= invoice.expiration:
        raise bad('This Lightning invoice has expired')
    due = accounting(invoice, method.id).due
    if due > 0 and not due <= value <= 2 * due:
        raise bad(f'A Lightning invoice takes its amount, or up to twice: {plain(due)}')
    payment = Payment(
        payment_hash, method.id, value, Decimal(0), server.now(), method.destination,
        status='Settled',
    )
    invoice.payments.append(payment)
    method.details['revealed'] = method.details['preimage']
    payment_event(server, invoice, payment, 'InvoicePaymentSettled')
    _received(server, invoice, payment)
    return {
        'paymentHash': payment_hash, 'amount': plain(value), 'address': method.destination,
    }


def _received(server, invoice, payment):
    payment_event(server, invoice, payment, 'InvoiceReceivedPayment')
    lifecycle.update(server, invoice)
    if invoice.status == 'New' and invoice.additional_status == 'PaidPartial':
        lightning = invoice.methods.get('BTC-LN')
        # its BOLT11 would take the whole amount again
        if lightning and lightning.activated and nodes.lightning_runs(server):
            prompts.renew_bolt11(server, invoice, lightning)
