from odoo import _, api, models
from odoo.exceptions import UserError
from odoo.fields import Command

from odoo.addons.payment_btcpay.db import commit_and_refresh, lock
from odoo.addons.payment_btcpay.utils import BTCPayError


class PaymentTransaction(models.Model):
    _inherit = 'payment.transaction'

    # === COMPUTE METHODS === #

    @api.depends(
        'state', 'btcpay_status', 'btcpay_additional_status', 'btcpay_paid_amount',
        'btcpay_payment_ids.status', 'child_transaction_ids.state',
    )
    def _compute_btcpay_can_accept(self):
        for tx in self:
            tx.btcpay_can_accept_late = tx._btcpay_can_accept_late()
            # What is there in full is accepted as a whole.
            tx.btcpay_can_accept_partial = (
                not tx.btcpay_can_accept_late and tx._btcpay_can_accept_partial()
            )

    # === ACTION METHODS === #

    def action_btcpay_accept_partial(self):
        """Book the part that was received before the invoice expired, and ask for the rest.

        Note: `self.ensure_one()`

        :return: None
        :raise UserError: If there is none.
        """
        self.ensure_one()
        self.check_access('write')
        tx = self.sudo().with_context(payment_backend_action=True)  # Notes of the person.
        tx._btcpay_sync_before_decision()
        lock(tx)
        if not tx._btcpay_can_accept_partial():
            raise UserError(_(
                "There is no part to accept: the invoice is not expired, or what was received for"
                " it is booked already, or not confirmed yet."
            ))
        tx._btcpay_book_received()
        tx._btcpay_resolve_review()
        tx._btcpay_mail_customer('mail_template_partial_accepted')

    def action_btcpay_accept_late(self):
        """Accept a payment that was made after the invoice had expired.

        The invoice is marked as settled at the server, and everything goes on from there.

        Note: `self.ensure_one()`

        :return: None
        :raise UserError: If there is none.
        """
        self.ensure_one()
        self.check_access('write')
        tx = self.sudo().with_context(payment_backend_action=True)
        tx._btcpay_sync_before_decision()
        lock(tx)
        if not tx._btcpay_can_accept_late():
            raise UserError(_(
                "There is no late payment to accept: less than the whole was received, or it is not"
                " confirmed yet."
            ))
        tx.btcpay_pending_action = 'accept_late'
        tx._btcpay_resolve_review()
        try:
            tx._btcpay_run_pending_action()
        except BTCPayError as error:
            self.env.cr.rollback()
            if error.is_temporary:
                raise UserError(_(
                    "%s The late payment is accepted as soon as the server answers.", error.args[0]
                )) from error
            tx._btcpay_drop_pending_action(error)
            commit_and_refresh(self.env)
            raise UserError(error.args[0]) from error

    def _btcpay_sync_before_decision(self):
        """Decide on what is so now, as far as the server says.

        :return: None
        :raise UserError: If the server did not say.
        """
        try:
            self.sudo()._btcpay_sync()
        except BTCPayError as error:
            raise UserError(error.args[0]) from error

    # === BUSINESS METHODS === #

    def _btcpay_can_accept_partial(self):
        """Return whether money was received for the expired or failed invoice that is not booked.

        :rtype: bool
        """
        self.ensure_one()
        return (
            self.provider_code == 'btcpay'
            and self.state in ('cancel', 'error')
            and self.btcpay_status in ('Expired', 'Invalid')
            and self._btcpay_is_confirmed()
            and self.currency_id.compare_amounts(self._btcpay_get_unbooked_amount(), 0) > 0
        )

    def _btcpay_is_partial_auto_accepted(self):
        """Return whether a part is accepted by itself, as soon as it is confirmed.

        :rtype: bool
        """
        self.ensure_one()
        return (
            self.provider_id.sudo().btcpay_accept_partial
            and self.state == 'cancel'
            # Onto a changed order it is booked as well: what is asked for is the rest of that.
            and self._btcpay_get_obsolete_reason() in ('', 'changed')
        )

    def _btcpay_can_accept_late(self):
        """Return whether the whole was received, but late.

        The sums are worked out from the payments: the server says `PaidLate` also of a part, and of
        more than was asked for, and before anything is confirmed.

        :rtype: bool
        """
        self.ensure_one()
        return (
            self.provider_code == 'btcpay'
            and self.state != 'done'
            and (self.btcpay_status, self.btcpay_additional_status) == ('Expired', 'PaidLate')
            and self._btcpay_is_confirmed()
            and self._btcpay_is_paid_in_full()
        )

    def _btcpay_can_auto_accept_late(self):
        """Return whether the provider accepts late payments, and nothing speaks against this one.

        :rtype: bool
        """
        self.ensure_one()
        return self._btcpay_is_late_auto_accepted() and self._btcpay_can_accept_late()

    def _btcpay_is_late_auto_accepted(self):
        """Return whether the late payment is accepted by itself, as soon as it is confirmed.

        :rtype: bool
        """
        self.ensure_one()
        return (
            self.provider_id.sudo().btcpay_late_policy == 'accept'
            and self.state in ('draft', 'pending', 'cancel')
            and self._btcpay_is_paid_in_full()
            and not self._btcpay_get_obsolete_reason()
        )

    def _btcpay_get_partial_receipts(self):
        """Return the child transactions by which parts of the amount were booked.

        :rtype: payment.transaction
        """
        self.ensure_one()
        return self.child_transaction_ids.filtered(
            lambda child: child.operation != 'refund' and child.state == 'done'
        )

    def _btcpay_book_received(self, amount=None):
        """Book what was received and is not booked, as Odoo books a part: by a child transaction.

        The transaction itself must not be done beside its part: the order would count both.

        Note: `self.ensure_one()`; the transaction is locked.

        :param float amount: The amount to book; by default what was received.
        :return: The child transaction.
        :rtype: payment.transaction
        """
        self.ensure_one()
        child = self._create_child_transaction(
            amount or self._btcpay_get_unbooked_amount(),
            provider_reference=self.provider_reference,
            sale_order_ids=[Command.set(self.sale_order_ids.ids)],
            invoice_ids=[Command.set(self.invoice_ids.ids)],
            landing_route=self.landing_route,
        )
        child._set_done()
        self._btcpay_post_note(_(
            "%(part)s of the payment %(reference)s over %(amount)s was accepted.",
            part=self.currency_id.format(child.amount), reference=self.reference,
            amount=self.currency_id.format(self.amount),
        ))
        self.env.ref('payment.cron_post_process_payment_tx')._trigger()
        return child
