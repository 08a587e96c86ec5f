"""What a client's operations stand on: what sends them, and how their paths are made."""
from typing import Protocol

from .errors import NotUnderstood
from .http import Params
from .text import is_api_id


class Transport(Protocol):
    """What sends a call: `HttpTransport`, or the host's own."""

    def __call__(
        self, method: str, path: str, *, params: Params | None = None, json: object = None
    ) -> object:
        """Send a call.

        :param str method: the HTTP method
        :param str path: the path as in the API's documentation, see `make_url`
        :param params: the query: a mapping, or pairs where names are repeated
        :param json: what is sent as JSON
        :return: the parsed JSON, see `parse_answer`
        :raise GreenfieldError: if there is none
        """
        ...


class Operations:
    """Operations of the API.

    Each may raise what `errors.py` has: `Unreachable`, `Unauthorized`, `ServerFault`,
    `NotUnderstood` and `Moved` at any time, and `Forbidden` where a permission is named, or where
    what the path names does not exist. The operations themselves tell of the others.

    :param Transport transport: what sends the calls
    """

    def __init__(self, transport: Transport) -> None:
        self._send = transport


def make_path(*parts: str) -> str:
    """Return a path, of which no part can lead elsewhere.

    :param str parts: words of the API and ids
    :raise ValueError: if one of them is neither
    """
    for part in parts:
        if not is_api_id(part):
            raise ValueError(f'{part!r} is no id')
    return '/' + '/'.join(parts)


def make_flag(flag: bool) -> str:
    """Return how a query says yes or no."""
    return 'true' if flag else 'false'


def check_same(what: str, found: str, asked: str) -> None:
    """Check that an answer is about what was asked for.

    :raise NotUnderstood: if it is not; without the ids, which may be a pull payment's: it is logged
    """
    if found != asked:
        raise NotUnderstood(what, f'{what} is not what was asked for')
