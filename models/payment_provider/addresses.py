"""The addresses of ours that the server is given: whoever asks for a page does not choose them."""
from urllib.parse import urlsplit

from odoo import models

from odoo.addons.payment_btcpay.greenfield import address


class PaymentProvider(models.Model):
    _inherit = 'payment.provider'

    def _btcpay_get_return_base_url(self):
        """Return where customers come back to: the website they are on, if it is one of this
        database, else `web.base.url`.

        The request's host and scheme are what the browser, or a proxy, says. On the open Internet
        it is always https. A name may be looked up: no row must be held.

        `web.base.url` changes by itself when an administrator logs in at another address, such as
        that of the office's network; the webhook's address stays.

        :return: The address, without final slash.
        :rtype: str
        """
        self.ensure_one()
        base_url = self.env['ir.config_parameter'].sudo().get_param('web.base.url')
        known = [base_url]
        host = urlsplit(self.get_base_url()).netloc  # Of the request.
        webhook = urlsplit(self.sudo().btcpay_webhook_url or '')
        if webhook.netloc:
            known.append(f'{webhook.scheme}://{webhook.netloc}')
        if host not in [urlsplit(url).netloc for url in known] and 'website' in self.env:
            known += self.env['website'].sudo().search([('domain', '!=', False)]).mapped(
                'domain_punycode'
            )
        url = next((url for url in known if urlsplit(url).netloc == host), base_url).rstrip('/')
        try:
            address.check_scheme(url)
        except address.AddressRefused:
            return f'https:{url.partition(":")[2]}'
        return url
