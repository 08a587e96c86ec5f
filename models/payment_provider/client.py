"""How the Greenfield API is called: by the framework's `_send_api_request` and no other way."""
import time

from odoo import _, models
from odoo.exceptions import ValidationError

from odoo.addons.payment.logging import get_payment_logger
from odoo.addons.payment_btcpay import const
from odoo.addons.payment_btcpay.db import commit_and_refresh
from odoo.addons.payment_btcpay.greenfield import (
    Client,
    Forbidden,
    GreenfieldError,
    Moved,
    NotFound,
    NotUnderstood,
    Refused,
    ServerFault,
    Session,
    Unauthorized,
    Unreachable,
    errors,
    find_secrets,
    mask_pull_payment,
)

_logger = get_payment_logger(__name__, sensitive_keys=const.SENSITIVE_KEYS)


CALL_FIELDS = (
    'code', 'btcpay_server_url', 'btcpay_api_key', 'btcpay_store_id', 'btcpay_webhook_id',
    'btcpay_webhook_url', 'btcpay_webhook_secret', 'btcpay_key_may_archive', 'btcpay_proxy',
    'btcpay_debug', 'btcpay_debug_until', 'btcpay_retry_at', 'btcpay_use_webhook',
    'btcpay_poll_minutes', 'btcpay_checkout_mode', 'btcpay_checkout_problems',
    'btcpay_down_methods',
)


class BTCPayError(ValidationError):
    """What `_send_api_request` raises, as its callers expect of any provider.

    :param str message: The explanation for a person.
    :param GreenfieldError error: What failed.
    """

    context = {'exception_class': 'odoo.exceptions.ValidationError'}  # shown in Odoo's dialog of it

    def __init__(self, message, error):
        super().__init__(message)
        self.error = error


class NotConnected(GreenfieldError):
    """The provider is connected with no server."""

    def __init__(self):
        super().__init__("no server is connected")


class UnsafeAddress(GreenfieldError):
    """The address, wherever it came from, is not one to which a key may be sent."""

    is_of_server = True

    def __init__(self):
        super().__init__("the server's address cannot be used")


class StoreNotConnected(Forbidden):
    """The provider is connected with another store than that of the payment, or with none."""

    def __init__(self):
        super().__init__("the store is no longer connected")


class StoreGone(Forbidden):
    """The store is not among those that the key may see, though it may still be read."""

    def __init__(self):
        super().__init__("the store is not in the list")


class NothingEnabled(GreenfieldError):
    """The store has no payment method enabled."""

    def __init__(self):
        super().__init__("no payment method is enabled")


class MethodMissing(GreenfieldError):
    """The server made an invoice that cannot be paid by any method that was asked for."""

    def __init__(self):
        super().__init__("the invoice cannot be paid as it was asked for")


class PaymentsFault(ServerFault):
    """The server tells of an invoice, and breaks (500) where it should tell of its payments, as by
    a plugin that has made one of the invoice's methods: others can be asked for all the same."""

    is_of_server = False


class AnotherInvoice(GreenfieldError):
    """The server made another invoice than it was asked for.

    :param str reason: What does not agree, for a person.
    """


