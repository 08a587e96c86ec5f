"""What stories are made of. Each function makes a step; ``play`` is given when it is played."""
import re
from functools import wraps

from ..world.base import NotPossible, payload
from .match import Only, Unordered, differences, text
from .story import Step


def step(function):
    @wraps(function)
    def make(*args, **kwargs):
        return Step(function, args, kwargs)
    return make


# --- calls ----------------------------------------------------------------------------------------


@step
def call(play, method, path, body=None, status=200, answer=None, key='shop', keep=None, data=None):
    """Call the API and look at what it answers.

    :param str path: below /api/v1, or the whole of it
    :param str key: name of the key to call with
    :param answer: what is expected, see match.py
    :param dict keep: fields of the answer that become names, {'refund': 'id'}
    """
    path = play.fill(path)
    if not path.startswith(('/api/', '/misc/')):
        path = '/api/v1' + path
    response = play.world.call(
        method, path, play.fill(body), play.keys.get(key, key), data=data)
    actual = payload(response)
    assert response.status_code == status, (
        f'{method} {path} answered {response.status_code}, expected {status}: {actual}')
    if answer is not None:
        play.check(answer, actual, f'{method} {path}')
    for name, field in (keep or {}).items():
        play.names[name] = actual[field] if field else actual


@step
def empty(play, method, path, status=200, key='shop'):
    """A call whose answer has no body."""
    response = play.world.call(method, '/api/v1' + play.fill(path), None, play.keys.get(key, key))
    assert response.status_code == status, response.text
    assert response.content == b'', response.text


def refused(method, path, body, *problems, status=422, **kwargs):
    """A call that is refused with a list of problems.

    :param problems: (path, beginning of the message), in any order
    """
    return call(method, path, body, status=status, answer=Unordered(
        Only(path=where, message=text(re.escape(message) + '.*')) for where, message in problems
    ), **kwargs)


def forbidden(method, path, policy, body=None, key='shop'):
    """A call that answers as if a permission were missing."""
    return call(method, path, body, status=403, key=key, answer=Only(
        missingPermission=policy, code='missing-permission',
        message=text(f'Insufficient API Permissions.*"{policy}".*')))


@step
def make_key(play, name, permissions, stores='{store}'):
    """:param stores: names in braces, or None for all stores"""
    stores = play.fill(stores)
    play.keys[name] = play.names[name] = play.world.new_key(stores, permissions, name)


@step
def make_store(play, keep, /, **store):
    play.names[keep] = play.world.new_store(**{'methods': ('BTC-CHAIN',), **store})


@step
def delete_store(play):
    play.world.delete_store(play.names['store'])


@step
def another_second(play):
    """What is made from now on is made in another second than what was made before."""
    play.world.pass_time(1.1)


@step
def change_store(play, **changes):
    play.world.change_store(play.names['store'], **changes)


@step
def remove_method(play, method):
    play.world.remove_method(play.names['store'], method)


@step
def rates(play, **pairs):
    play.world.set_rates(play.names['store'], **pairs)


@step
def node_down(play, node):
    """:param node: 'lightning' or 'chain', which is stopped; None: all run again"""
    play.world.settings(down=node)


@step
def no_administrator(play):
    """The merchant is a plain user of the server."""
    play.world.settings(administrator=False)


# --- invoices -------------------------------------------------------------------------------------


def new(amount='100.00', currency='USD', name='invoice', answer=None, **body):
    """The shop makes an invoice."""
    return call('POST', '/stores/{store}/invoices', {
        **({} if amount is None else {'amount': amount}), 'currency': currency, **body,
    }, answer=answer, keep={name: 'id'})


@step
def see(play, state, invoice='invoice', **fields):
    """Wait until an invoice is in a state, and compare some of its fields.

    :param str state: 'New/None': status and additional status
    """
    invoice_id = play.names[invoice]
    found = play.world.wait_invoice(invoice_id, *state.split('/'))
    play.check(fields, found, f'invoice {state}')


@step
def stays(play, state, invoice='invoice', **fields):
    """An invoice is in a state and remains in it when everything has been worked off."""
    play.world.wait_deliveries()
    found = play.world.invoice(play.names[invoice])
    actual = f'{found["status"]}/{found["additionalStatus"]}'
    assert actual == state, f'the invoice is {actual}, expected {state}'
    play.check(fields, found, f'invoice {state}')


@step
def methods(play, invoice='invoice', **expected):
    """:param expected: by method with _ for -: what ``…/payment-methods`` says of it"""
    found = play.world.payment_methods(play.names[invoice])
    wanted = {name.replace('_', '-'): value for name, value in expected.items()}
    play.check(wanted, found, 'payment methods')


