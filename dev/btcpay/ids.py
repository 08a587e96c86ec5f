"""Ids as the server makes them: random bytes in base58."""
import secrets

#: what secrets begin with, so that tests can tell one wherever it comes to light
KEY_MARK = '5ec7e7'
PULL_PAYMENT_MARK = 'pu11pay'
WEBHOOK_SECRET_MARK = 'whsecret'
BASE58 = '123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz'


def new_id(size=16):
    """:param int size: bytes; 16 for most, 20 for pull payments and payouts, 32 for stores"""
    number = int.from_bytes(secrets.token_bytes(size), 'big')
    text = ''
    while number:
        number, digit = divmod(number, 58)
        text = BASE58[digit] + text
    return text
