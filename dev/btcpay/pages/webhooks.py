"""The merchant's webhooks and what was delivered to them."""
from werkzeug.wrappers import Response

from .language import translate as _
from .web import HEADERS, NotFound, Pages

pages = Pages()

FEW, MANY = 5, 200


@pages('GET', '/stores/<store_id>/webhooks', login=True)
def webhooks(visit, store_id):
    store = visit.store(store_id)
    return visit.render('webhooks.html', store=store, tab='webhooks', rows=[
        _row(visit, webhook, FEW) for webhook in visit.server.webhooks_of(store.id)
    ])


@pages('GET', '/stores/<store_id>/webhooks/<webhook_id>', login=True)
def webhook(visit, store_id, webhook_id):
    found = visit.record('webhooks', webhook_id, store_id)
    return visit.render('webhooks.html', store=visit.store(store_id), tab='webhooks', single=True,
                        rows=[_row(visit, found, MANY)])


def _row(visit, webhook, limit):
    deliveries = visit.server.deliveries_of(webhook.id)
    queue = visit.server.dispatcher.queues.get(webhook.id)
    waiting = len(queue.jobs) + (queue.state != 'idle') if queue else 0
    return {'webhook': webhook, 'deliveries': deliveries[:limit], 'total': len(deliveries),
            'waiting': waiting}


def _delivery(visit, store_id, webhook_id, delivery_id):
    found = visit.record('deliveries', delivery_id, store_id)
    if found.webhook_id != webhook_id:
        raise NotFound
    return found


@pages('GET', '/stores/<store_id>/webhooks/<webhook_id>/deliveries/<delivery_id>/request',
       login=True)
def request(visit, store_id, webhook_id, delivery_id):
    found = _delivery(visit, store_id, webhook_id, delivery_id)
    return Response(found.body, headers=HEADERS, content_type='application/json; charset=utf-8')


@pages('POST', '/stores/<store_id>/webhooks/<webhook_id>/deliveries/<delivery_id>/redeliver',
       login=True)
def redeliver(visit, store_id, webhook_id, delivery_id):
    found = _delivery(visit, store_id, webhook_id, delivery_id)
    return visit.act(f'/stores/{store_id}/webhooks/{webhook_id}',
                     _('Successfully planned a redelivery'), visit.server.dispatcher.redeliver,
                     found)
