"""Addresses, Lightning invoices and LNURLs: well-formed, but nobody's."""
import hashlib
import re
import secrets
from decimal import Decimal

from .ids import BASE58

CHARSET = 'qpzry9x8gf2tvdw0s3jn54khce6mua7l'
GENERATORS = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
BECH32M = 0x2BC830A3
NODE = '02a996043e98e14f3552a348daed4898b742e9d11ba9e05d8a4184173fbc703ddc@127.0.0.1:9735'


def _polymod(values):
    check = 1
    for value in values:
        top = check >> 25
        check = (check & 0x1FFFFFF) << 5 ^ value
        for i, generator in enumerate(GENERATORS):
            check ^= generator if top >> i & 1 else 0
    return check


def _expand(prefix):
    return [ord(c) >> 5 for c in prefix] + [0] + [ord(c) & 31 for c in prefix]


def _words(data):
    """Bytes as 5-bit words."""
    bits = ''.join(f'{byte:08b}' for byte in data)
    bits += '0' * (-len(bits) % 5)
    return [int(bits[i:i + 5], 2) for i in range(0, len(bits), 5)]


def bech32(prefix, words):
    check = _polymod(_expand(prefix) + words + [0] * 6) ^ 1
    words = words + [check >> 5 * (5 - i) & 31 for i in range(6)]
    return prefix + '1' + ''.join(CHARSET[word] for word in words)


def bech32_constant(text):
    """:return: 1 for a valid bech32 checksum, BECH32M for bech32m, else something else"""
    text = text.lower()
    position = text.rfind('1')
    if position < 1 or any(c not in CHARSET for c in text[position + 1:]):
        return 0
    words = [CHARSET.index(c) for c in text[position + 1:]]
    return _polymod(_expand(text[:position]) + words)


def _base58_valid(text):
    number = 0
    for char in text:
        if char not in BASE58:
            return False
        number = number * 58 + BASE58.index(char)
    if number >= 1 << 200:
        return False
    raw = number.to_bytes(25, 'big')
    check = hashlib.sha256(hashlib.sha256(raw[:-4]).digest()).digest()[:4]
    return raw[-4:] == check and raw[0] in (111, 196)


def new_address():
    """:return: a new regtest address, bcrt1q…"""
    return bech32('bcrt', [0, *_words(secrets.token_bytes(20))])


def is_address(text):
    """Whether it is a regtest address, as the recorded server ran on."""
    if text.lower().startswith('bcrt1'):
        version = CHARSET.find(text.lower()[5:6])
        return 14 < len(text) < 91 and bech32_constant(text) == (BECH32M if version else 1)
    return 25 < len(text) < 36 and _base58_valid(text)


def is_bolt11(text):
    return text.lower().startswith('lnbcrt') and bech32_constant(text) == 1


def is_lightning_address(text):
    """Lightning addresses and LNURLs are claimed to as well."""
    return bool(re.fullmatch(r'[\w.+-]+@[\w.-]+', text)) or (
        text.lower().startswith('lnurl1') and bech32_constant(text) == 1
    )


def new_preimage():
    """:return: (preimage, payment hash), both hex"""
    preimage = secrets.token_bytes(32)
    return preimage.hex(), hashlib.sha256(preimage).hexdigest()


def bolt11(amount, payment_hash, description, created, expiry):
    """A BOLT11 for a payment hash; its signature is random.

    :param Decimal amount: in BTC, None for one without amount
    :param int created: unix time
    :param int expiry: seconds
    """
    prefix = 'lnbcrt'
    if amount is not None:
        # the shortest of the multipliers that leaves a whole number
        for unit, letter in ((1, ''), (10**3, 'm'), (10**6, 'u'), (10**9, 'n'), (10**12, 'p')):
            if amount * unit == int(amount * unit):
                prefix += f'{int(amount * unit)}{letter}'
                break
    words = [created >> 5 * (6 - i) & 31 for i in range(7)]
    expiry_words = [expiry >> 5 * (3 - i) & 31 for i in range(4)]
    for tag, data in (
        ('p', _words(bytes.fromhex(payment_hash))),
        ('s', _words(secrets.token_bytes(32))),
        ('d', _words(description.encode()[:300])),
        ('x', expiry_words),
        ('c', [1, 8]),
        ('9', [16, 8, 0]),
    ):
        words += [CHARSET.index(tag), len(data) >> 5, len(data) & 31, *data]
    return bech32(prefix, words + _words(secrets.token_bytes(65)))


def bolt11_amount(text):
    """:return: Decimal, the amount of a BOLT11 in BTC, or None"""
    match = re.match(r'lnbcrt(\d+)([munp]?)1', text.lower())
    if not match:
        return None
    return Decimal(match[1]).scaleb(-3 * ' munp'.index(match[2] or ' '))


def millisatoshi(amount):
    """:return: Decimal in BTC"""
    return Decimal(amount).scaleb(-11)


def lnurl(url):
    return bech32('lnurl', _words(url.encode()))
