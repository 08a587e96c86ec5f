"""The whole connection is looked at: server, key, store, webhook, and events that are missing."""
from contextlib import suppress
from datetime import timedelta

from odoo import _, fields, models
from odoo.exceptions import UserError

from odoo.addons.payment_btcpay import const
from odoo.addons.payment_btcpay.db import commit_and_refresh, lock
from odoo.addons.payment_btcpay.greenfield import (
    Forbidden,
    GreenfieldError,
    NotFound,
    Refused,
    ServerFault,
)
from odoo.addons.payment_btcpay.utils import notify, warn


class PaymentProvider(models.Model):
    _inherit = 'payment.provider'

    # What was found, see `_btcpay_examine`; people read `btcpay_health_text`.
    btcpay_checkup = fields.Json(
        string="Check-Up", readonly=True, copy=False, groups='base.group_system'
    )
    btcpay_checked_at = fields.Datetime(
        string="Checked", help="When the connection was last checked as a whole.", readonly=True,
        copy=False, groups='base.group_system',
    )

    # === ACTION METHODS === #

    def action_btcpay_check(self):
        """Look at the whole connection now.

        :return: The notification of what came of it.
        :rtype: dict
        :raise UserError: If there is none.
        """
        provider = self._btcpay_begin_check()
        provider._btcpay_retry_soon()  # Whatever is found is noted.
        try:
            provider._btcpay_refresh()
            provider._btcpay_check_webhook()
            provider._btcpay_check_up()
        except GreenfieldError as error:
            self.env.cr.rollback()
            provider._btcpay_report_failure(error)
            return warn(provider.btcpay_connection_problem or self._btcpay_explain(error))
        provider._btcpay_report_success()
        return notify(_("The connection was checked: see “Health”."), reload=True)

    def action_btcpay_redeliver(self):
        """Have the server send again the events that did not reach Odoo.

        :return: The notification of what came of it.
        :rtype: dict
        :raise UserError: If no store is connected.
        """
        provider = self._btcpay_begin_check()
        client = provider._btcpay_client()
        store_id, webhook_id = provider.btcpay_store_id, provider.btcpay_webhook_id
        try:
            undelivered = provider._btcpay_find_undelivered(
                client, provider._btcpay_list_deliveries(client)
            )
            for delivery_id in undelivered:
                client.redeliver(store_id, webhook_id, delivery_id)
        except GreenfieldError as error:
            return warn(self._btcpay_explain(error))
        commit_and_refresh(self.env)
        lock(provider)
        provider.btcpay_checkup = {**(provider.btcpay_checkup or {}), 'undelivered': 0}
        commit_and_refresh(self.env)
        if not undelivered:
            return notify(_("All events have reached Odoo by now."), reload=True)
        return notify(
            _("The BTCPay Server sends %s events again. They are in the list of webhook deliveries"
              " in a moment.", len(undelivered)),
            reload=True,
        )

    def _btcpay_begin_check(self):
        """Check that the connection may be looked at, and can be.

        :return: The provider, in sudo mode.
        :rtype: payment.provider
        :raise UserError: If no store is connected.
        """
        self.ensure_one()
        self.check_access('write')
        provider = self.sudo()
        if not provider._btcpay_is_connected():
            raise UserError(_("Connect a store first."))
        commit_and_refresh(self.env)  # No row may be held while waiting for the server.
        return provider

    # === LOOK === #

    def _btcpay_check_up(self):
        """Look at the whole connection, and note what was found.

        :raise GreenfieldError: If the server did not say.
        """
        self.ensure_one()
        provider = self.sudo()
        connection = provider._btcpay_get_connection()
        commit_and_refresh(provider.env)
        found = provider._btcpay_examine(provider._btcpay_client())
        commit_and_refresh(provider.env)
        lock(provider)
        if provider._btcpay_get_connection() == connection:  # Else it is another one by now.
            provider.write({'btcpay_checkup': found, 'btcpay_checked_at': fields.Datetime.now()})
        commit_and_refresh(provider.env)

    def _btcpay_examine(self, client):
        """Ask the server for all that the connection needs, and is not noted elsewhere.

        :param Client client: The client to call with.
        :return: What was found, as it is stored.
        :rtype: dict
        :raise GreenfieldError: If the server did not say.
        """
        self.ensure_one()
        key = client.get_current_key()
        deliveries = self._btcpay_list_deliveries(client)
        latest, version = next(iter(deliveries), None), ''
        with suppress(ServerFault):  # As while it is not in step.
            version = client.get_server_info().version
        return {
            'version': version,
            'is_synchronized': client.get_health(),
            'missing': key.get_missing(self._btcpay_get_permissions(), self.btcpay_store_id),
            **self._btcpay_sum_up_key(key),
            'delivery': latest and {
                'sent_at': fields.Datetime.to_string(latest.sent_at),
                'is_answered': latest.is_answered,
                'answer': latest.error_message or f'HTTP {latest.http_code}',
            },
            'undelivered': len(self._btcpay_find_undelivered(client, deliveries)),
        }

    # === EVENTS THAT DID NOT REACH US === #

    def _btcpay_list_deliveries(self, client):
        """List the latest deliveries of our webhook, newest first.

        :param Client client: The client to call with.
        :rtype: list[Delivery]
        :raise GreenfieldError: If the server did not say.
        """
        self.ensure_one()
        if not self.btcpay_use_webhook or not self.btcpay_webhook_id:
            return []
        try:
            return list(client.list_deliveries(
                self.btcpay_store_id, self.btcpay_webhook_id, count=const.DELIVERIES_SIZE
            ))
        except (Forbidden, NotFound):  # What is wrong with the webhook is told by its check.
            return []

    def _btcpay_find_undelivered(self, client, deliveries):
        """Find the events that did not reach us by any of their deliveries.

        The list does not say which deliveries are of the same event: each event says so itself.

        :param Client client: The client to call with.
        :param list[Delivery] deliveries: The deliveries, newest first.
        :return: The ids of the first delivery of each, the oldest event first.
        :rtype: list[str]
        :raise GreenfieldError: If the server did not say.
        """
        self.ensure_one()
        # What is older may have come and been removed from the log.
        limit = fields.Datetime.now() - timedelta(
            days=min(self.btcpay_webhook_log_days, const.MAX_LOG_DAYS)
        )
        missed = [d for d in deliveries if not d.is_answered and d.sent_at and d.sent_at > limit]
        by_event = {}
        for delivery in missed[:const.UNDELIVERED_SIZE]:
            # What is older than two months is listed, but the server has forgotten the event.
            with suppress(NotFound, Refused):
                by_event[client.get_delivery_original(
                    self.btcpay_store_id, self.btcpay_webhook_id, delivery.id
                )] = delivery.id
        known = set(self.env['btcpay.delivery'].sudo().search([
            ('provider_id', '=', self.id), ('original_ref', 'in', list(by_event)),
        ]).mapped('original_ref')) if by_event else set()
        return [
            delivery_id for original, delivery_id in reversed(by_event.items())
            if original not in known
        ]
