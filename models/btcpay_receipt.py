from odoo import fields, models
from odoo.tools import SQL

from odoo.addons.payment_btcpay.greenfield import list_known_methods
from odoo.addons.payment_btcpay.utils import name_method

# What the server sent is a text, and no number before it looks like one.
DECIMAL = r'^[0-9]{1,30}(\.[0-9]{1,30})?$'


class BTCPayReceipt(models.Model):
    """What came in and what was paid out, as accountants sum it up: numbers only, refunds negative.

    Only what is final is here: payments that are confirmed, payouts that are completed.
    """

    _name = 'btcpay.receipt'
    _description = "Bitcoin Receipt"
    _auto = False
    _order = 'date desc, id desc'
    _rec_name = 'reference'

    kind = fields.Selection(
        string="Type", selection=[('payment', "Payment"), ('refund', "Refund")], readonly=True
    )
    date = fields.Datetime(readonly=True)
    transaction_id = fields.Many2one(comodel_name='payment.transaction', readonly=True)
    reference = fields.Char(readonly=True)
    partner_id = fields.Many2one(string="Customer", comodel_name='res.partner', readonly=True)
    company_id = fields.Many2one(comodel_name='res.company', readonly=True)
    store = fields.Char(
        help="The store of the time of the payment: its name, or its id if the provider is"
             " connected with another one by now.",
        readonly=True,
    )
    method = fields.Char(readonly=True)
    crypto_amount = fields.Float(digits=(32, 8), readonly=True)
    crypto_fee = fields.Float(
        string="Network Fee (Crypto)",
        help="What of the amount the server takes off for the network's fee: it is in the wallet,"
             " but does not count for the order.",
        digits=(32, 8), readonly=True,
    )
    # The same, exact and unsigned: satoshis do not survive binary floats.
    crypto_text = fields.Char(string="Crypto Amount (Exact)", readonly=True)
    crypto_fee_text = fields.Char(string="Network Fee (Exact)", readonly=True)
    crypto_currency = fields.Char(readonly=True)
    currency_id = fields.Many2one(comodel_name='res.currency', readonly=True)
    amount = fields.Monetary(
        string="Worth", help="At the rate of the invoice, or of the refund.", readonly=True
    )
    rate = fields.Monetary(
        string="Exchange Rate", help="The price of one unit of the crypto currency.",
        aggregator=None, readonly=True,
    )
    tx_hash = fields.Char(string="Transaction ID or Payment Hash", readonly=True)

    _depends = {
        'btcpay.payment': [
            'amount', 'crypto_amount', 'crypto_currency', 'crypto_fee', 'method', 'rate',
            'received_at', 'status', 'transaction_id', 'txid',
        ],
        'btcpay.payout': [
            'claimed_amount', 'claimed_at', 'crypto_amount', 'crypto_currency', 'method', 'proof',
            'state', 'state_since', 'transaction_id',
        ],
        'payment.provider': ['btcpay_store_id', 'btcpay_store_name'],
        'payment.transaction': [
            'btcpay_paid_out_amount', 'btcpay_store_id', 'company_id', 'currency_id', 'partner_id',
            'provider_id', 'reference',
        ],
    }

    @property
    def _table_query(self):
        return SQL(
            """
            SELECT receipt.id, receipt.kind, receipt.date, receipt.transaction_id,
                   tx.reference, tx.partner_id, tx.company_id, tx.currency_id,
                   CASE WHEN tx.btcpay_store_id = provider.btcpay_store_id
                        THEN COALESCE(provider.btcpay_store_name, tx.btcpay_store_id)
                        ELSE tx.btcpay_store_id END AS store,
                   COALESCE(method.name, receipt.method) AS method,
                   receipt.crypto_text, receipt.crypto_fee_text, receipt.crypto_currency,
                   receipt.sign * receipt.crypto_text::numeric AS crypto_amount,
                   receipt.crypto_fee_text::numeric AS crypto_fee,
                   receipt.sign * receipt.worth AS amount,
                   receipt.rate, receipt.tx_hash
              FROM (%(payments)s UNION ALL %(payouts)s) AS receipt
              JOIN payment_transaction AS tx ON tx.id = receipt.transaction_id
              JOIN payment_provider AS provider ON provider.id = tx.provider_id
         LEFT JOIN (VALUES %(methods)s) AS method (id, name) ON method.id = receipt.method
            """,
            payments=self._select_payments(), payouts=self._select_payouts(),
            methods=SQL(', ').join(
                SQL('(%s, %s)', method_id, name_method(self.env, method_id))
                for method_id in list_known_methods()
            ),
        )

    def _select_payments(self):
        """Return the query of the payments that are confirmed.

        :rtype: SQL
        """
        return SQL(
            """
            SELECT payment.id * 2 AS id, 'payment' AS kind, 1 AS sign,
                   payment.received_at AS date, payment.transaction_id, payment.method,
                   %(amount)s AS crypto_text, %(fee)s AS crypto_fee_text, payment.crypto_currency,
                   payment.amount AS worth, %(rate)s::numeric AS rate, payment.txid AS tx_hash
              FROM btcpay_payment AS payment
             WHERE payment.status = 'Settled'
            """,
            amount=self._select_decimal('payment', 'crypto_amount'),
            fee=self._select_decimal('payment', 'crypto_fee'),
            rate=self._select_decimal('payment', 'rate'),
        )

    def _select_payouts(self):
        """Return the query of the payouts that are completed.

        The refund knows what they come to together, whatever currency they are claimed in.

        :rtype: SQL
        """
        return SQL(
            """
            SELECT payout.id, 'refund', -1, payout.date, payout.transaction_id, payout.method,
                   payout.crypto_text, NULL, payout.crypto_currency, payout.worth,
                   payout.worth / NULLIF(payout.crypto_text::numeric, 0), payout.tx_hash
              FROM (
                SELECT payout.id * 2 + 1 AS id,
                       COALESCE(payout.state_since, payout.claimed_at) AS date,
                       payout.transaction_id, payout.method,
                       %(amount)s AS crypto_text, payout.crypto_currency,
                       refund.btcpay_paid_out_amount * %(claimed)s::numeric / NULLIF(
                           SUM(%(claimed)s::numeric) OVER (PARTITION BY payout.transaction_id), 0
                       ) AS worth,
                       payout.proof AS tx_hash
                  FROM btcpay_payout AS payout
                  JOIN payment_transaction AS refund ON refund.id = payout.transaction_id
                 WHERE payout.state = 'Completed'
              ) AS payout
            """,
            amount=self._select_decimal('payout', 'crypto_amount'),
            claimed=self._select_decimal('payout', 'claimed_amount'),
        )

    def _select_decimal(self, table, column):
        """Return a text of the server's, NULL where it is no number.

        :param str table: The table.
        :param str column: Its column.
        :rtype: SQL
        """
        text = SQL.identifier(table, column)
        return SQL('(CASE WHEN %(text)s ~ %(decimal)s THEN %(text)s END)',
                   text=text, decimal=DECIMAL)

    def action_btcpay_view_payment(self):
        """Open the one form of the payment, or of the refund.

        :rtype: dict
        """
        self.ensure_one()
        return {**self.transaction_id.get_formview_action(), 'name': self.reference}

    def action_btcpay_export(self):
        """Have the receipts, or all that the list shows, downloaded as tax tools read them.

        :rtype: dict
        """
        receipts = self or self.search(self.env.context.get('active_domain') or [])
        return self.env['btcpay.receipt.export']._download(receipts)
