from odoo import _
from odoo.exceptions import AccessError, MissingError, ValidationError
from odoo.http import request, route

from odoo.addons.account_payment.controllers.payment import PaymentPortal as InvoicePaymentPortal
from odoo.addons.account_payment.controllers.portal import PortalAccount
from odoo.addons.payment_btcpay.controllers.portal import BTCPayCustomerPortal
from odoo.addons.sale.controllers.portal import PaymentPortal as OrderPaymentPortal

SESSION_KEY = '__payment_btcpay_only__'
# How many documents a session remembers, the newest ones.
MAX_RESTRICTED = 20


class BTCPayRequestPortal(BTCPayCustomerPortal, PortalAccount):
    """Links by which a Bitcoin payment is requested: nothing else is offered there."""

    @route()
    def portal_order_page(self, order_id, *args, btcpay=None, **kwargs):
        """Override of `sale` to offer Bitcoin only, where that was requested."""
        # Once it is signed, the page comes back to itself without what else was in the link.
        if kwargs.get('message') == 'sign_ok':
            btcpay = btcpay or f'sale.order,{order_id}' in request.session.get(SESSION_KEY, ())
        self._btcpay_restrict('sale.order', order_id, btcpay, kwargs.get('access_token'))
        return super().portal_order_page(order_id, *args, **kwargs)

    @route()
    def portal_my_invoice_detail(self, invoice_id, *args, btcpay=None, **kwargs):
        """Override of `account_payment` to offer Bitcoin only, where that was requested."""
        self._btcpay_restrict('account.move', invoice_id, btcpay, kwargs.get('access_token'))
        return super().portal_my_invoice_detail(invoice_id, *args, **kwargs)

    def _get_payment_values(self, *args, **kwargs):
        """Override of `sale` to offer Bitcoin only when the customer comes back, too."""
        return self._btcpay_keep_restriction(super()._get_payment_values(*args, **kwargs))

    def _invoice_get_page_view_values(self, *args, **kwargs):
        """Override of `account_payment`, likewise for invoices."""
        return self._btcpay_keep_restriction(super()._invoice_get_page_view_values(*args, **kwargs))

    @staticmethod
    def _btcpay_keep_restriction(values):
        """Have the customer come back to a page that is restricted as the present one.

        :param dict values: The values of the page.
        :return: The same values.
        :rtype: dict
        """
        if request.env.context.get('btcpay_only') and 'landing_route' in values:
            values['landing_route'] += '&btcpay=1'  # There always is an access token before.
        return values

    def _btcpay_restrict(self, model, document_id, is_requested, access_token):
        """Remember how the customer came to the document's page last, if it is theirs.

        :param str model: The document's model.
        :param int document_id: The document's id.
        :param str|None is_requested: Whether that was a link which requests Bitcoin.
        :param str|None access_token: The access token of the link.
        """
        restricted = request.session.get(SESSION_KEY, [])
        key = f'{model},{document_id}'
        if not is_requested and key not in restricted:
            return
        try:
            self._document_check_access(model, document_id, access_token)
        except (AccessError, MissingError):
            return  # The page says so; whoever has no access leaves nothing behind.
        others = [other for other in restricted if other != key]
        if is_requested:
            request.update_context(btcpay_only=True)
            others = [*others, key][-MAX_RESTRICTED:]
        if others != restricted:
            request.session[SESSION_KEY] = others


class BTCPayRequestPaymentPortal(OrderPaymentPortal, InvoicePaymentPortal):
    """Links by which a Bitcoin payment is requested: nothing else is taken there."""

    @route()
    def portal_order_transaction(self, order_id, *args, **kwargs):
        """Override of `sale` to refuse another provider than the page offered."""
        self._btcpay_check_provider('sale.order', order_id, kwargs.get('provider_id'))
        return super().portal_order_transaction(order_id, *args, **kwargs)

    @route()
    def invoice_transaction(self, invoice_id, *args, **kwargs):
        """Override of `account_payment` to refuse another provider than the page offered."""
        self._btcpay_check_provider('account.move', invoice_id, kwargs.get('provider_id'))
        return super().invoice_transaction(invoice_id, *args, **kwargs)

    @staticmethod
    def _btcpay_check_provider(model, document_id, provider_id):
        """Check that a document is paid with Bitcoin, where the customer came by such a link.

        :param str model: The document's model.
        :param int document_id: The document's id.
        :param int provider_id: The provider that is to be used, also of a saved payment method.
        :raise ValidationError: If it is not.
        """
        if f'{model},{document_id}' not in request.session.get(SESSION_KEY, ()):
            return
        provider_sudo = request.env['payment.provider'].sudo().search([
            ('id', '=', provider_id), ('code', '=', 'btcpay')
        ])
        if not provider_sudo:
            raise ValidationError(_(
                "A Bitcoin payment was requested of you. Open the document from your account to pay"
                " in another way."
            ))
