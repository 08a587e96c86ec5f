from odoo.exceptions import ValidationError
from odoo.tests import tagged

from odoo.addons.payment.const import REPORT_REASONS_MAPPING
from odoo.addons.payment_btcpay import const
from odoo.addons.payment_btcpay.tests.common import BTCPayCommon


@tagged('post_install', '-at_install')
class TestProvider(BTCPayCommon):

    def _get_compatible_providers(self, report=None, **values):
        return self.env['payment.provider'].sudo()._get_compatible_providers(
            self.company.id, self.partner.id, self.amount, currency_id=self.currency_usd.id,
            report=report, **values,
        )

    # === WHAT IT IS FOR === #

    def test_when_the_provider_is_enabled_then_its_payment_method_is_active(self):
        self.assertEqual(self.btcpay._get_default_payment_method_codes(), {'btcpay'})
        self.assertNotIn('btcpay', self.dummy_provider._get_default_payment_method_codes())
        self.payment_method.active = False
        self.btcpay.state = 'disabled'
        self.btcpay.state = 'enabled'
        self.assertTrue(self.payment_method.active, "It is not offered by an enabled provider.")

    def test_when_the_module_is_installed_then_the_payment_method_has_name_and_image(self):
        methods = self.btcpay.with_context(active_test=False).payment_method_ids
        self.assertEqual(
            [(method.name, method.btcpay_methods) for method in methods.sorted('code')],
            [
                ("Bitcoin / Lightning", 'BTC-CHAIN BTC-LN BTC-LNURL'), ("Bitcoin", 'BTC-CHAIN'),
                ("Lightning", 'BTC-LN BTC-LNURL'),
            ],
        )
        self.assertEqual(len(set(methods.mapped('image'))), 3)

    def test_when_a_store_is_connected_then_the_provider_is_offered(self):
        self.assertIn(self.btcpay, self._get_compatible_providers())

    def test_when_a_payment_method_is_to_be_validated_then_the_provider_is_not_offered(self):
        report = {}
        providers = self._get_compatible_providers(report, is_validation=True)
        self.assertNotIn(self.btcpay, providers)
        self.assertIn(self.dummy_provider, providers, "Others are filtered out as well.")
        self.assertEqual(str(report['providers'][self.btcpay]['reason']),
                         str(REPORT_REASONS_MAPPING['validation_not_supported']))

    # === NOT WITHOUT A CONNECTION === #

    def test_when_nothing_is_connected_then_the_provider_cannot_be_enabled(self):
        self.btcpay.sudo().write({
            'state': 'disabled', **self.btcpay._btcpay_get_empty_connection(),
        })
        for state in ('enabled', 'test'):
            with self.subTest(state=state), self.assertRaisesRegex(ValidationError, "Connect your"):
                self.btcpay.state = state

    def test_when_the_provider_is_enabled_then_its_connection_cannot_be_emptied(self):
        for field in ('btcpay_server_url', 'btcpay_api_key', 'btcpay_store_id'):
            with self.subTest(field=field), self.assertRaisesRegex(ValidationError, "Connect your"):
                self.btcpay.sudo().write({field: False})

    # === COPIES AND COMPANIES === #

    def _assert_without_connection(self, provider):
        self.assertEqual(provider.state, 'disabled')
        self.assertFalse(provider.is_published)
        self.assertEqual(provider.btcpay_connection_state, 'disconnected')
        for name, value in provider._btcpay_get_empty_connection().items():
            self.assertEqual(provider.sudo()[name], value, name)
        self.assertFalse(provider._btcpay_is_connected())

    def test_when_a_provider_is_copied_then_the_copy_has_no_connection(self):
        self._fill_connection()
        self._assert_without_connection(self.btcpay.copy())

    def _fill_connection(self):
        """Have a value in each field, so that a copied one is seen."""
        for name in self.btcpay._btcpay_get_empty_connection():
            samples = {'char': f'the {name}', 'datetime': '2026-01-01 00:00:00'}
            sample = samples.get(self.btcpay._fields[name].type)
            if sample and not self.btcpay.sudo()[name]:
                self.btcpay.sudo()[name] = sample

    def test_when_a_company_is_created_then_its_provider_has_no_connection(self):
        self._fill_connection()
        company = self.env['res.company'].create({'name': "Second"})
        provider = self.env['payment.provider'].sudo().search([
            ('code', '=', 'btcpay'), ('company_id', '=', company.id),
        ])
        if not provider:  # Odoo does it for companies of its own; else the module's hook does.
            self.env['payment.provider'].sudo()._setup_provider('btcpay')
            provider = self.env['payment.provider'].sudo().search([
                ('code', '=', 'btcpay'), ('company_id', '=', company.id),
            ])
        self.assertEqual(len(provider), 1)
        self._assert_without_connection(provider)
        self.assertEqual(
            provider.with_context(active_test=False).payment_method_ids.mapped('code'),
            ['btcpay', 'btcpay_chain', 'btcpay_lightning'],
        )
        self.assertNotIn(provider, self._get_compatible_providers())
        self.assertTrue(self.btcpay._btcpay_is_connected())

    def test_when_one_company_disconnects_then_the_other_stays_connected(self):
        store = self.world.new_store("Second")
        key = self.world.new_key(store, const.PERMISSIONS)
        company = self.env['res.company'].create({'name': "Second"})
        other = self.btcpay.copy({'company_id': company.id})
        other._btcpay_connect(self.world.url, key)
        self.assertEqual(other.btcpay_store_id, store)
        self.assertEqual(self.btcpay.btcpay_store_id, self.store_id)
        other.action_reset_credentials()
        self.assertTrue(self.btcpay._btcpay_is_connected())
        self.assertEqual(
            self.world.call('GET', '/api/v1/api-keys/current', key=self.api_key).status_code, 200
        )
