from datetime import timedelta

from odoo import _, api, fields, models
from odoo.exceptions import LockError
from odoo.service.model import PG_CONCURRENCY_EXCEPTIONS_TO_RETRY

from odoo.addons.payment.logging import get_payment_logger
from odoo.addons.payment_btcpay import const

_logger = get_payment_logger(__name__, sensitive_keys=const.SENSITIVE_KEYS)

# Minutes that Odoo's own scheduled action and the customer's page have for it, and then, after each
# failure, to wait before the next try: the last one again and again.
CONFIRM_WAITS = (3, 10, 60, 360, 1440)

# Minutes after which a quotation is looked at again that is paid in part only.
PART_PAID_WAIT = 60


class PaymentTransaction(models.Model):
    _inherit = 'payment.transaction'

    def _btcpay_lock_for_post_processing(self):
        """Lock the transactions until this database transaction ends, waiting for who has them.

        :return: Those that are to be post-processed.
        :rtype: payment.transaction
        :raise psycopg2.OperationalError: If somebody else has just changed them.
        """
        if not self:
            return self
        self.flush_recordset()
        self.env.cr.execute(
            'SELECT id FROM payment_transaction WHERE id IN %s ORDER BY id FOR NO KEY UPDATE',
            [tuple(self.ids)],
        )
        self.invalidate_recordset()
        return self.filtered(
            lambda tx: not tx.is_post_processed or self.env.context.get('btcpay_confirm_again')
        )

    def _btcpay_is_all_handled(self):
        """Return whether the payment is booked and no quotation is left of what it is for.

        :rtype: bool
        """
        self.ensure_one()
        return (
            self.state == 'done' and self.is_post_processed and not self._btcpay_get_quotations()
        )

    def _btcpay_is_confirmation_due(self):
        """Return whether the transaction is done, but the order not confirmed or nothing booked.

        :rtype: bool
        """
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
        """Try again what Odoo has not achieved, without end, with growing waits.

        :return: None
        """
        now = fields.Datetime.now()
        todo = self.search([
            ('provider_code', '=', 'btcpay'),
            ('state', '=', 'done'),
            ('btcpay_is_handled', '=', False),
            '|', ('btcpay_confirm_at', '<=', now),
            '&', ('btcpay_confirm_at', '=', False),
            ('last_state_change', '<=', now - timedelta(minutes=CONFIRM_WAITS[0])),
        ], order='btcpay_confirm_at NULLS FIRST, id')
        self.env['ir.cron']._commit_progress(remaining=len(todo))
        for tx in todo:
            tx._btcpay_as_odoo()._btcpay_try_to_confirm()
            if not self.env['ir.cron']._commit_progress(1):
                break

    def _btcpay_try_to_confirm(self):
        """Confirm the order and book the payment, or note why that fails.

        What was not stored when this returns is not to be stored.

        Note: `self.ensure_one()`

        :return: None
        """
        self.ensure_one()
        try:
            self.lock_for_update(allow_referencing=True)
            self.invalidate_recordset()
            if not self._btcpay_is_confirmation_due():
                # If it is paid in part only, the order may yet come to be confirmed; but not by
                # itself if it became dearer after it was paid and before it was confirmed.
                self._btcpay_report_changed_documents()
                self.btcpay_is_handled = self._btcpay_is_all_handled()
                self.btcpay_confirm_at = fields.Datetime.now() + timedelta(minutes=PART_PAID_WAIT)
                return
            # Odoo confirms no order of several that were paid together; to do it again would only
            # mail the customer again.
            if not self.is_post_processed or len(self.sale_order_ids) == 1:
                self.with_context(btcpay_confirm_again=True)._post_process()
                self.env.flush_all()
            reason = '' if not self._btcpay_is_confirmation_due() else _(
                "Odoo reports no error, but the order still is a quotation."
            )
        except (LockError, *PG_CONCURRENCY_EXCEPTIONS_TO_RETRY):
            self.env.cr.rollback()  # Somebody else is at it.
            return
        except Exception as error:
            self.env.cr.rollback()
            _logger.exception("Transaction %s is done, but not confirmed", self.reference)
            reason = ' '.join(f'{type(error).__name__}: {error}'.split())[:500]
        if reason:
            self._btcpay_note_failed_confirmation(reason)
        elif self.btcpay_confirm_tries > 1:
            self.btcpay_confirm_error = False
            self._btcpay_post_note(_("What %s has paid for is confirmed now.", self.reference))

    def _btcpay_note_failed_confirmation(self, reason):
        """Remember that confirming failed; after the second time a person is told.

        :param str reason: The reason.
        :return: None
        """
        self.ensure_one()
        tries = self.btcpay_confirm_tries + 1
        wait = CONFIRM_WAITS[min(tries, len(CONFIRM_WAITS) - 1)]
        self.write({
            'btcpay_confirm_tries': tries,
            'btcpay_confirm_at': fields.Datetime.now() + timedelta(minutes=wait),
            'btcpay_confirm_error': reason,
        })
        if tries > 1:
            self._btcpay_flag_for_review(_(
                "%(reference)s is paid, but Odoo cannot confirm what was paid for: %(reason)s Odoo"
                " tries again by itself. Remove the reason, or confirm it yourself.",
                reference=self.reference, reason=reason.rstrip('.') + '.',
            ))
