"""Odoo with several worker processes, to which the same comes from many sides at once."""
import json
import time
from collections import Counter
from functools import partial

import requests

from .forgery import Forger, sign
from .history import History
from .parallel import at_once
from .rig import WORKERS
from .settle import settle
from .shop import Shop
from .truth import Truth

#: connections that Odoo lets wait; more are reset where the machine is busy
QUEUE = 8 * WORKERS


class Scene:
    """One order, whose invoice is at the server, and nothing told of it yet."""

    def __init__(self, rig, history=None):
        self.rig = rig
        self.shop = Shop(rig)
        if not history:
            rig.begin()
        self.history = history or History(log_begin=rig.log.stat().st_size)
        self.order_id = self.shop.new_order(100.0)
        self.history.orders.add(self.order_id)
        self.attempt = self.shop.checkout(self.order_id)
        rig.world.wait_deliveries(30)
        self.invoice_id = rig.sql(
            'SELECT btcpay_invoice_id AS id FROM payment_transaction WHERE id = %s',
            self.attempt.tx)[0]['id']
        self.forger = Forger(rig)

    def pay_unseen(self, mine=True):
        """Have it paid without Odoo's being told."""
        self.rig.gate.mode = 'proxy'
        self.rig.world.pay(self.invoice_id)
        if mine:
            self.rig.world.mine()
        self.rig.world.wait_deliveries(30)
        self.rig.world.restart()
        self.rig.gate.mode = 'open'

    def delivery(self, **values):
        """:return: callable that sends an event as the server does, and returns the HTTP status"""
        body = json.dumps(self.forger.event(
            self.invoice_id, self.attempt.reference, **values)).encode()
        return partial(self._post, body, sign(body, self.rig.secret))

    def _post(self, body, signature):
        return requests.post(
            f'{self.rig.url}/payment/btcpay/webhook/{self.rig.provider_id}', data=body, timeout=90,
            headers={'Content-Type': 'application/json', 'BTCPay-Sig': signature}).status_code

    def poll(self):
        """:return: 'fine', or what the customer's page was told instead"""
        answer = self.shop.poll(self.attempt)
        if 'error' not in answer:
            return 'fine'
        # So does Odoo tell the page to ask again, where somebody else was at it
        message = answer['error']['data']['message']
        return 'fine' if message == 'retry' else message

    def tx(self):
        return self.rig.sql(
            'SELECT state, btcpay_status AS status FROM payment_transaction WHERE id = %s',
            self.attempt.tx)[0]

    def deliveries(self):
        return Counter(row['state'] for row in self.rig.sql('SELECT state FROM btcpay_delivery'))

    def mails(self, subject):
        return self.rig.sql(
            "SELECT count(*) AS n FROM mail_message WHERE model = 'sale.order' AND res_id = %s "
            'AND subject LIKE %s', self.order_id, f'{subject}%')[0]['n']

    def end(self, was_seen=False):
        """All that has to be so in the end, and that it is confirmed and booked once.

        :param bool was_seen: whether Odoo saw the payment before it was settled
        """
        settle(self.rig, self.history)
        Truth(self.rig, self.history).check()
        self.assert_once(was_seen)

    def assert_once(self, was_seen=False):
        assert self.tx()['state'] == 'done'
        assert self.shop.order(self.order_id)['state'] == 'sale'
        assert self.mails('CONFIRMED') == 1
        assert self.mails('EXECUTED') <= was_seen  # not for what is confirmed at once
        payments = self.rig.sql(
            'SELECT count(*) AS n FROM account_payment WHERE payment_transaction_id = %s',
            self.attempt.tx)[0]['n']
        assert payments == 1


def test_there_are_several_workers(rig):
    import psutil

    processes = psutil.Process(rig.odoo.pid).children()
    assert len(processes) >= WORKERS


def test_same_delivery_20_times_at_once(rig, number):
    scene = Scene(rig)
    scene.pay_unseen()
    before = sum(scene.deliveries().values())
    answers = at_once([scene.delivery(deliveryId='same')] * 20)
    assert answers == [200] * 20
    assert sum(scene.deliveries().values()) == before + 1
    scene.end()


