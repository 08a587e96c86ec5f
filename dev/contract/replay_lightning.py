"""Reads Lightning invoices (BOLT11) and LNURLs, so that what is inside them can be compared."""
import re

from ..btcpay.addresses import CHARSET, bech32_constant

#: fields of a BOLT11 by their letter; others have no name and stay words
NAMES = {
    'p': 'payment hash', 's': 'payment secret', 'd': 'description', 'h': 'description hash',
    'n': 'payee', 'x': 'expiry', 'c': 'min final cltv', '9': 'features', 'f': 'fallback',
    'r': 'route', 'm': 'metadata',
}
SIGNATURE = 104  # words
#: words of a field that is a number
NUMBERS = {'expiry', 'min final cltv'}


class Unreadable(ValueError):
    """It is no BOLT11 or LNURL; the message says why."""


def _split(text):
    text = text.lower()
    if bech32_constant(text) != 1:
        raise Unreadable(f'wrong checksum: {text}')
    prefix, _one, data = text.rpartition('1')
    return prefix, [CHARSET.index(char) for char in data[:-6]]


def _number(words):
    result = 0
    for word in words:
        result = result << 5 | word
    return result


def _bytes(words):
    bits = 5 * len(words)
    return (_number(words) >> bits % 8).to_bytes(bits // 8, 'big')


def read_bolt11(text):
    """Take a Lightning invoice apart.

    :param str text: 'lnbcrt…'
    :return: {name: value}: network (prefix), amount (as written there: '200u', '' for none),
        timestamp, order (of the fields), and each field: numbers, texts, or hex
    :raise Unreadable: if it is none
    """
    prefix, words = _split(text)
    match = re.fullmatch(r'ln([a-z]+?)(\d+[munp]?)?', prefix)
    if not match:
        raise Unreadable(f'no prefix of a Lightning invoice: {prefix}')
    if len(words) < 7 + SIGNATURE:
        raise Unreadable(f'too short: {text}')
    fields = {
        'network': match[1], 'amount': match[2] or '', 'timestamp': _number(words[:7]), 'order': '',
    }
    rest = words[7:-SIGNATURE]
    while rest:
        size = _number(rest[1:3])
        if len(rest) < 3 + size:
            raise Unreadable(f'a field is longer than the invoice: {text}')
        tag, data, rest = CHARSET[rest[0]], rest[3:3 + size], rest[3 + size:]
        name = NAMES.get(tag, tag)
        fields['order'] += tag
        if name in NUMBERS:
            fields[name] = _number(data)
        elif name == 'description':
            fields[name] = _bytes(data).decode()
        elif name == 'features':
            fields[name] = f'{_number(data):b}'
        else:
            fields[name] = _bytes(data).hex()
    return fields


def read_lnurl(text):
    """:return: the address inside
    :raise Unreadable: if it is none
    """
    prefix, words = _split(text)
    if prefix != 'lnurl':
        raise Unreadable(f'no LNURL: {text}')
    return _bytes(words).decode()
