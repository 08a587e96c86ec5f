"""Half of the money goes back: from the sales order to the customer's wallet."""
import re
from decimal import Decimal

from .. import back_office, shop

TITLE = 'A customer gets half of the money back'


def play(stage):
    with stage.browser.visit() as page:
        order, half = sell(stage, page)
        refund = refund_half(stage, order, half)
        payouts = claim(stage, page, refund, half)
    pay_out(stage, refund, payouts)
    show_done(stage, order)


def sell(stage, page):
    """:return: the order, and half of its total"""
    with stage.step('Has bought something and paid') as told:
        invoice_id = shop.order_something(stage, page)
        stage.world.pay(invoice_id)
        tx = stage.wait_transaction(invoice_id, 'pending')
        stage.world.mine()
        stage.wait_transaction(invoice_id, 'done')
        order = stage.wait_order(tx['sale_order_ids'][0], 'sale')
        told.append(f'order {order["name"]}')
    return order, (Decimal(str(order['amount_total'])) / 2).quantize(Decimal('0.01'))


def refund_half(stage, order, half):
    """:return: the refund"""
    page = stage.admin
    with stage.step('The sales person opens the order and presses “Refund in Bitcoin”'):
        back_office.open_record(stage, 'sale.order', order['id'])
        page.locator('.o_statusbar_buttons button[name=action_btcpay_refund]').click()
        page.wait_for_selector('.modal [name=variant]')
        stage.picture(page, 'refund-wizard')
    with stage.step('Refunds half of it, and each choice says what it comes to') as told:
        page.locator('.modal [name=scope] input[data-value=amount]').click()
        amount = page.locator('.modal [name=amount] input')
        amount.fill(str(half))
        amount.press('Tab')
        page.locator('.modal [name=variant]', has_text='BTC').first.wait_for()
        page.locator('.modal [name=variant]', has_text=f'{half}').first.wait_for()
        page.locator('.modal button[name=action_refund]').click()
        back_office.wait_for(page, '.modal [name=btcpay_refund_link]')
        stage.picture(page, 'refund-made')
        refund = find_refund(stage, order)
        assert refund['state'] == 'pending', f'The refund is {refund["state"]}'
        assert Decimal(str(refund['amount'])) == -half, f'It is over {refund["amount"]}'
        told.append(refund['reference'])
    with stage.step('The customer gets the link by mail'):
        note = stage.odoo.first('mail.message', [
            ('model', '=', 'sale.order'), ('res_id', '=', order['id']),
            ('body', 'ilike', 'The link to claim the refund'),
        ], ['body'])
        assert note, 'No note says that the link was mailed'
    return refund


def claim(stage, page, refund, half):
    """:return: ids of the payouts"""
    parts = (half / 2).quantize(Decimal('0.01'))
    for number, amount in enumerate((parts, half - parts)):
        with stage.step(f'Claims {amount} on the server\'s page') as told:
            page.goto(refund['btcpay_refund_link'])
            page.wait_for_selector('#Destination')
            address = stage.world.new_address()
            page.fill('#Destination', address)
            page.fill('#ClaimedAmount', str(amount))
            if not number:
                stage.picture(page, 'claim-page', full=True)
            page.get_by_role('button', name='Claim Funds').click()
            page.get_by_text(re.compile(address[:12])).first.wait_for()
            told.append(f'to {address[:12]}…')
    stage.picture(page, 'claimed', full=True)
    path = f'/pull-payments/{refund["btcpay_pull_payment_id"]}/payouts'
    payouts = [payout['id'] for payout in stage.world.api('GET', path, key='')]
    assert len(payouts) == 2, f'The server has {len(payouts)} claims'
    return payouts


def pay_out(stage, refund, payouts):
    for payout, expected in zip(payouts, ('pending', 'done'), strict=True):
        with stage.step('The merchant approves a claim and pays it') as told:
            stage.world.approve(payout)
            stage.world.pay_payout(payout)

            def is_known(payout=payout):
                found = stage.odoo.first(
                    'btcpay.payout', [('payout_ref', '=', payout)], ['state'])
                return found and found['state'] == 'Completed'
            stage.world.wait_for(is_known, 30, 'Odoo knows of the payout')
            found = read(stage, refund['id'])
            assert found['state'] == expected, f'The refund is {found["state"]}'
            told.append(found['btcpay_status_text'])


def show_done(stage, order):
    page = stage.admin
    with stage.step('The order shows that the customer has the money') as told:
        back_office.open_record(stage, 'sale.order', order['id'])
        page.locator('button[name=action_btcpay_view_transactions]').click()
        page.wait_for_selector('[name=btcpay_refunded_amount]')
        page.locator('.o_notebook .nav-link', has_text='Refunds').click()
        page.locator('[name=btcpay_refund_ids]', has_text='Refund paid out').first.wait_for()
        stage.picture(page, 'refund-done')
        refund = find_refund(stage, order)
        subjects = stage.odoo.search('mail.message', [
            ('model', '=', 'sale.order'), ('res_id', '=', order['id']),
            ('subject', 'ilike', 'your refund was paid'),
        ], ['subject'])
        assert len(subjects) == 1, f'The customer was told {len(subjects)} times'
        told.append('the customer was told by mail')
    if stage.has_accounting():
        with stage.step('The books have it') as told:
            def is_booked():
                return stage.odoo.first(
                    'account.payment', [('payment_transaction_id', '=', refund['id'])],
                    ['name', 'amount', 'payment_type'])
            payment = stage.world.wait_for(is_booked, 30, 'The refund is booked')
            assert payment['payment_type'] == 'outbound', 'It is booked as money that came in'
            assert payment['amount'] == -refund['amount'], f'{payment["amount"]} is booked'
            told.append(payment['name'])


def find_refund(stage, order):
    found = stage.odoo.first('payment.transaction', [
        ('operation', '=', 'refund'),
        ('source_transaction_id.sale_order_ids', 'in', [order['id']]),
    ], ['reference'])
    assert found, 'Odoo has no refund'
    return read(stage, found['id'])


def read(stage, refund_id):
    return stage.odoo.read('payment.transaction', refund_id, [
        'reference', 'state', 'amount', 'btcpay_refund_link', 'btcpay_pull_payment_id',
        'btcpay_status_text'])
