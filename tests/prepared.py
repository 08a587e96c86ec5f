"""What Odoo's own common classes set up for each test class, for seconds each: once, in the
database, see `dev/test/prepare.py`. Where the database was not prepared each class sets it up."""
import json
from unittest.mock import patch

from odoo.models import BaseModel
from odoo.modules import module
from odoo.modules.registry import Registry
from odoo.tests.common import TransactionCase, get_db_name

from odoo.addons.base.models.res_users import CryptContext
from odoo.addons.base.tests.common import BaseCommon

PARAMETER = 'payment_btcpay.prepared_tests'


class PreparedMixin:
    """Stands before the class of Odoo's whose set-up is prepared."""

    @classmethod
    def setUpClass(cls):
        with Registry(get_db_name()).cursor() as cr:
            cr.execute('SELECT value FROM ir_config_parameter WHERE key = %s', [PARAMETER])
            row = cr.fetchone()
        if not row:
            super().setUpClass()
            return
        super(BaseCommon, cls).setUpClass()  # What it is followed by makes nothing.
        prepared = json.loads(row[0])
        cls.env = cls.env(user=prepared['user'], context=cls.default_env_context())
        for name, value in prepared['attributes'].items():
            setattr(cls, name, _load(cls.env, value))


def prepare(env, common):
    """Set up in the database what the common class of Odoo's does, and keep its attributes.

    :param Environment env: That of the superuser.
    :param type common: The class.
    """
    prepared = type('Prepared', (common,), {'env': env, 'registry': env.registry, 'cr': env.cr})
    before = set(vars(prepared))
    with (
        patch.object(module, 'current_test', prepared),  # Or it asks a service about the company.
        patch.object(TransactionCase, 'setUpClass'),
        patch.object(type(env['res.users']), '_crypt_context', lambda _users: CryptContext(
            ['pbkdf2_sha512', 'plaintext'], pbkdf2_sha512__rounds=1,  # As in its tests.
        )),
    ):
        prepared.setUpClass()
    env['ir.config_parameter'].set_param(PARAMETER, json.dumps({
        'user': prepared.env.uid,
        'attributes': {
            name: _dump(value) for name, value in vars(prepared).items() if name not in before
        },
    }))


def _dump(value):
    if isinstance(value, BaseModel):
        return {'model': value._name, 'ids': value.ids, 'su': value.env.su}
    if isinstance(value, dict):
        return {'values': {name: _dump(each) for name, each in value.items()}}
    return value


def _load(env, value):
    if not isinstance(value, dict):
        return value
    if 'values' in value:
        return {name: _load(env, each) for name, each in value['values'].items()}
    return env(su=value['su'] or env.su)[value['model']].browse(value['ids'])
