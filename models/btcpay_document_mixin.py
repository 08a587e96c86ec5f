from collections import defaultdict
from contextlib import suppress

from odoo import _, api, fields, models
from odoo.exceptions import MissingError
from odoo.tools import SQL

from odoo.addons.payment_btcpay.utils import notify

SUMMARY = {'btcpay_has_transactions', 'btcpay_received_amount', 'btcpay_status_text'}
# What it needs of the documents' transactions.
SUMMARY_FIELDS = (
    'operation', 'state', 'amount', 'currency_id', 'provider_id', 'source_transaction_id',
    'btcpay_invoice_id', 'btcpay_status', 'btcpay_additional_status', 'btcpay_invalidated_at',
    'btcpay_accepted_at', 'btcpay_asked_amount', 'btcpay_paid_amount', 'btcpay_overpaid_amount',
    'btcpay_difference_amount', 'btcpay_write_off_amount', 'btcpay_network_fee_amount',
    'btcpay_returned_amount', 'btcpay_review_matters', 'btcpay_root_id',
)


class BTCPayDocumentMixin(models.AbstractModel):
    """What sales orders and invoices have in common that are paid in Bitcoin: how their payments
    stand, for people who may not be able to read the transactions.

    Each has a field `btcpay_received_amount` of its own, since its currency is.
    """

    _name = 'btcpay.document.mixin'
    _description = "Document That Is Paid in Bitcoin"

    _btcpay_link_field = None  #: of transactions, to the documents they are for
    _btcpay_date_field = None  #: of the documents, at whose rate what was received is converted

    btcpay_has_transactions = fields.Boolean(
        string="Has Bitcoin Payments", compute='_compute_btcpay_summary', compute_sudo=True
    )
    btcpay_status_text = fields.Char(
        string="Bitcoin Status", compute='_compute_btcpay_summary', compute_sudo=True
    )

    # === COMPUTE METHODS === #

    @api.depends('transaction_ids.btcpay_sync_count')
    def _compute_btcpay_summary(self):
        # Lists show it of many: all are searched for at once, and no other provider's are.
        payable = self._btcpay_filter_payable()
        found, documents = payable._btcpay_find_transactions() if payable else ({}, {})
        for document in self:
            transactions = found.get(document._origin.id, [])
            document.btcpay_has_transactions = bool(transactions)
            ids = {document_id for tx in transactions for document_id in documents[tx.id]}
            # The invoice of an accepted part is paid by that alone.
            transactions = [tx for tx in transactions if tx.btcpay_root_id not in transactions]
            received_amount = sum(
                received if tx.currency_id == document.currency_id
                else tx.currency_id._convert(
                    received, document.currency_id, document.company_id,
                    document[self._btcpay_date_field] or fields.Date.today(),
                )
                for tx in transactions if (received := (
                    tx.amount - tx.btcpay_difference_amount if tx.source_transaction_id
                    else tx.btcpay_paid_amount
                ))
            )
            document.btcpay_received_amount = document._btcpay_get_share(
                received_amount, self.browse(ids)
            ) if len(ids) > 1 else received_amount
            # One with money says how the document stands, else the newest.
            leading = (
                [tx for tx in transactions if tx.state == 'done']
                or [tx for tx in transactions if tx.btcpay_paid_amount]
                or transactions
            )[:1]
            document.btcpay_status_text = (
                leading[0]._btcpay_get_status_text() if leading else False
            )

    def _read_format(self, fnames, load='_classic_read'):
        """Override to compute the summary of a list at once: Odoo asks for it by the thousand."""
        if not SUMMARY.isdisjoint(fnames):
            # Of one that was deleted meanwhile Odoo itself knows to leave out that one only.
            with (
                suppress(MissingError),
                self.env.protecting([self._fields[name] for name in SUMMARY], self),
            ):
                self.sudo()._compute_btcpay_summary()
        return super()._read_format(fnames, load=load)

    def _btcpay_find_transactions(self):
        """Find the Bitcoin transactions of many documents, and no other provider's, by two queries.

        :return: The transactions by the documents' ids, in sudo mode, newest first; and the ids of
                 the documents, of others too, by those of the transactions.
        :rtype: tuple[dict[int, list[payment.transaction]], dict[int, list[int]]]
        """
        transactions = self.env['payment.transaction'].sudo()
        link = transactions._fields[self._btcpay_link_field]
        transactions.flush_model([link.name])
        rows = self.env.execute_query(SQL(
            'SELECT %(document)s, %(tx)s FROM %(link)s WHERE %(tx)s IN'
            ' (SELECT %(tx)s FROM %(link)s WHERE %(document)s = ANY(%(ids)s))',
            document=SQL.identifier(link.column2), tx=SQL.identifier(link.column1),
            link=SQL.identifier(link.relation), ids=list(asked := set(self._origin.ids)),
        ))
        found, documents = defaultdict(list), defaultdict(list)
        if rows:
            for document_id, tx_id in rows:
                documents[tx_id].append(document_id)
            for tx in transactions.search_fetch([
                ('id', 'in', list(documents)), ('provider_id.code', '=', 'btcpay'),
            ], SUMMARY_FIELDS, order='id desc'):
                for document_id in asked.intersection(documents[tx.id]):
                    found[document_id].append(tx)
        return found, documents

    def _btcpay_get_share(self, received, documents):
        """Return what of the money that came in is for this document.

        :param float received: What came in, in the document's currency.
        :param btcpay.document.mixin documents: The several that it is for.
        :rtype: float
        """
        return received

    def _btcpay_filter_payable(self):
        """Return those of the documents that can be paid in Bitcoin: others cost no query.

        :rtype: btcpay.document.mixin
        """
        return self

    # === ACTION METHODS === #

    def action_btcpay_sync(self):
        """Sync the payments and refunds with the server now, because a person wants to know.

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
        return any(tx._btcpay_is_late_in_review() for tx in self._btcpay_get_invoice_transactions())
