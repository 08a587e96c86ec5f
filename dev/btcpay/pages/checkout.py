"""The checkout page, and the panel on it by which a demo's customer pays."""
import io
import json
import re
from decimal import Decimal
from functools import lru_cache
from urllib.parse import quote_plus

import qrcode
import qrcode.image.svg
from markupsafe import Markup
from werkzeug.wrappers import Response

from .. import chain, lifecycle, payments, prompts, sums
from ..errors import ApiError
from .authorize import usable_redirect
from .language import choose, current
from .language import translate as _
from .web import HEADERS, NotFound, Pages, templates

pages = Pages()

#: seconds from "Invoice Paid" to the shop; the real server takes 5, a demo need not
REDIRECT_AFTER = 2
TOP_UP = '0.001'  # BTC, what the panel pays of an invoice without an amount


@lru_cache(maxsize=256)
def qr_code(text):
    """:return: an SVG element"""
    code = qrcode.QRCode(border=2, error_correction=qrcode.ERROR_CORRECT_M)
    code.add_data(text)
    image = code.make_image(image_factory=qrcode.image.svg.SvgPathImage)
    stream = io.BytesIO()
    image.save(stream)
    svg = stream.getvalue().decode()
    return Markup(svg[svg.index('<svg'):])  # noqa: S704 made by the library, holds no text


def _invoice(visit, invoice_id):
    found = visit.server.invoices.get(invoice_id)
    if found is None or visit.server.stores[found.store_id].deleted:
        raise NotFound
    return found


def store_link(invoice, store):
    """:return: where "Return to …" leads, None if the shop gave no usable address"""
    link = invoice.checkout['redirectURL'] or store.settings['website']
    for name, value in (('InvoiceId', invoice.id), ('OrderId', invoice.order_id or '')):
        value = quote_plus(value)
        link = re.sub(f'{{{name}}}', lambda _match, v=value: v, link or '', flags=re.IGNORECASE)
    return usable_redirect(link)


def _tabs(visit, invoice):
    """The methods a customer can choose from: LNURL only where there is no plain Lightning."""
    tabs = []
    for method_id in ('BTC-CHAIN', 'BTC-LN', 'BTC-LNURL'):
        method = invoice.methods.get(method_id)
        if method is None or (method_id == 'BTC-LNURL' and 'BTC-LN' in invoice.methods):
            continue
        link = prompts.payment_link(invoice, method_id)
        # a QR code of upper case alone is smaller
        tabs.append({
            'id': method_id, 'link': link, 'sums': sums.accounting(invoice, method_id),
            'rate': method.rate, 'destination': method.destination or link.partition(':')[2],
            'qr': qr_code(link if method_id == 'BTC-CHAIN' else link.upper()) if link else '',
        })
    return tabs


def _selected(invoice, store, tabs, asked):
    wanted = (asked, invoice.checkout['defaultPaymentMethod'],
              store.settings['defaultPaymentMethod'])
    ids = [tab['id'] for tab in tabs]
    return next((method for method in wanted if method in ids), ids[0] if ids else None)


def _replaceable(visit, invoice):
    """:return: the last payment that a customer could still replace, or None"""
    for payment in reversed(invoice.payments):
        transaction = visit.server.transactions.get(payment.txid)
        if payment.replaceable and payment.accounted and transaction and (
            transaction['height'] is None and not transaction['replaced_by']
        ):
            return payment
    return None


def _speak(visit, invoice):
    choose(invoice.checkout['defaultLanguage'], visit.request.accept_languages)


def _view(visit, invoice, modal, asked=None):
    """:return: all that the templates need"""
    server = visit.server
    store = server.stores[invoice.store_id]
    _speak(visit, invoice)
    if invoice.status == 'New':
        for method_id in invoice.methods:
            prompts.activate(server, invoice, method_id)
    tabs = _tabs(visit, invoice) if invoice.status == 'New' else []
    totals = sums.totals(invoice)
    return {
        'invoice': invoice, 'store': store, 'modal': modal, 'tabs': tabs,
        'selected': _selected(invoice, store, tabs, asked),
        'paid': sums.paid_amount(invoice), 'due': totals.net_due,
        'link': store_link(invoice, store),
        'minutes': max(1, round((invoice.expiration - invoice.created) / 60)),
        'confirmations': chain.CONFIRMATIONS.get(invoice.checkout['speedPolicy'], 6),
        'remaining': max(0, round(invoice.expiration - server.now())),
        'timer': store.settings['displayExpirationTimer'],
        'replaceable': _replaceable(visit, invoice),
        'language': invoice.checkout['defaultLanguage'] or current(),
        'auto_pay': server.settings['auto_pay'],
        'auto_close': server.settings['auto_close'],
        'redirect_after': 0 if server.settings['auto_pay'] else REDIRECT_AFTER,
    }


