"""Refunds: their pull payments, which the customer claims by payouts."""
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from . import status as words
from .money import Money
from .reader import Reader
from .text import clean

# The variants of a refund: what the customer gets.
RATE_THEN = 'RateThen'
CURRENT_RATE = 'CurrentRate'
FIAT = 'Fiat'
OVERPAID_AMOUNT = 'OverpaidAmount'
CUSTOM = 'Custom'
VARIANTS = (RATE_THEN, CURRENT_RATE, FIAT, OVERPAID_AMOUNT, CUSTOM)

#: Of currencies whose preview does not say.
_DIVISIBILITY = 8


@dataclass(frozen=True, slots=True)
class RefundDraft:
    """What a refund is made of.

    :param str variant: one of `VARIANTS`: all but `CUSTOM` go by all that was received
    :param Money|None custom: what is given back, of the variant `CUSTOM` alone; there is no cap
    :param Decimal subtract_percentage: what is taken off, in per cent
    :param Sequence[str]|None payout_methods: the ids of the methods by which the customer can
        claim; None leaves it to the server. One that the store has not enabled has all refused.
    :param str name: what it can be found by when its making was not answered
    :param str description: what the customer reads at the claim page
    """

    variant: str
    custom: Money | None = None
    subtract_percentage: Decimal = Decimal(0)
    payout_methods: Sequence[str] | None = None
    name: str = ''
    description: str = ''

    def __post_init__(self) -> None:
        if self.variant not in VARIANTS or (self.variant == CUSTOM) != (self.custom is not None):
            raise ValueError(f'No refund can be {self.variant} of {self.custom}')

    def dump(self) -> dict[str, object]:
        """Return it as the API wants it: JSON that can be stored, see `parse`."""
        data: dict[str, object] = {'refundVariant': self.variant}
        if self.custom:
            data['customAmount'] = format(self.custom.amount, 'f')
            data['customCurrency'] = self.custom.currency
        if self.subtract_percentage:
            data['subtractPercentage'] = format(self.subtract_percentage, 'f')
        if self.payout_methods is not None:
            data['payoutMethods'] = list(self.payout_methods)
            if self.payout_methods:
                # All that older servers know; those that know the list go by that.
                data['payoutMethodId'] = self.payout_methods[0]
        if self.name:
            data['name'] = self.name
        if self.description:
            data['description'] = self.description
        return data

    @classmethod
    def parse(cls, data: object) -> 'RefundDraft':
        """Read what `dump` returned and was stored.

        :raise NotUnderstood: if it is something else
        """
        read = Reader(data, 'refundDraft')
        variant = read.word('refundVariant')
        methods = read.value('payoutMethods')
        if variant not in VARIANTS:
            raise read.refuse('refundVariant')
        return cls(
            variant=variant,
            custom=(
                Money(read.amount('customAmount'), read.word('customCurrency'))
                if variant == CUSTOM else None
            ),
            subtract_percentage=read.optional_decimal('subtractPercentage') or Decimal(0),
            payout_methods=tuple(map(str, methods)) if isinstance(methods, list) else None,
            name=read.text('name'),
            # The merchant's own words, which no server has changed.
            description=clean(read.value('description')),
        )


@dataclass(frozen=True, slots=True)
class RefundPreview:
    """What a refund of all that was received would come to.

    :param Decimal|None payment_amount_then: at the rate of the invoice, in the payment currency
    :param Decimal|None payment_amount_now: at the current rate; None without one
    :param int payment_divisibility: the number of decimals of the payment currency
    """

    payment_currency: str
    payment_amount_then: Decimal | None = None
    payment_amount_now: Decimal | None = None
    payment_divisibility: int = _DIVISIBILITY

    @classmethod
    def parse(cls, data: object) -> 'RefundPreview':
        """Read a preview, of the server or as `dump` returned it.

        :raise NotUnderstood: without a payment currency
        """
        read = Reader(data, 'refundPreview')
        return cls(
            payment_currency=read.word('paymentCurrency'),
            payment_amount_then=read.optional_amount('paymentAmountThen'),
            payment_amount_now=read.optional_amount('paymentAmountNow'),
            payment_divisibility=read.integer('paymentCurrencyDivisibility', _DIVISIBILITY, 24),
        )

    def dump(self) -> dict[str, object]:
        """Return it as JSON that can be stored, with exact decimal strings."""
        def text(number: Decimal | None) -> str | None:
            return None if number is None else format(number, 'f')

        return {
            'paymentCurrency': self.payment_currency,
            'paymentAmountThen': text(self.payment_amount_then),
            'paymentAmountNow': text(self.payment_amount_now),
            'paymentCurrencyDivisibility': self.payment_divisibility,
        }


