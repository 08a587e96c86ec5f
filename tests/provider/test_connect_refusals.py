from datetime import timedelta
from unittest.mock import patch

from lxml import html

from odoo import fields
from odoo.exceptions import UserError
from odoo.fields import Command
from odoo.tests import new_test_user, tagged
from odoo.tools import mute_logger

from odoo.addons.payment_btcpay import const
from odoo.addons.payment_btcpay.greenfield import Client, ServerInfo
from odoo.addons.payment_btcpay.tests.provider.connect_common import BTCPayConnectCommon

CONTROLLER = 'odoo.addons.payment_btcpay.controllers.onboarding'
REQUEST = 'odoo.addons.payment_btcpay.models.payment_provider.client'
WEBHOOK = 'odoo.addons.payment_btcpay.models.payment_provider.webhook'


class RefusalCommon(BTCPayConnectCommon):

    def _assert_refused(self, state, reason, text, may_see=True):
        """Open the page, which refuses; nothing at all may have changed in Odoo.

        :return: The page's response.
        :rtype: requests.Response
        """
        before = self._read_row()
        with self.assertLogs(CONTROLLER, 'WARNING') as log, mute_logger(REQUEST, WEBHOOK):
            response = self._open_page(state)
        self.assertEqual(response.status_code, 400)
        self.assertIn(f'({reason})', log.output[0])
        page = html.fromstring(response.text)
        box = page.xpath("//div[@name='o_btcpay_connection_refused']")[0]
        self.assertEqual(box.get('data-reason'), reason)
        self.assertIn(text, " ".join(box.text_content().split()))
        [headline] = box.xpath('.//h1/text()')
        self.assertEqual(
            headline,
            "This link is no longer of use" if reason in ('expired', 'state', 'used')
            else "Nothing was changed: your store is connected as before"
            if may_see and before['btcpay_connection_state'] == 'connected'
            else "Your BTCPay Server is not connected",
        )
        links = [link.get('href') for link in box.xpath('.//a')]
        if may_see:
            self.assertIn('/odoo/action-', links[0])
        else:
            self.assertFalse(links, "They cannot see the provider.")
        self.assertEqual(self._read_row(), before, "Something was changed on the provider.")
        return response

    def _assert_key_refused(self, reason, text, api_key=None, store=None):
        """Go all the way with a key, which is refused, and nothing is left at the server."""
        api_key = api_key or self._new_key()
        state = self._begin_state()
        self._post_key(state, api_key)
        response = self._assert_refused(state, reason, text)
        self.assertNotIn(api_key, response.text)
        authorization = self._find_authorization(state)
        self.assertEqual((authorization.state, authorization.api_key), ('used', False))
        self.assertFalse(self.world.webhooks(store or self.store_id), "A webhook was left behind.")
        self.assertFalse(self._is_key_known(api_key), "The key was left behind.")


@tagged('post_install', '-at_install')
class TestConnectRefusedBefore(RefusalCommon):
    """The key is not even looked at."""

    def _begin_with_key(self):
        self.api_key = self._new_key()
        state = self._begin_state()
        self._post_key(state, self.api_key)
        self.asked = max(request['n'] for request in self.world.requests())
        return state

    def _assert_not_used(self):
        used = [
            request['path'] for request in self.world.requests(self.asked)
            if request['path'].startswith('/api/v1/')
        ]
        self.assertFalse(used, "The key was used.")

    def test_when_the_state_is_unknown_then_the_page_refuses(self):
        self._assert_refused('unknown', 'state', "was not started here")
        self._assert_refused('', 'state', "was not started here")

    def test_when_no_key_has_come_yet_then_the_page_refuses_until_it_comes(self):
        state = self._begin_state()
        self._assert_refused(state, 'no_key', "has not sent an API key")
        # It can still come.
        self._post_key(state, self._new_key())
        self.assertEqual(self._open_page(state).status_code, 303)

    def test_when_the_authorization_has_expired_then_the_key_is_not_used(self):
        state = self._begin_with_key()
        authorization = self._find_authorization(state)
        authorization.expires_at = fields.Datetime.now() - timedelta(seconds=1)
        self._assert_refused(state, 'expired', "more than 30 minutes ago")
        self._assert_not_used()

    def test_when_the_page_is_opened_again_after_success_then_it_refuses(self):
        state = self._begin_with_key()
        self.assertEqual(self._open_page(state).status_code, 303)
        self.asked = max(request['n'] for request in self.world.requests())
        self._assert_refused(state, 'used', "made or refused already")
        self._assert_not_used()

    def test_when_the_page_is_opened_again_after_a_refusal_then_it_refuses(self):
        state = self._begin_with_key()
        self.world.fault('status', path='api-keys', status=503)
        self._assert_refused(state, 'server', "HTTP 503")
        self.asked = max(request['n'] for request in self.world.requests())
        self._assert_refused(state, 'used', "made or refused already")
        self._assert_not_used()

    def test_when_another_administrator_opens_the_page_then_it_is_left_to_who_began(self):
        state = self._begin_with_key()
        new_test_user(self.env, 'btcpay_other', 'base.group_user,base.group_system')
        self.authenticate('btcpay_other', 'btcpay_other')
        self._assert_refused(state, 'user', "Another user started")
        self._assert_not_used()
        # It is still there for who began.
        self.authenticate('btcpay_administrator', 'btcpay_administrator')
        self.assertEqual(self._open_page(state).status_code, 303)

    def test_when_the_user_is_no_longer_an_administrator_then_the_key_is_not_used(self):
        state = self._begin_with_key()
        self.administrator.group_ids = [Command.unlink(self.env.ref('base.group_system').id)]
        self._assert_refused(state, 'user', "as an administrator", may_see=False)
        self._assert_not_used()

    def test_when_a_portal_user_opens_the_page_then_the_key_is_not_used(self):
        state = self._begin_with_key()
        new_test_user(self.env, 'btcpay_portal', 'base.group_portal')
        self.authenticate('btcpay_portal', 'btcpay_portal')
        self._assert_refused(state, 'user', "Another user started", may_see=False)
        self._assert_not_used()

    def test_when_nobody_is_logged_in_then_the_page_leads_to_the_login_and_keeps_the_state(self):
        state = self._begin_with_key()
        before = self._read_row()
        self.authenticate(None, None)
        response = self._open_page(state)
        self.assertEqual(response.status_code, 303)
        self.assertIn('/web/login', response.headers['Location'])
        self.assertIn(state, response.headers['Location'])
        self.assertEqual(self._read_row(), before)
        self._assert_not_used()


