from urllib.parse import urlencode

from odoo import _
from odoo.exceptions import UserError
from odoo.http import Controller, request, route

from odoo.addons.payment.logging import get_payment_logger
from odoo.addons.payment_btcpay import const
from odoo.addons.payment_btcpay.db import commit_and_refresh
from odoo.addons.payment_btcpay.utils import ConnectionRefused

_logger = get_payment_logger(__name__, sensitive_keys=const.SENSITIVE_KEYS)


class BTCPayOnboardingController(Controller):

    @route(
        const.CALLBACK_ROUTE, type='http', auth='public', methods=['GET', 'POST'], csrf=False,
        save_session=False, sitemap=False, max_content_length=const.MAX_FORM_SIZE,
    )
    def btcpay_callback(self, state='', **data):
        """Keep the key that the server's authorize page has the administrator's browser bring.

        The form is posted from another site, without cookie, and proves nothing: anybody can post a
        key. It is looked at once the administrator who began comes to the page behind it.

        See https://docs.btcpayserver.org/API/Greenfield/v1/#tag/Authorization

        :param str state: The state that was given along to the server.
        :param dict data: The posted form; only `apiKey` is of use.
        :return: The redirection to that page.
        :rtype: Response
        """
        authorization_sudo = request.env['btcpay.authorization']._find(state)
        if authorization_sudo and request.httprequest.method == 'POST':
            authorization_sudo._receive_key(data.get('apiKey'))
        # 303, so that the browser comes by GET, with its cookie.
        return request.redirect(f'{const.CONNECT_ROUTE}?{urlencode({"state": state})}', code=303)

    @route(
        const.CONNECT_ROUTE, type='http', auth='user', methods=['GET'], website=True, sitemap=False,
        max_content_length=const.MAX_FORM_SIZE,
    )
    def btcpay_connect(self, state='', **_data):
        """Connect the store with the key that came, if all is right, or say what is not.

        :param str state: The state that was given along to the server.
        :return: The redirection to the provider, or the page that tells the refusal.
        :rtype: Response
        """
        authorization_sudo = request.env['btcpay.authorization']._find(state)
        provider_sudo = authorization_sudo.provider_id
        try:
            self._check_authorization(authorization_sudo)
            choices = {
                'server_url': authorization_sudo.server_url,
                'use_webhook': authorization_sudo.use_webhook,
                'poll_minutes': authorization_sudo.poll_minutes,
            }
            api_key = authorization_sudo._take_key()
            commit_and_refresh(request.env)  # Used up, whatever comes of it.
            provider_sudo._btcpay_connect(api_key=api_key, **choices)
        except UserError as error:
            reason = getattr(error, 'reason', 'failed')
            _logger.warning(
                "BTCPay connection of provider %(provider)s refused (%(reason)s): %(message)s",
                {
                    'provider': provider_sudo.id or "unknown", 'reason': reason,
                    'message': error.args[0],
                },
            )
            may_see = request.env.user.has_group('base.group_system')
            return request.render('payment_btcpay.connection_refused', {
                'reason': reason,
                'message': error.args[0],
                # What it was for may be connected all the same.
                'is_stale': reason in ('expired', 'state', 'used'),
                'is_connected': may_see and provider_sudo.btcpay_connection_state == 'connected',
                'back_url': self._get_provider_url(provider_sudo) if may_see else None,
            }, status=400)
        return request.redirect(self._get_provider_url(provider_sudo))

    @staticmethod
    def _check_authorization(authorization_sudo):
        """Check that the key may be used, here and now, by this user.

        :param btcpay.authorization authorization_sudo: The authorization of the state.
        :raise ConnectionRefused: If it may not.
        """
        if not authorization_sudo.provider_id:
            raise ConnectionRefused('state', _(
                "This connection was not started here, or it is long over. Start it again with"
                " “Connect to BTCPay Server” on the payment provider."
            ))
        if (
            authorization_sudo.user_id != request.env.user
            or not request.env.user.has_group('base.group_system')
        ):
            raise ConnectionRefused('user', _(
                "Another user started this connection. Log in as that user and open this page"
                " again, or start a connection of your own on the payment provider, as an"
                " administrator."
            ))
        if authorization_sudo.state == 'used':
            raise ConnectionRefused('used', _(
                "This connection was made or refused already. Look at the payment provider; if it"
                " is not connected, start the connection again."
            ))
        if authorization_sudo._is_expired():
            raise ConnectionRefused('expired', _(
                "The connection was started more than %s minutes ago. Start it again with “Connect"
                " to BTCPay Server” on the payment provider.", const.AUTHORIZATION_VALIDITY,
            ))
        if authorization_sudo.state != 'received':
            raise ConnectionRefused('no_key', _(
                "The BTCPay Server has not sent an API key. Approve the connection on its page; if"
                " you did, start the connection again."
            ))

    @staticmethod
    def _get_provider_url(provider_sudo):
        """Return the address of the provider's form, or of all providers' list.

        :param payment.provider provider_sudo: The provider, possibly empty.
        :rtype: str
        """
        action = request.env.ref('payment.action_payment_provider')
        url = f'/odoo/action-{action.id}'
        return f'{url}/{provider_sudo.id}' if provider_sudo else url
