from odoo import _, api, fields, models
from odoo.exceptions import UserError
from odoo.fields import Domain

from odoo.addons.payment_btcpay.utils import notify


class SaleOrder(models.Model):
    """What the salesperson sees of the Bitcoin payments of an order, and does with them."""

    _name = 'sale.order'
    _inherit = ['sale.order', 'btcpay.decision.mixin', 'btcpay.request.mixin']

    _btcpay_link_field = 'sale_order_ids'
    _btcpay_date_field = 'date_order'
    _btcpay_request_template = 'payment_btcpay.mail_template_request_order'

    btcpay_received_amount = fields.Monetary(
        string="Bitcoin Received", compute='_compute_btcpay_summary', compute_sudo=True
    )
    btcpay_is_paid_not_confirmed = fields.Boolean(
        string="Paid in Bitcoin, Not Confirmed",
        help="Enough was paid to confirm the quotation, but it is not confirmed.",
        compute='_compute_btcpay_is_paid_not_confirmed',
        search='_search_btcpay_is_paid_not_confirmed',
        compute_sudo=True,
    )
    btcpay_can_refund = fields.Boolean(
        string="Can Be Refunded in Bitcoin", compute='_compute_btcpay_can_refund',
        compute_sudo=True,
    )
    btcpay_requested_amount = fields.Monetary(
        string="Amount Requested in Bitcoin", readonly=True, copy=False
    )
    btcpay_can_request = fields.Boolean(
        string="Bitcoin Payment Can Be Requested", compute='_compute_btcpay_can_request',
        compute_sudo=True,
    )

    # === COMPUTE METHODS === #

    @api.depends('state', 'transaction_ids.state', 'amount_total', 'require_payment')
    def _compute_btcpay_is_paid_not_confirmed(self):
        for order in self:
            order.btcpay_is_paid_not_confirmed = (
                order.state in ('draft', 'sent')
                and 'done' in order._btcpay_get_transactions().mapped('state')
                and order._is_confirmation_amount_reached()
            )

    def _search_btcpay_is_paid_not_confirmed(self, operator, value):
        if operator != 'in':
            return NotImplemented
        orders = self.sudo().search(Domain('state', 'in', ('draft', 'sent')) & Domain(
            'transaction_ids', 'any', [('provider_code', '=', 'btcpay'), ('state', '=', 'done')]
        ))
        return [('id', 'in', orders.filtered('btcpay_is_paid_not_confirmed').ids)]

    @api.depends('transaction_ids.btcpay_returned_amount', 'transaction_ids.btcpay_sync_count')
    def _compute_btcpay_can_refund(self):
        for order in self:
            order.btcpay_can_refund = any(
                order._btcpay_get_invoice_transactions().mapped('btcpay_can_refund')
            )

    @api.depends('state', 'amount_total', 'transaction_ids.state', 'invoice_ids.amount_residual')
    def _compute_btcpay_can_request(self):
        for order in self:
            order.btcpay_can_request = (
                order.state != 'cancel' and order._btcpay_get_amount_due() > 0
                and bool(order._btcpay_get_provider())
            )

    # === ACTION METHODS === #

    def action_btcpay_refund(self):
        """Open the wizard that refunds the payment of the order.

        :return: The action: of the wizard, or of the payments to choose from.
        :rtype: dict
        :raise UserError: If there is nothing to refund.
        """
        self.ensure_one()
        self.check_access('read')
        refundable = self._btcpay_get_invoice_transactions().filtered('btcpay_can_refund')
        if not refundable:
            raise UserError(_("Nothing of this order's Bitcoin payments can be refunded."))
        if len(refundable) > 1:
            return notify(
                _("Several payments of %s can be refunded. Open the one to refund.", self.name),
                type='info', sticky=True, then=self.action_btcpay_view_transactions(),
            )
        return self.env['btcpay.refund.wizard']._open(refundable.sudo(self.env.su))

    def _create_invoices(self, grouped=False, final=False, date=None):
        """Override of `sale` to have new invoices say what is to be decided of what paid them, and
        to have those of several orders paid by what paid any of these: by the first's only else."""
        moves = super()._create_invoices(grouped=grouped, final=final, date=date)
        if len(self) > 1:
            for move in moves.sudo():
                transactions = move._btcpay_get_orders().transaction_ids - move.transaction_ids
                if missing := transactions.filtered(
                    lambda tx: tx.provider_code == 'btcpay' and tx.state in ('pending', 'done')
                    and not tx.payment_id.is_reconciled
                ):
                    move.transaction_ids += missing
        if any(self.sudo().mapped('btcpay_decision')):
            moves._btcpay_note_decision()
        return moves

    def message_post(self, **kwargs):
        """Override of `mail` to remember that a Bitcoin payment was requested by the message."""
        message = super().message_post(**kwargs)
        self._btcpay_note_request(message)
        return message

    # === PARTIAL PAYMENTS === #

    def _get_prepayment_required_amount(self):
        """Override of `sale` to let the customer pay the amount due of a partly paid order.

        The order's page refuses less than what is to be prepaid, paid or not.
        """
        amount = super()._get_prepayment_required_amount()
        if amount and self._btcpay_is_partly_paid():
            amount = max(self.currency_id.round(amount - self._btcpay_get_paid_amount()), 0)
        return amount

    def _is_confirmation_amount_reached(self):
        """Override of `sale` to compare what is paid with the whole of what is to be prepaid."""
        if not self._btcpay_is_partly_paid():
            return super()._is_confirmation_amount_reached()
        return self._get_prepayment_required_amount() <= 0  # What is still to be prepaid.

    def _has_to_be_paid(self):
        """Override of `sale` to ask for nothing that has arrived, though late."""
        return super()._has_to_be_paid() and not self._btcpay_is_late_in_review()

    def _send_payment_succeeded_for_order_mail(self):
        """Override of `sale` to mail the customer once, where a mail of ours says it better.

        Odoo's mail knows no transaction: only who post-processes one can say so.
        """
        if not self.env.context.get('btcpay_is_told'):
            super()._send_payment_succeeded_for_order_mail()

    def _btcpay_is_partly_paid(self):
        """Return whether a part is paid, and the amount due is to be paid in Bitcoin as well."""
        self.ensure_one()
        return bool(
            self.amount_paid
            and self._btcpay_is_bitcoin_concerned()
            and self.currency_id.compare_amounts(
                self._btcpay_get_paid_amount(), self.amount_total
            ) < 0
        )

    def _btcpay_get_paid_amount(self):
        """Return what is paid of the order and was not given back: `amount_paid` forgets refunds.

        Those of other providers count as ever.

        :rtype: float
        """
        self.ensure_one()
        roots = self._btcpay_get_transactions()._btcpay_get_roots()
        return self.currency_id.round(self.amount_paid - sum(
            tx._btcpay_get_given_back_amount() for tx in roots if tx._btcpay_get_receipts()
        ))

    def _btcpay_is_all_paid(self):
        """Return whether nothing is left to be paid, so that a link for Bitcoin is of no use."""
        self.ensure_one()
        return self._btcpay_is_bitcoin_concerned() and self._btcpay_get_amount_due() <= 0

    def _btcpay_is_bitcoin_concerned(self):
        """Return whether the order was paid in Bitcoin, or is requested to be."""
        return bool(
            self.env.context.get('btcpay_only')
            or 'done' in self._btcpay_get_transactions().mapped('state')
        )

    def _btcpay_get_amount_due(self):
        """Return what the customer can still be asked for.

        :rtype: float
        """
        self.ensure_one()
        due = self.env['payment.transaction'].sudo()._btcpay_get_amount_due(self.sudo())
        # Odoo's page takes nothing more of what was paid in full once, refunded or not.
        is_paid = self.currency_id.compare_amounts(self.amount_paid, self.amount_total) >= 0
        return 0 if is_paid else max(due, 0)

    def _btcpay_get_price(self, moves):
        """Return what the orders cost: their totals, as their invoices round them to cash, without
        what was credited of these and not invoiced anew. A down payment that is credited is to be
        paid with the rest.

        What is invoiced of a line after it was credited is invoiced anew, not the line's rest.

        :param account.move moves: The posted customer invoices and credit notes of these alone.
        :rtype: float
        """
        credited = 0
        for order_lines, lines in moves.sorted('id').invoice_line_ids.filtered(
            lambda line: not line.is_downpayment
        ).grouped('sale_line_ids').items():
            price = sum(get_share(line, line.order_id) for line in order_lines)
            sign = -1 if price < 0 else 1  # Of a discount less is less.
            most = now = 0
            for line in lines:
                share = get_share(line, line.move_id)
                now -= sign * line.move_id.direction_sign * share
                most = max(most, now)
            # What was invoiced beyond the order's price was never to be paid.
            credited += sign * (min(most, sign * price) - min(now, sign * price))
        return sum(self.mapped('amount_total')) - credited + sum(map(get_rounding, moves))

    def _btcpay_get_till_amount(self, moves):
        """Return what of the orders was settled at Odoo's till (module `pos_sale`).

        :param account.move moves: The invoices whose payments are known already.
        :return: The amount, in the orders' currency.
        :rtype: float
        """
        if 'pos_order_line_ids' not in self.order_line._fields:
            return 0
        lines = self.sudo().order_line.pos_order_line_ids.filtered(lambda line: (
            line.order_id.state in ('paid', 'done') and line.order_id.account_move not in moves
        ))
        return sum(order.currency_id._convert(
            sum(of_order.mapped('price_subtotal_incl')), self.currency_id,
            order.company_id, order.date_order,
        ) for order, of_order in lines.grouped('order_id').items())

    def _btcpay_get_uninvoiced_amount(self, invoices):
        """Return what of the orders is not invoiced yet; what was credited is.

        :param account.move invoices: Their posted customer invoices, of which others may have a
                                      part.
        :rtype: float
        """
        lines = invoices.invoice_line_ids.filtered(
            lambda line: line.sale_line_ids.order_id & self and not line.is_downpayment
        )
        return max(sum(self.mapped('amount_total')) - sum(
            get_share(line, line.move_id) for line in lines
        ), 0)

    def _btcpay_get_others(self, orders):
        """Return those of orders that are to be paid besides these, in the same currency.

        :param sale.order orders: The orders.
        :rtype: sale.order
        """
        return (orders - self).filtered(lambda order: (
            order.state != 'cancel' and order.currency_id == self.currency_id
        ))

    def _btcpay_get_amount_asked(self):
        """Return what the customer is to be asked for now: all that is due.

        :rtype: float
        """
        return self._btcpay_get_amount_due()

    def _btcpay_get_related_transactions(self):
        """Return the transactions of the order, and those by the links of its invoices.

        :return: The transactions, in sudo mode, of whichever provider.
        :rtype: payment.transaction
        """
        order = self.sudo()
        return order.transaction_ids | order.invoice_ids.transaction_ids

    def _btcpay_get_down_payment(self):
        """Return what is still to be paid to have the quotation confirmed.

        :return: The down payment as Odoo defines it, without what is paid of it.
        :rtype: float
        """
        self.ensure_one()
        required = self._get_prepayment_required_amount()
        if not self._btcpay_is_partly_paid():
            required -= self._btcpay_get_paid_amount()
        return max(self.currency_id.round(required), 0)

    # === REQUESTS === #

    def _btcpay_find_request_obstacle(self, provider=None):
        """Override to ask for nothing of a canceled order or an expired quotation."""
        self.ensure_one()
        if self.state == 'cancel':
            return _("%s is canceled: nothing is to be paid for it.", self.display_name)
        if self.is_expired:
            return _(
                "The quotation %s has expired. Extend it before you request a payment.",
                self.display_name,
            )
        return super()._btcpay_find_request_obstacle(provider)

    def _btcpay_find_request_problem(self, amount):
        """Override to ask for enough to have the quotation confirmed, and for nothing twice."""
        if problem := super()._btcpay_find_request_problem(amount):
            return problem
        compare = self.currency_id.compare_amounts
        down_payment = self._btcpay_get_down_payment()
        if self.state != 'sale' and compare(amount, down_payment) < 0:
            return _(
                "The quotation is confirmed by a payment of at least %s.",
                self.currency_id.format(down_payment),
            )
        return ''


def get_share(line, document):
    """Return what a line is of its document's total, from which the lines' own may be a cent off.

    :param sale.order.line|account.move.line line: The line.
    :param sale.order|account.move document: Its document.
    :rtype: float
    """
    is_order = document._name == 'sale.order'
    lines = document.order_line if is_order else document.invoice_line_ids
    total = sum(lines.mapped('price_total'))
    amount = document.amount_total
    if not is_order:
        amount += document.direction_sign * get_rounding(document)
    return line.price_total * (amount / total if total else 1)


def get_rounding(move):
    """Return what an invoice is rounded up to cash by; negative where it is less that is paid.

    :param account.move move: The customer invoice or credit note.
    :rtype: float
    """
    lines = move.line_ids.filtered(lambda line: line.display_type == 'rounding')
    return -sum(lines.mapped('amount_currency'))
