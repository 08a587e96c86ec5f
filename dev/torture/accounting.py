"""What happens in the books in between: customer invoices, payments by bank, credit notes."""


class Accounting:
    """Steps of a sequence, see `actions.py`."""

    def move_id(self, number):
        """:return: one of the customer invoices, newest first, or None"""
        moves = sorted(self.history.moves, reverse=True)
        return moves[number % len(moves)] if moves else None

    def new_move(self, amount):
        move_id = self.office.new_move(amount)
        self.history.moves[move_id] = None
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
            self.history.moves[move_id] = order_id
            self.did(f'order {order_id} is invoiced: {move_id}')
            self.after()

    def pay_move_online(self, number):
        move_id = self.move_id(number)
        if not move_id or self.office.move(move_id)['amount_residual'] <= 0:
            return
        attempt = self.shop.checkout_move(move_id)
        self.did(f'customer chooses Bitcoin for invoice {move_id}: {attempt.reference}')
        if 'error' in attempt.answer or not attempt.reference:
            self.fail(f'The customer was given an error: {attempt.answer}')
        self.attempts.append(attempt)
        self.after()

    def pay_by_bank(self, number, fraction):
        move_id = self.move_id(number)
        if move_id and self.office.move(move_id)['amount_residual'] > 0:
            amount = self.office.register(move_id, fraction)
            self.history.banked[move_id] += amount
            self.did(f'{amount} of invoice {move_id} came by bank')
            self.after()

    def credit(self, number, fraction):
        move_id = self.move_id(number)
        if not move_id or self.history.credited[move_id]:
            return
        move = self.office.move(move_id)
        if move['amount_residual'] < move['amount_total']:
            # Who credits what is paid sees that there is something to give back
            self.history.credited_though_paid.add(move_id)
        note_id, amount = self.office.credit(move_id, fraction)
        self.history.credited[move_id] += amount
        self.history.notes.append(note_id)
        self.did(f'{amount} of invoice {move_id} is credited: {note_id}')
        self.after()

