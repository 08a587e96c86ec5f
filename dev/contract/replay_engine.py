"""Plays a recording again on the stand-in, call by call."""
import hashlib
import hmac
import json
import re

import requests

from ..world import GUIDE
from .replay_compare import Comparison

METHODS = ('BTC-LN', 'BTC-CHAIN', 'BTC-LNURL')
#: what the merchant did between two calls, by scenario and number of the call (README of wire/)
BEFORE = {
    's25': {
        0: {'BTC-CHAIN': False},
        2: dict.fromkeys(METHODS, False),
        3: dict.fromkeys(METHODS, True),
    },
}
TIMEOUT = '1'  # seconds until a hanging receiver is given up; really 100


class Player:
    """:param str url: address of the stand-in
    :param Receiver receiver: for its webhooks
    :param dict recordings: all recordings by scenario, for what one takes from another
    """

    def __init__(self, url, receiver, recordings):
        self.url = url
        self.receiver = receiver
        self.recordings = recordings
        self.comparison = Comparison(url, receiver.url)
        self.answers = []  # (record, status, JSON) for the swagger check
        self.keys = {}
        self.key = None

    def control(self, path, **data):
        response = requests.post(f'{self.url}/_control{path}', json=data, timeout=30)
        assert response.status_code == 200, (path, data, response.text)
        return response.json()

    # --- set-up -----------------------------------------------------------------------------------

    def prepare(self, recording):
        """A store, a key and a webhook like the recording's."""
        records = recording['records']
        text = json.dumps(records)
        self.control('/reset')
        fee_rate = re.search(r'"recommendedFeeRate": ([\d.]+)', text)
        self.control('/settings', delivery_timeout=TIMEOUT,
                     fee_rate=fee_rate[1] if fee_rate else '100')
        lightning = '"BTC-LNURL"' in json.dumps([
            record['response'] for record in records
            if record['kind'] == 'api' and 'server/info' not in record['path']
        ])
        self.store = self.control('/store', name='Rig Shop', methods={
            method: True if lightning or method == 'BTC-CHAIN' else None for method in METHODS
        })['id']
        store = re.search(r'/stores/([1-9A-HJ-NP-Za-km-z]{40,})', text)
        self.comparison.learn(store[1], self.store)
        self.key = self.make_key(GUIDE, 'odoo')
        self.merchant = self.make_key(('unrestricted',), 'merchant', stores=None)
        hook = requests.post(
            f'{self.url}/api/v1/stores/{self.store}/webhooks', timeout=30,
            json={'url': self.receiver.url + '/hook'},
            headers={'Authorization': f'token {self.merchant}'},
        ).json()
        self.secret = hook['secret']
        own = [r['body']['webhookId'] for r in records if r['kind'] == 'webhook'
               and r['path'] == '/hook']
        if own:
            self.comparison.learn(own[0], hook['id'])
        self.receiver.answers = {}
        for record in records:
            if record['kind'] == 'webhook':
                self.receiver.answers.setdefault(record['path'], []).append(record['answered'])
        self.receiver.hooks.clear()
        self.receiver.gets.clear()

    def make_key(self, permissions, label, stores=()):
        return self.control(
            '/key', permissions=list(permissions), label=label,
            stores=[self.store] if stores == () else stores,
        )['apiKey']

    # --- play -------------------------------------------------------------------------------------

    def play(self, recording):
        """:return: what differs, a list of sentences"""
        self.prepare(recording)
        scenario = recording['scenario'].partition('_')[0]
        for foreign in self.foreign(recording):
            self.play_prelude(foreign)
        self.start = requests.get(f'{self.url}/_control/state', timeout=30).json()['now']
        self.first = recording['records'][0]['t']
        calls = 0
        for record in recording['records']:
            if record['kind'] == 'api':
                if methods := BEFORE.get(scenario, {}).get(calls):
                    self.control(f'/store/{self.store}', methods=methods)
                calls += 1
            self.step(record)
        self.settle(recording['records'][-1]['t'])
        self.compare_hooks([r for r in recording['records'] if r['kind'] == 'webhook'])
        moved = [r['path'] for r in recording['records'] if r['kind'] == 'webhook-get']
        if moved != self.receiver.gets:
            self.comparison.differ('GET after a redirect', moved, self.receiver.gets)
        return self.comparison.differences

    def foreign(self, recording):
        """:return: recordings that made invoices which this one uses"""
        used = set(re.findall(r'/invoices/([1-9A-HJ-NP-Za-km-z]{19,23})', json.dumps(
            [record['path'] for record in recording['records'] if record['kind'] == 'api'])))
        used -= made_invoices(recording)
        return [other for other in self.recordings.values() if used & made_invoices(other)]

    def play_prelude(self, recording):
        self.start = requests.get(f'{self.url}/_control/state', timeout=30).json()['now']
        self.first = recording['records'][0]['t']
        for record in recording['records']:
            self.step(record)
        self.settle(recording['records'][-1]['t'])
        self.receiver.hooks.clear()
        self.answers.clear()

    def settle(self, t):
        """Let what is queued be delivered, and the clock come to a moment of the recording."""
        assert self.control('/wait', timeout=20)['idle']
        now = requests.get(f'{self.url}/_control/state', timeout=30).json()['now']
        behind = (t - self.first) - (now - self.start)
        if behind > 0:
            self.control('/time', advance=behind)
            assert self.control('/wait', timeout=20)['idle']

    def step(self, record):
        if record['kind'] in ('api', 'chain'):
            self.settle(record['t'])
            self.seen_before = len(self.receiver.hooks)
            getattr(self, record['kind'])(record)

    def chain(self, record):
        did, learn = record['did'], self.comparison.learn
        if did == 'paid':
            address = self.comparison.translate(record['address'])
            learn(record['txid'], self.control(
                '/pay_address', destination=address, amount=record['amount'], replaceable=True,
            )['txid'])
        elif did == 'replaced':
            txid = self.comparison.translate(record['txid'])
            learn(record['by'], self.control('/replace', txid=txid)['txid'])
        elif did == 'paid over Lightning':
            payment_hash = self.comparison.translate(record['payment_hash'])
            self.control('/pay_address', destination=self.bolt11(payment_hash))
        else:
            blocks = re.fullmatch(r'mined (\d+)', did)
            assert blocks, f'The replay does not know how to do {did!r}'
            self.control('/mine', blocks=int(blocks[1]))

    def bolt11(self, payment_hash):
        for _record, _status, answer in reversed(self.answers):
            for method in answer if isinstance(answer, list) else ():
                details = method.get('additionalData') or {}
                if details.get('paymentHash') == payment_hash:
                    return method['destination']
        raise AssertionError(f'No Lightning invoice has the hash {payment_hash}')

    # --- calls ------------------------------------------------------------------------------------

    def api(self, record):
        path = self.comparison.translate(record['path'])
        path = re.sub(r'startDate=\d+', f'startDate={int(self.start)}', path)
        body = None
        if isinstance(record['request'], str):
            body = record['request'].encode()
        elif record['request'] is not None:
            body = json.dumps(self.comparison.translate(record['request'])).encode()
        headers = {'Content-Type': 'application/json'} if body is not None else {}
        if record['request_headers'].get('Authorization'):
            headers['Authorization'] = f'token {self.token(record)}'
        response = requests.request(
            record['method'], self.url + path, data=body, headers=headers, timeout=30)
        where = f"{record['t']} {record['method']} {record['path'][:90]}"
        if response.status_code != record['status']:
            self.comparison.differ(f'{where} status', record['status'],
                                   f'{response.status_code} {response.text[:200]}')
            return
        content_type = record['response_headers'].get('Content-Type')
        if response.headers.get('Content-Type') != content_type:
            self.comparison.differ(
                f'{where} Content-Type', content_type, response.headers.get('Content-Type'))
        answer = response.json() if response.content else None
        self.answers.append((record, response.status_code, answer))
        if is_invoice_list(record):
            self.compare_list(where, record, answer)
        else:
            # a bare string is the id of a new delivery
            self.comparison.compare(where, record['response'], answer, field='id')

    def token(self, record):
        note, path = record['note'] or '', record['path']
        if note == 'unknown key':
            return '0' * 40
        if note == 'empty token':
            return ''
        if 'merchant' in note or 'root' in note:
            return self.merchant
        if path == '/api/v1/api-keys/current' and record['status'] == 200 and record['response']:
            shown = record['response']
            self.keys['shown'] = self.make_key(
                [permission.partition(':')[0] for permission in shown['permissions']],
                shown['label'])
            if len(shown['permissions']) == len(GUIDE):
                self.key = self.keys['shown']
            self.comparison.learn(shown['apiKey'], self.keys['shown'])
        if 'api-keys' in path or (note.startswith('missing') and record['status'] == 403):
            return self.keys['shown']
        return self.key

    def compare_list(self, where, record, answer):
        """The order of what was made in the same second is chance, and so is what take= leaves
        of it; what other scenarios made is not there.
        """
        known = {self.comparison.pairs.get(item['id']): item for item in record['response']}
        ours = {item['id']: item for item in answer}
        if 'take=' in record['path'] and len(answer) < 3:
            own = [item for item in record['response'] if item['id'] in self.comparison.pairs]
            if len(own) != len(answer):
                self.comparison.differ(f'{where} length', len(own), len(answer))
            for item, other in zip(own, answer, strict=False):
                if set(item) != set(other) or (
                    bool(item['paymentMethods']) != bool(other['paymentMethods'])
                ):
                    self.comparison.differ(where, item, other)
            return
        known.pop(None, None)
        if set(known) != set(ours):
            self.comparison.differ(f'{where} ids', sorted(known), sorted(ours))
        for invoice_id, item in known.items():
            if invoice_id in ours:
                self.comparison.compare(f'{where} {invoice_id}', item, ours[invoice_id])
        times = [item['createdTime'] for item in answer]
        if times != sorted(times, reverse=True):
            self.comparison.differ(f'{where} order', 'newest first', times)

    # --- webhooks ---------------------------------------------------------------------------------

    def compare_hooks(self, records):
        for path in sorted({record['path'] for record in records} | {'/hook'}):
            recorded = [record for record in records if record['path'] == path]
            received = [hook for hook in self.receiver.hooks if hook.path == path]
            types = [record['body']['type'] for record in recorded]
            actual = [json.loads(hook.raw)['type'] for hook in received]
            # what the last step caused may have come after the recording ended
            late = [hook for hook in received if hook in self.receiver.hooks[self.seen_before:]]
            spare = len(actual) - len(types)
            if 0 < spare <= len(late):
                actual = actual[:-spare]
            if types != actual:
                self.comparison.differ(f'webhooks to {path}', types, actual)
                continue
            for record, hook in zip(recorded, received, strict=False):
                self.compare_hook(record, hook)

    def compare_hook(self, record, hook):
        where = f"{record['t']} webhook {record['body']['type']}"
        body = json.loads(hook.raw)
        self.comparison.compare(where, record['body'], body)
        if list(record['body']) != list(body):
            self.comparison.differ(f'{where} order', list(record['body']), list(body))
        for form, raw in (('recorded', record['raw']), ('stand-in', hook.raw.decode())):
            if json.dumps(json.loads(raw), indent=2, ensure_ascii=False) != raw:
                self.comparison.differ(f'{where} form', 'indented JSON', f'{form}: {raw}')
        for name in ('User-Agent', 'Content-Type'):
            if record['headers'][name] != hook.headers.get(name):
                self.comparison.differ(
                    f'{where} {name}', record['headers'][name], hook.headers.get(name))
        # signature_ok is about the secret the webhook had at first
        digest = hmac.new(self.secret.encode(), hook.raw, hashlib.sha256).hexdigest()
        signed = hook.headers.get('Btcpay-Sig') == f'sha256={digest}'
        if signed != record['signature_ok']:
            self.comparison.differ(f'{where} signed', record['signature_ok'], signed)


def is_invoice_list(record):
    return record['method'] == 'GET' and bool(re.search(r'/invoices(\?|$)', record['path']))


def made_invoices(recording):
    return {
        record['response']['id'] for record in recording['records']
        if record['kind'] == 'api' and record['method'] == 'POST'
        and record['path'].endswith('/invoices') and record['status'] == 200
    }
