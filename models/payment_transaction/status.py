from odoo import _, api, models
from odoo.tools.misc import formatLang

from odoo.addons.payment.logging import get_payment_logger
from odoo.addons.payment_btcpay import const, status_table
from odoo.addons.payment_btcpay.utils import parse_decimal, parse_timestamp

_logger = get_payment_logger(__name__, sensitive_keys=const.SENSITIVE_KEYS)


class PaymentTransaction(models.Model):
    _inherit = 'payment.transaction'

    def _btcpay_apply_status(self, is_new):
        """Apply the row of the status table that the invoice is in.

        A transaction that is further on is left where it is: done ones stay done, and what the
        server says instead is left to a person by the row's method.

        :param bool is_new: Whether the status or the amount received differs from the last look.
        :return: None
        """
        self.ensure_one()
        row = status_table.find_row(
            self.btcpay_status, self.btcpay_additional_status,
            is_short=self.currency_id.compare_amounts(self.btcpay_paid_amount, self.amount) < 0,
        )
        if not row:
            self._btcpay_flag_for_review(_(
                "The BTCPay Server reports the status “%(status)s / %(additional)s” for the payment"
                " %(reference)s, which Odoo does not know. Look at the invoice on the server and"
                " decide what is to be done.",
                status=self.btcpay_status, additional=self.btcpay_additional_status,
                reference=self.reference,
            ))
            return
        self._btcpay_set_state(row.state)
        getattr(self, f'_btcpay_on_{row.then}')(is_new)

    def _btcpay_set_state(self, state):
        """Bring the transaction to a state, unless it is further on.

        :param str|None state: The state; None for none.
        :return: None
        """
        self.ensure_one()
        if not state or self.state == state:
            return
        match state, self.state:
            case 'pending', 'draft':
                self._set_pending()
            case 'done', _any if self._btcpay_get_partial_receipts():
                # Beside its parts the whole would count twice.
                rest = self.currency_id.round(
                    self.amount - sum(self._btcpay_get_partial_receipts().mapped('amount'))
                )
                if rest > 0:
                    self._btcpay_book_received(rest)
            case 'done', _any:
                # The money is there, whatever was thought of the payment before.
                self._set_done(extra_allowed_states=('cancel',))
            case 'cancel', ('draft' | 'pending'):
                self._set_canceled()
            case 'error', ('draft' | 'pending') if (
                self.btcpay_invalidated_at or self.btcpay_pending_action == 'invalidate'
            ):
                self._btcpay_set_invalidated()
            case 'error', ('draft' | 'pending'):
                self._set_error(_(
                    "This payment was declared invalid. Please contact us if you have sent money."
                ))

    # === WHAT ELSE A ROW DOES === #

    def _btcpay_on_new(self, is_new):
        if self.state == 'pending':
            self._btcpay_flag_for_review(_(
                "The payment seen for %s is gone: the customer's wallet replaced or withdrew it"
                " before it was confirmed. Nothing is paid now; the customer can still pay the same"
                " invoice until it expires.", self.reference,
            ))
        self._btcpay_invalidate_obsolete()

    def _btcpay_on_partial(self, is_new):
        if is_new:
            self._btcpay_post_note(_(
                "%(paid)s of %(amount)s was received for %(reference)s; %(missing)s is missing.",
                **self._btcpay_get_sums(),
            ))
            self._btcpay_mail_customer('mail_template_partial_paid')

    def _btcpay_on_processing(self, is_new):
        if is_new:
            self._btcpay_post_note(_(
                "A payment of %(paid)s was seen for %(reference)s and waits for confirmation.",
                **self._btcpay_get_sums(),
            ))

    def _btcpay_on_settled(self, is_new):
        # What comes in after an invoice was settled does not change its status. The server rounds
        # up to the satoshi, which is many units of some currencies: that is no surplus.
        satoshi = sum(float(payment.rate or 0) for payment in self.btcpay_payment_ids) / 10**8
        if self.btcpay_overpaid_amount > satoshi:
            self._btcpay_on_overpaid(is_new)

    def _btcpay_on_overpaid(self, is_new):
        self._btcpay_flag_for_review(_(
            "%(paid)s was received for %(reference)s, %(surplus)s more than the %(amount)s asked"
            " for. Refund the surplus.", **self._btcpay_get_sums(),
        ))

    def _btcpay_on_underpaid(self, is_new):
        if is_new:
            self._btcpay_post_note(_(
                "%(paid)s of %(amount)s was received for %(reference)s. The store's tolerance takes"
                " that as paid; %(missing)s is missing.", **self._btcpay_get_sums(),
            ))

    def _btcpay_on_marked_settled(self, is_new):
        if is_new and self._btcpay_is_paid_in_full():
            self._btcpay_post_note(_(
                "The late payment of %(paid)s for %(reference)s was accepted.",
                **self._btcpay_get_sums(),
            ))
        elif is_new:
            self._btcpay_post_note(_(
                "The payment %(reference)s over %(amount)s was marked as settled at the BTCPay"
                " Server by the merchant. Really received: %(paid)s.", **self._btcpay_get_sums(),
            ))
        if self.btcpay_overpaid_amount:  # Late and over: the status has forgotten it.
            self._btcpay_on_overpaid(is_new)

    def _btcpay_on_expired(self, is_new):
        self._btcpay_report_contradiction()

    def _btcpay_on_expired_partial(self, is_new):
        if self._btcpay_report_contradiction():
            return
        # More may have come late, which the server does not tell apart.
        if self._btcpay_get_partial_receipts() and not self._btcpay_get_unbooked_amount():
            return
        if self._btcpay_is_partial_auto_accepted():
            if self._btcpay_can_accept_partial():
                self._btcpay_book_received()
                self._btcpay_mail_customer('mail_template_partial_accepted')
            elif self._btcpay_is_monitoring_over():
                self._btcpay_flag_unconfirmed_money()
            elif is_new:
                self._btcpay_post_note(_(
                    "%(paid)s of %(amount)s was received for %(reference)s, whose invoice has"
                    " expired. The part is accepted as soon as it is confirmed.",
                    **self._btcpay_get_sums(),
                ))
            return
        self._btcpay_flag_for_review(_(
            "Only %(paid)s of %(amount)s was received for %(reference)s, whose invoice has expired."
            " Accept the part or refund it.", **self._btcpay_get_sums(),
        ))

    def _btcpay_on_paid_late(self, is_new):
        if self._btcpay_report_contradiction():
            return
        if self._btcpay_is_late_auto_accepted():
            if self._btcpay_can_auto_accept_late():
                self.btcpay_pending_action = 'accept_late_unchanged'
                self._btcpay_trigger_pending_actions()
            elif self._btcpay_is_monitoring_over():
                self._btcpay_flag_unconfirmed_money()
            elif is_new:
                self._btcpay_post_note(_(
                    "%(paid)s was received for %(reference)s after the invoice had expired. The"
                    " late payment is accepted as soon as it is confirmed.",
                    **self._btcpay_get_sums(),
                ))
            return
        sums = self._btcpay_get_sums()
        if not self._btcpay_is_paid_in_full():
            self._btcpay_flag_for_review(_(
                "%(paid)s was received for %(reference)s, in part after the invoice over %(amount)s"
                " had expired; %(missing)s is missing. Accept the part or refund it.", **sums,
            ))
        elif self.btcpay_overpaid_amount:
            self._btcpay_flag_for_review(_(
                "%(paid)s was received for %(reference)s after the invoice over %(amount)s had"
                " expired, %(surplus)s more than that. Accept the late payment and refund the"
                " surplus, or refund all of it.", **sums,
            ))
        else:
            self._btcpay_flag_for_review(_(
                "%(paid)s was received for %(reference)s after the invoice over %(amount)s had"
                " expired. Accept the late payment or refund it.", **sums,
            ))

    def _btcpay_on_invalid(self, is_new):
        self._btcpay_report_contradiction()
        if self.btcpay_paid_amount:
            self._btcpay_flag_for_review(_(
                "The payment %(reference)s is invalid at the BTCPay Server, but %(paid)s was"
                " received for it. Look at the invoice on the server: accept the money by marking"
                " it as settled there, or refund it.", **self._btcpay_get_sums(),
            ))

    def _btcpay_report_contradiction(self):
        """Leave it to a person that the server no longer counts as paid what is paid in Odoo.

        :return: Whether it is so.
        :rtype: bool
        """
        if self.state == 'done':
            self._btcpay_flag_for_review(_(
                "The payment %(reference)s over %(amount)s is confirmed in Odoo, but “%(status)s”"
                " at the BTCPay Server by now, with %(paid)s received. Odoo leaves it confirmed:"
                " look at the invoice on the server and decide what becomes of the order.",
                status=self.btcpay_status, **self._btcpay_get_sums(),
            ))
        return self.state == 'done'

    def _btcpay_get_sums(self):
        """Return the amounts for messages, formatted.

        :rtype: dict
        """
        self.ensure_one()

        def shown(amount):
            return formatLang(self.env, amount, currency_obj=self.currency_id)

        return {
            'reference': self.reference,
            'amount': shown(self.amount),
            'paid': shown(self.btcpay_paid_amount),
            'missing': shown(self.btcpay_due_amount),
            'surplus': shown(self.btcpay_overpaid_amount),
        }

    # === PAYMENTS === #

    def _btcpay_store_payments(self, payment_methods):
        """Store what was received, payment by payment; what is known is brought up to date.

        :param list payment_methods: The invoice's payment methods with their payments.
        :return: None
        """
        self.ensure_one()
        known = {(p.method, p.payment_ref): p for p in self.btcpay_payment_ids}
        for method in payment_methods:
            if not isinstance(method, dict) or not isinstance(method.get('payments'), list):
                continue
            rate = parse_decimal(method.get('rate'))
            for payment in method['payments']:
                if not isinstance(payment, dict) or not isinstance(payment.get('id'), str):
                    continue
                value = parse_decimal(payment.get('value'))
                if value is None:
                    continue
                key = (str(method.get('paymentMethodId')), payment['id'])
                status = payment.get('status')
                values = {
                    'crypto_amount': format(value, 'f'),
                    'crypto_currency': str(method.get('currency') or ''),
                    'crypto_fee': format(parse_decimal(payment.get('fee')) or 0, 'f'),
                    'rate': format(rate, 'f') if rate is not None else False,
                    'amount': float(value * (rate or 0)),
                    'status': status if status in ('Processing', 'Settled', 'Invalid') else False,
                    'destination': payment.get('destination'),
                    'received_at': parse_timestamp(payment.get('receivedDate')),
                }
                if key in known:
                    known[key].write(values)
                else:
                    known[key] = self.env['btcpay.payment'].create({
                        'transaction_id': self.id, 'method': key[0], 'payment_ref': key[1], **values
                    })

    @api.depends(
        'provider_code', 'operation', 'state', 'amount', 'source_transaction_id',
        'btcpay_invoice_id', 'btcpay_status', 'btcpay_additional_status', 'btcpay_invalidated_at',
        'btcpay_paid_amount', 'btcpay_paid_out_amount', 'btcpay_payout_ids.state',
        'child_transaction_ids.state', 'child_transaction_ids.amount',
        'btcpay_refund_ids.state',
        'btcpay_refund_ids.amount',
    )
    def _compute_btcpay_status_text(self):
        for tx in self:
            status = tx._btcpay_get_status_text()
            tx.btcpay_status_text = (
                tx._btcpay_add_refund_status(status) if tx.btcpay_paid_amount else status
            )

    def _btcpay_add_refund_status(self, status):
        """Add to where the payment stands what was given back of it.

        :param str status: Where the payment stands.
        :return: The words, for people.
        :rtype: str
        """
        self.ensure_one()
        sums = self._btcpay_get_refund_sums()
        if sums['underway']:
            return _("%s, refund underway", status)
        if not sums['refunded']:
            return status
        if sums['available']:
            return _("%s, partly refunded", status)
        return _("%s, refunded", status)

    def _btcpay_get_status_text(self):
        """Return where the transaction stands, in words a salesperson understands.

        :return: The words; empty for other providers.
        :rtype: str
        """
        self.ensure_one()
        if self.provider_code != 'btcpay':
            return ''
        if self.operation == 'refund':
            return {
                'draft': _("Refund being made"),
                'pending': self._btcpay_format_paid_out(),
                'done': _("Refund paid out"),
                'cancel': _("Refund withdrawn"),
            }.get(self.state, _("Refund failed"))
        if not self.btcpay_invoice_id:
            if self.source_transaction_id:
                return _("Accepted part of a payment")
            return _("Not started") if self.state == 'draft' else _("Failed")
        if self.btcpay_invalidated_at:
            return _("Withdrawn, but paid") if self.btcpay_paid_amount else _("Withdrawn")
        status, additional = self.btcpay_status, self.btcpay_additional_status
        if (status, additional) == ('Settled', 'Marked') and self._btcpay_is_paid_in_full():
            return _("Paid late, accepted")
        if self.state == 'error' and status != 'Invalid':
            return _("Does not agree with the server")
        parts = self._btcpay_get_partial_receipts()
        if status in ('Expired', 'Invalid') and (parts.sale_order_ids or parts.invoice_ids):
            return _("Part accepted")
        return {
            ('New', 'PaidPartial'): _("Partly paid"),
            ('Settled', 'PaidOver'): _("Paid, with a surplus"),
            ('Settled', 'Marked'): _("Marked as paid by the merchant"),
            ('Expired', 'PaidPartial'): _("Expired, partly paid"),
            ('Expired', 'PaidLate'): _("Expired, paid late"),
            ('Invalid', 'Marked'): _("Marked as invalid by the merchant"),
        }.get((status, additional)) or {
            'New': _("Waiting for payment"),
            'Processing': _("Seen, waiting for confirmation"),
            'Settled': _("Paid"),
            'Expired': _("Expired"),
            'Invalid': _("Invalid"),
        }.get(status, status)

    @api.depends('btcpay_invoice_id', 'btcpay_checkout_link')
    def _compute_btcpay_server_link(self):
        for tx in self:
            server_url, found, _path = (tx.btcpay_checkout_link or '').rpartition('/i/')
            tx.btcpay_server_link = (
                f'{server_url}/invoices/{tx.btcpay_invoice_id}' if found else False
            )
