from urllib.parse import parse_qsl, urlsplit

import requests

from odoo.tests import new_test_user

from odoo.addons.payment_btcpay import const
from odoo.addons.payment_btcpay.tests.common import BTCPayHttpCommon


class BTCPayConnectCommon(BTCPayHttpCommon):
    """A provider that is not connected yet, and an administrator who is about to do it."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        for webhook in cls.world.webhooks(cls.store_id):
            cls.world.api('DELETE', f'/stores/{cls.store_id}/webhooks/{webhook["id"]}')
        cls.world.revoke_key(cls.api_key)
        cls.btcpay.sudo().write({
            'state': 'disabled', 'is_published': False, **cls.btcpay._btcpay_get_empty_connection(),
        })
        cls.administrator = new_test_user(  # Without accounting Odoo shows them no provider.
            cls.env, 'btcpay_administrator', 'base.group_system,account.group_account_manager'
        )

    def setUp(self):
        super().setUp()
        self.authenticate('btcpay_administrator', 'btcpay_administrator')
        self.addCleanup(self._forget_webhooks)

    def _forget_webhooks(self):
        self.world.clear_faults()
        for webhook in self.world.webhooks(self.store_id):
            self.world.api('DELETE', f'/stores/{self.store_id}/webhooks/{webhook["id"]}')

    # === THE WAY OF A CONNECTION === #

    def _open_wizard(self, server_url=None, user=None, provider=None):
        """Return the wizard with the address typed."""
        action = (provider or self.btcpay).with_user(user or self.administrator)
        action = action.action_btcpay_connect()
        return self.env[action['res_model']].with_user(user or self.administrator).with_context(
            action['context']
        ).create({'server_url': server_url or self.world.url})

    def _begin(self, server_url=None, **kwargs):
        """Go as far as to the authorize page.

        :return: Its parameters: a list of names and values.
        :rtype: list
        """
        action = self._open_wizard(server_url, **kwargs).action_connect()
        self.authorize_url = urlsplit(action['url'])
        return parse_qsl(self.authorize_url.query)

    def _begin_state(self, *args, **kwargs):
        """Go as far as to the authorize page.

        :return: The state that goes along.
        :rtype: str
        """
        callback_url = dict(self._begin(*args, **kwargs))['redirect']
        return dict(parse_qsl(urlsplit(callback_url).query))['state']

    def _find_authorization(self, state):
        self.env.invalidate_all()
        return self.env['btcpay.authorization']._find(state)

    def _new_key(self, store=None, permissions=const.PERMISSIONS):
        return self.world.new_key(store or self.store_id, permissions)

    def _post_key(self, state, api_key, **values):
        """Post the key as the server's page has the browser do: from another site, no cookie.

        :return: The response; its redirection is not followed.
        :rtype: requests.Response
        """
        self.env.flush_all()
        with self.allow_requests(all_requests=True):
            response = requests.post(
                f'{self.base_url()}{const.CALLBACK_ROUTE}', params={'state': state}, timeout=30,
                data={'apiKey': api_key, 'userId': 'user', 'permissions[]': 'x', **values},
                headers={'Origin': 'null', 'Sec-Fetch-Site': 'cross-site'}, allow_redirects=False,
            )
        self.http_request_allow_all = False
        self.env.invalidate_all()
        return response

    def _open_page(self, state):
        """Open the page behind the callback, logged in.

        :rtype: requests.Response
        """
        response = self.url_open(
            const.CONNECT_ROUTE, params={'state': state}, allow_redirects=False, timeout=60
        )
        self.env.invalidate_all()
        return response

    def _connect(self, api_key=None, **kwargs):
        """Go all the way.

        :return: The page's response.
        :rtype: requests.Response
        """
        state = self._begin_state(**kwargs)
        self._post_key(state, api_key or self._new_key())
        return self._open_page(state)

    def _connect_well(self, *args, **kwargs):
        """Go all the way, successfully.

        :return: The key.
        :rtype: str
        """
        response = self._connect(*args, **kwargs)
        self.assertEqual(response.status_code, 303, response.text)
        return self.btcpay.sudo().btcpay_api_key

    # === WHAT CAME OF IT === #

    def _read_row(self, provider=None):
        """Return all that is stored of a provider."""
        self.env.flush_all()
        self.env.cr.execute(
            'SELECT * FROM payment_provider WHERE id = %s', [(provider or self.btcpay).id]
        )
        return self.env.cr.dictfetchone()

    def _is_key_known(self, api_key, world=None):
        """Return whether the server knows a key."""
        return (world or self.world).call(
            'GET', '/api/v1/api-keys/current', key=api_key
        ).status_code == 200
