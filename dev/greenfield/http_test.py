"""What sends: over in time, nowhere else, and no more than it should."""
import gzip
import logging
import time
import traceback
from decimal import Decimal

import pytest
import urllib3.connection
import urllib3.response

from greenfield import (
    HttpTransport,
    Moved,
    NotUnderstood,
    ServerFault,
    Session,
    Unauthorized,
    Unreachable,
    http,
    make_headers,
    make_url,
)

from .refusals_test import refused
from .small_server import serve

KEY = '5ec7e7' * 6


def ask(answer, timeout=5, path='/thing'):
    """Make a call that a function answers."""
    with serve(answer) as server:
        transport = HttpTransport(server.url, KEY, timeout)
        try:
            return transport('GET', path), server
        finally:
            transport.close()


# --- what is sent ---


def test_headers_and_query():
    with serve(lambda http: http.reply(b'{"a": 1}')) as server:
        transport = HttpTransport(f'{server.url}/pay/', KEY)
        assert transport('POST', '/thing', params=[('b', 'ä'), ('b', 1)], json={}) == {'a': 1}
        transport.close()
    [(method, path, headers)] = server.requests
    assert (method, path) == ('POST', '/pay/api/v1/thing?b=%C3%A4&b=1')
    assert headers['Authorization'] == f'token {KEY}'
    assert headers['Accept'] == 'application/json'
    assert headers['Accept-Encoding'] == 'identity'


def test_nobodys_call_has_no_key():
    with serve(lambda http: http.reply()) as server:
        transport = HttpTransport(server.url)
        transport('GET', '/thing')
        transport.close()
    assert 'Authorization' not in server.requests[0][2]
    assert make_headers() == {'Accept': 'application/json'}


@pytest.mark.parametrize('key', ['•' * 40, 'é', 'a\nX-Other: b', 'a\r', 'a\0', '\ud800'])
def test_what_no_header_can_have_is_no_key(key):
    with pytest.raises(Unauthorized) as caught:
        make_headers(key)
    assert key not in str(caught.value)


def test_netrc_does_not_replace_the_key(tmp_path, monkeypatch):
    (tmp_path / 'netrc').write_text('default login me password other\n')
    monkeypatch.setenv('NETRC', str(tmp_path / 'netrc'))
    _answer, server = ask(lambda http: http.reply())
    assert server.requests[0][2]['Authorization'] == f'token {KEY}'


def test_no_cookies():
    with serve(lambda http: http.reply(Set_Cookie='a=b; Path=/')) as server:
        transport = HttpTransport(server.url, KEY)
        transport('GET', '/thing')
        transport('GET', '/thing')
        transport.close()
    assert 'Cookie' not in server.requests[1][2]


def test_addresses():
    assert make_url('https://a.example/pay', '/stores/x') == 'https://a.example/pay/api/v1/stores/x'
    assert make_url('https://a.example/', '/misc/lang') == 'https://a.example/misc/lang'


def test_connection_is_kept():
    for reply in (
        lambda http: http.reply(),
        lambda http: http.reply(b'[' + b'1,' * 100_000 + b'1]'),
        _chunked(b'{"a"', b': 1}'),
        lambda http: http.begin(204),
        lambda http: http.reply(b'no', 400),
        lambda http: http.redirect('/elsewhere'),
    ):
        with serve(reply) as server, Session() as session:
            for _call in range(3):
                session.send('GET', server.url, timeout=5)
        assert (len(server.requests), server.connections) == (3, 1)


# --- what comes back ---


def test_numbers_stay_exact():
    answer, _server = ask(lambda http: http.reply(b'{"a": 0.10000000000000000001, "b": 3}'))
    assert answer == {'a': Decimal('0.10000000000000000001'), 'b': 3}


def test_empty_answer():
    assert ask(lambda http: http.reply(b''))[0] is None
    assert ask(lambda http: http.begin(204))[0] is None


def test_chunks():
    assert ask(_chunked(b'{"a"', b': [1, ', b'2]}'))[0] == {'a': [1, 2]}


def test_without_length():
    def answer(http):
        http.begin(Connection='close')
        http.wfile.write(b'{"a": 1}')
        http.close_connection = True

    assert ask(answer)[0] == {'a': 1}


