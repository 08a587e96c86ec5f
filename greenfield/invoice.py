"""Invoices, their payment methods and payments."""
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from . import status as words
from .money import Money, count_decimals, round_amount
from .reader import Listing, Reader, parse_listing
from .text import MAX_LENGTH, is_api_id


@dataclass(frozen=True, slots=True)
class InvoiceDraft:
    """What a new invoice is made of; what is left out is as the store has it.

    :param Decimal amount: more than 0: one of 0 would be settled at once with nothing paid
    :param str currency: the currency's code; the server would take its own without it
    :param str order_id: what the merchant knows it by, and what it can be found by
    :param Mapping metadata: more of ours, which comes back with every answer and event
    :param Collection[str] search_terms: what else the merchant finds it by at the server
    :param str redirect_url: where the customer goes on to from the checkout page
    :param bool|None is_redirected_automatically: whether they need not click for that
    :param str language: the code of the page's language, see `match_language`
    :param Collection[str] payment_methods: the ids of the methods it can be paid by
    :param str default_method: the id of the one that is shown first
    :param str speed_policy: how many confirmations a payment needs, e.g. `MediumSpeed`
    :param Decimal|None tolerance: the per cent that may be missing of a full payment
    :param bool|None has_receipt: whether the server shows a receipt once it is settled
    """

    amount: Decimal
    currency: str
    order_id: str = ''
    metadata: Mapping[str, object] = field(default_factory=dict, hash=False)
    search_terms: Collection[str] = ()
    redirect_url: str = ''
    is_redirected_automatically: bool | None = None
    language: str | None = None
    payment_methods: Collection[str] = ()
    default_method: str | None = None
    speed_policy: str | None = None
    expiration_minutes: int | None = None
    monitoring_minutes: int | None = None
    tolerance: Decimal | None = None
    has_receipt: bool | None = None

    def __post_init__(self) -> None:
        if not self.amount.is_finite() or self.amount <= 0 or not self.currency:
            raise ValueError(f'No invoice can be of {self.amount} {self.currency}')

    def dump(self) -> dict[str, object]:
        """Return it as the API wants it."""
        metadata = dict(self.metadata)
        if self.order_id:
            metadata['orderId'] = self.order_id
        checkout = {
            'redirectURL': self.redirect_url or None,
            'redirectAutomatically': self.is_redirected_automatically,
            'defaultLanguage': self.language or None,
            'paymentMethods': list(self.payment_methods) or None,
            'defaultPaymentMethod': self.default_method or None,
            'speedPolicy': self.speed_policy or None,
            'expirationMinutes': self.expiration_minutes,
            'monitoringMinutes': self.monitoring_minutes,
            'paymentTolerance': None if self.tolerance is None else float(self.tolerance),
        }
        body: dict[str, object] = {
            'amount': format(self.amount, 'f'),
            'currency': self.currency,
            'metadata': metadata,
            'checkout': {key: value for key, value in checkout.items() if value is not None},
        }
        if self.search_terms:
            body['additionalSearchTerms'] = list(self.search_terms)
        if self.has_receipt is not None:
            body['receipt'] = {'enabled': self.has_receipt}
        return body


