from datetime import timedelta
from unittest.mock import patch

from odoo import fields
from odoo.exceptions import ValidationError
from odoo.tests import tagged
from odoo.tools import mute_logger

from odoo.addons.payment_btcpay import const
from odoo.addons.payment_btcpay.tests.common import BTCPayHttpCommon
from odoo.addons.payment_btcpay.tests.sync.test_sync_in_batches import MODELS


@tagged('post_install', '-at_install')
class TestWebhookHealth(BTCPayHttpCommon):

    def setUp(self):
        super().setUp()
        self.btcpay = self.btcpay.sudo()
        for webhook in self.world.webhooks(self.store_id):
            self.world.api('DELETE', f"/stores/{self.store_id}/webhooks/{webhook['id']}")
        webhook = self.world.new_webhook(
            self.store_id, self.webhook_url, secret=self.webhook_secret
        )
        self.webhook_id = webhook['id']
        self.btcpay.btcpay_webhook_id = webhook['id']
        self.endpoint = f'/stores/{self.store_id}/webhooks/{self.webhook_id}'
        self.env.cr.commit()

    def _change(self, **values):
        """Change the webhook at the server, as a merchant does."""
        self.world.api('PUT', self.endpoint, {
            'url': self.webhook_url, 'enabled': True,
            'authorizedEvents': {'everything': True}, **values,
        })

    def _check(self):
        self.btcpay.btcpay_webhook_checked_at = False
        self.env.cr.commit()
        with mute_logger(
            f'{MODELS}.payment_provider.webhook', f'{MODELS}.payment_provider.client'
        ):
            self.env['payment.provider']._cron_btcpay_sync()
        self.env.invalidate_all()
        return self.btcpay.btcpay_webhook_problem

    def _get_activities(self):
        return self.btcpay.activity_ids.filtered(
            lambda a: self.btcpay.name in (a.summary or '')
        )

    def _assert_repaired(self):
        [webhook] = self.world.webhooks(self.store_id)
        self.assertEqual(webhook['id'], self.btcpay.btcpay_webhook_id)
        self.assertEqual(webhook['url'], self.webhook_url)
        self.assertTrue(webhook['enabled'])
        self.assertTrue(webhook['authorizedEvents']['everything'])
        self.assertFalse(self.btcpay.btcpay_webhook_problem)
        self.assertFalse(self._get_activities())
        tx = self._create_btcpay_transaction()
        with self._world_speaks() as world:
            world.pay(tx.btcpay_invoice_id)
            world.mine()
        self.assertEqual(tx.state, 'done', "The server speaks, and is understood.")

    def test_when_the_webhook_is_healthy_then_no_alert_is_raised(self):
        self.assertFalse(self._check())
        self.assertFalse(self._get_activities())
        self.assertEqual(self.btcpay.btcpay_connection_state, 'connected')

    def test_when_an_hour_has_passed_then_the_webhook_is_checked_again(self):
        self._check()
        last = max(r['n'] for r in self.world.requests())
        for minutes, calls in ((0, 0), (const.CHECK_MINUTES - 1, 0), (const.CHECK_MINUTES, 1)):
            self.btcpay.btcpay_webhook_checked_at = (
                fields.Datetime.now() - timedelta(minutes=minutes)
            )
            self.env.cr.commit()
            self.env['payment.provider']._cron_btcpay_sync()
            asked = [r for r in self.world.requests(since=last) if '/webhooks/' in r['path']]
            self.assertEqual(len(asked), calls)

    def test_when_the_webhook_is_deleted_then_it_is_noticed_and_can_be_repaired(self):
        self.world.api('DELETE', self.endpoint)
        self.assertEqual(self._check(), 'missing')
        self.btcpay.action_btcpay_repair_webhook()
        self.assertNotEqual(self.btcpay.btcpay_webhook_secret, self.webhook_secret)
        # What may be queued is signed with the old secret.
        self.assertIn(self.webhook_secret, self._get_webhook_secrets())
        self._assert_repaired()

    def test_when_the_webhook_is_disabled_then_it_is_noticed_and_can_be_repaired(self):
        self._change(enabled=False)
        self.assertEqual(self._check(), 'disabled')
        self.btcpay.action_btcpay_repair_webhook()
        self._assert_repaired()

    def test_when_the_webhook_points_elsewhere_then_it_is_noticed_and_can_be_repaired(self):
        self._change(url='http://127.0.0.1:9/elsewhere')
        self.assertEqual(self._check(), 'moved')
        self.btcpay.action_btcpay_repair_webhook()
        self._assert_repaired()

    def test_when_events_we_need_are_cut_then_it_is_noticed_and_can_be_repaired(self):
        self._change(authorizedEvents={
            'everything': False, 'specificEvents': list(const.WEBHOOK_EVENTS),
        })
        self.assertFalse(self._check(), "Those we need are enough.")
        self._change(authorizedEvents={
            'everything': False, 'specificEvents': ['InvoiceCreated', 'InvoiceSettled'],
        })
        self.assertEqual(self._check(), 'events')
        self.btcpay.action_btcpay_repair_webhook()
        self._assert_repaired()

    def test_when_the_secret_is_changed_at_the_server_then_repairing_sets_ours_again(self):
        """The server does not show it: repairing sets ours again."""
        self._change(secret='another one')
        self.btcpay.action_btcpay_repair_webhook()
        self.assertEqual(self.btcpay.btcpay_webhook_secret, self.webhook_secret)
        self._assert_repaired()

    def test_when_the_problem_stays_then_the_alert_is_raised_once(self):
        self._change(enabled=False)
        self._check()
        activity = self._get_activities()
        self._check()
        self.assertEqual(self._get_activities(), activity)
        self.assertEqual(len(activity), 1)
        self.assertIn("switched off", activity.note)
        self.assertIn("Repair Webhook", activity.note)
        self._change(url='http://127.0.0.1:9/elsewhere')
        self._check()
        activity = self._get_activities()
        self.assertEqual(len(activity), 1, "The new problem takes the place of the old.")
        self.assertIn("another address", activity.note)

    def test_when_the_webhook_is_repaired_at_the_server_then_the_alert_is_cleared(self):
        self._change(enabled=False)
        self._check()
        self._change()
        self.assertFalse(self._check())
        self.assertFalse(self._get_activities())

    def test_when_the_webhook_is_repaired_during_the_check_then_no_alert_is_raised(self):
        self._change(enabled=False)
        provider_class = type(self.btcpay)
        find = provider_class._btcpay_find_webhook_problem

        def slow_find(provider):
            problem = find(provider)
            self.btcpay.action_btcpay_repair_webhook()
            return problem

        with patch.object(provider_class, '_btcpay_find_webhook_problem', slow_find):
            self.assertFalse(self._check())
        self.assertFalse(self._get_activities())

    def test_when_the_server_does_not_say_then_the_webhook_is_not_taken_for_deleted(self):
        """Neither a broken answer nor a proxy's page is taken for a deleted webhook."""
        for fault in (
            {'kind': 'status', 'status': 404}, {'kind': 'wrong_json'},
            {'kind': 'status', 'status': 500}, {'kind': 'drop'},
        ):
            with self.subTest(fault):
                self.world.fault(path='/webhooks/', **fault)
                with mute_logger(f'{MODELS}.payment_provider.health'):
                    self.assertFalse(self._check())
                self.assertTrue(self.btcpay.btcpay_unreachable_since)
                self.world.clear_faults()
                self.btcpay.write(self.btcpay._btcpay_get_healthy_values())

    def test_when_the_repair_fails_then_nothing_is_changed(self):
        self.world.api('DELETE', self.endpoint)
        self._check()
        before = self.btcpay._btcpay_get_connection()
        self.world.fault('status', path='/webhooks$', method='POST', after=True)
        with (
            mute_logger(f'{MODELS}.payment_provider.client'),
            self.assertRaisesRegex(ValidationError, "webhook"),
        ):
            self.btcpay.action_btcpay_repair_webhook()
        self.assertEqual(self.btcpay._btcpay_get_connection(), before)
        self.assertEqual(self.btcpay.btcpay_webhook_problem, 'missing')
        self.assertEqual(self.world.webhooks(self.store_id), [], "Nothing is left at the server.")

    def test_when_the_form_is_opened_then_it_has_the_problems_and_the_repair_button(self):
        arch = self.btcpay.get_view(view_type='form')['arch']
        self.assertIn('btcpay_webhook_problem', arch)
        self.assertIn('action_btcpay_repair_webhook', arch)
        self.assertIn('btcpay_connection_problem', arch)
