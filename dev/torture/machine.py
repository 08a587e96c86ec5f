"""Random sequences of what happens to a shop and a server, and of what goes wrong with them."""
import requests
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from .accounting import Accounting
from .actions import Actions
from .connection import Connecting
from .history import History
from .refunding import Refunding
from .settle import settle
from .steps import CUSTOMER, OFFICE, SERVER, SETTINGS, SHOP, TROUBLE
from .truth import Truth, Violation


def weighted(group):
    """:return: strategy of a step and its parameters"""
    return st.one_of([
        st.tuples(st.just(name), st.fixed_dictionaries(drawn(parameters)))
        for weight, name, parameters in group for _number in range(weight)])


def drawn(parameters):
    """:return: the strategy of each parameter"""
    return {name: st.sampled_from(values) for name, values in parameters.items()}


class Torture(Accounting, Connecting, Refunding, Actions, RuleBasedStateMachine):
    """A sequence, ended with what has to be so in the end."""

    @initialize(**drawn(SETTINGS))
    def begin(self, accept_part, late, tolerance, short, speed, amount, begins, promotion, lose,
              mine, stay_broken):
        self.ending = {'lose': lose, 'mine': mine, 'stay_broken': stay_broken}
        self.steps.append(f'settings: accept_part={accept_part} late={late} tolerance={tolerance} '
                          f'{short} {speed}; in the end: {self.ending}')
        self.rig.begin(accept_part, late, short, paymentTolerance=tolerance, speedPolicy=speed)
        self.history = History(
            log_begin=self.rig.log.stat().st_size, accepts=accept_part or late == 'accept')
        self.is_begun = True
        self.counts['sequences'] += 1
        self.new_order(amount, promotion)
        if begins == 'paid invoice':
            self.new_move(amount)
        if begins != 'order':
            self.pay(0, '1', 'BTC-LN', False)
            self.scheduled_actions()

    def act(self, action):
        name, parameters = action
        getattr(self, name)(**parameters)

    # Two rules each for what matters most
    @rule(action=weighted(CUSTOMER))
    def customer(self, action):
        self.act(action)

    @rule(action=weighted(CUSTOMER))
    def customer_again(self, action):
        self.act(action)

    @rule(action=weighted(SERVER))
    def server(self, action):
        self.act(action)

    @rule(action=weighted(TROUBLE))
    def trouble(self, action):
        self.act(action)

    @rule(action=weighted(SHOP))
    def people(self, action):
        self.act(action)

    @rule(action=weighted(OFFICE))
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
