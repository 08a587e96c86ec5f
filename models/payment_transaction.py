from odoo import _, api, fields, models

from odoo.addons.payment_btcpay.utils import (
    is_api_id,
    is_web_link,
    parse_decimal,
    parse_timestamp,
)


class PaymentTransaction(models.Model):
    _inherit = 'payment.transaction'

    btcpay_invoice_id = fields.Char(
        string="BTCPay Invoice", readonly=True, copy=False, index='btree_not_null'
    )
    # The store of the time of the payment: the provider may be connected with another one later.
    btcpay_store_id = fields.Char(readonly=True, copy=False, groups='base.group_system')
    btcpay_requested_at = fields.Datetime(
        help="When the server was asked to make the invoice, whether it answered or not.",
        readonly=True, copy=False,
    )
    btcpay_checkout_link = fields.Char(string="Invoice Page", readonly=True, copy=False)
    btcpay_status = fields.Char(
        string="Status at the Server", help="The invoice's `status`.", readonly=True, copy=False
    )
    btcpay_additional_status = fields.Char(
        string="Additional Status at the Server", help="The invoice's `additionalStatus`.",
        readonly=True, copy=False,
    )
    btcpay_paid_amount = fields.Monetary(
        string="Received", help="What the server has received for the invoice.",
        currency_field='currency_id', readonly=True, copy=False,
    )
    btcpay_missing_amount = fields.Monetary(
        string="Missing", help="What was asked for and has not been received.",
        compute='_compute_btcpay_differences', store=True, currency_field='currency_id',
    )
    btcpay_surplus_amount = fields.Monetary(
        string="Surplus", help="What was received beyond what was asked for.",
        compute='_compute_btcpay_differences', store=True, currency_field='currency_id',
    )
    btcpay_expires_at = fields.Datetime(string="Invoice Expires", readonly=True, copy=False)
    btcpay_monitored_until = fields.Datetime(
        string="Monitored Until",
        help="Until then the server watches for payments of the invoice.",
        readonly=True, copy=False,
    )
    btcpay_checked_at = fields.Datetime(string="Last Look", readonly=True, copy=False)
    # Counts the looks that were applied, to notice that somebody else's came in between.
    btcpay_look_count = fields.Integer(readonly=True, copy=False)
    btcpay_payment_ids = fields.One2many(
        string="Payments Received", comodel_name='btcpay.payment', inverse_name='transaction_id',
        readonly=True,
    )

    _btcpay_invoice_uniq = models.UniqueIndex(
        '(provider_id, btcpay_invoice_id)'
        ' WHERE btcpay_invoice_id IS NOT NULL AND source_transaction_id IS NULL',
        "An invoice belongs to one transaction.",
    )

    # === COMPUTE METHODS === #

    @api.depends('amount', 'btcpay_paid_amount', 'btcpay_invoice_id')
    def _compute_btcpay_differences(self):
        for tx in self:
            difference = tx.btcpay_invoice_id and tx.btcpay_paid_amount - tx.amount
            tx.btcpay_missing_amount = max(-difference, 0)
            tx.btcpay_surplus_amount = max(difference, 0)

    # === FRAMEWORK HOOKS === #

    @api.model
    def _extract_reference(self, provider_code, payment_data):
        """Override of `payment` to extract the reference from the payment data."""
        if provider_code != 'btcpay':
            return super()._extract_reference(provider_code, payment_data)
        metadata = payment_data['invoice'].get('metadata')
        return metadata.get('orderId') if isinstance(metadata, dict) else None

    def _extract_amount_data(self, payment_data):
        """Override of `payment` to extract the amount and currency from the payment data."""
        if self.provider_code != 'btcpay':
            return super()._extract_amount_data(payment_data)
        if self.operation == 'refund':
            return None  # What was paid out is compared when the refund is applied.
        invoice = payment_data['invoice']
        return {
            'amount': float(parse_decimal(invoice.get('amount')) or 0),
            'currency_code': invoice.get('currency'),
        }

    def _validate_amount(self, payment_data):
        """Override of `payment` to tell a person of an invoice that is not the transaction's.

        The framework's own check stops only the look that changes the state to error.
        """
        if self.provider_code != 'btcpay' or self.operation == 'refund':
            return super()._validate_amount(payment_data)
        if discrepancy := self._btcpay_find_discrepancy(payment_data['invoice']):
            # Refused, with a line in the log, if it is done already.
            self._set_error(_(
                "This payment could not be matched with your order. Please contact us before you"
                " pay again."
            ))
            self._btcpay_ask_person(discrepancy)
            return None
        return super()._validate_amount(payment_data)

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
            'btcpay_checked_at': fields.Datetime.now(),
        }
