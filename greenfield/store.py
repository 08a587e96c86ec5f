"""Stores, what the key may do there, and rates."""
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from decimal import Decimal

from .errors import NotUnderstood
from .reader import Reader, parse_id, parse_listing

#: The policy of keys that may do everything.
UNRESTRICTED = 'unrestricted'
_STORE_POLICIES = 'btcpay.store.'
#: policies by which others are granted, where keys have them instead
_WIDER = {
    'btcpay.store.cancreatenonapprovedpullpayments': (
        'btcpay.store.cancreatepullpayments', 'btcpay.store.canmanagepullpayments',
    ),
}


@dataclass(frozen=True, slots=True)
class ServerInfo:
    """What the server says of itself.

    :param str version: e.g. `2.4.1+03345c28`; empty if it does not say
    """

    version: str

    @classmethod
    def parse(cls, data: object) -> 'ServerInfo':
        """Read what the server says of itself.

        :raise NotUnderstood: if that is nothing
        """
        return cls(Reader(data, 'serverInfo').text('version', 100))

    def is_older_than(self, version: tuple[int, ...]) -> bool:
        """Return whether it is known to be older than a version, e.g. `(2, 0)`."""
        numbers = re.match(r'v?(\d+(?:\.\d+)*)', self.version)
        return numbers is not None and tuple(map(int, numbers[1].split('.'))) < version


@dataclass(frozen=True, slots=True)
class Permission:
    """What a key may do.

    :param str policy: e.g. `btcpay.store.canviewinvoices`
    :param str|None store_id: where; None for all stores, and for what is not about stores
    """

    policy: str
    store_id: str | None = None

    @classmethod
    def parse(cls, data: object) -> 'Permission':
        """Read a permission: `policy` or `policy:storeId`.

        :raise NotUnderstood: if it is none
        """
        if not isinstance(data, str):
            raise NotUnderstood('apiKey.permissions')
        policy, colon, store_id = data.partition(':')
        return cls(policy, parse_id(store_id, 'apiKey.permissions') if colon else None)


@dataclass(frozen=True, slots=True)
class ApiKey:
    """What an API key may do; the key itself is not kept."""

    permissions: tuple[Permission, ...]

    @classmethod
    def parse(cls, data: object) -> 'ApiKey':
        """Read what is known of a key.

        :raise NotUnderstood: if not all of its permissions can be read
        """
        read = Reader(data, 'apiKey')
        permissions = parse_listing(
            read.value('permissions'), 'apiKey.permissions', Permission.parse
        )
        if not permissions.is_complete:
            raise read.refuse('permissions')
        return cls(permissions.items)

    @property
    def store_ids(self) -> frozenset[str]:
        """Return the stores that are named."""
        return frozenset(p.store_id for p in self.permissions if p.store_id)

    @property
    def is_for_all_stores(self) -> bool:
        """Return whether it may do anything in all stores of its account."""
        return any(
            p.store_id is None
            and (p.policy == UNRESTRICTED or p.policy.startswith(_STORE_POLICIES))
            for p in self.permissions
        )

    def is_granted(self, policy: str, store_id: str) -> bool:
        """Return whether a policy is granted for a store, by its name or by one that is wider."""
        granting = (policy, UNRESTRICTED, *_WIDER.get(policy, ()))
        if policy.startswith(_STORE_POLICIES):
            granting = (*granting, f'{_STORE_POLICIES}canmodifystoresettings')
        return any(
            p.policy in granting and p.store_id in (None, store_id) for p in self.permissions
        )

    def get_excess(self, policies: Collection[str]) -> list[str]:
        """Return the policies that are granted, wherever, and are none of these, sorted."""
        return sorted({p.policy for p in self.permissions if p.policy not in policies})

    def get_missing(self, policies: Iterable[str], store_id: str) -> list[str]:
        """Return those of the policies that are not granted for a store, in their order."""
        return [policy for policy in policies if not self.is_granted(policy, store_id)]


@dataclass(frozen=True, slots=True)
class Store:
    """A store; its name is its id if it has none."""

    id: str
    name: str

    @classmethod
    def parse(cls, data: object) -> 'Store':
        """Read a store.

        :raise NotUnderstood: without a usable id
        """
        read = Reader(data, 'store')
        store_id = read.api_id()
        return cls(store_id, read.text('name', 256) or store_id)


@dataclass(frozen=True, slots=True)
class StorePaymentMethod:
    """A payment method that a store has set up."""

    id: str
    is_enabled: bool

    @classmethod
    def parse(cls, data: object) -> 'StorePaymentMethod':
        """Read a payment method.

        :raise NotUnderstood: without a usable id
        """
        read = Reader(data, 'paymentMethod')
        return cls(read.api_id('paymentMethodId'), read.flag('enabled'))


@dataclass(frozen=True, slots=True)
class Rate:
    """The price of a currency in another.

    :param str pair: e.g. `BTC_EUR`
    :param Decimal|None rate: None if the store's sources have none
    """

    pair: str
    rate: Decimal | None

    @classmethod
    def parse(cls, data: object) -> 'Rate':
        """Read a rate.

        :raise NotUnderstood: without a currency pair
        """
        read = Reader(data, 'rate')
        return cls(read.word('currencyPair'), read.optional_amount('rate'))
