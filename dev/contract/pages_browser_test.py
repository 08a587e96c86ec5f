"""The stand-in's pages in a real browser: what only a browser does. Skips without Chromium."""
import shutil
import threading
from urllib.parse import parse_qs

import pytest
import requests
from playwright.sync_api import sync_playwright
from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response

from .pages_site import EMAIL, PASSWORD, SIX, Site, authorize_path
from .replay_receiver import _Quiet

CHROMIUM = shutil.which('chromium')
pytestmark = pytest.mark.skipif(
    not CHROMIUM, reason='no chromium in PATH: install the package chromium to run browser tests')

SHOP = '''<!DOCTYPE html><title>Shop</title><h1>Shop</h1>
<script src="{server}/modal/btcpay.js"></script>
<script>
window.heard = [];
btcpay.onModalWillEnter(() => heard.push('enter'));
btcpay.onModalWillLeave(() => heard.push('leave'));
btcpay.onModalReceiveMessage((event) => heard.push(event.data));
</script>'''


class Shop:
    """A shop on another site than the stand-in: localhost, where that one is 127.0.0.1."""

    def __init__(self, server):
        self.page = SHOP.replace('{server}', server)
        #: (method, path with query, headers, body) of each request
        self.requests = []
        self.httpd = make_server(
            '127.0.0.1', 0, self.application, threaded=True, request_handler=_Quiet)
        self.httpd.daemon_threads = True
        self.url = f'http://localhost:{self.httpd.server_port}'
        threading.Thread(target=self.httpd.serve_forever, args=(0.05,), daemon=True).start()

    @Request.application
    def application(self, request):
        self.requests.append(
            (request.method, request.full_path, dict(request.headers), request.get_data()))
        response = Response(self.page, content_type='text/html')
        response.set_cookie('session', 'of the shop', samesite='Lax')
        return response

    def close(self):
        self.httpd.shutdown()
        self.httpd.server_close()


@pytest.fixture
def site(stand_in):
    return Site(stand_in)


@pytest.fixture
def shop(stand_in):
    shop = Shop(stand_in)
    yield shop
    shop.close()


@pytest.fixture(scope='module')
def browser():
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=['--no-sandbox'])
        yield browser
        browser.close()


@pytest.fixture
def page(browser):
    """A page in which nothing goes wrong unseen."""
    context = browser.new_context()
    context.set_default_timeout(15000)
    page = context.new_page()
    problems = []
    page.on('pageerror', lambda error: problems.append(str(error)))
    page.on('console', lambda message: problems.append(message.text)
            if message.type == 'error' and 'favicon' not in message.location['url'] else None)
    yield page
    context.close()
    assert not problems


def redirecting(site, shop):
    return site.invoice(checkout={
        'redirectURL': shop.url + '/done?i={InvoiceId}&o={OrderId}', 'redirectAutomatically': True})


def test_key_comes_cross_site_and_invoice_is_paid(site, shop, page):
    page.goto(shop.url)  # the browser has the shop's cookie now
    page.goto(site.url + authorize_path(redirect=f'{shop.url}/callback?state=abc'))
    page.fill('#Email', EMAIL)
    page.fill('#Password', PASSWORD)
    page.click('#LoginButton')
    page.select_option('#StoreId', site.store)
    page.click('#continue')
    page.fill('#Label', 'Our label')
    page.click('#consent-yes')
    page.wait_for_url(f'{shop.url}/callback?state=abc')
    method, path, headers, body = next(r for r in shop.requests if r[1].startswith('/callback'))
    assert (method, path) == ('POST', '/callback?state=abc')
    assert headers['Origin'] == 'null'
    assert headers['Sec-Fetch-Site'] == 'cross-site'
    assert 'Cookie' not in headers
    assert 'Referer' not in headers
    assert headers['Content-Type'] == 'application/x-www-form-urlencoded'
    posted = parse_qs(body.decode())
    assert list(posted) == ['__RequestVerificationToken', 'apiKey', 'userId', 'permissions[]']
    assert posted['permissions[]'] == [f'{policy}:{site.store}' for policy in SIX]
    key = requests.get(f'{site.url}/api/v1/api-keys/current', timeout=30,
                       headers={'Authorization': f'token {posted["apiKey"][0]}'})
    assert key.json()['label'] == 'Our label'

    invoice = redirecting(site, shop)
    page.goto(f'{site.url}/i/{invoice["id"]}')
    page.click('#demo-pay-half')
    page.wait_for_selector('#PaymentInfo')
    page.click('#demo-pay')
    page.wait_for_selector('#StoreLink')
    assert page.inner_text('#content h1') == 'Payment Received'
    assert page.inner_text('#StoreLink') == 'Return to Demo Shop'
    page.click('#demo-mine')
    page.wait_for_url(f'{shop.url}/done?i={invoice["id"]}&o=S00042')
    assert site.state(invoice) == ('Settled', 'None')


