"""The database is an older state of itself: it was restored from a backup."""
from odoo import SUPERUSER_ID, _, models

from odoo.addons.payment_btcpay import const


class PaymentProvider(models.Model):
    _inherit = 'payment.provider'

    def _btcpay_report_forgotten(self, event):
        """Ask a person, once, where money came in for an invoice that this database has made and
        does not know, as after it was restored from a backup: nobody else is told of it.

        :param WebhookEvent event: The event about an invoice of no transaction.
        """
        self.ensure_one()
        token = event.metadata.get(const.TOKEN_KEY)
        Transaction = self.env['payment.transaction'].sudo()
        # Several providers may have one store, which tells each of them of all.
        if not Transaction._btcpay_is_made_here(token) or Transaction.search_count([
            '|', ('btcpay_invoice_id', '=', event.invoice_id), ('btcpay_invoice_token', '=', token),
        ], limit=1) or self.env['btcpay.delivery'].sudo().search_count([
            ('invoice_ref', '=', event.invoice_id), ('event', '=', event.type),
        ], limit=1):
            return
        provider = self.sudo().with_user(SUPERUSER_ID)._btcpay_in_company_language()
        provider._btcpay_schedule_alert(_(
            "A payment of %(reference)s has arrived, by the invoice %(invoice)s at the BTCPay"
            " Server. Odoo has made that invoice, but does not know of it any more, as after its"
            " database was restored from a backup: nothing was confirmed or booked. Look the"
            " invoice up on the server, then register the payment or refund it there. Compare the"
            " store's other invoices since the backup, too.",
            reference=event.order_id, invoice=event.invoice_id,
        ))
