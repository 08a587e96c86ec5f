"""The life of an invoice: creation, sums, and the state machine."""
import secrets
from dataclasses import dataclass
from decimal import Decimal

from . import addresses
from .amounts import (
    divide,
    divisibility,
    known_currency,
    plain,
    round_to_significant,
    round_up,
    rounded,
)
from .errors import refusal
from .events import invoice_event
from .model import Invoice, PaymentMethodState
from .rates import describe_rate, get_rate
from .state import METHODS, new_id

ZERO = Decimal(0)
DUST = Decimal('0.00000294')  # of a P2WPKH output
DUST_MESSAGE = (
    'Amount below the dust threshold. For amounts of this size, it is recommended to enable an '
    'off-chain (Lightning) payment method'
)


@dataclass
class Totals:
    """Sums over all accounted payments, in the invoice's currency."""

    gross: Decimal
    net: Decimal
    net_due: Decimal
    minimum_due: Decimal

    @property
    def underpaid(self):
        return self.minimum_due > 0

    @property
    def overpaid(self):
        return self.net_due < 0


@dataclass
class Accounting:
    """Sums from the view of one payment method, in its crypto currency."""

    total_due: Decimal
    due: Decimal
    total_paid: Decimal
    paid: Decimal
    fee: Decimal


def invoice_rate(invoice):
    return invoice.rates['BTC_' + invoice.currency]


def _sums(invoice):
    rate = invoice.rates.get('BTC_' + invoice.currency, Decimal(1))
    accounted = [payment for payment in invoice.payments if payment.accounted]
    gross = sum((payment.value * rate for payment in accounted), ZERO)
    net = sum(((payment.value - payment.fee) * rate for payment in accounted), ZERO)
    tolerance = 1 - Decimal(str(invoice.checkout['paymentTolerance'])) / 100
    return gross, net, invoice.amount - net, invoice.amount * tolerance - net


def totals(invoice):
    """:return: Totals; what one method's rounding makes of surplus is not one"""
    gross, net, net_due, minimum_due = _sums(invoice)
    if net_due < 0 and any(
        _accounting(invoice, method, gross, net, net_due, minimum_due).due == 0
        for method in invoice.methods.values()
    ):
        net_due = ZERO
    return Totals(gross, net, net_due, minimum_due)


def _accounting(invoice, method, gross, net, net_due, minimum_due):
    gross_due = invoice.amount + gross - net
    if minimum_due > 0:
        gross_due += method.rate * method.fee
    due = ZERO if net_due == 0 else gross_due - gross
    own = [payment.value for payment in invoice.payments
           if payment.accounted and payment.method_id == method.id]
    return Accounting(
        total_due=round_up(divide(gross_due, method.rate), 8),
        due=round_up(divide(due, method.rate), 8),
        total_paid=round_up(divide(gross, method.rate), 8),
        paid=round_up(sum(own, ZERO), 8),
        fee=round_up(divide(gross_due - invoice.amount, method.rate), 8),
    )


def accounting(invoice, method_id):
    """:return: Accounting of one of the invoice's methods"""
    sums = totals(invoice)
    return _accounting(
        invoice, invoice.methods[method_id],
        sums.gross, sums.net, sums.net_due, sums.minimum_due,
    )


def paid_amount(invoice):
    """:return: Decimal, what counts as paid, in the invoice's currency"""
    return rounded(totals(invoice).net, divisibility(invoice.currency))


def payment_link(invoice, method_id):
    method = invoice.methods[method_id]
    if not method.activated:
        return ''
    if method_id == 'BTC-LNURL':
        return 'lightning:' + method.details['lnurl']
    if method_id == 'BTC-LN':
        return 'lightning:' + method.destination
    due = accounting(invoice, method_id).due
    return f'bitcoin:{method.destination}' + (f'?amount={plain(due)}' if due > 0 else '')


