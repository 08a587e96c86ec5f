from odoo import _, models


class AccountMove(models.Model):
    _inherit = 'account.move'

    def _post(self, soft=True):
        """Override of `account` to round to cash nothing that was paid to the cent before: what the
        rounding adds was never asked for, and would stay open."""
        for move in self.filtered('invoice_cash_rounding_id'):
            lines = move.sudo().invoice_line_ids.filtered_domain([('display_type', '=', 'product')])
            if move.move_type != 'out_invoice' or not all(line.sale_line_ids for line in lines):
                continue  # What is credited is rounded as it was invoiced.
            orders = lines.sale_line_ids.order_id
            if orders and all(order._btcpay_is_all_paid() for order in orders):
                move.invoice_cash_rounding_id = False
                move._message_log(body=_(
                    "The total was not rounded to cash: %s was paid to the cent, in Bitcoin.",
                    ", ".join(orders.mapped('name')),
                ))
        return super()._post(soft=soft)
