"""A bitcoind that is none: its JSON-RPC steers the stand-in's chain.

With it the real server's world (``world/regtest.py``) is tried out on the stand-in.
"""
import json
import secrets
import threading
from decimal import Decimal

from werkzeug.serving import WSGIRequestHandler, make_server
from werkzeug.wrappers import Request, Response

USER, PASSWORD = 'rpc', 'p@ss'
FEE = Decimal('0.0000141')
COIN = Decimal(50)


class _Quiet(WSGIRequestHandler):
    def log_request(self, code='-', size='-'):
        pass


class Refusal(Exception):
    pass


class FakeBitcoind:
    """:param StandIn world: whose chain it is"""

    def __init__(self, world):
        self.world = world
        self.wallets = []
        self.balance = Decimal(0)
        self.chain = 'regtest'
        #: {txid: {inputs, outputs, height, replaced}}
        self.transactions = {}
        self.addresses = set()
        self.height = 0
        self.httpd = make_server(
            '127.0.0.1', 0, self.application, threaded=True, request_handler=_Quiet)
        self.address = f'127.0.0.1:{self.httpd.server_port}'
        self.url = f'http://{USER}:p%40ss@{self.address}'
        threading.Thread(target=self.httpd.serve_forever, args=(0.05,), daemon=True).start()

    def close(self):
        self.httpd.shutdown()
        self.httpd.server_close()

    @Request.application
    def application(self, request):
        login = request.authorization
        if not login or (login.username, login.password) != (USER, PASSWORD):
            return Response('', 401)
        call = json.loads(request.get_data(), parse_float=Decimal)
        self.wallet = request.path.partition('/wallet/')[2]
        try:
            result, error = getattr(self, call['method'])(**call['params']), None
        except (Refusal, TypeError, AttributeError, KeyError) as refusal:
            result, error = None, {'code': -1, 'message': f'{call["method"]}: {refusal!r}'}
        body = json.dumps({'result': result, 'error': error, 'id': call['id']}, default=float)
        return Response(body, 500 if error else 200, content_type='application/json')

    def need_wallet(self):
        if self.wallet not in self.wallets:
            raise Refusal(f'Requested wallet does not exist or is not loaded: {self.wallet!r}')

    # --- the calls --------------------------------------------------------------------------------

    def getblockchaininfo(self):
        return {'chain': self.chain, 'blocks': self.height}

    def listwallets(self):
        return self.wallets

    def listwalletdir(self):
        return {'wallets': [{'name': name} for name in self.wallets]}

    def createwallet(self, wallet_name):
        self.wallets.append(wallet_name)
        return {'name': wallet_name}

    def getwalletinfo(self):
        self.need_wallet()
        return {'walletname': self.wallet, 'private_keys_enabled': self.wallet != 'watch'}

    def getbalance(self):
        self.need_wallet()
        return self.balance

    def getnewaddress(self):
        self.need_wallet()
        address = self.world.new_address()
        self.addresses.add(address)
        return address

    def generatetoaddress(self, nblocks, address):
        assert address in self.addresses
        self.world.mine(nblocks)
        self.balance += max(0, self.height + nblocks - 100) * COIN
        for transaction in self.transactions.values():
            if transaction['height'] is None and not transaction['replaced']:
                transaction['height'] = self.height + 1
        self.height += nblocks
        return ['0' * 64] * nblocks

    def sendtoaddress(self, address, amount, replaceable, fee_rate):
        self.need_wallet()
        assert isinstance(amount, str) and isinstance(replaceable, bool) and fee_rate > 0
        txid = self.world.control('/pay_address', {
            'destination': address, 'amount': amount, 'replaceable': replaceable})['txid']
        coin = self._transaction(secrets.token_hex(32), [('c' * 64, 0)], [COIN], self.height)
        self._transaction(txid, [(coin, 0)], [Decimal(amount), COIN - Decimal(amount) - FEE])
        return txid

    def _transaction(self, txid, inputs, outputs, height=None):
        self.transactions[txid] = {
            'inputs': inputs, 'outputs': outputs, 'height': height, 'replaced': False}
        return txid

    def gettransaction(self, txid, verbose=False):
        transaction = self.transactions[txid]
        height = transaction['height']
        confirmations = self.height - height + 1 if height is not None else 0
        if transaction['replaced']:  # conflicts as deep as what took its place is buried
            by = self.transactions[transaction['replaced']]['height']
            confirmations = -(self.height - by + 1) if by is not None else 0
        answer = {'confirmations': confirmations, 'fee': -FEE, 'txid': txid}
        if verbose:
            answer['decoded'] = {
                'vin': [{'txid': tx, 'vout': n} for tx, n in transaction['inputs']],
                'vout': [{'n': n, 'value': value}
                         for n, value in enumerate(transaction['outputs'])],
            }
        return answer

    def createrawtransaction(self, inputs, outputs):
        return json.dumps({'inputs': inputs, 'outputs': outputs})

    def signrawtransactionwithwallet(self, hexstring):
        self.need_wallet()
        return {'hex': hexstring, 'complete': True}

    def sendrawtransaction(self, hexstring):
        """Accepts what spends a mempool transaction's inputs anew, to ourselves, for more."""
        raw = json.loads(hexstring)
        inputs = [(item['txid'], item['vout']) for item in raw['inputs']]
        replaced = next((txid for txid, known in self.transactions.items()
                         if known['inputs'] == inputs and known['height'] is None), None)
        if replaced is None or any(item['sequence'] > 0xFFFFFFFD for item in raw['inputs']):
            raise Refusal('bad-txns-inputs-missingorspent')
        outputs = {address: Decimal(value) for item in raw['outputs']
                   for address, value in item.items()}
        if not set(outputs) <= self.addresses:
            raise Refusal('it pays somebody else')
        if COIN - sum(outputs.values()) <= FEE * 2:
            raise Refusal('insufficient fee, rejecting replacement')
        txid = self.world.control('/replace', {'txid': replaced})['txid']
        self.transactions[replaced]['replaced'] = txid
        return self._transaction(txid, inputs, list(outputs.values()))
