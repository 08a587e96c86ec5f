from odoo import _, models

from odoo.addons.payment_btcpay import const
from odoo.addons.payment_btcpay.utils import end_transaction, is_api_id, lock_row, parse_decimal


class PaymentTransaction(models.Model):
    _inherit = 'payment.transaction'

    def _btcpay_notice_refund(self, pull_payment_id, timeout=const.TIMEOUT):
        """Find or make the refund of a pull payment that the server tells of.

        It may be one of ours whose answer is still under way, or one that the merchant made at the
        server itself: that one is taken over and followed like ours.

        Note: `self.ensure_one()`; called on the transaction that has the invoice.

        :param str pull_payment_id: The pull payment's id.
        :param int timeout: The number of seconds to wait for the server's answer.
        :return: The refund; empty if there is nothing to be followed.
        :rtype: payment.transaction
        :raise BTCPayError: If the server did not say.
        """
        self.ensure_one()
        root = self._btcpay_as_odoo()
        refund = root._btcpay_find_refund(pull_payment_id)
        if refund or not is_api_id(pull_payment_id):
            return refund
        end_transaction(root.env)
        pull_payment = root._send_api_request(
            'GET', f'/pull-payments/{pull_payment_id}', btcpay_api_key='', btcpay_timeout=timeout
        )
        if not root._btcpay_is_pull_payment(pull_payment) or pull_payment['id'] != pull_payment_id:
            raise root.provider_id._btcpay_make_unexpected_error()
        end_transaction(root.env)
        ours = root._btcpay_get_refunds().filtered(
            lambda tx: tx.state == 'draft' and tx.btcpay_refund_name == pull_payment.get('name')
        )[:1]
        if ours:
            ours._btcpay_keep_pull_payment(pull_payment)
            return ours
        # What was received may not be known yet.
        root._btcpay_synchronize(timeout=timeout)
        root._btcpay_book_receipts()
        end_transaction(root.env)
        lock_row(root)
        root.btcpay_look_count += 1  # As for refunds of our own.
        refund = root._btcpay_find_refund(pull_payment_id)
        if not refund:
            refund = root._btcpay_take_over_refund(pull_payment)
            if refund:
                refund._btcpay_store_pull_payment(pull_payment)
        end_transaction(root.env)
        return refund

    def _btcpay_find_refund(self, pull_payment_id):
        """Find the refund of a pull payment.

        :param str pull_payment_id: The pull payment's id.
        :rtype: payment.transaction
        """
        self.ensure_one()
        return self.search([
            ('provider_id', '=', self.provider_id.id),
            ('btcpay_pull_payment_id', '=', pull_payment_id),
        ], limit=1)

    def _btcpay_take_over_refund(self, pull_payment):
        """Make a refund transaction of a pull payment that was made at the server itself.

        Note: the transaction is locked.

        :param dict pull_payment: The pull payment.
        :return: The refund; empty if more is given back than was received: a person is asked.
        :rtype: payment.transaction
        """
        self.ensure_one()
        amount = self._btcpay_get_pull_payment_value(pull_payment)
        sums = self._btcpay_get_refund_sums()
        if (
            amount is None
            or self.currency_id.compare_amounts(amount, 0) <= 0
            or self.currency_id.compare_amounts(amount, sums['available']) > 0
        ):
            self._btcpay_ask_person(_(
                "A refund of %(amount)s %(currency)s for %(reference)s was made at the BTCPay"
                " Server itself, though only %(available)s can be refunded. Withdraw it there, or"
                " book it by hand: %(link)s",
                amount=pull_payment['amount'], currency=pull_payment['currency'],
                reference=self.reference, available=self.currency_id.format(sums['available']),
                link=pull_payment.get('viewLink') or pull_payment['id'],
            ))
            return self.browse()
        refund = self._btcpay_book_receipt_for_refund(amount)._create_child_transaction(
            amount, is_refund=True,
            btcpay_store_id=self.btcpay_store_id,
            btcpay_refund_server_url=self.provider_id.sudo().btcpay_server_url,
            btcpay_refund_name=pull_payment.get('name'),
            btcpay_refund_variant=(
                'fiat' if pull_payment['currency'] == self.currency_id.name else 'rate_then'
            ),
        )
        self._btcpay_note(_(
            "A refund of %(amount)s for %(reference)s was made at the BTCPay Server itself. Odoo"
            " follows it.", amount=self.currency_id.format(amount), reference=self.reference,
        ))
        return refund

    def _btcpay_get_pull_payment_value(self, pull_payment):
        """Return what a pull payment is worth at the rate of the payment.

        :param dict pull_payment: The pull payment.
        :return: The amount, in the transaction's currency; None if that is unknown.
        :rtype: float|None
        """
        self.ensure_one()
        amount = parse_decimal(pull_payment['amount'])
        if pull_payment['currency'] == self.currency_id.name:
            return self.currency_id.round(float(amount))
        payments = self.btcpay_payment_ids.filtered(
            lambda payment: payment.crypto_currency == pull_payment['currency'] and payment.rate
        )
        if not payments:
            return None
        return self.currency_id.round(float(amount * parse_decimal(payments[0].rate)))
