"""What a customer does in the shop. Without an account there."""
from functools import partial

from playwright.sync_api import TimeoutError as Late

from . import server_pages
from .browser import WAIT

CUSTOMER = {
    'name': 'Satoshi Example', 'email': 'satoshi@example.com', 'phone': '+1 555 555 5556',
    'street': '1 Genesis Street', 'city': 'Austin', 'zip': '78701',
}
COUNTRY, STATE = 'United States', 'Texas'
NEXT = 'a[name=website_sale_main_button]:visible:not(.disabled)'


def arrive(page, path):
    """Wait for a page of the shop, and until its buttons do something.

    :param str path: what its address has, '/shop/cart'
    """
    page.wait_for_url(f'**{path}**')
    page.wait_for_selector('body[is-ready=true]')


def insist(act, wait, times=6):
    """Do something until it has the effect: a page of the shop is to be seen, and its buttons and
    fields too, for a moment before its scripts listen.

    :param act: does it
    :param wait: waits for the effect, with ``timeout=`` milliseconds
    """
    for _time in range(times - 1):
        act()
        try:
            return wait(timeout=4000)
        except Late:
            continue
    act()
    return wait(timeout=WAIT)


def choose_product(stage):
    """:return: a product of the shop that costs something, {name, website_url, list_price}"""
    products = stage.odoo.search('product.template', [
        ('is_published', '=', True), ('sale_ok', '=', True), ('list_price', '>', 0),
    ], ['name', 'website_url', 'list_price', 'product_variant_count'])
    simple = [item for item in products if item['product_variant_count'] == 1]
    if not simple:
        raise AssertionError(
            'The shop sells nothing: publish a product with a price, or run "make demo-reset".')
    # One dear enough that half of it can be paid
    return max(simple, key=lambda item: item['list_price'])


def fill_cart(stage, page, product):
    page.goto(stage.url + product['website_url'])
    arrive(page, product['website_url'])
    insist(lambda: page.click('#add_to_cart'), partial(
        page.wait_for_function, "() => [...document.querySelectorAll('.my_cart_quantity')]"
        '.some(element => Number(element.textContent) > 0)'))
    page.goto(f'{stage.url}/shop/cart')
    find_in_cart(page, product)


def find_in_cart(page, product):
    arrive(page, '/shop/cart')
    page.locator('#cart_products', has_text=product['name']).first.wait_for()


def fill_address(page):
    page.click(NEXT)
    arrive(page, '/shop/address')
    for name, value in CUSTOMER.items():
        page.fill(f'form.address_autoformat input[name={name}]', value)

    def choose_country():
        page.select_option('#o_country_id', label=COUNTRY)
        page.dispatch_event('#o_country_id', 'change')

    state = page.locator('select[name=state_id]:visible')
    insist(choose_country, partial(state.locator('option', has_text=STATE).wait_for,
                                   state='attached'))
    state.select_option(label=STATE)
    page.click(NEXT)


def go_to_payment(page):
    """From the address on, with whatever delivery the shop offers first."""
    page.wait_for_url(lambda url: '/shop/checkout' in url or '/shop/payment' in url)
    if '/shop/checkout' in page.url:  # what is not delivered goes to the payment at once
        arrive(page, '/shop/checkout')
        page.click(NEXT)
    arrive(page, '/shop/payment')


def choose_bitcoin(page):
    method = page.locator('[name=o_payment_option]', has=page.locator(
        'input[name=o_payment_radio][data-payment-method-code=btcpay]'))
    method.first.wait_for()
    method.first.click()


def pay(stage, page):
    """Press "Pay" and come to the server's checkout page.

    :return: id of the invoice
    """
    page.locator('button[name=o_payment_submit_button]:visible:enabled').first.click()
    return server_pages.invoice_of(stage, page)


def order_something(stage, page):
    """All at once.

    :return: id of the invoice
    """
    fill_cart(stage, page, stage.notes['product'])
    fill_address(page)
    go_to_payment(page)
    choose_bitcoin(page)
    return pay(stage, page)
