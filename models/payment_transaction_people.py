from odoo import _, api, fields, models

from odoo.addons.payment_btcpay.utils import choose_assignee, get_salesperson


class PaymentTransaction(models.Model):
    _inherit = 'payment.transaction'

    btcpay_note = fields.Text(
        string="For a Person to Decide",
        help="What Odoo could not settle by itself.",
        readonly=True, copy=False,
    )
    btcpay_activity_ids = fields.Many2many(
        help="By which a person was asked.", comodel_name='mail.activity',
        context={'active_test': False}, readonly=True, copy=False, groups='base.group_system',
    )
    btcpay_is_decided = fields.Boolean(compute='_compute_btcpay_is_decided', compute_sudo=True)

    @api.depends('btcpay_activity_ids.active')
    def _compute_btcpay_is_decided(self):
        for tx in self:
            activities = tx.btcpay_activity_ids
            tx.btcpay_is_decided = bool(activities) and not any(activities.mapped('active'))

    def _btcpay_note(self, message):
        """Tell the people who read along on the documents.

        :param str message: What happened.
        :return: None
        """
        self.ensure_one()
        self._log_message_on_linked_documents(message)

    def _get_received_message(self):
        """Override of `payment` to say everything once, in words a salesperson understands.

        Note: `self.ensure_one()`
        """
        self.ensure_one()
        if self.provider_code != 'btcpay' or self.operation == 'validation':
            return super()._get_received_message()
        values = {
            'reference': self._get_html_link(),
            'amount': self.currency_id.format(abs(self.amount)),
        }
        if self.operation == 'refund':
            match self.state:
                case 'pending':
                    return _(
                        "The refund %(reference)s of %(amount)s waits for the customer to claim"
                        " it.", **values,
                    )
                case 'done':
                    return _("The refund %(reference)s of %(amount)s was paid out.", **values)
        elif self.state == 'pending':
            return None  # What was seen or received is told with its amount.
        elif self.state == 'done' and self.source_transaction_id:
            if self.sale_order_ids or self.invoice_ids:
                return None  # A part: told as well.
            return _(
                "%(amount)s that was received beyond what was due is booked as %(reference)s, so"
                " that it can be refunded.", **values,
            )
        elif self.state == 'done':
            return _("The payment %(reference)s of %(amount)s has been confirmed.", **values)
        elif self.state == 'cancel' and self.btcpay_status == 'Expired':
            if self.btcpay_paid_amount:
                return None  # Told with what was received.
            return _(
                "Nothing was paid of %(reference)s over %(amount)s before its Bitcoin invoice"
                " expired. The customer can pay again.", **values,
            )
        return super()._get_received_message()

    def _log_message_on_linked_documents(self, message):
        """Override of `payment` for refunds of receipts that have no document of their own."""
        super()._log_message_on_linked_documents(message)
        source, root = self.source_transaction_id, self._btcpay_get_root()
        if root not in (self, source) and not (
            self.sale_order_ids or self.invoice_ids or source.sale_order_ids or source.invoice_ids
        ):
            root._log_message_on_linked_documents(message)

    def _btcpay_ask_person(self, message):
        """Leave what Odoo cannot settle by itself to a person: a note and an activity.

        The same message is left once, however often the invoice is looked at.

        :param str message: What happened and what to do.
        :return: Whether it is new.
        :rtype: bool
        """
        self.ensure_one()
        if not self._btcpay_add_note(message):
            return False
        self._btcpay_note(message)
        document = self._btcpay_get_document()
        activity = document.activity_schedule(
            'mail.mail_activity_data_todo',
            summary=_("Bitcoin payment %s", self.reference),
            note=message,
            user_id=self._btcpay_get_responsible(document).id,
        )
        if activity:  # None where the context suppresses them.
            self.sudo().btcpay_activity_ids += activity
        return True

    def _btcpay_close_questions(self):
        """Close what a person was asked, since it is decided.

        :return: None
        """
        self.sudo().btcpay_activity_ids.filtered('active').action_feedback()

    def _btcpay_add_note(self, message):
        """Note on the transaction what a person has to decide on, once.

        :param str message: What happened and what to do, in one line.
        :return: Whether it is new.
        :rtype: bool
        """
        self.ensure_one()
        notes = (self.btcpay_note or '').split('\n')
        if message in notes:
            return False
        self.btcpay_note = '\n'.join([note for note in notes if note] + [message])
        return True

    def _btcpay_get_document(self):
        """Return the document on which people look after the transaction.

        :return: The sales order, else the invoice, else the customer.
        :rtype: sale.order|account.move|res.partner
        """
        self.ensure_one()
        tx = self._btcpay_get_root()
        return tx.sale_order_ids[:1] or tx.invoice_ids[:1] or tx.partner_id

    def _btcpay_get_responsible(self, document):
        """Return the person who is asked.

        :param sale.order|account.move|res.partner document: The document, see
                                                             `_btcpay_get_document`.
        :return: The document's salesperson, else the provider's responsible, else an administrator.
        :rtype: res.users
        """
        return choose_assignee(
            get_salesperson(document) or self.provider_id.sudo().btcpay_responsible_id
        )
