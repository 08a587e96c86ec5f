"""The same by the buttons that a demo's visitor has on the checkout page of the stand-in."""
from ...world import NotPossible
from .. import checks, server_pages, shop

TITLE = 'A visitor of the demo plays customer with the buttons of the checkout page'


def play(stage):
    with stage.browser.visit() as page:
        with stage.step('Orders and presses “Pay half”'):
            if not stage.is_stand_in:
                raise NotPossible('A real BTCPay Server has no buttons to play with')
            invoice_id = shop.order_something(stage, page)
            page.click('#demo-pay-half')
            page.wait_for_selector('#PaymentInfo')
            stage.picture(page, 'paid-half', full=True)
            tx = stage.transaction(invoice_id)
            assert tx['state'] in ('draft', 'pending'), f'The transaction is {tx["state"]}'
        with stage.step('Presses “Pay” for the rest, then “Mine a block”'):
            page.click('#demo-pay')
            server_pages.wait_for_text(page, 'Payment Received')
            page.click('#demo-mine')
            page.wait_for_url('**/shop/confirmation**', timeout=60_000)
        with stage.step('The order is confirmed, the payment is booked') as told:
            told += checks.order_is_paid(stage, invoice_id)
