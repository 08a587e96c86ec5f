"""Where the money of each payment and of each document is, to the cent."""
from collections import defaultdict
from decimal import Decimal

ZERO = Decimal(0)
CENT = Decimal('0.01')
#: a refund that gives nothing back
VAIN = ('cancel', 'error')


#: columns
SUMS = {
    'amount', 'paid', 'fee', 'missing', 'written_off', 'in_books', 'entry', 'total', 'residual',
}
#: the payments in the books of a transaction
BOOKED = ("FROM account_payment p WHERE p.payment_transaction_id = t.id "
          "AND p.state NOT IN ('canceled', 'rejected')")


class Payment:
    """A Bitcoin invoice with all that Odoo has made of it.

    :param list[dict] rows: the transaction that has the invoice, its parts and refunds
    :param dict invoice: as the server shows it
    """

    def __init__(self, rows, invoice):
        self.root = rows[0]
        self.invoice = invoice
        self.refunds = [row for row in rows if row['operation'] == 'refund']
        self.money = [row for row in rows if row['operation'] != 'refund']
        self.receipts = [row for row in self.money if row['state'] == 'done']
        loose = [row for row in self.receipts if row['operation'] == 'offline']
        self.received = Decimal(invoice['paidAmount'])
        self.amount = self.root['amount']
        #: to be in the books, for whatever: what came in, not what counts as paid
        self.booked = sum((row['amount'] - row['missing'] for row in self.receipts), ZERO)
        self.written_off = sum((row['written_off'] for row in self.receipts), ZERO)
        self.loose = sum((row['amount'] - row['missing'] for row in loose), ZERO)
        #: given back, or to be given back
        self.returned = sum((row['fee'] - row['amount'] for row in self.refunds
                             if row['state'] not in VAIN), ZERO)
        #: for the documents, and not given back: that is first what was booked for it
        self.net = self.booked - self.loose - max(self.returned - self.loose, ZERO)
        #: neither for a document nor given back
        self.undecided = self.received - self.returned - self.net

    def __str__(self):
        return (f"{self.root['reference']} {self.invoice['status']}/"
                f"{self.invoice['additionalStatus']} of {self.amount}: received {self.received}, "
                f'booked {self.booked}, without document {self.loose}, returned {self.returned}, '
                f'for documents {self.net}, {self.root["note"]}')


