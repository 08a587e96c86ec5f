from odoo import fields
from odoo.fields import Command
from odoo.tests import new_test_user, tagged
from odoo.tools import mute_logger

from odoo.addons.payment_btcpay.tests.common import BTCPayCommon
from odoo.addons.payment_btcpay.tests.refund.refund_common import RefundMixin
from odoo.addons.payment_btcpay.utils import schedule_activity


@tagged('post_install', '-at_install')
class TestMatters(RefundMixin, BTCPayCommon):
    """One matter is one activity, which closes when it is settled, whoever settled it."""

    def setUp(self):
        super().setUp()
        self.order = self._create_order(require_payment=True, prepayment_percent=1.0)
        self.tx = self._create_btcpay_transaction(self.order)

    def _pay_late(self, **pay_values):
        self.world.expire(self.tx.btcpay_invoice_id)
        self.world.pay(self.tx.btcpay_invoice_id, **pay_values)
        self.world.mine()
        self._look(self.tx)

    # === ONE ACTIVITY === #

    def test_when_customer_goes_back_and_pays_twice_then_one_activity_is_left_until_refunded(self):
        for refund_first in (True, False):
            with self.subTest(refund_first=refund_first):
                self.order = self._create_order(require_payment=True, prepayment_percent=1.0)
                self.tx = self._create_btcpay_transaction(self.order)
                self.world.pay(self.tx.btcpay_invoice_id)
                self._look(self.tx)
                again = self._create_btcpay_transaction(self.order)
                self._carry_out()
                self.assertIn("see that it is not paid twice", self._activities(self.order))
                activity = self.order.activity_ids
                self.assertEqual(len(activity), 1)
                self.world.pay(again.btcpay_invoice_id)
                self._look(again)
                self._carry_out()
                self.world.mine()
                for _again in range(2):
                    self._look(self.tx, again)
                    self._post_process()
                    self._carry_out()
                self.assertEqual(self.order.activity_ids, activity)
                self.assertIn("the customer paid twice", self._activities(self.order))
                (self.tx if refund_first else again)._btcpay_request_refund(60)
                self.assertEqual(self.order.activity_ids, activity, "40 are to be refunded still.")
                (self.tx if refund_first else again)._btcpay_request_refund(40)
                self.assertFalse(self.order.activity_ids)

    def _assert_administrator_is_asked(self):
        [activity] = self.order.activity_ids
        user = activity.sudo().user_id
        self.assertTrue(user.active and user.has_group('base.group_system'))
        self.assertTrue(self.order.with_user(user).has_access('read'))

    def test_when_the_salesperson_cannot_see_the_order_then_an_administrator_is_asked(self):
        seller = new_test_user(self.env, 'matters_seller', 'sales_team.group_sale_salesman')
        elsewhere = self.env['res.company'].sudo().create({'name': "Elsewhere"})
        self._add_administrator()
        here = [Command.link(self.order.company_id.id)]
        for name, change in (
            ("sells", {'company_ids': here}),
            ("moved", {'company_ids': [Command.set(elsewhere.ids)], 'company_id': elsewhere.id}),
            ("sells no more", {
                'company_ids': here, 'group_ids': [Command.set([self.ref('base.group_user')])],
            }),
        ):
            with self.subTest(name):
                self.order = self._create_order(user_id=seller.id)
                self.tx = self._create_btcpay_transaction(self.order)
                seller.sudo().write(change)
                self._pay_late()
                if name == "sells":
                    self.assertEqual(self.order.activity_ids.user_id, seller)
                else:
                    self._assert_administrator_is_asked()

    def _add_administrator(self):
        """Add an administrator in the place of the first, who is archived."""
        new_test_user(
            self.env, 'matters_boss', 'base.group_system,sales_team.group_sale_manager',
            company_id=self.order.company_id.id)
        self.env.ref('base.user_admin').sudo().active = False

    def test_when_who_is_asked_leaves_then_another_is_asked(self):
        self._add_administrator()
        Users = type(self.env['res.users'])
        for leave in (
            Users.action_archive, Users.unlink, lambda user: user.write({'active': False}),
        ):
            with self.subTest(leave.__name__):
                seller = new_test_user(
                    self.env, f'matters_{leave.__name__}', 'sales_team.group_sale_salesman')
                self.order = self._create_order(user_id=seller.id)
                self.tx = self._create_btcpay_transaction(self.order)
                self._pay_late()
                other = schedule_activity(self.order, "Call them", "Now", seller)
                leave(seller.sudo())
                # Others' go as Odoo has them go; those of who is just set inactive stay.
                self.assertEqual(bool(other.exists()), leave.__name__ == '<lambda>')
                other.exists().unlink()
                self._assert_administrator_is_asked()
                self.assertEqual(
                    (self.tx.btcpay_decision, self.order.btcpay_decision), ('late', 'late'))

    def test_when_sums_change_then_the_activity_changes(self):
        self.world.pay(self.tx.btcpay_invoice_id, fraction='0.4')
        self._pay_late(fraction='0.2')
        activity = self.order.activity_ids
        self.assertIn("$ 55.00 of $ 100.00", self._activities(self.order))
        self.world.pay(self.tx.btcpay_invoice_id, fraction='0.3')
        self.world.mine()
        self._look(self.tx)
        self.assertEqual(self.order.activity_ids, activity)
        self.assertIn("$ 80.00 of $ 100.00", self._activities(self.order))
        self.assertNotIn("$ 55.00", self.tx.btcpay_review_note)

    def test_when_a_person_closed_it_then_it_is_asked_again_with_new_sums_only(self):
        self._pay_late(fraction='0.4')
        self.order.activity_ids.action_feedback()
        self._look(self.tx, self.tx)
        self.assertFalse(self.order.activity_ids)
        self.world.pay(self.tx.btcpay_invoice_id, fraction='0.3')
        self.world.mine()
        self._look(self.tx)
        self.assertIn("$ 65.00 of $ 100.00", self._activities(self.order))

    # === SETTLED BY WHOMEVER === #

    def test_when_merchant_marks_late_payment_at_the_server_then_the_activity_closes(self):
        for fraction in ('1', '0.4'):
            with self.subTest(fraction=fraction):
                self.order = self._create_order(require_payment=True, prepayment_percent=1.0)
                self.tx = self._create_btcpay_transaction(self.order)
                self._pay_late(fraction=fraction)
                self.assertEqual(len(self.order.activity_ids), 1)
                self.world.mark(self.tx.btcpay_invoice_id, 'Settled')
                self._look(self.tx)
                self.assertFalse(self.order.activity_ids)
                self.assertTrue(self.tx.btcpay_is_resolved)

    def test_when_merchant_refunds_at_the_server_then_the_activity_closes(self):
        self._pay_late()
        pull_payment = self._server_refund(self.tx)
        self.tx._btcpay_find_or_adopt_refund(pull_payment['id'])
        self.assertFalse(self.order.activity_ids)

    def test_when_replaced_payment_is_paid_after_all_then_the_activity_closes(self):
        txid = self.world.pay(self.tx.btcpay_invoice_id, replaceable=True)
        self._look(self.tx)
        self.world.replace(txid)
        self.world.mine()
        self._look(self.tx)
        self.assertIn("is gone", self._activities(self.order))
        self.world.pay(self.tx.btcpay_invoice_id)
        self._look(self.tx)
        self.assertFalse(self.order.activity_ids)

    def test_when_settled_again_at_the_server_then_the_contradiction_closes(self):
        self._pay_late()
        self.tx.action_btcpay_accept_late()
        self.world.mark(self.tx.btcpay_invoice_id, 'Invalid')
        self._look(self.tx)
        self.assertIn("Odoo leaves it confirmed", self._activities(self.order))
        self.assertEqual(len(self.order.activity_ids), 1)
        self.world.mark(self.tx.btcpay_invoice_id, 'Settled')
        self._look(self.tx)
        self.assertFalse(self.order.activity_ids)

    def test_when_what_was_marked_as_settled_is_replaced_then_a_person_is_told_until_paid(self):
        for post_process in (False, True):
            with self.subTest(post_process=post_process):
                self.order = self._create_order(require_payment=True, prepayment_percent=1.0)
                self.tx = self._create_btcpay_transaction(self.order)
                txid = self.world.pay(self.tx.btcpay_invoice_id, replaceable=True)
                self.world.mark(self.tx.btcpay_invoice_id, 'Settled')
                self._look(self.tx)
                if post_process:
                    self._post_process()
                self.assertEqual(self.tx.state, 'done')
                self.assertFalse(self.order.activity_ids)
                self.world.replace(txid)
                self.world.mine()
                self._look(self.tx)
                self._look(self.tx)
                self.assertIn(
                    f"$ 100.00 is booked for {self.tx.reference}, but only $ 0.00 is there",
                    self._activities(self.order),
                )
                self.assertEqual(len(self.order.activity_ids), 1)
                self.assertEqual(self.order.btcpay_decision, 'other')
                self.world.pay(self.tx.btcpay_invoice_id)
                self.world.mine()
                self._look(self.tx)
                self.assertFalse(self.order.activity_ids)

    # === SURPLUS THAT IS NOT CONFIRMED === #

    def test_when_surplus_is_unconfirmed_then_it_is_said_and_asked_for_once_confirmed(self):
        self.world.pay(self.tx.btcpay_invoice_id)
        self.world.pay(self.tx.btcpay_invoice_id, method='BTC-LN')
        self._look(self.tx)
        self.assertEqual(self._status(self.tx), ('Settled', 'PaidOver'))
        activity = self.order.activity_ids
        self.assertEqual(len(activity), 1)
        self.assertIn("$ 100.00 of it is not confirmed yet", self._activities(self.order))
        self.assertNotIn("Refund the overpayment", self._activities(self.order))
        self.assertFalse(self.tx.btcpay_can_refund)
        self.world.mine()
        self._look(self.tx)
        self.assertEqual(self.order.activity_ids, activity)
        self.assertIn("Refund the overpayment", self._activities(self.order))
        self.assertTrue(self.tx.btcpay_can_refund)
        self.tx._btcpay_request_refund(100)
        self.assertFalse(self.order.activity_ids)

    def test_when_surplus_is_confirmed_in_part_then_that_part_can_be_given_back(self):
        self.world.pay(self.tx.btcpay_invoice_id, method='BTC-LN', fraction='1.5')
        self.world.pay(self.tx.btcpay_invoice_id)
        self._look(self.tx)
        self._post_process()
        self.assertEqual(self.tx.btcpay_paid_amount, 250)
        self.assertTrue(self.tx.btcpay_can_refund)
        sums = self.tx._btcpay_get_refund_sums()
        self.assertEqual((sums['available'], sums['overpayment']), (50, 50))
        self._assert_refused(
            lambda: self.tx._btcpay_request_refund(60), "at most $\N{NO-BREAK SPACE}50.00"
        )
        self.tx._btcpay_request_refund(50)
        self.assertFalse(self.tx.btcpay_can_refund)
        self.world.mine()
        self._look(self.tx)
        self.assertEqual(self.tx._btcpay_get_refund_sums()['overpayment'], 100)
        self.assertIn("Refund the overpayment", self._activities(self.order))

    def test_when_payment_after_settled_is_replaced_then_the_surplus_is_gone(self):
        for how in ('sync', 'scheduled'):
            with self.subTest(how=how):
                self.order = self._create_order(require_payment=True, prepayment_percent=1.0)
                self.tx = self._create_btcpay_transaction(self.order)
                self.world.pay(self.tx.btcpay_invoice_id)
                self.world.mine()
                self._look(self.tx)
                self._post_process()
                self.assertFalse(self.order.activity_ids)
                txid = self.world.pay(self.tx.btcpay_invoice_id, replaceable=True)
                self._look(self.tx)
                self.assertEqual(self.tx.btcpay_overpaid_amount, 95)
                self.assertIn("may still vanish", self._activities(self.order))
                self.world.replace(txid)
                self.world.mine()
                if how == 'sync':
                    self._look(self.tx)
                else:
                    self.tx.btcpay_next_sync_at = fields.Datetime.now()
                    self._reconcile()
                self.assertEqual(self.tx.btcpay_overpaid_amount, 0)
                self.assertFalse(self.order.activity_ids)

    def test_when_names_and_ids_are_markup_then_people_read_them_as_they_are(self):
        """A customer's name, or an order id of the server's, is no link in activities."""
        evil = '<a href="https://thief.example">Approve</a><img src=x>'
        tx = self._pay_order()
        invoice = self._create_invoice()
        tx._btcpay_flag_for_review(f"{evil} first")
        tx._btcpay_flag_for_review(f"{evil} was paid", 'mail')
        tx._btcpay_flag_for_review(f"{evil} was changed", 'mail')  # The same activity.
        with mute_logger('odoo.addons.payment_btcpay.models.account_move_request'):
            invoice._btcpay_report_unsent_request(evil)
        self.btcpay.sudo()._btcpay_raise_alert('btcpay_connection_activity_id', evil)
        documents = (tx.sale_order_ids or tx.partner_id), invoice
        activities = (
            documents[0].activity_ids | invoice.activity_ids
            | self.btcpay.sudo().btcpay_connection_activity_id
        )
        self.assertEqual(len(activities), 4)
        texts = activities.mapped('note') + documents[0].message_ids.mapped('body')
        for text in texts:
            self.assertNotIn('<a', text)
            self.assertNotIn('<img', text)
        self.assertEqual(sum('&lt;a href' in text for text in activities.mapped('note')), 4)