@dataclass(frozen=True, slots=True)
class Invoice:
    """An invoice.

    :param str status: `New`, `Processing`, `Settled`, `Expired` or `Invalid`
    :param str additional_status: `None`, `PaidPartial`, `PaidOver`, `PaidLate` or `Marked`
    :param Decimal paid_amount: what was received less fees for further payments, in `currency`
    :param str order_id: the draft's; empty if there is none, or one that is not ours for sure
    :param Mapping metadata: as it was sent, by whomever: to be compared, not to be stored
    :param tuple[str, ...]|None payment_methods: the ids of the methods that it can be paid by; None
        if the server does not say
    :param str|None checkout_link: the page where the customer pays
    """

    id: str
    store_id: str
    status: str
    additional_status: str
    amount: Decimal
    currency: str
    paid_amount: Decimal
    order_id: str = ''
    metadata: Mapping[str, object] = field(default_factory=dict, hash=False)
    payment_methods: tuple[str, ...] | None = None
    checkout_link: str | None = None
    created_at: datetime | None = None
    expires_at: datetime | None = None
    monitored_until: datetime | None = None

    @classmethod
    def parse(cls, data: object) -> 'Invoice':
        """Read an invoice.

        :raise NotUnderstood: without a usable id, status or amount
        """
        read = Reader(data, 'invoice')
        metadata = read.mapping('metadata')
        methods = read.mapping('checkout').get('paymentMethods')
        return cls(
            id=read.api_id(),
            store_id=read.optional_api_id('storeId') or '',
            status=read.word('status'),
            additional_status=read.word('additionalStatus'),
            amount=read.amount('amount'),
            currency=read.optional_word('currency'),
            # Less than 0 where the fees of small payments are more than what was paid.
            paid_amount=max(read.decimal('paidAmount'), Decimal(0)),
            order_id=Reader(metadata, 'invoice.metadata').optional_word('orderId', MAX_LENGTH),
            metadata=metadata,
            payment_methods=(
                tuple(method for method in methods if is_api_id(method))
                if isinstance(methods, list) else None
            ),
            checkout_link=read.link('checkoutLink'),
            created_at=read.time('createdTime'),
            expires_at=read.time('expirationTime'),
            monitored_until=read.time('monitoringExpiration'),
        )

    @property
    def money(self) -> Money:
        """Return what is asked for: the draft's, rounded to digits of the server's own."""
        return Money(self.amount, self.currency)

    @property
    def is_paid_exactly(self) -> bool:
        """Return whether it is settled by what was asked for: its payments hold no surprise."""
        return (
            (self.status, self.additional_status) == ('Settled', 'None')
            and self.counted_amount == self.amount
        )

    @property
    def counted_amount(self) -> Decimal:
        """Return what counts as paid.

        The server rounds what was paid always, but not what it asks for where that is small: paid
        in full, 3.4 of a currency without decimals is 3.
        """
        decimals, asked_decimals = count_decimals(self.paid_amount), count_decimals(self.amount)
        is_all_there = (
            self.paid_amount and self.status != 'New' and self.additional_status != 'PaidPartial'
            and decimals < asked_decimals
            and round_amount(self.amount, decimals) == self.paid_amount
        )
        return self.amount if is_all_there else self.paid_amount


@dataclass(frozen=True, slots=True)
class Payment:
    """A payment that was received for an invoice.

    :param str id: the transaction id and output, or the Lightning payment's hash
    :param Decimal value: what was received, in the payment method's currency
    :param Decimal fee: what the server takes off of it for the network's fee
    :param str status: `Processing`, `Settled` or `Invalid` (replaced); empty if it is another
    """

    id: str
    value: Decimal
    fee: Decimal
    status: str
    destination: str = ''
    received_at: datetime | None = None

    @classmethod
    def parse(cls, data: object) -> 'Payment':
        """Read a payment.

        :raise NotUnderstood: without an id or value
        """
        read = Reader(data, 'payment')
        status = read.optional_word('status')
        return cls(
            id=read.word('id'),
            value=read.amount('value'),
            fee=read.optional_amount('fee') or Decimal(0),
            status=status if status in words.PAYMENT_STATUSES else '',
            destination=read.text('destination'),
            received_at=read.time('receivedDate'),
        )


@dataclass(frozen=True, slots=True)
class InvoicePaymentMethod:
    """A method by which an invoice can be, or was, paid.

    :param Decimal|None rate: the price of one unit of its currency in the invoice's
    :param Decimal|None due: what is still to be paid, in its currency; negative if overpaid
    :param Listing[Payment] payments: what was received by it
    """

    id: str
    currency: str
    rate: Decimal | None = None
    due: Decimal | None = None
    payments: Listing[Payment] = field(default_factory=Listing)

    @classmethod
    def parse(cls, data: object) -> 'InvoicePaymentMethod':
        """Read a payment method with its payments.

        :raise NotUnderstood: without an id or a list of payments
        """
        read = Reader(data, 'paymentMethod')
        return cls(
            id=read.api_id('paymentMethodId'),
            currency=read.optional_word('currency'),
            rate=read.optional_amount('rate'),
            due=read.optional_decimal('due'),
            payments=parse_listing(read.value('payments'), 'paymentMethod.payments', Payment.parse),
        )
