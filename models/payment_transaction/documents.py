"""What a transaction is for: its root, the orders and invoices that it pays, and their links."""
from datetime import date

from odoo import api, models


class PaymentTransaction(models.Model):
    _inherit = 'payment.transaction'

    @api.model
    def _btcpay_name_customer(self, vals):
        """Have a payment that an employee begins on a customer's page, as to show its QR code, be
        the customer's: whose it is has the link of a refund. Odoo takes whoever is logged in.

        :param dict vals: The values of a transaction that is to be created.
        :return: The same, or with the customer of its documents.
        :rtype: dict
        """
        user, links = self.env.user, {
            name: vals[name] for name in ('sale_order_ids', 'invoice_ids') if vals.get(name)
        }
        if (
            not links or vals.get('operation') != 'online_redirect' or not user._is_internal()
            # Odoo reads it anyway, if after us.
            or self.env['payment.provider'].browse(vals.get('provider_id')).code != 'btcpay'
            or vals.get('partner_id') != user.partner_id.id
        ):
            return vals
        documents = self.new(links)
        customer = (
            documents.sale_order_ids[:1].partner_invoice_id or documents.invoice_ids[:1].partner_id
        )._origin
        is_other = customer.commercial_partner_id not in user.partner_id.commercial_partner_id
        return {**vals, 'partner_id': customer.id} if customer and is_other else vals

    def _btcpay_get_root(self):
        """Return the transaction that has the invoice, for it, a refund or a part of it.

        :rtype: payment.transaction
        """
        self.ensure_one()
        return self.btcpay_root_id or self

    def _btcpay_get_roots(self):
        """Return the transactions that have the invoices, each once.

        :rtype: payment.transaction
        """
        return self.btcpay_root_id | self.filtered(lambda tx: not tx.btcpay_root_id)

    def _btcpay_get_document(self):
        """Return the document on which people look after the transaction.

        :return: The sales order, else the invoice, else the customer, else the company.
        :rtype: sale.order|account.move|res.partner
        """
        self.ensure_one()
        tx = self._btcpay_get_root()
        till_order = tx._btcpay_get_till_order()
        if till_order and not till_order.partner_id:
            return tx.company_id.partner_id  # The transaction is the public user's.
        return tx.sale_order_ids[:1] or tx.invoice_ids[:1] or tx.partner_id

    def _btcpay_get_document_number(self):
        """Return the number by which the customer knows what was paid for.

        :return: The number of the order or the invoice; the reference where there is none.
        :rtype: str
        """
        self.ensure_one()
        document = self._btcpay_get_document()
        is_numbered = document._name != 'res.partner' and document.name
        return document.name if is_numbered else self.reference

    def _btcpay_get_till_order(self):
        """Return the order of Odoo's till that the transaction is for.

        :return: The order; None where there is no till (module `pos_online_payment`).
        :rtype: pos.order|None
        """
        self.ensure_one()
        return self.sudo().pos_order_id if 'pos_order_id' in self._fields else None

    def _btcpay_is_without_document(self):
        """Return whether the transaction is a refund of a receipt that has no document."""
        self.ensure_one()
        tx = self | self.source_transaction_id
        return self._btcpay_get_root() not in tx and not (tx.sale_order_ids or tx.invoice_ids)

    def _btcpay_get_payment_siblings(self):
        """Return the other transactions for the same orders, also of Odoo's till, and invoices,
        whatever the provider.

        :return: The transactions, without this one's children and refunds.
        :rtype: payment.transaction
        """
        self.ensure_one()
        # Other orders that are invoiced with these have payments of their own.
        siblings = self.sale_order_ids.transaction_ids | self.invoice_ids.transaction_ids.filtered(
            lambda tx: not (self.sale_order_ids and tx.sale_order_ids)
        )
        # Odoo's till refuses other providers itself; of those nothing is searched for.
        if self.provider_code == 'btcpay' and (till_order := self._btcpay_get_till_order()):
            siblings |= self.search([('pos_order_id', '=', till_order.id)])
        return (siblings - self - self.child_transaction_ids).filtered(
            lambda tx: tx.operation not in ('refund', 'validation')
        )

    def _btcpay_get_orders(self):
        """Return the orders that the transaction is for, itself or by its invoices.

        :rtype: sale.order
        """
        self.ensure_one()
        return self.sale_order_ids or self.invoice_ids._btcpay_get_orders()

    def _btcpay_is_quotation_expired(self):
        """Return whether it is for a quotation that is to be extended before anything is paid: its
        page takes no payment until then."""
        self.ensure_one()
        return any(self.sale_order_ids.mapped('is_expired'))

    def _btcpay_get_payable_invoices(self):
        """Return the customer invoices that the transaction pays, itself or by its orders.

        :rtype: account.move
        """
        self.ensure_one()
        return self.invoice_ids | self.sale_order_ids.invoice_ids.filtered(
            lambda move: move.state == 'posted' and move.move_type == 'out_invoice'
        )

    def _btcpay_convert(self, currency, get_amount):
        """Return an amount of the transactions in the currency of their documents, which may have
        been changed after they were paid.

        :param res.currency currency: The currency.
        :param callable get_amount: Returns the amount of transactions of one currency.
        :rtype: float
        """
        return sum(
            get_amount(transactions) if paid_in == currency else paid_in._convert(
                get_amount(transactions), currency,
                transactions.company_id[:1], transactions[:1].create_date,
            ) for paid_in, transactions in self.grouped('currency_id').items()
        )

    def _btcpay_get_documents_total(self, documents=None):
        """Return what the documents of the transaction come to, all together, without the discount
        that was granted for it.

        :param sale.order|account.move documents: Some of them, by default all that are not
                                                  canceled.
        :return: The total, in the transaction's currency; None without a document, or in others.
        :rtype: float|None
        """
        self.ensure_one()
        # The invoice that Odoo makes of a paid order is not one that was to be paid.
        documents = documents or leave_out_canceled(self.sale_order_ids or self.invoice_ids)
        if not documents or documents.currency_id != self.currency_id:
            return None
        granted = sum(self.btcpay_discount_line_ids.mapped('price_total'))
        return self.currency_id.round(sum(documents.mapped('amount_total')) - granted)

    def _btcpay_are_documents_free(self):
        """Return whether the documents cost nothing any more, as a cart that was emptied: nothing
        is due, and nobody has paid.

        :rtype: bool
        """
        total = self._btcpay_get_root()._btcpay_get_documents_total()
        return total is not None and total <= 0

    def _btcpay_get_amount_due_links(self):
        """Return the links by which the customer pays what is still due of the documents: Odoo's
        own payment links, which are for one document each.

        What came in for several counts for those that are due first, as Odoo matches it.

        :return: The `name`, the `amount` and the `url` of each document of which something is due.
        :rtype: list[dict]
        """
        self.ensure_one()
        tx = self._btcpay_get_root().sudo()
        documents = leave_out_canceled(tx.sale_order_ids or tx.invoice_ids)
        if (
            len(documents.currency_id) != 1 or documents[0].state == 'cancel'
            or tx._btcpay_is_quotation_expired()
        ):
            return []
        is_move = documents._name == 'account.move'
        due = self._btcpay_get_amount_due(documents)
        links = []
        for document in documents.sorted(lambda document: (
            (is_move and document.invoice_date_due) or date.max, document.id
        ), reverse=True):
            amount = document.currency_id.round(min(
                due, document.amount_residual if is_move else document.amount_total
            ))
            if amount > 0:
                due -= amount
                links.insert(0, {
                    'name': document.name, 'amount': amount,
                    'url': document._btcpay_make_payment_link(amount),
                })
        return links


def leave_out_canceled(documents):
    """Return the documents of a payment that are to be paid still; all if all are canceled.

    :param sale.order|account.move documents: The documents.
    :rtype: sale.order|account.move
    """
    left = documents.filtered(lambda document: document.state != 'cancel')
    # Whatever is read of them is read of those of other payments as well.
    return left.with_prefetch(documents._prefetch_ids) or documents
