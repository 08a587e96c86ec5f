from odoo import _, api, models
from odoo.exceptions import UserError
from odoo.fields import Command

from odoo.addons.payment_btcpay.db import RowBusy, commit_and_refresh, lock
from odoo.addons.payment_btcpay.greenfield import GreenfieldError


class PaymentTransaction(models.Model):
    """What came late or in part is accepted, by a person or by the provider's settings."""

    _inherit = 'payment.transaction'

    # === ACTION METHODS === #

    def action_btcpay_accept_partial(self):
        """Book what was received before the invoice expired, and ask for the amount due.

        Note: `self.ensure_one()`

        :raise UserError: If there is nothing to accept.
        """
        self.ensure_one()
        self.check_access('write')
        tx = self.sudo().with_context(payment_backend_action=True)  # Notes of the person.
        tx._btcpay_sync_before_decision()
        lock(tx)
        if not tx._btcpay_can_accept_partial():
            raise UserError(_(
                "There is no partial payment to accept: the invoice has not expired, or what was"
                " received for it is already booked, or is not confirmed yet."
            ))
        tx._btcpay_accept_partial()
        tx._btcpay_resolve_review()

    def action_btcpay_accept_late(self):
        """Accept a payment that was made after the invoice had expired.

        The invoice is marked as settled at the server, and everything goes on from there.

        Note: `self.ensure_one()`

        :raise UserError: If there is none.
        """
        self.ensure_one()
        self.check_access('write')
        tx = self.sudo().with_context(payment_backend_action=True)
        tx._btcpay_sync_before_decision()
        lock(tx)
        if not tx._btcpay_can_accept_late():
            raise UserError(_(
                "There is no late payment to accept: less than the full amount was received, or it"
                " is not confirmed yet."
            ))
        tx.btcpay_pending_action = 'accept_late'
        tx._btcpay_resolve_review()
        try:
            tx._btcpay_run_pending_action()
        except GreenfieldError as error:
            self.env.cr.rollback()
            reason = tx.provider_id._btcpay_explain(error)
            if error.is_temporary:
                raise UserError(_(
                    "%s The late payment is accepted as soon as the server answers.", reason
                )) from error
            tx._btcpay_drop_pending_action(error)
            commit_and_refresh(self.env)
            raise UserError(reason) from error
        except RowBusy as error:
            self.env.cr.rollback()
            raise UserError(_(
                "%s The late payment is accepted as soon as the server answers.", error.args[0]
            )) from error

    def _btcpay_sync_before_decision(self):
        """Decide on what is so now, as far as the server says.

        :raise UserError: If the server did not say.
        """
        try:
            self.sudo()._btcpay_sync()
        except GreenfieldError as error:
            raise UserError(self.sudo().provider_id._btcpay_explain(error)) from error

    # === WHETHER IT CAN BE ACCEPTED === #

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

    def _btcpay_can_accept_partial(self):
        """Return whether confirmed money of the expired or failed invoice is not booked yet."""
        self.ensure_one()
        return (
            self.provider_code == 'btcpay'
            and self.state in ('cancel', 'error')
            and self.btcpay_status in ('Expired', 'Invalid')
            and self._btcpay_is_confirmed()
            and self.currency_id.compare_amounts(self._btcpay_get_unbooked_amount(), 0) > 0
        )

    def _btcpay_can_accept_late(self):
        """Return whether the full amount was received and is confirmed, but came late.

        The sums are worked out from the payments: the server says `PaidLate` also of a partial
        payment, of an overpayment, and before anything is confirmed.
        """
        self.ensure_one()
        return (
            self.provider_code == 'btcpay'
            and self.state != 'done'
            and (self.btcpay_status, self.btcpay_additional_status) == ('Expired', 'PaidLate')
            and self._btcpay_is_confirmed()
            and self._btcpay_is_paid_in_full()
        )

    def _btcpay_is_partial_auto_accepted(self):
        """Return whether a partial payment is accepted by itself, as soon as it is confirmed."""
        self.ensure_one()
        return (
            self.provider_id.sudo().btcpay_accept_partial
            and self.state == 'cancel'
            # Onto a changed order it is booked as well: what is asked for is what that still costs.
            and self._btcpay_get_obsolete_reason() in ('', 'changed')
        )

    def _btcpay_is_late_auto_accepted(self):
        """Return whether the late payment is accepted by itself, as soon as it is confirmed."""
        self.ensure_one()
        return (
            self.provider_id.sudo().btcpay_late_policy == 'accept'
            and self.state in ('draft', 'pending', 'cancel')
            and self._btcpay_is_paid_in_full()
            and not self._btcpay_get_obsolete_reason()
        )

    # === BOOKING WHAT IS ACCEPTED === #

    def _btcpay_accept_partial(self):
        """Book what was received, and send the customer a link to pay the amount due."""
        self._btcpay_book_received()
        self._btcpay_mail_customer('mail_template_partial_accepted')

    def _btcpay_book_received(self, amount=None):
        """Book what was received and is not booked, as Odoo books a part: by a child transaction.

        The transaction itself must not be done beside it: the order would count both.

        Note: `self.ensure_one()`; the transaction is locked.

        :param float amount: The amount to book; by default what was received.
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
            "The partial payment of %(partial)s of %(amount)s for %(reference)s was accepted.",
            partial=self.currency_id.format(child.amount), reference=self.reference,
            amount=self.currency_id.format(self.amount),
        ))
        self.env.ref('payment.cron_post_process_payment_tx')._trigger()

    def _btcpay_reconcile_partial(self, payment):
        """Reconcile the payment of a partial receipt with the invoices made of it.

        Those of its source, which the framework takes, are not the down payment invoice that `sale`
        makes of it by itself.

        :param account.payment payment: The payment.
        """
        self.ensure_one()
        source = self.source_transaction_id
        if self.operation != source.operation:
            return
        invoices = (self.invoice_ids - source.invoice_ids).filtered(
            lambda move: move.state == 'posted'
        )
        (payment.move_id + invoices).line_ids.filtered(
            lambda line: line.account_id == payment.destination_account_id and not line.reconciled
        ).reconcile()
