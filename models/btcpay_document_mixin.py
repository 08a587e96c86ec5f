from odoo import api, fields, models


class BTCPayDocumentMixin(models.AbstractModel):
    """What sales orders and invoices have in common that are paid in Bitcoin: how their payments
    stand, for people who may not be able to read the transactions.

    Each has a field `btcpay_received_amount` of its own, since its currency is.
    """

    _name = 'btcpay.document.mixin'
    _description = "Document That Is Paid in Bitcoin"

    btcpay_has_transactions = fields.Boolean(
        string="Has Bitcoin Payments", compute='_compute_btcpay_has_transactions', compute_sudo=True
    )
    btcpay_status_text = fields.Char(
        string="Bitcoin Status", compute='_compute_btcpay_summary', compute_sudo=True
    )

    # === COMPUTE METHODS === #

    @api.depends('transaction_ids')
    def _compute_btcpay_has_transactions(self):
        for document in self:
            document.btcpay_has_transactions = bool(document._btcpay_get_transactions())

    @api.depends('transaction_ids.btcpay_paid_amount', 'transaction_ids.btcpay_status_text')
    def _compute_btcpay_summary(self):
        for document in self:
            document.btcpay_received_amount = sum(
                tx.currency_id._convert(
                    tx.btcpay_paid_amount, document.currency_id, document.company_id,
                    document._btcpay_get_date() or fields.Date.today(),
                )
                for tx in document._btcpay_get_invoice_transactions()
            )
            document.btcpay_status_text = (
                document._btcpay_get_leading_transaction().btcpay_status_text
            )

    def _btcpay_get_date(self):
        """Return the date of whose rate what was received is converted.

        :rtype: date|datetime|bool
        """
        self.ensure_one()
        raise NotImplementedError

    # === ACTION METHODS === #

    def action_btcpay_sync(self):
        """Sync the payments and refunds with the server now, because a person wants to know.

        Note: `self.ensure_one()`

        :return: The notification of what was found.
        :rtype: dict
        """
        self.ensure_one()
        self.check_access('read')
        refunds = self._btcpay_get_refunds().filtered(
            lambda refund: refund.state in ('draft', 'pending')
        )
        return (self._btcpay_get_transactions() | refunds).action_btcpay_sync()

    def action_btcpay_view_transactions(self):
        """Open the Bitcoin payments.

        Note: `self.ensure_one()`

        :return: The action.
        :rtype: dict
        """
        self.ensure_one()
        self.check_access('read')
        transactions = self._btcpay_get_invoice_transactions()
        action = self.env['ir.actions.act_window']._for_xml_id(
            'payment_btcpay.action_btcpay_order_transactions'
        )
        action['domain'] = [('id', 'in', transactions.ids)]
        if len(transactions) == 1:
            action['res_id'] = transactions.id
            action['views'] = [view for view in action['views'] if view[1] == 'form']
        return action

    # === TRANSACTIONS === #

    def _btcpay_get_transactions(self):
        """Return the Bitcoin transactions of the documents.

        :return: The transactions, in sudo mode.
        :rtype: payment.transaction
        """
        return self.sudo().transaction_ids.filtered(lambda tx: tx.provider_code == 'btcpay')

    def _btcpay_get_invoice_transactions(self):
        """Return the transactions that have an invoice at the server, newest first.

        :return: The transactions, in sudo mode.
        :rtype: payment.transaction
        """
        return self._btcpay_get_transactions().filtered(
            lambda tx: not tx.source_transaction_id
        ).sorted('id', reverse=True)

    def _btcpay_get_leading_transaction(self):
        """Return the transaction that says how the document stands: one with money, else the
        newest.

        :rtype: payment.transaction
        """
        transactions = self._btcpay_get_invoice_transactions()
        return (
            transactions.filtered(lambda tx: tx.state == 'done')
            or transactions.filtered('btcpay_paid_amount')
            or transactions
        )[:1]

    def _btcpay_get_refunds(self):
        """Return the refunds of the Bitcoin payments.

        :return: The refunds, in sudo mode.
        :rtype: payment.transaction
        """
        return self._btcpay_get_invoice_transactions().btcpay_refund_ids

    def _btcpay_get_refunds_for_customer(self):
        """Return the refunds that the customer can claim or was paid.

        :return: The refunds, in sudo mode.
        :rtype: payment.transaction
        """
        self.ensure_one()
        return self._btcpay_get_refunds().filtered(
            lambda refund: refund.state in ('pending', 'done')
        )

    def _btcpay_is_late_in_review(self):
        """Return whether all that was asked for came late, so that it is not asked for again."""
        self.ensure_one()
        return any(
            tx._btcpay_is_late_in_review() for tx in self._btcpay_get_invoice_transactions()
        )
