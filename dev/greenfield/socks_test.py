"""A server behind a SOCKS proxy, as Tor is one."""
import socket
import struct
import threading
import time
from contextlib import contextmanager

import pytest
import requests.adapters

from greenfield import Session, Unreachable, address
from greenfield.address import AddressRefused, normalize, resolve
from greenfield.errors import NO_SOCKS, TIMEOUT

from .small_server import serve

ONION = f'{"a" * 56}.onion'


@contextmanager
def socks_proxy(port, seconds=0):
    """Have a SOCKS5 proxy that leads every name to a port of this machine, and takes some seconds
    for each step.

    :return: its address, and the list of the names and ports it was asked for
    """
    asked = []
    listener = socket.create_server(('127.0.0.1', 0))

    def pump(source, target):
        try:
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def serve_one(client):
        client.recv(2 + client.recv(2)[1])
        time.sleep(seconds)
        client.sendall(b'\x05\x00')
        kind = client.recv(4)[3]
        assert kind == 3, 'the name is to be looked up by the proxy'
        name = client.recv(client.recv(1)[0]).decode()
        asked.append((name, struct.unpack('>H', client.recv(2))[0]))
        time.sleep(seconds)
        client.sendall(b'\x05\x00\x00\x01\x7f\x00\x00\x01\x00\x00')
        server = socket.create_connection(('127.0.0.1', port))
        threading.Thread(target=pump, args=(client, server), daemon=True).start()
        pump(server, client)

    def accept():
        while True:
            try:
                client, _peer = listener.accept()
            except OSError:
                return
            threading.Thread(target=serve_one, args=(client,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield f'socks5h://127.0.0.1:{listener.getsockname()[1]}', asked
    finally:
        listener.close()


@pytest.mark.parametrize(('typed', 'expected'), {
    f'http://{ONION}': f'http://{ONION}', f'{ONION}/': f'http://{ONION}',
    f'https://{ONION}/login': f'https://{ONION}/login', f'{ONION}:8080': f'http://{ONION}:8080',
}.items())
def test_onion_addresses_need_a_proxy(typed, expected):
    assert normalize(typed, has_proxy=True) == expected
    address.check_scheme(expected)
    with pytest.raises(AddressRefused) as caught:
        normalize(typed)
    assert caught.value.reason == address.ONION


def test_server_behind_tor(world):
    pytest.importorskip('socks')
    with socks_proxy(int(world.url.rpartition(':')[2])) as (proxy, asked):
        url = resolve(f'{ONION}/stores/x/invoices', 5, proxy)
        assert url == f'http://{ONION}'
        assert set(asked) == {(ONION, 80)}
        with Session(proxy) as session:
            answer = session.send('GET', f'{url}/api/v1/health', timeout=5)
        assert answer.status == 200


def test_slow_server_behind_tor():
    pytest.importorskip('socks')

    def answer(http):
        http.begin(Content_Length=1000)
        for _byte in range(30):
            http.wfile.write(b'x')
            http.wfile.flush()
            time.sleep(0.1)

    start = time.monotonic()
    with serve(answer) as server, socks_proxy(server.server_port) as (proxy, _asked):
        with Session(proxy) as session, pytest.raises(Unreachable) as caught:
            session.send('GET', f'http://{ONION}', timeout=0.5)
    assert caught.value.kind == TIMEOUT
    assert time.monotonic() - start < 2


def test_when_connecting_by_tor_takes_longer_than_the_timeout_then_nothing_is_sent():
    """Whoever asks again after it relies on that: a refund would be made twice."""
    pytest.importorskip('socks')
    # Each step is in time, even where the machine is busy; both together are not.
    with serve(lambda http: http.reply()) as server, socks_proxy(server.server_port, 1.5) as (
        proxy, asked,
    ):
        with Session(proxy) as session, pytest.raises(Unreachable) as caught:
            session.send('GET', f'http://{ONION}', timeout=2.5)
    assert caught.value.kind == TIMEOUT
    assert asked
    assert server.requests == []


def test_environment_does_not_lead_around_the_proxy(monkeypatch):
    pytest.importorskip('socks')
    monkeypatch.setenv('HTTP_PROXY', 'http://127.0.0.1:1')
    monkeypatch.setenv('NO_PROXY', '')
    with serve(lambda http: http.reply()) as server, socks_proxy(server.server_port) as (
        proxy, asked,
    ):
        assert resolve(ONION, 5, proxy) == f'http://{ONION}'
    assert asked


def test_proxy_that_is_not_there():
    pytest.importorskip('socks')
    with pytest.raises(AddressRefused) as caught:
        resolve(ONION, 5, 'socks5h://127.0.0.1:1')
    assert caught.value.reason == address.NO_ANSWER


def test_without_pysocks(monkeypatch):
    def missing(*_args, **_kwargs):
        raise requests.exceptions.InvalidSchema('Missing dependencies for SOCKS support.')

    monkeypatch.setattr(requests.adapters, 'SOCKSProxyManager', missing)
    with Session('socks5h://127.0.0.1:9050') as session, pytest.raises(Unreachable) as caught:
        session.send('GET', f'http://{ONION}', timeout=5)
    assert caught.value.kind == NO_SOCKS
    with pytest.raises(AddressRefused) as refused:
        resolve(ONION, 5, 'socks5h://127.0.0.1:9050')
    assert refused.value.reason == address.NO_SOCKS
