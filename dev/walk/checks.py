"""What must be so in Odoo after a purchase, whichever way it was paid."""


def order_is_paid(stage, invoice_id):
    """:return: what to tell of it"""
    tx = stage.wait_transaction(invoice_id, 'done')
    order = stage.wait_order(tx['sale_order_ids'][0], 'sale')
    assert order['amount_paid'] == order['amount_total'] == tx['amount'], (
        f'Order {order["name"]}: {order["amount_total"]} to pay, {order["amount_paid"]} paid, '
        f'transaction over {tx["amount"]}')
    told = [f'order {order["name"]} is confirmed']
    if stage.has_accounting():
        payment = stage.odoo.first(
            'account.payment', [('payment_transaction_id', '=', tx['id'])],
            ['name', 'amount', 'state'])
        assert payment, f'No payment is booked for {tx["reference"]}'
        assert payment['amount'] == tx['amount'], f'{payment["amount"]} is booked'
        assert payment['state'] in ('in_process', 'paid'), f'The payment is {payment["state"]}'
        told.append(f'payment {payment["name"]} is booked')
    return told


def customer_has_mail(stage, order_id):
    """Odoo has written to the customer. Whether it gets out is a matter of its mail server.

    :return: what to tell of it
    """
    order = stage.order(order_id)
    sent = stage.odoo.search('mail.notification', [
        ('mail_message_id.model', '=', 'sale.order'), ('mail_message_id.res_id', '=', order_id),
        ('notification_type', '=', 'email'), ('res_partner_id', '=', order['partner_id'][0]),
    ], ['notification_status', 'failure_reason'])
    assert sent, f'No mail was written to the customer of {order["name"]}'
    return [f'mail is {sent[0]["notification_status"]}']
