"""What is asked for is what is due now: the page may have been opened long ago, or twice."""
from odoo import _, models


class PaymentTransaction(models.Model):
    _inherit = 'payment.transaction'

    def _btcpay_find_change(self):
        """Return why the customer's page is out of date.

        :return: What changed, for the customer; empty if what is to be paid is what is due.
        :rtype: str
        """
        self.ensure_one()
        documents = self.sale_order_ids or self.invoice_ids
        if not documents or documents.currency_id != self.currency_id:
            return ''
        values = {'documents': ", ".join(documents.mapped('display_name'))}
        if self._btcpay_are_documents_canceled():
            return _("%(documents)s was canceled. Nothing was charged.", **values)
        quotations = self._btcpay_get_quotations()
        if any(quotations.mapped('is_expired')):
            return _(
                "The quotation %(documents)s has expired. Nothing was charged. Please ask us for a"
                " new one.", **values,
            )
        due = self._btcpay_get_amount_due(documents, without=self)
        compare = self.currency_id.compare_amounts
        if compare(due, 0) <= 0:
            return _("%(documents)s is already paid. Nothing was charged.", **values)
        required = sum(order._get_prepayment_required_amount() for order in quotations)
        if compare(self.amount, due) > 0 or compare(self.amount, min(required, due)) < 0:
            return _(
                "%(documents)s has changed since you opened the page: %(due)s is due now, not"
                " %(amount)s. Nothing was charged.",
                due=self.currency_id.format(due), amount=self.currency_id.format(self.amount),
                **values,
            )
        return ''

    def _btcpay_find_seen_payment(self):
        """Return the payment for the same that is on its way, unless the customer pays twice on
        purpose.

        :rtype: payment.transaction
        """
        self.ensure_one()
        if self.btcpay_is_repeated:
            return self.browse()
        return self._btcpay_get_payment_siblings().filtered(
            lambda tx: tx.provider_code == 'btcpay' and tx.state == 'pending'
            and tx._btcpay_has_money() and not tx.source_transaction_id
        ).sorted('id')[-1:]

    def _btcpay_cancel_checkout(self):
        """Cancel a checkout that is out of date, or that would pay a second time.

        :return: Whether it was canceled.
        :rtype: bool
        """
        self.ensure_one()
        if change := self._btcpay_find_change():
            self._set_canceled(change)
            return True
        seen = self._btcpay_find_seen_payment()
        if not seen:
            return False
        values = seen._btcpay_get_sums()
        self.btcpay_seen_transaction_id = seen
        self._set_canceled(_(
            "Your payment of %(paid)s was seen and waits for confirmation. You need not pay again.",
            **values,
        ) if seen.btcpay_status == 'Processing' else _(
            "%(paid)s of %(amount)s has arrived for the payment you began before. Pay the amount"
            " due, %(due)s, there.", **values,
        ))
        return True
