from odoo.http import request, route

from odoo.addons.sale.controllers.portal import CustomerPortal


class BTCPayCustomerPortal(CustomerPortal):

    @route()
    def portal_order_page(self, *args, **kwargs):
        """Override of `sale` to accept links for the rest of an order of which a part is paid."""
        request.update_context(btcpay_allow_rest=True)
        return super().portal_order_page(*args, **kwargs)
