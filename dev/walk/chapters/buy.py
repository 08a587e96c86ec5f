"""A customer buys something and pays by chain."""
from .. import back_office, checks, server_pages, shop

TITLE = 'A customer buys something and pays with bitcoins'


def play(stage):
    with stage.browser.visit() as page:
        buy(stage, page)


def buy(stage, page):
    with stage.step('Puts a product in the cart') as told:
        product = stage.notes['product'] = shop.choose_product(stage)
        shop.fill_cart(stage, page, product)
        told.append(product['name'])
    with stage.step('Gives the address'):
        shop.fill_address(page)
        shop.go_to_payment(page)
    with stage.step('Chooses Bitcoin / Lightning'):
        shop.choose_bitcoin(page)
        stage.picture(page, 'shop-payment')
    with stage.step('Presses “Pay” and is on the server\'s checkout page') as told:
        invoice_id = shop.pay(stage, page)
        stage.picture(page, 'server-checkout')
        tx = stage.transaction(invoice_id)
        assert tx and tx['state'] == 'draft', f'Odoo\'s transaction is {tx}'
        order = stage.order(tx['sale_order_ids'][0])
        told += [f'order {order["name"]}', f'invoice {invoice_id}']
    with stage.step('Pays, and the page says that the payment was received'):
        stage.world.pay(invoice_id)
        server_pages.wait_for_text(page, 'Payment Received')
        page.wait_for_selector('#StoreLink')
        stage.picture(page, 'payment-received')
    with stage.step('Odoo knows: the payment is pending, the order not yet confirmed'):
        stage.wait_transaction(invoice_id, 'pending')
        order = stage.order(order['id'])
        assert order['state'] in ('draft', 'sent'), f'The order is {order["state"]}'
    with stage.step('A block is mined, and the page returns to the shop by itself'):
        stage.world.mine()
        page.wait_for_url(f'{stage.url}/**', timeout=60_000)
        page.wait_for_url('**/shop/confirmation**', timeout=60_000)
        page.wait_for_selector('[name=order_confirmation]')
        stage.picture(page, 'order-confirmation')
        assert order['name'] in page.inner_text('main'), 'It is the confirmation of another order'
    with stage.step('The order is confirmed, the payment booked, the customer gets mail') as told:
        told += checks.order_is_paid(stage, invoice_id)
        told += checks.customer_has_mail(stage, order['id'])
    with stage.step('The back office shows it'):
        back_office.open_record(stage, 'sale.order', order['id'])
        current = stage.admin.locator('.o_statusbar_status [aria-checked=true]')
        current.filter(has_text='Sales Order').first.wait_for()
        stage.picture(stage.admin, 'order-back-office')
        assert server_pages.status_of(stage, invoice_id) == 'Settled'
