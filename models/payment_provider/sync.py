"""The scheduled action: what no webhook reported, or reported in vain, is synced."""
import time
from contextlib import contextmanager

from odoo import api, fields, models
from odoo.tools import split_every

from odoo.addons.payment.logging import get_payment_logger
from odoo.addons.payment_btcpay import const
from odoo.addons.payment_btcpay.db import RowBusy, commit_and_refresh
from odoo.addons.payment_btcpay.greenfield import (
    Forbidden,
    GreenfieldError,
    NotFound,
    NotUnderstood,
    ServerFault,
    Unauthorized,
)

_logger = get_payment_logger(__name__, sensitive_keys=const.SENSITIVE_KEYS)


class PaymentProvider(models.Model):
    _inherit = 'payment.provider'

    @api.model
    def _cron_btcpay_sync(self):
        """Sync what is due, payments and refunds, and check hourly that the server can be used."""
        batches = []
        for provider in self._btcpay_find_all():
            provider = provider._btcpay_in_company_language()
            earlier = provider.btcpay_earlier_store_ids.mapped('store_id')
            refunds = provider._btcpay_find_due([('operation', '=', 'refund')])
            elsewhere = refunds.filtered(lambda tx: not tx._btcpay_is_store_current())
            if earlier:
                elsewhere |= provider._btcpay_find_due([
                    ('operation', '!=', 'refund'), ('btcpay_store_id', 'in', earlier),
                ])
            with provider._btcpay_keep_going():
                provider._btcpay_sync_elsewhere(elsewhere)
            if not provider._btcpay_is_connected() or not provider._btcpay_may_ask():
                continue
            payments = provider._btcpay_find_due([
                ('operation', '!=', 'refund'), ('btcpay_store_id', 'not in', earlier),
            ])
            own = [(provider._btcpay_sync_refunds, (refunds - elsewhere).ids)] + [
                (provider._btcpay_sync_payments, ids)
                for ids in split_every(const.BATCH_SIZE, payments.ids)
            ]
            batches += enumerate((provider, *batch) for batch in own if batch[1])
            provider._btcpay_try(provider._btcpay_check_connection, has_due=bool(payments))
        # In turns, so that no provider waits for another's thousands.
        batches = [batch for _turn, batch in sorted(batches, key=lambda item: item[0])]
        # What stays open is not remaining: it is due again later.
        self.env['ir.cron']._commit_progress(remaining=sum(len(ids) for *_how, ids in batches))
        for provider, sync, ids in batches:
            provider._btcpay_try(sync, ids)
            if not self.env['ir.cron']._commit_progress(len(ids)):
                return
        self.env['btcpay.authorization']._revoke_unused_keys()
        self.env['btcpay.earlier.store']._remove_those_over()

    @api.model
    def _btcpay_find_all(self):
        """Find all providers of ours, connected or not.

        :return: The providers, in sudo mode.
        :rtype: payment.provider
        """
        return self.sudo()._btcpay_search([('code', '=', 'btcpay')])

    def _btcpay_find_due(self, domain):
        """Return the transactions that are to be synced now, the longest due first.

        :param list domain: Which ones.
        :rtype: payment.transaction
        """
        self.ensure_one()
        return self.env['payment.transaction'].sudo().search([
            ('provider_id', '=', self.id),
            ('btcpay_next_sync_at', '<=', fields.Datetime.now()),
            *domain,
        ], order='btcpay_next_sync_at, id')

    def _btcpay_try(self, method, *args, **kwargs):
        """Do something that must not stop what else there is to do.

        :param callable method: What to do.
        """
        self.ensure_one()
        if not self._btcpay_may_ask():
            return  # The server failed meanwhile.
        with self._btcpay_keep_going():
            try:
                method(*args, **kwargs)
            except GreenfieldError as error:
                self.env.cr.rollback()
                self._btcpay_report_failure(error)

    @contextmanager
    def _btcpay_keep_going(self):
        """Go on after an error with what else there is to do."""
        self.ensure_one()
        try:
            yield
        except Exception:
            self.env.cr.rollback()
            _logger.exception("The sync of provider %s failed", self.id)

    def _btcpay_check_connection(self, has_due):
        """Check hourly, and while nothing else asks it, that the server and its webhook work.

        :param bool has_due: Whether the server is asked about payments in any case.
        :raise GreenfieldError: If the server failed.
        """
        self.ensure_one()
        is_due = self._btcpay_is_check_due()
        if is_due or (not has_due and self.btcpay_unreachable_since):
            commit_and_refresh(self.env)
            self._btcpay_check_webhook()
            if not has_due:
                self._btcpay_report_success()
        if is_due:
            if self._btcpay_is_refresh_due():
                try:
                    self._btcpay_refresh()
                    self._btcpay_check_up()
                except ServerFault as error:
                    if not error.is_of_call:
                        raise
                    # It has just answered: payments do not wait for e.g. a source of rates.
                    _logger.warning("The store of provider %s was not read: %s", self.id, error)
            self._btcpay_adopt_refunds(self._btcpay_list_refunds())

    # === A BATCH === #

    def _btcpay_sync_payments(self, tx_ids):
        """Sync payments of the provider, asking the server for many of them at once.

        :param list[int] tx_ids: The ids of the transactions.
        :raise GreenfieldError: If the server failed.
        """
        deadline = time.monotonic() + const.LIST_SECONDS
        transactions = self._btcpay_read_batch(tx_ids)
        sync_counts = {tx.id: tx.btcpay_sync_count for tx in transactions}
        found, absent_ids = self._btcpay_read_invoices(transactions, deadline)
        unchanged = transactions.filtered(
            lambda tx: tx.id in found and tx._btcpay_is_unchanged(found[tx.id]['invoice'])
        )
        unchanged._btcpay_note_unchanged()
        for tx_id in unchanged.ids:
            del sync_counts[tx_id]
        self._btcpay_sync_each(sync_counts, found, deadline, absent_ids)
        self._btcpay_report_success()

    def _btcpay_sync_refunds(self, refund_ids):
        """Sync refunds of the provider, asking the server for all of the store at once.

        Anybody may read them: that it answers does not say that the key is good.

        :param list[int] refund_ids: The ids of the refunds.
        :raise GreenfieldError: If the server failed.
        """
        deadline = time.monotonic() + const.LIST_SECONDS
        refunds = self._btcpay_read_batch(refund_ids)
        sync_counts = {tx.id: tx.btcpay_sync_count for tx in refunds}
        listed = self._btcpay_list_refunds()
        found = {tx.id: listed.get(tx.btcpay_pull_payment_id) for tx in refunds}
        self._btcpay_sync_each(sync_counts, found, deadline)
        self._btcpay_adopt_refunds(listed)

    def _btcpay_read_batch(self, tx_ids):
        """Read transactions as they are now, and nothing that was read of others before.

        :rtype: payment.transaction
        """
        self.ensure_one()
        commit_and_refresh(self.env)
        return self.env['payment.transaction'].sudo()._btcpay_search(
            [('id', 'in', list(tx_ids))], order='btcpay_next_sync_at, id'
        )

    def _btcpay_sync_each(self, sync_counts, found, deadline, absent_ids=()):
        """Sync transactions one by one, until the time is over.

        :param dict sync_counts: By their ids, the `btcpay_sync_count` of before the server was
                                 asked.
        :param dict found: The payment data that were read of them.
        :param float deadline: When the time is over.
        :param Collection[int] absent_ids: The ids of those of which the server has no invoice.
        :raise GreenfieldError: If the server failed.
        """
        failures = 0
        for tx_id, sync_count in sync_counts.items():
            # Not all of them are to be read again each time.
            failure = self.env['payment.transaction'].sudo().browse(tx_id)._btcpay_sync_in_batch(
                found=found.get(tx_id), sync_count=sync_count, is_absent=tx_id in absent_ids
            )
            # In a row: one that succeeds says that it is not the server.
            failures = failures + 1 if failure and failure.is_of_server else 0
            if failures == const.MAX_FAILURES or isinstance(failure, Unauthorized):
                raise failure
            if time.monotonic() > deadline:
                break

    def _btcpay_read_invoices(self, transactions, deadline):
        """Ask the server for the invoices of transactions, by their references.

        Others may have the same references as well.

        :param payment.transaction transactions: The transactions.
        :param float deadline: When no more calls are to be made.
        :return: The payment data by the transaction's id, and the ids of those without any invoice.
        :rtype: tuple[dict, set]
        :raise GreenfieldError: If the server did not say.
        """
        self.ensure_one()
        client = self._btcpay_client()  # One connection for all.
        found, absent_ids = {}, set()
        for listed in split_every(const.LIST_SIZE, transactions.filtered(lambda tx: (
            tx.btcpay_store_id in (False, self.btcpay_store_id)
            and len(tx.reference) <= const.LIST_REFERENCE_LENGTH
        ))):
            try:
                invoices = client.find_invoices(
                    self.btcpay_store_id, [tx.reference for tx in listed], take=const.LIST_TAKE,
                    include_archived=True,
                )
            except ServerFault as error:
                if not error.is_of_call:
                    raise
                continue  # It may break by one of them: each is asked for by itself.
            by_id = {invoice.id: invoice for invoice in invoices}
            for tx in listed:
                invoice = by_id.get(tx.btcpay_invoice_id) or next(
                    filter(tx._btcpay_is_adoptable, () if tx.btcpay_invoice_id else invoices), None
                )
                if invoice:
                    found[tx.id] = {'invoice': invoice, 'payment_methods': None}
                elif invoices.is_complete and not tx.btcpay_invoice_id:
                    absent_ids.add(tx.id)
            if time.monotonic() > deadline:
                break
        return found, absent_ids

    # === REFUNDS === #

    def _btcpay_list_refunds(self):
        """Ask the server for all pull payments of the store, with their payouts.

        :return: The payment data by the pull payment's id; empty if the server does not list them.
        :rtype: dict
        :raise GreenfieldError: If the server failed.
        """
        self.ensure_one()
        client = self._btcpay_client()
        try:
            pull_payments = client.list_pull_payments(self.btcpay_store_id)
            payouts = client.list_payouts(self.btcpay_store_id)
        except GreenfieldError as error:
            # Keys of other origin may not list them; a list may be too long to be read, or break by
            # one that is none of ours.
            if isinstance(error, (Forbidden, NotFound, NotUnderstood)) or error.is_of_call:
                return {}
            raise
        data = {p.id: {'pull_payment': p, 'payouts': []} for p in pull_payments}
        for payout in payouts:
            if payout.pull_payment_id in data:
                data[payout.pull_payment_id]['payouts'].append(payout)
        return data

    def _btcpay_adopt_refunds(self, refunds):
        """Adopt the refunds that Odoo does not know: those that were made at the server itself,
        where no webhook reported them, and its own of before it was restored from a backup.

        They are known by the name that the server gives them, or Odoo.

        :param dict refunds: The payment data of the refunds, see `_btcpay_list_refunds`.
        """
        self.ensure_one()
        invoice_ids = {
            pull_payment_id: data['pull_payment'].refunded_invoice_id
            for pull_payment_id, data in refunds.items() if data['pull_payment'].amount
        }
        Transaction = self.env['payment.transaction'].sudo()
        domain = [('provider_id', '=', self.id)]
        known = set(Transaction.search([
            *domain, ('btcpay_pull_payment_id', 'in', list(invoice_ids)),
        ]).mapped('btcpay_pull_payment_id'))
        transactions = {tx.btcpay_invoice_id: tx for tx in Transaction.search([
            *domain,
            ('btcpay_invoice_id', 'in', list({*invoice_ids.values()} - {None})),
            ('source_transaction_id', '=', False),
        ])}
        for pull_payment_id, invoice_id in invoice_ids.items():
            data = refunds[pull_payment_id]
            if pull_payment_id in known or not (tx := (
                transactions.get(invoice_id, Transaction) if invoice_id
                else Transaction._btcpay_find_by_refund(self, data['pull_payment'].name)
            )):
                continue
            try:
                if data['pull_payment'].is_archived and not data['payouts']:
                    # The server says no more of it each time it is asked.
                    tx._btcpay_as_odoo()._btcpay_flag_hidden_refund(data['pull_payment'])
                    commit_and_refresh(self.env)
                    continue
                refund = tx._btcpay_find_or_adopt_refund(pull_payment_id)
            except (GreenfieldError, RowBusy) as error:
                self.env.cr.rollback()
                if error.is_of_server:
                    raise
                _logger.warning("No refund of transaction %s adopted: %s", tx.reference, error)
                continue
            except Exception:
                self.env.cr.rollback()
                # One that cannot be adopted now must not hide the others.
                _logger.exception("No refund of transaction %s adopted", tx.reference)
                continue
            if refund:
                refund._btcpay_sync_in_batch(found=data, sync_count=refund.btcpay_sync_count)

    def _btcpay_sync_elsewhere(self, transactions):
        """Sync what is of other stores than the one that is connected: all of those that were
        connected before, with their keys; refunds of others, for which no key is needed.

        What was never answered cannot be found without one, which is flagged for review.

        :param payment.transaction transactions: The transactions.
        """
        self.ensure_one()
        deadline = time.monotonic() + const.LIST_SECONDS
        failures = {}
        for tx in transactions:
            store_id = tx.btcpay_store_id
            if failures.get(store_id) == const.MAX_FAILURES:
                continue
            failure = tx._btcpay_sync_in_batch()
            is_down = failure and failure.is_of_server
            failures[store_id] = failures.get(store_id, 0) + 1 if is_down else 0
            if time.monotonic() > deadline:
                break
