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
        expected = 'pending'
        if paid_out == amount or (pull_payment['archived'] and paid_out):
            expected, amount = 'done', paid_out
        elif pull_payment['archived']:
            expected = 'cancel'
        is_on_its_way = pull_payment['id'] in self.history.on_its_way and pull_payment['archived']
        if row['state'] != expected and not is_on_its_way:
            self.bad(f'The refund should be {expected}:', row, pull_payment, paid_out)
        elif row['state'] not in VAIN and -row['amount'] != amount:
            self.bad(f'The refund should be of {amount}:', row)
        if row['in_books'] and row['state'] != 'done':
            self.bad('A refund is booked that was not paid out:', row)
        # The last of the money takes back what had been written off
        if row['state'] == 'done' and not self.history.broken and (
            row['direction'], row['in_books'], row['entry'] + row['written_off']
        ) != ('outbound', -row['amount'], -row['amount']):
            self.bad('A refund is not booked as it was paid out:', row)

    # --- what came in -----------------------------------------------------------------------------

    def _books(self, payment):
        """What came in is booked once; parts of a receipt that was split share its payment."""
        in_books = sum((row['in_books'] for row in payment.money), ZERO)
        entries = sum((row['entry'] for row in payment.money), ZERO)
        if {row['direction'] for row in payment.money} - {'inbound', None}:
            self.bad('A receipt is booked as money that went out:', payment)
        expected = (payment.booked, payment.booked + payment.written_off)
        # What cannot be confirmed is not booked either
        if (in_books, entries) != expected and not (
            self.history.broken and in_books < payment.booked
        ):
            self.bad(f'{in_books} is in the books, with {entries} of the customer:', payment)

    def _sums(self, payment):
        invoice_id, told = payment.invoice['id'], self._is_told(payment)
        is_settled = payment.invoice['status'] == 'Settled'
        is_taken_back = invoice_id in self.history.was_settled and not is_settled
        came_in = wallet = payment.received + self._sum_fees(invoice_id)
        if is_taken_back:
            came_in = max(came_in, payment.amount)
        if payment.booked > came_in:
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
            if payment.net != wanted and not is_more:
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
        for order_id in self.history.orders:
            moves = [move for move, order in self.history.moves.items() if order == order_id]
            net = nets['sale.order', order_id] + sum(nets['account.move', move] for move in moves)
            others = sum((self._cents(tx['amount']) for tx in self.truth.txs
                          if tx['order_id'] == order_id and tx['state'] == 'done'
                          and tx['provider'] != self.rig.provider_id), ZERO)
            row = self._exact(
                'SELECT name, state, round(amount_total, 2)::text AS total FROM sale_order '
                'WHERE id = %s', order_id)[0]
            is_known = order_id in self.history.changed | self.history.cancelled or (
                # What Odoo cannot post-process of another provider is never compared
                bool(others) and self.history.broken)
            self._document(row, net, others, moves, is_known or self._is_told_of(
                ('sale.order', order_id), *(('account.move', move) for move in moves)))
        for move, order_id in self.history.moves.items():
            row = self._exact(
                'SELECT name, state, round(amount_total, 2)::text AS total,'
                ' round(amount_residual, 2)::text AS residual FROM account_move'
                ' WHERE id = %s', move)[0]
            if order_id is None:
                net = nets['account.move', move]
                self._document(
                    row, net, ZERO, [move], self._is_told_of(('account.move', move)))
            if row['residual'] < 0:
                self.bad('Less than nothing is due:', row)

    def _is_told_of(self, *documents):
        return any(self.truth.told.get(document) for document in documents)

    def _document(self, row, net, others, moves, is_told):
        """More than what is to be paid came in for a document, and is kept: somebody knows."""
        banked = sum((self._cents(self.history.banked[move]) for move in moves), ZERO)
        credited = sum((self._cents(self.history.credited[move]) for move in moves), ZERO)
        kept = net + others + banked
        is_known = is_told or bool(self.history.credited_though_paid.intersection(moves))
        if net and kept > row['total'] - credited and not is_known:
            self.bad(f'{kept} is kept, {banked} by bank, {others} otherwise; {credited} is '
                     'credited; and nobody is told:', row)

    @staticmethod
    def _cents(amount):
        return Decimal(str(amount)).quantize(CENT)
