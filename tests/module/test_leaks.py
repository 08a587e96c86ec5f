import base64
import logging

from odoo.exceptions import UserError
from odoo.fields import Command
from odoo.tests import tagged

from odoo.addons.payment_btcpay.tests.common import BTCPayHttpCommon
from odoo.addons.payment_btcpay.tests.refund.refund_common import RefundMixin

_logger = logging.getLogger('payment_btcpay.leak')


@tagged('post_install', '-at_install')
class TestLeaks(RefundMixin, BTCPayHttpCommon):
    """What each test looks for in the end is found wherever it must not be."""

    def setUp(self):
        super().setUp()
        self.order = self._create_order()
        self.refund = self._paid(self.order)._btcpay_request_refund(50)
        self.secrets = (
            self.api_key, self.webhook_secret, self.refund.btcpay_pull_payment_id,
        )

    def _assert_found(self, leak):
        for secret in self.secrets:
            with self.subTest(secret=secret):
                savepoint = self.env.cr.savepoint()
                leak(secret)
                with self.assertRaisesRegex(self.failureException, secret):
                    self._assert_nothing_leaked()
                self._logged.clear()
                self._shown.clear()
                self.env.cr.clear()
                savepoint.close()

    def test_when_nothing_leaks_then_nothing_is_found(self):
        self._assert_nothing_leaked()
        self.assertTrue(self._logged)
        # All are stored, where nobody is to read them.
        self.assertEqual(
            {'payment.provider', 'payment.transaction'} - dict(self._find_stored()).keys(), set()
        )

    def test_when_it_is_logged_then_it_is_found(self):
        self._assert_found(lambda secret: _logger.info("It is %s.", secret))

        def log_cause(secret):
            try:
                try:
                    raise ValueError(secret)
                except ValueError as error:
                    raise UserError("It is said elsewhere.") from error
            except UserError:
                _logger.info("It is the cause.", exc_info=True)

        self._assert_found(log_cause)

    def test_when_it_is_stored_or_noted_or_mailed_then_it_is_found(self):
        for leak in (
            lambda secret: self.order.message_post(body=secret),
            lambda secret: self.order.write({'client_order_ref': secret}),
            lambda secret: self.refund.sudo().write({'btcpay_refund_request': {'a': [secret]}}),
            lambda secret: self.order.activity_schedule(summary=secret, user_id=self.env.uid),
            lambda secret: self.env['ir.config_parameter'].set_param('leak', secret),
            lambda secret: self.env['btcpay.log.entry']._note(
                self.btcpay.id, 'call', lambda: {'received': f'{{"id": "{secret}"}}'}
            ),
            lambda secret: self.env['btcpay.log.export'].create({
                'content': base64.b64encode(secret.encode())
            }),
        ):
            self._assert_found(leak)

    def test_when_it_is_on_a_page_then_it_is_found(self):
        self.authenticate(None, None)

        def show(secret):
            self.order.order_line = [Command.create({'display_type': 'line_note', 'name': secret})]
            self.env.flush_all()
            self.assertIn(secret, self.url_open(self.order.get_portal_url()).text)
            self.order.order_line[-1].name = "Nothing"

        self._assert_found(show)
