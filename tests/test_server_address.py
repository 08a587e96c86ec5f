import tempfile
import time
from pathlib import Path
from unittest.mock import patch

from odoo.exceptions import ValidationError
from odoo.tests import TransactionCase, tagged

from odoo.addons.payment_btcpay import const, server_address
from odoo.addons.payment_btcpay.tests.common import BTCPayCommon, StandIn
from odoo.addons.payment_btcpay.tests.small_server import SmallServer, write_certificate

GETADDRINFO = 'odoo.addons.payment_btcpay.server_address.socket.getaddrinfo'
HEALTH = server_address.HEALTH_ENDPOINT


@tagged('post_install', '-at_install')
class TestNormalize(TransactionCase):

    def _normalize(self, address):
        return server_address.normalize(self.env, address)

    def test_one_form(self):
        for address, expected in {
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
        }.items():
            with self.subTest(address=address):
                self.assertEqual(self._normalize(address), expected)
                self.assertEqual(self._normalize(expected), expected, "It is not stable.")

    def _assert_refused(self, text, *addresses):
        for address in addresses:
            with self.subTest(address=address), self.assertRaisesRegex(ValidationError, text):
                self._normalize(address)

    def test_nothing(self):
        self._assert_refused("Enter the address", '', '   ', None, False)

    def test_user_info(self):
        self._assert_refused(
            "user name and password", 'https://me:secret@example.com', 'me@example.com',
            'https://@example.com',
        )

    def test_query_and_fragment(self):
        self._assert_refused(
            "Remove what follows", 'https://example.com?a=b', 'https://example.com/#top',
            'https://example.com?', 'https://example.com#', 'example.com/login?ReturnUrl=%2F',
        )

    def test_onion(self):
        self._assert_refused(
            "Tor", 'http://abc.onion', 'https://ABC.Onion./', 'abc.onion:80', 'http://abc。onion',
        )

    def test_scheme(self):
        self._assert_refused(
            "must begin with https", 'ftp://example.com', 'javascript://example.com',
            'file:///etc/passwd', 'ws://example.com',
        )

    def test_no_host(self):
        self._assert_refused(
            "has no host name", 'https://', 'https:///path', 'https://exa mple.com',
            'https://example.com\\@evil.com', 'https://.', 'https://:8443',
        )

    def test_no_address(self):
        self._assert_refused(
            "is not a web address", 'https://example.com:99999', 'https://example.com:port',
            'https://[::1', 'https://a..b.com', f'https://{"a" * 64}.com',
        )


@tagged('post_install', '-at_install')
class TestCheckScheme(TransactionCase):

    def _is_accepted(self, url, *found):
        result = [(None, None, None, '', (ip, 0)) for ip in found]
        with patch(GETADDRINFO, return_value=result, side_effect=None if found else OSError):
            try:
                server_address.check_scheme(self.env, url)
            except ValidationError:
                return False
        return True

    def test_addresses(self):
        for url, accepted in {
            'http://127.0.0.1:14142': True,
            'http://127.8.9.1': True,
            'http://[::1]:80': True,
            'http://localhost:1234': True,
            'http://shop.localhost': True,
            'http://10.1.2.3': True,
            'http://172.20.1.1': True,
            'http://192.168.178.20/pay': True,
            'http://[fd00::1]': True,
            'http://8.8.8.8': False,
            'http://172.32.1.1': False,
            'http://[2606:4700::1111]': False,
            'http://[::ffff:8.8.8.8]': False,
            'https://8.8.8.8': True,
        }.items():
            with self.subTest(url=url):
                self.assertEqual(self._is_accepted(url), accepted)

    def test_loopback(self):
        for host, expected in {
            'localhost': True, 'a.localhost': True, '127.0.0.1': True, '127.1.2.3': True,
            '::1': True, '::ffff:127.0.0.1': True, 'localhost.example.com': False,
            '192.168.1.5': False, 'example.com': False, '': False,
        }.items():
            with self.subTest(host=host):
                self.assertEqual(server_address.is_loopback(host), expected)

    def test_names(self):
        url = 'http://btcpay.example.com'
        self.assertTrue(self._is_accepted(url, '192.168.1.5'))
        self.assertTrue(self._is_accepted(url, 'fe80::1%eth0'))
        self.assertFalse(self._is_accepted(url, '8.8.8.8'))
        self.assertFalse(self._is_accepted(url, '192.168.1.5', '8.8.8.8'))
        self.assertFalse(self._is_accepted(url), "The name is not known.")


