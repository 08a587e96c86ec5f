"""Signed webhooks: one queue a webhook, strictly one delivery after another, with retries."""
import hashlib
import hmac
import json
import secrets
import threading
import time
from collections import deque
from dataclasses import replace
from decimal import Decimal

import requests
from urllib3.util import SKIP_HEADER

from .defaults import VERSION
from .ids import new_id
from .model import Delivery

#: seconds before each further attempt
RETRIES = (10, 60, 600, 600, 600, 600, 600, 600)
TEXT_TIMEOUT = (
    'The request was canceled due to the configured HttpClient.Timeout of {} seconds elapsing.'
)


class _Session(requests.Session):
    """A redirect is followed with a GET that has nothing of the POST."""

    def rebuild_method(self, prepared_request, response):
        super().rebuild_method(prepared_request, response)
        if prepared_request.method == 'GET':
            prepared_request.headers.pop('BTCPay-Sig', None)


class _Queue:
    """What waits for one webhook.

    ``state`` is 'idle', 'sending' or 'retry' (waiting to try again).
    """

    def __init__(self):
        self.jobs = deque()
        self.held = []
        self.state = 'idle'
        #: when the next attempt is due, in state 'retry'
        self.due = None
        self.thread = None

    def busy(self, now):
        return self.state == 'sending' or (self.state == 'retry' and self.due <= now)


