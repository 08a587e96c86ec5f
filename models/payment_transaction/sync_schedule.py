"""When a transaction is to be synced next."""
from contextlib import suppress
from datetime import timedelta

from odoo import _, fields, models
from odoo.tools import SQL

from odoo.addons.payment_btcpay import const
from odoo.addons.payment_btcpay.db import (
    CONCURRENCY_ERRORS,
    RowBusy,
    commit,
    commit_and_refresh,
    lock,
)
from odoo.addons.payment_btcpay.greenfield import Unauthorized


class PaymentTransaction(models.Model):
    _inherit = 'payment.transaction'

    def _btcpay_schedule_sync(self):
        """Store when the scheduled action is to sync the transaction next."""
        for tx in self:
            tx.btcpay_next_sync_at = tx._btcpay_get_next_sync_at()

    def _btcpay_get_next_sync_at(self, is_refused=False):
        """Return when the server may know more than Odoo does.

        - Open payments are asked for at the polling interval, until they are not open.
        - Closed ones hourly, until the server's monitoring of the invoice is over: the customer may
          pay a second time, the merchant may take it back at the server, and nobody may tell. Of
          money that is to be decided of, for some weeks: it may be accepted at the server.
        - Those whose invoice was requested without an answer, for a day.
        - Refunds at the polling interval for a week, then hourly, until they are final.

        :param bool is_refused: Whether the server refuses to say, for which it is asked hourly.
        :return: The time; False if it will have nothing new to say.
        :rtype: datetime|bool
        """
        self.ensure_one()
        # What was synced in one run is due in the run that comes when the time is up.
        now = fields.Datetime.now() - timedelta(seconds=30)
        slow = now + timedelta(minutes=const.SLOW_POLL_MINUTES)
        provider = self.provider_id.sudo()
        wait = const.POLL_MINUTES if provider.btcpay_use_webhook else provider.btcpay_poll_minutes
        poll = slow if is_refused else min(now + timedelta(minutes=wait), slow)
        is_open = self.state in ('draft', 'pending')
        if self.operation == 'refund':
            if not is_open:
                return False
            if not self._btcpay_find_connection():
                return slow
            if self.state == 'draft':
                return poll if is_refused else now  # Not answered yet: with each run.
            age = now - (self.create_date or now)
            return slow if age.days >= const.REFUND_YOUNG_DAYS else poll
        if not self.btcpay_invoice_id:
            if self.state == 'done' or not self.btcpay_requested_at or (
                self.btcpay_requested_at < now - timedelta(hours=const.UNANSWERED_HOURS)
            ):
                return False
            if not self.btcpay_synced_at:  # Until then the answer may still be on its way.
                return self._btcpay_get_answer_deadline()
        elif self.btcpay_are_payments_due:
            return poll
        elif not is_open and self._btcpay_is_monitoring_over() and (
            self.state == 'done' or not self.btcpay_decision or not self.btcpay_monitored_until
            or self.btcpay_monitored_until < now - timedelta(days=const.DECISION_DAYS)
        ):
            return False
        return poll if is_open else slow

    def _btcpay_note_unchanged(self):
        """Store that the transactions were synced and that there was no news, all at once.

        What somebody else holds, or has written since it was read, is left as they have it: it is
        due as they say.
        """
        rows = [(tx.id, tx.write_date, tx._btcpay_get_next_sync_at() or None) for tx in self]
        if not rows:
            return
        # No older than the server's answers.
        commit_and_refresh(self.env)
        ids, write_dates, times = map(list, zip(*rows, strict=True))
        with suppress(*CONCURRENCY_ERRORS):
            self.env.cr.execute(SQL(
                """
                UPDATE payment_transaction tx
                   SET btcpay_synced_at = %s, btcpay_next_sync_at = new.next_sync_at
                  FROM unnest(%s, %s::timestamp[], %s::timestamp[])
                    AS new (id, write_date, next_sync_at)
                 WHERE tx.id = new.id AND tx.write_date = new.write_date
                   AND tx.id IN (
                    SELECT id FROM payment_transaction WHERE id = ANY(%s)
                       FOR NO KEY UPDATE SKIP LOCKED
                 )
                """, fields.Datetime.now(), ids, write_dates, times, ids,
            ), log_exceptions=False)
            commit(self.env)
        self.env.cr.rollback()

    def _btcpay_is_monitoring_over(self):
        """Return whether the server no longer watches for payments of the invoice."""
        self.ensure_one()
        return not self.btcpay_monitored_until or (
            self.btcpay_monitored_until <= fields.Datetime.now()
        )

    def _btcpay_note_sync_attempt(self, failure=None):
        """Note that a sync was tried; what will not succeed later either is flagged for review.

        :param GreenfieldError|RowBusy failure: What failed, if anything.
        """
        self.ensure_one()
        commit_and_refresh(self.env)
        try:
            lock(self)
        except RowBusy:
            return  # Somebody else is syncing it.
        self.btcpay_synced_at = fields.Datetime.now()
        is_refused = failure and not failure.is_temporary and not isinstance(failure, Unauthorized)
        self.btcpay_next_sync_at = self._btcpay_get_next_sync_at(is_refused)
        if is_refused:
            tx = self.with_context(lang=self.company_id.partner_id.lang)
            reason = tx.provider_id._btcpay_explain(failure)
            tx._btcpay_flag_for_review(_(
                "The refund %(reference)s cannot be synced: %(reason)s Check it on the BTCPay"
                " Server itself.", reference=tx.reference, reason=reason,
            ) if tx.operation == 'refund' else _(
                "The payment %(reference)s cannot be synced: %(reason)s If the invoice no longer"
                " exists on the server, decide here what becomes of the order.",
                reference=tx.reference, reason=reason,
            ), 'sync')
        commit_and_refresh(self.env)
