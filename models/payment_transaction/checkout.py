from urllib.parse import quote

from odoo import _, api, fields, models

from odoo.addons.payment.logging import get_payment_logger
from odoo.addons.payment_btcpay import const
from odoo.addons.payment_btcpay.db import commit_and_refresh, lock
from odoo.addons.payment_btcpay.utils import (
    BTCPayError,
    format_amount,
    is_api_id,
    is_web_link,
    match_language,
    parse_decimal,
    parse_timestamp,
)

_logger = get_payment_logger(__name__, sensitive_keys=const.SENSITIVE_KEYS)


class PaymentTransaction(models.Model):
    _inherit = 'payment.transaction'

    # === INVOICES === #

    @api.model
    def _btcpay_is_invoice(self, invoice):
        """Return whether an answer of the server is an invoice with all we need of it.

        :param invoice: The answer, of any type.
        :rtype: bool
        """
        return (
            isinstance(invoice, dict)
            and is_api_id(invoice.get('id'))
            and all(isinstance(invoice.get(key), str) for key in ('status', 'additionalStatus'))
            and all(
                parse_decimal(invoice.get(key)) is not None for key in ('amount', 'paidAmount')
            )
        )

    def _btcpay_find_discrepancy(self, invoice):
        """Compare an invoice with the transaction it is said to be for.

        :param dict invoice: The invoice.
        :return: What does not agree, for a person; empty if all does.
        :rtype: str
        """
        self.ensure_one()
        metadata = invoice.get('metadata')
        order_id = metadata.get('orderId') if isinstance(metadata, dict) else None
        amount = parse_decimal(invoice.get('amount'))
        store_id = self.sudo().btcpay_store_id or self.provider_id.sudo().btcpay_store_id
        if invoice.get('storeId') != store_id:
            return _(
                "The invoice %(invoice)s belongs to another store at the BTCPay Server. Check the"
                " payment there.", invoice=invoice.get('id'),
            )
        if order_id != self.reference:
            return _(
                "The invoice %(invoice)s at the BTCPay Server is for “%(other)s”, not for"
                " %(reference)s. Check the payment there.",
                invoice=invoice.get('id'), other=order_id, reference=self.reference,
            )
        if (
            invoice.get('currency') != self.currency_id.name
            or self.currency_id.compare_amounts(float(amount), self.amount) != 0
        ):
            return _(
                "The invoice %(invoice)s at the BTCPay Server is over %(other_amount)s"
                " %(other_currency)s, the transaction over %(amount)s. Check the payment there.",
                invoice=invoice.get('id'), other_amount=amount,
                other_currency=invoice.get('currency'),
                amount=self.currency_id.format(self.amount),
            )
        return ''

    @api.model
    def _btcpay_get_invoice_values(self, invoice):
        """Return what is stored of an invoice with its transaction.

        :param dict invoice: The invoice, checked by `_btcpay_is_invoice`.
        :return: The values to write.
        :rtype: dict
        """
        link = invoice.get('checkoutLink')
        return {
            'btcpay_checkout_link': link if is_web_link(link) else False,
            'btcpay_status': invoice['status'],
            'btcpay_additional_status': invoice['additionalStatus'],
            'btcpay_paid_amount': float(parse_decimal(invoice['paidAmount'])),
            'btcpay_expires_at': parse_timestamp(invoice.get('expirationTime')),
            'btcpay_monitored_until': parse_timestamp(invoice.get('monitoringExpiration')),
            'btcpay_synced_at': fields.Datetime.now(),
        }

    def _btcpay_create_invoice(self):
        """Make the invoice of the transaction at the server.

        The transaction is stored first: the request may be run again after a serialization failure,
        which must neither forget this invoice nor make a second one, and no row may be locked while
        waiting for the server. If the call fails the transaction ends in error, with a sentence for
        the customer; the reason is in the log.

        Note: `self.ensure_one()`

        :return: None
        """
        self.ensure_one()
        if self.btcpay_invoice_id or self.state != 'draft':
            return
        if refusal := self._btcpay_get_checkout_refusal():
            _logger.warning("No invoice for transaction %s: %s", self.reference, refusal)
            self._set_error(_(
                "This payment cannot be made with Bitcoin. Nothing was charged. Please choose"
                " another payment method."
            ))
            return

        payload = self._btcpay_prepare_invoice_payload()
        self.btcpay_requested_at = fields.Datetime.now()
        self.btcpay_store_id = self.provider_id.sudo().btcpay_store_id
        commit_and_refresh(self.env)
        error = None
        try:
            invoice = self._send_api_request(
                'POST', self.provider_id._btcpay_store_endpoint('/invoices'), json=payload
            )
            self._btcpay_check_new_invoice(invoice)
        except BTCPayError as exc:
            error = exc
        commit_and_refresh(self.env)
        lock(self)
        # The server's first event may have been quicker than its answer, and brought the invoice.
        if not self.btcpay_invoice_id:
            if error:
                self._btcpay_fail_checkout(error)
            else:
                self._btcpay_store_invoice(invoice)
        commit_and_refresh(self.env)

    def _btcpay_fail_checkout(self, error):
        """End the transaction whose invoice could not be made.

        :param BTCPayError error: The reason, for the log.
        :return: None
        """
        self.ensure_one()
        _logger.error("No invoice for transaction %s: %s", self.reference, error.args[0])
        if not error.is_temporary:
            self.btcpay_requested_at = False  # Refused: there is none to look for.
        self._set_error(_(
            "The Bitcoin payment could not be started. Nothing was charged. Please try again in"
            " a few minutes, or choose another payment method."
        ))

    def _btcpay_get_checkout_refusal(self):
        """Return why the transaction must not be paid with this provider.

        The browser chooses provider, method and, on some pages, the amount: Odoo does not check
        whether they go together.

        :return: The reason, for the log; empty if there is none.
        :rtype: str
        """
        self.ensure_one()
        provider = self.provider_id
        if self.operation != 'online_redirect':
            return f"operation {self.operation} is not supported"
        if provider.state == 'disabled' or not provider._btcpay_is_connected():
            return "the provider is disabled or not connected"
        if self.payment_method_id not in provider.payment_method_ids:
            return f"payment method {self.payment_method_code} is not one of the provider"
        if self.currency_id.compare_amounts(self.amount, 0) <= 0:
            return f"the amount {self.amount} is not positive"
        if self.currency_id not in provider._get_supported_currencies():
            return f"currency {self.currency_id.name} is not supported"
        if (
            provider.available_currency_ids
            and self.currency_id not in provider.available_currency_ids
        ):
            return f"currency {self.currency_id.name} is not available"
        return ''

    def _btcpay_prepare_invoice_payload(self):
        """Prepare the request that makes the invoice, from the transaction alone.

        Nothing about the customer leaves Odoo but the language.

        :return: The payload, see `CreateInvoiceRequest` of the Greenfield API.
        :rtype: dict
        """
        self.ensure_one()
        provider = self.provider_id.sudo()
        base_url = provider.get_base_url()  # Of the website the customer is on.
        checkout = {
            'redirectURL': f'{base_url.rstrip("/")}{const.RETURN_ROUTE}'
                           f'?ref={quote(self.reference, safe="")}',
            'redirectAutomatically': True,
        }
        language = match_language(
            self.env.context.get('lang') or self.partner_lang,
            (provider.btcpay_languages or '').split(),
        )
        if language:
            checkout['defaultLanguage'] = language
        return {
            'amount': format_amount(self.amount, self.currency_id),
            'currency': self.currency_id.name,
            'metadata': {'orderId': self.reference},
            'checkout': checkout,
        }

    def _btcpay_check_new_invoice(self, invoice):
        """Check that the server made the invoice that was asked for.

        :param dict invoice: The server's answer.
        :return: None
        :raise BTCPayError: If it is another one; the customer must not be sent there.
        """
        if not self._btcpay_is_invoice(invoice):
            raise self.provider_id._btcpay_make_unexpected_error()
        if discrepancy := self._btcpay_find_discrepancy(invoice):
            raise BTCPayError(discrepancy)
        if not is_web_link(invoice.get('checkoutLink')):
            raise self.provider_id._btcpay_make_unexpected_error()

    def _btcpay_store_invoice(self, invoice):
        """Remember the invoice of the transaction.

        :param dict invoice: The invoice, checked.
        :return: None
        """
        self.ensure_one()
        self.write({
            'provider_reference': invoice['id'],
            'btcpay_invoice_id': invoice['id'],
            **self._btcpay_get_invoice_values(invoice),
        })
