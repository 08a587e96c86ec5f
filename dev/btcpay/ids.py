"""Ids as the server makes them: random bytes in base58."""
import secrets

BASE58 = '123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz'


def new_id(size=16):
    """:param int size: bytes; 16 for most, 20 for pull payments and payouts, 32 for stores"""
    number = int.from_bytes(secrets.token_bytes(size), 'big')
    text = ''
    while number:
        number, digit = divmod(number, 58)
        text = BASE58[digit] + text
    return text
