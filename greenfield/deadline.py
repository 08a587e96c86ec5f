"""A connection to where it may lead, whose answers are there in time, or not at all.

The timeout of `requests` is for each single wait: an answer of which a byte comes now and then, in
its headers or its body, would never end. A name may lead elsewhere than when it was checked: what
counts is the address that each new connection has, before anything is sent.
"""
import http.client
import io
import logging
import socket
import time
from contextlib import suppress
from typing import Any

import requests.adapters
import urllib3
import urllib3.connection
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

from .errors import PEER, NotUnderstood, Unreachable
from .hosts import is_forbidden, is_private
from .text import mask_pull_payment

#: Bytes that are read for an answer. Of its body fewer are taken; what else there is of it, such as
#: lines between its chunks, has a limit of its own in new versions of urllib3 only.
MAX_BYTES = 16 * 1024 * 1024


def _mask(record: logging.LogRecord) -> bool:
    """Take the ids of pull payments out of what urllib3 logs when it is asked for all."""
    said = record.getMessage()
    masked = mask_pull_payment(said)
    if masked != said:
        record.msg, record.args = masked, ()
    return True


for _name in ('urllib3.connectionpool', 'urllib3.util.retry'):
    logging.getLogger(_name).addFilter(_mask)


class _Source(io.RawIOBase):
    """What is read from a socket for an answer, until its timeout has passed since the first wait
    for it, or there is too much of it."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._raw = sock.makefile('rb', buffering=0)
        self._timeout = sock.gettimeout()
        self._deadline = time.monotonic() + (self._timeout or 0)
        self._bytes_left = MAX_BYTES

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        if self._timeout is not None:
            left = self._deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError('timed out')
            self._sock.settimeout(left)
        if self._bytes_left <= 0:
            raise NotUnderstood('answer', 'The answer is too large')
        count = self._raw.readinto(buffer)
        self._bytes_left -= count or 0
        return count

    def close(self) -> None:
        if self._sock.fileno() != -1:
            self._sock.settimeout(self._timeout)  # The next call begins with all of it.
        self._raw.close()
        super().close()


class _Response(http.client.HTTPResponse):

    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp.close()
        self.fp = io.BufferedReader(_Source(sock))


def _check_peer(connection: urllib3.connection.HTTPConnection, sock: socket.socket) -> None:
    """Refuse a connection that has led where none may; a proxy is where it was set up to be.

    :raise Unreachable: of the kind `PEER`
    """
    if connection.proxy:
        return
    peer = str(sock.getpeername()[0])
    is_plain = not isinstance(connection, urllib3.connection.HTTPSConnection)
    if is_forbidden(peer) or (is_plain and not is_private(peer)):
        sock.close()
        raise Unreachable('The name leads to an address where no server may be', PEER)


class _Connection(urllib3.connection.HTTPConnection):
    response_class = _Response

    def connect(self) -> None:
        """Override to have the timeout once: for the name, for all addresses that it has, for a
        proxy, and for the encryption. Whoever asks again after it may rely on it that nothing is
        sent any more."""
        deadline = time.monotonic() + (self.timeout or 0)
        super().connect()
        if time.monotonic() > deadline:  # Each step has the timeout of its own.
            self.close()
            raise ConnectTimeoutError(self, 'It took too long')


class _HTTPConnection(_Connection):

    def _new_conn(self) -> socket.socket:
        """Override to look where it leads, and to have time for each address that the name has."""
        host, timeout = self._dns_host, self.timeout
        deadline = time.monotonic() + (timeout or 0)
        try:
            addresses = socket.getaddrinfo(host, self.port, type=socket.SOCK_STREAM)
            for index, (*_kind, address) in enumerate(addresses):
                self._dns_host = str(address[0])
                self.timeout = (deadline - time.monotonic()) / (len(addresses) - index)
                if self.timeout <= 0:
                    break
                with suppress(NewConnectionError, ConnectTimeoutError):
                    sock = super()._new_conn()
                    _check_peer(self, sock)
                    sock.settimeout(max(deadline - time.monotonic(), 0.001))
                    return sock
        except (OSError, UnicodeError):
            raise NewConnectionError(self, 'The name is not known') from None
        finally:
            self._dns_host, self.timeout = host, timeout
        if time.monotonic() < deadline:
            raise NewConnectionError(self, 'Nobody listens there')
        raise ConnectTimeoutError(self, 'It took too long')


class _HTTPSConnection(_HTTPConnection, urllib3.connection.HTTPSConnection):
    pass


class _HTTPPool(urllib3.HTTPConnectionPool):
    ConnectionCls = _HTTPConnection


class _HTTPSPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _HTTPSConnection


def _make_socks_pools() -> dict[str, type]:
    """Return the pools of connections by a SOCKS proxy. Where it leads is the proxy's matter."""
    from urllib3.contrib import socks  # It cannot be imported without PySocks.

    class _SocksConnection(_Connection, socks.SOCKSConnection):
        pass

    class _SocksHTTPSConnection(_Connection, socks.SOCKSHTTPSConnection):
        pass

    class _SocksPool(socks.SOCKSHTTPConnectionPool):
        ConnectionCls = _SocksConnection

    class _SocksHTTPSPool(socks.SOCKSHTTPSConnectionPool):
        ConnectionCls = _SocksHTTPSConnection

    return {'http': _SocksPool, 'https': _SocksHTTPSPool}


class DeadlineAdapter(requests.adapters.HTTPAdapter):
    """What sends for a `requests.Session`, with a timeout that is for the whole answer."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Override to use these connections."""
        super().init_poolmanager(*args, **kwargs)
        self._use_connections(self.poolmanager)

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
        """Override to use these connections, through a proxy too."""
        manager = super().proxy_manager_for(*args, **kwargs)
        if str(manager.proxy_url if hasattr(manager, 'proxy_url') else '').startswith('socks'):
            manager.pool_classes_by_scheme = _make_socks_pools()
            return manager
        return self._use_connections(manager)

    @staticmethod
    def _use_connections(manager: Any) -> Any:
        manager.pool_classes_by_scheme = {'http': _HTTPPool, 'https': _HTTPSPool}
        return manager
