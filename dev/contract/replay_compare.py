"""Compares an answer with the recorded one: keys, types, and every value that must agree.

What the server makes up (ids, addresses) cannot agree; it is matched instead: the first time it is
seen the pair is learned, afterwards it has to be the same pair, both ways. Times and counters agree
but for one shift.
"""
import re
from datetime import datetime, timezone

from . import replay_lightning
from .replay_headers import COMMIT
from .replay_times import Shift

#: fields whose values are made up and learned
MADE_UP = {
    'id', 'invoiceId', 'storeId', 'webhookId', 'deliveryId', 'originalDeliveryId', 'pullPaymentId',
    'payoutId', 'apiKey', 'secret', 'userId', 'destination', 'paymentHash', 'preimage', 'email',
}
#: unix times
TIMES = {
    'monitoringExpiration', 'expirationTime', 'createdTime', 'timestamp', 'deliveryTime',
    'receivedDate', 'startsAt', 'date',
}
A_TIME = 10 ** 9  # what is less is a number of seconds: a store's setting
#: counters that were somewhere when the recording began: {field: which counter}
COUNTERS = {
    'chainHeight': 'height', 'syncHeight': 'height', 'headers': 'height', 'blocks': 'height',
    'keyIndex': 'key',
}
#: fields whose values say nothing: when the merchant's account was made
FREE = {'created'}
RECORDED_URL = 'http://127.0.0.1:23000'
LOG_TIME = re.compile(r'\d\d/\d\d/\d{4} \d\d:\d\d:\d\d')
TOOK = re.compile(r'took \d+ milliseconds')
TIMEOUT = re.compile(r'Timeout of \d+ seconds')
#: pairs of times whose distance must agree to the second
DISTANCES = (('createdTime', 'expirationTime'), ('expirationTime', 'monitoringExpiration'))


