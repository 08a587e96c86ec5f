"""Reading parsed JSON: what is not as the API promises is refused by its name."""
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Generic, TypeVar

from .errors import NotUnderstood
from .money import parse_decimal
from .text import MAX_LENGTH, clean, is_api_id, is_web_link, print_line
from .times import parse_timestamp

T = TypeVar('T')

#: Characters of a word that something is known or compared by; what is longer is none.
MAX_WORD = 256


@dataclass(frozen=True, slots=True)
class Listing(Generic[T]):
    """A list of the API, less what could not be read.

    :param bool is_complete: whether nothing was left out, and nothing more is to be had
    """

    items: tuple[T, ...] = ()
    is_complete: bool = True

    def __iter__(self) -> Iterator[T]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)


def parse_listing(data: object, what: str, parse: Callable[[object], T]) -> Listing[T]:
    """Read a list, leaving out items that cannot be read: one must not hide the others.

    :param object data: the parsed JSON
    :param str what: what it is a list of, to name it
    :param Callable parse: reads an item
    :raise NotUnderstood: if it is no list
    """
    if not isinstance(data, list):
        raise NotUnderstood(what)
    items = []
    for item in data:
        with suppress(NotUnderstood):
            items.append(parse(item))
    return Listing(tuple(items), len(items) == len(data))


def parse_id(value: object, what: str) -> str:
    """Read an id, such as can be used in a path.

    :raise NotUnderstood: if it is none
    """
    if not isinstance(value, str) or not is_api_id(value):
        raise NotUnderstood(what)
    return value


class Reader:
    """The fields of an object of the API.

    What is required raises `NotUnderstood` where it is missing or malformed; what is not becomes
    None, empty or False.

    :param object data: the parsed JSON
    :param str what: what it is, to name it
    :raise NotUnderstood: if it is no object
    """

    def __init__(self, data: object, what: str) -> None:
        if not isinstance(data, dict):
            raise NotUnderstood(what)
        self._data = data
        self._what = what

    def refuse(self, name: str) -> NotUnderstood:
        """Return the error that names a field."""
        return NotUnderstood(f'{self._what}.{name}')

    def value(self, name: str) -> object:
        """Return a field as it came."""
        return self._data.get(name)

    def mapping(self, name: str) -> dict[str, object]:
        """Return an object as it came; empty if it is none."""
        value = self.value(name)
        return value if isinstance(value, dict) else {}

    def api_id(self, name: str = 'id') -> str:
        """Read a required id."""
        return parse_id(self.value(name), f'{self._what}.{name}')

    def optional_api_id(self, name: str) -> str | None:
        """Read an id."""
        value = self.value(name)
        return value if isinstance(value, str) and is_api_id(value) else None

    def word(self, name: str) -> str:
        """Read a required text that something is known by: never changed, so refused or right."""
        value = self.optional_word(name)
        if not value:
            raise self.refuse(name)
        return value

    def optional_word(self, name: str, limit: int = MAX_WORD) -> str:
        """Read a text that something is known by, and that logs repeat; empty if it is none."""
        value = self.value(name)
        is_word = isinstance(value, str) and len(value) <= limit and value.isprintable()
        return str(value) if is_word else ''

    def text(self, name: str, limit: int = MAX_LENGTH) -> str:
        """Read a text for people: cleaned, cut and on one line."""
        return print_line(clean(self.value(name), limit))

    def link(self, name: str) -> str | None:
        """Read the address of a page."""
        value = self.value(name)
        return str(value) if is_web_link(value) else None

    def decimal(self, name: str) -> Decimal:
        """Read a required number."""
        number = self.optional_decimal(name)
        if number is None:
            raise self.refuse(name)
        return number

    def amount(self, name: str) -> Decimal:
        """Read a required amount."""
        amount = self.optional_amount(name)
        if amount is None:
            raise self.refuse(name)
        return amount

    def optional_amount(self, name: str) -> Decimal | None:
        """Read an amount, or a price: none is less than 0, or money would go the other way."""
        number = self.optional_decimal(name)
        return None if number is None or number < 0 else number

    def optional_decimal(self, name: str) -> Decimal | None:
        """Read a number."""
        return parse_decimal(self.value(name))

    def integer(self, name: str, default: int, limit: int) -> int:
        """Read a whole number from 0 to a limit, as the API sends some: also as a text."""
        number = self.optional_decimal(name)
        if number is None or not 0 <= number <= limit or number != int(number):
            return default
        return int(number)

    def boolean(self, name: str) -> bool:
        """Read a required field that is true or false."""
        value = self.optional_flag(name)
        if value is None:
            raise self.refuse(name)
        return value

    def flag(self, name: str) -> bool:
        """Read whether a field is true."""
        return self.value(name) is True

    def optional_flag(self, name: str) -> bool | None:
        """Read a field that is true or false; None if it is neither."""
        value = self.value(name)
        return value if isinstance(value, bool) else None

    def time(self, name: str) -> datetime | None:
        """Read a time, naive in UTC."""
        return parse_timestamp(self.value(name))
