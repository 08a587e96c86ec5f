"""Who may send events is remembered, and forgotten with each change of it."""
from datetime import timedelta
from unittest.mock import patch

from odoo import fields
from odoo.exceptions import AccessError
from odoo.tests import new_test_user, tagged
from odoo.tools import mute_logger

from odoo.addons.payment_btcpay.db import commit_and_refresh
from odoo.addons.payment_btcpay.models.payment_provider import senders
from odoo.addons.payment_btcpay.tests.common import BTCPayHttpCommon

SECRET = 'another secret, long enough to be one'


@tagged('-at_install', 'post_install')
class TestSenders(BTCPayHttpCommon):

    def _find(self):
        return self.env['payment.provider']._btcpay_find_senders(self.btcpay.id)

    def test_when_nothing_has_changed_then_nothing_is_read(self):
        senders = self._find()
        self.env.invalidate_all()
        with self.assertQueryCount(0):
            self.assertEqual(self._find(), senders)

    def test_when_the_webhook_changes_then_it_is_known_at_once(self):
        for values, secrets in (
            ({'btcpay_webhook_secret': SECRET}, [SECRET]),
            ({'btcpay_old_webhook_secret': 'old',
              'btcpay_old_webhook_secret_until': fields.Datetime.now() + timedelta(hours=1)},
             [SECRET, 'old']),
            ({'btcpay_old_webhook_secret_until': fields.Datetime.now() - timedelta(hours=1)},
             [SECRET]),
            ({'btcpay_webhook_secret': False}, []),
        ):
            self._find()
            self.btcpay.sudo().write(values)
            self.assertEqual(self._find().webhooks[0].secrets, secrets)
        self.btcpay.sudo().btcpay_store_id = 'another-store'
        self.assertEqual(self._find().webhooks[0].store_id, 'another-store')

    def test_when_an_old_secret_is_over_then_it_is_good_for_nothing_without_a_change(self):
        until = fields.Datetime.now() + timedelta(hours=1)
        self.btcpay.sudo().write({
            'btcpay_old_webhook_secret': 'old', 'btcpay_old_webhook_secret_until': until,
        })
        webhook = self._find().webhooks[0]
        self.assertIn('old', webhook.secrets)
        with patch.object(fields.Datetime, 'now', lambda: until):
            self.assertNotIn('old', webhook.secrets)

    def test_when_an_earlier_store_comes_changes_and_goes_then_it_is_known_at_once(self):
        self._find()
        store = self.env['btcpay.earlier.store'].sudo().create({
            'provider_id': self.btcpay.id, 'database': 'x', 'server_url': 'https://x.example',
            'api_key': 'x', 'store_id': 'earlier', 'webhook_id': 'w', 'webhook_secret': 's1',
        })
        self.assertEqual(self._find().webhooks[1].secrets, ['s1'])
        with patch.object(self.registry, 'clear_cache') as clear:
            store.write({'over_at': False, 'retry_at': False})  # As long as something is open.
        clear.assert_not_called()
        for values in (
            {'store_id': 'x'}, {'webhook_id': 'x'}, {'webhook_by_hand': True},
            {'old_webhook_secret': 'x'}, {'old_webhook_secret_until': fields.Datetime.now()},
        ):
            with patch.object(self.registry, 'clear_cache') as clear:
                store.write(values)
            clear.assert_called_once()
        store.webhook_secret = 's2'
        self.assertEqual(self._find().webhooks[1].secrets, ['s2'])
        store.unlink()
        self.assertEqual(len(self._find().webhooks), 1)

    def test_when_a_change_is_stored_then_other_processes_are_told(self):
        self.env.cr.postcommit.clear()
        with (
            patch.object(self.registry, 'signal_changes') as signal,
            patch.object(self.registry, 'ready', True),
        ):
            self.btcpay.name = "Another Name"
            self.env.cr.postcommit.run()
            signal.assert_not_called()
            self.btcpay.sudo().btcpay_webhook_secret = SECRET
            before = self._find()
            self.env.flush_all()
            self.env.cr.execute(
                "UPDATE payment_provider SET btcpay_webhook_secret = 'stored since'"
                " WHERE id = %s", [self.btcpay.id],
            )
            self.assertEqual(self._find(), before, "It is remembered.")
            self.env.cr.postcommit.run()
            signal.assert_called_once()
        self.env.invalidate_all()
        self.assertEqual(self._find().webhooks[0].secrets, ['stored since'])

    def test_when_it_changes_while_it_is_read_then_what_was_read_is_not_remembered(self):
        """Another thread of this process changes it, which tells all processes but this one."""
        provider, sequences = self.btcpay.sudo(), self.registry.cache_sequences
        sequence = sequences['default']
        self.addCleanup(sequences.update, default=sequence)
        provider.btcpay_webhook_secret = SECRET
        search_fetch = self.registry['payment.provider'].search_fetch

        def change_meanwhile(records, *args, **kwargs):
            found = search_fetch(records, *args, **kwargs)
            found.mapped('btcpay_webhook_secret')
            self.registry.clear_cache()
            sequences['default'] = sequence + 1
            return found

        with patch.object(self.registry['payment.provider'], 'search_fetch', change_meanwhile):
            self.assertEqual(self._find().webhooks[0].secrets, [SECRET])
        self.env.cr.execute(
            "UPDATE payment_provider SET btcpay_webhook_secret = 'stored since' WHERE id = %s",
            [provider.id],
        )
        self.env.invalidate_all()
        self.assertEqual(self._find().webhooks[0].secrets, ['stored since'])

    def test_when_it_is_not_remembered_then_it_is_read_as_it_is_now(self):
        """A request that has waited for its body would read what it was when the request came."""
        self.registry.clear_cache()
        for commits in (1, 0):
            with patch.object(senders, 'commit_and_refresh', wraps=commit_and_refresh) as commit:
                self._find()
                self.assertEqual(commit.call_count, commits)

    def test_when_somebody_may_not_change_it_then_nothing_is_forgotten(self):
        self._find()
        user = new_test_user(self.env, 'without_rights', 'base.group_portal')
        for call in (
            lambda: self.btcpay.with_user(user).write({'btcpay_debug': True}),
            lambda: self.env['btcpay.earlier.store'].with_user(user).create({}),
            lambda: self.env['btcpay.earlier.store'].with_user(user).browse(1).write({}),
            lambda: self.env['btcpay.earlier.store'].with_user(user).browse(1).unlink(),
        ):
            with (
                patch.object(self.registry, 'clear_cache') as clear,
                mute_logger('odoo.addons.base.models.ir_model'),
                self.assertRaises(AccessError),
            ):
                call()
            clear.assert_not_called()

    @mute_logger('odoo.addons.payment_btcpay.controllers.main')
    def test_when_there_is_no_such_provider_then_nobody_may_send_and_nothing_is_remembered(self):
        other = self.env.ref('payment.payment_provider_demo')
        for number in (other.id, self.btcpay.id + 1000, 10**12):
            for _time in range(2):
                self.assertEqual(self._find_of(number), ((), False))
        self.assertEqual(self.url_open(
            f'/payment/btcpay/webhook/{10**12}', data=b'{}', method='POST',
        ).status_code, 403)
        other.sudo().code = 'btcpay'
        self.assertTrue(self._find_of(other.id).webhooks)

    def _find_of(self, number):
        return self.env['payment.provider']._btcpay_find_senders(number)

    def test_when_the_provider_is_deleted_then_nobody_may_send(self):
        provider = self.btcpay.sudo().copy()
        self.assertTrue(self._find_of(provider.id).webhooks)
        provider.unlink()
        self.assertEqual(self._find_of(provider.id), ((), False))
