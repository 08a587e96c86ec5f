"""Most who pay by phone never come back to the page."""
import time

from .. import checks, shop

TITLE = 'Another pays with a phone and never comes back'
LIMIT = 5  # seconds from the webhook to the confirmed order


def play(stage):
    with (
        stage.browser.visit() as page,
        stage.step('Orders, sees the checkout page and closes the browser') as told,
    ):
        invoice_id = shop.order_something(stage, page)
        order_id = stage.transaction(invoice_id)['sale_order_ids'][0]
        told.append(f'order {stage.order(order_id)["name"]}')
    with stage.step('Pays with a phone'):
        stage.world.pay(invoice_id)
        stage.wait_transaction(invoice_id, 'pending')
    with stage.step(f'A block is mined, and within {LIMIT} s the order is confirmed') as told:
        begun = time.monotonic()
        stage.world.mine()
        stage.world.wait_invoice(invoice_id, 'Settled')
        settled = time.monotonic()
        stage.wait_order(order_id, 'sale')
        confirmed = time.monotonic()
        seconds = confirmed - settled
        told.append(f'{seconds:.1f} s after the server had settled the invoice, '
                    f'{confirmed - begun:.1f} s after the block')
        assert seconds <= LIMIT, f'It took {seconds:.1f} s'
    with stage.step('The payment is booked, the customer gets mail') as told:
        told += checks.order_is_paid(stage, invoice_id)
        told += checks.customer_has_mail(stage, order_id)
