from unittest.mock import patch

from odoo.exceptions import UserError
from odoo.tests import JsonRpcException, new_test_user, tagged
from odoo.tools import mute_logger

from odoo.addons.payment_btcpay.tests.common import BTCPayHttpCommon
from odoo.addons.payment_btcpay.tests.request.request_common import RequestMixin


@tagged('post_install', '-at_install')
class TestRequestRpc(RequestMixin, BTCPayHttpCommon):
    """The list's action, called as a browser can."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        for login, groups in (
            ('rpc_accountant', 'account.group_account_invoice'),
            ('rpc_employee', 'base.group_user'),
            ('rpc_reader', 'account.group_account_readonly'),
        ):
            new_test_user(cls.env, login, groups=groups)

    def _call(self, model, method, ids):
        return self.make_jsonrpc_request(f'/web/dataset/call_kw/{model}/{method}', {
            'model': model, 'method': method, 'args': [ids], 'kwargs': {},
        })

    def _request(self, login, ids):
        """:return: The message of the notification."""
        self.authenticate(login, login)
        self.env.cr.commit()
        wizard = self._call('account.move', 'action_btcpay_request_many', ids)
        action = self._call(wizard['res_model'], 'action_send', [wizard['res_id']])
        self.env.invalidate_all()
        return action['params']['message']

    @mute_logger('odoo.http')
    def test_when_the_user_may_not_request_payments_then_nothing_is_mailed(self):
        self.portal_user.partner_id.email = 'customer@example.com'
        move = self._create_invoice(partner_id=self.portal_user.partner_id.id)
        move.with_user(self.portal_user).check_access('read')
        for login in (self.portal_user.login, 'rpc_employee', 'rpc_reader'):
            with self.subTest(login=login), self.assertRaises(JsonRpcException) as error:
                self._request(login, move.ids)
            self.assertIn('AccessError', str(error.exception))
        self.assertFalse(move.btcpay_requested_amount)

    def test_when_a_customer_posts_with_the_context_of_a_request_then_none_is_noted(self):
        """Odoo lets them post, with the rights of everybody and any context, on their documents."""
        partner = self.portal_user.partner_id
        partner.email = 'customer@example.com'
        for document in (
            self._create_order(partner_id=partner.id), self._create_invoice(partner_id=partner.id),
        ):
            theirs = document.with_user(self.portal_user).with_context(btcpay_amount=100)
            theirs.sudo().message_post(body="Hello", partner_ids=partner.ids)
            self.assertFalse(document.btcpay_requested_at, document)
            self.assertNotIn("was requested of", str(document.message_ids.mapped('body')))

    def test_when_the_same_id_comes_fifty_times_then_one_request_is_mailed(self):
        move = self._create_invoice()
        message = self._request('rpc_accountant', move.ids * 50)
        self.assertIn("Requests on their way: 1 of 1.", message)
        self.assertEqual(len(self._requests(move)), 1)

    def test_when_one_document_fails_then_nothing_of_it_is_left_half_done(self):
        moves = self._create_invoice() | self._create_invoice()
        send = type(moves)._btcpay_send_request

        def fail_after(move, amount):
            send(move, amount)
            if move == moves[0]:
                raise UserError("Refused by somebody's module.")

        with patch.object(type(moves), '_btcpay_send_request', fail_after):
            message = self._request('rpc_accountant', moves.ids)
        self.assertIn("Requests on their way: 1 of 2.", message)
        self.assertIn("Refused by somebody's module.", message)
        self.assertFalse(moves[0].btcpay_requested_amount)
        self.assertFalse(self._requests(moves[0]))
        self.assertTrue(moves[1].btcpay_requested_amount)
        self.assertEqual(len(self._requests(moves[1])), 1)
