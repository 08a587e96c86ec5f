"""What is given back in between: before and after late and partial payments are accepted."""
from decimal import Decimal

from ..world import Refused


class Refunding:
    """Steps of a sequence, see `actions.py`."""

    def refund(self, number, scope, variant='fiat', fee=0):
        """:param str scope: `all`, `part` or `surplus`
        :param str variant: what the customer gets
        :param int fee: in per cent
        """
        attempt = self.attempt(number)
        if attempt:
            asked = self.office.refund(attempt.tx, scope, variant, fee)
            self._refunded(attempt.reference, f'{scope} {variant} less {fee} %', asked)

    def refund_note(self, number):
        notes = self.history.notes
        if notes:
            note_id = list(notes)[-1 - number % len(notes)]
            self._refunded(f'credit note {note_id}', 'due', self.office.refund_note(note_id))

    def _refunded(self, what, scope, asked):
        if asked is None:
            return  # nothing is there to be given back
        amount, said = asked
        self.history.refunds_asked += 1
        self.history.amounts_asked |= {
            Decimal(str(round(amount * (100 - share) / 100, 2))) for share in (0, 10)}
        self.did(f'refund of {what}, {scope}, {amount}: {said or "made"}')
        self.after()

    def refund_at_the_server(self, number, percent):
        attempt = self.attempt(number)
        if not attempt or self.are_answers_spoilt:
            return
        try:
            self.rig.world.api(
                'POST', f'/stores/{self.rig.store_id}/invoices/{attempt.invoice_id}/refund',
                {'refundVariant': 'Fiat', 'subtractPercentage': str(percent)})
        except Refused:
            return  # nothing was paid
        self.history.refunds_at_the_server += 1
        self.did(f'merchant refunds {attempt.reference} at the server, less {percent} %')
        self.after()

    def claim(self, number, fraction, state):
        """:param str state: of the payout in the end: `AwaitingApproval` … `Completed`"""
        open_ones = self.open_pull_payments()
        if not open_ones:
            return
        pull_payment = open_ones[number % len(open_ones)]
        digits = '0.00000001' if pull_payment['currency'] == 'BTC' else '0.01'
        amount = (Decimal(pull_payment['amount']) * Decimal(fraction)).quantize(Decimal(digits))
        try:
            payout_id = self.rig.world.claim(pull_payment['id'], amount)
        except Refused:
            return  # no more is left of it, or too little to be sent
        self.history.payouts[payout_id] = (pull_payment['id'], amount)
        if state != 'AwaitingApproval':
            self._pay_out(payout_id, 'AwaitingPayment')
        if state in ('InProgress', 'Completed'):
            self._pay_out(payout_id, state)
        self.did(f'{amount} of {pull_payment["name"]} are claimed: {state}')
        self.after()

    def pay_out(self, number, state):
        """The merchant, or the server, goes on with a claim.

        :param str state: `AwaitingPayment` … `Cancelled`
        """
        if self.history.payouts:
            payout_id = list(self.history.payouts)[-1 - number % len(self.history.payouts)]
            if self._pay_out(payout_id, state):
                self.did(f'claim {payout_id} is {state}')
                self.after()

    def _pay_out(self, payout_id, state):
        """:return: whether it could be done"""
        world = self.rig.world
        try:
            before = world.payout(payout_id)['state']
            if state == 'Cancelled':
                world.cancel_payout(payout_id)
            elif state == 'AwaitingPayment' and before == 'AwaitingApproval':
                world.approve(payout_id)
            else:
                world.pay_payout(payout_id, state)
        except Refused:
            return False
        if state in ('Completed', 'Cancelled'):
            pull_payment, amount = self.history.payouts.pop(payout_id)
            if state == 'Completed':
                self.history.paid_out[pull_payment] += amount
        return True

    def withdraw(self, number):
        open_ones = self.open_pull_payments()
        if open_ones and not self.are_answers_spoilt:
            pull_payment = open_ones[number % len(open_ones)]
            self._note_what_is_hidden(pull_payment['id'])
            self.rig.world.archive_pull_payment(pull_payment['id'])
            self.history.turns += 1
            self.did(f'merchant archives {pull_payment["name"]}')
            self.after()

    def _note_what_is_hidden(self, pull_payment_id):
        """The server lists no claims of what is archived: only events tell what came of them."""
        seen = sum(Decimal(row['amount']) for row in self.rig.sql(
            'SELECT p.claimed_amount AS amount FROM btcpay_payout p JOIN payment_transaction t'
            " ON t.id = p.transaction_id WHERE p.state = 'Completed'"
            ' AND t.btcpay_pull_payment_id = %s', pull_payment_id))
        if seen != self.history.paid_out[pull_payment_id]:
            self.history.hidden.add(pull_payment_id)
        for payout_id, (of_which, _amount) in list(self.history.payouts.items()):
            if of_which != pull_payment_id:
                continue
            if self.rig.world.payout(payout_id)['state'] == 'InProgress':
                self.history.hidden.add(of_which)
            else:
                del self.history.payouts[payout_id]

    def open_pull_payments(self):
        if self.are_answers_spoilt:
            return []
        return self.rig.world.api('GET', f'/stores/{self.rig.store_id}/pull-payments')

    def policy_changes(self, accept_part, late):
        self.office.set_policy(accept_part, late)
        self.history.accepts |= accept_part or late == 'accept'
        self.did(f'policy: accept_part={accept_part} late={late}')

    def rate_changes(self, rate):
        """:param int rate: what a bitcoin costs for what is made from now on"""
        self.rig.world.control('/rates', {'BTC_USD': rate})
        self.did(f'a bitcoin costs {rate}')
