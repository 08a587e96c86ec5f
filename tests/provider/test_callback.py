from datetime import timedelta
from urllib.parse import parse_qsl, urljoin, urlsplit

import requests
from lxml import html

from odoo import fields
from odoo.tests import tagged

from odoo.addons.payment_btcpay import const
from odoo.addons.payment_btcpay.tests.provider.connect_common import BTCPayConnectCommon

KEY, OTHER_KEY = 'a1' * 20, 'b2' * 20


@tagged('post_install', '-at_install')
class TestCallback(BTCPayConnectCommon):
    """What is posted proves nothing: it is kept for its state, and no more."""

    def _assert_kept(self, state, api_key, name='received'):
        authorization = self._find_authorization(state)
        self.assertEqual(authorization.state, name)
        self.assertEqual(authorization.api_key, api_key)

    def test_when_another_site_posts_the_key_then_it_is_kept_and_not_used(self):
        state, before, since = self._begin_state(), self._read_row(), self._count_requests()
        response = self._post_key(state, KEY)
        self.assertEqual(response.status_code, 303)
        location = urlsplit(urljoin(self.base_url(), response.headers['Location']))
        self.assertEqual(location.netloc, urlsplit(self.base_url()).netloc)
        self.assertEqual(location.path, const.CONNECT_ROUTE)
        self.assertEqual(parse_qsl(location.query), [('state', state)])
        self.assertNotIn('Set-Cookie', response.headers, "Their session would be lost.")
        self._assert_kept(state, KEY)
        self.assertEqual(self._read_row(), before)
        self.assertEqual(self._count_requests(), since, "The key was used.")

    def _count_requests(self):
        return max([request['n'] for request in self.world.requests()], default=0)

    def test_when_a_second_key_is_posted_then_the_first_one_stays(self):
        state = self._begin_state()
        self._post_key(state, KEY)
        self.assertEqual(self._post_key(state, OTHER_KEY).status_code, 303)
        self._assert_kept(state, KEY)

    def test_when_the_authorization_has_expired_then_a_posted_key_is_not_kept(self):
        state = self._begin_state()
        self._find_authorization(state).expires_at = fields.Datetime.now() - timedelta(seconds=1)
        self.assertEqual(self._post_key(state, KEY).status_code, 303)
        self._assert_kept(state, False, 'started')

    def test_when_the_authorization_was_used_then_a_posted_key_is_not_kept(self):
        state = self._begin_state()
        self._find_authorization(state).state = 'used'
        self.assertEqual(self._post_key(state, KEY).status_code, 303)
        self._assert_kept(state, False, 'used')

    def test_when_the_key_comes_by_get_then_it_is_not_kept(self):
        state = self._begin_state()
        response = self.url_open(
            const.CALLBACK_ROUTE, params={'state': state, 'apiKey': KEY}, allow_redirects=False
        )
        self.assertEqual(response.status_code, 303)
        self._assert_kept(state, False, 'started')

    def test_when_garbage_is_posted_as_the_key_then_it_is_not_kept(self):
        state = self._begin_state()
        for api_key in ('', 'a b', 'a\r\nX-Evil: 1', 'ä' * 40, 'a' * 129, '"', '\0'):
            with self.subTest(api_key=api_key):
                self.assertEqual(self._post_key(state, api_key).status_code, 303)
                self._assert_kept(state, False, 'started')
        self._post_key(state, None)
        self._assert_kept(state, False, 'started')

    def test_when_the_state_is_unknown_then_no_key_is_kept(self):
        self._begin_state()
        for state in ('unknown', '', None, '\0', 'ä%ff', ['a', 'b']):
            with self.subTest(state=state):
                self.assertEqual(self._post_key(state, KEY).status_code, 303)
        kept = self.env['btcpay.authorization'].sudo().search([('state', '=', 'received')])
        self.assertFalse(kept)

    def test_when_the_pages_of_the_server_are_gone_through_then_the_store_is_connected(self):
        """The server's own page posts; what it needs of us is what it was given."""
        session = requests.Session()
        self._begin()
        page = session.get(self.authorize_url.geturl(), timeout=30)
        form = html.fromstring(page.text).forms[0]
        login = dict(form.form_values(), Email=self.world.email, Password=self.world.password)
        page = session.post(urljoin(page.url, form.action), data=login, timeout=30)
        form = html.fromstring(page.text).forms[0]
        store = {**dict(form.form_values()), 'StoreId': self.store_id, 'command': 'SelectStores'}
        page = session.post(urljoin(page.url, form.action), data=store, timeout=30)
        form = html.fromstring(page.text).forms[0]
        consent = {**dict(form.form_values()), 'command': 'Authorize'}
        page = session.post(urljoin(page.url, form.action), data=consent, timeout=30)
        form = html.fromstring(page.text).get_element_by_id('postform')
        self.env.flush_all()
        with self.allow_requests(all_requests=True):
            response = requests.post(
                form.action, data=form.form_values(), allow_redirects=False, timeout=30
            )
        self.http_request_allow_all = False
        self.env.invalidate_all()
        self.assertEqual(response.status_code, 303)
        response = self.url_open(response.headers['Location'], allow_redirects=False)
        self.assertEqual(response.status_code, 303, response.text)
        self.env.invalidate_all()
        self.assertEqual(self.btcpay.btcpay_store_id, self.store_id)
        self.assertEqual(self.btcpay.btcpay_connection_state, 'connected')
