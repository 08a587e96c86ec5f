"""The address of a server, as people type it."""
import ssl
import time

import pytest

from greenfield import address, http
from greenfield.address import AddressRefused, check_scheme, is_loopback, normalize, resolve

from ..world import StandIn
from .certificate import write_certificate
from .small_server import serve

HEALTH = '/api/v1/health'


def refuse(function, *arguments):
    """:return: the error by which a function refuses"""
    with pytest.raises(AddressRefused) as caught:
        function(*arguments)
    return caught.value


# --- one form ---


@pytest.mark.parametrize(('typed', 'expected'), {
    'https://btcpay.example.com': 'https://btcpay.example.com',
    '  https://btcpay.example.com/ ': 'https://btcpay.example.com',
    'HTTPS://BTCPay.Example.COM///': 'https://btcpay.example.com',
    'btcpay.example.com': 'https://btcpay.example.com',
    'btcpay.example.com.': 'https://btcpay.example.com',
    'btcpay.example.com:443': 'https://btcpay.example.com',
    'btcpay.example.com:8443/': 'https://btcpay.example.com:8443',
    'http://192.168.1.5:80': 'http://192.168.1.5',
    'http://192.168.1.5:443': 'http://192.168.1.5:443',
    'https://example.com/Pay/': 'https://example.com/Pay',
    'https://example.com/a/b': 'https://example.com/a/b',
    'https://bücher.example': 'https://xn--bcher-kva.example',
    'https://bücher。example。': 'https://xn--bcher-kva.example',
    'https://[2001:DB8::1]:8443': 'https://[2001:db8::1]:8443',
    'https://example.com:0': 'https://example.com:0',
}.items())
def test_one_form(typed, expected):
    assert normalize(typed) == expected
    assert normalize(expected) == expected


REFUSED = {
    address.EMPTY: ('', '   ', None),
    address.USER_INFO: (
        'https://me:secret@example.com', 'me@example.com', 'https://@example.com'),
    address.QUERY: (
        'https://example.com?a=b', 'https://example.com/#top', 'https://example.com?',
        'https://example.com#', 'example.com/login?ReturnUrl=%2F'),
    address.ONION: ('http://abc.onion', 'https://ABC.Onion./', 'abc.onion:80', 'http://abc。onion'),
    address.SCHEME: (
        'ftp://example.com', 'javascript://example.com', 'file:///etc/passwd', 'ws://example.com'),
    address.NO_HOST: (
        'https://', 'https:///path', 'https://exa mple.com', 'https://example.com\\@evil.com',
        'https://.', 'https://:8443'),
    address.NO_ADDRESS: (
        'https://example.com:99999', 'https://example.com:port', 'https://[::1', 'https://a..b.com',
        f'https://{"a" * 64}.com'),
}


@pytest.mark.parametrize(('reason', 'typed'), [
    (reason, typed) for reason, addresses in REFUSED.items() for typed in addresses])
def test_refused(reason, typed):
    error = refuse(normalize, typed)
    assert error.reason == reason
    assert set(error.values) == (
        {'address'} if reason in (address.NO_HOST, address.NO_ADDRESS) else set())


# --- plain http ---


def is_accepted(monkeypatch, url, *found):
    def getaddrinfo(*_arguments):
        if not found:
            raise OSError
        return [(None, None, None, '', (ip, 0)) for ip in found]

    monkeypatch.setattr(address.socket, 'getaddrinfo', getaddrinfo)
    try:
        check_scheme(url)
    except AddressRefused as error:
        assert (error.reason, error.values) == (address.PLAIN_HTTP, {'url': url})
        return False
    return True


@pytest.mark.parametrize(('url', 'expected'), {
    'http://127.0.0.1:14142': True, 'http://127.8.9.1': True, 'http://[::1]:80': True,
    'http://localhost:1234': True, 'http://shop.localhost': True, 'http://10.1.2.3': True,
    'http://172.20.1.1': True, 'http://192.168.178.20/pay': True, 'http://[fd00::1]': True,
    'http://8.8.8.8': False, 'http://172.32.1.1': False, 'http://[2606:4700::1111]': False,
    'http://[::ffff:8.8.8.8]': False, 'https://8.8.8.8': True,
}.items())
def test_plain_http(monkeypatch, url, expected):
    assert is_accepted(monkeypatch, url) is expected


def test_plain_http_to_names(monkeypatch):
    url = 'http://btcpay.example.com'
    assert is_accepted(monkeypatch, url, '192.168.1.5')
    assert is_accepted(monkeypatch, url, 'fe80::1%eth0')
    assert not is_accepted(monkeypatch, url, '8.8.8.8')
    assert not is_accepted(monkeypatch, url, '192.168.1.5', '8.8.8.8')
    assert not is_accepted(monkeypatch, url)


@pytest.mark.parametrize(('host', 'expected'), {
    'localhost': True, 'a.localhost': True, '127.0.0.1': True, '127.1.2.3': True, '::1': True,
    '::ffff:127.0.0.1': True, 'localhost.example.com': False, '192.168.1.5': False,
    'example.com': False, '': False,
}.items())
def test_loopback(host, expected):
    assert is_loopback(host) is expected


