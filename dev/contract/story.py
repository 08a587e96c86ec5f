"""A story: what is done in the world, step by step, and what a BTCPay Server makes of it."""
import hashlib
import hmac
import json
import re
from dataclasses import dataclass, field

from ..world import GUIDE, NotPossible
from .match import ID, UNIX, differences
from .replay_receiver import Receiver

#: fields of every event
COMMON = {
    'deliveryId': ID, 'webhookId': '{webhook}', 'originalDeliveryId': ID, 'timestamp': UNIX,
    'storeId': '{store}',
}


@dataclass
class Story:
    """One row of the table.

    :ivar str title: what a BTCPay Server does, a sentence
    :ivar tuple steps: see steps.py
    :ivar dict store: name, methods and settings of the story's store
    :ivar tuple events: all events its webhook gets, in order; None where they do not matter
    """

    title: str
    steps: tuple
    store: dict = field(default_factory=dict)
    events: tuple = None

    @property
    def id(self):
        return re.sub(r'[^a-z0-9]+', '-', self.title.lower()).strip('-')


@dataclass
class Step:
    function: object
    args: tuple
    kwargs: dict

    def __str__(self):
        said = [repr(arg) for arg in self.args]
        said += [f'{name}={value!r}' for name, value in self.kwargs.items()]
        return f'{self.function.__name__}({", ".join(said)})'


@dataclass
class Event:
    """:ivar dict fields: those that are expected beside the common ones
    :ivar str secret: it is signed with, default the webhook's first one
    :ivar bool again: whether it is a redelivery
    """

    type: str
    fields: dict
    secret: str = None
    again: bool = False


def event(type, secret=None, again=False, **fields):  # noqa: A002 the API's word
    return Event(type, fields, secret, again)


def created(**fields):
    return event('InvoiceCreated', **fields)


class Play:
    """One story being played.

    :param World world: where it is played
    :ivar dict names: what stands for ``{name}`` in paths, bodies and expectations: ``store``,
        ``webhook``, ``invoice`` … ``{address}`` is a new address of the customer each time
    :ivar dict keys: API keys by name: 'shop' with the guide's permissions, 'merchant', 'nobody'
    """

    def __init__(self, world, story):
        self.world = world
        self.story = story
        self.receiver = Receiver()
        self.names = {'receiver': self.receiver.url}
        self.keys = {'merchant': None, 'nobody': ''}
        self.events = []
        self.txids = []

    def close(self):
        self.receiver.close()

    def play(self):
        """:raise AssertionError: with the step that failed"""
        world = self.world
        if world.can_fault:
            world.reset()
        self.set_up()
        for number, step in enumerate(self.story.steps, 1):
            try:
                step.function(self, *step.args, **step.kwargs)
            except NotPossible:
                raise
            except Exception as error:
                raise AssertionError(f'{error}\nin step {number}: {step}') from error
        if self.story.events is not None:
            self.check_events(self.story.events)

    def set_up(self):
        store = {'name': 'Rig Shop', 'methods': ('BTC-CHAIN',), **self.story.store}
        self.names['store'] = self.world.new_store(**store)
        self.keys['shop'] = self.world.new_key(self.names['store'], GUIDE, 'shop')
        hook = self.world.new_webhook(self.names['store'], self.receiver.url + '/hook')
        self.names.update(webhook=hook['id'], secret=hook['secret'])

    # --- names ------------------------------------------------------------------------------------

    def fill(self, value):
        """:return: the value with the names put in"""
        if isinstance(value, str):
            return re.sub(r'\{(\w+)\}', self._name, value)
        if isinstance(value, dict):
            return type(value)((self.fill(k), self.fill(item)) for k, item in value.items())
        if isinstance(value, (list, tuple)):
            return type(value)(self.fill(item) for item in value)
        return value

    def _name(self, match):
        if match[1] == 'address':
            return self.world.new_address()
        return str(self.names.get(match[1], match[0]))

    def check(self, expected, actual, what):
        found = differences(self.fill(expected), actual)
        assert not found, '\n'.join([f'{what}:', *found])

    # --- webhooks ---------------------------------------------------------------------------------

    def hooks(self):
        """:return: [(Hook, its body)] received so far"""
        return [(hook, json.loads(hook.raw)) for hook in list(self.receiver.hooks)]

    def check_events(self, expected):
        try:
            self.world.wait_for(lambda: len(self.receiver.hooks) >= len(expected), 30)
        except AssertionError:
            pass  # the comparison says it better
        self.world.wait_deliveries()
        hooks = self.hooks()
        types = [body['type'] for _hook, body in hooks]
        wanted = [item.type for item in expected]
        assert types == wanted, f'events: {types}\nexpected: {wanted}'
        for item, (hook, body) in zip(expected, hooks, strict=True):
            self.check_event(item, hook, body)

    def check_event(self, expected, hook, body):
        fields = {**COMMON, 'isRedelivery': expected.again, **expected.fields}
        if expected.type.startswith('Invoice'):
            fields = {'invoiceId': ID, 'metadata': {}, **fields}
        else:
            fields = {'payoutId': ID, 'pullPaymentId': ID, **fields}
            assert 'invoiceId' not in body, f'{expected.type} names an invoice: {body}'
        self.check(fields, body, f'event {expected.type}')
        same = body['deliveryId'] == body['originalDeliveryId']
        assert same is not expected.again, f'original of {expected.type}: {body}'
        secret = expected.secret or self.names['secret']
        digest = hmac.new(secret.encode(), hook.raw, hashlib.sha256).hexdigest()
        signature = hook.headers.get('Btcpay-Sig')
        assert signature == f'sha256={digest}', f'{expected.type} is not signed with {secret!r}'
        assert hook.headers['User-Agent'].startswith('BTCPayServer/'), hook.headers
        assert hook.headers['Content-Type'].startswith('application/json'), hook.headers
        assert b'\n  "' in hook.raw, f'{expected.type} is not indented: {hook.raw!r}'
