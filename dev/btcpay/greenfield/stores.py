"""Stores, their users, payment methods and rates."""
from ..amounts import plain
from ..defaults import METHODS, STORE_SETTINGS
from ..errors import ApiError, Invalid, missing_permission, refusal
from ..rates import get_rate, parse_script, script_of
from .http import Api
from .keys import user_json

api = Api()

VIEW = 'btcpay.store.canviewstoresettings'
MODIFY = 'btcpay.store.canmodifystoresettings'
#: of every wallet made here: nobody's money is in it
MNEMONIC = ' '.join(['abandon'] * 11 + ['about'])
ENUMS = {
    'speedPolicy': ('HighSpeed', 'MediumSpeed', 'LowSpeed', 'LowMediumSpeed'),
    'networkFeeMode': ('MultiplePaymentsOnly', 'Always', 'Never'),
}


def store_json(store):
    return {'id': store.id, 'name': store.name, **store.settings}


def parse_method(text):
    """:return: a payment method id from it or one of its older names, or None"""
    names = {'BTC': 'BTC-CHAIN', 'BTC-ONCHAIN': 'BTC-CHAIN', 'BTC-BTCLIKE': 'BTC-CHAIN',
             'BTC-LIGHTNINGNETWORK': 'BTC-LN', 'BTC-LIGHTNINGLIKE': 'BTC-LN',
             'BTC-OFFCHAIN': 'BTC-LN', 'BTC-LNURLPAY': 'BTC-LNURL'}
    name = (text or '').strip().upper().replace('_', '-')
    name = names.get(name, name)
    return name if name in METHODS else None


@api('GET', '/stores', policy=VIEW)
def stores(context):
    return [
        store_json(store) for store in context.server.stores_of(context.caller.user)
        if context.caller.has(VIEW, store.id)
    ]


@api('POST', '/stores')
def create(context):
    if not context.caller.has_unscoped(MODIFY):
        raise missing_permission(MODIFY)
    name, settings = _settings(context)
    store = context.server.create_store(name, context.caller.user, {}, **settings)
    return store_json(store)


def _settings(context):
    body = context.body
    name = body.text('name')
    settings = {}
    for key, default in STORE_SETTINGS.items():
        if not body.has(key) or key == 'archived':
            continue
        if key in ENUMS:
            value = body.enum(key, ENUMS[key], f'BTCPayServer.Client.Models.{key[0].upper()}'
                                               f'{key[1:]}', nullable=False)
        elif isinstance(default, bool):
            value = body.boolean(key)
        elif isinstance(default, int):
            value = body.integer(key)
        elif isinstance(default, float):
            value = body.decimal(key)
            value = None if value is None else float(value)
        elif key == 'receipt':
            value = {**default, **(body.object(key) or {})}
        else:
            value = body.value(key)
        if value is not None or default is None:
            settings[key] = value
    body.check()
    problems = Invalid()
    if not name:
        problems.add('Name', 'Name is missing')
    elif len(name) > 50:
        problems.add('Name', 'Name can only be between 1 and 50 characters')
    if not 0 <= settings.get('paymentTolerance', 0) <= 100:
        problems.add('PaymentTolerance', 'PaymentTolerance can only be between 0 and 100 percent')
    for key, label in (('invoiceExpiration', 'InvoiceExpiration'),
                       ('monitoringExpiration', 'MonitoringExpiration')):
        if not 60 <= settings.get(key, 60) <= 60 * 60 * 24 * 24:
            problems.add(label, f'{label} can only be between 1 and 34560 mins')
    problems.check()
    return name, settings


@api('GET', '/stores/<store_id>', policy=VIEW)
def store(context):
    return store_json(context.store)


@api('PUT', '/stores/<store_id>', policy=MODIFY)
def update(context):
    name, settings = _settings(context)
    context.store.name = name
    context.store.settings = {**context.store.settings, **settings}
    context.server.changed()
    return store_json(context.store)


@api('DELETE', '/stores/<store_id>', policy=MODIFY)
def delete(context):
    """Its invoices stay: who administers the server reads them still."""
    server, store_id = context.server, context.store.id
    context.store.deleted = True
    for table in (server.webhooks, server.deliveries):
        for key in [key for key, record in table.items() if record.store_id == store_id]:
            del table[key]
    server.changed()


@api('GET', '/stores/<store_id>/users', policy=VIEW)
def users(context):
    owner = context.server.users[context.store.owner_id]
    return [{'storeRole': 'Owner', **user_json(owner), 'userId': owner.id, 'role': 'Owner'}]


