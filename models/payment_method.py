from odoo import _, api, fields, models
from odoo.exceptions import ValidationError

from odoo.addons.payment import utils as payment_utils
from odoo.addons.payment_btcpay.greenfield import is_api_id


class PaymentMethod(models.Model):
    """A payment method stands for some of the methods that the store has."""

    _inherit = 'payment.method'

    btcpay_methods = fields.Char(
        string="Methods at the BTCPay Server",
        help="By which of the store's methods an invoice can be paid when this payment method is"
             " chosen: their ids at the BTCPay Server, separated by spaces, the one that is shown"
             " first at the beginning. BTC-CHAIN is Bitcoin, BTC-LN and BTC-LNURL are Lightning."
             " Empty stands for all that the store has.",
    )

    btcpay_is_ours = fields.Boolean(
        string="Paid at the BTCPay Server", compute='_compute_btcpay_is_ours'
    )

    @api.depends('provider_ids.code')
    def _compute_btcpay_is_ours(self):
        for method in self:
            method.btcpay_is_ours = 'btcpay' in method.provider_ids.mapped('code')

    @api.constrains('btcpay_methods')
    def _check_btcpay_methods(self):
        """Check that the ids can be some.

        :raise ValidationError: If one cannot.
        """
        for method_id in (method_id for method in self for method_id in method._btcpay_get_ids()):
            if not is_api_id(method_id):
                raise ValidationError(_(
                    "“%s” is not the id of a method at the BTCPay Server. Separate ids by spaces,"
                    " for example: BTC-LN BTC-LNURL", method_id,
                ))

    def _get_compatible_payment_methods(self, provider_ids, *args, report=None, **kwargs):
        """Override of `payment` to leave out what no store has enabled."""
        methods = super()._get_compatible_payment_methods(
            provider_ids, *args, report=report, **kwargs
        )
        # Other providers' have no ids, and cost nothing here.
        missing = methods.filtered(lambda method: method.btcpay_methods and not any(
            provider.id in provider_ids and provider._btcpay_takes(method)
            for provider in method.provider_ids
        ))
        payment_utils.add_to_report(
            report, missing, available=False,
            reason=_("The store at the BTCPay Server does not have it enabled."),
        )
        return methods - missing

    def _btcpay_get_ids(self):
        """Return the ids of the store's methods that the payment method stands for.

        :return: The ids; empty for all that the store has.
        :rtype: list[str]
        """
        self.ensure_one()
        return (self.btcpay_methods or '').split()
