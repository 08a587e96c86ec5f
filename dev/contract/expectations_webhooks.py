"""Webhooks: their administration, and how and when events are delivered."""
from .match import ID, UNIX, Only, Unordered
from .steps import (
    call,
    change_webhook,
    deliveries,
    empty,
    forbidden,
    give_up_soon,
    got,
    new,
    pay,
    received,
    receiver_answers,
    redeliver,
    refused,
    restart,
    stays,
    takes,
    time,
)
from .story import Story, created, event

HOOK = '/stores/{store}/webhooks/{webhook}'
SECOND = '/stores/{store}/webhooks/{second}'
EVERYTHING = {'everything': True, 'specificEvents': []}
MINUTE = 60
DAY = 24 * 60 * MINUTE


def told(status, code, error=None):
    return Only(id=ID, timestamp=UNIX, deliveryTime=UNIX, httpCode=code, status=status,
                errorMessage=error)


OK = told('HttpSuccess', 200)


def refusal(code):
    return told('HttpError', code, f'HTTP Error Code {code}')


def final(code):
    """:return: Story of a status that is taken as it is: the next event follows at once"""
    return Story(
        f'Status {code} of the receiver is never tried again',
        (receiver_answers(code), new(), received(1), deliveries(refusal(code)), time(11),
         received(1), new(name='other'), received(2), deliveries(OK, refusal(code))),
        events=(created(), created(invoiceId='{other}')),
    )


def temporary(code):
    """:return: Story of a status after which it is tried again"""
    return Story(
        f'Status {code} of the receiver is tried again after ten seconds',
        (receiver_answers(code), new(), received(1), deliveries(refusal(code)), time(11),
         received(2), deliveries(OK, refusal(code))),
        events=(created(), created(again=True)),
    )


