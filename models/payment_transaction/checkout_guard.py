"""The browser asks for what the page offers, and what is asked for is what is due now: the page may
have been made by hand, opened long ago, or twice."""
from odoo import _, models
from odoo.http import request


class PaymentTransaction(models.Model):
    _inherit = 'payment.transaction'

    # === WHAT IS OFFERED === #

    def _btcpay_get_checkout_refusal(self):
        """Return why the transaction must not be paid with this provider.

        The browser chooses provider, method and, on some pages, the amount: Odoo does not check
        whether they go together, nor whether they were offered.

        :return: The reason, for the log; empty if there is none.
        :rtype: str
        """
        self.ensure_one()
        provider = self.provider_id
        if self.operation != 'online_redirect':
            return f"operation {self.operation} is not supported"
        if provider.state == 'disabled' or not provider._btcpay_is_connected():
            return "the provider is disabled or not connected"
        if self.currency_id.compare_amounts(self.amount, 0) <= 0:
            return f"the amount {self.amount} is not positive"
        if not provider._btcpay_has_rate(self.currency_id):
            return f"currency {self.currency_id.name} is not supported"
        documents = self.sale_order_ids or self.invoice_ids
        partner = self._btcpay_get_paying_partner()
        context = self._btcpay_get_page_context()
        amount = self.currency_id.round(self.amount + self.btcpay_discount_amount)  # The page's.
        # Without a document the company is the provider's, unless the customer has one.
        for company in documents.company_id or partner.company_id or provider.company_id:
            offered = provider._get_compatible_providers(company.id, partner.id, amount, **context)
            if provider not in offered:
                return f"provider {provider.id} is not offered to partner {partner.id}"
        if self.payment_method_id not in self._btcpay_get_offered_methods():
            return f"payment method {self.payment_method_code} is not offered"
        return ''

    def _btcpay_get_offered_methods(self):
        """Return the payment methods that the page offers with the transaction's provider.

        :rtype: payment.method
        """
        self.ensure_one()
        return self.env['payment.method'].sudo()._get_compatible_payment_methods(
            self.provider_id.ids, self._btcpay_get_paying_partner().id,
            **self._btcpay_get_page_context(),
        )

    def _btcpay_get_page_context(self):
        """Return what the page asks for providers and payment methods with, as Odoo's pages do.

        :rtype: dict
        """
        return {
            'currency_id': self.currency_id.id,
            'website_id': self._btcpay_get_website_id(),
            'sale_order_id': self.sale_order_ids[:1].id,
        }

    def _btcpay_get_paying_partner(self):
        """Return for whom the page of the documents offers its providers, as Odoo's pages do.

        :rtype: res.partner
        """
        documents = self.sale_order_ids or self.invoice_ids
        if not documents:
            return self.partner_id  # The page's access token is for them.
        user = self.env.user
        return documents[:1].partner_id if user._is_public() else user.partner_id

    def _btcpay_get_website_id(self):
        """Return the website on which the payment is made, where there are websites.

        Odoo shows invoices, whichever they were sold on, with the providers of that on which the
        customer looks at them.

        :return: The id of the website; False if Odoo's page asks for none, or for one that is not
                 known any more.
        :rtype: int|bool
        """
        if self.sale_order_ids or self.invoice_ids:
            orders = self.sale_order_ids[:1]
            return 'website_id' in orders._fields and orders.website_id.id
        has_website = bool(request) and 'website' in self.env
        return has_website and self.env['website'].get_current_website().id

    # === WHAT IS DUE === #

    def _btcpay_find_change(self):
        """Return why the customer's page is out of date.

        :return: What changed, for the customer; empty if what is to be paid is what is due.
        :rtype: str
        """
        self.ensure_one()
        documents = self.sale_order_ids or self.invoice_ids
        if not documents or documents.currency_id != self.currency_id:
            return ''
        values = {'documents': ", ".join(documents.mapped('display_name'))}
        if self._btcpay_are_documents_canceled():
            return _("%(documents)s was canceled. Nothing was charged.", **values)
        quotations = self._btcpay_get_quotations()
        if self._btcpay_is_quotation_expired():
            return _(
                "The quotation %(documents)s has expired. Nothing was charged. Please ask us for a"
                " new one.", **values,
            )
        discount = self._btcpay_get_pending_discount()
        due = self._btcpay_get_amount_due(documents, without=self) - discount
        compare = self.currency_id.compare_amounts
        if compare(due, 0) <= 0 and not self._btcpay_are_documents_free():
            return _("%(documents)s is already paid. Nothing was charged.", **values)
        required = sum(order._get_prepayment_required_amount() for order in quotations) - discount
        if compare(self.amount, due) > 0 or compare(self.amount, min(required, due)) < 0:
            return _(
                "%(documents)s has changed since you opened the page: %(due)s is due now, not"
                " %(amount)s. Nothing was charged.",
                due=self.currency_id.format(due), amount=self.currency_id.format(self.amount),
                **values,
            )
        return ''

    def _btcpay_find_seen_payment(self):
        """Return the payment for the same that is on its way, unless the customer pays twice on
        purpose.

        :rtype: payment.transaction
        """
        self.ensure_one()
        if self.btcpay_is_repeated:
            return self.browse()
        return self._btcpay_get_payment_siblings().filtered(
            lambda tx: tx.provider_code == 'btcpay' and tx.state == 'pending'
            and tx._btcpay_has_money() and not tx.source_transaction_id
        ).sorted('id')[-1:]

    def _btcpay_cancel_checkout(self):
        """Cancel a checkout that is out of date, or that would pay a second time.

        :return: Whether it was canceled.
        :rtype: bool
        """
        self.ensure_one()
        if change := self._btcpay_find_change():
            self._set_canceled(change)
            return True
        seen = self._btcpay_find_seen_payment()
        if not seen:
            return False
        values = seen._btcpay_get_sums()
        self.btcpay_seen_transaction_id = seen
        self._set_canceled(_(
            "Your payment of %(paid)s was seen and waits for confirmation. You need not pay again.",
            **values,
        ) if seen.btcpay_status == 'Processing' else _(
            "%(paid)s of %(amount)s has arrived for the payment you began before. Pay the amount"
            " due, %(due)s, there.", **values,
        ))
        return True
