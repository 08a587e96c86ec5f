from odoo import _, api, fields, models
from odoo.exceptions import UserError
from odoo.tools import format_date

from odoo.addons.payment_btcpay.utils import get_salesperson, make_qr_code, post_template


class BTCPayRequestMixin(models.AbstractModel):
    """What sales orders and invoices have in common when a Bitcoin payment is requested."""

    _name = 'btcpay.request.mixin'
    _inherit = 'btcpay.protected.mixin'
    _description = "Document of Which a Bitcoin Payment Can Be Requested"

    btcpay_requested_at = fields.Datetime(
        string="Bitcoin Payment Requested", readonly=True, copy=False
    )
    btcpay_request_message_id = fields.Many2one(
        string="Request by Mail", comodel_name='mail.message', readonly=True, copy=False,
        groups='base.group_system',
    )
    btcpay_request_text = fields.Char(
        string="Bitcoin Request", compute='_compute_btcpay_request', compute_sudo=True,
        groups='base.group_user',
    )
    btcpay_is_request_failed = fields.Boolean(
        string="Request Could Not Be Mailed", compute='_compute_btcpay_request',
        compute_sudo=True, groups='base.group_user',
    )

    # === COMPUTE METHODS === #

    @api.depends('btcpay_requested_at')
    def _compute_btcpay_request(self):
        for document in self:
            document.btcpay_request_text = False
            document.btcpay_is_request_failed = False
            if document.btcpay_requested_at and document._btcpay_get_amount_due() > 0:
                document._btcpay_tell_request()

    def _btcpay_tell_request(self):
        """Say what was asked for, and whether the mail was sent: it leaves after it was written."""
        self.ensure_one()
        message = self.btcpay_request_message_id
        notifications = message.notification_ids.filtered(
            lambda notification: notification.res_partner_id in message.partner_ids
        )
        failed = notifications.filtered(
            lambda notification: notification.notification_status in ('exception', 'bounce')
        )
        values = {
            'amount': self.currency_id.format(self.btcpay_requested_amount),
            'date': format_date(self.env, fields.Datetime.context_timestamp(
                self, self.btcpay_requested_at
            )),
            'customer': ", ".join((failed.res_partner_id or message.partner_ids).mapped(
                lambda partner: partner.email or partner.display_name
            )),
        }
        if failed:
            self.btcpay_is_request_failed = True
            self.btcpay_request_text = _(
                "The request for a Bitcoin payment of %(amount)s could not be mailed to"
                " %(customer)s: %(reason)s. Correct that and request it again, or pass on the"
                " link.", reason=failed[0].format_failure_reason().rstrip('.'), **values,
            )
        elif any(
            notification.notification_status in ('ready', 'process')
            for notification in notifications
        ):
            self.btcpay_request_text = _(
                "The request for a Bitcoin payment of %(amount)s is being mailed to %(customer)s.",
                **values,
            )
        else:
            self.btcpay_request_text = _(
                "A Bitcoin payment of %(amount)s was requested on %(date)s, by mail to"
                " %(customer)s.", **values,
            )

    # === ACTION METHODS === #

    def action_btcpay_request(self):
        """Open the wizard that asks the customer for a Bitcoin payment.

        :rtype: dict
        """
        self.ensure_one()
        return self.env['btcpay.payment.request']._open(self)

    # === WHETHER IT CAN BE REQUESTED === #

    def _btcpay_get_provider(self):
        """Return the provider with which the document can be paid in Bitcoin.

        :rtype: payment.provider
        """
        self.ensure_one()
        return self.env['payment.provider'].sudo()._btcpay_find_for(self)

    def _btcpay_find_request_obstacle(self, provider=None):
        """Return why the customer cannot be asked for anything.

        :param payment.provider provider: That of the document, where it is known.
        :return: The reason, for the user; empty if there is none.
        :rtype: str
        """
        self.ensure_one()
        if self._btcpay_get_amount_due() <= 0:
            return _("Nothing is due.")
        if provider is None:
            provider = self._btcpay_get_provider()
        if provider:
            return ''
        if connected := self.env['payment.provider'].sudo()._btcpay_find_connected(self):
            return connected[0]._btcpay_explain_unusable(self)
        return _(
            "No BTCPay Server is connected for %s. An administrator can connect one in the"
            " settings of the payment providers.", self.sudo().company_id.name,
        )

    def _btcpay_find_request_problem(self, amount):
        """Return why the customer cannot be asked for an amount.

        :param float amount: The amount.
        :return: The reason, for the user; empty if there is none.
        :rtype: str
        """
        self.ensure_one()
        provider = self._btcpay_get_provider()
        if obstacle := self._btcpay_find_request_obstacle(provider):
            return obstacle
        if self.currency_id.compare_amounts(amount, 0) <= 0:
            return _("Enter an amount of more than zero.")
        due = self._btcpay_get_amount_due()
        if self.currency_id.compare_amounts(amount, due) > 0:
            return _("At most %s is due.", self.currency_id.format(due))
        underway = self._btcpay_get_amount_underway()
        if underway and self.currency_id.compare_amounts(amount + underway, due) > 0:
            return _(
                "%s was already received and is not confirmed yet. Wait until it is, or request"
                " less.", self.currency_id.format(underway),
            )
        if not provider._btcpay_filter_offered(self, amount):
            return _(
                "The payment page would not offer Bitcoin for this: the payment provider"
                " “%s” is limited to other amounts or countries, or its payment method is switched"
                " off. An administrator can change that.", provider.name,
            )
        return ''

    def _btcpay_get_amount_underway(self):
        """Return what was received for the document, by whichever link, and is not confirmed yet.

        :rtype: float
        """
        self.ensure_one()
        return sum(self._btcpay_get_related_transactions().filtered(lambda tx: (
            tx.provider_code == 'btcpay' and tx.state == 'pending'
            and not tx.source_transaction_id and tx.currency_id == self.currency_id
        )).mapped('btcpay_paid_amount'))

    def _btcpay_find_mail_problem(self):
        """Return why the customer cannot be mailed.

        :return: The reason, for the user; empty if there is none.
        :rtype: str
        """
        self.ensure_one()
        if not self.partner_id.email:
            return _(
                "%s has no email address. Add one, or pass on the link.",
                self.partner_id.display_name,
            )
        if not self.env.ref(self._btcpay_request_template, raise_if_not_found=False):
            return _(
                "The mail template by which payments are requested was deleted. Pass on the link,"
                " or have an administrator upgrade this app, which brings it back."
            )
        return ''

    # === ASKING === #

    def _btcpay_make_link(self, amount):
        """Make Odoo's own payment link, restricted to Bitcoin.

        The restriction holds at the server too, see `controllers/payment_request.py`.

        :param float amount: The amount to be paid.
        :rtype: str
        """
        self.ensure_one()
        address, anchor, name = self._btcpay_make_payment_link(amount).partition('#')
        return f'{address}&btcpay=1{anchor}{name}'

    def _btcpay_make_payment_link(self, amount):
        """Make Odoo's own payment link.

        :param float amount: The amount to be paid.
        :rtype: str
        """
        self.ensure_one()
        return self.env['payment.link.wizard'].sudo().new({
            'res_model': self._name,
            'res_id': self.id,
            'amount': amount,
            'amount_max': amount,
            'currency_id': self.currency_id.id,
            'partner_id': self.partner_id.id,
        }).link

    def _btcpay_get_printed_qr_code(self):
        """Return the QR code that is printed on the document: of the link by which all is paid that
        is to be asked for now.

        :return: The `link`, and the address of the `image`; empty if nothing is to be paid, or the
                 provider prints none.
        :rtype: dict[str, str]
        """
        self.ensure_one()
        if not self._btcpay_get_provider().btcpay_print_qr:
            return {}
        amount = self._btcpay_get_amount_asked()
        if self._btcpay_find_request_problem(amount):
            return {}
        link = self._btcpay_make_link(amount)
        return {'link': link, 'image': f'data:image/svg+xml;base64,{make_qr_code(link).decode()}'}

    def _btcpay_get_request_context(self, amount):
        """Return the context in which a request is written and posted.

        :param float amount: The amount to be paid.
        :rtype: dict
        """
        self.ensure_one()
        return {'btcpay_amount': amount, 'btcpay_link': self._btcpay_make_link(amount)}

    def _btcpay_compose_request(self, amount):
        """Open Odoo's composer with the mail that asks the customer for a payment.

        :param float amount: The amount to be paid.
        :rtype: dict
        :raise UserError: If the customer has no email address.
        """
        self.ensure_one()
        if problem := self._btcpay_find_mail_problem():
            raise UserError(problem)
        return {
            'name': _("Request Bitcoin Payment"),
            'type': 'ir.actions.act_window',
            'res_model': 'mail.compose.message',
            'views': [(False, 'form')],
            'target': 'new',
            'context': {
                'default_model': self._name,
                'default_res_ids': self.ids,
                'default_composition_mode': 'comment',
                'default_partner_ids': self.partner_id.ids,  # And not the salesperson.
                'default_template_id': self.env.ref(self._btcpay_request_template).id,
                'default_email_layout_xmlid': 'mail.mail_notification_light',
                'force_email': True,
                'hide_mail_template_management_options': True,
                'mark_so_as_sent': True,  # A quotation's link shows the quotation.
                **self._btcpay_get_request_context(amount),
            },
        }

    def _btcpay_send_request(self, amount):
        """Mail the customer, in their language, the link to pay with Bitcoin.

        :param float amount: The amount to be paid.
        """
        self.ensure_one()
        document = self.with_context(**self._btcpay_get_request_context(amount))
        template = document.env.ref(self._btcpay_request_template).sudo()
        post_template(template, document, document, author=self._btcpay_get_sender())

    def _btcpay_note_request(self, message):
        """Remember that a payment was requested, if that is what a message does.

        Customers post as well, and Odoo has them bring any context.

        Note: `self.ensure_one()`

        :param mail.message message: What was posted on the document.
        """
        amount = self.env.context.get('btcpay_amount')
        if amount and message.partner_ids and self.env.user._is_internal():
            self._btcpay_remember_request(message, amount)

    def _btcpay_remember_request(self, message, amount):
        """Remember that a payment was requested.

        :param mail.message message: The mail that asks for it.
        :param float amount: The amount asked for.
        """
        self.ensure_one()
        self.sudo().write({  # Salespeople can post, not write.
            'btcpay_requested_at': fields.Datetime.now(),
            'btcpay_requested_amount': amount,
            'btcpay_request_message_id': message.id,
        })
        self._message_log(body=_(
            "A Bitcoin payment of %(amount)s was requested of %(customer)s.",
            amount=self.currency_id.format(amount),
            customer=", ".join(message.partner_ids.mapped('display_name')),
        ))

    def _btcpay_get_sender(self):
        """Return who writes to the customer: Odoo itself has no address to be answered at.

        :return: The user; where Odoo does it by itself, the document's salesperson or the company.
        :rtype: res.partner
        """
        self.ensure_one()
        if self.env.user._is_internal() and self.env.uid != self.env.ref('base.user_root').id:
            return self.env.user.partner_id
        document = self.sudo()
        salesperson = get_salesperson(document).partner_id.filtered('email')
        return salesperson or document.company_id.partner_id
