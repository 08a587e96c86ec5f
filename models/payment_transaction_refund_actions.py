from odoo import _, models
from odoo.exceptions import AccessError, UserError, ValidationError

from odoo.addons.payment_btcpay.utils import BTCPayError, end_transaction


class PaymentTransaction(models.Model):
    _inherit = 'payment.transaction'

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

    def action_btcpay_withdraw_refund(self):
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
            end_transaction(self.env)
            refund._send_api_request('DELETE', f'{endpoint}/{refund.btcpay_pull_payment_id}')
            refund._btcpay_synchronize()
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

    # === ODOO'S OWN REFUNDS === #

    def _refund(self, amount_to_refund=None):
        """Override of `payment` to cap and lock, and not to take a time-out for a failure.

        :raise UserError: If the refund is refused.
        """
        if self.provider_code != 'btcpay':
            return super()._refund(amount_to_refund=amount_to_refund)
        self.ensure_one()
        self._ensure_provider_is_not_disabled()
        try:
            return self._btcpay_request_refund(amount_to_refund or self.amount)
        except BTCPayError as error:
            raise ValidationError(error.args[0]) from error

    # === BOOKS === #

    def _create_payment(self, **extra_create_values):
        """Override of `account_payment` to match a refund's payment with the one it gives back."""
        payment = super()._create_payment(**extra_create_values)
        if self.provider_code == 'btcpay' and self.operation == 'refund':
            self._btcpay_match_refund(payment)
        return payment

    def _btcpay_match_refund(self, payment):
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
