"""The merchant's pull payments and the payouts claimed from them."""
from .. import payouts as merchant
from .. import pull_payments as pulls
from .language import translate as _
from .web import NotFound, Pages

pages = Pages()


@pages('GET', '/stores/<store_id>/payouts', login=True)
def payouts(visit, store_id):
    store, server = visit.store(store_id), visit.server
    found = [payout for payout in server.payouts.values() if payout.store_id == store.id]
    return visit.render(
        'payouts.html', store=store, tab='payouts', pull_payments=server.pull_payments,
        payouts=sorted(found, key=lambda payout: payout.number, reverse=True))


@pages('GET', '/stores/<store_id>/pull-payments', login=True)
def pull_payments(visit, store_id):
    store, server = visit.store(store_id), visit.server
    found = [pull for pull in server.pull_payments.values() if pull.store_id == store.id]
    return visit.render('pull_payments.html', store=store, tab='pull-payments', rows=[
        {'pull_payment': pull, 'left': pulls.claimable(server, pull),
         'payouts': len(server.payouts_of(pull.id))}
        for pull in sorted(found, key=lambda pull: pull.number, reverse=True)
    ])


@pages('POST', '/stores/<store_id>/pull-payments/<pull_payment_id>/archive', login=True)
def archive(visit, store_id, pull_payment_id):
    found = visit.record('pull_payments', pull_payment_id, store_id)
    return visit.act(f'/stores/{store_id}/pull-payments', _('Pull payment archived'),
                     pulls.archive, visit.server, found)


@pages('POST', '/stores/<store_id>/payouts/<payout_id>/<action>', login=True)
def act(visit, store_id, payout_id, action):
    found, server = visit.record('payouts', payout_id, store_id), visit.server
    page = f'/stores/{store_id}/payouts'
    if action == 'approve':
        return visit.act(page, _('Payout approved'), merchant.approve, server, found)
    if action == 'send':
        return visit.act(page, _('Payout sent'), merchant.mark, server, found, 'InProgress')
    if action == 'mark-paid':
        return visit.act(page, _('Payout marked as paid'), merchant.mark, server, found,
                         'Completed')
    if action == 'cancel':
        return visit.act(page, _('Payout cancelled'), merchant.cancel, server, found)
    raise NotFound
