import hashlib
import secrets
from datetime import timedelta
from urllib.parse import urlencode

from odoo import api, fields, models
from odoo.fields import Domain
from odoo.orm.models import NO_ACCESS

from odoo.addons.payment_btcpay import const
from odoo.addons.payment_btcpay.db import commit_and_refresh


class BTCPayAuthorization(models.Model):
    _name = 'btcpay.authorization'
    _description = "BTCPay Server Authorization"
    _order = 'id desc'

    # Without one of them it is over, and the keys that came are still to be revoked.
    provider_id = fields.Many2one(
        string="Payment Provider", comodel_name='payment.provider', ondelete='set null'
    )
    user_id = fields.Many2one(comodel_name='res.users', ondelete='set null')
    # Another one of which this is a copy has the same keys, and may have taken them meanwhile.
    database = fields.Char(required=True, groups=NO_ACCESS)
    server_url = fields.Char(string="Server", required=True)
    # The state itself is known to the administrator's browser only.
    state_hash = fields.Char(required=True, index=True, groups=NO_ACCESS)
    use_webhook = fields.Boolean(string="Webhook", default=True)
    poll_minutes = fields.Integer(string="Polling Interval")
    expires_at = fields.Datetime(string="Expires", required=True)
    state = fields.Selection(
        string="Status",
        selection=[
            ('started', "Started"), ('received', "Key received"), ('used', "Used"),
        ],
        default='started', required=True,
    )
    api_key = fields.Char(string="API Key", groups=NO_ACCESS)
    # What came too late or besides: to be revoked at the server.
    unused_keys = fields.Json(string="Unused API Keys", groups=NO_ACCESS)

    _state_hash_uniq = models.Constraint('unique(state_hash)', "States must be unique.")

    @api.model
    def _start(
        self, provider, server_url, base_url, use_webhook=True, poll_minutes=const.POLL_MINUTES
    ):
        """Begin an authorization for the current user.

        :param payment.provider provider: The provider to connect.
        :param str server_url: The normalized address of the server.
        :param str base_url: The address by which the administrator's browser reaches Odoo.
        :param bool use_webhook: Whether the server reports payments by webhook, or is polled.
        :param int poll_minutes: The polling interval, for where it is polled.
        :return: The address of the server's authorize page, with all it needs.
        :rtype: str
        """
        state = secrets.token_urlsafe(32)
        self.sudo().create({
            'provider_id': provider.id,
            'user_id': self.env.uid,
            'server_url': server_url,
            'database': provider._btcpay_get_database(),
            'use_webhook': use_webhook,
            'poll_minutes': poll_minutes,
            'state_hash': self._hash_state(state),
            'expires_at': fields.Datetime.now() + timedelta(minutes=const.AUTHORIZATION_VALIDITY),
        })
        callback_url = f'{base_url.rstrip("/")}{const.CALLBACK_ROUTE}?{urlencode({"state": state})}'
        params = [('permissions', permission) for permission in const.PERMISSIONS] + [
            ('applicationName', f'Odoo - {provider.company_id.name}'),
            ('applicationIdentifier', f'odoo-{provider.id}'),
            ('strict', 'true'),
            ('selectiveStores', 'true'),
            ('redirect', callback_url),
        ]
        return f'{server_url}/api-keys/authorize?{urlencode(params)}'

    @api.model
    def _find(self, state):
        """Find the authorization of a state.

        :param str state: The state, as it came.
        :return: The authorization in sudo mode, possibly empty.
        :rtype: btcpay.authorization
        """
        if not isinstance(state, str) or not state:
            return self.sudo().browse()
        return self.sudo().search([('state_hash', '=', self._hash_state(state))], limit=1)

    @staticmethod
    def _hash_state(state):
        return hashlib.sha256(state.encode()).hexdigest()

    def _is_expired(self):
        self.ensure_one()
        return self.expires_at < fields.Datetime.now()

    def _receive_key(self, api_key):
        """Keep the key that came for this state; whether it is any good is found out later.

        The first key stays: a second one cannot be the administrator's. Those that are not used are
        revoked, since the server takes them for good.

        :param str api_key: The key, as it came.
        """
        self.ensure_one()
        if not (
            isinstance(api_key, str)
            and api_key.isalnum() and api_key.isascii() and len(api_key) <= 128
        ):
            return
        unused = self.unused_keys or []
        if self.state == 'started' and not self._is_expired():
            self.write({'state': 'received', 'api_key': api_key})
        elif (
            api_key not in (self.api_key, *unused)
            and len(unused) < const.MAX_UNUSED_KEYS
        ):
            self.unused_keys = [*unused, api_key]

    def _take_key(self):
        """Hand out the key, once, and forget it.

        :rtype: str
        """
        self.ensure_one()
        api_key = self.api_key
        self.write({'state': 'used', 'api_key': False})
        return api_key

    @api.model
    def _revoke_unused_keys(self):
        """Have the server forget the keys of authorizations that are over, and forget them here.

        Not earlier: the same key may be about to be used. Where the server does not answer it is
        tried again, until the authorization is removed. Those of another database are its own.
        """
        authorizations = self.sudo()
        authorizations.search(~self._get_own_domain()).unlink()
        over = (
            Domain('expires_at', '<', fields.Datetime.now())
            | Domain('provider_id', '=', False) | Domain('user_id', '=', False)
        )
        for authorization in authorizations.search(over & (
            Domain('api_key', '!=', False) | Domain('unused_keys', '!=', False)
        )):
            authorization._revoke_keys()

    def _revoke_keys(self):
        """Have the server forget the keys that were not used."""
        self.ensure_one()
        provider, server_url, keys = self.provider_id, self.server_url, self._get_unused_keys()
        commit_and_refresh(self.env)
        provider = provider or provider.new({'code': 'btcpay'})
        left = provider._btcpay_revoke_unused_keys(server_url, keys)
        self.write({'api_key': False, 'unused_keys': left or False})
        commit_and_refresh(self.env)

    @api.model
    def _forget(self, provider):
        """Forget the authorizations of a provider with their keys, here and at the server.

        :param payment.provider provider: The provider.
        :return: Whether no key is left at the server.
        :rtype: bool
        """
        own = self.sudo().search(self._get_own_domain() & Domain('provider_id', '=', provider.id))
        for authorization in own:
            authorization._revoke_keys()
        is_clean = not any(own.mapped('unused_keys'))
        self.sudo().search([('provider_id', '=', provider.id)]).unlink()
        commit_and_refresh(self.env)
        return is_clean

    @api.model
    def _get_all_unused_keys(self):
        """Return the keys that came for this database and that nobody has taken.

        :return: The addresses of the servers, each with a list of keys.
        :rtype: list[tuple]
        """
        return [
            (authorization.server_url, authorization._get_unused_keys())
            for authorization in self.sudo().search(self._get_own_domain())
        ]

    def _get_own_domain(self):
        """Return what tells this database's authorizations from those it is a copy with.

        :rtype: Domain
        """
        return Domain('database', '=', self.env['payment.provider']._btcpay_get_database())

    def _get_unused_keys(self):
        """Return the keys that came and that nobody has taken.

        :rtype: list[str]
        """
        self.ensure_one()
        return list(dict.fromkeys(filter(None, [self.api_key, *(self.unused_keys or [])])))

    @api.autovacuum
    def _gc_authorizations(self):
        """Remove what was neither finished nor can be any more, with any key in it."""
        self.sudo().search([
            ('expires_at', '<', fields.Datetime.now() - timedelta(days=1)),
        ]).unlink()
