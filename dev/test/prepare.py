"""What Odoo's common test class makes for each class anew, for 2 s: made once, in the database."""
from ..odoo.instance import MODULE

_SCRIPT = f"""
from odoo.modules import module
from odoo.addons.{MODULE}.tests.common import PREPARED_COMPANY, BTCPayCommon

class Prepared(BTCPayCommon):
    env = env['base'].with_context(**BTCPayCommon.default_env_context()).env

module.current_test = Prepared  # or Odoo asks a service about the company
companies = env.user.company_ids
Prepared._create_company(name=PREPARED_COMPANY)
env.user.company_ids = companies
env.cr.commit()
"""


def prepare(instance, database):
    """Make the company that the module's tests work in.

    :raise SetupError: if that fails
    """
    instance.run_script(database, _SCRIPT, 'preparing the database')
