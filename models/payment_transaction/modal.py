"""The invoice is shown over the shop's page, see `static/src/interactions/modal.js`."""
from urllib.parse import quote

from odoo import models

from odoo.addons.payment_btcpay import const


class PaymentTransaction(models.Model):
    _inherit = 'payment.transaction'

    def _btcpay_get_modal_values(self):
        """Return what the browser needs to show the invoice over the shop's page.

        :return: The values; empty where the customer is to be redirected.
        :rtype: dict
        """
        self.ensure_one()
        provider = self.provider_id.sudo()
        server_url = provider.btcpay_server_url
        if (
            provider.btcpay_checkout_mode != 'modal'
            # Scripts are taken from the connected server only; a failed checkout has no link.
            or not (self.btcpay_checkout_link or '').startswith(f'{server_url}/')
        ):
            return {}
        return {'btcpay_modal': {
            'server_url': server_url,
            'invoice_id': self.btcpay_invoice_id,
            'reference': self.reference,
            'return_url': f'{const.RETURN_ROUTE}?ref={quote(self.reference, safe="")}',
        }}

    def _btcpay_get_reopening_values(self):
        """Return what becomes of a payment that the customer began before, closed, and now wants to
        go on with on the same page.

        :return: The same invoice (`btcpay_modal`) if it can still be paid; where to go
                 (`return_url`) if money has come in meanwhile; empty if a new payment is to begin.
        :rtype: dict
        """
        self.ensure_one()
        if (
            self._btcpay_is_payable()
            and not self._btcpay_find_change()
            and not self._btcpay_find_seen_payment()
        ):
            return self._btcpay_get_modal_values()
        if self.state == 'done' or self.btcpay_paid_amount:
            return {'return_url': '/payment/status'}
        return {}
