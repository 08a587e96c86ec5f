from odoo import api, models


class IrHttp(models.AbstractModel):
    _inherit = 'ir.http'

    @api.model
    def lazy_session_info(self):
        """Override of `web` to tell the counter what it begins with, once pages are shown."""
        info = super().lazy_session_info()
        count = self.env['payment.transaction']._btcpay_count_decisions()
        return info if count is None else {**info, 'btcpay_decisions': count}

    @classmethod
    def _get_translation_frontend_modules_name(cls):
        """Override of `http_routing` to translate what our scripts say to customers."""
        return [*super()._get_translation_frontend_modules_name(), 'payment_btcpay']
