from datetime import timedelta

from odoo import _, api, fields, models
from odoo.fields import Domain
from odoo.tools import SQL

from odoo.addons.payment.logging import get_payment_logger
from odoo.addons.payment_btcpay import const
from odoo.addons.payment_btcpay.utils import BTCPayError, end_transaction, lock_row

_logger = get_payment_logger(__name__, sensitive_keys=const.SENSITIVE_KEYS)


class PaymentTransaction(models.Model):
    _inherit = 'payment.transaction'

    @api.model
    def _btcpay_get_domain_to_watch(self):
        """Return the transactions of which the server may come to know more than Odoo does.

        - Open ones, until they are not.
        - Closed ones until a look was made after the server's monitoring of the invoice ended:
          nothing is asked about for ever. Paid ones too: the customer may pay a second time, the
          merchant may take it back at the server, and nobody may tell.
        - Those whose invoice was asked for without an answer, for a day.

        :rtype: Domain
        """
        now = fields.Datetime.now()
        is_open = Domain('state', 'in', ('draft', 'pending'))
        is_monitored = Domain.custom(
            to_sql=lambda model, alias, query: SQL(
                "%s > %s",
                model._field_to_sql(alias, 'btcpay_monitored_until', query),
                model._field_to_sql(alias, 'btcpay_checked_at', query),
            ),
            predicate=lambda tx: bool(
                tx.btcpay_monitored_until and tx.btcpay_checked_at
                and tx.btcpay_monitored_until > tx.btcpay_checked_at
            ),
        )
        is_unanswered = (
            Domain('state', '!=', 'done')
            & Domain('btcpay_requested_at', '>', now - timedelta(hours=const.UNANSWERED_HOURS))
            # Before, the answer may still be under way.
            & Domain('btcpay_requested_at', '<', now - timedelta(seconds=4 * const.TIMEOUT))
        )
        has_invoice = Domain('btcpay_invoice_id', '!=', False)
        return (
            Domain('provider_code', '=', 'btcpay')
            & Domain('operation', '!=', 'refund')
            & (
                (has_invoice & (is_open | is_monitored))
                | (~has_invoice & is_unanswered)
            )
        )

    def _btcpay_is_monitoring_over(self):
        """Return whether this is the last look that is made without anybody's asking for it.

        :rtype: bool
        """
        self.ensure_one()
        return bool(
            self.btcpay_monitored_until and self.btcpay_monitored_until <= fields.Datetime.now()
        )

    @api.model
    def _btcpay_find_due(self, provider):
        """Find what is to be looked at now, oldest look first.

        :param payment.provider provider: The provider.
        :rtype: payment.transaction
        """
        now = fields.Datetime.now()
        # What was looked at in the run before is due in the run that comes when the time is up.
        slack = timedelta(seconds=30)
        poll = now + slack - timedelta(minutes=provider._btcpay_get_poll_minutes())
        watch = now + slack - timedelta(minutes=const.WATCH_MINUTES)
        is_open = Domain('state', 'in', ('draft', 'pending'))
        is_due = (
            Domain('btcpay_checked_at', '=', False)
            | Domain('btcpay_checked_at', '<=', watch)
            | (is_open & Domain('btcpay_checked_at', '<=', poll))
        )
        return self.search(
            Domain('provider_id', '=', provider.id) & self._btcpay_get_domain_to_watch() & is_due,
            order='btcpay_checked_at NULLS FIRST, id',
        )

    def _btcpay_reconcile(self, found=None, look_count=None, is_absent=False):
        """Look after the transaction; whatever happens, others are looked at before it again.

        :param dict found: What was read of it already, see `_btcpay_synchronize`.
        :param int look_count: The transaction's `btcpay_look_count` of before it was read.
        :param bool is_absent: Whether it is known already that the server has none.
        :return: What failed, None if nothing did.
        :rtype: BTCPayError|None
        """
        self.ensure_one()
        failure = None
        try:
            if not is_absent:
                self._btcpay_synchronize(found=found, look_count=look_count)
            if not self.btcpay_invoice_id:
                self._btcpay_note_try()
        except Exception as error:
            self.env.cr.rollback()
            if isinstance(error, BTCPayError):
                failure = error
                _logger.warning("No look at transaction %s: %s", self.reference, error.args[0])
            else:
                _logger.exception("No look at transaction %s", self.reference)
            self._btcpay_note_try(failure)
        return failure

    def _btcpay_note_try(self, failure=None):
        """Note that a look was tried; what will not succeed later either is left to a person.

        :param BTCPayError failure: What failed, if anything.
        :return: None
        """
        self.ensure_one()
        end_transaction(self.env)
        try:
            lock_row(self)
        except BTCPayError:
            return  # Somebody else is looking at it.
        self.btcpay_checked_at = fields.Datetime.now()
        if failure and not failure.is_temporary and failure.status != 401:
            tx = self.with_context(lang=self.company_id.partner_id.lang)
            message = _(
                "The refund %(reference)s cannot be looked at: %(reason)s Look at it on the BTCPay"
                " Server itself.",
                reference=self.reference, reason=failure.args[0],
            ) if self.operation == 'refund' else _(
                "The payment %(reference)s cannot be looked at: %(reason)s If the invoice does not"
                " exist any more on the server, decide here what becomes of the order.",
                reference=self.reference, reason=failure.args[0],
            )
            tx._btcpay_ask_person(message)
        end_transaction(self.env)
