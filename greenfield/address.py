"""The address of a BTCPay Server as a person types it: normalized and checked."""
import re
import time
from urllib.parse import urljoin, urlsplit, urlunsplit

from . import errors
from .errors import GreenfieldError, NotUnderstood, ServerFault, Unreachable
from .hosts import is_forbidden, is_internal, is_loopback, is_private, parse_ip
from .http import Answer, Session, make_headers, make_url, parse_answer
from .text import clean

__all__ = ['AddressRefused', 'is_internal', 'is_loopback', 'normalize', 'resolve']

HEALTH = '/health'
_HEALTH_PATH = make_url('', HEALTH)
_MAX_REDIRECTS = 5
#: How many folders of a typed path are tried: the server's pages are not deeper.
_MAX_FOLDERS = 5
_REDIRECTS = (301, 302, 303, 307, 308)
_DEFAULT_PORTS = {'http': 80, 'https': 443}
#: A host name as the system looks it up: of `%` and the like each program makes something else.
_NAME = re.compile(r'[a-z0-9_-]+(\.[a-z0-9_-]+)*', re.IGNORECASE)

# Why an address is refused; behind each are the values of the error.
EMPTY = 'empty'
NO_ADDRESS = 'no_address'    # address: it cannot be read as one
SCHEME = 'scheme'            # neither https nor http
NO_HOST = 'no_host'          # address
USER_INFO = 'user_info'      # a user name or password in it
ONION = 'onion'              # of Tor, without a proxy
FORBIDDEN = 'forbidden'      # url: at a link-local address, a cloud's metadata or nobody's
PLAIN_HTTP = 'plain_http'    # url: http over the open Internet
CERTIFICATE = 'certificate'  # url: not valid
NO_TLS = 'no_tls'            # url: no https there
FAULT = 'fault'              # url, status: it has a problem at the moment
NO_SOCKS = 'no_socks'        # url: PySocks is missing, which the proxy needs
NO_ANSWER = 'no_answer'      # url
DOWNGRADE = 'downgrade'      # url, target: https leads on to http
NO_SERVER = 'no_server'      # url: something else answers there
REASONS = (
    EMPTY, NO_ADDRESS, SCHEME, NO_HOST, USER_INFO, ONION, FORBIDDEN, PLAIN_HTTP, CERTIFICATE,
    NO_TLS, FAULT, NO_SOCKS, NO_ANSWER, DOWNGRADE, NO_SERVER,
)

_REASONS_OF_KINDS = {
    errors.CERTIFICATE: CERTIFICATE, errors.TLS: NO_TLS, errors.PEER: FORBIDDEN,
    errors.NO_SOCKS: NO_SOCKS,
}


class AddressRefused(ValueError):
    """An address at which no BTCPay Server can be used.

    :param str reason: one of `REASONS`
    :param str values: what a sentence about it needs, e.g. `url`
    """

    def __init__(self, reason: str, **values: str) -> None:
        super().__init__(reason, values)
        self.reason = reason
        self.values = values


def normalize(address: str | None, has_proxy: bool = False) -> str:
    """Bring an address into one form.

    :param str address: the address, with or without scheme; a path is kept, a query is not
    :param bool has_proxy: whether it is reached by a proxy, as Tor's addresses must be
    :return: scheme, host in lower case, port if unusual, path without final slash; an IP address
        as it is usually written
    :raise AddressRefused: if it cannot be the address of a BTCPay Server
    """
    address = re.split('[?#]', clean(address).strip())[0]
    if not address:
        raise AddressRefused(EMPTY)
    if '://' not in address:
        host = re.split('[/:]', address)[0]
        address = f'{"http" if _is_onion(host.lower().rstrip(".")) else "https"}://{address}'
    try:
        parts = urlsplit(address)
        host, port = (parts.hostname or '').rstrip('.'), parts.port
        host = host if ':' in host else host.encode('idna').decode().rstrip('.')
    except (ValueError, UnicodeError):
        raise AddressRefused(NO_ADDRESS, address=address) from None
    if parts.scheme not in _DEFAULT_PORTS:
        raise AddressRefused(SCHEME)
    if not host or not address.isprintable() or ' ' in address or '\\' in address:
        raise AddressRefused(NO_HOST, address=address)
    if '@' in parts.netloc:
        raise AddressRefused(USER_INFO)
    if _is_onion(host) and not has_proxy:
        raise AddressRefused(ONION)
    ip = parse_ip(host) if '%' not in host else None
    if ip is None and not _NAME.fullmatch(host):
        raise AddressRefused(NO_ADDRESS, address=address)
    if ip is not None:
        host = str(ip)
        if is_forbidden(host):
            raise AddressRefused(FORBIDDEN, url=address)
    netloc = f'[{host}]' if ':' in host else host
    if port is not None and port != _DEFAULT_PORTS[parts.scheme]:
        netloc = f'{netloc}:{port}'
    return urlunsplit((parts.scheme, netloc.lower(), parts.path.rstrip('/'), '', ''))


