from odoo.tests import tagged

from odoo.addons.payment_btcpay.tests.common import BTCPayCommon


@tagged('post_install', '-at_install')
class TestRefund(BTCPayCommon):

    def test_half_refunded_in_two_parts(self):
        tx = self._pay_order(self._create_order())
        tx._post_process()
        refund = tx._btcpay_request_refund(50)
        self.assertEqual(refund.state, 'pending')
        self.assertEqual(refund.amount, -50)
        self.assertEqual(tx._btcpay_get_refund_sums()['available'], 50)
        for amount in ('20.00', '30.00'):
            payout = self.world.claim(refund.btcpay_pull_payment_id, amount)
            self.world.approve(payout)
            self.world.pay_payout(payout)
            refund._btcpay_synchronize()
        self.assertEqual(refund.state, 'done')
        refund._post_process()
        self.assertEqual(refund.payment_id.payment_type, 'outbound')
        self.assertEqual(tx._btcpay_get_refund_sums()['refunded'], 50)
