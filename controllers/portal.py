from odoo.http import request, route

from odoo.addons.account_payment.controllers.portal import PortalAccount
from odoo.addons.sale.controllers.portal import CustomerPortal


class BTCPayCustomerPortal(CustomerPortal):

    @route()
    def portal_order_page(self, order_id, *args, payment_amount=None, **kwargs):
        """Override of `sale` to ask for what is due by now, whatever it was when the link was made:
        Odoo's page would offer to pay again, or not be found where more is to be prepaid."""
        order_sudo = request.env['sale.order'].sudo().browse(order_id).exists()
        amount = self._cast_as_float(payment_amount)
        if order_sudo and amount and order_sudo._btcpay_is_bitcoin_concerned():
            if order_sudo._btcpay_get_amount_due() <= 0:
                payment_amount = None
            elif order_sudo.state != 'sale':
                payment_amount = max(amount, order_sudo._get_prepayment_required_amount())
        return super().portal_order_page(order_id, *args, payment_amount=payment_amount, **kwargs)

    def _get_payment_values(self, order_sudo, *args, **kwargs):
        """Override of `sale` to ask for no more than the amount due of a partly paid order.

        The order's page asks for all of it again, where it is not opened by a link for that.
        """
        values = super()._get_payment_values(order_sudo, *args, **kwargs)
        if order_sudo._btcpay_is_partly_paid():
            due = order_sudo._btcpay_get_amount_due()
            for key in ('amount', 'payment_amount'):  # What is asked for, and what the page says.
                values[key] = values[key] and min(values[key], due)
        return values


class BTCPayPortalAccount(PortalAccount):

    def _btcpay_is_offered(self, values):
        """Return whether a page offers Bitcoin; where nothing is to be paid it offers nothing."""
        return any(provider.code == 'btcpay' for provider in values.get('providers_sudo', ()))

    def _invoice_get_page_view_values(self, invoice, *args, **kwargs):
        """Override of `account_payment` to ask for what is due, where Bitcoin is offered: no more
        is taken, and what came in without an entry of its own is in no residual amount."""
        values = super()._invoice_get_page_view_values(invoice, *args, **kwargs)
        if self._btcpay_is_offered(values):
            due = invoice._btcpay_get_amount_due()
            for key in ('amount_due', 'next_amount_to_pay') if due > 0 else ():
                values[key] = min(values[key], due)
        return values

    def _overdue_invoices_get_page_view_values(self, overdue_invoices, **kwargs):
        """Override of `account_payment` to ask for what is due, where Bitcoin is offered: no more
        is taken, and the page asks for the totals, whatever is paid of them or of their orders."""
        values = super()._overdue_invoices_get_page_view_values(overdue_invoices, **kwargs)
        if self._btcpay_is_offered(values):
            due = request.env['payment.transaction'].sudo()._btcpay_get_amount_due(
                overdue_invoices.sudo()
            )
            if due <= 0:
                del values['payment']  # There is no such page then.
            elif due < values['amount']:
                values['amount'] = values['payment']['amount'] = due
        return values
