"""What is asked and what is paid: the sums of an invoice, and of each of its methods."""
from dataclasses import dataclass
from decimal import Decimal

from .amounts import divide, round_up
from .currencies import round_paid

ZERO = Decimal(0)


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


def unconfirmed(invoice):
    """:return: Decimal, what of the net sum could still be lost, in the invoice's currency"""
    rate = invoice.rates.get('BTC_' + invoice.currency, Decimal(1))
    waiting = [payment for payment in invoice.payments if payment.status == 'Processing']
    return sum(((payment.value - payment.fee) * rate for payment in waiting), ZERO)


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
    return round_paid(totals(invoice).net, invoice.currency)
