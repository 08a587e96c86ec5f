from unittest.mock import patch

from odoo.exceptions import MissingError
from odoo.fields import Command
from odoo.tests import tagged
from odoo.tools import mute_logger

from odoo.addons.payment_btcpay import const
from odoo.addons.payment_btcpay.db import RowBusy, lock
from odoo.addons.payment_btcpay.greenfield import GreenfieldError, Invoice
from odoo.addons.payment_btcpay.tests.common import BTCPayCommon

TRANSACTION_LOG = 'odoo.addons.payment.models.payment_transaction'


@tagged('post_install', '-at_install')
class TestSynchronize(BTCPayCommon):

    def setUp(self):
        super().setUp()
        self.order = self._create_order()
        self.tx = self._create_btcpay_transaction(self.order)
        self.invoice_id = self.tx.btcpay_invoice_id

    def _pay_and_settle(self):
        self.world.pay(self.invoice_id)
        self.world.mine()

    # === WHAT FOLLOWS A PAYMENT === #

    def test_when_a_paid_order_is_synced_then_it_is_confirmed_and_the_payment_booked(self):
        self._pay_and_settle()
        cron = self.env.ref('payment.cron_post_process_payment_tx')
        triggers = self.env['ir.cron.trigger'].search([('cron_id', '=', cron.id)])
        self.tx._btcpay_sync()
        # Within seconds, with nobody's browser open.
        self.assertTrue(
            self.env['ir.cron.trigger'].search([('cron_id', '=', cron.id)]) - triggers
        )
        self.env['payment.transaction'].sudo()._cron_post_process()
        self.assertEqual(self.order.state, 'sale')
        self.assertEqual(self.order.amount_paid, 100)
        self.assertRecordValues(self.tx.payment_id, [{
            'amount': 100, 'payment_type': 'inbound', 'partner_id': self.partner.id,
        }])

    def test_when_a_customer_invoice_is_paid_then_the_payment_is_reconciled_with_it(self):
        move = self.env['account.move'].create({
            'move_type': 'out_invoice',
            'partner_id': self.partner.id,
            'currency_id': self.currency.id,
            'invoice_line_ids': [Command.create({
                'product_id': self.product.id, 'price_unit': 100, 'tax_ids': [Command.clear()],
            })],
        })
        move.action_post()
        tx = self._create_btcpay_transaction(
            reference='INV-1', invoice_ids=[Command.set(move.ids)]
        )
        self.world.pay(tx.btcpay_invoice_id)
        self.world.mine()
        tx._btcpay_sync()
        self.env['payment.transaction'].sudo()._cron_post_process()
        self.assertEqual(move.amount_residual, 0)
        self.assertIn(move.payment_state, ('paid', 'in_payment'))
        self.assertEqual(tx.payment_id.reconciled_invoice_ids, move)

    # === AGAIN AND AGAIN === #

    def _prepare_situations(self):
        """Return what an invoice can be brought to, and how."""
        world = self.world
        return {
            'new': lambda _id: None,
            'part paid': lambda id_: world.pay(id_, fraction='0.4'),
            'processing': world.pay,
            'settled': lambda id_: (world.pay(id_), world.mine()),
            'paid over': lambda id_: (world.pay(id_, fraction='2'), world.mine()),
            'marked settled': lambda id_: world.mark(id_, 'Settled'),
            'marked invalid': lambda id_: world.mark(id_, 'Invalid'),
            'expired': world.expire,
            'expired part paid': lambda id_: (world.pay(id_, fraction='0.4'), world.expire(id_)),
            'paid late': lambda id_: (world.expire(id_), world.pay(id_), world.mine()),
        }

    def test_when_nothing_is_new_then_another_sync_changes_nothing(self):
        for situation, bring_about in self._prepare_situations().items():
            with self.subTest(situation=situation):
                order = self._create_order()
                tx = self._create_btcpay_transaction(order)
                bring_about(tx.btcpay_invoice_id)
                with mute_logger(TRANSACTION_LOG):
                    tx._btcpay_sync()
                    self.env['payment.transaction'].sudo()._cron_post_process()
                    tx._btcpay_sync()
                    before = self._describe(tx, order)
                    queries = []
                    for _look in range(5):
                        count = self.env.cr.sql_log_count
                        tx._btcpay_sync()
                        queries.append(self.env.cr.sql_log_count - count)
                self.assertEqual(self._describe(tx, order), before)
                self.assertEqual(len(set(queries[1:])), 1, queries)
                self.assertLess(max(queries), 25)

    def _describe(self, tx, order):
        """Return all that a look might change of an order and its transactions."""
        self.env.flush_all()
        self.env.invalidate_all()
        ignored = {
            'btcpay_sync_count', 'btcpay_synced_at', 'btcpay_next_sync_at', 'write_date',
            '__last_update',
        }
        transactions = order.transaction_ids | tx.child_transaction_ids
        return [
            [{k: v for k, v in values.items() if k not in ignored} for values in records.read()]
            for records in (
                transactions.sudo(), transactions.btcpay_payment_ids.sudo(),
                transactions.payment_id.with_context(bin_size=True),
            )
        ] + [
            order.state, order.amount_paid, order.message_ids.ids, order.activity_ids.ids,
            self.env['mail.mail'].sudo().search_count([]),
            self.env['ir.cron.trigger'].sudo().search_count([]),
        ]

    def test_when_a_partial_payment_is_synced_again_then_it_is_noted_once(self):
        self.world.pay(self.invoice_id, fraction='0.5')
        self.tx._btcpay_sync()
        count = len(self.order.message_ids)
        self.tx._btcpay_sync()
        self.assertEqual(len(self.order.message_ids), count)
        self.world.pay(self.invoice_id, amount='0.0002')  # Another part: another note.
        self.tx._btcpay_sync()
        self.assertGreater(len(self.order.message_ids), count)

    # === WHAT IS NOT THE TRANSACTION'S === #

    def _assert_never_done(self, tx, reason):
        """Sync again and again with an invoice that is settled and not the transaction's."""
        self.world.pay(tx.btcpay_invoice_id)
        self.world.mine()
        order = tx.sale_order_ids
        activities = order.activity_ids
        for _look in range(3):
            with mute_logger(TRANSACTION_LOG):
                tx._btcpay_sync()
            self.assertEqual(tx.state, 'error')
            self.assertIn("contact us", tx.state_message)
        new = order.activity_ids - activities
        self.assertEqual(len(new), 1)
        self.assertIn(reason, new.note)
        self.assertIn("Check the payment there", new.note)
        self.env['payment.transaction'].sudo()._cron_post_process()
        self.assertEqual(order.state, 'draft')
        self.assertFalse(tx.payment_id)

    def _give_invoice(self, tx, store_id=None, **values):
        """Give a transaction another invoice than the one made for it."""
        invoice = self.world.new_invoice(store_id or self.store_id, **{
            'metadata': {'orderId': tx.reference}, **values
        })
        tx.btcpay_invoice_id = invoice['id']

    def test_when_the_invoice_is_for_another_amount_then_the_payment_is_never_done(self):
        for amount in ('99.99', '1000.00', '1.00'):
            with self.subTest(amount=amount):
                tx = self._create_btcpay_transaction(self._create_order())
                self._give_invoice(tx, amount=amount)
                self._assert_never_done(tx, "the transaction for")

    def test_when_the_invoice_is_in_another_currency_then_the_payment_is_never_done(self):
        self._give_invoice(self.tx, currency='EUR')
        self._assert_never_done(self.tx, "100.00 EUR")

    def test_when_the_invoice_is_for_another_order_then_the_payment_is_never_done(self):
        self._give_invoice(self.tx, metadata={'orderId': 'another'})
        self._assert_never_done(self.tx, "is for “another”")

    def test_when_the_invoice_names_no_order_then_the_payment_is_never_done(self):
        self._give_invoice(self.tx, metadata={})
        self._assert_never_done(self.tx, "is for “None”")

    def test_when_the_invoice_is_of_another_store_then_the_payment_is_never_done(self):
        other = self.world.new_store('Other')
        self._give_invoice(self.tx, store_id=other)
        self.btcpay.sudo().write({  # Else the server refuses to show it: a key is for one store.
            'btcpay_api_key': self.world.new_key([self.store_id, other], const.PERMISSIONS),
        })
        fetch = type(self.tx)._btcpay_fetch_invoice
        with patch.object(
            type(self.tx), '_btcpay_fetch_invoice',
            lambda tx, client: Invoice.parse(self.world.invoice(tx.btcpay_invoice_id)),
        ), patch.object(type(self.tx), '_btcpay_has_news_of_payments', lambda *_args: False):
            self._assert_never_done(self.tx, "belongs to another store")
        with (
            mute_logger('odoo.addons.payment_btcpay.models.payment_provider.client'),
            self.assertRaises(GreenfieldError),
        ):
            fetch(self.tx, self.tx._btcpay_client())

    def test_when_the_order_id_is_changed_later_then_the_payment_is_never_done(self):
        self.world.api('PUT', f'/stores/{self.store_id}/invoices/{self.invoice_id}', {
            'metadata': {'orderId': 'another'},
        })
        self._assert_never_done(self.tx, "is for “another”")

    def test_when_a_discrepancy_comes_after_done_then_it_stays_done_and_is_flagged_for_review(self):
        """What is done stays done, and is flagged for review."""
        self._pay_and_settle()
        self.tx._btcpay_sync()
        self.tx._post_process()
        self.world.api('PUT', f'/stores/{self.store_id}/invoices/{self.invoice_id}', {
            'metadata': {'orderId': 'another'},
        })
        activities = self.order.activity_ids
        for _look in range(3):
            with mute_logger(TRANSACTION_LOG):
                self.tx._btcpay_sync()
        self.assertEqual(self.tx.state, 'done')
        self.assertEqual(len(self.order.activity_ids - activities), 1)

    def test_when_a_discrepancy_was_put_right_then_the_payment_is_done(self):
        path = f'/stores/{self.store_id}/invoices/{self.invoice_id}'
        self.world.api('PUT', path, {'metadata': {'orderId': 'another'}})
        with mute_logger(TRANSACTION_LOG):
            self.tx._btcpay_sync()
        self.assertEqual(self.tx.state, 'error')
        self.world.api('PUT', path, {'metadata': {'orderId': self.tx.reference}})
        self._pay_and_settle()
        self.tx._btcpay_sync()
        self.assertEqual(self.tx.state, 'done')

    def test_when_the_answer_is_about_another_invoice_then_the_sync_fails(self):
        other = self._create_btcpay_transaction(self._create_order())
        answer = self.world.invoice(other.btcpay_invoice_id)
        with patch.object(
            type(self.btcpay), '_send_api_request', lambda *_args, **_kwargs: answer
        ), self.assertRaises(GreenfieldError):
            self.tx._btcpay_sync()
        self.assertEqual(self.tx.btcpay_sync_count, 0)

    # === THE SERVER DOES NOT SAY === #

    def test_when_the_server_does_not_answer_then_nothing_changes(self):
        self._pay_and_settle()
        before = self._describe(self.tx, self.order)
        for fault in (
            {'kind': 'status', 'status': 503}, {'kind': 'status', 'status': 403},
            {'kind': 'drop'}, {'kind': 'half'}, {'kind': 'wrong_json'},
        ):
            for path in (f'/invoices/{self.invoice_id}$', '/payment-methods$'):
                with self.subTest(path=path, **fault):
                    self.world.fault(path=path, method='GET', **fault)
                    with (
                        mute_logger('odoo.addons.payment_btcpay.models.payment_provider.client'),
                        self.assertRaises(GreenfieldError),
                    ):
                        self.tx._btcpay_sync()
                    self.assertEqual(self._describe(self.tx, self.order), before)
        self.tx._btcpay_sync()
        self.assertEqual(self.tx.state, 'done')

    def test_when_another_store_is_connected_then_the_sync_is_refused(self):
        self.btcpay.sudo().btcpay_store_id = 'another'
        with self.assertRaisesRegex(GreenfieldError, "no longer connected"):
            self.tx._btcpay_sync()
        self.assertEqual(self.tx.state, 'draft')

    def test_when_no_invoice_was_ever_requested_then_the_server_is_not_asked(self):
        tx = self._create_btcpay_transaction(make_invoice=False, reference='never')
        before = len(self.world.requests())
        tx._btcpay_sync()
        self.assertEqual(len(self.world.requests()), before)

    # === SEVERAL AT ONCE === #

    def test_when_the_answer_is_outdated_then_the_sync_is_done_again(self):
        """What was read before somebody else's look was applied may be older than that."""
        fetch = type(self.tx)._btcpay_fetch_invoice
        seen = []

        def fetch_slowly(tx, timeout):
            invoice = fetch(tx, timeout)
            seen.append(invoice.status)
            if len(seen) == 1:  # Meanwhile it is paid, and somebody else sees it.
                self._pay_and_settle()
                with patch.object(type(tx), '_btcpay_fetch_invoice', fetch):
                    self.env['payment.transaction'].sudo().browse(tx.id)._btcpay_sync()
            return invoice

        with patch.object(type(self.tx), '_btcpay_fetch_invoice', fetch_slowly):
            self.tx._btcpay_sync()
        self.assertEqual(seen, ['New', 'Settled'])
        self.assertEqual((self.tx.state, self.tx.btcpay_status), ('done', 'Settled'))

    def test_when_every_answer_is_outdated_then_the_sync_gives_up(self):
        fetch = type(self.tx)._btcpay_fetch_invoice
        calls = []

        def fetch_slowly(tx, timeout):
            calls.append(1)
            tx.env['payment.transaction'].browse(tx.id).btcpay_sync_count += 1
            return fetch(tx, timeout)

        with (
            patch.object(type(self.tx), '_btcpay_fetch_invoice', fetch_slowly),
            self.assertRaisesRegex(RowBusy, "being processed"),
        ):
            self.tx._btcpay_sync()
        self.assertEqual(len(calls), const.MAX_SYNC_ATTEMPTS)
        self.assertEqual(self.tx.btcpay_status, 'New')

    def test_when_what_is_locked_was_deleted_then_whoever_reads_it_is_told(self):
        tx = self._create_btcpay_transaction(self._create_order()).sudo()
        other = self._create_btcpay_transaction(self._create_order()).sudo()
        deleted = other.browse(other.id)
        other.unlink()
        lock(deleted)
        lock(tx | deleted)
        self.assertEqual(tx.state, 'draft')
        with self.assertRaises(MissingError):
            deleted.state  # noqa: B018 (read)

    def test_when_the_sync_button_is_pressed_then_it_tells_success_or_the_problem(self):
        self._pay_and_settle()
        self.assertEqual(self.tx.action_btcpay_sync()['params']['type'], 'success')
        self.assertEqual(self.tx.state, 'done')
        self.world.fault('status', status=503)
        with mute_logger('odoo.addons.payment_btcpay.models.payment_provider.client'):
            params = self.tx.action_btcpay_sync()['params']
        self.assertEqual(params['type'], 'warning')
        self.assertIn("has a problem at the moment", params['message'])
