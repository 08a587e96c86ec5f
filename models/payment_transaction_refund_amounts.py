from decimal import ROUND_DOWN, Decimal

from odoo import _, models
from odoo.exceptions import UserError

from odoo.addons.payment_btcpay.utils import (
    format_amount,
    format_crypto,
    is_api_id,
    parse_decimal,
)

# The server's own variants, for the whole of what was received. They know nothing of what was
# refunded before, but need no rate, where it is not for the rate of now.
WHOLE_VARIANTS = {'fiat': 'Fiat', 'rate_then': 'RateThen', 'current_rate': 'CurrentRate'}
PREVIEW_KEYS = {'rate_then': 'paymentAmountThen', 'current_rate': 'paymentAmountNow'}


class PaymentTransaction(models.Model):
    _inherit = 'payment.transaction'

    def _btcpay_prepare_refund_amount(self, amount, variant, fee_percent):
        """Return how the server is told what is refunded.

        Note: `self.ensure_one()`

        :param float amount: The amount to give back, in the transaction's currency, fee included.
        :param str variant: The variant, see `btcpay_refund_variant`.
        :param str|Decimal|float fee_percent: The fee, in per cent.
        :return: A part of the request, see `/invoices/{invoiceId}/refund` of the Greenfield API.
        :rtype: dict
        :raise BTCPayError: If the server did not say what the amount comes to.
        """
        self.ensure_one()
        if self._btcpay_is_whole_refund(amount):
            what = {'refundVariant': WHOLE_VARIANTS[variant]}
            if fee := parse_decimal(str(fee_percent or 0)):
                what['subtractPercentage'] = format(fee.normalize(), 'f')
            return what
        net_amount = self._btcpay_split_fee(amount, fee_percent)[0]
        if variant == 'fiat':
            custom = format_amount(net_amount, self.currency_id), self.currency_id.name
        else:
            preview = self._btcpay_fetch_refund_preview()
            crypto_amount = self._btcpay_get_crypto_amount(preview, net_amount, variant)
            if not crypto_amount:
                raise UserError(_(
                    "The BTCPay Server does not say what the amount comes to. Choose another"
                    " variant of the refund, or try again later."
                ))
            custom = format_crypto(crypto_amount), preview['paymentCurrency']
        return dict(zip(
            ('refundVariant', 'customAmount', 'customCurrency'), ('Custom', *custom), strict=True
        ))

    def _btcpay_is_whole_refund(self, amount):
        """Return whether an amount is all that was received, and nothing of it was refunded yet.

        :param float amount: The amount, fee included.
        :rtype: bool
        """
        self.ensure_one()
        sums = self._btcpay_get_refund_sums()
        return (
            self.currency_id.compare_amounts(amount, sums['received']) == 0
            and not sums['refunded'] and not sums['underway']
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

    def _btcpay_fetch_refund_preview(self):
        """Ask the server what a refund of all that was received would come to.

        :return: The preview, see `/invoices/{invoiceId}/refund/{paymentMethodId}`; with decimal
                 strings.
        :rtype: dict
        :raise BTCPayError: If the server did not say.
        """
        self.ensure_one()
        # Of the first that was paid by: the server refuses methods that the invoice has not.
        method = self.btcpay_payment_ids[:1].method
        if not method:
            raise self.provider_id._btcpay_make_unexpected_error()
        preview = self._send_api_request(
            'GET',
            f'/stores/{self._btcpay_get_store_id()}/invoices/{self.btcpay_invoice_id}/refund/'
            f'{method}',
        )
        if not isinstance(preview, dict) or not isinstance(preview.get('paymentCurrency'), str):
            raise self.provider_id._btcpay_make_unexpected_error()
        # Exact, but storable.
        return {
            key: str(value) if isinstance(value, Decimal) else value
            for key, value in preview.items()
        }

    def _btcpay_get_crypto_amount(self, preview, amount, variant):
        """Return what an amount comes to in the crypto currency.

        :param dict preview: The preview, see `_btcpay_fetch_refund_preview`.
        :param float amount: The amount, in the transaction's currency.
        :param str variant: `rate_then` or `current_rate`.
        :return: The crypto amount, rounded down, to whole satoshis at least: hardly any wallet can
                 claim less; None if the server does not say, e.g. for want of a rate.
        :rtype: Decimal|None
        """
        self.ensure_one()
        whole = parse_decimal(preview.get(PREVIEW_KEYS[variant]))
        received = Decimal(str(self.btcpay_paid_amount))
        divisibility = preview.get('paymentCurrencyDivisibility')
        if not whole or not received:
            return None
        unit = Decimal(1).scaleb(-min(divisibility if isinstance(divisibility, int) else 8, 8))
        return (whole * Decimal(str(amount)) / received).quantize(unit, rounding=ROUND_DOWN)

    def _btcpay_fetch_payout_methods(self):
        """Ask the server for the methods by which the customer can be paid: those of the invoice.

        :return: The ids of the payout methods, those first that the customer paid by.
        :rtype: list[str]
        :raise BTCPayError: If the server did not say.
        """
        self.ensure_one()
        answer = self._send_api_request(
            'GET',
            f'/stores/{self._btcpay_get_store_id()}/invoices/{self.btcpay_invoice_id}'
            '/payment-methods',
        )
        if not isinstance(answer, list):
            raise self.provider_id._btcpay_make_unexpected_error()
        return self._btcpay_get_payout_methods() + [
            method for method in self._btcpay_to_payout_methods(
                item.get('paymentMethodId') for item in answer if isinstance(item, dict)
            ) if method not in self._btcpay_get_payout_methods()
        ]

    def _btcpay_get_payout_methods(self):
        """Return the payout methods that are like those the customer paid by.

        :rtype: list[str]
        """
        self.ensure_one()
        return self._btcpay_to_payout_methods(self.btcpay_payment_ids.mapped('method'))

    @staticmethod
    def _btcpay_to_payout_methods(methods):
        """Return payout methods for payment methods: what comes in by LNURL goes out by Lightning.

        :param methods: The ids of the payment methods, whatever came for them.
        :rtype: list[str]
        """
        return list(dict.fromkeys(
            method.replace('-LNURL', '-LN') for method in methods if is_api_id(method)
        ))

    def _btcpay_format_paid_out(self):
        """Return how much of a refund was paid out, for people.

        :return: E.g. `$ 12.00 of $ 50.00 paid out`.
        :rtype: str
        """
        self.ensure_one()
        values = {
            'paid_out': self.currency_id.format(self.btcpay_paid_out_amount),
            'amount': self.currency_id.format(abs(self.amount)),
        }
        if any(payout.state != 'Cancelled' for payout in self.btcpay_payout_ids):
            return _("%(paid_out)s of %(amount)s paid out", **values)
        return _("%(paid_out)s of %(amount)s paid out, not claimed yet", **values)

    def _btcpay_is_refunded_by_lightning(self):
        """Return whether the customer can claim the refund over Lightning.

        :rtype: bool
        """
        self.ensure_one()
        methods = (self.btcpay_refund_request or {}).get('payoutMethods')
        if methods is None:  # Left to the server: what the invoice was paid by.
            methods = self._btcpay_get_root()._btcpay_get_payout_methods()
        return any('-LN' in method for method in methods)
