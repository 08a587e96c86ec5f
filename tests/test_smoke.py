from odoo.tests import tagged

from odoo.addons.payment_btcpay.tests.common import BTCPayCommon, BTCPayHttpCommon


@tagged('post_install', '-at_install')
class TestSmoke(BTCPayCommon):

    def test_paid(self):
        order = self._create_order()
        tx = self._pay_order(order)
        self.assertEqual(tx.state, 'done')
        tx._post_process()
        self.assertEqual(order.state, 'sale')
        self.assertTrue(tx.payment_id)
        self.assertEqual(len(tx.btcpay_payment_ids), 1)


@tagged('post_install', '-at_install')
class TestSmokeHttp(BTCPayHttpCommon):

    def test_webhook(self):
        tx = self._create_btcpay_transaction(self._create_order())
        with self._world_speaks() as world:
            world.pay(tx.btcpay_invoice_id)
            world.mine()
        self.assertEqual(tx.state, 'done')
