from odoo.tests import tagged

from odoo.addons.payment_btcpay.tests.common import BTCPayCommon


@tagged('post_install', '-at_install')
class TestRounding(BTCPayCommon):
    """The administrator is told which of the company's currencies the server rounds, and how."""

    def _add_pricelist(self, code, **values):
        currency = self._enable_currency(code)
        self.env['product.pricelist'].create({
            'name': code, 'currency_id': currency.id, 'company_id': self.btcpay.company_id.id,
            **values,
        })
        return currency

    def test_when_the_company_sells_in_a_rounded_currency_then_the_provider_says_how(self):
        self.assertFalse(self.btcpay.btcpay_rounding_text)
        rsd = self._add_pricelist('RSD')
        self._add_pricelist('EUR')
        self._add_pricelist('JPY')  # Without decimals in Odoo as well.
        self._enable_currency('COP')  # Nothing is sold in it.
        self.btcpay.invalidate_recordset()
        self.assertEqual(self.btcpay.btcpay_rounding_text, (
            f"RSD: of {rsd.format(1234.99)} the customer is asked for {rsd.format(1235)}."
        ))

    def test_when_the_currency_is_not_taken_or_nothing_is_connected_then_nothing_is_said(self):
        self._add_pricelist('RSD')
        for values in (
            {'available_currency_ids': [self.currency_usd.id]},
            {'available_currency_ids': False, 'btcpay_connection_state': 'disconnected'},
        ):
            self.btcpay.sudo().write(values)
            self.assertFalse(self.btcpay.btcpay_rounding_text)

    def test_when_the_pricelist_is_of_another_company_then_nothing_is_said(self):
        other = self.env['res.company'].create({'name': "Another"})
        self._add_pricelist('RSD', company_id=other.id)
        self.btcpay.invalidate_recordset()
        self.assertFalse(self.btcpay.btcpay_rounding_text)
