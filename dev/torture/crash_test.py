"""Odoo is killed while it is told of many payments, and has to end where the money is."""
import contextlib
import random
import time
from concurrent.futures import ThreadPoolExecutor

import requests

from ..world import Refused
from .history import History
from .settle import settle
from .shop import Shop
from .truth import Truth

ORDERS = 4
#: seconds in which the storm is in full swing
STORM = 1.2


def storm(rig, shop, attempts, late_orders):
    """Everything that is under way when Odoo dies; customers then see errors."""
    def pay(attempt):
        with contextlib.suppress(Refused):
            rig.world.pay(invoice_of(rig, attempt), random.choice(('BTC-CHAIN', 'BTC-LN')))
            rig.world.mine()

    def ask(attempt):
        for _number in range(4):
            with contextlib.suppress(requests.RequestException):
                shop.return_page(attempt)
                shop.poll(attempt)

    def begin(order_id):
        with contextlib.suppress(requests.RequestException):
            shop.checkout(order_id)

    def look_after():
        with contextlib.suppress(requests.RequestException):
            rig.run_crons()

    pool = ThreadPoolExecutor(12)
    for attempt in attempts:
        pool.submit(pay, attempt)
        pool.submit(ask, attempt)
    for order_id in late_orders:
        pool.submit(begin, order_id)
    pool.submit(look_after)
    return pool


def invoice_of(rig, attempt):
    return rig.sql('SELECT btcpay_invoice_id AS id FROM payment_transaction WHERE id = %s',
                   attempt.tx)[0]['id']


def test_killed_in_a_storm_of_webhooks(rig, seed, number):
    chance = random.Random(seed + number)
    shop = Shop(rig)
    rig.begin(accept_part=chance.random() < 0.5)
    history = History(log_begin=rig.log.stat().st_size)
    orders = [shop.new_order(100.0 + order) for order in range(ORDERS + 2)]
    history.orders.update(orders)
    attempts = [shop.checkout(order_id) for order_id in orders[:ORDERS]]
    paid = [invoice_of(rig, attempt) for attempt in attempts]
    rig.world.wait_deliveries(30)
    pool = storm(rig, shop, attempts, orders[ORDERS:])
    time.sleep(chance.uniform(0.02, STORM))
    rig.kill_odoo()
    pool.shutdown()
    rig.start_odoo()
    rig.wait_odoo()
    settle(rig, history, lose=chance.random() < 0.5)
    Truth(rig, history).check()
    for attempt, invoice_id in zip(attempts, paid, strict=True):
        assert rig.world.invoice(invoice_id)['status'] == 'Settled'
        assert shop.order(attempt.order)['state'] == 'sale'
