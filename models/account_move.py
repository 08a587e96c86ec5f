from odoo import models


class AccountMove(models.Model):
    _inherit = 'account.move'

    def button_cancel(self):
        """Override of `account` to withdraw the open BTCPay invoices of what is cancelled."""
        result = super().button_cancel()
        self._btcpay_invalidate_obsolete()
        return result

    def _post(self, soft=True):
        """Override of `account` to withdraw BTCPay invoices over what the invoice was before."""
        posted = super()._post(soft)
        posted._btcpay_invalidate_obsolete()
        return posted

    def _invoice_paid_hook(self):
        """Override of `account` to withdraw what is still open when it is paid in another way."""
        result = super()._invoice_paid_hook()
        self._btcpay_invalidate_obsolete()
        self.sudo().invoice_line_ids.sale_line_ids.order_id._btcpay_invalidate_obsolete()
        return result

    def unlink(self):
        """Override of `account` to withdraw what is still open when the invoice is deleted."""
        transactions = self.sudo().transaction_ids
        result = super().unlink()
        transactions._btcpay_invalidate_obsolete()
        return result

    def _btcpay_invalidate_obsolete(self):
        """Have their open BTCPay invoices withdrawn that are not to be paid any more.

        :return: None
        """
        self.sudo().transaction_ids._btcpay_invalidate_obsolete()
