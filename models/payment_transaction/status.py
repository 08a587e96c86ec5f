"""What the status of an invoice at the BTCPay Server means for its transaction.

The statuses are those of `InvoiceData` of the Greenfield API. A row that applies to a transaction
which is already further on does not take it back: see `_btcpay_set_state`.
"""
from functools import partial
from typing import NamedTuple

from odoo import _, api, models
from odoo.tools.misc import formatLang


class Row(NamedTuple):
    """One row of the table.

    :param str|None state: The state the transaction is brought to; None leaves it as it is.
    :param str then: The name of the method that does the rest.
    """

    state: str | None
    then: str


ANY = '*'
# An invoice that is settled with less than its amount, by the store's tolerance.
UNDERPAID = 'Underpaid'

TABLE = {
    # status, additionalStatus         state      then
    ('New', 'None'):               Row(None,      '_btcpay_on_new'),
    ('New', 'PaidPartial'):        Row('pending', '_btcpay_on_partial'),
    ('Processing', ANY):           Row('pending', '_btcpay_on_processing'),
    ('Settled', 'None'):           Row('done',    '_btcpay_on_settled'),
    ('Settled', 'PaidOver'):       Row('done',    '_btcpay_on_overpaid'),
    ('Settled', UNDERPAID):        Row('done',    '_btcpay_on_underpaid'),
    ('Settled', 'Marked'):         Row('done',    '_btcpay_on_marked_settled'),
    ('Expired', 'None'):           Row('cancel',  '_btcpay_on_expired'),
    ('Expired', 'PaidPartial'):    Row('cancel',  '_btcpay_on_expired_partial'),
    ('Expired', 'PaidLate'):       Row('cancel',  '_btcpay_on_paid_late'),
    ('Invalid', ANY):              Row('error',   '_btcpay_on_invalid'),
}  # fmt: skip


def find_row(status, additional_status, is_underpaid=False, is_paid=True):
    """Find the row of an invoice.

    :param str status: The invoice's `status`.
    :param str additional_status: The invoice's `additionalStatus`.
    :param bool is_underpaid: Whether less than the invoice's amount was paid.
    :param bool is_paid: Whether anything was, be it less than its fees.
    :return: The row, or None if the table has none.
    :rtype: Row|None
    """
    if status == 'Settled' and additional_status == 'None' and is_underpaid:
        additional_status = UNDERPAID
    elif (status, additional_status) == ('New', 'PaidPartial') and not is_paid:
        additional_status = 'None'  # The server says so still when what it saw was replaced.
    return TABLE.get((status, additional_status)) or TABLE.get((status, ANY))


