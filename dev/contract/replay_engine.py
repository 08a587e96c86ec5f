"""Plays a recording again on the stand-in, call by call."""
import json
import re

import requests

from ..world import GUIDE
from .replay_compare import Comparison
from .replay_headers import answer_headers, page_headers
from .replay_hooks import compare_hooks, is_step
from .replay_lightning import read_bolt11
from .replay_records import NOTES, deed, unknown
from .replay_times import origin

METHODS = ('BTC-LN', 'BTC-CHAIN', 'BTC-LNURL')
#: what the merchant did between two calls, by scenario and number of the call (README of wire/)
BEFORE = {
    's25': {
        0: {'BTC-CHAIN': False},
        2: dict.fromkeys(METHODS, False),
        3: dict.fromkeys(METHODS, True),
    },
}
TIMEOUT = 1  # seconds until a hanging receiver is given up
REAL_TIMEOUT = 100
#: seconds between two records from which time is let pass for the second: what falls due by itself
#: shall do so before it, and a little later than it really did
WAITED, SLACK = 1, 0.25
#: Lists of a whole store: the time by which they are ordered, and whether the newest is first.
LISTS = {
    'invoices': ('createdTime', True), 'pull-payments': ('startsAt', True),
    'payouts': ('date', False),
}
#: Blocks that came and were not recorded, by scenario and time of the event after it: nothing else
#: settles a payment.
BLOCKS = {'s09': 271.593}
#: keys that calls noted so are made with
WRONG_KEYS = {'unknown key': '0' * 40, 'empty token': ''}


