import time
from datetime import timedelta

from odoo import SUPERUSER_ID, _, api, fields, models
from odoo.fields import Domain
from odoo.tools import SQL

from odoo.addons.payment.logging import get_payment_logger
from odoo.addons.payment_btcpay import const
from odoo.addons.payment_btcpay.db import CONCURRENCY_ERRORS, commit_and_refresh, lock
from odoo.addons.payment_btcpay.utils import BTCPayError, parse_decimal

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
                model._field_to_sql(alias, 'btcpay_synced_at', query),
            ),
            predicate=lambda tx: bool(
                tx.btcpay_monitored_until and tx.btcpay_synced_at
                and tx.btcpay_monitored_until > tx.btcpay_synced_at
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
        watch = now + slack - timedelta(minutes=const.SLOW_POLL_MINUTES)
        is_open = Domain('state', 'in', ('draft', 'pending'))
        is_due = (
            Domain('btcpay_synced_at', '=', False)
            | Domain('btcpay_synced_at', '<=', watch)
            | (is_open & Domain('btcpay_synced_at', '<=', poll))
        )
        return self.search(
            Domain('provider_id', '=', provider.id) & self._btcpay_get_domain_to_watch() & is_due,
            order='btcpay_synced_at NULLS FIRST, id',
        )

    def _btcpay_reconcile(self, found=None, sync_count=None, is_absent=False):
        """Look after the transaction; whatever happens, others are looked at before it again.

        :param dict found: What was read of it already, see `_btcpay_sync`.
        :param int sync_count: The transaction's `btcpay_sync_count` of before it was read.
        :param bool is_absent: Whether it is known already that the server has none.
        :return: What failed, None if nothing did.
        :rtype: BTCPayError|None
        """
        self.ensure_one()
        failure = None
        try:
            if not is_absent:
                self._btcpay_sync(found=found, sync_count=sync_count)
            if not self.btcpay_invoice_id:
                self._btcpay_note_sync_attempt()
        except Exception as error:
            self.env.cr.rollback()
            if isinstance(error, BTCPayError):
                failure = error
                _logger.warning("No look at transaction %s: %s", self.reference, error.args[0])
            else:
                _logger.exception("No look at transaction %s", self.reference)
            self._btcpay_note_sync_attempt(failure)
        return failure

    def _btcpay_note_sync_attempt(self, failure=None):
        """Note that a look was tried; what will not succeed later either is left to a person.

        :param BTCPayError failure: What failed, if anything.
        :return: None
        """
        self.ensure_one()
        commit_and_refresh(self.env)
        try:
            lock(self)
        except BTCPayError:
            return  # Somebody else is looking at it.
        self.btcpay_synced_at = fields.Datetime.now()
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
            tx._btcpay_flag_for_review(message)
        commit_and_refresh(self.env)

    def _btcpay_sync(self, timeout=const.TIMEOUT, found=None, sync_count=None):
        """Bring the transaction to what the server says of its invoice: the only way there is.

        Webhook, return page, waiting page, scheduled action and buttons all come here, and only say
        that a look is due. The server is asked without a lock; what it says is applied in one short
        database transaction, unless somebody else's look was applied meanwhile: that one may be
        the newer, so that the server is asked again.

        Note: `self.ensure_one()`

        :param int timeout: The number of seconds to wait for each of the server's answers.
        :param dict found: The invoice, or for a refund all that is to be known, if it was read
                           already.
        :param int sync_count: The transaction's `btcpay_sync_count` of before it was read.
        :return: None
        :raise BTCPayError: If the server did not say; the transaction is as it was.
        """
        self.ensure_one()
        tx = self._btcpay_as_odoo()
        deadline = time.monotonic() + timeout
        for attempt in range(const.MAX_SYNC_ATTEMPTS):
            if attempt and time.monotonic() > deadline:
                break
            commit_and_refresh(tx.env)
            if tx.btcpay_sync_count != sync_count:
                found = None  # Somebody else's look was applied: it may be the newer.
                sync_count = tx.btcpay_sync_count
            data = tx._btcpay_read(timeout, found)
            if not data:
                return
            commit_and_refresh(tx.env)
            try:
                lock(tx)
                if tx.btcpay_sync_count != sync_count:
                    tx.env.cr.rollback()
                    continue
                tx._btcpay_apply_sync(data)
                commit_and_refresh(tx.env)
            except CONCURRENCY_ERRORS:
                tx.env.cr.rollback()
            else:
                tx.provider_id._btcpay_retry_soon()
                return
        raise BTCPayError(
            tx.env._("The payment is being worked on. Try again in a moment."), code='busy'
        )

    def _btcpay_as_odoo(self):
        """Return the transactions for what Odoo does by itself, whoever causes it: on the documents
        it is Odoo that speaks, in the company's language.

        :rtype: payment.transaction
        """
        lang = self.sudo().company_id.partner_id.lang
        return self.with_user(SUPERUSER_ID).with_context(lang=lang)

    def _btcpay_apply_sync(self, data):
        """Apply what was read, in the database transaction that is under way.

        :param dict data: What was read, see `_btcpay_read`.
        :return: None
        """
        self.ensure_one()
        if 'invoice' in data and not self.btcpay_invoice_id:
            self._btcpay_adopt_invoice(data['invoice'])
        self._process('btcpay', data)
        self.btcpay_sync_count += 1
        # Confirms the order within seconds, also if the customer's browser is closed. A pending one
        # has time: its mail must not keep the confirmation waiting.
        if self.state not in ('draft', 'pending') and not self.is_post_processed:
            self.env.ref('payment.cron_post_process_payment_tx')._trigger()

    # === READING === #

    def _btcpay_read(self, timeout, found=None):
        """Ask the server for all that is to be known of the transaction. No lock is held.

        :param int timeout: The number of seconds to wait for each of the server's answers.
        :param dict found: What was read of it already, see `_btcpay_sync`.
        :return: The payment data: the `invoice`, and its `payment_methods` if they are news; for a
                 refund see `_btcpay_read_refund`; None if there is nothing to look at.
        :rtype: dict|None
        :raise BTCPayError: If the server did not say.
        """
        self.ensure_one()
        if self.operation == 'refund':
            return found or self._btcpay_read_refund(timeout)
        invoice = found or self._btcpay_fetch_invoice(timeout)
        if not invoice:
            return None
        payment_methods = self._btcpay_fetch_payment_methods(invoice, timeout)
        return {'invoice': invoice, 'payment_methods': payment_methods}

    def _btcpay_fetch_invoice(self, timeout):
        """Ask the server for the invoice of the transaction.

        An invoice whose making was never answered is looked for by the transaction's reference.

        :param int timeout: The number of seconds to wait.
        :return: The invoice; None if there is none.
        :rtype: dict|None
        :raise BTCPayError: If the server did not say.
        """
        self.ensure_one()
        endpoint = f'/stores/{self._btcpay_get_store_id()}/invoices'
        if self.btcpay_invoice_id:
            invoice = self._send_api_request(
                'GET', f'{endpoint}/{self.btcpay_invoice_id}', btcpay_timeout=timeout
            )
            if (
                not self._btcpay_is_invoice(invoice)
                or invoice['id'] != self.btcpay_invoice_id
            ):
                raise self.provider_id._btcpay_make_unexpected_error()
            return invoice
        if not self.btcpay_requested_at:
            return None
        invoices = self._send_api_request(
            'GET', endpoint, params={'orderId': self.reference}, btcpay_timeout=timeout
        )
        if not isinstance(invoices, list):
            raise self.provider_id._btcpay_make_unexpected_error()
        return next((i for i in invoices if self._btcpay_is_adoptable(i)), None)

    def _btcpay_fetch_payment_methods(self, invoice, timeout):
        """Ask the server for the payments of an invoice, if anything is new about them.

        :param dict invoice: The invoice.
        :param int timeout: The number of seconds to wait.
        :return: The payment methods with their payments; None if nothing is new.
        :rtype: list|None
        :raise BTCPayError: If the server did not say.
        """
        self.ensure_one()
        if not parse_decimal(invoice['paidAmount']) and not self.btcpay_payment_ids:
            return None
        is_known = (
            invoice['status'] == self.btcpay_status
            and invoice['additionalStatus'] == self.btcpay_additional_status
            and self.currency_id.compare_amounts(
                float(parse_decimal(invoice['paidAmount'])), self.btcpay_paid_amount
            ) == 0
        )
        if is_known and all(payment.status == 'Settled' for payment in self.btcpay_payment_ids):
            return None
        store_id = self._btcpay_get_store_id()
        payment_methods = self._send_api_request(
            'GET', f'/stores/{store_id}/invoices/{invoice["id"]}/payment-methods',
            params={'onlyAccountedPayments': 'false'}, btcpay_timeout=timeout,
        )
        if not isinstance(payment_methods, list):
            raise self.provider_id._btcpay_make_unexpected_error()
        return payment_methods

    def _btcpay_get_store_id(self):
        """Return the store in which the transaction's invoice is.

        :return: The id of the store, which the provider has to be connected with.
        :rtype: str
        :raise BTCPayError: If the provider is connected with another store by now, or with none.
        """
        self.ensure_one()
        current = self.provider_id.sudo().btcpay_store_id
        if not current or (self.btcpay_store_id and self.btcpay_store_id != current):
            raise BTCPayError(self.env._(
                "The store in which this payment was made is no longer connected. Connect it again,"
                " or look at the payment on the BTCPay Server itself."
            ), status=403)
        return current

    # === INVOICES THAT ARE NOT KNOWN YET === #

    def _btcpay_is_adoptable(self, invoice):
        """Return whether an invoice is the one the server made without our getting its answer.

        :param invoice: The invoice, of any type.
        :rtype: bool
        """
        self.ensure_one()
        return (
            not self.btcpay_invoice_id
            and bool(self.btcpay_requested_at)
            and self._btcpay_is_invoice(invoice)
            and not self._btcpay_find_discrepancy(invoice)
        )

    def _btcpay_adopt_invoice(self, invoice):
        """Take over an invoice the server made without our getting its answer.

        :param dict invoice: The invoice.
        :return: None
        """
        self.ensure_one()
        if self._btcpay_is_adoptable(invoice):
            _logger.info("Found invoice %s of transaction %s.", invoice['id'], self.reference)
            self._btcpay_store_invoice(invoice)

    # === ON DEMAND OF THE CUSTOMER'S BROWSER === #

    def _btcpay_sync_for_browser(self):
        """Look at the server because a page was opened, but not more often than it is of use.

        :return: None
        """
        self.ensure_one()
        if self.provider_code != 'btcpay' or self.state in ('done', 'cancel', 'error'):
            return
        earliest = fields.Datetime.now() - timedelta(seconds=const.SYNC_INTERVAL)
        if self.btcpay_synced_at and self.btcpay_synced_at > earliest:
            return
        try:
            self._btcpay_sync(timeout=const.SHORT_TIMEOUT)
        except BTCPayError as error:
            _logger.warning("No look at transaction %s: %s", self.reference, error.args[0])
