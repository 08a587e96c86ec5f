"""Done means confirmed.

Odoo tries to confirm the order and to book the payment for four days, then forgets it, and tells
nobody.
"""
from datetime import timedelta

from odoo import _, api, fields, models
from odoo.service.model import PG_CONCURRENCY_EXCEPTIONS_TO_RETRY

from odoo.addons.payment.logging import get_payment_logger
from odoo.addons.payment_btcpay import const
from odoo.addons.payment_btcpay.db import claim, hold
from odoo.addons.payment_btcpay.utils import next_wait, trigger_once

_logger = get_payment_logger(__name__, sensitive_keys=const.SENSITIVE_KEYS)


class PaymentTransaction(models.Model):
    _inherit = 'payment.transaction'

    # === POST-PROCESSING === #

    def _btcpay_claim_post_processing(self):
        """Hold our transactions until this database transaction ends, waiting for who has them.

        Odoo's scheduled action does not notice what the customer's page has done since it began.

        :return: Those that are to be post-processed, and all of other providers.
        :rtype: payment.transaction
        :raise psycopg2.OperationalError: If somebody else has just changed them.
        """
        ours = self.filtered(lambda tx: tx.provider_code == 'btcpay')
        if not ours:
            return self
        hold(ours)
        # Computed of the transactions' states without depending on them.
        ours.sale_order_ids.invalidate_recordset(['amount_paid'])
        return self - ours.filtered('is_post_processed')

    def _btcpay_log_confirmation(self):
        """Log on the documents that they are paid, where nobody was to wait for it."""
        ours = self.filtered(lambda tx: tx.provider_code == 'btcpay')
        for tx in ours.filtered('btcpay_is_confirmation_unlogged'):
            tx.btcpay_is_confirmation_unlogged = False
            tx._btcpay_as_odoo()._log_received_message()

    def _btcpay_finish_post_processing(self):
        """Look for payments that do not fit what they are for, and whether all is confirmed."""
        for tx in self:
            if tx.provider_code == 'btcpay':
                tx._btcpay_confirm_seen()
                tx._btcpay_reconcile_assigned()
                if tx.operation == 'refund' and tx.state == 'done':
                    tx._btcpay_as_odoo()._btcpay_report_taken_back()
                    tx._btcpay_as_odoo()._btcpay_report_lost_credit_notes()
                tx.btcpay_is_handled = tx._btcpay_is_all_handled()
                tx._btcpay_as_odoo()._btcpay_settle_confirmation()
            elif not any(
                other.provider_code == 'btcpay' for other in tx._btcpay_get_payment_siblings()
            ):
                continue
            if tx.state in ('done', 'authorized') and tx.operation not in ('refund', 'validation'):
                tx = tx._btcpay_as_odoo()
                tx._btcpay_get_payment_siblings()._btcpay_invalidate_obsolete()
                tx._btcpay_report_anomalies()

    def _btcpay_is_all_handled(self):
        """Return whether the payment is booked and no quotation is left of what it is for."""
        self.ensure_one()
        return (
            self.state == 'done' and self.is_post_processed and not self._btcpay_get_quotations()
        )

    def _btcpay_is_confirmation_due(self):
        """Return whether the transaction is done, but the order not confirmed or nothing booked."""
        self.ensure_one()
        quotations = self._btcpay_get_quotations()
        quotations.invalidate_recordset(['amount_paid'])
        return self.state == 'done' and (
            not self.is_post_processed
            or any(order._is_confirmation_amount_reached() for order in quotations)
        )

    def _btcpay_get_quotations(self):
        """Return the orders of the transaction that are not confirmed.

        :rtype: sale.order
        """
        return self.sale_order_ids.filtered(lambda order: order.state in ('draft', 'sent'))

    # === SCHEDULED ACTION === #

    @api.model
    def _cron_btcpay_confirm(self):
        """Have Odoo's own scheduled action try again what is due.

        Two that confirm beside each other, as two orders of one customer, are in each other's way:
        it is one, which Odoo never runs twice at once, on whichever host. Odoo switches it off with
        the last provider, whatever is under way then.
        """
        if self._btcpay_find_unconfirmed(limit=1):
            action = self.env.ref('payment.cron_post_process_payment_tx')
            if not action.active:
                action.active = True
                action.flush_recordset(['active'])
            trigger_once(self.env, 'payment.cron_post_process_payment_tx')

    @api.model
    def _btcpay_find_unconfirmed(self, limit=None):
        """Find what is paid, not confirmed, and to be tried again now.

        :param int limit: How many to find at most.
        :rtype: payment.transaction
        """
        now = fields.Datetime.now()
        return self.search([
            ('provider_id', 'in', self.env['payment.provider']._btcpay_find_all().ids),
            ('state', '=', 'done'),
            ('btcpay_is_handled', '=', False),
            '|', ('btcpay_confirm_at', '<=', now),
            '&', ('btcpay_confirm_at', '=', False),
            ('last_state_change', '<=', now - timedelta(minutes=const.CONFIRM_WAITS[0])),
        ], order='btcpay_confirm_at NULLS FIRST, id', limit=limit)

    @api.model
    def _btcpay_confirm_due(self):
        """Try again what Odoo has not achieved, without end, with growing waits."""
        todo = self._btcpay_find_unconfirmed()
        if not todo:
            return
        self.env['ir.cron']._commit_progress(remaining=len(todo))
        for tx in todo:
            try:
                tx._btcpay_as_odoo()._btcpay_try_to_confirm()
                self.env.flush_all()
            except Exception:
                # Odoo's own action must not fail by it, which post-processes for all providers.
                self.env.cr.rollback()
                _logger.exception("Transaction %s could not be tried again", tx.id)
            if not self.env['ir.cron']._commit_progress(1):
                break

    def _btcpay_try_to_confirm(self):
        """Confirm the order and book the payment, or note why that fails.

        What was not stored when this returns is not to be stored.
        """
        self.ensure_one()
        try:
            if not claim(self):
                return  # Somebody else is at it.
            if not self._btcpay_is_confirmation_due():
                # If it is paid in part only, the order may yet come to be confirmed; but not by
                # itself if it became dearer after it was paid and before it was confirmed.
                self._btcpay_report_changed_documents()
                self.btcpay_is_handled = self._btcpay_is_all_handled()
                self._btcpay_settle_confirmation()
                self.btcpay_confirm_at = fields.Datetime.now() + timedelta(
                    minutes=const.PARTLY_PAID_WAIT
                )
                return
            # Odoo confirms no order of several that were paid together.
            if not self.is_post_processed or len(self.sale_order_ids) == 1:
                # The customer is mailed each time that the order is not confirmed by it.
                tx = self.with_context(btcpay_is_told=self.is_post_processed)
                tx.is_post_processed = False
                tx._post_process()
                self.env.flush_all()
            is_due = self._btcpay_is_confirmation_due()
            reason = self._btcpay_explain_quotation() if is_due else ''
        except PG_CONCURRENCY_EXCEPTIONS_TO_RETRY:
            self.env.cr.rollback()  # Somebody else is at it.
            return
        except Exception as error:
            self.env.cr.rollback()
            _logger.exception("Transaction %s is done, but not confirmed", self.reference)
            reason = ' '.join(f'{type(error).__name__}: {error}'.split())[:500]
        if reason:
            self._btcpay_note_failed_confirmation(reason)

    def _btcpay_settle_confirmation(self):
        """Ask nobody any more about what is confirmed and booked, by Odoo itself or a person."""
        self.ensure_one()
        if not self.btcpay_confirm_error or self._btcpay_is_confirmation_due():
            return
        self.btcpay_confirm_error = False
        if 'confirm' in self._btcpay_get_open_matters():
            self._btcpay_settle_matters('confirm')
            self._btcpay_post_note(_("What %s has paid for is confirmed now.", self.reference))

    def _btcpay_explain_quotation(self):
        """Return why what is paid is not confirmed, where Odoo reports no error: since August 2026
        it waits for a signature, which links for payments do not ask for.

        :rtype: str
        """
        self.ensure_one()
        if any(order._has_to_be_signed() for order in self._btcpay_get_quotations()):
            return _(
                "Odoo reports no error, but the order still is a quotation, which the customer has"
                " not signed."
            )
        return _("Odoo reports no error, but the order still is a quotation.")

    def _btcpay_note_failed_confirmation(self, reason):
        """Remember that confirming failed; after the second time it is flagged for review.

        :param str reason: The reason.
        """
        self.ensure_one()
        self._btcpay_log_confirmation()
        tries = self.btcpay_confirm_tries + 1
        self.write({
            'btcpay_confirm_tries': tries,
            'btcpay_confirm_at': next_wait(tries + 1, const.CONFIRM_WAITS),
            'btcpay_confirm_error': reason,
        })
        if tries > 1:
            self._btcpay_flag_for_review(_(
                "%(reference)s is paid, but Odoo cannot confirm what was paid for: %(reason)s Odoo"
                " tries again by itself. Remove the reason, or confirm it yourself.",
                reference=self.reference, reason=reason.rstrip('.') + '.',
            ), 'confirm')
