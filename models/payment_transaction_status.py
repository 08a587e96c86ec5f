from odoo import _, api, fields, models


class PaymentTransaction(models.Model):
    _inherit = 'payment.transaction'

    btcpay_status_text = fields.Char(
        string="Bitcoin Status", compute='_compute_btcpay_status_text', compute_sudo=True
    )
    btcpay_refunded_amount = fields.Monetary(
        string="Refunded", help="What was paid out of refunds.",
        compute='_compute_btcpay_refunded_amount', compute_sudo=True,
        currency_field='currency_id',
    )
    btcpay_refund_ids = fields.Many2many(
        string="Refunds", comodel_name='payment.transaction',
        compute='_compute_btcpay_refunded_amount', compute_sudo=True,
    )
    btcpay_delivery_ids = fields.One2many(
        string="Deliveries", comodel_name='btcpay.delivery', inverse_name='transaction_id',
        readonly=True, groups='base.group_system',
    )
    btcpay_server_link = fields.Char(
        compute='_compute_btcpay_server_link', compute_sudo=True,
        groups='account.group_account_invoice,base.group_system',
    )
    btcpay_can_refund = fields.Boolean(
        compute='_compute_btcpay_can_refund', compute_sudo=True
    )

    @api.depends(
        'provider_code', 'operation', 'state', 'amount', 'source_transaction_id',
        'btcpay_invoice_id', 'btcpay_status', 'btcpay_additional_status', 'btcpay_withdrawn_at',
        'btcpay_paid_amount', 'btcpay_paid_out_amount', 'btcpay_payout_ids.state',
        'child_transaction_ids.state', 'child_transaction_ids.amount',
        'child_transaction_ids.child_transaction_ids.state',
        'child_transaction_ids.child_transaction_ids.amount',
    )
    def _compute_btcpay_status_text(self):
        for tx in self:
            status = tx._btcpay_get_status_text()
            tx.btcpay_status_text = (
                tx._btcpay_add_refund_status(status) if tx.btcpay_paid_amount else status
            )

    def _btcpay_add_refund_status(self, status):
        """Add to where the payment stands what was given back of it.

        :param str status: Where the payment stands.
        :return: The words, for people.
        :rtype: str
        """
        self.ensure_one()
        sums = self._btcpay_get_refund_sums()
        if sums['underway']:
            return _("%s, refund underway", status)
        if not sums['refunded']:
            return status
        if sums['available']:
            return _("%s, partly refunded", status)
        return _("%s, refunded", status)

    def _btcpay_get_status_text(self):
        """Return where the transaction stands, in words a salesperson understands.

        :return: The words; empty for other providers.
        :rtype: str
        """
        self.ensure_one()
        if self.provider_code != 'btcpay':
            return ''
        if self.operation == 'refund':
            return {
                'draft': _("Refund being made"),
                'pending': self._btcpay_format_paid_out(),
                'done': _("Refund paid out"),
                'cancel': _("Refund withdrawn"),
            }.get(self.state, _("Refund failed"))
        if not self.btcpay_invoice_id:
            if self.source_transaction_id:
                return _("Accepted part of a payment")
            return _("Not started") if self.state == 'draft' else _("Failed")
        if self.btcpay_withdrawn_at:
            return _("Withdrawn, but paid") if self.btcpay_paid_amount else _("Withdrawn")
        status, additional = self.btcpay_status, self.btcpay_additional_status
        if (status, additional) == ('Settled', 'Marked') and self._btcpay_is_paid_in_full():
            return _("Paid late, accepted")
        if self.state == 'error' and status != 'Invalid':
            return _("Does not agree with the server")
        parts = self._btcpay_get_parts()
        if status in ('Expired', 'Invalid') and (parts.sale_order_ids or parts.invoice_ids):
            return _("Part accepted")
        return {
            ('New', 'PaidPartial'): _("Partly paid"),
            ('Settled', 'PaidOver'): _("Paid, with a surplus"),
            ('Settled', 'Marked'): _("Marked as paid by the merchant"),
            ('Expired', 'PaidPartial'): _("Expired, partly paid"),
            ('Expired', 'PaidLate'): _("Expired, paid late"),
            ('Invalid', 'Marked'): _("Marked as invalid by the merchant"),
        }.get((status, additional)) or {
            'New': _("Waiting for payment"),
            'Processing': _("Seen, waiting for confirmation"),
            'Settled': _("Paid"),
            'Expired': _("Expired"),
            'Invalid': _("Invalid"),
        }.get(status, status)

    @api.depends(
        'child_transaction_ids.btcpay_paid_out_amount',
        'child_transaction_ids.child_transaction_ids.btcpay_paid_out_amount',
    )
    def _compute_btcpay_refunded_amount(self):
        for tx in self:
            refunds = tx._btcpay_get_refunds() if tx.provider_code == 'btcpay' else self.browse()
            tx.btcpay_refund_ids = refunds
            tx.btcpay_refunded_amount = sum(refunds.mapped('btcpay_paid_out_amount'))

    @api.depends(
        'btcpay_paid_amount', 'btcpay_status', 'btcpay_payment_ids.status',
        'child_transaction_ids.state', 'child_transaction_ids.amount',
        'child_transaction_ids.child_transaction_ids.state',
        'child_transaction_ids.child_transaction_ids.amount',
    )
    def _compute_btcpay_can_refund(self):
        for tx in self:
            tx.btcpay_can_refund = bool(
                tx.provider_code == 'btcpay'
                and tx.btcpay_invoice_id
                and tx.btcpay_status in ('Settled', 'Invalid', 'Expired')
                and tx._btcpay_is_confirmed()
                and tx._btcpay_get_refund_sums()['available']
            )

    @api.depends('btcpay_invoice_id', 'btcpay_checkout_link')
    def _compute_btcpay_server_link(self):
        for tx in self:
            server_url, found, _path = (tx.btcpay_checkout_link or '').rpartition('/i/')
            tx.btcpay_server_link = (
                f'{server_url}/invoices/{tx.btcpay_invoice_id}' if found else False
            )
