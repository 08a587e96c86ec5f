from odoo import SUPERUSER_ID, _, api, models
from odoo.exceptions import AccessError, UserError

from odoo.addons.payment_btcpay import const
from odoo.addons.payment_btcpay.db import RowBusy, commit_and_refresh
from odoo.addons.payment_btcpay.greenfield import Forbidden, GreenfieldError, format_crypto
from odoo.addons.payment_btcpay.models.account_payment import is_reversed
from odoo.addons.payment_btcpay.utils import notify


class PaymentTransaction(models.Model):
    """What can be refunded, by whom, and how it is booked."""

    _inherit = 'payment.transaction'

    # === COMPUTE METHODS === #

    @api.depends('btcpay_invoice_id', 'btcpay_paid_amount', 'btcpay_status',
                 'btcpay_payment_ids.status', 'btcpay_returned_amount')
    def _compute_btcpay_can_refund(self):
        for tx in self:
            tx.btcpay_can_refund = bool(
                tx.provider_code == 'btcpay'
                and tx.btcpay_invoice_id
                and tx._btcpay_is_refundable()
                and tx._btcpay_get_refund_sums()['available']
            )

    @api.depends('btcpay_refund_ids.btcpay_paid_out_amount')
    def _compute_btcpay_refunded_amount(self):
        for tx in self:
            tx.btcpay_refunded_amount = sum(tx.btcpay_refund_ids.mapped('btcpay_paid_out_amount'))

    @api.depends('amount')
    def _compute_btcpay_refund_amount(self):
        for tx in self:
            tx.btcpay_refund_amount = -tx.amount

    @api.depends('btcpay_pull_amount', 'btcpay_pull_currency', 'currency_id')
    def _compute_btcpay_pull_text(self):
        for tx in self:
            tx.btcpay_pull_text = tx.btcpay_pull_amount and tx._btcpay_format_pull_amount(
                tx.btcpay_pull_amount
            )

    @api.depends('state', 'btcpay_pull_is_archived')
    def _compute_btcpay_can_cancel_refund(self):
        for tx in self:
            is_claimable = (
                tx.operation == 'refund' and tx.provider_code == 'btcpay'
                and tx._btcpay_is_claimable()
            )
            connection = is_claimable and tx._btcpay_find_connection()
            tx.btcpay_can_cancel_refund = bool(connection) and connection.key_may_archive

    @api.depends('btcpay_pull_payment_id')
    def _compute_btcpay_pull_payments_url(self):
        for tx in self:
            tx.btcpay_pull_payments_url = (
                tx.btcpay_pull_payment_id and tx._btcpay_get_store_url('pull-payments')
            )

    # === ACTION METHODS === #

    def action_btcpay_refund(self):
        """Open the wizard that refunds the transaction, for the credit note that led there.

        :rtype: dict
        """
        self.ensure_one()
        root = self._btcpay_get_root()
        if credit_note_id := self.env.context.get('btcpay_credit_note_id'):
            return self.env['account.move'].browse(credit_note_id)._btcpay_open_refund(root)
        return self.env['btcpay.refund.wizard']._open(root)

    def action_btcpay_send_refund_link(self):
        """Mail the link of a refund to the customer (again).

        :return: The notification.
        :rtype: dict
        :raise UserError: If there is no link or no address.
        """
        self.ensure_one()
        self._btcpay_check_refund_rights()
        refund = self.sudo()
        if not refund.btcpay_refund_link or not refund._btcpay_is_claimable():
            raise UserError(_("There is nothing to claim of this refund."))
        email = refund.partner_id.email
        if not email:
            raise UserError(_(
                "%s has no email address. Add one, or hand on the link of the claim page.",
                refund.partner_id.display_name,
            ))
        if refund._btcpay_mail_customer('mail_template_refund'):
            return notify(_("The link was mailed to %s.", email))
        return notify(_(
            "The link was not mailed: the mail template is missing or fails. Hand on the link of"
            " the claim page."
        ), type='danger')

    def action_btcpay_cancel_refund(self):
        """Cancel a refund: archive its pull payment, with the claims that are not sent yet.

        :raise UserError: If the server does not let us, with what is to be done there.
        """
        self.ensure_one()
        self._btcpay_check_refund_rights()
        refund = self.sudo()
        if not refund.btcpay_pull_payment_id or refund.state != 'pending':
            raise UserError(_("This refund cannot be canceled: it is not waiting to be claimed."))
        try:
            store_id = refund._btcpay_get_store_id()
            refund._btcpay_sync()  # Afterwards the server does not list any more what was claimed.
            if not refund._btcpay_is_claimable():
                return
            commit_and_refresh(self.env)
            refund._btcpay_client().archive_pull_payment(store_id, refund.btcpay_pull_payment_id)
            refund._btcpay_sync()
        except (GreenfieldError, RowBusy) as error:
            if isinstance(error, Forbidden) and error.missing_permission:
                raise UserError(_(
                    "Odoo's API key lacks the permission to cancel refunds. Log in to your BTCPay"
                    " Server, open the store's “Pull Payments”, find “%s” there and archive it:"
                    " Odoo notices.", refund.btcpay_refund_name,
                )) from error
            raise UserError(refund.provider_id._btcpay_explain(error)) from error

    # === RIGHTS === #

    def _btcpay_may_refund(self):
        """Return whether the user may refund: as Odoo's own refunds, or by the group for it."""
        return self.env.su or self.env.user.has_groups(const.REFUND_GROUPS)

    def _btcpay_check_refund_rights(self):
        """Check that the user may refund, and see what is refunded.

        :raise AccessError: If not.
        """
        if not self._btcpay_may_refund():
            raise AccessError(_(
                "You may not refund payments. Ask an administrator for the right “Refund in"
                " Bitcoin”."
            ))
        (self.sale_order_ids or self).check_access('read')

    def _btcpay_lacks_refund_permission(self, error):
        """Return whether a call failed because the API key lacks the refund permission: the server
        answers the same for what does not exist."""
        self.ensure_one()
        if not isinstance(error, Forbidden) or not error.missing_permission:
            return False
        try:
            key = self._btcpay_client().get_current_key()
        except GreenfieldError:
            return False
        return not key.is_granted(error.missing_permission, self._btcpay_get_store_id())

    # === GUARDS === #

    def _btcpay_is_refundable(self):
        """Return whether the server refunds the invoice, and anything of the money is final."""
        self.ensure_one()
        return self.btcpay_status in ('Settled', 'Invalid', 'Expired') and (
            self._btcpay_is_confirmed_but_dust()
            or (self.btcpay_status == 'Settled' and self._btcpay_get_final_amount() > 0)
        )

    def _btcpay_get_final_amount(self):
        """Return what of the money can be given back, the network's fee included: what is not
        confirmed may still vanish, whatever the server would refund.

        While more than dust is not, it is what is confirmed beyond the price. All that is
        confirmed, if that is the price: what is on its way besides counts for nothing. But not if
        that is a surplus: who asks for it would get the confirmed money, and could take back the
        other.

        :rtype: float
        """
        self.ensure_one()
        gross = self._btcpay_get_gross_amount()
        if self._btcpay_is_confirmed():
            return gross
        confirmed = min(self._btcpay_get_confirmed_amount(), gross)
        if self._btcpay_is_confirmed_but_dust():
            return confirmed
        is_whole = self.btcpay_status == 'Settled' and not self.btcpay_overpaid_amount
        if is_whole and self._btcpay_is_enough(confirmed):
            return confirmed
        return max(self.currency_id.round(confirmed - self._btcpay_get_asked_amount()), 0)

    def _btcpay_is_claimable(self):
        """Return whether the customer can still claim (more of) the refund."""
        self.ensure_one()
        return self.state == 'pending' and not self.btcpay_pull_is_archived

    def _btcpay_check_refund(self, amount, credit_note=None):
        """Check that an amount can be given back, whatever Odoo or the server would allow.

        Note: the transaction is locked.

        :param float amount: The amount, fee included.
        :param account.move credit_note: The credit note that is paid back by it.
        :raise UserError: If it cannot.
        """
        self.ensure_one()
        sums = self._btcpay_get_refund_sums()
        if not sums['received']:
            raise UserError(_(
                "Nothing was received for %s at the BTCPay Server, so there is nothing to refund."
                " If the invoice was marked as settled, give back what was paid the way it was"
                " paid.", self.reference,
            ))
        if not self._btcpay_is_refundable():
            raise UserError(_(
                "The payment %s is not confirmed yet. It can be refunded once it is.",
                self.reference,
            ))
        taken_back = self._btcpay_find_taken_back()
        if reversed_ := taken_back.filtered(lambda payment: is_reversed(payment.move_id)):
            raise UserError(_(
                "The payment %s by which the money is booked was reversed in Odoo: a refund would"
                " show money out that never came in. Reverse the reversal in turn or cancel it;"
                " then refund.", ", ".join(reversed_.mapped('display_name')),
            ))
        if taken_back:
            raise UserError(_(
                "The payment %s by which the money is booked was canceled or set to draft in Odoo:"
                " a refund would show money out that never came in. If it is canceled, set it to"
                " draft; then confirm it again, and refund.",
                ", ".join(taken_back.mapped('display_name')),
            ))
        compare = self.currency_id.compare_amounts
        if compare(amount, 0) <= 0 or compare(amount, sums['limit']) > 0:
            raise UserError(_(
                "The refund must be more than zero and at most %(limit)s: %(received)s was"
                " received, %(refunded)s was refunded and %(underway)s is underway.",
                **{key: self.currency_id.format(value) for key, value in sums.items()},
            ))
        if credit_note:
            credit_note._btcpay_check_refund(self, amount)

    # === BOOKS === #

    def _btcpay_book_receipts(self):
        """Have what was received booked before anything of it is given back: the framework does
        not book a transaction any more that has finished children.

        :raise RowBusy: If it cannot be booked now.
        """
        self.ensure_one()
        for tx in self._btcpay_get_receipts().filtered(lambda tx: not tx.is_post_processed):
            commit_and_refresh(self.env)
            tx._btcpay_as_odoo()._btcpay_try_to_confirm()
            commit_and_refresh(self.env)
            if not tx.is_post_processed:
                raise RowBusy(self.env, _(
                    "The payment %(reference)s is not booked yet, so it cannot be refunded."
                    " %(reason)s Try again when it is.",
                    reference=tx.reference, reason=tx.btcpay_confirm_error or '',
                ))

    def _btcpay_book_receipt_for_refund(self, amount):
        """Book what is given back though its receipt is not booked: an overpayment, or money of a
        payment that failed. Else the books would show money out that never came in.

        Such a receipt has no order: what is given back must not confirm it.

        Note: the transaction is locked.

        :param float amount: The amount to give back.
        :return: The transaction that the refund is made of.
        :rtype: payment.transaction
        """
        self.ensure_one()
        receipts = self._btcpay_get_receipts()
        # The network's fee is booked where it is given back.
        counted = max(self.btcpay_paid_amount, self.btcpay_returned_amount + amount)
        unbooked = counted - self._btcpay_get_booked_money()
        # What was booked for a refund that was canceled is given back before anything else.
        missing = self.currency_id.round(min(amount - self._btcpay_get_free_amount(), unbooked))
        if missing > 0:
            receipt = self._create_child_transaction(
                missing, provider_reference=self.provider_reference, operation='offline'
            )
            receipt._set_done()
            receipt._btcpay_as_odoo()._post_process()
            if self.currency_id.compare_amounts(missing, amount) == 0:
                return receipt
            receipts |= receipt
        return self if self in receipts else receipts.sorted('amount')[-1:]

    # === WORDS === #

    def _btcpay_log_on_credit_note(self, message):
        """Tell those who read along on the credit note what became of its refund.

        :param str message: What happened.
        """
        self.ensure_one()
        is_ours = self.env.uid == SUPERUSER_ID or self.env.context.get('payment_backend_action')
        author = self.env.user.partner_id if is_ours else self.partner_id
        self.btcpay_credit_note_id.message_post(body=message, author_id=author.id)

    def _btcpay_format_pull_amount(self, amount, currency=None):
        """Return an amount of the pull payment, for people.

        :param str|Decimal amount: The amount, in the pull payment's currency.
        :param str currency: The currency's code, where it is not the refund's own pull payment.
        :return: E.g. `$ 12.00` or `0.0019 BTC`.
        :rtype: str
        """
        self.ensure_one()
        currency = currency or self.btcpay_pull_currency
        if currency == self.currency_id._btcpay_get_code():
            return self.currency_id.format(float(amount))
        return f'{format_crypto(amount)} {currency}'

    def _btcpay_add_refund_status(self, status):
        """Add to where the payment stands what was given back of it, for people.

        :param str status: Where the payment stands.
        :rtype: str
        """
        self.ensure_one()
        if not self.btcpay_returned_amount:
            return status
        sums = self._btcpay_get_refund_sums()
        if sums['underway']:
            return _("%s, refund underway", status)
        if sums['available']:
            return _("%s, partly refunded", status)
        return _("%s, refunded", status)