class PaymentTransaction(models.Model):
    _inherit = 'payment.transaction'

    def _btcpay_apply_status(self, is_new):
        """Apply the row of the status table that the invoice is in.

        :param bool is_new: Whether the status or the amount received differs from the last sync.
        """
        self.ensure_one()
        row = find_row(
            self.btcpay_status, self.btcpay_additional_status,
            is_underpaid=self._btcpay_is_underpaid(), is_paid=bool(self._btcpay_get_gross_amount()),
        )
        if not row:
            self._btcpay_flag_for_review(_(
                "The BTCPay Server reports the status “%(status)s / %(additional)s” for the payment"
                " %(reference)s, which Odoo does not know. Check the invoice on the server and"
                " decide what is to be done.",
                status=self.btcpay_status, additional=self.btcpay_additional_status,
                reference=self.reference,
            ), self._btcpay_get_unknown_matter())
            return
        self._btcpay_set_state(row.state)
        self._btcpay_apply_discount()
        self._btcpay_watch_confirmed_seen()
        getattr(self, row.then)(is_new)
        self._btcpay_book_missing()
        self._btcpay_flag_vanished()
        self._btcpay_close_settled_matters()

    def _btcpay_set_state(self, state):
        """Bring the transaction to a state, unless it is further on: done ones stay done.

        :param str|None state: The state; None for none.
        """
        self.ensure_one()
        if not state or self.state == state:
            return
        match state, self.state:
            case 'pending', 'draft':
                self._set_pending()
            case 'done', _any if (
                self._btcpay_get_partial_receipts() or self.btcpay_returned_amount
            ):
                # Beside its partial payments the whole would count twice.
                self._btcpay_book_settled()
            case 'done', _any:
                # The money is there, whatever was thought of the payment before.
                self._btcpay_note_difference(self._btcpay_get_counted_amount())
                self._set_done(extra_allowed_states=('cancel',))
            case 'cancel', ('draft' | 'pending'):
                self._set_canceled()
            case 'error', ('draft' | 'pending') if (
                self.btcpay_invalidated_at or self.btcpay_pending_action == 'invalidate'
            ):
                self._set_canceled(self._btcpay_explain_invalidated())
            case 'error', ('draft' | 'pending'):
                self._set_error(self._btcpay_explain_invalid())

    def _btcpay_explain_invalid(self):
        """Return why the payment failed, for the customer: the merchant, or the server, says so."""
        return _("This payment was declared invalid. Please contact us if you have sent money.")

    # === WHAT ELSE A ROW DOES === #

    def _btcpay_on_new(self, is_new):
        if self.state == 'pending' and not self.btcpay_is_confirmed_seen:
            self._btcpay_flag_for_review(_(
                "The payment seen for %s is gone: the customer's wallet replaced or canceled it"
                " before it was confirmed. Nothing is paid now; the customer can still pay the same"
                " invoice until it expires.", self.reference,
            ), 'gone')

    def _btcpay_on_partial(self, is_new):
        if is_new:
            self._btcpay_post_note(_(
                "Partial payment of %(reference)s: %(paid)s of %(amount)s was received;"
                " %(due)s is due.", **self._btcpay_get_sums(),
            ))
            self._btcpay_mail_partial()

    def _btcpay_on_processing(self, is_new):
        if is_new:
            self._btcpay_post_note(_(
                "A payment of %(paid)s for %(reference)s was seen and waits for confirmation.",
                **self._btcpay_get_sums(),
            ))

    def _btcpay_on_settled(self, is_new):
        # What comes in after an invoice was settled does not change its status. The server rounds
        # up to the satoshi, which is many units of some currencies: that is no overpayment.
        if self.btcpay_overpaid_amount and self.btcpay_overpaid_amount > sum(
            float(payment.rate or 0) for payment in self.btcpay_payment_ids
        ) / 10**8:
            self._btcpay_on_overpaid(is_new)

    def _btcpay_on_overpaid(self, is_new):
        if not self._btcpay_get_surplus():
            return
        sums = self._btcpay_get_sums()
        if self._btcpay_is_confirmed():
            message = _(
                "Overpayment of %(reference)s: %(paid)s was received, %(overpaid)s more than the"
                " %(amount)s requested. Refund the overpayment.", **sums,
            )
        else:
            message = _(
                "Overpayment of %(reference)s: %(paid)s was received, %(overpaid)s more than the"
                " %(amount)s requested, but %(unconfirmed)s of it is not confirmed yet and may"
                " still vanish. Nothing is to be done now: you are asked for the refund once it is"
                " confirmed.", **sums,
            )
        self._btcpay_flag_for_review(message, 'overpaid')

    def _btcpay_on_underpaid(self, is_new):
        if is_new:
            self._btcpay_post_note(_(
                "Underpaid: %(paid)s of %(amount)s was received for %(reference)s. The store's"
                " payment tolerance counts that as paid; %(due)s is missing and is written off.",
                **self._btcpay_get_sums(),
            ) if any(self._btcpay_get_receipts().mapped('btcpay_write_off_amount')) else _(
                "Underpaid: %(paid)s of %(amount)s was received for %(reference)s. The store's"
                " payment tolerance counts that as paid; %(due)s is missing and stays open.",
                **self._btcpay_get_sums(),
            ))

    def _btcpay_on_marked_settled(self, is_new):
        # Of dust that has come to what is paid and booked there is nothing to say.
        is_new = is_new and (self._btcpay_is_paid_in_full() or self._btcpay_is_underpaid())
        if self.btcpay_refund_ids and self._btcpay_is_matter_open('returned'):
            self._btcpay_flag_for_review(_(
                "The payment %(reference)s of %(amount)s is marked as settled at the BTCPay Server,"
                " but %(paid)s was received for it, and %(returned)s of that was refunded or is"
                " being refunded. Only what was kept, %(kept)s, counts as paid. Ask the customer to"
                " pay the amount due again, or cancel the order.", **self._btcpay_get_sums(),
            ), 'returned')
        elif is_new and (self._btcpay_is_paid_in_full() or self._btcpay_is_accepted_by_odoo()):
            self._btcpay_post_note(_(
                "The late payment of %(paid)s for %(reference)s was accepted.",
                **self._btcpay_get_sums(),
            ))
            if not self._btcpay_is_paid_in_full():
                self._btcpay_on_underpaid(is_new)
        elif is_new:
            self._btcpay_post_note(_(
                "The payment %(reference)s of %(amount)s was marked as settled at the BTCPay"
                " Server by the merchant. Actually received: %(paid)s. Only that is booked:"
                " register the rest where it was paid.", **self._btcpay_get_sums(),
            ))
        self._btcpay_on_overpaid(is_new)  # Late and over: the status has forgotten it.

    def _btcpay_on_expired(self, is_new):
        self._btcpay_report_contradiction()

    def _btcpay_on_invalid(self, is_new):
        if self._btcpay_report_contradiction():
            return
        if self._btcpay_get_unbooked_amount():
            self._btcpay_flag_for_review(_(
                "The payment %(reference)s is invalid at the BTCPay Server, but %(paid)s was"
                " received for it. Check the invoice on the server: accept the money by marking"
                " the invoice as settled there, or refund it.", **self._btcpay_get_sums(),
            ), 'invalid')
        elif is_new and (booked := self._btcpay_get_accounted_amount()) > 0:
            # In parts; not what a person accepts when it is invalid already: that is no news.
            self._btcpay_flag_for_review(_(
                "%(booked)s of the payment %(reference)s is booked in Odoo in parts, but the"
                " payment is now “%(status)s” at the BTCPay Server, with %(paid)s received. Odoo"
                " leaves it booked: check the invoice on the server and decide what becomes of the"
                " order.", booked=self.currency_id.format(booked), status=self.btcpay_status,
                **self._btcpay_get_sums(),
            ), 'contradiction')

    def _btcpay_report_contradiction(self):
        """Flag for review that the server no longer counts as paid what is paid in Odoo.

        :return: Whether it is so.
        :rtype: bool
        """
        if self.state == 'done':
            self._btcpay_flag_for_review(_(
                "The payment %(reference)s of %(amount)s is confirmed in Odoo, but is now"
                " “%(status)s” at the BTCPay Server, with %(paid)s received. Odoo leaves it"
                " confirmed: check the invoice on the server and decide what becomes of the order.",
                status=self.btcpay_status, **self._btcpay_get_sums(),
            ), 'contradiction')
        return self.state == 'done'

    # === WORDS === #

    def _btcpay_get_sums(self):
        """Return the amounts for messages, formatted.

        :rtype: dict
        """
        self.ensure_one()
        shown = partial(formatLang, self.env, currency_obj=self.currency_id)
        return {
            'reference': self.reference,
            'amount': shown(self._btcpay_get_asked_amount()),
            'paid': shown(self.btcpay_paid_amount),
            'due': shown(self.btcpay_due_amount),
            'asked': self._btcpay_get_due_text(),
            'overpaid': shown(self.btcpay_overpaid_amount),
            'unconfirmed': shown(self.btcpay_paid_amount - self._btcpay_get_confirmed_amount()),
            'returned': shown(self.btcpay_returned_amount),
            'kept': shown(max(self._btcpay_get_kept_amount(), 0)),
            'open': shown(self._btcpay_get_unbooked_amount()),
        }

    @api.depends(
        'provider_code', 'operation', 'state', 'amount', 'source_transaction_id',
        'btcpay_invoice_id', 'btcpay_status', 'btcpay_additional_status', 'btcpay_invalidated_at',
        'btcpay_paid_amount', 'btcpay_paid_out_amount', 'btcpay_payout_ids.state',
        'btcpay_network_fee_amount', 'btcpay_returned_amount', 'btcpay_review_matters',
    )
    def _compute_btcpay_status_text(self):
        for tx in self:
            tx.btcpay_status_text = (
                tx._btcpay_get_status_text() if tx.provider_code == 'btcpay' else ''
            )

    def _btcpay_get_status_text(self):
        """Return where the payment or the refund stands, in words a salesperson understands.

        :rtype: str
        """
        self.ensure_one()
        if self.operation == 'refund':
            return self._btcpay_get_refund_status_text()
        return self._btcpay_add_refund_status(self._btcpay_get_payment_status_text())

    def _btcpay_get_payment_status_text(self):
        """Return where the payment stands, whatever was given back of it.

        :rtype: str
        """
        self.ensure_one()
        if not self.btcpay_invoice_id:
            if self.source_transaction_id:
                return _("Accepted part of a payment")
            return _("Not started") if self.state == 'draft' else _("Failed")
        if self.btcpay_invalidated_at:
            return _("Invalidated, but paid") if self.btcpay_paid_amount else _("Invalidated")
        status, additional = self.btcpay_status, self.btcpay_additional_status
        if status in ('New', 'Expired') and not self._btcpay_get_gross_amount():
            additional = 'None'  # What was seen was replaced.
        if (status, additional) == ('Settled', 'Marked') and not self._btcpay_is_underpaid():
            return _("Paid late, accepted")
        if self.state == 'error' and status != 'Invalid':
            if 'another' in self._btcpay_get_open_matters():
                return _("Does not agree with the server")
            if status == 'New':  # The server's answer was lost.
                return _("Checkout failed, invoice still open")
        if self._btcpay_is_taken_by_tolerance():
            return _("Paid, underpaid") if additional == 'None' else _("Paid late, underpaid")
        is_taken_back = 'contradiction' in self._btcpay_get_open_matters()
        if status in ('Expired', 'Invalid') and not is_taken_back:
            partial = self._btcpay_get_partial_receipts()
            if partial.sale_order_ids or partial.invoice_ids:
                return _("Partial payment accepted")
        match status, additional:  # Lists have it of thousands: one is translated, not all.
            case 'New', 'PaidPartial':
                return _("Partly paid")
            case 'New', _any:
                return _("Waiting for payment")
            case 'Processing', _any:
                return _("Seen, waiting for confirmation")
            case 'Settled', 'PaidOver':
                return _("Paid, overpaid")
            case 'Settled', 'Marked':
                return _("Marked as paid by the merchant")
            case 'Settled', _any:
                return _("Paid")
            case 'Expired', 'PaidPartial':
                return _("Expired, partly paid")
            case 'Expired', 'PaidLate':
                return _("Expired, paid late")
            case 'Expired', _any:
                return _("Expired")
            case 'Invalid', 'Marked':
                return _("Marked as invalid by the merchant")
            case 'Invalid', _any:
                return _("Invalid")
        return status

    def _btcpay_get_received_message(self):
        """Return what is said on the documents of the state the transaction came to.

        :return: The message; empty if it is said elsewhere; None if the framework's own says it.
        :rtype: str|None
        """
        self.ensure_one()
        values = {
            'reference': self._get_html_link(),
            'amount': self.currency_id.format(abs(self.amount)),
        }
        match self.operation, self.state:
            case 'refund', 'pending':
                return _(
                    "The refund %(reference)s of %(amount)s waits for the customer to claim it.",
                    **values,
                )
            case 'refund', 'done':
                return _("The refund %(reference)s of %(amount)s was paid out.", **values)
            case 'refund', _any:
                return None
            case _any, 'error' if self.btcpay_checkout_problem:
                return ''  # Said with the store's reason, once.
            case _any, 'pending':
                return ''  # Said with what was seen or received.
            case _any, 'done' if self.btcpay_is_confirmation_unlogged:
                return ''  # Said when it is post-processed.
            case _any, 'done' if not self.source_transaction_id:
                return _("The payment %(reference)s of %(amount)s has been confirmed.", **values)
            case _any, 'done' if self.sale_order_ids or self.invoice_ids:
                return ''  # A partial payment: said as well.
            case _any, 'done':
                return _(
                    "%(amount)s that was received beyond the amount due is booked as"
                    " %(reference)s, so that it can be refunded.", **values,
                )
            case _any, 'cancel' if self.btcpay_status == 'Expired' and self.btcpay_paid_amount:
                return ''  # Said with what was received.
            case _any, 'cancel' if self.btcpay_status == 'Expired':
                return _(
                    "Nothing was paid of %(reference)s of %(amount)s before its Bitcoin invoice"
                    " expired. The customer can pay again.", **values,
                )
        return None

    @api.depends('btcpay_invoice_id', 'btcpay_checkout_link')
    def _compute_btcpay_server_link(self):
        for tx in self:
            server_url, found, _path = (tx.btcpay_checkout_link or '').rpartition('/i/')
            tx.btcpay_server_link = (
                f'{server_url}/invoices/{tx.btcpay_invoice_id}' if found else False
            )
