"""Refunds of an invoice, and the preview of what they come to."""
from .. import refunds
from ..currencies import refund_digits
from ..errors import refusal
from .http import Api
from .invoices import CLIENT, both
from .payouts import CREATE, pull_payment_json
from .stores import parse_method

api = Api()

VARIANTS = ('RateThen', 'CurrentRate', 'Fiat', 'OverpaidAmount', 'Custom', 'NotSet')


@api('POST', *both('/refund'), policy=CREATE)
def refund(context):
    body = context.body
    one = body.text('payoutMethodId') or body.text('paymentMethod')
    methods = body.texts('payoutMethods')
    if methods is None and one:
        methods = [one]
    request = {
        'refundVariant': body.enum('refundVariant', VARIANTS, CLIENT + 'RefundVariant'),
        'payoutMethods': (
            None if methods is None else [parse_method(method) or method for method in methods]),
        'subtractPercentage': body.decimal('subtractPercentage'),
        'customAmount': body.decimal('customAmount'),
        'customCurrency': body.text('customCurrency'),
        'name': body.text('name'),
        'description': body.text('description'),
    }
    body.check()
    if request['refundVariant'] == 'NotSet':
        request['refundVariant'] = None
    if not refunds.refundable(context.invoice):
        raise refusal(400, 'non-refundable', 'Cannot refund this invoice')
    pull_payment = refunds.refund(
        context.server, context.store, context.invoice, request,
        context.caller.may('btcpay.store.cancreatepullpayments', context.store),
    )
    return pull_payment_json(context, pull_payment)


@api('GET', *both('/refund/<method>'), policy=CREATE)
def preview(context, method):
    """The amounts a refund would have, of invoices too that cannot be refunded (yet).

    They are JSON numbers here, unlike elsewhere.
    """
    invoice, method_id = context.invoice, parse_method(method)
    if method_id not in invoice.methods:
        raise refusal(400, 'invalid-payment-method', 'Invalid payment method')
    sums = refunds.RefundSums(context.server, invoice, method_id)
    return {
        'paymentAmountNow': float(sums.now or 0),
        'currentRateText': None,
        'paymentAmountThen': float(sums.then),
        'invoiceAmount': float(sums.fiat),
        'overpaidPaymentAmount': None if sums.over is None else float(sums.over),
        'invoiceCurrency': invoice.currency,
        'paymentCurrency': 'BTC',
        'paymentCurrencyDivisibility': sums.decimals,
        'invoiceCurrencyDivisibility': refund_digits(invoice.currency),
    }
