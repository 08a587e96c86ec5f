"""The stand-in's pages in the languages they have."""
import ast
import html
import re
from pathlib import Path
from string import Formatter

import pytest

from ..btcpay import lifecycle, payments, payouts, pull_payments
from ..btcpay.pages import authorize, formats, permission_texts
from ..btcpay.pages.language import CATALOGS
from .pages_site import ADDRESS, Site, authorize_path, consent, fields

PAGES = Path(formats.__file__).parent
LITERAL = r'''('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")'''
#: as the pages call it, and as the server refuses in words
CALLS = re.compile(r'\b_\(\s*' + LITERAL)
REFUSALS = re.compile(
    r"(?:\bbad\(|refusal\(400, '[\w-]+',|problems\.add\('\w+',)\s*" + LITERAL + r"\s*\)")
#: what stays as it is in every language
SAME = re.compile(
    r'BTCPay Server|Demo Shop|Odoo shop|LNURL|RBF|BTC|USD|UTC|API|URL|HTTP|MediumSpeed|'
    r'btcpay[\w.]*|bcrt1\w+|\w{20,}|orderId|(Invoice|PullPayment|Payout)[A-Z]\w+', re.ASCII)


def texts():
    """:return: all that the pages say, in English"""
    found = set()
    for file in [*PAGES.glob('*.py'), *PAGES.glob('templates/*.html')]:
        found |= {ast.literal_eval(text) for text in CALLS.findall(file.read_text())}
    for module in (lifecycle, payments, payouts, pull_payments):
        found |= {ast.literal_eval(text) for text in REFUSALS.findall(
            Path(module.__file__).read_text())}
    found |= {formats.WORDS.get(state, state) for state in formats.COLOURS} | {
        *formats.WORDS.values(), *formats.METHODS.values(), authorize.INSECURE}
    for title, text in permission_texts.TEXTS.values():
        found |= {title, text}
    return found


def placeholders(text):
    return {name for _text, name, _spec, _conversion in Formatter().parse(text) if name}


def test_when_there_are_catalogs_then_they_are_french_and_japanese():
    assert set(CATALOGS) == {'fr', 'ja'}


@pytest.mark.parametrize('language', sorted(CATALOGS))
def test_when_a_page_says_something_then_each_language_has_it_and_nothing_else(language):
    catalog = CATALOGS[language]
    assert not texts() - set(catalog)
    assert not set(catalog) - texts()
    assert not [text for text, said in catalog.items() if placeholders(text) != placeholders(said)]


@pytest.fixture
def site(stand_in):
    return Site(stand_in)


def visit(site):
    """Yield every page, with something on it where there can be something."""
    yield site.get('/login')
    yield site.post('/login', 400, Email='merchant@example.com', Password='wrong')
    site.log_in()
    yield site.get(authorize_path())
    yield site.post('/api-keys/authorize', **{
        **fields(site.get(authorize_path())), 'command': 'SelectStores', 'StoreId': site.store})
    consent(site, authorize_path())
    yield site.get('/account/apikeys')
    yield site.get('/i/nothing', 404)
    store = f'/stores/{site.store}'
    site.api('POST', f'{store}/webhooks', {'url': 'http://127.0.0.1:9/hook'})
    pages = [store, f'{store}/payouts', f'{store}/pull-payments', f'{store}/webhooks', '/stores']
    for page in pages:
        yield site.get(page)
    half, paid, gone = (
        site.invoice(checkout={'redirectURL': 'http://shop.localhost/'}) for _time in range(3))
    yield site.get(f'/i/{half["id"]}')
    yield site.post(f'/i/{half["id"]}/demo', action='pay-half', back=f'/i/{half["id"]}')
    yield site.post(f'/i/{half["id"]}/demo', action='expire', back=f'/i/{half["id"]}')
    yield site.post(f'/i/{gone["id"]}/demo', action='expire', back=f'/i/{gone["id"]}?view=modal')
    yield site.post(f'/i/{paid["id"]}/demo', action='pay', back=f'/i/{paid["id"]}')
    yield site.post(f'/i/{paid["id"]}/demo', action='mine', back=f'/i/{paid["id"]}')
    refund = site.refund(name='42')
    claim = f'/pull-payments/{refund["id"]}'
    yield site.get(claim)
    yield site.post(claim, 400, Destination=ADDRESS, ClaimedAmount='1000',
                    SelectedPayoutMethod='BTC-CHAIN')
    yield site.post(claim, Destination=ADDRESS, ClaimedAmount='40',
                    SelectedPayoutMethod='BTC-CHAIN')
    for invoice in (half, paid, gone):
        yield site.get(f'/invoices/{invoice["id"]}')
    for page in pages:
        yield site.get(page)
    site.api('DELETE', f'{store}/pull-payments/{refund["id"]}')
    yield site.get(claim)


def said(page):
    """:return: the texts that a person reads on a page"""
    body = re.sub(r'<(script|svg|code|option|details)\b.*?</\1>', '', page.text, flags=re.S)
    body = re.sub(r'<(\w+)[^>]*class="[^"]*\b(mono|break)\b.*?</\1>', '', body, flags=re.S)
    parts = re.findall(r'>([^<>]+)<', body)
    parts += re.findall(r'(?:data-label|placeholder|aria-label)="([^"]+)"', body)
    return [html.unescape(part).strip() for part in parts if part.strip()]


def test_when_the_browser_is_japanese_then_no_page_says_anything_in_english(site):
    site.session.headers['Accept-Language'] = 'ja,en;q=0.5'
    for page in visit(site):
        assert '<html lang="ja">' in page.text
        for part in said(page):
            rest = SAME.sub('', part)
            assert not re.search(r'[A-Za-z]{3}', rest), f'{page.url}: {part}'


def test_when_the_browser_is_french_then_no_page_says_anything_in_english(site):
    site.session.headers['Accept-Language'] = 'fr-FR,fr;q=0.9'
    english = {text for text, french in CATALOGS['fr'].items() if text != french}
    for page in visit(site):
        assert '<html lang="fr">' in page.text
        assert not english & set(said(page)), page.url


def test_when_the_shop_asks_for_a_language_then_the_checkout_has_it_in_any_browser(site):
    invoice = site.invoice(checkout={'defaultLanguage': 'ja-JP'})
    page = site.get(f'/i/{invoice["id"]}')
    assert CATALOGS['ja']['View Details'] in page.text
    status = site.get(f'/i/{invoice["id"]}/status').json()
    assert CATALOGS['ja']['Mine a block'] in status['panel']
    assert site.demo(invoice, 'mine')['message'].startswith(
        CATALOGS['ja']['Block {height} mined'].partition('{')[0])
    assert 'View Details' in site.get(f'/i/{site.invoice()["id"]}').text
