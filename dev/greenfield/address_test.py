"""The address of a server, as people type it."""
import ssl
import time

import pytest

from greenfield import Session, Unreachable, address, deadline, hosts, http
from greenfield.address import AddressRefused, check_scheme, normalize, resolve
from greenfield.hosts import is_forbidden, is_internal, is_loopback, parse_ip

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
    'http://2130706433': 'http://127.0.0.1',
    'http://0x7f.1:8080': 'http://127.0.0.1:8080',
    'http://0300.0250.1.5': 'http://192.168.1.5',
    'http://[::ffff:127.0.0.1]': 'http://127.0.0.1',
    'http://①②⑦.0.0.1': 'http://127.0.0.1',
    'http://btcpay_server:49392': 'http://btcpay_server:49392',
    'https://example.com\0': 'https://example.com',
    'https://example.com?a=b': 'https://example.com',
    'https://example.com/#top': 'https://example.com',
    'example.com/login?ReturnUrl=%2F': 'https://example.com/login',
    'https://example.com?@evil.com': 'https://example.com',
}.items())
def test_one_form(typed, expected):
    assert normalize(typed) == expected
    assert normalize(expected) == expected


REFUSED = {
    address.EMPTY: ('', '   ', None),
    address.USER_INFO: (
        'https://me:secret@example.com', 'me@example.com', 'https://@example.com'),
    address.ONION: ('http://abc.onion', 'https://ABC.Onion./', 'abc.onion:80', 'http://abc。onion'),
    address.SCHEME: (
        'ftp://example.com', 'javascript://example.com', 'file:///etc/passwd', 'ws://example.com'),
    address.NO_HOST: (
        'https://', 'https:///path', 'https://exa mple.com', 'https://example.com\\@evil.com',
        'https://.', 'https://:8443', 'https://example.com/a\x1bb', 'https://example.com/\u202ea'),
    address.NO_ADDRESS: (
        'https://example.com:99999', 'https://example.com:port', 'https://[::1', 'https://a..b.com',
        f'https://{"a" * 64}.com', 'http://127.0.0.1%2eevil.example', 'http://127.0.0.1%',
        'http://[::1%25eth0]', 'https://a;b.com', "https://a'b.com", 'https://a,b', 'https://*.com'),
    # The metadata of clouds, in all notations that the system understands, and embedded in others.
    address.FORBIDDEN: (
        'http://169.254.169.254', 'https://169.254.169.254/latest', 'http://169.254.1.1:8080',
        'http://2852039166', 'http://0xa9fea9fe', 'http://0xA9.0xFE.0xA9.0xFE',
        'http://0251.0376.0251.0376', 'http://169.254.43518', 'http://169.16689662',
        'http://１６９.254.169.254', 'http://169。254。169。254', 'http://169.254.169.254.',
        'http://[::ffff:169.254.169.254]', 'http://[::ffff:a9fe:a9fe]', 'http://[::a9fe:a9fe]',
        'http://[::ffff:0:a9fe:a9fe]',
        'http://[64:ff9b::a9fe:a9fe]', 'http://[64:ff9b:1::a9fe:a9fe]', 'http://[2002:a9fe:a9fe::]',
        'http://[2001:0:a9fe:a9fe::]', 'http://[fe80::1]', 'http://[fd00:ec2::254]',
        'http://100.100.100.200', 'https://168.63.129.16', 'http://0.0.0.0', 'http://0', 'http://[::]',
        'http://224.0.0.1', 'http://255.255.255.255', 'http://[ff02::1]'),
}


@pytest.mark.parametrize(('reason', 'typed'), [
    (reason, typed) for reason, addresses in REFUSED.items() for typed in addresses])
def test_refused(reason, typed):
    error = refuse(normalize, typed)
    assert error.reason == reason
    assert set(error.values) == {
        address.NO_HOST: {'address'}, address.NO_ADDRESS: {'address'}, address.FORBIDDEN: {'url'},
    }.get(reason, set())


# --- plain http ---


def is_accepted(monkeypatch, url, *found):
    def getaddrinfo(*_arguments):
        if not found:
            raise OSError
        return [(None, None, None, '', (ip, 0)) for ip in found]

    monkeypatch.setattr(hosts.socket, 'getaddrinfo', getaddrinfo)
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
    assert is_accepted(monkeypatch, url, 'fd00::1')
    assert not is_accepted(monkeypatch, url, '8.8.8.8')
    assert not is_accepted(monkeypatch, url, '192.168.1.5', '8.8.8.8')
    assert not is_accepted(monkeypatch, url)


@pytest.mark.parametrize(('host', 'expected'), {
    'localhost': True, 'a.localhost': True, '127.0.0.1': True, '127.1.2.3': True, '::1': True,
    '::ffff:127.0.0.1': True, '2130706433': True, '127.0.0.1%2eevil.example': False,
    'localhost.example.com': False, '192.168.1.5': False,
    'example.com': False, '': False,
}.items())
def test_loopback(host, expected):
    assert is_loopback(host) is expected


