from datetime import timedelta

from odoo import _, fields, models

from odoo.addons.payment_btcpay import const
from odoo.addons.payment_btcpay.utils import (
    BTCPayError,
    end_transaction,
    is_api_id,
    is_web_link,
    lock_row,
    parse_decimal,
)


class PaymentTransaction(models.Model):
    """How a refund comes to its pull payment, once and no more than once."""

    _inherit = 'payment.transaction'

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
        end_transaction(self.env)
        try:
            pull_payment = self._send_api_request('POST', endpoint, json=payload)
        except BTCPayError as error:
            if not error.is_temporary:
                end_transaction(self.env)
                lock_row(self)
                self._set_error(error.args[0])
                end_transaction(self.env)
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
        end_transaction(self.env)
        lock_row(self)
        # A request of before may still be under way.
        limit = fields.Datetime.now() - timedelta(seconds=2 * const.TIMEOUT)
        is_mine = (
            self.state == 'draft'
            and not self.btcpay_pull_payment_id
            and (not self.btcpay_requested_at or self.btcpay_requested_at < limit)
        )
        if is_mine:
            self.btcpay_requested_at = fields.Datetime.now()
        end_transaction(self.env)
        return is_mine

    def _btcpay_fetch_pull_payments(self):
        """Ask the server for the pull payments of the refund's store.

        :rtype: list
        :raise BTCPayError: If the server did not say.
        """
        self.ensure_one()
        endpoint = f'/stores/{self._btcpay_get_store_id()}/pull-payments'
        end_transaction(self.env)
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
        end_transaction(self.env)
        lock_row(self)
        self._btcpay_store_pull_payment(pull_payment)
        end_transaction(self.env)

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
            root._btcpay_close_questions()
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
            self._btcpay_ask_person(_(
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
