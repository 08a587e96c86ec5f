"""A shop that sells on quotations and takes Bitcoin, made with the database."""
from odoo.fields import Command


def post_init_hook(env):
    usd = env.ref('base.USD')
    usd.active = True
    company = env.company
    company.write({'portal_confirmation_pay': True, 'portal_confirmation_sign': False})
    journal = env['account.journal'].search([('type', '=', 'bank')], limit=1)
    if not journal:
        journal = env['account.journal'].create({'name': "Bank", 'type': 'bank', 'code': 'BNK9'})
    provider = env['payment.provider'].search([('code', '=', 'btcpay')], limit=1)
    provider.write({
        'btcpay_server_url': 'http://127.0.0.1:9', 'btcpay_api_key': 'key',
        'btcpay_store_id': 'store', 'btcpay_store_name': "Torture", 'btcpay_webhook_id': 'webhook',
        'btcpay_store_payment_methods': 'BTC-CHAIN BTC-LN', 'btcpay_webhook_secret': 'secret',
        'btcpay_connection_state': 'connected', 'journal_id': journal.id,
    })
    provider.write({'state': 'enabled', 'is_published': True})
    env.ref('payment_btcpay.payment_method_btcpay').active = True

    # By which others pay; and where the transactions of a sequence go when it is over
    wire = env.ref('payment.payment_provider_transfer')
    wire.write({'state': 'enabled', 'journal_id': journal.id})
    env['account.payment.method.line'].create({
        'name': "Wire", 'payment_method_id': env.ref('account.account_payment_method_manual_in').id,
        'journal_id': journal.id, 'payment_provider_id': wire.id,
    })
    env['payment.provider'].create({'name': "Graveyard", 'code': 'none', 'state': 'disabled'})

    # No PDF and no mail server: the mails are counted
    env['ir.config_parameter'].set_param('mail.mail.force.send.limit', '0')
    for name, subject in (
        ('mail_template_sale_confirmation', 'CONFIRMED'),
        ('mail_template_sale_payment_executed', 'EXECUTED'),
    ):
        template = env.ref(f'sale.{name}')
        template.write({
            'report_template_ids': [Command.clear()],
            'subject': subject + ' {{ object.name }}',
            'body_html': f'<p>{subject}</p>',
        })

    env['res.partner'].create({'name': "Torture", 'email': 'torture@example.com',
                               'country_id': env.ref('base.us').id})
    env['product.product'].create({
        'name': "Torture", 'type': 'service', 'list_price': 100, 'taxes_id': [Command.clear()],
    })
    env.flush_all()
    env.cr.execute('CREATE TABLE torture_provider AS SELECT * FROM payment_provider WHERE id = %s',
                   [provider.id])
