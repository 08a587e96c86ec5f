from odoo import fields, models


class ResPartner(models.Model):
    _inherit = 'res.partner'

    btcpay_request_due = fields.Boolean(
        string="Request Bitcoin Payments",
        help="Mail a Bitcoin payment link for each invoice on the day it is due.",
    )
