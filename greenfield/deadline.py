"""A connection whose answers are there in time, or not at all.

The timeout of `requests` is for each single wait: an answer of which a byte comes now and then, in
its headers or its body, would never end.
"""
import http.client
import io
import socket
import time
from typing import Any

import requests.adapters
import urllib3
import urllib3.connection


class _Source(io.RawIOBase):
    """What is read from a socket, until its timeout has passed since the first wait for it."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._raw = sock.makefile('rb', buffering=0)
        self._timeout = sock.gettimeout()
        self._deadline = time.monotonic() + (self._timeout or 0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        if self._timeout is not None:
            left = self._deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError('timed out')
            self._sock.settimeout(left)
        return self._raw.readinto(buffer)

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


class _HTTPConnection(urllib3.connection.HTTPConnection):
    response_class = _Response


class _HTTPSConnection(urllib3.connection.HTTPSConnection):
    response_class = _Response


class _HTTPPool(urllib3.HTTPConnectionPool):
    ConnectionCls = _HTTPConnection


class _HTTPSPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _HTTPSConnection


class DeadlineAdapter(requests.adapters.HTTPAdapter):
    """What sends for a `requests.Session`, with a timeout that is for the whole answer."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Override to use these connections."""
        super().init_poolmanager(*args, **kwargs)
        self._use_connections(self.poolmanager)

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
        """Override to use these connections, through a proxy too."""
        return self._use_connections(super().proxy_manager_for(*args, **kwargs))

    @staticmethod
    def _use_connections(manager: Any) -> Any:
        manager.pool_classes_by_scheme = {'http': _HTTPPool, 'https': _HTTPSPool}
        return manager
