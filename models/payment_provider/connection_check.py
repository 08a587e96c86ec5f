"""What a new connection has to be like."""
from typing import NamedTuple

from odoo import _, api, fields, models

from odoo.addons.payment_btcpay import const
from odoo.addons.payment_btcpay.greenfield import (
    Forbidden,
    GreenfieldError,
    ServerFault,
    Unauthorized,
)
from odoo.addons.payment_btcpay.utils import ConnectionRefused


class ManualSetup(NamedTuple):
    """What an administrator has decided who set the connection up by hand.

    The key is theirs: it is not revoked where the connection is not made.
    """

    store_id: str
    #: the secret of a webhook that was made by hand at the server; empty if it is ours to make
    webhook_secret: str = ''
    #: whether the key may be for more than it has to
    is_excess_accepted: bool = False


class PaymentProvider(models.Model):
    _inherit = 'payment.provider'

    @api.onchange('state')
    def _onchange_btcpay_state(self):
        """Leave a provider disabled that cannot be saved otherwise, nor be connected unsaved."""
        if (
            self.code == 'btcpay' and self.state != 'disabled'
            and not self._origin._btcpay_is_connected()
        ):
            self.state = 'disabled'
            return {'warning': {
                'title': _("Connect your store first"),
                'message': _(
                    "Click “Connect to BTCPay Server” below. The provider is enabled by itself once"
                    " your store is connected; then you can switch it to test mode."
                ),
            }}
        return None

    def _btcpay_check_key(self, client):
        """Ask the server what the key may do: all we need, for one store.

        :param Client client: The client that calls with the key.
        :return: The id of the store, and whether the key may archive pull payments there.
        :rtype: tuple[str, bool]
        :raise ConnectionRefused: If the key is not what was asked for.
        """
        try:
            key = client.get_current_key()
        except (Unauthorized, Forbidden) as error:
            raise ConnectionRefused('key', _(
                "The BTCPay Server does not accept the API key that came back. Start the connection"
                " again; if it stays so, check that the address is that of the server on which you"
                " approved it."
            )) from error
        except GreenfieldError as error:
            raise ConnectionRefused('server', self._btcpay_explain(error)) from error
        if key.is_for_all_stores:
            raise ConnectionRefused('wildcard', _(
                "The API key is for all stores of your account. Start the connection again and"
                " choose the one store that this payment provider is for."
            ))
        if len(key.store_ids) > 1:
            raise ConnectionRefused('stores', _(
                "The API key is for %s stores. Start the connection again and choose the one store"
                " that this payment provider is for.", len(key.store_ids),
            ))
        store_id = next(iter(key.store_ids), '')
        if missing := key.get_missing(const.PERMISSIONS, store_id):
            raise ConnectionRefused('permission', _(
                "The API key lacks permissions: %s. Start the connection again and leave all"
                " permissions on the server's page switched on.", ", ".join(missing),
            ))
        may_archive = any(key.is_granted(policy, store_id) for policy in const.ARCHIVE_PERMISSIONS)
        return store_id, may_archive

    def _btcpay_check_version(self, client):
        """Check that the server is not too old, where it says.

        :param Client client: The client that calls with the key.
        :raise ConnectionRefused: If it is.
        """
        try:
            info = client.get_server_info()
        except ServerFault:
            return  # As while it is not in step with its chains.
        except GreenfieldError as error:
            raise ConnectionRefused('server', self._btcpay_explain(error)) from error
        if info.is_older_than(const.MIN_VERSION):
            raise ConnectionRefused('version', _(
                "The BTCPay Server has version %(version)s, which is too old: it must be %(oldest)s"
                " or newer. Update it, then start the connection again.",
                version=info.version, oldest='.'.join(map(str, const.MIN_VERSION)),
            ))

    def _btcpay_read_new_store(self, client, store_id):
        """Read what is to be known of the store that is being connected.

        :param Client client: The client that calls with the key.
        :param str store_id: The id of the store.
        :return: The values to write on the provider.
        :rtype: dict
        :raise ConnectionRefused: If the store cannot take payments.
        """
        try:
            values = self._btcpay_read_store(client, store_id)
        except GreenfieldError as error:
            raise ConnectionRefused('server', self._btcpay_explain(error)) from error
        if not values['btcpay_store_payment_methods']:
            raise ConnectionRefused('methods', _(
                "The store “%s” cannot take payments yet: no payment method is enabled. Set up a"
                " Bitcoin wallet or a Lightning node in the store on your BTCPay Server, then start"
                " the connection again.", values['btcpay_store_name'],
            ))
        return {**values, 'btcpay_down_methods': False}
