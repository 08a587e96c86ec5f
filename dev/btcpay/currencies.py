"""How many digits the server gives a currency: by one table for invoices, another for refunds."""
from babel.core import get_global
from babel.numbers import list_currencies

from .amounts import rounded_half_up

#: invoices: what the cultures of the server's operating system say, where that is not Babel's
INVOICE_DIGITS = {'ARS': 0, 'COP': 0, 'SATS': 0}
#: no culture of that system has them: not rounded at all
UNROUNDED = {'BTC', 'CLF', 'MGA', 'MRU', 'STN', 'TWD', 'USDT', 'UYI', 'ZWL'}

#: refunds: a list of currencies of the server's own, by and large ISO 4217
REFUND_DIGITS = {
    **dict.fromkeys((
        'ARS', 'BIF', 'CLP', 'COP', 'DJF', 'GNF', 'ISK', 'JPY', 'KMF', 'KRW', 'PYG', 'RWF', 'SATS',
        'UGX', 'UYI', 'VND', 'VUV', 'XAF', 'XOF', 'XPF'), 0),
    **dict.fromkeys(('BHD', 'IQD', 'JOD', 'KWD', 'LYD', 'OMR', 'TND'), 3),
    'CLF': 4,
    'BTC': 8,
}


def known_currency(currency):
    return currency in REFUND_DIGITS or currency in list_currencies('en')


def invoice_digits(currency):
    """:return: decimals an invoice's amount is rounded to, None for one that is not rounded"""
    if currency in UNROUNDED or not known_currency(currency):
        return None
    fractions = get_global('currency_fractions')
    return INVOICE_DIGITS.get(currency, fractions.get(currency, fractions['DEFAULT'])[0])


def round_paid(value, currency):
    """Round what is paid as invoices are, but however much it changes by that."""
    digits = invoice_digits(currency)
    return value if digits is None else rounded_half_up(value, digits)


def refund_digits(currency):
    """:return: decimals of a refund, 8 in a currency the server does not know"""
    return REFUND_DIGITS.get(currency, 2 if known_currency(currency) else 8)
