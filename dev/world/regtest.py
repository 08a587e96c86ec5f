"""The world of a real BTCPay Server in regtest: its API, bitcoind's JSON-RPC, and patience."""
import os
import time
from decimal import ROUND_CEILING, Decimal
from functools import partial

import requests

from .base import NotPossible, Refused, World, payload
from .bitcoind import Bitcoind, BitcoindError

SATOSHI = Decimal('0.00000001')
#: seconds one waits for time to pass, at most
LONGEST_WAIT = 180
#: seconds the server may take to notice a payment or a block
NOTICE = 60
#: seconds it may take to catch up with the chain
SYNCHRONIZE = 120
CONFIRMATIONS = {'HighSpeed': 1, 'MediumSpeed': 1, 'LowMediumSpeed': 2, 'LowSpeed': 6}
#: what a store is like whose settings nobody changed; what is left out of a call may be otherwise
SETTINGS = {
    'defaultCurrency': 'USD', 'speedPolicy': 'MediumSpeed',
    'networkFeeMode': 'MultiplePaymentsOnly',
    'invoiceExpiration': 900, 'monitoringExpiration': 86400, 'paymentTolerance': 0,
    'anyoneCanCreateInvoice': False, 'lazyPaymentMethods': False, 'redirectAutomatically': False,
    'receipt': {'enabled': True, 'showQR': True, 'showPayments': True},
}
LIGHTNING = {
    'BTC-LN': {'connectionString': 'Internal Node'},
    'BTC-LNURL': {'useBech32Scheme': True, 'lud12Enabled': False},
}


