"""All that the stand-in knows, and the operations on it by plain names.

The API, the pages and the control interface call the methods of ``Server``; the behaviour is in
``invoices``, ``chain``, ``webhooks`` and ``refunds``. A caller holds ``server.lock`` while it reads
or changes several records; every method below takes it by itself too (it is reentrant).
"""
import secrets
import threading
import time
from decimal import Decimal

from .model import ApiKey, Store, User

MERCHANT = 'merchant@example.com'
PASSWORD = 'bitcoin-demo'  # of the demo, printed at start
VERSION = '2.4.1+03345c2886a58ea4d2f603cb6554b2e3f5d690a4'
METHODS = ('BTC-LN', 'BTC-CHAIN', 'BTC-LNURL')
BASE58 = '123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz'

#: what a new store looks like in the API
STORE_SETTINGS = {
    'website': None,
    'brandColor': None,
    'applyBrandColorToBackend': False,
    'logoUrl': None,
    'cssUrl': None,
    'paymentSoundUrl': None,
    'supportUrl': None,
    'invoiceExpiration': 900,
    'displayExpirationTimer': 300,
    'refundBOLT11Expiration': 30,
    'monitoringExpiration': 86400,
    'speedPolicy': 'MediumSpeed',
    'lightningDescriptionTemplate': 'Paid to {StoreName} (Order ID: {OrderId})',
    'paymentTolerance': 0.0,
    'anyoneCanCreateInvoice': False,
    'defaultCurrency': 'USD',
    'additionalTrackedRates': [],
    'lightningAmountInSatoshi': False,
    'lightningPrivateRouteHints': False,
    'onChainWithLnInvoiceFallback': False,
    'lazyPaymentMethods': False,
    'redirectAutomatically': False,
    'archived': False,
    'showRecommendedFee': True,
    'recommendedFeeBlockTarget': 1,
    'defaultPaymentMethod': None,
    'htmlTitle': None,
    'networkFeeMode': 'MultiplePaymentsOnly',
    'paymentMethodCriteria': [],
    'payJoinEnabled': False,
    'autoDetectLanguage': False,
    'showPayInWalletButton': True,
    'showStoreHeader': True,
    'celebratePayment': True,
    'playSoundOnPayment': False,
    'receipt': {'enabled': True, 'showQR': True, 'showPayments': True},
}

#: control settings and their values at start, see /_control/settings
SETTINGS = {
    'auto_approve': False,
    'auto_pay': None,
    'auto_mine': True,
    'retry_factor': '1',
    'delivery_timeout': '100',
    'fee_rate': '100',
}


def new_id(size=16):
    """An id as the server makes them: random bytes in base58."""
    number = int.from_bytes(secrets.token_bytes(size), 'big')
    text = ''
    while number:
        number, digit = divmod(number, 58)
        text = BASE58[digit] + text
    return text


