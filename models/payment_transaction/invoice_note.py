"""What came in is told on the customer invoices that it pays, as accountants need it."""
from markupsafe import Markup

from odoo import models
from odoo.fields import Command


class PaymentTransaction(models.Model):
    _inherit = 'payment.transaction'

    def _btcpay_note_on_invoices(self):
        """Note on posted customer invoices what came in for them and is confirmed.

        Each payment once on each invoice, whichever was there first. Two that do so at once cannot
        both store that they did.
        """
        for tx in self._btcpay_get_roots():
            tx = tx._btcpay_as_odoo()
            confirmed = tx.btcpay_payment_ids.filtered(lambda it: it.status == 'Settled')
            if not confirmed:
                continue
            for invoice in (tx | tx.child_transaction_ids).invoice_ids._btcpay_filter_payable():
                new = confirmed.filtered(lambda it, move=invoice: move not in it.noted_invoice_ids)
                if invoice.state != 'posted' or not new:
                    continue
                new.noted_invoice_ids = [Command.link(invoice.id)]
                invoice.message_post(
                    body=Markup('<p>%s</p><ul>%s</ul>') % (
                        tx.env._("Bitcoin received for %s:", tx._get_html_link()),
                        Markup().join(
                            Markup('<li>%s</li>') % payment._get_note()
                            for payment in new.sorted('received_at')
                        ),
                    ),
                    author_id=tx.env.user.partner_id.id,
                )
