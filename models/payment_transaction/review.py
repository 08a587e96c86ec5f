"""What Odoo cannot settle by itself is flagged for review: a note, an activity, once."""
from odoo import _, api, models

from odoo.addons.payment_btcpay.utils import choose_assignee, get_salesperson


class PaymentTransaction(models.Model):
    _inherit = 'payment.transaction'

    # === FLAGGING AND RESOLVING === #

    def _btcpay_flag_for_review(self, message):
        """Leave what Odoo cannot settle by itself to a person: a note and an activity.

        The same message is left once, however often the transaction is synced.

        Note: `self.ensure_one()`

        :param str message: What happened and what to do.
        :return: Whether it is new.
        :rtype: bool
        """
        self.ensure_one()
        if not self._btcpay_add_review_note(message):
            return False
        self._btcpay_post_note(message)
        document = self._btcpay_get_document()
        activity = document.activity_schedule(
            'mail.mail_activity_data_todo',
            summary=_("Bitcoin payment %s", self.reference),
            note=message,
            user_id=self._btcpay_get_responsible(document).id,
        )
        if activity:  # None where the context suppresses them.
            self.sudo().btcpay_review_activity_ids += activity
        return True

    def _btcpay_resolve_review(self):
        """Close the activities by which somebody was asked, since it is resolved."""
        self.sudo().btcpay_review_activity_ids.filtered('active').action_feedback()

    @api.depends('btcpay_review_activity_ids.active')
    def _compute_btcpay_is_resolved(self):
        for tx in self:
            activities = tx.btcpay_review_activity_ids
            tx.btcpay_is_resolved = bool(activities) and not any(activities.mapped('active'))

    def _btcpay_add_review_note(self, message):
        """Note on the transaction what needs review, once.

        :param str message: What happened and what to do, in one line.
        :return: Whether it is new.
        :rtype: bool
        """
        self.ensure_one()
        notes = (self.btcpay_review_note or '').split('\n')
        if message in notes:
            return False
        self.btcpay_review_note = '\n'.join([note for note in notes if note] + [message])
        return True

    def _btcpay_post_note(self, message):
        """Tell the people who read along on the documents.

        :param str message: What happened.
        """
        self.ensure_one()
        self._log_message_on_linked_documents(message)

    def _btcpay_get_responsible(self, document):
        """Return the person who is asked.

        :param sale.order|account.move|res.partner document: The document.
        :return: The document's salesperson, else the provider's responsible, else an administrator.
        :rtype: res.users
        """
        return choose_assignee(
            get_salesperson(document) or self.provider_id.sudo().btcpay_responsible_id
        )

    # === ANOMALIES === #

    def _btcpay_report_anomalies(self):
        """Flag for review what does not fit between money that came in and what it is for.

        Called once for each payment, when it is post-processed.

        Note: `self.ensure_one()`
        """
        self.ensure_one()
        self._btcpay_report_double_payment()
        if self.provider_code == 'btcpay':
            self._btcpay_report_canceled_documents()
            self._btcpay_report_changed_documents()

    def _btcpay_report_double_payment(self):
        """Note on all payments for the same that more came in than it costs, to be refunded."""
        self.ensure_one()
        due = self._btcpay_get_amount_due_without_this()
        if due is None or not self.amount:
            return
        overpaid = self.currency_id.round(self.amount - max(due, 0))
        orders = self.sale_order_ids | self.source_transaction_id.sale_order_ids
        others = orders.invoice_ids.transaction_ids | self._btcpay_get_payment_siblings()
        others = (others - self).filtered(
            lambda tx: tx.state in ('authorized', 'done')
            and tx.operation not in ('refund', 'validation')
        )
        ours = (self | others).filtered(lambda tx: tx.provider_code == 'btcpay')
        if not ours or self.currency_id.compare_amounts(overpaid, 0) <= 0:
            return
        if others:
            message = _(
                "%(references)s together are %(overpaid)s more than what was to be paid: the"
                " customer paid twice. Refund one of the payments.",
                references=", ".join((self | others).sorted('id').mapped('reference')),
                overpaid=self.currency_id.format(overpaid),
            )
        elif self._btcpay_are_documents_paid():
            message = _(
                "%(reference)s came in for what had been paid in another way. Refund %(overpaid)s.",
                reference=self.reference, overpaid=self.currency_id.format(overpaid),
            )
        else:
            return  # Less is to be paid now than was agreed on: see below.
        flagged = max(ours, key=lambda tx: tx.id)
        for tx in (self | others) - flagged:
            tx._btcpay_add_review_note(message)
        flagged._btcpay_flag_for_review(message)

    def _btcpay_report_canceled_documents(self):
        """Flag for review that something was paid that had been canceled."""
        self.ensure_one()
        if self._btcpay_are_documents_canceled():
            self._btcpay_flag_for_review(_(
                "%(amount)s was paid by %(reference)s for what had been canceled. Refund it, or"
                " reopen the order.",
                amount=self.currency_id.format(self.amount), reference=self.reference,
            ))

    def _btcpay_report_changed_documents(self):
        """Flag for review that the order was changed after the invoice was made that is paid now.

        The customer who paid all of what it was is asked for the difference.
        """
        self.ensure_one()
        tx = self._btcpay_get_root()
        if not tx._btcpay_are_documents_changed():
            return
        document = tx._btcpay_get_document()
        values = {
            'reference': tx.reference,
            'before': tx.currency_id.format(tx.btcpay_documents_total),
            'now': document.currency_id.format(document.amount_total),
        }
        if self._btcpay_is_difference_due():
            is_new = self._btcpay_flag_for_review(_(
                "%(reference)s was paid as it was agreed on, %(before)s; since then the order was"
                " changed to %(now)s. The customer was sent a link to pay the difference: see that"
                " it is paid.", **values,
            ))
            if is_new:
                self._btcpay_mail_customer('mail_template_difference')
            return
        self._btcpay_flag_for_review(_(
            "%(reference)s was paid as it was agreed on, when the order came to %(before)s; since"
            " then it was changed to %(now)s. Ask for the difference, or refund it.", **values,
        ))

    def _btcpay_is_difference_due(self):
        """Return whether the customer paid all of what the order was, and it costs more now."""
        self.ensure_one()
        tx = self._btcpay_get_root()
        return (
            tx._btcpay_are_documents_changed()
            and tx.currency_id.compare_amounts(self.amount, tx.btcpay_documents_total) == 0
            and bool(self._btcpay_get_amount_due_url())  # Empty if the order is canceled.
        )

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
                ))
            case 'paid':
                self._btcpay_flag_for_review(_(
                    "What %(reference)s is for is paid in another way, but %(paid)s was received"
                    " for its Bitcoin invoice too. Odoo leaves the invoice open: refund one of the"
                    " payments.", **values,
                ))
            case 'newer':
                self._btcpay_flag_for_review(_(
                    "The customer started a new payment, though %(paid)s was received for the"
                    " Bitcoin invoice of %(reference)s. Odoo leaves the invoice open: see that it"
                    " is not paid twice.", **values,
                ))
