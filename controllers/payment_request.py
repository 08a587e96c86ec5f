from odoo import _
from odoo.exceptions import ValidationError
from odoo.fields import Command
from odoo.http import request, route

from odoo.addons.account_payment.controllers.portal import PortalAccount
from odoo.addons.sale.controllers.portal import CustomerPortal

# The fields of transactions by the model they lead to.
DOCUMENT_FIELDS = {'sale_order_ids': 'sale.order', 'invoice_ids': 'account.move'}
SESSION_KEY = '__payment_btcpay_only__'


class BTCPayRequestPortal(CustomerPortal, PortalAccount):
    """Links by which a Bitcoin payment is requested: nothing else is offered nor taken there."""

    @route()
    def portal_order_page(self, order_id, *args, btcpay=None, **kwargs):
        """Override of `sale` to offer Bitcoin only, where that was requested."""
        self._btcpay_restrict('sale.order', order_id, btcpay)
        return super().portal_order_page(order_id, *args, **kwargs)

    @route()
    def portal_my_invoice_detail(self, invoice_id, *args, btcpay=None, **kwargs):
        """Override of `account_payment` to offer Bitcoin only, where that was requested."""
        self._btcpay_restrict('account.move', invoice_id, btcpay)
        return super().portal_my_invoice_detail(invoice_id, *args, **kwargs)

    @staticmethod
    def _btcpay_restrict(model, document_id, is_requested):
        """Remember how the customer came to the document's page last.

        :param str model: The document's model.
        :param int document_id: The document's id.
        :param str|None is_requested: Whether he came by a link that requests Bitcoin.
        :return: None
        """
        restricted = set(request.session.get(SESSION_KEY, ()))
        key = f'{model},{document_id}'
        if is_requested:
            request.update_context(btcpay_only=True)
        if bool(is_requested) != (key in restricted):
            restricted ^= {key}
            request.session[SESSION_KEY] = sorted(restricted)

    def _create_transaction(self, provider_id, *args, custom_create_values=None, **kwargs):
        """Override of `payment` to refuse another provider than the page offered."""
        restricted = request.session.get(SESSION_KEY)
        if restricted:
            provider_sudo = request.env['payment.provider'].sudo().browse(provider_id)
            keys = {
                f'{model},{document_id}'
                for field, model in DOCUMENT_FIELDS.items()
                for command in (custom_create_values or {}).get(field, ())
                if command[0] == Command.SET for document_id in command[2]
            }
            if provider_sudo.code != 'btcpay' and not keys.isdisjoint(restricted):
                raise ValidationError(_(
                    "A Bitcoin payment was requested of you. Open the document from your account"
                    " to pay in another way."
                ))
        return super()._create_transaction(
            provider_id, *args, custom_create_values=custom_create_values, **kwargs
        )