def test_redirections_are_not_followed():
    for status in (301, 302, 303, 307, 308):
        with serve(lambda http: http.reply()) as other:
            with pytest.raises(Moved) as caught:
                ask(lambda http, to=other.url, s=status: http.redirect(to, s))
        assert caught.value.status == status
        assert (caught.value.is_temporary, caught.value.is_of_server) == (False, False)
        assert other.requests == []


def test_redirections_are_not_looked_at():
    for location in ('http://[', '//', ''):
        with pytest.raises(Moved):
            ask(lambda http, to=location: http.redirect(to))


def test_compressed_answers_are_refused():
    bomb = gzip.compress(b' ' * 20_000_000)
    with pytest.raises(NotUnderstood, match='compressed'):
        ask(lambda http: http.reply(bomb, Content_Encoding='gzip'))
    assert ask(lambda http: http.reply(Content_Encoding='identity'))[0]
    # Of a refusal there is the status at least.
    error = refused(gzip.compress(b'{"code": "x"}'), 502, **{'Content-Encoding': 'gzip'})
    assert (type(error), error.code, error.reason) == (ServerFault, '', '')


def test_no_json():
    for body in (
        b'<html>', b'{"a": ', b'\xff\xfe', b'[' * 100_000, b'1' * 5000, b'[1e-%s]' % (b'9' * 30),
    ):
        with pytest.raises(NotUnderstood, match='no JSON') as caught:
            ask(lambda http, b=body: http.reply(b))
        assert caught.value.code == 'unexpected-answer'
        assert (caught.value.is_temporary, caught.value.is_of_server) == (True, True)


def test_too_large(monkeypatch):
    monkeypatch.setattr(http, 'MAX_SIZE', 1000)
    assert ask(lambda http: http.reply(b'{}' + b' ' * 998))[0] == {}
    for answer in (lambda http: http.reply(b' ' * 1001), _chunked(*[b' ' * 100] * 11)):
        with pytest.raises(NotUnderstood, match='too large'):
            ask(answer)


def test_endless_answer_is_given_up():
    def answer(http):
        http.begin(Transfer_Encoding='chunked')
        while True:
            http.wfile.write(b'10000\r\n' + b' ' * 0x10000 + b'\r\n')

    with pytest.raises(NotUnderstood, match='too large'):
        ask(answer)


