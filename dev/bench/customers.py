"""Customers who click on "Pay", with each of the providers."""
import json
from concurrent.futures import ThreadPoolExecutor

from . import furnish
from .peers import Payment
from .place import WITH

ORDERS_AT_ONCE = 100


class Customers:
    """:param Place place: where the shop is
    :param str database: which of the shops
    :param Odoo odoo: who answers for it
    """

    def __init__(self, place, odoo, database=WITH):
        self.place, self.odoo, self.database = place, odoo, database

    def peers(self, classes):
        with self.place.env(self.database) as env:
            return [furnish.find_peer(env, peer) for peer in classes]

    def orders(self, count):
        """:return: id and access token of new orders"""
        made = []
        while len(made) < count:
            with self.place.env(self.database) as env:
                orders = furnish.order(env, min(ORDERS_AT_ONCE, count - len(made)))
                made += [(order.id, order.access_token) for order in orders]
        return made

    def pay(self, peer, order):
        """:return: the Payment and Odoo's Answer"""
        order_id, token = order
        answer = self.odoo.send(peer.pay(order_id, token))
        result = json.loads(answer.body).get('result') or {}
        if 'reference' not in result:
            raise AssertionError(f'{peer.code}: {answer.body[:300]}')
        number = (result.get('client_secret') or '').removesuffix('_secret')
        if not number:
            [[number]] = self.place.sql(
                'SELECT provider_reference FROM payment_transaction WHERE reference = %s',
                result['reference'], database=self.database)
        assert number, f'{peer.code} has made no payment: {result}'
        return Payment(order_id, result['reference'], number), answer

    def payments(self, peer, count):
        """:return: new Payments that wait to be paid"""
        with ThreadPoolExecutor(3) as pool:
            return [payment for payment, _answer in pool.map(
                lambda order: self.pay(peer, order), self.orders(count))]

    def states(self, payments):
        """:return: the states of transactions, in their order"""
        found = dict(self.place.sql(
            'SELECT reference, state FROM payment_transaction WHERE reference = ANY(%s)',
            [payment.reference for payment in payments], database=self.database))
        return [found[payment.reference] for payment in payments]
