import psycopg2

from odoo import _, fields, models

from odoo.addons.payment_btcpay.utils import BTCPayError


class PaymentTransaction(models.Model):
    _inherit = 'payment.transaction'

    # === ACTION METHODS === #

    def action_btcpay_check(self):
        """Look at the invoices at the server now, because a person wants to know.

        :return: The notification of what was found.
        :rtype: dict
        """
        self.check_access('read')
        errors = []
        for tx in self.filtered(lambda t: t.provider_code == 'btcpay'):
            try:
                tx._btcpay_synchronize()
            except BTCPayError as error:
                errors.append(f"{tx.reference}: {error.args[0]}")
        return {
            'type': 'ir.actions.client',
            'tag': 'display_notification',
            'params': {
                'type': 'warning' if errors else 'success',
                'message': "\n".join(errors) or _("Odoo has what the BTCPay Server reports."),
                'sticky': bool(errors),
                'next': {'type': 'ir.actions.client', 'tag': 'soft_reload'},
            },
        }

    # === THE CUSTOMER'S STATUS PAGE === #

    def _btcpay_is_payable(self):
        """Return whether the customer can still pay (the rest of) the invoice.

        :rtype: bool
        """
        self.ensure_one()
        return bool(
            self.btcpay_status == 'New'
            and self.btcpay_checkout_link
            and (not self.btcpay_expires_at or self.btcpay_expires_at > fields.Datetime.now())
        )

    def _btcpay_is_being_post_processed(self):
        """Return whether the scheduled action is confirming the order at this moment.

        The customer's page need not collide with it.

        :rtype: bool
        """
        self.ensure_one()
        if self.is_post_processed:
            return False
        try:
            return not self.try_lock_for_update(allow_referencing=True)
        except psycopg2.errors.SerializationFailure:
            self.env.cr.rollback()
            return True

    def _btcpay_get_failure_message(self):
        """Return why the payment failed, for the customer.

        :return: The message; empty if the framework's own says it.
        :rtype: str
        """
        self.ensure_one()
        if self.state_message:
            return self.state_message
        if self.btcpay_status == 'Expired' and not self.btcpay_paid_amount:
            return _(
                "The time for this Bitcoin payment is over. Nothing was charged, and your order is"
                " kept: you can pay it again."
            )
        if self.btcpay_paid_amount:
            return _(
                "%(paid)s of %(amount)s has arrived, but not in full or not in time. We have been"
                " told and will contact you.", **self._btcpay_get_sums(),
            )
        return ''

    def _btcpay_get_wait_message(self):
        """Return what the customer is waiting for.

        :return: The message; empty if there is nothing to say.
        :rtype: str
        """
        self.ensure_one()
        if self.btcpay_status == 'Processing':
            return _("Your payment was seen and waits for confirmation by the Bitcoin network.")
        if self.btcpay_status == 'New' and self.btcpay_additional_status == 'PaidPartial':
            return _(
                "%(paid)s of %(amount)s has arrived; %(missing)s is missing. Please pay the rest"
                " before the invoice expires.", **self._btcpay_get_sums(),
            )
        if self.btcpay_status == 'New':
            return _("No payment has been seen yet.")
        return ''

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
        # payment had been seen, is no cart any more.
        order = self.sale_order_ids[:1]
        return '/shop/payment' if not order or order.state == 'draft' else order.get_portal_url()

    def _btcpay_get_retry_params(self):
        """Return what makes the order's page offer again what was to be paid by a link.

        :return: The parameters, to be appended to the page's address; empty if it does by itself.
        :rtype: str
        """
        self.ensure_one()
        order = self.sale_order_ids[:1].with_context(btcpay_allow_rest=True)
        amount = min(self.amount, order._btcpay_get_rest()) if order else 0
        # The page refuses less than what is to be paid in advance, which may be more by now.
        if amount <= 0 or (
            order.state != 'sale' and amount < order._get_prepayment_required_amount()
        ):
            return ''
        return f'{"&" if "?" in self.landing_route else "?"}payment_amount={amount}'
