"""Claims of refunds: those that an archived pull payment hides, and those that somebody has to
approve or send."""
from datetime import timedelta
from decimal import Decimal

from markupsafe import escape

from odoo import _, fields, models

from odoo.addons.payment_btcpay import const
from odoo.addons.payment_btcpay.models.payment_transaction.refund_sync import SATOSHI
from odoo.addons.payment_btcpay.utils import schedule_activity


class PaymentTransaction(models.Model):
    _inherit = 'payment.transaction'

    # === HIDDEN CLAIMS: THE SERVER LISTS NONE OF AN ARCHIVED PULL PAYMENT === #

    def _btcpay_apply_payout_event(self, payout_ref, state):
        """Take what a signed event said of a payout of an archived pull payment: the server lists
        it no more.

        What is final stays; what was paid out after the refund was ended is left to a person.

        :param str|None payout_ref: The payout's id; None where no event told of one.
        :param str|None state: Its state.
        """
        self.ensure_one()
        if not payout_ref or not self.btcpay_pull_is_archived:
            return
        payout = self.btcpay_payout_ids.filtered(lambda payout: payout.payout_ref == payout_ref)
        known_states = dict(self.btcpay_payout_ids._fields['state'].selection)
        if payout.state == 'Completed' or state not in known_states:
            return
        is_ended = self.state in ('done', 'cancel', 'error')
        if payout and (not is_ended or state == 'Cancelled'):
            payout.state = state
        elif state == 'Completed':
            payout.state = state
            self._btcpay_flag_hidden_claims(payout.claimed_text or self.btcpay_pull_text)

    def _btcpay_cancel_hidden_claims(self, payouts, told_ref):
        """Cancel the claims that the server canceled when it archived the pull payment.

        What is known as paid out stays, and of what is on its way an event will tell.

        :param tuple[Payout] payouts: What the server still lists.
        :param str|None told_ref: The id of the payout that an event told of, which is known.
        """
        self.ensure_one()
        listed = {payout.id for payout in payouts}
        hidden = self.btcpay_payout_ids.filtered(lambda payout: payout.payout_ref not in listed)
        canceled = hidden.filtered(
            lambda payout: payout.state in ('AwaitingApproval', 'AwaitingPayment')
        )
        # What had been approved may have been paid since, if an event was missed.
        unsure = canceled.filtered(
            lambda payout: payout.state == 'AwaitingPayment' and payout.payout_ref != told_ref
        )
        canceled.state = 'Cancelled'
        unseen = self._btcpay_get_unseen_amount()
        if unseen >= SATOSHI:
            self._btcpay_flag_hidden_claims(self._btcpay_format_pull_amount(unseen))
            return
        for payout in unsure:
            self._btcpay_flag_hidden_claims(payout.claimed_text)

    def _btcpay_get_unseen_amount(self):
        """Return what may have been claimed and paid out while Odoo did not look: it was down, or
        did not reach the server, for longer than it ever leaves a refund alone.

        :return: The amount, in the pull payment's currency.
        :rtype: Decimal
        """
        self.ensure_one()
        limit = fields.Datetime.now() - timedelta(minutes=2 * const.SLOW_POLL_MINUTES)
        if (self.btcpay_synced_at or self.create_date) > limit:
            return Decimal(0)
        known = self.btcpay_payout_ids.filtered(lambda payout: payout.state != 'Cancelled')
        return Decimal(self.btcpay_pull_amount) - sum(
            Decimal(payout.claimed_amount) for payout in known
        )

    def _btcpay_flag_hidden_claims(self, amount, name=None):
        """Have a person look whether a claim was paid out that the server does not list any more.

        :param str amount: The amount, for people.
        :param str name: The refund, by default its reference.
        """
        self._btcpay_flag_for_review(_(
            "The refund %(reference)s was archived at the BTCPay Server, which does not tell any"
            " more what became of a claim. Up to %(amount)s may have been paid out without Odoo"
            " having seen it. Look at the store's payouts and its wallet before you refund the"
            " rest; if it was paid, book it by hand.",
            reference=name or self.reference, amount=amount,
        ))

    # === CLAIMS THAT WAIT FOR SOMEBODY === #

    def _btcpay_ask_for_claims(self):
        """Ask the responsible person to approve or send what was claimed, and take it back once it
        is settled, whoever settled it. Who has closed it is asked again of new claims only."""
        self.ensure_one()
        kind, payouts = self._btcpay_find_waiting_claims()
        asked = {'kind': kind, 'payouts': payouts.ids} if kind else False
        before = self.btcpay_claims_asked or {}
        if asked == (before or False):
            return
        self.btcpay_claims_asked = asked
        activity = self.sudo().btcpay_claim_activity_id.filtered('active')
        if kind != before.get('kind'):
            activity.action_feedback()
        elif activity:
            activity.note = escape(self._btcpay_get_claims_note(kind, payouts))
            return
        elif set(payouts.ids) <= set(before['payouts']):
            return
        if not kind:
            return
        document = self._btcpay_get_document()
        activity = schedule_activity(
            document,
            _("Bitcoin refund %s was claimed", self.reference) if kind == 'approve'
            else _("Bitcoin refund %s is stuck", self.reference),
            self._btcpay_get_claims_note(kind, payouts),
            self._btcpay_get_responsible(document),
        ).sudo()
        activity.btcpay_transaction_id = self
        self.sudo().btcpay_claim_activity_id = activity
        self._btcpay_note_decisions()

    def _btcpay_get_claims_note(self, kind, payouts):
        """Return what somebody has to do about claims.

        :param str kind: `approve` or `stuck`.
        :param btcpay.payout payouts: The claims.
        :rtype: str
        """
        self.ensure_one()
        values = {
            'reference': self.reference,
            'claimed': ", ".join(payouts.mapped('claimed_text')),
            'link': self._btcpay_get_store_url('payouts'),
        }
        return _(
            "The customer claimed %(claimed)s of the refund %(reference)s and waits for it."
            " Approve it on the BTCPay Server: %(link)s", **values,
        ) if kind == 'approve' else _(
            "%(claimed)s of the refund %(reference)s was approved days ago and is not paid out."
            " See on the BTCPay Server why it is not sent: %(link)s", **values,
        )

    def _btcpay_find_waiting_claims(self):
        """Return what somebody has to do about claims, and of which.

        :return: `approve`, `stuck` or nothing; and the payouts.
        :rtype: tuple[str, btcpay.payout]
        """
        self.ensure_one()
        if self.state != 'pending':
            return '', self.btcpay_payout_ids.browse()
        limit = fields.Datetime.now() - timedelta(days=const.PAYOUT_STUCK_DAYS)
        to_approve = self.btcpay_payout_ids.filtered(
            lambda payout: payout.state == 'AwaitingApproval'
        )
        if to_approve:
            return 'approve', to_approve
        stuck = self.btcpay_payout_ids.filtered(
            lambda payout: payout.state in ('AwaitingPayment', 'InProgress')
            and (payout.state_since or payout.create_date) < limit
        )
        return ('stuck' if stuck else ''), stuck

    def _btcpay_get_store_url(self, page):
        """Return a page of the store that the merchant sees on the server.

        :param str page: `payouts`, where claims are approved and sent, or `pull-payments`, where
                         refunds are canceled.
        :rtype: str
        """
        self.ensure_one()
        refund = self.sudo()
        server_url = refund.btcpay_refund_server_url or refund.provider_id.btcpay_server_url or ''
        store_id = refund.btcpay_store_id or refund.provider_id.btcpay_store_id
        return f'{server_url.rstrip("/")}/stores/{store_id}/{page}'
