from collections import defaultdict

from odoo import _, api, fields, models

from odoo.addons.payment_btcpay.utils import notify


class BTCPayDocumentMixin(models.AbstractModel):
    """What sales orders and invoices have in common that are paid in Bitcoin: how their payments
    stand, for people who may not be able to read the transactions.

    Each has a field `btcpay_received_amount` of its own, since its currency is.
    """

    _name = 'btcpay.document.mixin'
    _description = "Document That Is Paid in Bitcoin"

    _btcpay_link_field = None  #: of transactions, to the documents they are for

    btcpay_has_transactions = fields.Boolean(
        string="Has Bitcoin Payments", compute='_compute_btcpay_summary', compute_sudo=True
    )
    btcpay_status_text = fields.Char(
        string="Bitcoin Status", compute='_compute_btcpay_summary', compute_sudo=True
    )

    # === COMPUTE METHODS === #

    @api.depends('transaction_ids.btcpay_paid_amount', 'transaction_ids.btcpay_status_text')
    def _compute_btcpay_summary(self):
        # Lists show it of many: all are searched for at once, and no other provider's are.
        payable = self._btcpay_filter_payable()._origin
        found = self.env['payment.transaction']
        if payable:
            found = found.sudo().search_fetch([
                (self._btcpay_link_field, 'in', payable.ids), ('provider_id.code', '=', 'btcpay'),
            ], order='id desc')
        ids = defaultdict(list)
        for tx in found:
            for document in tx[self._btcpay_link_field]:
                ids[document.id].append(tx.id)
        for document in self:
            transactions = found.browse(ids[document._origin.id]).with_prefetch(found._prefetch_ids)
            document.btcpay_has_transactions = bool(transactions)
            transactions = transactions.filtered(
                lambda tx: not tx.source_transaction_id
            ).with_prefetch(found._prefetch_ids)
            document.btcpay_received_amount = sum(
                tx.btcpay_paid_amount if tx.currency_id == document.currency_id
                else tx.currency_id._convert(
                    tx.btcpay_paid_amount, document.currency_id, document.company_id,
                    document._btcpay_get_date() or fields.Date.today(),
                )
                for tx in transactions
            )
            # One with money says how the document stands, else the newest.
            leading = (
                transactions.filtered(lambda tx: tx.state == 'done')
                or transactions.filtered('btcpay_paid_amount')
                or transactions
            )[:1].with_prefetch(found._prefetch_ids)
            document.btcpay_status_text = (
                leading._btcpay_get_status_text() if leading else False
            )

    def _btcpay_filter_payable(self):
        """Return those of the documents that can be paid in Bitcoin: others cost no query.

        :rtype: btcpay.document.mixin
        """
        return self

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
        transactions = self._btcpay_get_transactions() | refunds
        if not transactions:
            return notify(_("%s has no Bitcoin payments.", self.display_name), type='info')
        return transactions.action_btcpay_sync()

    def action_btcpay_view_transactions(self):
        """Open the Bitcoin payments.

        Note: `self.ensure_one()`

        :return: The action.
        :rtype: dict
        """
        self.ensure_one()
        self.check_access('read')
        return self._btcpay_open_transactions(self._btcpay_get_invoice_transactions())

    def _btcpay_open_transactions(self, transactions):
        """Return the action that opens Bitcoin payments.

        :param payment.transaction transactions: The payments.
        :rtype: dict
        """
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
        transactions = self._btcpay_filter_payable().sudo().transaction_ids
        return transactions.filtered(lambda tx: tx.provider_code == 'btcpay')

    def _btcpay_get_invoice_transactions(self):
        """Return the transactions that have an invoice at the server, newest first.

        :return: The transactions, in sudo mode.
        :rtype: payment.transaction
        """
        return self._btcpay_get_transactions().filtered(
            lambda tx: not tx.source_transaction_id
        ).sorted('id', reverse=True)

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
