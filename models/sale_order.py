from odoo import api, fields, models
from odoo.fields import Domain


class SaleOrder(models.Model):
    _inherit = 'sale.order'

    btcpay_has_transactions = fields.Boolean(
        compute='_compute_btcpay_has_transactions', compute_sudo=True
    )
    # Salespeople cannot read the transactions: only what is said here.
    btcpay_is_paid_not_confirmed = fields.Boolean(
        string="Paid in Bitcoin, Not Confirmed",
        help="Enough was paid to confirm the quotation, but it is not confirmed.",
        compute='_compute_btcpay_is_paid_not_confirmed',
        search='_search_btcpay_is_paid_not_confirmed',
        compute_sudo=True,
    )

    # === COMPUTE METHODS === #

    @api.depends('transaction_ids')
    def _compute_btcpay_has_transactions(self):
        for order in self:
            order.btcpay_has_transactions = bool(order._btcpay_get_transactions())

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

    def _compute_amounts(self):
        """Override of `sale` to withdraw invoices over what the order was before.

        Looked at once all is stored: until then the order may be between two totals.
        """
        super()._compute_amounts()
        precommit = self.env.cr.precommit
        changed_ids = precommit.data.get('payment_btcpay.changed_orders')
        if changed_ids is None:
            changed_ids = precommit.data['payment_btcpay.changed_orders'] = set()
            precommit.add(self.browse()._btcpay_invalidate_changed)
        changed_ids.update(order.id for order in self if isinstance(order.id, int))

    def _btcpay_invalidate_changed(self):
        """Have the invoices withdrawn over what the orders were before.

        :return: None
        """
        changed_ids = self.env.cr.precommit.data.pop('payment_btcpay.changed_orders', ())
        self.browse(changed_ids).sudo().exists()._btcpay_invalidate_obsolete()

    # === CRUD METHODS === #

    def write(self, vals):
        """Override of `sale` to withdraw what is still open when the order is cancelled."""
        result = super().write(vals)
        if vals.get('state') == 'cancel':
            self._btcpay_invalidate_obsolete()
        return result

    def unlink(self):
        """Override of `sale` to withdraw what is still open when the order is deleted."""
        transactions = self._btcpay_get_transactions()
        result = super().unlink()
        transactions._btcpay_invalidate_obsolete()
        return result

    # === ACTION METHODS === #

    def action_btcpay_sync(self):
        """Look at the order's invoices at the server now, because a person wants to know.

        Note: `self.ensure_one()`

        :return: The notification of what was found.
        :rtype: dict
        """
        self.ensure_one()
        self.check_access('read')
        return self._btcpay_get_transactions().action_btcpay_sync()

    # === BUSINESS METHODS === #

    def _get_prepayment_required_amount(self):
        """Override of `sale` to let the customer pay the rest, where a part is booked already.

        The order's page refuses less than what is to be prepaid, paid or not.
        """
        amount = super()._get_prepayment_required_amount()
        if self.env.context.get('btcpay_allow_amount_due') and self._btcpay_is_partly_paid():
            amount = max(self.currency_id.round(amount - self.amount_paid), 0)
        return amount

    def _is_confirmation_amount_reached(self):
        """Override of `sale` to compare what is paid with the whole of what is to be prepaid."""
        order = self.with_context(btcpay_allow_amount_due=False)
        return super(SaleOrder, order)._is_confirmation_amount_reached()

    def _get_default_payment_link_values(self):
        """Override of `sale` to have salespeople make links for the rest, too."""
        order = self.with_context(btcpay_allow_amount_due=True)
        return super(SaleOrder, order)._get_default_payment_link_values()

    def _send_payment_succeeded_for_order_mail(self):
        """Override of `sale` to mail the customer once, where a mail of ours says it better."""
        if not self.env.context.get('btcpay_is_told_to_customer'):
            super()._send_payment_succeeded_for_order_mail()

    def _btcpay_is_partly_paid(self):
        """Return whether a part is paid, and the rest is to be paid in Bitcoin as well.

        :rtype: bool
        """
        self.ensure_one()
        return bool(
            self.amount_paid
            and self._btcpay_is_bitcoin_concerned()
            and self.currency_id.compare_amounts(self.amount_paid, self.amount_total) < 0
        )

    def _btcpay_is_all_paid(self):
        """Return whether nothing is left to be paid, and a link for Bitcoin is of no use any more.

        :rtype: bool
        """
        self.ensure_one()
        return self._btcpay_is_bitcoin_concerned() and self._btcpay_get_amount_due() <= 0

    def _btcpay_is_bitcoin_concerned(self):
        """Return whether the order was paid in Bitcoin, or is requested to be.

        :rtype: bool
        """
        return bool(
            self.env.context.get('btcpay_only')
            or 'done' in self._btcpay_get_transactions().mapped('state')
        )

    def _btcpay_get_amount_due(self):
        """Return what is still to be paid: by transactions, or by its invoices in any other way.

        :rtype: float
        """
        self.ensure_one()
        # The payments of transactions are among those of the invoices.
        paid = max(self.amount_paid, self._btcpay_get_paid_by_invoices())
        return max(self.currency_id.round(self.amount_total - paid), 0)

    def _btcpay_get_paid_by_invoices(self):
        """Return what is paid of the order's invoices, less what was credited.

        :rtype: float
        """
        self.ensure_one()
        moves = self.sudo().invoice_ids.filtered(lambda move: (
            move.state == 'posted' and move.currency_id == self.currency_id
            and move.line_ids.sale_line_ids.order_id == self  # Others' shares are not told apart.
        ))
        return sum(
            move.direction_sign * (move.amount_residual - move.amount_total) for move in moves
        )

    def _btcpay_get_transactions(self):
        """Return the Bitcoin transactions of the orders.

        :return: The transactions, in sudo mode.
        :rtype: payment.transaction
        """
        return self.sudo().transaction_ids.filtered(lambda tx: tx.provider_code == 'btcpay')

    def _btcpay_invalidate_obsolete(self):
        """Have the open invoices of the orders withdrawn that are not to be paid any more.

        :return: None
        """
        self._btcpay_get_transactions()._btcpay_invalidate_obsolete()
