from unittest.mock import patch

from odoo.fields import Command
from odoo.tests import tagged
from odoo.tools import mute_logger

from odoo.addons.payment_btcpay.models.payment_transaction import customer
from odoo.addons.payment_btcpay.tests.common import BTCPayCommon
from odoo.addons.payment_btcpay.tests.money_common import MoneyMixin

INVALIDATED = ('Invalid', 'Marked')
OPEN = ('New', 'None')


@tagged('post_install', '-at_install')
class TestChangedOrder(MoneyMixin, BTCPayCommon):
    """The cart or quotation is changed after the invoice was made; money comes in twice."""

    def setUp(self):
        super().setUp()
        self.order = self._create_order(require_payment=True, prepayment_percent=1.0)
        self.tx = self._create_btcpay_transaction(self.order)
        self.env.cr.commit()

    def _change(self, price):
        self.order.order_line[:1].price_unit = price
        self.env.cr.commit()

    def _pay(self, tx, **values):
        self.world.pay(tx.btcpay_invoice_id, **values)
        self.world.mine()
        self._look(tx)
        self._post_process()

    # === UNPAID === #

    def test_when_the_order_changes_then_its_unpaid_invoice_is_invalidated(self):
        def add_line():
            self.order.order_line = [Command.create({
                'product_id': self.product.id, 'price_unit': 5,
            })]

        def delete_line():
            self.order.order_line.unlink()

        def change_quantity():
            self.order.order_line.product_uom_qty = 2

        def change_taxes():
            self.order.order_line.tax_ids = self.env['account.tax'].create({
                'name': "10 %", 'amount': 10,
            })

        def change_currency():
            self.order.currency_id = self._enable_currency('EUR')

        for change in (add_line, delete_line, change_quantity, change_taxes, change_currency):
            with self.subTest(change=change.__name__):
                self.order = self._create_order()
                self.tx = self._create_btcpay_transaction(self.order)
                change()
                self._carry_out()
                self.assertEqual((self._status(self.tx), self.tx.state), (INVALIDATED, 'cancel'))
                self.assertFalse(self.order.activity_ids)

    def test_when_a_change_comes_to_the_same_amount_then_the_invoice_is_left(self):
        """The shop writes the cart's lines at each step of the checkout."""
        def recompute():
            self.order._recompute_taxes()
            self.order._recompute_prices()

        def change_back():
            self.order.order_line.price_unit = 120
            self.env.flush_all()
            self.order.order_line.price_unit = 100

        def split():
            self.order.order_line.product_uom_qty = 0
            self.order.order_line = [Command.create({
                'product_id': self.product.id, 'price_unit': 100,
            })]

        def rename():
            self.order.order_line[:1].name = "Another name"

        for change in (recompute, change_back, split, rename):
            with self.subTest(change=change.__name__):
                change()
                self.env.cr.commit()
                self.assertFalse(self.tx.btcpay_pending_action)
                self._carry_out()
                self.assertEqual(self._status(self.tx), OPEN)

    def test_when_the_change_is_undone_before_invalidation_then_the_invoice_is_left(self):
        self._change(120)
        self.world.fault('drop', path='/status', method='POST', after=False)
        with self._quiet():
            self._carry_out()
        self.assertEqual(self.tx.btcpay_pending_action, 'invalidate')
        self._change(100)
        self._carry_out()
        self.assertFalse(self.tx.btcpay_pending_action)
        self.assertEqual((self._status(self.tx), self.tx.state), (OPEN, 'draft'))

    def test_when_an_order_is_changed_then_no_transaction_query_is_made(self):
        """The scheduled action finds what was changed: nothing of ours is asked at the change."""
        for order in (self._create_order(), self.order):
            self.env.cr.commit()
            queries = []
            execute = self.env.cr.execute

            def record(query, *args, queries=queries, execute=execute, **kwargs):
                queries.append(str(query))
                return execute(query, *args, **kwargs)

            with self.subTest(order=order.name), patch.object(self.env.cr, 'execute', record):
                order.order_line.price_unit = 50
                self.env.cr.commit()
            self.assertTrue([query for query in queries if 'UPDATE "sale_order"' in query])
            self.assertFalse([query for query in queries if 'payment_transaction' in query])

    def test_when_a_changed_customer_invoice_is_posted_again_then_the_attempt_is_invalidated(self):
        move = self._create_invoice()
        tx = self._create_btcpay_transaction(
            reference='INV-changed', invoice_ids=[Command.set(move.ids)]
        )
        move.button_draft()
        move.action_post()
        self._carry_out()
        self.assertEqual(self._status(tx), OPEN)
        move.button_draft()
        move.invoice_line_ids.price_unit = 120
        move.action_post()
        self._carry_out()
        self.assertEqual((self._status(tx), tx.state), (INVALIDATED, 'cancel'))

    # === PAID === #

    def test_when_the_paid_order_costs_more_then_the_difference_is_asked_for(self):
        self._pay_after_change(120)
        self.assertEqual((self.tx.state, self.order.amount_paid), ('done', 100))
        self.assertEqual(self.tx.payment_id.amount, 100)
        self.assertEqual(self.order.state, 'draft')
        asked = self._activities(self.order)
        self.assertIn("came to $ 100.00; it comes to $ 120.00 now, so that $ 20.00 is due", asked)
        self.assertIn("The customer is sent a link to pay it", asked)
        mail, = self._mails(self.order)
        self.assertIn('payment_amount=20.0', str(mail.body))
        # And the order comes to be confirmed by the rest.
        self._pay(self._create_btcpay_transaction(self.order, amount=20))
        self.assertEqual((self.order.state, self.order.amount_paid), ('sale', 120))
        self.assertEqual(len(self.order.activity_ids), 1)

    def test_when_the_paid_order_costs_less_then_it_is_confirmed_and_flagged_for_review(self):
        self._pay_after_change(80)
        self.assertEqual((self.tx.state, self.order.amount_paid), ('done', 100))
        self.assertEqual(self.order.state, 'sale')
        asked = self._activities(self.order)
        self.assertIn("it comes to $ 80.00 now. Refund $ 20.00", asked)
        self.assertNotIn("twice", asked)
        self.assertFalse(self._mails(self.order))

    def test_when_the_paid_order_costs_nothing_any_more_then_one_refund_is_asked_for(self):
        """As a cart that is emptied in another tab: nobody has paid it in another way."""
        for is_seen_first in (True, False):
            with self.subTest(is_seen_first=is_seen_first):
                self.order = self._create_order()
                self.tx = self._create_btcpay_transaction(self.order)
                if is_seen_first:
                    self.world.pay(self.tx.btcpay_invoice_id)
                    self._look(self.tx)
                self.order.order_line.unlink()
                if is_seen_first:
                    self._carry_out()
                    self.assertFalse(self.order.activity_ids)
                    self.world.mine()
                else:
                    self.world.pay(self.tx.btcpay_invoice_id, method='BTC-LN')
                self._look(self.tx)
                self._post_process()
                self.assertEqual(self.tx.state, 'done')
                self.assertEqual(len(self.order.activity_ids), 1, self._activities(self.order))
                self.assertIn("it comes to $ 0.00 now. Refund $ 100.00",
                              self._activities(self.order))

    def _pay_after_change(self, price):
        """The customer pays before the invoice can be invalidated."""
        self.world.pay(self.tx.btcpay_invoice_id)
        self._change(price)
        self._carry_out()
        self.assertEqual(self.tx.state, 'pending')
        self.world.mine()
        self._look(self.tx)
        self._post_process()

    def test_when_an_order_with_a_down_payment_changes_then_it_is_flagged_without_a_mail(self):
        """Not all of it was to be paid: only the salesperson knows how much of the rest is."""
        order = self._create_order(require_payment=True, prepayment_percent=0.3)
        tx = self._create_btcpay_transaction(order, amount=30)
        self.world.pay(tx.btcpay_invoice_id)
        self._look(tx)
        order.order_line.price_unit = 110
        self.world.mine()
        self._look(tx)
        self._post_process()
        self.assertIn("it comes to $ 110.00 now, so that $ 80.00 is due", self._activities(order))
        self.assertFalse(self._mails(order))

    def test_when_a_partly_paid_order_changes_then_the_new_amount_due_is_mailed(self):
        self.btcpay.btcpay_accept_partial = True
        self.world.pay(self.tx.btcpay_invoice_id, fraction='0.4')
        self._look(self.tx)
        self._change(120)
        self.world.expire(self.tx.btcpay_invoice_id)
        self.world.mine()
        self._look(self.tx)
        self._post_process()
        self.assertEqual(self.order.amount_paid, 40)
        self.assertIn(
            "it comes to $ 120.00 now, so that $ 80.00 is due", self._activities(self.order)
        )
        self.assertIn('payment_amount=80.0', str(self._mails(self.order)[:1].body))

    def test_when_a_canceled_order_is_paid_then_a_refund_is_asked_for_without_a_mail(self):
        self.world.pay(self.tx.btcpay_invoice_id)
        self.order._action_cancel()
        self._carry_out()
        self.world.mine()
        self._look(self.tx)
        self._post_process()
        self.assertEqual((self.tx.state, self.order.state), ('done', 'cancel'))
        self.assertIn("for what had been canceled. Refund it", self._activities(self.order))
        self.assertFalse(self._mails(self.order))

    def test_when_a_canceled_order_that_was_paid_is_reopened_then_it_is_to_be_confirmed(self):
        self.world.pay(self.tx.btcpay_invoice_id)
        self.order._action_cancel()
        self.world.mine()
        self._look(self.tx)
        self._post_process()
        self.order.action_draft()
        self._look(self.tx)
        self.assertIn("for what had been canceled", self._activities(self.order))
        self.order.action_confirm()
        self._look(self.tx)
        self.assertFalse(self.order.activity_ids)

    # === MONEY COMES IN TWICE === #

    def test_when_two_bitcoin_invoices_are_paid_then_one_refund_is_asked_for(self):
        self.world.pay(self.tx.btcpay_invoice_id)
        second = self._create_btcpay_transaction(self.order)
        self._pay(second)
        self._look(self.tx)
        self._check_paid_twice(self.tx, second)

    def test_when_also_paid_by_another_provider_then_one_refund_is_asked_for(self):
        for ours_first in (True, False):
            with self.subTest(ours_first=ours_first):
                self.order = self._create_order()
                self.tx = self._create_btcpay_transaction(self.order)
                self.world.pay(self.tx.btcpay_invoice_id)
                self.world.mine()
                other = self._create_other_transaction(self.order)
                if ours_first:
                    self._look(self.tx)
                other._set_done()
                self._look(self.tx)
                self._check_paid_twice(self.tx, other)

    def _check_paid_twice(self, *transactions):
        self._post_process()
        for tx in transactions:
            self.assertEqual(tx.state, 'done')
            self.assertIn("100.00 more than what was to be paid", tx.btcpay_review_note)
            for other in transactions:
                self.assertIn(other.reference, tx.btcpay_review_note)
        asked = self._activities(self.order)
        self.assertEqual(asked.count("Refund one of the payments"), 1, asked)

    def test_when_also_paid_by_bank_then_a_refund_is_asked_for(self):
        move = self._create_invoice()
        tx = self._create_btcpay_transaction(
            reference='INV-twice', invoice_ids=[Command.set(move.ids)]
        )
        self.world.pay(tx.btcpay_invoice_id)
        self._pay_move(move)
        self.world.mine()
        self._look(tx)
        self._post_process()
        self.assertEqual(tx.state, 'done')
        self.assertIn("what had been paid in another way. Refund $ 100.00", self._activities(move))

    def test_when_payments_add_up_to_the_amount_due_then_nothing_is_flagged_for_review(self):
        """Down payment and rest, on the order and on its customer invoice; or paid anew after a
        refund.
        """
        self.product.invoice_policy = 'order'
        order = self._create_order(require_payment=True, prepayment_percent=0.3)
        self._pay(self._create_btcpay_transaction(order, amount=30))
        self.assertEqual(order.state, 'sale')
        move = order._create_invoices()
        move.action_post()
        self.assertEqual(move.amount_residual, 70)
        self._pay(self._create_btcpay_transaction(
            reference='INV-rest', amount=70, invoice_ids=[Command.set(move.ids)]
        ))
        self.assertEqual(move.amount_residual, 0)
        self.assertFalse(order.activity_ids | move.activity_ids)

        self._pay(self.tx)
        self.tx._create_child_transaction(100, is_refund=True)._set_done()
        self._pay(self._create_btcpay_transaction(self.order))
        self.assertFalse(self.order.activity_ids)

    # === IT NEVER STOPS WHAT IS GOING ON === #

    def test_when_the_mail_template_is_broken_then_the_payment_is_booked_and_a_person_told(self):
        """What becomes of the money does not depend on it; a person is told."""
        def post_template(_template, tx, *_args):
            tx.env.cr.execute('SELECT no_such_column')  # What comes after is not lost either.

        with (
            patch.object(customer, 'post_template', post_template),
            self.assertLogs('odoo.addons.payment_btcpay', 'ERROR'),
            mute_logger('odoo.sql_db'),
        ):
            self._pay_after_change(120)
        self.assertEqual(self.order.amount_paid, 100)
        self.assertIn("could not be mailed", self._activities(self.order))
        self.assertIn("no_such_column", self._activities(self.order))
        self.assertFalse(self._mails(self.order))
