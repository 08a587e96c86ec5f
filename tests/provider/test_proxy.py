import importlib.util
from unittest.mock import patch

from odoo.exceptions import ValidationError
from odoo.tests import tagged
from odoo.tools import mute_logger

from odoo.addons.payment_btcpay.greenfield import Session, Unreachable, address
from odoo.addons.payment_btcpay.greenfield.errors import NO_SOCKS
from odoo.addons.payment_btcpay.tests.provider.connect_common import BTCPayConnectCommon

CLIENT = 'odoo.addons.payment_btcpay.models.payment_provider.client'
PROXY = 'socks5h://127.0.0.1:9050'
ONION = f'http://{"a" * 56}.onion'


@tagged('post_install', '-at_install')
class TestProxy(BTCPayConnectCommon):
    """A server behind Tor is reached by the provider's SOCKS proxy."""

    def setUp(self):
        super().setUp()
        self.has_pysocks = True
        find_spec = importlib.util.find_spec
        self.startPatcher(patch.object(importlib.util, 'find_spec', lambda name, *args: (
            self.has_pysocks if name == 'socks' else find_spec(name, *args)
        )))

    def test_when_the_proxy_is_no_address_of_one_then_it_is_refused(self):
        for proxy in ('127.0.0.1:9050', 'http://127.0.0.1:8080', 'socks5h://127.0.0.1', 'x',
                      'socks5h://127.0.0.1:port'):
            with self.subTest(proxy=proxy), self.assertRaisesRegex(ValidationError, "SOCKS proxy"):
                self.btcpay.btcpay_proxy = proxy
        self.btcpay.btcpay_proxy = PROXY

    def test_when_pysocks_is_missing_then_it_is_said_what_to_install(self):
        self.has_pysocks = False
        with self.assertRaisesRegex(ValidationError, "pip install PySocks"):
            self.btcpay.btcpay_proxy = PROXY
        error = Unreachable("missing", NO_SOCKS)
        self.assertIn("pip install PySocks", self.btcpay._btcpay_explain(error))

    def test_when_the_address_is_of_tor_then_a_proxy_is_asked_for_first(self):
        with self.assertRaisesRegex(ValidationError, "through a SOCKS proxy only"):
            self._begin(ONION)
        self.btcpay.btcpay_proxy = PROXY
        asked = []

        def resolve(url, _timeout, proxy=''):
            asked.append(proxy)
            return address.normalize(url, bool(proxy))

        with patch.object(address, 'resolve', resolve):
            self._begin(ONION)
        self.assertEqual(asked, [PROXY])
        self.assertEqual(
            f'{self.authorize_url.scheme}://{self.authorize_url.netloc}', ONION)

    def test_when_there_is_a_proxy_then_every_call_goes_through_it(self):
        self._connect_well()
        self.btcpay.btcpay_proxy = PROXY
        self.env.cr.commit()
        proxies = []

        class Noted(Session):
            def __init__(self, proxy=''):
                proxies.append(proxy)
                super().__init__()

        with patch(f'{CLIENT}.Session', Noted), mute_logger(CLIENT):
            self.btcpay.action_btcpay_check()
            self.btcpay._send_api_request('GET', '/health')
            self.btcpay.action_reset_credentials()
        self.assertGreater(len(proxies), 3)
        self.assertEqual(set(proxies), {PROXY})
