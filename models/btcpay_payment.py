from decimal import Decimal

from markupsafe import Markup

from odoo import _, api, fields, models
from odoo.orm.models import NO_ACCESS

from odoo.addons.payment_btcpay.greenfield import is_lightning
from odoo.addons.payment_btcpay.utils import name_method


class BTCPayPayment(models.Model):
    _name = 'btcpay.payment'
    _description = "BTCPay Server Payment"
    _order = 'received_at, id'
    _rec_name = 'payment_ref'

    transaction_id = fields.Many2one(
        comodel_name='payment.transaction', required=True, index=True, ondelete='cascade',
        readonly=True,
    )
    payment_ref = fields.Char(
        string="Payment ID",
        help="The transaction id and output of an on-chain payment, the payment hash of a Lightning"
             " payment.",
        required=True, readonly=True,
    )
    txid = fields.Char(
        string="Transaction ID or Payment Hash",
        help="As a block explorer takes it: without the number of the output.",
        compute='_compute_txid', store=True, index='btree_not_null',
    )
    explorer_link = fields.Char(
        string="In the Block Explorer", compute='_compute_explorer_link', compute_sudo=True
    )
    method = fields.Char(string="Payment Method", required=True, readonly=True)
    # Decimal strings as the server sends them: satoshis do not survive binary floats.
    crypto_amount = fields.Char(readonly=True)
    crypto_currency = fields.Char(readonly=True)
    crypto_fee = fields.Char(
        string="Network Fee", help="What the server takes off for the network's fee.", readonly=True
    )
    rate = fields.Char(help="The price of one unit of the crypto currency.", readonly=True)
    # The same, for people.
    method_name = fields.Char(string="Paid By", compute='_compute_texts')
    crypto_text = fields.Char(string="Paid in Crypto", compute='_compute_texts')
    rate_text = fields.Char(string="Exchange Rate", compute='_compute_texts')
    currency_id = fields.Many2one(related='transaction_id.currency_id')
    amount = fields.Monetary(help="The amount at the rate of the invoice.", readonly=True)
    fee_amount = fields.Monetary(
        string="Network Fee Included",
        help="What the server takes off of it for the network's fee, at the rate of the invoice.",
        compute='_compute_fee_amount',
    )
    status = fields.Selection(
        selection=[
            ('Processing', "Waiting for confirmation"),
            ('Settled', "Confirmed"),
            ('Invalid', "Replaced or invalid"),
        ],
        readonly=True,
    )
    destination = fields.Char(readonly=True)
    received_at = fields.Datetime(string="Received on", readonly=True)
    noted_invoice_ids = fields.Many2many(
        string="Noted on", help="The customer invoices in whose chatter it is noted.",
        comodel_name='account.move', copy=False, groups=NO_ACCESS,
    )

    _payment_uniq = models.Constraint(
        'unique(transaction_id, method, payment_ref)', "A payment is listed once."
    )

    @api.depends('payment_ref', 'method')
    def _compute_txid(self):
        for payment in self:
            txid, dash, output = (payment.payment_ref or '').rpartition('-')
            is_output = dash and output.isdecimal() and not is_lightning(payment.method or '')
            payment.txid = txid if is_output else payment.payment_ref

    @api.depends('txid', 'method', 'transaction_id.provider_id.btcpay_explorer_url')
    def _compute_explorer_link(self):
        for payment in self:
            payment.explorer_link = payment.transaction_id.provider_id._btcpay_get_explorer_link(
                payment.txid, payment.method
            )

    @api.depends('crypto_fee', 'rate')
    def _compute_fee_amount(self):
        for payment in self:
            payment.fee_amount = float(payment._get_fee())

    def _get_worth(self):
        """Return what came in, the network's fee included.

        :return: The amount at the rate of the invoice, in the transaction's currency, not rounded.
        :rtype: Decimal
        """
        self.ensure_one()
        return Decimal(self.crypto_amount or 0) * Decimal(self.rate or 0)

    def _get_fee(self):
        """Return what the server takes off for the network's fee.

        :return: The amount at the rate of the invoice, in the transaction's currency, not rounded.
        :rtype: Decimal
        """
        self.ensure_one()
        return Decimal(self.crypto_fee or 0) * Decimal(self.rate or 0)

    def _get_note(self):
        """Return what accountants need of the payment, for a note.

        :rtype: Markup
        """
        self.ensure_one()
        shown = self.currency_id.format
        lines = [_(
            "%(crypto)s by %(method)s, worth %(amount)s", crypto=self.crypto_text,
            method=self.method_name, amount=shown(self.amount),
        )]
        if self.rate:
            lines.append(_("Exchange rate: %s", self.rate_text))
        if self._get_fee():
            lines.append(_(
                "Network fee included: %(crypto)s (%(amount)s)",
                crypto=f'{self.crypto_fee} {self.crypto_currency or ""}'.strip(),
                amount=shown(self.fee_amount),
            ))
        if self.received_at:
            lines.append(_("Received on: %s UTC", self.received_at))
        lines.append(_("Transaction ID or payment hash: %s", self.txid))
        if self.explorer_link:
            lines.append(Markup('<a href="%s" target="_blank">%s</a>') % (
                self.explorer_link, _("Look up in the block explorer"),
            ))
        return Markup('<br/>').join(lines)

    @api.depends('method', 'crypto_amount', 'crypto_currency', 'rate', 'currency_id')
    @api.depends_context('lang')
    def _compute_texts(self):
        for payment in self:
            payment.method_name = name_method(self.env, payment.method)
            payment.crypto_text = f'{payment.crypto_amount} {payment.crypto_currency or ""}'.strip()
            payment.rate_text = payment.rate and payment.currency_id.format(float(payment.rate))
