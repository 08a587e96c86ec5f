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
        """Return what the documents of the transaction come to.

        :return: The total, in the transaction's currency; None without exactly one document.
        :rtype: float|None
        """
        self.ensure_one()
        documents = [*self.sale_order_ids, *self.invoice_ids.filtered(
            # The invoice that Odoo makes of a paid order is not one that was to be paid.
            lambda move: not self.sale_order_ids
        )]
        if len(documents) != 1 or documents[0].currency_id != self.currency_id:
            return None
        return documents[0].amount_total

    def _btcpay_are_documents_changed(self):
        """Return whether what is to be paid is no more what it was when the invoice was made.

        :rtype: bool
        """
        self.ensure_one()
        total = self._btcpay_get_documents_total()
        return bool(
            total is not None
            and self.btcpay_documents_total
            and self.currency_id.compare_amounts(total, self.btcpay_documents_total)
        )

    def _btcpay_are_documents_cancelled(self):
        """Return whether nothing is to be paid any more, since it was cancelled.

        :rtype: bool
        """
        self.ensure_one()
        states = {*self.sale_order_ids.mapped('state'), *(
            self.invoice_ids.mapped('state') if not self.sale_order_ids else ()
        )}
        return states == {'cancel'}

    def _btcpay_are_documents_paid(self):
        """Return whether the documents are paid without this transaction.

        :rtype: bool
        """
        self.ensure_one()
        if self.sale_order_ids:
            order = self.sale_order_ids[:1]
            done = self._btcpay_get_payment_siblings().filtered(
                lambda tx: tx.state in ('done', 'authorized')
            )
            return bool(done) and self.currency_id.compare_amounts(
                sum(done.mapped('amount')), order.amount_total
            ) >= 0
        return bool(self.invoice_ids) and all(
            move.payment_state in ('paid', 'in_payment', 'reversed') for move in self.invoice_ids
        )

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
