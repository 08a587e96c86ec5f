from odoo import _, api, fields, models
from odoo.exceptions import UserError
from odoo.tools import str2bool

from odoo.addons.payment.logging import get_payment_logger
from odoo.addons.payment_btcpay import const
from odoo.addons.payment_btcpay.utils import choose_assignee, get_salesperson

_logger = get_payment_logger(__name__, sensitive_keys=const.SENSITIVE_KEYS)


class AccountMove(models.Model):
    """Customer invoices of which a Bitcoin payment is requested."""

    _name = 'account.move'
    _inherit = ['account.move', 'btcpay.request.mixin']

    _btcpay_request_template = 'payment_btcpay.mail_template_request_invoice'

    btcpay_requested_at = fields.Datetime(
        string="Bitcoin Payment Requested", readonly=True, copy=False
    )
    btcpay_can_request = fields.Boolean(compute='_compute_btcpay_can_request', compute_sudo=True)

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
        return {
            'type': 'ir.actions.client',
            'tag': 'display_notification',
            'params': {
                'type': 'warning' if problems else 'success',
                'sticky': bool(problems),
                'className': 'text-prewrap',  # One a line.
                'message': "\n".join([
                    _(
                        "Requests mailed: %(mailed)s of %(selected)s.",
                        mailed=len(self) - len(problems), selected=len(self),
                    ),
                    *problems,
                ]),
                'next': {'type': 'ir.actions.client', 'tag': 'soft_reload'},
            },
        }

    # === BUSINESS METHODS === #

    def _btcpay_get_amount_due(self):
        """Return what is still to be paid.

        :rtype: float
        """
        self.ensure_one()
        return self.amount_residual if self.move_type == 'out_invoice' else 0

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
        """Mail the customer the link at which he pays what is due with Bitcoin.

        Note: `self.ensure_one()`

        :return: None
        :raise UserError: If it cannot be paid.
        """
        self.ensure_one()
        if problem := self._btcpay_find_request_problem(self.amount_residual):
            raise UserError(problem)
        self._btcpay_send_request(self.amount_residual)

    def _btcpay_send_request(self, amount):
        """Override to remember that it was requested."""
        super()._btcpay_send_request(amount)
        self.sudo().btcpay_requested_at = fields.Datetime.now()  # Salespeople can post, not write.

    @api.model
    def _cron_btcpay_request_due(self):
        """Ask the customers who are to be asked for Bitcoin payments of what is due, once each.

        :return: None
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
        :return: None
        """
        self.ensure_one()
        _logger.warning("No request for the invoice %s: %s", self.name, reason)
        summary = _("Bitcoin payment could not be requested")
        if self.activity_ids.filtered(lambda activity: activity.summary == summary):
            return
        self.activity_schedule(
            'mail.mail_activity_data_todo', summary=summary, note=reason,
            user_id=choose_assignee(get_salesperson(self)).id,
        )