STORIES = (
    Story(
        'Only the answer to its creation shows the secret of a webhook',
        (
            call('POST', '/stores/{store}/webhooks', {'url': '{receiver}/second'}, answer=Only(
                id=ID, enabled=True, secret=ID, automaticRedelivery=True,
                url='{receiver}/second', authorizedEvents=EVERYTHING), keep={'second': 'id'}),
            call('GET', SECOND, answer=Only(
                id='{second}', enabled=True, automaticRedelivery=True, url='{receiver}/second',
                authorizedEvents=EVERYTHING)),
            call('GET', '/stores/{store}/webhooks', answer=Unordered([
                {'id': '{webhook}', 'url': '{receiver}/hook'}, {'id': '{second}'}])),
        ),
    ),
    Story(
        'A webhook has the secret one gives it, and wants the events one names, known or not',
        (
            call('POST', '/stores/{store}/webhooks', {
                'url': 'https://shop.test/x', 'secret': 'of-our-own', 'authorizedEvents': {
                    'everything': False, 'specificEvents': ['InvoiceSettled', 'NoSuchEvent']},
            }, answer={'secret': 'of-our-own', 'authorizedEvents': {
                'everything': False, 'specificEvents': ['InvoiceSettled', 'NoSuchEvent']}}),
            refused('POST', '/stores/{store}/webhooks', {'url': 'nope'}, ('Url', 'Invalid Url')),
        ),
    ),
    Story(
        'A deleted webhook is not found any more',
        (
            empty('DELETE', HOOK),
            call('DELETE', HOOK, status=404, answer=Only(
                code='webhook-not-found', message='The webhook was not found')),
            call('GET', HOOK, status=404),
            forbidden('GET', HOOK + '/deliveries', 'btcpay.store.webhooks.canmodifywebhooks'),
            new(),
        ),
        events=(),
    ),
    Story(
        'Less than no deliveries is an error of the server',
        (empty('GET', HOOK + '/deliveries?count=-1', status=500),),
    ),
    Story(
        'After sixty days the server lists a delivery, but has forgotten what it sent',
        (
            new(),
            received(1),
            redeliver(),
            received(2),
            time(61 * DAY),
            received(3),  # It has expired meanwhile.
            call('GET', HOOK + '/deliveries', answer=[
                {'id': ID}, {'id': '{again}'}, {'id': '{original}'}]),
            call('GET', HOOK + '/deliveries/{original}/request', status=409, answer={
                'code': 'webhookdelivery-pruned'}),
            call('POST', HOOK + '/deliveries/{original}/redeliver', status=409, answer={
                'code': 'webhookdelivery-pruned'}),
        ),
    ),
    Story(
        'There is no way to have a webhook tested',
        (empty('POST', HOOK + '/test', status=404),),
    ),
    Story(
        'A disabled webhook gets nothing, one for some events only those',
        (
            change_webhook(enabled=False),
            new(),
            change_webhook(authorizedEvents={
                'everything': False, 'specificEvents': ['InvoiceProcessing']}),
            new(name='other'),
            pay('other'),
            received(1),
        ),
        events=(event('InvoiceProcessing', overPaid=False, invoiceId='{other}'),),
    ),
    Story(
        'Changing a webhook without a secret keeps the one it has',
        (change_webhook(), new()),
        events=(created(),),
    ),
    Story(
        'What was queued is signed with the secret of that time, a further attempt with the new',
        (
            receiver_answers(500),
            new(),
            received(1),
            deliveries(refusal(500)),
            new(name='other'),
            change_webhook(secret='the-new-secret'),
            time(11),
            received(3),
            new(name='third'),
        ),
        events=(created(), created(again=True, secret='the-new-secret'),
                created(invoiceId='{other}'),
                created(invoiceId='{third}', secret='the-new-secret')),
    ),
    Story(
        'A redelivery is signed with the new secret',
        (new(), received(1), deliveries(OK), change_webhook(secret='the-new-secret'),
         redeliver(0)),
        events=(created(), created(again=True, secret='the-new-secret')),
    ),
    Story(
        'A redelivery has a new id and names the first delivery',
        (
            new(),
            received(1),
            deliveries(OK),
            redeliver(0),
            received(2),
            deliveries({**OK, 'id': '{again}'}, {**OK, 'id': '{original}'}),
            call('GET', HOOK + '/deliveries/{again}/request', answer={
                'deliveryId': '{again}', 'originalDeliveryId': '{original}', 'isRedelivery': True,
                'type': 'InvoiceCreated', 'invoiceId': '{invoice}'}),
            call('POST', HOOK + '/deliveries/nosuch/redeliver', status=404,
                 answer={'code': 'webhookdelivery-not-found'}),
        ),
        events=(created(deliveryId='{original}'),
                created(again=True, deliveryId='{again}', originalDeliveryId='{original}')),
    ),
    Story(
        'As many deliveries are listed as one asks for',
        (new(), new(), new(), received(3), deliveries(OK, OK, OK),
         call('GET', HOOK + '/deliveries?count=2', answer=[OK, OK])),
    ),
    temporary(408),
    temporary(429),
    final(400),
    final(404),
    final(410),
    Story(
        'What waits to be tried again blocks the later events of all orders',
        (
            receiver_answers(500, 503),
            new(),
            received(1),
            new(name='other'),
            received(1),
            time(11),
            received(2),
            time(MINUTE + 1),
            received(4),
            # newest first: by when they were made, not by when they were sent
            deliveries(OK, refusal(503), OK, refusal(500)),
        ),
        events=(created(invoiceId='{invoice}'), created(invoiceId='{invoice}', again=True),
                created(invoiceId='{invoice}', again=True), created(invoiceId='{other}')),
    ),
    Story(
        'After ten seconds, a minute and six times ten minutes it is given up',
        (
            takes('an hour'),
            receiver_answers(*[500] * 9),
            new(checkout={'expirationMinutes': 180}),
            received(1),
            time(9),
            received(1),
            time(2),
            received(2),
            time(MINUTE - 2),
            received(2),
            time(3),
            received(3),
            *(action for number in range(4, 10)
              for action in (time(10 * MINUTE - 5), received(number - 1), time(6),
                             received(number))),
            new(name='other'),
            received(10),
        ),
        events=(created(), *[created(again=True)] * 8, created(invoiceId='{other}')),
    ),
    Story(
        'A receiver that does not answer is given up in the end, and the other orders wait for it',
        (
            give_up_soon(),
            receiver_answers('hang'),
            new(),
            new(name='other'),
            deliveries({'status': 'Failed', 'httpCode': None}, within=120),
            time(11),
            received(3),
            deliveries(OK, OK, {'status': 'Failed'}),
        ),
        events=(created(), created(again=True), created(invoiceId='{other}')),
    ),
    Story(
        'A redirect is followed with a GET, which counts as the answer',
        (receiver_answers(301), new(), got('/moved'), deliveries(OK)),
        events=(created(),),
    ),
    Story(
        'Any success will do as an answer',
        (receiver_answers(204), new(), received(1), deliveries(told('HttpSuccess', 204))),
        events=(created(),),
    ),
    Story(
        'A restart of the server loses what waits',
        (receiver_answers(500), new(), received(1), new(name='other'), restart(), time(11),
         stays('New/None'), received(1), new(name='third')),
        events=(created(), created(invoiceId='{third}')),
    ),
)
