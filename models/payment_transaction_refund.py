import secrets
from decimal import Decimal

from odoo import _, fields, models
from odoo.exceptions import UserError

from odoo.addons.payment.logging import get_payment_logger
from odoo.addons.payment_btcpay import const
from odoo.addons.payment_btcpay.utils import (
    BTCPayError,
    end_transaction,
    format_amount,
    is_api_id,
    lock_row,
    parse_decimal,
)

_logger = get_payment_logger(__name__, sensitive_keys=const.SENSITIVE_KEYS)


class PaymentTransaction(models.Model):
    _inherit = 'payment.transaction'

    btcpay_pull_payment_id = fields.Char(
        string="Pull Payment", readonly=True, copy=False, index='btree_not_null'
    )
    btcpay_credit_note_id = fields.Many2one(
        string="Credit Note", comodel_name='account.move', readonly=True, copy=False,
        index='btree_not_null',
    )
    btcpay_refund_link = fields.Char(
        string="Claim Page", help="Where the customer claims the refund.", readonly=True, copy=False
    )
    # By which a pull payment is found whose making was never answered.
    btcpay_refund_name = fields.Char(readonly=True, copy=False)
    btcpay_refund_request = fields.Json(readonly=True, copy=False)
    btcpay_refund_variant = fields.Selection(
        string="Refunded As",
        selection=[
            ('fiat', "The amount, at the rate of the day of payout"),
            ('rate_then', "The crypto amount that was paid"),
            ('current_rate', "The crypto amount at the rate of the refund"),
        ],
        readonly=True, copy=False,
    )
    btcpay_refund_fee_amount = fields.Monetary(
        string="Fee Deducted", currency_field='currency_id', readonly=True, copy=False
    )
    btcpay_refund_is_mailed = fields.Boolean(string="Mail the Link", readonly=True, copy=False)
    # The pull payment's own amount, a decimal string in its own currency.
    btcpay_pull_amount = fields.Char(string="To Be Paid Out", readonly=True, copy=False)
    btcpay_pull_currency = fields.Char(readonly=True, copy=False)
    btcpay_pull_is_archived = fields.Boolean(string="Withdrawn", readonly=True, copy=False)
    btcpay_bolt11_days = fields.Integer(
        help="How many days the Lightning invoice of a claim must live.", readonly=True, copy=False
    )
    btcpay_paid_out_amount = fields.Monetary(
        string="Paid Out", currency_field='currency_id', readonly=True, copy=False
    )
    btcpay_payout_ids = fields.One2many(
        string="Payouts", comodel_name='btcpay.payout', inverse_name='transaction_id',
        readonly=True,
    )

    _btcpay_pull_payment_uniq = models.UniqueIndex(
        '(provider_id, btcpay_pull_payment_id) WHERE btcpay_pull_payment_id IS NOT NULL',
        "A pull payment belongs to one refund.",
    )

    # === SUMS === #

    def _btcpay_get_root(self):
        """Return the transaction that has the invoice, for it or for a part of it.

        :rtype: payment.transaction
        """
        self.ensure_one()
        tx = self
        while tx.source_transaction_id:
            tx = tx.source_transaction_id
        return tx

    def _btcpay_get_refunds(self):
        """Return all refunds of the invoice's transaction, of its parts too.

        :rtype: payment.transaction
        """
        self.ensure_one()
        family = self | self.child_transaction_ids
        return (family | family.child_transaction_ids).filtered(
            lambda tx: tx.operation == 'refund'
        )

    def _btcpay_get_receipts(self):
        """Return the transactions by which what was received for the invoice is booked.

        :rtype: payment.transaction
        """
        self.ensure_one()
        return (self | self.child_transaction_ids).filtered(
            lambda tx: tx.operation != 'refund' and tx.state == 'done'
        )

    def _btcpay_get_refund_sums(self):
        """Return what was received, given back and can still be given back.

        Refunds that are underway count: Odoo's own wizard forgets them. So does the fee that was
        deducted from one, since the customer was told that it is settled with that.

        :return: `received`, `refunded`, `underway`, `available` and `surplus`, in the currency.
        :rtype: dict
        """
        self.ensure_one()
        refunds = self._btcpay_get_refunds()

        def add_up(states):
            return sum(
                refund.btcpay_refund_fee_amount - refund.amount
                for refund in refunds if refund.state in states
            )

        refunded, underway = add_up(('done',)), add_up(('draft', 'pending', 'authorized'))
        received = self.btcpay_paid_amount
        available = max(self.currency_id.round(received - refunded - underway), 0)
        return {
            'received': received,
            'refunded': refunded,
            'underway': underway,
            'available': available,
            'surplus': min(self.btcpay_surplus_amount, available),
        }

    # === MAKING === #

    def _btcpay_request_refund(
        self, amount, variant='fiat', fee_percent='0', methods=None, description='',
        mail_customer=True, credit_note=None,
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
        :return: The refund transaction, pending; draft if the server did not answer.
        :rtype: payment.transaction
        :raise UserError: If the refund is refused, by Odoo or by the server.
        """
        root = self._btcpay_get_root()
        root._btcpay_look_before_decision()
        crypto = root._btcpay_get_refund_crypto(amount, variant)
        end_transaction(self.env)
        lock_row(root)
        root._btcpay_check_refund(amount)
        net_amount, fee_amount = root._btcpay_split_fee(amount, fee_percent)
        source = root._btcpay_book_receipts_for_refund(amount)
        refund = source._create_child_transaction(
            net_amount, is_refund=True,
            btcpay_store_id=root.btcpay_store_id,
            btcpay_refund_variant=variant,
            btcpay_refund_fee_amount=fee_amount,
            btcpay_refund_is_mailed=mail_customer,
            btcpay_credit_note_id=credit_note and credit_note.id,
        )
        # Other systems may use the same references in the same store.
        refund.btcpay_refund_name = f'Refund {refund.reference} ({secrets.token_hex(4)})'[:50]
        refund.btcpay_refund_request = refund._btcpay_prepare_refund_payload(
            root, amount, crypto, fee_percent, methods, description
        )
        refund._log_sent_message()
        try:
            refund._btcpay_send_refund()
        except BTCPayError as error:
            if not error.is_temporary:
                raise
            refund._btcpay_note(_(
                "The BTCPay Server did not answer whether it made the refund %s. Odoo finds out and"
                " completes it by itself.", refund.reference,
            ))
            end_transaction(self.env)
        return refund

    def _btcpay_check_refund(self, amount):
        """Check that an amount can be given back, whatever Odoo or the server would allow.

        Note: the transaction is locked.

        :param float amount: The amount, fee included.
        :return: None
        :raise UserError: If it cannot.
        """
        self.ensure_one()
        sums = self._btcpay_get_refund_sums()
        if not sums['received']:
            raise UserError(_(
                "Nothing was received for %s at the BTCPay Server, so that there is nothing to"
                " refund. If the invoice was marked as settled, give back what was paid the way it"
                " was paid.", self.reference,
            ))
        is_refundable = self.btcpay_status in ('Settled', 'Invalid') or (
            self.btcpay_status == 'Expired' and self.btcpay_paid_amount
        )
        if not is_refundable:
            raise UserError(_(
                "The payment %s is not confirmed yet. It can be refunded once it is.",
                self.reference,
            ))
        compare = self.currency_id.compare_amounts
        if compare(amount, 0) <= 0 or compare(amount, sums['available']) > 0:
            raise UserError(_(
                "The refund must be more than zero and at most %(available)s: %(received)s was"
                " received, %(refunded)s was refunded and %(underway)s is underway.",
                **{key: self.currency_id.format(value) for key, value in sums.items()},
            ))

    def _btcpay_book_receipts_for_refund(self, amount):
        """Book what is given back though its receipt is not booked: a surplus, or money of a
        payment that failed. Else the books would show money out that never came in.

        Such a receipt has no order: what is given back must not confirm it.

        Note: the transaction is locked.

        :param float amount: The amount to give back.
        :return: The transaction that the refund is made of.
        :rtype: payment.transaction
        """
        self.ensure_one()
        receipts = self._btcpay_get_receipts()
        sums = self._btcpay_get_refund_sums()
        booked = sum(receipts.mapped('amount')) - sums['refunded'] - sums['underway']
        missing = self.currency_id.round(amount - max(booked, 0))
        if missing > 0:
            receipt = self._create_child_transaction(
                missing, provider_reference=self.provider_reference, operation='offline'
            )
            receipt._set_done()
            receipts |= receipt
            self.env.ref('payment.cron_post_process_payment_tx')._trigger()
        return self if self in receipts else receipts.sorted('amount')[-1:]

    def _btcpay_prepare_refund_payload(
        self, root, amount, crypto, fee_percent, methods, description
    ):
        """Prepare the request that makes the pull payment.

        Mostly `Custom`, whose amount is ours to say: the server's own variants know nothing of what
        was refunded before.

        :param payment.transaction root: The transaction that has the invoice.
        :param float amount: The amount to give back, fee included.
        :param dict|None crypto: The variant that fixes the crypto amount, if it is such a one.
        :param str|Decimal fee_percent: The part of it that is kept.
        :param list[str]|None methods: The payout methods.
        :param str description: What the customer reads.
        :return: The payload, see `/invoices/{invoiceId}/refund` of the Greenfield API.
        :rtype: dict
        """
        payload = {
            'name': self.btcpay_refund_name,
            'description': description or _("Refund of %s", root.reference),
            'refundVariant': 'Custom',
            **(crypto or {
                'customAmount': format_amount(amount, root.currency_id),
                'customCurrency': root.currency_id.name,
            }),
        }
        if methods:
            payload['payoutMethods'] = list(methods)
        if fee_percent := Decimal(str(fee_percent or 0)):
            payload['subtractPercentage'] = format(fee_percent.normalize(), 'f')
        return payload

    def _btcpay_send_refund(self):
        """Have the server make the pull payment, unless an earlier call made it.

        Note: `self.ensure_one()`

        :return: None
        :raise BTCPayError: If the server did not answer or refused; refused ones end in error.
        """
        self.ensure_one()
        was_requested = bool(self.btcpay_requested_at)
        root = self._btcpay_get_root()
        self.btcpay_requested_at = fields.Datetime.now()
        end_transaction(self.env)
        try:
            pull_payment = self._btcpay_find_pull_payment() if was_requested else None
            if not pull_payment:
                pull_payment = self._send_api_request(
                    'POST',
                    f'/stores/{root._btcpay_get_store_id()}/invoices/{root.btcpay_invoice_id}'
                    '/refund',
                    json=self.btcpay_refund_request,
                )
        except BTCPayError as error:
            end_transaction(self.env)
            if not error.is_temporary:
                lock_row(self)
                self._set_error(error.args[0])
                end_transaction(self.env)
            raise
        if not self._btcpay_is_pull_payment(pull_payment):
            raise self.provider_id._btcpay_make_unexpected_error()
        end_transaction(self.env)
        lock_row(self)
        self._btcpay_store_pull_payment(pull_payment)
        end_transaction(self.env)

    def _btcpay_find_pull_payment(self):
        """Look for the pull payment of a call that was not answered.

        :return: The pull payment, None if there is none.
        :rtype: dict|None
        :raise BTCPayError: If the server did not say.
        """
        self.ensure_one()
        pull_payments = self._send_api_request(
            'GET', f'/stores/{self._btcpay_get_root()._btcpay_get_store_id()}/pull-payments',
            params={'includeArchived': 'true'},
        )
        if not isinstance(pull_payments, list):
            raise self.provider_id._btcpay_make_unexpected_error()
        return next((
            pull_payment for pull_payment in pull_payments
            if self._btcpay_is_pull_payment(pull_payment)
            and pull_payment.get('name') == self.btcpay_refund_name
        ), None)

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
        days = pull_payment.get('BOLT11Expiration')
        self.write({
            'provider_reference': pull_payment['id'],
            'btcpay_pull_payment_id': pull_payment['id'],
            'btcpay_refund_link': link if isinstance(link, str) else False,
            'btcpay_pull_amount': pull_payment['amount'],
            'btcpay_pull_currency': pull_payment['currency'],
            'btcpay_bolt11_days': days if isinstance(days, int) else 0,
        })
        self._set_pending(extra_allowed_states=('error',))
        if self.btcpay_refund_is_mailed:
            self._btcpay_mail_customer('mail_template_refund')

    def _btcpay_is_pull_payment(self, pull_payment):
        """Return whether an answer is a pull payment with all we need of it.

        :param pull_payment: The answer, of any type.
        :rtype: bool
        """
        return (
            isinstance(pull_payment, dict)
            and is_api_id(pull_payment.get('id'))
            and isinstance(pull_payment.get('currency'), str)
            and (parse_decimal(pull_payment.get('amount')) or 0) > 0
        )