def test_replaced_payment_is_asked_for_again(site, page):
    page.goto(f'{site.url}/i/{site.invoice()["id"]}')
    page.click('#demo-pay')
    page.wait_for_selector('#content h1:text("Payment Received")')
    page.click('#demo-replace')
    page.wait_for_selector('#panel-message:text("Replaced")')
    page.click('#demo-mine')
    # with the network fee of a further payment, as after any payment
    page.wait_for_selector('#content .due:text("0.00210000 BTC")')


def test_second_tab_is_lightning(site, page):
    page.goto(f'{site.url}/i/{site.invoice()["id"]}')
    assert page.is_visible('section[data-method=BTC-CHAIN] .qr svg')
    page.click('[role=tab]:text("Lightning")')
    assert page.is_hidden('section[data-method=BTC-CHAIN]')
    assert page.inner_text('section[data-method=BTC-LN] .destination').startswith('lnbcrt')
    page.wait_for_timeout(1500)  # the next look at the invoice leaves the tab as it is
    assert page.is_visible('section[data-method=BTC-LN] .qr svg')
    page.click('#demo-pay-lightning')
    page.wait_for_selector('#content h1:text("Invoice Paid")')


def test_modal_takes_the_whole_window_to_the_shop(site, shop, page):
    invoice = redirecting(site, shop)
    page.goto(shop.url)
    page.evaluate('id => btcpay.showInvoice(id)', invoice['id'])
    frame = page.frame_locator('iframe[name=btcpay]')
    frame.locator('#demo-pay').click()
    frame.locator('#StoreLink').wait_for()
    assert page.evaluate('heard') == [
        'enter', 'loaded', {'invoiceId': invoice['id'], 'status': 'Processing'}]
    frame.locator('#demo-mine').click()
    page.wait_for_url(f'{shop.url}/done?i={invoice["id"]}&o=S00042')


def test_expired_modal_is_closed(site, shop, page):
    invoice = redirecting(site, shop)
    page.goto(shop.url)
    page.evaluate('id => btcpay.showInvoice(id)', invoice['id'])
    frame = page.frame_locator('iframe[name=btcpay]')
    frame.locator('#demo-expire').click()
    frame.locator('h1:text("Invoice Expired")').wait_for()
    frame.locator('#close').click()
    page.wait_for_function('heard.includes("close")')
    assert page.evaluate('heard') == [
        'enter', 'loaded', {'invoiceId': invoice['id'], 'status': 'Expired'}, 'leave', 'close']
    assert page.locator('iframe').count() == 0


def test_closed_modal_opens_again(site, shop, page):
    """And closes by itself, where a tour cannot press its button."""
    site.control('settings', auto_close=True)
    invoice = redirecting(site, shop)
    page.goto(shop.url)
    for _time in range(2):
        page.evaluate('id => { heard.length = 0; btcpay.showInvoice(id); }', invoice['id'])
        page.wait_for_function('heard.includes("close")')
        assert page.evaluate('heard') == ['enter', 'loaded', 'leave', 'close']
    assert page.locator('iframe').count() == 0


def test_customer_goes_back(site, shop, page):
    """With the browser's button, which a tour cannot press."""
    site.control('settings', auto_close=True)
    page.goto(shop.url)
    page.goto(f'{site.url}/i/{redirecting(site, shop)["id"]}')
    page.wait_for_url(f'{shop.url}/')


def test_by_itself(site, shop, page):
    """What a tour in the shop's browser needs: it cannot press buttons on another site."""
    site.control('settings', auto_pay='full', auto_approve=True)
    page.goto(site.url + authorize_path(redirect=f'{shop.url}/callback?state=abc'))
    page.wait_for_url(f'{shop.url}/callback?state=abc')
    posted = parse_qs(next(r for r in shop.requests if r[1].startswith('/callback'))[3].decode())
    assert posted['permissions[]'] == [f'{policy}:{site.store}' for policy in SIX]
    invoice = redirecting(site, shop)
    page.goto(f'{site.url}/i/{invoice["id"]}')
    page.wait_for_url(f'{shop.url}/done?i={invoice["id"]}&o=S00042')
