"""What can be made to happen in the world, whichever server it is."""
import time
from abc import ABC, abstractmethod

import requests

#: seconds an answer may take
TIMEOUT = 60
#: rates of a new store; pairs that are not named have the last one
RATES = {'BTC_USD': '50000', 'BTC_EUR': '40000', 'BTC_JPY': '7000000', 'X_X': '1'}
#: permissions of a key as the shop's guide asks for them
GUIDE = (
    'btcpay.store.canviewinvoices',
    'btcpay.store.cancreateinvoice',
    'btcpay.store.canmodifyinvoices',
    'btcpay.store.webhooks.canmodifywebhooks',
    'btcpay.store.canviewstoresettings',
    'btcpay.store.cancreatenonapprovedpullpayments',
)


class NotPossible(Exception):
    """This world cannot do it. The message says what and why: tests skip by that name."""


class Refused(Exception):
    """The server answered something else than what was expected.

    :param str call: 'GET /api/v1/…'
    :param int status: HTTP status of the answer
    :param payload: its JSON, or its text
    """

    def __init__(self, call, status, payload):
        super().__init__(f'{call} answered {status}: {payload}')
        self.status = status
        self.payload = payload


class World(ABC):
    """A BTCPay Server, its merchant and the money.

    Amounts are strings or Decimals, never floats. What the merchant and the customer do by the
    Greenfield API is here; the rest is in the implementations.

    :ivar str url: address of the server, as a shop's admin would type it
    :ivar str email: the merchant's
    :ivar str password: the merchant's
    :ivar bool can_fault: whether faults can be ordered, time passed and the state forgotten
    """

    can_fault = False
    #: the merchant's own key; with None e-mail address and password are given
    merchant_key = None

    def __init__(self, url, email, password):
        self.url = url.rstrip('/')
        self.email = email
        self.password = password
        self.session = requests.Session()
        self.session.trust_env = False  # a proxy of the environment is not for this machine

    def __enter__(self):
        return self

    def __exit__(self, *_exc):
        self.close()

    def close(self):
        """End what was started for this world."""
        self.session.close()

    # --- the merchant's calls ---------------------------------------------------------------------

    def call(self, method, path, json=None, key=None, params=None, data=None):
        """One call of the API, whatever it answers.

        :param str path: below the server's address: '/api/v1/stores'
        :param str key: an API key; None for the merchant's own, '' for nobody
        :param data: body to send instead of JSON
        :return: requests.Response
        """
        headers, auth = {}, None
        key = self.merchant_key if key is None else key
        if key:
            headers['Authorization'] = f'token {key}'
        elif key is None:
            auth = (self.email, self.password)
        if data is not None:
            headers['Content-Type'] = 'application/json'
        return self.session.request(
            method, self.url + path, json=json, data=data, params=params, headers=headers,
            auth=auth, timeout=TIMEOUT, allow_redirects=False)

    def api(self, method, path, json=None, key=None, params=None, expect=200):
        """One call of the Greenfield API.

        :param str path: below /api/v1: '/stores'
        :param str key: an API key; None for the merchant's own, '' for nobody
        :return: the answer's JSON, None for an empty one
        :raise Refused: if the answer's status is not as expected
        """
        response = self.call(method, '/api/v1' + path, json, key, params)
        answer = payload(response)
        if response.status_code != expect:
            raise Refused(f'{method} /api/v1{path}', response.status_code, answer)
        return answer

    # --- stores and keys --------------------------------------------------------------------------

    @abstractmethod
    def new_store(self, name='Shop', methods=None, **settings):
        """Make a store of the merchant with the usual rates (BTC at 50000 USD, 40000 EUR,
        7000000 JPY, everything else one to one).

        :param methods: ids of the payment methods enabled: 'BTC-CHAIN', 'BTC-LN', 'BTC-LNURL';
            () for none, default all the server has
        :param settings: under the API's names: ``speedPolicy='HighSpeed'``,
            ``invoiceExpiration=60`` (seconds, 60 at least), ``paymentTolerance=5`` …
        :return: id of the store
        :raise NotPossible: if the server lacks a method
        """

    def change_store(self, store_id, methods=None, **settings):
        """Change name, settings or enabled payment methods; parameters as in ``new_store``."""
        if settings:
            store = self.api('GET', f'/stores/{store_id}')
            self.api('PUT', f'/stores/{store_id}', {**store, **settings})
        if methods is not None:
            path = f'/stores/{store_id}/payment-methods'
            known = {item['paymentMethodId'] for item in self.api('GET', path)}
            for method in known:
                self.api('PUT', f'{path}/{method}', {'enabled': method in methods})
            for method in set(methods) - known:
                self.add_method(store_id, method)

    @abstractmethod
    def add_method(self, store_id, method):
        """Set up and enable a payment method the store has not."""

    def remove_method(self, store_id, method):
        """Take a payment method away from a store: delete its wallet."""
        self.api('DELETE', f'/stores/{store_id}/payment-methods/{method}')

    def delete_store(self, store_id):
        self.api('DELETE', f'/stores/{store_id}')

    def set_rates(self, store_id, **rates):
        """Change rates of a store; the others are as in ``new_store``.

        :param rates: by pair, ``BTC_USD='50000'``; None for one that is not to be had
        """
        script = ''.join(
            f'{pair} = {f"nowhere({pair})" if rate is None else rate};\n'
            for pair, rate in {**RATES, **rates}.items())
        self.api('PUT', f'/stores/{store_id}/rates/configuration/primary', {
            'isCustomScript': True, 'effectiveScript': script, 'spread': '0'})

    def new_key(self, store_id, permissions, label='test'):
        """Make an API key without the authorize page.

        :param store_id: id of the store, a list of several, or None: for all, those to come too
        :param permissions: policies without a store, 'btcpay.store.canviewinvoices'
        :return: the key, 40 hex characters
        """
        if store_id is not None:
            stores = [store_id] if isinstance(store_id, str) else store_id
            permissions = [f'{policy}:{store}' for store in stores for policy in permissions]
        return self.api(
            'POST', '/api-keys', {'label': label, 'permissions': list(permissions)})['apiKey']

    def revoke_key(self, key):
        self.api('DELETE', f'/api-keys/{key}')

    # --- invoices ---------------------------------------------------------------------------------

    def new_invoice(self, store_id, amount='100.00', currency='USD', key=None, **values):
        """:param values: the rest of the API's body: metadata, checkout …
        :return: the invoice as the API answers it
        """
        body = {'amount': str(amount), 'currency': currency, **values}
        return self.api('POST', f'/stores/{store_id}/invoices', body, key)

    def invoice(self, invoice_id):
        """:return: the invoice as the API shows it to the merchant"""
        return self.api('GET', f'/invoices/{invoice_id}')

    def payment_methods(self, invoice_id):
        """:return: {method id: as the API shows it, with its payments}"""
        methods = self.api('GET', f'/invoices/{invoice_id}/payment-methods')
        return {method['paymentMethodId']: method for method in methods}

    def mark(self, invoice_id, status):
        """The merchant marks an invoice 'Settled' or 'Invalid'.

        :return: the invoice as it is then (the API itself answers the old state)
        """
        self.api('POST', f'/invoices/{invoice_id}/status', {'status': status})
        return self.invoice(invoice_id)

    def archive(self, invoice_id):
        self.api('DELETE', f'/invoices/{invoice_id}')

    @abstractmethod
    def pay(self, invoice_id, method='BTC-CHAIN', amount=None, fraction=None, replaceable=False):
        """A customer pays an invoice; when this returns the server has seen it.

        :param str method: 'BTC-CHAIN' or 'BTC-LN'
        :param amount: BTC, default what is due (the whole amount again if nothing is)
        :param fraction: instead of ``amount``: part of the whole, '0.5' or '2'
        :param bool replaceable: whether ``replace`` may follow (RBF)
        :return: transaction id or payment hash
        """

    @abstractmethod
    def replace(self, txid):
        """Replace an unconfirmed payment by one that does not pay the invoice. The server notices
        with the next block.

        :return: id of the replacement
        """

    @abstractmethod
    def mine(self, blocks=1):
        """Mine blocks; when this returns the server has seen them."""

    # --- time -------------------------------------------------------------------------------------

    @abstractmethod
    def expire(self, invoice_id):
        """Let a New invoice expire. A real server's is waited for: give it a short expiry."""

    @abstractmethod
    def pass_time(self, seconds):
        """Let time pass at the server; at a real one by waiting."""

    def wait_for(self, predicate, timeout=15, what='what was waited for'):
        """Call something until it answers something true.

        :return: that answer
        :raise AssertionError: if it does not come about in time
        """
        end = time.monotonic() + timeout
        while True:
            found = predicate()
            if found:
                return found
            if time.monotonic() > end:
                raise AssertionError(f'Not within {timeout} seconds: {what}')
            time.sleep(0.05)

    def wait_invoice(self, invoice_id, status, additional=None, timeout=30):
        """Wait until an invoice has a status, and an additional status if one is given.

        :return: the invoice
        """
        seen = {}

        def reached():
            seen.update(self.invoice(invoice_id))
            return seen['status'] == status and additional in (None, seen['additionalStatus'])

        try:
            self.wait_for(reached, timeout)
        except AssertionError:
            raise AssertionError(
                f'Invoice {invoice_id} is {seen["status"]}/{seen["additionalStatus"]}, not '
                f'{status}/{additional or "…"}, after {timeout} seconds')
        return seen

    # --- refunds ----------------------------------------------------------------------------------

    @abstractmethod
    def new_address(self):
        """:return: an address of the customer, for refunds"""

    def claim(self, pull_payment_id, amount=None, method='BTC-CHAIN', destination=None):
        """The customer claims a refund, or a part of it.

        :param amount: in the pull payment's currency, default all that is left
        :param str destination: default a new address of the customer
        :return: id of the payout
        """
        body = {
            'destination': destination or self.new_address(), 'payoutMethodId': method,
            'amount': None if amount is None else str(amount),
        }
        path = f'/pull-payments/{pull_payment_id}/payouts'
        return self.api('POST', path, body, key='')['id']

    def payout(self, payout_id):
        """:return: the payout as the API shows it"""
        return self.api('GET', f'/payouts/{payout_id}')

    def approve(self, payout_id):
        """The merchant approves a payout: AwaitingApproval → AwaitingPayment."""
        revision = self.payout(payout_id)['revision']
        self.api('POST', f'/payouts/{payout_id}', {'revision': revision})

    def pay_payout(self, payout_id, state='Completed', **proof):
        """The merchant says that a payout was paid.

        :param str state: 'InProgress' for sent but not confirmed, else 'Completed'
        :param dict proof: what shows it, such as `proofType` and `id`
        """
        self.api('POST', f'/payouts/{payout_id}/mark', {
            'state': state, **({'paymentProof': proof} if proof else {}),
        })

    def cancel_payout(self, payout_id):
        self.api('DELETE', f'/payouts/{payout_id}')

    def archive_pull_payment(self, pull_payment_id):
        """No more claims; payouts not sent are cancelled."""
        self.api('DELETE', f'/pull-payments/{pull_payment_id}')

    # --- webhooks ---------------------------------------------------------------------------------

    def new_webhook(self, store_id, url, **values):
        """:return: the webhook as the API answers it, with its secret"""
        return self.api('POST', f'/stores/{store_id}/webhooks', {'url': url, **values})

    def webhooks(self, store_id):
        return self.api('GET', f'/stores/{store_id}/webhooks')

    def deliveries(self, webhook_id, count=None):
        """:return: a webhook's deliveries, newest first, as the API shows them"""
        params = None if count is None else {'count': count}
        return self.api('GET', f'/webhooks/{webhook_id}/deliveries', params=params)

    def redeliver(self, webhook_id, delivery_id):
        """:return: id of the new delivery"""
        path = f'/webhooks/{webhook_id}/deliveries/{delivery_id}/redeliver'
        return self.api('POST', path)

    @abstractmethod
    def wait_deliveries(self, timeout=15):
        """Wait until the server has nothing more to deliver, further attempts aside."""

    # --- what only the stand-in can ---------------------------------------------------------------

    def _cannot(self, what):
        raise NotPossible(f'{what} cannot be done on a real BTCPay Server')

    def fault(self, kind, path='', method=None, count=1, status=503, seconds=30, after=False):
        """Spoil the next answers of the server.

        :param str kind: 'status', 'page' (of a proxy, with the status), 'hang', 'drop' (the
            connection), 'half' (the body), 'wrong_json', 'slow'
        :param str path: regular expression found in the path
        :param str method: HTTP method, default any
        :param int count: how many answers, None for all
        :param bool after: whether the call takes effect all the same
        """
        self._cannot('Spoiling answers')

    def webhook_fault(self, kind, invoice=None, type=None, count=1, seconds=5):  # noqa: A002 as told
        """Spoil the next deliveries.

        :param str kind: 'never', 'twice', 'late', 'reorder'
        :param str invoice: id, default any
        :param str type: of the event, default any
        """
        self._cannot('Spoiling deliveries')

    def clear_faults(self):
        """No more of the faults ordered."""
        self._cannot('Faults on request')

    def restart(self):
        """Restart the server as far as it matters: what waits to be delivered is lost."""
        self._cannot('Restarting the server')

    def requests(self, since=0):
        """:param int since: the number ``n`` of a request
        :return: requests received after it: ``{n, method, path, query, body, at}``
        """
        self._cannot('Looking into the requests received')

    def settings(self, **values):
        """Change the stand-in's own settings, see ``dev/btcpay/defaults.py`` (``SETTINGS``)."""
        self._cannot('Settings of the stand-in')

    def reset(self):
        """Forget everything."""
        self._cannot('Forgetting everything')


def payload(response):
    """:return: an answer's JSON, its text where it is none, None where it is empty"""
    if not response.content:
        return None
    try:
        return response.json()
    except ValueError:
        return response.text