class Regtest(World):
    """A merchant's account at a real server. What is made there is deleted in the end.

    Lightning is paid from the node that ``LIGHTNING_PAYER`` names (a connection string as BTCPay
    Server takes it), else from the server's own node, if that pays itself.

    :param str bitcoind_url: http://user:password@host:port
    :raise RuntimeError: if server or bitcoind cannot be used; says why
    """

    #: seconds without a new delivery after which nothing more is expected
    quiet = 1.5

    def __init__(self, url, email, password, bitcoind_url):
        super().__init__(url, email, password)
        self.bitcoind = Bitcoind(bitcoind_url, self.session)
        self.stores = []
        #: {txid: invoice id} of payments whose settling is yet to be seen
        self.unsettled = {}
        self.methods = None
        self.payer = None
        try:
            self._sign_in()
            self.bitcoind.prepare()
            self._wait_synchronized()
        except BitcoindError as error:
            self.close()
            raise RuntimeError(str(error))
        except requests.ConnectionError as error:
            self.close()
            raise RuntimeError(
                f'No answer from the server (BTCPAY_URL) or from bitcoind (BITCOIND_URL): {error}')

    def _sign_in(self):
        """Make a key, for speed: each use of a password is hashed anew."""
        response = self.call('POST', '/api/v1/api-keys', {
            'label': 'payment_btcpay: tests', 'permissions': ['unrestricted']})
        if response.status_code == 401:
            raise RuntimeError(
                f'{self.url} does not accept BTCPAY_EMAIL and BTCPAY_PASSWORD as a login')
        if response.status_code != 200:
            raise RuntimeError(
                f'{self.url} made no API key for {self.email}, but answered '
                f'{response.status_code}: {payload(response)}. Is BTCPAY_URL a BTCPay Server?')
        self.merchant_key = response.json()['apiKey']

    def _wait_synchronized(self):
        try:
            self.wait_for(
                lambda: payload(self.call('GET', '/api/v1/health', key='')) == {
                    'synchronized': True}, SYNCHRONIZE)
        except AssertionError:
            raise RuntimeError(
                f'{self.url} has not caught up with bitcoind after {SYNCHRONIZE} seconds. Is it '
                'the bitcoind of BITCOIND_URL that the server uses?')

    def close(self):
        """Delete the stores made here and the merchant's key."""
        try:
            if self.merchant_key:
                for store_id in self.stores:
                    self.call('DELETE', f'/api/v1/stores/{store_id}')
                self.call('DELETE', '/api/v1/api-keys/current')
        except requests.RequestException:
            pass  # gone already: there is nothing to tidy up
        super().close()

    # --- stores -----------------------------------------------------------------------------------

    def new_store(self, name='Shop', methods=None, **settings):
        methods = self._all_methods() if methods is None else methods
        store_id = self.api('POST', '/stores', {'name': name, **SETTINGS, **settings})['id']
        self.stores.append(store_id)
        self.set_rates(store_id)
        for method in methods:
            self.add_method(store_id, method)
        return store_id

    def _all_methods(self):
        if self.methods is None:
            lightning = self.call('GET', '/api/v1/server/lightning/BTC/info').status_code == 200
            self.methods = ('BTC-CHAIN', *(LIGHTNING if lightning else ()))
        return self.methods

    def add_method(self, store_id, method):
        path = f'/stores/{store_id}/payment-methods/{method}'
        if method == 'BTC-CHAIN':
            self.api('POST', f'{path}/wallet/generate', {
                'savePrivateKeys': False, 'scriptPubKeyType': 'Segwit'})
            return
        if method not in LIGHTNING or method not in self._all_methods():
            raise NotPossible(f'A store with {method}: {self.url} has no node for it')
        self.api('PUT', path, {'enabled': True, 'config': LIGHTNING[method]})

    # --- money ------------------------------------------------------------------------------------

    def new_address(self):
        return self.bitcoind.new_address()

    def pay(self, invoice_id, method='BTC-CHAIN', amount=None, fraction=None, replaceable=False):
        prompt = self._prompt(invoice_id, method)
        value = self._value(invoice_id, prompt, amount, fraction)
        if method == 'BTC-LN':
            exact = amount is not None or fraction is not None
            payment = self._pay_lightning(prompt, value if exact else None)
        else:
            payment = self.bitcoind.send(prompt['destination'], value, replaceable)
            self.unsettled[payment] = invoice_id
        self.wait_for(partial(self._payment, invoice_id, payment), NOTICE,
                      f'the server sees payment {payment} of invoice {invoice_id}')
        return payment

    def _prompt(self, invoice_id, method):
        """:return: what the API says of one way to pay an invoice"""
        prompt = self.payment_methods(invoice_id).get(method)
        if prompt and not prompt['activated']:
            self.api('POST', f'/invoices/{invoice_id}/payment-methods/{method}/activate')
            prompt = self.payment_methods(invoice_id)[method]
        if not prompt or not prompt.get('destination'):
            raise Refused(f'Paying invoice {invoice_id}', 400, f'it cannot be paid by {method}')
        return prompt

    def _value(self, invoice_id, prompt, amount, fraction):
        if amount is not None:
            return Decimal(str(amount))
        due = Decimal(prompt['due'])
        if fraction is None and due > 0:
            return due
        asked = Decimal(self.invoice(invoice_id)['amount']) / Decimal(prompt['rate'])
        return (asked * Decimal(str(fraction or 1))).quantize(SATOSHI, ROUND_CEILING)

    def _payment(self, invoice_id, payment):
        """:return: a payment as the API shows it, None if it does not (any more)"""
        for prompt in self.payment_methods(invoice_id).values():
            for found in prompt['payments']:
                if found['id'].partition('-')[0] == payment:
                    return found
        return None

    def _pay_lightning(self, prompt, value):
        """:return: payment hash"""
        connection = os.environ.get('LIGHTNING_PAYER')
        path = '/server/lightning/BTC/invoices/pay'
        if connection:
            path = f'/stores/{self._payer_store(connection)}/lightning/BTC/invoices/pay'
        body = {'BOLT11': prompt['destination']}
        if value is not None:
            body['amount'] = str(int(value * 10**11))  # millisatoshi
        response = self.call('POST', '/api/v1' + path, body)
        answer = payload(response)
        if response.status_code not in (200, 202):
            if connection:
                raise Refused(f'POST /api/v1{path}', response.status_code, answer)
            raise NotPossible(
                "Paying over Lightning: the server's own node does not pay itself "
                f'({response.status_code}: {answer}). Name another one in LIGHTNING_PAYER.')
        return (prompt.get('additionalData') or {}).get('paymentHash') or answer['paymentHash']

    def _payer_store(self, connection):
        """:return: id of a store whose node pays for the customer"""
        if self.payer is None:
            self.payer = self.new_store('Customer', methods=())
            self.api('PUT', f'/stores/{self.payer}/payment-methods/BTC-LN', {
                'enabled': True, 'config': {'connectionString': connection}})
        return self.payer

    def replace(self, txid):
        return self.bitcoind.replace(txid)

    def mine(self, blocks=1):
        self.bitcoind.mine(blocks)
        for txid, invoice_id in list(self.unsettled.items()):
            self.wait_for(partial(self._followed, txid, invoice_id), NOTICE,
                          f'the server sees the block of payment {txid}')

    def _followed(self, txid, invoice_id):
        """:return: whether the server knows what became of a payment"""
        confirmations = self.bitcoind.confirmations(txid)
        if not confirmations:
            return True
        try:
            policy = self.invoice(invoice_id)['checkout']['speedPolicy']
            payment = self._payment(invoice_id, txid)
        except Refused:  # the store was deleted
            payment = None
        else:
            if 0 < confirmations < CONFIRMATIONS[policy]:
                return True
            if confirmations > 0 and not payment:
                return False
        if payment and (confirmations < 0 or payment['status'] != 'Settled'):
            return False
        del self.unsettled[txid]
        return True

    # --- time -------------------------------------------------------------------------------------

    def now(self):
        return time.time()

    def sleep(self, seconds):
        time.sleep(seconds)

    def pass_time(self, seconds):
        if seconds > LONGEST_WAIT:
            raise NotPossible(f'Letting {seconds} seconds pass: a real server takes as long')
        self.sleep(seconds)

    def expire(self, invoice_id):
        left = self.invoice(invoice_id)['expirationTime'] - self.now()
        if left > LONGEST_WAIT:
            raise NotPossible(
                f'Letting an invoice expire that has {left:.0f} seconds left: give it fewer')
        self.sleep(max(left, 0) + 1)
        self.wait_invoice(invoice_id, 'Expired')

    # --- webhooks ---------------------------------------------------------------------------------

    def wait_deliveries(self, timeout=15):
        """Nothing tells what is queued at a real server: wait until it is quiet."""
        seen, since = None, time.monotonic()
        end = since + timeout
        while time.monotonic() - since < self.quiet:
            if time.monotonic() > end:
                raise AssertionError(f'The server is still delivering after {timeout} seconds')
            found = self._delivered()
            if found != seen:
                seen, since = found, time.monotonic()
            time.sleep(self.quiet / 10)

    def _delivered(self):
        """:return: ids of the last deliveries to the webhooks of the last stores made here"""
        found = set()
        for store_id in self.stores[-2:]:
            response = self.call('GET', f'/api/v1/stores/{store_id}/webhooks')
            for webhook in response.json() if response.status_code == 200 else ():
                found |= {item['id'] for item in self.deliveries(webhook['id'], 50)}
        return found
