from datetime import timedelta
from unittest.mock import patch

from odoo import fields
from odoo.tests import freeze_time, tagged
from odoo.tools import mute_logger

from odoo.addons.payment_btcpay import const
from odoo.addons.payment_btcpay.greenfield import WebhookEvent
from odoo.addons.payment_btcpay.tests.sync.test_sync_in_batches import (
    MODELS,
    QUIET,
    ReconcileCommon,
)


@tagged('post_install', '-at_install')
class TestServerHealth(ReconcileCommon):

    def setUp(self):
        super().setUp()
        self.now = fields.Datetime.now()
        self.quiet = mute_logger(
            *QUIET, f'{MODELS}.btcpay_delivery', f'{MODELS}.payment_provider.webhook'
        )
        self.quiet.__enter__()
        self.addCleanup(self.quiet.__exit__)

    def _get_activities(self):
        return self.btcpay.activity_ids.filtered(
            lambda a: self.btcpay.name in (a.summary or '')
        )

    def _run_minutes(self, *minutes):
        """Run the scheduled action minutes from the beginning, with the transactions due.

        :return: The minutes in which the server was asked.
        :rtype: list[int]
        """
        asked = []
        for minute in minutes:
            moment = self.now + timedelta(minutes=minute)
            with freeze_time(moment):
                self._make_due(self.transactions)
                if self._reconcile():
                    asked.append(minute)
        return asked

    def _bring_down(self, **fault):
        self.world.fault(**{'kind': 'status', 'path': '/api/', 'count': None, **fault})

    def test_when_only_those_nearby_reach_the_server_then_a_public_shop_is_told(self):
        parameters = self.env['ir.config_parameter'].sudo()
        provider = self.btcpay.sudo()
        for server, shop, is_told in (
            ('http://localhost:23000', 'https://shop.example.com', True),
            ('http://10.1.2.3', 'https://shop.example.com', True),
            ('http://btcpayserver:49392', 'https://shop.example.com', True),
            ('http://umbrel.local', 'https://shop.example.com', True),
            ('http://[fd00::1]:23000', 'https://shop.example.com', True),
            ('http://127.0.0.1:23000', 'http://192.168.1.5:8069', True),
            ('http://192.168.1.6', 'http://192.168.1.5:8069', False),
            ('http://127.0.0.1:23000', 'http://localhost:8069', False),
            ('https://pay.example.com', 'https://shop.example.com', False),
            ('https://8.8.8.8', 'https://shop.example.com', False),
        ):
            with self.subTest(server=server, shop=shop):
                parameters.set_param('web.base.url', shop)
                provider.btcpay_server_url = server
                provider.invalidate_recordset(['btcpay_health'])
                told = [
                    (level, f"sent to {server} to pay" in words)
                    for level, name, words in provider._btcpay_get_health_rows()
                    if name == "Server address"
                ]
                self.assertEqual(told, [('warning', True)] if is_told else [])
                self.assertEqual(provider.btcpay_health, 'attention' if is_told else 'healthy')

    def test_when_the_server_stays_down_then_the_action_waits_longer_each_time(self):
        self.transactions = self._create_open()
        self._bring_down()
        due = [0, 1, 2, 4, 8, 16, 32, 64, 124, 184]
        around = sorted({max(minute + step, 0) for minute in due for step in (-1, 0, 1)})
        self.assertEqual(self._run_minutes(*around), due)

    def test_when_the_server_is_down_then_one_call_finds_it_out(self):
        self.transactions = self._create_open(3)
        self._bring_down()
        with patch.object(const, 'BATCH_SIZE', 1):
            self.assertEqual(self._reconcile(), [('GET', '/invoices')])

    def test_when_the_server_is_down_then_an_alert_is_raised_once_and_cleared_when_it_is_back(self):
        self.transactions = self._create_open()
        self.btcpay.btcpay_responsible_id = self.env.ref('base.user_admin')
        self._bring_down()
        self._run_minutes(0)
        self.assertFalse(self._get_activities(), "It may be a restart.")
        self._run_minutes(1, 2, 3, 4, 10, 59)
        activity = self._get_activities()
        self.assertEqual(len(activity), 1)
        self.assertEqual(activity.user_id, self.btcpay.btcpay_responsible_id)
        self.assertIn(self.btcpay.name, activity.note)
        self.assertEqual(self.btcpay.btcpay_connection_state, 'unreachable')
        self.assertIn("HTTP 503", self.btcpay.btcpay_connection_problem)
        self.world.clear_faults()
        self.world.pay(self.transactions.btcpay_invoice_id)
        self.world.mine()
        self._run_minutes(118)
        self.assertEqual(self.transactions.state, 'done')
        self.assertFalse(self._get_activities())
        self.assertEqual(self.btcpay.btcpay_connection_state, 'connected')
        self.assertFalse(self.btcpay.btcpay_connection_problem)
        self.assertFalse(self.btcpay.btcpay_unreachable_since)
        self.assertFalse(self.btcpay.btcpay_retry_at)

    def test_when_the_server_stays_down_then_it_is_logged_once(self):
        self.transactions = self._create_open()
        self._bring_down()
        self.quiet.__exit__(None, None, None)
        with (
            mute_logger(f'{MODELS}.payment_provider.client'),
            self.assertLogs(f'{MODELS}.payment_provider.health', 'WARNING') as logs,
        ):
            self._run_minutes(0, 1, 2, 4, 10, 59)
        self.quiet.__enter__()
        self.assertEqual(len(logs.output), 1)

    def test_when_nothing_is_due_then_it_is_still_noticed_that_the_server_is_back(self):
        self.transactions = self._create_open()
        self._bring_down()
        self._run_minutes(0, 1)
        self.assertEqual(self.btcpay.btcpay_connection_state, 'unreachable')
        self.world.clear_faults()
        self.transactions.state = 'done'
        self.transactions.btcpay_status = 'Settled'
        self._run_minutes(2)
        self.assertEqual(self.btcpay.btcpay_connection_state, 'connected')

    def test_when_the_answers_are_broken_then_the_server_counts_as_unreachable(self):
        self.transactions = self._create_open()
        for kind in ('drop', 'half', 'wrong_json'):
            with self.subTest(kind):
                self.btcpay.write(self.btcpay._btcpay_get_healthy_values())
                self.env.cr.commit()
                self._bring_down(kind=kind)
                self._run_minutes(0, 1)
                self.assertEqual(self.btcpay.btcpay_connection_state, 'unreachable')
                self.assertEqual(self.transactions.state, 'draft')
                self.world.clear_faults()

    def test_when_a_proxy_answers_in_its_place_then_the_server_counts_as_unreachable(self):
        self.transactions = self._create_open()
        for status in (400, 401, 403, 404, 405):
            with self.subTest(status=status):
                self.btcpay.write(self.btcpay._btcpay_get_healthy_values())
                self.env.cr.commit()
                self._bring_down(kind='page', status=status)
                self._run_minutes(0, 1)
                self.assertEqual(self.btcpay.btcpay_connection_state, 'unreachable')
                self.assertIn("what stands between", self.btcpay.btcpay_connection_problem)
                self.assertEqual(self.transactions.state, 'draft')
                self.assertFalse(self.transactions.btcpay_review_note, "No invoice is gone.")
                self.world.clear_faults()

    def test_when_the_key_is_revoked_then_an_alert_is_raised_once(self):
        self.transactions = self._create_open()
        key = self.world.new_key(self.store_id, const.PERMISSIONS)
        self.btcpay.btcpay_api_key = key
        self.world.revoke_key(key)
        self._run_minutes(0)
        self.assertEqual(self.btcpay.btcpay_connection_state, 'refused')
        self.assertIn("API key", self._get_activities().note)
        self._run_minutes(1, 2, 4, 59)
        self.assertEqual(len(self._get_activities()), 1, "It is told once.")

    def test_when_the_key_is_refused_then_nothing_is_offered_until_it_is_accepted(self):
        self.transactions = self._create_open()
        order = self._create_order()

        def is_offered(report=None):
            return self.btcpay in self.env['payment.provider'].sudo()._get_compatible_providers(
                self.company.id, self.partner.id, 100, currency_id=self.currency.id, report=report
            )

        self._bring_down(status=401)
        self.assertTrue(is_offered(), "Nothing is known yet.")
        self._run_minutes(0)
        report = {}
        self.assertFalse(is_offered(report))
        self.assertEqual(
            str(report['providers'][self.btcpay]['reason']),
            "The BTCPay Server does not accept the API key.",
        )
        self.assertIn("no longer accepts the API key", order._btcpay_find_request_obstacle())
        self._run_minutes(1, 2)
        self.assertFalse(is_offered())
        tx = self._create_btcpay_transaction(make_invoice=False, reference='made by hand')
        with mute_logger(f'{MODELS}.payment_transaction.checkout'):
            tx._get_processing_values()
        self.assertEqual(tx.state, 'error')
        self.world.clear_faults()
        self._run_minutes(4)
        self.assertTrue(is_offered())
        self.assertFalse(order._btcpay_find_request_obstacle())

    def test_when_a_permission_is_missing_then_it_is_offered_as_long_as_invoices_are_made(self):
        self.transactions = self._create_open()
        self.btcpay.btcpay_api_key = self.world.new_key(
            self.store_id, ['btcpay.store.cancreateinvoice']
        )
        self._run_minutes(0)
        self.assertEqual(self.btcpay.btcpay_connection_state, 'refused')
        self._create_btcpay_transaction(reference='made all the same')
        self.assertFalse(self._create_order()._btcpay_find_request_obstacle())

    def test_when_the_store_is_deleted_then_the_alert_names_it(self):
        self.transactions = self._create_open()
        store_id = self.world.new_store("To be deleted")
        key = self.world.new_key(store_id, const.PERMISSIONS)
        self.btcpay.write({
            'btcpay_api_key': key, 'btcpay_store_id': store_id, 'btcpay_store_name': "Deleted",
        })
        self.transactions.btcpay_store_id = store_id
        self.env.cr.commit()
        # An administrator of the server would go on reading it.
        self.world.settings(administrator=False)
        self.addCleanup(self.world.settings, administrator=True)
        self.world.delete_store(store_id)
        self._run_minutes(0)
        self.assertEqual(self.btcpay.btcpay_connection_state, 'gone')
        self.assertIn("Deleted", self._get_activities().note)

    def test_when_a_permission_is_taken_away_then_the_alert_names_it(self):
        self.transactions = self._create_open()
        self.btcpay.btcpay_api_key = self.world.new_key(
            self.store_id, ['btcpay.store.cancreateinvoice']
        )
        self._run_minutes(0)
        self.assertEqual(self.btcpay.btcpay_connection_state, 'refused')
        self.assertIn('canviewinvoices', self._get_activities().note)

    def test_when_the_actions_wait_for_the_server_then_a_person_can_still_sync(self):
        """While the scheduled actions wait, a look that somebody asked for is made at once."""
        self.transactions = tx = self._create_open()
        self._bring_down()
        self._run_minutes(0, 1, 2, 4, 8)
        self.world.clear_faults()
        self.assertFalse(self.btcpay._btcpay_may_ask())
        self.world.pay(tx.btcpay_invoice_id)
        self.world.mine()
        tx.action_btcpay_sync()
        self.assertEqual(tx.state, 'done')
        self.assertTrue(self.btcpay._btcpay_may_ask(), "The server is seen to be there.")

    def test_when_one_server_is_down_then_other_providers_are_synced(self):
        self.transactions = self._create_open()
        other = self.btcpay.copy({
            'name': "Other", 'state': 'disabled', 'btcpay_server_url': self.world.url,
            'btcpay_connection_state': 'connected',
            'btcpay_webhook_checked_at': self.now + timedelta(days=1),
        })
        other.btcpay_store_id = self.world.new_store("Other")
        other.btcpay_store_payment_methods = self.btcpay.sudo().btcpay_store_payment_methods
        other.btcpay_api_key = self.world.new_key(other.btcpay_store_id, const.PERMISSIONS)
        other.write({'state': 'test', 'payment_method_ids': self.btcpay.payment_method_ids.ids})
        self.provider = other
        tx = self._create_btcpay_transaction(provider_id=other.id)
        self.transactions += tx
        self.assertEqual(tx.provider_id, other)
        self.world.pay(tx.btcpay_invoice_id)
        self.world.mine()
        self._bring_down(path=self.store_id)
        self._run_minutes(0, 1)
        self.assertEqual(tx.state, 'done')
        self.assertEqual(self.btcpay.btcpay_connection_state, 'unreachable')
        self.assertEqual(other.btcpay_connection_state, 'connected')

    def test_when_the_list_is_answered_and_nothing_else_then_the_rest_is_spared(self):
        """The list is answered, but nothing else: the rest of the batch is spared."""
        self.transactions = self._create_open(10)
        for tx in self.transactions:
            self.world.pay(tx.btcpay_invoice_id)
        self._bring_down(path='payment-methods')
        calls = self._reconcile()
        self.assertEqual(len(calls), 1 + const.MAX_FAILURES)
        self.assertTrue(self.btcpay.btcpay_unreachable_since)

    def test_when_the_code_has_an_error_then_it_is_logged_and_the_action_does_not_fail(self):
        self.transactions = self._create_open()
        self.patch(type(self.btcpay), '_btcpay_read_invoices', lambda *_args: 1 / 0)
        self.quiet.__exit__(None, None, None)
        with self.assertLogs(f'{MODELS}.payment_provider.sync', 'ERROR'):
            self._reconcile()
        self.quiet.__enter__()

    # === DELIVERIES === #

    def _create_deliveries(self, count):
        deliveries = self.env['btcpay.delivery'].sudo()
        for number in range(count):
            tx = self._create_btcpay_transaction(reference=f'{self._testMethodName}-{number}')
            deliveries += deliveries._keep(self.btcpay, WebhookEvent(
                f'{self._testMethodName[-40:]}{number}', 'InvoiceSettled',
                invoice_id=tx.btcpay_invoice_id,
            ), tx)
        deliveries.next_try_at = self.now - timedelta(hours=1)
        self.env.cr.commit()
        return deliveries

    def test_when_the_server_is_down_then_deliveries_wait_without_using_up_tries(self):
        deliveries = self._create_deliveries(5)
        self._bring_down()
        last = max(r['n'] for r in self.world.requests())
        deliveries._cron_process()
        self.assertEqual(len(self.world.requests(since=last)), const.MAX_FAILURES)
        self.assertFalse(self.btcpay._btcpay_may_ask())
        deliveries._cron_process()
        self.assertEqual(len(self.world.requests(since=last)), const.MAX_FAILURES)
        untried = deliveries.filtered(lambda d: not d.try_count)
        self.assertEqual(len(untried), 5 - const.MAX_FAILURES, "No try is used up meanwhile.")

        self.world.clear_faults()
        with freeze_time(self.now + timedelta(minutes=2)):
            deliveries._cron_process()
        self.assertEqual(set(untried.mapped('state')), {'processed'})
