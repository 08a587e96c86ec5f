from urllib.parse import urlsplit

from odoo import _, api, fields, models
from odoo.exceptions import ValidationError
from odoo.http import request

from odoo.addons.payment_btcpay import const, server_address
from odoo.addons.payment_btcpay.db import commit_and_refresh


class BTCPayConnectWizard(models.TransientModel):
    _name = 'btcpay.connect.wizard'
    _description = "Connect to BTCPay Server"

    provider_id = fields.Many2one(
        comodel_name='payment.provider', required=True, domain=[('code', '=', 'btcpay')]
    )
    server_url = fields.Char(
        string="Address of your BTCPay Server", required=True,
        help="As your browser shows it when you are logged in there, for example"
             " https://btcpay.example.com.",
    )
    is_insecure = fields.Boolean(compute='_compute_is_insecure')
    no_webhook = fields.Boolean(
        string="No webhook: my BTCPay Server cannot reach this Odoo",
        help="For a shop behind a router or firewall. Odoo asks the server of payments by itself.",
    )
    poll_minutes = fields.Integer(string="Ask Every", default=const.POLL_MINUTES)
    is_unreachable = fields.Boolean(compute='_compute_is_unreachable')

    @api.model
    def default_get(self, fields):
        """Override to begin with the address that is connected already."""
        values = super().default_get(fields)
        provider = self.env['payment.provider'].browse(values.get('provider_id'))
        if provider.btcpay_server_url:
            values.setdefault('server_url', provider.btcpay_server_url)
            values.setdefault('no_webhook', not provider.btcpay_use_webhook)
            values['poll_minutes'] = provider.btcpay_poll_minutes
        return values

    @api.depends('server_url')
    def _compute_is_insecure(self):
        for wizard in self:
            address = (wizard.server_url or '').strip().lower()
            wizard.is_insecure = (
                address.startswith('http:')
                and not server_address.is_loopback(self._get_host(address))
            )

    @api.depends('server_url', 'provider_id')
    def _compute_is_unreachable(self):
        for wizard in self:
            host = self._get_host((wizard.server_url or '').strip())
            wizard.is_unreachable = (
                bool(host) and not server_address.is_loopback(host)
                and server_address.is_loopback(
                    self._get_host(wizard.provider_id._btcpay_get_webhook_url())
                )
            )

    @staticmethod
    def _get_host(address):
        try:
            return urlsplit(address).hostname or ''
        except ValueError:
            return ''

    def action_connect(self):
        """Send the administrator to the server's authorize page.

        Nothing is stored of the provider until the key has come back and was found to be good.

        :return: The action that opens the page.
        :rtype: dict
        :raise ValidationError: If there is no BTCPay Server at the address.
        """
        self.ensure_one()
        self.provider_id.check_access('write')
        if self.no_webhook and self.poll_minutes < 1:
            raise ValidationError(_(
                "Odoo can ask the server every minute at most: enter 1 or more."
            ))
        commit_and_refresh(self.env)  # No row may be locked while waiting for the server.
        server_url = server_address.resolve(self.env, self.server_url, const.TIMEOUT)
        url = self.env['btcpay.authorization']._start(
            self.provider_id, server_url, self._get_base_url(),
            use_webhook=not self.no_webhook,
            poll_minutes=self.poll_minutes if self.no_webhook else None,
        )
        return {'type': 'ir.actions.act_url', 'url': url, 'target': 'self'}

    def _get_base_url(self):
        """Return the address by which the administrator's browser reaches Odoo at this moment.

        His session is there, not necessarily at `web.base.url`.

        :rtype: str
        :raise ValidationError: If there is none.
        """
        base_url = request.httprequest.url_root if request else self.provider_id.get_base_url()
        if not base_url:
            raise ValidationError(_("Set the address of this Odoo (web.base.url) first."))
        return base_url