@pytest.mark.parametrize(('host', 'expected'), {
    'localhost': True, '127.0.0.1': True, '10.0.0.1': True, '192.168.1.5': True, 'fd00::1': True,
    'btcpayserver': True, 'umbrel.local': True, 'pay.internal': True, 'nas.lan': True,
    '8.8.8.8': False, '2001:4860:4860::8888': False, 'pay.example.com': False,
    'local.example.com': False, 'notlocal': True, 'example.notlocal': False,
}.items())
def test_internal(host, expected):
    assert is_internal(host) is expected


def test_names_are_no_addresses():
    for name in ('', 'fe.de', 'x', 'abc', 'dead.beef', '1.2.3.4.5', 'example.com', '256.1.1.1.1'):
        assert parse_ip(name) is None
        assert not is_forbidden(name)


# --- where a connection leads to ---


def test_peer_that_is_forbidden_gets_nothing(monkeypatch):
    with serve(lambda http: http.reply()) as server, Session() as session:
        url = server.url.replace('127.0.0.1', 'localhost')
        assert resolve(url, 5) == url
        server.requests.clear()
        monkeypatch.setattr(hosts, '_METADATA', {parse_ip('127.0.0.1')})
        with pytest.raises(Unreachable) as caught:  # Any call, not only at the beginning.
            session.send('GET', url, timeout=5)
        assert caught.value.kind == 'peer'
        assert_refused(url, address.FORBIDDEN, url=url)
    assert server.requests == []


def test_peer_that_is_public_gets_nothing_over_plain_http(monkeypatch, tls):
    # The name led to a private network when the scheme was checked.
    monkeypatch.setattr(deadline, 'is_private', lambda peer: peer != '127.0.0.1')
    with serve(lambda http: http.reply()) as server:
        assert_refused(server.url, address.FORBIDDEN, url=server.url)
    assert server.requests == []
    with serve(lambda http: http.reply(), tls) as server:
        assert resolve(server.url, 5) == server.url


def test_peer_that_is_forbidden_is_refused_over_https(monkeypatch, tls):
    monkeypatch.setattr(hosts, '_METADATA', {parse_ip('127.0.0.1')})
    with serve(lambda http: http.reply(), tls) as server, Session() as session:
        with pytest.raises(Unreachable) as caught:
            session.send('GET', server.url, timeout=5)
    assert (caught.value.kind, server.requests) == ('peer', [])


def test_proxy_is_where_it_was_set_up_to_be(monkeypatch):
    monkeypatch.setattr(hosts, '_METADATA', {parse_ip('127.0.0.1')})
    with serve(lambda http: http.reply()) as proxy, Session() as session:
        monkeypatch.setenv('http_proxy', proxy.url)
        assert session.send('GET', 'http://btcpay.test', timeout=5).status == 200
    assert proxy.requests[0][1] == 'http://btcpay.test/'


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


@pytest.mark.parametrize('page', [
    '/login', '/login?ReturnUrl=%2Fstores', '/stores/4yHb/invoices#top', '/a/b/c/d/e/f/g/'])
def test_page_of_the_server(world, page):
    assert resolve(world.url + page, 5) == world.url


def test_page_of_a_server_below_a_path():
    with StandIn.started(path='/pay') as world:
        assert resolve(f'{world.url}/stores/4yHb/invoices?status=New', 5) == world.url


def test_page_of_something_else():
    with serve(lambda http: http.reply(b'', 404)) as server:
        assert_refused(f'{server.url}/shop/', address.NO_SERVER, url=f'{server.url}/shop')
    assert len(server.requests) == 2


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
    (b'{"synchronized": true}', 401), (b'\xff\xfe\x00', 200),
])
def test_something_else(body, status):
    with serve(lambda http: http.reply(body, status)) as server:
        assert_refused(server.url, address.NO_SERVER, url=server.url)


@pytest.mark.parametrize('status', [500, 502, 503, 429])
def test_problem_of_the_moment(status):
    with serve(lambda http: http.reply(b'{"synchronized": true}', status)) as server:
        assert_refused(
            f'{server.url}/login', address.FAULT, url=f'{server.url}/login', status=str(status))


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


def test_no_https():
    with serve(lambda http: http.reply()) as plain:
        url = plain.url.replace('http:', 'https:')
        assert_refused(url, address.NO_TLS, url=url)


def test_one_deadline_for_all_redirections():
    def answer(http):
        time.sleep(0.3)
        http.redirect(http.path)

    start = time.monotonic()
    with serve(answer) as server:
        assert refuse(resolve, server.url, 0.5).reason == address.NO_ANSWER
    assert time.monotonic() - start < 1.5
