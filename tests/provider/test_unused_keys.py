from datetime import timedelta

from odoo import fields
from odoo.tests import new_test_user, tagged
from odoo.tools import mute_logger

from odoo.addons.payment_btcpay import const
from odoo.addons.payment_btcpay.tests.money_common import REQUEST_LOG
from odoo.addons.payment_btcpay.tests.provider.connect_common import BTCPayConnectCommon

ONBOARDING_LOG = 'odoo.addons.payment_btcpay.controllers.onboarding'


@tagged('post_install', '-at_install')
class TestUnusedKeys(BTCPayConnectCommon):
    """A key that came and was not taken is revoked at the server, and kept nowhere."""

    def _expire(self, state):
        self._find_authorization(state).expires_at = fields.Datetime.now() - timedelta(seconds=1)

    def _run(self):
        self.env.cr.commit()
        self.env['payment.provider']._cron_btcpay_sync()
        self.env.invalidate_all()

    def _assert_gone(self, state, *keys):
        for key in keys:
            self.assertFalse(self._is_key_known(key))
        self.env.flush_all()
        self.env.cr.execute('SELECT * FROM btcpay_authorization')
        stored = str(self.env.cr.dictfetchall())
        for key in keys:
            self.assertNotIn(key, stored)
        self.assertFalse(self._find_authorization(state).api_key)

    def test_when_a_key_was_not_taken_in_time_then_it_is_revoked_and_forgotten(self):
        state, key = self._begin_state(), self._new_key()
        self._post_key(state, key)
        self._run()
        self.assertTrue(self._is_key_known(key), "It may still be taken.")
        self._expire(state)
        self._run()
        self._assert_gone(state, key)

    def test_when_a_key_comes_after_the_state_has_expired_then_it_is_revoked(self):
        state, key = self._begin_state(), self._new_key()
        self._expire(state)
        self._post_key(state, key)
        self._run()
        self._assert_gone(state, key)

    @mute_logger(ONBOARDING_LOG)
    def test_when_another_user_opens_the_page_then_the_key_is_revoked_once_it_is_over(self):
        state, key = self._begin_state(), self._new_key()
        self._post_key(state, key)
        other = new_test_user(self.env, 'unused_other', 'base.group_system')
        self.authenticate(other.login, other.login)
        self.assertEqual(self._open_page(state).status_code, 400)
        self._expire(state)
        self._run()
        self._assert_gone(state, key)

    def test_when_several_keys_come_then_those_that_are_not_used_are_revoked(self):
        state = self._begin_state()
        keys = [self._new_key() for _number in range(const.MAX_UNUSED_KEYS + 1)]
        for key in keys:
            self._post_key(state, key)
        self.assertEqual(self._open_page(state).status_code, 303)
        self.assertEqual(self.btcpay.sudo().btcpay_api_key, keys[0])
        self._post_key(state, keys[0])  # The browser was reloaded.
        self._post_key(state, self._new_key())  # There is an end to what is kept.
        self.assertEqual(
            len(self._find_authorization(state).unused_keys), const.MAX_UNUSED_KEYS
        )
        self._expire(state)
        self._run()
        self._assert_gone(state, *keys[1:])
        self.assertTrue(self._is_key_known(keys[0]), "It is in use.")

    def test_when_the_key_that_is_in_use_is_posted_for_an_old_state_then_it_stays(self):
        key = self._connect_well()
        state = self._begin_state()
        self._expire(state)
        self._post_key(state, key)
        self._run()
        self.assertTrue(self._is_key_known(key))
        self.assertFalse(self._find_authorization(state).unused_keys)

    @mute_logger(REQUEST_LOG)
    def test_when_the_server_does_not_answer_then_it_is_asked_again(self):
        state, key = self._begin_state(), self._new_key()
        self._post_key(state, key)
        self._expire(state)
        self.world.fault('status', path=r'/api-keys/current$', method='DELETE')
        self._run()
        self.assertTrue(self._is_key_known(key))
        self._run()
        self._assert_gone(state, key)

    @mute_logger(ONBOARDING_LOG)
    def test_when_provider_or_user_are_deleted_then_the_key_is_revoked(self):
        for name in ('provider', 'user'):
            with self.subTest(deleted=name):
                provider = self.btcpay.copy()
                user = new_test_user(self.env, f'unused_{name}', 'base.group_system')
                state = self._begin_state(provider=provider, user=user)
                key = self._new_key()
                self._post_key(state, key)
                self.env.flush_all()
                if name == 'provider':
                    provider.unlink()
                else:
                    user.sudo().unlink()
                response = self._open_page(state)
                self.assertEqual(response.status_code, 400)
                self._run()
                self._assert_gone(state, key)

    def test_when_a_copy_has_a_key_that_production_took_then_it_stays(self):
        state, key = self._begin_state(), self._new_key()
        self._post_key(state, key)
        self._expire(state)
        self.env['ir.config_parameter'].set_param('database.uuid', 'that of the copy')
        self._run()
        self.assertTrue(self._is_key_known(key))
        self.assertFalse(self._find_authorization(state))

    def test_when_the_module_is_uninstalled_then_the_key_is_revoked(self):
        state, key = self._begin_state(), self._new_key()
        self._post_key(state, key)
        self.env['payment.provider'].sudo()._remove_provider('btcpay')
        self.assertFalse(self._is_key_known(key))
