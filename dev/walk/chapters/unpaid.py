"""An order that is not paid: nobody can pretend that it is, and it costs the customer nothing."""
import json
import secrets

from .. import server_pages, shop

TITLE = 'A third orders and does not pay'
SHORT = 60  # seconds, the least that a server takes


def play(stage):
    # At a real server time is only to be waited for
    usual = None if stage.is_stand_in else stage.world.api(
        'GET', f'/stores/{stage.store_id}')['invoiceExpiration']
    if usual:
        stage.world.change_store(stage.store_id, invoiceExpiration=SHORT)
    try:
        with stage.browser.visit() as page:
            leave_unpaid(stage, page)
    finally:
        if usual:
            stage.world.change_store(stage.store_id, invoiceExpiration=usual)


def leave_unpaid(stage, page):
    with stage.step('Orders and sees the checkout page') as told:
        invoice_id = shop.order_something(stage, page)
        tx = stage.transaction(invoice_id)
        order = stage.order(tx['sale_order_ids'][0])
        told.append(f'order {order["name"]}')
    with stage.step('Somebody pretends that the server says it is paid: Odoo refuses') as told:
        answer = forge(stage, page, invoice_id, tx['reference'])
        assert answer.status == 403, f'Odoo answered {answer.status}, not 403'
        assert stage.transaction(invoice_id)['state'] == 'draft'
        told.append('403')
    with stage.step('The time is up, and the server\'s page says so'):
        stage.world.expire(invoice_id)
        server_pages.wait_for_text(page, 'Invoice Expired')
        stage.picture(page, 'invoice-expired')
    with stage.step('Odoo has cancelled the payment and not confirmed the order'):
        stage.wait_transaction(invoice_id, 'cancel')
        found = stage.order(order['id'])
        assert found['state'] in ('draft', 'sent'), f'The order is {found["state"]}'
        assert not found['amount_paid'], f'{found["amount_paid"]} counts as paid'
    with stage.step('Returns to the shop, is told, and still has the cart'):
        page.click('#StoreLink')
        page.wait_for_url('**/payment/status**')
        page.locator('[name=o_btcpay_payment_failed]').wait_for()
        stage.picture(page, 'payment-cancelled')
        page.locator('[name=o_btcpay_payment_failed] a.btn').click()
        stage.picture(page, 'back-to-order')
        page.goto(f'{stage.url}/shop/cart')
        shop.find_in_cart(page, stage.notes['product'])


def forge(stage, page, invoice_id, reference):
    """:return: Odoo's answer to an event that is right but for its signature"""
    provider = stage.provider
    delivery = secrets.token_urlsafe(16)
    event = {
        'deliveryId': delivery, 'webhookId': provider['btcpay_webhook_id'],
        'originalDeliveryId': delivery, 'isRedelivery': False, 'type': 'InvoiceSettled',
        'timestamp': 1795478952, 'storeId': provider['btcpay_store_id'], 'invoiceId': invoice_id,
        'metadata': {'orderId': reference},
    }
    return page.request.post(
        provider['btcpay_webhook_url'], data=json.dumps(event, indent=2),
        headers={'Content-Type': 'application/json', 'BTCPay-Sig': f'sha256={"0" * 64}'})
