"""A database in which the module was used: what an upgrade must not touch, and what must go."""
import json

from psycopg2 import sql

from ..odoo.instance import MODULE

# What runs in Odoo's shell, which knows `env`, begins with this
_BEGIN = f"""
from unittest.mock import patch
from odoo.fields import Command
from odoo.addons.{MODULE} import const
from odoo.addons.{MODULE}.dev.world.stand_in import StandIn

world = StandIn(*WORLD)
env['ir.config_parameter'].set_param('web.base.url', 'http://127.0.0.1:9')
provider = env.ref('payment_btcpay.payment_provider_btcpay')
store = world.new_store('Used', methods=('BTC-CHAIN', 'BTC-LN'))
key = world.new_key(store, const.PERMISSIONS)
provider.btcpay_debug = True
provider._btcpay_connect(world.url, key)
authorizations = env['btcpay.authorization'].sudo()
authorizations._start(provider, world.url, 'http://127.0.0.1:9')
authorizations.search([])[0]._receive_key(world.new_key(store, const.PERMISSIONS))
env.cr.commit()

def deliver(name, invoice=None, state='pending'):
    delivery = env['btcpay.delivery'].sudo().create({{
        'provider_id': provider.id, 'delivery_ref': name, 'event': 'InvoiceSettled',
        'invoice_ref': invoice, 'state': state,
    }})
    delivery.next_try_at = state == 'pending' and '2030-01-01'

"""

# Payments in each state, refunds, what is to be decided, and settings that are not as they come
PAYMENTS = _BEGIN + """
env['account.chart.template'].try_loading('generic_coa', env.company, install_demo=False)
partner = env['res.partner'].create({'name': 'Carol Customer', 'email': 'carol@example.com'})
product = env['product.product'].create({
    'name': 'Hat', 'list_price': 100, 'taxes_id': [Command.clear()]})
provider.write({'btcpay_late_policy': 'accept', 'btcpay_webhook_log_days': 33,
                'pending_msg': '<p>Our own words.</p>', 'btcpay_debug_days': 5})
env.ref('payment_btcpay.ir_cron_btcpay_sync').write({'interval_number': 7})
env.ref('payment_btcpay.payment_method_btcpay').name = 'Coins'
template = env['mail.template'].search([('model', '=', 'payment.transaction')], limit=1)
template.subject = 'Our own subject'
env['res.users'].browse(2).group_ids += env.ref('payment_btcpay.group_refund')

def pay(fraction=None, late=False, mine=True, look=True):
    order = env['sale.order'].create({
        'partner_id': partner.id, 'pricelist_id': False, 'currency_id': env.company.currency_id.id,
        'order_line': [Command.create({'product_id': product.id, 'price_unit': 100})]})
    tx = env['payment.transaction'].create({
        'provider_id': provider.id, 'amount': 100, 'currency_id': order.currency_id.id,
        'payment_method_id': env.ref('payment_btcpay.payment_method_btcpay').id,
        'partner_id': partner.id, 'operation': 'online_redirect', 'reference': order.name,
        'sale_order_ids': [Command.set(order.ids)]})
    tx._get_processing_values()
    assert tx.btcpay_invoice_id, tx.state_message
    if late:
        world.expire(tx.btcpay_invoice_id)
    if fraction:
        world.pay(tx.btcpay_invoice_id, fraction=fraction)
        if mine:
            world.mine()
    if look:
        tx._btcpay_sync()
        env['payment.transaction']._cron_post_process()
        env['payment.transaction']._cron_btcpay_confirm()
    env.cr.commit()
    return tx

with patch.object(env.registry['ir.actions.report'], '_render_qweb_pdf',
                  lambda *_args, **_kwargs: (b'%PDF', 'pdf')):
    unpaid, seen, part, over = pay(), pay('1', mine=False), pay('0.4'), pay('1.5')
    wrong = pay(look=False)
    world.mark(wrong.btcpay_invoice_id, 'Invalid')
    wrong._btcpay_sync()
    late, unknown = pay('1', late=True), pay('1', look=False)
    paid = pay('1')
    paid.sale_order_ids._create_invoices()
    refund, claimed = paid._btcpay_request_refund(40), over._btcpay_request_refund(10)
    world.claim(refund.btcpay_pull_payment_id)
    claimed._btcpay_sync()
for name, invoice, state in (('one', unpaid.btcpay_invoice_id, 'pending'),
                             ('two', paid.btcpay_invoice_id, 'processed'),
                             ('three', 'nobodys', 'ignored'), ('four', None, 'failed')):
    deliver(name, invoice, state)
env.cr.commit()
states = env['payment.transaction'].search([]).mapped('state')
print('USED', sorted(set(states)), len(states), env['account.payment'].search_count([]),
      env['btcpay.payment'].search_count([]), env['btcpay.log.entry'].search_count([]))
"""

