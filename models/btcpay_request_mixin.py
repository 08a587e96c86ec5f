from odoo import _, models
from odoo.exceptions import UserError

from odoo.addons.payment_btcpay.utils import get_salesperson, post_template


class BTCPayRequestMixin(models.AbstractModel):
    """What sales orders and invoices have in common when a Bitcoin payment is requested."""

    _name = 'btcpay.request.mixin'
    _inherit = 'btcpay.protected.mixin'
    _description = "Document of Which a Bitcoin Payment Can Be Requested"

    # === ACTION METHODS === #

    def action_btcpay_request(self):
        """Open the wizard that asks the customer for a Bitcoin payment.

        Note: `self.ensure_one()`

        :return: The action.
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

    def _btcpay_find_request_obstacle(self):
        """Return why the customer cannot be asked for anything.

        :return: The reason, for the user; empty if there is none.
        :rtype: str
        """
        self.ensure_one()
        if self._btcpay_get_amount_due() <= 0:
            return _("Nothing is due.")
        return '' if self._btcpay_get_provider() else self._btcpay_explain_no_provider()

    def _btcpay_find_request_problem(self, amount):
        """Return why the customer cannot be asked for an amount.

        :param float amount: The amount.
        :return: The reason, for the user; empty if there is none.
        :rtype: str
        """
        self.ensure_one()
        if obstacle := self._btcpay_find_request_obstacle():
            return obstacle
        if self.currency_id.compare_amounts(amount, 0) <= 0:
            return _("Enter an amount of more than zero.")
        due = self._btcpay_get_amount_due()
        if self.currency_id.compare_amounts(amount, due) > 0:
            return _("At most %s is due.", self.currency_id.format(due))
        return self._btcpay_find_offer_problem(amount)

    def _btcpay_explain_no_provider(self):
        """Return why there is no provider with which the document can be paid in Bitcoin.

        :return: The reason, for the user.
        :rtype: str
        """
        self.ensure_one()
        providers = self.env['payment.provider'].sudo()
        connected = providers.search([
            ('code', '=', 'btcpay'),
            ('btcpay_connection_state', '!=', 'disconnected'),
            *providers._check_company_domain(self.company_id),
        ])
        if not connected:
            return _(
                "No BTCPay Server is connected for %s. An administrator can connect one in the"
                " settings of the payment providers.", self.sudo().company_id.name,
            )
        enabled = connected.filtered(lambda provider: provider.state != 'disabled')
        if not enabled:
            return _(
                "The payment provider “%s” is disabled. An administrator can enable it in the"
                " settings of the payment providers.", connected[0].name,
            )
        return _(
            "The payment provider “%(provider)s” does not take %(currency)s. An administrator can"
            " change its currencies.", provider=enabled[0].name, currency=self.currency_id.name,
        )

    def _btcpay_find_offer_problem(self, amount):
        """Return why the page behind the link would not offer Bitcoin to the customer.

        :param float amount: The amount.
        :return: The reason, for the user; empty if there is none.
        :rtype: str
        """
        self.ensure_one()
        provider = self._btcpay_get_provider()
        if not provider.is_published:
            return _(
                "The payment provider “%s” is not published, so that customers cannot pay with it."
                " An administrator can publish it.", provider.name,
            )
        values = {'currency_id': self.currency_id.id}
        if self._name == 'sale.order':
            values['sale_order_id'] = self.id
        offered = provider.with_context(btcpay_only=True)._get_compatible_providers(
            self.company_id.id, self.partner_id.id, amount, **values
        ).filtered('is_published')
        if not self.env['payment.method'].sudo()._get_compatible_payment_methods(
            offered.ids, self.partner_id.id, **values
        ):
            return _(
                "The payment page would not offer Bitcoin for this: the payment provider"
                " “%s” is limited to other amounts or countries, or its payment method is switched"
                " off. An administrator can change that.", provider.name,
            )
        return ''

    # === ASKING === #

    def _btcpay_make_link(self, amount):
        """Make Odoo's own payment link, restricted to Bitcoin.

        The restriction holds at the server too, see `controllers/payment_request.py`.

        :param float amount: The amount to be paid.
        :return: The link.
        :rtype: str
        """
        self.ensure_one()
        address, anchor, name = self._btcpay_make_payment_link(amount).partition('#')
        return f'{address}&btcpay=1{anchor}{name}'

    def _btcpay_make_payment_link(self, amount):
        """Make Odoo's own payment link.

        :param float amount: The amount to be paid.
        :return: The link.
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

    def _btcpay_send_request(self, amount):
        """Mail the customer, in their language, the link to pay with Bitcoin.

        Note: `self.ensure_one()`

        :param float amount: The amount to be paid.
        :raise UserError: If the customer has no email address.
        """
        self.ensure_one()
        if not self.partner_id.email:
            raise UserError(_(
                "%s has no email address. Add one, or pass on the link.",
                self.partner_id.display_name,
            ))
        template = self.env.ref(self._btcpay_request_template).sudo().with_context(
            btcpay_amount=amount, btcpay_link=self._btcpay_make_link(amount)
        )
        post_template(template, self, self, author=self._btcpay_get_sender())

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
