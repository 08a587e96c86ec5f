"""Random sequences of what happens to a shop and a server, and of what goes wrong with them."""
import requests
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from .accounting import Accounting
from .actions import Actions
from .forgery import KINDS
from .gate import MODES
from .history import History
from .refunding import Refunding
from .settle import settle
from .truth import Truth, Violation

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
which = st.sampled_from((0, 0, 0, 1, 2))


def weighted(*choices):
    """:param choices: weight, name of an action, and its parameters' strategies
    :return: strategy of an action and its parameters
    """
    return st.one_of([
        st.tuples(st.just(name), st.fixed_dictionaries(parameters))
        for weight, name, parameters in choices for _number in range(weight)])


def choose(*values):
    return st.sampled_from(values)


CUSTOMER = weighted(
    (5, 'pay', {
        'number': which, 'fraction': choose('1', '1', '0.5', '0.96', '2'),
        'method': choose('BTC-CHAIN', 'BTC-CHAIN', 'BTC-LN'),
        'replaceable': choose(False, False, True)}),
    (1, 'return_page', {'number': which}),
    (1, 'poll', {'number': which}),
    (1, 'try_again', {'number': which}),
    (1, 'new_order', {'amount': choose(*AMOUNTS), 'promotion': choose(None, *PROMOTIONS)}),
    (2, 'new_move', {'amount': choose(*AMOUNTS)}),
    (1, 'pay_move_online', {'number': which}),
    (1, 'claim', {
        'number': which, 'fraction': choose('0.4', '1'),
        'state': choose('AwaitingApproval', 'InProgress', 'Completed', 'Completed')}),
)
SERVER = weighted(
    (4, 'mine', {'blocks': choose(1, 2)}),
    (2, 'expire', {'number': which}),
    (2, 'time_passes', {'seconds': choose(*TIMES)}),
    (2, 'mark', {'number': which, 'status': choose('Settled', 'Invalid')}),
    (1, 'replace', {}),
)
TROUBLE = weighted(
    (3, 'server_fails', {
        'fault': choose(*FAULTS), 'count': choose(1, 2, 3, None), 'path': choose(*PATHS)}),
    (3, 'webhook_fails', {'kind': choose(*WEBHOOK_FAULTS), 'count': choose(1, 2, 5)}),
    (3, 'way_to_odoo_fails', {'mode': choose(*MODES[1:])}),
    (2, 'faults_end', {}),
    (1, 'server_restarts', {}),
    (1, 'module_breaks', {'broken': choose(True, True, False)}),
    (1, 'odoo_restarts', {'number': st.integers(0, 12)}),
    (1, 'forge', {'kind': choose(*KINDS), 'number': which}),
    (1, 'redeliver', {'number': which}),
    (1, 'foreign_invoice', {'number': which, 'same_order': choose(True, True, False),
                            'same_amount': st.booleans(), 'is_paid': st.booleans()}),
)
SHOP = weighted(
    (2, 'scheduled_actions', {}),
    (1, 'scheduled_action', {'number': st.integers(0, 8)}),
    (3, 'press', {'number': which, 'button': choose(*BUTTONS)}),
    (1, 'cancel', {'number': which}),
    (2, 'change', {'number': which, 'amount': choose(*AMOUNTS)}),
    (1, 'pay_otherwise', {'number': which}),
)
OFFICE = weighted(
    (4, 'refund', {'number': which, 'scope': choose('all', 'part', 'surplus', 'surplus')}),
    (2, 'refund_note', {'number': which}),
    (2, 'withdraw', {'number': which}),
    (1, 'refund_at_the_server', {'number': which, 'percent': choose(0, 60)}),
    (2, 'policy_changes', {'accept_part': st.booleans(), 'late': choose('review', 'accept')}),
    (2, 'confirm_order', {'number': which}),
    (1, 'invoice_order', {'number': which}),
    (3, 'pay_by_bank', {'number': which, 'fraction': choose(0.6, 1)}),
    (2, 'credit', {'number': which, 'fraction': choose(0.3, 1)}),
)


class Torture(Accounting, Refunding, Actions, RuleBasedStateMachine):
    """A sequence, ended with what has to be so in the end."""

    @initialize(accept_part=st.booleans(), late=choose('review', 'accept'), tolerance=choose(0, 5),
                short=choose('received', 'write_off'),
                speed=choose('MediumSpeed', 'HighSpeed'), amount=choose(*AMOUNTS),
                promotion=choose(None, None, *PROMOTIONS), lose=st.booleans(), mine=st.booleans(),
                stay_broken=st.booleans())
    def begin(self, accept_part, late, tolerance, short, speed, amount, promotion, lose, mine,
              stay_broken):
        self.ending = {'lose': lose, 'mine': mine, 'stay_broken': stay_broken}
        self.steps.append(f'settings: accept_part={accept_part} late={late} tolerance={tolerance} '
                          f'{short} {speed}; in the end: {self.ending}')
        self.rig.begin(accept_part, late, short, paymentTolerance=tolerance, speedPolicy=speed)
        self.history = History(
            log_begin=self.rig.log.stat().st_size, accepts=accept_part or late == 'accept')
        self.is_begun = True
        self.counts['sequences'] += 1
        self.new_order(amount, promotion)

    def act(self, action):
        name, parameters = action
        getattr(self, name)(**parameters)

    # Two rules each for what matters most
    @rule(action=CUSTOMER)
    def customer(self, action):
        self.act(action)

    @rule(action=CUSTOMER)
    def customer_again(self, action):
        self.act(action)

    @rule(action=SERVER)
    def server(self, action):
        self.act(action)

    @rule(action=TROUBLE)
    def trouble(self, action):
        self.act(action)

    @rule(action=SHOP)
    def people(self, action):
        self.act(action)

    @rule(action=OFFICE)
    def office_people(self, action):
        self.act(action)

    # --- the end ----------------------------------------------------------------------------------

    def teardown(self):
        if not self.is_begun or self.failed:
            return
        try:
            settle(self.rig, self.history, **self.ending)
            Truth(self.rig, self.history).check()
        except (Violation, requests.RequestException) as error:
            self.fail(str(error))
