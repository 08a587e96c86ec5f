"""A small server that stands for Mollie, for Stripe and for a BTCPay Server, equally quick.

What is measured is Odoo: each answer is ready-made but for ids and amounts. Those of the BTCPay
Server are the stand-in's, see `recorded.py`.

    python -m dev.bench.server RECORDED.json      says its port and ends with its standard input
"""
import itertools
import json
import re
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from .recorded import STORE, Recorded

ROUTES = []
CARD = {'method': 'creditcard', 'details': {'cardLabel': 'Visa'}}


def route(method, path):
    def register(function):
        ROUTES.append((method, re.compile(path), function))
        return function
    return register


class Invoice:
    """An invoice of the BTCPay Server, or a payment of another's.

    :param str state: `open` or `paid`; None: as the server says of all
    """

    __slots__ = ('amount', 'id', 'made', 'metadata', 'order', 'state')

    def __init__(self, number, order, amount, made, metadata=None, state=None):
        self.id, self.order, self.amount, self.made = number, order, amount, made
        self.metadata, self.state = metadata or {'orderId': order}, state


class Books:
    """What the server knows.

    :param dict recorded: see :func:`recorded.record`
    """

    def __init__(self, recorded):
        self.recorded = recorded
        self.lock = threading.Lock()
        self.numbers = itertools.count(1)
        self.payments, self.by_order = {}, {}
        self.calls, self.state = 0, 'open'
        self.hangs, self.released = False, threading.Event()

    def add(self, prefix, order, amount, **values):
        with self.lock:
            made = Invoice(f'{prefix}{next(self.numbers)}', order, amount, time.time(), **values)
            self.keep(made)
        return made

    def keep(self, payment):
        self.payments[payment.id] = payment
        self.by_order[payment.order] = payment

    def state_of(self, payment):
        return payment.state or self.state

    def text_of(self, invoice):
        """:return: the invoice as the stand-in writes it"""
        recorded = self.recorded[self.state_of(invoice)]
        values = json.loads(recorded.invoice.replace(recorded.id, invoice.id))
        late = round(invoice.made) - values['createdTime']
        for name in ('createdTime', 'expirationTime', 'monitoringExpiration'):
            values[name] += late
        return json.dumps({**values, 'metadata': invoice.metadata})


# --- Mollie and Stripe ----------------------------------------------------------------------------

@route('POST', r'/mollie/v2/payments')
def create_mollie(books, request):
    data = json.loads(request.body)
    payment = books.add('tr_', data['description'], data['amount'])
    return {'id': payment.id, '_links': {'checkout': {'href': f'https://mollie.test/{payment.id}'}}}


@route('GET', r'/mollie/v2/payments/(\w+)')
def read_mollie(books, _request, payment_id):
    payment = books.payments[payment_id]
    return {'id': payment.id, 'status': books.state_of(payment), 'amount': payment.amount, **CARD}


@route('POST', r'/stripe/v1/customers')
def create_customer(_books, _request):
    return {'id': 'cus_1'}


def intent(books, payment):
    return {
        'id': payment.id, 'object': 'payment_intent', 'description': payment.order,
        'client_secret': f'{payment.id}_secret', 'amount': payment.amount, 'currency': 'usd',
        'status': {'open': 'requires_action', 'paid': 'succeeded'}[books.state_of(payment)],
        'payment_method': {'id': 'pm_1', 'type': 'card', 'card': {'brand': 'visa'}},
    }


@route('POST', r'/stripe/v1/payment_intents')
def create_intent(books, request):
    data = parse_qs(request.body.decode())
    return intent(books, books.add('pi_', data['description'][0], int(data['amount'][0])))


@route('GET', r'/stripe/v1/payment_intents/(\w+)')
def read_intent(books, _request, payment_id):
    return intent(books, books.payments[payment_id])


# --- BTCPay Server --------------------------------------------------------------------------------

INVOICES = f'/api/v1/stores/{STORE}/invoices'


@route('POST', INVOICES)
def create_invoice(books, request):
    data = json.loads(request.body)
    metadata = data['metadata']
    return books.text_of(books.add('inv', metadata['orderId'], data['amount'], metadata=metadata))


@route('GET', INVOICES + r'/(\w+)')
def read_invoice(books, _request, invoice_id):
    return books.text_of(books.payments[invoice_id])


@route('GET', INVOICES + r'/(\w+)/payment-methods')
def read_methods(books, _request, invoice_id):
    recorded = books.recorded[books.state_of(books.payments[invoice_id])]
    return recorded.methods.replace(recorded.id, invoice_id)


@route('GET', INVOICES)
def list_invoices(books, request):
    found = (books.by_order.get(order) for order in request.query.get('orderId', ()))
    return f'[{",".join(books.text_of(invoice) for invoice in found if invoice)}]'


@route('GET', rf'/api/v1/stores/{STORE}/(?:pull-payments|payouts)')
def list_nothing(_books, _request):
    return []


# --- for the measuring ----------------------------------------------------------------------------

@route('GET', '/bench/calls')
def calls(books, _request):
    return books.calls


@route('POST', '/bench/state')
def set_state(books, request):
    """What is said of all payments that have no state of their own."""
    books.state = json.loads(request.body)
    return True


@route('POST', '/bench/invoices')
def set_invoices(books, request):
    """Invoices that are there already: id, order, state, when made."""
    with books.lock:
        for number, order, state, made in json.loads(request.body):
            books.keep(Invoice(number, order, None, made, state=state))
    return True


@route('POST', '/bench/made')
def tell_made(books, request):
    """When an invoice was made, by its id."""
    return books.payments[json.loads(request.body)].made


@route('POST', '/bench/hang')
def set_hanging(books, request):
    """From now on calls are accepted and not answered, or again answered."""
    books.hangs = json.loads(request.body)
    if books.hangs:
        books.released.clear()
    else:
        books.released.set()
    return True


class Handler(BaseHTTPRequestHandler):
    """:ivar dict query: of the address    :ivar bytes body: what was sent"""

    protocol_version = 'HTTP/1.1'
    disable_nagle_algorithm = True
    wbufsize = -1  # one packet an answer

    def do_GET(self):
        books = self.server.books
        parts = urlsplit(self.path)
        self.query = parse_qs(parts.query)
        self.body = self.rfile.read(int(self.headers.get('Content-Length') or 0))
        if not parts.path.startswith('/bench/'):
            with books.lock:
                books.calls += 1
            if books.hangs:
                books.released.wait()
        answer = None
        for method, pattern, function in ROUTES:
            match = method == self.command and pattern.fullmatch(parts.path)
            if match:
                try:
                    answer = function(books, self, *match.groups())
                except KeyError:
                    pass
                break
        text = answer if isinstance(answer, str) else json.dumps(answer)
        body = text.encode()
        self.send_response(404 if answer is None else 200)
        self.send_header('Content-Type', 'application/json')
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    do_POST = do_GET

    def log_message(self, *_args):
        pass

    def handle(self):
        try:
            super().handle()
        except OSError:
            pass  # Who called has gone.


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def __init__(self, recorded):
        super().__init__(('127.0.0.1', 0), Handler)
        self.books = Books(recorded)
        self.url = f'http://127.0.0.1:{self.server_port}'


def main():
    with open(sys.argv[1]) as file:
        recorded = {state: Recorded(**values) for state, values in json.load(file).items()}
    server = Server(recorded)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(server.server_port, flush=True)
    sys.stdin.read()


if __name__ == '__main__':
    main()
