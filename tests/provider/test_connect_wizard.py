import hashlib
from datetime import timedelta
from unittest.mock import patch
from urllib.parse import urlsplit

import requests

from odoo import fields
from odoo.exceptions import AccessError, ValidationError
from odoo.tests import Form, new_test_user, tagged
from odoo.tools import mute_logger

from odoo.addons.payment_btcpay import const
from odoo.addons.payment_btcpay.greenfield import address
from odoo.addons.payment_btcpay.tests.provider.connect_common import BTCPayConnectCommon
from odoo.addons.payment_btcpay.tests.provider.small_server import SmallServer


@tagged('post_install', '-at_install')
class TestConnectWizard(BTCPayConnectCommon):

    def test_when_connecting_begins_then_the_authorize_page_gets_what_it_needs_to_know(self):
        self.btcpay.company_id.name = "Hats & Söhne"
        params = self._begin(f'{self.world.url}/')
        self.assertEqual(
            f'{self.authorize_url.scheme}://{self.authorize_url.netloc}{self.authorize_url.path}',
            f'{self.world.url}/api-keys/authorize',
        )
        self.assertEqual([value for name, value in params if name == 'permissions'], [
            'btcpay.store.canviewinvoices',
            'btcpay.store.cancreateinvoice',
            'btcpay.store.canmodifyinvoices',
            'btcpay.store.webhooks.canmodifywebhooks',
            'btcpay.store.canviewstoresettings',
            'btcpay.store.cancreatenonapprovedpullpayments',
        ])
        others = {name: value for name, value in params if name != 'permissions'}
        self.assertEqual(len(params), 6 + len(others), "A parameter is repeated.")
        self.assertEqual(others.pop('strict'), 'true')
        self.assertEqual(others.pop('selectiveStores'), 'true')
        self.assertEqual(others.pop('applicationName'), "Odoo - Hats & Söhne")
        self.assertEqual(others.pop('applicationIdentifier'), f'odoo-{self.btcpay.id}')
        redirect = urlsplit(others.pop('redirect'))
        self.assertEqual(
            f'{redirect.scheme}://{redirect.netloc}{redirect.path}',
            f'{self.base_url()}/payment/btcpay/callback',
        )
        self.assertRegex(redirect.query, r'^state=[A-Za-z0-9_-]{43}$')
        self.assertFalse(others)

    def test_when_odoo_is_used_by_plain_http_then_only_on_a_private_network(self):
        """The key comes back to where the administrator is."""
        for host, is_private in (
            ('odoo.example.com', False), ('8.8.8.8:8069', False), ('192.168.1.5:8069', True),
        ):
            wizard = self._open_wizard()
            self.env.cr.commit()
            since = self.env['btcpay.authorization'].sudo().search_count([])
            with (
                self.subTest(host=host), mute_logger('odoo.http'),
                self.allow_requests(all_requests=True),
            ):
                answer = requests.post(f'{self.base_url()}/web/dataset/call_kw', json={'params': {
                    'model': wizard._name, 'method': 'action_connect', 'args': [wizard.ids],
                    'kwargs': {},
                }}, headers={
                    'Host': host, 'Cookie': f'session_id={self.session.sid}',
                }, timeout=30).json()
                if is_private:
                    self.assertIn(
                        f'redirect=http%3A%2F%2F{host.replace(":", "%3A")}%2Fpayment',
                        answer['result']['url'],
                    )
                else:
                    self.assertIn("by plain http", answer['error']['data']['message'])
                started = self.env['btcpay.authorization'].sudo().search_count([]) - since
                self.assertEqual(started, is_private)

    def test_when_the_server_is_below_a_path_then_the_authorize_page_is_too(self):
        with SmallServer(lambda http: http.reply()) as server:
            self._begin(f'{server.url}/pay/')
            self.assertEqual(server.requests[0][1], '/pay/api/v1/health')
        self.assertEqual(self.authorize_url.path, '/pay/api-keys/authorize')

    def test_when_connecting_begins_then_a_hash_of_a_new_state_is_stored(self):
        state = self._begin_state()
        authorization = self._find_authorization(state)
        self.assertRecordValues(authorization, [{
            'provider_id': self.btcpay.id,
            'user_id': self.administrator.id,
            'server_url': self.world.url,
            'state': 'started',
            'state_hash': hashlib.sha256(state.encode()).hexdigest(),
            'api_key': False,
        }])
        self.assertAlmostEqual(
            authorization.expires_at, fields.Datetime.now() + timedelta(minutes=30),
            delta=timedelta(minutes=1),
        )
        self.env.cr.execute(
            'SELECT row_to_json(a)::text FROM btcpay_authorization a WHERE id = %s',
            [authorization.id],
        )
        self.assertNotIn(state, self.env.cr.fetchone()[0], "The state itself is stored.")
        self.assertNotEqual(self._begin_state(), state)

    def test_when_connecting_begins_then_the_provider_is_unchanged(self):
        before = self._read_row()
        self._begin()
        self.assertEqual(self._read_row(), before)
        self.assertFalse(self.world.webhooks(self.store_id))

    def test_when_it_is_canceled_at_the_server_then_the_address_and_choices_are_kept(self):
        """The server's “Cancel” does not come back: the administrator begins anew."""
        wizard = self._open_wizard(f'{self.world.url}/login')
        wizard.write({'no_webhook': True, 'poll_minutes': 7})
        wizard.action_connect()

        def reopen(user):
            action = self.btcpay.with_user(user).action_btcpay_connect()
            return self.env[action['res_model']].with_user(user).with_context(
                action['context']
            ).default_get(['provider_id', 'server_url', 'no_webhook', 'poll_minutes'])

        self.assertEqual(reopen(self.administrator), {
            'provider_id': self.btcpay.id, 'server_url': self.world.url, 'no_webhook': True,
            'poll_minutes': 7,
        })
        other = new_test_user(
            self.env, 'btcpay_other', 'base.group_system,account.group_account_manager')
        self.assertNotIn('server_url', reopen(other))

    def test_when_the_address_is_refused_then_no_authorization_is_begun(self):
        count = self.env['btcpay.authorization'].sudo().search_count([])
        for server_url, text in {
            'ftp://example.com': "must begin", 'http://8.8.8.8': "plain http",
            'http://169.254.169.254': "no BTCPay Server can be", 'http://0xa9fea9fe': "can be",
            'http://127.0.0.1%2eevil.example': "not a web address",
        }.items():
            with self.subTest(url=server_url), self.assertRaisesRegex(ValidationError, text):
                self._begin(server_url)
        self.assertEqual(self.env['btcpay.authorization'].sudo().search_count([]), count)

    def test_when_a_server_address_is_checked_then_no_key_is_sent_to_it(self):
        self._connect_well()
        with SmallServer(lambda http: http.reply()) as server:
            self._begin(server.url)
        self.assertTrue(server.requests)
        for _method, _path, headers in server.requests:
            self.assertNotIn('Authorization', headers)

    def test_when_the_address_is_resolved_then_no_lock_is_held(self):
        events = []
        resolve = 'odoo.addons.payment_btcpay.greenfield.address.resolve'
        wizard = self._open_wizard()
        commit = self.env.cr.commit
        with (
            patch.object(self.env.cr, 'commit', lambda: [events.append('commit'), commit()]),
            patch(resolve, lambda *args: [events.append('resolve'), self.world.url][1]),
        ):
            wizard.action_connect()
        self.assertEqual(events[:2], ['commit', 'resolve'])

    def test_when_the_address_is_plain_http_and_not_local_then_the_form_warns(self):
        form = Form(self._open_wizard())
        for server_url, expected in {
            'http://192.168.1.5': True, ' HTTP://btcpay.local': True, 'http://[bad': True,
            'http://127.0.0.1:14142': False, 'http://localhost': False, 'https://a.b': False,
            'a.b': False, '': False,
        }.items():
            form.server_url = server_url
            self.assertEqual(form.is_insecure, expected, server_url)

    def test_when_a_server_is_connected_then_the_wizard_begins_with_its_address(self):
        self.assertFalse(self.env['btcpay.connect.wizard'].with_context(
            default_provider_id=self.btcpay.id
        ).default_get(['server_url', 'provider_id']).get('server_url'))
        self._connect_well()
        values = self.env['btcpay.connect.wizard'].with_user(self.administrator).with_context(
            default_provider_id=self.btcpay.id
        ).default_get(['server_url', 'provider_id'])
        self.assertEqual(values['server_url'], self.world.url)

    def test_when_a_store_is_authorized_again_then_the_polling_interval_is_as_it_was(self):
        self._connect_well()
        self.btcpay.btcpay_poll_minutes = 12
        self._open_wizard().action_connect()
        authorization = self.env['btcpay.authorization'].sudo().search([], limit=1)
        self.assertEqual(authorization.poll_minutes, 12)

    def test_when_the_user_is_no_administrator_then_the_wizard_is_denied(self):
        with self.assertRaises(AccessError):
            self._open_wizard(user=self.internal_user)

    def test_when_an_authorization_has_long_expired_then_it_is_removed(self):
        old, fresh = self._begin_state(), self._begin_state()
        self._find_authorization(old).expires_at = fields.Datetime.now() - timedelta(days=2)
        self.env['btcpay.authorization']._gc_authorizations()
        self.assertFalse(self._find_authorization(old))
        self.assertTrue(self._find_authorization(fresh))

    def test_when_the_onboarding_is_started_then_the_connect_wizard_opens(self):
        action = self.btcpay.action_start_onboarding()
        self.assertEqual(action['res_model'], 'btcpay.connect.wizard')
        self.assertEqual(const.AUTHORIZATION_VALIDITY, 30)

    def test_when_an_address_is_refused_then_each_reason_has_a_sentence_of_its_own(self):
        wizard = self._open_wizard()
        values = {
            'address': 'x', 'url': 'https://a.example.com', 'target': 'http://b.example.com',
            'status': '503',
        }
        sentences = {
            wizard._explain(address.AddressRefused(reason, **values))
            for reason in address.REASONS
        }
        self.assertEqual(len(sentences), len(address.REASONS))

    def test_when_the_address_leads_to_another_host_then_the_administrator_is_asked_first(self):
        target = f'{self.world.url}/api/v1/health'
        count = self.env['btcpay.authorization'].sudo().search_count([])
        with SmallServer(lambda http: http.redirect(target)) as server:
            wizard = self._open_wizard(f'{server.url}/')
            action = wizard.action_connect()
        self.assertEqual(action['res_model'], 'btcpay.connect.wizard')
        self.assertEqual(action['res_id'], wizard.id)
        self.assertEqual(action['target'], 'new')
        self.assertRecordValues(wizard, [{
            'is_redirected': True, 'server_url': self.world.url,
        }])
        self.assertEqual(self.env['btcpay.authorization'].sudo().search_count([]), count)
        url = wizard.action_connect()['url']
        self.assertTrue(url.startswith(f'{self.world.url}/api-keys/authorize?'), url)

    def test_when_the_address_leads_to_a_path_of_the_same_host_then_nobody_is_asked(self):
        def answer(http):
            is_below = http.path.startswith('/pay')
            http.reply() if is_below else http.redirect(f'/pay{http.path}')

        with SmallServer(answer) as server:
            url = self._open_wizard(server.url).action_connect()['url']
        self.assertTrue(url.startswith(f'{server.url}/pay/api-keys/authorize?'), url)

    def test_when_nobody_answers_then_it_is_said(self):
        wizard = self._open_wizard(server_url='http://127.0.0.1:9')
        with self.assertRaisesRegex(ValidationError, "No server answers at http://127.0.0.1:9"):
            wizard.action_connect()
