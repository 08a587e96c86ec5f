import time

import requests

from odoo import _, models

from odoo.addons.payment.logging import get_payment_logger
from odoo.addons.payment_btcpay import const
from odoo.addons.payment_btcpay.http_client import send_request
from odoo.addons.payment_btcpay.utils import BTCPayError

_logger = get_payment_logger(__name__, sensitive_keys=const.SENSITIVE_KEYS)


class PaymentProvider(models.Model):
    _inherit = 'payment.provider'

    def _btcpay_send_request(
        self, method, endpoint, *, params=None, data=None, json=None, reference=None, **kwargs
    ):
        """Override of `payment` to send a request to the Greenfield API.

        The framework's own follows redirects with the key, loses the HTTP status, has no deadline
        for the whole call and logs the bodies.

        :param dict kwargs: `btcpay_server_url` and `btcpay_api_key` to use instead of the stored
                            ones (an empty key sends none); `btcpay_timeout`, in seconds.
        :raise BTCPayError: If the call did not bring a usable answer.
        """
        self.ensure_one()

        url = self._build_request_url(endpoint, **kwargs)
        headers = self._build_request_headers(method, endpoint, json, **kwargs)
        timeout = kwargs.get('btcpay_timeout') or const.TIMEOUT
        # Endpoints carry ids only; bodies and keys are never logged.
        about = f"transaction {reference}" if reference else f"provider {self.id or '(removed)'}"
        start = time.monotonic()
        try:
            response = send_request(
                method, url, params=params, data=data, json=json, headers=headers, timeout=timeout
            )
        except requests.exceptions.RequestException as error:
            _logger.warning(
                "BTCPay %(method)s %(endpoint)s for %(about)s: no answer after %(seconds).1f s"
                " (%(error)s).",
                {
                    'method': method, 'endpoint': endpoint, 'about': about,
                    'seconds': time.monotonic() - start, 'error': type(error).__name__,
                },
            )
            raise BTCPayError(_(
                "The BTCPay Server did not answer. Check that it is running and can be reached"
                " from Odoo, then try again."
            )) from error

        _logger.info(
            "BTCPay %(method)s %(endpoint)s for %(about)s: HTTP %(status)s in %(seconds).1f s.",
            {
                'method': method, 'endpoint': endpoint, 'about': about,
                'status': response.status_code, 'seconds': time.monotonic() - start,
            },
        )
        if not 200 <= response.status_code < 300:
            raise self._btcpay_make_error(response)
        return self._parse_response_content(response, **kwargs)

    @staticmethod
    def _btcpay_parse_error_body(response):
        """Read the body of a refusal.

        :param requests.Response response: The response.
        :return: The error code, the message, and the list of refused fields.
        :rtype: tuple[str, str, list]
        """
        try:
            content = response.json()
        except (ValueError, RecursionError):
            return '', '', []
        if isinstance(content, list):  # HTTP 422: a list of {path, message}.
            details = [item for item in content if isinstance(item, dict)]
            return 'validation', '; '.join(
                f"{item.get('path')}: {item.get('message')}" for item in details
            )[:500], details
        if isinstance(content, dict):
            # The message can be the server's log of many lines; the first one says it.
            message = str(content.get('message') or '').strip().splitlines()[:1]
            return str(content.get('code') or ''), ''.join(message)[:500], []
        return '', '', []

    def _btcpay_make_error(self, response):
        """Turn a refusal of the server into an error that says what to do.

        :param requests.Response response: The response.
        :return: The error to raise.
        :rtype: BTCPayError
        """
        code, _message, details = self._btcpay_parse_error_body(response)
        message = self._parse_response_error(response)
        status = response.status_code
        if status == 401:
            text = _(
                "The BTCPay Server no longer accepts the API key. An administrator can connect the"
                " store again in the settings of the payment provider."
            )
        elif status == 403:
            # The server answers the same for what does not exist: no permission is named.
            text = _(
                "The BTCPay Server refused access: the invoice or store does not exist, or the API"
                " key lacks a permission."
            )
        elif 300 <= status < 400:
            text = _(
                "The BTCPay Server has moved to another address. An administrator can connect it"
                " again in the settings of the payment provider."
            )
        elif status >= 500 or status in (408, 429):
            text = _(
                "The BTCPay Server has a problem at the moment (HTTP %s). Try again in a few"
                " minutes.", status,
            )
        else:
            text = _("The BTCPay Server refused the request: %s", message or f'HTTP {status}')
        if status >= 400:
            _logger.warning(
                "BTCPay answered HTTP %(status)s %(code)s: %(message)s",
                {'status': status, 'code': code, 'message': message},
            )
        return BTCPayError(text, status=status, code=code, details=details)

    def _btcpay_make_unexpected_error(self):
        """Return the error for an answer that is none: half a body, or not what the API promises.

        :return: The error to raise.
        :rtype: BTCPayError
        """
        return BTCPayError(
            _(
                "The BTCPay Server's answer cannot be understood. Try again; if it stays so, check"
                " what stands between Odoo and the server (proxy, firewall)."
            ),
            code='unexpected-answer',
        )

    def _btcpay_store_endpoint(self, path=''):
        """Return an endpoint of the connected store.

        :param str path: The path below the store, e.g. `/invoices`.
        :return: The endpoint.
        :rtype: str
        """
        self.ensure_one()
        return f'/stores/{self.sudo().btcpay_store_id}{path}'
