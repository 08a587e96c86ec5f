"""The stand-in's pages for merchants: login, authorize, and where a merchant looks."""
import re
import subprocess
import sys
from urllib.parse import quote

import pytest
import requests
from werkzeug.test import Client

from ..btcpay.app import App
from ..btcpay.server import Server
from .conftest import ROOT
from .pages_site import (
    ADDRESS,
    CALLBACK,
    EMAIL,
    OTHER_ADDRESS,
    PASSWORD,
    SIX,
    Site,
    authorize_path,
    consent,
    fields,
    ids,
    text,
)
from .replay_receiver import Receiver


@pytest.fixture
def site(stand_in):
    return Site(stand_in)


# --- login ----------------------------------------------------------------------------------------


def test_login_leads_back(site):
    page = site.get('/stores')
    assert page.url == f'{site.url}/login?ReturnUrl=%2Fstores'
    assert {'Email', 'Password', 'LoginButton'} <= ids(page)
    response = site.post('/login?ReturnUrl=%2Faccount%2Fapikeys', Email=EMAIL, Password=PASSWORD)
    assert response.url == f'{site.url}/account/apikeys'
    site.post('/logout')
    assert '/login' in site.get('/account/apikeys').url


@pytest.mark.parametrize('fill', [False, True])
def test_login_is_filled_in_for_a_demo_only(fill):
    page = Client(App(Server(fill_login=fill))).get('/login').text
    assert (f'value="{EMAIL}"' in page) is fill
    assert (f'value="{PASSWORD}"' in page) is fill


def test_wrong_password(site):
    page = site.post('/login', 400, Email=EMAIL, Password='wrong')
    assert 'Invalid login attempt' in text(page)
    assert '/login' in site.get('/stores').url


def test_a_made_up_session_is_none(site):
    site.log_in()
    user_id = site.session.cookies['btcpay_session'].partition('.')[0]
    for value in (user_id, f'{user_id}.', f'{user_id}.{"0" * 64}', '.', ''):
        response = requests.get(f'{site.url}/stores', cookies={'btcpay_session': value},
                                allow_redirects=False, timeout=30)
        assert response.headers['Location'].startswith('/login'), value


@pytest.mark.parametrize('target', [
    'http://elsewhere.example/', '//elsewhere.example/', '/\\elsewhere.example', 'stores',
    '/\t/elsewhere.example',
])
def test_return_url_stays_here(site, target):
    response = site.post(f'/login?ReturnUrl={quote(target, safe="")}', 302, redirects=False,
                         Email=EMAIL, Password=PASSWORD)
    assert response.headers['Location'] == '/'


@pytest.mark.parametrize('path', [
    '/login', '/logout', '/api-keys/authorize', '/pull-payments/x', '/i/x/demo', '/invoices/x/y',
])
def test_forms_of_other_sites_are_refused(site, path):
    site.log_in()
    path = path.replace('/invoices/x/y', f'/invoices/{site.invoice()["id"]}/changestate/settled')
    for origin in ('null', 'http://elsewhere.example'):
        site.post(path, 403, {'Origin': origin}, command='Cancel', action='mine')


def test_pages_cannot_be_framed_but_the_checkout(site):
    site.log_in()
    assert site.get('/stores').headers['X-Frame-Options'] == 'DENY'
    assert site.get(authorize_path()).headers['X-Frame-Options'] == 'DENY'
    invoice = site.invoice()
    assert 'X-Frame-Options' not in site.get(f'/i/{invoice["id"]}').headers


def test_no_page_loads_from_elsewhere(site):
    site.log_in()
    refund, invoice = site.refund(), site.invoice()
    for path in ('/login', '/stores', f'/stores/{site.store}/invoices', f'/i/{invoice["id"]}',
                 f'/pull-payments/{refund["id"]}', authorize_path(), '/account/apikeys'):
        for link in re.findall(r'(?:src|href)="([^"]*)"', site.get(path).text):
            assert link.startswith(('/', 'bitcoin:', 'lightning:')), (path, link)
            assert not link.startswith('//'), (path, link)
            if link.startswith('/static/'):
                site.get(link)


# --- authorize ------------------------------------------------------------------------------------



