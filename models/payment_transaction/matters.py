"""What a person is asked about a payment: each matter once, until it is settled, by whomever."""
from markupsafe import escape

from odoo import _, api, models

from odoo.addons.payment_btcpay.utils import choose_assignee, get_salesperson, schedule_activity

# Paid twice, or about to be: all payments for the same documents are one matter.
SHARED_MATTER = 'double'
UNKNOWN = 'unknown status '


class PaymentTransaction(models.Model):
    _inherit = 'payment.transaction'

    # === FLAGGING === #

    def _btcpay_flag_for_review(self, message, matter=None):
        """Leave what Odoo cannot settle by itself to a person: a note and an activity.

        A matter has one activity, however often the transaction is synced: where its message
        changes, the activity does. One that a person has closed is asked of again when there is
        something new to say, one that was settled when it comes up again.

        :param str message: What happened and what to do, in one line.
        :param str matter: The kind of what is asked, see `_btcpay_is_matter_open`; without one each
                           message is a matter of its own.
        :return: Whether it is new.
        :rtype: bool
        """
        self.ensure_one()
        matter = matter or message
        is_shared = matter == SHARED_MATTER
        if not is_shared and not self._btcpay_is_matter_open(matter):
            return False
        if is_shared and (holder := self._btcpay_find_matter_holder(matter)) != self:
            self._btcpay_add_review_note(message)
            return holder._btcpay_flag_for_review(message, matter)
        matters = dict(self.sudo().btcpay_review_matters or {})
        known = matters.get(matter)
        is_asked = known and not known.get('settled')
        # Of what several transactions say of it each is told once.
        told = (known.get('told') if is_asked and is_shared else None) or []
        if is_asked and message in [known['message'], *told]:
            return False
        is_noted = self._btcpay_add_review_note(
            message, replaced=known and not is_shared and known['message']
        )
        if not known and not is_noted and not is_shared:
            return False  # By an earlier version, which knew messages only.
        activity = self._btcpay_get_matter_activities(known)
        self._btcpay_post_note(message)
        if activity:
            activity.note = escape(message)
        else:
            activity = self._btcpay_schedule_review(message)
        matters[matter] = {
            'message': message, 'activity_id': activity.id, 'told': [*told, message],
        }
        self.sudo().btcpay_review_matters = matters
        self._btcpay_note_decisions()
        return True

    def _btcpay_schedule_review(self, message):
        """Ask the responsible person.

        :param str message: What happened and what to do.
        :return: The activity; none where the context suppresses them.
        :rtype: mail.activity
        """
        self.ensure_one()
        document = self._btcpay_get_document()
        activity = schedule_activity(
            document, _("Bitcoin payment %s", self.reference), message,
            self._btcpay_get_responsible(document),
        )
        activity.sudo().btcpay_transaction_id = self
        return activity

    def _btcpay_find_matter_holder(self, matter):
        """Return the transaction for the same documents that has a matter's open activity.

        :param str matter: The kind of what is asked.
        :return: The transaction; this one if none has it.
        :rtype: payment.transaction
        """
        self.ensure_one()
        return (self | self._btcpay_get_payment_siblings()).filtered(
            lambda tx: tx.provider_code == 'btcpay' and tx._btcpay_get_matter_activities(
                (tx.sudo().btcpay_review_matters or {}).get(matter)
            )
        )[:1] or self

    def _btcpay_get_matter_activities(self, known):
        """Return the open activity of a matter.

        :param dict|None known: What was asked, see `btcpay_review_matters`.
        :rtype: mail.activity
        """
        return self.env['mail.activity'].sudo().browse(
            (known and known.get('activity_id')) or []
        ).exists().filtered('active')

    def _btcpay_add_review_note(self, message, replaced=None):
        """Note on the transaction what needs review, once.

        :param str message: What happened and what to do, in one line.
        :param str|None replaced: What was noted of the same matter before.
        :return: Whether it is new.
        :rtype: bool
        """
        self.ensure_one()
        notes = [note for note in (self.btcpay_review_note or '').split('\n') if note]
        if message in notes:
            return False
        notes = [message if note == replaced else note for note in notes]
        self.btcpay_review_note = '\n'.join(notes if message in notes else [*notes, message])
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
            get_salesperson(document) | self.provider_id.sudo().btcpay_responsible_id, document
        )

    # === SETTLING === #

    @api.depends('btcpay_review_activity_ids.active')
    def _compute_btcpay_is_resolved(self):
        for tx in self:
            activities = tx.btcpay_review_activity_ids
            tx.btcpay_is_resolved = bool(activities) and not any(activities.mapped('active'))

    def _btcpay_close_settled_matters(self):
        """Close the activities of matters that are settled, whoever settled them."""
        for tx in self:
            tx._btcpay_settle_matters(*(
                matter for matter in tx._btcpay_get_open_matters()
                if not tx._btcpay_is_matter_open(matter)
            ))

    def _btcpay_get_open_matters(self):
        """Return the kinds of what was asked and is not settled yet.

        :rtype: list[str]
        """
        self.ensure_one()
        return [
            matter for matter, known in (self.sudo().btcpay_review_matters or {}).items()
            if not known.get('settled')
        ]

    def _btcpay_settle_matters(self, *matters):
        """Close the activities of matters, since they are settled.

        :param str matters: The kinds of what was asked.
        """
        self.ensure_one()
        settled = set(matters).intersection(self._btcpay_get_open_matters())
        if not settled:
            return
        known = self.sudo().btcpay_review_matters
        for matter in settled:
            self._btcpay_get_matter_activities(known[matter]).action_feedback()
        self.sudo().btcpay_review_matters = {
            matter: {**asked, 'settled': True} if matter in settled else asked
            for matter, asked in known.items()
        }
        self._btcpay_note_decisions()

    def _btcpay_review_again(self):
        """See what is to be decided now that a refund has ended with less than it was to be.

        Note: the transaction is locked.
        """
        self.ensure_one()
        tx = self._btcpay_as_odoo()
        if tx.btcpay_status:
            tx._btcpay_apply_status(is_new=False)
        for receipt in tx._btcpay_get_receipts().filtered('is_post_processed'):
            receipt._btcpay_report_anomalies()  # Which the refund had settled.

    def _btcpay_is_matter_open(self, matter):
        """Return whether there still is something to decide.

        :param str matter: The kind of what is asked.
        :return: Whether there is; of what cannot be told, that there is.
        :rtype: bool
        """
        self.ensure_one()
        match matter:
            case 'gone':  # The payment that had been seen was replaced.
                return (
                    self.state == 'pending' and self.btcpay_status == 'New'
                    and not self.btcpay_paid_amount
                )
            case 'expired':  # What came late or in part: accept or refund.
                return (
                    self.btcpay_status in ('Expired', 'Invalid')
                    and bool(self._btcpay_get_unbooked_amount())
                )
            case 'invalid':  # The server gave up on money that came.
                return self.btcpay_status == 'Invalid' and bool(self._btcpay_get_unbooked_amount())
            case 'overpaid':
                return bool(self._btcpay_get_surplus())
            case 'vanished':  # It counted before it was confirmed, and was replaced since.
                money = self._btcpay_get_gross_amount()
                return self.btcpay_status == 'Settled' and self.currency_id.compare_amounts(
                    self._btcpay_get_booked_money(), max(money, self._btcpay_get_worth(money))
                ) > 0
            case 'contradiction':  # Paid in Odoo, but not at the server.
                is_given_back = self.btcpay_returned_amount and self._btcpay_get_kept_amount() <= 0
                return self.btcpay_status in ('Expired', 'Invalid') and not is_given_back
            case 'returned':  # Settled at the server after it was given back.
                return (
                    self.btcpay_status == 'Settled' and self.state != 'done'
                    and not self._btcpay_is_counted_in_full()
                    and not self._btcpay_is_enough(self._btcpay_get_kept_amount())
                )
            case 'canceled':  # Paid for what was canceled.
                is_kept = self.state == 'done' or self._btcpay_get_kept_amount() > 0
                is_given_back = self.btcpay_returned_amount and self._btcpay_get_kept_amount() <= 0
                # Who reopens the order is to confirm it still: it is not tried again by itself.
                is_open = self._btcpay_are_documents_canceled() or (
                    self._btcpay_is_confirmation_due()
                )
                return is_open and is_kept and not is_given_back
            case 'confirm':  # Paid, but not confirmed or not booked.
                return self._btcpay_is_confirmation_due()
            case 'taken_back':  # Paid out, while the books do not show that it came in.
                return bool(self._btcpay_find_taken_back())
            case 'credit_note':  # Refunded, but not paid back by that any more.
                return bool(self._btcpay_find_lost_refunds())
            case 'double':
                return self._btcpay_is_paid_twice()
            case 'changed':
                return self._btcpay_is_change_open()
            case 'method_discount':  # Paid with a discount that is not on the order.
                return bool(self._btcpay_get_pending_discount()) and (
                    self._btcpay_get_amount_due(self.sale_order_ids) > 0
                )
            case 'seen':  # Confirmed for a payment that is gone.
                return self._btcpay_is_confirmed_but_gone()
            case 'discount':  # Paid early, but booked too late.
                return bool(self._btcpay_find_lost_discounts())
        # A status that is not known.
        return not matter.startswith(UNKNOWN) or matter == self._btcpay_get_unknown_matter()

    def _btcpay_get_unknown_matter(self):
        """Return the matter of the invoice's status not being known.

        :rtype: str
        """
        self.ensure_one()
        return f'{UNKNOWN}{self.btcpay_status}/{self.btcpay_additional_status}'

    def _btcpay_is_change_open(self):
        """Return whether documents were changed after the invoice was made, and their total is not
        what was paid of them."""
        self.ensure_one()
        documents = self.sale_order_ids or self.invoice_ids
        return self._btcpay_are_documents_changed() and (
            documents.currency_id != self.currency_id
            or bool(self._btcpay_get_amount_due(documents))
            or any(tx._btcpay_get_double_amount() > 0 for tx in self._btcpay_get_receipts())
        )

    def _btcpay_is_paid_twice(self):
        """Return whether more came in than what is to be paid, or is about to, and is kept."""
        self.ensure_one()
        return any(
            tx._btcpay_is_one_too_many()
            for tx in self | self.child_transaction_ids | self._btcpay_get_payment_siblings()
            if tx.operation not in ('refund', 'validation')
        )

    def _btcpay_is_one_too_many(self):
        """Return whether something else pays for the same, and this money is kept all the same."""
        self.ensure_one()
        if self.state in ('authorized', 'done'):
            return self._btcpay_get_double_amount() > 0
        return (
            self._btcpay_get_kept_amount() > 0 and not self._btcpay_get_receipts()
            and self._btcpay_get_obsolete_reason() in ('paid', 'lowered', 'newer')
        )
