
from odoo import _, models

from odoo.addons.payment.logging import get_payment_logger
from odoo.addons.payment_btcpay import const
from odoo.addons.payment_btcpay.db import commit_and_refresh
from odoo.addons.payment_btcpay.utils import BTCPayConnectionRefused, BTCPayError, is_api_id

_logger = get_payment_logger(__name__, sensitive_keys=const.SENSITIVE_KEYS)


class PaymentProvider(models.Model):
    _inherit = 'payment.provider'

    # === ACTION METHODS === #

    def action_btcpay_connect(self):
        """Open the wizard that connects the provider with a store of a BTCPay Server.

        Note: `self.ensure_one()`

        :return: The action of the wizard.
        :rtype: dict
        """
        self.ensure_one()
        return {
            'name': _("Connect to BTCPay Server"),
            'type': 'ir.actions.act_window',
            'res_model': 'btcpay.connect.wizard',
            'view_mode': 'form',
            'target': 'new',
            'context': {'default_provider_id': self.id},
        }

    # === CONNECT === #

    def _btcpay_is_connected(self):
        """Return whether the provider has all it needs to make invoices.

        :rtype: bool
        """
        self.ensure_one()
        provider = self.sudo()
        return bool(
            provider.btcpay_server_url and provider.btcpay_api_key and provider.btcpay_store_id
        )

    def _btcpay_connect(self, server_url, api_key, use_webhook=True, poll_minutes=None):
        """Connect the provider with the one store that an API key is for, or change nothing.

        What was made at the server along the way is removed again when the connection fails.

        Note: `self.ensure_one()`

        :param str server_url: The normalised address of the server.
        :param str api_key: The key, as it came: nothing about it is known yet.
        :param bool use_webhook: Whether the server is to tell us of payments, or is asked.
        :param int poll_minutes: How often it is asked then.
        :return: None
        :raise BTCPayConnectionRefused: If the connection was not made.
        """
        self.ensure_one()
        self_sudo = self.sudo()
        call = {'btcpay_server_url': server_url, 'btcpay_api_key': api_key}
        previous = self_sudo._btcpay_get_connection()
        webhook_url = self_sudo._btcpay_get_webhook_url()
        undo = []
        if not self_sudo._btcpay_is_key_in_use(server_url, api_key):
            undo.append(lambda: self_sudo._btcpay_revoke_key(server_url, api_key))
        try:
            store_id = self_sudo._btcpay_check_key(call)
            values = self_sudo._btcpay_read_store(store_id, call)
            values.update(
                self_sudo._btcpay_register_webhook(store_id, call, previous, undo)
                if use_webhook else self_sudo._btcpay_get_empty_webhook()
            )
            values.update({
                'btcpay_server_url': server_url,
                'btcpay_api_key': api_key,
                'btcpay_store_id': store_id,
                'btcpay_use_webhook': use_webhook,
                'btcpay_poll_minutes': poll_minutes or self_sudo.btcpay_poll_minutes,
                **self_sudo._btcpay_get_healthy_values(),
            })
            if self_sudo.state == 'disabled':
                values.update({'state': 'enabled', 'is_published': True})
            commit_and_refresh(self.env)
            previous = self_sudo._btcpay_get_connection()  # Another may have been made meanwhile.
            self_sudo.write(values)
            self_sudo._btcpay_clear_alerts(_("The store is connected again."))
            commit_and_refresh(self.env)
        except Exception:
            self.env.cr.rollback()
            for step in reversed(undo):
                step()
            raise
        # Only now is what was there before of no more use.
        if not use_webhook:
            self_sudo._btcpay_remove_webhooks(
                f'/stores/{store_id}/webhooks', webhook_url, previous['webhook_id'], call=call
            )
            if previous['store_id'] == store_id:
                previous['webhook_id'] = None
        if previous['api_key'] and previous['api_key'] != api_key:
            if previous['webhook_id'] == values['btcpay_webhook_id']:
                previous['webhook_id'] = None  # It was taken over.
            self_sudo._btcpay_clean_up(previous)

    def _btcpay_check_key(self, call):
        """Ask the server what the key may do: all we need, for one store.

        :param dict call: The address and key to call with.
        :return: The id of the store.
        :rtype: str
        :raise BTCPayConnectionRefused: If the key is not what was asked for.
        """
        try:
            key = self._send_api_request('GET', '/api-keys/current', **call)
        except BTCPayError as error:
            if error.status in (401, 403):
                raise BTCPayConnectionRefused('key', _(
                    "The BTCPay Server does not accept the API key that came back. Start the"
                    " connection again; if it stays so, check that the address is that of the"
                    " server on which you approved it."
                )) from error
            raise BTCPayConnectionRefused('server', error.args[0]) from error
        permissions = key.get('permissions') if isinstance(key, dict) else None
        if not isinstance(permissions, list) or not all(isinstance(p, str) for p in permissions):
            raise BTCPayConnectionRefused('server', self._btcpay_make_unexpected_error().args[0])

        granted = [tuple(permission.partition(':')[::2]) for permission in permissions]
        if any(
            not store_id and (policy == 'unrestricted' or policy.startswith('btcpay.store.'))
            for policy, store_id in granted
        ):
            raise BTCPayConnectionRefused('wildcard', _(
                "The API key is for all stores of your account. Start the connection again and"
                " choose the one store that this payment provider is for."
            ))
        stores = {store_id for _policy, store_id in granted if store_id}
        if len(stores) > 1:
            raise BTCPayConnectionRefused('stores', _(
                "The API key is for %s stores. Start the connection again and choose the one store"
                " that this payment provider is for.", len(stores),
            ))
        missing = [p for p in const.PERMISSIONS if p not in {policy for policy, _store in granted}]
        if missing:
            raise BTCPayConnectionRefused('permission', _(
                "The API key lacks permissions: %s. Start the connection again and leave all"
                " permissions on the server's page switched on.", ", ".join(missing),
            ))
        store_id = stores.pop() if stores else ''
        if not is_api_id(store_id):
            raise BTCPayConnectionRefused('server', self._btcpay_make_unexpected_error().args[0])
        return store_id

    def _btcpay_read_store(self, store_id, call):
        """Read what is to be known of the store.

        :param str store_id: The id of the store.
        :param dict call: The address and key to call with.
        :return: The values to write on the provider.
        :rtype: dict
        :raise BTCPayConnectionRefused: If the store cannot take payments.
        """
        try:
            store = self._send_api_request('GET', f'/stores/{store_id}', **call)
            methods = self._send_api_request('GET', f'/stores/{store_id}/payment-methods', **call)
        except BTCPayError as error:
            raise BTCPayConnectionRefused('server', error.args[0]) from error
        if not isinstance(store, dict) or not isinstance(methods, list):
            raise BTCPayConnectionRefused('server', self._btcpay_make_unexpected_error().args[0])
        enabled = sorted(
            str(method.get('paymentMethodId'))
            for method in methods if isinstance(method, dict) and method.get('enabled') is True
        )
        if not enabled:
            raise BTCPayConnectionRefused('methods', _(
                "The store “%s” cannot take payments yet: no payment method is enabled. Set up a"
                " Bitcoin wallet or a Lightning node in the store on your BTCPay Server, then start"
                " the connection again.", store.get('name'),
            ))
        return {
            'btcpay_store_name': store.get('name') or store_id,
            'btcpay_store_payment_methods': ", ".join(enabled),
            'btcpay_languages': self._btcpay_read_languages(call),
        }

    def _btcpay_read_languages(self, call):
        """Read the languages of the checkout page. Without them it picks one by itself.

        :param dict call: The address and key to call with.
        :return: The codes, separated by spaces, or False.
        :rtype: str|bool
        """
        try:
            languages = self._send_api_request('GET', '/misc/lang', **call)
        except BTCPayError:
            return False
        if not isinstance(languages, list):
            return False
        codes = [lang.get('code') for lang in languages if isinstance(lang, dict)]
        return " ".join(code for code in codes if isinstance(code, str)) or False

    # === DISCONNECT === #

    def _btcpay_get_connection(self):
        """Return what is needed to undo the connection at the server.

        :rtype: dict
        """
        self.ensure_one()
        provider = self.sudo()
        return {
            'server_url': provider.btcpay_server_url,
            'api_key': provider.btcpay_api_key,
            'store_id': provider.btcpay_store_id,
            'webhook_id': provider.btcpay_webhook_id,
            'webhook_secret': provider.btcpay_webhook_secret,
        }

    def _btcpay_get_empty_connection(self):
        """Return the values of a provider that is not connected.

        :rtype: dict
        """
        return {
            'btcpay_server_url': False,
            'btcpay_api_key': False,
            'btcpay_store_id': False,
            'btcpay_store_name': False,
            'btcpay_store_payment_methods': False,
            'btcpay_languages': False,
            **self._btcpay_get_empty_webhook(),
            **self._btcpay_get_healthy_values(),
            'btcpay_connection_state': 'disconnected',
        }

    def _btcpay_clean_up(self, connection):
        """Remove a connection's webhook and key from the server, as far as the server lets us.

        :param dict connection: The connection, see `_btcpay_get_connection`.
        :return: Whether nothing was left behind.
        :rtype: bool
        """
        if not connection['api_key'] or not connection['server_url']:
            return True
        call = {
            'btcpay_server_url': connection['server_url'], 'btcpay_api_key': connection['api_key']
        }
        clean = True
        if connection['webhook_id']:
            clean = self._btcpay_try_request(
                'DELETE', f"/stores/{connection['store_id']}/webhooks/{connection['webhook_id']}",
                **call,
            )
        if not self._btcpay_is_key_in_use(connection['server_url'], connection['api_key']):
            clean &= self._btcpay_revoke_key(connection['server_url'], connection['api_key'])
        return clean

    def _btcpay_is_key_in_use(self, server_url, api_key):
        """Return whether a provider, this one or another, is connected with the key.

        :param str server_url: The address of the server.
        :param str api_key: The key.
        :rtype: bool
        """
        return bool(self.env['payment.provider'].sudo().search_count([
            ('code', '=', 'btcpay'),
            ('btcpay_server_url', '=', server_url),
            ('btcpay_api_key', '=', api_key),
        ], limit=1))

    def _btcpay_revoke_key(self, server_url, api_key):
        """Have the server forget a key.

        :param str server_url: The address of the server.
        :param str api_key: The key.
        :return: Whether the key is gone.
        :rtype: bool
        """
        return self._btcpay_try_request(
            'DELETE', '/api-keys/current', btcpay_server_url=server_url, btcpay_api_key=api_key
        )

    def _btcpay_try_request(self, method, endpoint, **kwargs):
        """Send a request whose failure must not stop anything.

        :param str method: The HTTP method.
        :param str endpoint: The endpoint.
        :param dict kwargs: The parameters of `_send_api_request`.
        :return: Whether what was asked for is now so: what is gone need not be removed.
        :rtype: bool
        """
        try:
            self._send_api_request(method, endpoint, **kwargs)
        except BTCPayError as error:
            return method == 'DELETE' and error.status in (401, 404)
        return True