def test_authorize_one_store(site):
    site.log_in()
    page = site.get(authorize_path())
    assert {'StoreId', 'continue', 'consent-no'} <= ids(page)
    assert 'consent-yes' not in ids(page)
    assert text(page).count('Demo Shop') == 1
    page = site.post('/api-keys/authorize', **{
        **fields(page), 'command': 'SelectStores', 'StoreId': site.store})
    assert {'Label', 'consent-yes', 'consent-no'} <= ids(page)
    words = text(page)
    for expected in ('Odoo shop is requesting access', CALLBACK, 'View invoices',
                     'Store-based permissions will be applied for Demo Shop',
                     "Modify selected stores' webhooks"):
        assert expected in words
    page = site.post('/api-keys/authorize', **{
        **fields(page), 'command': 'Authorize', 'Label': 'Our label'})
    posted = fields(page)
    assert list(posted) == ['__RequestVerificationToken', 'apiKey', 'userId', 'permissions[]']
    assert posted['permissions[]'] == [f'{policy}:{site.store}' for policy in SIX]
    assert f'action="{CALLBACK}"' in page.text
    assert page.headers['Referrer-Policy'] == 'same-origin'
    current = requests.get(f'{site.url}/api/v1/api-keys/current', timeout=30,
                           headers={'Authorization': f'token {posted["apiKey"]}'}).json()
    assert current['label'] == 'Our label'
    assert current['permissions'] == posted['permissions[]']


def test_each_approval_makes_a_new_key(site):
    site.log_in()
    made = {fields(consent(site, authorize_path()))['apiKey'] for _time in range(2)}
    assert len(made) == 2
    assert set(site.keys()) == made


def test_without_selective_stores_the_key_is_for_all(site):
    site.log_in()
    page = site.get(authorize_path(selectiveStores='false'))
    assert 'StoreId' not in ids(page)
    posted = fields(consent(site, authorize_path(selectiveStores='false')))
    assert posted['permissions[]'] == SIX


def test_cancel_makes_nothing(site):
    site.log_in()
    page = site.get(authorize_path())
    page = site.post('/api-keys/authorize', **{**fields(page), 'command': 'Cancel'})
    assert page.url == f'{site.url}/account/apikeys'
    assert site.keys() == []


@pytest.mark.parametrize('redirect', [None, '/cb', 'javascript:alert(1)', 'ftp://shop/', 'http://'])
def test_unusable_redirect_is_ignored(site, redirect):
    site.log_in()
    page = consent(site, authorize_path(redirect=redirect))
    assert page.url == f'{site.url}/account/apikeys'
    assert 'API key generated' in text(page)
    assert len(site.keys()) == 1


@pytest.mark.parametrize(('host', 'secure'), [
    ('btcpay.example', False), ('192.168.1.5:23000', False), ('localhost:1', True),
    ('btcpay.localhost', True), ('[::1]:23000', True), ('abc.onion', True),
])
def test_no_key_over_an_insecure_connection(site, host, secure):
    site.log_in()
    cookies = {'btcpay_session': site.session.cookies['btcpay_session']}

    def ask(method, path, **options):
        return requests.request(method, site.url + path, headers={'Host': host}, cookies=cookies,
                                allow_redirects=False, timeout=30, **options)

    answers = [ask('GET', authorize_path())]
    form = {'command': 'Authorize', 'StoreId': site.store, 'Permissions': ';'.join(SIX),
            'SelectiveStores': 'True', 'RedirectUrl': CALLBACK}
    answers.append(ask('POST', '/api-keys/authorize', data=form))
    for answer in answers:
        assert (answer.status_code == 200) is secure
        assert secure or answer.headers['Location'].endswith('/account/apikeys')
    assert len(site.keys()) == secure


def test_unknown_permissions_are_left_out(site):
    site.log_in()
    view = 'btcpay.store.canviewinvoices'
    asked = [view, 'btcpay.store.canfly', f'{view}:x']
    posted = fields(consent(site, authorize_path(permissions=asked)))
    assert posted['permissions[]'] == [f'{view}:{site.store}']


def test_a_store_of_nobody_is_asked_for_again(site):
    site.log_in()
    page = consent(site, authorize_path(), StoreId='B7FBa3KPRaf3JCYHDs8CB1bisvNfNnYnFAR43LneL981')
    assert 'StoreId' in ids(page)
    assert site.keys() == []


