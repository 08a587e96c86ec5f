"""Payments: on the chain with confirmations and replacement, over Lightning at once."""
import secrets
from decimal import Decimal, InvalidOperation

from . import invoices
from .amounts import plain, round_up, trimmed
from .errors import refusal
from .events import payment_event
from .model import Payment

CONFIRMATIONS = {'HighSpeed': 0, 'MediumSpeed': 1, 'LowMediumSpeed': 2, 'LowSpeed': 6}


def bad(message):
    return refusal(400, 'cannot-pay', message)


def pay(server, invoice_id, method_id=None, amount=None, fraction=None, replaceable=False):
    with server.lock:
        invoice = server.invoices.get(invoice_id)
        if invoice is None:
            raise bad('No such invoice')
        if method_id is None:
            method_id = 'BTC-CHAIN' if 'BTC-CHAIN' in invoice.methods else 'BTC-LN'
        if method_id not in invoice.methods or method_id == 'BTC-LNURL':
            raise bad(f'The invoice cannot be paid by {method_id}')
        invoices.activate(server, invoice, method_id)
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
            value = invoices.accounting(invoice, method_id).due
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
        server.transactions[txid] = _transaction(None, replaceable)
        server.changed()
        return {'txid': txid, 'amount': str(amount), 'address': destination}


def _transaction(invoice_id, replaceable):
    return {'invoice': invoice_id, 'height': None, 'replaced_by': None, 'replaceable': replaceable}


def pay_on_chain(server, invoice, value, replaceable):
    method = invoice.methods['BTC-CHAIN']
    payment_id = invoices.new_payment_id()
    txid = payment_id.partition('-')[0]
    payment = Payment(
        payment_id, method.id, value, method.fee, server.now(), method.destination,
        txid=txid, replaceable=replaceable,
    )
    server.transactions[txid] = _transaction(invoice.id, replaceable)
    invoice.payments.append(payment)
    if _settled(server, invoice, payment):
        payment.status = 'Settled'
        payment_event(server, invoice, payment, 'InvoicePaymentSettled')
    _confirm_payments(server, invoice)
    if method.details['feeMode'] == 'MultiplePaymentsOnly' and not method.fee:
        method.fee = invoices.network_fee(method)
    _received(server, invoice, payment)
    return {'txid': txid, 'amount': plain(value), 'address': method.destination}


def pay_lightning(server, invoice, value):
    method = invoice.methods['BTC-LN']
    payment_hash = method.details['paymentHash']
    if any(payment.id == payment_hash for payment in invoice.payments):
        raise bad('This Lightning invoice is already paid')
    if server.now() >= invoice.expiration:
        raise bad('This Lightning invoice has expired')
    due = invoices.accounting(invoice, method.id).due
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
    invoices.update(server, invoice)
    if invoice.status == 'New' and invoice.additional_status == 'PaidPartial':
        lightning = invoice.methods.get('BTC-LN')
        if lightning and lightning.activated:  # its BOLT11 would take the whole amount again
            invoices.renew_bolt11(server, invoice, lightning)


def _settled(server, invoice, payment):
    needed = CONFIRMATIONS.get(invoice.checkout['speedPolicy'], 6)
    if not needed and payment.replaceable:
        needed = 1
    height = server.transactions[payment.txid]['height']
    return (server.height - height + 1 if height else 0) >= needed


def _confirm_payments(server, invoice):
    """Look at the invoice's transactions again.

    :return: whether anything changed
    """
    changed = False
    for payment in invoice.payments:
        if payment.status != 'Processing' or not payment.txid:
            continue
        if server.transactions[payment.txid]['replaced_by']:
            payment.status = 'Invalid'
            changed = True
        elif _settled(server, invoice, payment):
            payment.status = 'Settled'
            payment_event(server, invoice, payment, 'InvoicePaymentSettled')
            changed = True
    return changed


def replace(server, txid):
    """The invoice notices with the next block or the next payment to it, as the server does."""
    with server.lock:
        transaction = server.transactions.get(txid)
        if transaction is None:
            raise bad('No such transaction')
        if transaction['height'] is not None or transaction['replaced_by']:
            raise bad('The transaction is no longer in the mempool')
        new = secrets.token_hex(32)
        transaction['replaced_by'] = new
        server.transactions[new] = _transaction(None, True)
        server.changed()
        return new


def mine(server, blocks=1):
    with server.lock:
        for _block in range(int(blocks)):
            server.height += 1
            for transaction in server.transactions.values():
                if transaction['height'] is None and not transaction['replaced_by']:
                    transaction['height'] = server.height
            for invoice in list(server.invoices.values()):
                if _confirm_payments(server, invoice):
                    invoices.update(server, invoice)
        server.changed()
