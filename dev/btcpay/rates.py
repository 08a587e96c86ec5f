"""Rates: fixed ones by pair, everything else one to one (the rule ``X_X = 1``)."""
from decimal import Decimal

from .amounts import divide, plain


def get_rate(server, pair):
    """:return: Decimal, or None where the rate was taken away"""
    left, _, right = pair.partition('_')
    if left == right:
        return Decimal('1.0')
    if pair == 'BTC_SATS':
        return Decimal(100000000)
    if pair in server.rates:
        return server.rates[pair]
    reverse = f'{right}_{left}'
    if reverse == 'BTC_SATS':
        return Decimal('0.00000001')
    if reverse in server.rates:
        rate = server.rates[reverse]
        return None if rate is None else divide(Decimal(1), rate)
    return Decimal(1)


def describe_rate(server, pair):
    """:return: rule, evaluated rule and value as the server's log shows them"""
    rate = get_rate(server, pair)
    if rate is None:
        return f'ERR_RATE_UNAVAILABLE({pair}) = ERR_RATE_UNAVAILABLE({pair}) = '
    rule = '1 / 0.00000001' if pair == 'BTC_SATS' else plain(rate)
    return f'{rule} = {rule} = {plain(rate)}'
