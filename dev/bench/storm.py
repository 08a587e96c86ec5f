"""Many events at once, to Odoo with several workers; and a server that answers nothing."""
import http.client
import itertools
import queue
import random
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from .customers import Customers
from .figures import percentile
from .peers import PEERS, Ours, Request, Stripe
from .place import WITH, Odoo

WORKERS = 2
SENDERS = 8
ORDERS = 500
#: each provider has its turn so often, so that what else the machine does meets all of them
BLOCKS = 4
#: how often the provider tries again, as they all do
TRIES = 5
#: who look at pages while the server hangs
VISITORS = 3


def events_of(peer, payments, chance):
    """3.2 events for each payment, a quarter of them a second time: a fifth of all is doubled.

    :return: Requests, those of one payment in their order
    """
    stories = [peer.story(payment, is_long=number % 5 == 0)
               for number, payment in enumerate(payments)]
    turns = [number for number, story in enumerate(stories) for _event in story]
    chance.shuffle(turns)
    left = [iter(story) for story in stories]
    events = [next(left[number]) for number in turns]
    for event in chance.sample(events, len(events) // 4):
        events.insert(chance.randrange(events.index(event) + 1, len(events) + 1), event)
    return events


class Senders:
    """Send events, several at once, and again what was not taken.

    :ivar list[float] seconds: until each was answered
    :ivar Counter statuses: of all answers
    """

    def __init__(self, line):
        self.line = line
        self.seconds, self.statuses = [], Counter()
        self.waiting = None

    def send(self, events, senders=SENDERS):
        """:return: seconds in all"""
        self.waiting = queue.SimpleQueue()
        for event in events:
            self.waiting.put(event)
        begun = time.perf_counter()
        with ThreadPoolExecutor(senders) as pool:
            for done in [pool.submit(self._work) for _number in range(senders)]:
                done.result()
        return time.perf_counter() - begun

    def _work(self):
        while True:
            try:
                event = self.waiting.get_nowait()
            except queue.Empty:
                return
            for _number in range(TRIES):
                try:
                    answer = self.line.send(event)
                except (OSError, http.client.HTTPException) as error:
                    self.statuses[type(error).__name__] += 1
                else:
                    self.statuses[answer.status] += 1
                    if answer.status == 200:
                        self.seconds.append(answer.seconds)
                        break
                time.sleep(0.2)
            else:
                self.statuses['given up'] += 1


def storm(place, orders=ORDERS):
    """:return: figures by provider"""
    place.tell('state', 'open')
    chance = random.Random(16)
    with Odoo(place, WITH, WORKERS) as odoo:
        customers = Customers(place, odoo)
        peers = customers.peers(PEERS)
        payments = {peer: customers.payments(peer, orders) for peer in peers}
        place.tell('state', 'paid')
        found = {peer: {'senders': Senders(odoo), 'seconds': 0, 'calls': 0, 'triggers': 0}
                 for peer in peers}
        size = -(-orders // BLOCKS)
        for block, peer in itertools.product(range(BLOCKS), peers):
            one = found[peer]
            events = events_of(peer, payments[peer][block * size:(block + 1) * size], chance)
            calls, triggers = place.calls(), _triggers(place)
            one['seconds'] += one['senders'].send(events)
            one['calls'] += place.calls() - calls
            one['triggers'] += _triggers(place) - triggers
        states = {peer: Counter(customers.states(payments[peer])) for peer in peers}
    truth = check(place, payments[peers[-1]])
    place.tell('state', 'open')
    return {'orders': orders, 'workers': WORKERS, 'senders': SENDERS, 'truth': truth, 'peers': {
        peer.code: {
            **summary(one['senders'], one['seconds']), 'calls': one['calls'],
            'triggers': one['triggers'], 'states': dict(states[peer]),
        } for peer, one in found.items()}}


def summary(senders, seconds):
    return {
        'events': len(senders.seconds), 'seconds': round(seconds, 1),
        'rate': round(len(senders.seconds) / seconds, 1),
        'p50_ms': round(1000 * percentile(senders.seconds, 0.5)),
        'p99_ms': round(1000 * percentile(senders.seconds, 0.99)),
        'statuses': {str(status): count for status, count in senders.statuses.items()},
    }


def _triggers(place):
    [[count]] = place.sql('SELECT count(*) FROM ir_cron_trigger')
    return count


# --- the truth ------------------------------------------------------------------------------------

def check(place, payments):
    """Have the scheduled actions do what is left, then see that all is so, and nothing twice.

    :return: what is not as it has to be, as sentences
    """
    # Only ours are looked at: the others' orders need not be confirmed.
    references = [payment.reference for payment in payments]
    place.leave_off(references)
    place.sql('UPDATE btcpay_delivery SET next_try_at = next_try_at - INTERVAL %s '
              "WHERE state = 'pending'", '1 hour')
    for _round in range(2):
        place.run_crons()
    wrong = []
    for name, query in {
        'not paid': "t.state <> 'done'",
        'not confirmed': "o.state <> 'sale'",
        'not booked once': '(SELECT count(*) FROM account_payment p '
                           'WHERE p.payment_transaction_id = t.id) <> 1',
        'not told once': "(SELECT count(*) FROM mail_message m WHERE m.model = 'sale.order' "
                         "AND m.res_id = o.id AND m.subject LIKE 'CONFIRMED%%') <> 1",
        'waiting or failed': "EXISTS (SELECT 1 FROM btcpay_delivery d WHERE d.transaction_id = t.id"
                             " AND d.state NOT IN ('processed', 'ignored'))",
    }.items():
        found = place.sql(
            'SELECT t.reference FROM payment_transaction t '  # noqa: S608 ours
            'JOIN sale_order_transaction_rel r ON r.transaction_id = t.id '
            'JOIN sale_order o ON o.id = r.sale_order_id '
            'WHERE t.reference = ANY(%s) AND ' + query, references)
        if found:
            wrong.append(f'{len(found)} {name}: {found[0][0]} …')
    return wrong


# --- a server that hangs --------------------------------------------------------------------------

def hang(place, events=50):
    """Ordinary pages while events come in of a server that accepts calls and answers none.

    :return: seconds of the pages, by what happened meanwhile; with workers, and in `threads` as the
             table is measured
    """
    return {**_hang(place, events, WORKERS), 'threads': _hang(place, events, 0)}


def _hang(place, events, workers):
    place.tell('state', 'open')
    page = Request('/web/login')
    with Odoo(place, WITH, workers) as odoo:
        customers = Customers(place, odoo)
        other, peer = customers.peers([Stripe, Ours])
        payments = customers.payments(peer, 2 * events)
        told, seen = payments[:events], payments[events:]
        asking_nobody = customers.payments(other, events)
        for _number in range(4):
            odoo.send(page)
        found = {'events': events, 'workers': workers, 'usual': _sum_up(
            _look(odoo, page, threading.Event(), 20))}
        found['stripe'] = _attack(
            place, odoo, page, [other.settled(payment) for payment in asking_nobody])
        place.tell('hang', True)
        try:
            for name, requests in (
                ('webhooks', [peer.settled(payment) for payment in told]),
                ('return_pages', [peer.returned(payment) for payment in seen]),
            ):
                _mend(place)
                found[name] = _attack(place, odoo, page, requests)
        finally:
            place.tell('hang', False)
    _mend(place)
    return found


def _attack(place, odoo, page, requests):
    calls, over = place.calls(), threading.Event()
    statuses = Counter()
    with ThreadPoolExecutor(len(requests) + VISITORS) as pool:
        begun = time.perf_counter()
        answers = [pool.submit(_insist, odoo, request, statuses) for request in requests]
        visits = [pool.submit(_look, odoo, page, over) for _number in range(VISITORS)]
        try:
            for answer in answers:
                answer.result()
        finally:
            over.set()
        seconds = time.perf_counter() - begun
    pages = [second for visit in visits for second in visit.result()]
    return {**_sum_up(pages), 'seconds': round(seconds, 1), 'calls': place.calls() - calls,
            'statuses': {str(status): count for status, count in statuses.items()}}


def _insist(odoo, request, statuses):
    """Send a request; Odoo lets only so many connections wait (8 a worker), and resets others."""
    while True:
        try:
            answer = odoo.send(request)
        except OSError as error:
            statuses[type(error).__name__] += 1
            time.sleep(0.1)
        else:
            statuses[answer.status] += 1
            return answer


def _look(odoo, page, over, times=None):
    """Open a page again and again, as one person does.

    :return: seconds that each took, and those of them after the connection was there
    """
    seconds = []
    while len(seconds) < (times or 10_000):
        begun = time.perf_counter()
        answer = _insist(odoo, page, Counter())
        assert answer.status == 200
        seconds.append((time.perf_counter() - begun, answer.seconds - answer.connecting))
        if over.wait(0.1):
            break
    return seconds


def _sum_up(seconds):
    whole, answering = zip(*seconds, strict=True)
    return {'pages': len(whole), 'longest_s': round(max(whole), 2),
            'longest_answering_s': round(max(answering), 2),
            'median_s': round(percentile(whole, 0.5), 3)}


def _mend(place):
    """Have the provider forget that the server did not answer."""
    place.sql('UPDATE payment_provider SET btcpay_retry_at = NULL, '
              "btcpay_unreachable_since = NULL, btcpay_connection_state = 'connected' "
              "WHERE code = 'btcpay'")
