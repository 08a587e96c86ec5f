from datetime import timedelta

from odoo import fields
from odoo.exceptions import AccessError
from odoo.tests import freeze_time, new_test_user, tagged
from odoo.tools import html2plaintext, mute_logger

from odoo.addons.payment_btcpay import const
from odoo.addons.payment_btcpay.tests.common import BTCPayCommon

REQUEST = 'odoo.addons.payment_btcpay.models.payment_provider.client'


@tagged('post_install', '-at_install')
class TestStore(BTCPayCommon):
    """What the store has is read when it is connected, at “Refresh”, and daily."""

    def setUp(self):
        super().setUp()
        self.addCleanup(self.world.set_rates, self.store_id)
        self.addCleanup(self.world.change_store, self.store_id, methods=self.store_methods)

    def _change_store(self):
        self.world.change_store(self.store_id, methods=('BTC-LN',))
        self.world.set_rates(self.store_id, BTC_ISK=None)

    def _assert_known(self, provider=None):
        provider = provider or self.btcpay
        self.assertEqual(provider.btcpay_store_methods_text, "Lightning")
        self.assertEqual(provider.btcpay_unrated_currencies, 'ISK')

    def test_when_a_store_is_connected_then_its_methods_and_rates_are_read(self):
        self._change_store()
        provider = self.btcpay.copy()
        provider._btcpay_connect(
            self.world.url, self.world.new_key(self.store_id, const.PERMISSIONS), use_webhook=False
        )
        self._assert_known(provider)

    def test_when_refresh_is_clicked_then_its_methods_and_rates_are_read(self):
        self._change_store()
        action = self.btcpay.action_btcpay_refresh()
        self.assertEqual(action['params']['type'], 'success')
        self._assert_known()

    def test_when_a_day_has_passed_then_the_scheduled_action_reads_them(self):
        self._change_store()
        now = fields.Datetime.now()
        for hours, is_read in [(23, False), (25, True)]:
            self.btcpay.sudo().write({
                'btcpay_store_read_at': now - timedelta(hours=hours),
                'btcpay_webhook_checked_at': False, 'btcpay_use_webhook': False,
            })
            self.env['payment.provider']._cron_btcpay_sync()
            with self.subTest(hours=hours):
                self.assertEqual(self.btcpay.btcpay_store_methods_text == "Lightning", is_read)
        self._assert_known()

    def test_when_the_rates_failed_for_a_moment_then_the_next_check_offers_the_currency_again(self):
        self.btcpay.sudo().write({
            'btcpay_store_read_at': False, 'btcpay_webhook_checked_at': False,
            'btcpay_use_webhook': False,
        })
        self.world.set_rates(self.store_id, BTC_USD=None)
        self.env['payment.provider']._cron_btcpay_sync()
        self.assertFalse(self._is_offered(self.currency))
        self.world.set_rates(self.store_id)
        for minutes, is_offered in [(50, False), (70, True)]:
            with freeze_time(fields.Datetime.now() + timedelta(minutes=minutes)):
                self.env['payment.provider']._cron_btcpay_sync()
            with self.subTest(minutes=minutes):
                self.assertEqual(self._is_offered(self.currency), is_offered)

    def test_when_the_server_does_not_answer_then_what_is_known_stays(self):
        before = self.btcpay.btcpay_store_payment_methods
        for path in ('/stores$', '/payment-methods$', '/rates'):
            self.world.fault('status', path=path, status=503)
            with mute_logger(REQUEST), self.subTest(path=path):
                action = self.btcpay.action_btcpay_refresh()
                self.assertEqual(action['params']['type'], 'warning')
                self.assertEqual(self.btcpay.btcpay_store_payment_methods, before)

    def test_when_somebody_may_not_change_the_provider_then_they_cannot_refresh(self):
        user = new_test_user(self.env, 'store_reader', 'base.group_user')
        for call in ('action_btcpay_refresh', 'action_btcpay_add_methods'):
            with self.subTest(call=call), self.assertRaises(AccessError):
                getattr(self.btcpay.with_user(user), call)()

    def test_when_nothing_is_enabled_any_more_then_somebody_is_told_until_there_is(self):
        self.btcpay.btcpay_responsible_id = self.env.ref('base.user_admin')
        self.world.change_store(self.store_id, methods=())
        for _time in range(2):
            self.btcpay._btcpay_refresh()
        alert = self.btcpay.btcpay_checkout_activity_id
        self.assertIn("has no payment method enabled", html2plaintext(alert.note))
        self.assertIn("has no payment method enabled", self.btcpay.btcpay_checkout_problem)
        self.world.change_store(self.store_id, methods=('BTC-LN',))
        self.btcpay._btcpay_refresh()
        self.assertFalse(alert.active or self.btcpay.btcpay_checkout_problem)

    # === CURRENCIES === #

    def _is_offered(self, currency, report=None):
        return self.btcpay in self.env['payment.provider'].sudo()._get_compatible_providers(
            self.company.id, self.partner.id, 100, currency_id=currency.id, report=report
        )

    def test_when_a_currency_has_no_rate_then_it_is_hidden_in_the_checkout_and_shown_here(self):
        krona, euro = self._enable_currency('ISK'), self._enable_currency('EUR')
        self.assertTrue(self._is_offered(krona))
        self._change_store()
        self.btcpay._btcpay_refresh()
        report = {}
        self.assertFalse(self._is_offered(krona, report))
        self.assertEqual(
            str(report['providers'][self.btcpay]['reason']),
            "The store at the BTCPay Server has no rate of the currency.",
        )
        self.assertTrue(self._is_offered(euro))
        self.assertEqual(self.btcpay.btcpay_unrated_text, 'ISK')
        self.assertNotIn(krona, self.btcpay._get_supported_currencies())
        order = self._create_order()
        order.currency_id = krona
        self.assertIn("does not take ISK", self.btcpay._btcpay_explain_unusable(order))
        self.world.set_rates(self.store_id)
        self.btcpay._btcpay_refresh()
        self.assertTrue(self._is_offered(krona))

    def test_when_one_of_the_cryptos_has_a_rate_then_the_currency_can_be_paid_in(self):
        client = self.btcpay._btcpay_client()
        self.world.set_rates(self.store_id, BTC_ISK=None, LTC_ISK='9', BTC_NOK=None, LTC_NOK=None)
        unrated = self.btcpay._btcpay_find_unrated(
            client, self.store_id, ['BTC-CHAIN', 'LTC-CHAIN']
        )
        self.assertEqual(unrated.mapped('name'), ['NOK'])

    def test_when_a_methods_currency_is_written_otherwise_then_its_rates_are_found(self):
        self.world.set_rates(self.store_id, USDT_USD='1', USDT_NOK=None)
        unrated = self.btcpay._btcpay_find_unrated(
            self.btcpay._btcpay_client(), self.store_id, ['USDt-CHAIN']
        )
        self.assertIn('NOK', unrated.mapped('name'))
        self.assertNotIn('USD', unrated.mapped('name'))

    def test_when_the_server_takes_a_method_for_no_currency_then_the_others_rates_count(self):
        """As of a plugin's with a longer name: it refuses to tell any rate of it."""
        self.world.set_rates(self.store_id, BTC_ISK=None)
        for methods, unrated in (
            (['BTC-CHAIN', 'BANKTRANSFER'], ['ISK']),
            (['BANKTRANSFER-X', 'BTC-CHAIN', 'ZPLUGINTRANSFER-X'], ['ISK']),
            (['BANKTRANSFER-X'], []),
            (['BANKTRANSFER'], []),
            ([], []),
        ):
            with self.subTest(methods=methods), mute_logger(REQUEST):
                self.assertEqual(self.btcpay._btcpay_find_unrated(
                    self.btcpay._btcpay_client(), self.store_id, methods
                ).mapped('name'), unrated)

    def test_when_no_method_is_called_after_a_currency_then_all_are_offered(self):
        """As those of plugins: there is no price of what is called `CASHU`, or `ARKADE`."""
        self.world.set_rates(self.store_id, CASHU_USD=None, CASHU_EUR=None)
        self.assertFalse(self.btcpay._btcpay_find_unrated(
            self.btcpay._btcpay_client(), self.store_id, ['CASHU']
        ))

    def test_when_currencies_are_supported_then_they_are_all_that_odoo_has_less_those(self):
        everything = self.env['res.currency'].with_context(active_test=False).search([])
        self.btcpay._btcpay_refresh()
        self.assertEqual(self.btcpay._get_supported_currencies(), everything)
