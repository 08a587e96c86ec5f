from odoo.tests import tagged

from odoo.addons.payment_btcpay.tests.common import BTCPayCommon
from odoo.addons.payment_btcpay.tests.refund.refund_common import RefundMixin

DUST = '0.000006'  # Of 0.002 that are asked for.


class DustCommon(RefundMixin, BTCPayCommon):

    def setUp(self):
        super().setUp()
        self.order = self._create_order()
        self.tx = self._create_btcpay_transaction(self.order)

    def _send_dust(self, amount=DUST):
        self.world.pay(self.tx.btcpay_invoice_id, amount=amount)
        self._look(self.tx)
        self.assertFalse(self.tx._btcpay_is_confirmed())


@tagged('post_install', '-at_install')
class TestDust(DustCommon):
    """A few satoshis that anybody can send to an invoice, and that are confirmed late or never."""

    # === ON AN INVOICE THAT IS OVER === #

    def test_when_dust_comes_to_a_part_then_a_person_can_accept_what_is_confirmed(self):
        self._receive(fraction='0.4')
        self._send_dust()
        self.assertTrue(self.tx.btcpay_can_accept_partial)
        self.tx.action_btcpay_accept_partial()
        self._post_process()
        # The server takes off a network fee for the dust.
        self.assertEqual(self.order.amount_paid, 35.3)
        self.assertFalse(self.tx.btcpay_can_accept_partial)
        self.world.mine()
        self._look(self.tx)
        self._post_process()
        self.assertEqual(self.order.amount_paid, 35.3)
        self.assertFalse(self.order.activity_ids)

    def test_when_dust_comes_to_a_part_then_a_person_can_refund_what_is_confirmed(self):
        self._receive(fraction='0.4')
        self._send_dust()
        self.assertTrue(self.tx.btcpay_can_refund)
        self._assert_refused(lambda: self.tx._btcpay_request_refund(40.01), "at most $\xa040.00")
        refund = self.tx._btcpay_request_refund(40)
        self.assertEqual((refund.state, refund.amount), ('pending', -40))
        self.assertFalse(self.tx.btcpay_can_refund)

    def test_when_dust_comes_to_an_invalid_invoice_then_it_is_accepted_or_refunded(self):
        self.world.pay(self.tx.btcpay_invoice_id)
        self.world.pass_time(3 * 24 * 3600)
        self.world.mine()
        self._send_dust()
        self.assertEqual((self.tx.state, self.tx.btcpay_status), ('error', 'Invalid'))
        self.assertTrue(self.tx.btcpay_can_refund)
        self.tx.action_btcpay_accept_partial()
        self.assertEqual(self.order.amount_paid, 95.3)

    # === BEFORE THE INVOICE IS PAID === #

    def test_when_dust_comes_to_an_open_invoice_then_the_customer_is_mailed_of_parts_only(self):
        for amount, is_mailed in (
            (DUST, False), ('0.0008', True), (DUST, False), (DUST, False), ('0.0004', True),
        ):
            before = len(self._mails(self.order))
            self.world.pay(self.tx.btcpay_invoice_id, amount=amount)
            self._look(self.tx)
            self._look(self.tx)
            with self.subTest(paid=self.tx.btcpay_paid_amount):
                self.assertEqual(self.tx.state, 'pending')
                self.assertEqual(len(self._mails(self.order)) - before, is_mailed)

    def test_when_a_part_is_replaced_by_another_then_the_customer_is_mailed_of_that(self):
        payment = self.world.pay(
            self.tx.btcpay_invoice_id, fraction='0.4', replaceable=True)
        self._look(self.tx)
        self.world.replace(payment)
        self.world.mine()
        self._look(self.tx)
        self.world.pay(self.tx.btcpay_invoice_id, fraction='0.3')
        self._look(self.tx)
        self.assertEqual(len(self._mails(self.order)), 2)

    # === WHAT IS NO DUST === #

    def test_when_a_part_is_not_confirmed_then_neither_is_it_accepted_nor_refunded(self):
        """The customer would be asked for it again, or could take it back after a refund."""
        self._receive(fraction='0.4')
        self._send_dust('0.0004')
        self.assertEqual(self.tx.btcpay_paid_amount, 55)
        self.assertFalse(self.tx.btcpay_can_accept_partial)
        self.assertFalse(self.tx.btcpay_can_refund)
        self._assert_refused(self.tx.action_btcpay_accept_partial, "not confirmed yet")
        self._assert_refused(lambda: self.tx._btcpay_request_refund(10), "not confirmed yet")

    def test_when_dust_is_all_that_came_then_neither_is_it_accepted_nor_refunded(self):
        self.world.expire(self.tx.btcpay_invoice_id)
        self._send_dust()
        self.assertFalse(self.tx.btcpay_can_accept_partial)
        self.assertFalse(self.tx.btcpay_can_refund)


