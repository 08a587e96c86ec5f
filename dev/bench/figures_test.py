"""From events and samples to what is shown."""
import json
import random
import threading
from collections import Counter

from . import texts
from .figures import Sample, percentile, typical
from .goals import STEPS, Goal, ratio
from .peers import Mollie, Ours, Payment, Request, Stripe
from .place import Answer
from .results import Results
from .storm import TRIES, Senders, events_of

PAYMENTS = [Payment(number, f'S{number}', f'inv{number}') for number in range(100)]


def answer(ms=10, queries=5, status=200):
    return Answer(status, ms / 1000, {'cpu': 0.001, 'queries': queries, 'commits': 1}, b'')


def test_when_events_are_made_then_a_fifth_is_doubled_and_each_payment_s_are_in_order():
    for kind in (Mollie, Stripe, Ours):
        peer = kind(1, 1)
        events = events_of(peer, PAYMENTS, random.Random(1))
        assert len(events) == 400
        assert len({id(event) for event in events}) == 320
    told = {}
    for event in {id(event): event for event in events}.values():
        data = json.loads(event.body)
        told.setdefault(data['invoiceId'], []).append(data['type'])
    assert len(told) == 100
    for types in told.values():
        assert types[:2] == ['InvoiceReceivedPayment', 'InvoiceProcessing']
        assert types[-1] == 'InvoiceSettled'


class Deaf:
    """Takes an event when it comes for the second time."""

    def __init__(self, never=()):
        self.seen, self.never, self.lock = Counter(), never, threading.Lock()

    def send(self, request):
        with self.lock:
            self.seen[request.path] += 1
            again = self.seen[request.path] > 1 and request.path not in self.never
        if request.path == '/gone' and not again:
            raise ConnectionResetError
        return answer(status=200 if again else 503)


def test_when_an_event_is_not_taken_then_it_is_sent_again_and_counted_once(monkeypatch):
    monkeypatch.setattr('time.sleep', lambda _seconds: None)
    line = Deaf(never=('/never',))
    senders = Senders(line)
    senders.send([Request(path) for path in ('/a', '/b', '/gone', '/never')], senders=2)
    assert len(senders.seconds) == 3
    assert senders.statuses == {200: 3, 503: 2 + TRIES, 'ConnectionResetError': 1, 'given up': 1}


def test_when_a_sample_is_summed_up_then_by_medians_and_by_what_most_cost():
    sample = Sample()
    for ms, queries, calls in ((10, 5, 1), (30, 5, 1), (500, 9, 2)):
        sample.add(answer(ms, queries), calls)
    found = sample.figures()
    assert (found['ms'], found['queries'], found['calls'], found['times']) == (30, 5, 1, 3)
    assert found['queries_range'] == [5, 9]


def test_when_percentiles_are_asked_for_then_that_share_is_not_above():
    assert percentile(range(1, 101), 0.99) == 100
    assert percentile(range(1, 1001), 0.99) == 991
    assert percentile([7], 0.99) == 7
    assert typical([1, 2, 2]) == 2


def test_when_a_step_costs_more_than_its_goal_then_it_is_told_what_of():
    goal = Goal(time=1.0, queries=23, calls=1, commits=3)
    ours = {'queries': 23, 'calls': 1, 'commits': 3}
    assert goal.misses(ours, 1.0) == []
    assert goal.misses(ours, 1.01) == ['time']
    assert goal.misses({'queries': 24, 'calls': 2, 'commits': 4}, 0.5) == [
        'queries', 'calls', 'commits']
    assert Goal(queries=4).misses({'queries': 4, 'calls': 9}, 9) == []


def test_when_it_is_compared_then_with_the_better_of_the_others():
    peers = {'mollie': {'ms': 20}, 'stripe': {'ms': 10}, 'btcpay': {'ms': 15}}
    assert ratio(peers) == 1.5
    assert ratio({'btcpay': {'ms': 15}}) is None


def test_when_a_part_is_measured_again_then_what_else_was_measured_stays(tmp_path):
    figures = {step: {code: Sample.figures(_filled(ms)) for code, ms in (
        ('mollie', 20), ('stripe', 10), ('btcpay', 15))} for step in STEPS}
    values = {'figures': figures, 'seconds': 1, 'load': [1, 2], 'date': 'today',
              'commit': 'abc', 'machine': {'cores': 2, 'cpu': 'x', 'memory_gb': 1,
                                           'system': 'y', 'python': 'z'}}
    kept = Results(tmp_path)
    kept.add('before', 'table', **values)
    kept.add('after', 'worker', **{**values, 'figures': {
        shop: {'mb': 1, 'seconds': 1} for shop in ('without', 'with')}})
    kept.write()
    again = Results(tmp_path)
    again.add('after', 'table', **values)
    again.write()
    assert set(json.loads(again.json.read_text())['after']) == {'table', 'worker'}
    text = again.text.read_text()
    assert '| 1.5 |' in text
    assert 'memory of a process' in text


def _filled(ms):
    sample = Sample()
    sample.add(answer(ms))
    return sample


def test_when_only_one_was_measured_then_no_change_is_told():
    assert texts.change({'after': {'x': 1}}, lambda run: run['x']) == '1'
    assert texts.change({'before': {'x': 2}, 'after': {'x': 1}}, lambda run: run['x']) == '2 → 1'
    assert texts.change({'before': {'x': 2}, 'after': {}}, lambda run: run['x']) == '2 → –'
    assert texts.change({'before': {'x': 2}, 'after': {'x': 2}}, lambda run: run['x']) == '2'
