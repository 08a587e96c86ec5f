from odoo import _, api, fields, models
from odoo.exceptions import UserError
from odoo.fields import Command

from odoo.addons.payment_btcpay.db import RowBusy, commit_and_refresh, lock
from odoo.addons.payment_btcpay.greenfield import GreenfieldError
from odoo.addons.payment_btcpay.utils import trigger_once


class PaymentTransaction(models.Model):  # What came late or in part is accepted.
    _inherit = 'payment.transaction'

    # === ACTION METHODS === #

    def action_btcpay_accept_partial(self):
        """Book what was received before the invoice expired, and ask for the amount due.

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
                " received for it is already booked, is given back, or is not confirmed yet."
            ))
        if expired := tx.sale_order_ids.filtered('is_expired'):
            raise UserError(expired[0]._btcpay_find_request_obstacle())
        tx._btcpay_accept_partial()
        tx._btcpay_close_settled_matters()

    def action_btcpay_accept_late(self):
        """Accept a payment that was made after the invoice had expired.

        The invoice is marked as settled at the server, and everything goes on from there.

        :raise UserError: If there is none.
        """
        self.ensure_one()
        self.check_access('write')
        tx = self.sudo().with_context(payment_backend_action=True)
        tx._btcpay_sync_before_decision()
        lock(tx)
        if not tx._btcpay_can_accept_late():
            raise UserError(_(
                "There is no late payment to accept: less than the full amount was received or is"
                " left after refunds, or it is not confirmed yet."
            ))
        tx.btcpay_pending_action = 'accept_late'
        tx._btcpay_settle_matters('expired')
        try:
            tx._btcpay_run_pending_action()
        except (GreenfieldError, RowBusy) as error:
            self.env.cr.rollback()
            reason = tx.provider_id._btcpay_explain(error)
            if error.is_temporary:
                raise UserError(_(
                    "%s The late payment is accepted as soon as the server answers.", reason
                )) from error
            tx._btcpay_drop_pending_action(error)
            commit_and_refresh(self.env)
            raise UserError(reason) from error

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
        'btcpay_payment_ids.status', 'btcpay_returned_amount',
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
            and self._btcpay_is_confirmed_but_dust()
            and self._btcpay_get_acceptable_amount() > 0
        )

    def _btcpay_get_acceptable_amount(self):
        """Return what of the money that is not booked is confirmed.

        :rtype: float
        """
        self.ensure_one()
        unbooked = self._btcpay_get_unbooked_amount()
        if self._btcpay_is_confirmed():
            return unbooked
        confirmed = self._btcpay_get_confirmed_amount() - self.btcpay_returned_amount
        return self.currency_id.round(
            min(unbooked, confirmed - self._btcpay_get_accounted_amount())
        )

    def _btcpay_can_accept_late(self):
        """Return whether all that is to be paid came late, is confirmed and not given back.

        The server says `PaidLate` of what it would take for the whole: also of what is short by no
        more than the store's tolerance, of an overpayment, and before anything is confirmed.
        """
        self.ensure_one()
        return (
            self.provider_code == 'btcpay'
            and self.state != 'done'
            and (self.btcpay_status, self.btcpay_additional_status) == ('Expired', 'PaidLate')
            and self._btcpay_is_confirmed_but_dust()
            and self.currency_id.compare_amounts(
                self._btcpay_get_confirmed_amount(), self._btcpay_get_counted_amount()
            ) >= 0
            and self._btcpay_is_kept_in_full()
            and bool(self._btcpay_get_unbooked_amount())
        )

    def _btcpay_is_kept_in_full(self):
        """Return whether what was received for the whole is still there, refunds deducted."""
        self.ensure_one()
        kept = self._btcpay_get_kept_amount()
        return self.currency_id.compare_amounts(kept, self._btcpay_get_counted_amount()) >= 0

    def _btcpay_is_counted_in_full(self):
        """Return whether what is settled counts as paid in full, whatever came in: by the word of
        the merchant, who has not refunded anything, or by the store's tolerance."""
        self.ensure_one()
        return not self.btcpay_refund_ids or (
            self._btcpay_is_taken_by_tolerance() and self._btcpay_is_kept_in_full()
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
            and self._btcpay_is_kept_in_full()
            and bool(self._btcpay_get_unbooked_amount())
            and not self._btcpay_get_obsolete_reason()
        )

    def _btcpay_is_accepted_by_odoo(self):
        """Return whether the invoice was marked as settled by Odoo, not by the merchant."""
        self.ensure_one()
        return bool(self.btcpay_accepted_at) or self.btcpay_pending_action in (
            'accept_late', 'accept_late_unchanged',
        )

    # === WHAT THE STATUS TABLE ASKS FOR === #

    def _btcpay_on_expired_partial(self, is_new):
        if self._btcpay_report_contradiction():
            return
        # More may have come late, which the server does not tell apart.
        if not self._btcpay_get_unbooked_amount():
            return  # All of it is accepted or given back.
        if is_new:
            self._btcpay_close_carts()
        sums = self._btcpay_get_sums()
        if self._btcpay_is_partial_auto_accepted():
            if self._btcpay_can_accept_partial():
                amount = self._btcpay_get_acceptable_amount()
                self._btcpay_accept_partial(is_mailed=amount > self._btcpay_get_dust_amount())
                return
            self._btcpay_await_acceptance(is_new, _(
                "%(paid)s of %(amount)s was received for %(reference)s, whose invoice has expired."
                " The partial payment is accepted as soon as it is confirmed.", **sums,
            ))
        elif self.btcpay_returned_amount or self._btcpay_get_partial_receipts():
            self._btcpay_flag_rest()
        elif self._btcpay_is_all_late():
            self._btcpay_flag_for_review(_(
                "Late partial payment of %(reference)s: %(paid)s of %(amount)s was received after"
                " the invoice had expired. Accept the partial payment or refund it.", **sums,
            ), 'expired')
            self._btcpay_mail_late(is_new)
        else:
            self._btcpay_flag_for_review(_(
                "Partial payment of %(reference)s: %(paid)s of %(amount)s was received, and the"
                " invoice has expired. Accept the partial payment or refund it.", **sums,
            ), 'expired')

    def _btcpay_on_paid_late(self, is_new):
        if self._btcpay_report_contradiction() or self._btcpay_is_accepted_by_odoo():
            return
        if not self._btcpay_get_unbooked_amount():
            if self._btcpay_get_partial_receipts() - self._btcpay_get_loose_receipts():
                self._btcpay_on_overpaid(is_new)
            return  # All that was asked for is accepted or given back.
        if is_new:
            self._btcpay_close_carts()
        sums = self._btcpay_get_sums()
        if self._btcpay_is_late_auto_accepted():
            if self._btcpay_can_accept_late():
                self._btcpay_plan('accept_late_unchanged')
                return
            self._btcpay_await_acceptance(is_new, _(
                "%(paid)s was received for %(reference)s after the invoice had expired. The late"
                " payment is accepted as soon as it is confirmed.", **sums,
            ))
        elif self.btcpay_returned_amount or self._btcpay_get_partial_receipts():
            self._btcpay_flag_rest()
        elif self.btcpay_overpaid_amount:
            self._btcpay_flag_for_review(_(
                "Late payment of %(reference)s: %(paid)s was received after the invoice of"
                " %(amount)s had expired, %(overpaid)s more than that. Accept the late payment and"
                " refund the overpayment, or refund all of it.", **sums,
            ) if self._btcpay_is_all_late() else _(
                "Late payment of %(reference)s: %(paid)s was received, in part after the invoice of"
                " %(amount)s had expired, %(overpaid)s more than that. Accept the late payment and"
                " refund the overpayment, or refund all of it.", **sums,
            ), 'expired')
        else:
            self._btcpay_flag_for_review(_(
                "Late payment of %(reference)s: %(paid)s was received after the invoice of"
                " %(amount)s had expired. Accept the late payment or refund it.", **sums,
            ) if self._btcpay_is_all_late() else _(
                "Late payment of %(reference)s: %(paid)s was received, in part after the invoice of"
                " %(amount)s had expired. Accept the late payment or refund it.", **sums,
            ), 'expired')
        self._btcpay_mail_late(is_new and 'expired' in self._btcpay_get_open_matters())

    def _btcpay_close_carts(self):
        """Have carts that money came for be quotations, as Odoo does while a payment is pending:
        customers would change them, and be reminded of what they have left behind."""
        self._btcpay_get_quotations().filtered(
            lambda order: (
                order.state == 'draft' and 'website_id' in order._fields and order.website_id
            )
        ).with_context(tracking_disable=True).action_quotation_sent()

    def _btcpay_flag_rest(self):
        """Ask what becomes of what is left where parts were accepted or given back."""
        self.ensure_one()
        self._btcpay_flag_for_review(_(
            "%(paid)s was received for %(reference)s, whose invoice of %(amount)s has expired;"
            " %(returned)s was refunded or is being refunded, and %(open)s is neither accepted nor"
            " refunded. Accept it or refund it.", **self._btcpay_get_sums(),
        ), 'expired')

    def _btcpay_await_acceptance(self, is_new, message):
        """Say that a payment is accepted once it is confirmed, or that it was not in time.

        :param bool is_new: Whether anything is new.
        :param str message: What is waited for.
        """
        if self._btcpay_is_monitoring_over():
            self._btcpay_flag_for_review(_(
                "%(paid)s was received for %(reference)s, whose invoice has expired, but is still"
                " not confirmed, and Odoo no longer syncs it by itself. Click “Sync with BTCPay”"
                " once it is confirmed to accept it, or refund it.", **self._btcpay_get_sums(),
            ), 'expired')
        elif is_new:
            self._btcpay_post_note(message)

    # === BOOKING WHAT IS ACCEPTED === #

    def _btcpay_accept_partial(self, is_mailed=True):
        """Book what was received, and send the customer a link to pay the amount due.

        :param bool is_mailed: Whether the customer is mailed.
        """
        self._btcpay_book_received()
        if is_mailed and self.partner_id.email:
            self._btcpay_mail_customer('mail_template_partial_accepted')
        elif is_mailed and self._btcpay_get_amount_due_links():
            self._btcpay_flag_for_review(_(
                "The partial payment of %(reference)s was accepted, but %(customer)s has no email"
                " address to which a link for the amount due can be sent. Ask the customer for it.",
                reference=self.reference, customer=self.partner_id.display_name,
            ), 'mail')

    def _btcpay_book_received(self, amount=None):
        """Book what was received and is not booked, as Odoo books a part: by a child transaction.

        The transaction itself must not be done beside it: the order would count both.

        Note: the transaction is locked.

        :param float amount: The amount to book; by default what can be accepted.
        """
        self.ensure_one()
        amount = amount or self._btcpay_get_acceptable_amount()
        # Who began before and waits for the payment's row begins anew by it, and sees the receipt.
        self.btcpay_sync_count += 1
        rest = self.currency_id.round(amount - self._btcpay_assign_free_receipts(amount))
        if rest > 0:
            unbooked = max(self.btcpay_paid_amount - self._btcpay_get_booked_money(), 0)
            receipt = self._create_child_transaction(
                rest, provider_reference=self.provider_reference,
                **self._btcpay_get_receipt_values(),
            )
            receipt._btcpay_note_difference(
                min(rest - receipt._btcpay_get_rounding_amount(), unbooked)
            )
            receipt._set_done()
        self._btcpay_post_note(_(
            "%(partial)s of the payment %(reference)s of %(amount)s was accepted.",
            partial=self.currency_id.format(amount), reference=self.reference,
            amount=self.currency_id.format(self.amount),
        ) if self._btcpay_is_paid_in_full() else _(
            "The partial payment of %(partial)s of %(amount)s for %(reference)s was accepted.",
            partial=self.currency_id.format(amount), reference=self.reference,
            amount=self.currency_id.format(self.amount),
        ))
        trigger_once(self.env, 'payment.cron_post_process_payment_tx')

    def _btcpay_book_settled(self):
        """Book for the documents what the server counts as paid, where parts of it are booked
        already or were given back: what is not given back, up to the amount asked for.

        Note: the transaction is locked.
        """
        self.ensure_one()
        if self._btcpay_is_counted_in_full():
            receipts = self._btcpay_get_receipts() - self._btcpay_get_loose_receipts()
            amount = self.currency_id.round(self.amount - sum(receipts.mapped('amount')))
        else:
            amount = self._btcpay_get_unbooked_amount()
        if amount > 0:
            self._btcpay_book_received(amount)

    def _btcpay_get_receipt_values(self):
        """Return what makes a child transaction a receipt for the documents.

        :rtype: dict
        """
        self.ensure_one()
        till_order = self._btcpay_get_till_order()
        return {
            'operation': self.operation,
            'sale_order_ids': [Command.set(self.sale_order_ids.ids)],
            'invoice_ids': [Command.set(self.invoice_ids.ids)],
            'landing_route': self.landing_route,
            **({'pos_order_id': till_order.id} if till_order else {}),
        }

    def _btcpay_assign_free_receipts(self, amount):
        """Have the documents paid by what was booked for refunds that were canceled since.

        It is in the books already: what is not given back of a receipt becomes one of its own, with
        the same payment.

        :param float amount: The amount that is to be booked for the documents.
        :return: What of it is booked by that.
        :rtype: float
        """
        self.ensure_one()
        left = min(amount, self._btcpay_get_free_amount())
        assigned = 0
        for receipt in self._btcpay_get_loose_receipts().sorted('id', reverse=True):
            part = self.currency_id.round(min(receipt.amount, left - assigned))
            if part <= 0:
                continue
            assigned = self.currency_id.round(assigned + part)
            if self.currency_id.compare_amounts(part, receipt.amount) == 0:
                values = self._btcpay_get_receipt_values()
                receipt.write({
                    **values, 'is_post_processed': False, 'btcpay_is_handled': False,
                    'btcpay_confirm_at': False, 'last_state_change': fields.Datetime.now(),
                })
                continue
            receipt.amount = self.currency_id.round(receipt.amount - part)
            self._create_child_transaction(
                part, provider_reference=self.provider_reference,
                payment_id=receipt.payment_id.id, **self._btcpay_get_receipt_values(),
            )._set_done()
        return assigned
