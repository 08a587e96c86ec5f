"""What all endpoints share: routes, authentication, permissions, bodies, answers."""
import json

from werkzeug.routing import Rule
from werkzeug.wrappers import Response

from ..errors import ApiError, missing_permission, unreadable
from ..permissions import authenticate, require
from .body import Body

HEADERS = {'Content-Security-Policy': "script-src 'self'", 'X-Frame-Options': 'DENY'}


def answer(payload, status=200, early=False):
    """:param payload: JSON, None for an empty body
    :param bool early: whether no endpoint was reached
    """
    headers = {} if early else HEADERS
    if payload is None:
        response = Response(status=status, headers=headers)
        response.headers.pop('Content-Type')
        return response
    content_type = 'application/json'
    if not early or status not in (401, 403):
        content_type += '; charset=utf-8'
    return Response(
        json.dumps(payload, ensure_ascii=False), status, headers, content_type=content_type)


def base_url(server, request):
    """Links start with the address the caller used, unless one was fixed at start."""
    return server.fixed_url or request.root_url.rstrip('/')


class Context:
    """One request.

    ``caller`` is None for an anonymous endpoint; ``store``, ``invoice``, ``webhook``,
    ``pull_payment`` and ``payout`` are those of the path, None where it has none.
    """

    def __init__(self, server, request):
        self.server = server
        self.request = request
        self.caller = self.store = None
        self.invoice = self.webhook = self.pull_payment = self.payout = None
        self._body = None

    @property
    def url(self):
        return base_url(self.server, self.request)

    @property
    def body(self):
        """:raise ApiError: 422 for what is no JSON object"""
        if self._body is None:
            self._body = Body(self.request.get_data())
        return self._body

    def flag(self, name, default=False):
        """:return: a boolean of the query string"""
        value = self.request.args.get(name)
        return default if value is None else value.lower() == 'true'

    def number(self, name):
        """:return: an integer of the query string, or None"""
        value = self.request.args.get(name)
        if value in (None, ''):
            return None
        try:
            return int(value)
        except ValueError:
            raise unreadable([{
                'path': name, 'message': f"The value '{value}' is not valid.",
            }]) from None


#: path values by which the store of a request is found, and where they are kept
RESOURCES = {
    'invoice_id': ('invoice', 'invoices'),
    'webhook_id': ('webhook', 'webhooks'),
    'pull_payment_id': ('pull_payment', 'pull_payments'),
    'payout_id': ('payout', 'payouts'),
}

NOT_FOUND = {
    'webhook': ('webhook-not-found', 'The webhook was not found'),
    'pull_payment': ('pullpayment-not-found', 'The pull payment was not found'),
    'payout': ('payout-not-found', 'The payout was not found'),
}


class Api:
    """Collects the endpoints of a module; used as a decorator.

    A function is called with the Context and what is left of the path's values, while the
    server's lock is held, and returns JSON (or a Response, or None for an empty body).
    """

    def __init__(self):
        self.routes = []

    def __call__(self, method, *paths, policy=None, anonymous=False, prefix='/api/v1'):
        def register(function):
            for path in paths:
                self.routes.append((method, prefix + path, function, policy, anonymous))
            return function
        return register

    def rules(self):
        return [
            Rule(path, methods=[method], endpoint=_endpoint(function, policy, anonymous))
            for method, path, function, policy, anonymous in self.routes
        ]


def _endpoint(function, policy, anonymous):
    def endpoint(server, request, **values):
        request.get_data()  # reading it may take long: not while the lock is held
        with server.lock:
            context = Context(server, request)
            try:
                if not anonymous:
                    context.caller = authenticate(server, request)
                _resolve(context, values, policy)
                result = function(context, **values)
            except ApiError as error:
                return answer(error.payload, error.status, error.early)
        return result if isinstance(result, Response) else answer(result)
    return endpoint


def _resolve(context, values, policy):
    """Find the store of a request and check the caller's permission for it.

    :raise ApiError: 403 as for a missing permission, also for what does not exist
    """
    server = context.server
    in_store = 'store_id' in values
    store_id = values.pop('store_id', None)
    missing = None
    for name in [name for name in values if name in RESOURCES]:
        attribute, table = RESOURCES[name]
        found = getattr(server, table).get(values.pop(name))
        if attribute == 'payout' and context.pull_payment and found and (
            found.pull_payment_id != context.pull_payment.id
        ):
            found = None
        if in_store and found is not None and found.store_id != store_id:
            found = None
        if found is None:
            missing = missing or attribute
        else:
            store_id = store_id or found.store_id
            setattr(context, attribute, found)
    context.store = server.stores.get(store_id)
    if policy and context.caller:
        if missing == 'invoice' or (missing == 'webhook' and '/deliveries' in context.request.path):
            raise missing_permission(policy)
        if store_id or missing:
            require(context.caller, policy, context.store)
        elif not context.caller.has(policy):
            raise missing_permission(policy)
    if missing in NOT_FOUND:
        code, message = NOT_FOUND[missing]
        raise ApiError(404, {'code': code, 'message': message})
