"""A checkout that failed: what the customer is told, and what the people of the shop are."""
from odoo import _, fields, models

from odoo.addons.payment.logging import get_payment_logger
from odoo.addons.payment_btcpay import const
from odoo.addons.payment_btcpay.greenfield import Refused, find_missing_methods
from odoo.addons.payment_btcpay.models.payment_provider.client import MethodMissing

_logger = get_payment_logger(__name__, sensitive_keys=const.SENSITIVE_KEYS)


class PaymentTransaction(models.Model):
    _inherit = 'payment.transaction'

    btcpay_other_method_id = fields.Many2one(
        string="Offered Instead",
        help="The payment method that the customer was offered, since the one that was chosen could"
             " not be paid with.",
        comodel_name='payment.method', readonly=True, copy=False,
    )

    def _btcpay_fail_checkout(self, error, invoice=None):
        """End the transaction whose invoice could not be made, or is not what was asked for.

        Note: the transaction is locked.

        :param GreenfieldError error: The reason.
        :param Invoice invoice: What the server made all the same.
        """
        self.ensure_one()
        _logger.error("No invoice for transaction %s: %s", self.reference, error)
        if invoice and self._btcpay_is_own(invoice):
            self._btcpay_plan('discard')
        elif not error.is_temporary:
            self.btcpay_requested_at = False  # Refused: there is none to look for.
        self.btcpay_other_method_id = self._btcpay_find_other_method(error)
        if self.btcpay_other_method_id:
            self._set_canceled(_(
                "%(method)s cannot be paid with at the moment. Nothing was charged. You can pay"
                " with %(other)s instead.",
                method=self.payment_method_id.name, other=self.btcpay_other_method_id.name,
            ))
        elif error.is_temporary:
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

    # === ONE METHOD DOWN === #

    def _btcpay_has_asked_method(self, invoice, asked=None):
        """Return whether an invoice can be paid by any of the methods that were asked for.

        :param Invoice invoice: The invoice.
        :param list[str] asked: Their ids, if they are known.
        """
        self.ensure_one()
        asked = self._btcpay_get_asked_methods() if asked is None else asked
        return not asked or find_missing_methods(asked, invoice.payment_methods) != asked

    def _btcpay_find_down_methods(self, error):
        """Return the methods that an error says nothing can be paid by, while others may work.

        :param GreenfieldError error: Why no invoice was made.
        :return: The ids; empty if it is not a matter of the methods, or one of all that there are.
        :rtype: list[str]
        """
        self.ensure_one()
        if not isinstance(error, MethodMissing) and not (
            isinstance(error, Refused) and error.status == 400 and 'ERR_RATE' not in error.reason
        ):
            return []
        asked = self._btcpay_get_asked_methods()
        is_of_all = set(asked) >= set(self.provider_id._btcpay_get_store_methods())
        return [] if is_of_all else asked

    def _btcpay_find_other_method(self, error):
        """Return the payment method that the customer is offered in place of the one that failed.

        :param GreenfieldError error: Why no invoice was made.
        :return: The payment method; rather one that has nothing of the other; empty if none is
                 likely to work.
        :rtype: payment.method
        """
        self.ensure_one()
        provider = self.provider_id
        down = set(self._btcpay_find_down_methods(error))
        if not down:
            return self.env['payment.method']
        not_working = down | set((provider.sudo().btcpay_down_methods or '').split())
        others = self._btcpay_get_offered_methods().filtered(
            lambda method: set(provider._btcpay_get_methods(method)) - not_working
        )
        return others.sorted(
            lambda method: bool(set(provider._btcpay_get_methods(method)) & down)
        )[:1]

    def _btcpay_get_other_method_values(self):
        """Return what the payment form needs to offer the other payment method.

        :rtype: dict
        """
        self.ensure_one()
        if not self.btcpay_other_method_id:
            return {}
        return {
            'btcpay_other_method_id': self.btcpay_other_method_id.id,
            'btcpay_other_method_name': self.btcpay_other_method_id.name,
        }

    def _btcpay_report_checkout(self, invoice, asked, error):
        """Tell the provider's people what does not work, once; and that it works again.

        :param Invoice|None invoice: What the server made.
        :param list[str] asked: The ids of the methods that were asked for.
        :param GreenfieldError|None error: Why it cannot be paid.
        """
        self.ensure_one()
        provider = self.provider_id
        if down := self._btcpay_find_down_methods(error):
            provider._btcpay_report_methods(down=down, error=error)
            return
        provider._btcpay_report_checkout(self.currency_id, error)
        if not invoice or error:
            return
        # A method that is left out may be one for larger amounts; but an LNURL without Lightning
        # says that the node is down.
        made = invoice.payment_methods or ()
        missing = find_missing_methods(asked, invoice.payment_methods)
        is_node_down = any(method_id in made for method_id in missing)
        provider._btcpay_report_methods(
            down=missing if is_node_down else (),
            works=[method_id for method_id in made if method_id not in missing],
        )
