import hashlib
import re
from decimal import Decimal

from odoo import api, fields, models

from odoo.addons.payment_btcpay.greenfield import format_crypto, is_lightning
from odoo.addons.payment_btcpay.greenfield.status import OPEN_PAYOUT_STATES
from odoo.addons.payment_btcpay.utils import name_method


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
            ('Cancelled', "Canceled, can be claimed again"),
        ],
        readonly=True,
    )
    method = fields.Char(string="Payout Method", readonly=True)
    # Decimal strings as the server sends them: satoshis do not survive binary floats.
    claimed_amount = fields.Char(readonly=True)
    claimed_currency = fields.Char(readonly=True)
    crypto_amount = fields.Char(readonly=True)
    crypto_currency = fields.Char(readonly=True)
    destination = fields.Char(readonly=True)
    proof = fields.Char(help="The transaction id or the payment's preimage.", readonly=True)
    # What people read of it.
    claimed_text = fields.Char(string="Claimed", compute='_compute_texts')
    crypto_text = fields.Char(string="Paid Out As", compute='_compute_texts')
    method_name = fields.Char(string="Paid by", compute='_compute_texts')
    claimed_at = fields.Datetime(string="Claimed on", readonly=True)
    state_since = fields.Datetime(
        string="Status Since", help="When Odoo saw the status first.", readonly=True
    )

    _payout_uniq = models.Constraint(
        'unique(transaction_id, payout_ref)', "A payout is listed once."
    )

    @api.depends(
        'claimed_amount', 'claimed_currency', 'crypto_amount', 'crypto_currency', 'method',
        'transaction_id.currency_id',
    )
    @api.depends_context('lang')
    def _compute_texts(self):
        for payout in self:
            currency = payout.transaction_id.currency_id
            payout.claimed_text = (
                currency.format(float(payout.claimed_amount))
                if payout.claimed_amount and payout.claimed_currency == currency._btcpay_get_code()
                else f'{format_crypto(payout.claimed_amount)} {payout.claimed_currency or ""}'
            )
            payout.crypto_text = payout.crypto_amount and (
                f'{format_crypto(payout.crypto_amount)} {payout.crypto_currency or ""}'
            )
            payout.method_name = name_method(self.env, payout.method)

    @api.model
    def _prepare_values(self, payout):
        """Return what is stored of a payout of the server.

        :param Payout payout: The payout.
        :rtype: dict
        """
        return {
            'payout_ref': payout.id,
            'state': payout.state,
            'method': payout.method,
            'claimed_amount': format(payout.claimed.amount, 'f'),
            'claimed_currency': payout.claimed.currency,
            'crypto_amount': payout.paid and format(payout.paid.amount, 'f'),
            'crypto_currency': payout.paid_currency,
            'destination': payout.destination,
            'proof': payout.proof,
            'claimed_at': payout.claimed_at,
        }

    def _get_txid(self):
        """Return the id of the on-chain transaction by which the payout was sent.

        :return: The id; an empty string if it was not sent, or by Lightning.
        :rtype: str
        """
        self.ensure_one()
        return '' if is_lightning(self.method or '') else self.proof or ''

    def _get_tx_hash(self):
        """Return by what explorers and wallets list the payout, as the receipts have it.

        Of those by Lightning the server has the preimage; wallets list its hash.

        :rtype: str|bool
        """
        self.ensure_one()
        if is_lightning(self.method or '') and re.fullmatch('[0-9a-f]{64}', self.proof or ''):
            return hashlib.sha256(bytes.fromhex(self.proof)).hexdigest()
        return self.proof

    def _get_paid_out_amount(self):
        """Return what was paid out, in the currency of the pull payment.

        :rtype: Decimal
        """
        return sum((
            Decimal(payout.claimed_amount) for payout in self if payout.state == 'Completed'
        ), Decimal(0))

    def _is_any_open(self):
        """Return whether any of the payouts may still be paid out."""
        return any(payout.state in OPEN_PAYOUT_STATES for payout in self)
