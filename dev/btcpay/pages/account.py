"""Logging in and out, the stores, the API keys; the pages' own files."""
import mimetypes

from werkzeug.wrappers import Response

from ..defaults import MERCHANT, PASSWORD
from .language import translate as _
from .web import FOLDER, HEADERS, NotFound, Pages, is_local

pages = Pages()


@pages('GET', '/')
def home(visit):
    return visit.redirect('/stores')


@pages('GET', '/login')
def login(visit):
    email, password = (MERCHANT, PASSWORD) if visit.server.fill_login else ('', '')
    return visit.render('login.html', email=email, password=password, failed=False)


@pages('POST', '/login')
def log_in(visit):
    email = visit.form('Email')
    user = visit.server.authenticate(email, visit.request.form.get('Password', ''))
    if user is None:
        return visit.render('login.html', 400, email=email, failed=True)
    target = visit.request.args.get('ReturnUrl', '')
    if not is_local(target):
        target = visit.root + '/'
    return visit.log_in(visit.go(target), user)


@pages('POST', '/logout')
def log_out(visit):
    return visit.log_out(visit.redirect('/login'))


@pages('GET', '/stores', login=True)
def stores(visit):
    return visit.render('stores.html', counts={
        store.id: len(visit.server.invoices_of(store.id)) for store in visit.stores()
    })


@pages('GET', '/account/apikeys', login=True)
def api_keys(visit):
    keys = [key for key in visit.server.api_keys.values() if key.user_id == visit.user.id]
    return visit.render('api_keys.html', keys=sorted(keys, key=lambda k: k.created, reverse=True))


@pages('POST', '/api-keys/<key>/delete', login=True)
def delete_key(visit, key):
    found = visit.server.api_keys.get(key)
    if found is None or found.user_id != visit.user.id:
        raise NotFound
    visit.server.delete_api_key(key)
    return visit.redirect('/account/apikeys', _('API key removed'))


def static_file(name):
    """:return: a file of the pages, as an answer that may be kept for a while"""
    path = FOLDER / 'static' / name
    if not path.is_file():
        raise NotFound
    kind = mimetypes.guess_type(name)[0] or 'application/octet-stream'
    if kind.startswith('text/') or kind.endswith('javascript'):
        kind += '; charset=utf-8'
    return Response(
        path.read_bytes(), headers={**HEADERS, 'Cache-Control': 'max-age=60'}, content_type=kind)


@pages('GET', '/static/<name>', framed=True)
def static(_visit, name):
    return static_file(name)


@pages('GET', '/modal/btcpay.js', framed=True)
def modal(_visit):
    return static_file('btcpay.js')
