from odoo.http import request, route

from odoo.addons.account_payment.controllers.portal import PortalAccount
from odoo.addons.sale.controllers.portal import CustomerPortal


class BTCPayCustomerPortal(CustomerPortal):

    @route()
    def portal_order_page(self, order_id, *args, payment_amount=None, **kwargs):
        """Override of `sale` to ask for nothing of what is paid by now."""
        order_sudo = request.env['sale.order'].sudo().browse(order_id).exists()
        if order_sudo and order_sudo._btcpay_is_all_paid():
            payment_amount = None  # By a mailed link, which Odoo's page would offer to pay again.
        return super().portal_order_page(
            order_id, *args, payment_amount=payment_amount, **kwargs
        )

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

    def _overdue_invoices_get_page_view_values(self, overdue_invoices, **kwargs):
        """Override of `account_payment` to ask for what is due, where Bitcoin is offered: no more
        is taken, and the page asks for the totals, whatever is paid of them."""
        values = super()._overdue_invoices_get_page_view_values(overdue_invoices, **kwargs)
        if 'btcpay' in values.get('providers_sudo', request.env['payment.provider']).mapped('code'):
            due = request.env['payment.transaction'].sudo()._btcpay_get_amount_due(
                overdue_invoices.sudo()
            )
            if 0 < due < values['amount']:
                values['amount'] = values['payment']['amount'] = due
        return values
