from odoo import api, models


class SaleOrder(models.Model):
    _inherit = 'sale.order'

    # === CRUD METHODS === #

    def write(self, vals):
        """Override of `sale` to withdraw what is still open when the order is cancelled."""
        result = super().write(vals)
        if vals.get('state') == 'cancel':
            self._btcpay_withdraw_obsolete()
        return result

    # === BUSINESS METHODS === #

    def _get_prepayment_required_amount(self):
        """Override of `sale` to let the customer pay the rest, where a part is booked already.

        The order's page refuses less than what is to be prepaid, paid or not.
        """
        amount = super()._get_prepayment_required_amount()
        if self.env.context.get('btcpay_allow_rest') and self.amount_paid:
            amount = min(amount, max(self.amount_total - self.amount_paid, 0))
        return amount

    def _btcpay_withdraw_obsolete(self):
        """Have the open invoices of the orders withdrawn that are not to be paid any more.

        :return: None
        """
        if self.ids:
            self.sudo().transaction_ids._btcpay_withdraw_obsolete()


class SaleOrderLine(models.Model):
    _inherit = 'sale.order.line'

    # === CRUD METHODS === #

    @api.model_create_multi
    def create(self, vals_list):
        """Override of `sale` to withdraw invoices over what the order was before."""
        lines = super().create(vals_list)
        lines.order_id._btcpay_withdraw_obsolete()
        return lines

    def write(self, vals):
        """Override of `sale` to withdraw invoices over what the order was before."""
        result = super().write(vals)
        if not vals.keys().isdisjoint(('product_uom_qty', 'price_unit', 'discount', 'tax_ids')):
            self.order_id._btcpay_withdraw_obsolete()
        return result

    def unlink(self):
        """Override of `sale` to withdraw invoices over what the order was before."""
        orders = self.order_id
        result = super().unlink()
        orders.exists()._btcpay_withdraw_obsolete()
        return result
