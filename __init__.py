from . import controllers
from . import logs
from . import models
from . import wizards

from odoo.addons.payment import reset_payment_provider, setup_provider


def post_init_hook(env):
    setup_provider(env, 'btcpay')
    env['res.currency']._btcpay_create_crypto_currencies()


def uninstall_hook(env):
    reset_payment_provider(env, 'btcpay')
    # As Odoo has it: see `security/payment_btcpay_rules.xml`.
    rule = env.ref('payment.transaction_company_rule', raise_if_not_found=False)
    if rule:
        rule.domain_force = "[('company_id', 'in', company_ids)]"
    # What people have kept of lists that are gone, or that looks for fields that are.
    names = [name for name in env.registry if name.startswith('btcpay.')]
    env['ir.filters'].with_context(active_test=False).search([
        '|', '|', '|', ('model_id', 'in', names), ('domain', 'like', 'btcpay_'),
        ('context', 'like', 'btcpay_'), ('sort', 'like', 'btcpay_'),
    ]).unlink()
    env['ir.exports'].search([('resource', 'in', names)]).unlink()
    env['ir.exports.line'].search([('name', 'like', 'btcpay_')]).unlink()
    # The account of a journal that was made: Odoo has a name of its own for it, too, and would keep
    # whatever another module has a name for.
    external_ids = env['ir.model.data']
    accounts = external_ids.search([
        ('module', '=', 'payment_btcpay'), ('model', '=', 'account.account'),
    ])
    external_ids.search([
        ('module', '=', 'account'), ('model', '=', 'account.account'),
        ('res_id', 'in', accounts.mapped('res_id')),
    ]).unlink()
    # The provider has messages and activities by us alone; Odoo notes parts of them as of `mail`
    # and of the modules that extend it, and would leave those.
    external_ids.search([
        ('module', '!=', 'payment_btcpay'),
        '|', '&', ('model', '=', 'ir.model.inherit'),
        ('name', '=', 'model_inherit__payment_provider__mail_thread'),
        '&', ('model', '=', 'ir.model.fields.selection'),
        ('name', '=like', r'selection\_\_payment\_provider\_\_activity\_%'),
    ]).unlink()
