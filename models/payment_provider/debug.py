"""Debug mode: for a week the bodies of calls and deliveries are kept, see `btcpay.log.entry`."""
import time
from contextlib import contextmanager
from datetime import timedelta

from odoo import api, fields, models

from odoo.addons.payment_btcpay import const
from odoo.addons.payment_btcpay.greenfield import (
    mask_pull_payment,
    redact_call,
    redact_event,
    redact_parameters,
    redact_words,
)


class AnsweredDelivery:
    """What is known of a delivery while it is being answered.

    :ivar int status: The HTTP status that it is answered with.
    :ivar str result: What came of it.
    :ivar WebhookEvent event: The event, once it was found to be the server's.
    :ivar str reference: The reference of the transaction that it is about.
    """

    status, result, event, reference = 500, '', None, ''


class PaymentProvider(models.Model):
    _inherit = 'payment.provider'

    btcpay_debug = fields.Boolean(
        string="Debug Mode",
        help="Keep what is sent to the BTCPay Server and what comes from it, for questions to its"
             " support or ours. Keys, secrets and what is about customers are left out. Debug mode"
             " switches itself off after a week.",
        copy=False, groups='base.group_system',
    )
    btcpay_debug_until = fields.Datetime(
        string="Debug Mode Ends", compute='_compute_btcpay_debug_until', store=True, copy=False,
        groups='base.group_system',
    )
    btcpay_debug_days = fields.Integer(
        string="Debug Log Retention (days)",
        help="The number of days after which entries are removed from the debug log.",
        default=14, groups='base.group_system',
    )
    _btcpay_debug_days_positive = models.Constraint(
        'CHECK(btcpay_debug_days > 0)', "The debug log is kept for at least one day."
    )

    @api.depends('btcpay_debug')
    def _compute_btcpay_debug_until(self):
        now = fields.Datetime.now()
        for provider in self:
            if provider.btcpay_debug:
                provider.btcpay_debug_until = now + timedelta(days=const.DEBUG_DAYS)
            # Else it stays and tells that debug mode has switched itself off.
            elif not provider.btcpay_debug_until or provider.btcpay_debug_until > now:
                provider.btcpay_debug_until = False

    def action_btcpay_view_log(self):
        """Open the debug log of the provider.

        :rtype: dict
        """
        self.ensure_one()
        return self.env['btcpay.log.entry']._open([('provider_id', '=', self.id)])

    @api.autovacuum
    def _btcpay_end_debug_mode(self):
        """Switch debug mode off where it has been on for long, and note it on the provider."""
        over = self.sudo().search([
            ('btcpay_debug', '=', True), ('btcpay_debug_until', '<=', fields.Datetime.now()),
        ])
        over.btcpay_debug = False
        for provider in over:
            provider = provider._btcpay_in_company_language()
            provider.message_post(body=provider.env._(
                "Debug mode was on for a week and has switched itself off."
            ))

    # === WHAT IS KEPT === #

    def _btcpay_is_debugging(self):
        """Return whether bodies are to be kept. To be asked before anything else is done: then it
        is read along with the rest of the provider."""
        provider = self.sudo()
        until = provider.btcpay_debug and self.id and provider.btcpay_debug_until
        return bool(until and until > fields.Datetime.now())

    def _btcpay_keep_call(self, endpoint, params, json, answer, secrets, **values):
        """Keep a call in the debug log.

        :param str endpoint: The path.
        :param dict|list|None params: The query.
        :param dict|None json: What was sent.
        :param greenfield.Answer|None answer: The answer, if there was one.
        :param list[str] secrets: The secrets that the call was made with.
        :param dict values: Other values of the entry, see `btcpay.log.entry`.
        """
        def get_values():
            status, body = (answer.status, answer.body) if answer else (0, b'')
            sent, received = redact_call(endpoint, json, status, body, secrets)
            query = redact_parameters(params)
            return {
                **values, 'status': status, 'sent': sent, 'received': received,
                'path': mask_pull_payment(endpoint) + (f'?{query}' if query else ''),
                'result': redact_words(values['result'] or '', secrets),
            }

        self.env['btcpay.log.entry']._note(self.id, 'call', get_values)

    @contextmanager
    def _btcpay_keep_delivery(self, body, senders):
        """Keep a delivery in the debug log once it is answered, whoever has sent it.

        :param bytes body: The body.
        :param Senders senders: Who may send it.
        :return: What is known of it, to be completed.
        :rtype: AbstractContextManager[AnsweredDelivery]
        """
        delivery = AnsweredDelivery()
        if not senders.debug_until or senders.debug_until <= fields.Datetime.now():
            yield delivery
            return
        provider_id, secrets = self.id, [
            secret for webhook in senders.webhooks for secret in webhook.secrets
        ]
        start = time.monotonic()

        def get_values():
            event = delivery.event
            return {
                'method': 'POST',
                'path': f'{const.WEBHOOK_ROUTE}/{provider_id}',
                'status': delivery.status,
                'result': delivery.result,
                'milliseconds': round((time.monotonic() - start) * 1000),
                'reference': delivery.reference,
                'delivery_ref': event and event.delivery_id,
                'received': redact_event(body, secrets),
            }

        try:
            yield delivery
        except Exception as error:
            delivery.result = type(error).__name__
            raise
        finally:
            self.env['btcpay.log.entry']._note(
                provider_id, 'delivery' if delivery.event else 'refused', get_values
            )
