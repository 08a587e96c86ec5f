from odoo.exceptions import UserError
from odoo.tests import tagged

from odoo.addons.payment_btcpay.tests.checkout.methods_common import DiscountMixin
from odoo.addons.payment_btcpay.tests.common import BTCPayCommon


@tagged('post_install', '-at_install')
class TestConfirmSeen(DiscountMixin, BTCPayCommon):
    """By a setting the order is confirmed, and stock reserved, when the payment is seen."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.btcpay.sudo().write({
            'btcpay_confirm_when': 'seen', 'btcpay_discount_method_id': False,
        })

    def _see(self, order, **values):
        """Have the payment of an order seen, and Odoo do what is to be done then."""
        tx = self._create_btcpay_transaction(order)
        self.txid = self.world.pay(tx.btcpay_invoice_id, **values)
        self._look(tx)
        self._post_process()
        return tx

    def _assert_settled_when_paid_again(self, tx):
        """Check that what is paid again needs no warning any more."""
        self.world.pay(tx.btcpay_invoice_id)
        self.world.mine()
        self._look(tx)
        self._post_process()
        self.assertEqual(tx.state, 'done')
        self.assertFalse(tx.sale_order_ids.activity_ids)

    def test_when_the_default_is_kept_then_a_seen_payment_confirms_nothing(self):
        self.btcpay.sudo().btcpay_confirm_when = 'settled'
        order = self._create_order()
        tx = self._see(order)
        self.assertEqual((tx.state, order.state), ('pending', 'sent'))
        self.assertFalse(tx.btcpay_is_confirmed_seen)

    def test_when_a_payment_is_seen_then_the_order_is_confirmed_and_later_booked(self):
        order = self._create_order()
        tx = self._see(order)
        self.assertEqual((tx.state, order.state), ('pending', 'sale'))
        self.assertFalse(tx.payment_id)
        self.assertIn("It is not settled yet", self._notes(order))
        self.world.mine()
        self._look(tx)
        self._post_process()
        self.assertEqual((tx.state, order.state, order.amount_paid), ('done', 'sale', 100))
        self.assertEqual(tx.payment_id.amount, 100)
        self.assertFalse(order.activity_ids)

    def test_when_a_part_is_seen_then_the_order_is_confirmed_with_the_rest(self):
        order = self._create_order()
        tx = self._see(order, fraction='0.5')
        self.assertEqual((tx.state, order.state), ('pending', 'sent'))
        self.world.pay(tx.btcpay_invoice_id)
        self._look(tx)
        self._post_process()
        self.assertEqual((tx.btcpay_status, order.state), ('Processing', 'sale'))

    def test_when_less_is_seen_than_is_to_be_prepaid_then_nothing_is_confirmed(self):
        order = self._create_order(require_payment=True, prepayment_percent=0.5)
        tx = self._create_btcpay_transaction(order, amount=40)
        self.world.pay(tx.btcpay_invoice_id)
        self._look(tx)
        self._post_process()
        self.assertEqual(order.state, 'sent')

    def test_when_the_payment_vanishes_then_a_person_is_asked_and_deliveries_are_marked(self):
        order = self._create_order()
        tx = self._see(order, replaceable=True)
        self.assertEqual(order.state, 'sale')
        self.world.replace(self.txid)
        self.world.mine()
        for _time in range(2):
            self._look(tx)
        self.assertEqual(order.state, 'sale')  # It is a person who cancels.
        self.assertEqual(len(order.activity_ids), 1)
        self.assertIn("the order is not paid. Ship nothing.", self._activities(order))
        self._assert_settled_when_paid_again(tx)

    def test_when_dust_is_left_of_what_vanishes_then_a_person_is_asked_all_the_same(self):
        order = self._create_order()
        tx = self._see(order, amount='0.000006')
        txid = self.world.pay(tx.btcpay_invoice_id, replaceable=True)
        self._look(tx)
        self._post_process()
        self.assertEqual((tx.btcpay_status, order.state), ('Processing', 'sale'))
        self.world.replace(txid)
        self.world.mine()
        self._look(tx)
        self.assertEqual((tx.state, tx.btcpay_paid_amount), ('pending', 0.3))
        self.assertIn("the order is not paid. Ship nothing.", self._activities(order))
        self._assert_settled_when_paid_again(tx)

    def test_when_dust_comes_to_what_was_seen_then_nobody_is_asked(self):
        """The server takes a fee off for it, so that less counts, but all of it is there."""
        order = self._create_order()
        tx = self._see(order)
        self.world.pay(tx.btcpay_invoice_id, amount='0.000006')
        self._look(tx)
        self.assertEqual((tx.btcpay_additional_status, tx.btcpay_due_amount), ('PaidPartial', 4.7))
        self.assertEqual(order.state, 'sale')
        self.assertFalse(order.activity_ids)

    def test_when_the_payment_is_never_confirmed_then_a_person_is_asked(self):
        order = self._create_order()
        tx = self._see(order)
        self.world.mark(tx.btcpay_invoice_id, 'Invalid')
        with self._quiet():
            self._look(tx)
        self.assertEqual((tx.state, order.state), ('error', 'sale'))
        self.assertIn("Ship nothing.", self._activities(order))
        order._action_cancel()
        self._look(tx)
        self.assertNotIn("Ship nothing.", self._activities(order))

    def test_when_a_discount_was_granted_then_it_goes_and_comes_with_the_money(self):
        self.btcpay.sudo().btcpay_discount_method_id = self.payment_method
        for is_locked in (False, True):
            with self.subTest(is_locked=is_locked):
                order = self._create_order()
                tx = self._see(order, replaceable=True)
                order.locked = is_locked  # As Odoo does by the setting “Lock Confirmed Sales”.
                self.assertEqual((order.state, order.amount_total), ('sale', 95))
                self.world.replace(self.txid)
                self.world.mine()
                self._look(tx)
                self.assertEqual(order.amount_total, 100)
                self.assertIn("Ship nothing.", self._activities(order))
                self.world.pay(tx.btcpay_invoice_id)
                self.world.mine()
                self._look(tx)
                self._post_process()
                self.assertEqual(
                    (tx.state, order.amount_total, order.amount_paid), ('done', 95, 95))
                self.assertEqual(len(self._discount_lines(order)), 1)
                if is_locked:
                    with self.assertRaises(UserError):
                        self._discount_lines(order).product_uom_qty = 0
