from odoo import models


class PaymentTransaction(models.Model):
    _inherit = 'payment.transaction'

    def _btcpay_get_payment_siblings(self):
        """Return the other transactions for the same orders and invoices, whatever the provider.

        :return: The transactions, without this one's children and refunds.
        :rtype: payment.transaction
        """
        self.ensure_one()
        documents = (self.sale_order_ids, self.invoice_ids)
        siblings = self.browse().union(*(document.transaction_ids for document in documents))
        return (siblings - self - self.child_transaction_ids).filtered(
            lambda tx: tx.operation not in ('refund', 'validation')
        )

    def _btcpay_get_documents_total(self):
        """Return what the document of the transaction comes to.

        :return: The total, in the transaction's currency; None without exactly one document.
        :rtype: float|None
        """
        self.ensure_one()
        # The invoice that Odoo makes of a paid order is not one that was to be paid.
        documents = self.sale_order_ids or self.invoice_ids
        if len(documents) != 1 or documents.currency_id != self.currency_id:
            return None
        return documents.amount_total

    # === WHETHER THERE STILL IS SOMETHING TO BE PAID === #

    def _btcpay_get_unwanted_reason(self):
        """Return why the invoice is not to be paid any more.

        :return: `cancelled`, `paid`, `changed` or `newer`; empty if it is to be paid.
        :rtype: str
        """
        self.ensure_one()
        if self._btcpay_are_documents_cancelled():
            return 'cancelled'
        if self._btcpay_are_documents_paid():
            return 'paid'
        if self._btcpay_are_documents_changed():
            return 'changed'
        return 'newer' if self._btcpay_has_newer_attempt() else ''

    def _btcpay_are_documents_cancelled(self):
        """Return whether what was to be paid was cancelled or deleted.

        :rtype: bool
        """
        self.ensure_one()
        documents = self.sale_order_ids or self.invoice_ids
        if not documents:
            return bool(self.btcpay_documents_total)
        return all(document.state == 'cancel' for document in documents)

    def _btcpay_are_documents_paid(self):
        """Return whether the documents are paid without this transaction.

        :rtype: bool
        """
        self.ensure_one()
        rest = self._btcpay_get_rest_without_this()
        return rest is not None and self.currency_id.compare_amounts(rest, 0) <= 0

    def _btcpay_are_documents_changed(self):
        """Return whether what is to be paid is no more what it was when the invoice was made.

        :rtype: bool
        """
        self.ensure_one()
        if not self.btcpay_documents_total or not (self.sale_order_ids or self.invoice_ids):
            return False
        total = self._btcpay_get_documents_total()
        return total is None or self.currency_id.compare_amounts(
            total, self.btcpay_documents_total
        ) != 0

    def _btcpay_has_newer_attempt(self):
        """Return whether the customer has begun to pay anew since.

        A new attempt that failed before anybody could pay it is none.

        :rtype: bool
        """
        self.ensure_one()
        return any(
            tx.id > self.id and tx.state in ('draft', 'pending', 'authorized', 'done')
            for tx in self._btcpay_get_payment_siblings() if not tx.source_transaction_id
        )

    # === SUMS === #

    def _btcpay_get_rest_without_this(self):
        """Return what is to be paid of the documents without what this transaction brings.

        :return: The amount, negative if too much was paid; None where there is nothing to pay for,
                 or in other currencies.
        :rtype: float|None
        """
        self.ensure_one()
        documents = self.sale_order_ids or self.invoice_ids
        if not documents or documents.currency_id != self.currency_id:
            return None
        if self.sale_order_ids:
            return self._btcpay_get_rest_of_orders()
        others = self._btcpay_get_payment_siblings().filtered(
            # The others are in the invoices' residual amounts.
            lambda tx: not tx.payment_id
        )
        rest = sum(self.invoice_ids.mapped('amount_residual'))
        if self.payment_id:
            rest += self.amount
        return rest - others._btcpay_get_net_amount()

    def _btcpay_get_rest_of_orders(self):
        """Return what is to be paid of the orders without what this transaction brings.

        They are paid by transactions, or by what was booked on their invoices, which may be the
        same money.

        :rtype: float
        """
        self.ensure_one()
        orders = self.sale_order_ids
        invoices = orders.invoice_ids.filtered(
            lambda move: move.move_type == 'out_invoice' and move.state == 'posted'
            and move.currency_id == self.currency_id
        )
        others = (orders.transaction_ids | invoices.transaction_ids) - self
        by_transactions = (others - self.child_transaction_ids)._btcpay_get_net_amount()
        by_invoices = sum(invoices.mapped('amount_total')) - sum(invoices.mapped('amount_residual'))
        if self.payment_id and self.invoice_ids & invoices:
            by_invoices -= self.amount
        return sum(orders.mapped('amount_total')) - max(by_transactions, by_invoices)

    def _btcpay_get_net_amount(self):
        """Return what came in by the transactions, without what was refunded of it.

        :rtype: float
        """
        paid = self.filtered(
            lambda tx: tx.state in ('authorized', 'done')
            and tx.operation not in ('refund', 'validation')
        )
        # A surplus is booked, without a document, when it is refunded.
        surpluses = (paid | paid.source_transaction_id).child_transaction_ids.filtered(
            lambda tx: tx.provider_code == 'btcpay' and tx.operation == 'offline'
            and tx.state == 'done'
        )
        refunds = (paid | surpluses).child_transaction_ids.filtered(
            lambda tx: tx.operation == 'refund' and tx.state in ('pending', 'done')
        )
        return sum((paid | surpluses | refunds).mapped('amount'))
