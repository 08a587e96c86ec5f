"""A checkout that failed: what the customer is told, and what the people of the shop are."""
from odoo import _, models

from odoo.addons.payment.logging import get_payment_logger
from odoo.addons.payment_btcpay import const

_logger = get_payment_logger(__name__, sensitive_keys=const.SENSITIVE_KEYS)


class PaymentTransaction(models.Model):
    _inherit = 'payment.transaction'

    def _btcpay_fail_checkout(self, error, invoice=None):
        """End the transaction whose invoice could not be made, or is not what was asked for.

        Note: `self.ensure_one()`; the transaction is locked.

        :param GreenfieldError error: The reason.
        :param Invoice invoice: What the server made all the same.
        """
        self.ensure_one()
        _logger.error("No invoice for transaction %s: %s", self.reference, error)
        if invoice and self._btcpay_is_own(invoice):
            self._btcpay_plan('discard')
        elif not error.is_temporary:
            self.btcpay_requested_at = False  # Refused: there is none to look for.
        if error.is_temporary:
            self._set_error(_(
                "The Bitcoin payment could not be started. Nothing was charged. Please try again in"
                " a few minutes, or choose another payment method."
            ))
        else:
            self._btcpay_as_odoo()._btcpay_note_checkout_problem(error)
            self._set_error(_(
                "The Bitcoin payment could not be started. Nothing was charged. Trying again will"
                " not help: please choose another payment method, or contact us."
            ))
        self._btcpay_schedule_sync()

    def _btcpay_note_checkout_problem(self, error):
        """Tell the people who read along on the documents why the store made no invoice, once, not
        with each click of the customer's.

        :param GreenfieldError error: The reason.
        """
        self.ensure_one()
        problem = self.provider_id._btcpay_explain(error)
        known = self._btcpay_get_payment_siblings().mapped('btcpay_checkout_problem')
        self.btcpay_checkout_problem = problem
        if problem not in known:
            self._btcpay_post_note(_(
                "The Bitcoin payment %(reference)s could not be started. %(problem)s",
                reference=self.reference, problem=problem,
            ))
