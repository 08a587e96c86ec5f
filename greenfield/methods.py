"""Ids of payment methods, such as `BTC-CHAIN`, `BTC-LN` and `BTC-LNURL`."""
import re
from collections.abc import Collection, Iterable

from .text import is_api_id

#: How currencies are called among people, where a server or a plugin of it takes them.
_CURRENCY_NAMES = {
    'BCH': 'Bitcoin Cash', 'BTC': 'Bitcoin', 'BTG': 'Bitcoin Gold', 'DASH': 'Dash',
    'DOGE': 'Dogecoin', 'ETH': 'Ether', 'GRS': 'Groestlcoin', 'LBTC': 'Liquid Bitcoin',
    'LTC': 'Litecoin', 'MONA': 'Monacoin', 'USDT': 'USDt', 'XMR': 'Monero', 'ZEC': 'Zcash',
}


def name_method(method_id: str) -> str:
    """Return how a method of payment or payout is called among people.

    :param str method_id: the method's id
    :return: e.g. `Bitcoin`, `Lightning`, `Litecoin`; the id of one that is not known
    """
    currency, _dash, way = method_id.partition('-')
    name = _CURRENCY_NAMES.get(currency, currency)
    if way in ('LN', 'LNURL'):
        return 'Lightning' if currency == 'BTC' else f'{name} (Lightning)'
    return name if way == 'CHAIN' else method_id


def list_known_methods() -> list[str]:
    """Return the ids of the methods of all currencies that have a name among people."""
    return [f'{currency}-{way}' for currency in _CURRENCY_NAMES for way in ('CHAIN', 'LN', 'LNURL')]


def find_missing_methods(asked: Iterable[str], made: Collection[str] | None) -> list[str]:
    """Return the methods that an invoice lacks.

    While the Lightning node is down the server leaves out its invoice, but not the LNURL, which
    nobody can pay then.

    :param Iterable asked: the ids of the methods that were asked for
    :param Collection|None made: the ids of those that the invoice has; None if that is not known
    """
    if made is None:
        return []
    asked = list(asked)
    missing = [method_id for method_id in asked if method_id not in made]
    return [
        method_id for method_id in asked
        if method_id in missing or (
            method_id.endswith('-LNURL') and method_id.removesuffix('URL') in missing
        )
    ]


def is_lightning(method_id: str) -> bool:
    """Return whether a method is paid, or pays out, over Lightning."""
    return '-LN' in method_id


def to_payout_methods(method_ids: Iterable[object]) -> list[str]:
    """Return payout methods for payment methods: what comes in by LNURL goes out by Lightning.

    :param Iterable method_ids: the ids of the payment methods, whatever came for them
    :return: the ids of the payout methods, each once
    """
    return list(dict.fromkeys(
        method_id.replace('-LNURL', '-LN')
        for method_id in method_ids if isinstance(method_id, str) and is_api_id(method_id)
    ))


def find_unsupported_methods(error: Exception) -> list[str]:
    """Return the payout methods that the server named when it refused a refund.

    :param Exception error: why the refund was not made
    :return: their ids; empty if it was refused for another reason, or not at all
    """
    return [
        match[1] for _path, message in getattr(error, 'fields', ())
        if (match := re.fullmatch(r'Invalid or unsupported payout method: (\S+)', message.strip()))
    ]
