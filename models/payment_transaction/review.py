"""Money that does not fit what it is for is flagged for review."""
from odoo import _, fields, models

from odoo.addons.payment_btcpay.models.payment_transaction.documents import leave_out_canceled


class PaymentTransaction(models.Model):
    _inherit = 'payment.transaction'

    # === ANOMALIES === #

    def _btcpay_report_anomalies(self):
        """Flag for review what does not fit between money that came in and what it is for.

        Called once for each payment, when it is post-processed.
        """
        self.ensure_one()
        if self in self._btcpay_get_root()._btcpay_get_loose_receipts():
            return  # Booked only to be given back: no payment of the documents.
        self._btcpay_report_double_payment()
        if self.provider_code == 'btcpay':
            self._btcpay_report_canceled_documents()
            self._btcpay_report_changed_documents()
            self._btcpay_report_lost_discounts()

    def _btcpay_report_double_payment(self):
        """Note on all payments for the same that more came in than it costs, to be refunded."""
        self.ensure_one()
        overpaid = self._btcpay_get_double_amount()
        orders = self.sale_order_ids | self.source_transaction_id.sale_order_ids
        others = orders.invoice_ids.transaction_ids | self._btcpay_get_payment_siblings()
        others = (others - self).filtered(
            lambda tx: tx.state in ('authorized', 'done')
            and tx.operation not in ('refund', 'validation')
        )
        ours = (self | others).filtered(lambda tx: tx.provider_code == 'btcpay')
        if not ours or overpaid <= 0:
            return
        if others:
            message = _(
                "%(references)s together are %(overpaid)s more than what was to be paid: the"
                " customer paid twice. Refund one of the payments.",
                references=", ".join((self | others).sorted('id').mapped('reference')),
                overpaid=self.currency_id.format(overpaid),
            )
        elif self._btcpay_are_documents_paid() and not self._btcpay_are_documents_free():
            message = _(
                "%(reference)s came in for what had been paid in another way. Refund %(overpaid)s.",
                reference=self.reference, overpaid=self.currency_id.format(overpaid),
            )
        elif not self._btcpay_get_root()._btcpay_are_documents_changed():
            message = _(
                "%(reference)s came in when less was due than the %(amount)s asked for. Refund"
                " %(overpaid)s.",
                reference=self.reference, amount=self.currency_id.format(self.amount),
                overpaid=self.currency_id.format(overpaid),
            )
        else:
            return  # Less is to be paid now than was agreed on: see below.
        flagged = max(ours, key=lambda tx: tx.id)
        for tx in (self | others) - flagged:
            tx._btcpay_add_review_note(message)
        flagged._btcpay_flag_for_review(message, 'double')

    def _btcpay_get_double_amount(self):
        """Return what of a payment is more than what was to be paid, and was not given back.

        :return: The amount; 0 or less if nothing is.
        :rtype: float
        """
        self.ensure_one()
        due = self._btcpay_get_amount_due_without_this()
        if due is None or not self.amount:
            return 0
        given_back = self._btcpay_get_given_back_amount()
        if not self.sale_order_ids:
            # A refund of another payment does not make an invoice due again.
            given_back += sum(
                tx._btcpay_get_given_back_amount() for tx in self._btcpay_get_payment_siblings()
                if tx.state in ('authorized', 'done')
            )
        return self.currency_id.round(
            self._btcpay_get_credited_amount() - max(due, 0)
            - given_back - self._btcpay_get_reversed_write_off()
        )

    def _btcpay_report_taken_back(self):
        """Flag for review that a refund was paid out of money that the books do not show any more.

        Note: called on the refund.
        """
        self.ensure_one()
        tx = self._btcpay_get_root()
        if taken_back := tx._btcpay_find_taken_back():
            tx._btcpay_flag_for_review(_(
                "The refund %(reference)s of %(amount)s was paid out and is booked, but the payment"
                " %(payment)s, by which the money came in, was canceled, set to draft or reversed"
                " in Odoo meanwhile: the books show money out that never came in. Confirm the"
                " payment again, or undo its reversal, and match it with the refund.",
                reference=self.reference, amount=self.currency_id.format(-self.amount),
                payment=", ".join(taken_back.mapped('display_name')),
            ), 'taken_back')

    def _btcpay_report_lost_credit_notes(self):
        """Flag for review that refunds are of credit notes that are of no use any more."""
        self.ensure_one()
        tx = self._btcpay_get_root()
        if lost := tx._btcpay_find_lost_refunds():
            tx._btcpay_flag_for_review(_(
                "The credit note %(credit_note)s was canceled or used for something else, but"
                " %(amount)s is refunded for it by %(reference)s: the customer may get that twice."
                " Cancel the refund if it is not paid out yet. Otherwise match its payment with"
                " another credit note, or ask the customer for the money.",
                credit_note=", ".join(lost.btcpay_credit_note_id.mapped('display_name')),
                reference=", ".join(lost.mapped('reference')),
                amount=tx.currency_id.format(-sum(lost.mapped('amount'))),
            ), 'credit_note')

    def _btcpay_find_lost_refunds(self):
        """Return the refunds of credit notes that are of no use any more.

        :rtype: payment.transaction
        """
        self.ensure_one()
        return self.btcpay_refund_ids.filtered(
            lambda refund: refund._btcpay_is_credit_note_lost()
        ).sorted('id')

    def _btcpay_is_credit_note_lost(self):
        """Return whether the credit note that the refund pays back was canceled or used for
        something else: until it is a draft no more, or the refund is booked, nothing is lost."""
        self.ensure_one()
        credit_note = self.btcpay_credit_note_id
        if self.payment_id.move_id:
            return credit_note.state in ('posted', 'cancel') and bool(
                self._btcpay_get_open_amount()
            )
        return self.state in ('pending', 'done') and (
            credit_note.state == 'cancel'
            or (credit_note.state == 'posted' and credit_note._btcpay_get_credit_left() < 0)
        )

    def _btcpay_find_taken_back(self):
        """Return the payments of what was received that an accountant has taken back.

        :rtype: account.payment
        """
        self.ensure_one()
        return self._btcpay_get_receipts().payment_id.filtered(
            lambda payment: payment._btcpay_is_taken_back()
        )

    def _btcpay_report_canceled_documents(self):
        """Flag for review that something was paid that had been canceled."""
        self.ensure_one()
        if self._btcpay_are_documents_canceled():
            self._btcpay_get_root()._btcpay_flag_for_review(_(
                "%(amount)s was paid by %(reference)s for what had been canceled. Refund it, or"
                " reopen the order.",
                amount=self.currency_id.format(self.amount), reference=self.reference,
            ), 'canceled')

    def _btcpay_report_changed_documents(self):
        """Flag for review that the documents came to something else when the invoice was made that
        is paid now: they were changed, or confirming changed them.

        The customer who paid all of what it was is asked for the difference.
        """
        self.ensure_one()
        tx = self._btcpay_get_root()
        if not tx._btcpay_are_documents_changed() or tx._btcpay_are_documents_canceled():
            return
        documents = leave_out_canceled(tx.sale_order_ids or tx.invoice_ids.filtered(
            lambda move: move.payment_state != 'reversed'  # Others may have taken their place.
        ) or tx.invoice_ids)
        shown = tx.currency_id.format
        values = {
            'reference': tx.reference,
            'documents': ", ".join(documents.mapped('display_name')),
            'before': shown(tx.btcpay_documents_total),
        }
        if documents.currency_id != tx.currency_id:
            tx._btcpay_flag_for_review(_(
                "%(reference)s was paid as it was agreed on, when %(documents)s came to %(before)s;"
                " now it is in another currency. Ask for the difference, or refund it.", **values,
            ), 'changed')
            return
        overpaid = self._btcpay_get_double_amount()
        values.update({
            'now': shown(tx._btcpay_get_documents_total(documents)),
            'due': shown(self._btcpay_get_amount_due(documents)),
            'overpaid': shown(overpaid),
        })
        if overpaid > 0:
            tx._btcpay_flag_for_review(_(
                "%(reference)s was paid as it was agreed on, when %(documents)s came to %(before)s;"
                " it comes to %(now)s now. Refund %(overpaid)s.", **values,
            ), 'changed')
        elif self._btcpay_is_difference_due() and self.partner_id.email:
            is_new = tx._btcpay_flag_for_review(_(
                "%(reference)s was paid as it was agreed on, when %(documents)s came to %(before)s;"
                " it comes to %(now)s now, so that %(due)s is due. The customer is sent a link to"
                " pay it: see that it is paid.", **values,
            ), 'changed')
            if is_new:
                self._btcpay_mail_customer('mail_template_difference')
        else:
            tx._btcpay_flag_for_review(_(
                "%(reference)s was paid as it was agreed on, when %(documents)s came to %(before)s;"
                " it comes to %(now)s now, so that %(due)s is due. Ask the customer for it.",
                **values,
            ), 'changed')

    def _btcpay_report_lowered(self):
        """Flag for review that more was paid than documents come to since their invoices were
        posted anew, or for less: these are paid, and nothing else says that something is left.
        """
        for tx in self:
            if (
                tx.state == 'done' and tx.operation != 'refund' and tx.payment_id
                and tx._btcpay_get_root()._btcpay_are_documents_changed()
                and tx._btcpay_get_double_amount() > 0
            ):
                tx._btcpay_as_odoo()._btcpay_report_changed_documents()

    def _btcpay_is_difference_due(self):
        """Return whether the customer paid all of what it was, and it costs more now."""
        self.ensure_one()
        tx = self._btcpay_get_root()
        return (
            tx._btcpay_are_documents_changed()
            and tx.currency_id.compare_amounts(
                self.amount + tx.btcpay_discount_amount, tx.btcpay_documents_total
            ) == 0
            and bool(self._btcpay_get_amount_due_links())  # None if the order is canceled.
        )

    def _btcpay_report_lost_discounts(self):
        """Flag for review that a customer has paid early, but the payment was booked too late for
        the discount that it was agreed on with."""
        self.ensure_one()
        tx = self._btcpay_get_root()
        for move in tx._btcpay_find_lost_discounts():
            tx._btcpay_flag_for_review(_(
                "%(reference)s paid %(invoice)s with its early payment discount, but was confirmed"
                " after the last day for it: of the %(total)s %(amount)s is paid, and %(due)s is"
                " still due. Grant the discount with a credit note, or ask the customer for it.",
                reference=tx.reference, invoice=move.display_name,
                total=tx.currency_id.format(move.amount_total),
                amount=tx.currency_id.format(move.amount_total - move.amount_residual),
                due=tx.currency_id.format(move.amount_residual),
            ), 'discount')

    def _btcpay_find_lost_discounts(self):
        """Return the invoices of which exactly the early payment discount is still due, though the
        payment was begun in time.

        :rtype: account.move
        """
        self.ensure_one()
        begun_on = fields.Date.context_today(self, self.create_date)
        return self.invoice_ids.filtered(lambda move: any(
            line.discount_date and begun_on <= line.discount_date
            and move.currency_id.compare_amounts(
                line.amount_currency - line.discount_amount_currency, move.amount_residual
            ) == 0
            for line in move.line_ids
            if line.display_type == 'payment_term' and move.invoice_payment_term_id.early_discount
        ))

    def _btcpay_flag_unwanted_money(self, reason):
        """Flag for review an open invoice that has money on it, but is not to be paid any more.

        What was changed only is booked for what it was, and flagged then.

        :param str reason: Why it is not, see `_btcpay_get_obsolete_reason`.
        """
        self.ensure_one()
        values = self._btcpay_get_sums()
        match reason:
            case 'canceled':
                self._btcpay_flag_for_review(_(
                    "%(reference)s is canceled in Odoo, but %(paid)s was received for its Bitcoin"
                    " invoice. Odoo leaves the invoice open: refund the money, or reopen the"
                    " order.", **values,
                ), 'canceled')
            case 'paid' if not self._btcpay_are_documents_free():
                self._btcpay_flag_for_review(_(
                    "What %(reference)s is for is paid in another way, but %(paid)s was received"
                    " for its Bitcoin invoice too. Odoo leaves the invoice open: refund one of the"
                    " payments.", **values,
                ), 'double')
            case 'lowered':
                self._btcpay_flag_for_review(_(
                    "Less is due of what %(reference)s is for than the %(amount)s asked for, but"
                    " %(paid)s was received for its Bitcoin invoice. Odoo leaves the invoice open:"
                    " see that no more than the amount due is kept.", **values,
                ), 'double')
            case 'newer':
                self._btcpay_flag_for_review(_(
                    "The customer started a new payment, though %(paid)s was received for the"
                    " Bitcoin invoice of %(reference)s. Odoo leaves the invoice open: see that it"
                    " is not paid twice.", **values,
                ), 'double')
