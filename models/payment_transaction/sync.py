"""What the server says of a transaction is read here and applied here, and nowhere else."""
import time
from datetime import timedelta

from odoo import SUPERUSER_ID, _, fields, models
from odoo.exceptions import AccessError

from odoo.addons.payment.logging import get_payment_logger
from odoo.addons.payment_btcpay import const
from odoo.addons.payment_btcpay.db import (
    CONCURRENCY_ERRORS,
    RowBusy,
    commit_and_refresh,
    lock,
)
from odoo.addons.payment_btcpay.greenfield import GreenfieldError, Unauthorized
from odoo.addons.payment_btcpay.models.payment_provider.client import StoreNotConnected
from odoo.addons.payment_btcpay.utils import notify, upsert

_logger = get_payment_logger(__name__, sensitive_keys=const.SENSITIVE_KEYS)


class PaymentTransaction(models.Model):
    _inherit = 'payment.transaction'

    def _btcpay_sync(
        self, timeout=const.TIMEOUT, found=None, sync_count=None, payout_event=(None, None)
    ):
        """Bring the transaction to what the server says of its invoice: the only way there is.

        Webhook, return page, waiting page, scheduled action and buttons all come here, and only say
        that a sync is due. The server is asked without a lock; what it says is applied in one short
        database transaction, unless somebody else's answer was applied meanwhile: that one may be
        the newer, so that the server is asked again.

        Note: `self.ensure_one()`

        :param int timeout: The number of seconds to wait for each of the server's answers.
        :param dict found: The payment data, if they were read already.
        :param int sync_count: The transaction's `btcpay_sync_count` of before they were read.
        :param tuple[str, str] payout_event: The payout, and its state, that a signed event told of:
                                             of an archived pull payment the server lists none.
        :raise GreenfieldError: If the server did not say; the transaction is as it was.
        :raise RowBusy: If somebody else holds the transaction.
        """
        self.ensure_one()
        tx = self._btcpay_as_odoo()
        deadline = time.monotonic() + timeout
        for attempt in range(const.MAX_SYNC_ATTEMPTS):
            if attempt and time.monotonic() > deadline:
                break
            commit_and_refresh(tx.env)
            if tx.btcpay_sync_count != sync_count:
                found = None  # Somebody else's answer was applied: it may be the newer.
                sync_count = tx.btcpay_sync_count
            data = tx._btcpay_read(timeout, found)
            if not data:
                return
            if tx.operation == 'refund':
                data['payout_event'] = payout_event
            commit_and_refresh(tx.env)
            try:
                # What a refund comes to is stored at its payment, too.
                lock(tx | tx._btcpay_get_root())
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
        raise RowBusy(tx.env)

    def _btcpay_sync_in_batch(self, found=None, sync_count=None, is_absent=False):
        """Sync the transaction; whatever happens, others have their turn before it again.

        Note: `self.ensure_one()`

        :param dict found: The payment data that were read already, see `_btcpay_sync`.
        :param int sync_count: The transaction's `btcpay_sync_count` of before they were read.
        :param bool is_absent: Whether it is known already that the server has no invoice of it.
        :return: What failed, None if nothing did.
        :rtype: GreenfieldError|None
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
            if isinstance(error, GreenfieldError):
                failure = error
            if isinstance(error, (GreenfieldError, RowBusy)):
                _logger.warning("Transaction %s could not be synced: %s", self.reference, error)
            else:
                _logger.exception("Transaction %s could not be synced", self.reference)
            self._btcpay_note_sync_attempt(failure)
        return failure

    def action_btcpay_sync(self):
        """Sync now, because a person wants to know.

        :return: The notification of what was found.
        :rtype: dict
        :raise AccessError: If it is a customer: theirs are the pages, which ask once in a while.
        """
        self.check_access('read')
        if not self.env.user._is_internal():
            raise AccessError(_("Only employees can ask the BTCPay Server at any time."))
        errors = []
        for tx in self.filtered(lambda t: t.provider_code == 'btcpay'):
            try:
                tx._btcpay_sync()
            except GreenfieldError as error:
                errors.append(f'{tx.reference}: {tx.provider_id._btcpay_explain(error)}')
            except RowBusy as error:
                errors.append(f'{tx.reference}: {error.args[0]}')
        return notify(
            "\n".join(errors) or _("Odoo is in sync with the BTCPay Server."),
            type='warning' if errors else 'success', sticky=bool(errors), reload=True,
        )

    def _btcpay_as_odoo(self):
        """Return the transactions for what Odoo does by itself, whoever causes it: on the documents
        it is Odoo that speaks, in the company's language.

        :rtype: payment.transaction
        """
        lang = self.sudo().company_id.partner_id.lang
        return self.with_user(SUPERUSER_ID).with_context(lang=lang)

    # === READING: NO LOCK IS HELD === #

    def _btcpay_read(self, timeout, found=None):
        """Ask the server for all that is to be known of the transaction.

        :param int timeout: The number of seconds to wait for each of the server's answers.
        :param dict found: What was read of it already, see `_btcpay_sync`.
        :return: The payment data: the `invoice`, and its `payment_methods` if they are news; for a
                 refund see `_btcpay_read_refund`; None if there is nothing to sync.
        :rtype: dict|None
        :raise GreenfieldError: If the server did not say.
        """
        self.ensure_one()
        if self.operation == 'refund':
            return found or self._btcpay_read_refund(timeout)
        client = self._btcpay_client(timeout)  # One connection for all.
        invoice = found['invoice'] if found else self._btcpay_fetch_invoice(client)
        if not invoice:
            return None
        payment_methods = None
        if self._btcpay_has_news_of_payments(invoice):
            payment_methods = client.list_invoice_payment_methods(
                self._btcpay_get_store_id(), invoice.id
            )
        return {'invoice': invoice, 'payment_methods': payment_methods}

    def _btcpay_fetch_invoice(self, client):
        """Ask the server for the invoice of the transaction.

        An invoice whose making was never answered is looked for by the transaction's reference.

        :param Client client: The client to call with.
        :return: The invoice; None if there is none.
        :rtype: Invoice|None
        :raise GreenfieldError: If the server did not say.
        """
        self.ensure_one()
        store_id = self._btcpay_get_store_id()
        if self.btcpay_invoice_id:
            return client.get_invoice(store_id, self.btcpay_invoice_id)
        if not self.btcpay_requested_at:
            return None
        found = client.find_invoices(store_id, [self.reference])
        is_wanted = (
            self._btcpay_is_own if self.btcpay_pending_action == 'discard'
            else self._btcpay_is_adoptable
        )
        return next(filter(is_wanted, found.items), None)

    def _btcpay_has_news_of_payments(self, invoice):
        """Return whether the payments of the invoice are not all known and confirmed."""
        self.ensure_one()
        if not invoice.paid_amount and not self.btcpay_payment_ids:
            return False
        return (
            invoice.status != self.btcpay_status
            or invoice.additional_status != self.btcpay_additional_status
            or self.currency_id.compare_amounts(
                float(invoice.counted_amount), self.btcpay_paid_amount
            ) != 0
            or any(payment.status != 'Settled' for payment in self.btcpay_payment_ids)
        )

    def _btcpay_client(self, timeout=const.TIMEOUT):
        """Return the client for calls about the transaction.

        :param int timeout: The number of seconds to wait for each of the server's answers.
        :rtype: Client
        """
        self.ensure_one()
        return self.provider_id._btcpay_client(timeout=timeout, reference=self.reference)

    def _btcpay_client_without_key(self, timeout, server_url=None):
        """Return the client for what anybody may ask about pull payments.

        No key is sent: it may be another server by now.

        :param int timeout: The number of seconds to wait for each of the server's answers.
        :param str server_url: The server's address, by default that of the connection.
        :rtype: Client
        """
        self.ensure_one()
        return self.provider_id.sudo()._btcpay_client(
            timeout=timeout, api_key='', server_url=server_url, reference=self.reference
        )

    def _btcpay_get_store_id(self):
        """Return the store in which the transaction's invoice is.

        :return: The id of the store, which the provider has to be connected with.
        :rtype: str
        :raise StoreNotConnected: If the provider is connected with another one by now, or with
                                  none.
        """
        self.ensure_one()
        current = self.provider_id.sudo().btcpay_store_id
        if not current or (self.btcpay_store_id and self.btcpay_store_id != current):
            raise StoreNotConnected
        return current

    # === APPLYING: IN ONE SHORT DATABASE TRANSACTION === #

    def _btcpay_apply_sync(self, data):
        """Apply what was read. The transaction is locked.

        :param dict data: The payment data, see `_btcpay_read`.
        """
        self.ensure_one()
        if 'invoice' in data and not self.btcpay_invoice_id:
            self._btcpay_adopt_invoice(data['invoice'])
        self._process('btcpay', data)
        self._btcpay_settle_matters('sync')
        self.write({
            'btcpay_sync_count': self.btcpay_sync_count + 1,
            'btcpay_synced_at': fields.Datetime.now(),
            'btcpay_next_sync_at': self._btcpay_get_next_sync_at(),
        })
        # Confirms the order within seconds, also if the customer's browser is closed. A pending one
        # has time: its mail must not keep the confirmation waiting.
        if self.state not in ('draft', 'pending') and not self.is_post_processed:
            self.env.ref('payment.cron_post_process_payment_tx')._trigger()

    def _btcpay_apply_invoice(self, invoice, payment_methods=None):
        """Update the transaction based on its invoice.

        :param Invoice invoice: The invoice.
        :param list[InvoicePaymentMethod] payment_methods: Its payment methods with the payments;
                                                           None if there is nothing new about them.
        """
        self.ensure_one()
        # The framework goes on here once the transaction is in error already.
        if self._btcpay_find_discrepancy(invoice):
            return
        before = (self.btcpay_status, self.btcpay_additional_status, self.btcpay_paid_amount)
        self.write(self._btcpay_get_invoice_values(invoice))
        if payment_methods is not None:
            self._btcpay_store_payments(payment_methods)
        after = (self.btcpay_status, self.btcpay_additional_status, self.btcpay_paid_amount)
        self._btcpay_apply_status(is_new=after != before)

    def _btcpay_store_payments(self, payment_methods):
        """Store what was received, payment by payment; what is known is brought up to date.

        :param list[InvoicePaymentMethod] payment_methods: The methods with their payments.
        """
        self.ensure_one()
        upsert(self.btcpay_payment_ids, ('method', 'payment_ref'), [
            {
                'method': method.id,
                'payment_ref': payment.id,
                'crypto_amount': format(payment.value, 'f'),
                'crypto_currency': method.currency,
                'crypto_fee': format(payment.fee, 'f'),
                'rate': format(method.rate, 'f') if method.rate is not None else False,
                'amount': float(method.get_worth(payment)),
                'status': payment.status,
                'destination': payment.destination,
                'received_at': payment.received_at,
            }
            for method in payment_methods for payment in method.payments
        ], transaction_id=self.id)
        self.btcpay_dues = {
            method.id: format(method.due * method.rate, 'f')
            for method in payment_methods if method.rate and method.due and method.due > 0
        }

    # === WHEN TO SYNC NEXT === #

    def _btcpay_schedule_sync(self):
        """Store when the scheduled action is to sync the transaction next."""
        for tx in self:
            tx.btcpay_next_sync_at = tx._btcpay_get_next_sync_at()

    def _btcpay_get_next_sync_at(self):
        """Return when the server may know more than Odoo does.

        - Open payments are asked for at the polling interval, until they are not open.
        - Closed ones hourly, until the server's monitoring of the invoice is over: the customer may
          pay a second time, the merchant may take it back at the server, and nobody may tell.
        - Those whose invoice was requested without an answer, for a day.
        - Refunds at the polling interval for a week, then hourly, until they are final.

        :return: The time; False if it will have nothing new to say.
        :rtype: datetime|bool
        """
        self.ensure_one()
        # What was synced in one run is due in the run that comes when the time is up.
        now = fields.Datetime.now() - timedelta(seconds=30)
        slow = now + timedelta(minutes=const.SLOW_POLL_MINUTES)
        poll = min(now + timedelta(minutes=self.provider_id._btcpay_get_poll_minutes()), slow)
        is_open = self.state in ('draft', 'pending')
        if self.operation == 'refund':
            if not is_open:
                return False
            if not self._btcpay_is_store_connected():
                return slow
            if self.state == 'draft':
                return now  # Not answered yet: with each run.
            age = now - (self.create_date or now)
            return slow if age.days >= const.REFUND_YOUNG_DAYS else poll
        if not self.btcpay_invoice_id:
            if self.state == 'done' or not self.btcpay_requested_at or (
                self.btcpay_requested_at < now - timedelta(hours=const.UNANSWERED_HOURS)
            ):
                return False
            if not self.btcpay_synced_at:  # Until then the answer may still be on its way.
                return self._btcpay_get_answer_deadline()
        elif not is_open and self._btcpay_is_monitoring_over():
            return False
        return poll if is_open else slow

    def _btcpay_is_monitoring_over(self):
        """Return whether the server no longer watches for payments of the invoice."""
        self.ensure_one()
        return not self.btcpay_monitored_until or (
            self.btcpay_monitored_until <= fields.Datetime.now()
        )

    def _btcpay_note_sync_attempt(self, failure=None):
        """Note that a sync was tried; what will not succeed later either is flagged for review.

        :param GreenfieldError failure: What failed, if anything.
        """
        self.ensure_one()
        commit_and_refresh(self.env)
        try:
            lock(self)
        except RowBusy:
            return  # Somebody else is syncing it.
        self.btcpay_synced_at = fields.Datetime.now()
        self._btcpay_schedule_sync()
        if failure and not failure.is_temporary and not isinstance(failure, Unauthorized):
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