@dataclass(frozen=True, slots=True)
class PullPayment:
    """What the customer can claim.

    :param Decimal amount: 0 where all of nothing is given back
    :param str|None view_link: the page where the customer claims it
    :param int bolt11_days: the days a Lightning invoice has to be valid to be claimed by
    """

    id: str
    amount: Decimal
    currency: str
    name: str = ''
    is_archived: bool = False
    view_link: str | None = None
    bolt11_days: int = 0

    @classmethod
    def parse(cls, data: object) -> 'PullPayment':
        """Read a pull payment.

        :raise NotUnderstood: without a usable id, amount or currency
        """
        read = Reader(data, 'pullPayment')
        return cls(
            id=read.api_id(),
            amount=read.amount('amount'),
            currency=read.word('currency'),
            name=read.text('name'),
            is_archived=read.flag('archived'),
            view_link=read.link('viewLink'),
            bolt11_days=read.integer('BOLT11Expiration', 0, 36500),  # Documented as a string.
        )

    @property
    def refunded_invoice_id(self) -> str | None:
        """Return the invoice it is a refund of, as far as the server's default name tells."""
        match = re.fullmatch(r'Refund ([A-Za-z0-9]{1,64})', self.name)
        return match[1] if match else None


@dataclass(frozen=True, slots=True)
class Payout:
    """A claim of the customer, and how far its payment is.

    :param str state: one of `status.PAYOUT_STATES`
    :param Money claimed: in the pull payment's currency
    :param Money|None paid: in the crypto currency; None until it is approved
    :param str proof: by what explorers and wallets list it: the id of the on-chain transaction, or
        the Lightning payment's hash
    """

    id: str
    state: str
    claimed: Money
    paid: Money | None = None
    pull_payment_id: str | None = None
    method: str = ''
    paid_currency: str = ''
    destination: str = ''
    proof: str = ''
    claimed_at: datetime | None = None

    @classmethod
    def parse(cls, data: object) -> 'Payout':
        """Read a payout.

        :raise NotUnderstood: without a usable id, or with an unknown state or amount
        """
        read = Reader(data, 'payout')
        state = read.word('state')
        if state not in words.PAYOUT_STATES:
            raise read.refuse('state')
        paid = read.optional_amount('payoutAmount')
        paid_currency = read.optional_word('payoutCurrency')
        return cls(
            id=read.api_id(),
            state=state,
            claimed=Money(read.amount('originalAmount'), read.optional_word('originalCurrency')),
            paid=None if paid is None else Money(paid, paid_currency),
            pull_payment_id=read.optional_api_id('pullPaymentId'),
            method=read.optional_word('payoutMethodId'),
            paid_currency=paid_currency,
            destination=read.text('destination'),
            proof=_read_proof(read.mapping('paymentProof')),
            claimed_at=read.time('date'),
        )


def _read_proof(proof: Mapping[str, object]) -> str:
    """Return by what a payout is listed.

    What the server pays over Lightning has `PaymentHash`, on-chain `transactionId`; what is marked
    as paid has what the merchant gave, as `id` by custom.
    """
    read = Reader({name.lower(): value for name, value in proof.items()}, 'payout.paymentProof')
    preimage = read.text('preimage')
    if re.fullmatch('[0-9a-fA-F]{64}', preimage):
        preimage = hashlib.sha256(bytes.fromhex(preimage)).hexdigest()
    known = map(read.text, ('transactionid', 'paymenthash', 'id'))
    return next(filter(None, known), preimage)
