from odoo import fields, models


class AccountPayment(models.Model):
    _inherit = 'account.payment'

    btcpay_decision = fields.Selection(
        string="Bitcoin: To Decide", related='payment_transaction_id.btcpay_decision',
    )

    def _compute_amount_available_for_refund(self):
        """Override of `account_payment` to count what is underway: Odoo's own forgets it."""
        super()._compute_amount_available_for_refund()
        for payment in self:
            tx_sudo = payment.payment_transaction_id.sudo()
            if tx_sudo.provider_code == 'btcpay' and tx_sudo.operation != 'refund':
                available = tx_sudo._btcpay_get_root()._btcpay_get_refund_sums()['available']
                payment.amount_available_for_refund = min(payment.amount, available)

    def action_refund_wizard(self):
        """Override of `account_payment` to open the wizard that knows of Bitcoin."""
        tx = self.payment_transaction_id
        if tx.provider_code == 'btcpay':
            return tx.action_btcpay_refund()
        return super().action_refund_wizard()