# All that leaves traces and is no payment that is booked; then the module goes
UNINSTALL = _BEGIN + """
deliver('one', 'nobodys')
deliver('two', None, 'failed')
provider._btcpay_raise_alert('btcpay_connection_activity_id', 'Something is wrong.')
provider.message_post(body='A note.', attachments=[('note.txt', b'A file.')])
provider.action_btcpay_add_methods()
env['ir.default'].set('payment.provider', 'btcpay_late_policy', 'accept')
for model in ('btcpay.delivery', 'btcpay.receipt', 'btcpay.log.entry'):
    env['ir.filters'].create({'name': 'Ours', 'model_id': model, 'domain': '[]'})
    env['ir.exports'].create({'name': 'Ours', 'resource': model})
env['ir.filters'].create({'name': 'Ours too', 'model_id': 'sale.order',
                          'domain': "[('btcpay_decision', '!=', False)]"})
env['res.users'].browse(2).group_ids += env.ref('payment_btcpay.group_refund')
env['ir.attachment'].create({'name': 'x', 'raw': b'x', 'res_model': 'btcpay.delivery', 'res_id': 1})
env['btcpay.log.export']._download(env['btcpay.log.entry'].search([]))
env.cr.commit()
env['ir.module.module'].search([('name', '=', 'payment_btcpay')]).button_immediate_uninstall()
env.cr.commit()
status = world.call('GET', '/api/v1/api-keys/current', key=key).status_code
print('SERVER', status, len(world.webhooks(store)))
"""


def script(code, world):
    """:return: the code with the world that it is to use"""
    address = (world.url, world.email, world.password, world.control_url)
    return f'WORLD = {address!r}\n{code}'


# Tables of others in which the module's rows, or what they came to, are as well
TABLES = {
    'payment_transaction', 'payment_provider', 'payment_method', 'account_payment', 'account_move',
    'account_move_line', 'sale_order', 'sale_order_line', 'mail_activity', 'mail_template',
    'ir_cron', 'ir_rule', 'res_groups_users_rel', 'account_journal', 'res_currency',
    'account_payment_method_line', 'mail_message', 'ir_config_parameter',
}
# What an update of Odoo itself writes
CHANGING = ('write_date', 'write_uid', 'lastcall', 'nextcall')


def snapshot(cluster, database):
    """:return: of each table of a database that is to stay as it is, the rows by their id"""
    found = {}
    with cluster.cursor(database) as cursor:
        cursor.execute("""
            SELECT table_name FROM information_schema.tables
             WHERE table_schema = 'public' AND table_type = 'BASE TABLE'
               AND (table_name LIKE 'btcpay\\_%%' OR table_name = ANY (%s))
        """, [sorted(TABLES)])
        for table, in cursor.fetchall():
            query = sql.SQL('SELECT to_jsonb(t) - %s::text[] FROM {} AS t').format(
                sql.Identifier(table))
            cursor.execute(query, [list(CHANGING)])
            for row, in cursor.fetchall():
                found[table, row.get('id') or json.dumps(row, sort_keys=True)] = row
    return found


def compare(before, after):
    """:return: what has moved of a snapshot; columns that are new are nothing that moves"""
    moved = [f'{table} {key}: gone' for table, key in sorted(before.keys() - after, key=str)]
    for (table, key), row in before.items():
        now = after.get((table, key), row)
        moved += [f'{table} {key}: {name} was {value!r}, is {now.get(name)!r}'
                  for name, value in row.items() if now.get(name) != value]
    return moved + [f'{table} {key}: new' for table, key in sorted(after.keys() - before, key=str)]
