from http.client import HTTPConnection
from urllib.parse import urlsplit

from odoo.tests import tagged
from odoo.tools import mute_logger

from odoo.addons.payment_btcpay import const
from odoo.addons.payment_btcpay.tests.common import BTCPayHttpCommon


@tagged('post_install', '-at_install')
class TestBodies(BTCPayHttpCommon):
    """What is longer than anything we are sent is refused before it is read."""

    def _announce(self, method, route, size, content_type):
        """Announce a body, and send only its beginning.

        :return: The status of the answer.
        """
        connection = HTTPConnection(urlsplit(self.base_url()).netloc, timeout=5)
        self.addCleanup(connection.close)
        self.env.flush_all()
        with self.allow_requests(all_requests=True):
            connection.request(method, route, body=b'apiKey=', headers={
                'Content-Type': content_type, 'Content-Length': str(size),
            })
            return connection.getresponse().status

    @mute_logger('odoo.http', 'odoo.addons.payment_btcpay.controllers.main')
    def test_when_a_body_is_too_long_then_it_is_refused_unread(self):
        forms = ('application/x-www-form-urlencoded', 'multipart/form-data; boundary=x')
        for method, route, limit, types in (
            ('POST', f'{const.WEBHOOK_ROUTE}/{self.btcpay.id}', const.MAX_WEBHOOK_SIZE,
             (*forms, 'application/json')),
            ('POST', const.CALLBACK_ROUTE, const.MAX_FORM_SIZE, forms),
            ('POST', const.PAY_AGAIN_ROUTE, const.MAX_FORM_SIZE, forms),
        ):
            for content_type in types:
                with self.subTest(route=route, type=content_type):
                    self.assertEqual(
                        self._announce(method, route, limit + 1, content_type), 413
                    )
