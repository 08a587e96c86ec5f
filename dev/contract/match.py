"""Compares an answer with what is expected of it, which may leave open what does not matter."""
import re
from decimal import Decimal


class Is:
    """A value that is only known by what it looks like.

    :param str what: its name in a report
    :param test: whether a value is one
    """

    def __init__(self, what, test):
        self.what = what
        self.test = test

    def __repr__(self):
        return f'<{self.what}>'


def text(pattern):
    """A string that matches a regular expression as a whole."""
    expression = re.compile(pattern, re.DOTALL)
    return Is(pattern, lambda value: isinstance(value, str) and expression.fullmatch(value))


def number(amount):
    """A string with this number, whatever its decimals."""
    return Is(f'a string with {amount}', lambda value: (
        isinstance(value, str) and Decimal(value) == Decimal(amount)))


def below(amount):
    """A string with a number below this one."""
    return Is(f'a string below {amount}', lambda value: (
        isinstance(value, str) and Decimal(value) < Decimal(amount)))


ANY = Is('anything', lambda value: True)
SOME = Is('something', bool)
ID = text('[1-9A-HJ-NP-Za-km-z]{18,}')
KEY = text('[0-9a-f]{40}')
HASH = text('[0-9a-f]{64}')
UNIX = Is('unix seconds', lambda value: isinstance(value, int) and value > 1_600_000_000)
ADDRESS = text('bcrt1[02-9ac-hj-np-z]+')
BOLT11 = text('lnbcrt[0-9a-z]+')


class Fields(dict):
    """An object with these keys and perhaps more, as a newer server's has; so is a plain dict."""


class Only(dict):
    """An object with exactly these keys."""


class Unordered(list):
    """A list whose order says nothing."""


def differences(expected, actual, where=''):
    """:return: sentences, none if the answer is as expected"""
    if isinstance(expected, Is):
        matches = False
        try:
            matches = expected.test(actual)
        except (ArithmeticError, TypeError):
            pass
        return [] if matches else [f'{where or "answer"}: {actual!r} is not {expected!r}']
    if isinstance(expected, dict):
        return _objects(expected, actual, where)
    if isinstance(expected, (list, tuple)):
        return _lists(expected, actual, where)
    if type(expected) is not type(actual) or expected != actual:
        return [f'{where or "answer"}: {actual!r}, expected {expected!r}']
    return []


def _objects(expected, actual, where):
    if not isinstance(actual, dict):
        return [f'{where or "answer"}: {actual!r} is no object']
    found = []
    if isinstance(expected, Only) and set(expected) != set(actual):
        found.append(f'{where or "answer"}: keys {sorted(actual)}, expected {sorted(expected)}')
    for key, value in expected.items():
        if key in actual:
            found += differences(value, actual[key], f'{where}.{key}')
        else:
            found.append(f'{where}.{key} is missing in {actual}')
    return found


def _lists(expected, actual, where):
    if not isinstance(actual, list):
        return [f'{where or "answer"}: {actual!r} is no list']
    if len(expected) != len(actual):
        return [f'{where or "answer"}: {len(actual)} items, expected {len(expected)}: {actual}']
    if isinstance(expected, Unordered):
        return _unordered(expected, actual, where)
    return [
        difference for i, (one, other) in enumerate(zip(expected, actual, strict=True))
        for difference in differences(one, other, f'{where}[{i}]')
    ]


def _unordered(expected, actual, where):
    left = list(actual)
    for item in expected:
        match = next((other for other in left if not differences(item, other)), None)
        if match is None:
            return [f'{where or "answer"}: no {item} among {left}']
        left.remove(match)
    return []
