from odoo import fields, models

from odoo.addons.payment_btcpay import const


class ResCurrency(models.Model):
    _inherit = 'res.currency'

    # Odoo's own has six decimals; a satoshi is 0.00000001 bitcoin.
    rounding = fields.Float(digits=(16, 10))

    def _btcpay_get_code(self):
        """Return how the BTCPay Server calls the currency: Odoo's codes have three letters.

        :rtype: str
        """
        self.ensure_one()
        return const.SERVER_CURRENCIES.get(self.name, self.name)

    def _btcpay_create_crypto_currencies(self):
        """Create bitcoin and satoshi, inactive, unless somebody else has."""
        for name, values in const.CRYPTO_CURRENCIES.items():
            if not self.with_context(active_test=False).search_count([('name', '=', name)]):
                currency = self.create({'name': name, 'active': False, **values})
                self.env['ir.model.data'].create({
                    'module': 'payment_btcpay', 'name': f'currency_{name.lower()}',
                    'model': self._name, 'res_id': currency.id, 'noupdate': True,
                })
