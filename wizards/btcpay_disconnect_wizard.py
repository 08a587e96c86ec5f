from odoo import _, api, fields, models
from odoo.tools import format_list


class BTCPayDisconnectWizard(models.TransientModel):
    _name = 'btcpay.disconnect.wizard'
    _description = "Disconnect from BTCPay Server"

    provider_id = fields.Many2one(
        string="Payment Provider", comodel_name='payment.provider', required=True,
        domain=[('code', '=', 'btcpay')],
    )
    under_way = fields.Char(string="Under Way", compute='_compute_under_way')

    @api.depends('provider_id')
    def _compute_under_way(self):
        for wizard in self:
            wizard.under_way = wizard._describe_under_way()

    def _describe_under_way(self):
        """Say which payments and refunds the server is still to tell of.

        :return: How many there are, over how much; empty if there are none.
        :rtype: str
        """
        self.ensure_one()
        self.provider_id.check_access('read')
        words = []
        for operator, name in (('!=', _("%(count)s payments over %(money)s")),
                               ('=', _("%(count)s refunds over %(money)s"))):
            groups = self.env['payment.transaction'].sudo()._read_group([
                ('provider_id', '=', self.provider_id.id),
                ('operation', operator, 'refund'),
                ('state', 'in', ('draft', 'pending', 'authorized')),
                ('btcpay_next_sync_at', '!=', False),
            ], ['currency_id'], ['__count', 'amount:sum'])
            if groups:
                words.append(name % {
                    'count': sum(count for _currency, count, _amount in groups),
                    'money': format_list(self.env, [
                        currency.format(abs(amount)) for currency, _count, amount in groups
                    ]),
                })
        return format_list(self.env, words)

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
