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

    btcpay_webhook_by_hand = fields.Boolean(
        string="Webhook Made by Hand",
        help="The webhook was made at the server by hand, for a key that may not: Odoo cannot check"
             " it, only that it reports.",
        readonly=True, copy=False,
    )

    def action_btcpay_connect_by_hand(self):
        """Open the wizard that connects the provider with a key that was made by hand.

        Note: `self.ensure_one()`

        :rtype: dict
        """
        view = self.env.ref('payment_btcpay.btcpay_connect_manual_form')
        action = self.action_btcpay_connect()
        return {
            **action,
            'name': _("Set up by Hand"),
            'views': [(view.id, 'form')],
            'context': {**action['context'], 'default_is_manual': True},
        }

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

    def _btcpay_check_key(self, client, manual=None):
        """Ask the server what the key may do: all we need, for one store, and no more than the
        administrator has agreed to.

        :param Client client: The client that calls with the key.
        :param ManualSetup manual: What was decided, where the key was typed.
        :return: The id of the store, and whether the key may archive pull payments there.
        :rtype: tuple[str, bool]
        :raise ConnectionRefused: If the key is not what was asked for.
        """
        try:
            key = client.get_current_key()
        except (Unauthorized, Forbidden) as error:
            raise ConnectionRefused('key', _(
                "The BTCPay Server does not accept the API key. Check that the address is that of"
                " the server on which it was made, and start the connection again."
            )) from error
        except GreenfieldError as error:
            raise ConnectionRefused('server', self._btcpay_explain(error)) from error
        store_id = manual.store_id if manual else self._btcpay_get_only_store(key)
        if missing := key.get_missing(self._btcpay_get_permissions(manual), store_id):
            raise ConnectionRefused('permission', _(
                "The API key lacks permissions: %s. Make one that has them in your account on the"
                " server (Account > API Keys), for the store that you chose.", ", ".join(missing),
            ) if manual else _(
                "The API key lacks permissions: %s. Start the connection again and leave all"
                " permissions on the server's page switched on.", ", ".join(missing),
            ))
        excess = self._btcpay_describe_excess(self._btcpay_sum_up_key(key))
        if excess and not (manual and manual.is_excess_accepted):
            raise ConnectionRefused('excess', _(
                "The API key may do more than is needed: %s. Make one that may not, or say that you"
                " want to use it all the same.", excess,
            ) if manual else _(
                "The API key may do more than Odoo asked for: %s. Start the connection again. If"
                " you want to use such a key all the same, make one in your account on the server"
                " and click “Set up by Hand”.", excess,
            ))
        may_archive = any(key.is_granted(policy, store_id) for policy in const.ARCHIVE_PERMISSIONS)
        return store_id, may_archive

    def _btcpay_get_only_store(self, key):
        """Return the one store that a key is for.

        :param ApiKey key: The key.
        :rtype: str
        :raise ConnectionRefused: If it is for others as well.
        """
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
        return next(iter(key.store_ids), '')

    def _btcpay_get_permissions(self, manual=None):
        """Return the permissions that the key needs: where the webhook is not ours to make, it need
        not be able to.

        :param ManualSetup manual: What was decided of a connection that is being set up.
        :rtype: list[str]
        """
        is_by_hand = manual.webhook_secret if manual else self.btcpay_webhook_by_hand
        return [
            policy for policy in const.PERMISSIONS
            if not (is_by_hand and policy == const.WEBHOOK_PERMISSION)
        ]

    @staticmethod
    def _btcpay_sum_up_key(key):
        """Return what a key may do beyond what it has to, as it is stored.

        :param ApiKey key: The key.
        :rtype: dict
        """
        return {
            'excess': key.get_excess((*const.PERMISSIONS, const.ARCHIVE_PERMISSIONS[0])),
            'stores': 0 if key.is_for_all_stores else len(key.store_ids),  # 0: all of them
        }

    def _btcpay_describe_excess(self, found):
        """Say what a key may do beyond what it has to.

        :param dict found: See `_btcpay_sum_up_key`.
        :rtype: str
        """
        words = list(found.get('excess', ()))
        if found.get('stores', 1) != 1:
            words.append(
                _("%s stores", found['stores']) if found['stores']
                else _("all stores of the account")
            )
        return ", ".join(words)

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

    def _btcpay_check_other_store(self, previous, store_id):
        """Check that no payment is lost sight of by connecting another store: the key of the old
        one is needed until nothing of it is open, and of no use where the server refuses it.

        :param Connection previous: The connection there is.
        :param str store_id: The id of the store to connect.
        :raise ConnectionRefused: If something is under way at the other store.
        """
        if previous.store_id in (False, store_id) or self.btcpay_connection_state != 'refused':
            return
        if under_way := self._btcpay_describe_under_way(previous.store_id):
            raise ConnectionRefused('other_store', _(
                "This is another store than “%(store)s”, of which %(under_way)s are under way, and"
                " whose API key is refused: Odoo would not notice any more what comes of them."
                " Authorize that store again first; or click “Disconnect”, if you do not need"
                " them.",
                store=self.btcpay_store_name, under_way=under_way,
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
