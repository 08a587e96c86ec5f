"""Payouts: what the merchant does with a claim."""
from .amounts import round_up
from .errors import refusal
from .events import payout_event
from .invoices import DUST
from .rates import get_rate

#: payment methods of an invoice and of payouts have the same ids, but LNURL is only for receiving
PAYOUT_METHODS = ('BTC-CHAIN', 'BTC-LN')
DIVISIBILITY = {'BTC-CHAIN': 8, 'BTC-LN': 11, 'BTC-LNURL': 11}
SENT = ('Completed', 'InProgress')


def supported_methods(store):
    return [method for method in PAYOUT_METHODS if store.methods.get(method)]


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
        if payout.method_id == 'BTC-CHAIN' and amount < DUST:
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
