from datetime import timedelta

from odoo import _, api, fields, models
from odoo.fields import Domain
from odoo.orm.models import NO_ACCESS

from odoo.addons.payment_btcpay import const
from odoo.addons.payment_btcpay.db import commit_and_refresh
from odoo.addons.payment_btcpay.models.payment_provider import senders
from odoo.addons.payment_btcpay.models.payment_provider.connection import Connection

# What is kept of the provider's fields, `btcpay_…` there.
KEPT = (
    'database', 'server_url', 'api_key', 'key_may_archive', 'store_id', 'store_name', 'webhook_id',
    'webhook_url', 'webhook_by_hand', 'webhook_secret', 'old_webhook_secret',
    'old_webhook_secret_until',
)


class BTCPayEarlierStore(models.Model):
    """A store that a provider was connected with before, and of which something may still be open.

    Its payments are read and refunded with its own key, and its webhook reports, until nothing of
    it is open. Then both are removed from the server, and forgotten. Code alone has access.
    """

    _name = 'btcpay.earlier.store'
    _description = "BTCPay Server Store Connected Before"
    _rec_name = 'store_id'
    _order = 'id'

    provider_id = fields.Many2one(
        string="Payment Provider", comodel_name='payment.provider', required=True, index=True,
        ondelete='cascade',
    )
    database = fields.Char(required=True, groups=NO_ACCESS)
    server_url = fields.Char(string="Server", required=True)
    api_key = fields.Char(string="API Key", required=True, groups=NO_ACCESS)
    key_may_archive = fields.Boolean(string="Key May Cancel Refunds")
    store_id = fields.Char(string="Store ID", required=True)
    store_name = fields.Char(string="Store")
    webhook_id = fields.Char(string="Webhook ID")
    webhook_url = fields.Char(string="Webhook Address")
    webhook_by_hand = fields.Boolean(string="Webhook Made by Hand")
    webhook_secret = fields.Char(groups=NO_ACCESS)
    old_webhook_secret = fields.Char(string="Previous Webhook Secret", groups=NO_ACCESS)
    old_webhook_secret_until = fields.Datetime(
        string="Previous Webhook Secret Valid Until", groups=NO_ACCESS
    )
    over_at = fields.Datetime(
        string="Over Since", help="Since when nothing of it is open; the key is not used any more."
    )
    retry_at = fields.Datetime(
        string="Next Try", help="When key and webhook are tried to be removed again."
    )

    _store_uniq = models.Constraint('unique(provider_id, store_id)', "A store is kept once.")

    @api.model_create_multi
    def create(self, vals_list):
        """Override to forget who may send events."""
        stores = super().create(vals_list)
        self.env['payment.provider']._btcpay_forget_senders()
        return stores

    def write(self, vals):
        """Override to forget who may send events where that is changed: each minute it is noted
        that something of the store is open, and what is forgotten is all that Odoo remembers."""
        result = super().write(vals)
        if not senders.FIELDS.isdisjoint(f'btcpay_{name}' for name in vals):
            self.env['payment.provider']._btcpay_forget_senders()
        return result

    def unlink(self):
        """Override to forget who may send events."""
        result = super().unlink()
        self.env['payment.provider']._btcpay_forget_senders()
        return result

    @api.model
    def _keep(self, provider):
        """Keep the store that a provider is connected with, as it is about to be with another.

        :param payment.provider provider: The provider, in sudo mode.
        """
        self.sudo().create({
            'provider_id': provider.id, **{name: provider[f'btcpay_{name}'] for name in KEPT},
        })

    def _get_connection(self):
        """Return what is needed to ask the server, and to undo the connection there.

        :return: The connection; an empty one if there is none, or in a copy of the database.
        :rtype: Connection
        """
        store = self.sudo()
        is_own = bool(store) and store.database == store.provider_id._btcpay_get_database()
        values = {name: is_own and store[name] for name in Connection._fields if name != 'proxy'}
        return Connection(**values, proxy=is_own and store.provider_id.btcpay_proxy)

    def _get_open_domain(self):
        """Return what of the store's payments is open: what the server is still to tell of, and
        what somebody is still to decide, for which the key is needed.

        :rtype: Domain
        """
        self.ensure_one()
        return Domain('provider_id', '=', self.provider_id.id) & Domain(
            'btcpay_store_id', '=', self.store_id
        ) & (
            Domain('btcpay_next_sync_at', '!=', False)
            | Domain('btcpay_pending_action', '!=', False)
            | Domain('btcpay_are_payments_due', '=', True)
            | Domain('btcpay_decision', '!=', False)
        )

    def _is_open(self):
        """Return whether anything of the store is open."""
        self.ensure_one()
        return bool(
            self.env['payment.transaction'].sudo().search_count(self._get_open_domain(), limit=1)
            or self.env['btcpay.delivery'].sudo().search_count([
                ('provider_id', '=', self.provider_id.id), ('state', '=', 'pending'),
                ('transaction_id.btcpay_store_id', '=', self.store_id),
            ], limit=1)
        )

    @api.model
    def _remove_those_over(self):
        """Remove key and webhook of stores of which nothing is open any more, and forget them.

        Where the server does not answer it is tried again, for some days.
        """
        now = fields.Datetime.now()
        for store in self.sudo().search([
            # What was begun there just before is stored by then.
            ('create_date', '<=', now - timedelta(minutes=const.EARLIER_STORE_MINUTES)),
            '|', ('retry_at', '=', False), ('retry_at', '<=', now),
        ]):
            if store._is_open():  # Also of one that was over: an event may have come since.
                store.write({'over_at': False, 'retry_at': False})
                continue
            store.over_at = store.over_at or now
            provider, connection = store.provider_id, store._get_connection()
            commit_and_refresh(self.env)
            is_clean = provider._btcpay_clean_up(connection)
            commit_and_refresh(self.env)
            if not is_clean and store.over_at > now - timedelta(days=const.EARLIER_STORE_DAYS):
                store.retry_at = now + timedelta(hours=1)
            else:
                if not is_clean:
                    provider._btcpay_in_company_language()._message_log(body=_(
                        "Nothing of the store “%(store)s” is open any more, but its API key and"
                        " webhook could not be removed from %(server)s. Remove them there.",
                        store=store.store_name or store.store_id, server=store.server_url,
                    ))
                store.unlink()
            commit_and_refresh(self.env)
