"""What can happen in a sequence, and sequences in which all of it happens."""
import random

from .forgery import KINDS
from .gate import MODES

AMOUNTS = (100.0, 59.99, 1.01, 1234.56)
#: kind, whether the call takes effect all the same
FAULTS = (
    ('status', False), ('status', True), ('drop', False), ('drop', True), ('half', True),
    ('wrong_json', False), ('wrong_json', True), ('hang', True), ('slow', True),
)
WEBHOOK_FAULTS = ('never', 'never', 'twice', 'late', 'reorder')
PROMOTIONS = ('promotion ends', 'promotion begins')
TIMES = (60, 600, 960, 4000, 30_000, 90_000, 400_000)
BUTTONS = ('action_btcpay_sync', 'action_btcpay_accept_partial', 'action_btcpay_accept_late')
PATHS = ('', '/invoices$', '/invoices/[^/]+$', '/status$')

#: which of several, the newest first
WHICH = (0, 0, 0, 1, 2)
BOTH = (False, True)

#: how a sequence begins
SETTINGS = {
    'accept_part': BOTH, 'late': ('review', 'accept'), 'tolerance': (0, 5),
    'short': ('received', 'write_off'), 'speed': ('MediumSpeed', 'HighSpeed'), 'amount': AMOUNTS,
    'begins': ('order', 'paid order', 'paid invoice', 'paid invoice'),
    'promotion': (None, None, *PROMOTIONS), 'lose': BOTH, 'mine': BOTH, 'stay_broken': BOTH,
}

# Each step: its weight, its name, and the values that its parameters can have; see `actions.py`
CUSTOMER = (
    (5, 'pay', {
        'number': WHICH, 'fraction': ('1', '1', '0.5', '0.96', '2'),
        'method': ('BTC-CHAIN', 'BTC-CHAIN', 'BTC-LN'),
        'replaceable': (False, False, True)}),
    (1, 'return_page', {'number': WHICH}),
    (1, 'poll', {'number': WHICH}),
    (1, 'try_again', {'number': WHICH}),
    (1, 'new_order', {'amount': AMOUNTS, 'promotion': (None, *PROMOTIONS)}),
    (2, 'new_move', {'amount': AMOUNTS}),
    (1, 'pay_move_online', {'number': WHICH, 'fraction': (1, 1, 0.5)}),
    (1, 'claim', {
        'number': WHICH, 'fraction': ('0.4', '1'),
        'state': ('AwaitingApproval', 'InProgress', 'Completed', 'Completed')}),
)
SERVER = (
    (4, 'mine', {'blocks': (1, 2)}),
    (2, 'expire', {'number': WHICH}),
    (2, 'time_passes', {'seconds': TIMES}),
    (2, 'mark', {'number': WHICH, 'status': ('Settled', 'Invalid')}),
    (1, 'replace', {}),
    (3, 'pay_out', {'number': WHICH, 'state': (
        'AwaitingPayment', 'InProgress', 'Completed', 'Completed', 'Cancelled')}),
    (1, 'rate_changes', {'rate': (25_000, 50_000, 80_000)}),
    (1, 'archive', {'number': WHICH}),
)
TROUBLE = (
    (3, 'server_fails', {
        'fault': FAULTS, 'count': (1, 2, 3, None), 'path': PATHS}),
    (3, 'webhook_fails', {'kind': WEBHOOK_FAULTS, 'count': (1, 2, 5)}),
    (3, 'way_to_odoo_fails', {'mode': MODES[1:]}),
    (2, 'faults_end', {}),
    (1, 'server_restarts', {}),
    (1, 'module_breaks', {'broken': (True, True, False)}),
    (1, 'odoo_restarts', {'really': (*[False] * 12, True)}),
    (1, 'forge', {'kind': tuple(KINDS), 'number': WHICH}),
    (1, 'redeliver', {'number': WHICH}),
    (1, 'key', {'is_good': BOTH}),
    (1, 'webhook', {'is_there': BOTH}),
    (1, 'provider', {'is_enabled': BOTH}),
    (1, 'foreign_invoice', {'number': WHICH, 'same_order': (True, True, False),
                            'same_amount': BOTH, 'is_paid': BOTH}),
)
SHOP = (
    (2, 'scheduled_actions', {}),
    (1, 'scheduled_action', {'number': tuple(range(9))}),
    (3, 'press', {'number': WHICH, 'button': BUTTONS}),
    (1, 'cancel', {'number': WHICH}),
    (1, 'reopen', {'number': WHICH}),
    (2, 'change', {'number': WHICH, 'amount': AMOUNTS}),
    (1, 'pay_otherwise', {'number': WHICH}),
)
OFFICE = (
    (4, 'refund', {
        'number': WHICH, 'scope': ('all', 'part', 'surplus', 'surplus'), 'fee': (0, 0, 10),
        'variant': ('fiat', 'fiat', 'rate_then', 'current_rate')}),
    (2, 'refund_note', {'number': WHICH}),
    (2, 'withdraw', {'number': WHICH}),
    (1, 'refund_at_the_server', {'number': WHICH, 'percent': (0, 60)}),
    (2, 'policy_changes', {'accept_part': BOTH, 'late': ('review', 'accept')}),
    (2, 'confirm_order', {'number': WHICH}),
    (1, 'invoice_order', {'number': WHICH}),
    (3, 'pay_by_bank', {'number': WHICH, 'fraction': (0.6, 1)}),
    (2, 'credit', {'number': WHICH, 'fraction': (0.3, 1)}),
    (2, 'note_changes', {'number': WHICH, 'to': ('draft', 'cancel', 'posted')}),
    (1, 'rewrite', {'number': WHICH, 'amount': (None, 1.01, 100.0)}),
    (1, 'take_place', {'number': WHICH}),
    (1, 'unmatch', {'number': WHICH}),
    (1, 'take_back', {'number': WHICH, 'to': ('draft', 'canceled', 'paid')}),
    (1, 'invoice_together', {}),
)


def deal(seed, length):
    """Deal sequences in which each value of each step's parameters has its turn.

    Each begins with a payment, so that the other steps find something to do.

    :param int seed: of their order
    :param int length: of a sequence, about, in steps
    :return: sequences: the settings, and the steps with their parameters
    """
    chance = random.Random(seed)
    cards, payments = [], {}
    for weight, name, parameters in (*CUSTOMER, *SERVER, *TROUBLE, *SHOP, *OFFICE):
        if name == 'pay':
            payments = parameters
            continue
        number = max(weight, *(
            len(set(values)) for parameter, values in parameters.items() if parameter != 'number'
        ), 1)
        cards += [(name, values) for values in _spread(chance, parameters, number)]
    hands = [cards[first::len(cards) // length] for first in range(len(cards) // length)]
    for hand, payment in zip(hands, _spread(chance, payments, len(hands)), strict=True):
        chance.shuffle(hand)
        hand.insert(0, ('pay', payment))
    return list(zip(_spread(chance, SETTINGS, len(hands)), hands, strict=True))


def _spread(chance, parameters, number):
    """:return: as many dictionaries of parameters, with each value about equally often"""
    columns = []
    for name, values in parameters.items():
        # Which of several is as likely as in random sequences
        values = values if name == 'number' else list(dict.fromkeys(values))
        column = [values[n % len(values)] for n in range(number)]
        chance.shuffle(column)
        columns.append(column)
    return [dict(zip(parameters, row, strict=True)) for row in zip(*columns, strict=True)] or [
        {} for _number in range(number)]