@pages('GET', '/i/<invoice_id>', '/i/<invoice_id>/<method_id>', framed=True)
def checkout(visit, invoice_id, method_id=None):
    modal = visit.request.args.get('view') == 'modal'
    return visit.render(
        'checkout.html', **_view(visit, _invoice(visit, invoice_id), modal, method_id))


@pages('GET', '/invoice', framed=True)
def by_query(visit):
    return checkout(visit, visit.request.args.get('id', ''))


def _json(payload, status=200):
    return Response(json.dumps(payload), status, HEADERS, content_type='application/json')


@pages('GET', '/i/<invoice_id>/status', framed=True)
def status(visit, invoice_id):
    """What the page asks for every second: its content as it is now."""
    modal = visit.request.args.get('view') == 'modal'
    view = _view(visit, _invoice(visit, invoice_id), modal, visit.request.args.get('method'))
    render = {name: templates.get_template(f'checkout_{name}.html').render(root=visit.root, **view)
              for name in ('content', 'panel')}
    invoice = view['invoice']
    return _json({
        'status': invoice.status, 'additionalStatus': invoice.additional_status,
        'remaining': view['remaining'], 'link': view['link'],
        'redirectAutomatically': bool(invoice.checkout['redirectAutomatically']),
        'redirectAfter': view['redirect_after'], **render,
    })


@pages('POST', '/i/<invoice_id>/demo', framed=True)
def demo(visit, invoice_id):
    """A button of the panel."""
    invoice = _invoice(visit, invoice_id)
    _speak(visit, invoice)
    action = ACTIONS.get(visit.form('action'))
    if action is None:
        raise NotFound
    try:
        message, problem = action(visit, invoice), False
    except ApiError as error:
        message, problem = _(error.message), True
    if visit.request.accept_mimetypes.best == 'application/json':
        return _json({'message': message, 'problem': problem}, 400 if problem else 200)
    return visit.go(visit.back(f'/i/{invoice.id}'), message, 'bad' if problem else 'good')


def _pay(visit, invoice, method_id=None, fraction=None, replaceable=None):
    if replaceable is None:
        replaceable = visit.form('replaceable') == 'on'
    amount = None
    if invoice.type == 'TopUp' and not invoice.amount:
        amount, fraction = Decimal(TOP_UP) * Decimal(fraction or 1), None
    done = payments.pay(visit.server, invoice.id, method_id, amount, fraction, replaceable)
    return _('Paid {amount} BTC', amount=done['amount'])


def _replace(visit, invoice):
    payment = _replaceable(visit, invoice)
    if payment is None:
        return _('There is no payment that could be replaced')
    chain.replace(visit.server, payment.txid)
    return _('Replaced by a transaction that pays somebody else: noticed with the next block')


def _mine(visit, _of):
    chain.mine(visit.server)
    return _('Block {height} mined', height=visit.server.height)


def _expire(visit, invoice):
    lifecycle.expire_now(visit.server, invoice)
    return _('Expired')


def _auto(visit, invoice):
    """The page was opened and pays by itself, once, as the setting ``auto_pay`` says."""
    how = visit.server.settings['auto_pay']
    if how is None or invoice.status != 'New' or invoice.payments:
        return ''
    method_id = 'BTC-LN' if how == 'lightning' else None
    fraction = {'half': '0.5', 'double': '2'}.get(how)
    message = _pay(visit, invoice, method_id, fraction, replaceable=False)
    if visit.server.settings['auto_mine']:
        message += ', ' + _mine(visit, invoice)
    return message


ACTIONS = {
    'pay': _pay,
    'pay-half': lambda visit, invoice: _pay(visit, invoice, fraction='0.5'),
    'pay-double': lambda visit, invoice: _pay(visit, invoice, fraction='2'),
    'pay-lightning': lambda visit, invoice: _pay(visit, invoice, 'BTC-LN'),
    'replace': _replace, 'mine': _mine, 'expire': _expire, 'auto': _auto,
}