# --- where a server answers ---


@pytest.fixture(scope='module')
def certificate(tmp_path_factory):
    return write_certificate(tmp_path_factory.mktemp('certificate') / 'certificate.pem')


@pytest.fixture
def tls(certificate, monkeypatch):
    """:return: the context of a server whose certificate is trusted"""
    monkeypatch.setenv('REQUESTS_CA_BUNDLE', certificate)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


def assert_refused(typed, reason, **values):
    error = refuse(resolve, typed, 5)
    assert (error.reason, error.values) == (reason, values)


def test_server(world):
    assert resolve(f' {world.url}/ ', 5) == world.url
    assert [request['path'] for request in world.requests()][-1] == HEALTH


def test_server_below_a_path():
    with StandIn.started(path='/pay') as world:
        assert resolve(f'{world.url}/', 5) == world.url
        host = world.url.removesuffix('/pay')
        assert_refused(host, address.NO_SERVER, url=host)


def test_page_of_the_server(world):
    assert_refused(f'{world.url}/login', address.NO_SERVER, url=f'{world.url}/login')


@pytest.mark.parametrize('status', [301, 302, 303, 307, 308])
def test_redirected(world, status):
    with serve(lambda http: http.redirect(world.url + HEALTH, status)) as server:
        assert resolve(server.url, 5) == world.url


def test_redirected_to_a_path():
    def answer(http):
        if http.path == HEALTH:
            http.redirect(f'/pay{HEALTH}?from=root')
        else:
            http.reply(status=200 if http.path.startswith('/pay/api') else 404)

    with serve(answer) as server:
        assert resolve(server.url, 5) == f'{server.url}/pay'


def test_redirected_to_https(tls):
    with (
        serve(lambda http: http.reply(), tls) as secure,
        serve(lambda http: http.redirect(secure.url + HEALTH)) as plain,
    ):
        assert resolve(plain.url, 5) == secure.url


def test_redirected_to_http(tls, world):
    with serve(lambda http: http.redirect(world.url + HEALTH), tls) as secure:
        assert_refused(
            secure.url, address.DOWNGRADE, url=secure.url, target=world.url + HEALTH)


def test_redirected_to_public_http():
    with serve(lambda http: http.redirect(f'http://8.8.8.8{HEALTH}')) as server:
        assert_refused(server.url, address.PLAIN_HTTP, url='http://8.8.8.8')


@pytest.mark.parametrize('location', ['/login', '/', 'http://[', ''])
def test_redirected_elsewhere(location):
    with serve(lambda http: http.redirect(location)) as server:
        assert_refused(server.url, address.NO_SERVER, url=server.url)


@pytest.mark.parametrize(('netloc', 'reason'), [
    ('me:secret@127.0.0.1', address.USER_INFO), ('abc.onion', address.ONION)])
def test_redirected_to_what_is_refused(netloc, reason):
    with serve(lambda http: http.redirect(f'http://{netloc}{HEALTH}')) as server:
        assert_refused(server.url, reason)


def test_redirected_for_ever():
    with serve(lambda http: http.redirect(http.path)) as server:
        assert_refused(server.url, address.NO_SERVER, url=server.url)
    assert len(server.requests) == 6


# --- no server ---


@pytest.mark.parametrize(('body', 'status'), [
    (b'<html>A shop</html>', 200), (b'{"status": "ok"}', 200), (b'["synchronized"]', 200),
    (b'"synchronized"', 200), (b'', 200), (b'[' * 100_000, 200), (b'', 404),
    (b'{"synchronized": true}', 500), (b'{"synchronized": true}', 401), (b'\xff\xfe\x00', 200),
])
def test_something_else(body, status):
    with serve(lambda http: http.reply(body, status)) as server:
        assert_refused(server.url, address.NO_SERVER, url=server.url)


def test_too_large(monkeypatch):
    monkeypatch.setattr(http, 'MAX_SIZE', 1000)
    with serve(lambda http: http.reply(b'{"synchronized": true}' + b' ' * 1000)) as server:
        assert_refused(server.url, address.NO_ANSWER, url=server.url)


def test_nobody():
    with serve(lambda http: None) as server:
        url = server.url
    assert_refused(url, address.NO_ANSWER, url=url)


def test_dropped(world):
    world.fault('drop', path='health')
    assert_refused(world.url, address.NO_ANSWER, url=world.url)


def test_certificate(tls, monkeypatch):
    monkeypatch.delenv('REQUESTS_CA_BUNDLE')
    with serve(lambda http: http.reply(), tls) as secure:
        assert_refused(secure.url, address.CERTIFICATE, url=secure.url)
    assert secure.requests == []


def test_one_deadline_for_all_redirections():
    def answer(http):
        time.sleep(0.3)
        http.redirect(http.path)

    start = time.monotonic()
    with serve(answer) as server:
        assert refuse(resolve, server.url, 0.5).reason == address.NO_ANSWER
    assert time.monotonic() - start < 1.5
