import logging
from contextlib import suppress
from datetime import timedelta

import psycopg2

from odoo import fields
from odoo.tests import new_test_user, tagged
from odoo.tools import SQL, mute_logger

from odoo.addons.payment_btcpay.models.payment_provider.client import BTCPayError
from odoo.addons.payment_btcpay.tests.common import BTCPayHttpCommon
from odoo.addons.payment_btcpay.tests.provider.small_server import SmallServer
from odoo.addons.payment_btcpay.tests.refund.refund_common import RefundMixin

CLIENT_LOG = 'odoo.addons.payment_btcpay.models.payment_provider.client'
KEY = '5ec7e7' * 6
SAID = 'that is not to be said'  # Else what each test looks for is found before it is hidden.


@tagged('post_install', '-at_install')
class TestDebugMode(BTCPayHttpCommon):

    def _let_it_end(self):
        self.env.flush_all()
        self.env.cr.execute(
            'UPDATE payment_provider SET btcpay_debug_until = %s WHERE id = %s',
            [fields.Datetime.now() - timedelta(seconds=1), self.btcpay.id],
        )
        self.env.invalidate_all()

    def test_when_it_was_on_for_a_week_then_it_is_off_and_the_provider_says_so(self):
        self.btcpay.btcpay_debug = True
        left = self.btcpay.btcpay_debug_until - fields.Datetime.now()
        self.assertAlmostEqual(left.total_seconds(), 7 * 24 * 3600, delta=60)
        self.btcpay._btcpay_end_debug_mode()
        self.assertTrue(self.btcpay.btcpay_debug)
        self._let_it_end()
        # Nothing is kept, even if the scheduled action is late.
        self._pay_order()
        self.assertFalse(self.env['btcpay.log.entry'].search([]))
        self.btcpay._btcpay_end_debug_mode()
        self.assertFalse(self.btcpay.btcpay_debug)
        self.assertIn("switched itself off", self.btcpay.message_ids[0].body)
        self.assertLess(self.btcpay.btcpay_debug_until, fields.Datetime.now())  # The form says so.
        count = len(self.btcpay.message_ids)
        self.btcpay._btcpay_end_debug_mode()
        self.assertEqual(len(self.btcpay.message_ids), count)

    def test_when_it_is_switched_then_by_administrators_and_for_a_week_each_time(self):
        admin = new_test_user(self.env, 'debug_admin', 'base.group_system')
        provider = self.btcpay.with_user(admin)
        provider.web_save({'btcpay_debug': True}, {'btcpay_debug_until': {}})
        self._let_it_end()
        self.btcpay._btcpay_end_debug_mode()
        provider.btcpay_debug = True
        self.assertGreater(self.btcpay.btcpay_debug_until, fields.Datetime.now())
        provider.btcpay_debug = False
        self.assertFalse(self.btcpay.btcpay_debug_until)
        self.assertIn('name="btcpay_debug"', provider.get_view()['arch'])
        provider.btcpay_debug = True
        self.assertFalse(provider.copy().btcpay_debug)

    def test_when_disconnected_then_the_log_stays_and_has_nothing_secret(self):
        self.addCleanup(self.world.go_back, self.world.remember())
        self.btcpay.btcpay_debug = True
        self.btcpay._btcpay_connect(self.world.url, self.api_key)
        secret = self.btcpay.sudo().btcpay_webhook_secret
        self.btcpay.action_reset_credentials()
        entries = self.env['btcpay.log.entry'].search([('provider_id', '=', self.btcpay.id)])
        self.assertIn('DELETE', entries.mapped('method'))
        for word in (secret, self.api_key):
            self.assertNotIn(word, str(entries.read()))

    def test_when_the_menus_are_opened_then_deliveries_and_debug_log_are_beside_each_other(self):
        menus = [
            self.env.ref(f'payment_btcpay.menu_btcpay_{name}') for name in ('delivery', 'log_entry')
        ]
        self.assertEqual(menus[0].parent_id, menus[1].parent_id)
        admin = new_test_user(self.env, 'debug_menus', 'base.group_system')
        seller = new_test_user(self.env, 'debug_seller', 'account.group_account_manager')
        for menu in menus:
            self.assertIn(menu.id, menu.with_user(admin)._visible_menu_ids())
            self.assertNotIn(menu.id, menu.with_user(seller)._visible_menu_ids())


