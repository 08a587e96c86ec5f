from datetime import timedelta
from unittest.mock import patch

from odoo import fields
from odoo.fields import Command
from odoo.tests import tagged
from odoo.tools import mute_logger

from odoo.addons.payment_btcpay import const
from odoo.addons.payment_btcpay.tests.common import BTCPayCommon
from odoo.addons.payment_btcpay.tests.money_common import MoneyMixin

INVALIDATED = ('Invalid', 'Marked')
OPEN = ('New', 'None')


@tagged('post_install', '-at_install')
class TestSeveralInvoices(MoneyMixin, BTCPayCommon):
    """Several attempts to pay for the same: the older open invoices are invalidated."""

    def setUp(self):
        super().setUp()
        self.order = self._create_order(require_payment=True, prepayment_percent=1.0)
        self.tx = self._create_btcpay_transaction(self.order)

    def _check_invalidated(self, tx=None):
        tx = tx or self.tx
        self._carry_out()
        self.assertEqual(self._status(tx), INVALIDATED)
        self.assertEqual(tx.state, 'cancel')
        self.assertTrue(tx.btcpay_invalidated_at)
        self.assertFalse(tx.btcpay_pending_action)
        self.assertIn("was invalidated", tx.state_message)
        self.assertFalse(self._activities(tx._btcpay_get_document()), "There is nothing to ask.")

    def _check_left(self, tx=None, status=OPEN):
        tx = tx or self.tx
        self._carry_out()
        self.assertEqual(self._status(tx), status)
        self.assertNotEqual(tx.state, 'cancel')
        self.assertFalse(tx.btcpay_invalidated_at)
        self.assertFalse(tx.btcpay_pending_action)

    # === A NEW ATTEMPT === #

    def test_when_the_same_provider_starts_anew_then_the_older_invoice_is_invalidated(self):
        newer = self._create_btcpay_transaction(self.order)
        self._check_invalidated()
        self.assertEqual((self._status(newer), newer.state), (OPEN, 'draft'))

    def test_when_another_provider_starts_anew_then_the_older_invoice_is_invalidated(self):
        self._create_other_transaction(self.order)
        self._check_invalidated()

    def test_when_a_new_attempt_starts_then_the_pending_actions_are_triggered_at_once(self):
        cron = self.env.ref('payment_btcpay.ir_cron_btcpay_pending_actions')
        triggers = self.env['ir.cron.trigger'].search([('cron_id', '=', cron.id)])
        self._create_btcpay_transaction(self.order)
        self.assertTrue(
            self.env['ir.cron.trigger'].search([('cron_id', '=', cron.id)]) - triggers
        )

    def test_when_the_new_attempt_is_for_another_order_then_the_invoice_is_left(self):
        self._create_btcpay_transaction(self._create_order())
        self._check_left()

    def test_when_the_new_attempts_invoice_fails_then_the_older_invoice_is_left(self):
        self.world.fault('status', path='/invoices', method='POST')
        with self._quiet(), self.assertLogs(
            'odoo.addons.payment_btcpay.models.payment_transaction.checkout_failure', 'ERROR'
        ):
            newer = self._create_btcpay_transaction(self.order, make_invoice=False)
            newer._get_processing_values()
        self.assertEqual(newer.state, 'error')
        self._check_left()

    def test_when_a_customer_invoice_is_attempted_anew_then_the_older_invoice_is_invalidated(self):
        move = self._create_invoice()
        for by_btcpay in (True, False):
            tx = self._create_btcpay_transaction(
                reference=f'INV-{by_btcpay}', invoice_ids=[Command.set(move.ids)]
            )
            create = (
                self._create_btcpay_transaction if by_btcpay else self._create_other_transaction
            )
            with self.subTest(by_btcpay=by_btcpay):
                create(reference=f'again-{by_btcpay}', invoice_ids=[Command.set(move.ids)])
                self._check_invalidated(tx)

    def test_when_two_customer_invoices_are_being_paid_then_both_attempts_are_left(self):
        """Two customer invoices of one order, each of which is being paid."""
        self.product.invoice_policy = 'order'
        self.order.action_confirm()
        moves = self.order._create_invoices() | self._create_invoice()
        moves.filtered(lambda move: move.state == 'draft').action_post()
        first, second = (
            self._create_btcpay_transaction(
                reference=move.name, invoice_ids=[Command.set(move.ids)]
            ) for move in moves
        )
        self._check_left(first)
        self._check_left(second)

    # === PAID OR CANCELED === #

    def test_when_the_order_is_paid_by_another_provider_then_the_invoice_is_invalidated(self):
        """By an attempt that is older even, of another provider."""
        other = self._create_other_transaction(self.order)
        self.tx = self._create_btcpay_transaction(self.order)
        self._set_done(other)
        self._check_invalidated()

    def test_when_the_order_is_partly_paid_otherwise_then_the_invoice_is_left(self):
        other = self._create_other_transaction(self.order, amount=30)
        self.tx = self._create_btcpay_transaction(self.order, amount=70)
        self._set_done(other)
        self._check_left()

    def test_when_the_orders_other_payment_was_refunded_then_the_invoice_is_left(self):
        other = self._create_other_transaction(self.order)
        other._set_done()
        refund = other._create_child_transaction(100, is_refund=True)
        refund._set_done()
        self.tx = self._create_btcpay_transaction(self.order)
        self.order.order_line.price_unit = 100
        self._check_left()

    def test_when_the_orders_invoice_is_paid_by_bank_then_the_bitcoin_invoice_is_invalidated(self):
        self.product.invoice_policy = 'order'
        self.order.action_confirm()
        move = self.order._create_invoices()
        move.action_post()
        self._check_left()
        self._pay_move(move)
        self._check_invalidated()

    def test_when_a_customer_invoice_is_paid_by_bank_then_the_bitcoin_invoice_is_invalidated(self):
        move = self._create_invoice()
        tx = self._create_btcpay_transaction(
            reference='INV-bank', invoice_ids=[Command.set(move.ids)]
        )
        self._pay_move(move)
        self._check_invalidated(tx)

    def test_when_another_provider_pays_the_customer_invoice_then_ours_is_invalidated(self):
        move = self._create_invoice()
        other = self._create_other_transaction(
            amount=100, reference='INV-other', invoice_ids=[Command.set(move.ids)]
        )
        tx = self._create_btcpay_transaction(
            reference='INV-ours', invoice_ids=[Command.set(move.ids)]
        )
        self._set_done(other)
        self._check_invalidated(tx)

    def test_when_the_document_is_canceled_then_its_bitcoin_invoice_is_invalidated(self):
        self.order._action_cancel()
        self._check_invalidated()
        move = self._create_invoice()
        tx = self._create_btcpay_transaction(
            reference='INV-cancel', invoice_ids=[Command.set(move.ids)]
        )
        move.button_draft()
        move.button_cancel()
        self._check_invalidated(tx)

    def test_when_the_order_is_deleted_then_its_bitcoin_invoice_is_invalidated(self):
        self.order.unlink()
        self._check_invalidated()

    def test_when_a_payment_has_no_document_then_its_invoice_is_left(self):
        tx = self._create_btcpay_transaction(reference='donation')
        tx._btcpay_invalidate_obsolete()
        self._check_left(tx)

    # === MONEY IS ON IT === #

    def test_when_money_was_received_then_the_invoice_is_kept_and_flagged_for_review(self):
        for pay_values, status in [
            ({}, ('Processing', 'None')), ({'fraction': '0.4'}, ('New', 'PaidPartial')),
        ]:
            for what, asked in [
                (lambda: self._create_btcpay_transaction(self.order), "started a new payment"),
                (lambda: self.order.write({'state': 'cancel'}), "is canceled in Odoo"),
                (
                    lambda: self._create_other_transaction(self.order)._set_done(),
                    "is paid in another way",
                ),
            ]:
                for known in (True, False):
                    with self.subTest(status=status, asked=asked, known=known):
                        self.order = self._create_order()
                        self.tx = self._create_btcpay_transaction(self.order)
                        self.world.pay(self.tx.btcpay_invoice_id, **pay_values)
                        if known:
                            self._look(self.tx)
                        what()
                        self._check_left(status=status)
                        self.assertIn(asked, self._activities(self.order))
                        self._carry_out()
                        self.assertEqual(self._activities(self.order).count(asked), 1)

    def test_when_what_was_received_was_replaced_then_the_invoice_is_invalidated(self):
        """Else it was to be, and was left, with each run, which caused the next one."""
        txid = self.world.pay(self.tx.btcpay_invoice_id, fraction='0.4', replaceable=True)
        self._look(self.tx)
        self.world.replace(txid)
        self.world.mine()
        self._look(self.tx)
        self.assertEqual(self._status(self.tx), ('New', 'PaidPartial'))
        self.order._action_cancel()
        self._check_invalidated()

    def test_when_paid_while_being_invalidated_then_the_money_is_flagged_for_review(self):
        """Between our reading it and our marking it."""
        send = type(self.btcpay)._send_api_request

        def pay_first(provider, method, *args, **kwargs):
            if method == 'POST':
                self.world.pay(self.tx.btcpay_invoice_id)
            return send(provider, method, *args, **kwargs)

        self._create_other_transaction(self.order)
        with patch.object(type(self.btcpay), '_send_api_request', pay_first):
            self._carry_out()
        self.assertEqual((self._status(self.tx), self.tx.state), (INVALIDATED, 'cancel'))
        self.assertIn("$ 100.00 was received for it", self._activities(self.order))

    def test_when_paid_after_invalidation_then_the_money_is_flagged_once_and_can_be_accepted(self):
        self._create_other_transaction(self.order)
        self._check_invalidated()
        self.world.pay(self.tx.btcpay_invoice_id)
        self._watch()
        self.assertEqual(self._status(self.tx), INVALIDATED)
        self.assertIn("$ 100.00 was received for it", self._activities(self.order))
        self.assertEqual(self.tx.state, 'cancel')
        self.world.mine()
        self._watch()
        self.assertTrue(self.tx.btcpay_can_accept_partial)
        self.assertEqual(len(self.order.activity_ids), 1)

    def test_when_an_invalidated_invoices_monitoring_ends_then_it_is_synced_no_more(self):
        self._create_other_transaction(self.order)
        self._check_invalidated()
        self.assertTrue(self.tx.btcpay_next_sync_at)
        after = self.tx.btcpay_monitored_until + timedelta(minutes=1)
        with patch.object(fields.Datetime, 'now', lambda: after):
            self._watch()
        self.assertFalse(self.tx.btcpay_next_sync_at)

    def _watch(self):
        """Have the scheduled action sync what is due by now."""
        self.tx.btcpay_next_sync_at -= timedelta(minutes=const.SLOW_POLL_MINUTES + 1)
        self.env.cr.commit()
        with mute_logger(
            'odoo.addons.payment_btcpay.models.payment_provider.webhook',
            'odoo.addons.payment_btcpay.models.payment_provider.client',
        ):  # These tests' webhook does not exist.
            self.env['payment.provider']._cron_btcpay_sync()

    # === THE NETWORK FAILS, OR ODOO DOES === #

    def test_when_the_network_fails_while_invalidating_then_it_is_retried(self):
        for kind, after in [('drop', True), ('drop', False), ('status', False), ('half', True)]:
            with self.subTest(kind=kind, after=after):
                tx = self._create_btcpay_transaction(self.order)
                self._create_other_transaction(self.order)
                self.world.fault(kind, path='/status', method='POST', after=after)
                with self._quiet():
                    self._carry_out()
                self.assertEqual((tx.state, tx.btcpay_pending_action), ('draft', 'invalidate'))
                self._check_invalidated(tx)

    def test_when_an_event_precedes_the_answer_then_the_payment_is_canceled_and_not_failed(self):
        self._create_other_transaction(self.order)
        self.world.fault('drop', path='/status', method='POST', after=True)
        with self._quiet():
            self._carry_out()
        self._look(self.tx)  # As the webhook does: the invoice is Invalid.
        self.assertEqual(self.tx.state, 'cancel', "It is not the customer's payment that failed.")
        self._check_invalidated()

    def test_when_a_document_cannot_be_compared_then_what_is_pending_is_done_all_the_same(self):
        for name in ('_btcpay_find_obsolete', '_btcpay_find_lost_credit_notes'):
            with self.subTest(name):
                order = self._create_order()
                tx = self._create_btcpay_transaction(order)
                self._create_other_transaction(order)
                tx._btcpay_plan('invalidate')
                self.env.cr.commit()
                with patch.object(type(tx), name, side_effect=RuntimeError), self.assertLogs(
                    'odoo.addons.payment_btcpay', 'ERROR'
                ):
                    self.env['payment.transaction'].sudo()._cron_btcpay_run_pending_actions()
                self.assertEqual(self._status(tx), INVALIDATED)

    def test_when_odoo_crashes_before_sending_then_the_next_run_invalidates(self):
        self._create_other_transaction(self.order)
        self.env.cr.commit()
        with patch.object(
            type(self.tx), '_btcpay_fetch_invoice', side_effect=RuntimeError("crash")
        ), self.assertLogs('odoo.addons.payment_btcpay', 'ERROR'):
            self.env['payment.transaction'].sudo()._cron_btcpay_run_pending_actions()
        self._check_invalidated()

    def test_when_odoo_crashes_after_the_server_was_told_then_the_next_run_completes_it(self):
        self._create_other_transaction(self.order)
        self.env.cr.commit()
        with patch.object(
            type(self.tx), '_set_canceled', side_effect=RuntimeError("crash")
        ), self.assertLogs('odoo.addons.payment_btcpay', 'ERROR'):
            self.env['payment.transaction'].sudo()._cron_btcpay_run_pending_actions()
        self.assertEqual((self._status(self.tx), self.tx.state), (INVALIDATED, 'draft'))
        self._check_invalidated()

    def test_when_one_invoice_cannot_be_invalidated_then_the_others_still_are(self):
        order = self._create_order()
        tx = self._create_btcpay_transaction(order)
        self._create_other_transaction(self.order)
        self._create_other_transaction(order)
        self.world.fault('status', path=f'/{self.tx.btcpay_invoice_id}', count=None, status=404)
        with self._quiet():
            self._check_invalidated(tx)
        self.assertIn("refused what Odoo wanted to do", self._activities(self.order))

    def test_when_the_server_refuses_then_it_is_not_asked_again_and_again(self):
        """As of an invoice that is gone, or where the key lost its permission."""
        self._create_other_transaction(self.order)
        self.world.fault('status', path=f'/{self.tx.btcpay_invoice_id}', count=None, status=403)
        with self._quiet():
            self._carry_out()
            asked = self.world.requests()[-1]['n']
            self.env['ir.cron.trigger'].search([]).unlink()
            self._carry_out()
        self.assertFalse(self.world.requests(asked))
        self.assertFalse(self.env['ir.cron.trigger'].search([]))

    def test_when_the_server_is_down_then_it_is_asked_once_a_run(self):
        for _index in range(3):
            order = self._create_order()
            self._create_btcpay_transaction(order)
            self._create_other_transaction(order)
        self.world.fault('status', count=None)
        since = self.world.requests()[-1]['n']
        with self._quiet():
            self._carry_out()
        self.assertEqual(len(self.world.requests(since)), 1)

    # === AN OLD INVOICE NEVER HARMS === #

    def test_when_an_old_invoice_ends_then_the_paid_order_and_newer_attempt_are_untouched(self):
        for end in (self.world.expire, lambda invoice: self.world.mark(invoice, 'Invalid')):
            self.order = self._create_order(require_payment=True, prepayment_percent=1.0)
            self.tx = self._create_btcpay_transaction(self.order)
            newer = self._create_btcpay_transaction(self.order)
            end(self.tx.btcpay_invoice_id)
            self._look(self.tx)
            self.assertEqual((newer.state, self.order.state), ('draft', 'draft'))
            self.assertEqual(self._status(newer), OPEN)
            self.world.pay(newer.btcpay_invoice_id)
            self.world.mine()
            self._look(newer)
            self._post_process()
            self._look(self.tx)
            self._post_process()
            self.assertRecordValues(self.order, [{'state': 'sale', 'amount_paid': 100}])
            self.assertEqual(newer.state, 'done')
            self.assertFalse(self.order.activity_ids)
