from odoo import fields, models


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
        required=True,
        readonly=True,
    )
    method = fields.Char(string="Payment Method", required=True, readonly=True)
    # Decimal strings as the server sends them: satoshis do not survive binary floats.
    crypto_amount = fields.Char(readonly=True)
    crypto_currency = fields.Char(readonly=True)
    crypto_fee = fields.Char(
        string="Network Fee", help="What the server takes off for the network's fee.", readonly=True
    )
    rate = fields.Char(help="The price of one unit of the crypto currency.", readonly=True)
    currency_id = fields.Many2one(related='transaction_id.currency_id')
    amount = fields.Monetary(help="The amount at the rate of the invoice.", readonly=True)
    status = fields.Selection(
        selection=[
            ('Processing', "Waiting for confirmation"),
            ('Settled', "Confirmed"),
            ('Invalid', "Replaced or invalid"),
        ],
        readonly=True,
    )
    destination = fields.Char(readonly=True)
    received_at = fields.Datetime(string="Received", readonly=True)

    _payment_uniq = models.Constraint(
        'unique(transaction_id, method, payment_ref)', "A payment is listed once."
    )
