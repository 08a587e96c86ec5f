"""What happens in a sequence: each method is one step, and says what it did."""
from collections import Counter

from ..world import Refused
from .forgery import KINDS, WITHOUT_EFFECT, Forger
from .office import Office
from .shop import Shop
from .truth import Violation


class Actions:
    """:ivar Rig rig: set by who runs the sequences
    :ivar Counter counts: steps, faults and sequences so far
    :ivar list first_failure: the steps of the sequence that failed first, for a person
    :ivar History history: what was done on purpose, set when a sequence begins
    """

    rig = None
    counts = Counter()
    first_failure = None
    history = None

    # --- book-keeping -----------------------------------------------------------------------------

    def __init__(self):
        super().__init__()
        self.steps = []
        self.attempts = []
        self.replaceable = []
        self.failed = self.is_begun = self.are_answers_spoilt = False
        self.shop = Shop(self.rig)
        self.office = Office(self.rig)
        self.forger = Forger(self.rig)

    def did(self, text, fault=None):
        self.steps.append(text)
        self.counts['steps'] += 1
        if fault:
            self.counts[f'fault: {fault}'] += 1

    def fail(self, text):
        self.failed = True
        if not Actions.first_failure:
            Actions.first_failure = [*self.steps, f'VIOLATION: {text}']
        raise Violation(text)

    def attempt(self, number):
        """:return: one of the attempts that are known to the server, newest first, or None"""
        known = [attempt for attempt in reversed(self.attempts) if self.invoice_id(attempt)]
        return known[number % len(known)] if known else None

    def invoice_id(self, attempt):
        found = getattr(attempt, 'invoice_id', None)
        if not found:
            # Not by the API, whose answers are spoilt
            invoices = self.rig.world.control('/invoices', method='GET')
            found = next((i['id'] for i in invoices if i['orderId'] == attempt.reference
                          and i['id'] not in self.history.foreign), None)
            attempt.invoice_id = found
        return found

    def order_id(self, number):
        orders = sorted(self.history.orders, reverse=True)
        return orders[number % len(orders)]

    def after(self):
        """What is always so, and after each step."""
        try:
            self.rig.world.wait_deliveries(timeout=60)
        except AssertionError as error:
            self.fail(str(error))
        done = {row['id'] for row in self.rig.sql(
            "SELECT id FROM payment_transaction WHERE state = 'done' AND provider_id = %s",
            self.rig.provider_id)}
        if self.history.seen_done - done:
            self.fail(f'Done no more: {self.history.seen_done - done}')
        self.history.seen_done |= done

    # --- customers --------------------------------------------------------------------------------

    def new_order(self, amount, promotion=None):
        order_id = self.shop.new_order(amount, promotion)
        self.history.orders.add(order_id)
        self.did(f'order {order_id} over {amount}{f", {promotion}" if promotion else ""}')
        self.pay_button(order_id)

    def pay_button(self, order_id):
        if not self.rig.is_enabled:
            return
        attempt = self.shop.checkout(order_id)
        self.did(f'customer chooses Bitcoin for order {order_id}: {attempt.reference}')
        if 'error' in attempt.answer or not attempt.reference:
            self.fail(f'The customer was given an error: {attempt.answer}')
        self.attempts.append(attempt)
        self.after()

    def try_again(self, number):
        order_id = self.order_id(number)
        order = self.shop.order(order_id)
        if order['state'] == 'sent' and self.shop.paid(order_id) < order['amount_total']:
            self.pay_button(order_id)

    def pay(self, number, fraction, method, replaceable):
        attempt = self.attempt(number)
        if not attempt:
            return
        invoice_id = attempt.invoice_id
        before = self.rig.world.invoice(invoice_id)
        try:
            paid = self.rig.world.pay(
                invoice_id, method, fraction=fraction if method == 'BTC-CHAIN' else None,
                replaceable=replaceable and method == 'BTC-CHAIN')
        except Refused:
            return  # as a Lightning invoice that is paid or expired
        if before['status'] != 'Invalid' and not replaceable:
            self.history.paid_while_open.add(invoice_id)
        if replaceable and method == 'BTC-CHAIN':
            self.replaceable.append(paid)
        self.did(f'{attempt.reference} is paid: {fraction} by {method}'
                 f'{", replaceable" if replaceable else ""}, was {before["status"]}')
        self.after()

    def replace(self):
        try:
            self.rig.world.replace(self.replaceable.pop())
        except (IndexError, Refused):
            return  # nothing is, or it is confirmed
        self.did('payment replaced', 'payment replaced')
        self.after()

    def return_page(self, number):
        attempt = self.attempts[-1 - number % len(self.attempts)]
        status = self.shop.return_page(attempt)
        self.did(f'customer comes back: {attempt.reference}')
        if status != 303:
            self.fail(f'The return page answered {status}')
        self.after()

    def poll(self, number):
        attempt = self.attempts[-1 - number % len(self.attempts)]
        answer = self.shop.poll(attempt)
        self.did(f"customer's page asks: {attempt.reference}")
        if 'error' in answer and not self.rig.broken:
            self.fail(f'The status page answered {answer}')
        self.after()

    # --- the server and the chain -----------------------------------------------------------------

    def mine(self, blocks):
        self.rig.world.mine(blocks)
        self.did(f'{blocks} blocks')
        self.after()

    def expire(self, number):
        attempt = self.attempt(number)
        if attempt and self.rig.world.invoice(attempt.invoice_id)['status'] == 'New':
            self.rig.world.expire(attempt.invoice_id)
            self.did(f'{attempt.reference} expires')
            self.after()

    def time_passes(self, seconds):
        self.rig.pass_time(seconds)
        self.did(f'{seconds} seconds pass')
        self.after()

    def mark(self, number, status):
        attempt = self.attempt(number)
        if not attempt:
            return
        if self.rig.world.invoice(attempt.invoice_id)['status'] == 'Settled':
            self.history.was_settled.add(attempt.invoice_id)
        try:
            self.rig.world.mark(attempt.invoice_id, status)
        except Refused:
            return
        self.history.turns += 1
        if status == 'Invalid':
            self.history.marked_invalid.add(attempt.invoice_id)
        self.did(f'merchant marks {attempt.reference} {status}')
        self.after()

    def archive(self, number):
        attempt = self.attempt(number)
        if attempt and not self.are_answers_spoilt:
            self.rig.world.archive(attempt.invoice_id)
            self.did(f'merchant archives the invoice of {attempt.reference}')

    def foreign_invoice(self, number, same_order, same_amount, is_paid):
        """Another system uses the same store, perhaps with the same references."""
        if self.are_answers_spoilt:
            return  # the merchant's own too
        attempt = self.attempts[-1 - number % len(self.attempts)]
        reference = attempt.reference if same_order else 'somebody-else'
        amount = self.rig.sql(
            'SELECT round(amount, 2)::text AS amount FROM payment_transaction WHERE id = %s',
            attempt.tx)[0]['amount'] if same_amount else '77.77'
        invoice = self.rig.world.new_invoice(
            self.rig.store_id, amount, metadata={'orderId': reference})
        self.history.foreign.add(invoice['id'])
        if is_paid:
            self.rig.world.pay(invoice['id'], 'BTC-LN')
        self.did(f"an invoice over {amount} for {reference} that is not Odoo's"
                 f'{" is paid" if is_paid else ""}', 'invoice of somebody else')
        self.after()

    # --- what goes wrong --------------------------------------------------------------------------

    def server_fails(self, fault, count, path):
        kind, after = fault
        self.are_answers_spoilt = True
        # What the merchant calls has no store in its path
        self.rig.world.fault(
            kind, f'/stores/.*{path}', count=1 if kind in ('hang', 'slow') else count,
            seconds=1.5 if kind == 'hang' else 0.2, after=after)
        self.did(f'server: {kind}{", but it takes effect" if after else ""}, {count}x {path}',
                 f'server {kind}{" after the effect" if after else ""}')

    def webhook_fails(self, kind, count):
        self.rig.world.webhook_fault(kind, count=count, seconds=0.2)
        self.did(f'webhooks: {kind}, {count}x', f'webhook {kind}')

    def way_to_odoo_fails(self, mode):
        self.rig.gate.mode = mode
        self.did(f'way to Odoo: {mode}', f'way to Odoo {mode}')

    def faults_end(self):
        self.rig.world.clear_faults()
        self.are_answers_spoilt = False
        self.rig.gate.mode = 'open'
        self.did('faults end')

    def server_restarts(self):
        self.rig.world.restart()
        self.did('server restarts and loses its queue', 'server restart')

    def odoo_restarts(self, really):
        if not really:  # it takes seconds
            return
        self.rig.restart_odoo()
        self.did('Odoo restarts', 'Odoo restart')

    def module_breaks(self, broken):
        self.rig.tell_odoo(self.rig.offset, broken)
        self.history.ever_broken |= broken
        self.did(f'orders cannot be confirmed: {broken}', 'confirmation fails' if broken else None)

    def forge(self, kind, number):
        attempt = self.attempts[-1 - number % len(self.attempts)]
        before = self.everything()
        status, delivery_id = self.forger.send(
            kind, self.invoice_id(attempt) or 'none', attempt.reference, number)
        self.did(f'event that is not the server\'s: {kind} for {attempt.reference}: {status}',
                 f'event {kind}')
        if status not in KINDS[kind]:
            self.fail(f'Odoo answered {status}')
        if kind in WITHOUT_EFFECT and self.everything() != before:
            self.fail(f'A refused event changed something: {kind}')
        self.after()
        if kind in WITHOUT_EFFECT:
            self.history.forged.add(delivery_id)

    def everything(self):
        return self.rig.sql(
            'SELECT (SELECT md5(string_agg(t::text, chr(10) ORDER BY id)) '
            '        FROM payment_transaction t) AS transactions, '
            '       (SELECT md5(string_agg(d::text, chr(10) ORDER BY id)) '
            '        FROM btcpay_delivery d) AS deliveries, '
            '       (SELECT count(*) FROM mail_message) AS messages')

    def redeliver(self, number):
        try:
            deliveries = self.rig.world.deliveries(self.rig.webhook_id)
        except Refused:
            return  # the webhook was removed
        if deliveries:
            self.rig.world.redeliver(
                self.rig.webhook_id, deliveries[number % len(deliveries)]['id'])
            self.did('merchant has an event sent again', 'webhook redelivered')
            self.after()

    # --- the shop ---------------------------------------------------------------------------------

    def scheduled_action(self, number):
        self.rig.run_cron(number)
        self.did(f'scheduled action {number}')
        self.after()

    def scheduled_actions(self):
        self.rig.run_crons()
        self.did('scheduled actions')
        self.after()

    def press(self, number, button):
        attempt = self.attempts[-1 - number % len(self.attempts)]
        said = self.shop.click(attempt.tx, button)
        self.did(f'{button} on {attempt.reference}: {said or "done"}')
        self.after()

    def cancel(self, number):
        order_id = self.order_id(number)
        if self.shop.paid(order_id):
            self.history.cancelled_though_paid.add(order_id)
        self.shop.cancel(order_id)
        self.history.cancelled.add(order_id)
        self.did(f'order {order_id} is cancelled')
        self.after()

    def reopen(self, number):
        order_id = self.order_id(number)
        if self.shop.order(order_id)['state'] == 'cancel':
            self.shop.reopen(order_id)
            self.history.turns += 1
            self.did(f'order {order_id} is a quotation again')
            self.after()

    def change(self, number, amount):
        order_id = self.order_id(number)
        if self.shop.order(order_id)['state'] in ('draft', 'sent', 'sale'):
            self.shop.change(order_id, amount)
            self.history.changed.add(order_id)
            self.did(f'order {order_id} is changed to {amount}')
            self.after()

    def pay_otherwise(self, number):
        order_id = self.order_id(number)
        if (
            self.shop.order(order_id)['state'] in ('sent', 'sale')
            and order_id not in self.history.paid_otherwise
        ):
            self.shop.pay_otherwise(order_id)
            self.history.paid_otherwise.add(order_id)
            self.did(f'order {order_id} is paid by wire')
            self.after()
