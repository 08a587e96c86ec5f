"""How amounts, times and states are written on the pages."""
from datetime import datetime, timezone
from decimal import ROUND_HALF_UP, Decimal

from ..currencies import refund_digits
from .language import translate

#: colour of each state's badge
COLOURS = {
    'New': 'blue', 'Processing': 'yellow', 'Settled': 'green', 'Expired': 'grey', 'Invalid': 'red',
    'AwaitingApproval': 'yellow', 'AwaitingPayment': 'blue', 'InProgress': 'blue',
    'Completed': 'green', 'Cancelled': 'red',
    'HttpSuccess': 'green', 'HttpError': 'red', 'Failed': 'red',
}
#: states whose words are not the API's
WORDS = {
    'AwaitingApproval': 'Awaiting approval', 'AwaitingPayment': 'Awaiting payment',
    'InProgress': 'In progress',
    'PaidPartial': 'paid partially', 'PaidOver': 'paid over', 'PaidLate': 'paid late',
    'Marked': 'marked',
}
METHODS = {'BTC-CHAIN': 'Bitcoin', 'BTC-LN': 'Lightning', 'BTC-LNURL': 'Lightning (LNURL)'}


def money(amount, currency):
    """:return: '1,234.50 USD', with the decimals of the currency"""
    return f'{number(amount, currency)} {currency}'


def number(amount, currency):
    step = Decimal(1).scaleb(-refund_digits(currency))
    return f'{Decimal(amount).quantize(step, ROUND_HALF_UP):,f}'


def when(seconds):
    """:return: a time as the pages write it, in UTC as their footer says"""
    if seconds is None:
        return '–'
    return f'{datetime.fromtimestamp(seconds, timezone.utc):%Y-%m-%d %H:%M:%S}'


def words(state):
    return translate(WORDS.get(state, state))


def colour(state):
    return COLOURS.get(state, 'grey')


def method(method_id):
    return translate(METHODS.get(method_id, method_id))


FILTERS = {
    'money': money,
    'number': number, 'when': when, 'words': words, 'colour': colour, 'method': method,
}
