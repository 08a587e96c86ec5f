"""Times of the API: seconds since 1970."""
from datetime import datetime, timezone

from .money import parse_decimal

#: Nothing of the API is before 1970, or after 2200: far from where times can be computed with.
_MAX_SECONDS = 7_258_118_400


def parse_timestamp(value: object) -> datetime | None:
    """Read a time of the API.

    :param int|str|Decimal value: the seconds since 1970
    :return: the naive datetime in UTC; None if it is none
    """
    seconds = parse_decimal(value)
    if seconds is None or not 0 <= seconds <= _MAX_SECONDS:
        return None
    return datetime.fromtimestamp(int(seconds), timezone.utc).replace(tzinfo=None)
