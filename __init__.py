from . import controllers
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
    # With what providers inherit because of us, Odoo noted it as of the modules that extend that,
    # whose it would stay.
    env['ir.model.data'].search([
        ('module', '!=', 'payment_btcpay'),
        '|', ('name', '=like', 'model_inherit__payment_provider__mail_%'),
        ('name', '=like', 'selection__payment_provider__activity_%'),
    ]).unlink()
