from odoo import api, models
from odoo.fields import Domain

from odoo.addons.payment_btcpay.models.payment_provider.health import ALERT_FIELDS
from odoo.addons.payment_btcpay.utils import choose_assignee


class ResUsers(models.Model):
    _inherit = 'res.users'

    def write(self, vals):
        """Override of `base` to hand over what users are asked who are set inactive by whichever
        way: nobody would see it there."""
        if not vals.get('active', True):
            self.check_access('write')
            self._btcpay_hand_over_activities()
        return super().write(vals)

    def action_archive(self):
        """Override of `mail`, which deletes the activities of who leaves, to hand over ours."""
        self.check_access('write')  # Odoo checks it last.
        self._btcpay_hand_over_activities()
        return super().action_archive()

    @api.ondelete(at_uninstall=False)
    def _btcpay_hand_over_activities(self):
        """Ask others what these users are asked about Bitcoin payments: else nobody would decide
        what becomes of the money."""
        own = self.env['mail.activity'].sudo().search([('user_id', 'in', self.ids)])
        if not own:
            return
        warned = self.env['payment.transaction'].sudo().search([
            ('btcpay_delivery_activity_ids', 'in', own.ids),
        ])
        providers = self.env['payment.provider'].sudo().search(
            Domain.OR([(name, 'in', own.ids)] for name in ALERT_FIELDS)
        )
        ours = own.filtered('btcpay_transaction_id') | warned.btcpay_delivery_activity_ids
        for name in ALERT_FIELDS:
            ours |= providers[name]
        for activity in own & ours:
            document = self.env[activity.res_model].browse(activity.res_id)
            activity.user_id = choose_assignee(
                activity.btcpay_transaction_id.provider_id.btcpay_responsible_id, document,
                leaving=self,
            )