class Ledger:
    """:param Truth truth: what was read, and whom to tell what is wrong"""

    def __init__(self, truth):
        self.truth = truth
        self.rig, self.history, self.bad = truth.rig, truth.history, truth.bad
        invoices = {invoice['id']: invoice for invoice in truth.invoices}
        families = defaultdict(list)
        for row in self._rows():
            families[row['root']].append(row)
        self.payments = [
            Payment(rows, invoices[rows[0]['invoice']]) for rows in families.values()
            if rows[0]['invoice'] in invoices]
        self.roots = {payment.root['id']: payment for payment in self.payments}

    def _rows(self):
        return self._exact(
            'SELECT t.id, t.reference, t.state, t.operation, '  # noqa: S608 all of it ours
            ' round(t.amount, 2)::text AS amount,'
            ' round(COALESCE(t.btcpay_paid_amount, 0), 2)::text AS paid,'
            ' COALESCE(t.btcpay_root_id, t.id) AS root, t.btcpay_invoice_id AS invoice,'
            ' round(COALESCE(t.btcpay_refund_fee_amount, 0), 2)::text AS fee,'
            ' round(COALESCE(t.btcpay_difference_amount, 0), 2)::text AS missing,'
            ' round(COALESCE(t.btcpay_write_off_amount, 0), 2)::text AS written_off,'
            ' t.btcpay_pull_payment_id AS pull_payment, t.btcpay_review_note AS note,'
            ' (SELECT state FROM account_move WHERE id = t.btcpay_credit_note_id) AS credit_note,'
            f' (SELECT round(sum(p.amount), 2)::text {BOOKED}) AS in_books,'
            f" (SELECT string_agg(DISTINCT p.payment_type, ',') {BOOKED}) AS direction,"
            ' (SELECT round(sum(abs(l.amount_currency)), 2)::text FROM account_move_line l'
            '   JOIN account_account a ON a.id = l.account_id'
            f"   WHERE l.move_id IN (SELECT p.move_id {BOOKED}) AND l.parent_state = 'posted'"
            "   AND a.account_type = 'asset_receivable') AS entry"
            ' FROM payment_transaction t'
            " WHERE t.provider_id = %s ORDER BY COALESCE(t.btcpay_root_id, t.id), t.id",
            self.rig.provider_id)

    def _exact(self, query, *parameters):
        """:return: rows; sums, which are cast to text in the query, as decimals"""
        rows = self.rig.sql(query, *parameters)
        for row in rows:
            row.update({name: Decimal(row[name] or 0) for name in SUMS & set(row)})
        return rows

    def check(self):
        self._pull_payments()
        for payment in self.payments:
            self._books(payment)
            if payment.invoice['status'] in ('Settled', 'Expired', 'Invalid'):
                self._sums(payment)
        self._documents()

    # --- what was given back ----------------------------------------------------------------------

    def _pull_payments(self):
        """Each pull payment has one refund, which is as far as that; none was made twice."""
        made = {item['id']: item for item in self.rig.world.api(
            'GET', f'/stores/{self.rig.store_id}/pull-payments', params={'includeArchived': True})}
        refunds = [row for payment in self.payments for row in payment.refunds]
        known = {row['pull_payment'] for row in refunds if row['pull_payment']}
        adopted = self.history.refunds_at_the_server
        if len(made) > self.history.refunds_asked + adopted:
            self.bad('More refunds than were asked for:', made)
        if len(set(made) - known) > adopted:
            self.bad('Refunds that Odoo does not know:', set(made) - known)
        for row in refunds:
            if row['state'] == 'draft' or (not row['pull_payment'] and row['state'] != 'error'):
                self.bad('A refund that was not made:', row)
            elif row['pull_payment']:
                self._refund(row, made[row['pull_payment']])

    def _refund(self, row, pull_payment):
        paid_out = self.history.paid_out[pull_payment['id']]
        amount = Decimal(pull_payment['amount'])
        is_told = self._is_told(self.roots[row['root']])
        expected = 'pending'
        if paid_out == amount or (pull_payment['archived'] and paid_out):
            expected, amount = 'done', paid_out
        elif pull_payment['archived']:
            expected = 'cancel'
        # Of what was paid out unseen when it was archived only events tell, which may be lost
        is_unknown = pull_payment['id'] in self.history.hidden
        if row['state'] != expected and not is_unknown:
            self.bad(f'The refund should be {expected}:', row, pull_payment, paid_out)
        elif row['state'] not in VAIN and not is_unknown and (
            self._differs(row, pull_payment, amount)
        ):
            self.bad(f'The refund should be of {amount}:', row)
        if row['credit_note'] == 'cancel' and row['state'] == 'pending' and not is_told:
            self.bad('Refunded for a credit note that is canceled, and nobody is told:', row)
        if row['in_books'] and row['state'] != 'done':
            self.bad('A refund is booked that was not paid out:', row)
        # The last of the money takes back what had been written off
        if row['state'] == 'done' and not self.history.broken and (
            row['direction'], row['in_books'], row['entry'] + row['written_off']
        ) != ('outbound', -row['amount'], -row['amount']):
            self.bad('A refund is not booked as it was paid out:', row)

    def _differs(self, row, pull_payment, amount):
        """Whether a refund is of another amount; one in bitcoin is of what that was asked for."""
        if pull_payment['currency'] != 'BTC':
            return -row['amount'] != amount
        share = amount / Decimal(pull_payment['amount'])
        return all(abs(asked * share + row['amount']) > CENT
                   for asked in self.history.amounts_asked)

    # --- what came in -----------------------------------------------------------------------------

    def _books(self, payment):
        """What came in is booked once; parts of a receipt that was split share its payment."""
        in_books = sum((row['in_books'] for row in payment.money), ZERO)
        entries = sum((row['entry'] for row in payment.money), ZERO)
        if {row['direction'] for row in payment.money} - {'inbound', None}:
            self.bad('A receipt is booked as money that went out:', payment)
        expected = (payment.booked, payment.booked + payment.written_off)
        if self.history.taken_back & {row['id'] for row in payment.money}:
            self._taken_back(payment)
            return
        # What cannot be confirmed is not booked either
        if (in_books, entries) != expected and not (
            self.history.broken and in_books < payment.booked
        ):
            self.bad(f'{in_books} is in the books, with {entries} of the customer:', payment)

    def _taken_back(self, payment):
        """What accountants took out of the books is not booked again, nor given back in silence."""
        in_books = sum((row['in_books'] for row in payment.money), ZERO)
        entries = sum((row['entry'] for row in payment.money), ZERO)
        if in_books > payment.booked or entries > payment.booked + payment.written_off:
            self.bad(f'{in_books} is in the books, with {entries} of the customer:', payment)
        paid_out = any(row['state'] == 'done' for row in payment.refunds)
        if paid_out and entries < payment.booked and not self._is_told(payment):
            self.bad('Paid out of what is not in the books, and nobody is told:', payment)

    def _sums(self, payment):
        invoice_id, told = payment.invoice['id'], self._is_told(payment)
        is_settled = payment.invoice['status'] == 'Settled'
        is_taken_back = invoice_id in self.history.was_settled and not is_settled
        came_in = wallet = payment.received + self._sum_fees(invoice_id)
        if is_taken_back:
            came_in = max(came_in, payment.amount)
        # What counted by the merchant's word may vanish afterwards
        if payment.booked > came_in and not told:
            self.bad('More is booked than came in:', payment)
        if payment.returned > wallet and not is_taken_back:
            self.bad('More is given back than came in:', payment)
        if payment.booked < payment.returned and not self.history.broken:
            self.bad('Given back, but never booked:', payment)
        # What came after the server's monitoring, and of which nobody told, Odoo does not know.
        is_unknown = payment.invoice['monitoringExpiration'] <= self.truth.now and (
            payment.root['paid'] < payment.received
        )
        if is_settled and not is_unknown:
            wanted = max(min(payment.received - payment.returned, payment.amount), ZERO)
            # Whoever pays more after a part was given back is not taken to pay that again
            is_more = payment.root['state'] == 'done' and payment.net < wanted
            # What came after it had counted is booked once it is confirmed
            is_more = is_more and (told or self.truth.is_unconfirmed(payment.invoice))
            # What was booked before the network's fee was taken off stays booked
            most = max(min(wallet - payment.returned, payment.amount), ZERO)
            if not wanted <= payment.net <= most and not is_more:
                self.bad(f'Settled, so {wanted} should be for the documents:', payment)
        if payment.undecided >= CENT and not told and not is_unknown and (
            not self.truth.waits_for_confirmation(payment.invoice)
        ):
            self.bad('Neither booked nor given back, and nobody is told:', payment)

    def _sum_fees(self, invoice_id):
        """What the server took off for the network's fee: it came in, and may be given back."""
        return sum((
            Decimal(paid['fee'] or 0) * Decimal(method['rate'] or 0)
            for method in self.rig.world.payment_methods(invoice_id).values()
            for paid in method['payments'] if paid['status'] != 'Invalid'
        ), ZERO).quantize(CENT)

    def _is_told(self, payment):
        document = self.truth.document_of.get(payment.root['id'])
        return self.truth.told.get(document) and bool(payment.root['note'])

    # --- documents --------------------------------------------------------------------------------

    def _documents(self):
        nets = defaultdict(Decimal)
        for payment in self.payments:
            nets[self.truth.document_of.get(payment.root['id'])] += payment.net
        for documents in self._groups():
            order_ids = [number for model, number in documents if model == 'sale.order']
            moves = [number for model, number in documents if model == 'account.move']
            others = sum((self._cents(tx['amount']) for tx in self.truth.txs
                          if tx['order_id'] in order_ids and tx['state'] == 'done'
                          and tx['provider'] != self.rig.provider_id), ZERO)
            rows = self._exact(
                'SELECT name, state, round(amount_total, 2)::text AS total FROM sale_order'
                ' WHERE id = ANY(%s)', order_ids) or self._exact(
                'SELECT name, state, round(amount_total, 2)::text AS total FROM account_move'
                " WHERE id = ANY(%s) AND state = 'posted'", [
                    move for move in moves if move not in self.history.places.values()])
            is_known = bool((self.history.changed | self.history.cancelled) & {*order_ids}) or (
                # What Odoo cannot post-process of another provider is never compared
                bool(others) and self.history.broken)
            # Who takes a payment out of the books and into them again sees what pays besides
            is_known |= any(self.truth.document_of.get(tx) in documents
                            for tx in self.history.taken_back)
            net = sum((nets[document] for document in documents), ZERO)
            self._group(rows, net, others, moves, is_known or any(
                self.truth.told.get(document) for document in documents))
        for row in self._exact(
            'SELECT name, state, round(amount_residual, 2)::text AS residual FROM account_move'
            ' WHERE id = ANY(%s) AND amount_residual < 0', list(self.history.moves)):
            self.bad('Less than nothing is due:', row)

    def _groups(self):
        """:return: sets of documents, each of which may be paid by what pays another one"""
        groups = [{('sale.order', order_id)} for order_id in self.history.orders]
        for move, order_ids in self.history.moves.items():
            ties = {('account.move', move), *(('sale.order', order) for order in order_ids)}
            if move in self.history.places:
                ties.add(('account.move', self.history.places[move]))
            tied = [group for group in groups if group & ties]
            groups = [group for group in groups if not group & ties] + [ties.union(*tied)]
        return groups

    def _group(self, rows, net, others, moves, is_told):
        """More than what is to be paid came in for documents, and is kept: somebody knows."""
        total = sum((row['total'] for row in rows), ZERO)
        banked = sum((self._cents(self.history.banked[move]) for move in moves), ZERO)
        credited = sum((self._cents(self.history.credited[move]) for move in moves
                        if move not in self.history.places.values()), ZERO)
        kept = net + others + banked
        is_known = is_told or bool(self.history.credited_though_paid.intersection(moves))
        if net and kept > total - credited and not is_known:
            self.bad(f'{kept} is kept, {banked} by bank, {others} otherwise; {credited} is '
                     f'credited of {total}; and nobody is told:', rows)

    @staticmethod
    def _cents(amount):
        return Decimal(str(amount)).quantize(CENT)
