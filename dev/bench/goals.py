"""What each step of a payment may cost, beside the providers that Odoo brings."""
from dataclasses import dataclass


@dataclass(frozen=True)
class Goal:
    """What a step may cost; None: no matter.

    :param float time: as a multiple of the quicker of Mollie and Stripe
    """

    time: float | None = None
    queries: int | None = None
    calls: int | None = None
    commits: int | None = None

    def misses(self, ours, ratio):
        """:return: the names of what costs more"""
        found = [name for name in ('queries', 'calls', 'commits')
                 if getattr(self, name) is not None and ours[name] > getattr(self, name)]
        if self.time is not None and ratio is not None and ratio > self.time:
            found.insert(0, 'time')
        return found

    def __str__(self):
        said = [f'≤ {self.time} × the better' if self.time is not None else None,
                *(f'≤ {value} {name}' for name in ('queries', 'calls', 'commits')
                  if (value := getattr(self, name)) is not None)]
        return ', '.join(text for text in said if text)


#: steps of the table, and what they may cost
STEPS = {
    'settled': ('settling webhook', Goal(time=1.0, queries=23, calls=1, commits=3)),
    'again': ('same event again', Goal(queries=4, calls=0)),
    'redelivered': ('redelivery of what is done', Goal(time=1.0, calls=0)),
    'uninteresting': ('event of no interest', Goal(queries=5, calls=0)),
    'nobody': ('invoice of nobody', Goal(time=1.3, calls=0)),
    'forged': ('forged signature', Goal(queries=2, calls=0)),
    'pay': ('Pay click', Goal(time=1.05, calls=1)),
    'returned': ('return page, unpaid → done', Goal(time=1.0)),
}


def ratio(by_peer, name='ms'):
    """:return: ours as a multiple of the better of the others; None where there are none"""
    others = [figures[name] for code, figures in by_peer.items() if code != 'btcpay']
    return round(by_peer['btcpay'][name] / min(others), 2) if others and min(others) else None
