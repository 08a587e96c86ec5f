from odoo.tests import tagged

from odoo.addons.payment_btcpay.tests.common import BTCPayCommon
from odoo.addons.payment_btcpay.tests.money_common import MoneyMixin


@tagged('post_install', '-at_install')
class TestStock(MoneyMixin, BTCPayCommon):
    """What Odoo reserves for orders that are confirmed when their payment is seen, or settled."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        if cls.env['ir.module.module']._get('sale_stock').state != 'installed':
            cls.skipTest(cls, "There is no stock (module sale_stock is not installed).")
        cls.product = cls.env['product.product'].create({
            'name': "Box", 'type': 'consu', 'list_price': 100, 'taxes_id': False,
        })

    def _see(self):
        """Have the payment of an order seen, one that may vanish.

        :return: The order, its transaction, and the id of the payment.
        """
        order = self._create_order()
        tx = self._create_btcpay_transaction(order)
        txid = self.world.pay(tx.btcpay_invoice_id, replaceable=True)
        self._look(tx)
        self._post_process()
        return order, tx, txid

    def _settle(self, tx):
        self.world.mine()
        self._look(tx)
        self._post_process()

    def test_when_the_default_is_kept_then_it_is_reserved_once_the_payment_is_settled(self):
        order, tx, _txid = self._see()
        self.assertEqual((order.state, len(order.picking_ids)), ('sent', 0))
        self._settle(tx)
        self.assertEqual((order.state, len(order.picking_ids)), ('sale', 1))

    def test_when_the_payment_vanishes_then_each_open_delivery_says_that_it_is_not_paid(self):
        self.btcpay.sudo().btcpay_confirm_when = 'seen'
        order, tx, txid = self._see()
        self.assertEqual((order.state, len(order.picking_ids)), ('sale', 1))
        self.assertFalse(order.picking_ids.activity_ids)
        self.world.replace(txid)
        self._settle(tx)
        self.assertIn("Ship nothing.", self._activities(order.picking_ids))
        self.world.pay(tx.btcpay_invoice_id)
        self._settle(tx)
        self.assertEqual(tx.state, 'done')
        self.assertFalse(order.picking_ids.activity_ids)
