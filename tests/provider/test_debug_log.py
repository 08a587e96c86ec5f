import base64
import json
from contextlib import suppress
from datetime import timedelta
from unittest.mock import patch

from odoo import fields
from odoo.exceptions import AccessError, UserError
from odoo.fields import Command
from odoo.tests import new_test_user, tagged
from odoo.tools import mute_logger

from odoo.addons.payment_btcpay import const
from odoo.addons.payment_btcpay.models.payment_provider.client import BTCPayError
from odoo.addons.payment_btcpay.tests.common import BTCPayCommon, BTCPayHttpCommon
from odoo.addons.payment_btcpay.tests.refund.refund_common import RefundMixin

CLIENT_LOG = 'odoo.addons.payment_btcpay.models.payment_provider.client'
CONTROLLER_LOG = 'odoo.addons.payment_btcpay.controllers.main'
ENTRY_LOG = 'odoo.addons.payment_btcpay.models.btcpay_log_entry'


class DebugMixin:

    def setUp(self):
        super().setUp()
        self.btcpay.btcpay_debug = True
        self.env.cr.commit()

    def _entries(self, *domain):
        self.env.invalidate_all()
        return self.env['btcpay.log.entry'].search([
            ('provider_id', '=', self.btcpay.id), *domain,
        ])


