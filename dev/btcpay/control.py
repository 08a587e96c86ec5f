"""The control interface: what the real server does not have. JSON, loopback only, no keys."""
import json
import re
from decimal import Decimal, InvalidOperation

from werkzeug.routing import Rule
from werkzeug.wrappers import Response

from . import addresses, chain, clock, faults, lifecycle, nodes, payments, persistence
from .defaults import METHODS, SETTINGS, VERSION
from .errors import ApiError
from .permissions import valid

ROUTES = []
AUTO_PAY = (None, 'full', 'half', 'double', 'lightning')
WEBHOOK_FAULTS = ('never', 'twice', 'late', 'reorder')


class ControlError(Exception):
    """Becomes a 400 with ``{"error": …}``."""


def rules():
    return [
        Rule('/_control' + path, methods=[method], endpoint=_endpoint(function))
        for method, path, function in ROUTES
    ]


def control(method, path):
    def register(function):
        ROUTES.append((method, path, function))
        return function
    return register


def _endpoint(function):
    def endpoint(server, request, **values):
        if request.remote_addr not in ('127.0.0.1', '::1', None):
            return _answer({'error': 'The control interface is for this machine only'}, 403)
        try:
            data = json.loads(request.get_data() or b'{}')
            if not isinstance(data, dict):
                raise ControlError('The body must be a JSON object')
            if request.method == 'GET':
                data = request.args
            return _answer(function(server, data, **values) or {})
        except (ControlError, ValueError, TypeError, KeyError, InvalidOperation) as error:
            return _answer({'error': str(error) or type(error).__name__}, 400)
        except ApiError as error:
            return _answer({'error': error.message}, 400)
    return endpoint


def _answer(payload, status=200):
    return Response(json.dumps(payload, default=str), status, content_type='application/json')


def _number(value):
    number = float(Decimal(str(value)))
    if not 0 <= number < 1e10:
        raise ControlError(f'Not a number of seconds: {value}')
    return number


@control('POST', '/reset')
def reset(server, _data):
    server.reset()


@control('POST', '/remember')
def remember(server, _data):
    return {'number': persistence.remember(server)}


@control('POST', '/go_back')
def go_back(server, data):
    persistence.go_back(server, data['number'])


@control('GET', '/state')
def state(server, _data):
    with server.lock:
        return {
            'now': server.now(),
            'height': server.height,
            'version': VERSION,
            'url': server.url,
            'settings': server.settings,
            'rates': server.rates,
            'users': [{'id': u.id, 'email': u.email} for u in server.users.values()],
            'stores': [
                {'id': store.id, 'name': store.name, 'methods': store.methods}
                for store in server.stores.values()
            ],
            'invoices': len(server.invoices),
            'queued': {
                webhook_id: {'state': queue.state, 'jobs': len(queue.jobs)}
                for webhook_id, queue in server.dispatcher.queues.items()
            },
        }


@control('POST', '/settings')
def settings(server, data):
    for key, value in data.items():
        if key not in SETTINGS:
            raise ControlError(f'No such setting: {key}')
        if key == 'auto_pay':
            if value not in AUTO_PAY:
                raise ControlError(f'auto_pay is one of {AUTO_PAY}')
        elif key == 'down':
            if value not in (None, *nodes.NODES):
                raise ControlError(f'down is one of {nodes.NODES}')
        elif isinstance(SETTINGS[key], bool):
            if not isinstance(value, bool):
                raise ControlError(f'{key} is true or false')
        else:
            _number(value)
            data[key] = str(value)
    with server.lock:
        if 'down' in data:
            nodes.turn(server, data['down'])
        if 'administrator' in data:
            next(iter(server.users.values())).admin = data['administrator']
        server.settings.update(data)
        server.changed()
    return server.settings


@control('POST', '/time')
def advance(server, data):
    clock.advance(server, _number(data['advance']))
    return {'now': server.now()}


@control('POST', '/mine')
def mine(server, data):
    chain.mine(server, int(data.get('blocks', 1)))
    return {'height': server.height}


@control('POST', '/pay')
def pay(server, data):
    return payments.pay(
        server, data['invoice'], data.get('method'), data.get('amount'), data.get('fraction'),
        bool(data.get('replaceable')))


@control('POST', '/pay_address')
def pay_address(server, data):
    return payments.pay_address(
        server, data['destination'], data.get('amount'), bool(data.get('replaceable')))


@control('POST', '/address')
def address(_server, _data):
    return {'address': addresses.new_address()}


@control('POST', '/replace')
def replace(server, data):
    return {'txid': chain.replace(server, data['txid'])}


@control('POST', '/expire')
def expire(server, data):
    lifecycle.expire_now(server, server.invoices[data['invoice']])


