"""Decimal arithmetic as the server does it: the number of decimals shown is part of its answers."""
from decimal import ROUND_CEILING, ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal, localcontext


def plain(value):
    """:return: a Decimal as the API writes it, '0.002', '100.00'"""
    return format(value, 'f')


def scale(value):
    return max(0, -value.as_tuple().exponent)


def trimmed(value, decimals=0):
    """:return: the Decimal without trailing zeros, but with at least ``decimals`` decimals"""
    wanted = max(decimals, scale(value.normalize()))
    return value.quantize(Decimal(1).scaleb(-wanted))


def divide(dividend, divisor):
    """Divide keeping the decimals of the dividend, as .NET's decimal does."""
    with localcontext() as context:
        context.prec = 28
        quotient = dividend / divisor
        context.prec = 60
        return trimmed(quotient, max(0, scale(dividend) - scale(divisor)))


def rounded(value, decimals, rounding=ROUND_HALF_EVEN):
    """Round, never adding decimals."""
    if scale(value) <= decimals:
        return value
    return value.quantize(Decimal(1).scaleb(-decimals), rounding)


def rounded_half_up(value, decimals):
    """Round half away from zero, never adding decimals."""
    return rounded(value, decimals, ROUND_HALF_UP)


def round_up(value, decimals):
    """What is asked is rounded up; trailing zeros are not shown."""
    with localcontext() as context:
        context.prec = 60
        # the sum makes 0 of the -0 that a dust amount rounds up to
        return trimmed(value.quantize(Decimal(1).scaleb(-decimals), ROUND_CEILING)) + 0


def round_to_significant(value, decimals):
    """Round, but with as many decimals as it takes to stay within 1 %."""
    while value:
        result = rounded_half_up(value, decimals)
        if abs(result - value) / abs(value) < Decimal('0.01'):
            return result
        decimals += 1
    return value
