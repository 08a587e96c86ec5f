import secrets
from datetime import timedelta

from odoo import _, fields, models

from odoo.addons.payment.logging import get_payment_logger
from odoo.addons.payment_btcpay import const
from odoo.addons.payment_btcpay.utils import BTCPayConnectionRefused, BTCPayError, is_api_id

_logger = get_payment_logger(__name__, sensitive_keys=const.SENSITIVE_KEYS)


class PaymentProvider(models.Model):
    _inherit = 'payment.provider'

    def _btcpay_get_webhook_url(self):
        """Return the address at which the server reaches this provider.

        It is decided once, when a store is connected: `web.base.url` changes with the domain an
        administrator logs in at.

        :rtype: str
        """
        self.ensure_one()
        if url := self.sudo().btcpay_webhook_url:
            return url
        base_url = self.env['ir.config_parameter'].sudo().get_param('web.base.url')
        return f'{base_url.rstrip("/")}{const.WEBHOOK_ROUTE}/{self.id}'

    def _btcpay_register_webhook(self, store_id, call, previous, undo):
        """Have the server tell us of payments; a webhook with our address is used again.

        Its secret stays if we know it, else it gets a new one.

        :param str store_id: The id of the store.
        :param dict call: The address and key to call with.
        :param dict previous: The previous connection, see `_btcpay_get_connection`.
        :param list undo: The steps that take back what is made here, to be extended.
        :return: The values to write on the provider.
        :rtype: dict
        :raise BTCPayConnectionRefused: If the server does not take the webhook.
        """
        endpoint = f'/stores/{store_id}/webhooks'
        url = self._btcpay_get_webhook_url()
        payload = {
            'url': url,
            'enabled': True,
            'automaticRedelivery': True,
            'authorizedEvents': {'everything': True, 'specificEvents': []},
        }
        secret = secrets.token_urlsafe(32)
        try:
            webhooks = self._send_api_request('GET', endpoint, **call)
            known = [
                webhook.get('id') for webhook in webhooks or []
                if webhook.get('url') == url and is_api_id(webhook.get('id'))
            ]
            if known:
                webhook_id = previous['webhook_id'] if previous['webhook_id'] in known else known[0]
                if webhook_id == previous['webhook_id'] and previous['webhook_secret']:
                    secret = previous['webhook_secret']
                else:
                    payload['secret'] = secret
                self._send_api_request('PUT', f'{endpoint}/{webhook_id}', json=payload, **call)
            else:
                # It may be made although we do not get its answer.
                undo.append(lambda: self._btcpay_remove_webhooks(endpoint, url, call))
                webhook = self._send_api_request(
                    'POST', endpoint, json={**payload, 'secret': secret}, **call
                )
                webhook_id = webhook.get('id')
                if not is_api_id(webhook_id):
                    raise self._btcpay_make_unexpected_error()
        except (BTCPayError, AttributeError, TypeError) as error:
            raise BTCPayConnectionRefused('webhook', _(
                "The BTCPay Server did not take the webhook by which it tells Odoo of payments."
                " Check in the store's settings on the server that webhooks can be made, then start"
                " the connection again. The server says: %s",
                error.args[0] if isinstance(error, BTCPayError) else _("an answer not understood"),
            )) from error
        return {
            'btcpay_webhook_id': webhook_id,
            'btcpay_webhook_secret': secret,
            'btcpay_webhook_url': url,
            **self._btcpay_get_secret_overlap(secret),
        }

    def _btcpay_remove_webhooks(self, endpoint, url, call):
        """Remove the webhooks with an address, of which there was none before.

        :param str endpoint: The endpoint of the store's webhooks.
        :param str url: The address.
        :param dict call: The address and key to call with.
        :return: None
        """
        try:
            webhooks = self._send_api_request('GET', endpoint, **call)
            for webhook in webhooks:
                if webhook['url'] == url and is_api_id(webhook['id']):
                    self._btcpay_try_request('DELETE', f"{endpoint}/{webhook['id']}", **call)
        except (BTCPayError, KeyError, TypeError):
            _logger.warning("A webhook may be left at the BTCPay Server: %s", url)

    def _btcpay_get_secret_overlap(self, secret):
        """Return the values by which the secret used so far stays good for a while.

        What the server has queued is signed with the secret of the time of its queuing.

        :param str secret: The new secret.
        :return: The values to write on the provider.
        :rtype: dict
        """
        old_secret = self.sudo().btcpay_webhook_secret
        if not old_secret or old_secret == secret:
            return {}
        return {
            'btcpay_old_webhook_secret': old_secret,
            'btcpay_old_webhook_secret_until': fields.Datetime.now() + timedelta(
                hours=const.OLD_SECRET_VALIDITY
            ),
        }

    def _btcpay_get_webhook_secrets(self):
        """Return the secrets with which an event may be signed.

        :return: The secrets; none if the provider is not connected.
        :rtype: list[str]
        """
        self.ensure_one()
        provider = self.sudo()
        found = [provider.btcpay_webhook_secret]
        if (
            provider.btcpay_old_webhook_secret_until
            and provider.btcpay_old_webhook_secret_until > fields.Datetime.now()
        ):
            found.append(provider.btcpay_old_webhook_secret)
        return [secret for secret in found if secret]
