"""Invoices: create, read, list, metadata, archive, mark, payment methods."""
from datetime import datetime

from .. import invoices, lifecycle, prompts
from ..amounts import plain
from ..errors import ApiError, Invalid, refusal
from ..permissions import require
from .http import Api
from .invoice_json import invoice_json, method_json
from .misc import find_language
from .stores import MODIFY, parse_method

api = Api()

VIEW = 'btcpay.store.canviewinvoices'
CREATE = 'btcpay.store.cancreateinvoice'
CHANGE = 'btcpay.store.canmodifyinvoices'
MAXIMUM = 18446744073709551615
CLIENT = 'BTCPayServer.Client.Models.'
STATUSES = ('New', 'Processing', 'Expired', 'Invalid', 'Settled')
SPEEDS = ('HighSpeed', 'MediumSpeed', 'LowSpeed', 'LowMediumSpeed')
LANGUAGE_MESSAGE = (
    'The requested defaultLang does not exists, Browse the ~/misc/lang page of your BTCPay Server '
    'instance to see the list of supported languages.'
)
#: names the list's status filter takes, older ones too
STATUS_NAMES = {
    'new': 'New', 'paid': 'Processing', 'processing': 'Processing', 'complete': 'Settled',
    'confirmed': 'Settled', 'settled': 'Settled', 'expired': 'Expired', 'invalid': 'Invalid',
}


@api('POST', '/stores/<store_id>/invoices', policy=CREATE)
def create(context):
    body = context.body
    default = body.text('checkout.defaultPaymentMethod')  # may be one that does not exist
    request = {
        'amount': body.decimal('amount'),
        'currency': body.text('currency'),
        'metadata': body.object('metadata') or {},
        'receipt': body.object('receipt') or {},
        'additionalSearchTerms': body.texts('additionalSearchTerms') or [],
        'checkout': {
            'speedPolicy': body.enum('checkout.speedPolicy', SPEEDS, CLIENT + 'SpeedPolicy'),
            'paymentMethods': body.texts('checkout.paymentMethods'),
            'defaultPaymentMethod': parse_method(default) or default,
            'expirationMinutes': body.integer('checkout.expirationMinutes'),
            'monitoringMinutes': body.integer('checkout.monitoringMinutes'),
            'paymentTolerance': body.decimal('checkout.paymentTolerance'),
            'redirectURL': body.text('checkout.redirectURL'),
            'redirectAutomatically': body.boolean('checkout.redirectAutomatically'),
            'defaultLanguage': body.text('checkout.defaultLanguage'),
            'lazyPaymentMethods': body.boolean('checkout.lazyPaymentMethods'),
        },
    }
    body.check()
    _validate(request)
    invoice = invoices.create(context.server, context.store, request, context.url)
    result = invoice_json(context, invoice)
    lifecycle.update(context.server, invoice)  # one of 0 is settled with nothing paid
    return result


def _validate(request):
    problems, checkout = Invalid(), request['checkout']
    amount = request['amount']
    if amount is not None and amount < 0:
        problems.add('Amount', 'The amount should be 0 or more.')
    if amount is not None and amount > MAXIMUM:
        problems.add('Amount', f'The amount should less than {MAXIMUM}.')
    if checkout['paymentMethods'] is not None:
        parsed = [parse_method(method) for method in checkout['paymentMethods']]
        for i, method in enumerate(parsed):
            if method is None:
                problems.add(f'Checkout.PaymentMethods[{i}]', 'Invalid PaymentMethodId')
        checkout['paymentMethods'] = parsed
    minutes = checkout['expirationMinutes']
    if minutes is not None and minutes < 1:
        problems.add('Checkout.Expiration', 'Expiration time must be at least 30 seconds')
    tolerance = checkout['paymentTolerance']
    if tolerance is not None and not 0 <= tolerance <= 100:
        problems.add('Checkout.PaymentTolerance',
                     'PaymentTolerance can only be between 0 and 100 percent')
    if checkout['defaultLanguage'] is not None:
        language = find_language(checkout['defaultLanguage'])
        if language is None:
            problems.add('Checkout.DefaultLanguage', LANGUAGE_MESSAGE)
        checkout['defaultLanguage'] = language
    if checkout['redirectURL'] is not None:
        checkout['redirectURL'] = checkout['redirectURL'].strip()
    problems.check()


