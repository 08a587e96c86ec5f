from odoo import _, models

from odoo.addons.payment_btcpay import const


class BTCPayDelivery(models.Model):
    _inherit = 'btcpay.delivery'

    def _find_transaction(self, timeout=const.SHORT_TIMEOUT):
        """Override to find the refund, where the event is about a pull payment or its payouts."""
        if not self.pull_payment_ref:
            return super()._find_transaction()
        refund = self.env['payment.transaction'].sudo().search([
            ('provider_id', '=', self.provider_id.id),
            ('btcpay_pull_payment_id', '=', self.pull_payment_ref),
        ], limit=1)
        if refund or not self.invoice_ref:  # Payouts do not tell the invoice.
            return refund, _("No refund of Odoo has this pull payment.")
        transaction, reason = super()._find_transaction()
        if not transaction:
            return transaction, reason
        refund = transaction._btcpay_find_or_adopt_refund(self.pull_payment_ref, timeout=timeout)
        return refund.sudo() or transaction, reason
