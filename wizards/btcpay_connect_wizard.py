from urllib.parse import urlsplit

from odoo import _, api, fields, models
from odoo.exceptions import ValidationError
from odoo.http import request

from odoo.addons.payment_btcpay import const
from odoo.addons.payment_btcpay.db import commit_and_refresh
from odoo.addons.payment_btcpay.greenfield import address


class BTCPayConnectWizard(models.TransientModel):
    _name = 'btcpay.connect.wizard'
    _inherit = 'btcpay.figures.mixin'
    _description = "Connect to BTCPay Server"

    provider_id = fields.Many2one(
        string="Payment Provider", comodel_name='payment.provider', required=True,
        domain=[('code', '=', 'btcpay')],
    )
    server_url = fields.Char(
        string="Address of your BTCPay Server", required=True,
        help="As your browser shows it when you are logged in there, for example"
             " https://btcpay.example.com.",
    )
    is_redirected = fields.Boolean(string="Leads to Another Server", readonly=True)
    is_insecure = fields.Boolean(string="Plain HTTP", compute='_compute_is_insecure')
    no_webhook = fields.Boolean(
        string="No webhook: my BTCPay Server cannot reach this Odoo",
        help="For a shop behind a router or firewall. Odoo asks the server about payments by"
             " itself.",
    )
    poll_minutes = fields.Integer(string="Polling Interval", default=const.POLL_MINUTES)
    is_unreachable = fields.Boolean(
        string="Odoo Is Out of Reach", compute='_compute_is_unreachable'
    )
    under_way = fields.Char(compute='_compute_under_way')

    @api.model
    def default_get(self, fields):
        """Override to begin with the address that is connected already, or was tried last."""
        values = super().default_get(fields)
        provider = self.env['payment.provider'].browse(values.get('provider_id'))
        if provider:
            values['poll_minutes'] = provider.btcpay_poll_minutes
        if provider.btcpay_server_url:
            values.setdefault('server_url', provider.btcpay_server_url)
            values.setdefault('no_webhook', not provider.btcpay_use_webhook)
        elif tried := self.env['btcpay.authorization'].sudo().search([
            ('provider_id', '=', provider.id), ('user_id', '=', self.env.uid),
        ], limit=1):  # Who cancels on the server's page does not come back by it.
            values.setdefault('server_url', tried.server_url)
            values.setdefault('no_webhook', not tried.use_webhook)
            values['poll_minutes'] = tried.poll_minutes
        return values

    @api.depends('server_url')
    def _compute_is_insecure(self):
        for wizard in self:
            url = (wizard.server_url or '').strip().lower()
            wizard.is_insecure = (
                url.startswith('http:') and not address.is_loopback(self._get_host(url))
            )

    @api.depends('server_url', 'provider_id')
    def _compute_is_unreachable(self):
        for wizard in self:
            host = self._get_host((wizard.server_url or '').strip())
            wizard.is_unreachable = (
                bool(host) and not address.is_loopback(host)
                and address.is_loopback(
                    self._get_host(wizard.provider_id._btcpay_get_webhook_url())
                )
            )

    @api.depends('provider_id')
    def _compute_under_way(self):
        for wizard in self:
            provider = wizard.provider_id
            provider.check_access('read')
            store_id = provider.btcpay_store_id
            under_way = store_id and provider._btcpay_describe_under_way(store_id)
            wizard.under_way = under_way and _(
                "%(under_way)s of the store “%(store)s” are under way. If you choose another store"
                " now, new payments go there. Odoo follows those of “%(store)s” with its key, and"
                " can refund them, until none is open.",
                under_way=under_way, store=provider.btcpay_store_name,
            )

    @api.constrains('poll_minutes')
    def _check_poll_minutes(self):
        """Check that the polling interval is one: the provider has it with a webhook, too.

        :raise ValidationError: If not.
        """
        if any(wizard.poll_minutes < 1 for wizard in self):
            raise ValidationError(_("The polling interval is at least one minute."))

    @api.onchange('server_url')
    def _onchange_server_url(self):
        self.is_redirected = False

    @staticmethod
    def _get_host(url):
        try:
            return urlsplit(url).hostname or ''
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
        base_url = self._get_base_url()
        server_url = self._resolve()
        if self._is_led_elsewhere(server_url):
            return self._ask_again(server_url)
        url = self.env['btcpay.authorization']._start(
            self.provider_id, server_url, base_url,
            use_webhook=not self.no_webhook, poll_minutes=self.poll_minutes,
        )
        return {'type': 'ir.actions.act_url', 'url': url, 'target': 'self'}

    def _resolve(self):
        """Find the address at which the BTCPay Server answers.

        :rtype: str
        :raise ValidationError: If there is none.
        """
        commit_and_refresh(self.env)  # No row may be held while waiting for the server.
        try:
            return address.resolve(
                self.server_url, const.TIMEOUT, self.provider_id.btcpay_proxy or ''
            )
        except address.AddressRefused as error:
            raise ValidationError(self._explain(error)) from error

    def _is_led_elsewhere(self, server_url):
        """Return whether the server that answers is another one than that of the typed address."""
        return urlsplit(server_url).netloc != urlsplit(
            address.normalize(self.server_url, has_proxy=True)
        ).netloc

    def _ask_again(self, server_url):
        """Have the administrator see where the address leads: the login will be typed there.

        :param str server_url: The address of the server that answers.
        :return: The action of the wizard, with that address.
        :rtype: dict
        """
        self.write({'is_redirected': True, 'server_url': server_url})
        return self._reopen()

    def _reopen(self):
        """Return the action that shows this wizard again.

        :rtype: dict
        """
        return {**self.provider_id.action_btcpay_connect(), 'res_id': self.id}

    def _get_base_url(self):
        """Return the address by which the administrator's browser reaches Odoo at this moment.

        Their session is there, not necessarily at `web.base.url`. The key comes back to it.

        :rtype: str
        :raise ValidationError: If there is none, or anyone on the way could read the key.
        """
        base_url = request.httprequest.url_root if request else self.provider_id.get_base_url()
        if not base_url:
            raise ValidationError(_("Set the address of this Odoo (web.base.url) first."))
        try:
            address.check_scheme(base_url)
        except address.AddressRefused as error:
            raise ValidationError(_(
                "You are using this Odoo at %s, by plain http: anyone on the way could read the API"
                " key when it comes back. Open Odoo by its https:// address and connect there. If"
                " you did, Odoo does not know of it: set “proxy_mode” in its configuration.",
                base_url,
            )) from error
        return base_url

    def _explain(self, error):
        """Return why an address is refused, and what to do.

        :param AddressRefused error: The refusal.
        :rtype: str
        """
        values = error.values
        match error.reason:
            case address.EMPTY:
                return _("Enter the address of your BTCPay Server.")
            case address.NO_ADDRESS:
                return _(
                    "“%(address)s” is not a web address. Enter it as your browser shows it on your"
                    " BTCPay Server, for example https://btcpay.example.com.", **values,
                )
            case address.SCHEME:
                return _(
                    "The address must begin with https:// (or http:// for a server on a private"
                    " network)."
                )
            case address.NO_HOST:
                return _(
                    "“%(address)s” has no host name. Enter the address as your browser shows it on"
                    " your BTCPay Server, for example https://btcpay.example.com.", **values,
                )
            case address.USER_INFO:
                return _(
                    "Remove the user name and password from the address. You log in on the server's"
                    " own page in the next step."
                )
            case address.ONION:
                return _(
                    "Odoo reaches Tor (.onion) addresses through a SOCKS proxy only: set “SOCKS"
                    " Proxy” on the payment provider first."
                )
            case address.NO_SOCKS:
                return self.provider_id._btcpay_get_socks_sentence()
            case address.FORBIDDEN:
                return _(
                    "“%(url)s” leads to an IP address at which no BTCPay Server can be: one that"
                    " only serves this machine itself, such as a cloud's metadata, or plain http"
                    " over the open Internet. Enter another address of your server.", **values,
                )
            case address.PLAIN_HTTP:
                return _(
                    "“%(url)s” uses plain http, over which anyone on the way could read your API"
                    " key. Use the https:// address of your BTCPay Server; http is only possible on"
                    " a private network.", **values,
                )
            case address.CERTIFICATE:
                return _(
                    "The certificate of %(url)s is not valid, so that Odoo cannot be sure to speak"
                    " to your server. Renew the certificate, then try again.", **values,
                )
            case address.NO_TLS:
                return _(
                    "The server at %(url)s does not speak https. If your BTCPay Server is on a"
                    " private network and has no certificate, enter its address with http://; else"
                    " set up https on it.", **values,
                )
            case address.FAULT:
                return _(
                    "The server at %(url)s has a problem at the moment (HTTP %(status)s): the"
                    " BTCPay Server behind it may be starting, or be switched off. Try again in a"
                    " few minutes.", **values,
                )
            case address.NO_ANSWER:
                return _(
                    "No server answers at %(url)s. Check the address, and that the server is"
                    " running and can be reached from Odoo.", **values,
                )
            case address.DOWNGRADE:
                return _(
                    "%(url)s leads on to the unencrypted address %(target)s. Have the server answer"
                    " on https itself.", **values,
                )
        return _(
            "There is no BTCPay Server at %(url)s. Enter the address at which you log in to your"
            " server.", **values,
        )
