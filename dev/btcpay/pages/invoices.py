"""The merchant's invoices: list, details, marking."""
from ..lifecycle import mark, markable
from ..prompts import payment_link
from ..pull_payments import claimable
from ..sums import accounting, paid_amount, totals
from .formats import words
from .language import translate as _
from .web import NotFound, Pages

pages = Pages()

SHOWN = 200


@pages('GET', '/invoices', login=True)
def all_invoices(visit):
    stores = visit.stores()
    return visit.redirect(f'/stores/{stores[0].id}/invoices' if stores else '/stores')


@pages('GET', '/stores/<store_id>', '/stores/<store_id>/invoices', login=True)
def invoices(visit, store_id):
    store = visit.store(store_id)
    found = visit.server.invoices_of(store.id)
    return visit.render('invoices.html', store=store, tab='invoices', total=len(found), rows=[
        {'invoice': invoice, 'paid': paid_amount(invoice), 'markable': markable(invoice)}
        for invoice in found[:SHOWN]
    ])


@pages('GET', '/invoices/<invoice_id>', login=True)
def invoice(visit, invoice_id):
    found = visit.record('invoices', invoice_id)
    refunds = [visit.server.pull_payments[refund] for refund in found.refunds
               if refund in visit.server.pull_payments]
    return visit.render(
        'invoice.html', store=visit.server.stores[found.store_id], tab='invoices', invoice=found,
        paid=paid_amount(found), due=totals(found).net_due, markable=markable(found),
        links={method: payment_link(found, method) for method in found.methods},
        accounting=accounting, refunds=refunds,
        left={refund.id: claimable(visit.server, refund) for refund in refunds},
    )


@pages('POST', '/invoices/<invoice_id>/changestate/<state>', login=True)
def change_state(visit, invoice_id, state):
    found = visit.record('invoices', invoice_id)
    status = {'settled': 'Settled', 'invalid': 'Invalid'}.get(state)
    if status is None:
        raise NotFound
    page = f'/invoices/{found.id}'
    if status not in markable(found):
        return visit.go(visit.back(page), _('The invoice cannot be marked that way.'), 'bad')
    return visit.act(
        page, _('Invoice {invoice} marked as {state}.', invoice=found.id, state=words(status)),
        mark, visit.server, found, status)
