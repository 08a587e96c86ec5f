"""Rates: fixed ones by pair, everything else one to one (the rule ``X_X = 1``)."""
import re
from decimal import Decimal, InvalidOperation

from .amounts import divide, plain

RULE = re.compile(r'\s*([A-Z0-9]+_[A-Z0-9]+)\s*=\s*([^;=]+);', re.IGNORECASE)
ANY = 'X_X'


def get_rate(server, pair, store=None):
    """:param Store store: whose own rules are used where it has some
    :return: Decimal, or None where the rate was taken away
    """
    rates = getattr(store, 'rates', None) or {ANY: Decimal(1), **server.rates}
    left, _, right = pair.partition('_')
    if left == right:
        return Decimal('1.0')
    if pair == 'BTC_SATS':
        return Decimal(100000000)
    if pair in rates:
        return rates[pair]
    reverse = f'{right}_{left}'
    if reverse == 'BTC_SATS':
        return Decimal('0.00000001')
    if reverse in rates:
        rate = rates[reverse]
        return None if rate is None else divide(Decimal(1), rate)
    return rates.get(ANY)


def describe_rate(server, pair, store=None):
    """:return: rule, evaluated rule and value as the server's log shows them"""
    rate = get_rate(server, pair, store)
    if rate is None:
        return f'ERR_RATE_UNAVAILABLE({pair}) = ERR_RATE_UNAVAILABLE({pair}) = '
    rule = '1 / 0.00000001' if pair == 'BTC_SATS' else plain(rate)
    return f'{rule} = {rule} = {plain(rate)}'


def parse_script(script):
    """A store's own rules. Only numbers are known here: a source has no rate.

    :return: {pair: Decimal or None}
    :raise ValueError: for what is no script
    """
    if not RULE.match(script) or RULE.sub('', script).strip():
        raise ValueError('The script is not made of rules "PAIR = expression;"')
    rates = {}
    for pair, expression in RULE.findall(script):
        try:
            rate = Decimal(expression.strip())
        except InvalidOperation:
            rate = None
        rates[pair.upper()] = rate
    return rates


def script_of(server, store):
    """:return: the rules a store's rates come from"""
    if store.rate_script:
        return store.rate_script
    rates = {**server.rates, ANY: Decimal(1)}
    return ''.join(f'{pair} = {plain(rate)};\n' for pair, rate in rates.items() if rate)
