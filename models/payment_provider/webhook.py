"""The webhook by which the server reports payments to Odoo: register, remove, check, repair."""
import secrets
from datetime import datetime, timedelta

from odoo import _, fields, models
from odoo.exceptions import UserError

from odoo.addons.payment.logging import get_payment_logger
from odoo.addons.payment_btcpay import const
from odoo.addons.payment_btcpay.db import commit_and_refresh, lock
from odoo.addons.payment_btcpay.greenfield import GreenfieldError, NotFound, WebhookDraft
from odoo.addons.payment_btcpay.utils import ConnectionRefused, notify, warn

_logger = get_payment_logger(__name__, sensitive_keys=const.SENSITIVE_KEYS)

# Until when a secret is good of which it is not known whether the server has it.
FOR_GOOD = datetime(9999, 12, 31)


class PaymentProvider(models.Model):
    _inherit = 'payment.provider'

    # === ACTION METHODS === #

    def action_btcpay_repair_webhook(self):
        """Register the webhook (again), with the key there is.

        :raise UserError: If that could not be done.
        """
        provider = self._btcpay_begin_check()
        if provider.state == 'disabled':
            raise UserError(_("Enable the payment provider first."))
        connection = provider._btcpay_get_own_connection()
        if not connection.api_key:
            raise UserError(_(
                "This database is a copy of another one, whose webhook this is. Connect a store to"
                " this one first."
            ))
        with provider._btcpay_undo_on_failure() as undo:
            values = provider._btcpay_register_webhook(
                provider._btcpay_client(), connection.store_id, connection, undo
            )
            commit_and_refresh(self.env)
            provider.write({**values, 'btcpay_use_webhook': True})
            provider._btcpay_note_webhook(False)
            commit_and_refresh(self.env)

    def action_btcpay_renew_secret(self):
        """Have the server sign events with a new secret from now on.

        Both secrets are good for a while: none of the events that are under way is lost, and none
        if it is not known whether the server has taken the new one.

        Note: `self.ensure_one()`

        :return: The notification of what came of it.
        :rtype: dict
        :raise UserError: If there is no webhook of ours.
        """
        provider = self._btcpay_begin_check()
        connection = provider._btcpay_get_own_connection()
        if not connection.webhook_id or provider.btcpay_webhook_by_hand:
            raise UserError(_("There is no webhook that Odoo has made."))
        old, new = connection.webhook_secret, secrets.token_urlsafe(32)
        if provider.btcpay_old_webhook_secret_until == FOR_GOOD:
            # Of three it would not be known either. There is none where another store is connected.
            new = provider.btcpay_old_webhook_secret or new
        draft = WebhookDraft(connection.webhook_url, new)
        provider._btcpay_store_secret(new)
        try:
            provider._btcpay_client().update_webhook(
                connection.store_id, connection.webhook_id, draft
            )
        except GreenfieldError as error:
            # It may have taken the new one: nothing tells which of them it signs with.
            provider._btcpay_store_secret(old, is_other_kept=error.is_temporary)
            return warn(_("The secret could not be renewed. %s", self._btcpay_explain(error)))
        return notify(_("The webhook has a new secret."), reload=True)

    def action_btcpay_disable_webhook(self):
        """Poll the server from now on, without a webhook.

        :return: The notification of what is left to do, if anything.
        :rtype: dict|None
        """
        self.ensure_one()
        self.check_access('write')
        provider = self.sudo()
        url, connection = provider._btcpay_get_webhook_url(), provider._btcpay_get_own_connection()
        provider.write({'btcpay_use_webhook': False, **provider._btcpay_get_empty_webhook()})
        provider._btcpay_note_webhook(False)
        commit_and_refresh(self.env)
        if not connection.api_key or provider._btcpay_remove_webhooks(
            provider._btcpay_client(), connection.store_id, url
        ):
            return None
        return warn(_(
            "Odoo polls the BTCPay Server from now on, but its webhook could not be removed"
            " there. Remove it in the store's settings on the server."
        ))

    # === REGISTER AND REMOVE === #

    def _btcpay_get_webhook_url(self):
        """Return the address at which the server reaches this provider.

        It is decided once, when a store is connected: `web.base.url` changes with the domain an
        administrator logs in at.

        :rtype: str
        """
        self.ensure_one()
        if url := self._btcpay_get_own_connection().webhook_url:
            return url
        base_url = self.env['ir.config_parameter'].sudo().get_param('web.base.url')
        return f'{base_url.rstrip("/")}{const.WEBHOOK_ROUTE}/{self.id}'

    def _btcpay_register_webhook(self, client, store_id, previous, undo):
        """Register the webhook; ours, or one with our address, is used again.

        The secret stays if we know it, else it gets a new one.

        :param Client client: The client to call with.
        :param str store_id: The id of the store.
        :param Connection previous: The connection with the same store that there is, or was.
        :param list undo: The steps that take back what is made here, to be extended.
        :return: The values to write on the provider.
        :rtype: dict
        :raise ConnectionRefused: If the server does not take the webhook.
        """
        url = self._btcpay_get_webhook_url()
        secret = secrets.token_urlsafe(32)
        try:
            known = [
                webhook.id for webhook in client.list_webhooks(store_id)
                if webhook.url == url or webhook.id == previous.webhook_id
            ]
            if known:
                webhook_id = previous.webhook_id if previous.webhook_id in known else known[0]
                if webhook_id == previous.webhook_id and previous.webhook_secret:
                    secret = previous.webhook_secret
                # Also the one we know: it may have been changed there.
                client.update_webhook(store_id, webhook_id, WebhookDraft(url, secret))
            else:
                # It may be made although we do not get its answer.
                undo.append(lambda: self._btcpay_remove_webhooks(client, store_id, url))
                webhook_id = client.create_webhook(store_id, WebhookDraft(url, secret)).id
        except GreenfieldError as error:
            raise ConnectionRefused('webhook', _(
                "The BTCPay Server did not accept the webhook by which it reports payments to Odoo."
                " Check in the store's settings on the server that webhooks can be made, then try"
                " again. %s", self._btcpay_explain(error),
            )) from error
        return {
            'btcpay_webhook_id': webhook_id,
            'btcpay_webhook_by_hand': False,
            'btcpay_webhook_secret': secret,
            'btcpay_webhook_url': url,
            'btcpay_webhook_problem': False,
            'btcpay_webhook_checked_at': fields.Datetime.now(),
            **self._btcpay_get_secret_overlap(secret, previous.webhook_secret),
        }

    def _btcpay_remove_webhooks(self, client, store_id, url):
        """Remove the webhooks with our address from the server.

        :param Client client: The client to call with.
        :param str store_id: The id of the store.
        :param str url: The address.
        :return: Whether none is left.
        :rtype: bool
        """
        try:
            webhooks = client.list_webhooks(store_id)
            is_clean = webhooks.is_complete
            for webhook in webhooks:
                if webhook.url == url:
                    is_clean &= self._btcpay_try_removal(
                        client.delete_webhook, store_id, webhook.id
                    )
        except GreenfieldError:
            is_clean = False
        if not is_clean:
            _logger.warning("A webhook may be left at the BTCPay Server: %s", url)
        return is_clean

    def _btcpay_get_empty_webhook(self):
        """Return the values of a provider that has no webhook.

        :rtype: dict
        """
        return dict.fromkeys((
            'btcpay_webhook_id', 'btcpay_webhook_secret', 'btcpay_old_webhook_secret',
            'btcpay_old_webhook_secret_until', 'btcpay_webhook_url', 'btcpay_webhook_problem',
            'btcpay_webhook_checked_at', 'btcpay_webhook_by_hand',
        ), False)

    def _btcpay_get_webhook_by_hand(self, secret, previous):
        """Return the values of a provider whose webhook was made at the server by hand.

        :param str secret: The secret that was typed there.
        :param Connection previous: The connection with the same store that there is, or was.
        :rtype: dict
        """
        return {
            **self._btcpay_get_empty_webhook(),
            'btcpay_webhook_by_hand': True,
            'btcpay_webhook_secret': secret,
            'btcpay_webhook_url': self._btcpay_get_webhook_url(),
            **self._btcpay_get_secret_overlap(secret, previous.webhook_secret),
        }

    # === SECRETS === #

    def _btcpay_get_secret_overlap(self, secret, old_secret):
        """Return the values by which the secret used so far stays good for a while.

        What the server has queued is signed with the secret of the time of its queuing.

        :param str secret: The new secret.
        :param str|bool old_secret: The one of before.
        :return: The values to write on the provider.
        :rtype: dict
        """
        if not old_secret or old_secret == secret:
            return {}
        return {
            'btcpay_old_webhook_secret': old_secret,
            'btcpay_old_webhook_secret_until': fields.Datetime.now() + timedelta(
                hours=const.OLD_SECRET_VALIDITY
            ),
        }

    def _btcpay_store_secret(self, secret, is_other_kept=False):
        """Take another secret for that of the webhook; the one of before stays good for a while.

        :param str secret: The secret.
        :param bool is_other_kept: Whether the one of before stays good until there is another.
        """
        lock(self)
        overlap = self._btcpay_get_secret_overlap(secret, self.btcpay_webhook_secret)
        if overlap and is_other_kept:
            overlap['btcpay_old_webhook_secret_until'] = FOR_GOOD
        self.write({'btcpay_webhook_secret': secret, **overlap})
        commit_and_refresh(self.env)

    # === HEALTH === #

    def _btcpay_is_check_due(self):
        """Return whether the hourly check of the webhook is due."""
        self.ensure_one()
        checked_at = self.btcpay_webhook_checked_at
        limit = fields.Datetime.now() - timedelta(minutes=const.CHECK_MINUTES)
        return not checked_at or checked_at <= limit

    def _btcpay_check_webhook(self):
        """Check that the webhook is as it was registered, and raise an alert once if it is not.

        Without a webhook it is checked that the server answers our key, and has our store.

        :raise GreenfieldError: If the server did not say.
        """
        self.ensure_one()
        provider = self._btcpay_in_company_language()
        before = (provider.btcpay_webhook_id, provider.btcpay_webhook_checked_at)
        problem = provider._btcpay_find_webhook_problem()
        commit_and_refresh(provider.env)
        lock(provider)
        # Else it was repaired while the server was asked.
        if before == (provider.btcpay_webhook_id, provider.btcpay_webhook_checked_at):
            provider._btcpay_note_webhook(problem)
        commit_and_refresh(provider.env)

    def _btcpay_find_webhook_problem(self):
        """Compare the webhook at the server with what was registered.

        :return: The problem, as a value of `btcpay_webhook_problem`; False if there is none.
        :rtype: str|bool
        :raise GreenfieldError: If the server did not say.
        """
        self.ensure_one()
        client = self._btcpay_client()
        self._btcpay_find_store(client, self.btcpay_store_id)
        if not self.btcpay_use_webhook or self.btcpay_webhook_by_hand:
            return False
        if not self.btcpay_webhook_id:
            return 'missing'
        try:
            webhook = client.get_webhook(self.btcpay_store_id, self.btcpay_webhook_id)
        except NotFound as error:
            if error.code == 'webhook-not-found':
                return 'missing'
            raise
        if not webhook.is_enabled:
            return 'disabled'
        if webhook.url != self.btcpay_webhook_url:
            return 'moved'
        return 'events' if webhook.get_missing_events(const.WEBHOOK_EVENTS) else False

    def _btcpay_note_webhook(self, problem):
        """Note what was found of the webhook, and raise an alert once.

        :param str|bool problem: The problem, False if there is none.
        """
        self.ensure_one()
        provider = self._btcpay_in_company_language()
        is_new = problem != provider.btcpay_webhook_problem
        provider.write({
            'btcpay_webhook_problem': problem, 'btcpay_webhook_checked_at': fields.Datetime.now()
        })
        if not problem:
            provider._btcpay_clear_alert(
                'btcpay_webhook_activity_id', _("The webhook works again.")
            )
        elif is_new:
            labels = dict(provider._fields['btcpay_webhook_problem']._description_selection(
                provider.env
            ))
            provider._btcpay_raise_alert('btcpay_webhook_activity_id', _(
                "The webhook by which the BTCPay Server reports payments to “%(provider)s” does not"
                " work: %(problem)s. Odoo notices payments all the same, but later, since it polls"
                " every %(minutes)s minutes. Click “Repair Webhook” on the payment provider.",
                provider=provider.name, problem=labels[problem], minutes=const.POLL_MINUTES,
            ))
            _logger.warning(
                "The webhook of provider %(provider)s does not work: %(problem)s",
                {'provider': provider.id, 'problem': problem},
            )
