import re
from datetime import timedelta

from odoo import fields, models
from odoo.fields import Domain

from odoo.addons.payment.logging import get_payment_logger
from odoo.addons.payment_btcpay import const
from odoo.addons.payment_btcpay.utils import BTCPayError, end_transaction

_logger = get_payment_logger(__name__, sensitive_keys=const.SENSITIVE_KEYS)


class PaymentProvider(models.Model):
    """Refunds are followed by the scheduled action too: what no webhook told is asked for."""

    _inherit = 'payment.provider'

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
        watch = now - timedelta(minutes=const.WATCH_MINUTES)
        is_due = (
            Domain('btcpay_checked_at', '=', False)
            | Domain('btcpay_checked_at', '<=', watch)
            | (is_young & Domain('btcpay_checked_at', '<=', poll) if is_here else Domain.FALSE)
            # Not answered yet: with each run.
            | (Domain('state', '=', 'draft') if is_here else Domain.FALSE)
        )
        return self.env['payment.transaction'].sudo().search(
            Domain('provider_id', '=', self.id)
            & Domain('operation', '=', 'refund')
            & Domain('state', 'in', ('draft', 'pending'))
            & is_due,
            order='btcpay_checked_at NULLS FIRST, id',
        ).filtered(lambda tx: tx._btcpay_is_store_connected() == is_here)

    # === AT THE CONNECTED STORE === #

    def _btcpay_follow_refunds(self):
        """Look at the refunds of the connected store, asking the server for all of them at once,
        and hourly for those that were made at the server itself.

        :return: None
        :raise BTCPayError: If the server failed.
        """
        self.ensure_one()
        due = self._btcpay_find_due_refunds(is_here=True)
        if not due and not self._btcpay_is_check_due():
            return
        end_transaction(self.env)
        look_counts = {tx.id: tx.btcpay_look_count for tx in due}
        pull_payments = self._btcpay_list_refunds()
        failures = 0
        for tx in due:
            data = tx.btcpay_pull_payment_id and pull_payments.get(tx.btcpay_pull_payment_id)
            failure = tx._btcpay_reconcile(
                # Without it, the server is asked for this one.
                found=data or None, look_count=look_counts[tx.id],
            )
            if failure and failure.is_of_server:
                failures += 1
                if failures == const.MAX_FAILURES or failure.status == 401:
                    raise failure
        self._btcpay_notice_refunds(pull_payments)

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

    def _btcpay_notice_refunds(self, pull_payments):
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
                refund = tx._btcpay_notice_refund(pull_payment_id)
            except Exception as error:
                self.env.cr.rollback()
                if isinstance(error, BTCPayError) and error.is_of_server:
                    raise
                # One that cannot be taken over now must not hide the others.
                _logger.exception("No look at the refunds of transaction %s", tx.reference)
                continue
            if refund:
                refund._btcpay_reconcile(
                    found=pull_payments[pull_payment_id], look_count=refund.btcpay_look_count
                )

    # === ELSEWHERE === #

    def _btcpay_follow_refunds_elsewhere(self):
        """Look at the refunds of stores that are no longer connected: no key is needed for it.

        What was never answered cannot be found without one, which is left to a person.

        :return: None
        """
        self.ensure_one()
        failures = 0
        for tx in self._btcpay_find_due_refunds(is_here=False):
            failure = tx._btcpay_reconcile()
            failures += bool(failure and failure.is_of_server)
            if failures == const.MAX_FAILURES:
                break
