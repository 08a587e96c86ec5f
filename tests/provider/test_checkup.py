from datetime import timedelta
from unittest.mock import patch

from odoo import SUPERUSER_ID, fields
from odoo.exceptions import AccessError, UserError
from odoo.fields import Command
from odoo.tests import Form, new_test_user, tagged
from odoo.tools import html2plaintext, mute_logger

from odoo.addons.payment_btcpay import const
from odoo.addons.payment_btcpay.greenfield import Client
from odoo.addons.payment_btcpay.tests.common import BTCPayHttpCommon

MODELS = 'odoo.addons.payment_btcpay.models'
QUIET = (
    f'{MODELS}.payment_provider.client', f'{MODELS}.payment_provider.health',
    f'{MODELS}.payment_provider.webhook', 'odoo.addons.payment_btcpay.controllers.main',
)


class CheckupCommon(BTCPayHttpCommon):

    def setUp(self):
        super().setUp()
        self.addCleanup(self.world.set_rates, self.store_id)
        self.addCleanup(self.world.change_store, self.store_id, methods=self.store_methods)
        # Each test has a webhook of its own, with deliveries of its own.
        self._forget_webhooks()
        self.addCleanup(self._forget_webhooks)
        webhook = self.world.new_webhook(self.store_id, self.webhook_url)
        self.webhook_secret = webhook['secret']
        self.btcpay.sudo().write({
            'btcpay_webhook_id': webhook['id'], 'btcpay_webhook_secret': webhook['secret'],
        })
        self.env.cr.commit()

    def _forget_webhooks(self):
        for webhook in self.world.webhooks(self.store_id):
            self.world.api('DELETE', f'/stores/{self.store_id}/webhooks/{webhook["id"]}')

    def _check(self):
        """Click “Check Connection”.

        :return: The type of the notification.
        :rtype: str
        """
        with mute_logger(*QUIET):
            return self.btcpay.action_btcpay_check()['params']['type']

    def _get_rows(self):
        """Return what the form says: the level and the words, by the name."""
        return {name: (level, words) for level, name, words in
                self.btcpay.sudo()._btcpay_get_health_rows()}

    def _assert_row(self, name, level, words=''):
        row = self._get_rows()[name]
        self.assertEqual(row[0], level, row)
        self.assertIn(words, row[1])


