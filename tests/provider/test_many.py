from odoo.exceptions import AccessError
from odoo.fields import Command
from odoo.tests import new_test_user, tagged

from odoo.addons.payment_btcpay import const
from odoo.addons.payment_btcpay.tests.common import BTCPayHttpCommon


@tagged('post_install', '-at_install')
class TestMany(BTCPayHttpCommon):
    """Two companies, each with a provider of its own, connected with the same store."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.second = cls.env['res.company'].create({'name': "Second"})
        cls.other = cls.btcpay.copy({'company_id': cls.second.id, 'name': "Bitcoin of Second"})
        cls.other.sudo().write({
            'btcpay_server_url': cls.world.url, 'btcpay_api_key': cls.api_key,
            'btcpay_database': cls.other._btcpay_get_database(),
            'btcpay_store_id': cls.store_id, 'btcpay_store_payment_methods': 'BTC-CHAIN BTC-LN',
            'btcpay_connection_state': 'connected', 'is_published': True,
        })
        cls.other.state = 'enabled'
        groups = 'base.group_system,account.group_account_manager'
        cls.first_administrator, cls.second_administrator = (
            new_test_user(
                cls.env, login, groups, company_id=company.id,
                company_ids=[Command.set(company.ids)],
            ) for login, company in (
                ('first_administrator', cls.env.company), ('second_administrator', cls.second),
            )
        )

    def setUp(self):
        super().setUp()
        # One that is disconnected leaves neither at the server.
        url = f'{self.base_url()}{const.WEBHOOK_ROUTE}/{self.other.id}'
        webhook = self.world.new_webhook(self.store_id, url)
        self.other_key = self.world.new_key(self.store_id, const.PERMISSIONS)
        self.other.sudo().write({
            'btcpay_api_key': self.other_key, 'btcpay_webhook_id': webhook['id'],
            'btcpay_webhook_url': url, 'btcpay_webhook_secret': webhook['secret'],
        })
        self.env.cr.commit()
        self.addCleanup(self._forget_webhook, webhook['id'])

    def _forget_webhook(self, webhook_id):
        if webhook_id in [webhook['id'] for webhook in self.world.webhooks(self.store_id)]:
            self.world.api('DELETE', f'/stores/{self.store_id}/webhooks/{webhook_id}')

    def test_when_two_providers_use_the_same_store_then_each_event_reaches_the_right_one(self):
        tx = self._create_btcpay_transaction(self._create_order())
        with self._world_speaks() as world:
            world.pay(tx.btcpay_invoice_id)
            world.mine()
        self.assertEqual(tx.state, 'done')
        deliveries = self.env['btcpay.delivery'].sudo().search([
            ('invoice_ref', '=', tx.btcpay_invoice_id), ('event', '=', 'InvoiceSettled'),
        ])
        self.assertEqual(
            {(d.provider_id, d.state, d.transaction_id) for d in deliveries},
            {
                (self.btcpay, 'processed', tx),
                (self.other, 'ignored', self.env['payment.transaction']),
            },
        )

    def test_when_a_delivery_or_a_provider_is_anothers_then_it_is_not_seen(self):
        deliveries = self.env['btcpay.delivery'].sudo().create([
            {'provider_id': provider.id, 'delivery_ref': f'of {provider.name}', 'state': 'ignored'}
            for provider in (self.btcpay, self.other)
        ])
        for user, seen in (
            (self.first_administrator, 0), (self.second_administrator, 1),
        ):
            with self.subTest(user=user.login):
                theirs = deliveries.with_user(user).with_context(
                    allowed_company_ids=user.company_ids.ids)
                self.assertEqual(
                    theirs.search([('id', 'in', deliveries.ids)]), deliveries[seen])
                providers = (self.btcpay, self.other)
                hidden = providers[1 - seen].with_user(user).with_context(
                    allowed_company_ids=user.company_ids.ids)
                for call in ('action_btcpay_check', 'action_btcpay_redeliver',
                             'action_btcpay_renew_secret', 'action_reset_credentials'):
                    with self.assertRaises(AccessError):
                        getattr(hidden, call)()
                with self.assertRaises(AccessError):
                    theirs[1 - seen].read(['reason'])
                wizard = self.env['btcpay.disconnect.wizard'].with_user(user).create({
                    'provider_id': providers[1 - seen].id,
                })
                with self.assertRaises(AccessError):
                    wizard.under_way  # noqa: B018 (it is computed when it is read)
                with self.assertRaises(AccessError):
                    wizard.action_disconnect()

    def test_when_a_log_entry_or_a_connection_is_anothers_then_it_is_not_seen(self):
        for provider in (self.btcpay, self.other):
            self.env['btcpay.log.entry']._note(provider.id, 'call', lambda: {'path': '/many'})
        entries = self.env['btcpay.log.entry'].search([('path', '=', '/many')], order='id')
        self.assertEqual(entries.provider_id, self.btcpay | self.other)
        for user, seen in ((self.first_administrator, 0), (self.second_administrator, 1)):
            with self.subTest(user=user.login):
                env = self.env(user=user, context={'allowed_company_ids': user.company_ids.ids})
                self.assertEqual(
                    env['btcpay.log.entry'].search([('path', '=', '/many')]), entries[seen])
                hidden = (self.btcpay, self.other)[1 - seen].with_env(env)
                for call in (
                    lambda: entries[1 - seen].with_env(env).read(['sent']),  # noqa: B023 called at once
                    lambda: entries[1 - seen].with_env(env).action_btcpay_export(),  # noqa: B023 called at once
                    lambda: entries.with_env(env).unlink(),  # noqa: B023 called at once
                    lambda: hidden.read(['btcpay_store_id']),  # noqa: B023 called at once
                    lambda: hidden.write({'btcpay_debug': True}),  # noqa: B023 called at once
                ):
                    with self.assertRaises(AccessError):
                        call()
                wizard = env['btcpay.connect.wizard'].create({
                    'provider_id': hidden.id, 'server_url': self.world.url, 'is_manual': True,
                    'api_key': self.other_key,
                })
                for call in (wizard.action_connect, wizard.action_check_key,
                             wizard.action_connect_by_hand):
                    with self.assertRaises(AccessError):
                        call()

    def test_when_one_company_sells_then_the_others_provider_is_not_offered(self):
        for company, provider in ((self.env.company, self.btcpay), (self.second, self.other)):
            offered = self.env['payment.provider'].sudo()._get_compatible_providers(
                company.id, self.partner.id, 100, currency_id=self.currency.id)
            self.assertEqual(offered.filtered(lambda p: p.code == 'btcpay'), provider)

    def test_when_one_is_disconnected_then_the_others_key_and_webhook_stay(self):
        self.other.action_reset_credentials()
        self.assertEqual(
            [w['url'] for w in self.world.webhooks(self.store_id)], [self.webhook_url])
        self.assertEqual(self.world.call(
            'GET', '/api/v1/api-keys/current', key=self.api_key).status_code, 200)
        self.assertEqual(self.world.call(
            'GET', '/api/v1/api-keys/current', key=self.other_key).status_code, 401)
