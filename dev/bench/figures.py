"""From what was measured to the figures that are shown."""
import statistics
from collections import Counter


def typical(values):
    """:return: what most were; exact counts differ only where something else came in between"""
    return Counter(values).most_common(1)[0][0]


def percentile(values, share):
    """:param float share: 0.99: all but one of a hundred are below"""
    ordered = sorted(values)
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)]


class Sample:
    """The same thing, done several times.

    :ivar list answers: the Answers, see `place.py`
    :ivar list calls: how often a provider was called meanwhile
    """

    def __init__(self):
        self.answers, self.calls = [], []

    def add(self, answer, calls=0):
        self.answers.append(answer)
        self.calls.append(calls)

    def figures(self):
        """:return: medians of the times, and what most cost otherwise"""
        costs = [answer.costs for answer in self.answers]
        return {
            'ms': round(1000 * statistics.median(a.seconds for a in self.answers), 2),
            'cpu_ms': round(1000 * statistics.median(cost['cpu'] for cost in costs), 2),
            'queries': typical(cost['queries'] for cost in costs),
            'queries_range': [min(c['queries'] for c in costs), max(c['queries'] for c in costs)],
            'commits': typical(cost['commits'] for cost in costs),
            'calls': typical(self.calls),
            'times': len(self.answers),
        }
