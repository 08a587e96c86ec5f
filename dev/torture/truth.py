"""What has to be so whatever happened, once the faults are over and Odoo has looked after all."""
from collections import Counter
from decimal import Decimal

from .ledger import Ledger

CENT = 0.005
#: the first tells why a customer could not pay; the second Odoo says of what is tried again
EXPECTED = ('No invoice for transaction', 'bad query')
#: what is logged where an order cannot be confirmed
BROKEN = ("Somebody's module is broken", 'post-processing', 'not confirmed', 'odoo.http')


class Violation(AssertionError):
    """Something is so that must not be. The message says what."""


def told(rig, document):
    """:return: whether a document is on somebody's list, claims of refunds aside"""
    model, record_id = document
    return bool(rig.sql(
        'SELECT 1 FROM mail_activity a WHERE res_model = %s AND res_id = %s AND active AND NOT '
        'EXISTS (SELECT 1 FROM payment_transaction WHERE btcpay_claim_activity_id = a.id)',
        model, record_id))


class Truth:
    """Compares what Odoo has with the money at the server.

    :param Rig rig: the stack
    :param History history: what happened on purpose, see there
    """

    def __init__(self, rig, history):
        self.rig = rig
        self.history = history
        self.found = []

    def check(self):
        """:raise Violation: with all that is not as it has to be"""
        self.now = self.rig.world.state()['now']
        self.invoices = self.rig.world.api(
            'GET', f'/stores/{self.rig.store_id}/invoices',
            params={'take': 1000, 'includeArchived': True})
        self.txs = self.rig.sql(
            'SELECT t.id, t.reference, t.state, t.amount::float, t.source_transaction_id AS source,'
            ' t.btcpay_invoice_id AS invoice, t.btcpay_status AS status,'
            ' t.btcpay_additional_status AS additional, t.btcpay_paid_amount::float AS paid,'
            ' t.btcpay_pending_action AS intention, t.is_post_processed AS processed,'
            ' t.btcpay_review_note AS note, t.provider_id AS provider,'
            ' COALESCE(t.btcpay_difference_amount, 0)::float AS missing, r.order_id, i.move_id'
            ' FROM payment_transaction t'
            ' LEFT JOIN LATERAL (SELECT min(sale_order_id) AS order_id FROM'
            '  sale_order_transaction_rel WHERE transaction_id = t.id) r ON TRUE'
            # Odoo links an order's payments with its invoice, too
            ' LEFT JOIN LATERAL (SELECT min(invoice_id) AS move_id FROM'
            '  account_invoice_transaction_rel WHERE transaction_id = t.id) i'
            ' ON r.order_id IS NULL'
            " WHERE t.operation <> 'refund'"
            ' AND (r.order_id = ANY(%s) OR i.move_id = ANY(%s)) ORDER BY t.id',
            list(self.history.orders), list(self.history.moves))
        self.refunds = self.rig.sql(
            'SELECT btcpay_root_id AS root, reference, state FROM payment_transaction '
            "WHERE operation = 'refund' AND provider_id = %s", self.rig.provider_id)
        self.ours = [tx for tx in self.txs if tx['provider'] == self.rig.provider_id]
        self.document_of = {tx['id']: (
            ('sale.order', tx['order_id']) if tx['order_id'] else ('account.move', tx['move_id'])
        ) for tx in self.txs}
        self.told = {document: told(self.rig, document) for document in (
            *(('sale.order', order) for order in self.history.orders),
            *(('account.move', move) for move in self.history.moves),
        )}
        for _time in range(2):  # What took the place of another is asked about for both
            for pair in self.history.places.items():
                either = any(self.told['account.move', move] for move in pair)
                self.told.update({('account.move', move): either for move in pair})
        for check in (self.invoices_at_the_server, self.transactions, self.orders, self.deliveries,
                      self.alarms, self.answers, self.logs, Ledger(self).check):
            check()
        if self.found:
            raise Violation('\n'.join(self.found))

    def bad(self, text, *things):
        self.found.append(' '.join([text, *(f'{thing}' for thing in things)]))

    # --- money ------------------------------------------------------------------------------------

    def invoices_at_the_server(self):
        for invoice in self.invoices:
            if invoice['id'] in self.history.foreign:
                if any(tx['invoice'] == invoice['id'] for tx in self.txs):
                    self.bad("Somebody else's invoice was taken for ours:", invoice['id'])
                continue
            tx = next((tx for tx in self.ours if tx['reference'] == invoice['metadata']['orderId']
                       and not tx['source']), None)
            if not tx:
                self.bad('No transaction has the invoice', invoice['id'])
            elif tx['invoice'] != invoice['id']:
                if Decimal(invoice['paidAmount']):
                    self.bad('The transaction does not know its invoice:', tx, invoice['id'])
            else:
                self.invoice(invoice, tx)

    def invoice(self, invoice, tx):
        status, additional = invoice['status'], invoice['additionalStatus']
        paid = float(invoice['paidAmount'])
        booked = sum(t['amount'] - t['missing'] for t in self.ours
                     if t['source'] == tx['id'] and t['state'] == 'done')
        told = self.told[self.document_of[tx['id']]] and bool(tx['note'])
        refunded = any(refund['root'] == tx['id'] for refund in self.refunds)
        what = f'{status}/{additional}, {paid} paid: {tx}'
        if booked and tx['state'] == 'done':
            self.bad('Booked in part and as a whole:', what)
        if status == 'Settled':
            # What the merchant says after the server's monitoring has to be told.
            is_unknown = invoice['monitoringExpiration'] <= self.now and (
                (tx['status'], tx['additional']) != (status, additional)
            )
            if tx['state'] != 'done' and not booked and not refunded and not is_unknown:
                self.bad('Settled, but not done:', what)
        elif booked and invoice['id'] in self.history.was_settled and not told and not refunded:
            self.bad('Booked in parts, taken back at the server, and nobody is told:', what)
        elif tx['state'] == 'done':
            if invoice['id'] not in self.history.was_settled:
                self.bad('Done without money:', what)
            elif not told and status in ('Invalid', 'Expired'):
                self.bad('Taken back at the server, and nobody is told:', what)
        if paid and tx['state'] == 'draft':
            self.bad('Money on a transaction that is still a draft:', what)
        if status in ('Expired', 'Invalid') and tx['state'] in ('draft', 'pending'):
            self.bad('Still open in Odoo:', what)
        if (
            (status, additional) == ('Invalid', 'Marked')
            and invoice['id'] in self.history.paid_while_open
            and invoice['id'] not in self.history.marked_invalid and paid
        ):
            self.bad('An invoice with money on it was withdrawn:', what)
        if invoice['monitoringExpiration'] > self.now and (
            (tx['status'], tx['additional']) != (status, additional)
            or abs(tx['paid'] - paid) > CENT
        ):
            self.bad('Odoo does not know it:', what)

    def waits_for_confirmation(self, invoice):
        """Whether money is accepted by itself as soon as it is confirmed, and still watched.

        What comes for an invoice that is settled, by hand too, is booked without a setting.
        """
        return (
            (self.history.accepts or invoice['status'] == 'Settled')
            and invoice['monitoringExpiration'] > self.now and self.is_unconfirmed(invoice)
        )

    def is_unconfirmed(self, invoice):
        """Whether some of what came in may still vanish."""
        return any(payment['status'] == 'Processing'
                   for method in self.rig.world.payment_methods(invoice['id']).values()
                   for payment in method['payments'])

    # --- transactions and orders ------------------------------------------------------------------

    def transactions(self):
        known = {invoice['id'] for invoice in self.invoices}
        for tx in self.ours:
            if tx['state'] == 'done' and tx['invoice'] not in known and not tx['source']:
                self.bad('Done without an invoice:', tx)
            if tx['intention']:
                self.bad('Not carried out:', tx)
        for row in self.rig.sql(
            "SELECT reference, state FROM payment_transaction WHERE id = ANY(%s) "
            "AND state <> 'done'", list(self.history.seen_done)):
            self.bad('Done no more:', row)

    def orders(self):
        for order_id in self.history.orders:
            self._order(self.rig.sql(
                'SELECT id, name, state, amount_total::float AS total FROM sale_order '
                'WHERE id = %s', order_id)[0])

    def _order(self, order):
        done = [tx for tx in self.txs if tx['order_id'] == order['id'] and tx['state'] == 'done']
        paid = sum(tx['amount'] for tx in done)
        told = self.told['sale.order', order['id']]
        subjects = Counter(row['subject'] for row in self.rig.sql(
            "SELECT subject FROM mail_message WHERE model = 'sale.order' AND res_id = %s "
            'AND subject IS NOT NULL', order['id']))
        asked = any('your partial payment' in subject for subject in subjects)
        whole = [tx for tx in done if not tx['source']]
        ours = [tx for tx in whole if tx['provider'] == self.rig.provider_id]
        if (
            ours and order['state'] != 'sale' and not told
            and order['id'] not in self.history.cancelled_though_paid
        ):
            self.bad('Done, but the order is neither confirmed nor on a list:', order, done)
        if done and not whole and order['state'] != 'sale' and not told and not asked:
            self.bad('A part is booked, and nobody is asked for the rest:', order, done)
        if (
            ours and paid > order['total'] - CENT and order['state'] != 'sale'
            and order['id'] not in self.history.cancelled and not self.history.broken
        ):
            self.bad('Paid, but not confirmed:', order, done)
        # What came by others alone is Odoo's own matter, promotions or not
        is_ours = any(tx['provider'] == self.rig.provider_id for tx in done)
        if (
            is_ours and order['state'] == 'sale' and paid < order['total'] - CENT
            and order['id'] not in self.history.changed | self.history.confirmed and not told
        ):
            self.bad('Confirmed, but not paid:', order, done)
        confirmations = subjects[f'CONFIRMED {order["name"]}']
        if confirmations != (order['state'] == 'sale') and not (
            confirmations == 1 and order['id'] in self.history.cancelled
        ) and not (
            confirmations == 0 and order['id'] in self.history.confirmed
        ):
            self.bad('Confirmation mails:', confirmations, order)
        # One when a payment is seen, one when it is done without confirming the order
        most = 2 * sum(tx['order_id'] == order['id'] for tx in self.txs)
        if subjects[f'EXECUTED {order["name"]}'] > most:
            self.bad('Mails of a payment:', subjects, order)

    def alarms(self):
        """Each matter is told of once; other people's invoices never are.

        A refund closes the activity that asked for it; when it is canceled there is another, as
        when the merchant takes back what he said.
        """
        found = self.rig.sql(
            'SELECT res_model, res_id, summary, note, count(*), '
            'count(*) FILTER (WHERE active) AS open FROM mail_activity '
            "WHERE (res_model = 'sale.order' AND res_id = ANY(%s)) "
            "OR (res_model = 'account.move' AND res_id = ANY(%s)) "
            'GROUP BY res_model, res_id, summary, note',
            list(self.history.orders), list(self.history.moves))
        canceled = sum(refund['state'] == 'cancel' for refund in self.refunds)
        for row in found:
            if row['open'] > 1 or row['count'] > 1 + canceled + self.history.turns:
                self.bad('Told more than once:', row)
        for text in (*(row['note'] or '' for row in found), *(tx['note'] or '' for tx in self.txs)):
            if any(invoice_id in text for invoice_id in self.history.foreign):
                self.bad("An alarm because of somebody else's invoice:", text)
        for row in self.rig.sql(
            "SELECT model, res_id, subject, count(*) FROM mail_message WHERE message_type <> "
            "'notification' AND subject LIKE '%%your %%' AND model = ANY(%s) AND res_id = ANY(%s) "
            'GROUP BY model, res_id, subject HAVING count(*) > 1',
            ['sale.order', 'account.move'],
            [*self.history.orders, *self.history.moves],
        ):
            self.mailed_again(row)

    def mailed_again(self, row):
        """A refund of the same sum may be made again; its mail tells of another one then."""
        most = max(sum(refund['state'] != 'error' for refund in self.refunds), 1)
        if row['count'] > most:
            self.bad('Mailed more than once:', row)

    # --- deliveries -------------------------------------------------------------------------------

    def deliveries(self):
        kept = {row['delivery_ref']: row for row in self.rig.sql(
            'SELECT d.delivery_ref, d.state, d.reason, d.transaction_id, d.invoice_ref '
            'FROM btcpay_delivery d WHERE provider_id = %s', self.rig.provider_id)}
        for row in kept.values():
            if row['state'] == 'pending':
                self.bad('A delivery waits:', row)
            if row['state'] == 'failed':
                order = next((tx['order_id'] for tx in self.ours
                              if tx['invoice'] == row['invoice_ref']), None)
                if order and not self.told['sale.order', order]:
                    self.bad('A delivery was given up, and nobody is told:', row)
            if row['delivery_ref'] in self.history.forged:
                self.bad('A forged event was kept:', row)
        for delivery in self.rig.world.delivered():
            if delivery['httpCode'] == 200 and delivery['id'] not in kept:
                self.bad('A delivery is not kept:', delivery)

    def answers(self):
        for passed in self.rig.gate.passed:
            if passed.status not in (200, None):
                self.bad('Odoo answered the server', passed.status, passed.body.decode())
        for expected, status in self.history.forged_answers:
            if status not in expected:
                self.bad('Odoo answered a forged event', status)

    def logs(self):
        text = self.rig.log.read_text(errors='replace')[self.history.log_begin:]
        lines = [line for line in text.splitlines() if ' ERROR ' in line or ' CRITICAL ' in line]
        for line in [*lines, *self.rig.errors.found]:
            expected = any(text in line for text in EXPECTED) or (
                self.history.ever_broken and any(text in line for text in BROKEN))
            if not expected:
                self.bad('An error in the log:', line[-400:])
