"""A payment that is final at once."""
from ...world import NotPossible
from .. import checks, shop

TITLE = 'A fourth pays with Lightning'


def play(stage):
    with stage.browser.visit() as page:
        with stage.step('Orders and pays with Lightning') as told:
            methods = stage.world.api('GET', f'/stores/{stage.store_id}/payment-methods')
            enabled = [item['paymentMethodId'] for item in methods if item['enabled']]
            if 'BTC-LN' not in enabled:
                raise NotPossible(f'The store has no Lightning, only {", ".join(enabled)}')
            invoice_id = shop.order_something(stage, page)
            stage.world.pay(invoice_id, method='BTC-LN')
            tx = stage.transaction(invoice_id)
            told.append(f'order {stage.order(tx["sale_order_ids"][0])["name"]}')
        with stage.step('Without any block the page returns to the shop: the order is confirmed'):
            page.wait_for_url('**/shop/confirmation**', timeout=60_000)
        with stage.step('The payment is booked, the customer gets mail') as told:
            told += checks.order_is_paid(stage, invoice_id)
            told += checks.customer_has_mail(stage, tx['sale_order_ids'][0])
