
from odoo import api, models


class PaymentTransaction(models.Model):
    _inherit = 'payment.transaction'

    # === COMPUTE METHODS === #

    @api.depends('amount', 'btcpay_paid_amount', 'btcpay_invoice_id')
    def _compute_btcpay_differences(self):
        for tx in self:
            difference = tx.btcpay_invoice_id and tx.btcpay_paid_amount - tx.amount
            tx.btcpay_due_amount = max(-difference, 0)
            tx.btcpay_overpaid_amount = max(difference, 0)

    def _btcpay_is_paid_in_full(self):
        """Return whether all that was asked for was received, confirmed or not.

        :rtype: bool
        """
        self.ensure_one()
        return self.currency_id.compare_amounts(self.btcpay_paid_amount, self.amount) >= 0

    def _btcpay_is_confirmed(self):
        """Return whether all that was received is confirmed: what is not may still vanish.

        :rtype: bool
        """
        self.ensure_one()
        payments = self.btcpay_payment_ids.filtered(lambda payment: payment.status != 'Invalid')
        return bool(payments) and all(payment.status == 'Settled' for payment in payments)

    def _btcpay_get_unbooked_amount(self):
        """Return what was received of the amount asked for and is not booked yet.

        :rtype: float
        """
        self.ensure_one()
        if self.state == 'done':
            return 0
        booked = sum(self._btcpay_get_partial_receipts().mapped('amount'))
        return self.currency_id.round(min(self.btcpay_paid_amount, self.amount) - booked)

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

    def _btcpay_get_obsolete_reason(self):
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

    # === SUMS === #

    def _btcpay_get_amount_due_without_this(self):
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
            return self._btcpay_get_amount_due_of_orders()
        others = self._btcpay_get_payment_siblings().filtered(
            # The others are in the invoices' residual amounts.
            lambda tx: not tx.payment_id
        )
        rest = sum(self.invoice_ids.mapped('amount_residual'))
        if self.payment_id:
            rest += self.amount
        return rest - others._btcpay_get_net_amount()

    def _btcpay_get_amount_due_of_orders(self):
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

    # === SUMS === #

    @api.depends('source_transaction_id')
    def _compute_btcpay_root_id(self):
        for tx in self:
            source = tx.source_transaction_id
            tx.btcpay_root_id = tx.provider_code == 'btcpay' and (source.btcpay_root_id or source)

    def _btcpay_get_root(self):
        """Return the transaction that has the invoice, for it, a refund or a part of it."""
        self.ensure_one()
        return self.btcpay_root_id or self

    def _btcpay_get_receipts(self):
        """Return the transactions by which what was received for the invoice is booked.

        :rtype: payment.transaction
        """
        self.ensure_one()
        return (self | self.child_transaction_ids).filtered(
            lambda tx: tx.operation != 'refund' and tx.state == 'done'
        )

    # === WHAT IS GIVEN BACK === #

    # Stored, so that each new refund changes the payment's row: who began before and waits for it
    # has to begin anew, and sees the refund (see `db.py`).
    @api.depends(
        'btcpay_refund_ids.state', 'btcpay_refund_ids.amount',
        'btcpay_refund_ids.btcpay_refund_fee_amount',
    )
    def _compute_btcpay_returned_amount(self):
        for tx in self:
            tx.btcpay_returned_amount = tx.btcpay_refund_ids._btcpay_get_returned_amount()

    def _btcpay_get_returned_amount(self):
        """Return what the refunds give back or are to give back, the fees included that are
        deducted from them: the customer was told that it is settled with that.

        :rtype: float
        """
        return sum(
            refund.btcpay_refund_fee_amount - refund.amount
            for refund in self if refund.state not in ('cancel', 'error')
        )

    def _btcpay_get_refund_sums(self):
        """Return what was received, given back and can still be given back.

        Refunds that are underway count: Odoo's own wizard forgets them.

        :return: `received`, `refunded`, `underway`, `available` and `overpayment`, in the currency.
        :rtype: dict[str, float]
        """
        self.ensure_one()
        returned = self.btcpay_returned_amount
        refunded = self.btcpay_refund_ids.filtered(
            lambda refund: refund.state == 'done'
        )._btcpay_get_returned_amount()
        available = max(self.currency_id.round(self.btcpay_paid_amount - returned), 0)
        # What is given back is taken from the overpayment first.
        overpayment = min(self.btcpay_overpaid_amount - returned, available)
        return {
            'received': self.btcpay_paid_amount,
            'refunded': refunded,
            'underway': self.currency_id.round(returned - refunded),
            'available': available,
            'overpayment': max(self.currency_id.round(overpayment), 0),
        }

    def _btcpay_is_settled_by_refunds(self):
        """Return whether all, or all of the overpayment, is given back and nothing is left open."""
        self.ensure_one()
        sums = self._btcpay_get_refund_sums()
        return not sums['available'] or bool(
            self.btcpay_overpaid_amount
            and not sums['overpayment']
            and not self._btcpay_get_unbooked_amount()
        )
