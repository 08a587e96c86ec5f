"""Orders that are confirmed when their payment is seen, by shops that accept the risk.

Odoo reserves stock for confirmed orders only; a payment that is not confirmed may still vanish.
"""
from odoo import _, fields, models

from odoo.addons.payment_btcpay.utils import schedule_activity


class PaymentTransaction(models.Model):
    _inherit = 'payment.transaction'

    btcpay_is_confirmed_seen = fields.Boolean(
        string="Confirmed When Seen",
        help="The order was confirmed before the payment was settled.", readonly=True, copy=False,
    )
    btcpay_delivery_activity_ids = fields.Many2many(
        string="Delivery Warnings", comodel_name='mail.activity', readonly=True, copy=False,
        relation='btcpay_transaction_delivery_activity_rel', groups='base.group_system',
    )

    def _btcpay_is_confirmed_when_seen(self):
        """Return whether the payment is seen in full, which is enough for the shop."""
        self.ensure_one()
        return (
            self.provider_code == 'btcpay' and self.state == 'pending'
            and self.btcpay_status == 'Processing'
            and self.provider_id.sudo().btcpay_confirm_when == 'seen'
            and self._btcpay_is_paid_in_full()
        )

    def _btcpay_confirm_seen(self):
        """Confirm the quotation that is paid with what was seen, as Odoo does what is settled."""
        self.ensure_one()
        quotation = self._btcpay_get_quotations()
        if len(self.sale_order_ids) != 1 or not quotation:
            return
        if not self._btcpay_is_confirmed_when_seen() or self.currency_id.compare_amounts(
            self.amount + quotation.amount_paid, quotation._get_prepayment_required_amount()
        ) < 0:
            return
        self.btcpay_is_confirmed_seen = True
        self._btcpay_post_note(_(
            "%(order)s was confirmed since its payment %(reference)s was seen. It is not settled"
            " yet: wait with the delivery of what you could not get back.",
            order=quotation.name, reference=self.reference,
        ))
        quotation.with_context(send_email=True).action_confirm()

    def _btcpay_watch_confirmed_seen(self):
        """Warn where the payment vanished for which the order was confirmed, until it is there."""
        self.ensure_one()
        if not self.btcpay_is_confirmed_seen:
            return
        if not self._btcpay_is_confirmed_but_gone():
            self.sudo().btcpay_delivery_activity_ids.filtered('active').action_feedback()
            return
        message = _(
            "%(order)s was confirmed when its payment %(reference)s was seen, but that is gone, or"
            " was never confirmed: the order is not paid. Ship nothing. Ask the customer to pay"
            " again, or cancel the order.",
            order=", ".join(self.sale_order_ids.mapped('name')), reference=self.reference,
        )
        if not self._btcpay_flag_for_review(message, 'seen'):
            return
        for picking in self._btcpay_get_open_deliveries():
            self.sudo().btcpay_delivery_activity_ids += schedule_activity(
                picking, _("Not paid: %s", self.reference), message,
                self._btcpay_get_responsible(self.sale_order_ids[:1]),
            )

    def _btcpay_is_confirmed_but_gone(self):
        """Return whether an order was confirmed for a payment that is not there any more, or not
        all: who takes it back may leave a few satoshis."""
        self.ensure_one()
        is_there = self.state == 'done' or (
            self.state == 'pending' and self._btcpay_is_enough(self._btcpay_get_gross_amount())
        )
        return bool(
            self.btcpay_is_confirmed_seen and not is_there
            and not self._btcpay_are_documents_canceled()
            and self._btcpay_get_amount_due(self.sale_order_ids) > 0
        )

    def _btcpay_get_open_deliveries(self):
        """Return what of the orders is to be delivered still.

        :return: The transfers; none where there is no stock (module `sale_stock`).
        :rtype: stock.picking|list
        """
        self.ensure_one()
        orders = self.sale_order_ids.sudo()
        if 'picking_ids' not in orders._fields:
            return []
        return orders.picking_ids.filtered(lambda picking: picking.state not in ('done', 'cancel'))