class Dispatcher:
    """Sends the events of a server to its webhooks.

    A job is (delivery, webhook as it was when the event happened): the address and the secret of
    that moment are used, whatever is changed meanwhile, but by a further attempt, which takes the
    new ones.
    """

    def __init__(self, server):
        self.server = server
        self.queues = {}
        #: ids of the deliveries that a fault holds back for a time
        self.late = set()
        self.generation = 0
        self.changed = threading.Condition(server.lock)

    def forget(self):
        """Lose what waits, as a restart of the server does."""
        with self.server.lock:
            self.generation += 1
            self.queues = {}
            self.late = set()
            self.changed.notify_all()

    # --- events to deliveries ---------------------------------------------------------------------

    def publish(self, store_id, event_type, head, tail):
        """Queue an event for every webhook of the store that wants it.

        :param dict head: the event's own fields, before the common ones
        :param dict tail: what it is about, after them
        """
        server = self.server
        event = {
            'head': head, 'type': event_type, 'timestamp': int(server.now()),
            'storeId': store_id, 'tail': tail,
        }
        for webhook in server.webhooks_of(store_id):
            if wants(webhook, event_type):
                delivery_id = new_id()
                delivery = self._delivery(webhook, delivery_id, delivery_id, event)
                self._apply_faults(delivery, replace(webhook))

    def _delivery(self, webhook, delivery_id, original_id, event):
        server = self.server
        body = json.dumps({
            **event['head'],
            'deliveryId': delivery_id,
            'webhookId': webhook.id,
            'originalDeliveryId': original_id,
            'isRedelivery': delivery_id != original_id,
            'type': event['type'],
            'timestamp': event['timestamp'],
            'storeId': event['storeId'],
            **event['tail'],
        }, indent=2, ensure_ascii=False, default=_number)
        return Delivery(
            delivery_id, webhook.id, webhook.store_id, original_id, event, body.encode(),
            server.now(), number=server.next_number(),
        )

    def redeliver(self, delivery):
        """Queue a delivery again; the webhook's settings of now are used.

        :return: id of the new delivery
        """
        with self.server.lock:
            webhook = self.server.webhooks[delivery.webhook_id]
            again = self._delivery(webhook, new_id(), delivery.original_id, delivery.event)
            again.traced = True
            self._enqueue(again, replace(webhook))
            return again.id

    # --- faults -----------------------------------------------------------------------------------

    def _apply_faults(self, delivery, webhook):
        fault = self._take_fault(delivery)
        kind = fault and fault['kind']
        if kind == 'never':
            return
        if kind == 'late':
            self._later(delivery, webhook, float(fault.get('seconds') or 5))
            return
        if kind == 'reorder':
            # after the next event of this webhook, or after a while if there is none
            self._queue(webhook.id).held.append((delivery, webhook))
            self._later(delivery, webhook, float(fault.get('seconds') or 5))
            return
        self._enqueue(delivery, webhook)
        if kind == 'twice':
            self._enqueue(delivery, webhook)
        held = self._queue(webhook.id).held
        while held:
            job = held.pop(0)
            self.late.discard(job[0].id)
            self._enqueue(*job)

    def _take_fault(self, delivery):
        faults = self.server.webhook_faults
        for fault in faults:
            if fault.get('invoice') not in (None, delivery.event['tail'].get('invoiceId')):
                continue
            if fault.get('type') not in (None, delivery.event['type']):
                continue
            if fault.get('count') is not None:
                fault['count'] -= 1
                if fault['count'] <= 0:
                    faults.remove(fault)
            return fault
        return None

    def _later(self, delivery, webhook, seconds):
        self.late.add(delivery.id)

        def release():
            with self.server.lock:
                if delivery.id not in self.late:  # sent meanwhile, or lost by a restart
                    return
                self.late.discard(delivery.id)
                held = self._queue(webhook.id).held
                if (delivery, webhook) in held:
                    held.remove((delivery, webhook))
                self._enqueue(delivery, webhook)

        timer = threading.Timer(seconds, release)
        timer.daemon = True
        timer.start()

    # --- queues -----------------------------------------------------------------------------------

    def _queue(self, webhook_id):
        return self.queues.setdefault(webhook_id, _Queue())

    def _enqueue(self, delivery, webhook):
        queue = self._queue(webhook.id)
        queue.jobs.append((delivery, webhook))
        if queue.state == 'idle':
            queue.state = 'sending'
            queue.thread = threading.Thread(
                target=self._work, args=(queue, self.generation), daemon=True,
                name=f'webhook {webhook.id}',
            )
            queue.thread.start()
        self.changed.notify_all()

    def _work(self, queue, generation):
        while True:
            with self.server.lock:
                if generation != self.generation:
                    return
                if not queue.jobs:
                    queue.state = 'idle'
                    self.changed.notify_all()
                    return
                delivery, webhook = queue.jobs.popleft()
            self._process(queue, generation, delivery, webhook)

    def _process(self, queue, generation, delivery, webhook):
        server = self.server
        with server.lock:
            current = server.webhooks.get(webhook.id)
            if current is None or not wants(current, delivery.event['type']):
                return
        self._send(delivery, webhook, generation)
        if not webhook.automatic_redelivery or not worth_a_retry(delivery):
            return
        original = delivery
        for wait in RETRIES:
            if not self._wait_for_retry(queue, generation, wait):
                return
            with server.lock:
                current = server.webhooks.get(webhook.id)
                if (current is None or not current.automatic_redelivery
                        or not wants(current, original.event['type'])):
                    return
                current = replace(current)
                again = self._delivery(current, new_id(), original.original_id, original.event)
            self._send(again, current, generation)
            if not worth_a_retry(again):
                return

    def _wait_for_retry(self, queue, generation, seconds):
        """Wait on the server's clock.

        :return: False if the queue was lost meanwhile
        """
        server = self.server
        with server.lock:
            factor = float(Decimal(server.settings['retry_factor']))
            queue.due = server.now() + seconds * factor
            queue.state = 'retry'
            self.changed.notify_all()
        while True:
            with server.lock:
                if generation != self.generation:
                    return False
                remaining = queue.due - server.now()
                if remaining <= 0:
                    queue.state = 'sending'
                    return True
            time.sleep(min(0.1, max(remaining, 0.005)))

    def _send(self, delivery, webhook, generation):
        server = self.server
        timeout = float(Decimal(server.settings['delivery_timeout']))
        signature = hmac.new((webhook.secret or '').encode(), delivery.body, hashlib.sha256)
        headers = {
            'Content-Type': 'application/json',
            'BTCPay-Sig': f'sha256={signature.hexdigest()}',
            'User-Agent': f'BTCPayServer/{VERSION}',
            'Accept': None,
            'Accept-Encoding': SKIP_HEADER,
            'Connection': None,
        }
        if delivery.traced:
            headers['traceparent'] = f'00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-00'
        delivery.delivery_time = server.now()
        try:
            with _Session() as session:
                session.trust_env = False
                response = session.post(
                    webhook.url, data=delivery.body, headers=headers, timeout=timeout)
            delivery.http_code = response.status_code
            if response.status_code < 300:
                delivery.status = 'HttpSuccess'
            else:
                delivery.status = 'HttpError'
                delivery.error_message = f'HTTP Error Code {response.status_code}'
        except requests.Timeout:
            delivery.status = 'Failed'
            delivery.error_message = TEXT_TIMEOUT.format(server.settings['delivery_timeout'])
        except (requests.RequestException, ValueError, UnicodeError) as error:
            delivery.status = 'Failed'
            delivery.error_message = str(error)
        with server.lock:
            if generation == self.generation and webhook.id in server.webhooks:
                server.deliveries[delivery.id] = delivery
                server.changed()

    def wait_idle(self, timeout):
        """Wait until nothing is queued or under way; what waits for a retry does not count.

        :return: whether that came about within the timeout (seconds)
        """
        end = time.monotonic() + timeout
        with self.changed:
            while self.late or any(
                queue.busy(self.server.now()) for queue in self.queues.values()
            ):
                remaining = end - time.monotonic()
                if remaining <= 0:
                    return False
                self.changed.wait(min(remaining, 0.1))
            return True


def worth_a_retry(delivery):
    """A refusal (4xx) is taken as final, but for the two that mean 'later'."""
    if delivery.http_code is None:
        return True
    return delivery.http_code >= 500 or delivery.http_code in (408, 429)


def wants(webhook, event_type):
    return webhook.enabled and (webhook.everything or event_type in webhook.specific_events)


def _number(value):
    """Decimals in metadata, back as the number they came as."""
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral() else float(value)
    raise TypeError(type(value))
