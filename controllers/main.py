import re
import time

from werkzeug.exceptions import RequestEntityTooLarge

from odoo import http
from odoo.http import request

from odoo.addons.payment.controllers.post_processing import PaymentPostProcessing
from odoo.addons.payment.logging import get_payment_logger
from odoo.addons.payment_btcpay import const
from odoo.addons.payment_btcpay.controllers.pay_again import BEGUN_KEY
from odoo.addons.payment_btcpay.greenfield import NotUnderstood, WebhookEvent, clean, is_signed
from odoo.addons.payment_btcpay.models.payment_transaction.sync import SYNC_FIELDS

_logger = get_payment_logger(__name__, sensitive_keys=const.SENSITIVE_KEYS)


class BTCPayController(http.Controller):

    @http.route(
        const.RETURN_ROUTE, type='http', auth='public', methods=['GET'], save_session=False,
        sitemap=False, max_content_length=const.MAX_FORM_SIZE,
    )
    def btcpay_return_from_checkout(self, ref='', **_data):
        """Sync the payment of the customer who comes back from the server's checkout page.

        Nothing in the address is believed: anybody can open it.

        The session is not saved, so that a customer who comes without cookie keeps the one that has
        the transaction, see the same in `payment_mollie`; but for one that has begun it.

        :param str ref: The reference of the transaction.
        :return: The redirection to the status page.
        :rtype: Response
        """
        tx_sudo = request.env['payment.transaction'].sudo().search_fetch([
            ('reference', '=', clean(ref)), ('provider_code', '=', 'btcpay'),
        ], SYNC_FIELDS, limit=1)
        if tx_sudo:
            tx_sudo._btcpay_sync_for_browser()
            self._have_shown(tx_sudo)
        return request.redirect('/payment/status')

    @staticmethod
    def _have_shown(tx_sudo):
        """Have the status page show the payment that the customer comes back from, where the
        session has begun one for something else since, or by another provider: it would ask for
        that.

        Of several of ours for the same the page finds the one that has arrived by itself.

        :param payment.transaction tx_sudo: The transaction.
        """
        session = request.session
        shown_id = session.get(PaymentPostProcessing.MONITORED_TX_ID_KEY)
        if shown_id == tx_sudo.id or tx_sudo.id not in session.get(BEGUN_KEY, ()):
            return
        siblings = tx_sudo._btcpay_get_payment_siblings()
        if shown_id not in siblings.filtered(lambda tx: tx.provider_code == 'btcpay').ids:
            session.can_save = True  # It came with its cookie.
            PaymentPostProcessing.monitor_transaction(tx_sudo)

    @http.route(
        # Not <int>: of what is none Odoo makes a page, and fails to for thousands of digits.
        f'{const.WEBHOOK_ROUTE}/<provider_id>', type='http', auth='public', methods=['POST'],
        csrf=False, save_session=False, sitemap=False, max_content_length=const.MAX_WEBHOOK_SIZE,
    )
    def btcpay_webhook(self, provider_id, **_data):
        """Keep a signed event and have its transaction synced.

        The server tries again after 5xx, 408 and 429, and holds back all later events meanwhile:
        they are answered only if the event could not be kept.

        See https://docs.btcpayserver.org/API/Greenfield/v1/#tag/Webhooks

        :param str provider_id: The id of the provider the event is for.
        :return: An empty response: 200 for what was kept, 403 for what is not from the server, 413
                 and 400 for what is no event.
        :rtype: Response
        """
        try:
            body = self._read_body()
        except RequestEntityTooLarge:
            return self._answer(413)
        provider_id = int(provider_id) if re.fullmatch(r'[0-9]{1,18}', provider_id) else 0
        provider_sudo = request.env['payment.provider'].sudo().browse(provider_id)
        senders = provider_sudo._btcpay_find_senders(provider_id)
        with provider_sudo._btcpay_keep_delivery(body, senders) as delivery:
            delivery.status, delivery.result = self._take(provider_sudo, senders, body, delivery)
        return self._answer(delivery.status)

    def _take(self, provider_sudo, senders, body, delivery):
        """Keep an event if it is the server's, and have its transaction synced.

        :param payment.provider provider_sudo: The provider that the event is for, if it is one.
        :param Senders senders: Who may send it.
        :param bytes body: The event as it came.
        :param AnsweredDelivery delivery: What is known of it, to be completed.
        :return: The HTTP status of the answer, and why it is refused, if it is.
        :rtype: tuple[int, str]
        """
        start = time.monotonic()
        signature = request.httprequest.headers.get('BTCPay-Sig', '')
        event, provider_id = None, provider_sudo.id
        for webhook in senders.webhooks:
            if not is_signed(body, signature, webhook.secrets):
                continue
            try:
                event = event or WebhookEvent.parse(body)
            except NotUnderstood:
                _logger.warning(
                    "Refused a signed event for provider %s: it is malformed.", provider_id)
                return 400, "malformed"
            if event.store_id == webhook.store_id and webhook.id in (None, event.webhook_id):
                break
        else:
            if not event:
                _logger.warning("Refused an event for provider %s: wrong signature.", provider_id)
                return 403, "wrong signature"
            _logger.warning(
                "Refused event %(id)s for provider %(provider)s: another store's or webhook's.",
                {'id': event.delivery_id, 'provider': provider_id},
            )
            return 403, "another store's or webhook's"
        delivery.event = event
        delivery.reference = request.env['btcpay.delivery']._receive(provider_sudo, event)
        _logger.info(
            "BTCPay event %(type)s, delivery %(id)s for %(about)s: HTTP 200 in %(ms)d ms.",
            {
                'type': event.type,
                'id': event.delivery_id,
                'about': f'transaction {delivery.reference}' if delivery.reference
                         else f'provider {provider_id}',
                'ms': round((time.monotonic() - start) * 1000),
            },
        )
        return 200, ''

    @staticmethod
    def _answer(status):
        return request.make_response('', headers=[('Content-Type', 'text/plain')], status=status)

    @staticmethod
    def _read_body():
        """Read the body, as far as an event can be long: older Werkzeugs only limit forms.

        :return: The raw bytes, as they were signed.
        :rtype: bytes
        :raise RequestEntityTooLarge: If there is more.
        """
        httprequest = request.httprequest
        if (httprequest.content_length or 0) > const.MAX_WEBHOOK_SIZE:
            raise RequestEntityTooLarge()
        body = httprequest.get_data()
        if len(body) > const.MAX_WEBHOOK_SIZE:
            raise RequestEntityTooLarge()
        return body
