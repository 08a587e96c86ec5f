from odoo import models
from odoo.exceptions import UserError

from .clock import state

#: how much shorter than in life the waiting for the server's answers is
SHORTER = 10
USUAL = 15
#: by the order's reference of the customer: what becomes of the prices when it is confirmed
PROMOTIONS = {'promotion ends': 1.25, 'promotion begins': 0.8}


class PaymentProvider(models.Model):
    _inherit = 'payment.provider'

    def _send_api_request(self, *args, **kwargs):
        timeout = kwargs.get('btcpay_timeout') or USUAL
        kwargs['btcpay_timeout'] = max(timeout / SHORTER, 1)
        return super()._send_api_request(*args, **kwargs)


class SaleOrder(models.Model):
    _inherit = 'sale.order'

    def action_confirm(self):
        for line in self.order_line:
            line.price_unit *= PROMOTIONS.get(line.order_id.client_order_ref, 1)
        result = super().action_confirm()
        if self and state()['broken']:
            raise UserError("Somebody's module is broken.")
        return result