@tagged('post_install', '-at_install')
class TestResolve(BTCPayCommon):

    def _resolve(self, address, timeout=5):
        return server_address.resolve(self.env, address, timeout)

    def _assert_refused(self, address, text, timeout=5):
        with self.assertRaisesRegex(ValidationError, text):
            self._resolve(address, timeout)

    def _serve(self, answer, **kwargs):
        server = SmallServer(answer, **kwargs)
        server.__enter__()
        self.addCleanup(server.__exit__)
        return server

    def _trust(self):
        folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        certificate = write_certificate(folder / 'certificate.pem')
        self.enterContext(patch.dict('os.environ', {'REQUESTS_CA_BUNDLE': certificate}))
        return certificate

    # === A BTCPAY SERVER === #

    def test_server(self):
        self.assertEqual(self._resolve(f' {self.world.url}/ '), self.world.url)
        paths = [request['path'] for request in self.world.requests()]
        self.assertEqual(paths[-1], HEALTH)

    def test_below_a_path(self):
        world = StandIn.started(path='/pay')
        self.addCleanup(world.close)
        self.assertEqual(self._resolve(f'{world.url}/'), world.url)
        self._assert_refused(world.url.removesuffix('/pay'), "There is no BTCPay Server")

    def test_page_of_the_server(self):
        self._assert_refused(f'{self.world.url}/login', "without the page's path")

    # === REDIRECTIONS === #

    def test_redirected(self):
        for status in (301, 302, 303, 307, 308):
            server = self._serve(lambda http, s=status: http.redirect(self.world.url + HEALTH, s))
            self.assertEqual(self._resolve(server.url), self.world.url)

    def test_redirected_to_a_path(self):
        def answer(http):
            if http.path == HEALTH:
                http.redirect(f'/pay{HEALTH}?from=root')
            elif http.path.startswith('/pay/api'):
                http.reply()

        server = self._serve(answer)
        self.assertEqual(self._resolve(server.url), f'{server.url}/pay')

    def test_redirected_to_https(self):
        secure = self._serve(lambda http: http.reply(), certificate=self._trust())
        plain = self._serve(lambda http: http.redirect(secure.url + HEALTH))
        self.assertEqual(self._resolve(plain.url), secure.url)

    def test_redirected_to_http(self):
        secure = self._serve(
            lambda http: http.redirect(self.world.url + HEALTH), certificate=self._trust()
        )
        self._assert_refused(secure.url, "unencrypted address")

    def test_redirected_to_public_http(self):
        server = self._serve(lambda http: http.redirect(f'http://8.8.8.8{HEALTH}'))
        self._assert_refused(server.url, "plain http")

    def test_redirected_elsewhere(self):
        for location in ('/login', f'{self.world.url}/', 'http://[', ''):
            server = self._serve(lambda http, to=location: http.redirect(to))
            with self.subTest(location=location):
                self._assert_refused(server.url, "There is no BTCPay Server")

    def test_redirected_to_what_is_refused(self):
        for netloc, text in {'me:secret@127.0.0.1': "user name", 'abc.onion': "Tor"}.items():
            server = self._serve(lambda http, to=netloc: http.redirect(f'http://{to}{HEALTH}'))
            with self.subTest(netloc=netloc):
                self._assert_refused(server.url, text)

    def test_redirected_for_ever(self):
        server = self._serve(lambda http: http.redirect(http.path))
        self._assert_refused(server.url, "There is no BTCPay Server")
        self.assertLess(len(server.requests), 10)

    # === NO BTCPAY SERVER === #

    def test_something_else(self):
        for body, status in (
            (b'<html>A shop</html>', 200), (b'{"status": "ok"}', 200), (b'["synchronized"]', 200),
            (b'"synchronized"', 200), (b'', 200), (b'[' * 100_000, 200), (b'', 404),
            (b'{"synchronized": true}', 500), (b'\xff\xfe\x00', 200),
        ):
            server = self._serve(lambda http, b=body, s=status: http.reply(b, s))
            with self.subTest(body=body[:30], status=status):
                self._assert_refused(server.url, "There is no BTCPay Server")

    def test_too_large(self):
        self.enterContext(patch.object(const, 'MAX_RESPONSE_SIZE', 1000))
        server = self._serve(lambda http: http.reply(b'{"synchronized": true}' + b' ' * 1000))
        self._assert_refused(server.url, "No server answers")

    def test_nobody(self):
        with SmallServer(lambda http: None) as server:
            url = server.url
        self._assert_refused(url, "No server answers")

    def test_dropped(self):
        self.world.fault('drop', path='health')
        self._assert_refused(self.world.url, "No server answers")

    def test_certificate(self):
        secure = self._serve(lambda http: http.reply(), certificate=self._trust())
        self.enterContext(patch.dict('os.environ', {'REQUESTS_CA_BUNDLE': ''}))
        self._assert_refused(secure.url, "certificate")

    def test_hangs(self):
        server = self._serve(lambda http: time.sleep(4))
        start = time.monotonic()
        self._assert_refused(server.url, "No server answers", timeout=1)
        self.assertLess(time.monotonic() - start, 3)

    def test_one_deadline_for_all_redirections(self):
        def answer(http):
            time.sleep(0.6)
            http.redirect(http.path)

        server = self._serve(answer)
        start = time.monotonic()
        self._assert_refused(server.url, "No server answers", timeout=1)
        self.assertLess(time.monotonic() - start, 2)