# --- payment methods ----------------------------------------------------------------------------


def _method_json(store, method_id, config):
    result = {'enabled': store.methods[method_id]}
    if config:
        result['config'] = {}
    return {**result, 'paymentMethodId': method_id}


def _may_see_config(context):
    wanted = context.flag('includeConfig')
    if wanted and not context.caller.may(MODIFY, context.store):
        # this refusal comes from the endpoint itself, unlike the others
        error = missing_permission(MODIFY)
        error.early = False
        raise error
    return wanted


@api('GET', '/stores/<store_id>/payment-methods', policy=VIEW)
def methods(context):
    config = _may_see_config(context)
    return [
        _method_json(context.store, method_id, config) for method_id in METHODS
        if method_id in context.store.methods
        and (context.store.methods[method_id] or not context.flag('onlyEnabled'))
    ]


@api('GET', '/stores/<store_id>/payment-methods/<method>', policy=VIEW)
def method(context, method):
    config = _may_see_config(context)
    return _method_json(context.store, _known(context, method), config)


def _known(context, method):
    method_id = parse_method(method)
    if method_id not in context.store.methods:
        raise refusal(404, 'paymentmethod-not-configured', 'The payment method is not configured')
    return method_id


@api('PUT', '/stores/<store_id>/payment-methods/<method>', policy=MODIFY)
def update_method(context, method):
    """There are no wallets here: a method can be enabled whatever its configuration."""
    method_id = parse_method(method)
    if method_id is None:
        raise ApiError(404, {'code': 'paymentmethod-not-found',
                             'message': 'The payment method was not found'})
    enabled = context.body.boolean('enabled')
    context.body.check()
    current = context.store.methods.get(method_id, True)
    context.store.methods[method_id] = current if enabled is None else enabled
    context.server.changed()
    return _method_json(context.store, method_id, True)


@api('POST', '/stores/<store_id>/payment-methods/<method>/wallet/generate', policy=MODIFY)
def generate_wallet(context, method):
    store, method_id = context.store, parse_method(method)
    if method_id != 'BTC-CHAIN':
        raise refusal(404, 'paymentmethod-not-found', 'The payment method was not found')
    if method_id in store.methods:
        raise refusal(400, 'already-configured', 'BTC wallet is already configured for this store')
    store.methods[method_id] = True
    context.server.changed()
    return {**_method_json(store, method_id, True), 'mnemonic': MNEMONIC}


@api('DELETE', '/stores/<store_id>/payment-methods/<method>', policy=MODIFY)
def delete_method(context, method):
    del context.store.methods[_known(context, method)]
    context.server.changed()


# --- rates --------------------------------------------------------------------------------------


@api('GET', '/stores/<store_id>/rates', policy=VIEW)
def rates(context):
    pairs = context.request.args.getlist('currencyPair')
    pairs = pairs or ['BTC_' + context.store.settings['defaultCurrency']]
    problems = Invalid()
    for pair in pairs:
        left, underscore, right = pair.partition('_')
        if not (left and underscore and right) or len(pair) > 12:
            problems.add('currencyPair', f'Invalid currency pair {pair}')
    problems.check()
    result = []
    for pair in (pair.upper() for pair in pairs):
        rate = get_rate(context.server, pair, context.store)
        result.append({
            'currencyPair': pair,
            'rate': None if rate is None else plain(rate),
            'errors': ['RateUnavailable'] if rate is None else [],
        })
    return result


def _configuration(context):
    return {
        'spread': '0', 'preferredSource': None, 'isCustomScript': True,
        'effectiveScript': script_of(context.server, context.store),
    }


@api('GET', '/stores/<store_id>/rates/configuration/primary', policy=VIEW)
def rate_configuration(context):
    return _configuration(context)


@api('PUT', '/stores/<store_id>/rates/configuration/primary', policy=MODIFY)
def update_rate_configuration(context):
    """There are no sources of rates here: without a script the store has the server's."""
    body, store = context.body, context.store
    custom, script = body.boolean('isCustomScript'), body.text('effectiveScript')
    body.check()
    try:
        store.rates = parse_script(script or '') if custom else None
    except ValueError as error:
        problems = Invalid()
        problems.add('EffectiveScript', str(error))
        problems.check()
    store.rate_script = script if custom else None
    context.server.changed()
    return _configuration(context)
