from lxml import etree

from odoo.tests import tagged

from odoo.addons.payment_btcpay import const
from odoo.addons.payment_btcpay.tests.common import BTCPayCommon
from odoo.addons.payment_btcpay.tests.refund.refund_common import RefundMixin


@tagged('post_install', '-at_install')
class TestRefundCancel(RefundMixin, BTCPayCommon):
    """A refund is canceled in Odoo, where the API key may; else it is said how at the server."""

    def _set_key(self, *more_permissions):
        """Have a key that may do more than those that “Connect” asks for."""
        provider = self.btcpay.sudo()
        provider.write({
            'btcpay_api_key': self.world.new_key(
                self.store_id, [*const.PERMISSIONS, *more_permissions]
            ),
            'btcpay_key_may_archive': bool(more_permissions),
        })
        self.addCleanup(provider.write, {
            'btcpay_api_key': self.api_key, 'btcpay_key_may_archive': False,
        })

    def test_when_the_key_may_archive_then_a_canceled_refund_is_archived_at_the_server(self):
        self._set_key('btcpay.store.canarchivepullpayments')
        refund = self._paid()._btcpay_request_refund(50)
        self.assertTrue(refund.btcpay_can_cancel_refund)
        refund.action_btcpay_cancel_refund()
        self.assertEqual(refund.state, 'cancel')
        self.assertTrue(self._pull_payments()[0]['archived'])
        self._assert_refused(refund.action_btcpay_cancel_refund, "cannot be canceled")

    def test_when_claimed_just_before_it_is_canceled_then_the_claim_is_seen(self):
        """Afterwards the server lists it no more."""
        self._set_key('btcpay.store.canarchivepullpayments')
        refund = self._paid()._btcpay_request_refund(50)
        self._claim(refund, '20.00')
        refund.action_btcpay_cancel_refund()
        self.assertEqual((refund.state, refund.amount), ('done', -20))
        paid_out = self._paid()._btcpay_request_refund(50)
        self._claim(paid_out)
        paid_out.action_btcpay_cancel_refund()
        self.assertEqual((paid_out.state, paid_out.amount), ('done', -50))
        self.assertFalse(self._pull_payments()[0]['archived'])

    def test_when_the_refund_of_what_was_paid_twice_is_canceled_then_it_is_asked_for_again(self):
        tx = self._paid()
        order = tx.sale_order_ids
        other = self._create_other_transaction(order)
        other._set_done()
        self._post_process()
        self._assert_asked_again(tx, order, "Refund one of the payments")

    def test_when_the_refund_of_a_canceled_order_is_canceled_then_it_is_asked_for_again(self):
        order = self._create_order()
        tx = self._create_btcpay_transaction(order)
        self.world.pay(tx.btcpay_invoice_id)
        order._action_cancel()
        self.world.mine()
        tx._btcpay_sync()
        self._post_process()
        self._assert_asked_again(tx, order, "for what had been canceled. Refund it")

    def _assert_asked_again(self, tx, order, asked):
        """Check that what settled the matter does so no more when it is canceled."""
        self.assertEqual(self._activities(order).count(asked), 1)
        refund = tx._btcpay_request_refund(tx.amount)
        self.assertFalse(order.activity_ids)
        self.world.archive_pull_payment(refund.btcpay_pull_payment_id)
        refund._btcpay_sync()
        self.assertEqual(refund.state, 'cancel')
        self.assertEqual(self._activities(order).count(asked), 1)

    def test_when_the_key_may_not_archive_then_it_says_so_before_the_click(self):
        refund = self._paid()._btcpay_request_refund(50)
        self.assertFalse(refund.btcpay_can_cancel_refund)
        self.assertEqual(
            refund.btcpay_pull_payments_url,
            f'{self.world.url}/stores/{self.store_id}/pull-payments',
        )
        arch = etree.fromstring(self.env['payment.transaction'].get_view(
            self.env.ref('payment_btcpay.btcpay_refund_form').id
        )['arch'])
        [button] = arch.xpath('//button[@name="action_btcpay_cancel_refund"]')
        self.assertEqual(button.get('invisible'), 'not btcpay_can_cancel_refund')
        [hint] = arch.xpath('//field[@name="btcpay_pull_payments_url"]/..')
        self.assertIn("Odoo's API key may not cancel refunds", hint.text)
        self.assertTrue(hint.get('invisible').endswith("or btcpay_can_cancel_refund"))

    def test_when_the_refund_is_of_another_store_then_it_cannot_be_canceled_in_odoo(self):
        self._set_key('btcpay.store.canarchivepullpayments')
        refund = self._paid()._btcpay_request_refund(50)
        self.btcpay.sudo().btcpay_store_id = 'another'
        self.addCleanup(self.btcpay.sudo().write, {'btcpay_store_id': self.store_id})
        self.env.invalidate_all()
        self.assertFalse(refund.btcpay_can_cancel_refund)
        self.assertIn(f'/stores/{self.store_id}/', refund.btcpay_pull_payments_url)

    def test_when_the_key_may_not_archive_then_canceling_says_what_to_do_at_the_server(self):
        refund = self._paid()._btcpay_request_refund(50)
        with self._quiet():
            self._assert_refused(refund.action_btcpay_cancel_refund, refund.btcpay_refund_name)
            self._assert_refused(refund.action_btcpay_cancel_refund, "archive it")
        self.assertEqual(refund.state, 'pending')