class Server:
    """The whole state of one stand-in.

    Records are in dicts by id: ``users``, ``api_keys`` (by key), ``stores``, ``invoices``,
    ``webhooks``, ``deliveries``, ``pull_payments``, ``payouts``.

    :param str url: address the server gives out in links, without trailing slash
    :param str fixed_url: the same, where it is not the one that callers use
    """

    #: attributes that are saved in the state file
    SAVED = (
        'users', 'api_keys', 'stores', 'invoices', 'webhooks', 'deliveries', 'pull_payments',
        'payouts', 'rates', 'settings', 'transactions', 'height', 'offset', 'counter', 'key_index',
    )

    def __init__(self, url='http://127.0.0.1:14142', fixed_url=None):
        from .webhooks import Dispatcher

        self.url = url
        self.fixed_url = fixed_url
        self.lock = threading.RLock()
        #: counts up at every change that is worth saving
        self.changes = 0
        self.wake = threading.Condition(self.lock)
        self.faults = []
        self.webhook_faults = []
        self.requests = []
        self.request_count = 0
        self.dispatcher = Dispatcher(self)
        self.reset()

    def reset(self):
        """Forget everything and start with the seed."""
        with self.lock:
            self.dispatcher.forget()
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
            self.rates = {
                'BTC_USD': Decimal(50000), 'BTC_EUR': Decimal(40000), 'BTC_JPY': Decimal(7000000),
            }
            self.faults.clear()
            self.webhook_faults.clear()
            self.requests.clear()
            merchant = self.create_user(MERCHANT, PASSWORD)
            self.create_store('Demo Shop', merchant)
            self.changed()

    def changed(self):
        """Tell the saver and the ticker that something happened."""
        with self.lock:
            self.changes += 1
            self.wake.notify_all()

    def next_number(self):
        self.counter += 1
        return self.counter

    def now(self):
        """:return: the stand-in's time in unix seconds (float)"""
        return time.time() + self.offset

    # --- people, keys, stores -----------------------------------------------------------------

    def create_user(self, email, password):
        hexa = secrets.token_hex(16)
        user_id = '-'.join((hexa[:8], hexa[8:12], hexa[12:16], hexa[16:20], hexa[20:]))
        user = User(user_id, email, password, self.now())
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
            key = ApiKey(secrets.token_hex(20), user.id, label, list(permissions), self.now())
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
                new_id(32), name, owner.id, {**_copy(STORE_SETTINGS), **settings},
                dict.fromkeys(METHODS, True) if methods is None else dict(methods),
            )
            self.stores[store.id] = store
            self.changed()
        return store

    def stores_of(self, user):
        """:return: the stores of a User, oldest first, without archived ones"""
        with self.lock:
            return [
                store for store in self.stores.values()
                if store.owner_id == user.id and not store.settings['archived']
            ]

    # --- invoices -----------------------------------------------------------------------------

    def invoice(self, invoice_id):
        """:return: the Invoice, or None"""
        return self.invoices.get(invoice_id)

    def invoices_of(self, store_id):
        """:return: the store's invoices, newest first, archived ones too"""
        with self.lock:
            found = [invoice for invoice in self.invoices.values() if invoice.store_id == store_id]
        return sorted(found, key=lambda invoice: invoice.number, reverse=True)

    def accounting(self, invoice, method_id=None):
        """What is asked and paid by one method, in crypto.

        :param str method_id: default the invoice's first method
        :return: invoices.Accounting with Decimals ``due`` (negative: overpaid), ``total_due``
            ("amount" in the API), ``total_paid``, ``paid`` (by this method) and ``fee``
        """
        from . import invoices

        return invoices.accounting(invoice, method_id or next(iter(invoice.methods)))

    def payment_link(self, invoice, method_id):
        """:return: 'bitcoin:…?amount=…' or 'lightning:…', '' where not activated"""
        from . import invoices

        return invoices.payment_link(invoice, method_id)

    def pay(self, invoice_id, method_id=None, amount=None, fraction=None, replaceable=False):
        """A customer pays an invoice.

        :param str method_id: 'BTC-CHAIN' (default where the invoice has it) or 'BTC-LN'
        :param amount: BTC; default what is due
        :param fraction: instead of amount: part of what was asked, '0.5' or '2'
        :param bool replaceable: whether ``replace`` may follow (RBF)
        :return: {'txid' or 'paymentHash', 'amount', 'address'}
        :raise ApiError: 400 if the method cannot be paid
        """
        from . import chain

        return chain.pay(self, invoice_id, method_id, amount, fraction, replaceable)

    def mine(self, blocks=1):
        """Mine blocks; payments confirm, invoices settle."""
        from . import chain

        chain.mine(self, blocks)

    def replace(self, txid):
        """Replace a payment by one that does not pay the invoice.

        :return: txid of the replacement
        """
        from . import chain

        return chain.replace(self, txid)

    def expire(self, invoice_id):
        """Let a New invoice expire now, whatever time it had left."""
        from . import invoices

        invoices.expire_now(self, invoice_id)

    def mark(self, invoice_id, status):
        """The merchant marks an invoice 'Settled' or 'Invalid'."""
        from . import invoices

        invoices.mark(self, self.invoices[invoice_id], status)

    def advance(self, seconds):
        """Put the clock forward; what falls due in between happens in order, each at its time."""
        from . import clock

        clock.advance(self, seconds)

    # --- refunds ------------------------------------------------------------------------------

    def payouts_of(self, pull_payment_id):
        """:return: all payouts of a pull payment, oldest first"""
        with self.lock:
            return [p for p in self.payouts.values() if p.pull_payment_id == pull_payment_id]

    def claimable(self, pull_payment_id):
        """:return: Decimal in the pull payment's currency that can still be claimed"""
        from . import refunds

        return refunds.claimable(self, self.pull_payments[pull_payment_id])

    def claim(self, pull_payment_id, destination, amount=None, method_id=None):
        """The customer claims (a part of) a pull payment.

        :param str destination: address or BOLT11
        :param amount: in the pull payment's currency, default all that is left
        :param str method_id: default BTC-CHAIN, BTC-LN for a BOLT11
        :return: the Payout
        :raise ApiError: as the API refuses it; ``.message`` is for people
        """
        from . import refunds

        return refunds.claim(self, pull_payment_id, destination, amount, method_id)

    def approve(self, payout_id):
        """The merchant approves a payout: AwaitingApproval → AwaitingPayment."""
        from . import refunds

        return refunds.approve(self, self.payouts[payout_id])

    def pay_payout(self, payout_id, state='Completed'):
        """The merchant pays a payout (marks it paid).

        :param str state: 'InProgress' for one sent but not confirmed, else 'Completed'
        """
        from . import refunds

        return refunds.mark(self, self.payouts[payout_id], state)

    def cancel(self, payout_id):
        """The merchant cancels a payout; the customer can claim again."""
        from . import refunds

        return refunds.cancel(self, self.payouts[payout_id])

    def archive_pull_payment(self, pull_payment_id):
        """No more claims; open payouts are cancelled."""
        from . import refunds

        refunds.archive(self, self.pull_payments[pull_payment_id])

    # --- webhooks -----------------------------------------------------------------------------

    def webhooks_of(self, store_id):
        with self.lock:
            return [hook for hook in self.webhooks.values() if hook.store_id == store_id]

    def deliveries_of(self, webhook_id):
        """:return: the webhook's deliveries, newest first"""
        with self.lock:
            found = [d for d in self.deliveries.values() if d.webhook_id == webhook_id]
        return sorted(found, key=lambda d: d.number, reverse=True)

    def redeliver(self, delivery_id):
        """:return: id of the new delivery"""
        return self.dispatcher.redeliver(self.deliveries[delivery_id])


def _copy(settings):
    return {
        key: value.copy() if isinstance(value, (dict, list)) else value
        for key, value in settings.items()
    }
