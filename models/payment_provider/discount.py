"""A discount for those who pay by a method that costs less, and cannot be charged back."""
from odoo import _, api, fields, models
from odoo.exceptions import ValidationError
from odoo.tools.misc import formatLang


class PaymentProvider(models.Model):
    _inherit = 'payment.provider'

    btcpay_discount_method_id = fields.Many2one(
        string="Discount For",
        help="The payment method by which customers save something, e.g. Lightning: the checkout"
             " shows it before they choose. It holds for orders that are paid in full. The server"
             " is asked for the discounted total; the order gets discount lines, with the taxes"
             " split as Odoo's own discounts are, when the payment is seen.",
        comodel_name='payment.method', domain="[('id', 'in', payment_method_ids)]",
    )
    btcpay_discount_percent = fields.Float(
        string="Discount (%)", help="The per cent of the order's total that the customer saves."
    )
    btcpay_discount_fixed = fields.Monetary(
        string="Fixed Discount",
        help="The amount that the customer saves, taxes included, beside the per cent.",
        currency_field='main_currency_id',
    )

    @api.constrains('btcpay_discount_percent', 'btcpay_discount_fixed')
    def _check_btcpay_discount(self):
        """Check that a discount is one.

        :raise ValidationError: If not.
        """
        for provider in self:
            percent, fixed = provider.btcpay_discount_percent, provider.btcpay_discount_fixed
            if not 0 <= percent < 100 or fixed < 0:
                raise ValidationError(_(
                    "A discount is at least 0, and less than 100 per cent of what it is for."
                ))

    def _btcpay_get_discount(self, total, currency):
        """Return what is saved of a total.

        :param float total: The total.
        :param res.currency currency: Its currency.
        :rtype: float
        """
        self.ensure_one()
        fixed = self.main_currency_id._convert(
            self.btcpay_discount_fixed, currency, self.company_id, fields.Date.context_today(self)
        ) if self.btcpay_discount_fixed else 0
        return currency.round(total * self.btcpay_discount_percent / 100 + fixed)

    def _btcpay_describe_discount(self, order, payment_method, amount):
        """Return what the checkout says of the discount for a payment method.

        :param sale.order|None order: The order that is to be paid.
        :param payment.method payment_method: The payment method.
        :param float amount: What is to be paid.
        :return: E.g. `−5 %` and `You pay $ 95.00`; None if there is no discount.
        :rtype: tuple[str, str]|None
        """
        if not self or not order or order._name != 'sale.order':
            return None
        discount = order._btcpay_get_discount(self, payment_method, amount)
        if not discount:
            return None
        shown = order.currency_id.format
        percent = formatLang(
            self.env, self.btcpay_discount_percent, digits=2
        ).rstrip('0').rstrip('.,')
        badge = _("−%s %%", percent) if not self.btcpay_discount_fixed else f'−{shown(discount)}'
        return badge, _("You pay %s", shown(order.currency_id.round(amount - discount)))
