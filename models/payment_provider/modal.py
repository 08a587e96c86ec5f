from urllib.parse import urlsplit

from odoo import api, models


class PaymentProvider(models.Model):
    """The invoice is shown over the shop's page, with a script of the server's."""

    _inherit = 'payment.provider'

    @api.depends('btcpay_server_url')
    def _compute_btcpay_modal_policy(self):
        for provider in self:
            origin = '{0.scheme}://{0.netloc}'.format(urlsplit(provider.btcpay_server_url or ''))
            provider.btcpay_modal_policy = provider.btcpay_server_url and (
                f'script-src {origin}; frame-src {origin}; form-action {origin}'
            )
