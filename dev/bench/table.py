"""What each step costs, beside Mollie and Stripe: in one database and run, one after the other."""
from collections import defaultdict

from .customers import Customers
from .figures import Sample
from .peers import NOBODY, PEERS, Mollie, Stripe
from .place import WITH, WITHOUT, Odoo

TIMES = 40
WARM = 4  # what is read once a process


class Steps:
    """Does the same step with each of the providers in turn.

    :ivar dict samples: Sample by step and provider
    """

    def __init__(self, place, customers, peers, times):
        self.place, self.customers, self.peers, self.times = place, customers, peers, times
        self.samples = defaultdict(lambda: defaultdict(Sample))

    def do(self, step, number, peer, request, expected=(200, 303)):
        """Do it, and keep what it cost once all is warm.

        :param int number: how often it was done already
        """
        if request is None:
            return None
        before = self.place.calls()
        answer = self.customers.odoo.send(request)
        if answer.status not in expected:
            raise AssertionError(f'{step}: {peer.code} {answer.status} {answer.body[:300]}')
        self._keep(step, number, peer, answer, before)
        return answer

    def _keep(self, step, number, peer, answer, before):
        if number >= WARM:
            self.samples[step][peer.code].add(answer, self.place.calls() - before)

    def pay(self):
        """:return: payments by provider: some to be told of, some to come back from"""
        payments = defaultdict(list)
        orders = iter(self.customers.orders(2 * (self.times + WARM) * len(self.peers)))
        for number in range(2 * (self.times + WARM)):
            for peer in self.peers:
                before = self.place.calls()
                payment, answer = self.customers.pay(peer, next(orders))
                self._keep('pay', number, peer, answer, before)
                payments[peer].append(payment)
        return payments

    def each(self, payments):
        """All providers in turn, again and again."""
        for number in range(self.times + WARM):
            for peer in self.peers:
                yield number, peer, payments[peer][number]

    def figures(self):
        return {step: {code: sample.figures() for code, sample in by_peer.items()}
                for step, by_peer in self.samples.items()}


def table(place, times=TIMES):
    """:return: figures by step and provider"""
    place.tell('state', 'open')
    with Odoo(place, WITH) as odoo:
        customers = Customers(place, odoo)
        steps = Steps(place, customers, customers.peers(PEERS), times)
        payments = steps.pay()
        others = {peer: made[times + WARM:] for peer, made in payments.items()}
        for number, peer, payment in steps.each(payments):
            steps.do('uninteresting', number, peer, peer.uninteresting(payment))
        place.tell('state', 'paid')
        for number, peer, payment in steps.each(payments):
            event = peer.settled(payment)
            steps.do('settled', number, peer, event)
            steps.do('again', number, peer, event)
            steps.do('redelivered', number, peer, peer.redelivered(payment, event))
            steps.do('nobody', number, peer, peer.settled(NOBODY))
            steps.do('forged', number, peer, peer.forged(payment), expected=(403,))
        for number, peer, payment in steps.each(others):
            steps.do('returned', number, peer, peer.returned(payment))
        for peer, made in payments.items():
            assert set(customers.states(made)) == {'done'}, f'{peer.code}: not all are paid'
    place.tell('state', 'open')
    return steps.figures()


def others(place, times=TIMES):
    """What Mollie and Stripe cost without and with our module.

    Without it twice, as `again`: what these two differ by is what the machine does.

    :return: figures by shop, step and provider
    """
    place.tell('state', 'open')
    with (Odoo(place, WITHOUT) as without, Odoo(place, WITH) as with_ours,
          Odoo(place, WITHOUT) as again):
        shops = []
        for database, odoo in ((WITHOUT, without), (WITH, with_ours), (WITHOUT, again)):
            customers = Customers(place, odoo, database)
            shops.append(Steps(place, customers, customers.peers((Mollie, Stripe)), times))
        payments = _pay_in_turns(shops, times)
        place.tell('state', 'paid')
        for name in ('settled', 'returned'):
            for number in range(times + WARM):
                for shop in _in_turn(shops, number):
                    for peer in shop.peers:
                        payment = payments[shop, peer][name == 'returned'][number]
                        shop.do(name, number, peer, getattr(peer, name)(payment))
    place.tell('state', 'open')
    return {name: shop.figures()
            for name, shop in zip(('without', 'with', 'again'), shops, strict=True)}


def _in_turn(shops, number):
    first = number % len(shops)
    return shops[first:] + shops[:first]


def _pay_in_turns(shops, times):
    count = 2 * (times + WARM)
    orders = {shop: iter(shop.customers.orders(count * len(shop.peers))) for shop in shops}
    payments = {(shop, peer): ([], []) for shop in shops for peer in shop.peers}
    for number in range(count):
        for shop in _in_turn(shops, number):
            for peer in shop.peers:
                before = shop.place.calls()
                payment, answer = shop.customers.pay(peer, next(orders[shop]))
                shop._keep('pay', number, peer, answer, before)
                payments[shop, peer][number % 2].append(payment)
    return payments
