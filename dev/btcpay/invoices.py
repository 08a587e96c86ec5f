"""The creation of an invoice."""
from datetime import datetime, timezone
from decimal import Decimal

from . import addresses, nodes, prompts
from .amounts import divide, round_to_significant, round_up
from .currencies import invoice_digits
from .defaults import METHODS
from .errors import refusal
from .events import invoice_event
from .ids import new_id
from .model import Invoice, PaymentMethodState
from .rates import describe_rate, get_rate

DUST = Decimal('0.00000294')  # of a P2WPKH output
DUST_MESSAGE = (
    'Amount below the dust threshold. For amounts of this size, it is recommended to enable an '
    'off-chain (Lightning) payment method'
)
LIGHTNING_DOWN = (
    'BTC-LN: NodeInfo failed to be fetched: Error while connecting to the API: Connection refused '
    '(127.0.0.1:8089) (Connection refused)'
)


def create(server, store, request, base_url):
    """Make an invoice. It is New: the caller has it looked at (``update``) when it has answered.

    :param dict request: validated: amount (Decimal or None), currency, metadata, checkout, receipt
    :param str base_url: address of the server as the caller sees it
    :return: the Invoice
    :raise ApiError: 400 if it could not be paid by any method
    """
    checkout, settings, now = request['checkout'], store.settings, server.now()
    currency = (request['currency'] or settings['defaultCurrency']).strip().upper()
    amount = request['amount'] or Decimal('0.0')
    digits = invoice_digits(currency)
    if digits is not None:
        amount = round_to_significant(amount, digits)
    expiration = now + _seconds(checkout['expirationMinutes'], settings['invoiceExpiration'])
    invoice = Invoice(
        id=new_id(),
        store_id=store.id,
        currency=currency,
        amount=amount,
        type='TopUp' if request['amount'] is None else 'Standard',
        created=now,
        expiration=expiration,
        monitoring_expiration=expiration + _seconds(
            checkout['monitoringMinutes'], settings['monitoringExpiration']),
        metadata=request['metadata'],
        checkout={
            key: settings[key] if checkout[key] is None else checkout[key]
            for key in ('speedPolicy', 'paymentTolerance', 'redirectAutomatically')
        } | {key: checkout[key] for key in (
            'defaultPaymentMethod', 'redirectURL', 'defaultLanguage', 'paymentMethods')},
        receipt=request['receipt'],
        search_terms=request['additionalSearchTerms'],
        number=server.next_number(),
    )
    lazy = checkout['lazyPaymentMethods']
    lazy = settings['lazyPaymentMethods'] if lazy is None else lazy
    if amount or invoice.type == 'TopUp':
        _add_methods(server, store, invoice, lazy, base_url)
    server.invoices[invoice.id] = invoice
    invoice_event(server, invoice, 'InvoiceCreated')
    server.changed()
    return invoice


def _seconds(minutes, default):
    return default if minutes is None else minutes * 60


def _add_methods(server, store, invoice, lazy, base_url):
    """:raise ApiError: 400 if there is none by which the invoice could be paid"""
    log = _Log(server)
    log.write('Info', 'Creation of invoice starting')
    pair = 'BTC_' + invoice.currency
    rate = get_rate(server, pair, store)
    log.write('Info' if rate is not None else 'Error',
              f'Rate for {pair}: {describe_rate(server, pair, store)}')
    wanted = invoice.checkout['paymentMethods']
    for method_id in METHODS:
        if not store.methods.get(method_id):
            continue
        if wanted is not None and method_id not in wanted:
            if method_id == 'BTC-CHAIN' and not lazy:
                server.key_index += 1  # an address is reserved before it is seen that none is asked
            continue
        if rate is None:
            continue
        invoice.rates[pair] = rate
        method = PaymentMethodState(method_id, rate, activated=False)
        if problem := _unavailable(server, invoice, method, lazy):
            log.write('Error', f'{method_id}: {problem}')
            log.write('Info', f'{method_id}: Payment method details creation took 3 milliseconds')
            if method_id == 'BTC-LN' and not nodes.lightning_runs(server):
                log.write('Error', LIGHTNING_DOWN)
            continue
        invoice.methods[method_id] = method
        if method_id == 'BTC-LNURL':
            method.activated = True  # nothing is reserved for it, it is never lazy
            url = f'{base_url}/BTC/UILNURL/pay/i/{invoice.id}'
            method.details = {
                'lnurl': addresses.lnurl(url),
                'nodeInfo': addresses.NODE if nodes.lightning_runs(server) else None,
            }
        elif not lazy:
            prompts.activate(server, invoice, method_id)
    if invoice.methods:
        return
    if not store.methods:
        raise refusal(400, 'generic-error', (
            'No wallet has been linked to your BTCPay Store. See the following link for more '
            'information on how to connect your store and wallet. '
            '(https://docs.btcpayserver.org/WalletSetup/)\n'
        ))
    raise refusal(400, 'generic-error', (
        'Error retrieving a matching payment method or rate.\n' + log.text
    ))


def _unavailable(server, invoice, method, lazy):
    """:return: why an invoice cannot be paid by a method, in the words of the log, or None"""
    due = round_up(divide(invoice.amount, method.rate), 8)
    if method.id == 'BTC-CHAIN' and invoice.type == 'Standard' and due < DUST:
        return f'Payment method unavailable ({DUST_MESSAGE})'
    if method.id == 'BTC-LN' and invoice.type == 'TopUp':
        return ('Payment method unavailable (Lightning Network payment method is not available '
                'for top-up invoices)')
    return None if lazy else nodes.trouble(server, method.id)


class _Log:
    """The server answers a refused creation with its log."""

    def __init__(self, server):
        self.server = server
        self.text = ''

    def write(self, level, message):
        at = datetime.fromtimestamp(self.server.now(), timezone.utc)
        self.text += f'{at:%m/%d/%Y %H:%M:%S}:{level} {message}\n'
