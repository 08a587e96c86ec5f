from odoo import _, api, fields, models
from odoo.exceptions import UserError


class SaleOrder(models.Model):
    """What the salesperson sees of the Bitcoin payments of an order, and does with them."""

    _name = 'sale.order'
    _inherit = ['sale.order', 'btcpay.request.mixin']

    _btcpay_request_template = 'payment_btcpay.mail_template_request_order'

    btcpay_received_amount = fields.Monetary(
        string="Bitcoin Received", compute='_compute_btcpay_summary', compute_sudo=True
    )
    btcpay_status_text = fields.Char(
        string="Bitcoin Status", compute='_compute_btcpay_summary', compute_sudo=True
    )
    btcpay_can_accept_late = fields.Boolean(compute='_compute_btcpay_can', compute_sudo=True)
    btcpay_can_accept_partial = fields.Boolean(compute='_compute_btcpay_can', compute_sudo=True)
    btcpay_can_refund = fields.Boolean(compute='_compute_btcpay_can', compute_sudo=True)
    btcpay_is_overpaid = fields.Boolean(compute='_compute_btcpay_can', compute_sudo=True)
    btcpay_can_request = fields.Boolean(compute='_compute_btcpay_can_request', compute_sudo=True)

    # === COMPUTE METHODS === #

    @api.depends('transaction_ids.btcpay_paid_amount', 'transaction_ids.btcpay_status_text')
    def _compute_btcpay_summary(self):
        for order in self:
            order.btcpay_received_amount = sum(
                tx.currency_id._convert(
                    tx.btcpay_paid_amount, order.currency_id, order.company_id,
                    order.date_order or fields.Date.today(),
                )
                for tx in order._btcpay_get_invoice_transactions()
            )
            order.btcpay_status_text = order._btcpay_get_leading_transaction().btcpay_status_text

    @api.depends(
        'transaction_ids.btcpay_can_accept_late', 'transaction_ids.btcpay_can_accept_partial',
        'transaction_ids.btcpay_can_refund',
    )
    def _compute_btcpay_can(self):
        for order in self:
            transactions = order._btcpay_get_invoice_transactions()
            order.btcpay_can_accept_late = any(transactions.mapped('btcpay_can_accept_late'))
            order.btcpay_can_accept_partial = any(transactions.mapped('btcpay_can_accept_partial'))
            refundable = transactions.filtered('btcpay_can_refund')
            order.btcpay_can_refund = bool(refundable)
            order.btcpay_is_overpaid = any(
                tx._btcpay_get_refund_sums()['overpayment'] for tx in refundable
            )

    @api.depends('state', 'amount_total', 'transaction_ids.state', 'invoice_ids.amount_residual')
    def _compute_btcpay_can_request(self):
        for order in self:
            order.btcpay_can_request = (
                order.state != 'cancel' and order._btcpay_get_amount_due() > 0
                and bool(order._btcpay_get_provider())
            )

    # === ACTION METHODS === #

    def action_btcpay_view_transactions(self):
        """Open the Bitcoin payments of the order.

        :return: The action.
        :rtype: dict
        """
        self.ensure_one()
        self.check_access('read')
        transactions = self._btcpay_get_invoice_transactions()
        action = self.env['ir.actions.act_window']._for_xml_id(
            'payment_btcpay.action_btcpay_order_transactions'
        )
        action['domain'] = [('id', 'in', transactions.ids)]
        if len(transactions) == 1:
            action['res_id'] = transactions.id
            action['views'] = [view for view in action['views'] if view[1] == 'form']
        return action

    def action_btcpay_accept_late(self):
        """Accept the late payment of the order.

        :return: None
        """
        self.ensure_one()
        self.check_access('write')
        for tx in self._btcpay_get_invoice_transactions().filtered('btcpay_can_accept_late'):
            tx.action_btcpay_accept_late()

    def action_btcpay_accept_partial(self):
        """Accept the part that was received, and ask the customer for the rest.

        :return: None
        """
        self.ensure_one()
        self.check_access('write')
        for tx in self._btcpay_get_invoice_transactions().filtered('btcpay_can_accept_partial'):
            tx.action_btcpay_accept_partial()

    def action_btcpay_refund(self):
        """Open the wizard that refunds the payment of the order.

        :return: The action: of the wizard, or of the payments to choose from.
        :rtype: dict
        """
        return self._btcpay_open_refund()

    def action_btcpay_refund_overpayment(self):
        """Open the wizard that refunds what was paid too much.

        :return: The action.
        :rtype: dict
        """
        return self._btcpay_open_refund(scope='overpayment')

    # === BUSINESS METHODS === #

    def _btcpay_open_refund(self, **values):
        """Open the refund wizard for the one payment that can be refunded.

        :param dict values: Other values of the wizard.
        :return: The action.
        :rtype: dict
        :raise UserError: If there is nothing to refund.
        """
        self.ensure_one()
        self.check_access('read')
        refundable = self._btcpay_get_invoice_transactions().filtered('btcpay_can_refund')
        if values.get('scope') == 'overpayment':
            refundable = refundable.filtered(
                lambda tx: tx._btcpay_get_refund_sums()['overpayment']
            )
        if not refundable:
            raise UserError(_("Nothing of this order's Bitcoin payments can be refunded."))
        if len(refundable) > 1:
            return self.action_btcpay_view_transactions()
        return self.env['btcpay.refund.wizard']._open(
            refundable.sudo(self.env.su), **values
        )

    def _btcpay_get_invoice_transactions(self):
        """Return the transactions that have an invoice at the server, newest first.

        :return: The transactions, in sudo mode.
        :rtype: payment.transaction
        """
        return self._btcpay_get_transactions().filtered(
            lambda tx: not tx.source_transaction_id
        ).sorted('id', reverse=True)

    def _btcpay_get_leading_transaction(self):
        """Return the transaction that says how the order stands: one with money, else the newest.

        :rtype: payment.transaction
        """
        transactions = self._btcpay_get_invoice_transactions()
        return (
            transactions.filtered(lambda tx: tx.state == 'done')
            or transactions.filtered('btcpay_paid_amount')
            or transactions
        )[:1]

    def _btcpay_get_down_payment(self):
        """Return what is still to be paid to have the quotation confirmed.

        :return: The down payment as Odoo defines it, without what is paid of it.
        :rtype: float
        """
        self.ensure_one()
        order = self.with_context(btcpay_allow_amount_due=False)
        required = order._get_prepayment_required_amount()
        return max(self.currency_id.round(required - self.amount_paid), 0)

    def _btcpay_find_request_obstacle(self):
        """Override to ask for nothing of a cancelled order or an expired quotation."""
        self.ensure_one()
        if self.state == 'cancel':
            return _("%s is cancelled: nothing is to be paid for it.", self.display_name)
        if self.is_expired:
            return _(
                "The quotation %s has expired. Extend it before you ask for a payment.",
                self.display_name,
            )
        return super()._btcpay_find_request_obstacle()

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
        underway = sum(
            self._btcpay_get_invoice_transactions().filtered(
                lambda tx: tx.state == 'pending' and tx.currency_id == self.currency_id
            ).mapped('btcpay_paid_amount')
        )
        if underway and compare(amount + underway, self._btcpay_get_amount_due()) > 0:
            return _(
                "%s was received already and is not confirmed yet. Wait until it is, or ask for"
                " less.", self.currency_id.format(underway),
            )
        return ''

    def _btcpay_get_refunds_for_customer(self):
        """Return the refunds that the customer sees on the order's page.

        :return: The refunds that he can claim or was paid, in sudo mode.
        :rtype: payment.transaction
        """
        self.ensure_one()
        return self._btcpay_get_invoice_transactions().btcpay_refund_ids.filtered(
            lambda refund: refund.state in ('pending', 'done')
        )
