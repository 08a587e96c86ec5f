"""Compares an answer with the recorded one: keys, types, and every value that must agree.

What the server makes up (ids, addresses, times) cannot agree; it is matched instead: the first
time it is seen the pair is learned, afterwards it has to be the same pair.
"""
import re

#: fields whose values are made up and learned
MADE_UP = {
    'id', 'invoiceId', 'storeId', 'webhookId', 'deliveryId', 'originalDeliveryId', 'pullPaymentId',
    'payoutId', 'apiKey', 'secret', 'userId', 'destination', 'paymentHash', 'preimage',
}
#: fields whose values say nothing: clocks, chains and accounts differ
FREE = {
    'monitoringExpiration', 'expirationTime', 'createdTime', 'timestamp', 'deliveryTime',
    'receivedDate', 'startsAt', 'date', 'created', 'keyIndex', 'keyPath', 'chainHeight',
    'syncHeight', 'headers', 'blocks', 'email', 'nodeInfo',
}
RECORDED_URL = 'http://127.0.0.1:23000'
RECORDED_RECEIVER = 'http://127.0.0.1:9191'
LOG_TIME = re.compile(r'\d\d/\d\d/\d{4} \d\d:\d\d:\d\d')
TOOK = re.compile(r'took \d+ milliseconds')
TIMEOUT = re.compile(r'Timeout of \d+ seconds')
#: pairs of times whose distance must agree
DISTANCES = (('createdTime', 'expirationTime'), ('expirationTime', 'monitoringExpiration'))


class Comparison:
    """Learned pairs of made-up values, and what was found to differ.

    :param str url: address of the stand-in
    :param str receiver: address of the webhook receiver
    """

    def __init__(self, url, receiver):
        self.pairs = {RECORDED_URL: url, RECORDED_RECEIVER: receiver}
        self.differences = []

    def learn(self, recorded, actual):
        self.pairs[recorded] = actual

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
        elif isinstance(recorded, str):
            self._texts(where, recorded, actual, field)
        elif recorded != actual:
            self.differ(where, recorded, actual)

    def _dicts(self, where, recorded, actual):
        if set(recorded) != set(actual):
            self.differ(f'{where} keys', sorted(recorded), sorted(actual))
        for key in recorded:
            if key in actual:
                self.compare(f'{where}.{key}', recorded[key], actual[key], key)
        for first, second in DISTANCES:
            if first in recorded and second in recorded:
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
        if expected == actual:
            return
        if field == 'id' and re.fullmatch(r'[0-9a-f]{64}-\d+', recorded):
            # a transaction's id is known from the payment, which output it was is chance
            if expected.rpartition('-')[0] != actual.rpartition('-')[0]:
                self.differ(where, expected, actual)
        elif 'lnbcrt' in recorded or 'lnurl1' in recorded:
            self._lightning(where, recorded, actual)
        elif field in MADE_UP and recorded not in self.pairs:
            if _kind(recorded) != _kind(actual):
                self.differ(where, recorded, actual)
            self.learn(recorded, actual)
        else:
            for pattern in (LOG_TIME, TOOK, TIMEOUT):
                expected, actual = pattern.sub('…', expected), pattern.sub('…', actual)
            if expected != actual:
                self.differ(where, expected, actual)

    def _lightning(self, where, recorded, actual):
        """A BOLT11 must be for the same amount; an LNURL has the address inside."""
        def head(text):
            return text[:text.rindex('1', 0, 24)]

        if head(recorded) != head(actual):
            self.differ(where, recorded, actual)
        self.learn(recorded.removeprefix('lightning:'), actual.removeprefix('lightning:'))


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
