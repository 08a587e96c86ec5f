import json
from datetime import timedelta

from odoo import fields
from odoo.tests import tagged
from odoo.tools import mute_logger

from odoo.addons.payment_btcpay import const
from odoo.addons.payment_btcpay.greenfield import WebhookEvent
from odoo.addons.payment_btcpay.tests.common import BTCPayHttpCommon
from odoo.addons.payment_btcpay.tests.money_common import MoneyMixin

INVOICES = r'/stores/\w+/invoices$'
MODELS = 'odoo.addons.payment_btcpay.models'


@tagged('-at_install', 'post_install')
class TestAdoption(MoneyMixin, BTCPayHttpCommon):
    """An invoice is ours or it is not: other systems use the same store and the same references."""

    def _lose_answer(self, order=None, **fault):
        """Create a transaction whose invoice may or may not have been made: nobody answered."""
        self.world.fault('drop', path=INVOICES, method='POST', **fault)
        tx = self._create_btcpay_transaction(order, make_invoice=False)
        with mute_logger(
            f'{MODELS}.payment_transaction.checkout_failure', f'{MODELS}.payment_provider.client',
            f'{MODELS}.payment_provider.health',
        ):
            tx._get_processing_values()
        self.assertFalse(tx.btcpay_invoice_id)
        return tx

    def _new_invoice(self, tx, **metadata):
        return self.world.new_invoice(
            self.store_id, metadata={'orderId': tx.reference, **metadata}
        )['id']

    def test_when_another_system_has_the_same_order_number_then_its_invoice_pays_nothing(self):
        order = self._create_order()
        tx = self._lose_answer(order)
        foreign_id = self._new_invoice(tx)
        other_id = self._new_invoice(tx, **{const.TOKEN_KEY: 'of another database'})
        for invoice_id in (foreign_id, other_id):
            self.world.pay(invoice_id)
        self.world.mine()
        tx._btcpay_sync()
        self.assertFalse(tx.btcpay_invoice_id)
        self.assertEqual((tx.state, order.state), ('error', 'draft'))

    def test_when_a_foreign_invoice_has_our_order_id_then_nobody_is_alarmed(self):
        order = self._create_order()
        tx = self._lose_answer(order)
        activities = order.activity_ids
        event = self._prepare_event(tx, invoiceId=self._new_invoice(tx))
        self.assertEqual(self._post_event(event).status_code, 200)
        self.assertEqual(order.activity_ids, activities)
        self.assertFalse(tx.btcpay_review_note)

    def test_when_the_answer_was_lost_then_the_invoice_is_found_by_its_token(self):
        tx = self._lose_answer(self._create_order(), after=True)
        tx._btcpay_sync()
        invoice = self.world.invoice(tx.btcpay_invoice_id)
        self.assertEqual(invoice['metadata'][const.TOKEN_KEY], tx.sudo().btcpay_invoice_token)

    def test_when_the_servers_clock_is_hours_behind_then_the_lost_invoice_is_found(self):
        tx = self._lose_answer(self._create_order(), after=True)
        tx.btcpay_requested_at = fields.Datetime.now() + timedelta(hours=5)
        tx._btcpay_sync()
        self.assertTrue(tx.btcpay_invoice_id)

    def test_when_two_transactions_are_made_then_their_tokens_differ(self):
        tokens = {
            self._create_btcpay_transaction(self._create_order()).sudo().btcpay_invoice_token
            for _number in range(3)
        }
        self.assertEqual(len(tokens), 3)

    def test_when_the_answer_was_lost_then_the_status_says_what_is_so(self):
        tx = self._lose_answer(self._create_order(), after=True)
        self.assertEqual(tx.btcpay_status_text, "Failed")
        tx._btcpay_sync()
        self.assertEqual(tx.btcpay_status_text, "Checkout failed, invoice still open")
        tx._btcpay_flag_for_review("Paid twice.", 'mail')  # Something else than the invoice.
        self.assertEqual(tx.btcpay_status_text, "Checkout failed, invoice still open")

    def test_when_the_order_is_paid_before_the_lost_invoice_is_found_then_it_is_invalidated(self):
        order = self._create_order()
        tx = self._lose_answer(order, after=True)
        self._set_done(self._create_other_transaction(order))
        self._run_pending_actions()
        self.assertFalse(tx.btcpay_invoice_id)
        tx._btcpay_sync()
        self._run_pending_actions()
        self.assertEqual(self._status(tx), ('Invalid', 'Marked'))
        self.assertFalse(order.activity_ids)

    def test_when_a_database_was_restored_then_the_invoice_of_the_other_one_pays_nothing(self):
        """The copy has the same transaction, by number and by token of the time of the copy."""
        order = self._create_order()
        tx = self._lose_answer(order, after=True)
        token = tx.sudo().btcpay_invoice_token
        # In the copy the customer pays again, by a transaction that the original gives the same
        # reference: it asks with a token of its own.
        again = self._lose_answer(order)
        self._new_invoice(again, **{const.TOKEN_KEY: token})
        again._btcpay_sync()
        self.assertFalse(again.btcpay_invoice_id)
        self.assertFalse(order.activity_ids)

    def test_when_money_comes_for_an_invoice_of_before_a_restore_then_a_person_is_asked_once(self):
        """The references are given again: none of them is taken for paid by it."""
        order = self._create_order()
        tx = self._create_btcpay_transaction(order)
        token = self.env['payment.transaction']._btcpay_make_token()
        forgotten = self._new_invoice(tx, **{const.TOKEN_KEY: token})
        for other in ({}, {const.TOKEN_KEY: 'of another'}, {const.TOKEN_KEY: f'{token[:-4]}döts'},
                      {const.TOKEN_KEY: [token]}):
            self.world.pay(self._new_invoice(tx, **other))
        with self._world_speaks():
            self.world.pay(forgotten, amount='0.001')
            self.world.pay(forgotten)
            self.world.mine()
        [alert] = self.btcpay.activity_ids
        self.assertIn(forgotten, alert.note)
        self.assertIn(tx.reference, alert.note)
        self.assertEqual((tx.state, order.state), ('draft', 'draft'))

    def test_when_another_provider_has_the_store_too_then_its_payments_are_not_forgotten(self):
        """The store tells each of them of all."""
        tx = self._create_btcpay_transaction(self._create_order())
        other = self.btcpay.copy({'name': "Of another website"})
        event = WebhookEvent.parse(json.dumps({
            **self._prepare_event(tx, const.MONEY_EVENT),
            'metadata': {const.TOKEN_KEY: tx.btcpay_invoice_token},
        }).encode())
        for provider in (self.btcpay, other):
            provider._btcpay_report_forgotten(event)
            self.assertFalse(provider.activity_ids)
        tx.write({'btcpay_invoice_id': False, 'btcpay_invoice_token': False})
        other._btcpay_report_forgotten(event)
        self.assertTrue(other.activity_ids)

    def test_when_the_order_is_paid_otherwise_then_the_lost_invoice_is_invalidated(self):
        order = self._create_order()
        tx = self._lose_answer(order, after=True)
        tx._btcpay_sync()
        self._set_done(self._create_other_transaction(order))
        self._run_pending_actions()
        self.assertEqual(self._status(tx), ('Invalid', 'Marked'))
        self.assertEqual(tx.btcpay_status_text, "Invalidated")

    def _run_pending_actions(self):
        self.env.cr.commit()
        self.env['payment.transaction'].sudo()._cron_btcpay_run_pending_actions()
