import time
from contextlib import contextmanager

from odoo import api, fields, models
from odoo.tools import split_every

from odoo.addons.payment.logging import get_payment_logger
from odoo.addons.payment_btcpay import const
from odoo.addons.payment_btcpay.utils import BTCPayError, end_transaction

_logger = get_payment_logger(__name__, sensitive_keys=const.SENSITIVE_KEYS)


class PaymentProvider(models.Model):
    _inherit = 'payment.provider'

    btcpay_poll_minutes = fields.Integer(
        string="Ask Every",
        help="The number of minutes after which the server is asked of an open invoice, where it"
             " does not tell by itself.",
        default=const.POLL_MINUTES,
    )

    _btcpay_poll_minutes_positive = models.Constraint(
        'CHECK(btcpay_poll_minutes > 0)', "The server is asked every minute at most."
    )

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
                provider._btcpay_follow_refunds_elsewhere()
        providers = all_providers.filtered(
            lambda p: p._btcpay_is_connected() and p._btcpay_may_ask()
        )
        batches = []
        for provider in providers:
            provider = provider._btcpay_in_company_language()
            provider._btcpay_try(provider._btcpay_follow_refunds)
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
        end_transaction(self.env)
        transactions = self.env['payment.transaction'].sudo().browse(tx_ids).exists()
        look_counts = {tx.id: tx.btcpay_look_count for tx in transactions}
        listed = [tx for tx in transactions if self._btcpay_is_listable(tx)]
        invoices, is_complete = self._btcpay_list_invoices([tx.reference for tx in listed])
        found = {tx.id: self._btcpay_pick_invoice(tx, invoices) for tx in listed}
        failures = 0
        for tx_id, look_count in look_counts.items():
            tx = transactions.browse(tx_id)  # Not all of them are to be read again each time.
            failure = tx._btcpay_reconcile(
                found=found.get(tx_id), look_count=look_count,
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
        if not self._btcpay_is_check_due() and (has_due or not self.btcpay_down_since):
            return
        end_transaction(self.env)
        self._btcpay_check_webhook()
        if not has_due:
            self._btcpay_report_success()