@tagged('post_install', '-at_install')
class TestDustWithoutFee(DustCommon):
    """The same, at a store that takes no network fee off of what is paid."""

    store_settings = {'networkFeeMode': 'Never'}

    def test_when_dust_comes_to_a_late_payment_then_a_person_can_accept_it(self):
        self._receive(late=True)
        self._send_dust()
        self.assertEqual(self._status(self.tx), ('Expired', 'PaidLate'))
        self.assertTrue(self.tx.btcpay_can_accept_late)
        self.tx.action_btcpay_accept_late()
        self._post_process()
        self.assertEqual((self.tx.state, self.order.state), ('done', 'sale'))

    def test_when_dust_comes_to_a_late_payment_then_the_setting_accepts_it(self):
        self.btcpay.btcpay_late_policy = 'accept'
        self.world.expire(self.tx.btcpay_invoice_id)
        self.world.pay(self.tx.btcpay_invoice_id)
        self.world.mine()
        self._send_dust()
        self._carry_out()
        self._post_process()
        self.assertEqual((self.tx.state, self.order.state), ('done', 'sale'))

    def test_when_dust_comes_to_a_part_then_only_what_is_confirmed_is_accepted(self):
        self._receive(fraction='0.4')
        self._send_dust()
        self.assertEqual(self.tx.btcpay_paid_amount, 40.3)
        self.tx.action_btcpay_accept_partial()
        self.assertEqual(self.order.amount_paid, 40)
        self.assertFalse(self.tx.btcpay_can_accept_partial)
        self.world.mine()
        self._look(self.tx)
        self.tx.action_btcpay_accept_partial()
        self.assertEqual(self.order.amount_paid, 40.3)

    def test_when_dust_is_accepted_by_itself_then_the_customer_is_mailed_once(self):
        self.btcpay.btcpay_accept_partial = True
        self._receive(fraction='0.4')
        count = len(self._mails(self.order))
        for _dust in range(2):
            self._send_dust()
            self.world.mine()
            self._look(self.tx)
        self.assertEqual(self.order.amount_paid, 40.6)
        self.assertEqual(len(self._mails(self.order)), count)

    def test_when_dust_makes_up_the_amount_then_the_whole_waits_for_it(self):
        self.world.expire(self.tx.btcpay_invoice_id)
        self.world.pay(self.tx.btcpay_invoice_id, amount='0.001994')
        self.world.mine()
        self._send_dust()
        self.assertEqual(self._status(self.tx), ('Expired', 'PaidLate'))
        self.assertFalse(self.tx.btcpay_can_accept_late)
        self.assertTrue(self.tx.btcpay_can_accept_partial)
        self.world.mine()
        self._look(self.tx)
        self.assertTrue(self.tx.btcpay_can_accept_late)

    def test_when_a_surplus_is_not_confirmed_then_nothing_is_refunded(self):
        self._receive(late=True)
        self._send_dust('0.002')
        self.assertEqual(self.tx.btcpay_overpaid_amount, 100)
        self.assertFalse(self.tx.btcpay_can_refund)
        self._assert_refused(self.tx.action_btcpay_accept_late, "not confirmed yet")

    def test_when_dust_comes_to_what_is_paid_then_what_is_confirmed_is_refunded(self):
        self._receive()
        self._send_dust()
        self.assertEqual((self.tx.state, self.tx.btcpay_overpaid_amount), ('done', 0.3))
        self._assert_refused(lambda: self.tx._btcpay_request_refund(100.01), "at most $\xa0100.00")
        refund = self.tx._btcpay_request_refund(100)
        self.assertEqual((refund.state, refund.amount), ('pending', -100))