@tagged('post_install', '-at_install')
class TestCheckup(CheckupCommon):
    """“Check Connection” finds out what is wrong, and the form says it."""

    def test_when_all_is_well_then_every_row_is_green(self):
        self.btcpay.sudo()._btcpay_find_actions().nextcall = fields.Datetime.now()
        self.assertEqual(self._check(), 'success')
        rows = self._get_rows()
        self.assertEqual({level for level, _words in rows.values()}, {'success', 'muted'}, rows)
        self.assertIn("version 2.4.1.", rows["Server"][1])
        self.assertEqual(rows["Payment methods"][1], "Bitcoin, Lightning")
        self.assertEqual(rows["Store"][1], self.btcpay.btcpay_store_name)
        self.assertEqual(self.btcpay.btcpay_health, 'healthy')
        self.assertIn("version 2.4.1.", html2plaintext(self.btcpay.btcpay_health_text))
        self.assertIn("All events", self.btcpay.action_btcpay_redeliver()['params']['message'])

    def test_when_something_is_wrong_then_its_row_says_so(self):
        key = self.btcpay.sudo().btcpay_api_key
        webhook = f'/stores/{self.store_id}/webhooks/{self.btcpay.btcpay_webhook_id}'
        body = {'url': self.webhook_url, 'secret': self.webhook_secret}
        more = self.world.new_key(self.store_id, [
            *const.PERMISSIONS, 'btcpay.store.canmodifystoresettings',
        ])
        several = self.world.new_key(
            [self.store_id, self.world.new_store("Other")], const.PERMISSIONS)
        wide = self.world.new_key(None, const.PERMISSIONS)

        def use(api_key):
            self.btcpay.sudo().btcpay_api_key = api_key

        back = {
            "Permissions": lambda: use(key),
            "Webhook": lambda: self.world.api('PUT', webhook, body),
            "Rates": lambda: self.world.set_rates(self.store_id),
            "Payment methods": lambda: self.world.change_store(
                self.store_id, methods=self.store_methods),
        }
        currency = self.btcpay.company_id.currency_id.name
        for name, level, words, change in (
            ("Permissions", 'warning', "btcpay.store.canmodifystoresettings", lambda: use(more)),
            ("Permissions", 'warning', "2 stores", lambda: use(several)),
            ("Permissions", 'warning', "all stores of the account", lambda: use(wide)),
            ("Webhook", 'danger', "switched off",
             lambda: self.world.api('PUT', webhook, {**body, 'enabled': False})),
            ("Webhook", 'danger', "another address",
             lambda: self.world.api('PUT', webhook, {**body, 'url': 'https://example.com'})),
            ("Rates", 'danger', currency,
             lambda: self.world.set_rates(self.store_id, **{f'BTC_{currency}': None})),
            ("Payment methods", 'danger', "none enabled",
             lambda: self.world.change_store(self.store_id, methods=())),
        ):
            with self.subTest(name=name, words=words):
                change()
                self._check()
                self._assert_row(name, level, words)
                self.assertEqual(self.btcpay.btcpay_health, 'attention')
                back[name]()
                self._check()
                self._assert_row(name, 'success')
                self.assertEqual(self.btcpay.btcpay_health, 'healthy')

    def test_when_the_key_is_revoked_or_the_server_is_down_then_nothing_is_green(self):
        key = self.world.new_key(self.store_id, const.PERMISSIONS)
        self.world.revoke_key(key)
        good = self.btcpay.sudo().btcpay_api_key
        self.btcpay.sudo().btcpay_api_key = key
        self.assertEqual(self._check(), 'warning')
        self.assertEqual(self.btcpay.btcpay_health, 'refused')
        self._assert_row("API key", 'danger', "no longer accepts")
        self.btcpay.sudo().btcpay_api_key = good
        self.assertEqual(self._check(), 'success')
        self.assertEqual(self.btcpay.btcpay_health, 'healthy')
        self.world.fault('status', path='/api/', count=None)
        for health in ('silent', 'unreachable'):
            self.assertEqual(self._check(), 'warning')
            self.assertEqual(self.btcpay.btcpay_health, health)
            self._assert_row("Server", 'danger', "cannot be asked since")
        self.world.clear_faults()
        self.assertEqual(self._check(), 'success')
        self.assertEqual(self.btcpay.btcpay_health, 'healthy')

    def test_when_the_server_reads_the_blockchain_then_it_is_said(self):
        with patch.object(Client, 'get_health', lambda _client: False):
            self._check()
        self._assert_row("Blockchain", 'warning', "still reading")
        self.assertEqual(self.btcpay.btcpay_health, 'attention')

    def test_when_a_day_has_passed_then_the_scheduled_action_checks(self):
        now = fields.Datetime.now()
        for hours, is_checked in [(23, False), (25, True)]:
            self.btcpay.sudo().write({
                'btcpay_store_read_at': now - timedelta(hours=hours), 'btcpay_checkup': False,
                'btcpay_webhook_checked_at': False,
            })
            self.env['payment.provider']._cron_btcpay_sync()
            with self.subTest(hours=hours):
                self.assertEqual(bool(self.btcpay.btcpay_checkup), is_checked)

    def test_when_another_connection_is_made_meanwhile_then_the_check_is_not_noted(self):
        provider_class = type(self.btcpay)
        examine = provider_class._btcpay_examine

        def slow_examine(provider, client):
            found = examine(provider, client)
            self.btcpay.sudo().btcpay_webhook_id = 'another'
            return found

        with patch.object(provider_class, '_btcpay_examine', slow_examine):
            self.btcpay._btcpay_check_up()
        self.assertFalse(self.btcpay.btcpay_checkup)

    def test_when_payments_and_deliveries_wait_then_they_are_counted(self):
        self._create_btcpay_transaction()
        self.env['btcpay.delivery'].sudo().create({
            'provider_id': self.btcpay.id, 'delivery_ref': 'waiting', 'state': 'failed',
        })
        self._assert_row("Open payments", 'muted', "1, the oldest since")
        self._assert_row("Deliveries to be processed", 'warning', "1, the oldest since")

    def test_when_somebody_may_not_change_the_provider_then_they_cannot_check(self):
        user = new_test_user(self.env, 'checkup_reader', 'base.group_user')
        for call in ('action_btcpay_check', 'action_btcpay_redeliver'):
            with self.subTest(call=call), self.assertRaises(AccessError):
                getattr(self.btcpay.with_user(user), call)()

    def test_when_nothing_is_connected_then_there_is_nothing_to_check(self):
        self.btcpay.sudo().write({
            'state': 'disabled', **self.btcpay._btcpay_get_empty_connection(),
        })
        self.assertEqual(self.btcpay.btcpay_health, 'disconnected')
        self.assertFalse(self.btcpay.btcpay_health_text)
        for call in ('action_btcpay_check', 'action_btcpay_redeliver'):
            with self.subTest(call=call), self.assertRaises(UserError):
                getattr(self.btcpay, call)()
        self.assertFalse(self.dummy_provider.btcpay_health)

    # === A STORE THAT WAS DELETED === #

    def _connect_another(self, **values):
        store_id = self.world.new_store("To be deleted")
        self.btcpay.sudo().write({
            'btcpay_api_key': self.world.new_key(store_id, const.PERMISSIONS),
            'btcpay_store_id': store_id, 'btcpay_store_name': "To be deleted",
            'btcpay_webhook_checked_at': False, **values,
        })
        return store_id

    def test_when_the_store_is_deleted_then_the_hourly_check_finds_it_out_for_good(self):
        """The owner is the server's administrator, who may still read it and its invoices."""
        store_id = self._connect_another(btcpay_use_webhook=False, btcpay_webhook_id=False)
        tx = self._create_btcpay_transaction()
        self.world.delete_store(store_id)
        self.env.cr.commit()
        with mute_logger(*QUIET):
            self.env['payment.provider']._cron_btcpay_sync()
        self.assertEqual(self.btcpay.btcpay_health, 'gone')
        self._assert_row("Store", 'danger', "“To be deleted” no longer exists")
        alert = self.btcpay.activity_ids
        self.assertEqual(len(alert), 1)
        # What can be read of it is no sign that it is back.
        self.btcpay.sudo().write({
            'btcpay_retry_at': False, 'btcpay_webhook_checked_at': fields.Datetime.now(),
        })
        tx.btcpay_next_sync_at = fields.Datetime.now() - timedelta(minutes=1)
        self.env.cr.commit()
        with mute_logger(*QUIET):
            self.env['payment.provider']._cron_btcpay_sync()
        self.assertEqual(self.btcpay.btcpay_health, 'gone')
        self.assertEqual(self.btcpay.activity_ids, alert, "It is told once.")

    def test_when_a_checkout_is_refused_then_it_is_found_out_at_once_that_the_store_is_gone(self):
        store_id = self._connect_another()
        self.btcpay.sudo().btcpay_webhook_checked_at = fields.Datetime.now()
        self.world.delete_store(store_id)
        tx = self._create_btcpay_transaction(make_invoice=False)
        with mute_logger(*QUIET, f'{MODELS}.payment_transaction.checkout_failure'):
            tx._get_processing_values()
            self.assertEqual(tx.state, 'error')
            self.env['payment.provider']._cron_btcpay_sync()
        self.assertEqual(self.btcpay.btcpay_health, 'gone')

    # === FIRST STEPS === #

    def test_when_the_state_is_set_first_then_it_is_said_what_to_do_and_the_form_can_be_saved(self):
        self.btcpay.sudo().write({
            'state': 'disabled', **self.btcpay._btcpay_get_empty_connection(),
        })
        for state in ('enabled', 'test'):
            with self.subTest(state=state), Form(self.btcpay) as form:
                with self.assertLogs('odoo.tests.form.onchange', 'WARNING') as logs:
                    form.state = state
                self.assertIn("Connect your store first", logs.output[0])
                self.assertEqual(form.state, 'disabled')
                form.name = f"Bitcoin {state}"
            self.assertEqual(self.btcpay.name, f"Bitcoin {state}")

    def test_when_the_store_is_connected_then_the_mode_can_be_changed(self):
        with Form(self.btcpay) as form:
            form.state = 'test'
        self.assertEqual(self.btcpay.state, 'test')

    def test_when_nothing_was_paid_yet_then_the_next_step_is_told(self):
        self.assertTrue(self.btcpay.btcpay_is_new)
        tx = self._create_btcpay_transaction()
        self.world.pay(tx.btcpay_invoice_id)
        self.world.mine()
        tx._btcpay_sync()
        self.btcpay.invalidate_recordset()
        self.assertFalse(self.btcpay.btcpay_is_new)

    # === ALERTS === #

    def test_when_an_alert_is_raised_then_it_is_on_the_provider_for_who_can_open_it(self):
        administrator = new_test_user(
            self.env, 'btcpay_administrator', 'base.group_system,account.group_account_manager')
        clerk = new_test_user(self.env, 'btcpay_clerk', 'base.group_user')
        for responsible, expected in (
            (administrator, administrator), (clerk, self.env.ref('base.user_admin')),
        ):
            with self.subTest(responsible=responsible.login):
                self.btcpay.btcpay_responsible_id = responsible
                self.btcpay.sudo()._btcpay_raise_alert('btcpay_webhook_activity_id', "Something.")
                [activity] = self.btcpay.activity_ids
                self.assertEqual(activity.user_id, expected)
                self.assertEqual(
                    (activity.res_model, activity.res_id), ('payment.provider', self.btcpay.id))

    def test_when_the_first_administrator_is_archived_then_alerts_are_for_another(self):
        self.env.ref('base.user_admin').sudo().active = False
        elsewhere = self.env['res.company'].sudo().create({'name': "Elsewhere"})
        new_test_user(
            self.env, 'btcpay_elsewhere', 'base.group_system', company_id=elsewhere.id,
            company_ids=[Command.set(elsewhere.ids)])
        self.btcpay.btcpay_responsible_id = False
        self.btcpay.sudo()._btcpay_raise_alert('btcpay_webhook_activity_id', "Something.")
        first = self.btcpay.activity_ids.sudo().user_id
        new_test_user(self.env, 'btcpay_next', 'base.group_system')
        first.with_user(SUPERUSER_ID).action_archive()
        for user in (first, self.btcpay.activity_ids.sudo().user_id):
            self.assertTrue(user.has_group('base.group_system'))
            self.assertTrue(self.btcpay.with_user(user).has_access('read'))
        self.assertFalse(first.active)
        self.assertTrue(user.active)

    def test_when_a_checkout_gets_no_answer_then_it_counts(self):
        tx = self._create_btcpay_transaction(make_invoice=False)
        self.world.fault('status', path='/invoices$', method='POST', status=503)
        with mute_logger(*QUIET, f'{MODELS}.payment_transaction.checkout_failure'):
            tx._get_processing_values()
        self.assertEqual(tx.state, 'error')
        self.assertEqual(self.btcpay.btcpay_health, 'silent')


