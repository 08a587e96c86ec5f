"""Events that are not the server's, or not as the server sent them."""
import hashlib
import hmac
import json

import requests

#: kind: what Odoo may answer
KINDS = {
    'unsigned': (403,),
    'wrong secret': (403,),
    'tampered': (403,),
    'other store': (403,),
    'other provider': (403,),
    'garbage': (400,),
    'too long': (413, 403),
    'replay': (200,),
    'lie': (200,),
}
#: kinds that change nothing at all, since they are refused or known
WITHOUT_EFFECT = set(KINDS) - {'lie'}
GARBAGE = (b'', b'[]', b'null', b'{"deliveryId": 1}', b'\xff\xfe', b'[' * 5000,
           b'{"deliveryId": "a/b"}', b'{"deliveryId": "a\\u0000"}')


def sign(body, secret):
    return f'sha256={hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}'


class Forger:
    """:param Rig rig: whom to send to"""

    def __init__(self, rig):
        self.rig = rig
        self.count = 0

    def event(self, invoice_id, reference, **values):
        self.count += 1
        delivery_id = f'forged{self.count}'
        return {
            'deliveryId': delivery_id, 'webhookId': self.rig.webhook_id,
            'originalDeliveryId': delivery_id, 'isRedelivery': False, 'type': 'InvoiceSettled',
            'timestamp': int(self.rig.world.state()['now']), 'storeId': self.rig.store_id,
            'invoiceId': invoice_id, 'metadata': {'orderId': reference}, 'manuallyMarked': False,
            **values,
        }

    def send(self, kind, invoice_id, reference, number=0):
        """Send one.

        :param int number: which of several, where there are
        :return: the HTTP status and the delivery's id
        :rtype: tuple[int, str]
        """
        event = self.event(invoice_id, reference)
        if kind == 'other store':
            event['storeId'] = 'another'
        body = json.dumps(event, indent=2).encode()
        signature = sign(body, self.rig.secret)
        provider_id = self.rig.provider_id
        passed = [item for item in self.rig.gate.passed if item.status == 200]
        if kind == 'wrong secret':
            signature = sign(body, 'another secret')
        elif kind == 'unsigned':
            signature = None
        elif kind == 'other provider':
            provider_id = self.rig.wire_id
        elif kind == 'tampered' and passed:
            signature = passed[-1].headers['BTCPay-Sig']
        elif kind == 'tampered':
            signature = sign(body + b' ', self.rig.secret)
        elif kind == 'garbage':
            body = GARBAGE[number % len(GARBAGE)]
            signature = sign(body, self.rig.secret)
        elif kind == 'too long':
            body = b' ' * 100_000 + body
            signature = sign(body, self.rig.secret)
        elif kind == 'replay' and passed:
            body = passed[number % len(passed)].body
            signature = sign(body, self.rig.secret)
        headers = {'Content-Type': 'application/json'}
        if signature:
            headers['BTCPay-Sig'] = signature
        response = requests.post(
            f'{self.rig.url}/payment/btcpay/webhook/{provider_id}', data=body, headers=headers,
            timeout=60)
        return response.status_code, event['deliveryId']
