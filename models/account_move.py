from odoo import _, api, fields, models
from odoo.exceptions import UserError
from odoo.tools import str2bool
from odoo.tools.sql import column_exists, create_column

from odoo.addons.payment.logging import get_payment_logger
from odoo.addons.payment_btcpay import const
from odoo.addons.payment_btcpay.utils import (
    choose_assignee,
    get_salesperson,
    notify,
    schedule_activity,
)

_logger = get_payment_logger(__name__, sensitive_keys=const.SENSITIVE_KEYS)


class AccountMove(models.Model):
    """Customer invoices of which a Bitcoin payment is requested, and credit notes paid back so."""

    _name = 'account.move'
    _inherit = ['account.move', 'btcpay.request.mixin']

    _btcpay_request_template = 'payment_btcpay.mail_template_request_invoice'

    btcpay_requested_at = fields.Datetime(
        string="Bitcoin Payment Requested", readonly=True, copy=False
    )
    btcpay_can_request = fields.Boolean(
        string="Bitcoin Payment Can Be Requested", compute='_compute_btcpay_can_request',
        compute_sudo=True,
    )

    # === COMPUTE METHODS === #

    @api.depends('state', 'move_type', 'amount_residual')
    def _compute_btcpay_can_request(self):
        for move in self:
            move.btcpay_can_request = (
                move.move_type == 'out_invoice'
                and move.state == 'posted'
                and move.amount_residual > 0
                and bool(move._btcpay_get_provider())
            )

    # === ACTION METHODS === #

    def action_btcpay_request_many(self):
        """Ask the customers of the selected invoices for Bitcoin payments, by mail.

        :return: The notification of what was done.
        :rtype: dict
        """
        self.check_access('read')
        problems = []
        for move in self:
            try:
                move._btcpay_send_request_for_amount_due()
            except UserError as error:
                problems.append(f'{move.display_name}: {error.args[0]}')
        summary = _(
            "Requests mailed: %(mailed)s of %(selected)s.",
            mailed=len(self) - len(problems), selected=len(self),
        )
        return notify(
            "\n".join([summary, *problems]), type='warning' if problems else 'success',
            sticky=bool(problems), reload=True,
        )

    # === BUSINESS METHODS === #

    def _btcpay_get_amount_due(self):
        """Return what the customer can still be asked for.

        :rtype: float
        """
        self.ensure_one()
        if self.move_type != 'out_invoice':
            return 0
        return max(self.env['payment.transaction'].sudo()._btcpay_get_amount_due(self.sudo()), 0)

    def _btcpay_get_down_payment(self):
        """Return nothing: an invoice knows no down payment of itself.

        :rtype: float
        """
        return 0

    def _btcpay_find_request_obstacle(self):
        """Override to ask only for what Odoo's page lets the customer pay."""
        self.ensure_one()
        if self.move_type != 'out_invoice' or self.state != 'posted':
            return _("This is not a posted customer invoice.")
        if obstacle := super()._btcpay_find_request_obstacle():
            return obstacle
        if not self._btcpay_is_online_payment_enabled():
            return _(
                "Customers cannot pay invoices online. An administrator can switch on “Invoice"
                " Online Payment” in the settings of Invoicing."
            )
        if not self.sudo()._has_to_be_paid():
            return _("A payment is underway. Wait until it is confirmed or has failed.")
        return ''

    @api.model
    def _btcpay_is_online_payment_enabled(self):
        """Return whether customers can pay their invoices in the portal at all.

        :rtype: bool
        """
        return str2bool(self.env['ir.config_parameter'].sudo().get_param(
            'account_payment.enable_portal_payment'
        ), False)

    def _btcpay_send_request_for_amount_due(self):
        """Mail the customer the link to pay the amount due with Bitcoin.

        Note: `self.ensure_one()`

        :raise UserError: If it cannot be paid.
        """
        self.ensure_one()
        amount = self._btcpay_get_amount_due()
        if problem := self._btcpay_find_request_problem(amount):
            raise UserError(problem)
        self._btcpay_send_request(amount)

    def _btcpay_send_request(self, amount):
        """Override to remember that it was requested."""
        super()._btcpay_send_request(amount)
        self.sudo().btcpay_requested_at = fields.Datetime.now()  # Salespeople can post, not write.

    @api.model
    def _cron_btcpay_request_due(self):
        """Ask the customers who are to be asked for Bitcoin payments of what is due, once each.

        """
        if not self._btcpay_is_online_payment_enabled():
            return  # There is nothing a customer could open.
        due = self.search([
            ('move_type', '=', 'out_invoice'),
            ('state', '=', 'posted'),
            ('payment_state', 'in', ('not_paid', 'partial')),
            ('invoice_date_due', '<=', fields.Date.today()),
            ('partner_id.commercial_partner_id.btcpay_request_due', '=', True),
            ('btcpay_requested_at', '=', False),
        ])
        self.env['ir.cron']._commit_progress(remaining=len(due))
        for move in due:
            move = move.with_context(lang=move.company_id.partner_id.lang)
            try:
                move._btcpay_send_request_for_amount_due()
            except UserError as error:
                self.env.cr.rollback()
                move._btcpay_report_unsent_request(error.args[0])
            except Exception:
                self.env.cr.rollback()
                _logger.exception("No request for the invoice %s", move.name)
            if not self.env['ir.cron']._commit_progress(1):
                break

    def _btcpay_report_unsent_request(self, reason):
        """Leave it to a person that the customer could not be asked, once; it is tried again daily.

        :param str reason: The reason.
        """
        self.ensure_one()
        _logger.warning("No request for the invoice %s: %s", self.name, reason)
        summary = _("Bitcoin payment could not be requested")
        if self.activity_ids.filtered(lambda activity: activity.summary == summary):
            return
        schedule_activity(self, summary, reason, choose_assignee(get_salesperson(self)))

    # === CREDIT NOTES === #

    btcpay_can_refund = fields.Boolean(
        string="Can Be Refunded in Bitcoin", compute='_compute_btcpay_can_refund',
        compute_sudo=True,
    )
    btcpay_refund_ids = fields.One2many(
        string="Refunds in Bitcoin", comodel_name='payment.transaction',
        inverse_name='btcpay_credit_note_id', readonly=True,
    )
    btcpay_refund_count = fields.Integer(
        string="Number of Refunds in Bitcoin", compute='_compute_btcpay_refund_count',
        compute_sudo=True,
    )
    # Stored, as at the payment: several payments may be refunded for one credit note at once.
    btcpay_returned_amount = fields.Monetary(
        string="Refunded in Bitcoin", help="What was given back or is underway, fees included.",
        compute='_compute_btcpay_returned_amount', store=True, currency_field='currency_id',
    )

    def _auto_init(self):
        """Override to add an empty column: there are no refunds yet, but many journal entries."""
        if not column_exists(self.env.cr, self._table, 'btcpay_returned_amount'):
            create_column(self.env.cr, self._table, 'btcpay_returned_amount', 'numeric')
        return super()._auto_init()

    @api.depends(
        'btcpay_refund_ids.state', 'btcpay_refund_ids.amount',
        'btcpay_refund_ids.btcpay_refund_fee_amount',
    )
    def _compute_btcpay_returned_amount(self):
        for move in self:
            move.btcpay_returned_amount = move.btcpay_refund_ids._btcpay_get_returned_amount()

    @api.depends(
        'state', 'move_type', 'amount_residual', 'reversed_entry_id', 'btcpay_returned_amount'
    )
    def _compute_btcpay_can_refund(self):
        for move in self:
            move.btcpay_can_refund = (
                move.move_type == 'out_refund'
                and move.state == 'posted'
                and move._btcpay_get_refund_amount_due() > 0
                and bool(move._btcpay_get_refundable_transactions())
            )

    @api.depends('btcpay_refund_ids')
    def _compute_btcpay_refund_count(self):
        for move in self:
            move.btcpay_refund_count = len(move.btcpay_refund_ids)

    def action_btcpay_view_refunds(self):
        """Open the refunds by which the credit note is paid back.

        Note: `self.ensure_one()`

        :return: The action.
        :rtype: dict
        """
        self.ensure_one()
        self.check_access('read')
        form = self.env.ref('payment_btcpay.btcpay_refund_form')
        action = {
            'name': _("Refunds in Bitcoin"),
            'type': 'ir.actions.act_window',
            'res_model': 'payment.transaction',
            'views': [(False, 'list'), (form.id, 'form')],
            'domain': [('btcpay_credit_note_id', '=', self.id)],
        }
        if len(self.btcpay_refund_ids) == 1:
            action.update(res_id=self.btcpay_refund_ids.id, views=[(form.id, 'form')])
        return action

    def action_btcpay_refund(self):
        """Open the wizard that pays the credit note back in Bitcoin.

        Note: `self.ensure_one()`

        :return: The action of the wizard.
        :rtype: dict
        :raise UserError: If there is nothing to pay it back from.
        """
        self.ensure_one()
        self.check_access('read')
        transaction = self._btcpay_get_refundable_transactions()[:1]
        self._btcpay_check_refund(transaction)
        available = transaction._btcpay_get_refund_sums()['available']
        return self.env['btcpay.refund.wizard']._open(
            transaction.sudo(self.env.su),
            scope='amount',
            amount=min(self._btcpay_get_refund_amount_due(), available),
            credit_note_id=self.id,
        )

    def _btcpay_check_refund(self, transaction, amount=0):
        """Check that the credit note can be paid back by a refund.

        Note: `self.ensure_one()`

        :param payment.transaction transaction: The transaction that is refunded, if there is one.
        :param float amount: The amount, fee included.
        :raise UserError: If it cannot.
        """
        self.ensure_one()
        if self.move_type != 'out_refund' or self.state != 'posted':
            raise UserError(_("This is not a posted credit note."))
        if not transaction or transaction not in self._btcpay_get_refundable_transactions():
            raise UserError(_(
                "No Bitcoin payment of the credited invoice has anything left to refund."
            ))
        due = self._btcpay_get_refund_amount_due()
        if self.currency_id.compare_amounts(amount, due) > 0:
            raise UserError(_(
                "Only %(due)s of the credit note %(credit_note)s is left to be refunded.",
                credit_note=self.display_name, due=self.currency_id.format(due),
            ))

    def _btcpay_get_refundable_transactions(self):
        """Return the Bitcoin transactions of the credited invoice, or of its sales orders.

        :return: The transactions that have something left to refund, in sudo mode.
        :rtype: payment.transaction
        """
        self.ensure_one()
        invoice = self.sudo().reversed_entry_id
        orders = (self.sudo() | invoice).invoice_line_ids.sale_line_ids.order_id
        return (invoice.transaction_ids | orders.transaction_ids).filtered(
            lambda tx: tx.btcpay_can_refund and tx.currency_id == self.currency_id
        )

    def _btcpay_get_refund_amount_due(self):
        """Return what of the credit note is still to be refunded.

        :rtype: float
        """
        self.ensure_one()
        # Those underway are not in the residual amount, nor are those without entries.
        matched = self.sudo().line_ids.matched_debit_ids.debit_move_id.move_id
        unmatched = self.sudo().btcpay_refund_ids.filtered(
            lambda tx: not tx.payment_id.move_id & matched
        )
        due = min(
            self.amount_total - self.btcpay_returned_amount,
            self.amount_residual - unmatched._btcpay_get_returned_amount(),
        )
        return max(self.currency_id.round(due), 0)