@api('GET', '/stores/<store_id>/invoices', policy=VIEW)
def listing(context):
    args = context.request.args
    start, end = _date(context, 'startDate'), _date(context, 'endDate')
    if start is not None and end is not None and start > end:
        problems = Invalid()
        problems.add('startDate', 'startDate should not be above endDate')
        problems.add('endDate', 'endDate should not be below startDate')
        problems.check()
    skip, take = context.number('skip') or 0, context.number('take')
    orders = args.getlist('orderId')
    statuses = {STATUS_NAMES.get(name.lower()) for name in args.getlist('status')} - {None}
    text = args.get('textSearch')
    found = [
        invoice for invoice in context.server.invoices_of(context.store.id)
        if (not invoice.archived or context.flag('includeArchived'))
        and (not orders or invoice.order_id in orders)
        and (not statuses or invoice.status in statuses)
        and (start is None or int(invoice.created) >= start)
        and (end is None or int(invoice.created) <= end)
        and (not text or any(term.startswith(text) for term in _terms(invoice)))
    ]
    found = found[skip:] if take is None else found[skip:skip + take]
    methods = context.flag('includePaymentMethods')
    return [invoice_json(context, invoice, methods) for invoice in found]


def _date(context, name):
    """Unix seconds, or a date and time in ISO 8601."""
    value = context.request.args.get(name)
    if not value:
        return None
    try:
        return int(value)
    except ValueError:
        try:
            return datetime.fromisoformat(value.replace('Z', '+00:00')).timestamp()
        except ValueError:
            raise ApiError(422, [{
                'path': name, 'message': f"The value '{value}' is not valid.",
            }]) from None


def _terms(invoice):
    """What an invoice is found by: the beginning of its id, order, amount, addresses, payments."""
    terms = [invoice.id, invoice.store_id, plain(invoice.amount)]
    terms += [invoice.order_id or '', str(invoice.metadata.get('buyerEmail') or '')]
    terms += [method.destination or '' for method in invoice.methods.values()]
    terms += [payment.id for payment in invoice.payments]
    return terms + invoice.search_terms


BOTH = '/stores/<store_id>/invoices/<invoice_id>', '/invoices/<invoice_id>'


def both(tail):
    """An invoice's endpoints are found below its store and without it."""
    return [path + tail for path in BOTH]


@api('GET', *both(''), policy=VIEW)
def get(context):
    return invoice_json(context, context.invoice, context.flag('includePaymentMethods'))


@api('PUT', *both(''), policy=CHANGE)
def update(context):
    metadata = context.body.object('metadata')
    context.body.check()
    context.invoice.metadata = metadata or {}
    context.server.changed()
    return invoice_json(context, context.invoice)


@api('DELETE', *both(''), policy=CHANGE)
def archive(context):
    context.invoice.archived = True
    context.server.changed()


@api('POST', *both('/unarchive'), policy=CHANGE)
def unarchive(context):
    """Answers what was before, as marking does."""
    if not context.invoice.archived:
        raise refusal(400, 'already-unarchived', 'Invoice is already unarchived')
    result = invoice_json(context, context.invoice)
    context.invoice.archived = False
    context.server.changed()
    return result


@api('POST', *both('/status'), policy=CHANGE)
def mark(context):
    """Answers the state before the marking."""
    status = context.body.enum('status', STATUSES, CLIENT + 'InvoiceStatus', nullable=False)
    context.body.check()
    result = invoice_json(context, context.invoice)
    if not lifecycle.mark(context.server, context.invoice, status or 'New'):
        raise ApiError(422, [{
            'path': 'Status',
            'message': 'Status can only be marked to invalid or settled within certain conditions.',
        }])
    return result


@api('GET', *both('/payment-methods'), policy=VIEW)
def methods(context):
    sensitive = context.flag('includeSensitive')
    if sensitive:
        require(context.caller, MODIFY, context.store)
    only_accounted = context.flag('onlyAccountedPayments', default=True)
    return [
        method_json(context.invoice, method, only_accounted, sensitive)
        for method in context.invoice.methods.values()
    ]


@api('POST', *both('/payment-methods/<method>/activate'), policy=VIEW)
def activate(context, method):
    method_id = parse_method(method)
    if method_id is None:
        raise ApiError(422, [{'path': 'paymentMethod', 'message': 'Invalid payment method'}])
    if method_id in context.invoice.methods:
        prompts.activate(context.server, context.invoice, method_id)
