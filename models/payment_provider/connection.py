"""A provider is connected with one store of one server, or with none."""
from contextlib import contextmanager, suppress
from typing import NamedTuple

from odoo import _, models
from odoo.tools import format_list

from odoo.addons.payment.logging import get_payment_logger
from odoo.addons.payment_btcpay import const
from odoo.addons.payment_btcpay.db import commit_and_refresh
from odoo.addons.payment_btcpay.greenfield import GreenfieldError, NotFound, Unauthorized
from odoo.addons.payment_btcpay.utils import open_dialog, warn

_logger = get_payment_logger(__name__, sensitive_keys=const.SENSITIVE_KEYS)


class Connection(NamedTuple):
    """What is needed to undo a connection at the server."""

    server_url: str | bool
    api_key: str | bool
    store_id: str | bool
    webhook_id: str | bool
    webhook_url: str | bool
    webhook_secret: str | bool
    key_may_archive: bool
    proxy: str | bool


class PaymentProvider(models.Model):
    _inherit = 'payment.provider'

    # === ACTION METHODS === #

    def action_btcpay_connect(self):
        """Open the wizard that connects the provider with a store of a BTCPay Server.

        :rtype: dict
        """
        self.ensure_one()
        return open_dialog(
            self.env['btcpay.connect.wizard'], _("Connect to BTCPay Server"),
            context={'default_provider_id': self.id},
        )

    def action_btcpay_disconnect(self):
        """Open the dialog that says what is under way, and disconnects.

        :rtype: dict
        """
        self.ensure_one()
        return open_dialog(
            self.env['btcpay.disconnect.wizard'], _("Disconnect"),
            context={'default_provider_id': self.id},
        )

    # === CONNECT === #

    def _btcpay_is_connected(self):
        """Return whether the provider has all it needs to make invoices."""
        self.ensure_one()
        connection = self._btcpay_get_connection()
        return bool(connection.server_url and connection.api_key and connection.store_id)

    def _btcpay_connect(
        self, server_url, api_key, use_webhook=True, poll_minutes=None, manual=None
    ):
        """Connect the provider with the one store that an API key is for, or change nothing.

        What was made at the server along the way is removed again when the connection fails.

        :param str server_url: The normalized address of the server.
        :param str api_key: The key, as it came: nothing about it is known yet.
        :param bool use_webhook: Whether the server reports payments by webhook, or is polled.
        :param int poll_minutes: The polling interval then.
        :param ManualSetup manual: What was decided by hand, where the key was typed.
        :raise ConnectionRefused: If the connection was not made.
        """
        self.ensure_one()
        provider = self.sudo()
        client = provider._btcpay_client(server_url=server_url, api_key=api_key)
        previous = provider._btcpay_get_own_connection()
        webhook_url = provider._btcpay_get_webhook_url()
        with provider._btcpay_undo_on_failure() as undo:
            if not manual and not provider._btcpay_is_key_in_use(server_url, api_key):
                undo.append(lambda: provider._btcpay_revoke_key(client))
            store_id, may_archive = provider._btcpay_check_key(client, manual)
            provider._btcpay_check_version(client)
            provider._btcpay_check_other_store(previous, store_id)
            values = provider._btcpay_read_new_store(client, store_id)
            # What is there of the store itself, from now or from before.
            known = provider._btcpay_get_known_connection(store_id)
            is_by_hand = bool(use_webhook and manual and manual.webhook_secret)
            if is_by_hand:
                values.update(provider._btcpay_get_webhook_by_hand(manual.webhook_secret, known))
            elif use_webhook:
                values.update(provider._btcpay_register_webhook(client, store_id, known, undo))
            else:
                values.update(provider._btcpay_get_empty_webhook())
            if previous.store_id != store_id:  # What was queued there is of another secret.
                values.setdefault('btcpay_old_webhook_secret', False)
            values.update({
                'btcpay_server_url': server_url,
                'btcpay_api_key': api_key,
                'btcpay_key_may_archive': may_archive,
                'btcpay_database': provider._btcpay_get_database(),
                'btcpay_store_id': store_id,
                'btcpay_use_webhook': use_webhook,
                'btcpay_poll_minutes': poll_minutes or provider.btcpay_poll_minutes,
                'btcpay_checkup': False,
                'btcpay_checked_at': False,
                **provider._btcpay_get_healthy_values(),
            })
            if provider.state == 'disabled':
                values.update({'state': 'enabled', 'is_published': True})
            commit_and_refresh(self.env)
            # Another may have been made meanwhile.
            replaced = provider._btcpay_replace_store(store_id)
            provider._btcpay_ensure_journal(values['btcpay_store_name'])
            provider.write(values)
            provider._btcpay_clear_alerts(_("The store is connected again."))
            commit_and_refresh(self.env)
        _logger.info(
            "User %(user)s connected provider %(provider)s with store %(store)s of %(server)s.", {
                'user': self.env.uid, 'provider': self.id, 'store': store_id, 'server': server_url,
            },
        )
        # Only now is what was there before of no more use.
        if not use_webhook:
            provider._btcpay_remove_webhooks(client, store_id, webhook_url)
        for previous in replaced:
            is_used = previous.webhook_id == values['btcpay_webhook_id']
            if is_used or (not use_webhook and previous.store_id == store_id):
                previous = previous._replace(webhook_id=False)
            if previous.api_key != api_key or previous.webhook_id:
                provider._btcpay_clean_up(previous)
        with suppress(GreenfieldError):  # It can be looked at later.
            provider._btcpay_check_up()

    @contextmanager
    def _btcpay_undo_on_failure(self):
        """Take back what was made at the server, if what is to be stored of it cannot be.

        :return: The steps that take it back, to be extended.
        :rtype: AbstractContextManager[list]
        """
        undo = []
        try:
            yield undo
        except Exception:
            self.env.cr.rollback()
            for step in reversed(undo):
                step()
            raise

    # === DISCONNECT === #

    def _btcpay_disconnect(self, reset):
        """Leave nothing behind at the server: no webhook and no key.

        :param callable reset: Resets the credentials in Odoo.
        :return: What `reset` returns, or the notification of what is left to do by hand.
        """
        self.ensure_one()
        self.check_access('write')
        connections = self._btcpay_get_own_connections()
        is_of_copy = self._btcpay_is_connected() and not connections[0].api_key
        self.sudo().btcpay_earlier_store_ids.unlink()
        result = reset()
        self._btcpay_forget_typed_secrets()
        self.sudo()._btcpay_clear_alerts(_("The store was disconnected."))
        commit_and_refresh(self.env)  # The key must be unused, and no row held, from here on.
        _logger.info("User %s disconnected provider %s.", self.env.uid, self.id)
        is_clean = self.env['btcpay.authorization']._forget(self)
        if is_of_copy:
            return warn(_(
                "The store is disconnected in this database. Its API key and webhook stay at"
                " the BTCPay Server: another database, of which this one is a copy, made them."
                " If that one is no longer used, remove them there."
            ))
        if self._btcpay_clean_up(*connections) and is_clean:
            return result
        return warn(_(
            "The store is disconnected in Odoo, but its API key and webhook could not be"
            " removed from the BTCPay Server. Remove the API key in your account and the"
            " webhook in the store's settings there."
        ))

    def _btcpay_forget_typed_secrets(self):
        """Forget what was typed for a connection that was not made."""
        self.env['btcpay.connect.wizard'].sudo().search([('provider_id', 'in', self.ids)]).write({
            'kept_api_key': False, 'kept_webhook_secret': False,
        })

    def _btcpay_describe_under_way(self, store_id=None):
        """Say which payments and refunds are under way.

        :param str store_id: The id of the store, by default all that are or were connected.
        :return: How many there are, over how much; empty if there are none.
        :rtype: str
        """
        self.ensure_one()
        words = []
        for operator, name in (('!=', _("%(count)s payments over %(money)s")),
                               ('=', _("%(count)s refunds over %(money)s"))):
            groups = self.env['payment.transaction'].sudo()._read_group([
                *self._btcpay_get_under_way_domain(),
                ('operation', operator, 'refund'),
                *([('btcpay_store_id', '=', store_id)] if store_id else ()),
            ], ['currency_id'], ['__count', 'amount:sum'])
            if groups:
                words.append(name % {
                    'count': sum(count for _currency, count, _amount in groups),
                    'money': format_list(self.env, [
                        currency.format(abs(amount)) for currency, _count, amount in groups
                    ]),
                })
        return format_list(self.env, words)

    def _btcpay_get_under_way_domain(self):
        """Return which payments and refunds the server is still to tell of, or a person to decide:
        not those that are over, and only looked at again in case that something else comes.

        :rtype: list
        """
        self.ensure_one()
        return [
            ('provider_id', '=', self.id),
            '|', ('btcpay_decision', '!=', False),
            '&', ('state', 'in', ('draft', 'pending', 'authorized')),
            ('btcpay_next_sync_at', '!=', False),
        ]

    def _btcpay_get_connection(self):
        """Return what is needed to undo the connection at the server.

        :rtype: Connection
        """
        self.ensure_one()
        provider = self.sudo()
        provider._btcpay_fetch_for_call()
        return Connection(*(provider[f'btcpay_{name}'] for name in Connection._fields))

    def _btcpay_get_own_connection(self):
        """Return what is to be undone at the server: nothing of what another database made.

        :return: The connection; an empty one in a copy of the database that made it.
        :rtype: Connection
        """
        self.ensure_one()
        if self.sudo().btcpay_database == self._btcpay_get_database():
            return self._btcpay_get_connection()
        return Connection(*(False for _name in Connection._fields))

    def _btcpay_get_own_connections(self):
        """Return all that is to be undone at servers: the connection, and those of before.

        :rtype: list[Connection]
        """
        self.ensure_one()
        earlier = self.sudo().btcpay_earlier_store_ids
        return [
            self._btcpay_get_own_connection(), *(store._get_connection() for store in earlier),
        ]

    def _btcpay_get_database(self):
        """Return by what this database is told from its copies: PostgreSQL's have its UUID, too.

        :rtype: str
        """
        uuid = self.env['ir.config_parameter'].sudo().get_param('database.uuid')
        return f'{uuid} {self.env.cr.dbname}'

    def _btcpay_get_empty_connection(self):
        """Return the values of a provider that is not connected.

        :rtype: dict
        """
        return {
            **dict.fromkeys((
                'btcpay_server_url', 'btcpay_api_key', 'btcpay_key_may_archive', 'btcpay_database',
                'btcpay_store_id', 'btcpay_store_name', 'btcpay_store_payment_methods',
                'btcpay_languages', 'btcpay_unrated_currencies', 'btcpay_store_read_at',
                'btcpay_down_methods', 'btcpay_checkup', 'btcpay_checked_at',
            ), False),
            **self._btcpay_get_empty_webhook(),
            **self._btcpay_get_healthy_values(),
            'btcpay_connection_state': 'disconnected',
        }

    def _btcpay_clean_up(self, *connections):
        """Remove the webhooks and keys of connections from servers, as far as these let us.

        First all webhooks: several connections may share a key that was typed. A webhook that was
        given another address is somebody else's by now.

        :param Connection connections: The connections, see `_btcpay_get_own_connection`.
        :return: Whether nothing was left behind.
        :rtype: bool
        """
        connected = [
            (connection, self._btcpay_client(
                server_url=connection.server_url, api_key=connection.api_key,
                proxy=connection.proxy or '',
            )) for connection in connections if connection.api_key and connection.server_url
        ]

        def remove_webhook(client, connection):
            store_id, webhook_id = connection.store_id, connection.webhook_id
            if client.get_webhook(store_id, webhook_id).url == connection.webhook_url:
                client.delete_webhook(store_id, webhook_id)

        is_clean = True
        for connection, client in connected:
            if connection.webhook_id:
                is_clean &= self._btcpay_try_removal(remove_webhook, client, connection)
        keys = {(connection.server_url, connection.api_key): client
                for connection, client in connected}
        for key, client in keys.items():
            if not self._btcpay_is_key_in_use(*key):
                is_clean &= self._btcpay_revoke_key(client)
        return is_clean

    def _btcpay_is_key_in_use(self, server_url, api_key):
        """Return whether a provider, this one or another, is connected with the key, or has to be
        for what is open of a store of before."""
        return bool(self.env['payment.provider'].sudo().search_count([
            ('code', '=', 'btcpay'),
            ('btcpay_server_url', '=', server_url),
            ('btcpay_api_key', '=', api_key),
        ], limit=1) or self.env['btcpay.earlier.store'].sudo().search_count([
            ('server_url', '=', server_url), ('api_key', '=', api_key), ('over_at', '=', False),
        ], limit=1))

    def _btcpay_revoke_unused_keys(self, server_url, keys):
        """Have a server forget keys that came from it, but those that are in use by now.

        :param str server_url: The address of the server.
        :param list[str] keys: The keys.
        :return: Those that it did not answer about.
        :rtype: list[str]
        """
        return [
            key for key in keys
            if not self._btcpay_is_key_in_use(server_url, key)
            and not self._btcpay_revoke_key(
                self._btcpay_client(const.SHORT_TIMEOUT, server_url=server_url, api_key=key)
            )
        ]

    def _btcpay_revoke_key(self, client):
        """Have the server forget the key of a client, and return whether it is gone."""
        return self._btcpay_try_removal(client.revoke_current_key)

    @staticmethod
    def _btcpay_try_removal(remove, *args):
        """Remove something at the server; a failure must not stop anything.

        :param callable remove: The client's method.
        :return: Whether it is gone: what is gone already need not be removed.
        :rtype: bool
        """
        try:
            remove(*args)
        except (Unauthorized, NotFound):
            return True
        except GreenfieldError:
            return False
        return True
