from odoo import _, models
from odoo.exceptions import UserError
from odoo.fields import Command

from odoo.addons.payment_btcpay.utils import BTCPayError, lock_row


class PaymentTransaction(models.Model):
    _inherit = 'payment.transaction'

    # === ACTION METHODS === #

    def action_btcpay_accept_part(self):
        """Book the part that was received before the invoice expired.

        Note: `self.ensure_one()`

        :return: None
        :raise UserError: If there is none.
        """
        self.ensure_one()
        self.check_access('write')
        tx = self.sudo()
        self._btcpay_look_before_decision()
        lock_row(tx)
        if not tx._btcpay_can_accept_part():
            raise UserError(_(
                "There is no part to accept: the invoice is not expired, or what was received for"
                " it is booked already."
            ))
        tx._btcpay_book_received()

    def action_btcpay_accept_late(self):
        """Accept a payment that was made after the invoice had expired.

        The invoice is marked as settled at the server, and everything goes on from there.

        Note: `self.ensure_one()`

        :return: None
        :raise UserError: If there is none.
        """
        self.ensure_one()
        self.check_access('write')
        tx = self.sudo()
        self._btcpay_look_before_decision()
        if (tx.btcpay_status, tx.btcpay_additional_status) != ('Expired', 'PaidLate'):
            raise UserError(_("There is no late payment to accept."))
        tx.btcpay_intention = 'accept_late'
        try:
            tx._btcpay_carry_out()
        except BTCPayError as error:
            raise UserError(_(
                "%s The late payment is accepted as soon as the server answers.", error.args[0]
            )) from error

    def _btcpay_look_before_decision(self):
        """Decide on what is so now, as far as the server says.

        :return: None
        :raise UserError: If the server did not say.
        """
        try:
            self.sudo()._btcpay_synchronize()
        except BTCPayError as error:
            raise UserError(error.args[0]) from error

    # === BUSINESS METHODS === #

    def _btcpay_can_accept_part(self):
        """Return whether money was received for the expired or failed invoice that is not booked.

        :rtype: bool
        """
        self.ensure_one()
        return (
            self.provider_code == 'btcpay'
            and self.state in ('cancel', 'error')
            and self.btcpay_status in ('Expired', 'Invalid')
            and self.currency_id.compare_amounts(self._btcpay_get_unbooked_amount(), 0) > 0
        )

    def _btcpay_get_unbooked_amount(self):
        """Return what was received of the amount asked for and is not booked yet.

        :rtype: float
        """
        self.ensure_one()
        if self.state == 'done':
            return 0
        booked = sum(self._btcpay_get_parts().mapped('amount'))
        return self.currency_id.round(min(self.btcpay_paid_amount, self.amount) - booked)

    def _btcpay_get_parts(self):
        """Return the child transactions by which parts of the amount were booked.

        :rtype: payment.transaction
        """
        self.ensure_one()
        return self.child_transaction_ids.filtered(
            lambda child: child.operation != 'refund' and child.state == 'done'
        )

    def _btcpay_book_received(self):
        """Book what was received and is not booked, as Odoo books a part: by a child transaction.

        The transaction itself must not be done beside its part: the order would count both.

        Note: `self.ensure_one()`; the transaction is locked.

        :return: The child transaction.
        :rtype: payment.transaction
        """
        self.ensure_one()
        child = self._create_child_transaction(
            self._btcpay_get_unbooked_amount(),
            provider_reference=self.provider_reference,
            sale_order_ids=[Command.set(self.sale_order_ids.ids)],
            invoice_ids=[Command.set(self.invoice_ids.ids)],
            landing_route=self.landing_route,
        )
        child._set_done()
        self._btcpay_note(_(
            "%(part)s of the payment %(reference)s over %(amount)s was accepted.",
            part=self.currency_id.format(child.amount), reference=self.reference,
            amount=self.currency_id.format(self.amount),
        ))
        self.env.ref('payment.cron_post_process_payment_tx')._trigger()
        return child

    def _btcpay_can_accept_late_by_itself(self):
        """Return whether the provider accepts late payments, and nothing speaks against this one.

        The sums are worked out from the payments: the server says `PaidLate` also of what is more
        than was asked for, and before anything is confirmed.

        :rtype: bool
        """
        self.ensure_one()
        confirmed = self.btcpay_payment_ids.filtered(lambda payment: payment.status == 'Settled')
        return (
            self.provider_id.sudo().btcpay_late_policy == 'accept'
            and len(confirmed) == len(self.btcpay_payment_ids.filtered(
                lambda payment: payment.status != 'Invalid'
            ))
            and self.currency_id.compare_amounts(self.btcpay_paid_amount, self.amount) >= 0
            and self._btcpay_is_wanted()
        )

    def _btcpay_is_wanted(self):
        """Return whether the documents still are what the transaction was made for.

        :rtype: bool
        """
        self.ensure_one()
        return not (
            self._btcpay_are_documents_cancelled()
            or self._btcpay_are_documents_paid()
            or self._btcpay_are_documents_changed()
            or self._btcpay_has_newer_attempt()
        )
