import re
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

from odoo import fields
from odoo.exceptions import ValidationError
from odoo.tests import tagged
from odoo.tools import file_open, html2plaintext, mute_logger

from odoo.addons.payment_btcpay import const
from odoo.addons.payment_btcpay.greenfield import Client, ServerInfo
from odoo.addons.payment_btcpay.tests.provider.connect_common import BTCPayConnectCommon
from odoo.addons.payment_btcpay.tests.provider.small_server import SmallServer, write_certificate

ADDON = 'odoo.addons.payment_btcpay'
QUIET = (
    *(f'{ADDON}.models.payment_provider.{name}' for name in ('client', 'health', 'webhook')),
    f'{ADDON}.controllers.main', f'{ADDON}.controllers.onboarding',
)


@tagged('post_install', '-at_install')
class TestTroubleshooting(BTCPayConnectCommon):
    """Each row of `doc/TROUBLESHOOTING.rst` is as it says."""

    def _read_rows(self):
        """Return of each row what it says that is seen, by its name."""
        with file_open('payment_btcpay/doc/TROUBLESHOOTING.rst') as file:
            rows = re.findall(r'^   (\w+) \| [^|]+ \| “([^”|]+)” \| [^|]+$', file.read(), re.M)
        return dict(rows)

    def test_when_a_row_tells_of_a_problem_then_it_is_tried(self):
        tried = {
            name.removeprefix('_see_') for name in dir(self) if name.startswith('_see_')
        }
        self.assertEqual(set(self._read_rows()), tried)
        self.assertGreater(len(tried), 20)

    def _assert_seen(self, names):
        rows = self._read_rows()
        for name in names:
            with self.subTest(row=name), mute_logger(*QUIET):
                self.assertIn(rows[name], " ".join(getattr(self, f'_see_{name}')().split()))
                self.world.clear_faults()

    # === WHILE CONNECTING === #

    def test_when_connecting_fails_then_it_is_seen_as_the_rows_say(self):
        self._assert_seen((
            'no_server', 'no_answer', 'fault', 'no_tls', 'certificate', 'plain_http', 'permission',
            'several_stores', 'no_method', 'tor', 'too_old', 'stale_link', 'other_store',
        ))

    def _type(self, url):
        with self.assertRaises(ValidationError) as caught:
            self._begin(url)
        return caught.exception.args[0]

    def _see_no_server(self):
        with SmallServer(lambda http: http.reply(b'A shop')) as server:
            return self._type(server.url)

    def _see_no_answer(self):
        return self._type('http://127.0.0.1:1')

    def _see_fault(self):
        self.world.fault('status', path='health', status=503)
        return self._type(self.world.url)

    def _see_no_tls(self):
        return self._type(self.world.url.replace('http:', 'https:'))

    def _see_certificate(self):
        with TemporaryDirectory() as folder:
            certificate = write_certificate(Path(folder) / 'certificate.pem')
            with SmallServer(lambda http: http.reply(), certificate) as server:
                return self._type(server.url)

    def _see_plain_http(self):
        return self._type('http://8.8.8.8')

    def _see_tor(self):
        return self._type(f'http://{"a" * 56}.onion')

    def _refuse(self, api_key):
        response = self._connect(api_key)
        self.assertEqual(response.status_code, 400)
        return html2plaintext(response.text)

    def _see_permission(self):
        return self._refuse(self._new_key(permissions=const.PERMISSIONS[1:]))

    def _see_several_stores(self):
        return self._refuse(self._new_key([self.store_id, self.world.new_store("Other")]))

    def _see_no_method(self):
        return self._refuse(self._new_key(self.world.new_store("Empty", methods=())))

    def _see_too_old(self):
        with patch.object(Client, 'get_server_info', lambda _client: ServerInfo('1.13.7')):
            return self._refuse(self._new_key())

    def _see_stale_link(self):
        state = self._begin_state()
        self._post_key(state, self._new_key())
        self.assertEqual(self._open_page(state).status_code, 303)
        response = self._open_page(state)
        self.assertNotIn("Your BTCPay Server is not connected", response.text)
        return html2plaintext(response.text)

    def _see_other_store(self):
        self._connect_well()
        self._create_btcpay_transaction()
        self.world.revoke_key(self.btcpay.sudo().btcpay_api_key)
        self.btcpay.action_btcpay_check()
        return self._refuse(self._new_key(self.world.new_store("Other")))

    # === LATER === #

    def test_when_something_fails_later_then_it_is_seen_as_the_rows_say(self):
        for names in (('key_revoked', 'permission_lost', 'server_down', 'store_deleted'), (
            'chain_behind', 'webhook_deleted', 'webhook_disabled', 'webhook_moved',
            'events_missed', 'no_rate', 'methods_off', 'method_down', 'key_too_wide', 'waiting',
            'rivals', 'earlier_store', 'internal_address', 'actions_off', 'actions_late',
        )):
            for name in names:
                self.world.set_rates(self.store_id)
                self.world.change_store(self.store_id, methods=self.store_methods)
                with mute_logger(*QUIET):
                    self._connect_well()
                self._assert_seen([name])
        self.world.set_rates(self.store_id)
        self.world.change_store(self.store_id, methods=self.store_methods)

    def _see(self):
        """Return what the form says after “Check Connection”."""
        self.btcpay.action_btcpay_check()
        provider = self.btcpay.sudo()
        labels = dict(provider._fields['btcpay_health']._description_selection(self.env))
        return ' '.join((
            labels[provider.btcpay_health], provider.btcpay_connection_problem or '',
            html2plaintext(provider.btcpay_health_text),
        ))

    def _change_webhook(self, **values):
        self.world.api('PUT', f'/stores/{self.store_id}/webhooks/{self.btcpay.btcpay_webhook_id}', {
            'url': self.btcpay.btcpay_webhook_url,
            'secret': self.btcpay.sudo().btcpay_webhook_secret, **values,
        })

    def _see_key_revoked(self):
        self.world.revoke_key(self.btcpay.sudo().btcpay_api_key)
        return self._see()

    def _see_permission_lost(self):
        self.btcpay.sudo().btcpay_api_key = self._new_key(permissions=const.PERMISSIONS[1:4])
        return self._see()

    def _see_server_down(self):
        self.world.fault('status', path='/api/', count=None)
        self._see()
        return self._see()

    def _see_store_deleted(self):
        store_id = self.world.new_store("Deleted")
        self._connect_well(self._new_key(store_id))
        self.world.delete_store(store_id)
        return self._see()

    def _see_chain_behind(self):
        with patch.object(Client, 'get_health', lambda _client: False):
            return self._see()

    def _see_webhook_deleted(self):
        self.world.api(
            'DELETE', f'/stores/{self.store_id}/webhooks/{self.btcpay.btcpay_webhook_id}')
        return self._see()

    def _see_webhook_disabled(self):
        self._change_webhook(enabled=False)
        return self._see()

    def _see_webhook_moved(self):
        self._change_webhook(url='https://example.com')
        return self._see()

    def _see_events_missed(self):
        self._change_webhook(secret="another")
        with self._world_speaks() as world:  # In the end it is answered with 403.
            world.new_invoice(self.store_id)
        return self._see()

    def _see_no_rate(self):
        self.world.set_rates(self.store_id, BTC_USD=None)
        return self._see()

    def _see_methods_off(self):
        self.world.change_store(self.store_id, methods=())
        return self._see()

    def _see_method_down(self):
        self.btcpay.sudo().btcpay_down_methods = 'BTC-LN'
        return self._see()

    def _see_key_too_wide(self):
        self.btcpay.sudo().btcpay_api_key = self._new_key(
            permissions=[*const.PERMISSIONS, 'btcpay.store.canmodifypaymentrequests'])
        return self._see()

    def _see_rivals(self):
        other = self.btcpay.copy({'name': "Other"})
        other._btcpay_connect(
            self.world.url, self._new_key(self.world.new_store("Other")), use_webhook=False)
        text = self._see()
        other.action_reset_credentials()
        return text

    def _see_earlier_store(self):
        tx = self._create_btcpay_transaction()
        self._connect_well(self._new_key(self.world.new_store("Other")))
        text = self._see()
        tx.sudo().btcpay_next_sync_at = False
        self.env['btcpay.earlier.store']._remove_those_over()
        return text

    def _see_internal_address(self):
        parameters = self.env['ir.config_parameter'].sudo()
        base_url = parameters.get_param('web.base.url')
        parameters.set_param('web.base.url', 'https://shop.example.com')
        text = self._see()
        parameters.set_param('web.base.url', base_url)
        return text

    def _see_actions_off(self):
        action = self.env.ref('payment_btcpay.ir_cron_btcpay_sync')
        action.active = False
        text = self._see()
        self.assertEqual(self.btcpay.sudo().btcpay_health, 'attention')
        action.active = True
        self.btcpay.invalidate_recordset(['btcpay_health'])
        return text

    def _see_actions_late(self):
        action = self.env.ref('payment_btcpay.ir_cron_btcpay_sync')
        action.nextcall = fields.Datetime.now() - timedelta(hours=2)
        text = self._see()
        action.nextcall = fields.Datetime.now()
        return text

    def _see_waiting(self):
        self.env['btcpay.delivery'].sudo().create({
            'provider_id': self.btcpay.id, 'delivery_ref': 'waiting', 'state': 'failed',
        })
        return self._see()
