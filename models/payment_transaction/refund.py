from odoo import _, api, models
from odoo.exceptions import AccessError, UserError

from odoo.addons.payment_btcpay.db import commit_and_refresh
from odoo.addons.payment_btcpay.utils import BTCPayError, format_crypto


class PaymentTransaction(models.Model):
    _inherit = 'payment.transaction'

    # === COMPUTE METHODS === #

    @api.depends('amount')
    def _compute_btcpay_refund_amount(self):
        for tx in self:
            tx.btcpay_refund_amount = -tx.amount

    @api.depends('btcpay_pull_amount', 'btcpay_pull_currency', 'currency_id')
    def _compute_btcpay_pull_text(self):
        for tx in self:
            if not tx.btcpay_pull_amount:
                tx.btcpay_pull_text = False
            elif tx.btcpay_pull_currency == tx.currency_id.name:
                tx.btcpay_pull_text = tx.currency_id.format(float(tx.btcpay_pull_amount))
            else:
                tx.btcpay_pull_text = (
                    f'{format_crypto(tx.btcpay_pull_amount)} {tx.btcpay_pull_currency}'
                )

    def _btcpay_check_refund(self, amount, credit_note=None):
        """Check that an amount can be given back, whatever Odoo or the server would allow.

        Note: the transaction is locked.

        :param float amount: The amount, fee included.
        :param account.move credit_note: The credit note that is paid back by it.
        :return: None
        :raise UserError: If it cannot.
        """
        self.ensure_one()
        sums = self._btcpay_get_refund_sums()
        if not sums['received']:
            raise UserError(_(
                "Nothing was received for %s at the BTCPay Server, so that there is nothing to"
                " refund. If the invoice was marked as settled, give back what was paid the way it"
                " was paid.", self.reference,
            ))
        # What is not confirmed may still vanish, whatever the server would refund.
        if (
            self.btcpay_status not in ('Settled', 'Invalid', 'Expired')
            or not self._btcpay_is_confirmed()
        ):
            raise UserError(_(
                "The payment %s is not confirmed yet. It can be refunded once it is.",
                self.reference,
            ))
        compare = self.currency_id.compare_amounts
        if compare(amount, 0) <= 0 or compare(amount, sums['available']) > 0:
            raise UserError(_(
                "The refund must be more than zero and at most %(available)s: %(received)s was"
                " received, %(refunded)s was refunded and %(underway)s is underway.",
                **{key: self.currency_id.format(value) for key, value in sums.items()},
            ))
        if credit_note:
            credit_note._btcpay_check_refund(self, amount)

    # === BOOKS === #

    def _btcpay_book_receipts(self):
        """Have what was received booked before anything of it is given back: the framework does
        not book a transaction any more that has finished children.

        :return: None
        :raise BTCPayError: If it cannot be booked now.
        """
        self.ensure_one()
        for tx in self._btcpay_get_receipts().filtered(lambda tx: not tx.is_post_processed):
            commit_and_refresh(self.env)
            tx._btcpay_as_odoo()._btcpay_try_to_confirm()
            commit_and_refresh(self.env)
            if not tx.is_post_processed:
                raise BTCPayError(_(
                    "The payment %(reference)s is not booked yet, so that it cannot be refunded."
                    " %(reason)s Try again when it is.",
                    reference=tx.reference, reason=tx.btcpay_confirm_error or '',
                ), code='busy')

    def _btcpay_book_receipt_for_refund(self, amount):
        """Book what is given back though its receipt is not booked: a surplus, or money of a
        payment that failed. Else the books would show money out that never came in.

        Such a receipt has no order: what is given back must not confirm it.

        Note: the transaction is locked.

        :param float amount: The amount to give back.
        :return: The transaction that the refund is made of.
        :rtype: payment.transaction
        """
        self.ensure_one()
        receipts = self._btcpay_get_receipts()
        unbooked = self.btcpay_paid_amount - sum(receipts.mapped('amount'))
        missing = self.currency_id.round(min(amount, unbooked))
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

    # === ACTION METHODS === #

    def action_btcpay_refund(self):
        """Open the wizard that refunds the transaction.

        Note: `self.ensure_one()`

        :return: The action of the wizard.
        :rtype: dict
        """
        self.ensure_one()
        return self.env['btcpay.refund.wizard']._open(self._btcpay_get_root())

    def action_btcpay_send_refund_link(self):
        """Mail the link of a refund to the customer (again).

        Note: `self.ensure_one()`

        :return: The notification.
        :rtype: dict
        :raise UserError: If there is no link or no address.
        """
        self.ensure_one()
        self._btcpay_check_refund_rights()
        refund = self.sudo()
        if (
            not refund.btcpay_refund_link
            or refund.state != 'pending' or refund.btcpay_pull_is_archived
        ):
            raise UserError(_("There is nothing to claim of this refund."))
        if not refund.partner_id.email:
            raise UserError(_(
                "%s has no email address. Add one, or hand on the link of the claim page.",
                refund.partner_id.display_name,
            ))
        is_mailed = refund._btcpay_mail_customer('mail_template_refund')
        return {
            'type': 'ir.actions.client',
            'tag': 'display_notification',
            'params': {
                'type': 'success' if is_mailed else 'danger',
                'message': _("The link was mailed to %s.", refund.partner_id.email) if is_mailed
                else _(
                    "The link was not mailed: the mail template is missing or fails. Hand on the"
                    " link of the claim page."
                ),
            },
        }

    def action_btcpay_cancel_refund(self):
        """Withdraw a refund that was not claimed: archive its pull payment.

        Note: `self.ensure_one()`

        :return: None
        :raise UserError: If the server does not let us, with what is to be done there.
        """
        self.ensure_one()
        self._btcpay_check_refund_rights()
        refund = self.sudo()
        if not refund.btcpay_pull_payment_id or refund.state != 'pending':
            raise UserError(_("This refund cannot be withdrawn: it is not waiting to be claimed."))
        try:
            endpoint = f'/stores/{refund._btcpay_get_root()._btcpay_get_store_id()}/pull-payments'
            commit_and_refresh(self.env)
            refund._send_api_request('DELETE', f'{endpoint}/{refund.btcpay_pull_payment_id}')
            refund._btcpay_sync()
        except BTCPayError as error:
            if error.code == 'missing-permission':
                raise UserError(_(
                    "Odoo's API key must not withdraw refunds. Log in to your BTCPay Server, open"
                    " the store's “Pull Payments”, find “%s” there and archive it: Odoo notices.",
                    refund.btcpay_refund_name,
                )) from error
            raise UserError(error.args[0]) from error

    # === RIGHTS === #

    def _btcpay_may_refund(self):
        """Return whether the user may refund: as Odoo's own refunds, or by the group for it.

        :rtype: bool
        """
        return (
            self.env.su
            or self.env.user.has_group('account.group_account_invoice')
            or self.env.user.has_group('payment_btcpay.group_refund')
            or self.env.user.has_group('base.group_system')
        )

    def _btcpay_check_refund_rights(self):
        """Check that the user may refund what he can see.

        :return: None
        :raise AccessError: If he may not.
        """
        if not self._btcpay_may_refund():
            raise AccessError(_(
                "You may not refund payments. Ask an administrator for the right “Refund in"
                " Bitcoin”."
            ))
        (self.sale_order_ids or self).check_access('read')

    def _btcpay_lacks_refund_permission(self, error):
        """Return whether a call failed because the API key must not refund.

        The server answers the same for what does not exist.

        :param BTCPayError error: The failure.
        :rtype: bool
        """
        self.ensure_one()
        return error.code == 'missing-permission' and (
            self.provider_id.sudo()._btcpay_diagnose(error)[0] == 'refused'
        )

    def _btcpay_reconcile_refund(self, payment):
        """Match a refund with its credit note, else with what is open of the money received, that
        which it is made of first.

        :param account.payment payment: The refund's payment.
        :return: None
        """
        receipts = self._btcpay_get_root()._btcpay_get_receipts()
        # Only what is open: a receipt that paid an invoice stays matched with it.
        for moves in (
            self.btcpay_credit_note_id,
            self.source_transaction_id.payment_id.move_id,
            receipts.payment_id.move_id,
        ):
            lines = (payment.move_id | moves).line_ids.filtered(
                lambda line: line.account_id == payment.destination_account_id
                and not line.reconciled and line.parent_state == 'posted'
            )
            if len(lines.move_id) > 1 and payment.move_id in lines.move_id:
                lines.reconcile()

    @api.depends('btcpay_refund_ids.btcpay_paid_out_amount')
    def _compute_btcpay_refunded_amount(self):
        for tx in self:
            tx.btcpay_refunded_amount = sum(tx.btcpay_refund_ids.mapped('btcpay_paid_out_amount'))

    @api.depends(
        'btcpay_paid_amount', 'btcpay_status', 'btcpay_payment_ids.status',
        'child_transaction_ids.state', 'child_transaction_ids.amount',
        'btcpay_refund_ids.state',
        'btcpay_refund_ids.amount',
    )
    def _compute_btcpay_can_refund(self):
        for tx in self:
            tx.btcpay_can_refund = bool(
                tx.provider_code == 'btcpay'
                and tx.btcpay_invoice_id
                and tx.btcpay_status in ('Settled', 'Invalid', 'Expired')
                and tx._btcpay_is_confirmed()
                and tx._btcpay_get_refund_sums()['available']
            )

    # === WORDS === #

    def _btcpay_add_refund_status(self, status):
        """Add to where the payment stands what was given back of it.

        :param str status: Where the payment stands.
        :return: The words, for people.
        :rtype: str
        """
        self.ensure_one()
        sums = self._btcpay_get_refund_sums()
        if sums['underway']:
            return _("%s, refund underway", status)
        if not sums['refunded']:
            return status
        if sums['available']:
            return _("%s, partly refunded", status)
        return _("%s, refunded", status)

    def _btcpay_get_refund_status_text(self):
        """Return where the refund stands, in words a salesperson understands.

        :rtype: str
        """
        self.ensure_one()
        return {
            'draft': _("Refund being created"),
            'pending': self._btcpay_format_paid_out(),
            'done': _("Refund paid out"),
            'cancel': _("Refund canceled"),
        }.get(self.state, _("Refund failed"))

    def _btcpay_refund(self, amount):
        return self._btcpay_request_refund(amount)
