from odoo.tests import tagged

from odoo.addons.payment_btcpay.tests.common import BTCPayHttpCommon
from odoo.addons.payment_btcpay.tests.refund.refund_common import RefundMixin


@tagged('post_install', '-at_install')
class TestRefundHttp(RefundMixin, BTCPayHttpCommon):
    """The customer's page, and what the server tells us."""

    # === THE CUSTOMER'S PAGE === #

    def _page(self, order):
        self.env.flush_all()
        return self.url_open(order.get_portal_url()).text

    def test_when_a_refund_is_made_claimed_and_paid_then_the_order_page_shows_each_step(self):
        order = self._create_order()
        tx = self._paid(order)
        self.assertNotIn("Refunds in Bitcoin", self._page(order))
        refund = tx._btcpay_request_refund(50)
        page = self._page(order)
        self.assertIn("Refunds in Bitcoin", page)
        self.assertIn("open the link that you were sent", page)  # See `TestRefundLink`.
        self._claim(refund, '12.00')
        refund._btcpay_sync()
        self.assertRegex(self._page(order), r'12\.00 of .{1,2}50\.00 paid out')
        self._claim(refund)
        refund._btcpay_sync()
        page = self._page(order)
        self.assertIn("Refund paid out", page)
        self.assertNotIn(refund.btcpay_refund_link, page)

    def test_when_a_refund_is_canceled_then_the_order_page_does_not_show_it(self):
        order = self._create_order()
        refund = self._paid(order)._btcpay_request_refund(50)
        self.world.archive_pull_payment(refund.btcpay_pull_payment_id)
        refund._btcpay_sync()
        page = self._page(order)
        self.assertNotIn(refund.btcpay_refund_link, page)
        self.assertNotIn("Refunds in Bitcoin", page)

    # === WEBHOOKS === #

    def test_when_the_server_sends_webhooks_of_a_refund_then_it_is_synced_until_it_is_done(self):
        order = self._create_order()
        tx = self._paid(order)
        refund = tx._btcpay_request_refund(50)
        with self._world_speaks():
            payout_id = self._claim(refund, '12.00', pay=False)
        self.assertEqual(refund.btcpay_payout_ids.state, 'AwaitingApproval')
        with self._world_speaks():
            self.world.approve(payout_id)
            self.world.pay_payout(payout_id)
        self.assertEqual(refund.btcpay_paid_out_amount, 12)
        with self._world_speaks():
            self._claim(refund)
        self.assertEqual(refund.state, 'done')
        self.assertEqual(len(self._refund_mails(order)), 2)
        self.assertEqual(len(tx.btcpay_refund_ids), 1)

    def test_when_the_answer_is_lost_but_an_event_comes_then_the_refund_is_pending(self):
        order = self._create_order()
        tx = self._paid(order)
        self._lose_answer()
        with self._quiet():
            refund = tx._btcpay_request_refund(50)
        [pull_payment] = self._pull_payments()
        event = self._prepare_event(tx, 'InvoiceRefund', pullPaymentId=pull_payment['id'])
        self.env.flush_all()
        self.assertEqual(self._post_event(event).status_code, 200)
        self.env.invalidate_all()
        self.assertEqual(refund.state, 'pending')
        self.assertEqual(tx.btcpay_refund_ids, refund)
        self.assertEqual(refund.btcpay_pull_payment_id, pull_payment['id'])
        self.assertEqual(len(self._refund_mails(order)), 1)

    def test_when_a_refund_is_made_at_the_server_then_it_is_adopted_and_synced(self):
        tx = self._paid()
        with self._world_speaks():
            pull_payment = self._server_refund(tx)
        refund = tx.btcpay_refund_ids
        self.assertEqual(refund.btcpay_pull_payment_id, pull_payment['id'])
        self.assertEqual(refund.state, 'pending')
        with self._world_speaks():
            self.world.archive_pull_payment(pull_payment['id'])
        refund._btcpay_sync()
        self.assertEqual(refund.state, 'cancel')

    def test_when_an_event_is_of_an_unknown_payout_then_it_is_ignored(self):
        event = self._prepare_event(None, 'PayoutCreated', pullPaymentId='unknown', payoutId='x')
        del event['invoiceId']
        self.assertEqual(self._post_event(event).status_code, 200)
        delivery = self.env['btcpay.delivery'].search([], limit=1)
        self.assertEqual(delivery.state, 'ignored')
        self.assertIn("No refund", delivery.reason)

    def test_when_a_refund_event_is_of_an_unknown_invoice_then_it_is_ignored(self):
        event = self._prepare_event(None, 'InvoiceRefund', pullPaymentId='unknown')
        self.assertEqual(self._post_event(event).status_code, 200)
        delivery = self.env['btcpay.delivery'].search([], limit=1)
        self.assertEqual(delivery.state, 'ignored')