@tagged('post_install', '-at_install')
class TestConnectRefusedKey(RefusalCommon):

    def test_when_the_key_is_for_several_stores_then_it_is_refused(self):
        other = self.world.new_store("Other")
        key = self._new_key([self.store_id, other])
        self._assert_key_refused('stores', "is for 2 stores", key)
        self.assertFalse(self.world.webhooks(other))

    def test_when_the_key_lacks_a_permission_then_it_is_refused_and_the_permission_named(self):
        for permission in const.PERMISSIONS:
            with self.subTest(permission=permission):
                key = self._new_key(permissions=set(const.PERMISSIONS) - {permission})
                self._assert_key_refused('permission', f"lacks permissions: {permission}.", key)

    def test_when_the_key_is_for_all_stores_then_it_is_refused(self):
        key = self.world.new_key(None, const.PERMISSIONS)
        self._assert_key_refused('wildcard', "is for all stores", key)

    def test_when_one_permission_of_the_key_is_for_all_stores_then_it_is_refused(self):
        scoped = [f'{permission}:{self.store_id}' for permission in const.PERMISSIONS]
        key = self.world.new_key(None, [*scoped, 'btcpay.store.canviewinvoices'])
        self._assert_key_refused('wildcard', "is for all stores", key)

    def test_when_the_key_is_unrestricted_then_it_is_refused(self):
        scoped = [f'{permission}:{self.store_id}' for permission in const.PERMISSIONS]
        key = self.world.new_key(None, [*scoped, 'unrestricted'])
        self._assert_key_refused('wildcard', "is for all stores", key)

    def test_when_the_key_may_do_more_than_was_asked_for_then_it_is_refused(self):
        """Only who sets it up by hand can say that they want it all the same."""
        for more in (
            'btcpay.store.canmodifystoresettings', 'btcpay.store.canmodifypaymentrequests',
        ):
            with self.subTest(more=more):
                key = self._new_key(permissions=[*const.PERMISSIONS, more])
                self._assert_key_refused('excess', f"may do more than Odoo asked for: {more}", key)

    def test_when_the_server_does_not_accept_the_key_then_it_is_refused(self):
        self._assert_key_refused('key', "does not accept the API key", 'a1' * 20)

    def test_when_the_key_has_no_permission_at_all_then_it_is_refused(self):
        self._assert_key_refused('permission', "lacks permissions", self.world.new_key(None, []))


