import secrets
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

from odoo import _, fields, models
from odoo.exceptions import UserError, ValidationError

from odoo.addons.payment_btcpay import const
from odoo.addons.payment_btcpay.db import RowBusy, commit_and_refresh, lock
from odoo.addons.payment_btcpay.greenfield import (
    GreenfieldError,
    Money,
    NotUnderstood,
    RefundDraft,
    Refused,
    count_decimals,
    find_unsupported_methods,
    first_line,
    is_lightning,
)


class PaymentTransaction(models.Model):
    """Making a refund: a refund transaction in Odoo and a pull payment at the server."""

    _inherit = 'payment.transaction'

    def _btcpay_refund(self, amount):
        """Refund from Odoo's own wizard.

        :param float amount: The amount to give back.
        :rtype: payment.transaction
        :raise ValidationError: If the refund is refused.
        """
        self.ensure_one()
        try:
            return self._btcpay_request_refund(amount)
        except (GreenfieldError, RowBusy) as error:
            raise ValidationError(self.provider_id._btcpay_explain(error)) from error

    def _btcpay_request_refund(
        self, amount, variant='fiat', fee_percent='0', methods=None, description='',
        mail_customer=True, credit_note=None, key=None,
    ):
        """Make a refund.

        The refund transaction is stored before the server is asked, with all it is asked for, so
        that a broken network delays the refund only and never makes it twice.

        Note: `self.ensure_one()`

        :param float amount: The amount to give back, in the transaction's currency, fee included.
        :param str variant: What the customer gets, see `btcpay_refund_variant`.
        :param str|Decimal|float fee_percent: The part of it that is kept, in per cent.
        :param list[str] methods: The ids of the payout methods the customer can choose from; by
                                  default what fits.
        :param str description: What the customer reads on the claim page.
        :param bool mail_customer: Whether the link is mailed to the customer.
        :param account.move credit_note: The credit note that is paid back by it.
        :param str key: The caller's own; it gets one refund by it, however often it asks.
        :return: The refund transaction, pending; draft if the server did not answer.
        :rtype: payment.transaction
        :raise UserError: If the refund is refused by Odoo.
        :raise GreenfieldError: If the server refuses it, or did not say what is to be known before.
        """
        root = self._btcpay_get_root().sudo()  # Whoever asks was checked.
        root._ensure_provider_is_not_disabled()
        root._btcpay_sync_before_decision()
        if earlier := root._btcpay_settle_unanswered_refunds(
            amount, variant, credit_note
        ) or root._btcpay_find_refund_by_key(key):
            return earlier
        net_amount, fee_amount = root._btcpay_split_fee(amount, fee_percent)
        if fee_amount > 0 >= net_amount:
            raise UserError(_(
                "Nothing is left for the customer: the fee takes all of %s. Refund more, or deduct"
                " less.", root.currency_id.format(amount),
            ))
        draft = root._btcpay_draft_refund(amount, variant, fee_percent)
        root._btcpay_book_receipts()
        commit_and_refresh(self.env)
        lock(root)
        if earlier := root._btcpay_find_refund_by_key(key):
            return earlier
        root._btcpay_check_refund(amount, credit_note)
        source = root._btcpay_book_receipt_for_refund(amount)
        refund = source._create_child_transaction(
            net_amount, is_refund=True,
            btcpay_store_id=root._btcpay_get_store_id(),
            btcpay_refund_server_url=root._btcpay_find_connection().server_url,
            btcpay_refund_key=key,
            btcpay_refund_variant=variant,
            btcpay_refund_fee_amount=fee_amount,
            btcpay_refund_is_mailed=mail_customer,
            btcpay_credit_note_id=credit_note and credit_note.id,
            btcpay_requested_at=fields.Datetime.now(),
        )
        # The title of the claim page, 50 characters at most. Other systems may use the same numbers
        # in the same store, and an order may have several refunds: each is found by its name, as
        # that is read of the server's answers, also where Odoo was restored from a backup since.
        number = first_line(root._btcpay_get_document_number(), 39)
        name = f'{number} ({root._btcpay_mark_refund(secrets.token_hex(2))})'
        refund.write({
            'btcpay_refund_name': name,
            'btcpay_refund_request': replace(
                draft, name=name, description=description or root._btcpay_get_refund_text(),
                payout_methods=methods or None,
            ).dump(),
        })
        refund._btcpay_schedule_sync()
        commit_and_refresh(self.env)
        try:
            refund._btcpay_send_refund(is_asked_again=True)
        except GreenfieldError as error:
            if not error.is_temporary:
                raise
            refund._btcpay_post_note(_(
                "The BTCPay Server did not answer whether it made the refund %s. Odoo finds out and"
                " completes it by itself.", refund.reference,
            ))
            commit_and_refresh(self.env)
        return refund

    def _btcpay_settle_unanswered_refunds(self, amount, variant, credit_note=None):
        """Find out what became of refunds whose making was not answered, before another is made.

        :param float amount: The amount that is to be refunded now, fee included.
        :param str variant: What the customer is to get, see `btcpay_refund_variant`.
        :param account.move credit_note: The credit note that is to be paid back by it.
        :return: The refund that was asked for before and was made; empty if there is none.
        :rtype: payment.transaction
        :raise UserError: If it is not known yet, or if it was another one that was made.
        """
        self.ensure_one()
        for refund in self.btcpay_refund_ids.filtered(lambda tx: tx.state == 'draft'):
            try:
                refund._btcpay_complete_refund()
            except (GreenfieldError, RowBusy) as error:
                if refund.state == 'draft':
                    raise UserError(_(
                        "The BTCPay Server has not answered yet whether it made the refund"
                        " %(reference)s. Odoo finds out by itself; no other refund can be made"
                        " until then. %(reason)s",
                        reference=refund.reference,
                        reason=self.provider_id._btcpay_explain(error),
                    )) from error
            if refund.state == 'draft':
                raise UserError(_(
                    "The refund %s is just being made. Try again in half a minute.",
                    refund.reference,
                ))
            if refund.state == 'pending':
                before = refund._btcpay_get_returned_amount()
                if (
                    refund.btcpay_refund_variant == variant
                    and refund.btcpay_credit_note_id.ids == (credit_note.ids if credit_note else [])
                    and self.currency_id.compare_amounts(before, amount) == 0
                ):
                    return refund
                raise UserError(_(
                    "The refund %(reference)s of %(amount)s, of which the BTCPay Server had not"
                    " answered, was made after all. Check it before you make another one.",
                    reference=refund.reference, amount=self.currency_id.format(before),
                ))
        return self.browse()

    def _btcpay_find_refund_by_key(self, key):
        """Return the refund that was made by a key: the person may press again, or the browser may
        have to, after the answer to the first time was lost.

        :param str|None key: The key.
        :return: The refund; empty if there is none, or if it was refused.
        :rtype: payment.transaction
        """
        self.ensure_one()
        return self.btcpay_refund_ids.filtered(
            lambda tx: key and tx.sudo().btcpay_refund_key == key and tx.state != 'error'
        )[:1]

    # === AT THE SERVER === #

    def _btcpay_send_refund(self, is_asked_again=False, is_repeated=False):
        """Have the server make the pull payment of a refund that is stored with its request.

        :param bool is_asked_again: Whether the person is asked again without the methods that the
                                    server refuses: there was no refund then, and nothing to tell.
        :param bool is_repeated: Whether the server was asked for it before.
        :raise GreenfieldError: If the server did not answer or refused; refused ones end in error.
        """
        self.ensure_one()
        root = self._btcpay_get_root()
        client, store_id = self._btcpay_client(), root._btcpay_get_store_id()
        invoice_id, draft = root.btcpay_invoice_id, RefundDraft.parse(self.btcpay_refund_request)
        commit_and_refresh(self.env)
        try:
            pull_payment = client.refund_invoice(store_id, invoice_id, draft)
        except GreenfieldError as error:
            # It breaks by what it is asked for, e.g. where the store has no way to pay out.
            if is_repeated and error.is_of_call and not self._btcpay_find_pull_payment():
                error = Refused(error.reason, status=error.status)
            if not error.is_temporary:
                commit_and_refresh(self.env)
                lock(root | self)
                if is_asked_again and find_unsupported_methods(error):
                    self.unlink()
                else:
                    self._set_error(self.provider_id._btcpay_explain(error))
                    self._btcpay_schedule_sync()
                commit_and_refresh(self.env)
            raise error
        self._btcpay_keep_pull_payment(pull_payment)

    def _btcpay_complete_refund(self):
        """Go on with a refund whose making was not answered: find what was made, or make it.

        :raise GreenfieldError: If the server did not answer again, or refused.
        :raise RowBusy: If somebody else holds the refund.
        """
        self.ensure_one()
        if self.state != 'draft' or self.btcpay_pull_payment_id or not self.btcpay_refund_request:
            return
        if made := self._btcpay_find_pull_payment():
            self._btcpay_keep_pull_payment(made)
        elif self._btcpay_take_refund_request():
            self._btcpay_send_refund(is_repeated=True)

    def _btcpay_find_pull_payment(self):
        """Find what the server has made of a refund whose making was not answered.

        :rtype: PullPayment|None
        :raise GreenfieldError: If the server did not say.
        """
        self.ensure_one()
        found = self._btcpay_fetch_pull_payments()
        made = next((item for item in found if item.name == self.btcpay_refund_name), None)
        if not made and not found.is_complete:
            raise NotUnderstood('pullPayments')  # It may be one that cannot be read.
        return made

    def _btcpay_fetch_pull_payments(self):
        """Ask the server for the pull payments of the refund's store.

        :rtype: Listing[PullPayment]
        :raise GreenfieldError: If the server did not say.
        """
        self.ensure_one()
        client, store_id = self._btcpay_client(), self._btcpay_get_store_id()
        commit_and_refresh(self.env)
        return client.list_pull_payments(store_id)

    def _btcpay_take_refund_request(self):
        """Make sure that nobody else has the server make the pull payment, now or just before.

        :return: Whether it may be asked to.
        :rtype: bool
        :raise RowBusy: If somebody else holds the refund.
        """
        self.ensure_one()
        commit_and_refresh(self.env)
        lock(self)
        # A request of before may still be under way.
        limit = fields.Datetime.now() - timedelta(seconds=2 * const.TIMEOUT)
        is_mine = (
            self.state == 'draft'
            and self.provider_id.state != 'disabled'
            and not self.btcpay_pull_payment_id
            and (not self.btcpay_requested_at or self.btcpay_requested_at < limit)
        )
        if is_mine:
            self.btcpay_requested_at = fields.Datetime.now()
        commit_and_refresh(self.env)
        return is_mine

    # === WHAT THE SERVER MADE === #

    def _btcpay_keep_pull_payment(self, pull_payment):
        """Store the pull payment of a refund, in a database transaction of its own.

        :param PullPayment pull_payment: The pull payment.
        :raise RowBusy: If somebody else holds the refund.
        :raise NotUnderstood: If it is another refund's.
        """
        self.ensure_one()
        commit_and_refresh(self.env)
        lock(self._btcpay_get_root() | self)
        if self._btcpay_find_refund(self.provider_id, pull_payment.id) - self:
            raise NotUnderstood('pullPayment.id')
        self._btcpay_store_pull_payment(pull_payment)
        commit_and_refresh(self.env)

    def _btcpay_store_pull_payment(self, pull_payment):
        """Remember the pull payment of a refund, and tell the customer where to claim it.

        Note: the refund and its payment are locked.

        :param PullPayment pull_payment: The pull payment.
        """
        self.ensure_one()
        if self.btcpay_pull_payment_id:
            return  # The event was quicker than the answer.
        self.write({
            'btcpay_pull_payment_id': pull_payment.id,
            'btcpay_refund_link': pull_payment.view_link,
            'btcpay_pull_amount': format(pull_payment.amount, 'f'),
            'btcpay_pull_currency': pull_payment.currency,
            'btcpay_bolt11_days': pull_payment.bolt11_days,
        })
        if not self._btcpay_adopt_pull_amount():
            # Nobody is to claim it: neither mails nor pages have the link.
            self.btcpay_refund_link = False
        self._set_pending(extra_allowed_states=('error',))
        self._btcpay_schedule_sync()
        root = self._btcpay_get_root()
        (root | root._btcpay_get_payment_siblings())._btcpay_close_settled_matters()
        if self.btcpay_refund_is_mailed and self.btcpay_refund_link:
            self._btcpay_mail_customer('mail_template_refund')

    def _btcpay_adopt_pull_amount(self):
        """Go by what the server made of the refund: it rounds fees in its own way.

        :return: Whether it is what was asked for; anything else is flagged for review.
        :rtype: bool
        """
        self.ensure_one()
        if not self.btcpay_refund_request:
            return True  # Made at the server itself.
        amount = Decimal(self.btcpay_pull_amount)
        custom = RefundDraft.parse(self.btcpay_refund_request).custom
        is_fiat = self.btcpay_pull_currency == self.currency_id._btcpay_get_code()
        value = self._btcpay_get_root()._btcpay_get_value(amount, self.btcpay_pull_currency)
        whole = self.btcpay_refund_fee_amount - self.amount
        is_another = (
            not amount
            or (custom and (self.btcpay_pull_currency != custom.currency or amount > custom.amount))
            or (value is None and not custom)  # Neither what was asked for nor what was paid.
            # What bitcoin is worth today is not compared with what it was worth then.
            or (value is not None and (is_fiat or not custom)
                and not self._btcpay_is_amount_received(value, whole))
            or (is_fiat and self._btcpay_is_amount_missing(amount, custom))
        )
        if is_another:
            self._btcpay_flag_for_review(_(
                "The BTCPay Server made the refund %(reference)s of %(made)s instead of"
                " %(amount)s. Its link was not given to the customer. Cancel it at the server:"
                " open the store's “Pull Payments”, archive “%(name)s”, and make the refund anew.",
                reference=self.reference, made=self.btcpay_pull_text,
                amount=self.currency_id.format(-self.amount), name=self.btcpay_refund_name,
            ))
        elif is_fiat and self.currency_id.compare_amounts(value, -self.amount) != 0:
            self.write({
                'amount': -value,
                'btcpay_refund_fee_amount': max(self.currency_id.round(whole - value), 0),
            })
        return not is_another

    def _btcpay_is_amount_received(self, value, whole):
        """Return whether what a refund comes to is no more than was asked for: the server rounds
        what it says was received to fewer digits than what it refunds of it.

        :param float value: What the refund comes to.
        :param float whole: What was asked for.
        :rtype: bool
        """
        made, asked = map(self._btcpay_get_money, (value, whole))
        return made.amount <= asked.amount or asked.is_rounded_from(made)

    def _btcpay_is_amount_missing(self, amount, custom):
        """Return whether a refund comes to less than was asked for, by more than is rounded.

        :param Decimal amount: What the refund comes to, in the transaction's currency.
        :param Money|None custom: What the server was asked for; None for all that was received.
        :rtype: bool
        """
        self.ensure_one()
        net = Decimal(str(-self.amount))
        if amount >= net - Decimal(1).scaleb(-count_decimals(amount)):
            return False  # The last digit that the server has is its own to round.
        whole = Decimal(str(self.btcpay_refund_fee_amount - self.amount))
        # It refunds what was received with more digits than it says that it was.
        return bool(custom) or not Money(whole, '').is_rounded_from(Money(amount * whole / net, ''))

    def _btcpay_is_refunded_by_lightning(self):
        """Return whether the customer can claim the refund over Lightning."""
        self.ensure_one()
        methods = (self.btcpay_refund_request or {}).get('payoutMethods')
        if methods is None:  # Left to the server: what the invoice was paid by.
            methods = self._btcpay_get_root()._btcpay_get_payout_methods()
        return any(is_lightning(method) for method in methods)
