from datetime import timedelta
from unittest.mock import patch

import psycopg2

from odoo import fields
from odoo.exceptions import UserError
from odoo.tests import new_test_user, tagged

from odoo.addons.payment_btcpay.const import CONFIRM_WAITS
from odoo.addons.payment_btcpay.db import Turn
from odoo.addons.payment_btcpay.tests.common import BTCPayCommon
from odoo.addons.payment_btcpay.tests.money_common import MoneyMixin

CONFIRM_LOG = 'odoo.addons.payment_btcpay.models.payment_transaction.confirmation'


@tagged('post_install', '-at_install')
class TestConfirm(MoneyMixin, BTCPayCommon):
    """Done means confirmed: what Odoo does not achieve is tried again, and a person is told."""

    def setUp(self):
        super().setUp()
        self.order = self._create_order(require_payment=True, prepayment_percent=1.0)
        self.tx = self._pay_order(self.order)
        self.now = fields.Datetime.now()

    def _pass(self, **time):
        self.now += timedelta(**time)

    def _run(self):
        self.env.cr.commit()
        with patch.object(fields.Datetime, 'now', lambda: self.now):
            self.env['payment.transaction'].sudo()._btcpay_confirm_due()
        self.env.invalidate_all()

    def _run_broken(self, error=None):
        """Run the scheduled action while the order cannot be confirmed."""
        with (
            patch.object(
                self.registry['sale.order'], '_send_order_confirmation_mail',
                side_effect=error or UserError("Unable to find Wkhtmltopdf"),
            ),
            self.assertLogs(CONFIRM_LOG, 'ERROR'),
        ):
            self._run()

    def _first_order_fails(self):
        """Have the order of the set-up refuse to be confirmed, and no other."""
        confirm = self.registry['sale.order'].action_confirm

        def fail_first(order):
            if order == self.order:
                raise ValueError("broken")
            return confirm(order)

        return patch.object(self.registry['sale.order'], 'action_confirm', fail_first)

    def _find(self):
        return self.env['sale.order'].search([('btcpay_is_paid_not_confirmed', '=', True)])

    # === TRIED AGAIN === #

    def test_when_the_first_wait_is_over_then_the_order_is_confirmed_and_not_before(self):
        self._run()
        self.assertFalse(self.tx.is_post_processed)
        self._pass(minutes=CONFIRM_WAITS[0])
        self._run()
        self.assertRecordValues(self.tx, [{'is_post_processed': True, 'btcpay_is_handled': True}])
        self.assertEqual(self.order.state, 'sale')
        self.assertEqual(self.tx.payment_id.amount, 100)

    def test_when_something_is_to_be_confirmed_then_odoos_own_scheduled_action_does_it(self):
        """Two beside each other, as on one customer's orders, are in each other's way."""
        cron = self.env.ref('payment.cron_post_process_payment_tx')
        triggers = self.env['ir.cron.trigger'].search([('cron_id', '=', cron.id)])
        triggers.unlink()
        self._pass(minutes=CONFIRM_WAITS[0])
        transactions = self.env['payment.transaction'].sudo()
        with patch.object(fields.Datetime, 'now', lambda: self.now):
            for _time in range(2):
                transactions._cron_btcpay_confirm()
            self.assertEqual(self.order.state, 'draft')
            self.assertEqual(len(triggers.search([('cron_id', '=', cron.id)])), 1)
            transactions._cron_post_process()
        self.assertEqual(self.order.state, 'sale')

    def test_when_the_last_provider_was_disabled_then_what_settles_later_is_confirmed(self):
        order = self._create_order(require_payment=True, prepayment_percent=1.0)
        tx = self._create_btcpay_transaction(order)
        self.world.pay(tx.btcpay_invoice_id)
        self._look(tx)
        cron = self.env.ref('payment.cron_post_process_payment_tx')
        self.assertTrue(self.btcpay.journal_id)  # It is chosen when it is first asked for.
        self.env['payment.provider'].sudo().search([]).state = 'disabled'
        self.assertFalse(cron.active, "Odoo does not switch it off any more: no test.")
        self.world.mine()
        self._look(tx)
        self._pass(minutes=CONFIRM_WAITS[0])
        with patch.object(fields.Datetime, 'now', lambda: self.now):
            self.env['payment.transaction'].sudo()._cron_btcpay_confirm()
        self.assertTrue(cron.active)
        self.assertTrue(self.env['ir.cron.trigger'].search([('cron_id', '=', cron.id)]))
        self._post_process()
        self.assertEqual((tx.state, order.state, tx.payment_id.amount), ('done', 'sale', 100))

    def test_when_odoo_gave_up_long_ago_then_the_order_is_confirmed_all_the_same(self):
        self.tx.last_state_change = self.now - timedelta(days=40)
        with patch.object(type(self.tx), '_btcpay_confirm_due', lambda _transactions: None):
            self._post_process()
        self.assertEqual(self.order.state, 'draft', "Odoo's own code does it: no test.")
        self._run()
        self.assertEqual(self.order.state, 'sale')
        self.assertTrue(self.tx.payment_id)

    def test_when_confirming_keeps_failing_then_the_waits_between_tries_grow(self):
        self._pass(minutes=CONFIRM_WAITS[0])
        for tries, wait in enumerate([*CONFIRM_WAITS[1:], CONFIRM_WAITS[-1]], start=1):
            self._run_broken()
            self.assertEqual(self.tx.btcpay_confirm_tries, tries)
            self.assertEqual(self.tx.btcpay_confirm_at, self.now + timedelta(minutes=wait))
            self._pass(minutes=wait - 1)
            self._run()  # It would succeed now.
            self.assertEqual(self.order.state, 'draft', "It is not time yet.")
            self._pass(minutes=1)
        self._run()
        self.assertEqual(self.order.state, 'sale')
        self.assertTrue(self.tx.btcpay_is_handled)
        self.assertIn("is confirmed now", str(self.order.message_ids.mapped('body')))

    def test_when_the_order_cannot_be_confirmed_then_it_still_says_once_that_it_is_paid(self):
        def told():
            return self.order.message_ids.filtered(
                lambda message: not message.subject and "has been confirmed" in message.body
            )

        order = self.order = self._create_order(require_payment=True, prepayment_percent=1.0)
        tx = self._create_btcpay_transaction(order)
        self.world.pay(tx.btcpay_invoice_id)
        self.world.mine()
        # As a delivery and the customer's page do, which wait for nothing.
        tx._btcpay_sync(turn=Turn(self.provider, 'page'))
        self.assertEqual((tx.state, len(told())), ('done', 0))
        self.now = fields.Datetime.now()
        self._pass(minutes=CONFIRM_WAITS[0])
        self._run_broken()
        self.assertEqual(len(told()), 1)
        self._pass(days=1)
        self._run()
        self.assertEqual((order.state, len(told())), ('sale', 1))

    def test_when_confirming_fails_twice_then_one_activity_says_the_reason(self):
        self._pass(minutes=CONFIRM_WAITS[0])
        self._run_broken()
        self.assertFalse(self.order.activity_ids)
        for _index in range(3):
            self._pass(days=1)
            self._run_broken()
        self.assertEqual(len(self.order.activity_ids), 1)
        asked = self._activities(self.order)
        self.assertIn("UserError: Unable to find Wkhtmltopdf", asked)
        self.assertIn("Remove the reason, or confirm it yourself", asked)
        self._pass(days=1)
        self._run_broken(ValueError("something else"))
        self.assertEqual(len(self.order.activity_ids), 1, "One matter is one activity.")
        self.assertIn("something else", self._activities(self.order))

    def test_when_a_person_confirmed_the_order_then_only_the_payment_is_booked(self):
        """Only the payment is booked then."""
        self._pass(minutes=CONFIRM_WAITS[0])
        self._run_broken()
        self.order.action_confirm()
        self._pass(days=1)
        self._run()
        self.assertEqual(self.order.state, 'sale')
        self.assertTrue(self.tx.payment_id)
        self.assertTrue(self.tx.btcpay_is_handled)

    def test_when_no_error_leaves_a_quotation_then_a_person_is_told_and_it_is_confirmed_later(self):
        """Somebody's module lets the order be a quotation, and says nothing."""
        with patch.object(self.registry['sale.order'], 'action_confirm', lambda order: True):
            self._post_process()
            self.assertRecordValues(
                self.tx, [{'is_post_processed': True, 'btcpay_is_handled': False}]
            )
            self.assertEqual(self.order.state, 'draft')
            payment = self.tx.payment_id
            self.assertEqual(self._find(), self.order)
            for _index in range(2):
                self._pass(days=1)
                self._run()
        self.assertIn("Odoo reports no error", self._activities(self.order))
        self._pass(days=1)
        self._run()
        self.assertEqual(self.order.state, 'sale')
        self.assertEqual(self.tx.payment_id, payment)
        self.assertEqual(self.env['account.payment'].search_count([
            ('payment_transaction_id', '=', self.tx.id),
        ]), 1)

    def test_when_odoo_waits_for_a_signature_then_a_person_is_told_and_nobody_mailed_again(self):
        """As Odoo 19.0 does since August 2026; other modules do for reasons of their own."""
        self.order.require_signature = True
        with patch.object(
            self.registry['payment.transaction'], '_check_amount_and_confirm_order',
            lambda transactions: transactions.env['sale.order'],
        ):
            self._post_process()
            messages = self.order.message_ids
            self.assertIn(self.partner, messages.partner_ids)
            for _index in range(3):
                self._pass(days=1)
                self._run()
        self.assertNotIn(self.partner, (self.order.message_ids - messages).partner_ids)
        self.assertIn("which the customer has not signed", self._activities(self.order))
        self._pass(days=1)
        self._run()
        self.assertEqual(self.order.state, 'sale')
        self.assertFalse(self.order.activity_ids)

    def test_when_only_a_part_is_paid_then_confirming_waits_without_messages(self):
        order = self._create_order(require_payment=True, prepayment_percent=1.0)
        part = self._create_btcpay_transaction(order, amount=40)
        self.world.pay(part.btcpay_invoice_id)
        self.world.mine()
        self._look(part)
        self._post_process()
        messages = order.message_ids
        for _index in range(3):
            self._pass(days=1)
            self._run()
        self.assertEqual((order.state, part.btcpay_confirm_tries), ('draft', 0))
        self.assertEqual(order.message_ids, messages, "The customer is not mailed again and again.")
        self.assertFalse(part.btcpay_is_handled)
        order.order_line.price_unit = 40  # The salesperson forgoes the rest.
        self._pass(days=1)
        self._run()
        self.assertEqual(order.state, 'sale')
        self.assertTrue(part.btcpay_is_handled)

    def test_when_a_salesperson_reopens_the_quotation_then_it_is_listed_but_not_confirmed(self):
        """By a salesperson, who wants to change it: Odoo does not interfere, but lists it."""
        self._post_process()
        self.assertTrue(self.tx.btcpay_is_handled)
        self.order._action_cancel()
        self.order.action_draft()
        self._pass(days=1)
        self._run()
        self.assertEqual(self.order.state, 'draft')
        self.assertEqual(self._find(), self.order)

    def test_when_several_orders_are_paid_at_once_then_a_person_is_told_without_mailing_again(self):
        """Odoo confirms none of them: a person is told, and the customer mailed once."""
        orders = self._create_order() | self._create_order()
        tx = self._create_btcpay_transaction(orders[0], amount=200)
        tx.sale_order_ids = orders
        self.world.pay(tx.btcpay_invoice_id)
        self.world.mine()
        self._look(tx)
        self._post_process()
        messages = orders.message_ids
        for _index in range(2):
            self._pass(days=1)
            self._run()
        self.assertIn("still is a quotation", self._activities(orders))
        self.assertNotIn(self.partner, (orders.message_ids - messages).partner_ids)

    def test_when_a_customer_invoice_is_paid_then_the_scheduled_action_books_it(self):
        move = self._create_invoice()
        tx = self._create_btcpay_transaction(
            reference='INV-confirm', invoice_ids=[(6, 0, move.ids)]
        )
        self.world.pay(tx.btcpay_invoice_id)
        self.world.mine()
        self._look(tx)
        self._pass(days=1)
        self._run()
        self.assertIn(move.payment_state, ('paid', 'in_payment'))
        self.assertTrue(tx.btcpay_is_handled)

    def test_when_the_payment_is_by_another_provider_then_it_is_left_alone(self):
        other = self._create_other_transaction(self._create_order())
        other._set_done()
        self._pass(days=1)
        self._run()
        self.assertFalse(other.is_post_processed)

    def test_when_one_order_fails_then_the_others_are_confirmed(self):
        second = self._pay_order(self._create_order())
        self._pass(days=1)
        with (
            self._first_order_fails(),
            self.assertLogs(CONFIRM_LOG, 'ERROR'),
        ):
            self._run()
        self.assertEqual((self.order.state, second.sale_order_ids.state), ('draft', 'sale'))

    def test_when_a_failure_cannot_even_be_noted_then_the_others_are_confirmed(self):
        """Nor does Odoo's own scheduled action fail by it, which is that of all providers."""
        second = self._pay_order(self._create_order())
        self._pass(days=1)
        with (
            self._first_order_fails(),
            patch.object(
                type(self.tx), '_btcpay_note_failed_confirmation',
                side_effect=psycopg2.errors.SerializationFailure(),
            ),
            self.assertLogs(CONFIRM_LOG, 'ERROR'),
        ):
            self._run()
        self.assertEqual((self.order.state, second.sale_order_ids.state), ('draft', 'sale'))

    # === NOT TWICE === #

    def test_when_the_transaction_is_locked_then_it_is_left_for_the_next_run(self):
        self._pass(minutes=CONFIRM_WAITS[0])
        for outcome in ([self.tx.browse()], psycopg2.errors.SerializationFailure()):
            with patch.object(
                self.registry['payment.transaction'], 'try_lock_for_update', side_effect=outcome
            ):
                self._run()
            self.assertRecordValues(self.tx, [{
                'is_post_processed': False, 'btcpay_confirm_tries': 0, 'btcpay_confirm_at': False,
            }])
        self._run()
        self.assertEqual(self.order.state, 'sale')

    def test_when_the_customers_page_was_quicker_then_the_order_is_not_processed_twice(self):
        """Odoo's own scheduled action does not try again."""
        second = self._pay_order(self._create_order())
        post_process = type(self.tx)._post_process

        def page_is_quicker(tx):
            if tx == self.tx:
                post_process(second)  # Confirms the order and mails the customer.
            return post_process(tx)

        with patch.object(self.registry['payment.transaction'], '_post_process', page_is_quicker):
            self.env['payment.transaction'].sudo()._cron_post_process()
        order = second.sale_order_ids
        self.assertEqual((order.state, self.order.state), ('sale', 'sale'))
        mails = order.message_ids.filtered(lambda m: self.partner in m.partner_ids)
        self.assertEqual(len(mails), 1, mails.mapped('subject'))
        self.assertEqual(self.env['account.payment'].search_count([
            ('payment_transaction_id', '=', second.id),
        ]), 1)

    def test_when_post_processing_runs_twice_then_the_automatic_invoice_is_not_lost(self):
        """Doing it twice would take it away from the transaction."""
        self.env['ir.config_parameter'].sudo().set_param('sale.automatic_invoice', 'True')
        self.product.invoice_policy = 'order'
        self._post_process()
        invoice = self.tx.invoice_ids
        self.assertEqual(invoice.amount_residual, 0)
        self.tx._post_process()
        self._pass(days=1)
        self._run()
        self.assertEqual(self.tx.invoice_ids, invoice)
        self.assertEqual(self.order.invoice_ids, invoice)
        self.assertFalse(self.order.activity_ids)

    # === THE FILTER === #

    def test_when_an_order_is_paid_but_not_confirmed_then_the_filter_finds_it(self):
        self.assertEqual(self._find(), self.order)
        self.assertTrue(self.order.btcpay_is_paid_not_confirmed)
        self.assertNotIn(self.order, self.env['sale.order'].search([
            ('btcpay_is_paid_not_confirmed', '=', False),
        ]))
        salesperson = new_test_user(
            self.env, 'salesperson', groups='sales_team.group_sale_salesman_all_leads'
        )
        Order = self.env['sale.order'].with_user(salesperson)
        self.assertEqual(
            Order.search([('btcpay_is_paid_not_confirmed', '=', True)]).ids, self.order.ids
        )
        self.assertTrue(Order.browse(self.order.id).btcpay_is_paid_not_confirmed)
        self._post_process()
        self.assertFalse(self._find())
        self.assertFalse(self.order.btcpay_is_paid_not_confirmed)

    def test_when_not_enough_is_paid_in_bitcoin_then_the_filter_does_not_find_the_order(self):
        self._post_process()
        other = self._create_other_transaction(self._create_order())
        other._set_done()
        pending = self._create_btcpay_transaction(self._create_order())
        part = self._create_btcpay_transaction(
            self._create_order(require_payment=True, prepayment_percent=1.0), amount=40
        )
        for tx in (pending, part):
            self.world.pay(tx.btcpay_invoice_id)
        self._look(pending)
        self.world.mine()
        self._look(part)
        self.assertEqual((pending.state, part.state), ('pending', 'done'))
        self.assertFalse(self._find())