@tagged('post_install', '-at_install')
class TestConnectRefusedByServer(RefusalCommon):

    def test_when_the_server_fails_at_any_step_then_nothing_is_connected_nor_left(self):
        for path in ('/api-keys/current$', '/stores$', '/payment-methods$'):
            for kind, text in {
                'drop': "did not answer", 'status': "HTTP 503", 'half': "understood|answer",
                'wrong_json': "cannot be understood",
            }.items():
                with self.subTest(path=path, kind=kind):
                    self.world.fault(kind, path=path, method='GET')
                    if kind == 'half':  # Either half is read, or that it is half is noticed.
                        text = "answer"
                    self._assert_key_refused('server', text)

    def test_when_the_server_is_too_old_then_the_connection_is_refused(self):
        for version, is_refused in (
            ('1.13.7+abc', True), ('2.1.6', True), ('2.2.0', False), ('', False),
        ):
            with self.subTest(version=version), patch.object(
                Client, 'get_server_info', lambda _client, v=version: ServerInfo(v)
            ):
                if is_refused:
                    self._assert_key_refused('version', f"has version {version}, which is too old")
                else:
                    self._connect_well()
                    self.btcpay.action_reset_credentials()

    def test_when_the_server_does_not_say_its_version_then_only_a_fault_of_its_own_is_passed(self):
        self.world.fault('drop', path='/server/info$')
        self._assert_key_refused('server', "did not answer")
        self.world.fault('status', path='/server/info$', status=500, count=2)
        with mute_logger(REQUEST):
            self._connect_well()

    def test_when_nothing_listens_at_the_address_any_more_then_the_connection_is_refused(self):
        state = self._begin_state()
        self._find_authorization(state).server_url = 'http://127.0.0.1:1'
        self._post_key(state, self._new_key())
        self._assert_refused(state, 'server', "did not answer")

    def test_when_the_server_hangs_then_the_connection_is_refused(self):
        self.patch(const, 'TIMEOUT', 1)
        self.world.fault('hang', path='/api-keys/current$', seconds=3)
        self._assert_key_refused('server', "did not answer")

    def test_when_the_store_has_no_payment_method_then_the_connection_is_refused(self):
        store = self.world.new_store("Empty", methods=())
        self._assert_key_refused('methods', "“Empty” cannot take payments", self._new_key(store),
                                 store)

    def test_when_all_payment_methods_are_disabled_then_the_connection_is_refused(self):
        store = self.world.new_store("Switched off")
        self.world.change_store(store, methods=())
        self._assert_key_refused('methods', "no payment method is enabled", self._new_key(store),
                                 store)

    def test_when_the_server_refuses_the_webhook_then_the_connection_is_refused(self):
        for status in (400, 403, 422, 500):
            with self.subTest(status=status):
                self.world.fault('status', path='/webhooks$', method='POST', status=status)
                self._assert_key_refused('webhook', "did not accept the webhook")

    def test_when_the_webhooks_cannot_be_listed_then_the_connection_is_refused(self):
        for kind in ('status', 'drop', 'wrong_json'):
            with self.subTest(kind=kind):
                self.world.fault(kind, path='/webhooks$', method='GET')
                self._assert_key_refused('webhook', "did not accept the webhook")

    def test_when_the_webhook_is_made_without_an_answer_then_it_is_not_left_behind(self):
        for kind in ('drop', 'half', 'wrong_json', 'status'):
            with self.subTest(kind=kind):
                self.world.fault(kind, path='/webhooks$', method='POST', after=True)
                self._assert_key_refused('webhook', "did not accept the webhook")

    def test_when_writing_the_provider_is_refused_then_the_page_says_why_and_nothing_is_left(self):
        provider_class = self.env.registry['payment.provider']
        write = provider_class.write

        def fail(records, vals):
            result = write(records, vals)
            if vals.get('btcpay_connection_state') == 'connected':
                self.assertTrue(self.world.webhooks(self.store_id), "It is not the last step.")
                raise UserError("No journal.")
            return result

        with patch.object(provider_class, 'write', fail):
            self._assert_key_refused('failed', "No journal.")

    def test_when_writing_the_provider_breaks_then_nothing_is_left_at_either_end(self):
        provider_class = self.env.registry['payment.provider']
        state, before, api_key = self._begin_state(), self._read_row(), self._new_key()
        self._post_key(state, api_key)
        with (
            patch.object(provider_class, 'write', side_effect=ZeroDivisionError),
            mute_logger('odoo.http'),
        ):
            self.assertEqual(self._open_page(state).status_code, 500)
        self.assertEqual(self._read_row(), before)
        self.assertFalse(self.world.webhooks(self.store_id))
        self.assertFalse(self._is_key_known(api_key))

    def test_when_a_new_connection_is_refused_then_the_store_stays_connected(self):
        """What is refused leaves the connection there is, at both ends."""
        api_key = self._connect_well()
        webhooks = self.world.webhooks(self.store_id)
        for kind, path, reason in (
            ('drop', '/api-keys/current$', 'server'), ('status', '/webhooks/', 'webhook'),
        ):
            self.world.fault(kind, path=path, method='PUT' if reason == 'webhook' else 'GET')
            state, new_key = self._begin_state(), self._new_key()
            self._post_key(state, new_key)
            self._assert_refused(state, reason, "")
            self.assertFalse(self._is_key_known(new_key))
            self.assertTrue(self._is_key_known(api_key))
            self.assertEqual(self.world.webhooks(self.store_id), webhooks)

    def test_when_the_key_in_use_is_posted_and_refused_then_it_is_not_revoked(self):
        """Who posts the key that is in use cannot have it revoked."""
        api_key = self._connect_well()
        self.world.change_store(self.store_id, methods=())
        self.addCleanup(self.world.change_store, self.store_id, methods=self.store_methods)
        state = self._begin_state()
        self._post_key(state, api_key)
        self._assert_refused(state, 'methods', "no payment method")
        self.assertTrue(self._is_key_known(api_key))