@pytest.mark.parametrize(('begin', 'again'), [
    (b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n', b'a: b\r\n'),
    (b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n', b'0'),
    (b'', b'HTTP/1.1 100 Continue\r\na: b\r\n\r\n'),
], ids=('trailers', 'line of a chunk', 'nothing but further to come'))
def test_endless_answer_without_body_is_given_up(begin, again, monkeypatch):
    """As the urllib3 reads it that Odoo pins, which limits no such line."""
    monkeypatch.setattr(urllib3.response, '_MAX_CHUNK_LINE_LENGTH', 2 ** 40, raising=False)

    def answer(http):
        http.wfile.write(begin)
        while True:
            http.wfile.write(again * 10_000)

    with pytest.raises(NotUnderstood, match='too large'):
        ask(answer)


# --- no answer, or half of one ---


def assert_unreachable(answer, kind, timeout=5):
    start = time.monotonic()
    with pytest.raises(Unreachable) as caught:
        ask(answer, timeout)
    assert caught.value.kind == kind
    assert caught.value.status is None
    assert (caught.value.is_temporary, caught.value.is_of_server) == (True, True)
    assert KEY not in str(caught.value)
    return time.monotonic() - start


def test_half_a_body():
    def answer(http):
        http.begin(Content_Length=100)
        http.wfile.write(b'{"a": 1}')
        http.close_connection = True

    assert_unreachable(answer, 'connection')


def test_half_a_body_with_the_older_urllib3(monkeypatch):
    """Version 1, which Odoo pins for its oldest Pythons, does not look at the length by itself."""
    request = urllib3.connection.HTTPConnection.request
    if not urllib3.__version__.startswith('1.'):
        monkeypatch.setattr(
            urllib3.connection.HTTPConnection, 'request', lambda *args, **kwargs: request(
                *args, **{**kwargs, 'enforce_content_length': False}))
    test_half_a_body()


def test_half_a_chunk():
    def answer(http):
        http.begin(Transfer_Encoding='chunked')
        http.wfile.write(b'20\r\n{"a": 1}')
        http.close_connection = True

    assert_unreachable(answer, 'connection')


def test_chunks_that_are_none():
    def answer(http):
        http.begin(Transfer_Encoding='chunked')
        http.wfile.write(b'xyz\r\n{"a": 1}\r\n')
        http.close_connection = True

    assert_unreachable(answer, 'connection')


def test_dropped():
    def answer(http):
        http.close_connection = True

    assert_unreachable(answer, 'connection')


def test_nobody_there():
    with serve(lambda http: None) as server:
        url = server.url
    with pytest.raises(Unreachable) as caught:
        HttpTransport(url)('GET', '/health')
    assert caught.value.kind == 'connection'


def test_pull_payments_are_in_no_log_and_no_traceback(caplog):
    caplog.set_level(logging.DEBUG)
    path = '/pull-payments/3Ch9Gz/payouts'
    _answer, server = ask(lambda http: http.reply(), path=path)
    assert server.requests[0][1] == f'/api/v1{path}'
    with pytest.raises(Unreachable) as caught:
        HttpTransport(server.url)('GET', path)  # It is gone.
    said = caplog.text + ''.join(traceback.format_exception(caught.value))
    assert '/pull-payments/…/payouts' in said
    assert '3Ch9Gz' not in said


def test_hangs():
    assert assert_unreachable(lambda http: time.sleep(2), 'timeout', 0.5) < 1.2


def test_hangs_in_the_body():
    def answer(http):
        http.begin(Content_Length=100)
        http.wfile.write(b'{')
        time.sleep(2)

    assert assert_unreachable(answer, 'timeout', 0.5) < 1.5


def test_drips():
    def answer(http):
        http.begin(Content_Length=1000)
        _drip(http, b' ')

    assert 0.4 < assert_unreachable(answer, 'timeout', 0.5) < 1.2


def test_drips_headers():
    def answer(http):
        http.wfile.write(b'HTTP/1.1 200 OK\r\nX-Slow: ')
        _drip(http, b'x')

    assert 0.4 < assert_unreachable(answer, 'timeout', 0.5) < 1.2


def test_drips_headers_one_by_one():
    def answer(http):
        http.wfile.write(b'HTTP/1.1 200 OK\r\n')
        _drip(http, b'X-Slow: x\r\n')

    assert assert_unreachable(answer, 'timeout', 0.5) < 1.2


def test_slow_call_leaves_the_next_its_time():
    def answer(http):
        if not http.path.endswith('quick'):
            time.sleep(0.4)
        http.reply()

    with serve(answer) as server, Session() as session:
        session.send('GET', server.url + '/slow', timeout=0.5)
        session.send('GET', server.url + '/quick', timeout=5)
        session.send('GET', server.url + '/slow', timeout=5)
    assert server.connections == 1


def test_drips_without_length():
    def answer(http):
        http.begin(Connection='close')
        _drip(http, b' ')

    assert assert_unreachable(answer, 'timeout', 0.5) < 1.2


def test_drips_chunks():
    def answer(http):
        http.begin(Transfer_Encoding='chunked')
        _drip(http, b'1\r\n \r\n')

    assert assert_unreachable(answer, 'timeout', 0.5) < 1.2


def test_drips_one_large_chunk():
    def answer(http):
        http.begin(Transfer_Encoding='chunked')
        http.wfile.write(b'100000\r\n')
        _drip(http, b' ')

    assert assert_unreachable(answer, 'timeout', 0.5) < 1.2


def test_drips_a_redirection():
    def answer(http):
        http.begin(302, Location='/', Content_Length=1000)
        _drip(http, b' ')

    assert assert_unreachable(answer, 'timeout', 0.5) < 1.2


def test_slow_but_in_time():
    def answer(http):
        http.begin(Content_Length=8)
        for byte in b'{"a": 1}':
            http.wfile.write(bytes([byte]))
            time.sleep(0.02)

    assert ask(answer)[0] == {'a': 1}


def _drip(http, what):
    for _time in range(50):
        http.wfile.write(what)
        time.sleep(0.05)


def _chunked(*chunks):
    def answer(http):
        http.begin(Transfer_Encoding='chunked')
        for chunk in chunks:
            http.wfile.write(b'%x\r\n%s\r\n' % (len(chunk), chunk))
        http.wfile.write(b'0\r\n\r\n')

    return answer
