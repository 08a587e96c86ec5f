"""The records of one stand-in, and how they are found. What happens to them is in other files."""
import copy
import secrets
import threading
import time
from decimal import Decimal

from .defaults import MERCHANT, METHODS, PASSWORD, SETTINGS, STORE_SETTINGS
from .ids import KEY_MARK, new_id
from .model import ApiKey, Store, User


class State:
    """The whole state, in memory.

    Records are in dicts by id: ``users``, ``api_keys`` (by key), ``stores``, ``invoices``,
    ``webhooks``, ``deliveries``, ``pull_payments``, ``payouts``. A caller holds ``lock`` while it
    reads or changes several of them; every method takes it by itself too (it is reentrant).
    """

    #: attributes that are saved in the state file
    SAVED = (
        'users', 'api_keys', 'stores', 'invoices', 'webhooks', 'deliveries', 'pull_payments',
        'payouts', 'rates', 'settings', 'transactions', 'height', 'offset', 'counter', 'key_index',
        'chain_turned',
    )

    def __init__(self):
        self.lock = threading.RLock()
        #: counts up at every change that is worth saving
        self.changes = 0
        self.faults = []
        self.webhook_faults = []
        self.requests = []
        #: see persistence.py
        self.remembered = []
        self.request_count = 0
        self.reset()

    def reset(self):
        """Forget everything and start with the seed: one merchant, one store."""
        with self.lock:
            self.users, self.api_keys, self.stores, self.invoices = {}, {}, {}, {}
            self.webhooks, self.deliveries, self.pull_payments, self.payouts = {}, {}, {}, {}
            #: chain transactions by txid, see chain.py
            self.transactions = {}
            self.height = 110
            #: seconds the clock is ahead of the real one
            self.offset = 0.0
            self.counter = 0
            self.key_index = 0
            self.settings = dict(SETTINGS)
            #: when the chain's node was last stopped or started
            self.chain_turned = 0
            self.rates = {
                'BTC_USD': Decimal(50000), 'BTC_EUR': Decimal(40000), 'BTC_JPY': Decimal(7000000),
            }
            self.faults.clear()
            self.webhook_faults.clear()
            self.requests.clear()
            self.remembered.clear()
            merchant = self.create_user(MERCHANT, PASSWORD, admin=True)
            self.create_store('Demo Shop', merchant)
            self.changed()

    def changed(self):
        """Tell the saver that something happened."""
        with self.lock:
            self.changes += 1

    def next_number(self):
        self.counter += 1
        return self.counter

    def now(self):
        """:return: the stand-in's time in unix seconds (float)"""
        return time.time() + self.offset

    # --- people, keys, stores -----------------------------------------------------------------

    def create_user(self, email, password, admin=False):
        """:param bool admin: whether the user administers the server"""
        hexa = secrets.token_hex(16)
        user_id = '-'.join((hexa[:8], hexa[8:12], hexa[12:16], hexa[16:20], hexa[20:]))
        user = User(user_id, email, password, self.now(), admin)
        with self.lock:
            self.users[user_id] = user
            self.changed()
        return user

    def authenticate(self, email, password):
        """:return: the User with this e-mail address and password, or None"""
        with self.lock:
            for user in self.users.values():
                if user.email.lower() == (email or '').lower() and user.password == password:
                    return user
        return None

    def create_api_key(self, user, label, permissions):
        """Make a key.

        :param User user: whose key it is
        :param str label: may be empty
        :param list permissions: 'policy' or 'policy:storeId' each
        :return: the ApiKey; its ``key`` is the 40 hex characters
        """
        with self.lock:
            key = ApiKey(
                KEY_MARK + secrets.token_hex(17), user.id, label, list(permissions), self.now())
            self.api_keys[key.key] = key
            self.changed()
        return key

    def delete_api_key(self, key):
        """:param str key: the 40 hex characters; nothing happens if there is no such key"""
        with self.lock:
            self.api_keys.pop(key, None)
            self.changed()

    def create_store(self, name, owner, methods=None, **settings):
        """:param dict methods: {method id: enabled}, default all three enabled"""
        with self.lock:
            store = Store(
                new_id(32), name, owner.id, {**copy.deepcopy(STORE_SETTINGS), **settings},
                dict.fromkeys(METHODS, True) if methods is None else dict(methods),
            )
            self.stores[store.id] = store
            self.changed()
        return store

    def stores_of(self, user):
        """:return: the stores of a User, oldest first, without archived and deleted ones"""
        with self.lock:
            return [
                store for store in self.stores.values()
                if store.owner_id == user.id and not (store.deleted or store.settings['archived'])
            ]

    # --- what belongs to what ---------------------------------------------------------------------

    def invoices_of(self, store_id):
        """:return: the store's invoices, newest first, archived ones too"""
        with self.lock:
            found = [invoice for invoice in self.invoices.values() if invoice.store_id == store_id]
        return sorted(found, key=lambda invoice: invoice.number, reverse=True)

    def listed_payouts(self, store_id):
        """:return: the store's payouts, oldest first, without those of archived pull payments"""
        with self.lock:
            return [
                payout for payout in self.payouts.values()
                if payout.store_id == store_id
                and not self.pull_payments[payout.pull_payment_id].archived
            ]

    def payouts_of(self, pull_payment_id):
        """:return: all payouts of a pull payment, oldest first"""
        with self.lock:
            return [p for p in self.payouts.values() if p.pull_payment_id == pull_payment_id]

    def webhooks_of(self, store_id):
        with self.lock:
            return [hook for hook in self.webhooks.values() if hook.store_id == store_id]

    def deliveries_of(self, webhook_id):
        """:return: the webhook's deliveries, newest first"""
        with self.lock:
            found = [d for d in self.deliveries.values() if d.webhook_id == webhook_id]
        return sorted(found, key=lambda d: d.number, reverse=True)
