"""The stand-in's pages for customers: checkout, modal, claim of a refund."""
import html
import re

import pytest

from .pages_site import ADDRESS, Site, ids, text


@pytest.fixture
def site(stand_in):
    return Site(stand_in)


# --- checkout -------------------------------------------------------------------------------------


def status(site, invoice, **query):
    return site.get(f'/i/{invoice["id"]}/status', params=query).json()


def test_checkout_page(site):
    invoice = site.invoice(checkout={'defaultLanguage': 'fr-FR'})
    methods = {m['paymentMethodId']: m for m in site.api(
        'GET', f'/stores/{site.store}/invoices/{invoice["id"]}/payment-methods')}
    for path in (f'/i/{invoice["id"]}', f'/invoice?id={invoice["id"]}&view=modal'):
        page = site.get(path)
        words = text(page)
        for expected in ('Demo Shop', 'Commande S00042', '0.00200000 BTC', '100.00 USD'):
            assert expected in words
        for method_id in ('BTC-CHAIN', 'BTC-LN'):
            assert methods[method_id]['destination'] in words
            assert methods[method_id]['paymentLink'] in page.text
        assert page.text.count('<svg') == 2
        assert '<html lang="fr-FR">' in page.text
        assert "un vrai serveur n'en a pas" in words
        assert 'StoreLink' not in ids(page)
        assert ('close' in ids(page)) is ('modal' in path)
        assert {'demo-pay', 'demo-pay-half', 'demo-pay-double', 'demo-pay-lightning',
                'demo-replace', 'demo-mine', 'demo-expire'} <= ids(page)


def test_unknown_invoice(site):
    for path in ('/i/nothing', '/invoice?id=nothing&view=modal', '/invoice', '/i/nothing/status'):
        assert 'Page not found' in text(site.get(path, 404))


def test_methods_are_activated_when_the_page_is_opened(site):
    invoice = site.invoice(checkout={'lazyPaymentMethods': True})
    path = f'/stores/{site.store}/invoices/{invoice["id"]}/payment-methods'
    before = {m['paymentMethodId']: m['activated'] for m in site.api('GET', path)}
    assert not before['BTC-CHAIN']
    site.get(f'/i/{invoice["id"]}')
    assert all(m['activated'] for m in site.api('GET', path))


def test_paid_step_by_step(site):
    invoice = site.invoice(checkout={
        'redirectURL': 'http://shop.localhost/done?i={InvoiceId}&o={OrderId}',
        'redirectAutomatically': True})
    link = f'http://shop.localhost/done?i={invoice["id"]}&o=S00042'
    site.demo(invoice, 'pay-half')
    assert site.state(invoice) == ('New', 'PaidPartial')
    answer = status(site, invoice)
    assert "hasn't been paid in full" in html.unescape(answer['content'])
    assert 'still due' in answer['content']
    site.demo(invoice, 'pay')
    answer = status(site, invoice)
    assert answer['status'] == 'Processing'
    assert 'Payment Received' in answer['content']
    assert f'id="StoreLink" class="button" href="{html.escape(link)}"' in answer['content']
    assert 'Return to Demo Shop' in answer['content']
    site.demo(invoice, 'mine')
    answer = status(site, invoice)
    assert (answer['status'], answer['link']) == ('Settled', link)
    assert answer['redirectAutomatically'] is True
    assert 'Invoice Paid' in answer['content']


def test_paid_double_by_lightning_and_replaced(site):
    double, lightning, replaced = site.invoice(), site.invoice(), site.invoice()
    site.demo(double, 'pay-double')
    assert site.state(double) == ('Processing', 'PaidOver')
    site.demo(lightning, 'pay-lightning')
    assert site.state(lightning) == ('Settled', 'None')
    site.demo(replaced, 'pay')
    assert 'no payment' in site.demo(replaced, 'replace')['message']
    replaced = site.invoice()
    site.demo(replaced, 'pay', replaceable='on')
    site.demo(replaced, 'replace')
    site.demo(replaced, 'mine')
    assert site.state(replaced) == ('New', 'None')


def test_a_top_up_invoice_is_paid(site):
    invoice = site.invoice(amount=None)
    assert 'Any amount' in text(site.get(f'/i/{invoice["id"]}'))
    site.demo(invoice, 'pay')
    assert site.state(invoice) == ('Processing', 'None')


def test_expired_and_invalid(site):
    for modal in (False, True):
        expired = site.invoice(checkout={'redirectURL': 'http://shop.localhost/done'})
        invalid = site.invoice(checkout={'redirectURL': 'http://shop.localhost/done'})
        site.demo(expired, 'expire')
        site.api('POST', f'/stores/{site.store}/invoices/{invalid["id"]}/status',
                 {'status': 'Invalid'})
        for invoice in (expired, invalid):
            page = site.get(f'/i/{invoice["id"]}' + ('?view=modal' if modal else ''))
            assert 'Invoice Expired' in text(page)
            assert 'StoreLink' in ids(page)
            assert ('close' in ids(page)) is modal
            assert ('target="_top"' in page.text) is modal


def test_panel_says_why_not(site):
    invoice = site.invoice()
    site.demo(invoice, 'pay-lightning')
    answer = site.demo(invoice, 'expire', 400)
    assert answer == {'message': 'Only a new invoice can expire', 'problem': True}
    assert 'already paid' in site.demo(invoice, 'pay-lightning', 400)['message']
    site.post(f'/i/{invoice["id"]}/demo', 404, action='fly')


