"""HTTP requests that are over in time, whatever the server does."""
import contextlib
import socket
import threading
import time

import requests
from requests.adapters import HTTPAdapter

from odoo.addons.payment_btcpay import const


class _BreakableAdapter(HTTPAdapter):
    """An adapter whose connections can be broken off by another thread.

    The timeout of `requests` starts anew with each byte that arrives: a server that sends one now
    and then could keep us for ever.
    """

    def __init__(self):
        super().__init__()
        self.is_broken = False
        self._sockets = []

    def get_connection_with_tls_context(self, *args, **kwargs):
        return self._watch(super().get_connection_with_tls_context(*args, **kwargs))

    def get_connection(self, *args, **kwargs):  # What requests before 2.32 calls.
        return self._watch(super().get_connection(*args, **kwargs))

    def _watch(self, pool):
        adapter = self

        class Connection(pool.ConnectionCls):
            def connect(self):
                super().connect()
                adapter._sockets.append(self.sock)
                if adapter.is_broken:
                    raise TimeoutError

        pool.ConnectionCls = Connection
        return pool

    def break_off(self):
        self.is_broken = True
        for sock in self._sockets:
            with contextlib.suppress(OSError):  # It may be closed already.
                sock.shutdown(socket.SHUT_RDWR)


class _Session(requests.Session):

    def resolve_redirects(self, *args, **kwargs):
        """Override to not even look where a redirection leads: it can be anything."""
        return iter(())


def send_request(method, url, *, timeout, **kwargs):
    """Send an HTTP request with one deadline for all of it, without following redirects.

    :param str method: The HTTP method.
    :param str url: The URL.
    :param float timeout: The number of seconds after which the call is given up.
    :param dict kwargs: The other parameters of `requests.request`.
    :return: The response, with its content read.
    :rtype: requests.Response
    :raise requests.exceptions.RequestException: If there is no complete answer in time.
    """
    deadline = time.monotonic() + timeout
    adapter = _BreakableAdapter()
    timer = threading.Timer(timeout, adapter.break_off)
    timer.daemon = True
    with _Session() as session:
        session.mount('https://', adapter)
        session.mount('http://', adapter)
        timer.start()
        try:
            response = session.request(
                method, url, timeout=timeout, allow_redirects=False, stream=True, **kwargs
            )
            with response:
                content = bytearray()
                for chunk in response.iter_content(64 * 1024):
                    content += chunk
                    if len(content) > const.MAX_RESPONSE_SIZE:
                        raise requests.exceptions.ContentDecodingError("The answer is too large")
            response._content = bytes(content)  # What `response.content` would have kept.
        except requests.exceptions.RequestException as error:
            if adapter.is_broken:
                raise requests.exceptions.ReadTimeout(f"No answer in {timeout} s") from error
            raise
        finally:
            timer.cancel()
    if adapter.is_broken or time.monotonic() > deadline:
        raise requests.exceptions.ReadTimeout(f"No complete answer in {timeout} s")
    return response