class Comparison:
    """Learned pairs of made-up values, and what was found to differ.

    :param str url: address of the stand-in
    :ivar tuple waits: seconds that deliveries of this recording may be early by
    """

    def __init__(self, url):
        self.pairs = {RECORDED_URL: url}
        self.back = {url: RECORDED_URL}
        self.counters = {}
        self.shift = Shift()
        self.waits = ()
        self.differences = []

    def learn(self, recorded, actual, where='made up'):
        """Note which value of the replay stands for one of the recording: one for one."""
        if self.pairs.get(recorded, actual) != actual:
            self.differ(where, f'{recorded} ({self.pairs[recorded]})', actual)
        if self.back.get(actual, recorded) != recorded:
            self.differ(where, f'{recorded}, not {self.back[actual]} again', actual)
        self.pairs[recorded] = actual
        self.back[actual] = recorded

    def translate(self, value):
        """:return: recorded JSON with everything known put in its place"""
        if isinstance(value, dict):
            return {key: self.translate(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self.translate(item) for item in value]
        if not isinstance(value, str):
            return value
        for recorded, actual in self.pairs.items():
            if recorded in value:
                value = value.replace(recorded, actual)
        return value

    def differ(self, where, recorded, actual):
        self.differences.append(f'{where}: recorded {recorded!r}, stand-in {actual!r}')

    def build(self, recorded, actual):
        """:return: a version of the stand-in without its commit where the recording's has none"""
        return actual if COMMIT.search(recorded) else COMMIT.sub('', actual)

    def compare(self, where, recorded, actual, field=None):
        """Note every difference between two JSON values."""
        if type(recorded) is not type(actual):
            self.differ(where, recorded, actual)
        elif isinstance(recorded, dict):
            self._dicts(where, recorded, actual)
        elif isinstance(recorded, list):
            self._lists(where, recorded, actual)
        elif field in FREE:
            pass
        elif field in TIMES and recorded > A_TIME:
            self.times(where, recorded, actual, self.waits if field == 'deliveryTime' else ())
        elif field in COUNTERS:
            self._counts(where, recorded, actual, COUNTERS[field])
        elif isinstance(recorded, str):
            self._texts(where, recorded, actual, field)
        elif recorded != actual:
            self.differ(where, recorded, actual)

    def times(self, where, recorded, actual, waits=()):
        if self.shift.differs(recorded, actual, waits):
            self.differ(where, f'{recorded + self.shift.seconds:.0f} (shifted)', actual)

    def _counts(self, where, recorded, actual, counter):
        wanted = self.counters.setdefault(counter, actual - recorded)
        if actual - recorded != wanted:
            self.differ(f'{where} (counted)', recorded + wanted, actual)

    def _dicts(self, where, recorded, actual):
        if set(recorded) != set(actual):
            self.differ(f'{where} keys', sorted(recorded), sorted(actual))
        for key in recorded:
            if key in actual and key != 'keyPath':
                self.compare(f'{where}.{key}', recorded[key], actual[key], key)
        if 'keyPath' in recorded and actual.get('keyPath') != f"0/{actual.get('keyIndex')}":
            self.differ(f'{where}.keyPath', recorded['keyPath'], actual.get('keyPath'))
        for first, second in DISTANCES:
            if {first, second} <= set(recorded) & set(actual):
                wanted = recorded[second] - recorded[first]
                if actual[second] - actual[first] != wanted:
                    self.differ(f'{where}.{second}', wanted, actual[second] - actual[first])

    def _lists(self, where, recorded, actual):
        if len(recorded) != len(actual):
            self.differ(f'{where} length', len(recorded), len(actual))
        if recorded and all(isinstance(item, dict) and set(item) == {'path', 'message'}
                            for item in recorded):  # problems come in no particular order
            recorded = sorted(recorded, key=lambda item: item['path'])
            actual = sorted(actual, key=lambda item: item.get('path', ''))
        for i, (one, other) in enumerate(zip(recorded, actual, strict=False)):
            self.compare(f'{where}[{i}]', one, other)

    def _texts(self, where, recorded, actual, field):
        expected = self.translate(recorded)
        if field == 'version':
            actual = self.build(recorded, actual)
        if field == 'id' and re.fullmatch(r'[0-9a-f]{64}-\d+', recorded):
            # a transaction's id is known from the payment, which output it was is chance
            if expected.rpartition('-')[0] != actual.rpartition('-')[0]:
                self.differ(where, expected, actual)
        elif 'lnbcrt' in recorded or 'lnurl1' in recorded.lower():
            self._lightning(where, recorded, actual)
        elif field in MADE_UP and recorded and recorded not in self.pairs:
            if _kind(recorded) != _kind(actual):
                self.differ(where, recorded, actual)
            self.learn(recorded, actual, where)
        elif expected != actual:
            self._logs(where, expected, actual)

    def _logs(self, where, expected, actual):
        """Texts with times in them."""
        one, other = LOG_TIME.findall(expected), LOG_TIME.findall(actual)
        for first, second in zip(one, other, strict=False):
            self.times(where, _log_time(first), _log_time(second))
        for pattern in (LOG_TIME, TOOK, TIMEOUT):
            expected, actual = pattern.sub('…', expected), pattern.sub('…', actual)
        if expected != actual:
            self.differ(where, expected, actual)

    # --- Lightning --------------------------------------------------------------------------------

    def _lightning(self, where, recorded, actual):
        """What is to be paid, or the link that opens a wallet with it."""
        link = 'lightning:'
        if recorded.startswith(link) != actual.startswith(link):
            self.differ(where, recorded, actual)
        recorded, actual = recorded.removeprefix(link), actual.removeprefix(link)
        if recorded.isupper() != actual.isupper():
            self.differ(f'{where} case', recorded, actual)
        if recorded in self.pairs:
            self.learn(recorded, actual, where)
            return
        lnurl = recorded.lower().startswith('lnurl1')
        read = replay_lightning.read_lnurl if lnurl else replay_lightning.read_bolt11
        try:
            one, other = read(recorded), read(actual)
        except replay_lightning.Unreadable as error:
            self.differ(where, recorded, f'{actual} ({error})')
            return
        if not lnurl:
            self._bolt11(where, one, other)
            self.learn(recorded, actual, where)
        elif self.translate(one) != other:
            self.differ(where, one, other)

    def _bolt11(self, where, one, other):
        """Lightning invoices must say the same, field by field."""
        if set(one) != set(other):
            self.differ(f'{where} fields', sorted(one), sorted(other))
        for name in one.keys() & other.keys():
            first, second = one[name], other[name]
            if name == 'timestamp':
                self.times(f'{where} timestamp', first, second)
            elif name == 'expiry':
                if abs(second - first) > 1:  # a second may pass before it is signed
                    self.differ(f'{where} expiry', first, second)
            elif name in ('payment hash', 'payment secret'):
                self.learn(first, second, f'{where} {name}')
            elif self.translate(first) != second:
                self.differ(f'{where} {name}', first, second)


def _log_time(text):
    parsed = datetime.strptime(text, '%m/%d/%Y %H:%M:%S')
    return parsed.replace(tzinfo=timezone.utc).timestamp()


def _kind(text):
    """What a made-up value looks like: alphabet and about how long."""
    for name, pattern in (
        ('uuid', r'[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}'),
        ('hex', r'[0-9a-f]{40}|[0-9a-f]{64}'),
        ('address', r'bcrt1[02-9a-z]+'),
        ('short', r'[1-9A-HJ-NP-Za-km-z]{19,23}'),
        ('middle', r'[1-9A-HJ-NP-Za-km-z]{24,29}'),
        ('long', r'[1-9A-HJ-NP-Za-km-z]{40,45}'),
    ):
        if re.fullmatch(pattern, text):
            return name, len(text) if name == 'hex' else 0
    return 'text', 0
