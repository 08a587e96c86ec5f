"""Ids of payment methods, such as `BTC-CHAIN`, `BTC-LN` and `BTC-LNURL`."""
import re
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


def find_unsupported_methods(error: Exception) -> list[str]:
    """Return the payout methods that the server named when it refused a refund.

    :param Exception error: why the refund was not made
    :return: their ids; empty if it was refused for another reason, or not at all
    """
    return [
        match[1] for _path, message in getattr(error, 'fields', ())
        if (match := re.fullmatch(r'Invalid or unsupported payout method: (\S+)', message.strip()))
    ]
