"""Refunds, pull payments and payouts."""
from decimal import Decimal

from . import addresses, invoices
from .amounts import divide, divisibility, round_to_significant, round_up, rounded
from .errors import Invalid, refusal
from .events import invoice_event, payout_event
from .model import Payout, PullPayment
from .rates import get_rate
from .state import new_id

#: payment methods of an invoice and of payouts have the same ids, but LNURL is only for receiving
PAYOUT_METHODS = ('BTC-CHAIN', 'BTC-LN')
DIVISIBILITY = {'BTC-CHAIN': 8, 'BTC-LN': 11, 'BTC-LNURL': 11}
SENT = ('Completed', 'InProgress')


def supported_methods(store):
    return [method for method in PAYOUT_METHODS if store.methods.get(method)]


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
        sums = invoices.accounting(invoice, method_id)
        rate = invoices.invoice_rate(invoice)
        paid, due = sums.total_paid, sums.total_due
        if not paid and (invoice.status, invoice.additional_status) == ('Settled', 'Marked'):
            # marked without a payment: taken as paid in full
            paid, due = due, Decimal(0)
        self.decimals = DIVISIBILITY[method_id]
        self.fiat = rounded(paid * rate, divisibility(invoice.currency))
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
        for method in methods:
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
    pull_payment = create_pull_payment(
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
        if not currency or not invoices.known_currency(currency):
            problems.add('CustomCurrency', 'Invalid currency')
    elif variant == 'Fiat':
        return invoice.currency, sums.fiat, divisibility(invoice.currency)
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


def create_pull_payment(server, store, **values):
    pull_payment = PullPayment(
        id=_id(), store_id=store.id, number=server.next_number(),
        starts=values.pop('starts', None) or server.now() - 1,
        bolt11_expiration=store.settings['refundBOLT11Expiration'], **values,
    )
    server.pull_payments[pull_payment.id] = pull_payment
    server.changed()
    return pull_payment


def _id():
    """Pull payments and payouts have ids of 20 bytes."""
    return new_id(20)


def claimable(server, pull_payment):
    claimed = sum(
        (payout.original_amount for payout in server.payouts_of(pull_payment.id)
         if payout.state != 'Cancelled'), Decimal(0))
    return pull_payment.amount - claimed


def claim(server, pull_payment_id, destination, amount=None, method_id=None):
    with server.lock:
        pull_payment = server.pull_payments.get(pull_payment_id)
        if pull_payment is None:
            raise refusal(404, 'pullpayment-not-found', 'The pull payment was not found')
        destination = (destination or '').strip()
        if method_id is None:
            chain = addresses.is_address(_bip21(destination))
            method_id = 'BTC-CHAIN' if chain or 'BTC-LN' not in pull_payment.methods else 'BTC-LN'
        amount = None if amount in (None, '') else Decimal(str(amount))
        destination, amount = _destination(pull_payment, destination, amount, method_id)
        _check_claim(server, pull_payment, destination, amount, method_id)
        payout = Payout(
            id=_id(), store_id=pull_payment.store_id, pull_payment_id=pull_payment.id,
            destination=destination, method_id=method_id,
            original_amount=claimable(server, pull_payment) if amount is None else amount,
            original_currency=pull_payment.currency, date=server.now(),
            number=server.next_number(),
        )
        server.payouts[payout.id] = payout
        payout_event(server, payout, 'PayoutCreated')
        if pull_payment.auto_approve:
            approve(server, payout)
        server.changed()
        return payout


def _bip21(destination):
    if destination[:8].lower() != 'bitcoin:':
        return destination
    return destination[8:].partition('?')[0]


def _destination(pull_payment, destination, amount, method_id):
    problems = Invalid()
    if method_id == 'BTC-CHAIN':
        valid = addresses.is_address(_bip21(destination))
    else:
        if destination[:10].lower() == 'lightning:':
            destination = destination[10:]
        valid = addresses.is_bolt11(destination) or addresses.is_lightning_address(destination)
    if not valid:
        problems.add('Destination', 'The destination is invalid for the payment specified')
    bolt11_amount = method_id == 'BTC-LN' and addresses.bolt11_amount(destination)
    if valid and bolt11_amount and pull_payment.currency == 'BTC':
        if amount not in (None, bolt11_amount):
            problems.add('Amount', f'Amount is implied in destination ({bolt11_amount}) that does '
                                   f'not match the payout amount provided {amount})')
        amount = bolt11_amount
    problems.check()
    return destination, amount


def _check_claim(server, pull_payment, destination, amount, method_id):
    now = server.now()
    if pull_payment.archived:
        raise refusal(400, 'archived', 'This pull payment has been archived')
    if pull_payment.expires is not None and pull_payment.expires <= now:
        raise refusal(400, 'expired', 'This pull payment is expired')
    if pull_payment.starts > now:
        raise refusal(400, 'not-started', 'This pull payment has yet started')
    if method_id not in pull_payment.methods:
        raise refusal(400, 'payment-method-not-supported',
                      'This payment method is not supported by the pull payment')
    if any(payout.destination == destination and payout.state not in ('Completed', 'Cancelled')
           for payout in server.payouts.values()):
        raise refusal(400, 'duplicate-destination',
                      'This address is already used for another payout')
    left = claimable(server, pull_payment)
    claimed = left if amount is None else amount
    if claimed > left:
        raise refusal(400, 'overdraft', "The payout amount overdraft the pull payment's limit")
    if claimed <= 0:
        raise refusal(400, 'amount-too-low', 'The requested payout amount is too low')


def approve(server, payout, revision=None):
    """AwaitingApproval → AwaitingPayment, at the rate of now."""
    with server.lock:
        if payout.state != 'AwaitingApproval':
            raise refusal(400, 'invalid-state', 'The payout is not in a state that can be approved')
        if revision is not None and revision != payout.revision:
            raise refusal(400, 'old-revision', 'The crypto amount is too small.')
        store = server.stores[payout.store_id]
        rate = get_rate(server, 'BTC_' + payout.original_currency, store)
        if rate is None:
            raise refusal(400, 'rate-unavailable', 'Rate unavailable: ERR_RATE_UNAVAILABLE')
        amount = round_up(payout.original_amount / rate, DIVISIBILITY[payout.method_id])
        if payout.method_id == 'BTC-CHAIN' and amount < invoices.DUST:
            raise refusal(400, 'amount-too-low', 'The crypto amount is too small.')
        payout.amount = amount
        payout.state = 'AwaitingPayment'
        payout_event(server, payout, 'PayoutApproved')
        server.changed()
        return payout


def mark(server, payout, state, proof=None):
    """A payout was sent, or sent back to wait."""
    with server.lock:
        sendable = payout.state in ('AwaitingPayment', 'InProgress')
        allowed = {
            'Completed': sendable,
            'InProgress': sendable,
            'AwaitingPayment': payout.state == 'InProgress',
        }
        if payout.state == 'Completed' or not allowed.get(state, True):
            raise refusal(400, 'invalid-state', 'The payout is not in a state that can be marked '
                                                'with the specified state')
        payout.proof = proof if state in SENT else None
        payout.state = state
        payout_event(server, payout, 'PayoutUpdated')
        server.changed()
        return payout


def cancel(server, payout):
    """:raise ApiError: 400 for one that is sent"""
    with server.lock:
        if payout.state in SENT:
            raise refusal(400, 'invalid-state', 'The payout is not in a state that can be marked '
                                                'with the specified state')
        payout.state = 'Cancelled'
        payout_event(server, payout, 'PayoutUpdated')
        server.changed()
        return payout


def archive(server, pull_payment):
    """Cancels the payouts not sent; those already cancelled are told of once more, as seen."""
    with server.lock:
        pull_payment.archived = True
        for payout in server.payouts_of(pull_payment.id):
            if payout.state not in SENT:
                cancel(server, payout)
        server.changed()
