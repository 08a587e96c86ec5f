"""Invoices that nobody is meant to pay any more, and what else is to be done at the server.

No hook of orders or invoices watches for changes: the scheduled action compares the few invoices
that are open with what they are for.
"""
import time

from odoo import _, api, fields, models
from odoo.tools import split_every

from odoo.addons.payment.logging import get_payment_logger
from odoo.addons.payment_btcpay import const
from odoo.addons.payment_btcpay.db import CONCURRENCY_ERRORS, RowBusy, commit_and_refresh, lock
from odoo.addons.payment_btcpay.greenfield import GreenfieldError
from odoo.addons.payment_btcpay.utils import trigger_once

_logger = get_payment_logger(__name__, sensitive_keys=const.SENSITIVE_KEYS)


class PaymentTransaction(models.Model):
    _inherit = 'payment.transaction'

    # === WHICH ONES === #

    def _btcpay_invalidate_obsolete(self):
        """Have the open invoices invalidated that nobody is meant to pay any more.

        Those that have money on them are left, and flagged for review.
        """
        for tx in self.filtered(lambda tx: tx._btcpay_is_open()):
            tx = tx._btcpay_as_odoo()
            if reason := tx._btcpay_get_obsolete_reason():
                if tx._btcpay_has_money():
                    tx._btcpay_flag_unwanted_money(reason)
                elif 'refused' not in tx._btcpay_get_open_matters():
                    tx._btcpay_plan('invalidate')

    def _btcpay_is_open(self):
        """Return whether the invoice can be paid, as far as Odoo knows, and is to stay so.

        Also that of a checkout which failed, because the server's answer was lost.
        """
        self.ensure_one()
        return bool(
            self.provider_code == 'btcpay'
            and (self.state in ('draft', 'pending') or (
                self.state == 'error' and self.btcpay_status == 'New'
            ))
            and self.btcpay_requested_at
            and not self.btcpay_pending_action
            and self.operation != 'refund'
        )

    def _btcpay_get_obsolete_reason(self):
        """Return why the invoice is not to be paid any more.

        :return: `canceled`, `paid`, `changed`, `lowered` (less is due by now than is asked for) or
                 `newer`; empty if it is to be paid.
        :rtype: str
        """
        self.ensure_one()
        if self._btcpay_are_documents_canceled():
            return 'canceled'
        if self._btcpay_are_documents_paid():
            return 'paid'
        if self._btcpay_are_documents_changed():
            return 'changed'
        due = self._btcpay_get_amount_due_without_this()
        if due is not None and self.currency_id.compare_amounts(due, self.amount) < 0:
            return 'lowered'
        return 'newer' if self._btcpay_has_newer_attempt() else ''

    def _btcpay_are_documents_canceled(self):
        """Return whether what was to be paid was canceled or deleted."""
        self.ensure_one()
        documents = self.sale_order_ids or self.invoice_ids or self._btcpay_get_till_order()
        if not documents:
            return bool(self.btcpay_documents_total)
        return all(document.state == 'cancel' for document in documents)

    def _btcpay_are_documents_paid(self):
        """Return whether the documents are paid without this transaction."""
        self.ensure_one()
        if till_order := self._btcpay_get_till_order():
            return till_order.state not in ('draft', 'cancel')
        due = self._btcpay_get_amount_due_without_this()
        return due is not None and self.currency_id.compare_amounts(due, 0) <= 0

    def _btcpay_are_documents_changed(self):
        """Return whether the documents' total is no more what it was when the invoice was made."""
        self.ensure_one()
        if not self.btcpay_documents_total or not (self.sale_order_ids or self.invoice_ids):
            return False
        total = self._btcpay_get_documents_total()
        return total is None or self.currency_id.compare_amounts(
            total, self.btcpay_documents_total
        ) != 0

    def _btcpay_has_newer_attempt(self):
        """Return whether the customer has begun to pay anew since.

        A new attempt that nobody could pay is none.
        """
        self.ensure_one()
        return any(
            tx.id > self.id and tx.state in ('draft', 'pending', 'authorized', 'done')
            and (tx.provider_code != 'btcpay' or tx.btcpay_requested_at)
            for tx in self._btcpay_get_payment_siblings() if not tx.source_transaction_id
        )

    # === PENDING ACTIONS === #

    def _btcpay_plan(self, action):
        """Have something done at the server as soon as this database transaction is stored.

        :param str action: The value of `btcpay_pending_action`.
        """
        self.btcpay_pending_action = action
        trigger_once(self.env, 'payment_btcpay.ir_cron_btcpay_pending_actions')

    @api.model
    def _cron_btcpay_run_pending_actions(self):
        """Find the open invoices that are obsolete, and do at the server what is pending: at once
        when it comes up, or later if it failed."""
        providers = self.env['payment.provider']._btcpay_find_all()
        for find in (self._btcpay_find_obsolete, self._btcpay_find_lost_credit_notes):
            try:
                find(providers)
            except Exception:
                self.env.cr.rollback()  # What is pending is done all the same.
                _logger.exception("Not all documents could be compared with their payments")
        todo = self.search([
            ('btcpay_pending_action', '!=', False), ('provider_id', 'in', providers.ids),
        ], order='btcpay_synced_at NULLS FIRST, id')
        unreachable = self.env['payment.provider']
        self.env['ir.cron']._commit_progress(remaining=len(todo))
        for tx in todo:
            try:
                if tx.provider_id not in unreachable and tx.provider_id._btcpay_may_ask():
                    tx._btcpay_run_pending_action()
            except (GreenfieldError, RowBusy) as error:
                self.env.cr.rollback()
                _logger.warning("Nothing done for transaction %s: %s", tx.reference, error)
                if not error.is_temporary:
                    tx._btcpay_drop_pending_action(error)
                elif error.is_of_server and tx._btcpay_is_store_current():
                    unreachable |= tx.provider_id
            except Exception:
                self.env.cr.rollback()
                _logger.exception("Nothing done for transaction %s", tx.reference)
            if not self.env['ir.cron']._commit_progress(1):
                break

    @api.model
    def _btcpay_find_obsolete(self, providers):
        """Compare the open invoices with what they are for, as many as there is time for: those
        that are polled next come first, so that each has its turn.

        :param payment.provider providers: The providers.
        """
        deadline = time.monotonic() + const.LIST_SECONDS
        transactions = self.search([
            ('provider_id', 'in', providers.ids),
            ('state', 'in', ('draft', 'pending', 'error')),
            ('btcpay_next_sync_at', '!=', False),
            ('operation', '!=', 'refund'),
        ], order='btcpay_next_sync_at, id')
        for some in split_every(const.BATCH_SIZE, transactions.ids, self.browse):
            try:
                some._btcpay_invalidate_obsolete()
                commit_and_refresh(self.env)
            except CONCURRENCY_ERRORS:
                self.env.cr.rollback()  # In the next run.
            if time.monotonic() > deadline:
                break

    @api.model
    def _btcpay_find_lost_credit_notes(self, providers):
        """Compare the refunds that are under way with the credit notes that they pay back.

        :param payment.provider providers: The providers.
        """
        refunds = self.search([
            ('provider_id', 'in', providers.ids),
            ('btcpay_next_sync_at', '!=', False),
            ('btcpay_credit_note_id', 'any', [
                '|', ('state', '=', 'cancel'), ('payment_state', '!=', 'not_paid'),
            ]),
            ('state', '=', 'pending'),
        ])
        try:
            for tx in refunds._btcpay_get_roots():
                tx._btcpay_as_odoo()._btcpay_report_lost_credit_notes()
            commit_and_refresh(self.env)
        except CONCURRENCY_ERRORS:
            self.env.cr.rollback()  # In the next run.

    def _btcpay_run_pending_action(self):
        """Do at the server what is pending for the transaction, then sync what came of it.

        The invoice is read once more before: what is no more as it was is left to a person.

        :raise GreenfieldError: If the server did not answer; the action stays pending.
        """
        self.ensure_one()
        commit_and_refresh(self.env)
        action = self.btcpay_pending_action
        is_invalidation = action in ('invalidate', 'discard')
        if not self._btcpay_is_pending_action_wanted():
            # The newer attempt failed, or the change was undone; or the order was canceled since.
            self.btcpay_pending_action = False
            commit_and_refresh(self.env)
            if not is_invalidation:
                self._btcpay_sync()
            return
        client = self._btcpay_client()
        invoice = self._btcpay_fetch_invoice(client)
        now = fields.Datetime.now()
        if not invoice and self.btcpay_requested_at and self._btcpay_get_answer_deadline() > now:
            return  # Its making is still under way.
        status = invoice and self._btcpay_get_target_status(action, invoice)
        if status:
            client.mark_invoice(self._btcpay_get_store_id(), invoice.id, status)
        commit_and_refresh(self.env)
        lock(self)
        if self.btcpay_pending_action == action:
            self.btcpay_pending_action = False
        if action == 'discard':
            self.btcpay_requested_at = False  # There is none to look for any more.
        if not is_invalidation and invoice and (status or invoice.status == 'Settled'):
            self.btcpay_accepted_at = fields.Datetime.now()
        # An earlier call may have taken effect without being answered.
        if is_invalidation and (status or not invoice or invoice.status == 'Invalid'):
            self.btcpay_invalidated_at = fields.Datetime.now()
            if self.state in ('draft', 'pending'):
                self._set_canceled(self._btcpay_explain_invalidated())
            self._btcpay_schedule_sync()
        commit_and_refresh(self.env)
        if not invoice:
            return
        self._btcpay_sync()
        # Where it was paid just before it was to be invalidated.
        self._btcpay_invalidate_obsolete()

    def _btcpay_is_pending_action_wanted(self):
        """Return whether there still is a reason for what was to be done at the server."""
        self.ensure_one()
        match self.btcpay_pending_action:
            case 'discard':
                return True
            case 'invalidate':
                return bool(self._btcpay_get_obsolete_reason())
            case 'accept_late':
                return self._btcpay_can_accept_late()
            case 'accept_late_unchanged':
                return self._btcpay_is_late_auto_accepted() and self._btcpay_can_accept_late()
        return False

    @staticmethod
    def _btcpay_get_target_status(action, invoice):
        """Return what the invoice is to be marked as, if it is still as it was thought to be.

        :param str|bool action: The pending action.
        :param Invoice invoice: The invoice, as it was just read.
        :return: The status; None to leave the invoice alone.
        :rtype: str|None
        """
        if action in ('invalidate', 'discard'):
            # What was seen may have been replaced: the server says `PaidPartial` still.
            is_unpaid = invoice.status == 'New' and not invoice.paid_amount
            return 'Invalid' if is_unpaid else None
        state = (invoice.status, invoice.additional_status)
        return 'Settled' if state == ('Expired', 'PaidLate') else None

    def _btcpay_explain_invalidated(self):
        """Return why the payment was canceled, for the customer."""
        return _(
            "The Bitcoin invoice was invalidated, since there is a newer payment or nothing more to"
            " pay."
        )

    def _btcpay_drop_pending_action(self, error):
        """Flag for review what the server refuses.

        :param GreenfieldError error: The refusal.
        """
        self.ensure_one()
        self.btcpay_pending_action = False
        self._btcpay_flag_for_review(_(
            "The BTCPay Server refused what Odoo wanted to do with the invoice of %(reference)s:"
            " %(error)s Check the invoice on the server.",
            reference=self.reference, error=self.provider_id._btcpay_explain(error),
        ), 'refused')
