"""Pull payments: made, claimed in payouts, archived."""
from decimal import Decimal

from . import addresses
from .errors import Invalid, refusal
from .events import payout_event
from .ids import PULL_PAYMENT_MARK, new_id
from .model import Payout, PullPayment
from .payouts import SENT, approve, cancel


def create(server, store, **values):
    pull_payment = PullPayment(
        id=PULL_PAYMENT_MARK + new_id(15), store_id=store.id, number=server.next_number(),
        starts=values.pop('starts', None) or server.now() - 1,
        bolt11_expiration=store.settings['refundBOLT11Expiration'], **values,
    )
    server.pull_payments[pull_payment.id] = pull_payment
    server.changed()
    return pull_payment


def claimable(server, pull_payment):
    """:return: Decimal in the pull payment's currency that can still be claimed"""
    claimed = sum(
        (payout.original_amount for payout in server.payouts_of(pull_payment.id)
         if payout.state != 'Cancelled'), Decimal(0))
    return pull_payment.amount - claimed


def claim(server, pull_payment, destination, amount=None, method_id=None):
    """The customer claims (a part of) a pull payment.

    :param str destination: address or BOLT11
    :param amount: in the pull payment's currency, default all that is left
    :param str method_id: default BTC-CHAIN, BTC-LN for a BOLT11
    :return: the Payout
    :raise ApiError: as the API refuses it; ``.message`` is for people
    """
    with server.lock:
        destination = (destination or '').strip()
        if method_id is None:
            chain = addresses.is_address(_bip21(destination))
            method_id = 'BTC-CHAIN' if chain or 'BTC-LN' not in pull_payment.methods else 'BTC-LN'
        amount = None if amount in (None, '') else Decimal(str(amount))
        destination, amount = _destination(pull_payment, destination, amount, method_id)
        _check_claim(server, pull_payment, destination, amount, method_id)
        payout = Payout(
            id=new_id(20), store_id=pull_payment.store_id, pull_payment_id=pull_payment.id,
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


def archive(server, pull_payment):
    """Cancels the payouts not sent; those already cancelled are told of once more, as seen."""
    with server.lock:
        pull_payment.archived = True
        for payout in server.payouts_of(pull_payment.id):
            if payout.state not in SENT:
                cancel(server, payout)
        server.changed()