def test_20_deliveries_of_one_invoice_at_once(rig, number):
    scene = Scene(rig)
    scene.pay_unseen()
    before = sum(scene.deliveries().values())
    answers = at_once([scene.delivery() for _number in range(20)])
    assert answers == [200] * 20
    assert sum(scene.deliveries().values()) == before + 20
    scene.end()
    # That the invoice was made may be told after Odoo has stored it
    assert set(scene.deliveries()) <= {'processed', 'ignored'}
    assert scene.deliveries()['processed'] >= 20


def test_from_all_sides_at_once(rig, number):
    scene = Scene(rig)
    scene.pay_unseen()
    same = scene.delivery()
    check = partial(scene.shop.click, scene.attempt.tx, 'action_btcpay_sync')
    actions = {
        same: 200, scene.delivery(): 200, scene.delivery(): 200,
        partial(scene.shop.return_page, scene.attempt): 303, scene.poll: 'fine',
        partial(scene.poll): 'fine', partial(scene.poll): 'fine', check: None,
        partial(check): None, rig.run_crons: None, partial(rig.run_crons): None,
    }
    answers = at_once(list(actions))
    assert answers == list(actions.values())
    scene.end()


def test_several_orders_confirmed_at_once(rig, number):
    """Scheduled actions that began before the customers' pages come to what those have done."""
    first = Scene(rig)
    scenes = [first, *(Scene(rig, first.history) for _number in range(3))]
    for scene in scenes:
        scene.pay_unseen()
        assert scene.delivery()() == 200
    answers = at_once([rig.run_crons, partial(rig.run_crons), *(
        scene.poll for scene in scenes)])
    assert answers == [None, None, *['fine'] * len(scenes)]
    first.end()
    for scene in scenes:
        scene.assert_once()


def test_outdated_look_is_not_applied(rig):
    """What was read before a payment, and arrives after it was applied, changes nothing."""
    scene = Scene(rig)
    rig.world.fault('slow', '/stores/.*/invoices/[^/]+$', seconds=1.2, count=1)
    since = max(request['n'] for request in rig.world.requests())

    def pay():
        rig.world.wait_for(lambda: rig.world.requests(since), 10)
        scene.pay_unseen(mine=False)
        return scene.delivery()()

    answers = at_once([
        partial(scene.shop.click, scene.attempt.tx, 'action_btcpay_sync'), pay])
    assert answers == [None, 200]
    assert scene.tx() == {'state': 'pending', 'status': 'Processing'}
    rig.world.mine()
    scene.end(was_seen=True)


def test_20_return_pages_at_once_while_the_server_hangs(rig, number):
    """One asks, and waits; the others do not, nor does who comes afterwards."""
    scene = Scene(rig)
    rig.pass_time(60)
    rig.world.fault('hang', '/stores/.*/invoices/', seconds=8, count=None)
    since = max(request['n'] for request in rig.world.requests())
    answers = at_once([partial(scene.shop.return_page, scene.attempt) for _number in range(20)])
    assert answers == [303] * 20
    answers = at_once([scene.delivery() for _number in range(20)])
    assert answers == [200] * 20
    assert len(rig.world.requests(since)) == 1
    rig.world.clear_faults()
    scene.pay_unseen()
    scene.end()


def test_an_ordinary_page_stays_quick_while_the_server_hangs(rig, number):
    """Neither guessed references nor deliveries keep all workers waiting, from the first moment."""
    first = Scene(rig)
    scenes = [first, *(Scene(rig, first.history) for _number in range(4))]
    rig.pass_time(60)
    requests.get(f'{rig.url}/web/login', timeout=90)  # What is made for the first one only
    rig.world.fault('hang', '/stores/.*/invoices/', seconds=8, count=None)
    since = max(request['n'] for request in rig.world.requests())
    for attack, most in (
        ([partial(scene.shop.return_page, scene.attempt) for scene in scenes * 3], 1),
        ([first.delivery() for _number in range(QUEUE)], 2),
    ):
        rig.sql('UPDATE payment_provider SET btcpay_retry_at = NULL WHERE id = %s', rig.provider_id)
        waited = []

        def look(waited=waited):
            time.sleep(0.5)  # By then they are at it
            begun = time.monotonic()
            assert requests.get(f'{rig.url}/web/login', timeout=90).status_code == 200
            waited.append(time.monotonic() - begun)

        answers = at_once([look, *attack])
        assert set(answers) <= {None, 200, 303}
        assert len(rig.world.requests(since)) == most
        assert waited[0] < 4  # Less than a look at the server may take
    rig.world.clear_faults()
    for scene in scenes:
        scene.pay_unseen()
    first.end()
