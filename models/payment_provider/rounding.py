"""Which amounts the server is likely to round: a hint, on which nothing depends."""
from odoo import _, api, models

from odoo.addons.payment_btcpay import const
from odoo.addons.payment_btcpay.greenfield import round_amount


class PaymentProvider(models.Model):
    _inherit = 'payment.provider'

    @api.depends('code', 'company_id', 'available_currency_ids', 'btcpay_connection_state')
    def _compute_btcpay_rounding_text(self):
        for provider in self:
            texts = []
            if provider.code == 'btcpay' and provider.btcpay_connection_state != 'disconnected':
                texts = [
                    provider._btcpay_get_rounding_text(currency)
                    for currency in provider._btcpay_get_rounded_currencies()
                ]
            provider.btcpay_rounding_text = " ".join(texts)

    def _btcpay_get_rounded_currencies(self):
        """Return the currencies in which the company sells and whose amounts servers round.

        :rtype: res.currency
        """
        self.ensure_one()
        pricelists = self.env['product.pricelist'].sudo().search([
            ('company_id', 'in', (False, self.company_id.id)),
        ])
        currencies = self.company_id.currency_id | pricelists.currency_id
        if self.available_currency_ids:
            currencies &= self.available_currency_ids
        return (currencies & self._get_supported_currencies()).filtered(
            lambda currency: currency.active
            and currency.decimal_places > const.ROUNDED_CURRENCIES.get(currency.name, 6)
        )

    def _btcpay_get_rounding_text(self, currency):
        """Return how amounts of a currency are rounded, with an example.

        :param res.currency currency: The currency.
        :rtype: str
        """
        amount = 1234 + (10 ** currency.decimal_places - 1) / 10 ** currency.decimal_places
        asked = round_amount(amount, const.ROUNDED_CURRENCIES[currency.name])
        return _(
            "%(currency)s: of %(amount)s the customer is asked for %(asked)s.",
            currency=currency.name, amount=currency.format(amount),
            asked=currency.format(float(asked)),
        )
