from decimal import ROUND_DOWN, Decimal

from odoo import _, models
from odoo.exceptions import UserError

from odoo.addons.payment_btcpay.greenfield import (
    Money,
    RefundDraft,
    parse_decimal,
    round_amount,
    to_payout_methods,
)

# The server's own variants, for the whole of what was received. They know nothing of what was
# refunded before, nor of what counts for the order, but need no rate.
WHOLE_VARIANTS = {'fiat': 'Fiat', 'rate_then': 'RateThen'}

# Wallets cannot claim less than a satoshi.
MAX_CRYPTO_DECIMALS = 8


class PaymentTransaction(models.Model):
    """What a refund comes to, and by which methods it is paid out; for the transaction that has the
    invoice."""

    _inherit = 'payment.transaction'

    def _btcpay_draft_refund(self, amount, variant, fee_percent):
        """Return how the server is told what is refunded.

        :param float amount: The amount to give back, in the transaction's currency, fee included.
        :param str variant: What the customer gets, see `btcpay_refund_variant`.
        :param str|Decimal|float fee_percent: The fee, in per cent.
        :rtype: RefundDraft
        :raise GreenfieldError: If the server did not say what the amount comes to.
        :raise UserError: If it cannot say it.
        """
        self.ensure_one()
        if variant in WHOLE_VARIANTS and self._btcpay_is_whole_refund(amount):
            return RefundDraft(
                WHOLE_VARIANTS[variant],
                subtract_percentage=parse_decimal(str(fee_percent or 0)).normalize(),
            )
        net_amount = self._btcpay_split_fee(amount, fee_percent)[0]
        if variant == 'fiat':
            money = self._btcpay_get_money(net_amount)
        else:
            preview = self._btcpay_fetch_refund_preview()
            money = preview and self._btcpay_get_crypto_amount(preview, net_amount, variant)
            if not money:
                raise UserError(_(
                    "The BTCPay Server does not say what the amount comes to. Choose another"
                    " variant of the refund, or try again later."
                ))
        return RefundDraft('Custom', money)

    def _btcpay_is_whole_refund(self, amount):
        """Return whether an amount is all that is in the wallet, and none of it was refunded yet:
        the server's own variants go by that, the network's fee included."""
        self.ensure_one()
        return not self.btcpay_returned_amount and (
            self.currency_id.compare_amounts(amount, self._btcpay_get_gross_amount()) == 0
        )

    def _btcpay_split_fee(self, amount, fee_percent):
        """Divide an amount into what the customer gets and the fee that is kept.

        :param float amount: The amount, in the transaction's currency.
        :param str|Decimal|float fee_percent: The fee, in per cent.
        :return: What the customer gets, and the fee.
        :rtype: tuple[float, float]
        :raise UserError: If the fee is not a part of the amount.
        """
        self.ensure_one()
        fee_percent = parse_decimal(str(fee_percent or 0))
        if fee_percent is None or not 0 <= fee_percent < 100:
            raise UserError(_("The fee must be at least 0 % and less than 100 %."))
        whole = Decimal(str(amount))
        fee_amount = self.currency_id.round(float(whole * fee_percent / 100))
        net_amount = self.currency_id.round(float(whole - Decimal(str(fee_amount))))
        return net_amount, fee_amount

    def _btcpay_get_crypto_amount(self, preview, amount, variant):
        """Return what an amount comes to in the crypto currency.

        :param RefundPreview preview: What the server says of all that was received.
        :param float amount: The amount, in the transaction's currency.
        :param str variant: `rate_then` or `current_rate`.
        :return: The crypto amount, rounded down; None if it is nothing or the server does not say,
                 e.g. for want of a rate.
        :rtype: Money|None
        """
        self.ensure_one()
        whole = {
            'rate_then': preview.payment_amount_then, 'current_rate': preview.payment_amount_now,
        }[variant]
        received = Decimal(str(self._btcpay_get_gross_amount()))
        if not whole or not received:
            return None
        decimals = min(preview.payment_divisibility, MAX_CRYPTO_DECIMALS)
        crypto_amount = round_amount(whole * Decimal(str(amount)) / received, decimals, ROUND_DOWN)
        if not crypto_amount:
            return None
        return Money(crypto_amount.normalize(), preview.payment_currency)

    def _btcpay_fetch_refund_preview(self):
        """Ask the server what a refund of all that was received would come to.

        :rtype: RefundPreview|None
        :raise GreenfieldError: If the server did not say.
        """
        self.ensure_one()
        # Of the first that was paid by: the server refuses methods that the invoice has not.
        method = self.btcpay_payment_ids[:1].method
        if not method:
            return None
        return self._btcpay_client().preview_refund(
            self._btcpay_get_store_id(), self.btcpay_invoice_id, method
        )

    def _btcpay_get_value(self, amount, currency):
        """Return what an amount is worth at the rate of the payment.

        :param Decimal amount: The amount.
        :param str currency: Its currency's code.
        :return: The amount, in the transaction's currency; None if that is unknown.
        :rtype: float|None
        """
        self.ensure_one()
        if currency == self.currency_id._btcpay_get_code():
            return self.currency_id.round(float(amount))
        payment = self.btcpay_payment_ids.filtered(
            lambda payment: payment.crypto_currency == currency and payment.rate
        )[:1]
        if not payment:
            return None
        return self.currency_id.round(float(amount * Decimal(payment.rate)))

    # === PAYOUT METHODS === #

    def _btcpay_fetch_payout_methods(self):
        """Ask the server for the methods by which the customer can be paid: those of the invoice
        that the store has enabled now.

        :return: The ids of the payout methods, those first that the customer paid by; and those
                 that the store has not enabled.
        :rtype: tuple[list[str], list[str]]
        :raise GreenfieldError: If the server did not say.
        """
        self.ensure_one()
        client, store_id = self._btcpay_client(), self._btcpay_get_store_id()
        of_invoice = client.list_invoice_payment_methods(store_id, self.btcpay_invoice_id)
        enabled = {method.id for method in client.list_payment_methods(store_id, only_enabled=True)}
        methods = to_payout_methods(
            self.btcpay_payment_ids.mapped('method') + [method.id for method in of_invoice]
        )
        return (
            [method for method in methods if method in enabled],
            [method for method in methods if method not in enabled],
        )

    def _btcpay_get_payout_methods(self):
        """Return the payout methods that are like those the customer paid by.

        :rtype: list[str]
        """
        self.ensure_one()
        return to_payout_methods(self.btcpay_payment_ids.mapped('method'))

    # === WORDS === #

    def _btcpay_get_refund_text(self):
        """Return what the customer reads on the claim page by default, in the customer's language.

        :rtype: str
        """
        self.ensure_one()
        lang = self.partner_lang or self.partner_id.lang
        return self.with_context(lang=lang).env._("Refund of %s", self.reference)
