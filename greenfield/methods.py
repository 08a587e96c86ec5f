"""Ids of payment methods, such as `BTC-CHAIN`, `BTC-LN` and `BTC-LNURL`."""
from collections.abc import Iterable

from .text import is_api_id


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
