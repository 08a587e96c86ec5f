"""Times of the API: seconds since 1970."""
from datetime import datetime, timezone

from .money import parse_decimal


def parse_timestamp(value: object) -> datetime | None:
    """Read a time of the API.

    :param int|str|Decimal value: the seconds since 1970
    :return: the naive datetime in UTC; None if it is none
    """
    seconds = parse_decimal(value)
    if seconds is None:
        return None
    try:
        return datetime.fromtimestamp(int(seconds), timezone.utc).replace(tzinfo=None)
    except (ValueError, OverflowError, OSError):
        return None
