"""What the customer reads of the payment: on the status page, and on the pages of documents."""
from typing import NamedTuple

from odoo import _, fields, models

from odoo.addons.payment.utils import generate_access_token
from odoo.addons.payment_btcpay.db import claim, lock


class PageStatus(NamedTuple):
    """What a page says of a payment.

    :param str style: The style of Bootstrap's alert.
    :param str icon: The icon of Font Awesome.
    :param str heading: What happened.
    :param str message: What it means, and what to do.
    """

    style: str
    icon: str
    heading: str
    message: str


class PaymentTransaction(models.Model):
    _inherit = 'payment.transaction'

    # === WHAT A PAGE SAYS === #

    def _btcpay_get_page_status(self):
        """Return what a page says of the payment, in place of the framework's own words: those call
        processed what is not complete, and canceled what is late.

        :return: The status; None where the framework's words are right.
        :rtype: PageStatus|None
        """
        self.ensure_one()
        if self.operation in ('refund', 'validation'):
            return None
        match self.state:
            case 'draft' | 'pending':
                return self._btcpay_get_waiting_status()
            case 'done':
                return self._btcpay_get_done_status()
            case 'cancel' | 'error':
                return self._btcpay_get_failed_status()
        return None

    def _btcpay_get_waiting_status(self):
        if self.btcpay_status == 'Processing':
            return PageStatus('info', 'fa-clock-o', _("We have seen your payment."), _(
                "The Bitcoin network needs about ten minutes to confirm it. You can close this"
                " page; we will write to you."
            ) if self.sale_order_ids and self.partner_id.email else _(  # Odoo writes of no others.
                "The Bitcoin network needs about ten minutes to confirm it. You can close this"
                " page."
            ))
        if self.btcpay_status == 'New' and self._btcpay_get_gross_amount():
            return PageStatus(
                'warning', 'fa-exclamation-triangle', _("Your payment is not complete"), _(
                    "%(paid)s of %(amount)s has arrived. Please pay the amount due, %(asked)s,"
                    " before the invoice expires.", **self._btcpay_get_sums(),
                )
            )
        if self.btcpay_status == 'New':
            return PageStatus(
                'info', 'fa-clock-o', _("We are waiting for your payment"),
                _("No payment has been seen yet."),
            )
        return None

    def _btcpay_get_done_status(self):
        root = self._btcpay_get_root()
        if root != self and root._btcpay_get_amount_due_links():
            return PageStatus(
                'warning', 'fa-exclamation-triangle', _("Your payment is not complete"), _(
                    "%(amount)s has arrived and is credited to you. Please pay the amount due.",
                    amount=self.currency_id.format(self.amount),
                )
            )
        if self._btcpay_get_surplus():
            return PageStatus('success', 'fa-check', _("Thank you! Your payment has arrived."), _(
                "You have sent %(paid)s, %(overpaid)s more than the %(amount)s that we asked for."
                " We will write to you about it.", **self._btcpay_get_sums(),
            ))
        return None

    def _btcpay_get_failed_status(self):
        message = self._btcpay_get_failure_message()
        if not message:
            return None
        if self.btcpay_paid_amount and self._btcpay_get_unbooked_amount():
            if self.btcpay_status == 'Invalid':  # Whether it came in time or not.
                return PageStatus(
                    'warning', 'fa-info-circle', _("Your payment was not accepted"), message
                )
            return PageStatus('warning', 'fa-clock-o', _(
                "Your payment arrived after the time was up"
            ) if self._btcpay_is_paid_in_full() else _("Your payment is not complete"), message)
        if self.btcpay_status == 'Expired':
            heading = _("The time for this payment is over")
        else:
            heading = _("Your payment was not made")
        return PageStatus('warning', 'fa-info-circle', heading, message)

    def _btcpay_get_seconds_passed(self):
        """Return for how long the payment has been waiting for its confirmation.

        :return: The seconds; None if it does not wait for that.
        :rtype: int|None
        """
        self.ensure_one()
        seen_at = min(filter(None, self.btcpay_payment_ids.mapped('received_at')), default=None)
        if self.btcpay_status != 'Processing' or self.state != 'pending' or not seen_at:
            return None
        return max(int((fields.Datetime.now() - seen_at).total_seconds()), 0)

    # === WHAT IS STILL TO BE PAID === #

    def _btcpay_is_late_in_review(self):
        """Return whether all that was asked for came late, and somebody has to look at it."""
        self.ensure_one()
        return bool(
            self.btcpay_status == 'Expired'
            and self._btcpay_is_paid_in_full()
            and self._btcpay_get_unbooked_amount()
        )

    def _btcpay_can_pay_rest(self):
        """Return whether the customer can pay what is missing of an invoice that is over.

        What has arrived is credited for it, which is the customer's decision as well as the shop's:
        they go on with the same order.
        """
        self.ensure_one()
        return (
            self.btcpay_status == 'Expired'
            and not self._btcpay_is_paid_in_full()
            and self._btcpay_can_accept_partial()
            and self._btcpay_get_obsolete_reason() in ('', 'changed')
            and bool(self.sale_order_ids or self.invoice_ids)
            and not self._btcpay_is_quotation_expired()
        )

    def _btcpay_get_rest_token(self):
        """Return what whoever was shown the payment proves that with.

        :rtype: str
        """
        self.ensure_one()
        return generate_access_token('btcpay_rest', self.id, self.reference, env=self.env)

    def _btcpay_pay_rest(self):
        """Credit what arrived of an invoice that is over, as the customer wants to pay what is due.

        :return: Where the rest is paid; empty if it cannot be.
        :rtype: str
        """
        self.ensure_one()
        lock(self)
        if self._btcpay_can_pay_rest():
            self._btcpay_post_note(_(
                "The customer wants to pay the amount due of %(reference)s.",
                **self._btcpay_get_sums(),
            ))
            # Without an address nobody else is to ask: the customer is about to pay.
            self._btcpay_accept_partial(is_mailed=bool(self.partner_id.email))
            self._btcpay_close_settled_matters()
        return next((link['url'] for link in self._btcpay_get_amount_due_links()), '')

    # === THE STATUS PAGE === #

    def _btcpay_get_arrived(self):
        """Return the payment for the same that has arrived, where the customer has begun this one
        besides, as in a second tab: its page would ask for what is paid, or call it canceled.

        :return: The transaction; this one if there is none, or it pays again on purpose.
        :rtype: payment.transaction
        """
        self.ensure_one()
        if (
            self.btcpay_paid_amount or self.state == 'done'
            or self.btcpay_is_repeated or self.btcpay_seen_transaction_id
        ):
            return self
        arrived = self._btcpay_get_payment_siblings().filtered(lambda tx: (
            tx.provider_code == 'btcpay' and not tx.source_transaction_id
            and tx._btcpay_is_money_there()
            and (tx.state == 'pending' or self._btcpay_are_documents_paid())
        ))
        return arrived.sorted('id')[-1:] or self

    def _btcpay_is_payable(self):
        """Return whether the customer can still pay the invoice, or the amount due of it."""
        self.ensure_one()
        return bool(
            self.btcpay_status == 'New'
            and self.btcpay_checkout_link
            and (not self.btcpay_expires_at or self.btcpay_expires_at > fields.Datetime.now())
        )

    def _btcpay_is_being_post_processed(self):
        """Return whether the scheduled action is confirming the order at this moment.

        The customer's page need not collide with it.
        """
        self.ensure_one()
        return not self.is_post_processed and not claim(self)

    def _btcpay_get_failure_message(self):
        """Return why the payment failed, for the customer.

        :return: The message; empty if the framework's own says it.
        :rtype: str
        """
        self.ensure_one()
        # What no page was open for is stored in the company's language.
        if self.btcpay_invoice_id and self.btcpay_invalidated_at and self.state == 'cancel':
            return self._btcpay_explain_invalidated()
        is_declared = self.btcpay_status == 'Invalid' and not self.btcpay_invalidated_at
        if is_declared and self.state == 'error':
            return self._btcpay_explain_invalid()
        if self.state_message:
            return self.state_message
        if self.btcpay_status == 'Expired' and not self.btcpay_paid_amount:
            return _("Nothing was charged, and your order is kept: you can pay it again.")
        if not self.btcpay_paid_amount:
            return ''
        if not self._btcpay_get_unbooked_amount():  # Accepted parts have transactions of their own.
            return _(
                "%(returned)s of this payment was given back, or is being given back.",
                **self._btcpay_get_sums(),
            ) if self.btcpay_returned_amount else ''
        sums = self._btcpay_get_sums()
        if self._btcpay_is_paid_in_full():
            return _(
                "%(paid)s has arrived, but not before the time for this payment was over. We are"
                " looking at it and will write to you: you need not pay again.", **sums,
            )
        arrived = _(
            "%(paid)s of %(amount)s has arrived after the time for this payment was over.", **sums
        ) if self._btcpay_is_all_late() else _(
            "%(paid)s of %(amount)s has arrived, but the rest did not before the time for this"
            " payment was over.", **sums,
        )
        if self._btcpay_can_pay_rest():
            then = _("What arrived is credited to you when you go on to pay the amount due.")
        else:
            then = _("We are looking at it and will write to you.")
        return _("%(arrived)s %(then)s", arrived=arrived, then=then)

    def _btcpay_get_progress(self):
        """Return what tells the status page whether it shows something that has changed since.

        :return: The progress, the same in all languages; empty once the page is left.
        :rtype: str
        """
        self.ensure_one()
        if self.state not in ('draft', 'pending'):
            return ''
        return f'{self.btcpay_status} {self.btcpay_additional_status} {self.btcpay_paid_amount:.8f}'

    def _btcpay_get_retry_url(self):
        """Return where the customer can pay again after the payment failed.

        :return: The address, on this site.
        :rtype: str
        """
        self.ensure_one()
        landing_route = self.landing_route or '/my/home'
        if landing_route.startswith('/my/orders/'):
            return landing_route + self._btcpay_get_retry_params()
        if not landing_route.startswith('/shop/'):
            return landing_route
        # The shop's landing route would empty the cart. What Odoo has made a quotation of, since a
        # payment had been seen, is no cart any more; what is paid, though late, is not asked for.
        order = self.sale_order_ids[:1]
        if not order or (order.state == 'draft' and not self._btcpay_is_late_in_review()):
            return '/shop/payment'
        return order.get_portal_url()

    def _btcpay_get_retry_params(self):
        """Return what makes the order's page offer again what was to be paid by a link.

        :return: The parameters, to be appended to the page's address; empty if it does by itself.
        :rtype: str
        """
        self.ensure_one()
        order = self.sale_order_ids[:1]
        amount = min(self.amount, order._btcpay_get_amount_due()) if order else 0
        # The page refuses less than what is to be paid in advance, which may be more by now.
        if amount <= 0 or (
            order.state != 'sale' and amount < order._get_prepayment_required_amount()
        ):
            return ''
        return f'{"&" if "?" in self.landing_route else "?"}payment_amount={amount}'