@step
def pay(play, invoice='invoice', **how):
    """:param how: parameters of World.pay"""
    txid = play.world.pay(play.names[invoice], **how)
    play.txids.append(txid)
    play.names[f'payment{len(play.txids)}'] = txid


@step
def replace(play):
    play.world.replace(play.txids[-1])


@step
def mine(play, blocks=1):
    play.world.mine(blocks)


@step
def expire(play, invoice='invoice'):
    play.world.expire(play.names[invoice])


@step
def time(play, seconds):
    play.world.pass_time(seconds)


def mark(status, was):
    """The shop marks the invoice; the answer is the state before.

    :param str was: 'New/None'
    """
    before, additional = was.split('/')
    return call('POST', '/stores/{store}/invoices/{invoice}/status', {'status': status},
                answer={'id': '{invoice}', 'status': before, 'additionalStatus': additional})


# --- webhooks -------------------------------------------------------------------------------------


@step
def receiver_answers(play, *statuses):
    """:param statuses: of the next deliveries, 'hang' for none; afterwards it is 200"""
    play.receiver.answers['/hook'] = list(statuses)


@step
def received(play, count):
    """Wait until so many deliveries have come in all."""
    play.world.wait_for(
        lambda: len(play.receiver.hooks) >= count, 30, f'{count} deliveries')
    play.world.wait_deliveries()
    types = [body['type'] for _hook, body in play.hooks()]
    assert len(types) == count, f'{len(types)} deliveries, expected {count}: {types}'


@step
def change_webhook(play, **changes):
    """Put the webhook as it was at first, with changes."""
    play.world.api('PUT', f'/stores/{play.names["store"]}/webhooks/{play.names["webhook"]}', {
        'url': play.receiver.url + '/hook', 'enabled': True, 'automaticRedelivery': True,
        'authorizedEvents': {'everything': True}, **changes,
    }, key=play.keys['shop'])


@step
def deliveries(play, *expected, within=15):
    """What the server tells of the last deliveries, newest first."""
    path = f'/webhooks/{play.names["webhook"]}/deliveries'
    seen = []

    def told():
        seen[:] = play.world.api('GET', path, key=play.keys['shop'])[:len(expected)]
        return not differences(play.fill(list(expected)), seen)

    try:
        play.world.wait_for(told, within)
    except AssertionError:
        play.check(list(expected), seen, 'deliveries')


@step
def redeliver(play, number=0):
    """:param int number: of the delivery, in the order they came"""
    delivery_id = play.hooks()[number][1]['deliveryId']
    again = play.world.api(
        'POST', f'/webhooks/{play.names["webhook"]}/deliveries/{delivery_id}/redeliver',
        key=play.keys['shop'])
    play.names.update(original=delivery_id, again=again)


@step
def got(play, path, count=1):
    """The receiver had a GET on a path: a redirect was followed."""
    play.world.wait_for(
        lambda: play.receiver.gets == [path] * count, 10, f'GET {path}')


@step
def takes(play, what):
    """The story takes longer than one waits for."""
    if not play.world.can_fault:
        raise NotPossible(f'This takes {what} on a real BTCPay Server')


@step
def give_up_soon(play):
    """The stand-in waits a second for a receiver that hangs, not 100."""
    if play.world.can_fault:
        play.world.settings(delivery_timeout='1')


@step
def restart(play):
    play.world.restart()


# --- refunds --------------------------------------------------------------------------------------


def refund(keep='refund', /, answer=None, invoice='{invoice}', key='shop', **body):
    """The shop makes a refund."""
    return call('POST', '/stores/{store}/invoices/' + invoice + '/refund', body, answer=answer,
                key=key, keep={keep: 'id'})


def claim(amount=None, name='payout', refund='{refund}', answer=None):
    """The customer claims, without any key."""
    return call('POST', f'/pull-payments/{refund}/payouts', {
        'destination': '{address}', 'amount': amount, 'payoutMethodId': 'BTC-CHAIN',
    }, key='nobody', answer=answer, keep={name: 'id'})


@step
def approve(play, payout='payout'):
    play.world.approve(play.names[payout])


@step
def pay_payout(play, state='Completed', payout='payout'):
    play.world.pay_payout(play.names[payout], state)


@step
def cancel_payout(play, payout='payout'):
    play.world.cancel_payout(play.names[payout])


@step
def archive(play, refund='refund'):
    play.world.archive_pull_payment(play.names[refund])
