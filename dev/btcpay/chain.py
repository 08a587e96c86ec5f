"""The chain: transactions, their confirmations, and their replacement."""
import secrets

from . import lifecycle
from .errors import refusal
from .events import payment_event

CONFIRMATIONS = {'HighSpeed': 0, 'MediumSpeed': 1, 'LowMediumSpeed': 2, 'LowSpeed': 6}


def bad(message):
    return refusal(400, 'cannot-pay', message)


def new_transaction(invoice_id, replaceable):
    return {'invoice': invoice_id, 'height': None, 'replaced_by': None, 'replaceable': replaceable}


def settled(server, invoice, payment):
    needed = CONFIRMATIONS.get(invoice.checkout['speedPolicy'], 6)
    if not needed and payment.replaceable:
        needed = 1
    height = server.transactions[payment.txid]['height']
    return (server.height - height + 1 if height else 0) >= needed


def confirm_payments(server, invoice):
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
        elif settled(server, invoice, payment):
            payment.status = 'Settled'
            payment_event(server, invoice, payment, 'InvoicePaymentSettled')
            changed = True
    return changed


def replace(server, txid):
    """Replace a transaction by one that does not pay the invoice.

    The invoice notices with the next block or the next payment to it, as the server does.

    :return: txid of the replacement
    """
    with server.lock:
        transaction = server.transactions.get(txid)
        if transaction is None:
            raise bad('No such transaction')
        if transaction['height'] is not None or transaction['replaced_by']:
            raise bad('The transaction is no longer in the mempool')
        new = secrets.token_hex(32)
        transaction['replaced_by'] = new
        server.transactions[new] = new_transaction(None, True)
        server.changed()
        return new


def mine(server, blocks=1):
    """Mine blocks; payments confirm, invoices settle."""
    with server.lock:
        for _block in range(int(blocks)):
            server.height += 1
            for transaction in server.transactions.values():
                if transaction['height'] is None and not transaction['replaced_by']:
                    transaction['height'] = server.height
            for invoice in list(server.invoices.values()):
                if confirm_payments(server, invoice):
                    lifecycle.update(server, invoice)
        server.changed()
