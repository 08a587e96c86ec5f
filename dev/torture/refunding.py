"""What is given back in between: before and after late and partial payments are accepted."""
from decimal import Decimal

from ..world import Refused


class Refunding:
    """Steps of a sequence, see `actions.py`."""

    def refund(self, number, scope):
        """:param str scope: `all`, `part` or `surplus`"""
        attempt = self.attempt(number)
        if attempt:
            asked = self.office.refund(attempt.tx, scope)
            self._refunded(attempt.reference, scope, asked)

    def refund_note(self, number):
        notes = self.history.notes
        if notes:
            note_id = notes[-1 - number % len(notes)]
            self._refunded(f'credit note {note_id}', 'due', self.office.refund_note(note_id))

    def _refunded(self, what, scope, asked):
        if asked is None:
            return  # nothing is there to be given back
        amount, said = asked
        self.history.refunds_asked += 1
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
        amount = (Decimal(pull_payment['amount']) * Decimal(fraction)).quantize(Decimal('0.01'))
        try:
            payout_id = self.rig.world.claim(pull_payment['id'], amount)
            if state != 'AwaitingApproval':
                self.rig.world.approve(payout_id)
            if state in ('InProgress', 'Completed'):
                self.rig.world.pay_payout(payout_id, state)
        except Refused:
            return  # no more is left of it, or too little to be sent
        if state == 'Completed':
            self.history.paid_out[pull_payment['id']] += amount
        elif state == 'InProgress':
            self.history.on_its_way.add(pull_payment['id'])
        self.did(f'{amount} of {pull_payment["name"]} are claimed: {state}')
        self.after()

    def withdraw(self, number):
        open_ones = self.open_pull_payments()
        if open_ones and not self.are_answers_spoilt:
            pull_payment = open_ones[number % len(open_ones)]
            self.rig.world.archive_pull_payment(pull_payment['id'])
            self.did(f'merchant archives {pull_payment["name"]}')
            self.after()

    def open_pull_payments(self):
        if self.are_answers_spoilt:
            return []
        return self.rig.world.api('GET', f'/stores/{self.rig.store_id}/pull-payments')

    def policy_changes(self, accept_part, late):
        self.office.set_policy(accept_part, late)
        self.history.accepts |= accept_part or late == 'accept'
        self.did(f'policy: accept_part={accept_part} late={late}')
