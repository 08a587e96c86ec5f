"""One tree of errors: why a call did not bring what was asked for."""
from collections.abc import Sequence

#: The reasons why there was no answer, see `Unreachable.kind`.
TIMEOUT, TLS, CERTIFICATE, CONNECTION, PEER, NO_SOCKS = (
    'timeout', 'tls', 'certificate', 'connection', 'peer', 'no_socks')


class GreenfieldError(Exception):
    """A call that did not bring the answer asked for.

    :param str reason: the server's own words, one line; ours where it said nothing
    :param int|None status: the HTTP status; None if no usable answer came at all
    :param str code: the server's error code, e.g. `missing-permission`
    """

    #: whether the same call may succeed later
    is_temporary = False
    #: whether the server is the reason, so that other calls will not succeed either
    is_of_server = False

    def __init__(self, reason: str = '', *, status: int | None = None, code: str = '') -> None:
        self.reason = reason
        self.status = status
        self.code = code
        super().__init__(reason)

    @property
    def is_of_call(self) -> bool:
        """Return whether the server broke by what it was asked for: other calls may succeed."""
        return self.status == 500

    def __str__(self) -> str:
        what = f'HTTP {self.status}' if self.status else ''
        return ': '.join(filter(None, (what, self.code, self.reason))) or type(self).__name__


class Unreachable(GreenfieldError):
    """No answer, or half of one: what was asked for may have happened all the same.

    :param str kind: `TIMEOUT`, `CERTIFICATE` (it is not valid), `TLS` (no encryption came about),
        `PEER` (the name leads to an IP address where no server may be), `NO_SOCKS` (PySocks is
        missing, which a SOCKS proxy needs) or `CONNECTION`
    """

    is_temporary = True
    is_of_server = True

    def __init__(self, reason: str, kind: str = CONNECTION) -> None:
        super().__init__(reason, code=kind)
        self.kind = kind


class NotUnderstood(GreenfieldError):
    """The answer is no JSON, or not what the API promises.

    Temporary, since it is what proxies and servers that are just starting answer.

    :param str field: what could not be read, e.g. `invoice.amount`
    """

    is_temporary = True
    is_of_server = True

    def __init__(self, field: str, reason: str = '') -> None:
        super().__init__(reason or f'{field} is not as the API promises', code='unexpected-answer')


class Unauthorized(GreenfieldError):
    """401: the API key is missing, unknown or revoked."""

    is_of_server = True


class Forbidden(GreenfieldError):
    """403: the key lacks a permission, or what was asked for does not exist.

    The server answers both alike: `Client.get_current_key` tells which it is.

    :param str missing_permission: the permission that the server names, if it does
    """

    def __init__(
        self, reason: str = '', *, status: int = 403, code: str = '', missing_permission: str = '',
    ) -> None:
        super().__init__(reason, status=status, code=code)
        self.missing_permission = missing_permission


class NotFound(GreenfieldError):
    """404: there is no such thing, or no such endpoint."""


class Moved(GreenfieldError):
    """3xx: the server answers at another address; the API key is not sent there."""


class Refused(GreenfieldError):
    """400, 422 and other 4xx: the server does not do what it was asked for.

    :param Sequence[tuple[str, str]] fields: the path and the message of each refused field
    """

    def __init__(
        self, reason: str = '', *, status: int = 400, code: str = '',
        fields: Sequence[tuple[str, str]] = (),
    ) -> None:
        super().__init__(reason, status=status, code=code)
        self.fields = tuple(fields)


class ServerFault(GreenfieldError):
    """5xx, 408 and 429: the server, or what stands before it, has a problem at the moment."""

    is_temporary = True
    is_of_server = True
