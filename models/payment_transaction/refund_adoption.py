from hashlib import sha256

from odoo import _, api, models

from odoo.addons.payment_btcpay import const
from odoo.addons.payment_btcpay.db import commit_and_refresh, lock
from odoo.addons.payment_btcpay.greenfield import is_api_id


class PaymentTransaction(models.Model):
    """Refunds that the merchant made at the server itself: Odoo adopts them and syncs them like its
    own."""

    _inherit = 'payment.transaction'

    def _btcpay_find_or_adopt_refund(self, pull_payment_id, timeout=const.TIMEOUT):
        """Find or make the refund of a pull payment that the server tells of.

        It may be one of ours whose answer is still under way.

        Note: called on the transaction that has the invoice.

        :param str pull_payment_id: The pull payment's id.
        :param int timeout: The number of seconds to wait for the server's answer.
        :return: The refund; empty if there is nothing to be synced any more.
        :rtype: payment.transaction
        :raise GreenfieldError: If the server did not say.
        :raise RowBusy: If somebody else holds the payment, or it cannot be booked now.
        """
        self.ensure_one()
        root = self._btcpay_as_odoo()
        refund = root._btcpay_find_refund(root.provider_id, pull_payment_id)
        if refund or not is_api_id(pull_payment_id):
            return refund
        client = root._btcpay_client_without_key(timeout)
        commit_and_refresh(root.env)
        pull_payment = client.get_pull_payment(pull_payment_id)
        if not pull_payment.amount:
            return refund  # Nothing was received, and nothing is given back.
        is_hidden = pull_payment.is_archived and not (
            client.list_pull_payment_payouts(pull_payment_id).items
        )
        commit_and_refresh(root.env)
        ours = root.btcpay_refund_ids.filtered(
            lambda tx: tx.state == 'draft' and tx.btcpay_refund_name == pull_payment.name
        )[:1]
        if ours:
            ours._btcpay_keep_pull_payment(pull_payment)
            return ours
        # What was received may not be known yet.
        root._btcpay_sync(timeout=timeout)
        root._btcpay_book_receipts()
        commit_and_refresh(root.env)
        lock(root)
        refund = root._btcpay_find_refund(root.provider_id, pull_payment_id)
        if not refund and is_hidden:
            root._btcpay_flag_hidden_refund(pull_payment)
        elif not refund:
            refund = root._btcpay_adopt_refund(pull_payment)
            if refund:
                refund._btcpay_store_pull_payment(pull_payment)
        commit_and_refresh(root.env)
        return refund

    def _btcpay_mark_refund(self, nonce):
        """Return what a refund that Odoo makes is known by, beside the number: of which invoice it
        is. A database that was restored gives the same numbers to others.

        :param str nonce: Four characters that tell it from other refunds of the invoice.
        """
        self.ensure_one()
        return nonce + sha256(f'{nonce} {self.btcpay_invoice_id}'.encode()).hexdigest()[:4]

    @api.model
    def _btcpay_find_by_refund(self, provider, name):
        """Find the transaction of which Odoo has made a refund that it does not know any more.

        :param payment.provider provider: The provider.
        :param str name: The name of the refund.
        :rtype: payment.transaction
        """
        number, _bracket, mark = name.removesuffix(')').rpartition(' (')
        return self.search([
            ('provider_id', '=', provider.id), ('btcpay_invoice_id', '!=', False),
            ('source_transaction_id', '=', False),
            '|', '|', ('reference', '=', number), ('sale_order_ids.name', '=', number),
            ('invoice_ids.name', '=', number),
        ]).filtered(lambda tx: (
            tx._btcpay_mark_refund(mark[:4]) == mark
            and name not in tx.btcpay_refund_ids.mapped('btcpay_refund_name')
        ))[:1] if number else self

    def _btcpay_flag_hidden_refund(self, pull_payment):
        """Ask a person what became of a refund that was archived before Odoo knew of it.

        :param PullPayment pull_payment: The pull payment, of which the server lists no payout.
        """
        self.ensure_one()
        self._btcpay_flag_hidden_claims(
            self._btcpay_format_pull_amount(pull_payment.amount, pull_payment.currency),
            name=pull_payment.name,
        )

    @api.model
    def _btcpay_find_refund(self, provider, pull_payment_id):
        """Find the refund of a pull payment.

        :param payment.provider provider: The provider.
        :param str pull_payment_id: The pull payment's id.
        :rtype: payment.transaction
        """
        return self.search([
            ('provider_id', '=', provider.id),
            ('btcpay_pull_payment_id', '=', pull_payment_id),
        ], limit=1)

    def _btcpay_adopt_refund(self, pull_payment):
        """Make the refund transaction of a pull payment.

        Note: the transaction is locked.

        :param PullPayment pull_payment: The pull payment.
        :return: The refund; empty if more is given back than was received, which is flagged for
                 review.
        :rtype: payment.transaction
        """
        self.ensure_one()
        amount = self._btcpay_get_value(pull_payment.amount, pull_payment.currency)
        # Confirmed or not, since it is done; the server itself gives back the network's fee, too.
        available = self.currency_id.round(
            self._btcpay_get_gross_amount() - self.btcpay_returned_amount
        )
        compare = self.currency_id.compare_amounts
        if amount is None or compare(amount, 0) <= 0 or compare(amount, available) > 0:
            self._btcpay_flag_for_review(_(
                "A refund of %(amount)s %(currency)s for %(reference)s was made at the BTCPay"
                " Server itself, though only %(available)s can be refunded. Cancel it there, or"
                " book it by hand: in the store's “Pull Payments” it is “%(name)s”.",
                amount=format(pull_payment.amount, 'f'), currency=pull_payment.currency,
                reference=self.reference, available=self.currency_id.format(available),
                name=pull_payment.name,
            ))
            return self.browse()
        connection = self._btcpay_find_connection()
        refund = self._btcpay_book_receipt_for_refund(amount)._create_child_transaction(
            amount, is_refund=True,
            btcpay_store_id=self.btcpay_store_id,
            btcpay_refund_server_url=connection and connection.server_url,
            btcpay_refund_name=pull_payment.name,
            btcpay_refund_variant=(
                'fiat' if pull_payment.currency == self.currency_id._btcpay_get_code()
                else 'rate_then'
            ),
        )
        self._btcpay_post_note(_(
            "A refund of %(amount)s for %(reference)s was made at the BTCPay Server itself. Odoo"
            " syncs it like its own.",
            amount=self.currency_id.format(amount), reference=self.reference,
        ))
        return refund
