"""Webhooks and their deliveries."""
from urllib.parse import urlsplit

from werkzeug.wrappers import Response

from ..errors import ApiError, Invalid, refusal
from ..ids import WEBHOOK_SECRET_MARK, new_id
from ..model import Webhook
from .http import HEADERS, Api

api = Api()

POLICY = 'btcpay.store.webhooks.canmodifywebhooks'
#: the seconds after which what was sent is forgotten, though not that it was
PRUNE_AFTER = 60 * 24 * 3600


def webhook_json(webhook, secret=False):
    """:param bool secret: only the answer to the creation shows it"""
    return {
        'id': webhook.id,
        'enabled': webhook.enabled,
        **({'secret': webhook.secret} if secret else {}),
        'automaticRedelivery': webhook.automatic_redelivery,
        'url': webhook.url,
        'authorizedEvents': {
            'everything': webhook.everything,
            'specificEvents': list(webhook.specific_events),
        },
    }


def _read(context, webhook):
    """Fill a webhook from the body; what is not given has its default, but for the secret."""
    body = context.body
    url, secret = body.text('url'), body.text('secret')
    enabled = body.boolean('enabled')
    automatic = body.boolean('automaticRedelivery')
    events = body.object('authorizedEvents')
    everything = body.boolean('authorizedEvents.everything')
    specific = body.texts('authorizedEvents.specificEvents')
    body.check()
    problems = Invalid()
    try:
        parts = urlsplit(url or '')
        absolute = bool(parts.scheme and (parts.netloc or parts.path.startswith('/')))
    except ValueError:
        absolute = False
    if not absolute:
        problems.add('Url', 'Invalid Url')
    problems.check()
    webhook.url = url
    webhook.enabled = enabled is not False
    webhook.automatic_redelivery = automatic is not False
    webhook.everything = events is None or everything is not False
    webhook.specific_events = specific or []
    if secret:
        webhook.secret = secret


@api('GET', '/stores/<store_id>/webhooks', policy=POLICY)
def listing(context):
    return [webhook_json(webhook) for webhook in context.server.webhooks_of(context.store.id)]


@api('POST', '/stores/<store_id>/webhooks', policy=POLICY)
def create(context):
    webhook = Webhook(new_id(), context.store.id, '', WEBHOOK_SECRET_MARK + new_id(10))
    _read(context, webhook)
    context.server.webhooks[webhook.id] = webhook
    context.server.changed()
    return webhook_json(webhook, secret=True)


def both(tail=''):
    return [path + tail for path in (
        '/stores/<store_id>/webhooks/<webhook_id>', '/webhooks/<webhook_id>')]


@api('GET', *both(), policy=POLICY)
def get(context):
    return webhook_json(context.webhook)


@api('PUT', *both(), policy=POLICY)
def update(context):
    _read(context, context.webhook)
    context.server.changed()
    return webhook_json(context.webhook)


@api('DELETE', *both(), policy=POLICY)
def delete(context):
    server = context.server
    del server.webhooks[context.webhook.id]
    for delivery in server.deliveries_of(context.webhook.id):
        del server.deliveries[delivery.id]
    server.changed()


def delivery_json(delivery):
    return {
        'id': delivery.id,
        'timestamp': int(delivery.timestamp),
        'deliveryTime': int(delivery.delivery_time),
        'httpCode': delivery.http_code,
        'errorMessage': delivery.error_message,
        'status': delivery.status,
    }


@api('GET', *both('/deliveries'), policy=POLICY)
def deliveries(context):
    count = context.number('count')
    if count is not None and count < 0:
        raise ApiError(500)
    found = context.server.deliveries_of(context.webhook.id)
    return [delivery_json(delivery) for delivery in found[:count]]


def _delivery(context, delivery_id, with_body=False):
    delivery = context.server.deliveries.get(delivery_id)
    if delivery is None or delivery.webhook_id != context.webhook.id:
        raise refusal(404, 'webhookdelivery-not-found', 'The webhook delivery was not found')
    if with_body and context.server.now() - delivery.timestamp > PRUNE_AFTER:
        raise refusal(409, 'webhookdelivery-pruned',
                      "This webhook delivery has been pruned, so it can't be redelivered")
    return delivery


@api('GET', *both('/deliveries/<delivery_id>'), policy=POLICY)
def delivery(context, delivery_id):
    return delivery_json(_delivery(context, delivery_id))


@api('GET', *both('/deliveries/<delivery_id>/request'), policy=POLICY)
def delivery_request(context, delivery_id):
    return Response(
        _delivery(context, delivery_id, with_body=True).body, headers=HEADERS,
        content_type='application/json')


@api('POST', *both('/deliveries/<delivery_id>/redeliver'), policy=POLICY)
def redeliver(context, delivery_id):
    return context.server.dispatcher.redeliver(
        _delivery(context, delivery_id, with_body=True))
