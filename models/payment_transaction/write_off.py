"""What of a transaction counts as paid without having been received, and how that is booked.

The one place for the difference between a transaction's amount and what its payment books.
"""
import psycopg2

from odoo import _, fields, models

from odoo.addons.payment.logging import get_payment_logger
from odoo.addons.payment_btcpay import const
from odoo.addons.payment_btcpay.utils import one_line

_logger = get_payment_logger(__name__, sensitive_keys=const.SENSITIVE_KEYS)


class PaymentTransaction(models.Model):
    _inherit = 'payment.transaction'

    # === WHAT WAS ASKED FOR === #

    def _btcpay_get_asked_amount(self):
        """Return what the server asks for: the amount, rounded to digits of the server's own.

        :rtype: float
        """
        self.ensure_one()
        return self.btcpay_asked_amount or self.amount

    def _btcpay_is_enough(self, money):
        """Return whether money is all that the server asks for.

        :param float money: What was received, kept or given back.
        """
        asked = self._btcpay_get_asked_amount()
        return money >= asked or self.currency_id.compare_amounts(money, asked) == 0

    def _btcpay_get_worth(self, money):
        """Return what money of the invoice is worth to what is paid with it: whoever pays what the
        server asks for has paid the amount, however the server rounded that.

        :param float money: What was received, kept or given back.
        :return: The amount, at most the transaction's.
        :rtype: float
        """
        return self.amount if self._btcpay_is_enough(money) else min(money, self.amount)

    # === DECIDING, ONCE: WHEN IT COUNTS AS PAID === #

    def _btcpay_note_difference(self, received):
        """Note what is missing of a transaction that counts as paid, and what is written off of it.

        What the store's tolerance takes is written off if the provider is set so. A merchant's word
        is no tolerance: what was received counts, the rest stays due.

        :param float received: What was received of the amount.
        """
        self.ensure_one()
        self.btcpay_difference_amount = self.currency_id.round(self.amount - received)
        self.btcpay_write_off_amount = self._btcpay_get_write_off_amount()

    def _btcpay_get_write_off_amount(self):
        """Return what of the difference is written off; negative where more was received.

        :rtype: float
        """
        self.ensure_one()
        root = self._btcpay_get_root()
        if not root._btcpay_is_taken_by_tolerance():
            return self._btcpay_get_rounding_amount()
        if self.provider_id.btcpay_underpaid_policy != 'write_off':
            return 0
        return self.btcpay_difference_amount

    def _btcpay_get_rounding_amount(self):
        """Return what the server rounded off the amount, for what books the last of it.

        :return: The amount; negative where the server asked for more.
        :rtype: float
        """
        self.ensure_one()
        root = self._btcpay_get_root()
        if not root._btcpay_is_paid_in_full():
            return 0
        others = root._btcpay_get_receipts() - root._btcpay_get_loose_receipts() - self
        booked = sum(others.mapped('amount'))
        is_last = (
            self.currency_id.compare_amounts(booked, root.amount) < 0
            and self.currency_id.compare_amounts(booked + self.amount, root.amount) >= 0
        )
        return is_last and self.currency_id.round(root.amount - root._btcpay_get_asked_amount())

    def _btcpay_is_underpaid(self):
        """Return whether less was received than was asked for.

        What was paid and booked in full stays so: with each further payment, which anybody can send
        to an address, be it dust, the server takes a fee off for the network. All is in the wallet.
        """
        return not self._btcpay_is_paid_in_full() and not (
            self._btcpay_is_enough(self._btcpay_get_gross_amount())
            and self._btcpay_is_enough(self._btcpay_get_booked_money())
        )

    def _btcpay_is_taken_by_tolerance(self):
        """Return whether less than was asked for is taken for the whole by the store's tolerance.

        What came late is marked as settled by Odoo where the server would have taken it in time.
        """
        self.ensure_one()
        return (
            self.btcpay_status == 'Settled' and self._btcpay_is_underpaid()
            and (self.btcpay_additional_status == 'None' or self._btcpay_is_accepted_by_odoo())
        )

    # === WHAT THE DOCUMENTS ARE PAID BY IT === #

    def _btcpay_get_booked_money(self):
        """Return what of the money received is booked, for documents or not.

        :rtype: float
        """
        self.ensure_one()
        return self.currency_id.round(sum(
            tx.amount - tx.btcpay_difference_amount for tx in self._btcpay_get_receipts()
        ))

    def _btcpay_get_credited_amount(self):
        """Return what the documents are paid by the transactions: what was received for them, and
        what was written off.

        :rtype: float
        """
        return sum(
            tx.amount - tx.btcpay_difference_amount + tx.btcpay_write_off_amount for tx in self
        )

    def _btcpay_get_reversed_write_off(self):
        """Return what was written off that is not any more, since all that was received is given
        back: what was forgone of the price is forgone with a payment only.

        :rtype: float
        """
        self.ensure_one()
        root = self._btcpay_get_root()
        if root._btcpay_get_kept_amount() > 0:
            return 0
        return sum(root._btcpay_get_receipts().mapped('btcpay_write_off_amount'))

    # === BOOKING === #

    def _btcpay_get_booking_values(self):
        """Return the values of the transaction's payment that differ from the framework's.

        :rtype: dict
        """
        self.ensure_one()
        values = {}
        if account := self._btcpay_get_receivable_account():
            values['destination_account_id'] = account.id
        if self.btcpay_difference_amount:
            values['amount'] = self.currency_id.round(self.amount - self.btcpay_difference_amount)
        if self.operation == 'refund':
            self.btcpay_write_off_amount = -self._btcpay_get_write_off_to_reverse()
        if lines := self._btcpay_prepare_write_off_lines():
            values['write_off_line_vals'] = lines
        return values

    def _btcpay_book_missing(self):
        """Book what came in after all of what was missing when the transaction counted as paid.

        Note: the transaction is locked.
        """
        self.ensure_one()
        for tx in self._btcpay_get_receipts():
            came = self.currency_id.round(min(
                tx.btcpay_difference_amount,
                self._btcpay_get_counted_amount() - self._btcpay_get_booked_money(),
            ))
            if came <= 0 or not self._btcpay_is_confirmed():
                continue
            try:
                with self.env.cr.savepoint():
                    tx._btcpay_book_more(came)
            except psycopg2.OperationalError:
                raise  # All is done again.
            except Exception as error:
                _logger.exception("What came in for %s is not booked", self.reference)
                self._btcpay_flag_for_review(_(
                    "%(came)s more was received for %(reference)s, but Odoo cannot book it:"
                    " %(error)s Remove the reason: Odoo tries again with each sync.",
                    came=self.currency_id.format(came), reference=self.reference,
                    error=one_line(error),
                ), 'missing')
                return
        self._btcpay_settle_matters('missing')

    def _btcpay_flag_vanished(self):
        """Flag for review that more is booked than is there: what counted before it was confirmed,
        by the merchant's word or the store's settings, can still be replaced."""
        self.ensure_one()
        if self._btcpay_is_matter_open('vanished'):
            self._btcpay_flag_for_review(_(
                "%(booked)s is booked for %(reference)s, but only %(paid)s is there: the payment"
                " counted before it was confirmed, and the customer's wallet has replaced or"
                " canceled it since. Ask the customer to pay again, or cancel the order and its"
                " payment.",
                booked=self.currency_id.format(self._btcpay_get_booked_money()),
                paid=self.currency_id.format(self._btcpay_get_gross_amount()),
                reference=self.reference,
            ), 'vanished')

    def _btcpay_book_more(self, amount):
        """Book a part of what was missing; what was written off of it is taken back.

        :param float amount: The amount.
        """
        self.ensure_one()
        taken_back = min(max(self.btcpay_write_off_amount, 0), amount)
        self.btcpay_difference_amount -= amount
        self.btcpay_write_off_amount -= taken_back
        if not self.is_post_processed:
            return  # It is booked with the rest.
        first = self.payment_id
        self.with_company(self.company_id)._create_payment(
            amount=amount,
            write_off_line_vals=[
                self._btcpay_prepare_write_off_line(-taken_back)
            ] if taken_back else [],
        )
        self.payment_id = first or self.payment_id
        self._btcpay_get_root()._btcpay_post_note(_(
            "%(amount)s that had been missing of %(reference)s was received and is booked.",
            amount=self.currency_id.format(amount), reference=self._btcpay_get_root().reference,
        ))

    def _btcpay_is_nothing_to_book(self):
        """Return whether nothing was received of what counts as paid, nor is written off."""
        self.ensure_one()
        return bool(self.btcpay_difference_amount) and not self.btcpay_write_off_amount and (
            self.currency_id.is_zero(self.amount - self.btcpay_difference_amount)
        )

    def _btcpay_get_write_off_to_reverse(self):
        """Return what the payment of the refund is to take back of what was written off: all of it,
        with the refund by which the last of the money is paid out.

        :rtype: float
        """
        self.ensure_one()
        refunds = self._btcpay_get_root().btcpay_refund_ids
        if 'pending' in (refunds - self).mapped('state'):
            return 0
        return self._btcpay_get_reversed_write_off() + sum(
            (refunds - self).mapped('btcpay_write_off_amount')
        )

    def _btcpay_prepare_write_off_lines(self, date=None):
        """Return the values of the journal items by which what is written off is.

        :param date date: The day of the payment, by default today.
        :rtype: list[dict]
        """
        self.ensure_one()
        lines = self._btcpay_prepare_early_discount_lines(date)
        write_off = self.btcpay_write_off_amount
        if write_off and self.provider_id.sudo()._btcpay_get_write_off_account():
            lines.append(self._btcpay_prepare_write_off_line(write_off))
        return lines

    def _btcpay_prepare_early_discount_lines(self, date=None):
        """Return the values of the journal items by which the early payment discount of the invoice
        is granted that is paid.

        :param date date: The day of the payment, by default today.
        :rtype: list[dict]
        """
        self.ensure_one()
        date = date or fields.Date.context_today(self)
        for move in self.invoice_ids:
            if move.state != 'posted' or not move._is_eligible_for_early_payment_discount(
                self.currency_id, date
            ):
                continue
            line = move.line_ids.filtered(lambda it: it.display_type == 'payment_term')[:1]
            if self.currency_id.compare_amounts(self.amount, line.discount_amount_currency) == 0:
                values = move._get_invoice_counterpart_amls_for_early_payment_discount([{
                    'aml': line, 'balance': -line.balance,
                    'amount_currency': -line.amount_residual_currency,
                }], line.balance - line.discount_balance)
                return [
                    {**item, 'partner_id': move.partner_id.id}
                    for items in values.values() for item in items
                ]
        return []

    def _btcpay_prepare_write_off_line(self, amount):
        """Return the values of the journal item by which an amount is written off.

        :param float amount: The amount; negative to take it back, or where it is a gain.
        :rtype: dict
        """
        self.ensure_one()
        company = self.provider_id.company_id
        return {
            'name': _("Difference of %s", self._btcpay_get_root().reference),
            'account_id': self.provider_id.sudo()._btcpay_get_write_off_account().id,
            'partner_id': self.partner_id.commercial_partner_id.id,
            'currency_id': self.currency_id.id,
            'amount_currency': amount,
            'balance': self.currency_id._convert(
                amount, company.currency_id, company, fields.Date.context_today(self)
            ),
        }
