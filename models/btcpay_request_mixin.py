from odoo import _, models
from odoo.exceptions import UserError


class BTCPayRequestMixin(models.AbstractModel):
    """What sales orders and invoices have in common when a Bitcoin payment is requested."""

    _name = 'btcpay.request.mixin'
    _description = "Document of Which a Bitcoin Payment Can Be Requested"

    def action_btcpay_request(self):
        """Open the wizard that asks the customer for a Bitcoin payment.

        Note: `self.ensure_one()`

        :return: The action.
        :rtype: dict
        """
        self.ensure_one()
        return self.env['btcpay.payment.request']._open(self)

    def _btcpay_get_provider(self):
        """Return the provider with which the document can be paid in Bitcoin.

        :rtype: payment.provider
        """
        self.ensure_one()
        return self.env['payment.provider'].sudo()._btcpay_find_for(self)

    def _btcpay_make_link(self, amount):
        """Make Odoo's own payment link, restricted to Bitcoin.

        The restriction holds at the server too, see `controllers/portal.py`.

        :param float amount: The amount to be paid.
        :return: The link.
        :rtype: str
        """
        self.ensure_one()
        link = self.env['payment.link.wizard'].sudo().new({
            'res_model': self._name,
            'res_id': self.id,
            'amount': amount,
            'amount_max': amount,
            'currency_id': self.currency_id.id,
            'partner_id': self.partner_id.id,
        }).link
        address, anchor, name = link.partition('#')
        return f'{address}&btcpay=1{anchor}{name}'

    def _btcpay_send_request(self, amount):
        """Mail the customer, in his language, the link at which he pays with Bitcoin.

        Note: `self.ensure_one()`

        :param float amount: The amount to be paid.
        :return: None
        :raise UserError: If the customer has no email address.
        """
        self.ensure_one()
        if not self.partner_id.email:
            raise UserError(_(
                "%s has no email address. Add one, or hand on the link.",
                self.partner_id.display_name,
            ))
        template = self.env.ref(self._btcpay_request_template).sudo().with_context(
            btcpay_amount=amount, btcpay_link=self._btcpay_make_link(amount)
        )
        values = {
            field: template._render_field(field, self.ids, compute_lang=True)[self.id]
            for field in ('subject', 'body_html')
        }
        self.message_post(
            subject=values['subject'],
            body=values['body_html'],
            partner_ids=self.partner_id.ids,
            message_type='comment',
            subtype_xmlid='mail.mt_comment',
            email_layout_xmlid='mail.mail_notification_light',
        )
