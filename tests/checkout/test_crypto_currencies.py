from odoo.tests import tagged

from odoo.addons.payment_btcpay.tests.common import BTCPayCommon
from odoo.addons.payment_btcpay.tests.refund.refund_common import RefundMixin


@tagged('post_install', '-at_install')
class TestCryptoCurrencies(RefundMixin, BTCPayCommon):
    """Prices in bitcoin and satoshi, and in currencies of no or three digits, are exact."""

    def _use(self, name):
        self.currency = self._enable_currency(name)
        self.currency.rate_ids.unlink()
        self.env['res.currency.rate'].create({
            'currency_id': self.currency.id, 'company_id': self.company.id, 'rate': 0.5,
        })

    def test_when_the_module_is_installed_then_bitcoin_and_satoshi_are_there(self):
        currencies = self.env['res.currency'].with_context(active_test=False).search([
            ('name', 'in', ('BTC', 'SAT')),
        ]).sorted('name')
        self.assertRecordValues(currencies, [
            {'name': 'BTC', 'decimal_places': 8, 'symbol': '₿', 'active': False},
            {'name': 'SAT', 'decimal_places': 0, 'symbol': 'sat', 'active': False},
        ])
        # Those of somebody else are left as they are.
        currencies._btcpay_create_crypto_currencies()
        self.assertEqual(self.env['res.currency'].with_context(active_test=False).search_count([
            ('name', 'in', ('BTC', 'SAT')),
        ]), 2)

    def test_when_amounts_are_asked_for_then_they_are_exact_decimal_strings(self):
        for name, amount, sent in [
            ('BTC', 0.00123456, ('0.00123456', 'BTC')),
            ('BTC', 0.00000295, ('0.00000295', 'BTC')),
            ('BTC', 1234.00000001, ('1234.00000001', 'BTC')),
            ('SAT', 21000, ('21000', 'SATS')),
            ('JPY', 1999, ('1999', 'JPY')),
            ('KWD', 12.345, ('12.345', 'KWD')),
            ('KWD', 0.001, ('0.001', 'KWD')),
        ]:
            with self.subTest(currency=name, amount=amount):
                self._use(name)
                tx = self._create_btcpay_transaction(amount=amount)
                body = self.world.requests()[-1]['body']
                self.assertEqual((body['amount'], body['currency']), sent)
                invoice = self.world.invoice(tx.btcpay_invoice_id)
                self.assertEqual((invoice['amount'], invoice['currency']), sent)
                self.assertEqual((tx.amount, tx.btcpay_asked_amount), (amount, amount))

    def test_when_an_order_in_bitcoin_is_paid_then_it_is_booked_to_the_satoshi(self):
        self.env.ref('product.decimal_price').digits = 8
        for name, amount in [('BTC', 0.00123457), ('SAT', 123457), ('JPY', 1999), ('KWD', 12.345)]:
            with self.subTest(currency=name):
                self._use(name)
                order = self._create_order(amount)
                order.currency_id = self.currency
                self.assertEqual(order.amount_total, amount)
                tx = self._paid(order)
                self.assertEqual((tx.state, order.state), ('done', 'sale'))
                self.assertEqual(tx.payment_id.amount, amount)
                self.assertEqual(
                    (tx.btcpay_paid_amount, tx.btcpay_due_amount, tx.btcpay_overpaid_amount),
                    (amount, 0, 0),
                )
                move = order._create_invoices()
                move.action_post()
                self.assertEqual((move.amount_total, move.amount_residual), (amount, 0))
                self.assertFalse(order.activity_ids)

    def test_when_satoshi_are_refunded_then_they_are_paid_out_in_full(self):
        self._use('SAT')
        tx = self._create_btcpay_transaction(amount=50000)
        self.world.pay(tx.btcpay_invoice_id)
        self.world.mine()
        self._look(tx)
        self._post_process()
        refund = tx._btcpay_request_refund(50000)
        self.assertEqual(refund.btcpay_pull_currency, 'SATS')
        self._claim(refund)
        self._look(refund)
        self.assertEqual((refund.state, refund.btcpay_paid_out_amount), ('done', 50000))
