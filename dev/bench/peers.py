"""Whom we are measured beside, and ourselves: how each is paid by, and told of a payment."""
import hashlib
import hmac
import json
import time
from dataclasses import dataclass, field
from urllib.parse import quote

from .recorded import STORE

SECRET = 'a-secret-that-is-long-enough'
WEBHOOK = 'benchWebhook'
# What the server's events say besides, see `dev/contract/recordings`
STATUS_VALUES = {
    'InvoiceProcessing': {'overPaid': False},
    'InvoiceSettled': {'overPaid': False, 'manuallyMarked': False},
}


@dataclass
class Request:
    """What is sent to Odoo."""

    path: str
    body: bytes | None = None
    headers: dict = field(default_factory=dict)

    @property
    def method(self):
        return 'GET' if self.body is None else 'POST'


@dataclass
class Payment:
    """A transaction that waits to be paid.

    :param int order: id of the order
    :param str number: its id at the provider
    """

    order: int
    reference: str
    number: str


NOBODY = Payment(0, 'S99999999', 'inv99999999')


def signed(text):
    return hmac.new(SECRET.encode(), text.encode(), hashlib.sha256).hexdigest()


class Peer:
    """A payment provider of Odoo's.

    :ivar str flow: how it is paid by    :ivar str method: by which payment method
    """

    code = flow = method = ''

    def __init__(self, provider_id, method_id):
        self.provider_id, self.method_id = provider_id, method_id

    def pay(self, order_id, token):
        """:return: the click on "Pay" on an order's page"""
        params = {
            'access_token': token, 'provider_id': self.provider_id,
            'payment_method_id': self.method_id, 'token_id': None, 'flow': self.flow,
            'amount': 100.0, 'tokenization_requested': False, 'landing_route': '/my',
        }
        body = json.dumps({'jsonrpc': '2.0', 'method': 'call', 'params': params})
        return Request(f'/my/orders/{order_id}/transaction', body.encode(),
                       {'Content-Type': 'application/json'})

    def settled(self, payment):
        """:return: the event that tells of a payment"""
        raise NotImplementedError

    def redelivered(self, payment, event):
        """:return: the same, sent again by the provider"""
        return event

    def uninteresting(self, payment):
        """:return: an event of which nothing follows; None where there is none"""

    def forged(self, payment):
        """:return: an event that is not the provider's; None where anybody is believed"""

    def returned(self, payment):
        """:return: the page to which the customer comes back"""
        raise NotImplementedError

    def story(self, payment, is_long):
        """:return: the events of a payment, from beginning to end"""
        return [self.settled(payment) for _number in range(4 if is_long else 3)]


class Mollie(Peer):
    code, flow, method = 'mollie', 'redirect', 'card'

    def settled(self, payment):
        return Request(f'/payment/mollie/webhook?ref={quote(payment.reference)}',
                       f'id={payment.number}'.encode(),
                       {'Content-Type': 'application/x-www-form-urlencoded'})

    def returned(self, payment):
        return Request(f'/payment/mollie/return?ref={quote(payment.reference)}')


class Stripe(Peer):
    code, flow, method = 'stripe', 'direct', 'card'

    def settled(self, payment):
        return self._event(payment, 'payment_intent.succeeded', 'succeeded')

    def _event(self, payment, event_type, status, sign=signed):
        body = json.dumps({'id': 'evt_1', 'type': event_type, 'data': {'object': {
            'id': payment.number, 'object': 'payment_intent', 'description': payment.reference,
            'status': status, 'amount': 10000, 'currency': 'usd', 'payment_method': 'pm_1',
        }}})
        now = int(time.time())
        return Request('/payment/stripe/webhook', body.encode(), {
            'Content-Type': 'application/json',
            'Stripe-Signature': f't={now},v1={sign(f"{now}.{body}")}'})

    def uninteresting(self, payment):
        return self._event(payment, 'payment_intent.created', 'requires_action')

    def forged(self, payment):
        return self._event(payment, 'payment_intent.succeeded', 'succeeded', lambda _text: 'forged')

    def returned(self, payment):
        return Request(f'/payment/stripe/return?reference={quote(payment.reference)}'
                       f'&payment_intent={payment.number}')

    def story(self, payment, is_long):
        events = [
            self._event(payment, 'payment_intent.created', 'requires_action'),
            self._event(payment, 'payment_intent.processing', 'processing'),
            self.settled(payment), self.settled(payment),
        ]
        return events if is_long else events[1:]


class Ours(Peer):
    code, flow, method = 'btcpay', 'redirect', 'btcpay'
    count = 0

    def settled(self, payment):
        return self._event(payment, 'InvoiceSettled')

    def _event(self, payment, event_type, sign=signed, **values):
        Ours.count += 1
        number = f'delivery{time.time_ns()}x{Ours.count}'
        body = json.dumps({
            'deliveryId': number, 'webhookId': WEBHOOK, 'originalDeliveryId': number,
            'isRedelivery': False, 'type': event_type, 'timestamp': int(time.time()),
            'storeId': STORE, 'invoiceId': payment.number,
            'metadata': {'orderId': payment.reference}, **values,
        })
        return Request(f'/payment/btcpay/webhook/{self.provider_id}', body.encode(), {
            'Content-Type': 'application/json', 'BTCPay-Sig': f'sha256={sign(body)}'})

    def redelivered(self, payment, event):
        return self._event(payment, 'InvoiceSettled', isRedelivery=True,
                           originalDeliveryId=json.loads(event.body)['deliveryId'])

    def uninteresting(self, payment):
        return self._event(payment, 'InvoiceCreated')

    def forged(self, payment):
        return self._event(payment, 'InvoiceSettled', lambda _text: 'forged')

    def returned(self, payment):
        from odoo.addons.payment_btcpay import const

        return Request(f'{const.RETURN_ROUTE}?ref={quote(payment.reference)}')

    def story(self, payment, is_long):
        names = ['InvoiceReceivedPayment', 'InvoiceProcessing', 'InvoicePaymentSettled',
                 'InvoiceSettled']
        return [self._event(payment, name, **STATUS_VALUES.get(name, {})) for name in names
                if is_long or name != 'InvoicePaymentSettled']


PEERS = (Mollie, Stripe, Ours)
