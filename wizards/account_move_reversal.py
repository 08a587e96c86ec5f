from odoo import models
from odoo.fields import Command


class AccountMoveReversal(models.TransientModel):
    _inherit = 'account.move.reversal'

    def _modify_default_reverse_values(self, origin_move):
        """Override of `account` to have the invoice that takes the place of another paid by what
        that was paid by in Bitcoin: nobody is asked for it again, and it can be refunded."""
        values = super()._modify_default_reverse_values(origin_move)
        transactions = origin_move._btcpay_filter_payable().sudo().transaction_ids.filtered(
            lambda tx: tx.provider_code == 'btcpay' and tx.state in ('pending', 'done')
        )
        if transactions:
            values['transaction_ids'] = [Command.set(transactions.ids)]
        return values
