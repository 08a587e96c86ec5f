from odoo import _, api, models
from odoo.exceptions import ValidationError


class PaymentProvider(models.Model):
    """Where differences are written off that nobody is to pay."""

    _inherit = 'payment.provider'

    # Not on the code, which uninstalling changes when the field is gone already.
    @api.depends('company_id', 'btcpay_underpaid_policy')
    def _compute_btcpay_write_off_account_id(self):
        """Propose the company's own account for cash differences."""
        for provider in self:
            account = provider.btcpay_write_off_account_id
            if provider.btcpay_underpaid_policy == 'write_off':
                account = account or provider.company_id.default_cash_difference_expense_account_id
            provider.btcpay_write_off_account_id = account

    @api.constrains('code', 'btcpay_underpaid_policy', 'btcpay_write_off_account_id')
    def _check_btcpay_write_off_account(self):
        """Check that there is an account where differences are to be written off.

        :raise ValidationError: If there is none.
        """
        for provider in self.filtered(lambda p: p.code == 'btcpay'):
            if (
                provider.btcpay_underpaid_policy == 'write_off'
                and not provider.btcpay_write_off_account_id
            ):
                raise ValidationError(_(
                    "Choose the account to which what is missing of a payment is written off."
                ))

    def _btcpay_get_write_off_account(self):
        """Return the account by which differences are written off.

        :return: The account; none if there is neither one of the provider's nor of the company's.
        :rtype: account.account
        """
        self.ensure_one()
        return (
            self.btcpay_write_off_account_id
            or self.company_id.default_cash_difference_expense_account_id
        )