def test_what_the_account_has_not_is_refused(site):
    site.api('POST', '/users', {'email': 'other@example.com', 'password': 'secret'})
    site.post('/login', Email='other@example.com', Password='secret')
    path = authorize_path(permissions=['btcpay.server.canmanageusers'])
    page = consent(site, path)
    assert 'is required for this application' in text(page)
    site.post('/api-keys/authorize', command='Authorize', Permissions=SIX[0], RedirectUrl=CALLBACK,
              SelectiveStores='True', StoreId=site.store)  # the merchant's, not theirs
    assert site.keys() == []


def test_not_strict_lets_the_merchant_choose(site):
    site.log_in()
    posted = fields(consent(site, authorize_path(strict='false'), chosen=SIX[:2]))
    assert posted['permissions[]'] == [f'{policy}:{site.store}' for policy in SIX[:2]]



def test_key_is_deleted(site):
    site.log_in()
    key = fields(consent(site, authorize_path()))['apiKey']
    assert 'Odoo shop' in text(site.get('/account/apikeys'))
    site.post(f'/api-keys/{key}/delete')
    assert site.keys() == []
    site.post(f'/api-keys/{key}/delete', 404)


# --- the merchant's pages -------------------------------------------------------------------------


def test_invoices_are_listed_and_marked(site):
    site.log_in()
    assert site.get('/').url == f'{site.url}/stores'
    invoice = site.invoice()
    page = site.get(f'/stores/{site.store}/invoices')
    for expected in (invoice['id'], 'S00042', 'New', '100.00 USD'):
        assert expected in text(page)
    assert site.get('/invoices').url == page.url
    page = site.post(f'/invoices/{invoice["id"]}/changestate/settled')
    assert page.url == f'{site.url}/invoices/{invoice["id"]}'
    assert site.state(invoice) == ('Settled', 'Marked')
    back = f'/stores/{site.store}/invoices'
    page = site.post(f'/invoices/{invoice["id"]}/changestate/invalid', back=back)
    assert page.url == site.url + back
    assert site.state(invoice) == ('Invalid', 'Marked')
    page = site.post(f'/invoices/{invoice["id"]}/changestate/invalid')
    assert 'cannot be marked' in text(page)
    site.post(f'/invoices/{invoice["id"]}/changestate/new', 404)


def test_invoice_details(site):
    site.log_in()
    invoice = site.invoice()
    paid = site.control('pay', invoice=invoice['id'])
    site.control('mine')
    refund = site.api('POST', f'/stores/{site.store}/invoices/{invoice["id"]}/refund',
                      {'refundVariant': 'Fiat'})
    page = site.get(f'/invoices/{invoice["id"]}')
    for expected in ('Settled', paid['txid'], paid['address'], f'Refund {invoice["id"]}'):
        assert expected in text(page)
    assert f'/pull-payments/{refund["id"]}' in page.text


def test_webhooks_and_deliveries(site):
    site.log_in()
    receiver = Receiver()
    try:
        site.api('POST', f'/stores/{site.store}/webhooks', {
            'url': f'{receiver.url}/hook', 'secret': 'not to be shown'})
        site.invoice()
        site.control('wait')
        page = site.get(f'/stores/{site.store}/webhooks')
        assert f'{receiver.url}/hook' in text(page)
        assert 'InvoiceCreated' in text(page)
        assert 'not to be shown' not in page.text
        path = re.search(r'action="([^"]*/redeliver)"', page.text)[1]
        content = site.get(path.replace('/redeliver', '/request'))
        assert content.content == receiver.hooks[0].raw
        site.post(path)
        site.control('wait')
        assert len(receiver.hooks) == 2
        webhook_page = re.match(r'/stores/\w+/webhooks/\w+', path)[0]
        assert text(site.get(webhook_page)).count('InvoiceCreated') == 2
    finally:
        receiver.close()


def test_payouts_and_pull_payments(site):
    site.log_in()
    refund = site.refund()

    def claim(destination):
        made = site.api('POST', f'/pull-payments/{refund["id"]}/payouts', {
            'destination': destination, 'amount': '10', 'payoutMethodId': 'BTC-CHAIN'})
        return f'/stores/{site.store}/payouts/{made["id"]}'

    def states():
        listed = site.api('GET', f'/pull-payments/{refund["id"]}/payouts?includeCancelled=true')
        return [payout['state'] for payout in listed]

    page = site.get(f'/stores/{site.store}/pull-payments')
    assert refund['name'] in text(page)
    first, second = claim(ADDRESS), claim(OTHER_ADDRESS)
    page = site.get(f'/stores/{site.store}/payouts')
    assert text(page).count('Awaiting approval') == 2
    page = site.post(f'{first}/mark-paid')
    assert 'not in a state' in text(page)
    site.post(f'{first}/approve')
    site.post(f'{second}/cancel')
    assert states() == ['AwaitingPayment', 'Cancelled']
    site.post(f'{first}/send')
    assert states() == ['InProgress', 'Cancelled']
    site.post(f'{first}/mark-paid')
    assert states() == ['Completed', 'Cancelled']
    site.post(f'{first}/explode', 404)
    page = site.post(f'/stores/{site.store}/pull-payments/{refund["id"]}/archive')
    assert page.text.count('Archived') == 1
    assert site.api('GET', f'/pull-payments/{refund["id"]}')['archived']


