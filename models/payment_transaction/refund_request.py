import secrets
from datetime import timedelta
from decimal import ROUND_DOWN, Decimal

from odoo import _, fields, models
from odoo.exceptions import UserError

from odoo.addons.payment_btcpay import const
from odoo.addons.payment_btcpay.db import commit_and_refresh, lock
from odoo.addons.payment_btcpay.utils import (
    BTCPayError,
    format_amount,
    format_crypto,
    is_api_id,
    is_web_link,
    parse_decimal,
)

# The server's own variants, for the whole of what was received. They know nothing of what was
# refunded before, but need no rate, where it is not for the rate of now.
WHOLE_VARIANTS = {'fiat': 'Fiat', 'rate_then': 'RateThen', 'current_rate': 'CurrentRate'}

PREVIEW_KEYS = {'rate_then': 'paymentAmountThen', 'current_rate': 'paymentAmountNow'}


class PaymentTransaction(models.Model):
    _inherit = 'payment.transaction'

    # === MAKING === #

    def _btcpay_request_refund(
        self, amount, variant='fiat', fee_percent='0', methods=None, description='',
        mail_customer=True, credit_note=None, key=None,
    ):
        """Make a refund: a refund transaction in Odoo and a pull payment at the server.

        The refund transaction is stored before the server is asked, with all it is asked for, so
        that a broken network delays the refund only and never makes it twice.

        Note: `self.ensure_one()`

        :param float amount: The amount to give back, in the transaction's currency, fee included.
        :param str variant: What the customer gets, see `btcpay_refund_variant`.
        :param str|Decimal fee_percent: The part of it that is kept, in per cent.
        :param list[str] methods: The ids of the payout methods the customer can choose from; by
                                  default what fits.
        :param str description: What the customer reads on the claim page.
        :param bool mail_customer: Whether the link is mailed to the customer.
        :param account.move credit_note: The credit note that is paid back by it.
        :param str key: Eight characters of the caller's; it gets one refund by them, however often
                        it asks.
        :return: The refund transaction, pending; draft if the server did not answer.
        :rtype: payment.transaction
        :raise UserError: If the refund is refused, by Odoo or by the server.
        """
        root = self._btcpay_get_root()
        root._btcpay_sync_before_decision()
        if earlier := root._btcpay_settle_unanswered_refunds(
            amount, variant, credit_note
        ) or root._btcpay_find_refund_of(key):
            return earlier
        net_amount, fee_amount = root._btcpay_split_fee(amount, fee_percent)
        what = root._btcpay_prepare_refund_amount(amount, variant, fee_percent)
        root._btcpay_book_receipts()
        commit_and_refresh(self.env)
        lock(root)
        # Who began before this is stored, and gets the lock after, has to begin anew.
        root.btcpay_sync_count += 1
        if credit_note:  # Likewise, where several payments are refunded for it.
            credit_note.sudo().btcpay_requested_at = fields.Datetime.now()
        if earlier := root._btcpay_find_refund_of(key):
            return earlier
        root._btcpay_check_refund(amount, credit_note)
        source = root._btcpay_book_receipt_for_refund(amount)
        refund = source._create_child_transaction(
            net_amount, is_refund=True,
            btcpay_store_id=root._btcpay_get_store_id(),
            btcpay_refund_server_url=self.provider_id.sudo().btcpay_server_url,
            btcpay_refund_variant=variant,
            btcpay_refund_fee_amount=fee_amount,
            btcpay_refund_is_mailed=mail_customer,
            btcpay_credit_note_id=credit_note and credit_note.id,
            btcpay_requested_at=fields.Datetime.now(),
        )
        # Other systems may use the same references in the same store; 50 characters at most.
        name = f'Refund {refund.reference[:32]} ({key or secrets.token_hex(4)})'
        refund.write({
            'btcpay_refund_name': name,
            'btcpay_refund_request': {
                'name': name,
                'description': description or root._btcpay_get_refund_text(),
                **what,
                **({'payoutMethods': list(methods)} if methods else {}),
            },
        })
        refund._log_sent_message()
        commit_and_refresh(self.env)
        try:
            refund._btcpay_send_refund()
        except BTCPayError as error:
            if not error.is_temporary:
                raise
            refund._btcpay_post_note(_(
                "The BTCPay Server did not answer whether it made the refund %s. Odoo finds out and"
                " completes it by itself.", refund.reference,
            ))
            commit_and_refresh(self.env)
        return refund

    def _btcpay_settle_unanswered_refunds(self, amount, variant, credit_note=None):
        """Find out what became of refunds whose making was not answered, before another is made.

        :param float amount: The amount that is to be refunded now, fee included.
        :param str variant: What the customer is to get, see `btcpay_refund_variant`.
        :param account.move credit_note: The credit note that is to be paid back by it.
        :return: The refund that was asked for before and was made; empty if there is none.
        :rtype: payment.transaction
        :raise UserError: If it is not known yet, or if it was another one that was made.
        """
        self.ensure_one()
        for refund in self.btcpay_refund_ids.filtered(lambda tx: tx.state == 'draft'):
            try:
                refund._btcpay_complete_refund()
            except BTCPayError as error:
                if refund.state == 'draft':
                    raise UserError(_(
                        "The BTCPay Server has not answered yet whether it made the refund"
                        " %(reference)s. Odoo finds out by itself; no other refund can be made"
                        " until then. %(reason)s",
                        reference=refund.reference, reason=error.args[0],
                    )) from error
            if refund.state == 'draft':
                raise UserError(_(
                    "The refund %s is just being made. Try again in half a minute.",
                    refund.reference,
                ))
            if refund.state == 'pending':
                before = refund._btcpay_get_given_back()
                if (
                    refund.btcpay_refund_variant == variant
                    and refund.btcpay_credit_note_id.ids == (credit_note.ids if credit_note else [])
                    and self.currency_id.compare_amounts(before, amount) == 0
                ):
                    return refund
                raise UserError(_(
                    "The refund %(reference)s over %(amount)s, of which the BTCPay Server had not"
                    " answered, was made after all. Look at it before you make another one.",
                    reference=refund.reference, amount=self.currency_id.format(before),
                ))
        return self.browse()

    def _btcpay_find_refund_of(self, key):
        """Return the refund that was made by a key: the person may press again, or the browser may
        have to, after the answer to the first time was lost.

        :param str|None key: The key.
        :return: The refund; empty if there is none, or if it was refused.
        :rtype: payment.transaction
        """
        self.ensure_one()
        return self.btcpay_refund_ids.filtered(
            lambda tx: key and tx.state != 'error'
            and (tx.btcpay_refund_name or '').endswith(f'({key})')
        )[:1]

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

    def _btcpay_get_refund_text(self):
        """Return what the customer reads on the claim page by default, in his language.

        Note: `self.ensure_one()`; called on the transaction that has the invoice.

        :rtype: str
        """
        self.ensure_one()
        lang = self.partner_lang or self.partner_id.lang
        return self.with_context(lang=lang).env._("Refund of %s", self.reference)

    def _btcpay_send_refund(self):
        """Have the server make the pull payment of a refund that is stored with its request.

        Note: `self.ensure_one()`

        :return: None
        :raise BTCPayError: If the server did not answer or refused; refused ones end in error.
        """
        self.ensure_one()
        root = self._btcpay_get_root()
        endpoint = f'/stores/{root._btcpay_get_store_id()}/invoices/{root.btcpay_invoice_id}/refund'
        payload = self.btcpay_refund_request
        commit_and_refresh(self.env)
        try:
            pull_payment = self._send_api_request('POST', endpoint, json=payload)
        except BTCPayError as error:
            if not error.is_temporary:
                commit_and_refresh(self.env)
                lock(self)
                self._set_error(error.args[0])
                commit_and_refresh(self.env)
            raise
        if not self._btcpay_is_pull_payment(pull_payment):
            raise self.provider_id._btcpay_make_unexpected_error()
        self._btcpay_keep_pull_payment(pull_payment)

    def _btcpay_complete_refund(self):
        """Go on with a refund whose making was not answered: find what was made, or make it.

        Note: `self.ensure_one()`

        :return: None
        :raise BTCPayError: If the server did not answer again, or refused.
        """
        self.ensure_one()
        if self.state != 'draft' or self.btcpay_pull_payment_id or not self.btcpay_refund_request:
            return
        name = self.btcpay_refund_name
        pull_payment = next((
            pull_payment for pull_payment in self._btcpay_fetch_pull_payments()
            if self._btcpay_is_pull_payment(pull_payment) and pull_payment.get('name') == name
        ), None)
        if pull_payment:
            self._btcpay_keep_pull_payment(pull_payment)
        elif self._btcpay_take_refund_request():
            self._btcpay_send_refund()

    def _btcpay_take_refund_request(self):
        """Make sure that nobody else has the server make the pull payment, now or just before.

        :return: Whether it may be asked to.
        :rtype: bool
        :raise BTCPayError: If somebody else holds the refund.
        """
        self.ensure_one()
        commit_and_refresh(self.env)
        lock(self)
        # A request of before may still be under way.
        limit = fields.Datetime.now() - timedelta(seconds=2 * const.TIMEOUT)
        is_mine = (
            self.state == 'draft'
            and not self.btcpay_pull_payment_id
            and (not self.btcpay_requested_at or self.btcpay_requested_at < limit)
        )
        if is_mine:
            self.btcpay_requested_at = fields.Datetime.now()
        commit_and_refresh(self.env)
        return is_mine

    def _btcpay_fetch_pull_payments(self):
        """Ask the server for the pull payments of the refund's store.

        :rtype: list
        :raise BTCPayError: If the server did not say.
        """
        self.ensure_one()
        endpoint = f'/stores/{self._btcpay_get_store_id()}/pull-payments'
        commit_and_refresh(self.env)
        pull_payments = self._send_api_request(
            'GET', endpoint, params={'includeArchived': 'true'}
        )
        if not isinstance(pull_payments, list):
            raise self.provider_id._btcpay_make_unexpected_error()
        return pull_payments

    def _btcpay_keep_pull_payment(self, pull_payment):
        """Store the pull payment of a refund, in a database transaction of its own.

        :param dict pull_payment: The pull payment.
        :return: None
        """
        self.ensure_one()
        commit_and_refresh(self.env)
        lock(self)
        self._btcpay_store_pull_payment(pull_payment)
        commit_and_refresh(self.env)

    def _btcpay_store_pull_payment(self, pull_payment):
        """Remember the pull payment of a refund, and tell the customer where to claim it.

        Note: the refund is locked.

        :param dict pull_payment: The pull payment.
        :return: None
        """
        self.ensure_one()
        if self.btcpay_pull_payment_id:
            return  # The event was quicker than the answer.
        link = pull_payment.get('viewLink')
        days = parse_decimal(pull_payment.get('BOLT11Expiration'))  # Documented as a string.
        self.write({
            'provider_reference': pull_payment['id'],
            'btcpay_pull_payment_id': pull_payment['id'],
            'btcpay_refund_link': link if is_web_link(link) else False,
            'btcpay_pull_amount': pull_payment['amount'],
            'btcpay_pull_currency': pull_payment['currency'],
            'btcpay_bolt11_days': int(days or 0),
        })
        self._btcpay_adopt_pull_amount()
        self._set_pending(extra_allowed_states=('error',))
        root = self._btcpay_get_root()
        if root._btcpay_is_settled_by_refunds():
            root._btcpay_resolve_review()
        if self.btcpay_refund_is_mailed:
            self._btcpay_mail_customer('mail_template_refund')

    def _btcpay_adopt_pull_amount(self):
        """Go by what the server made of the refund: it rounds fees in its own way.

        :return: None
        """
        self.ensure_one()
        if not self.btcpay_refund_request or self.btcpay_pull_currency != self.currency_id.name:
            return
        compare = self.currency_id.compare_amounts
        whole = self._btcpay_get_given_back()
        made = self.currency_id.round(float(self.btcpay_pull_amount))
        if compare(made, whole) > 0:
            self._btcpay_flag_for_review(_(
                "The BTCPay Server made the refund %(reference)s over %(made)s instead of"
                " %(amount)s. Withdraw it at the server before the customer claims it, and make it"
                " anew.",
                reference=self.reference, made=self.currency_id.format(made),
                amount=self.currency_id.format(-self.amount),
            ))
        elif compare(made, -self.amount) != 0:
            self.write({
                'amount': -made,
                'btcpay_refund_fee_amount': self.currency_id.round(whole - made),
            })

    def _btcpay_is_pull_payment(self, pull_payment):
        """Return whether an answer is a pull payment with all we need of it.

        :param pull_payment: The answer, of any type.
        :rtype: bool
        """
        return (
            isinstance(pull_payment, dict)
            and is_api_id(pull_payment.get('id'))
            and isinstance(pull_payment.get('currency'), str)
            and isinstance(pull_payment.get('amount'), str)
            and (parse_decimal(pull_payment['amount']) or 0) > 0
        )
