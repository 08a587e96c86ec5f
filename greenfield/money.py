"""Amounts: exact, and only what money can be."""
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Context, Decimal, InvalidOperation

#: No amount of money has more digits before, or behind, the point: what is beyond would not survive
#: being computed with and stored.
MAX_EXPONENT = 24
MAX_CHARACTERS = 100
#: Rounding to digits that there is no room for raises an error, see `round_amount`.
_ROOM = Context(prec=MAX_EXPONENT + 2 * MAX_CHARACTERS)


@dataclass(frozen=True, slots=True)
class Money:
    """An amount of a currency."""

    amount: Decimal
    currency: str

    def __str__(self) -> str:
        return f'{format_crypto(self.amount)} {self.currency}'.strip()

    def is_rounded_from(self, exact: 'Money') -> bool:
        """Return whether this is what a server makes of an exact amount: the amount itself, or it
        rounded half away from zero to fewer digits. To how many is the server's own affair.
        """
        return bool(self.amount) and self.currency == exact.currency and any(
            round_amount(exact.amount, decimals) == self.amount
            for decimals in range(count_decimals(exact.amount) + 1)
        )


def parse_decimal(value: object) -> Decimal | None:
    """Read an amount of the API.

    :param str|int|Decimal value: the amount; the API sends decimal strings
    :return: the amount; None if it is not a number that an amount can be
    """
    if isinstance(value, bool) or not isinstance(value, (str, int, Decimal)):
        return None
    if isinstance(value, str) and len(value) > MAX_CHARACTERS:
        return None
    try:
        number = Decimal(value)
    except InvalidOperation:
        return None
    if not number.is_finite():
        return None
    exponent = number.as_tuple().exponent
    assert isinstance(exponent, int)  # It is finite.
    if not number:  # `0E-1000000` is written with a million zeros.
        return number if abs(exponent) < MAX_EXPONENT else Decimal(0)
    if abs(number.adjusted()) >= MAX_EXPONENT or exponent < -MAX_CHARACTERS:
        return None
    return number


def count_decimals(amount: Decimal) -> int:
    """Return how many decimals an amount is written with."""
    exponent = amount.as_tuple().exponent
    assert isinstance(exponent, int)  # It is finite.
    return max(-exponent, 0)


def round_amount(
    amount: Decimal | str | float, decimals: int, rounding: str = ROUND_HALF_UP
) -> Decimal:
    """Round an amount, by default half away from zero, as the server does.

    :param Decimal|str|float amount: the amount; a float is what it is written as
    :param int decimals: the number of decimals of the currency
    :param str rounding: how, as `decimal` names it
    """
    return Decimal(str(amount)).quantize(
        Decimal(1).scaleb(-decimals), rounding=rounding, context=_ROOM
    )


def format_amount(amount: Decimal | str | float, decimals: int) -> str:
    """Write an amount as the API wants it: an exact decimal string, e.g. `100.00`."""
    return format(round_amount(amount, decimals), 'f')


def format_crypto(amount: object) -> str:
    """Write an amount of a crypto currency without decimals that say nothing, e.g. `0.002`.

    :param str|Decimal amount: the amount
    :return: the amount; as it is, if it is none
    """
    number = parse_decimal(amount)
    return format(number.normalize(), 'f') if number is not None else str(amount or '')
