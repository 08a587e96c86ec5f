from odoo.fields import Command
from odoo.tests import tagged

from odoo.addons.payment_btcpay.tests.common import BTCPayCommon
from odoo.addons.payment_btcpay.tests.money_common import MoneyMixin

ASKED = "Accept the late payment or refund it"


@tagged('post_install', '-at_install')
class TestLate(MoneyMixin, BTCPayCommon):
    """Money that comes when the invoice has expired."""

    def setUp(self):
        super().setUp()
        self.setUpOrder()

    def setUpOrder(self):
        self.order = self._create_order(require_payment=True, prepayment_percent=1.0)
        self.tx = self._create_btcpay_transaction(self.order)

    def _expire_and_pay(self, mine=True, **pay_values):
        if self.tx.state != 'cancel':
            self.world.expire(self.tx.btcpay_invoice_id)
            self._look(self.tx)
        self.assertEqual(self.tx.state, 'cancel')
        self.world.pay(self.tx.btcpay_invoice_id, **pay_values)
        if mine:
            self.world.mine()
        self._look(self.tx)
        self._carry_out()

    def _check_accepted(self):
        self.assertEqual(self._status(self.tx), ('Settled', 'Marked'))
        self.assertEqual(self.tx.state, 'done')
        self.assertFalse(self.tx.btcpay_pending_action)
        self._post_process()
        self.assertEqual((self.order.state, self.order.amount_paid), ('sale', 100))
        self.assertEqual(self.tx.payment_id.amount, 100)

    def _check_left_to_a_person(self, asked=ASKED, status=('Expired', 'PaidLate')):
        self.assertEqual(self._status(self.tx), status)
        self.assertEqual(self.tx.state, 'cancel')
        self.assertFalse(self.tx.btcpay_pending_action)
        self.assertIn(asked, self._activities(self.order))

    # === REVIEW === #

    def test_when_nothing_is_configured_then_a_late_payment_is_flagged_for_review(self):
        self.assertEqual(self.btcpay.btcpay_late_policy, 'review')
        self._expire_and_pay()
        self._check_left_to_a_person()
        self.assertTrue(self.tx.btcpay_can_accept_late)
        self.assertFalse(self.tx.btcpay_can_accept_partial)
        self._look(self.tx)
        self.assertEqual(len(self.order.activity_ids), 1)

    def test_when_the_late_payment_is_accepted_by_button_then_it_is_booked(self):
        self._expire_and_pay()
        self.tx.action_btcpay_accept_late()
        self._check_accepted()
        self.assertFalse(self.tx.btcpay_can_accept_late)
        self._assert_refused(self.tx.action_btcpay_accept_late, "no late payment")

    def test_when_a_late_payment_is_unconfirmed_then_the_accept_button_refuses_it(self):
        self._expire_and_pay(mine=False)
        self.assertFalse(self.tx.btcpay_can_accept_late)
        self._assert_refused(self.tx.action_btcpay_accept_late, "not confirmed")
        self.assertEqual(self._status(self.tx), ('Expired', 'PaidLate'))

    def test_when_accepted_for_a_canceled_order_then_it_is_done_and_flagged_for_review(self):
        """A person decides, and decided so."""
        self._expire_and_pay()
        self.order._action_cancel()
        self.tx.action_btcpay_accept_late()
        self.assertEqual(self.tx.state, 'done')
        self._post_process()
        self.assertIn("for what had been canceled", self._activities(self.order))

    # === ACCEPT === #

    def test_when_the_setting_accepts_late_payments_then_the_late_payment_is_booked(self):
        self.btcpay.btcpay_late_policy = 'accept'
        self._expire_and_pay()
        self._check_accepted()
        self.assertFalse(self.order.activity_ids)

    def test_when_the_late_payment_is_unconfirmed_then_the_setting_accepts_it_once_confirmed(self):
        self.btcpay.btcpay_late_policy = 'accept'
        self._expire_and_pay(mine=False)
        self.assertEqual(self._status(self.tx), ('Expired', 'PaidLate'))
        self.assertFalse(self.tx.btcpay_pending_action)
        self.assertFalse(self.order.activity_ids)
        self.assertIn("as soon as it is confirmed", str(self.order.message_ids.mapped('body')))
        self.world.mine()
        self._look(self.tx)
        self._carry_out()
        self._check_accepted()
        self.assertFalse(self.order.activity_ids)

    def test_when_monitoring_ends_before_confirmation_then_a_person_is_told_to_sync(self):
        path = f'/store/{self.store_id}'
        self.world.control(path, {'settings': {'monitoringExpiration': 0}})
        self.addCleanup(self.world.control, path, {'settings': {'monitoringExpiration': 86400}})
        for accepts, fraction in (({'btcpay_late_policy': 'accept'}, '1'),
                                  ({'btcpay_accept_partial': True}, '0.5')):
            with self.subTest(accepts):
                self.btcpay.write(accepts)
                self.setUpOrder()
                self._expire_and_pay(mine=False, fraction=fraction)
                self.assertIn("no longer syncs it by itself", self._activities(self.order))
                self.world.mine()
                self.tx.action_btcpay_sync()
                self._carry_out()
                self._post_process()
                self.assertEqual(self.order.amount_paid, 100 * float(fraction))

    def test_when_too_much_is_paid_late_then_the_overpayment_is_flagged_for_review(self):
        """The server says PaidLate, then Marked: the overpayment is found in the sums."""
        for policy in ('accept', 'review'):
            with self.subTest(policy=policy):
                self.order = self._create_order(require_payment=True, prepayment_percent=1.0)
                self.tx = self._create_btcpay_transaction(self.order)
                self.btcpay.btcpay_late_policy = policy
                self._expire_and_pay(fraction='2')
                if policy == 'review':
                    self._check_left_to_a_person("$ 100.00 more than that")
                    self.tx.action_btcpay_accept_late()
                self._check_accepted()
                self.assertEqual(self.tx.btcpay_overpaid_amount, 100)
                self.assertIn("Refund the overpayment", self._activities(self.order))

    def test_when_too_little_is_paid_late_then_only_the_partial_payment_can_be_accepted(self):
        """Never the whole for less, whatever the policy says."""
        for policy in ('accept', 'review'):
            with self.subTest(policy=policy):
                self.order = self._create_order(require_payment=True, prepayment_percent=1.0)
                self.tx = self._create_btcpay_transaction(self.order)
                self.btcpay.btcpay_late_policy = policy
                self._expire_and_pay(fraction='0.5')
                self._check_left_to_a_person(
                    "Accept the partial payment or refund it", ('Expired', 'PaidPartial')
                )
                self.assertFalse(self.tx.btcpay_can_accept_late)
                self._assert_refused(self.tx.action_btcpay_accept_late, "less than the full amount")
                self.assertTrue(self.tx.btcpay_can_accept_partial)
                self.tx.action_btcpay_accept_partial()
                self.assertEqual(self.order.amount_paid, 50)

    def test_when_the_amount_due_is_paid_late_then_the_whole_payment_is_accepted(self):
        self.btcpay.btcpay_late_policy = 'accept'
        self.world.pay(self.tx.btcpay_invoice_id, fraction='0.4')
        self._look(self.tx)
        self._expire_and_pay()
        self._check_accepted()

    def test_when_the_amount_due_comes_late_after_an_accepted_part_then_both_are_booked(self):
        self.btcpay.write({'btcpay_late_policy': 'accept', 'btcpay_accept_partial': True})
        self.world.pay(self.tx.btcpay_invoice_id, fraction='0.4')
        self.world.mine()
        self._expire_and_pay()
        self._post_process()
        self.assertEqual((self.order.state, self.order.amount_paid), ('sale', 100))
        self.assertEqual(
            sorted(self.tx._btcpay_get_partial_receipts().mapped('payment_id.amount')), [40, 60]
        )
        self.assertFalse(self.order.activity_ids)

    # === ONTO AN ORDER THAT IS NOT THE SAME ANY MORE === #

    def test_when_the_order_has_changed_then_a_late_payment_is_flagged_for_review(self):
        """A person decides, though the provider accepts late payments."""
        def change():
            self.order.order_line.price_unit = 120

        def pay_otherwise():
            other = self._create_other_transaction(self.order)
            other._set_done()

        def begin_anew():
            self._create_btcpay_transaction(self.order)

        def delete_line():
            self.order.order_line.unlink()

        def cancel():
            self.order._action_cancel()

        self.btcpay.btcpay_late_policy = 'accept'
        for what in (
            change, pay_otherwise, begin_anew, delete_line, cancel,
        ):
            with self.subTest(what=what.__name__):
                self.order = self._create_order(require_payment=True, prepayment_percent=1.0)
                self.tx = self._create_btcpay_transaction(self.order)
                self.world.expire(self.tx.btcpay_invoice_id)
                self._look(self.tx)
                what()
                self._carry_out()
                self._expire_and_pay()
                self._check_left_to_a_person()
                self.assertTrue(self.tx.btcpay_can_accept_late)

    def test_when_the_order_is_canceled_before_acceptance_then_it_is_flagged_for_review(self):
        self.btcpay.btcpay_late_policy = 'accept'
        self.world.expire(self.tx.btcpay_invoice_id)
        self.world.pay(self.tx.btcpay_invoice_id)
        self.world.mine()
        self._look(self.tx)
        self.assertEqual(self.tx.btcpay_pending_action, 'accept_late_unchanged')
        self.order._action_cancel()
        self._carry_out()
        self._check_left_to_a_person()

    def test_when_a_customer_invoice_was_paid_by_bank_then_it_is_flagged_for_review(self):
        self.btcpay.btcpay_late_policy = 'accept'
        self.order = self._create_invoice()
        self.tx = self._create_btcpay_transaction(
            reference='INV-late', invoice_ids=[Command.set(self.order.ids)]
        )
        self.world.expire(self.tx.btcpay_invoice_id)
        self._look(self.tx)
        self._pay_move(self.order)
        self._expire_and_pay()
        self._check_left_to_a_person()

    # === THE NETWORK FAILS IN BETWEEN === #

    def test_when_the_connection_drops_while_accepting_then_it_is_retried_and_booked(self):
        self.btcpay.btcpay_late_policy = 'accept'
        for after in (True, False):
            with self.subTest(after=after):
                self.order = self._create_order(require_payment=True, prepayment_percent=1.0)
                self.tx = self._create_btcpay_transaction(self.order)
                self.world.fault('drop', path='/status', method='POST', after=after)
                with self._quiet():
                    self._expire_and_pay()
                self.assertEqual(self.tx.state, 'cancel')
                self.assertEqual(self.tx.btcpay_pending_action, 'accept_late_unchanged')
                self._carry_out()
                self._check_accepted()
                self.assertFalse(self.order.activity_ids)

    def test_when_the_server_fails_at_the_accept_button_then_the_payment_is_accepted_later(self):
        self._expire_and_pay()
        self.world.fault('status', path='/status', method='POST', status=503)
        with self._quiet():
            self._assert_refused(
                self.tx.action_btcpay_accept_late, "accepted as soon as the server answers"
            )
        self.order._action_cancel()  # It was a person's decision all the same.
        self._carry_out()
        self.assertEqual((self._status(self.tx), self.tx.state), (('Settled', 'Marked'), 'done'))

    def test_when_the_server_refuses_to_accept_then_nothing_is_pending_and_a_person_is_told(self):
        self._expire_and_pay()
        self.world.fault('status', path='/status', method='POST', status=403)
        with self._quiet():
            self._assert_refused(self.tx.action_btcpay_accept_late, "refused access")
        self.assertFalse(self.tx.btcpay_pending_action)
        self.assertIn("refused what Odoo wanted to do", self._activities(self.order))
