from odoo.exceptions import AccessError
from odoo.tests import new_test_user, tagged

from odoo.addons.payment_btcpay.tests.common import BTCPayCommon

SECRETS = ('btcpay_api_key', 'btcpay_webhook_secret', 'btcpay_old_webhook_secret')


@tagged('post_install', '-at_install')
class TestSecrets(BTCPayCommon):
    """Nobody gets the secrets back once they are stored, by whichever way they ask."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.btcpay.sudo().btcpay_old_webhook_secret = 'an old secret of the tests'
        cls.administrator = new_test_user(
            cls.env, 'btcpay_administrator',
            'base.group_system,base.group_no_one,account.group_account_manager',
        )
        cls.users = {
            'administrator': cls.administrator,
            'sales manager': new_test_user(
                cls.env, 'btcpay_sales', 'sales_team.group_sale_manager'
            ),
            'accountant': new_test_user(
                cls.env, 'btcpay_accountant', 'account.group_account_manager'
            ),
            'employee': cls.internal_user,
            'portal user': cls.portal_user,
            'public user': cls.public_user,
        }

    def _assert_denied(self, function):
        """Assert that each user is denied each secret; others see no provider at all."""
        for name, user in self.users.items():
            for field in SECRETS:
                with self.subTest(user=name, field=field), self.assertRaises(AccessError):
                    function(self.btcpay.with_user(user), field)

    def test_when_other_fields_are_read_by_an_administrator_then_they_are_returned(self):
        provider = self.btcpay.with_user(self.administrator)
        self.assertEqual(provider.read(['btcpay_store_id'])[0]['btcpay_store_id'], self.store_id)
        for field in SECRETS:
            self.assertTrue(self.btcpay.sudo()[field])

    def test_when_a_secret_is_read_then_everybody_is_denied(self):
        self._assert_denied(lambda provider, field: provider.read([field]))
        self._assert_denied(lambda provider, field: provider.web_read({field: {}}))
        self._assert_denied(lambda provider, field: provider[field])
        self._assert_denied(lambda provider, field: provider.mapped(field))

    def test_when_an_administrator_reads_all_fields_then_no_secret_is_among_them(self):
        provider = self.btcpay.with_user(self.administrator)
        self.assertFalse(set(SECRETS) & set(provider.read()[0]))
        self.assertFalse(set(SECRETS) & set(provider.fields_get()))
        self.assertFalse(set(SECRETS) & set(provider.copy_data()[0]))

    def test_when_a_secret_is_exported_then_everybody_is_denied(self):
        for user in self.users.values():
            user.sudo().group_ids += self.env.ref('base.group_allow_export')
        self._assert_denied(lambda provider, field: provider.export_data([field]))
        tx = self._create_btcpay_transaction(make_invoice=False)
        for field in SECRETS:
            with self.assertRaises(AccessError):
                tx.with_user(self.administrator).export_data([f'provider_id/{field}'])

    def test_when_records_are_searched_by_a_secret_then_everybody_is_denied(self):
        self._assert_denied(lambda provider, field: provider.search([(field, '=like', 'a%')]))
        self._assert_denied(lambda provider, field: provider.search_count([(field, '!=', False)]))
        self._assert_denied(lambda provider, field: provider.search([], order=field))
        self._assert_denied(
            lambda provider, field: provider.web_search_read([(field, 'ilike', 'a')], {'id': {}})
        )
        for field in SECRETS:
            for comodel in ('payment.transaction', 'payment.method'):
                path = 'provider_id' if comodel == 'payment.transaction' else 'provider_ids'
                with self.subTest(field=field, comodel=comodel), self.assertRaises(AccessError):
                    self.env[comodel].with_user(self.administrator).search([
                        (f'{path}.{field}', '=like', 'a%'),
                    ])

    def test_when_records_are_grouped_by_a_secret_then_everybody_is_denied(self):
        self._assert_denied(lambda provider, field: provider.formatted_read_group([], [field]))
        self._assert_denied(
            lambda provider, field: provider.formatted_read_group([], [], [f'{field}:array_agg'])
        )

    def test_when_a_secret_is_written_then_everybody_is_denied(self):
        self._assert_denied(lambda provider, field: provider.write({field: 'x'}))
        self._assert_denied(
            lambda provider, field: provider.web_save({field: 'x'}, {'display_name': {}})
        )

    def test_when_an_authorization_is_read_or_searched_then_everybody_is_denied(self):
        state_hash = self.env['btcpay.authorization']._hash_state('state')
        authorization = self.env['btcpay.authorization'].sudo().create({
            'provider_id': self.btcpay.id, 'user_id': self.administrator.id,
            'server_url': self.world.url, 'state_hash': state_hash, 'database': 'this one',
            'expires_at': '2100-01-01', 'state': 'received', 'api_key': 'a1' * 20,
        })
        for name, user in self.users.items():
            with self.subTest(user=name), self.assertRaises(AccessError):
                authorization.with_user(user).read(['server_url'])
            with self.subTest(user=name), self.assertRaises(AccessError):
                authorization.with_user(user).search([('api_key', '!=', False)])

    def test_when_the_key_of_an_authorization_is_used_then_it_is_forgotten(self):
        authorization = self.env['btcpay.authorization'].sudo().create({
            'provider_id': self.btcpay.id, 'user_id': self.administrator.id,
            'server_url': self.world.url, 'state_hash': 'hash', 'expires_at': '2100-01-01',
            'database': 'this one',
        })
        authorization._receive_key('a1' * 20)
        self.assertEqual(authorization._take_key(), 'a1' * 20)
        self.assertRecordValues(authorization, [{'state': 'used', 'api_key': False}])
