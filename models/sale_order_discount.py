"""The discount for paying by a chosen method: what it comes to, and its lines on the order."""
from odoo import fields, models
from odoo.fields import Command


class SaleOrderLine(models.Model):
    _name = 'sale.order.line'
    _inherit = ['sale.order.line', 'btcpay.protected.mixin']

    btcpay_discount_transaction_id = fields.Many2one(
        string="Discount for the Payment",
        help="The Bitcoin payment for which the discount of this line was granted.",
        comodel_name='payment.transaction', readonly=True, copy=False, index='btree_not_null',
    )

    def _get_protected_fields(self):
        """Override of `sale` to have the discount follow its payment on locked orders too."""
        names = super()._get_protected_fields()
        if self.env.su and self == self.filtered('btcpay_discount_transaction_id'):
            names = [name for name in names if name != 'product_uom_qty']
        return names

    def _compute_tax_ids(self):
        """Override of `sale` to leave the taxes as they were split: the product has none."""
        granted = self.filtered('btcpay_discount_transaction_id')
        super(SaleOrderLine, self - granted)._compute_tax_ids()


class SaleOrder(models.Model):
    _inherit = 'sale.order'

    def _register_hook(self):
        """Override to have coupons, which are computed anew on confirmation, not reckon with the
        discount.

        `sale_loyalty`, if it is there, has a method for that. It is loaded after this module, which
        does not depend on it, so that only the finished class can be extended.
        """
        super()._register_hook()
        cls = self.env.registry[self._name]
        get_lines = getattr(cls, '_get_no_effect_on_threshold_lines', None)
        if get_lines:
            cls._get_no_effect_on_threshold_lines = lambda order: (
                get_lines(order) | order.order_line.filtered('btcpay_discount_transaction_id')
            )

    def _get_copiable_order_lines(self):
        """Override of `sale` to leave out what was granted for one payment."""
        return super()._get_copiable_order_lines().filtered(
            lambda line: not line.btcpay_discount_transaction_id
        )

    def _btcpay_get_discount(self, provider, payment_method, amount=None):
        """Return what the customer saves who pays all of the order by a payment method.

        :param payment.provider provider: The provider.
        :param payment.method payment_method: The payment method.
        :param float amount: What is to be paid; by default all of the order.
        :return: The discount, taxes included; 0 if there is none: also where the order is confirmed
                 or was paid in part, and of a part of it.
        :rtype: float
        """
        if (
            len(self) != 1 or not provider or self.state not in ('draft', 'sent')
            or provider.btcpay_discount_method_id != payment_method
        ):
            return 0
        total = self.amount_total
        compare = self.currency_id.compare_amounts
        if compare(total if amount is None else amount, total) or self._btcpay_is_payment_seen():
            return 0
        discount = provider._btcpay_get_discount(total, self.currency_id)
        return discount if compare(0, discount) < 0 and compare(discount, total) < 0 else 0

    def _btcpay_is_payment_seen(self):
        """Return whether something was paid, though late, or is about to be."""
        self.ensure_one()
        return bool(self.sudo().transaction_ids.filtered(
            lambda tx: tx.operation not in ('refund', 'validation') and (
                tx.state in ('pending', 'authorized', 'done')
                or (tx.btcpay_paid_amount and tx._btcpay_get_unbooked_amount())
            )
        ) or self.order_line.btcpay_discount_transaction_id)

    def _btcpay_add_discount(self, discount, tx):
        """Add the lines of a discount, with the taxes split as Odoo's own discounts are.

        :param float discount: The discount, taxes included.
        :param payment.transaction tx: The payment for which it is granted.
        """
        self.ensure_one()
        order = self.with_company(self.company_id).with_context(lang=self._get_lang())
        wizard = order.env['sale.order.discount'].create({
            'sale_order_id': order.id, 'discount_type': 'amount', 'discount_amount': discount,
        })
        product = order._btcpay_get_discount_product(wizard)
        tax_model = self.env['account.tax']
        base_lines = tax_model._prepare_global_discount_lines(
            base_lines=order._btcpay_get_discountable_base_lines(),
            company=order.company_id,
            amount_type='fixed',
            amount=discount,
            computation_key=f'global_discount,{wizard.id}',
            grouping_function=lambda _base_line: {'product_id': product},
        )
        method = tx.payment_method_id.with_env(order.env)
        name = order.env._("Discount for paying with %s", method.name)
        commands = []
        for values in wizard._prepare_global_discount_so_lines(base_lines):
            taxes = self.env['account.tax'].browse(values['tax_ids'][0][2])
            commands.append(Command.create({
                **values,
                'name': f'{name} ({", ".join(taxes.mapped("name"))})'
                        if taxes and len(base_lines) > 1 else name,
                'btcpay_discount_transaction_id': tx.id,
            }))
        order.order_line = commands
        wizard.unlink()

    def _btcpay_get_discount_product(self, wizard):
        """Return Odoo's product for discounts, named in each language where it is made by this.

        Odoo would name it in the language of the customer who has the first discount, for all.

        :param sale.order.discount wizard: The wizard that makes it.
        :rtype: product.product
        """
        if self.company_id.sale_discount_product_id:
            return wizard._get_discount_product()
        product = wizard.with_context(lang='en_US')._get_discount_product()
        for code, _name in self.env['res.lang'].get_installed():
            product.with_context(lang=code).name = wizard.with_context(
                lang=code
            )._prepare_discount_product_values()['name']
        return product.with_env(self.env)

    def _btcpay_get_discountable_base_lines(self):
        """Return what a discount is split over.

        :return: The base lines: without what has been granted, and without what is no price but a
                 payment, such as gift cards: kinds of taxes of which less than nothing is left.
        :rtype: list[dict]
        """
        self.ensure_one()
        tax_model = self.env['account.tax']
        lines = self._get_priced_lines().filtered(
            lambda line: not line.btcpay_discount_transaction_id
        )
        base_lines = [line._prepare_base_line_for_taxes_computation() for line in lines]
        tax_model._add_tax_details_in_base_lines(base_lines, self.company_id)
        tax_model._round_base_lines_tax_details(base_lines, self.company_id)
        totals = {}
        for base_line in base_lines:
            totals.setdefault(base_line['tax_ids'], []).append(
                base_line['tax_details']['total_excluded_currency']
            )
        return [line for line in base_lines if sum(totals[line['tax_ids']]) > 0]