def _is_onion(host: str) -> bool:
    return host.endswith('.onion')


def check_scheme(url: str) -> None:
    """Refuse plain http to a host on the open Internet.

    :param str url: the normalized address
    :raise AddressRefused: if anyone on the way could read the API key
    """
    parts = urlsplit(url)
    host = parts.hostname or ''
    # Tor encrypts by itself.
    if parts.scheme == 'http' and not _is_onion(host) and not is_private(host):
        raise AddressRefused(PLAIN_HTTP, url=url)


def resolve(address: str | None, timeout: float, proxy: str = '') -> str:
    """Find the address at which a BTCPay Server really answers. No key is sent.

    :param str address: the address as typed, or that of any of the server's pages
    :param float timeout: the seconds to wait in all
    :param str proxy: the SOCKS proxy to go through, see `Session`
    :return: the normalized address, after redirections
    :raise AddressRefused: if the address is refused, or no BTCPay Server answers there
    """
    typed = normalize(address, bool(proxy))
    deadline = time.monotonic() + timeout
    with Session(proxy) as session:
        for url in _list_candidates(typed):
            if found := _resolve_one(session, url, deadline, bool(proxy)):
                return found
    raise AddressRefused(NO_SERVER, url=typed)


def _list_candidates(url: str) -> list[str]:
    """List where the server may be of which a page was typed: it can be below a path itself."""
    parts = urlsplit(url)
    folders = parts.path.split('/')[1:]
    counts = {0, *range(max(len(folders) - _MAX_FOLDERS, 0), len(folders) + 1)}
    return [
        urlunsplit((parts.scheme, parts.netloc, ''.join(f'/{f}' for f in folders[:count]), '', ''))
        for count in sorted(counts, reverse=True)
    ]


def _resolve_one(session: Session, url: str, deadline: float, has_proxy: bool) -> str:
    """Follow redirections from an address.

    :return: where a BTCPay Server answers; empty if something else does
    :raise AddressRefused: if nothing can be used there, whatever the path
    """
    for _redirect in range(_MAX_REDIRECTS + 1):
        check_scheme(url)
        answer = _ask_health(session, url, max(deadline - time.monotonic(), 0.1))
        location = answer.headers.get('Location')
        if answer.status not in _REDIRECTS or location is None:
            return url if _is_health(answer, url) else ''
        if not (url := _follow(url, location, has_proxy)):
            break
    return ''


def _ask_health(session: Session, url: str, timeout: float) -> Answer:
    """Ask whether a BTCPay Server is at an address; the answer may be a redirection.

    :raise AddressRefused: if there is no answer
    """
    try:
        return session.send('GET', make_url(url, HEALTH), timeout=timeout, headers=make_headers())
    except Unreachable as error:
        reason = _REASONS_OF_KINDS.get(error.kind, NO_ANSWER)
        raise AddressRefused(reason, url=url) from error
    except NotUnderstood as error:  # It is too large.
        raise AddressRefused(NO_ANSWER, url=url) from error


def _is_health(answer: Answer, url: str) -> bool:
    """Return whether an answer is a BTCPay Server's.

    :raise AddressRefused: if there is one perhaps, which cannot answer now
    """
    try:
        content = parse_answer(answer)
    except ServerFault as error:
        raise AddressRefused(FAULT, url=url, status=str(error.status)) from error
    except GreenfieldError:
        return False
    return isinstance(content, dict) and 'synchronized' in content


def _follow(url: str, location: str, has_proxy: bool) -> str:
    """Find the address that a redirection of the health page leads to.

    :param str url: the normalized address that was asked
    :param str location: the redirection's target
    :return: the next normalized address; empty if it does not lead to a server's health page
    :raise AddressRefused: if it leads to what is refused
    """
    try:
        target = urlsplit(urljoin(make_url(url, HEALTH), location))
    except ValueError:
        return ''
    if not target.path.endswith(_HEALTH_PATH):
        return ''
    if url.startswith('https:') and target.scheme != 'https':
        raise AddressRefused(DOWNGRADE, url=url, target=target.geturl())
    path = target.path.removesuffix(_HEALTH_PATH)
    return normalize(urlunsplit((target.scheme, target.netloc, path, '', '')), has_proxy)
