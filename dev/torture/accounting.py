"""What happens in the books in between: customer invoices, payments by bank, credit notes."""


class Accounting:
    """Steps of a sequence, see `actions.py`."""

    def move_id(self, number):
        """:return: one of the customer invoices, newest first, or None"""
        moves = sorted(self.history.moves, reverse=True)
        return moves[number % len(moves)] if moves else None

    def new_move(self, amount):
        move_id = self.office.new_move(amount)
        self.history.moves[move_id] = ()
        self.did(f'customer invoice {move_id} over {amount}')
        self.pay_move_online(0)

    def confirm_order(self, number):
        order_id = self.order_id(number)
        if self.shop.order(order_id)['state'] == 'sent' and not self.rig.broken:
            self.office.confirm(order_id)
            self.history.confirmed.add(order_id)
            self.did(f'order {order_id} is confirmed by hand')
            self.invoice_order(number)

    def invoice_order(self, number):
        order_id = self.order_id(number)
        move_id = self.office.invoice_order(order_id)
        if move_id:
            self.history.moves[move_id] = (order_id,)
            self.did(f'order {order_id} is invoiced: {move_id}')
            self.after()

    def invoice_together(self):
        move_id, order_ids = self.office.invoice_together(sorted(self.history.orders))
        if move_id:
            self.history.moves[move_id] = tuple(order_ids)
            self.did(f'orders {order_ids} are invoiced together: {move_id}')
            self.after()

    def pay_move_online(self, number, fraction=1):
        """:param float fraction: of what is due, as an installment"""
        move_id = self.move_id(number)
        if not self.rig.is_enabled or not self._is_due(move_id):
            return
        attempt = self.shop.checkout_move(move_id, fraction)
        self.did(f'customer chooses Bitcoin for invoice {move_id}: {attempt.reference}')
        if 'error' in attempt.answer or not attempt.reference:
            self.fail(f'The customer was given an error: {attempt.answer}')
        self.attempts.append(attempt)
        self.after()

    def pay_by_bank(self, number, fraction):
        move_id = self.move_id(number)
        if self._is_due(move_id):
            amount = self.office.register(move_id, fraction)
            self.history.banked[move_id] += amount
            self.did(f'{amount} of invoice {move_id} came by bank')
            self.after()

    def credit(self, number, fraction):
        move_id = self.move_id(number)
        if not self._is_posted(move_id) or self.history.credited[move_id]:
            return
        self._note_whether_paid(move_id)
        note_id, amount = self.office.credit(move_id, fraction)
        self.history.credited[move_id] += amount
        self.history.notes[note_id] = (move_id, amount)
        self.did(f'{amount} of invoice {move_id} is credited: {note_id}')
        self.after()

    # --- what accountants change ------------------------------------------------------------------

    def note_changes(self, number, to):
        """:param str to: `draft`, `cancel` or `posted`"""
        notes = list(self.history.notes)
        if not notes:
            return
        note_id = notes[-1 - number % len(notes)]
        before = self.office.move(note_id)['state']
        if before == to:
            return
        said = self.office.change_note(note_id, to)
        if not said:
            move_id, amount = self.history.notes[note_id]
            self.history.turns += 1
            self.history.credited[move_id] += amount * ((to == 'posted') - (before == 'posted'))
            self._note_whether_paid(move_id)
        self.did(f'credit note {note_id} is made {to}: {said or "done"}')
        self.after()

    def rewrite(self, number, amount):
        """An invoice is changed, or canceled, after it was sent."""
        move_id = self.move_id(number)
        if (
            not self._is_posted(move_id) or self.history.credited[move_id]
            or self.history.moves[move_id]
        ):
            return
        self._note_whether_paid(move_id)
        said = self.office.rewrite(move_id, amount)
        self.history.turns += 1
        self.did(f'invoice {move_id} is made {amount or "canceled"}: {said or "done"}')
        self.after()

    def take_place(self, number):
        move_id = self.move_id(number)
        if not self._is_posted(move_id) or self.history.credited[move_id]:
            return
        new_id = self.office.take_place(move_id)
        self.history.credited[move_id] += self.office.move(move_id)['amount_total']
        self.history.moves[new_id] = self.history.moves[move_id]
        self.history.places[new_id] = move_id
        self.did(f'invoice {move_id} is reversed, and {new_id} takes its place')
        self.after()

    def unmatch(self, number):
        move_id = self.move_id(number)
        if self._is_posted(move_id):
            self._note_whether_paid(move_id)
            self.office.unmatch(move_id)
            self.history.unmatched.add(move_id)
            self.did(f'what pays invoice {move_id} is unmatched')
            self.after()

    def take_back(self, number, to):
        """:param str to: what a payment in the books is made: `draft`, `canceled` or `paid`"""
        attempt = self.attempts[-1 - number % len(self.attempts)]
        payments = self.office.payments(attempt.tx)
        if payments:
            payment = payments[number % len(payments)]
            if (payment['state'] in ('draft', 'canceled')) == (to != 'paid'):
                return
            said = self.office.take_back(payment['id'], to)
            self.history.taken_back.add(attempt.tx)
            self.history.turns += 1
            self.did(f'payment of {attempt.reference} is made {to}: {said or "done"}')
            self.after()

    def _is_posted(self, move_id):
        return bool(move_id) and self.office.move(move_id)['state'] == 'posted'

    def _is_due(self, move_id):
        return self._is_posted(move_id) and self.office.move(move_id)['amount_residual'] > 0

    def _note_whether_paid(self, move_id):
        """Who credits or changes what is paid sees that there is something to give back."""
        move = self.office.move(move_id)
        if move['amount_residual'] < move['amount_total']:
            self.history.credited_though_paid.add(move_id)
