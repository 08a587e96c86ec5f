"""The state machine of an invoice."""
from .errors import refusal
from .events import invoice_event
from .sums import invoice_rate, totals, unconfirmed


def update(server, invoice):
    """Bring the state to what payments and time say, with the events of each step."""
    now = server.now()
    if invoice.status == 'New' and invoice.expiration <= now:
        invoice.status = 'Expired'
        partial = invoice.additional_status == 'PaidPartial'
        invoice_event(server, invoice, 'InvoiceExpired', partiallyPaid=partial)
        if partial:
            invoice_event(server, invoice, 'InvoiceExpiredPaidPartial')
    payments = [payment for payment in invoice.payments if payment.accounted]
    unset_top_up = invoice.type == 'TopUp' and invoice.amount == 0
    sums = totals(invoice)
    if invoice.status in ('New', 'Expired'):
        if payments if unset_top_up else not sums.underpaid:
            if invoice.status == 'New':
                invoice.status, invoice.additional_status = 'Processing', 'None'
                if unset_top_up:
                    first = payments[0]
                    invoice.amount = (first.value - first.fee) * invoice_rate(invoice)
                    sums = totals(invoice)
                elif sums.overpaid:
                    invoice.additional_status = 'PaidOver'
                invoice_event(server, invoice, 'InvoiceProcessing',
                              overPaid=invoice.additional_status == 'PaidOver')
            elif invoice.additional_status != 'PaidLate':
                invoice.additional_status = 'PaidLate'
                invoice_event(server, invoice, 'InvoicePaidAfterExpiration')
        if payments and sums.underpaid:
            invoice.additional_status = 'PaidPartial'
    if invoice.status == 'Processing':
        if sums.underpaid:  # a payment was replaced
            invoice.status = 'New'
            invoice.additional_status = 'PaidPartial' if payments else 'None'
        elif sums.overpaid:
            invoice.additional_status = 'PaidOver'
        elif invoice.additional_status == 'PaidOver':
            invoice.additional_status = 'None'
    if invoice.status == 'Processing':
        if sums.minimum_due + unconfirmed(invoice) <= 0:
            invoice.status = 'Settled'
            invoice_event(server, invoice, 'InvoiceSettled', manuallyMarked=False,
                          overPaid=invoice.additional_status == 'PaidOver')
        elif invoice.monitoring_expiration < now:
            invoice.status = 'Invalid'
            invoice_event(server, invoice, 'InvoiceInvalid', manuallyMarked=False)
    server.changed()


def due_time(invoice):
    """:return: when time alone next changes the invoice, None for never"""
    if invoice.status == 'New':
        return invoice.expiration
    if invoice.status == 'Processing':
        return invoice.monitoring_expiration
    return None


def markable(invoice):
    """:return: the statuses a merchant can mark the invoice as"""
    marked = invoice.additional_status == 'Marked'
    statuses = []
    if invoice.status != 'Settled':
        statuses.append('Settled')
    open_or_late = invoice.status in ('New', 'Processing', 'Expired')
    if open_or_late or (marked and invoice.status != 'Invalid'):
        statuses.append('Invalid')
    return statuses


def mark(server, invoice, status):
    """:return: False if the invoice cannot be marked so"""
    if status not in markable(invoice):
        return False
    invoice.status, invoice.additional_status = status, 'Marked'
    head = {'manuallyMarked': True}
    if status == 'Settled':
        head['overPaid'] = False
    invoice_event(server, invoice, 'Invoice' + status, **head)
    server.changed()
    return True


def expire_now(server, invoice):
    """Let a New invoice expire now, whatever time it had left."""
    with server.lock:
        if invoice.status != 'New':
            raise refusal(400, 'not-new', 'Only a new invoice can expire')
        shift = invoice.expiration - server.now()
        invoice.expiration -= shift
        invoice.monitoring_expiration -= shift
        update(server, invoice)
