"""Connecting: over in time, whatever the name leads to."""
import socket
import time
from contextlib import contextmanager

import pytest

from greenfield import Unreachable, errors
from greenfield.http import Session

from .small_server import serve

TIMEOUT = 0.4


@contextmanager
def deaf():
    """:return: the port of 127.0.0.1 at which whoever connects is swallowed"""
    with socket.socket() as listener:
        listener.bind(('127.0.0.1', 0))
        listener.listen(0)
        port = listener.getsockname()[1]
        waiting = [socket.socket() for _number in range(4)]
        for sock in waiting:
            sock.setblocking(False)
            sock.connect_ex(('127.0.0.1', port))
        yield port
        for sock in waiting:
            sock.close()


def lead_to(monkeypatch, *addresses, seconds=0):
    """Have each name lead to addresses, once it was looked up for some seconds."""
    def getaddrinfo(_host, port, *_args, **_kwargs):
        if seconds and _host == 'btcpay.test':
            time.sleep(seconds)
        found = addresses if _host == 'btcpay.test' else (_host,)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, '', (each, port)) for each in found]

    monkeypatch.setattr(socket, 'getaddrinfo', getaddrinfo)


def ask(port):
    """:return: the status of the answer, or the error, and the seconds that it took"""
    start = time.monotonic()
    with Session() as session:
        try:
            answer = session.send('GET', f'http://btcpay.test:{port}/', timeout=TIMEOUT)
        except Unreachable as error:
            return error.kind, time.monotonic() - start
    return answer.status, time.monotonic() - start


def test_when_many_addresses_of_a_name_swallow_who_connects_then_it_is_over_in_time(monkeypatch):
    lead_to(monkeypatch, *['127.0.0.1'] * 8)
    with deaf() as port:
        kind, seconds = ask(port)
    assert kind == errors.TIMEOUT
    assert TIMEOUT <= seconds < 2 * TIMEOUT


def test_when_a_name_is_looked_up_for_too_long_then_nothing_is_sent(monkeypatch):
    lead_to(monkeypatch, '127.0.0.1', seconds=TIMEOUT + 0.1)
    with serve(lambda http: http.reply()) as server:
        assert ask(server.server_port)[0] == errors.TIMEOUT
    assert (server.connections, server.requests) == (0, [])


def test_when_the_first_address_does_not_listen_then_the_next_one_is_asked(monkeypatch):
    lead_to(monkeypatch, '127.0.0.2', '127.0.0.1')
    with serve(lambda http: http.reply()) as server:
        assert ask(server.server_port)[0] == 200
        [(_method, _path, headers)] = server.requests
    assert headers['Host'] == f'btcpay.test:{server.server_port}'


def test_when_the_first_address_swallows_who_connects_then_there_is_time_for_the_next(monkeypatch):
    """As a route by IPv6 that leads nowhere."""
    with deaf() as port, serve(
        lambda http: http.reply(), address=('127.0.0.2', port)
    ):
        lead_to(monkeypatch, '127.0.0.1', '127.0.0.2')
        status, seconds = ask(port)
    assert status == 200
    assert seconds < TIMEOUT


@pytest.mark.parametrize('addresses', [(), ('127.0.0.2', '127.0.0.3')])
def test_when_nobody_listens_then_it_is_said_at_once(monkeypatch, addresses):
    with socket.socket() as sock:
        sock.bind(('127.0.0.1', 0))
        port = sock.getsockname()[1]
    lead_to(monkeypatch, *addresses)
    kind, seconds = ask(port)
    assert kind == errors.CONNECTION
    assert seconds < TIMEOUT
