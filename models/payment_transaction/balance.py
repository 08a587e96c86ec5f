"""What is due, what was received, and what of it is booked: the one place that says so."""
from decimal import Decimal

from odoo import api, models

from odoo.addons.payment_btcpay import const
from odoo.addons.payment_btcpay.models.payment_transaction.documents import leave_out_canceled

PAID_STATES = ('authorized', 'done')


class PaymentTransaction(models.Model):
    _inherit = 'payment.transaction'

    # === WHAT IS DUE === #

    @api.model
    def _btcpay_get_amount_due(self, documents, without=None):
        """Return what is still to be paid of documents.

        Orders are paid by transactions, or by what was booked on their invoices, which may be the
        same money. What was refunded is to be paid again, what was credited is not.

        :param sale.order|account.move documents: The orders or customer invoices, of one currency.
        :param payment.transaction without: A transaction whose money is left out, whether it came
                                            or not.
        :return: The amount, in the documents' currency; negative if too much was paid.
        :rtype: float
        """
        without = without or self.browse()
        documents = leave_out_canceled(documents)
        family = without | without.child_transaction_ids
        if documents._name == 'account.move':
            orders = documents._btcpay_get_orders()
            others = orders.transaction_ids | (documents | orders.invoice_ids).transaction_ids
            others -= family
            # What is booked is in the residual amounts, where it is matched with the documents.
            unbooked = others.filtered(
                lambda tx: not tx._btcpay_get_payable_invoices() - documents
            )._btcpay_filter_without_entry()
            due = sum(documents.mapped('amount_residual')) - unbooked._btcpay_convert(
                documents.currency_id, lambda txs: txs._btcpay_get_net_amount()
            ) - unbooked._btcpay_get_amount_of_credit_notes(documents)
            due += (unbooked | family)._btcpay_get_stated_amount(documents)
            due += family._btcpay_get_booked_amount(documents)
            others -= unbooked
            # What else they paid is for any of the invoices that they, or their orders' links, are
            # to pay; also where all of it was given back for credit notes.
            moves = documents | orders.invoice_ids | others.invoice_ids
            moves = moves._btcpay_filter_posted(documents.currency_id)
            unmatched = others._btcpay_convert(
                documents.currency_id, lambda txs: txs._btcpay_get_unmatched_amount()
            ) + others._btcpay_get_amount_of_credit_notes(moves)
            if unmatched > 0:
                unmatched -= (others | family)._btcpay_get_replaced_amount(moves)
                left = due + sum((moves - documents).mapped('amount_residual')) - unmatched
                due = min(due, max(left, 0))
        else:
            due = self._btcpay_get_amount_due_of_orders(documents, family)
            # Where others are paid with them, by one invoice or payment, their shares are not told
            # apart: no more is due than of the invoices, or than of all of them.
            invoices = documents.invoice_ids._btcpay_filter_posted(documents.currency_id)
            if due > 0 and invoices._btcpay_get_orders() - documents:
                due = min(due, documents._btcpay_get_uninvoiced_amount(invoices) + max(
                    self._btcpay_get_amount_due(invoices, without=without), 0
                ))
            if due > 0 and (others := documents._btcpay_get_others(
                (documents.transaction_ids - family).sale_order_ids | invoices._btcpay_get_orders()
            )):
                due = min(due, max(
                    self._btcpay_get_amount_due_of_orders(documents | others, family), 0
                ))
        return documents.currency_id.round(due)

    @api.model
    def _btcpay_get_amount_due_of_orders(self, orders, family):
        """Return what is still to be paid of orders, by what pays them alone.

        :param sale.order orders: The orders, of one currency.
        :param payment.transaction family: Transactions whose money is left out.
        :rtype: float
        """
        moves = orders.invoice_ids.filtered(lambda move: (
            move.state == 'posted' and move.currency_id == orders.currency_id
        ))
        transactions = ((orders.transaction_ids | moves.transaction_ids) - family).filtered(
            lambda tx: tx._btcpay_get_orders() & orders
            and not orders._btcpay_get_others(tx._btcpay_get_orders())
        )
        own_moves = moves.filtered(lambda move: move._btcpay_get_orders() <= orders)
        booked = sum(
            move.direction_sign * (move.amount_residual - move.amount_total)
            for move in own_moves
        ) - family._btcpay_get_booked_amount(own_moves)
        # What others paid is only there, and what an accountant unmatched only here.
        if own_moves:
            matchable = transactions - transactions._btcpay_filter_without_entry()
            booked += max(matchable._btcpay_convert(
                orders.currency_id, lambda txs: txs._btcpay_get_unmatched_amount()
            ), 0)
        return orders._btcpay_get_price(own_moves) - orders._btcpay_get_till_amount(moves) - max(
            transactions._btcpay_convert(
                orders.currency_id, lambda txs: txs._btcpay_get_net_amount()
            ), booked,
        )

    def _btcpay_get_amount_due_without_this(self):
        """Return what is to be paid of the documents without what this transaction brings.

        :return: The amount, negative if too much was paid; None where there is nothing to pay for,
                 or in other currencies.
        :rtype: float|None
        """
        self.ensure_one()
        if till_order := self._btcpay_get_till_order():
            own = (self | self.child_transaction_ids).payment_id
            return till_order.amount_total - sum(till_order.payment_ids.filtered(
                lambda payment: not payment.online_account_payment_id & own
            ).mapped('amount'))
        documents = self.sale_order_ids or self.invoice_ids
        if not documents or documents.currency_id != self.currency_id:
            return None
        return self._btcpay_get_amount_due(documents, without=self)

    def _btcpay_get_net_amount(self):
        """Return what came in by the transactions, without what was refunded of it.

        :rtype: float
        """
        paid = self.filtered(
            lambda tx: tx.state in PAID_STATES and tx.operation not in ('refund', 'validation')
        )
        ours = paid.filtered(lambda tx: tx.provider_code == 'btcpay')
        refunds = (paid - ours).child_transaction_ids.filtered(
            lambda tx: tx.operation == 'refund' and tx.state in ('pending', 'done')
        )
        net_amount = paid._btcpay_get_credited_amount() + sum(refunds.mapped('amount'))
        for root in ours._btcpay_get_roots():
            # What is given back is first what was booked, without a document, to be given back.
            refunded = -sum(root.btcpay_refund_ids.filtered(
                lambda tx: tx.state in ('pending', 'done')
            ).mapped('amount'))
            loose = sum(root._btcpay_get_loose_receipts().mapped('amount'))
            net_amount -= max(refunded - loose, 0) + root._btcpay_get_reversed_write_off()
        return net_amount

    # === WHAT WAS RECEIVED === #

    def _btcpay_note_network_fee(self):
        """Store what the server took off of the payments for the network's fee: where that is more
        than what was paid, all of it, as nothing counts as paid then."""
        self.ensure_one()
        payments = self.btcpay_payment_ids.filtered(lambda payment: payment.status != 'Invalid')
        self.btcpay_network_fee_amount = float(min(
            sum((payment._get_fee() for payment in payments), Decimal(0)),
            sum((payment._get_worth() for payment in payments), Decimal(0)),
        ))

    def _btcpay_get_gross_amount(self):
        """Return all that came into the wallet for the invoice: what the server took off for the
        network's fee does not count for the order, but it is there, and may be given back.

        :return: The amount, in the currency; at least what counts.
        :rtype: float
        """
        self.ensure_one()
        return self.currency_id.round(self.btcpay_paid_amount + self.btcpay_network_fee_amount)

    def _btcpay_get_counted_amount(self):
        """Return what was received of what was asked for.

        :rtype: float
        """
        self.ensure_one()
        return min(self.btcpay_paid_amount, self._btcpay_get_asked_amount())

    def _btcpay_is_paid_in_full(self):
        """Return whether all that was asked for was received, confirmed or not."""
        return self._btcpay_is_enough(self.btcpay_paid_amount)

    def _btcpay_is_confirmed(self):
        """Return whether all that was received is confirmed: what is not may still vanish."""
        self.ensure_one()
        payments = self.btcpay_payment_ids.filtered(lambda payment: payment.status != 'Invalid')
        return bool(payments) and all(payment.status == 'Settled' for payment in payments)

    def _btcpay_is_confirmed_but_dust(self):
        """Return whether all that matters of what was received is confirmed: dust can be sent by
        anybody, to any invoice, and is confirmed late or never."""
        self.ensure_one()
        waiting = self.btcpay_payment_ids.filtered(lambda payment: payment.status == 'Processing')
        return self._btcpay_is_confirmed() or bool(
            waiting and self._btcpay_get_confirmed_amount() > 0
            and sum(payment._get_worth() for payment in waiting) <= self._btcpay_get_dust_amount()
        )

    def _btcpay_get_dust_amount(self):
        """Return up to which amount a payment of the invoice is dust.

        :rtype: float
        """
        self.ensure_one()
        return self._btcpay_get_asked_amount() * const.DUST_SHARE

    def _btcpay_is_all_late(self):
        """Return whether all that was received came after the invoice had expired."""
        self.ensure_one()
        payments = self.btcpay_payment_ids.filtered(lambda payment: payment.status != 'Invalid')
        return bool(payments and self.btcpay_expires_at) and all(
            payment.received_at and payment.received_at > self.btcpay_expires_at
            for payment in payments
        )

    def _btcpay_has_money(self):
        """Return whether something was paid already."""
        self.ensure_one()
        return bool(self.btcpay_paid_amount) or self.btcpay_status not in (False, 'New')

    def _btcpay_is_money_there(self):
        """Return whether the documents are paid by the transaction, or will be if nothing happens.
        """
        self.ensure_one()
        return self.state == 'done' or (self.state == 'pending' and self._btcpay_has_money())

    def _btcpay_get_partial_receipts(self):
        """Return the child transactions by which partial payments of the invoice are booked.

        :rtype: payment.transaction
        """
        return self._btcpay_get_receipts() - self

    def _btcpay_get_receipts(self):
        """Return the transactions by which what was received for the invoice is booked.

        :rtype: payment.transaction
        """
        self.ensure_one()
        return (self | self.child_transaction_ids).filtered(
            lambda tx: tx.operation != 'refund' and tx.state == 'done'
        )

    def _btcpay_get_loose_receipts(self):
        """Return the receipts without a document: booked so that they could be given back.

        :rtype: payment.transaction
        """
        self.ensure_one()
        return self._btcpay_get_partial_receipts().filtered(lambda tx: tx.operation == 'offline')

    def _btcpay_get_kept_amount(self):
        """Return what was received and is neither given back nor to be given back.

        :rtype: float
        """
        self.ensure_one()
        return self.currency_id.round(self.btcpay_paid_amount - self.btcpay_returned_amount)

    def _btcpay_get_free_amount(self):
        """Return what was booked without a document to be given back, and then was not.

        :rtype: float
        """
        self.ensure_one()
        loose = sum(self._btcpay_get_loose_receipts().mapped('amount'))
        return max(self.currency_id.round(loose - self.btcpay_returned_amount), 0)

    def _btcpay_get_accounted_amount(self):
        """Return what of the money is booked for the documents and was not given back again.

        What is given back is first what was booked for that, without a document.

        :rtype: float
        """
        self.ensure_one()
        given_back = self._btcpay_get_given_back_amount()
        if given_back and self._btcpay_get_kept_amount() <= 0:
            return 0  # What counted as paid without having come in does not any more.
        receipts = self._btcpay_get_receipts() - self._btcpay_get_loose_receipts()
        return self.currency_id.round(
            receipts._btcpay_get_credited_amount() - self._btcpay_get_worth(given_back)
        )

    def _btcpay_get_given_back_amount(self):
        """Return what was given back of what is booked for documents, or is to be given back.

        :rtype: float
        """
        self.ensure_one()
        root = self._btcpay_get_root()
        if root.provider_code != 'btcpay':
            return -sum(root.child_transaction_ids.filtered(
                lambda tx: tx.operation == 'refund' and tx.state in ('pending', 'done')
            ).mapped('amount'))
        loose = sum(root._btcpay_get_loose_receipts().mapped('amount'))
        return max(self.currency_id.round(root.btcpay_returned_amount - loose), 0)

    def _btcpay_get_unbooked_amount(self):
        """Return what was received of the amount asked for, was not given back and is not booked
        for the documents: what can be accepted.

        :rtype: float
        """
        self.ensure_one()
        if self.state == 'done':
            return 0
        kept = self._btcpay_get_worth(self._btcpay_get_kept_amount())
        return max(self.currency_id.round(kept - self._btcpay_get_accounted_amount()), 0)

    def _btcpay_get_surplus(self):
        """Return what was received beyond the amount asked for and is not given back, confirmed or
        not.

        What was given back of the documents' money, before more came in, is not of it.

        :rtype: float
        """
        self.ensure_one()
        given_back = self.btcpay_returned_amount - self._btcpay_get_given_back_amount()
        return max(self.currency_id.round(self.btcpay_overpaid_amount - given_back), 0)

    def _btcpay_get_confirmed_amount(self):
        """Return what of the amount received is confirmed.

        :rtype: float
        """
        self.ensure_one()
        waiting = self.btcpay_payment_ids.filtered(lambda payment: payment.status == 'Processing')
        unconfirmed = sum(payment._get_worth() - payment._get_fee() for payment in waiting)
        return max(self.currency_id.round(self.btcpay_paid_amount - float(unconfirmed)), 0)

    # === WHAT WAS GIVEN BACK === #

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

        Refunds that are underway count: Odoo's own wizard forgets them. What counts for the order
        is what is refunded of it: the network's fee is given back only where a person says so.

        :return: `received`, `refunded`, `underway`, `available` and `overpayment`, in the currency;
                 and `limit`: what is available with the network's fee.
        :rtype: dict[str, float]
        """
        self.ensure_one()
        returned = self.btcpay_returned_amount
        refunded = self.btcpay_refund_ids.filtered(
            lambda refund: refund.state == 'done'
        )._btcpay_get_returned_amount()
        final = self._btcpay_get_final_amount()
        available = max(self.currency_id.round(min(self.btcpay_paid_amount, final) - returned), 0)
        # What is given back is taken from the overpayment first.
        overpayment = min(self._btcpay_get_surplus(), available)
        return {
            'received': self.btcpay_paid_amount,
            'refunded': refunded,
            'underway': self.currency_id.round(returned - refunded),
            'available': available,
            'limit': max(self.currency_id.round(final - returned), available),
            'overpayment': overpayment,
        }
