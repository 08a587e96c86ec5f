import re
import time
from contextlib import contextmanager
from datetime import timedelta

from odoo import api, fields, models
from odoo.fields import Domain
from odoo.tools import split_every

from odoo.addons.payment.logging import get_payment_logger
from odoo.addons.payment_btcpay import const
from odoo.addons.payment_btcpay.db import commit_and_refresh
from odoo.addons.payment_btcpay.utils import BTCPayError

_logger = get_payment_logger(__name__, sensitive_keys=const.SENSITIVE_KEYS)


class PaymentProvider(models.Model):
    _inherit = 'payment.provider'

    # === SCHEDULED ACTION === #

    @api.model
    def _cron_btcpay_reconcile(self):
        """Make good whatever was not told, or told in vain: look after what is not final.

        :return: None
        """
        all_providers = self.sudo().search([('code', '=', 'btcpay')])
        for provider in all_providers:
            provider = provider._btcpay_in_company_language()
            with provider._btcpay_keep_going():
                provider._btcpay_sync_refunds_elsewhere()
        providers = all_providers.filtered(
            lambda p: p._btcpay_is_connected() and p._btcpay_may_ask()
        )
        batches = []
        for provider in providers:
            provider = provider._btcpay_in_company_language()
            provider._btcpay_try(provider._btcpay_sync_refunds)
            due = self.env['payment.transaction'].sudo()._btcpay_find_due(provider)
            batches += enumerate((provider, ids) for ids in split_every(const.LIST_SIZE, due.ids))
            provider._btcpay_try(provider._btcpay_check_connection, has_due=bool(due))
        # In turns, so that no provider waits for another's thousands.
        batches = [batch for _turn, batch in sorted(batches, key=lambda item: item[0])]
        # What stays open is not remaining: it is due again later.
        self.env['ir.cron']._commit_progress(remaining=sum(len(ids) for _p, ids in batches))
        for provider, ids in batches:
            provider._btcpay_try(provider._btcpay_reconcile, ids)
            if not self.env['ir.cron']._commit_progress(len(ids)):
                break

    def _btcpay_try(self, method, *args, **kwargs):
        """Do something that must not stop what else there is to do.

        :param callable method: What to do.
        :return: None
        """
        self.ensure_one()
        if not self._btcpay_may_ask():
            return  # The server failed meanwhile.
        with self._btcpay_keep_going():
            try:
                method(*args, **kwargs)
            except BTCPayError as error:
                self.env.cr.rollback()
                self._btcpay_report_failure(error)

    @contextmanager
    def _btcpay_keep_going(self):
        """Go on after an error with what else there is to do.

        :return: The context manager.
        """
        self.ensure_one()
        try:
            yield
        except Exception:
            self.env.cr.rollback()
            _logger.exception("Reconciliation of provider %s failed", self.id)

    def _btcpay_get_poll_minutes(self):
        """Return after how many minutes an open invoice is looked at again.

        :rtype: int
        """
        self.ensure_one()
        return const.POLL_MINUTES if self.btcpay_use_webhook else self.btcpay_poll_minutes

    # === LOOKING AT MANY === #

    def _btcpay_reconcile(self, tx_ids):
        """Look at transactions of the provider, asking the server for all of them at once.

        :param list[int] tx_ids: The ids of the transactions.
        :return: None
        :raise BTCPayError: If the server failed.
        """
        self.ensure_one()
        deadline = time.monotonic() + const.LIST_SECONDS
        commit_and_refresh(self.env)
        transactions = self.env['payment.transaction'].sudo().browse(tx_ids).exists()
        sync_counts = {tx.id: tx.btcpay_sync_count for tx in transactions}
        listed = [tx for tx in transactions if self._btcpay_is_listable(tx)]
        invoices, is_complete = self._btcpay_list_invoices([tx.reference for tx in listed])
        found = {tx.id: self._btcpay_pick_invoice(tx, invoices) for tx in listed}
        failures = 0
        for tx_id, sync_count in sync_counts.items():
            tx = transactions.browse(tx_id)  # Not all of them are to be read again each time.
            failure = tx._btcpay_sync_in_batch(
                found=found.get(tx_id), sync_count=sync_count,
                is_absent=(
                    is_complete and tx_id in found and not found[tx_id]
                    and not tx.btcpay_invoice_id
                ),
            )
            if failure and failure.is_of_server:
                failures += 1
                if failures == const.MAX_FAILURES or failure.status == 401:
                    raise failure
            else:
                failures = 0
            if time.monotonic() > deadline:
                break
        self._btcpay_report_success()

    def _btcpay_is_listable(self, tx):
        """Return whether a transaction's invoice can be asked for together with others.

        :param payment.transaction tx: The transaction.
        :rtype: bool
        """
        return (
            tx.btcpay_store_id in (False, self.btcpay_store_id)
            and len(tx.reference) <= const.LIST_REFERENCE_LENGTH
        )

    def _btcpay_list_invoices(self, references):
        """Ask the server for invoices by the references of their transactions.

        :param list[str] references: The references.
        :return: What the server has of them, and whether that is all.
        :rtype: tuple[list[dict], bool]
        :raise BTCPayError: If the server did not say.
        """
        self.ensure_one()
        if not references:
            return [], True
        answer = self._send_api_request('GET', self._btcpay_store_endpoint('/invoices'), params=[
            *(('orderId', reference) for reference in references),
            ('includeArchived', 'true'),
            ('take', const.LIST_TAKE),
        ])
        if not isinstance(answer, list):
            raise self._btcpay_make_unexpected_error()
        is_invoice = self.env['payment.transaction']._btcpay_is_invoice
        invoices = [invoice for invoice in answer if is_invoice(invoice)]
        return invoices, len(invoices) == len(answer) < const.LIST_TAKE

    @staticmethod
    def _btcpay_pick_invoice(tx, invoices):
        """Pick a transaction's invoice: others may have its reference as well.

        :param payment.transaction tx: The transaction.
        :param list[dict] invoices: The invoices.
        :return: The invoice, None if it is not among them.
        :rtype: dict|None
        """
        if tx.btcpay_invoice_id:
            return next((i for i in invoices if i['id'] == tx.btcpay_invoice_id), None)
        return next((i for i in invoices if tx._btcpay_is_adoptable(i)), None)

    def _btcpay_check_connection(self, has_due):
        """See hourly, and while nothing else asks it, whether the server is there and can tell us.

        :param bool has_due: Whether the server is asked of transactions in any case.
        :return: None
        :raise BTCPayError: If the server failed.
        """
        self.ensure_one()
        if not self._btcpay_is_check_due() and (has_due or not self.btcpay_unreachable_since):
            return
        commit_and_refresh(self.env)
        self._btcpay_check_webhook()
        if not has_due:
            self._btcpay_report_success()

    # === WHICH ONES === #

    def _btcpay_find_due_refunds(self, is_here):
        """Find the refunds that are to be looked at now, oldest look first.

        What the customer leaves unclaimed for long is looked at less often.

        :param bool is_here: Whether those of the connected store are meant, or those of others.
        :rtype: payment.transaction
        """
        self.ensure_one()
        now = fields.Datetime.now() + timedelta(seconds=30)
        is_young = Domain('create_date', '>', now - timedelta(days=const.REFUND_YOUNG_DAYS))
        poll = now - timedelta(minutes=self._btcpay_get_poll_minutes())
        watch = now - timedelta(minutes=const.SLOW_POLL_MINUTES)
        is_due = (
            Domain('btcpay_synced_at', '=', False)
            | Domain('btcpay_synced_at', '<=', watch)
            | (is_young & Domain('btcpay_synced_at', '<=', poll) if is_here else Domain.FALSE)
            # Not answered yet: with each run.
            | (Domain('state', '=', 'draft') if is_here else Domain.FALSE)
        )
        return self.env['payment.transaction'].sudo().search(
            Domain('provider_id', '=', self.id)
            & Domain('operation', '=', 'refund')
            & Domain('state', 'in', ('draft', 'pending'))
            & is_due,
            order='btcpay_synced_at NULLS FIRST, id',
        ).filtered(lambda tx: tx._btcpay_is_store_connected() == is_here)

    # === AT THE CONNECTED STORE === #

    def _btcpay_sync_refunds(self):
        """Look at the refunds of the connected store, asking the server for all of them at once,
        and hourly for those that were made at the server itself.

        :return: None
        :raise BTCPayError: If the server failed.
        """
        self.ensure_one()
        due = self._btcpay_find_due_refunds(is_here=True)
        if not due and not self._btcpay_is_check_due():
            return
        commit_and_refresh(self.env)
        sync_counts = {tx.id: tx.btcpay_sync_count for tx in due}
        pull_payments = self._btcpay_list_refunds()
        failures = 0
        for tx in due:
            data = tx.btcpay_pull_payment_id and pull_payments.get(tx.btcpay_pull_payment_id)
            failure = tx._btcpay_sync_in_batch(
                # Without it, the server is asked for this one.
                found=data or None, sync_count=sync_counts[tx.id],
            )
            if failure and failure.is_of_server:
                failures += 1
                if failures == const.MAX_FAILURES or failure.status == 401:
                    raise failure
        self._btcpay_adopt_refunds(pull_payments)

    def _btcpay_list_refunds(self):
        """Ask the server for all pull payments of the store, with their payouts.

        :return: `{id: {'pull_payment': …, 'payouts': […]}}`; empty if the server does not list
                 them.
        :rtype: dict
        :raise BTCPayError: If the server failed.
        """
        self.ensure_one()
        try:
            pull_payments = self._send_api_request(
                'GET', self._btcpay_store_endpoint('/pull-payments'),
                params={'includeArchived': 'true'},
            )
            payouts = self._send_api_request(
                'GET', self._btcpay_store_endpoint('/payouts'), params={'includeCancelled': 'true'}
            )
        except BTCPayError as error:
            # Keys of other origin may not list them; a list may be too long to be read.
            if error.status in (403, 404) or error.code == 'unexpected-answer':
                return {}
            raise
        if not isinstance(pull_payments, list) or not isinstance(payouts, list):
            return {}
        is_pull_payment = self.env['payment.transaction']._btcpay_is_pull_payment
        found = {
            pull_payment['id']: {'pull_payment': pull_payment, 'payouts': []}
            for pull_payment in pull_payments if is_pull_payment(pull_payment)
        }
        for payout in payouts:
            if isinstance(payout, dict) and payout.get('pullPaymentId') in found:
                found[payout['pullPaymentId']]['payouts'].append(payout)
        return found

    def _btcpay_adopt_refunds(self, pull_payments):
        """Take over the refunds that were made at the server itself, where no webhook told.

        They are known by the name that the server gives them.

        :param dict pull_payments: The pull payments, see `_btcpay_list_refunds`.
        :return: None
        """
        self.ensure_one()
        invoice_ids = {
            pull_payment_id: match[1]
            for pull_payment_id, data in pull_payments.items()
            if (match := re.fullmatch(r'Refund (\w+)', str(data['pull_payment'].get('name'))))
            # Of one that was given up before anything was paid out there is nothing to follow.
            and (data['pull_payment'].get('archived') is not True or any(
                payout.get('state') == 'Completed' for payout in data['payouts']
            ))
        }
        Transaction = self.env['payment.transaction'].sudo()
        domain = [('provider_id', '=', self.id)]
        known = set(Transaction.search([
            *domain, ('btcpay_pull_payment_id', 'in', list(invoice_ids)),
        ]).mapped('btcpay_pull_payment_id'))
        transactions = {tx.btcpay_invoice_id: tx for tx in Transaction.search([
            *domain,
            ('btcpay_invoice_id', 'in', list(set(invoice_ids.values()))),
            ('source_transaction_id', '=', False),
        ])}
        for pull_payment_id, invoice_id in invoice_ids.items():
            if pull_payment_id in known or invoice_id not in transactions:
                continue
            tx = transactions[invoice_id]
            try:
                refund = tx._btcpay_find_or_adopt_refund(pull_payment_id)
            except Exception as error:
                self.env.cr.rollback()
                if isinstance(error, BTCPayError) and error.is_of_server:
                    raise
                # One that cannot be taken over now must not hide the others.
                _logger.exception("No look at the refunds of transaction %s", tx.reference)
                continue
            if refund:
                refund._btcpay_sync_in_batch(
                    found=pull_payments[pull_payment_id], sync_count=refund.btcpay_sync_count
                )

    # === ELSEWHERE === #

    def _btcpay_sync_refunds_elsewhere(self):
        """Look at the refunds of stores that are no longer connected: no key is needed for it.

        What was never answered cannot be found without one, which is left to a person.

        :return: None
        """
        self.ensure_one()
        failures = 0
        for tx in self._btcpay_find_due_refunds(is_here=False):
            failure = tx._btcpay_sync_in_batch()
            failures += bool(failure and failure.is_of_server)
            if failures == const.MAX_FAILURES:
                break
