from odoo.http import route

from odoo.addons.payment.controllers.post_processing import PaymentPostProcessing
from odoo.addons.payment_btcpay import const


class BTCPayModal(PaymentPostProcessing):

    @route(const.REOPEN_ROUTE, type='jsonrpc', auth='public')
    def btcpay_reopen(self, reference='', **_kwargs):
        """Say how the customer goes on who has closed the invoice over the shop's page.

        :param str reference: The reference of the transaction that the page began.
        :return: See `_btcpay_get_reopening_values`.
        :rtype: dict
        """
        tx_sudo = self._get_monitored_transaction()
        if tx_sudo.provider_code != 'btcpay' or tx_sudo.reference != reference:
            return {}  # Another tab has begun another payment since.
        tx_sudo._btcpay_sync_for_browser()
        return tx_sudo._btcpay_get_reopening_values()
