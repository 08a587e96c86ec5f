"""The shop that is measured: made once in Odoo's models, without and with our module."""
from datetime import datetime, timedelta

from odoo.fields import Command

from .peers import SECRET, WEBHOOK
from .recorded import STORE


def shop(env):
    """A shop with Mollie and Stripe."""
    env.ref('base.USD').active = True
    env.company.write({'portal_confirmation_pay': True, 'portal_confirmation_sign': False})
    journal = env['account.journal'].search([('type', '=', 'bank')], limit=1)
    if not journal:
        journal = env['account.journal'].create({'name': "Bank", 'type': 'bank', 'code': 'BNK9'})
    for code, credentials in (
        ('mollie', {'mollie_api_key': 'key'}),
        ('stripe', {'stripe_publishable_key': 'key', 'stripe_secret_key': 'key',
                    'stripe_webhook_secret': SECRET}),
    ):
        open_for_business(env, code, journal, credentials)
    # No PDF and no mail server.
    env['ir.config_parameter'].set_param('mail.mail.force.send.limit', '0')
    for name, subject in (
        ('mail_template_sale_confirmation', 'CONFIRMED'),
        ('mail_template_sale_payment_executed', 'EXECUTED'),
    ):
        env.ref(f'sale.{name}').write({
            'report_template_ids': [Command.clear()], 'body_html': f'<p>{subject}</p>',
            'subject': subject + ' {{ object.name }}',
        })
    env['res.partner'].create({
        'name': "Bench", 'email': 'bench@example.com', 'country_id': env.ref('base.us').id})
    env['product.product'].create({
        'name': "Bench", 'type': 'service', 'list_price': 100, 'taxes_id': [Command.clear()]})


def open_for_business(env, code, journal, credentials):
    provider = env['payment.provider'].search([('code', '=', code)], limit=1)
    provider.write({**credentials, 'journal_id': journal.id})
    provider.write({'state': 'enabled', 'is_published': True})
    provider.payment_method_ids.active = True


def bitcoin(env, server_url):
    """And with ours, connected with the small server."""
    journal = env['account.journal'].search([('type', '=', 'bank')], limit=1)
    open_for_business(env, 'btcpay', journal, {
        'btcpay_server_url': server_url, 'btcpay_api_key': 'key', 'btcpay_store_id': STORE,
        'btcpay_store_name': "Bench", 'btcpay_webhook_id': WEBHOOK,
        'btcpay_webhook_secret': SECRET, 'btcpay_store_payment_methods': 'BTC-CHAIN BTC-LN',
        'btcpay_connection_state': 'connected',
        # The small server has no webhooks and no store that could be looked at.
        'btcpay_webhook_checked_at': datetime.now() + timedelta(days=365),
    })


def find_peer(env, peer):
    """:return: a Peer of a class, with the ids of the database"""
    provider = env['payment.provider'].search([('code', '=', peer.code)], limit=1)
    method = env['payment.method'].search([('code', '=', peer.method)], limit=1)
    return peer(provider.id, method.id)


def order(env, number=1):
    """:return: quotations that are sent to the customer"""
    partner = env['res.partner'].search([('name', '=', 'Bench')], limit=1)
    product = env['product.product'].search([('name', '=', 'Bench')], limit=1)
    orders = env['sale.order'].create([{
        'partner_id': partner.id, 'require_signature': False, 'require_payment': True,
        'prepayment_percent': 1.0,
        'order_line': [Command.create({
            'product_id': product.id, 'price_unit': 100.0, 'tax_ids': [Command.clear()]})],
    } for _number in range(number)])
    orders.state = 'sent'
    for one in orders:
        one._portal_ensure_token()
    return orders
