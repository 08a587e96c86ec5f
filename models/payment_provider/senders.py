"""Whose events are believed, known without a query for each that somebody sends."""
from typing import NamedTuple

from odoo import api, fields, models
from odoo.exceptions import MissingError
from odoo.tools import ormcache

from odoo.addons.payment_btcpay.db import commit_and_refresh

# What is written of these makes Odoo forget what it knows; of an earlier store, without prefix.
FIELDS = {
    'code', 'btcpay_store_id', 'btcpay_webhook_id', 'btcpay_webhook_by_hand',
    'btcpay_webhook_secret', 'btcpay_old_webhook_secret', 'btcpay_old_webhook_secret_until',
    'btcpay_debug', 'btcpay_debug_until',
}


class Webhook(NamedTuple):
    """What an event has to be like that a webhook sends."""

    store_id: str | bool
    #: None where it was made by hand
    id: str | bool | None
    secret: str | bool
    old_secret: str | bool
    old_secret_until: object

    @property
    def secrets(self):
        """The secrets with which an event may be signed; none if there is no webhook."""
        until = self.old_secret_until
        old_secret = until and until > fields.Datetime.now() and self.old_secret
        return [secret for secret in (self.secret, old_secret) if secret]


class Senders(NamedTuple):
    """Who may send events to a provider: none if it is not ours."""

    webhooks: tuple = ()
    #: until when what is sent is kept in the debug log
    debug_until: object = False


class PaymentProvider(models.Model):
    _inherit = 'payment.provider'

    @api.model
    def _btcpay_find_senders(self, provider_id):
        """Return who may send events to a provider.

        :param int provider_id: The id, possibly of none.
        :rtype: Senders
        """
        try:
            return self.sudo()._btcpay_read_senders(provider_id)
        except MissingError:
            return Senders()

    @api.model
    @ormcache('provider_id', "self.pool.cache_sequences['default']")
    def _btcpay_read_senders(self, provider_id):
        """Return who may send events to a provider. It is remembered: anybody can send anything.

        While it is read, or the body before was waited for, another thread may change it and have
        all forget it. What is read then is remembered for the sequence of before, of no more use,
        or is read after the change, in a database transaction that began after it.

        :param int provider_id: The id, possibly of none.
        :rtype: Senders
        :raise MissingError: If there is none of ours; that is not remembered, for any number.
        """
        commit_and_refresh(self.env)
        provider = self.search_fetch(
            [('id', '=', provider_id), ('code', '=', 'btcpay')], list(FIELDS), limit=1
        )
        if not provider:
            raise MissingError(self.env._("There is no such payment provider."))
        return Senders((
            Webhook(
                provider.btcpay_store_id,
                None if provider.btcpay_webhook_by_hand else provider.btcpay_webhook_id,
                provider.btcpay_webhook_secret, provider.btcpay_old_webhook_secret,
                provider.btcpay_old_webhook_secret_until,
            ),
            *(
                Webhook(
                    store.store_id, None if store.webhook_by_hand else store.webhook_id,
                    store.webhook_secret, store.old_webhook_secret, store.old_webhook_secret_until,
                )
                for store in provider.btcpay_earlier_store_ids
            ),
        ), provider.btcpay_debug and provider.btcpay_debug_until)

    @api.ondelete(at_uninstall=True)
    def _btcpay_forget_senders(self):
        """Have all of Odoo's processes read anew who may send events: now, and once more when the
        change is stored, since others may have read it as it was."""
        registry = self.env.registry

        def forget():
            registry.clear_cache()
            if registry.ready:
                registry.signal_changes()

        registry.clear_cache()
        self.env.cr.postcommit.add(forget)