@tagged('post_install', '-at_install')
class TestDebugLog(DebugMixin, RefundMixin, BTCPayHttpCommon):
    """What debug mode keeps, and what not."""

    def test_when_the_server_is_called_then_call_and_bodies_are_kept(self):
        tx = self._create_btcpay_transaction(self._create_order())
        call = self._entries(('path', '=like', '%/invoices'), ('method', '=', 'POST'))
        self.assertRecordValues(call, [{
            'kind': 'call', 'status': 200, 'result': False, 'reference': tx.reference,
            'transaction_id': tx.id, 'path': f'/stores/{self.store_id}/invoices',
            'display_name': '/stores/…/invoices',
        }])
        self.assertEqual(json.loads(call.sent)['metadata']['orderId'], tx.reference)
        self.assertEqual(json.loads(call.received)['id'], tx.btcpay_invoice_id)

    def test_when_debug_mode_is_off_then_nothing_is_kept(self):
        self.btcpay.btcpay_debug = False
        with patch.object(self.registry['btcpay.log.entry'], '_note') as note:
            tx = self._pay_order()
            self._post_event(self._prepare_event(tx))
        note.assert_not_called()

    @mute_logger(CLIENT_LOG)
    def test_when_a_call_fails_then_the_servers_own_words_are_kept(self):
        tx = self._pay_order()
        self.world.fault('status', path=tx.btcpay_invoice_id, status=503)
        tx.action_btcpay_sync()
        entry = self._entries()[0]
        self.assertEqual((entry.status, entry.transaction_id), (503, tx))
        self.world.fault('drop', path=tx.btcpay_invoice_id)
        tx.action_btcpay_sync()
        entry = self._entries()[0]
        self.assertEqual((entry.status, entry.received), (0, False))
        self.assertIn('connection', entry.result)
        with suppress(BTCPayError):  # `assertRaises` rolls back, tests' entries too.
            self.btcpay._send_api_request(
                'POST', f'/stores/{self.store_id}/invoices', json={'amount': '-1'}
            )
        entry = self._entries()[0]
        self.assertIn('Amount', entry.result)
        self.assertEqual(json.loads(entry.received)[0]['path'], 'Amount')

    def test_when_customers_are_sent_to_the_server_then_nothing_of_them_is_kept(self):
        told = {
            'name': "Ann Otter", 'email': 'ann@example.com', 'phone': '+43 664 1234567',
            'street': "7 River Road", 'street2': "Back door", 'city': "Otterville", 'zip': '10101',
        }
        self.partner.write(told)
        self.btcpay.write(dict.fromkeys((
            'btcpay_send_email', 'btcpay_send_name', 'btcpay_send_address', 'btcpay_send_country',
            'btcpay_send_lines', 'btcpay_send_order_link',
        ), True))
        tx = self._pay_order()
        sent = json.dumps(self.world.requests())
        self.assertIn('ann@example.com', sent)
        with self._world_speaks() as world:
            world.api('GET', f'/stores/{self.store_id}/invoices/{tx.btcpay_invoice_id}')
        self._post_event(self._prepare_event(tx, metadata={
            'orderId': tx.reference, 'buyerEmail': 'ann@example.com', 'note': "Ann Otter",
        }))
        self.assertIn('delivery', self._entries().mapped('kind'))
        kept = str(self._entries().read())
        for word in (*told.values(), tx.sale_order_ids.access_token or 'access_token', "Hat"):
            self.assertNotIn(word, kept)

    def test_when_a_refund_is_made_then_neither_its_id_nor_its_link_is_kept(self):
        refund = self._paid(self._create_order())._btcpay_request_refund(50)
        with self._world_speaks():
            self._claim(refund)
        refund._btcpay_sync()
        entries = self._entries(('reference', '=', refund.reference))
        self.assertIn('/pull-payments/…', ' '.join(entries.mapped('path')))
        self.assertIn('delivery', entries.mapped('kind'))
        self.assertNotIn(refund.btcpay_pull_payment_id, str(self._entries().read()))
        root = refund.btcpay_root_id
        self.assertEqual(
            root.btcpay_log_count, self.env['btcpay.log.entry'].search_count(
                root.action_btcpay_view_log()['domain']
            ))
        self.assertGreater(root.btcpay_log_count, refund.btcpay_log_count)

    def test_when_store_and_webhook_are_made_then_neither_key_nor_secret_is_kept(self):
        self.btcpay._btcpay_connect(self.world.url, self.api_key)
        kept = str(self._entries().read())
        self.assertIn('/api-keys/current', kept)
        self.assertIn('/webhooks', kept)
        for secret in (self.api_key, self.btcpay.sudo().btcpay_webhook_secret, 'Authorization'):
            self.assertNotIn(secret, kept)

    def test_when_an_event_comes_then_it_is_kept_and_shown_on_its_delivery(self):
        tx = self._pay_order()
        event = self._prepare_event(tx)
        self.assertEqual(self._post_event(event).status_code, 200)
        entry = self._entries(('kind', '=', 'delivery'))
        self.assertRecordValues(entry, [{
            'status': 200, 'reference': tx.reference, 'delivery_ref': event['deliveryId'],
            'path': f'{const.WEBHOOK_ROUTE}/{self.btcpay.id}', 'method': 'POST',
        }])
        delivery = self.env['btcpay.delivery'].search([('delivery_ref', '=', event['deliveryId'])])
        self.assertEqual(json.loads(delivery.body)['type'], 'InvoiceSettled')

    @mute_logger(CONTROLLER_LOG)
    def test_when_an_event_has_a_secret_of_any_webhook_then_it_is_not_kept(self):
        secrets = {name: f'whsecret{name}{"0" * 12}' for name in ('now', 'before', 'earlier')}
        self.btcpay.sudo().write({
            'btcpay_webhook_secret': secrets['now'],
            **self.btcpay._btcpay_get_secret_overlap(secrets['now'], secrets['before']),
        })
        self.env['btcpay.earlier.store'].sudo().create({
            'provider_id': self.btcpay.id, 'database': 'x', 'server_url': self.world.url,
            'api_key': 'x', 'store_id': 'x', 'webhook_secret': secrets['earlier'],
        })
        self.env.cr.commit()
        self._post_event({'type': ' '.join(secrets.values())}, secret='a guess')
        entry = self._entries(('kind', '=', 'refused'))
        self.assertIn('[REDACTED]', entry.received)
        for secret in secrets.values():
            self.assertNotIn(secret, entry.received)

    @mute_logger(CONTROLLER_LOG)
    def test_when_events_are_forged_then_some_are_kept_and_the_others_left_out(self):
        tx = self._pay_order()
        with patch.dict(const.LOG_LIMITS, refused=3):
            for _time in range(5):
                self._post_event(self._prepare_event(tx), secret='a guess')
        refused = self._entries(('kind', '=', 'refused'))
        self.assertEqual(set(refused.mapped('status')), {403})
        self.assertEqual(set(refused.mapped('result')), {"wrong signature"})
        self.assertEqual(len(refused), 3)
        self.assertFalse(any(refused.mapped('reference')), "They are about nothing for sure.")
        # What comes from the server is kept all the same.
        self._post_event(self._prepare_event(tx))
        self.assertEqual(len(self._entries(('kind', '=', 'delivery'))), 1)

    @mute_logger(CONTROLLER_LOG)
    def test_when_a_body_is_no_json_or_huge_or_binary_then_it_is_kept_short(self):
        for body in (b'\0\xff', b'{"a": "\\u0000\\ud800"}', b'[' * 60000, b'',
                     b'{"metadata": {"orderId": "' + b'x' * 60000 + b'"}}'):
            with self.subTest(body=body[:30]):
                self.assertEqual(self._post_event(body).status_code, 400)
                entry = self._entries()[0]
                self.assertLess(len(entry.received or ''), 1000)
                self.assertEqual((entry.kind, entry.result), ('refused', "malformed"))

    # === NOTHING DEPENDS ON IT === #

    def test_when_the_log_cannot_be_written_then_the_payment_goes_on(self):
        for name, patcher in {
            'table': patch.dict(const.LOG_LIMITS, call='no number'),
            'text': patch(
                'odoo.addons.payment_btcpay.models.payment_provider.debug.redact_call',
                side_effect=ValueError,
            ),
        }.items():
            with self.subTest(name=name), patcher, self.assertLogs(ENTRY_LOG, 'WARNING') as log:
                tx = self._pay_order()
            self.assertEqual(tx.state, 'done')
            self.assertIn("Left out of the debug log", log.output[0])

    def test_when_an_event_fails_then_its_own_error_is_raised_and_it_is_kept(self):
        tx = self._pay_order()
        with patch.object(
            self.registry['btcpay.delivery'], '_receive', side_effect=ZeroDivisionError
        ), patch.object(self.registry['btcpay.log.entry'], '_note') as note, mute_logger(
            'odoo.http'
        ):
            self.assertEqual(self._post_event(self._prepare_event(tx)).status_code, 500)
        provider_id, kind, get_values = note.call_args.args
        self.assertEqual((provider_id, kind), (self.btcpay.id, 'delivery'))
        values = get_values()
        self.assertEqual((values['status'], values['result']), (500, 'ZeroDivisionError'))

    # === FOR WHOM === #

    def test_when_entries_are_read_then_administrators_of_the_company_alone_may(self):
        tx = self._pay_order()
        entries = self._entries()
        self.assertTrue(entries)
        second = self.env['res.company'].create({'name': "Second"})
        groups = 'base.group_system,account.group_account_manager'
        admin = new_test_user(self.env, 'log_admin', groups)
        other = new_test_user(
            self.env, 'log_other', groups, company_id=second.id,
            company_ids=[Command.set(second.ids)],
        )
        self.assertEqual(entries.with_user(admin).search([('id', 'in', entries.ids)]), entries)
        self.assertFalse(entries.with_user(other).search([('id', 'in', entries.ids)]))
        manager = new_test_user(
            self.env, 'log_manager', 'base.group_allow_export,account.group_account_manager,'
            'sales_team.group_sale_manager',
        )
        for user in (other, manager, self.portal_user, self.public_user):
            theirs = entries.with_user(user)
            for call in (
                lambda: theirs.read(['path']), theirs.action_btcpay_export,  # noqa: B023 called at once
                lambda: theirs.export_data(['sent']), theirs.unlink,  # noqa: B023 called at once
            ):
                with self.subTest(user=user.id), self.assertRaises(UserError):
                    call()
        for values in ({'sent': 'x'}, {'status': 1}):
            with self.assertRaises(AccessError):
                entries.with_user(admin).write(values)
        with self.assertRaises(AccessError):
            tx.with_user(manager).btcpay_log_count  # noqa: B018 read only
        with self.assertRaises(AccessError):
            self.btcpay.with_user(manager).btcpay_debug = True

    def test_when_entries_are_searched_then_they_are_found_by_all_that_they_are_about(self):
        tx, other = self._paid(self._create_order()), self._pay_order()
        invoice = tx.sale_order_ids._create_invoices()
        tx.invoice_ids = invoice
        invoice.action_post()
        ours = self._entries(('reference', '=', tx.reference))
        theirs = self._entries(('reference', '=', other.reference))
        self.assertTrue(ours and theirs)
        for domain in (
            [('path', 'ilike', tx.btcpay_invoice_id)],
            [('transaction_id', '=', tx.id)],
            [('transaction_id', 'ilike', tx.reference)],
            [('transaction_id.sale_order_ids.name', 'ilike', tx.sale_order_ids.name)],
            [('transaction_id.invoice_ids.name', 'ilike', invoice.name)],
            [('transaction_id', 'in', tx.ids), ('status', '=', 200)],
        ):
            with self.subTest(domain=domain):
                found = self._entries(*domain)
                self.assertTrue(found)
                self.assertLessEqual(found, ours)
        self.assertFalse(
            self._entries(('transaction_id', '!=', tx.id), ('reference', '!=', False)) & ours
        )
        self.assertFalse(self._entries(('create_date', '<', '2020-01-01')))

    def test_when_entries_are_exported_then_it_is_one_file_without_anything_secret(self):
        tx = self._pay_order()
        self._post_event(self._prepare_event(tx))
        admin = new_test_user(self.env, 'log_export', 'base.group_system')
        entries = self._entries().with_user(admin)
        # Of all that the list shows: here those of the transaction.
        domain = tx.with_user(admin).action_btcpay_view_log()['domain']
        for exported, expected in (
            (entries, entries), (entries[:1], entries[:1]),
            (entries.browse().with_context(active_domain=domain), entries.search(domain)),
        ):
            action = exported.action_btcpay_export()
            export = self.env['btcpay.log.export'].with_user(admin).search(
                [], order='id desc', limit=1
            )
            self.assertIn(f'/{export.id}/content/btcpay-debug-log.txt', action['url'])
            text = base64.b64decode(export.sudo().content).decode()
            self.assertEqual(text.count('=' * 80), len(expected))
            self.assertIn(f'{len(expected)} entries', text)
        self.assertIn("payment_btcpay 19.0.", text)
        self.assertIn(f'"id": "{tx.btcpay_invoice_id}"', text)
        self.assertIn(f'POST {const.WEBHOOK_ROUTE}', text)
        self.authenticate('log_export', 'log_export')
        self.assertEqual(self.url_open(action['url']).content.decode(), text)


