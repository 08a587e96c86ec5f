"""By which connection the server is asked: that of the store in which the transaction is."""
from odoo import models

from odoo.addons.payment_btcpay import const
from odoo.addons.payment_btcpay.models.payment_provider.client import StoreNotConnected


class PaymentTransaction(models.Model):
    _inherit = 'payment.transaction'

    def _btcpay_find_connection(self):
        """Return the connection with the transaction's store, from now or from before.

        :return: The connection; None if there is none any more.
        :rtype: Connection|None
        """
        self.ensure_one()
        return self.provider_id._btcpay_find_connection(self.sudo().btcpay_store_id)

    def _btcpay_is_store_current(self):
        """Return whether it is the store that the provider is connected with: what fails there is
        the provider's failure, too."""
        self.ensure_one()
        return self.sudo().btcpay_store_id in (False, self.provider_id.sudo().btcpay_store_id)

    def _btcpay_get_store_id(self):
        """Return the store in which the transaction's invoice is.

        :return: The id of the store, about which the server can be asked.
        :rtype: str
        :raise StoreNotConnected: If the provider is connected with another one by now, or with
                                  none, and nothing of this one was open.
        """
        connection = self._btcpay_find_connection()
        if not connection:
            raise StoreNotConnected
        return connection.store_id

    def _btcpay_client(self, timeout=const.TIMEOUT, commits=False):
        """Return the client for calls about the transaction.

        :param int timeout: The number of seconds to wait for each of the server's answers.
        :param bool commits: Whether to end the database transaction before each call.
        :rtype: Client
        """
        connection = self._btcpay_find_connection()
        return self.provider_id._btcpay_client(
            timeout=timeout, reference=self.reference, commits=commits,
            server_url=connection and connection.server_url,
            api_key=connection and connection.api_key,
        )

    def _btcpay_client_without_key(self, timeout):
        """Return the client for what anybody may ask about pull payments.

        Where there is no connection any more, a refund knows the server on which it was made.

        :param int timeout: The number of seconds to wait for each of the server's answers.
        :rtype: Client
        """
        connection = self._btcpay_find_connection()
        return self.provider_id.sudo()._btcpay_client(
            timeout=timeout, api_key='', reference=self.reference,
            server_url=connection.server_url if connection
            else self.sudo().btcpay_refund_server_url,
        )

    def _btcpay_report_silence(self, error):
        """Report what a page or a delivery waited for in vain, so that no other does.

        :param Exception error: What failed.
        """
        if self._btcpay_is_store_current():
            self.provider_id._btcpay_report_silence(error)
