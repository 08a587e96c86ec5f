from datetime import timedelta

from odoo import _, api, fields, models

from odoo.addons.payment.logging import get_payment_logger
from odoo.addons.payment_btcpay import const
from odoo.addons.payment_btcpay.db import commit_and_refresh, lock
from odoo.addons.payment_btcpay.utils import BTCPayError, parse_decimal

_logger = get_payment_logger(__name__, sensitive_keys=const.SENSITIVE_KEYS)


class PaymentTransaction(models.Model):
    _inherit = 'payment.transaction'

    def _btcpay_are_documents_cancelled(self):
        """Return whether what was to be paid was cancelled or deleted.

        :rtype: bool
        """
        self.ensure_one()
        documents = self.sale_order_ids or self.invoice_ids
        if not documents:
            return bool(self.btcpay_documents_total)
        return all(document.state == 'cancel' for document in documents)

    def _btcpay_are_documents_paid(self):
        """Return whether the documents are paid without this transaction.

        :rtype: bool
        """
        self.ensure_one()
        rest = self._btcpay_get_amount_due_without_this()
        return rest is not None and self.currency_id.compare_amounts(rest, 0) <= 0

    def _btcpay_are_documents_changed(self):
        """Return whether what is to be paid is no more what it was when the invoice was made.

        :rtype: bool
        """
        self.ensure_one()
        if not self.btcpay_documents_total or not (self.sale_order_ids or self.invoice_ids):
            return False
        total = self._btcpay_get_documents_total()
        return total is None or self.currency_id.compare_amounts(
            total, self.btcpay_documents_total
        ) != 0

    def _btcpay_has_newer_attempt(self):
        """Return whether the customer has begun to pay anew since.

        A new attempt that failed before anybody could pay it is none.

        :rtype: bool
        """
        self.ensure_one()
        return any(
            tx.id > self.id and tx.state in ('draft', 'pending', 'authorized', 'done')
            for tx in self._btcpay_get_payment_siblings() if not tx.source_transaction_id
        )

    # === FINDING === #

    def _btcpay_invalidate_obsolete(self):
        """Have the open invoices withdrawn that nobody is meant to pay any more.

        Those that have money on them are left, and a person is told.

        :return: None
        """
        obsolete = self.browse()
        for tx in self._btcpay_as_odoo():
            if not tx._btcpay_is_open() or not tx._btcpay_get_obsolete_reason():
                continue
            if tx._btcpay_has_money():
                tx._btcpay_flag_unwanted_money()
            else:
                obsolete |= tx
        if obsolete:
            obsolete.btcpay_pending_action = 'invalidate'
            self._btcpay_trigger_pending_actions()

    def _btcpay_is_open(self):
        """Return whether the invoice can be paid, as far as Odoo knows, and is not being withdrawn.

        :rtype: bool
        """
        self.ensure_one()
        return bool(
            self.provider_code == 'btcpay'
            and self.state in ('draft', 'pending')
            and self.btcpay_requested_at
            and not self.btcpay_pending_action
            and self.operation != 'refund'
        )

    def _btcpay_has_money(self):
        """Return whether something was paid already.

        :rtype: bool
        """
        self.ensure_one()
        return bool(self.btcpay_paid_amount) or self.btcpay_status not in (False, 'New')

    def _btcpay_trigger_pending_actions(self):
        """Have done as soon as this database transaction is stored what is to be done.

        :return: None
        """
        cron = self.env.ref(
            'payment_btcpay.ir_cron_btcpay_pending_actions', raise_if_not_found=False
        )
        if cron:
            cron._trigger()

    # === DOING === #

    @api.model
    def _cron_btcpay_run_pending_actions(self):
        """Do at the server what was intended: at once when it comes up, or later if it failed.

        :return: None
        """
        todo = self.search([
            ('btcpay_pending_action', '!=', False), ('provider_code', '=', 'btcpay'),
        ], order='btcpay_synced_at NULLS FIRST, id')
        unreachable = self.env['payment.provider']
        self.env['ir.cron']._commit_progress(remaining=len(todo))
        for tx in todo:
            try:
                if tx.provider_id not in unreachable and tx.provider_id._btcpay_may_ask():
                    tx._btcpay_run_pending_action()
            except BTCPayError as error:
                self.env.cr.rollback()
                _logger.warning("Nothing done for transaction %s: %s", tx.reference, error.args[0])
                if not error.is_temporary:
                    tx._btcpay_drop_pending_action(error)
                elif error.is_of_server:
                    unreachable |= tx.provider_id
            except Exception:
                self.env.cr.rollback()
                _logger.exception("Nothing done for transaction %s", tx.reference)
            if not self.env['ir.cron']._commit_progress(1):
                break

    def _btcpay_run_pending_action(self, timeout=const.TIMEOUT):
        """Do at the server what is intended for the transaction, then look at what came of it.

        The invoice is read once more before: what is no more as it was is left to a person.

        Note: `self.ensure_one()`

        :param int timeout: The number of seconds to wait for each of the server's answers.
        :return: None
        :raise BTCPayError: If the server did not answer; the intention stays.
        """
        self.ensure_one()
        commit_and_refresh(self.env)
        intention = self.btcpay_pending_action
        if not self._btcpay_is_pending_action_wanted():
            # The newer attempt failed, or the change was undone; or the order was cancelled since.
            self.btcpay_pending_action = False
            commit_and_refresh(self.env)
            if intention != 'invalidate':
                self._btcpay_sync(timeout=timeout)
            return
        invoice = self._btcpay_fetch_invoice(timeout)
        if not invoice and not self._btcpay_is_request_over():
            return  # Its making is still under way.
        status = self._btcpay_get_target_status(intention, invoice)
        if status:
            # Answers with the old state: what came of it is read by the look.
            self._send_api_request(
                'POST',
                f'/stores/{self._btcpay_get_store_id()}/invoices/{invoice["id"]}/status',
                json={'status': status}, btcpay_timeout=timeout,
            )
        commit_and_refresh(self.env)
        lock(self)
        if self.btcpay_pending_action == intention:
            self.btcpay_pending_action = False
        # An earlier call may have taken effect without being answered.
        if intention == 'invalidate' and (status or not invoice or invoice['status'] == 'Invalid'):
            self.btcpay_invalidated_at = fields.Datetime.now()
            if self.state in ('draft', 'pending'):
                self._btcpay_set_invalidated()
        commit_and_refresh(self.env)
        if not invoice:
            return
        self._btcpay_sync(timeout=timeout)
        # Where it was paid just before it was to be withdrawn.
        self._btcpay_as_odoo()._btcpay_invalidate_obsolete()

    def _btcpay_is_pending_action_wanted(self):
        """Return whether there still is a reason for what was to be done at the server.

        :rtype: bool
        """
        self.ensure_one()
        match self.btcpay_pending_action:
            case 'invalidate':
                return bool(self._btcpay_get_obsolete_reason())
            case 'accept_late_unchanged':
                return self._btcpay_can_auto_accept_late()
            case intention:
                return bool(intention)

    def _btcpay_set_invalidated(self):
        """Cancel the transaction whose invoice was withdrawn.

        :return: None
        """
        self._set_canceled(_(
            "The Bitcoin invoice was withdrawn, since there is a newer payment or nothing to be"
            " paid any more."
        ))

    def _btcpay_is_request_over(self):
        """Return whether the request that made the invoice cannot be under way any more.

        :rtype: bool
        """
        self.ensure_one()
        limit = fields.Datetime.now() - timedelta(seconds=4 * const.TIMEOUT)
        return not self.btcpay_requested_at or self.btcpay_requested_at < limit

    def _btcpay_get_target_status(self, intention, invoice):
        """Return what the invoice is to be marked as, if it is still as it was thought to be.

        :param str|bool intention: The intention.
        :param dict|None invoice: The invoice, as it was just read.
        :return: The status; None to leave the invoice alone.
        :rtype: str|None
        """
        if not invoice:
            return None
        is_unpaid = not parse_decimal(invoice['paidAmount'])
        state = (invoice['status'], invoice['additionalStatus'])
        if intention == 'invalidate' and state == ('New', 'None') and is_unpaid:
            return 'Invalid'
        if intention != 'invalidate' and state == ('Expired', 'PaidLate'):
            return 'Settled'
        return None

    def _btcpay_drop_pending_action(self, error):
        """Leave to a person what the server refuses.

        :param BTCPayError error: The refusal.
        :return: None
        """
        self.ensure_one()
        self.btcpay_pending_action = False
        self._btcpay_flag_for_review(_(
            "The BTCPay Server refused what Odoo wanted to do with the invoice of %(reference)s:"
            " %(error)s Look at the invoice on the server.",
            reference=self.reference, error=error.args[0],
        ))
