from odoo import fields, models


class BTCPayPayout(models.Model):
    _name = 'btcpay.payout'
    _description = "BTCPay Server Payout"
    _order = 'claimed_at, id'
    _rec_name = 'payout_ref'

    transaction_id = fields.Many2one(
        string="Refund", comodel_name='payment.transaction', required=True, index=True,
        ondelete='cascade', readonly=True,
    )
    payout_ref = fields.Char(string="Payout ID", required=True, readonly=True)
    state = fields.Selection(
        string="Status",
        selection=[
            ('AwaitingApproval', "To be approved by the merchant"),
            ('AwaitingPayment', "Approved, to be paid"),
            ('InProgress', "Sent, not confirmed yet"),
            ('Completed', "Paid out"),
            ('Cancelled', "Cancelled, can be claimed again"),
        ],
        readonly=True,
    )
    method = fields.Char(string="Payout Method", readonly=True)
    # Decimal strings as the server sends them: satoshis do not survive binary floats.
    claimed_amount = fields.Char(string="Claimed", readonly=True)
    claimed_currency = fields.Char(readonly=True)
    crypto_amount = fields.Char(readonly=True)
    crypto_currency = fields.Char(readonly=True)
    destination = fields.Char(readonly=True)
    proof = fields.Char(help="The transaction id or the payment's preimage.", readonly=True)
    claimed_at = fields.Datetime(string="Claimed on", readonly=True)

    _payout_uniq = models.Constraint(
        'unique(transaction_id, payout_ref)', "A payout is listed once."
    )
