"""The page at the demo's address: its links answer, and each case leads to what it promises."""
import polib

from ...demo.content import LANGUAGES
from ...demo.session import ADDONS, DEMO_MODULE

TITLE = 'A stranger opens the address of the demo, and plays the awkward cases'
TRANSLATIONS = ADDONS / DEMO_MODULE / 'i18n'
PHONE = {'width': 360, 'height': 800}
HEADLINE = 'A shop that takes Bitcoin, in four steps'

#: case: the order's state, and what its screen says
CASES = {
    'partial': ('sent', '$ 16.25 of $ 32.50 was received, and the invoice has expired'),
    'late': ('sent', '$ 32.50 was received after the invoice of $ 32.50 had expired'),
    'over': ('sale', '$ 65.00 was received, $ 32.50 more than the $ 32.50 requested'),
    'refunded': ('sale', 'Paid, refunded'),
    'replaced': ('sent', 'replaced or canceled it before it was confirmed'),
}


def is_wanted(stage):
    return stage.is_stand_in


def play(stage):
    with stage.browser.visit() as page:
        look(stage, page)
        fit_a_phone(stage, page)
    with stage.browser.visit() as page:  # another: that one's shop speaks French by now
        for number, case in enumerate(CASES):
            play_case(stage, page, case, is_first=not number)


def look(stage, page):
    with stage.step('Its four steps and five cases are there, and all its links answer') as told:
        page.goto(f'{stage.url}/')
        stage.picture(page, 'demo-page', full=True)
        steps = page.locator('[id^=step-]').count(), page.locator('[id^=case-]').count()
        assert steps == (4, len(CASES)), f'It has {steps} steps and cases'
        links = {link.get_attribute('href') for link in page.locator('#wrap a, footer a').all()}
        for link in links - {'#top'}:
            if link.startswith(('/', stage.url, stage.world.url)):
                answer = page.request.get(link if '://' in link else stage.url + link)
                assert answer.ok, f'{link} answered {answer.status}'
        told.append(f'{len(links)} links')
        words = page.inner_text('body')
        assert 'Company name' not in words, 'The footer has nobody\'s name'
        assert 'yourcompany' not in words, 'The footer has nobody\'s address'
    with stage.step('It is there in each language') as told:
        for language in LANGUAGES[1:]:
            short = language[:2]
            terms = {entry.msgid: entry.msgstr
                     for entry in polib.pofile(TRANSLATIONS / f'{short}.po')}
            answer = page.request.get(f'{stage.url}/{short}')
            assert f'>{terms[HEADLINE]}</h1>' in answer.text(), f'{answer.url} is not in {language}'
            told.append(short)
    with stage.step('Both logins are filled in'):
        page.goto(f'{stage.world.url}/login')
        page.click('#LoginButton')
        page.wait_for_url('**/stores')


def fit_a_phone(stage, page):
    with stage.step('On a phone nothing is wider than the screen, the header one line high'):
        page.set_viewport_size(PHONE)
        for path in ('/', '/shop', '/shop/cart', '/ja', '/fr/shop'):
            page.goto(stage.url + path)
            width = page.evaluate('document.documentElement.scrollWidth')
            assert width <= PHONE['width'], f'{path} is {width} wide'
            header = page.locator('.o_header_mobile')
            brand = header.locator('.navbar-brand').first.bounding_box()
            menu = header.locator('.navbar-toggler-icon').first.bounding_box()
            assert menu['y'] < brand['y'] + brand['height'], f'The menu of {path} is below the name'
        stage.picture(page, 'demo-page-phone')


def play_case(stage, page, case, is_first):
    state, words = CASES[case]
    with stage.step(f'Plays the case “{case}” and is shown the order') as told:
        page.goto(f'{stage.url}/')
        page.click(f'#case-{case} button')
        if is_first:
            page.wait_for_url('**/web/login**')
            page.click('.oe_login_form button[type=submit]')  # it is filled in
        page.wait_for_url('**/odoo/sales/*')
        page.wait_for_selector('.o_form_view .o_form_sheet')
        page.locator('.o_form_view').get_by_text(words).first.wait_for()
        order = stage.order(int(page.url.rpartition('/')[2].partition('?')[0]))
        assert order['state'] == state, f'Order {order["name"]} is {order["state"]}'
        stage.picture(page, f'case-{case}')
        told.append(order['name'])
    with stage.step('Its customer sees the order too'):
        page.goto(f'{stage.url}/')
        page.click(f'#case-{case} a:last-of-type')
        page.locator('#portal_sale_content', has_text=order['name']).wait_for()
