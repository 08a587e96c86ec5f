"""The scenes: a store is connected, something is sold, decided, refunded and booked."""
from ..walk import back_office, shop
from ..walk.chapters import connect, refund
from .pictures import shoot

TALL = {'width': 1180, 'height': 900}


def play(stage):
    connect.play(stage)
    stage.admin.set_viewport_size(TALL)
    show_provider(stage)
    with stage.browser.visit() as page:
        page.set_viewport_size(TALL)
        show_shop(stage, page)
        show_decision(stage, page)
    with stage.browser.visit() as page:
        show_refund(stage, page)
    show_receipts(stage)


def show_provider(stage):
    with stage.step('Picture: the store is connected') as told:
        back_office.open_provider(stage)
        stage.admin.locator('[name=btcpay_health]', has_text='Connected').wait_for()
        told += shoot(stage, stage.admin, 'connect', height=620)


def show_shop(stage, page):
    stage.notes['product'] = shop.choose_product(stage)
    with stage.step('Picture: the customer chooses Bitcoin / Lightning') as told:
        shop.fill_cart(stage, page, stage.notes['product'])
        shop.fill_address(page)
        shop.go_to_payment(page)
        shop.choose_bitcoin(page)
        told += shoot(stage, page, 'shop', height=620)
    with stage.step('Picture: the checkout page of the server') as told:
        stage.notes['invoice'] = shop.pay(stage, page)
        page.wait_for_selector('img, svg, canvas')
        told += shoot(stage, page, 'checkout', height=714)


def show_decision(stage, page):
    """The customer pays when the time is up: somebody has to decide."""
    invoice_id = stage.notes['invoice']
    with stage.step('Picture: an order that waits for a decision') as told:
        stage.world.expire(invoice_id)
        stage.wait_transaction(invoice_id, 'cancel')
        stage.world.pay(invoice_id)
        stage.world.mine()
        [order_id] = stage.transaction(invoice_id)['sale_order_ids']
        stage.world.wait_for(
            lambda: read(stage, order_id, 'btcpay_decision'), 30, 'the order waits for a decision')
        back_office.open_record(stage, 'sale.order', order_id)
        stage.admin.wait_for_selector('[name=btcpay_decision_text]')
        told += shoot(stage, stage.admin, 'decide', height=620)


def read(stage, order_id, field):
    """:return: a field of an order"""
    return stage.odoo.read('sale.order', order_id, [field])[field]


def sell(stage, page, method='BTC-CHAIN'):
    """:return: a confirmed order that can be refunded"""
    invoice_id = shop.order_something(stage, page)
    stage.world.pay(invoice_id, method=method)
    stage.world.mine()
    tx = stage.wait_transaction(invoice_id, 'done')
    order = stage.wait_order(tx['sale_order_ids'][0], 'sale')
    stage.world.wait_for(
        lambda: read(stage, order['id'], 'btcpay_can_refund'), 30, 'the payment can be refunded')
    page.context.clear_cookies()
    return order


def show_refund(stage, page):
    admin = stage.admin
    with stage.step('Picture: a refund in Bitcoin') as told:
        order = sell(stage, page)
        back_office.open_record(stage, 'sale.order', order['id'])
        admin.locator('.o_statusbar_buttons button[name=action_btcpay_refund]').click()
        admin.wait_for_selector('.modal [name=variant]')
        told += shoot(stage, admin, 'refund', height=760)
    with stage.step('The refund is claimed and paid out'):
        admin.locator('.modal button[name=action_refund]').click()
        back_office.wait_for(admin, '.modal [name=btcpay_refund_link]')
        found = refund.find_refund(stage, order)
        payout = stage.world.claim(found['btcpay_pull_payment_id'])
        stage.world.approve(payout)
        stage.world.pay_payout(payout)
    with stage.step('Another pays with Lightning'):
        stage.notes['last'] = sell(stage, page, 'BTC-LN')


def show_receipts(stage):
    admin = stage.admin
    with stage.step('Picture: what came in, for the books') as told:
        for domain in ([('kind', '=', 'refund')],
                       [('reference', '=', stage.notes['last']['name'])]):
            stage.world.wait_for(
                lambda domain=domain: stage.odoo.search('btcpay.receipt', domain, ['reference']),
                30, 'the receipt is there')
        admin.goto(f'{stage.url}/odoo/bitcoin-receipts')
        admin.wait_for_selector('.o_list_view .o_data_row')
        told += shoot(stage, admin, 'receipts', height=460)