@control('POST', '/rates')
def rates(server, data):
    values = {pair: None if rate is None else Decimal(str(rate)) for pair, rate in data.items()}
    for pair, rate in values.items():
        if '_' not in pair or (rate is not None and not (rate.is_finite() and rate > 0)):
            raise ControlError(f'Not a rate: {pair} {rate}')
    with server.lock:
        server.rates.update(values)
        server.changed()
    return server.rates


@control('POST', '/store')
def create_store(server, data):
    with server.lock:
        owner = next(iter(server.users.values()))
        store = server.create_store(data.get('name') or 'Shop', owner)
        _change_store(store, data)
    return {'id': store.id}


@control('POST', '/store/<store_id>')
@control('PATCH', '/store/<store_id>')
def change_store(server, data, store_id):
    with server.lock:
        store = server.stores.get(store_id)
        if store is None:
            raise ControlError('No such store')
        store.name = data.get('name') or store.name
        _change_store(store, data)
        server.changed()
    return {'id': store.id}


def _change_store(store, data):
    """:raise ControlError: for an unknown method or setting"""
    methods, changes = data.get('methods'), data.get('settings') or {}
    if methods is not None:
        if unknown := set(methods) - set(METHODS):
            raise ControlError(f'No such method: {unknown}')
        for method_id, enabled in methods.items():
            if enabled is None:
                store.methods.pop(method_id, None)
            else:
                store.methods[method_id] = bool(enabled)
    if unknown := set(changes) - set(store.settings):
        raise ControlError(f'No such setting of a store: {unknown}')
    store.settings = {**store.settings, **changes}


@control('POST', '/key')
def key(server, data):
    permissions, stores = data['permissions'], data.get('stores')
    with server.lock:
        if unknown := set(stores or ()) - set(server.stores):
            raise ControlError(f'No such store: {unknown}')
        if stores is not None:
            permissions = [f'{p}:{store}' for store in stores for p in permissions]
        for permission in permissions:
            if not valid(permission):
                raise ControlError(f'No such permission: {permission}')
        owner = next(iter(server.users.values()))
        return {'apiKey': server.create_api_key(owner, data.get('label') or '', permissions).key}


@control('POST', '/faults')
def set_fault(server, data):
    fault = {
        'path': data.get('path') or '', 'method': data.get('method'), 'kind': data['kind'],
        'status': int(data.get('status') or 503), 'seconds': _number(data.get('seconds', 30)),
        'count': data.get('count', 1), 'after': bool(data.get('after')),
    }
    if fault['kind'] not in faults.KINDS:
        raise ControlError(f'kind is one of {faults.KINDS}')
    try:
        re.compile(fault['path'])
    except re.error as error:
        raise ControlError(f'path is no regular expression: {error}') from None
    with server.lock:
        server.faults.append(fault)
    return fault


@control('DELETE', '/faults')
def clear_faults(server, _data):
    with server.lock:
        server.faults.clear()
        server.webhook_faults.clear()


@control('POST', '/webhook_faults')
def set_webhook_fault(server, data):
    if data['kind'] not in WEBHOOK_FAULTS:
        raise ControlError(f'kind is one of {WEBHOOK_FAULTS}')
    fault = {
        'invoice': data.get('invoice'), 'type': data.get('type'), 'kind': data['kind'],
        'seconds': _number(data.get('seconds', 5)), 'count': data.get('count', 1),
    }
    with server.lock:
        server.webhook_faults.append(fault)
    return fault


@control('GET', '/invoices')
def invoices(server, _data):
    with server.lock:
        return [{'id': invoice.id, 'orderId': invoice.order_id, 'storeId': invoice.store_id}
                for invoice in server.invoices.values()]


@control('POST', '/restart')
def restart(server, _data):
    server.dispatcher.forget()


@control('POST', '/wait')
def wait(server, data):
    return {'idle': server.dispatcher.wait_idle(_number(data.get('timeout', 10)))}


@control('GET', '/requests')
def requests(server, data):
    since = int(data.get('since', 0))
    with server.lock:
        return [entry for entry in server.requests if entry['n'] > since]


@control('GET', '/deliveries')
def deliveries(server, data):
    invoice = data.get('invoice')
    with server.lock:
        return [
            {
                'id': delivery.id, 'webhookId': delivery.webhook_id,
                'originalId': delivery.original_id, 'type': delivery.event['type'],
                'invoiceId': delivery.event['tail'].get('invoiceId'),
                'status': delivery.status, 'httpCode': delivery.http_code,
                'errorMessage': delivery.error_message, 'at': delivery.delivery_time,
                'body': delivery.body.decode(),
            }
            for delivery in server.deliveries.values()
            if invoice in (None, delivery.event['tail'].get('invoiceId'))
        ]
