"""The page at which a customer claims a refund."""
from decimal import Decimal, InvalidOperation

from ..addresses import new_address
from ..errors import ApiError
from ..pull_payments import claim as submit_claim
from ..pull_payments import claimable
from .formats import money, words
from .language import translate as _
from .web import NotFound, Pages

pages = Pages()

#: more decimals than any currency has
DECIMALS = 11


def _pull_payment(visit, pull_payment_id):
    found = visit.server.pull_payments.get(pull_payment_id)
    if found is None:
        raise NotFound
    return found


def _show(visit, pull_payment, problem=None, form=None, status=200):
    server = visit.server
    left = claimable(server, pull_payment)
    expired = pull_payment.expires is not None and pull_payment.expires <= server.now()
    return visit.render(
        'claim.html', status, pull_payment=pull_payment, left=left, now=server.now(),
        claimed=pull_payment.amount - left, expired=expired, problem=problem, form=form or {},
        payouts=server.payouts_of(pull_payment.id), example=new_address(),
        open=not pull_payment.archived and not expired and left > 0)


@pages('GET', '/pull-payments/<pull_payment_id>')
def show(visit, pull_payment_id):
    return _show(visit, _pull_payment(visit, pull_payment_id))


@pages('POST', '/pull-payments/<pull_payment_id>')
def claim(visit, pull_payment_id):
    pull_payment = _pull_payment(visit, pull_payment_id)
    methods = pull_payment.methods
    method_id = visit.form('SelectedPayoutMethod') or (methods[0] if len(methods) == 1 else None)
    try:
        payout = submit_claim(
            visit.server, pull_payment, visit.form('Destination'), _amount(visit), method_id)
    except ApiError as error:
        return _show(visit, pull_payment, _(error.message), visit.request.form, 400)
    except ValueError as error:
        return _show(visit, pull_payment, str(error), visit.request.form, 400)
    amount = money(payout.original_amount, payout.original_currency)
    return visit.redirect(
        f'/pull-payments/{pull_payment.id}',
        _('Your claim of {amount} to {destination} has been submitted: {state}.', amount=amount,
          destination=payout.destination, state=words(payout.state).lower()))


def _amount(visit):
    """:raise ValueError: with words for the customer"""
    text = visit.form('ClaimedAmount')
    try:
        amount = Decimal(text)
    except InvalidOperation:
        raise ValueError(_('The amount is not a number: write it like 12.50')) from None
    if not amount.is_finite() or amount <= 0 or amount.as_tuple().exponent < -DECIMALS:
        raise ValueError(_('The amount must be more than 0, with at most 11 decimals'))
    return amount
