"""The customer's wallet, and the miner: a bitcoind in regtest mode, by JSON-RPC."""
import json
from decimal import Decimal
from urllib.parse import quote, unquote, urlsplit

#: wallet made where the node has none
WALLET = 'payment_btcpay'
#: satoshi per virtual byte; a node in regtest cannot estimate any
FEE_RATE = 10
#: more than this many BTC are always enough
ENOUGH = Decimal(1)
TIMEOUT = 60


class BitcoindError(Exception):
    """What the node refused, and why."""


class Bitcoind:
    """:param str url: http://user:password@host:port, with /wallet/NAME or without
    :param requests.Session session: to call it with
    """

    def __init__(self, url, session):
        parts = urlsplit(url)
        self.auth = (unquote(parts.username or ''), unquote(parts.password or ''))
        self.root = f'{parts.scheme}://{parts.netloc.rpartition("@")[2]}'
        self.path = parts.path.rstrip('/')
        self.session = session

    def call(self, method, **params):
        """:raise BitcoindError: with the node's own words"""
        response = self.session.post(
            self.root + (self.path or '/'), auth=self.auth, timeout=TIMEOUT, data=json.dumps(
                {'jsonrpc': '1.0', 'id': 'payment_btcpay', 'method': method, 'params': params}))
        if response.status_code in (401, 403):
            raise BitcoindError('bitcoind does not accept user and password of BITCOIND_URL')
        try:
            answer = json.loads(response.text, parse_float=Decimal)
        except ValueError:
            raise BitcoindError(
                f'{method}: no JSON-RPC answer at {self.root}, but status {response.status_code}')
        if answer.get('error'):
            raise BitcoindError(f'bitcoind refuses {method}: {answer["error"].get("message")}')
        return answer['result']

    # --- set-up -----------------------------------------------------------------------------------

    def prepare(self):
        """Find a wallet, or make one, and see that there is money in it."""
        chain = self.call('getblockchaininfo')['chain']
        if chain != 'regtest':
            raise BitcoindError(f'BITCOIND_URL is a node of "{chain}": only regtest will do')
        if '/wallet/' not in self.path:
            self.path = '/wallet/' + quote(self._wallet(), safe='')
        if self._balance() < ENOUGH:
            self.mine(101)  # the first of these rewards can be spent then
        if not self._balance():
            raise BitcoindError(
                'The wallet of bitcoind is empty, and mining 101 blocks brought nothing. Send it '
                'some coins, or start a new regtest chain.')

    def _balance(self):
        return Decimal(self.call('getbalance'))

    def _wallet(self):
        """:return: name of a loaded wallet that can sign"""
        loaded = self.call('listwallets')
        for name in sorted(loaded, key=lambda name: name != WALLET):
            self.path = '/wallet/' + quote(name, safe='')
            if self.call('getwalletinfo').get('private_keys_enabled'):
                return name
        self.path = ''
        known = {wallet['name'] for wallet in self.call('listwalletdir')['wallets']}
        if WALLET in known:
            self.call('loadwallet', filename=WALLET)
        else:
            self.call('createwallet', wallet_name=WALLET)
        return WALLET

    # --- what is done with it ---------------------------------------------------------------------

    def new_address(self):
        return self.call('getnewaddress')

    def mine(self, blocks):
        self.call('generatetoaddress', nblocks=blocks, address=self.new_address())

    def send(self, address, amount, replaceable):
        """:return: transaction id"""
        return self.call(
            'sendtoaddress', address=address, amount=format(amount, 'f'), replaceable=replaceable,
            fee_rate=FEE_RATE)

    def confirmations(self, txid):
        """:return: how many; 0 in the mempool, negative if another transaction took its place"""
        return self.call('gettransaction', txid=txid)['confirmations']

    def replace(self, txid):
        """Spend what a transaction spends to ourselves, with a higher fee.

        :return: id of the new transaction
        """
        wanted = self.call('gettransaction', txid=txid, verbose=True)
        inputs = [(item['txid'], item['vout']) for item in wanted['decoded']['vin']]
        fee = abs(wanted['fee']) * 2 + Decimal('0.0001')
        rest = sum(self._value(*item) for item in inputs) - fee
        raw = self.call(
            'createrawtransaction', outputs=[{self.new_address(): format(rest, 'f')}],
            inputs=[{'txid': tx, 'vout': n, 'sequence': 0xFFFFFFFD} for tx, n in inputs])
        signed = self.call('signrawtransactionwithwallet', hexstring=raw)
        return self.call('sendrawtransaction', hexstring=signed['hex'])

    def _value(self, txid, number):
        outputs = self.call('gettransaction', txid=txid, verbose=True)['decoded']['vout']
        return next(Decimal(output['value']) for output in outputs if output['n'] == number)
