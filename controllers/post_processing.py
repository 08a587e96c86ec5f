from odoo.http import route

from odoo.addons.payment.controllers.post_processing import PaymentPostProcessing


class BTCPayPostProcessing(PaymentPostProcessing):

    def _get_monitored_transaction(self):
        """Override of `payment` to show the payment that has arrived, where the session has begun
        another one for the same since."""
        tx_sudo = super()._get_monitored_transaction()
        return tx_sudo._btcpay_get_arrived() if tx_sudo.provider_code == 'btcpay' else tx_sudo

    @route()
    def poll_status(self, **kwargs):
        """Override of `payment` to ask the server, for the time that no webhook comes through.

        Where the payment failed the customer stays on the status page, which says so: the shop's
        landing route would empty the cart.
        """
        tx_sudo = self._get_monitored_transaction()
        if tx_sudo.provider_code == 'btcpay':
            tx_sudo._btcpay_sync_for_browser()
            if tx_sudo._btcpay_is_being_post_processed():
                return {
                    'provider_code': tx_sudo.provider_code,
                    'state': 'pending',  # The page asks again.
                    'landing_route': tx_sudo.landing_route,
                }
        values = super().poll_status(**kwargs)
        if tx_sudo.provider_code == 'btcpay':
            values['btcpay_progress'] = tx_sudo._btcpay_get_progress()
            if tx_sudo.state in ('cancel', 'error'):
                values['landing_route'] = '/payment/status'
        return values
