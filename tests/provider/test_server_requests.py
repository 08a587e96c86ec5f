import logging
from contextlib import contextmanager
from decimal import Decimal
from unittest.mock import patch

import requests

from odoo.tests import tagged
from odoo.tools import mute_logger

from odoo.addons.payment_btcpay import const
from odoo.addons.payment_btcpay.models.payment_provider.client import BTCPayError
from odoo.addons.payment_btcpay.tests.common import BTCPayCommon
from odoo.addons.payment_btcpay.tests.provider.small_server import SmallServer

LOGGER = 'odoo.addons.payment_btcpay.models.payment_provider.client'
KEY = '5ec7e7' * 6


@tagged('post_install', '-at_install')
class TestServerRequests(BTCPayCommon):

    def setUp(self):
        super().setUp()
        self.btcpay.sudo().btcpay_api_key = self.api_key  # One test has it revoked.

    def _send(self, method='GET', endpoint='/api-keys/current', **kwargs):
        return self.btcpay._send_api_request(method, endpoint, **kwargs)

    @contextmanager
    def _serve(self, answer):
        """Have the provider connected with a small server."""
        with SmallServer(answer) as server:
            self.btcpay.sudo().write({'btcpay_server_url': server.url, 'btcpay_api_key': KEY})
            yield server

    def _assert_fails(self, text, *args, status=None, code=None, temporary=None, **kwargs):
        """Assert that a call fails, and that nothing secret is in the error or in the log.

        :rtype: BTCPayError
        """
        with (
            self.assertLogs(LOGGER, logging.INFO) as log,
            self.assertRaisesRegex(BTCPayError, text) as catcher,
        ):
            self._send(*args, **kwargs)
        error = catcher.exception.error
        self.assertEqual(error.status, status)
        if code is not None:
            self.assertEqual(error.code, code)
        if temporary is not None:
            self.assertEqual(error.is_temporary, temporary)
        secret = self.btcpay.sudo().btcpay_api_key
        self.assertNotIn(secret, " ".join(log.output))
        self.assertNotIn(secret, catcher.exception.args[0])
        self.assertNotIn(secret, str(error))
        return error

    def _assert_answer_fails(self, text, body, http_status, **kwargs):
        with self._serve(lambda http: http.reply(body, http_status)):
            return self._assert_fails(text, status=http_status, **kwargs)

    # === WHAT IS SENT === #

    def test_when_a_request_is_sent_then_it_has_the_key_and_asks_for_json(self):
        with self._serve(lambda http: http.reply(b'{"a": 1}')) as server:
            self.assertEqual(self._send(params={'b': 'ä'}), {'a': 1})
        [(method, path, headers)] = server.requests
        self.assertEqual((method, path), ('GET', '/api/v1/api-keys/current?b=%C3%A4'))
        self.assertEqual(headers['Authorization'], f'token {KEY}')
        self.assertEqual(headers['Accept'], 'application/json')

    def test_when_the_key_is_left_out_then_no_authorization_is_sent(self):
        with self._serve(lambda http: http.reply(b'{}')) as server:
            self._send(btcpay_api_key='')
        self.assertNotIn('Authorization', server.requests[0][2])

    def test_when_another_address_and_key_are_given_then_they_are_used(self):
        with SmallServer(lambda http: http.reply(b'{}')) as server:
            self._send(btcpay_server_url=f'{server.url}/pay', btcpay_api_key=KEY)
        [(_method, path, headers)] = server.requests
        self.assertEqual(path, '/pay/api/v1/api-keys/current')
        self.assertEqual(headers['Authorization'], f'token {KEY}')

    def test_when_the_languages_are_asked_for_then_the_path_is_outside_of_the_api(self):
        with self._serve(lambda http: http.reply(b'[]')) as server:
            self._send(endpoint='/misc/lang')
        self.assertEqual(server.requests[0][1], '/misc/lang')

    def test_when_nothing_is_connected_then_a_request_fails(self):
        self.btcpay.sudo().write({
            'state': 'disabled', **self.btcpay._btcpay_get_empty_connection(),
        })
        with mute_logger(LOGGER), self.assertRaisesRegex(
            BTCPayError, "No BTCPay Server is connected"
        ):
            self._send()

    # === WHAT COMES BACK === #

    def test_when_the_answer_has_decimals_then_they_stay_exact(self):
        body = b'{"amount": 0.10000000000000000001, "count": 3}'
        with self._serve(lambda http: http.reply(body)):
            self.assertEqual(
                self._send(), {'amount': Decimal('0.10000000000000000001'), 'count': 3}
            )

    def test_when_the_answer_is_empty_then_nothing_is_returned(self):
        with self._serve(lambda http: http.reply(b'')):
            self.assertIsNone(self._send('DELETE'))

    def test_when_the_server_redirects_then_it_is_not_followed(self):
        for status in (301, 302, 303, 307, 308):
            with SmallServer(lambda http: http.reply()) as other:
                with self.subTest(status=status), self._serve(
                    lambda http, s=status: http.redirect(f'{other.url}{http.path}', s)
                ) as server:
                    self._assert_fails("has moved", status=status, temporary=False)
                    self.assertEqual(len(server.requests), 1)
                self.assertFalse(other.requests, "The key went elsewhere.")

    def test_when_the_server_redirects_to_nonsense_then_the_error_says_that_it_moved(self):
        with self._serve(lambda http: http.redirect('http://[')):
            self._assert_fails("has moved", status=302)

    def test_when_the_key_was_revoked_then_the_error_says_so_and_is_not_temporary(self):
        self.world.revoke_key(self.api_key)
        try:
            self._assert_fails(
                "no longer accepts the API key", status=401, code='unauthenticated',
                temporary=False,
            )
        finally:
            self.__class__.api_key = self.world.new_key(self.store_id, const.PERMISSIONS)
            self.btcpay.sudo().btcpay_api_key = self.api_key

    def test_when_access_is_forbidden_then_the_error_names_store_and_permission(self):
        self._assert_fails(
            "does not exist, or the API key lacks a permission", endpoint='/stores/unknown',
            status=403, code='missing-permission', temporary=False,
        )

    def test_when_the_path_is_not_found_then_the_request_counts_as_refused(self):
        self._assert_fails(
            "refused the request: HTTP 404", endpoint='/nothing', status=404, temporary=False
        )

    def test_when_fields_are_refused_then_the_error_names_them(self):
        error = self._assert_fails(
            "Amount", 'POST', f'/stores/{self.store_id}/invoices', json={'amount': '-1'},
            status=422, code='validation', temporary=False,
        )
        self.assertEqual(error.fields[0][0], 'Amount')
        self._assert_answer_fails(
            r"refused the request: A: no; B: never$",
            b'[{"path": "A", "message": "no"}, 7, {"path": "B", "message": "never"}]', 422,
        )

    def test_when_the_refusal_has_many_lines_then_the_error_has_one_line(self):
        error = self._assert_answer_fails(
            "refused the request: Error retrieving a matching payment method or rate",
            b'{"code": "generic-error", "message": "Error retrieving a matching payment method or'
            b' rate.\\nBTC-CHAIN: No rate\\nStack"}', 400, code='generic-error', temporary=False,
        )
        self.assertNotIn("\n", error.reason)
        self.assertNotIn("Stack", error.reason)

    def test_when_the_refusal_is_strange_or_long_then_the_error_can_still_be_read(self):
        for body in (
            b'', b'null', b'7', b'"text"', b'[]', b'[1]', b'{}', b'{"message": null}',
            b'{"message": {"a": 1}, "code": 3}',
        ):
            with self.subTest(body=body[:20]):
                self._assert_answer_fails("refused the request", body, 400)
        for body in (b'<html>', b'[' * 100_000):  # What the server never says.
            with (
                self.subTest(body=body[:20]),
                self._serve(lambda http, text=body: http.reply(text, 400)),
            ):
                self._assert_fails("between Odoo and the server", temporary=True)
        long = b'{"message": "' + b'x' * 10_000 + b'"}'
        self.assertLess(len(self._assert_answer_fails("refused", long, 400).reason), 600)

    def test_when_the_server_has_a_problem_then_the_error_is_temporary(self):
        for status in (500, 502, 503, 504, 408, 429):
            self.world.fault('status', status=status)
            with self.subTest(status=status):
                self._assert_fails(
                    rf"problem at the moment \(HTTP {status}\)", status=status, temporary=True
                )

    def test_when_half_a_body_comes_then_the_error_is_temporary(self):
        self.world.fault('half')
        self._assert_fails("answer", temporary=True)

    def test_when_the_json_is_wrong_then_the_error_is_temporary(self):
        self.world.fault('wrong_json')
        self._assert_fails("cannot be understood", code='unexpected-answer', temporary=True)
        with self._serve(lambda http: http.reply(b'[' * 100_000)):
            self._assert_fails("cannot be understood", temporary=True)

    def test_when_the_connection_is_dropped_then_the_error_is_temporary(self):
        self.world.fault('drop')
        self._assert_fails("did not answer", temporary=True)

    def test_when_the_connection_is_unsafe_then_the_error_says_so_and_not_that_nobody_answers(self):
        """The name leads to another address than when the store was connected, say."""
        with (
            patch('odoo.addons.payment_btcpay.greenfield.deadline.is_forbidden', return_value=True),
            self._serve(lambda http: http.reply(b'{}')) as server,
        ):
            self._assert_fails("leads to an IP address", code='peer', temporary=True)
            self.assertFalse(server.requests)
        error = requests.exceptions.SSLError()
        with patch.object(requests.Session, 'send', side_effect=error):
            self._assert_fails("no secure connection", code='tls', temporary=True)

    def test_when_the_server_is_slow_but_in_time_then_the_answer_is_read(self):
        self.world.fault('slow', seconds=0.5)
        self.assertEqual(self._send(btcpay_timeout=5)['apiKey'], self.api_key)

    # === LOGS === #

    def test_when_everything_is_logged_then_neither_key_nor_secret_is_in_the_log(self):
        with self.assertLogs(None, 'DEBUG') as log, mute_logger('odoo.sql_db'):
            self._send()
            self._send('POST', f'/stores/{self.store_id}/webhooks', json={
                'url': 'https://example.com/hook', 'secret': 'a secret of ours',
            })
        output = " ".join(log.output)
        self.assertIn("BTCPay POST", output)
        for secret in (self.api_key, 'a secret of ours'):
            self.assertNotIn(secret, output)

    def test_when_a_request_is_logged_then_the_log_says_what_it_was_for(self):
        with self.assertLogs(LOGGER, logging.INFO) as log:
            self._send(reference='S00042')
            self._send()
        self.assertIn("GET /api-keys/current for transaction S00042: HTTP 200", log.output[0])
        self.assertIn(f"for provider {self.btcpay.id}: HTTP 200", log.output[1])

    # === OTHER PROVIDERS === #

    def test_when_the_provider_is_another_then_requests_are_left_to_odoo(self):
        self.assertEqual(self.dummy_provider._build_request_url('/x'), '')
        self.assertEqual(self.dummy_provider._build_request_headers('GET', '/x', None), {})
