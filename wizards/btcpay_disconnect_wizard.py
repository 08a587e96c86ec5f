from odoo import api, fields, models


class BTCPayDisconnectWizard(models.TransientModel):
    _name = 'btcpay.disconnect.wizard'
    _description = "Disconnect from BTCPay Server"

    provider_id = fields.Many2one(
        string="Payment Provider", comodel_name='payment.provider', required=True,
        domain=[('code', '=', 'btcpay')],
    )
    is_webhook_by_hand = fields.Boolean(related='provider_id.btcpay_webhook_by_hand')
    under_way = fields.Char(compute='_compute_under_way')

    @api.depends('provider_id')
    def _compute_under_way(self):
        for wizard in self:
            wizard.provider_id.check_access('read')
            wizard.under_way = wizard.provider_id._btcpay_describe_under_way()

    def action_disconnect(self):
        """Disconnect the store.

        :return: The notification of what is left to do by hand, if anything.
        """
        self.ensure_one()
        result = self.provider_id.action_reset_credentials()
        close = {'type': 'ir.actions.act_window_close', 'infos': {'reload': True}}
        if isinstance(result, dict):
            result['params']['next'] = close
            return result
        return close
