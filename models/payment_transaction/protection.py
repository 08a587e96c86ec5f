"""Where money is is what the server says, not what somebody writes."""
from odoo import _, api, models
from odoo.exceptions import AccessError, UserError
from odoo.tools import ormcache

from odoo.addons.payment_btcpay import const


class PaymentTransaction(models.Model):
    _inherit = 'payment.transaction'

    def _btcpay_is_protected(self, name):
        """Override to protect the framework's own fields of our transactions, too."""
        return super()._btcpay_is_protected(name) or (
            name in const.PROTECTED_TRANSACTION_FIELDS
            and 'btcpay' in self.sudo().mapped('provider_code')
        )

    @api.model
    @ormcache('self.env.su')
    def _btcpay_get_fixed_names(self):
        """Override to fix the framework's own fields, too: whose transaction it will be, is not
        known yet. It will not be ours where a person makes it."""
        names = super()._btcpay_get_fixed_names()
        return names | const.PROTECTED_TRANSACTION_FIELDS if self.env.su else names

    def _btcpay_check_written_by_odoo(self):
        """Check that transactions were made ours by our code, not by a call of somebody.

        :raise AccessError: If not.
        """
        if not self.env.su and 'btcpay' in self.sudo().mapped('provider_code'):
            raise AccessError(_(
                "Bitcoin payments and refunds are made by Odoo, when a customer pays or when you"
                " click “Refund in Bitcoin”. They cannot be entered by hand."
            ))

    @api.ondelete(at_uninstall=False)
    def _unlink_except_btcpay_money(self):
        """Keep what tells how much was received and given back: it limits what can be refunded."""
        if not self.env.su and self.filtered(
            lambda tx: tx.provider_code == 'btcpay' and (
                tx.btcpay_invoice_id or tx.operation == 'refund' or tx.source_transaction_id
            )
        ):
            raise UserError(_("Bitcoin payments and refunds cannot be deleted."))
