"""What the server says of a transaction is read here and applied here, and nowhere else."""
import time
from decimal import Decimal

from odoo import SUPERUSER_ID, _, api, fields, models
from odoo.exceptions import AccessError

from odoo.addons.payment.logging import get_payment_logger
from odoo.addons.payment_btcpay import const
from odoo.addons.payment_btcpay.db import CONCURRENCY_ERRORS, RowBusy, commit_and_refresh, lock
from odoo.addons.payment_btcpay.greenfield import GreenfieldError, NotUnderstood, ServerFault
from odoo.addons.payment_btcpay.models.payment_provider.client import PaymentsFault
from odoo.addons.payment_btcpay.utils import notify, trigger_once, upsert

_logger = get_payment_logger(__name__, sensitive_keys=const.SENSITIVE_KEYS)

# What is read of a transaction to ask the server; what follows is read when it is locked.
SYNC_FIELDS = (
    'reference', 'state', 'operation', 'provider_id', 'btcpay_invoice_id', 'btcpay_store_id',
    'btcpay_root_id', 'btcpay_sync_count', 'btcpay_status', 'btcpay_additional_status',
    'btcpay_review_matters', 'btcpay_pending_action',
)


class PaymentTransaction(models.Model):
    _inherit = 'payment.transaction'

    def _btcpay_sync(
        self, timeout=const.TIMEOUT, found=None, sync_count=None, payout_event=(None, None),
        deliveries=None, turn=None,
    ):
        """Bring the transaction to what the server says of its invoice: the only way there is.

        Webhook, return page, waiting page, scheduled action and buttons all come here, and only say
        that a sync is due. The server is asked without a lock; what it says is applied in one short
        database transaction, unless somebody else's answer was applied meanwhile: that one may be
        the newer, so that the server is asked again.

        :param int timeout: The number of seconds to wait for each of the server's answers.
        :param dict found: The payment data, if they were read already.
        :param int sync_count: The transaction's `btcpay_sync_count` of before they were read.
        :param tuple[str, str] payout_event: The payout, and its state, that a signed event told of:
                                             of an archived pull payment the server lists none.
        :param btcpay.delivery deliveries: Those that the sync answers. The first one came just now,
                                           so that what was read since is not old.
        :param Turn turn: The turn to ask the server, which ends when it was.
        :raise GreenfieldError: If the server did not say; the transaction is as it was.
        :raise RowBusy: If somebody else holds the transaction.
        """
        self.ensure_one()
        tx = self.sudo().with_user(SUPERUSER_ID)
        tx.fetch(SYNC_FIELDS)
        is_refund, root = tx.operation == 'refund', tx._btcpay_get_root()
        is_fresh = bool(deliveries or turn)  # Read just now, for somebody who waits.
        deadline = time.monotonic() + timeout
        for attempt in range(const.MAX_SYNC_ATTEMPTS):
            if attempt and time.monotonic() > deadline:
                break
            if attempt or is_refund or not is_fresh:
                commit_and_refresh(tx.env)
            tx.fetch(SYNC_FIELDS)
            if tx.btcpay_sync_count != sync_count:
                found = None  # Somebody else's answer was applied: it may be the newer.
                sync_count = tx.btcpay_sync_count
            try:
                data = tx._btcpay_read(timeout, found, can_follow=is_fresh)
            except GreenfieldError:
                commit_and_refresh(tx.env)  # The delivery is kept, even if nobody could be asked.
                raise
            if not data:  # There is nothing to sync.
                if deliveries:
                    deliveries._finish(tx)
                    commit_and_refresh(tx.env)
                return
            if is_refund:
                data['payout_event'] = payout_event
            if is_refund or found:  # Else it was read in what began after the server's answer.
                commit_and_refresh(tx.env)
            try:
                # What a refund comes to is stored at its payment, too.
                lock(tx | root, turn)
                if tx.btcpay_sync_count != sync_count:
                    tx.env.cr.rollback()
                    if deliveries and deliveries[0].state == 'processed':
                        return  # The other answer was asked for after the delivery had come.
                    continue
                tx._btcpay_as_odoo()._btcpay_apply_sync(data)
                if deliveries:
                    deliveries._finish(tx)
                is_down = tx.provider_id.sudo().btcpay_retry_at
                commit_and_refresh(tx.env)
            except CONCURRENCY_ERRORS:
                tx.env.cr.rollback()
            else:
                if is_down:
                    tx.provider_id._btcpay_retry_soon()
                return
        raise RowBusy(tx.env)

    def _btcpay_sync_in_batch(self, found=None, sync_count=None, is_absent=False):
        """Sync the transaction; whatever happens, others have their turn before it again.

        :param dict found: The payment data that were read already, see `_btcpay_sync`.
        :param int sync_count: The transaction's `btcpay_sync_count` of before they were read.
        :param bool is_absent: Whether it is known already that the server has no invoice of it.
        :return: What failed, None if nothing did that is expected.
        :rtype: GreenfieldError|RowBusy|None
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
            if isinstance(error, (GreenfieldError, RowBusy)):
                failure = error
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
            except (GreenfieldError, RowBusy) as error:
                errors.append(f'{tx.reference}: {tx.provider_id._btcpay_explain(error)}')
        return notify(
            "\n".join(errors) or _("Odoo is in sync with the BTCPay Server."),
            type='warning' if errors else 'success', sticky=bool(errors), reload=True,
        )

    def _btcpay_as_odoo(self):
        """Return the transactions for what Odoo does by itself, whoever causes it: on the documents
        it is Odoo that speaks, in the company's language.

        :rtype: payment.transaction
        """
        # By `sudo` Odoo drops the defaults that a call brings: they would go into what is booked.
        txs = self.sudo().with_user(SUPERUSER_ID)
        # Who speaks is read along with the company.
        partners = txs.company_id.partner_id | txs.env.user.partner_id
        return txs.with_context(lang=partners.mapped('lang')[0])

    # === READING: NO LOCK IS HELD === #

    def _btcpay_read(self, timeout, found=None, can_follow=False):
        """Ask the server for all that is to be known of the transaction.

        :param int timeout: The number of seconds to wait for each of the server's answers.
        :param dict found: What was read of it already, see `_btcpay_sync`.
        :param bool can_follow: Whether payments of which nothing depends may be read later.
        :return: The payment data: the `invoice`, and its `payment_methods` if they are news; for a
                 refund see `_btcpay_read_refund`; None if there is nothing to sync.
        :rtype: dict|None
        :raise GreenfieldError: If the server did not say.
        """
        self.ensure_one()
        if self.operation == 'refund':
            data = found or self._btcpay_read_refund(timeout)
            # The server made none of nothing, as far as is known.
            if data and not data['pull_payment'].amount and Decimal(self.btcpay_pull_amount or 1):
                raise NotUnderstood('pullPayment.amount')
            return data
        client = self._btcpay_client(timeout, commits=True)  # One connection for all.
        invoice = found['invoice'] if found else self._btcpay_fetch_invoice(client)
        if not invoice:
            return None
        if can_follow and invoice.is_paid_exactly:
            return {'invoice': invoice, 'do_payments_follow': True}
        payment_methods = None
        if self._btcpay_has_news_of_payments(invoice):
            try:
                payment_methods = client.list_invoice_payment_methods(
                    self._btcpay_get_store_id(), invoice.id
                )
            except ServerFault as error:
                if not error.is_of_call:
                    raise
                # It has just told of the invoice: what is paid in full does not wait for a plugin.
                if not invoice.is_paid_exactly:
                    raise PaymentsFault(error.reason, status=error.status) from error
                return {'invoice': invoice, 'do_payments_follow': True}
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
        if (
            not invoice.paid_amount and invoice.additional_status != 'PaidPartial'
            and not self.btcpay_payment_ids
        ):
            return False
        return (
            self.btcpay_are_payments_due
            or invoice.status != self.btcpay_status
            or invoice.additional_status != self.btcpay_additional_status
            or self.currency_id.compare_amounts(
                float(invoice.counted_amount), self.btcpay_paid_amount
            ) != 0
            or any(payment.status != 'Settled' for payment in self.btcpay_payment_ids)
        )

    def _btcpay_is_unchanged(self, invoice):
        """Return whether nothing can follow from what the server says: it said the same before, and
        nobody is asked anything, of an invoice that is unpaid, or paid and confirmed.

        :param Invoice invoice: The invoice, as the server has it now.
        """
        self.ensure_one()
        return (
            (invoice.status, self.state) in const.UNEVENTFUL_STATES
            and invoice.additional_status == 'None'
            and (invoice.status == 'Settled') == bool(invoice.paid_amount)
            and (self.is_post_processed or self.state != 'done')
            and not self.btcpay_review_matters and not self.btcpay_pending_action
            and all(
                self[name] == (value or False)
                for name, value in self._btcpay_get_invoice_values(invoice).items()
                if name != 'btcpay_paid_amount'
            )
            and not self._btcpay_find_discrepancy(invoice)
            and not self._btcpay_has_news_of_payments(invoice)
        )

    def _btcpay_knows(self, event):
        """Return whether an event tells of no more than a status that was read already.

        :param WebhookEvent event: The event.
        """
        return (
            event.is_overpaid is False and not event.is_marked
            and (self.btcpay_status, self.state) in const.STATUS_EVENTS.get(event.type, ())
            and self.btcpay_additional_status == 'None'
            and not self.btcpay_review_matters and not self.btcpay_pending_action
        )

    # === APPLYING: IN ONE SHORT DATABASE TRANSACTION === #

    def _btcpay_apply_sync(self, data):
        """Apply what was read. The transaction is locked.

        :param dict data: The payment data, see `_btcpay_read`.
        """
        self.ensure_one()
        if 'invoice' in data and self._btcpay_is_adoptable(data['invoice']):
            _logger.info("Found invoice %s of transaction %s.", data['invoice'].id, self.reference)
            self._btcpay_store_invoice(data['invoice'])
        self._process('btcpay', data)
        self._btcpay_settle_matters('sync')
        self.write({
            'btcpay_sync_count': self.btcpay_sync_count + 1,
            'btcpay_synced_at': fields.Datetime.now(),
            'btcpay_next_sync_at': self._btcpay_get_next_sync_at(),
        })
        # Confirms the order within seconds, also if the customer's browser is closed. A pending one
        # has time: its mail must not keep the confirmation waiting.
        if self._btcpay_is_confirmed_when_seen() and self._btcpay_get_quotations():
            self.is_post_processed = False  # It may have been, when a part was seen.
            trigger_once(self.env, 'payment.cron_post_process_payment_tx')
        elif self.state not in ('draft', 'pending') and not self.is_post_processed:
            trigger_once(self.env, 'payment.cron_post_process_payment_tx')

    def _btcpay_apply_invoice(self, invoice, payment_methods=None, do_payments_follow=False):
        """Update the transaction based on its invoice.

        :param Invoice invoice: The invoice.
        :param list[InvoicePaymentMethod] payment_methods: Its payment methods with the payments;
                                                           None if there is nothing new about them.
        :param bool do_payments_follow: Whether they are read later if there is: somebody waits, and
                                        nothing but the confirmation follows from the invoice.
        """
        self.ensure_one()
        # The framework goes on here once the transaction is in error already.
        if self._btcpay_find_discrepancy(invoice):
            return
        before = (self.btcpay_status, self.btcpay_additional_status, self.btcpay_paid_amount)
        are_due = do_payments_follow and self._btcpay_has_news_of_payments(invoice)
        # Its post-processing follows at once, which has more to say on the documents.
        is_unlogged = do_payments_follow and self.state != 'done'
        self._btcpay_write_invoice(
            invoice, btcpay_are_payments_due=are_due,
            btcpay_is_confirmation_unlogged=self.btcpay_is_confirmation_unlogged or is_unlogged,
        )
        if payment_methods is not None:
            self._btcpay_store_payments(payment_methods)
        after = (self.btcpay_status, self.btcpay_additional_status, self.btcpay_paid_amount)
        self._btcpay_log_invoice(before, after)
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
                'amount': float(payment.value * (method.rate or 0)),
                'status': payment.status,
                'destination': payment.destination,
                'received_at': payment.received_at,
            }
            for method in payment_methods for payment in method.payments
        ], transaction_id=self.id)
        self._btcpay_note_network_fee()
        self._btcpay_note_on_invoices()
        self.btcpay_dues = {
            method.id: format(method.due * method.rate, 'f')
            for method in payment_methods if method.rate and method.due and method.due > 0
        }

    @api.model
    def _btcpay_read_payments_due(self):
        """Read the payments of invoices that a delivery said are paid: nothing waited for them."""
        for tx in self.sudo().search([('btcpay_are_payments_due', '=', True)], order='id'):
            provider, sync_count = tx.provider_id, tx.btcpay_sync_count
            if not provider._btcpay_may_ask():
                continue
            try:
                payment_methods = tx._btcpay_client(commits=True).list_invoice_payment_methods(
                    tx._btcpay_get_store_id(), tx.btcpay_invoice_id
                )
                lock(tx)
                if tx.btcpay_sync_count == sync_count:
                    tx._btcpay_store_payments(payment_methods)
                    tx.btcpay_are_payments_due = False
                elif tx.btcpay_are_payments_due:
                    # A delivery came meanwhile and did not wait for them either.
                    trigger_once(tx.env, 'payment.cron_post_process_payment_tx')
                commit_and_refresh(tx.env)
            except (GreenfieldError, RowBusy, *CONCURRENCY_ERRORS) as error:
                tx.env.cr.rollback()
                _logger.warning("The payments of %s could not be read: %s", tx.reference, error)
                tx._btcpay_report_silence(error)
            except Exception:
                # Odoo's own action must not fail by it, which post-processes for all providers.
                tx.env.cr.rollback()
                _logger.exception("The payments of %s could not be read", tx.reference)
