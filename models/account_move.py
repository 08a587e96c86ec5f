from odoo import models


class AccountMove(models.Model):
    _inherit = 'account.move'

    def button_cancel(self):
        """Override of `account` to withdraw the open BTCPay invoices of what is cancelled."""
        result = super().button_cancel()
        self.sudo().transaction_ids._btcpay_withdraw_obsolete()
        return result
