"""What Odoo would make for each test class anew, for seconds each: made once, in the database."""
from ..odoo.instance import MODULE

_SCRIPT = f"""
from odoo.addons.account_payment.tests.common import AccountPaymentCommon
from odoo.addons.{MODULE}.tests.prepared import prepare

prepare(env, AccountPaymentCommon)

# Those of Odoo's own are in the template; what pages load later on would be made for each anew
env['ir.qweb']._pregenerate_assets_bundles()
website = {{'website_id': env['website'].search([], limit=1).id}}
for name, params in (('bus.websocket_worker_assets', {{}}), ('web.assets_emoji', {{}}),
                     ('portal.assets_chatter', website)):
    env['ir.qweb']._get_asset_bundle(name, css=False, assets_params=params).js()
for name, autoprefix in (('portal.assets_chatter', False), ('portal.assets_chatter_style', False),
                         ('web.report_assets_common', True)):
    env['ir.qweb']._get_asset_bundle(
        name, js=False, assets_params=website, autoprefix=autoprefix).css()
env.cr.commit()
"""


def prepare(instance, database):
    """Make what the module's tests work with.

    :raise SetupError: if that fails
    """
    instance.run_script(database, _SCRIPT, 'preparing the database')
