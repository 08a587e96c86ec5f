from odoo import _, api, fields, models
from odoo.exceptions import UserError
from odoo.tools import str2bool

from odoo.addons.payment.logging import get_payment_logger
from odoo.addons.payment_btcpay import const
from odoo.addons.payment_btcpay.db import CONCURRENCY_ERRORS
from odoo.addons.payment_btcpay.utils import (
    choose_assignee,
    get_salesperson,
    one_line,
    schedule_activity,
)

_logger = get_payment_logger(__name__, sensitive_keys=const.SENSITIVE_KEYS)


class AccountMove(models.Model):
    """Customer invoices of which a Bitcoin payment is requested."""

    _name = 'account.move'
    _inherit = ['account.move', 'btcpay.request.mixin']

    _btcpay_request_template = 'payment_btcpay.mail_template_request_invoice'

    btcpay_requested_amount = fields.Monetary(
        string="Amount Requested in Bitcoin", readonly=True, copy=False
    )
    btcpay_requested_until = fields.Date(
        string="Bitcoin Payment Requested Until",
        help="The installments that are due until then have been asked for.",
        readonly=True, copy=False,
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

    # === ODOO'S HOOKS === #

    def message_post(self, **kwargs):
        """Override of `mail` to remember that a Bitcoin payment was requested by the message."""
        if self.env.context.get('btcpay_amount'):
            # Odoo would call an invoice a journal entry.
            move = self.with_context(lang=self.partner_id.lang)
            kwargs['model_description'] = move.type_name
        message = super().message_post(**kwargs)
        self._btcpay_note_request(message)
        return message

    # === WHAT IS ASKED FOR === #

    def _btcpay_get_amount_due(self):
        """Return what the customer can still be asked for, an early payment discount deducted.

        :rtype: float
        """
        self.ensure_one()
        if self.move_type != 'out_invoice':
            return 0
        due = self.env['payment.transaction'].sudo()._btcpay_get_amount_due(self.sudo())
        if installments := self._btcpay_get_open_installments():
            due = min(due, sum(amount for _date, amount in installments))
        return max(self.currency_id.round(due), 0)

    def _btcpay_get_amount_asked(self):
        """Return what the customer is to be asked for now: the installments that are due by today,
        else the next one.

        :rtype: float
        """
        self.ensure_one()
        today = fields.Date.context_today(self)
        installments = self._btcpay_get_open_installments()
        asked = [amount for date, amount in installments if date <= today] or [
            amount for _date, amount in installments[:1]
        ]
        return self.currency_id.round(min(self._btcpay_get_amount_due(), sum(asked)))

    def _btcpay_get_open_installments(self):
        """Return what is still to be paid of the invoice, and when, as Odoo's own page has it: but
        that what arrived and is not matched with it yet is for what is due first.

        :return: The day and the amount of each installment, those that are due first before others.
        :rtype: list[tuple[date, float]]
        """
        self.ensure_one()
        move = self.sudo()
        lines = move.line_ids.filtered(lambda line: line.display_type == 'payment_term')
        unmatched = move.amount_residual - move.transaction_ids._btcpay_get_amount_due(move)
        installments = []
        for installment in lines._get_installments_data() if lines else []:
            if not installment['reconciled']:
                amount = installment['amount_residual_currency_unsigned']
                taken = max(min(unmatched, amount), 0)
                unmatched -= taken
                if (left := self.currency_id.round(amount - taken)) > 0:
                    installments.append((installment['date_maturity'], left))
        return installments

    def _btcpay_get_down_payment(self):
        """Return nothing: an invoice knows no down payment of itself.

        :rtype: float
        """
        return 0

    def _btcpay_get_related_transactions(self):
        """Return the transactions of the invoice, and those by the links of its orders.

        :return: The transactions, in sudo mode, of whichever provider.
        :rtype: payment.transaction
        """
        move = self.sudo()
        return move.transaction_ids | move._btcpay_get_orders().transaction_ids

    # === WHAT IS IN THE WAY === #

    def _btcpay_find_request_obstacle(self, provider=None):
        """Override to ask only for what Odoo's page lets the customer pay."""
        self.ensure_one()
        if self.move_type != 'out_invoice' or self.state != 'posted':
            return _("This is not a posted customer invoice.")
        if obstacle := super()._btcpay_find_request_obstacle(provider):
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

    # === ASKING === #

    def _btcpay_remember_request(self, message, amount):
        """Override to remember which installments were asked for."""
        super()._btcpay_remember_request(message, amount)
        until, left = False, amount
        for date, installment in self._btcpay_get_open_installments():
            left = self.currency_id.round(left - installment)
            if until and left < 0:
                break
            until = date
        self.sudo().btcpay_requested_until = until

    def _btcpay_find_asking_problem(self):
        """Return why the customer cannot be mailed a request for what is to be paid now.

        :return: The reason, for the user; empty if there is none.
        :rtype: str
        """
        self.ensure_one()
        return (
            self._btcpay_find_request_problem(self._btcpay_get_amount_asked())
            or self._btcpay_find_mail_problem()
        )

    def _btcpay_ask(self):
        """Mail the customer the link to pay with Bitcoin what is to be paid now.

        :raise UserError: If it cannot be paid, or not be mailed.
        """
        self.ensure_one()
        if problem := self._btcpay_find_asking_problem():
            raise UserError(problem)
        self._btcpay_send_request(self._btcpay_get_amount_asked())

    def action_btcpay_request_many(self):
        """Open the wizard that asks the customers of the selected invoices for Bitcoin payments.

        :rtype: dict
        """
        self.check_access('read')
        return self.env['btcpay.payment.request.many']._open(self)

    @api.model
    def _cron_btcpay_request_due(self):
        """Ask the customers who are to be asked for Bitcoin payments of what is due: each
        installment once. Companies share their customers, but not all of them take Bitcoin."""
        if not self._btcpay_is_online_payment_enabled():
            return  # There is nothing a customer could open.
        today = fields.Date.today()
        connected = self.env['payment.provider']._btcpay_find_all().filtered(
            lambda provider: provider.btcpay_connection_state != 'disconnected'
        )
        due = self.search([
            ('company_id', 'child_of', connected.company_id.ids),
            ('move_type', '=', 'out_invoice'),
            ('state', '=', 'posted'),
            ('payment_state', 'in', ('not_paid', 'in_payment', 'partial')),
            ('partner_id.commercial_partner_id.btcpay_request_due', '=', True),
            '|', ('btcpay_requested_until', '=', False), ('btcpay_requested_until', '<', today),
            ('line_ids', 'any', [
                ('display_type', '=', 'payment_term'), ('reconciled', '=', False),
                ('date_maturity', '<=', today),
            ]),
        ]).filtered(lambda move: move._btcpay_get_amount_due() > 0 and any(
            date <= today and (
                not move.btcpay_requested_until or date > move.btcpay_requested_until
            ) for date, _amount in move._btcpay_get_open_installments()
        ))
        self.env['ir.cron']._commit_progress(remaining=len(due))
        for move in due:
            move = move.with_context(lang=move.company_id.partner_id.lang)
            try:
                move._btcpay_ask()
            except UserError as error:
                self.env.cr.rollback()
                move._btcpay_report_unsent_request(error.args[0])
            except CONCURRENCY_ERRORS:
                self.env.cr.rollback()  # The next run asks.
            except Exception as error:
                self.env.cr.rollback()
                _logger.exception("No request for the invoice %s", move.name)
                move._btcpay_report_unsent_request(move.env._(
                    "The mail could not be made: %s", one_line(error)
                ))
            if not self.env['ir.cron']._commit_progress(1):
                break

    def _btcpay_report_unsent_request(self, reason):
        """Leave it to a person that the customer could not be asked, once; it is tried again daily.

        :param str reason: The reason.
        """
        self.ensure_one()
        _logger.warning("No request for the invoice %s: %s", self.name, reason)
        providers = self.env['payment.provider'].sudo()._btcpay_find_connected(self)
        if providers[:1].btcpay_is_key_refused:
            return  # Those who can authorize again are told, once and not for each invoice.
        summary = _("Bitcoin payment could not be requested")
        if self.activity_ids.filtered(lambda activity: activity.summary == summary):
            return
        schedule_activity(self, summary, reason, choose_assignee(get_salesperson(self), self))