@tagged('post_install', '-at_install')
class TestRedelivery(CheckupCommon):
    """What did not reach Odoo is found at the server, and sent again with one click."""

    def _redeliver(self):
        """Click “Send Events Again”; they are sent when the click is over, as the tests' database
        cursor is one for both.

        :return: The action.
        :rtype: dict
        """
        asked = []
        with patch.object(Client, 'redeliver', lambda _client, *ids: asked.append(ids[1:])):
            action = self.btcpay.action_btcpay_redeliver()
        with self._world_speaks() as world:
            for ids in asked:
                world.redeliver(*ids)
        return action

    def _miss(self):
        """Have the server speak while Odoo refuses it for good."""
        secret = self.btcpay.sudo().btcpay_webhook_secret
        self.btcpay.sudo().btcpay_webhook_secret = "another"
        with mute_logger(*QUIET), self._world_speaks() as world:
            invoice_id = world.new_invoice(self.store_id)['id']
        self.btcpay.sudo().btcpay_webhook_secret = secret
        return invoice_id

    def test_when_events_did_not_arrive_then_one_click_brings_them(self):
        invoice_id = self._miss()
        deliveries = self.env['btcpay.delivery'].search([('invoice_ref', '=', invoice_id)])
        self.assertFalse(deliveries)
        self._check()
        self.assertEqual(self.btcpay.btcpay_undelivered_count, 1)
        self.assertEqual(self.btcpay.btcpay_health, 'attention')
        self._assert_row("Undelivered events", 'warning', "1 did not reach Odoo")
        self._assert_row("Last delivery", 'warning', "not taken: HTTP Error Code 403")
        action = self._redeliver()
        self.assertIn("1 events again", action['params']['message'])
        [delivery] = self.env['btcpay.delivery'].search([('invoice_ref', '=', invoice_id)])
        self.assertTrue(delivery.is_redelivery)
        self._check()
        self.assertEqual(self.btcpay.btcpay_undelivered_count, 0)
        self._assert_row("Last delivery", 'success', "answered with HTTP 200")
        self.assertNotIn("Undelivered events", self._get_rows())

    def test_when_an_event_missed_several_times_then_it_is_sent_once(self):
        self._miss()
        secret = self.btcpay.sudo().btcpay_webhook_secret
        self.btcpay.sudo().btcpay_webhook_secret = "another"
        with mute_logger(*QUIET):
            self._redeliver()
        self.btcpay.sudo().btcpay_webhook_secret = secret
        self.assertEqual(len(self.world.deliveries(self.btcpay.btcpay_webhook_id)), 2)
        self._check()
        self.assertEqual(self.btcpay.btcpay_undelivered_count, 1)

    def test_when_an_event_is_older_than_the_log_then_it_is_not_missed(self):
        self._miss()
        with patch.object(fields.Datetime, 'now', lambda: fields.Datetime.to_datetime(
            '2100-01-01'
        )):
            client = self.btcpay.sudo()._btcpay_client()
            self.assertFalse(self.btcpay.sudo()._btcpay_find_undelivered(
                client, self.btcpay.sudo()._btcpay_list_deliveries(client)
            ))

    def test_when_the_server_has_forgotten_an_old_event_then_the_connection_is_well(self):
        self._miss()
        for status in (404, 409):
            with self.subTest(status=status):
                self.world.fault('status', path='/request$', status=status)
                self.assertEqual(self._check(), 'success')
                self.assertEqual(self.btcpay.btcpay_undelivered_count, 0)
                self.assertEqual(self.btcpay.btcpay_health, 'healthy')
                self.assertFalse(self.btcpay.btcpay_retry_at)

    def test_when_the_server_does_not_answer_then_nothing_is_lost(self):
        self._miss()
        self._check()
        self.world.fault('status', path='/redeliver$', status=503)
        with mute_logger(*QUIET):
            action = self.btcpay.action_btcpay_redeliver()
        self.assertEqual(action['params']['type'], 'warning')
        self.assertEqual(self.btcpay.btcpay_undelivered_count, 1)