class PaymentProvider(models.Model):
    _inherit = 'payment.provider'

    def _btcpay_client(
        self, timeout=const.TIMEOUT, server_url=None, api_key=None, reference=None, commits=False,
        proxy=None,
    ):
        """Return the client for a few calls, over one connection.

        :param int timeout: The number of seconds to wait for each of the server's answers.
        :param str server_url: The server's address, by default that of the connection.
        :param str api_key: The API key, by default that of the connection; empty for none.
        :param str reference: The reference of the transaction that the calls are about.
        :param bool commits: Whether to end the database transaction right before each call, so that
                             what is read afterwards is not older than the answer.
        :param str proxy: The SOCKS proxy to go through, by default that of the provider.
        :return: The client, whose methods raise `GreenfieldError`.
        :rtype: Client
        """
        session = Session(self.sudo().btcpay_proxy or '' if proxy is None else proxy)

        def transport(method, path, *, params=None, json=None):
            try:
                return self._send_api_request(
                    method, path, params=params, json=json, reference=reference,
                    btcpay_timeout=timeout, btcpay_session=session, btcpay_server_url=server_url,
                    btcpay_api_key=api_key, btcpay_commits=commits,
                )
            except BTCPayError as error:
                raise error.error from error

        return Client(transport)

    def _btcpay_send_request(
        self, method, endpoint, *, params=None, json=None, reference=None, **kwargs
    ):
        """Send a request, and log it: who, what, how long, with which outcome, and no secret.

        The framework's own follows redirects with the key, loses the HTTP status, has no deadline
        for the whole call and logs the bodies.

        :param dict kwargs: See `_send_api_request`.
        :return: The parsed answer.
        :raise BTCPayError: If the call did not bring a usable answer.
        """
        self.ensure_one()
        session = kwargs.get('btcpay_session') or Session(self.sudo().btcpay_proxy or '')
        is_debugging = self._btcpay_is_debugging()
        start = time.monotonic()
        answer = outcome = None
        secrets = []
        try:
            url = self._build_request_url(endpoint, **kwargs)
            headers = self._build_request_headers(method, endpoint, json, **kwargs)
            secrets = [*headers.get('Authorization', '').split()[1:], *find_secrets(endpoint, json)]
            if kwargs.get('btcpay_commits'):
                commit_and_refresh(self.env)
            answer = session.send(
                method, url, params=params, json=json, headers=headers,
                timeout=kwargs.get('btcpay_timeout') or const.TIMEOUT,
            )
            outcome = f'HTTP {answer.status}'
            self._btcpay_fetch_for_call()  # What follows needs it as it is now.
            return self._parse_response_content(answer.hide(secrets), **kwargs)
        except GreenfieldError as error:
            outcome = str(error)
            raise BTCPayError(self._btcpay_explain(error), error) from error
        finally:
            milliseconds = round((time.monotonic() - start) * 1000)
            is_good = (outcome or '').startswith('HTTP 2')
            # Paths carry ids only, of which a pull payment's is money; bodies are never logged.
            (_logger.info if is_good else _logger.warning)(
                "BTCPay %(method)s %(endpoint)s for %(about)s: %(outcome)s in %(milliseconds)d ms.",
                {
                    'method': method,
                    'endpoint': mask_pull_payment(endpoint),
                    'about': f'transaction {reference}' if reference
                             else f"provider {self.id or '(removed)'}",
                    'outcome': outcome,
                    'milliseconds': milliseconds,
                },
            )
            if is_debugging:
                self._btcpay_keep_call(
                    endpoint, params, json, answer, secrets, method=method,
                    result='' if is_good else outcome, milliseconds=milliseconds,
                    reference=reference,
                )

    def _btcpay_fetch_for_call(self):
        """Read what is needed of the provider to call the server, and for what follows from most of
        its answers: the whole is large, and webhooks read it twice."""
        self.sudo().fetch(CALL_FIELDS)

    def _btcpay_explain(self, error):
        """Return what an error of the server means for a person, and what to do.

        :param GreenfieldError|RowBusy error: The error.
        :rtype: str
        """
        match error:
            case NotConnected():
                return _(
                    "No BTCPay Server is connected. An administrator can connect one in the"
                    " settings of the payment provider."
                )
            case UnsafeAddress():
                return _(
                    "The address of the BTCPay Server cannot be used safely, so that nothing was"
                    " sent to it. An administrator can connect the store again in the settings of"
                    " the payment provider."
                )
            case StoreNotConnected():
                return _(
                    "The store in which this payment was made is no longer connected. Connect it"
                    " again, or check the payment on the BTCPay Server itself."
                )
            case Unreachable(kind=errors.PEER):
                return _(
                    "The name of the BTCPay Server leads to an IP address at which none can be,"
                    " such as a cloud's metadata or plain http over the open Internet, so that"
                    " nothing was sent to it. Correct the name's DNS entry, or connect the store"
                    " again in the settings of the payment provider."
                )
            case Unreachable(kind=errors.NO_SOCKS):
                return self._btcpay_get_socks_sentence()
            case Unreachable(kind=errors.CERTIFICATE):
                return _(
                    "The certificate of the BTCPay Server is not valid, so that Odoo cannot be sure"
                    " to speak to your server. Renew the certificate at the server."
                )
            case Unreachable(kind=errors.TLS):
                return _(
                    "There is no secure connection with the BTCPay Server: the encryption failed."
                    " Check that it is reached by https, and what stands between Odoo and the"
                    " server (proxy, firewall)."
                )
            case Unreachable():
                return _(
                    "The BTCPay Server did not answer. Check that it is running and can be reached"
                    " from Odoo, then try again."
                )
            case Unauthorized():
                return _(
                    "The BTCPay Server no longer accepts the API key. An administrator can connect"
                    " the store again in the settings of the payment provider."
                )
            case Forbidden():  # No permission is named where it does not exist.
                return _(
                    "The BTCPay Server refused access: the invoice or store does not exist, or the"
                    " API key lacks a permission."
                )
            case Moved():
                return _(
                    "The BTCPay Server has moved to another address. An administrator can connect"
                    " it again in the settings of the payment provider."
                )
            case ServerFault():
                return _(
                    "The BTCPay Server has a problem at the moment (HTTP %s). Try again in a few"
                    " minutes.", error.status,
                )
            case NotUnderstood():
                return _(
                    "The BTCPay Server's answer cannot be understood. Try again; if that does not"
                    " help, check what stands between Odoo and the server (proxy, firewall)."
                )
            case NothingEnabled():
                return _(
                    "The store has no payment method enabled. Set up a Bitcoin wallet or a"
                    " Lightning node in the store on your BTCPay Server, then click “Refresh”."
                )
            case MethodMissing():
                return _("The BTCPay Server makes no invoices that can be paid so.")
            case AnotherInvoice():
                return _("The BTCPay Server made another invoice than it was asked for.")
            case NotFound() | Refused():
                return _(
                    "The BTCPay Server refused the request: %s",
                    error.reason or f'HTTP {error.status}',
                )
        return str(error)
