"""The webhook events: which fields each has, in the server's order."""
from .amounts import plain


def payment_json(payment):
    return {
        'id': payment.id,
        'receivedDate': int(payment.received),
        'value': plain(payment.value),
        'fee': plain(payment.fee),
        'status': payment.status,
        'destination': payment.destination,
    }


def invoice_event(server, invoice, event_type, **head):
    """Send an event about an invoice.

    :param head: what stands before the fields all events have
    """
    server.dispatcher.publish(
        invoice.store_id, event_type, head,
        {'invoiceId': invoice.id, 'metadata': dict(invoice.metadata)},
    )


def payment_event(server, invoice, payment, event_type):
    """InvoiceReceivedPayment or InvoicePaymentSettled."""
    invoice_event(
        server, invoice, event_type,
        afterExpiration=invoice.status in ('Expired', 'Invalid'),
        paymentMethodId=payment.method_id,
        payment=payment_json(payment),
    )


def payout_event(server, payout, event_type):
    """PayoutCreated, PayoutApproved or PayoutUpdated."""
    server.dispatcher.publish(payout.store_id, event_type, {}, {
        'payoutId': payout.id,
        'pullPaymentId': payout.pull_payment_id,
        'payoutState': payout.state,
    })