def test_other_users_see_nothing(site):
    invoice, refund = site.invoice(), site.refund()
    hook = site.api('POST', f'/stores/{site.store}/webhooks', {'url': 'http://127.0.0.1:1/'})
    site.log_in()
    key = fields(consent(site, authorize_path()))['apiKey']
    site.api('POST', '/users', {'email': 'other@example.com', 'password': 'secret'})
    site.post('/login', Email='other@example.com', Password='secret')
    for path in (f'/stores/{site.store}/invoices', f'/invoices/{invoice["id"]}',
                 f'/stores/{site.store}/webhooks', f'/stores/{site.store}/webhooks/{hook["id"]}',
                 f'/stores/{site.store}/payouts', f'/stores/{site.store}/pull-payments'):
        site.get(path, 404)
    for path in (f'/invoices/{invoice["id"]}/changestate/settled',
                 f'/stores/{site.store}/pull-payments/{refund["id"]}/archive',
                 f'/api-keys/{key}/delete'):
        site.post(path, 404)


def test_paths_must_agree_with_themselves(site):
    site.log_in()
    other = site.control('store', name='Other')['id']
    hooks = [site.api('POST', f'/stores/{store}/webhooks', {'url': 'http://127.0.0.1:1/'})['id']
             for store in (site.store, site.store)]
    site.invoice()
    site.control('wait')
    deliveries = f'/stores/{site.store}/webhooks/{hooks[0]}/deliveries'
    delivery = site.api('GET', deliveries)[0]['id']
    path = f'{deliveries}/{delivery}/request'
    site.get(path)
    site.get(path.replace(hooks[0], hooks[1]), 404)
    site.get(f'/stores/{site.store}/webhooks/{hooks[0]}')
    site.get(f'/stores/{other}/webhooks/{hooks[0]}', 404)


@pytest.mark.parametrize('path', [
    '/stores', '/invoices', '/stores/x/invoices', '/invoices/x', '/stores/x/webhooks',
    '/stores/x/payouts', '/stores/x/pull-payments', '/account/apikeys',
])
def test_merchant_pages_need_a_login(site, path):
    assert '/login?ReturnUrl=' in site.get(path).url


def test_below_a_path_behind_a_proxy():
    """As ``--url https://pay.example/btcpay`` serves it: the proxy in front has the certificate."""
    process = subprocess.Popen(
        [sys.executable, '-m', 'dev.btcpay', '--url', 'https://pay.example/btcpay'], cwd=ROOT,
        stdout=subprocess.PIPE, text=True)
    try:
        here = process.stdout.readline().split()[-1] + '/btcpay'
        session = requests.Session()
        page = session.get(here + authorize_path(), timeout=30)
        assert page.url.startswith(f'{here}/login?ReturnUrl=%2Fbtcpay%2Fapi-keys%2Fauthorize%3F')
        answer = session.post(page.url, data={'Email': EMAIL, 'Password': PASSWORD}, timeout=30,
                              headers={'Origin': 'https://pay.example'}, allow_redirects=False)
        assert answer.headers['Location'].startswith('/btcpay/api-keys/authorize?')
        cookie = answer.headers['Set-Cookie']
        assert 'Secure' in cookie
        assert 'Path=/btcpay' in cookie
        page = session.get(here + authorize_path(), headers={'Cookie': cookie.partition(';')[0]},
                           timeout=30)
        assert 'action="/btcpay/api-keys/authorize"' in page.text
        style, = re.findall(r'rel="stylesheet" href="/btcpay([^"]*)"', page.text)
        assert session.get(here + style, timeout=30).ok
    finally:
        process.terminate()
        process.wait(timeout=10)
