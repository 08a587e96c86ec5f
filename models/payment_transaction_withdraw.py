from datetime import timedelta

from odoo import _, api, fields, models

from odoo.addons.payment.logging import get_payment_logger
from odoo.addons.payment_btcpay import const
from odoo.addons.payment_btcpay.utils import BTCPayError, end_transaction, lock_row, parse_decimal

_logger = get_payment_logger(__name__, sensitive_keys=const.SENSITIVE_KEYS)


class PaymentTransaction(models.Model):
    _inherit = 'payment.transaction'

    # What is to be done at the server is stored first, and done afterwards without holding a lock:
    # where the network fails in between, the scheduled action finishes it.
    btcpay_intention = fields.Selection(
        string="To Be Done at the Server",
        selection=[
            ('withdraw', "Withdraw the invoice"),
            ('accept_late', "Accept the late payment"),
            ('accept_late_unchanged', "Accept the late payment if nothing else has changed"),
        ],
        readonly=True, copy=False, index='btree_not_null',
    )
    btcpay_withdrawn_at = fields.Datetime(
        string="Invoice Withdrawn", readonly=True, copy=False
    )
    btcpay_documents_total = fields.Monetary(
        help="What the order or invoice came to when the transaction began.",
        currency_field='currency_id', readonly=True, copy=False,
    )

    @api.model_create_multi
    def create(self, vals_list):
        """Override of `payment` to withdraw what is still open of older attempts."""
        transactions = super().create(vals_list)
        for tx in transactions._btcpay_as_odoo():
            if tx.operation in ('refund', 'validation') or tx.source_transaction_id:
                continue
            if tx.provider_code == 'btcpay':
                tx.btcpay_documents_total = tx._btcpay_get_documents_total() or 0
            tx._btcpay_get_payment_siblings()._btcpay_withdraw_obsolete()
        return transactions

    def _update_state(self, allowed_states, target_state, state_message):
        """Override of `payment` to withdraw other invoices for what is paid now."""
        transactions = super()._update_state(allowed_states, target_state, state_message)
        if target_state in ('done', 'authorized'):
            for tx in transactions._btcpay_as_odoo():
                if tx.operation in ('refund', 'validation'):
                    continue
                # Computed of the transactions' states without depending on them.
                tx.sale_order_ids.invalidate_recordset(['amount_paid'])
                tx.invoice_ids.invalidate_recordset(['amount_paid'])
                tx._btcpay_get_payment_siblings()._btcpay_withdraw_obsolete()
                tx._btcpay_report_what_is_odd()
        return transactions

    # === FINDING === #

    def _btcpay_withdraw_obsolete(self):
        """Have the open invoices withdrawn that nobody is meant to pay any more.

        Those that have money on them are left, and a person is told.

        :return: None
        """
        obsolete = self.browse()
        for tx in self._btcpay_as_odoo():
            if not tx._btcpay_is_open() or not tx._btcpay_get_unwanted_reason():
                continue
            if tx._btcpay_has_money():
                tx._btcpay_ask_about_unwanted_money()
            else:
                obsolete |= tx
        if obsolete:
            obsolete.btcpay_intention = 'withdraw'
            self._btcpay_trigger_intentions()

    def _btcpay_is_open(self):
        """Return whether the invoice can be paid, as far as Odoo knows, and is not being withdrawn.

        :rtype: bool
        """
        self.ensure_one()
        return bool(
            self.provider_code == 'btcpay'
            and self.state in ('draft', 'pending')
            and self.btcpay_requested_at
            and not self.btcpay_intention
            and self.operation != 'refund'
        )

    def _btcpay_has_money(self):
        """Return whether something was paid already.

        :rtype: bool
        """
        self.ensure_one()
        return bool(self.btcpay_paid_amount) or self.btcpay_status not in (False, 'New')

    def _btcpay_trigger_intentions(self):
        """Have done as soon as this database transaction is stored what is to be done.

        :return: None
        """
        cron = self.env.ref('payment_btcpay.ir_cron_btcpay_intentions', raise_if_not_found=False)
        if cron:
            cron._trigger()

    # === DOING === #

    @api.model
    def _cron_btcpay_carry_out(self):
        """Do at the server what was intended: at once when it comes up, or later if it failed.

        :return: None
        """
        todo = self.search([
            ('btcpay_intention', '!=', False), ('provider_code', '=', 'btcpay'),
        ], order='btcpay_checked_at NULLS FIRST, id')
        unreachable = self.env['payment.provider']
        self.env['ir.cron']._commit_progress(remaining=len(todo))
        for tx in todo:
            try:
                if tx.provider_id not in unreachable and tx.provider_id._btcpay_may_ask():
                    tx._btcpay_carry_out()
            except BTCPayError as error:
                self.env.cr.rollback()
                _logger.warning("Nothing done for transaction %s: %s", tx.reference, error.args[0])
                if not error.is_temporary:
                    tx._btcpay_give_up(error)
                elif error.is_of_server:
                    unreachable |= tx.provider_id
            except Exception:
                self.env.cr.rollback()
                _logger.exception("Nothing done for transaction %s", tx.reference)
            if not self.env['ir.cron']._commit_progress(1):
                break

    def _btcpay_carry_out(self, timeout=const.TIMEOUT):
        """Do at the server what is intended for the transaction, then look at what came of it.

        The invoice is read once more before: what is no more as it was is left to a person.

        Note: `self.ensure_one()`

        :param int timeout: The number of seconds to wait for each of the server's answers.
        :return: None
        :raise BTCPayError: If the server did not answer; the intention stays.
        """
        self.ensure_one()
        end_transaction(self.env)
        intention = self.btcpay_intention
        if not self._btcpay_is_still_intended():
            # The newer attempt failed, or the change was undone; or the order was cancelled since.
            self.btcpay_intention = False
            end_transaction(self.env)
            if intention != 'withdraw':
                self._btcpay_synchronize(timeout=timeout)
            return
        invoice = self._btcpay_fetch_invoice(timeout)
        if not invoice and not self._btcpay_is_request_over():
            return  # Its making is still under way.
        status = self._btcpay_get_intended_status(intention, invoice)
        if status:
            # Answers with the old state: what came of it is read by the look.
            self._send_api_request(
                'POST',
                f'/stores/{self._btcpay_get_store_id()}/invoices/{invoice["id"]}/status',
                json={'status': status}, btcpay_timeout=timeout,
            )
        end_transaction(self.env)
        lock_row(self)
        if self.btcpay_intention == intention:
            self.btcpay_intention = False
        # An earlier call may have taken effect without being answered.
        if intention == 'withdraw' and (status or not invoice or invoice['status'] == 'Invalid'):
            self.btcpay_withdrawn_at = fields.Datetime.now()
            if self.state in ('draft', 'pending'):
                self._btcpay_set_withdrawn()
        end_transaction(self.env)
        if not invoice:
            return
        self._btcpay_synchronize(timeout=timeout)
        # Where it was paid just before it was to be withdrawn.
        self._btcpay_as_odoo()._btcpay_withdraw_obsolete()

    def _btcpay_is_still_intended(self):
        """Return whether there still is a reason for what was to be done at the server.

        :rtype: bool
        """
        self.ensure_one()
        match self.btcpay_intention:
            case 'withdraw':
                return bool(self._btcpay_get_unwanted_reason())
            case 'accept_late_unchanged':
                return self._btcpay_can_accept_late_by_itself()
            case intention:
                return bool(intention)

    def _btcpay_set_withdrawn(self):
        """Cancel the transaction whose invoice was withdrawn.

        :return: None
        """
        self._set_canceled(_(
            "The Bitcoin invoice was withdrawn, since there is a newer payment or nothing to be"
            " paid any more."
        ))

    def _btcpay_is_request_over(self):
        """Return whether the request that made the invoice cannot be under way any more.

        :rtype: bool
        """
        self.ensure_one()
        limit = fields.Datetime.now() - timedelta(seconds=4 * const.TIMEOUT)
        return not self.btcpay_requested_at or self.btcpay_requested_at < limit

    def _btcpay_get_intended_status(self, intention, invoice):
        """Return what the invoice is to be marked as, if it is still as it was thought to be.

        :param str|bool intention: The intention.
        :param dict|None invoice: The invoice, as it was just read.
        :return: The status; None to leave the invoice alone.
        :rtype: str|None
        """
        if not invoice:
            return None
        is_unpaid = not parse_decimal(invoice['paidAmount'])
        state = (invoice['status'], invoice['additionalStatus'])
        if intention == 'withdraw' and state == ('New', 'None') and is_unpaid:
            return 'Invalid'
        if intention != 'withdraw' and state == ('Expired', 'PaidLate'):
            return 'Settled'
        return None

    def _btcpay_give_up(self, error):
        """Leave to a person what the server refuses.

        :param BTCPayError error: The refusal.
        :return: None
        """
        self.ensure_one()
        self.btcpay_intention = False
        self._btcpay_ask_person(_(
            "The BTCPay Server refused what Odoo wanted to do with the invoice of %(reference)s:"
            " %(error)s Look at the invoice on the server.",
            reference=self.reference, error=error.args[0],
        ))