# --- creation -----------------------------------------------------------------------------------


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
    if known_currency(currency):
        amount = round_to_significant(amount, divisibility(currency))
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
    log = _Log(server)
    log.write('Info', 'Creation of invoice starting')
    pair = 'BTC_' + invoice.currency
    rate = get_rate(server, pair, store)
    log.write('Info' if rate is not None else 'Error',
              f'Rate for {pair}: {describe_rate(server, pair, store)}')
    wanted = invoice.checkout['paymentMethods']
    for method_id in METHODS:
        if not store.methods.get(method_id) or rate is None:
            continue
        if wanted is not None and method_id not in wanted:
            continue
        invoice.rates[pair] = rate
        method = PaymentMethodState(method_id, rate, activated=False)
        due = round_up(divide(invoice.amount, rate), 8)
        if method_id == 'BTC-CHAIN' and invoice.type == 'Standard' and due < DUST:
            log.write('Error', f'{method_id}: Payment method unavailable ({DUST_MESSAGE})')
        elif method_id == 'BTC-LN' and invoice.type == 'TopUp':
            log.write('Error', f'{method_id}: Payment method unavailable (Lightning Network '
                               'payment method is not available for top-up invoices)')
        else:
            invoice.methods[method_id] = method
            if method_id == 'BTC-LNURL':
                method.activated = True  # nothing is reserved for it, it is never lazy
                url = f'{base_url}/BTC/UILNURL/pay/i/{invoice.id}'
                method.details = {'lnurl': addresses.lnurl(url)}
            elif not lazy:
                activate(server, invoice, method_id)
            continue
        log.write('Info', f'{method_id}: Payment method details creation took 3 milliseconds')
    if not invoice.methods:
        if not store.methods:
            raise refusal(400, 'generic-error', (
                'No wallet has been linked to your BTCPay Store. See the following link for more '
                'information on how to connect your store and wallet. '
                '(https://docs.btcpayserver.org/WalletSetup/)\n'
            ))
        raise refusal(400, 'generic-error', (
            'Error retrieving a matching payment method or rate.\n' + log.text
        ))


class _Log:
    """The server answers a refused creation with its log."""

    def __init__(self, server):
        self.server = server
        self.text = ''

    def write(self, level, message):
        from datetime import datetime, timezone

        at = datetime.fromtimestamp(self.server.now(), timezone.utc)
        self.text += f'{at:%m/%d/%Y %H:%M:%S}:{level} {message}\n'


def activate(server, invoice, method_id):
    """Give a method its address or BOLT11; nothing happens if it has one.

    A lazy invoice's methods are activated when the customer opens the checkout page.
    """
    method = invoice.methods[method_id]
    if method.activated:
        return
    method.activated = True
    if method_id == 'BTC-CHAIN':
        store = server.stores[invoice.store_id]
        mode = store.settings['networkFeeMode']
        rate = Decimal(server.settings['fee_rate'])
        method.destination = addresses.new_address()
        method.details = {
            'feeMode': mode,
            'paymentMethodFeeRate': float(0 if mode == 'Never' else rate),
            'recommendedFeeRate': float(rate),
            'payjoinEnabled': store.settings['payJoinEnabled'],
            'keyIndex': server.key_index,
        }
        server.key_index += 1
        if mode == 'Always' or (mode == 'MultiplePaymentsOnly' and invoice.payments):
            method.fee = network_fee(method)
    else:
        renew_bolt11(server, invoice, method)
    server.changed()


def network_fee(method):
    """The network fee is that of 100 bytes at the invoice's fee rate."""
    return round_up(Decimal(str(method.details['paymentMethodFeeRate'])) * 100 / 10**8, 8)


def renew_bolt11(server, invoice, method):
    """A new BOLT11 for what is due now; the one before can no longer be paid."""
    method.details['preimage'], method.details['paymentHash'] = addresses.new_preimage()
    store = server.stores[invoice.store_id]
    description = store.settings['lightningDescriptionTemplate']
    for placeholder, value in (
        ('{StoreName}', store.name),
        ('{OrderId}', invoice.order_id or ''),
        ('{ItemDescription}', str(invoice.metadata.get('itemDesc') or '')),
    ):
        description = description.replace(placeholder, value)
    now = server.now()
    method.destination = addresses.bolt11(
        accounting(invoice, method.id).due, method.details['paymentHash'], description,
        int(now), max(1, int(invoice.expiration - now)),
    )


