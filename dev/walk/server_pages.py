"""The pages of a BTCPay Server, by the ids that the real one has and the stand-in too."""
import re


def log_in(stage, page):
    """Log in where the server asks for it; it does not ask who is logged in already."""
    page.wait_for_selector('#LoginButton, #StoreId, #consent-yes')
    if page.locator('#LoginButton').count():
        page.fill('#Email', stage.world.email)
        page.fill('#Password', stage.world.password)
        page.click('#LoginButton')


def choose_store(stage, page):
    page.wait_for_selector('#StoreId')
    page.select_option('#StoreId', label=stage.store_name)


def authorize(stage, page):
    """Name the key so that it is known again, and let Odoo have it."""
    page.wait_for_selector('#consent-yes')
    page.fill('#Label', stage.label)
    page.click('#consent-yes')


def is_key_listed(stage, page, label):
    """:return: whether the merchant's page of API keys has one with that label"""
    page.goto(f'{stage.world.url}/account/apikeys')
    if page.locator('#LoginButton').count():
        log_in(stage, page)
        page.goto(f'{stage.world.url}/account/apikeys')
    assert 'apikeys' in page.url, f'{page.url} is not the list of API keys'
    return label in page.content()


def invoice_of(stage, page):
    """Wait for the checkout page.

    :return: id of the invoice it shows
    """
    page.wait_for_url(re.compile(re.escape(stage.world.url) + r'/i/\w+'))
    return re.search(r'/i/(\w+)', page.url)[1]


def status_of(stage, invoice_id):
    """:return: the status that the server gives an invoice"""
    return stage.world.invoice(invoice_id)['status']


def wait_for_text(page, text):
    """Wait until the checkout page says something."""
    page.get_by_text(text).locator('visible=true').first.wait_for()