@tagged('post_install', '-at_install')
class TestPaymentLog(RefundMixin, BTCPayHttpCommon):
    """What is logged, whatever the debug mode: calls and changes of state, and no secret."""

    def _said(self, log):
        return '\n'.join(record.getMessage() for record in log.records)

    def test_when_the_server_is_called_then_it_is_logged_with_all_that_there_is(self):
        with self.assertLogs(CLIENT_LOG, logging.INFO) as log:
            tx = self._create_btcpay_transaction(self._create_order())
        self.assertRegex(self._said(log), (
            rf'BTCPay POST /stores/{self.store_id}/invoices for transaction {tx.reference}:'
            r' HTTP 200 in \d+ ms\.'
        ))

    def test_when_something_changes_its_state_then_it_is_logged(self):
        with self.assertLogs('odoo.addons.payment_btcpay', logging.INFO) as log:
            tx = self._create_btcpay_transaction(self._create_order())
            self.world.pay(tx.btcpay_invoice_id)
            self._post_event(self._prepare_event(tx, 'InvoiceProcessing'))
            self.world.mine()
            self._post_event(self._prepare_event(tx))
            self.env.invalidate_all()
            self._post_process()
            refund = tx._btcpay_request_refund(40)
            self._claim(refund)
            refund._btcpay_sync()
        said = self._said(log)
        for words in (
            rf"The invoice of transaction {tx.reference} went from New/None, 0.0 paid to"
            r" Processing/None, 100.0 paid",
            rf"Transaction {tx.reference} went from state draft to state pending",
            rf"Transaction {tx.reference} went from state pending to state done",
            rf"BTCPay event InvoiceSettled, delivery \w+ for transaction {tx.reference}: HTTP 200"
            r" in \d+ ms",
            rf"Processed of transaction {tx.reference}: delivery \w+",
            rf"Transaction {refund.reference} went from state draft to state pending",
            rf"Payout \w+ of refund {refund.reference} went from nothing to Completed",
            rf"Transaction {refund.reference} went from state pending to state done",
        ):
            self.assertRegex(said, words)
        self.assertNotIn(refund.btcpay_pull_payment_id, said)

    @mute_logger(CLIENT_LOG)
    def test_when_the_connection_changes_then_it_is_logged(self):
        with self.assertLogs('odoo.addons.payment_btcpay', logging.INFO) as log:
            self.addCleanup(self.world.go_back, self.world.remember())
            self.btcpay._btcpay_connect(self.world.url, self.api_key)
            self.world.revoke_key(self.api_key)
            self.btcpay.action_btcpay_check()
            self.btcpay.action_reset_credentials()
        said = self._said(log)
        self.assertIn(f"connected provider {self.btcpay.id} with store {self.store_id}", said)
        self.assertIn(
            f"The connection of provider {self.btcpay.id} went from connected to refused", said)
        self.assertIn(f"disconnected provider {self.btcpay.id}", said)

    def test_when_the_server_repeats_the_key_then_neither_log_nor_error_has_it(self):
        for status in (400, 401, 403, 404, 422, 500):
            body = f'{{"code": "c-{KEY}", "message": "The key {KEY} is not good."}}'.encode()
            if status == 422:
                body = f'[{{"path": "{KEY}", "message": "Bad {KEY}."}}]'.encode()
            with SmallServer(lambda http: http.reply(body, status)) as server:  # noqa: B023 called at once
                self.btcpay.sudo().write({'btcpay_server_url': server.url, 'btcpay_api_key': KEY})
                self.btcpay.btcpay_debug = True
                with self.assertLogs(CLIENT_LOG) as log, self.assertRaises(BTCPayError) as raised:
                    self.btcpay._send_api_request('GET', '/api-keys/current')
            error = raised.exception
            for text in (self._said(log), error.args[0], str(error.error), repr(vars(error.error))):
                self.assertNotIn(KEY, text)
            self.assertIn('not good' if status != 422 else 'Bad', self._said(log))

    def test_when_the_server_repeats_what_was_sent_then_no_secret_of_it_is_told(self):
        said = SAID.replace(' ', '-')
        body = f'[{{"path": "secret", "message": "Bad {said}."}}]'.encode()
        self.btcpay.btcpay_debug = True
        with SmallServer(lambda http: http.reply(body, 422)) as server:
            self.btcpay.sudo().btcpay_server_url = server.url
            for path, sent in (
                ('/stores/x/webhooks', {'url': 'https://shop.example.com', 'secret': said}),
                (f'/pull-payments/{said}', None),
            ):
                with (
                    self.subTest(path=path), self.assertLogs(CLIENT_LOG) as log,
                    suppress(BTCPayError),
                ):
                    self.btcpay._send_api_request('POST', path, json=sent)
                    self.fail("It was refused.")
                self.assertIn('Bad', self._said(log))
                entry = self.env['btcpay.log.entry'].search([], limit=1)
                self.assertIn('Bad', entry.result)
                self.assertNotIn(said, self._said(log) + str(entry.read()))
                with self.assertLogs(CLIENT_LOG), self.assertRaises(BTCPayError) as raised:
                    self.btcpay._send_api_request('POST', path, json=sent)
                self.assertNotIn(said, f'{raised.exception} {vars(raised.exception.error)}')

    def test_when_a_statement_with_a_secret_fails_then_it_is_not_logged_as_it_is(self):
        for table, column in (
            ('payment_provider', 'btcpay_api_key'), ('payment_provider', 'btcpay_webhook_secret'),
            ('payment_transaction', 'btcpay_pull_payment_id'),
            ('payment_transaction', 'btcpay_refund_link'),
            ('btcpay_delivery', 'pull_payment_ref'), ('btcpay_authorization', 'api_key'),
            ('btcpay_authorization', 'unused_keys'), ('btcpay_connect_wizard', 'kept_api_key'),
            ('btcpay_connect_wizard', 'kept_webhook_secret'), ('btcpay_earlier_store', 'api_key'),
            ('btcpay_earlier_store', 'old_webhook_secret'),
        ):
            for query in (
                'UPDATE %s SET %s = %s, id = 1 / (id - id)', 'INSERT INTO %s (%s) VALUES (%s)',
            ):
                statement = SQL(query, SQL.identifier(table), SQL.identifier(column), f'"{SAID}"')
                with (
                    self.subTest(column=column), self.assertLogs('odoo.sql_db', 'ERROR') as log,
                    self.assertRaises(psycopg2.Error), self.env.cr.savepoint(),
                ):
                    self.env.cr.execute(statement)
                    self.env.cr.execute('SELECT 1 / 0')  # There was no row, or all may be empty.
                self.assertNotIn(SAID, self._said(log))
                self.assertIn('ERROR: ', self._said(log))
        with (
            self.assertLogs('odoo.sql_db', 'ERROR') as log, self.assertRaises(psycopg2.Error),
            self.env.cr.savepoint(),
        ):
            self.env.cr.execute("SELECT 'of others' FROM nothing")
        self.assertIn('of others', self._said(log))
