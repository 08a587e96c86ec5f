from decimal import Decimal

from odoo import _, fields, models

from odoo.addons.payment_btcpay.utils import (
    is_api_id,
    parse_decimal,
    parse_timestamp,
)

PAYOUT_STATES = ('AwaitingApproval', 'AwaitingPayment', 'InProgress', 'Completed', 'Cancelled')
OPEN_STATES = ('AwaitingApproval', 'AwaitingPayment', 'InProgress')
# The least that most wallets can claim.
SATOSHI = Decimal('0.00000001')


class PaymentTransaction(models.Model):
    _inherit = 'payment.transaction'

    # === READING === #

    def _btcpay_read_refund(self, timeout):
        """Ask the server for all that is to be known of the refund. No lock is held.

        :param int timeout: The number of seconds to wait for each of the server's answers.
        :return: The `pull_payment` and its `payouts`; None if there is nothing to look at.
        :rtype: dict|None
        :raise BTCPayError: If the server did not say.
        """
        self.ensure_one()
        if not self.btcpay_pull_payment_id:
            self._btcpay_complete_refund()
        return self._btcpay_fetch_pull_payment(timeout) if self.btcpay_pull_payment_id else None

    def _btcpay_fetch_pull_payment(self, timeout):
        """Ask the server for the pull payment and its payouts. No key is needed, nor sent.

        :param int timeout: The number of seconds to wait for each answer.
        :return: The `pull_payment` and its `payouts`.
        :rtype: dict
        :raise BTCPayError: If the server did not say.
        """
        self.ensure_one()
        endpoint = f'/pull-payments/{self.btcpay_pull_payment_id}'
        options = {'btcpay_api_key': '', 'btcpay_timeout': timeout}
        if not self._btcpay_is_store_connected():
            options['btcpay_server_url'] = self.sudo().btcpay_refund_server_url
        pull_payment = self._send_api_request('GET', endpoint, **options)
        payouts = self._send_api_request(
            'GET', f'{endpoint}/payouts', params={'includeCancelled': 'true'}, **options
        )
        if (
            not self._btcpay_is_pull_payment(pull_payment)
            or pull_payment['id'] != self.btcpay_pull_payment_id
            or not isinstance(payouts, list)
        ):
            raise self.provider_id._btcpay_make_unexpected_error()
        return {'pull_payment': pull_payment, 'payouts': payouts}

    def _btcpay_is_store_connected(self):
        """Return whether the provider is connected with the store of the transaction.

        :rtype: bool
        """
        self.ensure_one()
        provider = self.provider_id.sudo()
        return provider._btcpay_is_connected() and (
            self.sudo().btcpay_store_id in (False, provider.btcpay_store_id)
        )

    # === APPLYING === #

    def _btcpay_apply_refund(self, pull_payment, payouts):
        """Update the refund based on its pull payment and payouts.

        :param dict pull_payment: The pull payment.
        :param list payouts: Its payouts.
        :return: None
        """
        self.ensure_one()
        before = (self.btcpay_paid_out_amount, self.btcpay_pull_is_archived)
        states_before = {payout.payout_ref: payout.state for payout in self.btcpay_payout_ids}
        self._btcpay_store_payouts(payouts)
        self._btcpay_note_claims(states_before)
        completed, is_open = self._btcpay_sum_up_payouts()
        self.write({
            'btcpay_checked_at': fields.Datetime.now(),
            'btcpay_pull_is_archived': pull_payment.get('archived') is True,
        })
        if self.state in ('done', 'cancel', 'error'):
            return  # By now the amount may be what was paid out, not the pull payment's.
        total = parse_decimal(pull_payment['amount'])
        is_complete = self._btcpay_is_paid_out(completed, total)
        self.btcpay_paid_out_amount = abs(self.amount) if is_complete else self.currency_id.round(
            float(Decimal(str(abs(self.amount))) * completed / total)
        )
        if is_complete:
            self._set_done()
            self._btcpay_mail_customer('mail_template_refund_paid')
        elif self.btcpay_pull_is_archived and not is_open:
            self._btcpay_end_withdrawn_refund()
        elif before != (self.btcpay_paid_out_amount, self.btcpay_pull_is_archived):
            self._btcpay_note(f'{self.reference}: {self._btcpay_format_paid_out()}')

    def _btcpay_note_claims(self, states_before):
        """Tell of claims that are new, and of those that were cancelled.

        :param dict states_before: The states of the payouts that were known before.
        :return: None
        """
        self.ensure_one()
        for payout in self.btcpay_payout_ids:
            before = states_before.get(payout.payout_ref)
            if payout.state == before:
                continue
            claimed = payout.claimed_text
            if payout.state == 'AwaitingApproval':
                self._btcpay_note(_(
                    "The customer claimed %(claimed)s of the refund %(reference)s. It is paid out"
                    " when it is approved on the BTCPay Server.",
                    claimed=claimed, reference=self.reference,
                ))
            elif payout.state == 'Cancelled' and before:
                self._btcpay_note(_(
                    "The claim of %(claimed)s of the refund %(reference)s was cancelled at the"
                    " BTCPay Server.", claimed=claimed, reference=self.reference,
                ))

    def _btcpay_end_withdrawn_refund(self):
        """End a refund that cannot be claimed any more with what was paid out until then.

        :return: None
        """
        self.ensure_one()
        if not self.btcpay_paid_out_amount:
            self._set_canceled(_("The refund was withdrawn before it was claimed."))
            return
        message = _(
            "The refund %(reference)s was withdrawn with %(paid_out)s.",
            reference=self.reference, paid_out=self._btcpay_format_paid_out(),
        )
        # What was not paid out can be refunded again.
        self.write({'amount': -self.btcpay_paid_out_amount, 'btcpay_refund_fee_amount': 0})
        self._set_done()
        self._btcpay_note(message)
        self._btcpay_mail_customer('mail_template_refund_paid')

    def _btcpay_sum_up_payouts(self):
        """Add up what was paid out.

        :return: The sum in the pull payment's currency, and whether anything is underway.
        :rtype: tuple[Decimal, bool]
        """
        self.ensure_one()
        completed = sum((
            parse_decimal(payout.claimed_amount) or 0
            for payout in self.btcpay_payout_ids if payout.state == 'Completed'
        ), Decimal(0))
        is_open = any(payout.state in OPEN_STATES for payout in self.btcpay_payout_ids)
        return completed, is_open

    def _btcpay_is_paid_out(self, completed, total):
        """Return whether the customer has his money.

        Pull payments over what came in by Lightning have parts of a satoshi, which hardly any
        wallet can claim.

        :param Decimal completed: What was paid out, in the pull payment's currency.
        :param Decimal total: The pull payment's amount.
        :rtype: bool
        """
        self.ensure_one()
        is_crypto = self.btcpay_pull_currency != self.currency_id.name
        return completed >= total or bool(is_crypto and completed and total - completed < SATOSHI)

    def _btcpay_store_payouts(self, payouts):
        """Store the payouts; what is known is brought up to date.

        :param list payouts: The payouts.
        :return: None
        """
        self.ensure_one()
        known = {payout.payout_ref: payout for payout in self.btcpay_payout_ids}
        for payout in payouts:
            if not isinstance(payout, dict) or not is_api_id(payout.get('id')):
                continue
            claimed = parse_decimal(payout.get('originalAmount'))
            if claimed is None or payout.get('state') not in PAYOUT_STATES:
                continue
            crypto = parse_decimal(payout.get('payoutAmount'))
            proof = payout.get('paymentProof')
            values = {
                'state': payout['state'],
                'method': str(payout.get('payoutMethodId') or ''),
                'claimed_amount': format(claimed, 'f'),
                'claimed_currency': str(payout.get('originalCurrency') or ''),
                'crypto_amount': format(crypto, 'f') if crypto is not None else False,
                'crypto_currency': str(payout.get('payoutCurrency') or ''),
                'destination': str(payout.get('destination') or ''),
                'proof': str(
                    (proof.get('id') or proof.get('preimage') or '')
                    if isinstance(proof, dict) else ''
                ),
                'claimed_at': parse_timestamp(payout.get('date')),
            }
            if payout['id'] in known:
                known[payout['id']].write(values)
            else:
                known[payout['id']] = self.env['btcpay.payout'].create({
                    'transaction_id': self.id, 'payout_ref': payout['id'], **values
                })
