"""The answers of the stand-in BTCPay Server, recorded for a small server to give them."""
import json
from dataclasses import dataclass

from ..world import StandIn

AMOUNT = '100'
CURRENCY = 'USD'
STORE = 'benchStore'


@dataclass
class Recorded:
    """An invoice and its payment methods as the stand-in answers, as text.

    :param str id: the id to be replaced
    """

    id: str
    invoice: str
    methods: str


def record():
    """:return: what is answered of an invoice that is open, and of one that is paid
    :rtype: dict[str, Recorded]
    """
    with StandIn.started() as world:
        store = world.new_store(methods=('BTC-CHAIN', 'BTC-LN'))
        invoice_id = world.api('POST', f'/stores/{store}/invoices', {
            'amount': AMOUNT, 'currency': CURRENCY, 'metadata': {'orderId': 'S1'}})['id']
        recorded = {'open': _read(world, store, invoice_id)}
        world.pay(invoice_id)
        world.mine(6)
        recorded['paid'] = _read(world, store, invoice_id)
    return recorded


def _read(world, store, invoice_id):
    path = f'/stores/{store}/invoices/{invoice_id}'
    return Recorded(*(text.replace(store, STORE) for text in (
        invoice_id, json.dumps(world.api('GET', path)),
        json.dumps(world.api('GET', f'{path}/payment-methods')))))
