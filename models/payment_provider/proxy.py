"""The SOCKS proxy by which a server is reached, as those behind Tor are."""
import importlib.util
from urllib.parse import urlsplit

from odoo import _, api, fields, models
from odoo.exceptions import ValidationError


class PaymentProvider(models.Model):
    _inherit = 'payment.provider'

    btcpay_proxy = fields.Char(
        string="SOCKS Proxy",
        help="Odoo reaches the BTCPay Server through this proxy, for example"
             " socks5h://127.0.0.1:9050 for Tor on the same machine. Addresses that end in .onion"
             " need one.",
        copy=False, groups='base.group_system',
    )

    @api.constrains('btcpay_proxy')
    def _check_btcpay_proxy(self):
        """Check that the proxy can be used.

        :raise ValidationError: If it cannot.
        """
        for provider in self.filtered('btcpay_proxy'):
            try:
                parts = urlsplit(provider.btcpay_proxy)
                is_usable = parts.scheme in ('socks5', 'socks5h') and parts.hostname and parts.port
            except ValueError:
                is_usable = False
            if not is_usable:
                raise ValidationError(_(
                    "“%s” is not the address of a SOCKS proxy. Enter it like"
                    " socks5h://127.0.0.1:9050.", provider.btcpay_proxy,
                ))
            if not importlib.util.find_spec('socks'):
                raise ValidationError(provider._btcpay_get_socks_sentence())

    def _btcpay_get_socks_sentence(self):
        return _(
            "A SOCKS proxy needs the Python package PySocks, which is not installed on the machine"
            " of Odoo. Install it (pip install PySocks), and restart Odoo."
        )
