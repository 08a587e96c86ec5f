from odoo.addons.payment_btcpay.tests.money_common import MoneyMixin

#: name, amount, kind, included or not
TAXES = [
    ('21e', 21, 'percent', 'tax_excluded'), ('6e', 6, 'percent', 'tax_excluded'),
    ('21i', 21, 'percent', 'tax_included'), ('6i', 6, 'percent', 'tax_included'),
    ('1f', 1, 'fixed', 'tax_excluded'),
]


class MethodsMixin:
    """Bitcoin and Lightning as payment methods of their own; for `BTCPayCommon`."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.both = cls.payment_method
        cls.chain = cls.env.ref('payment_btcpay.payment_method_btcpay_chain')
        cls.lightning = cls.env.ref('payment_btcpay.payment_method_btcpay_lightning')
        (cls.chain | cls.lightning).active = True


class DiscountMixin(MethodsMixin, MoneyMixin):
    """Five per cent for who pays by Lightning; for `BTCPayCommon`."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.btcpay.sudo().write({
            'btcpay_discount_method_id': cls.lightning.id, 'btcpay_discount_percent': 5,
        })
        cls.env.user.company_id.sale_discount_product_id = False

    def _begin(self, order, method=None, **values):
        """Choose a method on the payment page."""
        return self._create_btcpay_transaction(
            order, payment_method_id=(method or self.lightning).id, **values
        )

    def _discount_lines(self, order):
        return order.order_line.filtered('btcpay_discount_transaction_id')

    def _see(self, tx, **values):
        """Have the payment seen, on-chain for it to be unconfirmed."""
        self.world.pay(tx.btcpay_invoice_id, **values)
        self._look(tx)