# --- states -------------------------------------------------------------------------------------


def update(server, invoice):
    """Bring the state to what payments and time say, with the events of each step."""
    now = server.now()
    if invoice.status == 'New' and invoice.expiration <= now:
        invoice.status = 'Expired'
        partial = invoice.additional_status == 'PaidPartial'
        invoice_event(server, invoice, 'InvoiceExpired', partiallyPaid=partial)
        if partial:
            invoice_event(server, invoice, 'InvoiceExpiredPaidPartial')
    payments = [payment for payment in invoice.payments if payment.accounted]
    unset_top_up = invoice.type == 'TopUp' and invoice.amount == 0
    sums = totals(invoice)
    if invoice.status in ('New', 'Expired'):
        if payments if unset_top_up else not sums.underpaid:
            if invoice.status == 'New':
                invoice.status, invoice.additional_status = 'Processing', 'None'
                if unset_top_up:
                    first = payments[0]
                    invoice.amount = (first.value - first.fee) * invoice_rate(invoice)
                    sums = totals(invoice)
                elif sums.overpaid:
                    invoice.additional_status = 'PaidOver'
                invoice_event(server, invoice, 'InvoiceProcessing',
                              overPaid=invoice.additional_status == 'PaidOver')
            elif invoice.additional_status != 'PaidLate':
                invoice.additional_status = 'PaidLate'
                invoice_event(server, invoice, 'InvoicePaidAfterExpiration')
        if payments and sums.underpaid:
            invoice.additional_status = 'PaidPartial'
    if invoice.status == 'Processing':
        if sums.underpaid:  # a payment was replaced
            invoice.status = 'New'
            invoice.additional_status = 'PaidPartial' if payments else 'None'
        elif sums.overpaid:
            invoice.additional_status = 'PaidOver'
        elif invoice.additional_status == 'PaidOver':
            invoice.additional_status = 'None'
    if invoice.status == 'Processing':
        rate = invoice.rates.get('BTC_' + invoice.currency, Decimal(1))
        unconfirmed = sum(
            ((p.value - p.fee) * rate for p in payments if p.status == 'Processing'), ZERO)
        if sums.minimum_due + unconfirmed <= 0:
            invoice.status = 'Settled'
            invoice_event(server, invoice, 'InvoiceSettled', manuallyMarked=False,
                          overPaid=invoice.additional_status == 'PaidOver')
        elif invoice.monitoring_expiration < now:
            invoice.status = 'Invalid'
            invoice_event(server, invoice, 'InvoiceInvalid', manuallyMarked=False)
    server.changed()


def due_time(invoice):
    """:return: when time alone next changes the invoice, None for never"""
    if invoice.status == 'New':
        return invoice.expiration
    if invoice.status == 'Processing':
        return invoice.monitoring_expiration
    return None


def markable(invoice):
    """:return: the statuses a merchant can mark the invoice as"""
    marked = invoice.additional_status == 'Marked'
    statuses = []
    if invoice.status != 'Settled':
        statuses.append('Settled')
    open_or_late = invoice.status in ('New', 'Processing', 'Expired')
    if open_or_late or (marked and invoice.status != 'Invalid'):
        statuses.append('Invalid')
    return statuses


def mark(server, invoice, status):
    """:return: False if the invoice cannot be marked so"""
    if status not in markable(invoice):
        return False
    invoice.status, invoice.additional_status = status, 'Marked'
    head = {'manuallyMarked': True}
    if status == 'Settled':
        head['overPaid'] = False
    invoice_event(server, invoice, 'Invoice' + status, **head)
    server.changed()
    return True


def expire_now(server, invoice_id):
    with server.lock:
        invoice = server.invoices[invoice_id]
        if invoice.status != 'New':
            raise refusal(400, 'not-new', 'Only a new invoice can expire')
        shift = invoice.expiration - server.now()
        invoice.expiration -= shift
        invoice.monitoring_expiration -= shift
        update(server, invoice)


def new_payment_id():
    return f'{secrets.token_hex(32)}-{secrets.randbelow(2)}'
