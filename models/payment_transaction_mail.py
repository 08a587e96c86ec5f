from odoo import models


class PaymentTransaction(models.Model):
    _inherit = 'payment.transaction'

    def _btcpay_mail_customer(self, template_name):
        """Mail the customer, in his language, on the document of the payment.

        The mail leaves when the database transaction is committed, together with what it is about.

        Note: `self.ensure_one()`

        :param str template_name: The name of the mail template in this module.
        :return: None
        """
        self.ensure_one()
        template = self.env.ref(f'payment_btcpay.{template_name}', raise_if_not_found=False)
        if not template or not self.partner_id.email:
            return
        document = self._btcpay_get_document()
        template = template.sudo()
        values = {
            field: template._render_field(field, self.ids, compute_lang=True)[self.id]
            for field in ('subject', 'body_html')
        }
        document.sudo().message_post(
            subject=values['subject'],
            body=values['body_html'],
            partner_ids=self.partner_id.ids,
            message_type='comment',
            subtype_xmlid='mail.mt_comment',
            email_layout_xmlid='mail.mail_notification_light',
        )

    def _btcpay_get_rest_url(self):
        """Return the link by which the customer pays what is still due of the document.

        :return: The address, Odoo's own payment link for the rest; empty if nothing is due.
        :rtype: str
        """
        self.ensure_one()
        document = self.sale_order_ids[:1] or self.invoice_ids[:1]
        if not document:
            return ''
        document.invalidate_recordset(['amount_paid'])
        rest = (
            document.amount_total - document.amount_paid if document._name == 'sale.order'
            else document.amount_residual
        )
        if document.currency_id.compare_amounts(rest, 0) <= 0:
            return ''
        return self.env['payment.link.wizard'].sudo().new({
            'res_model': document._name,
            'res_id': document.id,
            'amount': rest,
            'amount_max': rest,
            'currency_id': document.currency_id.id,
            'partner_id': document.partner_id.id,
        }).link