def test_panel_works_without_scripts(site):
    invoice = site.invoice()
    page = site.post(f'/i/{invoice["id"]}/demo', action='pay', back=f'/i/{invoice["id"]}')
    assert page.url.endswith(f'/i/{invoice["id"]}')
    assert 'Payment Received' in text(page)
    assert 'Paid 0.002 BTC' in text(page)


@pytest.mark.parametrize('address', ['javascript:alert(1)', '/done', 'shop'])
def test_an_unusable_redirect_url_gives_no_link(site, address):
    invoice = site.invoice(checkout={'redirectURL': address})
    site.demo(invoice, 'pay')
    assert 'StoreLink' not in ids(site.get(f'/i/{invoice["id"]}'))


@pytest.mark.parametrize(('how', 'mine', 'state'), [
    (None, True, ('New', 'None')), ('full', True, ('Settled', 'None')),
    ('full', False, ('Processing', 'None')), ('half', True, ('New', 'PaidPartial')),
    ('double', True, ('Settled', 'PaidOver')), ('lightning', False, ('Settled', 'None')),
])
def test_auto_pay(site, how, mine, state):
    site.control('settings', auto_pay=how, auto_mine=mine)
    invoice = site.invoice()
    assert f'data-auto-pay="{how or ""}"' in site.get(f'/i/{invoice["id"]}').text
    for _time in range(2):  # a page opened again does not pay again
        site.demo(invoice, 'auto')
    assert site.state(invoice) == state
    paid = site.api('GET', f'/stores/{site.store}/invoices/{invoice["id"]}')['paidAmount']
    assert float(paid) == {None: 0, 'half': 50, 'double': 200}.get(how, 100)


def test_modal_script(site):
    script = site.get('/modal/btcpay.js')
    assert script.headers['Content-Type'].startswith('text/javascript')
    for name in ('showFrame', 'hideFrame', 'showInvoice', 'appendInvoiceFrame',
                 'appendAndShowInvoiceFrame', 'onModalWillEnter', 'onModalWillLeave',
                 'setApiUrlPrefix', 'onModalReceiveMessage'):
        assert name in script.text


# --- claim ----------------------------------------------------------------------------------------


def test_claim_in_parts(site):
    refund = site.refund()
    path = f'/pull-payments/{refund["id"]}'
    page = site.get(path)
    assert {'Destination', 'ClaimedAmount', 'SelectedPayoutMethod'} <= ids(page)
    assert 'Claim Funds' in text(page)
    assert 'No claim made yet.' in text(page)
    assert '100.00 USD Available claim 0.00 USD Already claimed 100.00 USD' in text(page)
    claim = {'Destination': ADDRESS, 'ClaimedAmount': '40', 'SelectedPayoutMethod': 'BTC-CHAIN'}
    page = site.post(path, **claim)
    assert page.url == site.url + path
    assert 'Your claim of 40.00 USD' in text(page)
    assert '60.00 USD Available claim 40.00 USD Already claimed' in text(page)
    assert 'Awaiting approval' in text(page)
    payout, = site.api('GET', f'/pull-payments/{refund["id"]}/payouts')
    assert (payout['destination'], payout['originalAmount']) == (ADDRESS, '40')


def test_when_the_customer_has_no_wallet_then_the_page_has_an_address_to_claim_to(site):
    path = f'/pull-payments/{site.refund()["id"]}'
    address = re.search(r'id="demo-address">(\w+)<', site.get(path).text)[1]
    site.post(path, Destination=address, ClaimedAmount='40', SelectedPayoutMethod='BTC-CHAIN')


@pytest.mark.parametrize(('values', 'words'), [
    ({'ClaimedAmount': '100.01'}, 'overdraft'), ({'ClaimedAmount': 'all'}, 'not a number'),
    ({'ClaimedAmount': '-1'}, 'more than 0'), ({'ClaimedAmount': 'NaN'}, 'more than 0'),
    ({'ClaimedAmount': '1e-20'}, 'more than 0'), ({'Destination': 'nowhere'}, 'invalid'),
    ({'SelectedPayoutMethod': 'BTC-LN'}, 'invalid'), ({'SelectedPayoutMethod': 'X'}, 'invalid'),
])
def test_claim_refused_in_words(site, values, words):
    refund = site.refund()
    claim = {'Destination': ADDRESS, 'ClaimedAmount': '40', 'SelectedPayoutMethod': 'BTC-CHAIN'}
    page = site.post(f'/pull-payments/{refund["id"]}', 400, **{**claim, **values})
    assert words in text(page)
    assert site.api('GET', f'/pull-payments/{refund["id"]}/payouts') == []


def test_archived_refund_takes_no_claims(site):
    refund = site.refund(payoutMethods=['BTC-CHAIN'])
    path = f'/pull-payments/{refund["id"]}'
    assert '<select' not in site.get(path).text
    site.api('DELETE', f'/stores/{site.store}/pull-payments/{refund["id"]}')
    page = site.get(path)
    assert 'has been archived' in text(page)
    assert 'Destination' not in ids(page)
    page = site.post(path, 400, Destination=ADDRESS, ClaimedAmount='1')
    assert 'This pull payment has been archived' in text(page)
    site.get('/pull-payments/nothing', 404)