@tagged('post_install', '-at_install')
class TestDebugLogLasts(BTCPayCommon):
    """Entries have a database transaction of their own: here it is a real one."""

    def _note(self, path='/lasts'):
        self.env['btcpay.log.entry']._note(self.btcpay.id, 'call', lambda: {'path': path})

    def setUp(self):
        super().setUp()
        self.addCleanup(self._look, 'DELETE FROM btcpay_log_entry WHERE path = %s RETURNING id')

    def _look(self, query='SELECT id FROM btcpay_log_entry WHERE path = %s'):
        with self.registry.cursor() as cr:
            cr.execute(query, ['/lasts'])
            return cr.fetchall()

    def test_when_the_call_is_rolled_back_then_its_entry_lasts(self):
        self._note()
        self.env.cr.rollback()
        self.assertEqual(len(self._look()), 1)

    def test_when_a_row_is_held_then_no_entry_waits_for_it(self):
        """Not even where it is held by who keeps the entry, which PostgreSQL would not notice."""
        self._note()
        lock = 'SELECT 1 FROM {} WHERE id = %s FOR UPDATE'
        with self.assertLogs(ENTRY_LOG, 'WARNING') as log, self.env.cr.savepoint() as savepoint:
            self.env.cr.execute(lock.format('payment_provider'), [self.btcpay.id])
            self._note()
            savepoint.rollback()
        self.assertIn("LockNotAvailable", log.output[0])
        # A transaction's row may be held for long: it is of no matter.
        tx = self._create_btcpay_transaction(make_invoice=False)
        self.env.flush_all()
        self.env.cr.execute(lock.format('payment_transaction'), [tx.id])
        self.env['btcpay.log.entry']._note(
            self.btcpay.id, 'call', lambda: {'path': '/lasts', 'reference': tx.reference}
        )
        self.assertEqual(len(self._look()), 2)

    def test_when_it_is_kept_for_millions_of_days_then_cleaning_goes_on(self):
        self.btcpay.write({'btcpay_debug_days': 2**31 - 1, 'btcpay_webhook_log_days': 2**31 - 1})
        self.assertEqual(self.env['btcpay.log.entry']._gc_log_entries(), (0, False))
        self.assertEqual(self.env['btcpay.delivery']._gc_deliveries(), (0, False))

    def test_when_entries_are_old_then_they_are_removed_in_batches(self):
        entries = self.env['btcpay.log.entry'].sudo().create([
            {'provider_id': self.btcpay.id, 'kind': 'call', 'path': f'/{days}'}
            for days in (6, 1, 8, 9, 10)
        ])
        self.btcpay.btcpay_debug_days = 7
        self.env.flush_all()
        for entry in entries:
            self.env.cr.execute(
                'UPDATE btcpay_log_entry SET create_date = %s WHERE id = %s',
                [fields.Datetime.now() - timedelta(days=int(entry.path[1:])), entry.id],
            )
        with patch.object(const, 'LOG_BATCH', 2):
            self.assertEqual(entries._gc_log_entries(), (2, True))
            self.assertEqual(entries._gc_log_entries(), (1, False))
        self.assertEqual(entries.exists().mapped('path'), ['/6', '/1'])
