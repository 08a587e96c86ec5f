"""Refunds: what they come to, and the pull payment that each is."""
from decimal import Decimal

from . import pull_payments
from .amounts import divide, round_to_significant, rounded
from .currencies import known_currency, refund_digits
from .errors import Invalid
from .events import invoice_event
from .payouts import DIVISIBILITY, supported_methods
from .rates import get_rate
from .sums import accounting, invoice_rate


def refundable(invoice):
    return invoice.status in ('Settled', 'Invalid') or (
        invoice.status == 'Expired'
        and invoice.additional_status in ('PaidLate', 'PaidOver', 'PaidPartial')
    )


def closest_method(invoice, methods):
    """:return: the invoice's method most like one of the payout methods, None without methods"""
    candidates = [payment.method_id for payment in invoice.payments] or list(invoice.methods)
    exact = [method for method in candidates if method in methods]
    return next(iter(exact or candidates), None)


class RefundSums:
    """What a refund of an invoice by one of its methods comes to."""

    def __init__(self, server, invoice, method_id):
        sums = accounting(invoice, method_id)
        rate = invoice_rate(invoice)
        paid, due = sums.total_paid, sums.total_due
        if not paid and (invoice.status, invoice.additional_status) == ('Settled', 'Marked'):
            # marked without a payment: taken as paid in full
            paid, due = due, Decimal(0)
        self.decimals = DIVISIBILITY[method_id]
        self.fiat = rounded(paid * rate, refund_digits(invoice.currency))
        self.then = round_to_significant(paid, self.decimals)
        current = get_rate(
            server, 'BTC_' + invoice.currency, server.stores[invoice.store_id])
        self.now = current and rounded(divide(self.fiat, current), self.decimals)
        self.over = None
        if invoice.additional_status == 'PaidOver':
            self.over = rounded(self.then - due, self.decimals)


def refund(server, store, invoice, request, may_approve):
    """Make the pull payment of a refund.

    :param dict request: validated for types only
    :param bool may_approve: whether the caller may have claims approved by themselves
    :raise ApiError: 422 with the list of what is wrong
    """
    problems = Invalid()
    methods = request['payoutMethods']
    supported = supported_methods(store)
    if methods is None:
        methods = supported
    else:
        for method in dict.fromkeys(methods):
            if method not in supported:
                problems.add('PayoutMethods', f'Invalid or unsupported payout method: {method}')
        methods = [method for method in methods if method in supported]
    prompt = closest_method(invoice, methods) if methods else None
    if prompt is None:
        problems.add('PayoutMethods', 'Please select one of the payment methods which were '
                                      'available for the original invoice')
    variant = request['refundVariant']
    if variant is None:
        problems.add('RefundVariant', '`refundVariant` is mandatory')
    problems.check()
    if variant != 'Custom':
        for field in ('customAmount', 'customCurrency'):
            if request[field] is not None:
                name = field[0].upper() + field[1:]
                problems.add(name, f'{name} should only be set if the refundVariant is Custom')
    percentage = request['subtractPercentage'] or Decimal(0)
    if not 0 <= percentage <= 100:
        problems.add('SubtractPercentage', 'Percentage must be a numeric value between 0 and 100')
    problems.check()
    sums = RefundSums(server, invoice, prompt)
    currency, amount, decimals = _variant(sums, invoice, variant, request, problems)
    if percentage:
        amount = rounded(amount - amount * divide(percentage, Decimal(100)), decimals)
    pull_payment = pull_payments.create(
        server, store,
        name=request['name'] or f'Refund {invoice.id}',
        description=request['description'] or '',
        currency=currency, amount=amount, methods=methods,
        auto_approve=currency == 'BTC' and may_approve,
        invoice_id=invoice.id,
    )
    invoice.refunds.append(pull_payment.id)
    invoice_event(server, invoice, 'InvoiceRefund', pullPaymentId=pull_payment.id)
    return pull_payment


def _variant(sums, invoice, variant, request, problems):
    """:return: currency, amount and decimals of a refund"""
    if variant == 'Custom':
        amount, currency = request['customAmount'], request['customCurrency']
        if amount is None or amount <= 0:
            problems.add('CustomAmount', 'Amount must be greater than 0')
        if not currency or not known_currency(currency):
            problems.add('CustomCurrency', 'Invalid currency')
    elif variant == 'Fiat':
        return invoice.currency, sums.fiat, refund_digits(invoice.currency)
    elif variant == 'OverpaidAmount':
        amount, currency = sums.over, 'BTC'
        if amount is None:
            problems.add('RefundVariant', 'Invoice is not overpaid')
    else:
        amount, currency = (sums.then if variant == 'RateThen' else sums.now), 'BTC'
    if sums.now is None and variant in ('Custom', 'CurrentRate'):
        problems.add('RefundVariant', 'Impossible to fetch rate: ERR_RATE_UNAVAILABLE')
    problems.check()
    return currency, amount, sums.decimals
