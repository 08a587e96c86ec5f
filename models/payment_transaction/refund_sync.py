from decimal import Decimal

from odoo import _, fields, models

from odoo.addons.payment_btcpay import const
from odoo.addons.payment_btcpay.db import commit_and_refresh, lock
from odoo.addons.payment_btcpay.utils import is_api_id, parse_decimal, parse_timestamp

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
            'btcpay_synced_at': fields.Datetime.now(),
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
            self._btcpay_end_canceled_refund()
        elif before != (self.btcpay_paid_out_amount, self.btcpay_pull_is_archived):
            self._btcpay_post_note(f'{self.reference}: {self._btcpay_format_paid_out()}')

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
                self._btcpay_post_note(_(
                    "The customer claimed %(claimed)s of the refund %(reference)s. It is paid out"
                    " when it is approved on the BTCPay Server.",
                    claimed=claimed, reference=self.reference,
                ))
            elif payout.state == 'Cancelled' and before:
                self._btcpay_post_note(_(
                    "The claim of %(claimed)s of the refund %(reference)s was cancelled at the"
                    " BTCPay Server.", claimed=claimed, reference=self.reference,
                ))

    def _btcpay_end_canceled_refund(self):
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
        self._btcpay_post_note(message)
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

    def _btcpay_find_or_adopt_refund(self, pull_payment_id, timeout=const.TIMEOUT):
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
        commit_and_refresh(root.env)
        pull_payment = root._send_api_request(
            'GET', f'/pull-payments/{pull_payment_id}', btcpay_api_key='', btcpay_timeout=timeout
        )
        if not root._btcpay_is_pull_payment(pull_payment) or pull_payment['id'] != pull_payment_id:
            raise root.provider_id._btcpay_make_unexpected_error()
        commit_and_refresh(root.env)
        ours = root.btcpay_refund_ids.filtered(
            lambda tx: tx.state == 'draft' and tx.btcpay_refund_name == pull_payment.get('name')
        )[:1]
        if ours:
            ours._btcpay_keep_pull_payment(pull_payment)
            return ours
        # What was received may not be known yet.
        root._btcpay_sync(timeout=timeout)
        root._btcpay_book_receipts()
        commit_and_refresh(root.env)
        lock(root)
        root.btcpay_sync_count += 1  # As for refunds of our own.
        refund = root._btcpay_find_refund(pull_payment_id)
        if not refund:
            refund = root._btcpay_adopt_refund(pull_payment)
            if refund:
                refund._btcpay_store_pull_payment(pull_payment)
        commit_and_refresh(root.env)
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

    def _btcpay_adopt_refund(self, pull_payment):
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
            self._btcpay_flag_for_review(_(
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
        self._btcpay_post_note(_(
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
