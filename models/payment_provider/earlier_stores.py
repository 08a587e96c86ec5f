"""Stores that were connected before: nothing of them is lost when another is."""
from odoo import fields, models
from odoo.orm.models import NO_ACCESS


class PaymentProvider(models.Model):
    _inherit = 'payment.provider'

    btcpay_earlier_store_ids = fields.One2many(
        string="Stores Connected Before", comodel_name='btcpay.earlier.store',
        inverse_name='provider_id', readonly=True, copy=False, groups=NO_ACCESS,
    )

    def _btcpay_find_earlier_store(self, store_id):
        """Return the store that was connected before, and is still used.

        :param str store_id: The id of the store.
        :rtype: btcpay.earlier.store
        """
        self.ensure_one()
        return self.sudo().btcpay_earlier_store_ids.filtered(
            lambda store: store.store_id == store_id
        )

    def _btcpay_find_connection(self, store_id):
        """Return the connection by which a store is reached.

        :param str|bool store_id: The id of the store; False for the one that is connected.
        :return: The connection; None if there is none any more.
        :rtype: Connection|None
        """
        self.ensure_one()
        connection = self._btcpay_get_connection()
        if store_id in (False, connection.store_id):
            return connection if connection.server_url and connection.api_key else None
        # The key of one that is over may be revoked at any moment: nothing is begun with it.
        connection = self._btcpay_find_earlier_store(store_id).filtered(
            lambda store: not store.over_at
        )._get_connection()
        return connection if connection.api_key else None

    def _btcpay_get_known_connection(self, store_id):
        """Return the connection that there is with a store, or was before.

        :param str store_id: The id of the store.
        :return: The connection; an empty one if there is none.
        :rtype: Connection
        """
        self.ensure_one()
        connection = self._btcpay_get_own_connection()
        if connection.store_id == store_id:
            return connection
        return self._btcpay_find_earlier_store(store_id)._get_connection()

    def _btcpay_replace_store(self, store_id):
        """Have another store, or the same one anew, take the place of the one that is connected.
        That one is kept as long as anything of it is open, if anything of it can be seen; whether
        it is, is looked at later: at this moment a customer may be about to pay there.

        :param str store_id: The id of the store that is about to be connected.
        :return: What is of no more use afterwards, and to be undone at the server.
        :rtype: list[Connection]
        """
        self.ensure_one()
        provider = self.sudo()
        previous = provider._btcpay_get_own_connection()
        replaced = [previous] if previous.api_key else []
        if (
            previous.store_id not in (False, store_id)
            and provider.btcpay_connection_state not in ('gone', 'refused')
        ):
            self.env['btcpay.earlier.store']._keep(provider)
            replaced = []
        if earlier := provider._btcpay_find_earlier_store(store_id):
            if earlier._get_connection().api_key:
                replaced.append(earlier._get_connection())
            earlier.unlink()
        return replaced
