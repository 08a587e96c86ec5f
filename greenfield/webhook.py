"""Webhooks, their events, and the deliveries of these."""
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from .errors import NotUnderstood
from .reader import Reader
from .text import MAX_LENGTH, clean


@dataclass(frozen=True, slots=True)
class WebhookDraft:
    """What a webhook is made of; by default it reports every event.

    :param str url: the address that events are sent to
    :param str secret: what they are signed with
    :param tuple[str, ...]|None events: the events that are reported; None for every one
    """

    url: str
    secret: str = field(repr=False)
    events: tuple[str, ...] | None = None

    def dump(self) -> dict[str, object]:
        """Return it as the API wants it."""
        return {
            'url': self.url,
            'secret': self.secret,
            'enabled': True,
            'automaticRedelivery': True,
            'authorizedEvents': {
                'everything': self.events is None, 'specificEvents': list(self.events or ()),
            },
        }


@dataclass(frozen=True, slots=True)
class Webhook:
    """A webhook. The server shows its secret once, to who made it without giving one.

    :param tuple[str, ...]|None events: the events that are reported; None for every one
    """

    id: str
    url: str
    is_enabled: bool
    events: tuple[str, ...] | None = None

    @classmethod
    def parse(cls, data: object) -> 'Webhook':
        """Read a webhook.

        :raise NotUnderstood: without a usable id, an address, or what it reports
        """
        read = Reader(data, 'webhook')
        authorized = Reader(read.value('authorizedEvents'), 'webhook.authorizedEvents')
        names = authorized.value('specificEvents')
        if not isinstance(read.value('url'), str):
            raise read.refuse('url')
        if authorized.flag('everything'):
            events = None
        elif isinstance(names, list):
            events = tuple(clean(name) for name in names if isinstance(name, str))
        else:
            raise authorized.refuse('specificEvents')
        return cls(read.api_id(), read.text('url'), read.boolean('enabled'), events)

    def get_missing_events(self, wanted: Iterable[str]) -> list[str]:
        """Return those of the wanted events that are not reported."""
        return [] if self.events is None else [name for name in wanted if name not in self.events]


@dataclass(frozen=True, slots=True)
class WebhookEvent:
    """An event, as the server sent it. What it says is read again before it is acted upon.

    :param str delivery_id: another one each time it is sent
    :param str original_delivery_id: the first one's
    :param str type: e.g. `InvoiceSettled`
    :param str order_id: the invoice's
    :param bool|None is_overpaid: of what is Processing or Settled; None if it was not said
    :param bool is_marked: whether the status was set by hand
    :param Mapping metadata: the invoice's, as it was sent: to be compared, not to be stored
    """

    delivery_id: str
    type: str = ''
    store_id: str | None = None
    webhook_id: str | None = None
    original_delivery_id: str | None = None
    is_redelivery: bool = False
    sent_at: datetime | None = None
    invoice_id: str | None = None
    order_id: str = ''
    pull_payment_id: str | None = None
    payout_id: str | None = None
    payout_state: str = ''
    is_overpaid: bool | None = None
    is_marked: bool = False
    metadata: Mapping[str, object] = field(default_factory=dict, hash=False)

    @classmethod
    def parse(cls, body: bytes) -> 'WebhookEvent':
        """Read an event from the raw body, once its signature was found to be right.

        :raise NotUnderstood: if it is no JSON object with a delivery's id
        """
        try:
            data = json.loads(body)
        except (ValueError, RecursionError):
            raise NotUnderstood('event') from None
        read = Reader(data, 'event')
        metadata = Reader(read.mapping('metadata'), 'event.metadata')
        return cls(
            delivery_id=read.api_id('deliveryId'),
            type=read.optional_word('type'),
            store_id=read.optional_api_id('storeId'),
            webhook_id=read.optional_api_id('webhookId'),
            original_delivery_id=read.optional_api_id('originalDeliveryId'),
            is_redelivery=read.flag('isRedelivery'),
            sent_at=read.time('timestamp'),
            invoice_id=read.optional_api_id('invoiceId'),
            order_id=metadata.optional_word('orderId', MAX_LENGTH),
            pull_payment_id=read.optional_api_id('pullPaymentId'),
            payout_id=read.optional_api_id('payoutId'),
            payout_state=read.optional_word('payoutState'),
            is_overpaid=read.optional_flag('overPaid'),
            is_marked=read.flag('manuallyMarked'),
            metadata=read.mapping('metadata'),
        )


@dataclass(frozen=True, slots=True)
class Delivery:
    """One attempt of the server to send an event.

    :param str status: `HttpSuccess`, `HttpError` or `Failed` (no answer at all)
    """

    id: str
    status: str
    http_code: int | None = None
    error_message: str = ''
    sent_at: datetime | None = None

    @property
    def is_answered(self) -> bool:
        """Return whether the receiver took it."""
        return self.status == 'HttpSuccess'

    @classmethod
    def parse(cls, data: object) -> 'Delivery':
        """Read a delivery.

        :raise NotUnderstood: without a usable id
        """
        read = Reader(data, 'delivery')
        return cls(
            id=read.api_id(),
            status=read.optional_word('status'),
            http_code=read.integer('httpCode', 0, 999) or None,
            error_message=read.text('errorMessage', 500),
            sent_at=read.time('deliveryTime') or read.time('timestamp'),  # Since 2.3.4.
        )
