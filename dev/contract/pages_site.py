"""A visitor of the stand-in's pages, and how the tests read what is shown."""
import html
import re
from urllib.parse import quote

import requests

EMAIL, PASSWORD = 'merchant@example.com', 'bitcoin-demo'
SIX = [
    'btcpay.store.cancreateinvoice', 'btcpay.store.cancreatenonapprovedpullpayments',
    'btcpay.store.canmodifyinvoices', 'btcpay.store.canviewinvoices',
    'btcpay.store.canviewstoresettings', 'btcpay.store.webhooks.canmodifywebhooks',
]
CALLBACK = 'http://shop.localhost:9292/cb?state=abc'
ADDRESS = 'bcrt1qefzceqhljh4edj0j6qxahmwhjzjaprdvw0zm8f'
OTHER_ADDRESS = 'bcrt1qhgnq7z4yyv8ulhgsash7cqux7nzkhcrsahzsyk'


class Site:
    """The stand-in as a browser (``session``), a shop's key (``api``) and a demo see it."""

    def __init__(self, url):
        self.url = url
        self.session = requests.Session()
        self.control('reset')
        self.store = self.api('GET', '/stores')[0]['id']

    def control(self, what, **data):
        response = requests.post(f'{self.url}/_control/{what}', json=data, timeout=30)
        assert response.ok, response.text
        return response.json()

    def api(self, method, path, data=None):
        response = requests.request(
            method, f'{self.url}/api/v1{path}', json=data, auth=(EMAIL, PASSWORD), timeout=30)
        assert response.ok, response.text
        return response.json() if response.content else None

    def get(self, path, status=200, **options):
        response = self.session.get(self.url + path, timeout=30, **options)
        assert response.status_code == status, response.text
        return response

    def post(self, path, status=200, headers=None, redirects=True, **fields):
        response = self.session.post(
            self.url + path, data=fields, headers=headers, timeout=30, allow_redirects=redirects)
        assert response.status_code == status, response.text
        return response

    def log_in(self):
        self.post('/login', Email=EMAIL, Password=PASSWORD)

    def keys(self):
        """:return: the keys that the merchant's page lists"""
        return re.findall(r'<code class="break">(\w{40})</code>', self.get('/account/apikeys').text)

    def invoice(self, **values):
        checkout = values.pop('checkout', {})
        data = {'amount': '100', 'currency': 'USD', 'metadata': {'orderId': 'S00042'}, **values}
        return self.api('POST', f'/stores/{self.store}/invoices', {**data, 'checkout': checkout})

    def state(self, invoice):
        found = self.api('GET', f'/stores/{self.store}/invoices/{invoice["id"]}')
        return found['status'], found['additionalStatus']

    def demo(self, invoice, action, status=200, **fields):
        return self.post(f'/i/{invoice["id"]}/demo', status, {'Accept': 'application/json'},
                         action=action, **fields).json()

    def refund(self, **values):
        invoice = self.invoice()
        self.control('pay', invoice=invoice['id'])
        self.control('mine')
        return self.api('POST', f'/stores/{self.store}/invoices/{invoice["id"]}/refund',
                        {'refundVariant': 'Fiat', **values})


def authorize_path(redirect=CALLBACK, permissions=SIX, **options):
    query = {'applicationName': 'Odoo shop', 'strict': 'true', 'selectiveStores': 'true',
             **({'redirect': redirect} if redirect else {}), **options}
    return '/api-keys/authorize?' + '&'.join([
        *(f'permissions={policy}' for policy in permissions),
        *(f'{name}={quote(value, safe="")}' for name, value in query.items()),
    ])


def fields(page):
    """:return: {name: value} of the hidden inputs; lists for those that come several times"""
    found = {}
    for name, value in re.findall(r'type="hidden" name="([^"]*)" value="([^"]*)"', page.text):
        name, value = html.unescape(name), html.unescape(value)
        found[name] = [*found[name], value] if name.endswith('[]') and name in found else (
            [value] if name.endswith('[]') else value)
    return found


def ids(page):
    return set(re.findall(r'\bid="([^"]+)"', page.text))


def text(page):
    """:return: what a person reads"""
    return ' '.join(html.unescape(re.sub(r'<[^>]*>', ' ', page.text)).split())


def consent(site, path, **answer):
    """:return: the page after 'Authorize app', after a store was selected where asked"""
    page = site.get(path)
    if 'StoreId' in ids(page):
        store = answer.pop('StoreId', site.store)
        page = site.post('/api-keys/authorize', **{
            **fields(page), 'command': 'SelectStores', 'StoreId': store})
    return site.post('/api-keys/authorize', **{
        **fields(page), 'command': 'Authorize', 'Label': 'Odoo shop', **answer})
