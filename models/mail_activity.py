from odoo import fields, models


class MailActivity(models.Model):
    """Whoever closes an activity of ours has decided what it asked."""

    _name = 'mail.activity'
    _inherit = ['mail.activity', 'btcpay.protected.mixin']

    btcpay_transaction_id = fields.Many2one(
        string="Bitcoin Payment", comodel_name='payment.transaction', readonly=True, copy=False,
        index='btree_not_null',
    )

    def write(self, vals):
        """Override of `mail` to note that something is decided, or is asked again."""
        result = super().write(vals)
        if 'active' in vals:
            self.sudo().btcpay_transaction_id._btcpay_note_decisions()
        return result

    def unlink(self):
        """Override of `mail` to note that something is decided."""
        transactions = self.sudo().btcpay_transaction_id
        result = super().unlink()
        transactions._btcpay_note_decisions()
        return result
