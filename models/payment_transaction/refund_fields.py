from odoo import fields, models

from odoo.addons.payment_btcpay import const


class PaymentTransaction(models.Model):
    """The fields of refunds, and of payments that were refunded."""

    _inherit = 'payment.transaction'

    btcpay_can_refund = fields.Boolean(
        string="Can Be Refunded", compute='_compute_btcpay_can_refund', compute_sudo=True
    )
    btcpay_refund_ids = fields.One2many(
        string="Refunds", comodel_name='payment.transaction', inverse_name='btcpay_root_id',
        domain=[('operation', '=', 'refund')], readonly=True,
    )
    btcpay_returned_amount = fields.Monetary(
        string="Refunded or Underway",
        help="What was given back or is to be given back, fees included.",
        compute='_compute_btcpay_returned_amount', store=True, currency_field='currency_id',
    )
    btcpay_refunded_amount = fields.Monetary(
        string="Refunded", help="What was paid out of refunds.",
        compute='_compute_btcpay_refunded_amount', compute_sudo=True,
    )
    # Whoever has the pull payment's id, or the link made of it, can claim the money.
    btcpay_pull_payment_id = fields.Char(
        string="Pull Payment", readonly=True, copy=False, index='btree_not_null',
        groups=const.REFUND_GROUPS,
    )
    btcpay_credit_note_id = fields.Many2one(
        string="Credit Note", comodel_name='account.move', readonly=True, copy=False,
        index='btree_not_null',
    )
    btcpay_refund_link = fields.Char(
        string="Claim Page", help="Where the customer claims the refund.", readonly=True,
        copy=False, groups=const.REFUND_GROUPS,
    )
    # The server it is at: the provider may be connected with another one, or with none, later.
    btcpay_refund_server_url = fields.Char(
        string="Refund's Server", readonly=True, copy=False, groups='base.group_system'
    )
    # By which a pull payment is found whose making was never answered.
    btcpay_refund_name = fields.Char(string="Pull Payment Name", readonly=True, copy=False)
    btcpay_refund_key = fields.Char(
        string="Refund Key", help="Whoever asks again with the same key gets the same refund.",
        readonly=True, copy=False, groups='base.group_system',
    )
    btcpay_refund_request = fields.Json(string="Refund Request", readonly=True, copy=False)
    btcpay_refund_variant = fields.Selection(
        string="Refunded As",
        selection=[
            ('fiat', "The amount, at the rate of the day it is paid out"),
            ('rate_then', "As much bitcoin as was paid for it"),
            ('current_rate', "As much bitcoin as it was worth when it was refunded"),
        ],
        readonly=True, copy=False,
    )
    btcpay_refund_fee_amount = fields.Monetary(string="Fee Deducted", readonly=True, copy=False)
    btcpay_refund_is_mailed = fields.Boolean(string="Mail the Link", readonly=True, copy=False)
    # The pull payment's own amount, a decimal string in its own currency.
    btcpay_pull_amount = fields.Char(string="Pull Payment Amount", readonly=True, copy=False)
    btcpay_pull_currency = fields.Char(string="Pull Payment Currency", readonly=True, copy=False)
    btcpay_pull_text = fields.Char(string="To Be Paid Out", compute='_compute_btcpay_pull_text')
    # Refunds are negative; people read what the customer gets.
    btcpay_refund_amount = fields.Monetary(string="Refund", compute='_compute_btcpay_refund_amount')
    btcpay_can_cancel_refund = fields.Boolean(
        string="Can Be Canceled in Odoo", compute='_compute_btcpay_can_cancel_refund',
        compute_sudo=True,
    )
    btcpay_pull_payments_url = fields.Char(
        string="Pull Payments of the Store", help="Where the merchant cancels refunds.",
        compute='_compute_btcpay_pull_payments_url', compute_sudo=True,
        groups=const.REFUND_GROUPS,
    )
    btcpay_pull_is_archived = fields.Boolean(string="Canceled", readonly=True, copy=False)
    btcpay_bolt11_days = fields.Integer(
        string="Lightning Invoice Validity (days)",
        help="How many days the Lightning invoice of a claim must live.", aggregator=None,
        readonly=True, copy=False,
    )
    btcpay_paid_out_amount = fields.Monetary(string="Paid Out", readonly=True, copy=False)
    btcpay_payout_ids = fields.One2many(
        string="Payouts", comodel_name='btcpay.payout', inverse_name='transaction_id', readonly=True
    )
    # What somebody is asked about claims: the `kind`, and the ids of the `payouts`.
    btcpay_claims_asked = fields.Json(string="Claims Asked About", readonly=True, copy=False)
    btcpay_claim_activity_id = fields.Many2one(
        string="Claim Activity", comodel_name='mail.activity', readonly=True, copy=False,
        ondelete='set null', index='btree_not_null', groups='base.group_system',
    )
