from odoo.http import request, route

from odoo.addons.sale.controllers.portal import CustomerPortal


class BTCPayCustomerPortal(CustomerPortal):

    @route()
    def portal_order_page(self, *args, **kwargs):
        """Override of `sale` to accept links for the rest of an order of which a part is paid."""
        request.update_context(btcpay_allow_rest=True)
        return super().portal_order_page(*args, **kwargs)

    def _get_payment_values(self, order_sudo, *args, **kwargs):
        """Override of `sale` to ask for no more than the rest of an order of which a part is paid.

        The order's page asks for all of it again, where it is not opened by a link for the rest.
        """
        values = super()._get_payment_values(order_sudo, *args, **kwargs)
        if order_sudo._btcpay_is_part_paid():
            values['amount'] = min(values['amount'], order_sudo._btcpay_get_rest())
        return values
