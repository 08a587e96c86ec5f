from decimal import Decimal

from markupsafe import Markup

from odoo import _, fields, models

from odoo.addons.payment.logging import get_payment_logger
from odoo.addons.payment_btcpay import const
from odoo.addons.payment_btcpay.utils import upsert

_logger = get_payment_logger(__name__, sensitive_keys=const.SENSITIVE_KEYS)

# The least that most wallets can claim.
SATOSHI = Decimal('0.00000001')


class PaymentTransaction(models.Model):
    """Bringing a refund to what the server says of its pull payment and the payouts of it."""

    _inherit = 'payment.transaction'

    # === READING === #

    def _btcpay_read_refund(self, timeout):
        """Ask the server for all that is to be known of the refund. No lock is held.

        :param int timeout: The number of seconds to wait for each of the server's answers.
        :return: The payment data: `pull_payment` and `payouts`; None if there is nothing to sync.
        :rtype: dict|None
        :raise GreenfieldError: If the server did not say.
        """
        self.ensure_one()
        if not self.btcpay_pull_payment_id:
            self._btcpay_complete_refund()
        if not self.btcpay_pull_payment_id:
            return None
        client = self._btcpay_client_without_key(timeout)
        pull_payment = client.get_pull_payment(self.btcpay_pull_payment_id)
        payouts = client.list_pull_payment_payouts(self.btcpay_pull_payment_id)
        return {'pull_payment': pull_payment, 'payouts': payouts.items}

    # === APPLYING === #

    def _btcpay_apply_refund(self, pull_payment, payouts, payout_event):
        """Update the refund based on its pull payment and payouts.

        :param PullPayment pull_payment: The pull payment.
        :param tuple[Payout] payouts: Its payouts; those of an archived one may not be listed.
        :param tuple[str, str] payout_event: See `_btcpay_sync`.
        """
        self.ensure_one()
        before = (self.btcpay_paid_out_amount, self.btcpay_pull_is_archived)
        states_before = {payout.payout_ref: payout.state for payout in self.btcpay_payout_ids}
        upsert(
            self.btcpay_payout_ids, ('payout_ref',),
            [self.env['btcpay.payout']._prepare_values(payout) for payout in payouts],
            transaction_id=self.id,
        )
        if pull_payment.is_archived and not self.btcpay_pull_is_archived:
            self._btcpay_cancel_hidden_claims(payouts, payout_event[0])
        self.btcpay_pull_is_archived = pull_payment.is_archived
        self._btcpay_apply_payout_event(*payout_event)
        self._btcpay_note_claims(states_before)
        self._btcpay_apply_payouts(pull_payment, before)
        self._btcpay_ask_for_claims()
        self._btcpay_report_unsent_link()

    def _btcpay_apply_payouts(self, pull_payment, before):
        """Update how far the refund is, and end it where it is final.

        :param PullPayment pull_payment: The pull payment.
        :param tuple before: What was paid out before, and whether it was archived then.
        """
        self.ensure_one()
        if self.state in ('done', 'cancel', 'error'):
            return  # By now the amount may be what was paid out, not the pull payment's.
        paid_out = self.btcpay_payout_ids._get_paid_out_amount()
        is_complete = self._btcpay_is_paid_out(paid_out, pull_payment)
        self.btcpay_paid_out_amount = abs(self.amount) if is_complete else self.currency_id.round(
            float(Decimal(str(abs(self.amount))) * paid_out / (pull_payment.amount or 1))
        )
        if is_complete:
            self._set_done()
            self._btcpay_mail_customer('mail_template_refund_paid')
        elif self.btcpay_pull_is_archived and not self.btcpay_payout_ids._is_any_open():
            self._btcpay_end_canceled_refund()
        elif before != (self.btcpay_paid_out_amount, self.btcpay_pull_is_archived):
            self._btcpay_post_note(f'{self.reference}: {self._btcpay_get_paid_out_text()}')

    def _btcpay_note_claims(self, states_before):
        """Note claims that are new, those that were canceled, and what accountants need of those
        that were sent.

        :param dict states_before: The states of the payouts that were known before.
        """
        self.ensure_one()
        notes = []  # The customer may claim by thousands: they are one message.
        for payout in self.btcpay_payout_ids:
            before = states_before.get(payout.payout_ref)
            values = {'claimed': payout.claimed_text, 'reference': self.reference}
            if payout.state == before:
                continue
            payout.state_since = fields.Datetime.now()
            _logger.info(
                "Payout %(payout)s of refund %(ref)s went from %(before)s to %(after)s.",
                {
                    'payout': payout.payout_ref, 'ref': self.reference,
                    'before': before or "nothing", 'after': payout.state,
                },
            )
            if payout.state == 'AwaitingApproval':
                notes.append(_(
                    "The customer claimed %(claimed)s of the refund %(reference)s. It is paid out"
                    " when it is approved on the BTCPay Server.", **values,
                ))
            elif payout.state == 'Cancelled' and before:
                notes.append(_(
                    "The claim of %(claimed)s of the refund %(reference)s was canceled at the"
                    " BTCPay Server.", **values,
                ))
            elif payout.state == 'Completed':
                notes.append(_(
                    "%(claimed)s of the refund %(reference)s has left the wallet: %(crypto)s by"
                    " %(method)s. Transaction ID or payment hash: %(hash)s", **values,
                    crypto=payout.crypto_text or payout.claimed_text, method=payout.method_name,
                    hash=payout.proof or _("unknown"),
                ))
        if notes:
            self._btcpay_post_note(Markup('<br/>').join(notes))

    def _btcpay_is_paid_out(self, paid_out, pull_payment):
        """Return whether the customer has got the money.

        Pull payments of what came in by Lightning have fractions of a satoshi, which hardly any
        wallet can claim.
        """
        self.ensure_one()
        is_crypto = pull_payment.currency != self.currency_id._btcpay_get_code()
        missing = pull_payment.amount - paid_out
        if not pull_payment.amount:
            return False  # Nothing can be claimed of it.
        return missing <= 0 or bool(is_crypto and paid_out and missing < SATOSHI)

    def _btcpay_end_canceled_refund(self):
        """End a refund that cannot be claimed any more with what was paid out until then."""
        self.ensure_one()
        if not self.btcpay_paid_out_amount:
            self._set_canceled(
                _("The refund was canceled, and what had been claimed of it with it.")
                if self.btcpay_payout_ids
                else _("The refund was canceled. Odoo knows of no claim of it.")
            )
            self._btcpay_get_root()._btcpay_review_again()
            return
        message = _(
            "The refund %(reference)s was canceled with %(paid_out)s.",
            reference=self.reference, paid_out=self._btcpay_get_paid_out_text(),
        )
        # What was not paid out can be refunded again.
        self.write({'amount': -self.btcpay_paid_out_amount, 'btcpay_refund_fee_amount': 0})
        self._set_done()
        self._btcpay_get_root()._btcpay_review_again()
        self._btcpay_post_note(message)
        self._btcpay_mail_customer('mail_template_refund_paid')

    # === WORDS === #

    def _btcpay_get_refund_status_text(self):
        """Return where the refund stands, for people.

        :rtype: str
        """
        self.ensure_one()
        match self.state:
            case 'draft':
                return _("Refund being created")
            case 'pending':
                return self._btcpay_get_paid_out_text()
            case 'done':
                return _("Refund paid out")
            case 'cancel':
                return _("Refund canceled")
        return _("Refund failed")

    def _btcpay_get_paid_out_text(self):
        """Return how much of the refund was paid out, for people.

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