class Player:
    """:param str url: address of the stand-in
    :param Receiver receiver: for its webhooks
    :param dict recordings: all recordings by scenario, for what one takes from another
    """

    def __init__(self, url, receiver, recordings):
        self.url = url
        self.receiver = receiver
        self.recordings = recordings
        self.comparison = Comparison(url)
        self.answers = []  # (record, status, JSON) for the swagger check
        self.keys = {}
        self.key = None
        self.switched = None  # methods to switch on again after the next call

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
        self.control('/settings', delivery_timeout=str(TIMEOUT),
                     fee_rate=fee_rate[1] if fee_rate else '100')
        lightning = '"BTC-LNURL"' in json.dumps([
            record['response'] for record in records
            if record['kind'] == 'api' and 'server/info' not in record['path']
        ])
        name = re.search(r'Paid to ([\w ]+) \(Order', described(records))
        name = name or re.search(r'"name": "(Rig [^"]+)"', text)
        self.store = self.control('/store', name=name[1] if name else 'Rig Shop', methods={
            method: True if lightning or method == 'BTC-CHAIN' else None for method in METHODS
        })['id']
        store = re.search(r'/stores/([1-9A-HJ-NP-Za-km-z]{40,})', text)
        self.recorded_store = store[1]
        self.comparison.learn(store[1], self.store)
        self.key = self.make_key(GUIDE, 'odoo')
        self.merchant = self.make_key(('unrestricted',), 'merchant', whole=True)
        hook = requests.post(
            f'{self.url}/api/v1/stores/{self.store}/webhooks', timeout=30,
            json={'url': self.receiver.url + '/hook'},
            headers={'Authorization': f'token {self.merchant}'},
        ).json()
        for record in records:
            if record['kind'] == 'webhook' and record['path'] == '/hook':
                self.comparison.learn(record['headers']['Host'], self.receiver.host)
                self.comparison.learn(record['body']['webhookId'], hook['id'])
                self.comparison.learn(record['secret'], hook['secret'])
                break
        else:
            if host := re.search(r'127\.0\.0\.1:919\d', text):
                self.comparison.learn(host[0], self.receiver.host)
        self.receiver.answers = {}
        for record in records:
            if record['kind'] == 'webhook':
                self.receiver.answers.setdefault(record['path'], []).append(record['answered'])
        self.receiver.hooks.clear()
        self.receiver.gets.clear()

    def make_key(self, permissions, label, whole=False):
        """:param bool whole: whether each permission says its store itself, or is for all"""
        return self.control(
            '/key', permissions=list(permissions), label=label,
            stores=None if whole else [self.store],
        )['apiKey']

    # --- play -------------------------------------------------------------------------------------

    def play(self, recording):
        """:return: what differs, a list of sentences"""
        if strange := unknown(recording):
            return strange
        self.prepare(recording)
        comparison, records = self.comparison, recording['records']
        if any(record.get('answered') == 'hang' for record in records):
            comparison.waits = (REAL_TIMEOUT - TIMEOUT,)
        for foreign in self.foreign(recording):
            self.play_prelude(foreign)
        self.scenario = recording['scenario'].partition('_')[0]
        self.begin(recording)
        self.play_records(records)
        compare_hooks(comparison, recording, self.receiver.hooks)
        moved = [record['path'] for record in records if record['kind'] == 'webhook-get']
        if moved != self.receiver.gets:
            comparison.differ('GET after a redirect', moved, self.receiver.gets)
        return comparison.differences

    def begin(self, recording):
        self.start = self.now()
        self.first = recording['records'][0]['t']
        self.receiver.step = 0
        self.comparison.counters.clear()
        shift = self.comparison.shift
        shift.seconds, shift.lag = self.start - (origin(recording) + self.first), 0

    def play_records(self, records):
        calls, last = 0, self.first
        for record in records:
            if record['kind'] == 'api':
                if methods := BEFORE.get(self.scenario, {}).get(calls):
                    self.control(f'/store/{self.store}', methods=methods)
                calls += 1
            self.step(record, record['t'] - last)
            last = record['t']
        self.settle(last)

    def foreign(self, recording):
        """:return: recordings that made invoices which this one uses"""
        used = set(re.findall(r'/invoices/([1-9A-HJ-NP-Za-km-z]{19,23})', json.dumps(
            [record['path'] for record in recording['records'] if record['kind'] == 'api'])))
        used -= made_invoices(recording)
        return [other for other in self.recordings.values() if used & made_invoices(other)]

    def play_prelude(self, recording):
        self.scenario = None
        self.begin(recording)
        self.play_records(recording['records'])
        self.receiver.hooks.clear()
        self.answers.clear()

    def now(self):
        return requests.get(f'{self.url}/_control/state', timeout=30).json()['now']

    def settle(self, t):
        """Let what is queued be delivered, and the clock come to a moment of the recording."""
        assert self.control('/wait', timeout=20)['idle']
        behind = (t - self.first) - (self.now() - self.start)
        if behind > 0:
            self.control('/time', advance=behind)
            assert self.control('/wait', timeout=20)['idle']
        shift = self.comparison.shift
        shift.lag = max(shift.lag, -behind)

    def step(self, record, waited):
        if is_step(record):
            self.settle(record['t'])
            self.receiver.step += 1
            getattr(self, record['kind'])(record)
        elif record['kind'] == 'note':
            self.settle(record['t'])
            self.note(NOTES[record['text']] or {})
        elif record['kind'] == 'missing':
            self.missing(record)
        elif waited > WAITED:
            if BLOCKS.get(self.scenario) == record['t']:
                self.settle(record['t'])
                self.control('/mine')
            self.settle(record['t'] + SLACK)

    def note(self, happened):
        if 'methods' in happened:
            self.control(f'/store/{self.store}', methods=happened['methods'])
            self.switched = dict.fromkeys(happened['methods'], True)
        if 'down' in happened:
            self.control('/settings', down=happened['down'])

    def missing(self, record):
        """An event that was waited for must not have come; what came while waiting must have."""
        self.settle(record['t'])
        came = [json.loads(hook.raw)['type'] for hook in self.receiver.hooks]
        came = came[-len(record['seen']):]
        if came != record['seen']:
            self.comparison.differ(
                f"{record['t']} waiting for {record['wanted']}", record['seen'], came)

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
        elif deed(record) == 'mined':
            self.control('/mine', blocks=int(did.rpartition(' ')[2]))

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
        path = re.sub(r'(?<=startDate=)\d+', self.shifted, path)
        body = None
        if isinstance(record['request'], str):
            body = record['request'].encode()
        elif record['request'] is not None:
            body = json.dumps(self.comparison.translate(record['request'])).encode()
        headers = {'Content-Type': 'application/json'} if body is not None else {}
        if record['request_headers'].get('Authorization'):
            headers['Authorization'] = f'token {self.token(record)}'
        response = requests.request(
            record['method'], self.url + path, data=body, headers=headers, timeout=30,
            allow_redirects=False)
        if self.switched:
            self.control(f'/store/{self.store}', methods=self.switched)
            self.switched = None
        where = f"{record['t']} {record['method']} {record['path'][:90]}"
        if response.status_code != record['status']:
            self.comparison.differ(f'{where} status', record['status'],
                                   f'{response.status_code} {response.text[:200]}')
            return
        if path.startswith('/i/'):
            self.page(where, record, response)
            return
        answer_headers(self.comparison, where, record['response_headers'], response.headers)
        answer = response.json() if response.content else None
        self.answers.append((record, response.status_code, answer))
        if listed := list_of(record):
            self.compare_list(where, record, answer, *listed)
        elif path == '/api/v1/stores':
            self.compare_stores(where, record['response'], answer)
        else:
            # a bare string is the id of a new delivery
            self.comparison.compare(where, record['response'], answer, field='id')

    def shifted(self, match):
        """A second earlier than what was asked for: its start is only known to the second."""
        return str(int(int(match[0]) + self.comparison.shift.seconds) - 1)

    def page(self, where, record, response):
        """The checkout's pages are the stand-in's own, but must keep to themselves what those of
        the real server do: our metadata.
        """
        page_headers(self.comparison, where, record['response_headers'], response.headers)
        for known, _status, answer in self.answers:
            metadata = known['path'].endswith('/invoices') and answer.get('metadata')
            for name, value in (metadata or {}).items():
                if name.startswith('odoo') and value in response.text:
                    self.comparison.differ(where, f'no {name}', response.text)

    def token(self, record):
        note, path = record['note'] or '', record['path']
        if note in WRONG_KEYS:
            return WRONG_KEYS[note]
        if 'merchant' in note or 'root' in note:
            return self.merchant
        if path == '/api/v1/api-keys/current' and record['status'] == 200 and record['response']:
            shown = record['response']
            self.keys['shown'] = self.keys[note] = self.make_key(
                self.comparison.translate(shown['permissions']), shown['label'], whole=True)
            if len(shown['permissions']) == len(GUIDE):
                self.key = self.keys['shown']
            self.comparison.learn(shown['apiKey'], self.keys['shown'])
        if 'api-keys' in path or (note.startswith('missing') and record['status'] == 403):
            return self.keys['shown']
        return self.keys.get(note, self.key) if note else self.key

    def compare_stores(self, where, recorded, answer):
        """The merchant's other store is another one, and stores come in no particular order."""
        own = [
            next((item for item in items if item['id'] == store), None)
            for items, store in ((answer, self.store), (recorded, self.recorded_store))
        ] if isinstance(answer, list) else [answer, recorded]
        self.comparison.compare(where, own[1], own[0])
        if len(answer) != len(recorded):
            self.comparison.differ(f'{where} length', len(recorded), len(answer))

    def compare_list(self, where, record, answer, time, newest_first):
        """A list of the whole store. The order of what was made in the same second is chance, and
        so is what take= leaves of it; what other scenarios made is not there.

        :param str time: field by which it is ordered
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
        for own_id, item in known.items():
            if own_id in ours:
                self.comparison.compare(f'{where} {own_id}', item, ours[own_id])
        for form, items in (('recorded', record['response']), ('stand-in', answer)):
            times = [item[time] for item in items]
            if times != sorted(times, reverse=newest_first):
                self.comparison.differ(f'{where} order', f'by {time}', f'{form} {times}')


def list_of(record):
    """:return: (time, newest first) by which a store's list is ordered, None for anything else"""
    found = re.search(r'/stores/\w+/([\w-]+)(\?|$)', record['path'])
    return LISTS.get(found[1]) if found and record['method'] == 'GET' else None


def described(records):
    """:return: the descriptions of all Lightning invoices, for the store's name in them"""
    found = re.findall(r'"destination": "(lnbcrt\w+)"', json.dumps(records))
    return ' '.join(read_bolt11(text)['description'] for text in found)


def made_invoices(recording):
    return {
        record['response']['id'] for record in recording['records']
        if record['kind'] == 'api' and record['method'] == 'POST'
        and record['path'].endswith('/invoices') and record['status'] == 200
    }
