"""The discount for paying by a chosen method: granted when money is seen, taken back if it goes.

Until then it is in the transaction's amount alone, so that another method, an expiry or a second
tab leave nothing behind.
"""
from odoo import _, fields, models


class PaymentTransaction(models.Model):
    _inherit = 'payment.transaction'

    btcpay_discount_amount = fields.Monetary(
        string="Discount", help="What the customer saves by paying with this payment method.",
        currency_field='currency_id', readonly=True, copy=False,
    )
    btcpay_is_discount_granted = fields.Boolean(
        string="Discount Granted", readonly=True, copy=False
    )
    btcpay_discount_line_ids = fields.One2many(
        string="Discount Lines", comodel_name='sale.order.line',
        inverse_name='btcpay_discount_transaction_id', readonly=True,
    )

    def _btcpay_begin_discount(self):
        """Ask for less where the order is paid by the method that has a discount."""
        self.ensure_one()
        if self.invoice_ids or self.currency_id != self.sale_order_ids.currency_id:
            return
        discount = self.sale_order_ids._btcpay_get_discount(
            self.provider_id, self.payment_method_id, self.amount
        )
        if discount:
            self.btcpay_discount_amount = discount
            self.amount = self.currency_id.round(self.amount - discount)

    def _btcpay_get_pending_discount(self):
        """Return what of the discount is not on the order yet.

        :rtype: float
        """
        self.ensure_one()
        return 0 if self.btcpay_discount_line_ids else self.btcpay_discount_amount

    def _btcpay_apply_discount(self):
        """Have the order's lines follow, when money comes or goes; what people do with the lines in
        between is theirs."""
        self.ensure_one()
        is_granted = bool(self.btcpay_discount_amount) and self._btcpay_is_money_there()
        if is_granted == self.btcpay_is_discount_granted:
            return
        lines = self.btcpay_discount_line_ids
        if lines.order_id.state == 'sale':
            # Of a confirmed order no line is removed.
            lines.filtered(lambda line: not line.qty_invoiced).product_uom_qty = int(is_granted)
        elif not is_granted:
            lines.unlink()
        elif not self._btcpay_grant_discount():
            return
        self.btcpay_is_discount_granted = is_granted

    def _btcpay_grant_discount(self):
        """Add the discount's lines to the order, if it still is what the discount was agreed on.

        :return: Whether they were added.
        :rtype: bool
        """
        self.ensure_one()
        order = self.sale_order_ids
        if (
            len(order) == 1
            and order.state in ('draft', 'sent')
            and not self._btcpay_are_documents_changed()
            and not self._btcpay_get_payment_siblings()._btcpay_get_net_amount()
        ):
            order._btcpay_add_discount(self.btcpay_discount_amount, self)
            # It may come to something else, where taxes are rounded for the whole order, or are
            # less for who pays early; what has no taxes changes by no more than it is told.
            line = self.btcpay_discount_line_ids.sorted(
                lambda line: (bool(line.tax_ids), line.price_total)
            )[:1]
            for _try in range(10):
                beyond = self.currency_id.round(order.amount_total - self.amount)
                if not beyond:
                    return True
                line.price_unit -= beyond
            self.btcpay_discount_line_ids.unlink()
        if self.state == 'done':
            self._btcpay_flag_for_review(_(
                "%(reference)s was paid with a discount of %(discount)s, which is not on"
                " %(documents)s: it was confirmed, paid or changed before the payment was seen."
                " Grant the discount there, or ask the customer for the difference.",
                reference=self.reference, documents=", ".join(order.mapped('name')),
                discount=self.currency_id.format(self.btcpay_discount_amount),
            ), 'method_discount')
        return False
