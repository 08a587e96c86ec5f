from odoo.tests import tagged

from odoo.addons.payment_btcpay.tests.common import BTCPayCommon


@tagged('post_install', '-at_install')
class TestOrderScreen(BTCPayCommon):

    def test_summary(self):
        order = self._create_order()
        self.assertFalse(order.btcpay_status_text)
        self._pay_order(order)
        self.assertEqual(order.btcpay_received_amount, 100)
        self.assertEqual(order.btcpay_status_text, "Paid")
        self.assertTrue(order.btcpay_can_refund)

    def test_request(self):
        order = self._create_order()
        action = order.action_btcpay_request()
        wizard = self.env[action['res_model']].browse(action['res_id'])
        self.assertEqual(wizard.amount, 100)
        self.assertIn('btcpay=1', wizard.link)
        wizard.action_send()
        self.assertIn(wizard.link.replace('&', '&amp;'), order.message_ids[0].body)

    def test_refund_wizard(self):
        order = self._create_order()
        self._pay_order(order)._post_process()
        action = order.action_btcpay_refund()
        wizard = self.env[action['res_model']].browse(action['res_id'])
        self.assertEqual(wizard.amount, 100)
        self.assertEqual(wizard.rate_then_text, '0.00200000 BTC')
        wizard.write({'scope': 'amount', 'amount': 50})
        refund = self.env['payment.transaction'].browse(wizard.action_refund()['res_id'])
        self.assertEqual(refund.state, 'pending')
