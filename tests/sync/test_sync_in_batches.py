from datetime import timedelta
from unittest.mock import patch

from odoo import fields
from odoo.tests import tagged
from odoo.tools import mute_logger

from odoo.addons.payment_btcpay import const
from odoo.addons.payment_btcpay.tests.common import BTCPayCommon

MODELS = 'odoo.addons.payment_btcpay.models'
QUIET = (
    f'{MODELS}.payment_provider.client', f'{MODELS}.payment_transaction.sync',
    f'{MODELS}.payment_provider.health',
)


class ReconcileCommon(BTCPayCommon):

    def setUp(self):
        super().setUp()
        self.btcpay = self.btcpay.sudo()
        # The webhook has tests of its own.
        self.btcpay.btcpay_webhook_checked_at = fields.Datetime.now() + timedelta(days=1)
        self.env.cr.commit()

    def _reconcile(self):
        """Run the scheduled action.

        :return: The requests that reached the server meanwhile, as `(method, path)`.
        :rtype: list[tuple[str, str]]
        """
        last = max((r['n'] for r in self.world.requests()), default=0)
        self.env['payment.provider']._cron_btcpay_sync()
        self.env.invalidate_all()
        self.received = self.world.requests(since=last)
        return [(r['method'], self._shorten(r['path'])) for r in self.received]

    def _shorten(self, path):
        return path.removeprefix(f'/api/v1/stores/{self.store_id}')

    def _make_due(self, transactions, minutes=1000):
        """Let the last sync have been a while ago."""
        before = timedelta(minutes=minutes)
        for tx in transactions:
            tx.btcpay_synced_at = fields.Datetime.now() - before
            next_sync_at = tx._btcpay_get_next_sync_at()
            tx.btcpay_next_sync_at = next_sync_at and next_sync_at - before
        self.env.cr.commit()

    def _create_open(self, count=1, **values):
        """Create transactions with an open invoice, whose last look was a while ago."""
        made = self.env['payment.transaction'].sudo()
        for number in range(count):
            made += self._create_btcpay_transaction(
                reference=f'{self._testMethodName}-{number}', **values
            )
        self._make_due(made)
        return made

    def _is_watched(self, tx):
        return bool(tx._btcpay_get_next_sync_at())


@tagged('post_install', '-at_install')
class TestReconcile(ReconcileCommon):

    # === BATCHES === #

    def test_when_many_invoices_are_open_then_one_list_call_serves_fifty(self):
        transactions = self._create_open(120)
        self.assertEqual(self._reconcile(), [('GET', '/invoices')] * 3)
        limit = fields.Datetime.now() - timedelta(minutes=1)
        self.assertTrue(all(tx.btcpay_synced_at > limit for tx in transactions))
        self.assertEqual(self._reconcile(), [], "Nothing is due again at once.")

    def test_when_one_invoice_changed_then_only_its_payments_are_asked_for(self):
        transactions = self._create_open(5)
        paid = transactions[2]
        self.world.pay(paid.btcpay_invoice_id)
        self.world.mine()
        self.assertEqual(self._reconcile(), [
            ('GET', '/invoices'), ('GET', f'/invoices/{paid.btcpay_invoice_id}/payment-methods'),
        ])
        self.assertEqual(transactions.mapped('state'), ['draft'] * 2 + ['done'] + ['draft'] * 2)
        self.assertEqual(len(paid.btcpay_payment_ids), 1)

    def test_when_all_events_were_lost_then_the_scheduled_sync_confirms_the_order(self):
        """The server's queue was lost: only the scheduled action makes it good."""
        order = self._create_order()
        tx = self._create_btcpay_transaction(order)
        self.world.pay(tx.btcpay_invoice_id)
        self.world.mine()
        self.world.restart()
        self._make_due(tx, minutes=const.POLL_MINUTES)
        self._reconcile()
        self.assertEqual(tx.state, 'done')
        self.env['payment.transaction'].sudo()._cron_post_process()
        self.assertEqual(order.state, 'sale')

    def test_when_the_server_was_restored_then_what_is_gone_is_asked_for_hourly(self):
        before = self.world.remember()
        gone = self._create_open(2)
        self.world.go_back(before)
        with mute_logger(*QUIET):
            self._reconcile()
        for tx in gone:
            self.assertIn("cannot be synced", tx.btcpay_review_note)
            wait = tx.btcpay_next_sync_at - fields.Datetime.now()
            self.assertGreater(wait, timedelta(minutes=const.POLL_MINUTES))
        self.assertEqual(self.btcpay.btcpay_connection_state, 'connected')

    def test_when_a_paid_invoice_is_archived_then_the_list_still_brings_it(self):
        tx = self._create_open()
        self.world.pay(tx.btcpay_invoice_id)
        self.world.mine()
        self.world.archive(tx.btcpay_invoice_id)
        calls = self._reconcile()
        self.assertEqual(tx.state, 'done')
        self.assertNotIn(('GET', f'/invoices/{tx.btcpay_invoice_id}'), calls, "The list has it.")

    def test_when_another_invoice_has_the_same_order_id_then_it_is_ignored(self):
        """One made by hand at the server is not the transaction's, even if it is the newer."""
        tx = self._create_open()
        other = self.world.new_invoice(
            self.store_id, amount='100.00', metadata={'orderId': tx.reference}
        )
        self.world.pay(other['id'])
        self.world.mine()
        self._reconcile()
        self.assertEqual(tx.state, 'draft')
        self.assertNotEqual(tx.btcpay_invoice_id, other['id'])

    def test_when_the_list_misses_an_invoice_then_it_is_asked_for_singly(self):
        transactions = self._create_open(3)
        paid = transactions[0]
        self.world.pay(paid.btcpay_invoice_id)
        self.world.mine()
        with patch.object(const, 'LIST_TAKE', 1):
            calls = self._reconcile()
        self.assertEqual(paid.state, 'done')
        self.assertEqual(calls[0], ('GET', '/invoices'))
        self.assertIn(('GET', f'/invoices/{paid.btcpay_invoice_id}'), calls)

    def test_when_a_reference_is_long_then_its_invoice_is_asked_for_singly(self):
        """The payment page takes references from its address: they must not break the list call."""
        tx = self._create_btcpay_transaction(reference='x' * 2000)
        self._make_due(tx)
        self.world.pay(tx.btcpay_invoice_id)
        self.world.mine()
        self.assertEqual(self._reconcile()[0], ('GET', f'/invoices/{tx.btcpay_invoice_id}'))
        self.assertEqual(tx.state, 'done')

    def test_when_the_list_is_outdated_then_it_is_not_applied(self):
        """Somebody else's look came between the list call and its application."""
        tx = self._create_open()
        provider = self.btcpay
        listing = type(provider)._btcpay_read_invoices

        def slow_list(records, *args):
            answer = listing(records, *args)
            self.world.pay(tx.btcpay_invoice_id)
            self.world.mine()
            tx._btcpay_sync()
            self.assertEqual(tx.state, 'done')
            return answer

        with patch.object(type(provider), '_btcpay_read_invoices', slow_list):
            self._reconcile()
        self.assertEqual((tx.state, tx.btcpay_status), ('done', 'Settled'))
        self.assertFalse(tx.btcpay_review_note, "Seen the wrong way round: a contradiction.")

    def test_when_several_are_due_then_the_longest_overdue_comes_first(self):
        transactions = self._create_open(3)
        now = fields.Datetime.now()
        for tx, minutes in zip(transactions, (20, 30, 10), strict=True):
            tx.btcpay_next_sync_at = now - timedelta(minutes=minutes)
        never = self._create_btcpay_transaction(reference='never looked at')
        never.btcpay_next_sync_at = now - timedelta(minutes=40)
        due = self.btcpay._btcpay_find_due([])
        expected = never + transactions[1] + transactions[0] + transactions[2]
        self.assertEqual(due.ids, expected.ids)

    # === CUT OFF === #

    def test_when_a_run_is_cut_off_then_the_next_one_goes_on(self):
        transactions = self._create_open(4)
        progress = []

        def commit_progress(cron, processed=0, *, remaining=None, deactivate=False):
            progress.append((processed, remaining))
            cron.env.cr.commit()
            return 0  # No time left.

        with (
            patch.object(const, 'BATCH_SIZE', 2),
            patch.object(type(self.env['ir.cron']), '_commit_progress', commit_progress),
        ):
            self._reconcile()
            limit = fields.Datetime.now() - timedelta(minutes=1)
            looked_at = transactions.filtered(lambda tx: tx.btcpay_synced_at > limit)
            self.assertEqual(looked_at, transactions[:2])
            self._reconcile()
        self.assertTrue(all(tx.btcpay_synced_at > limit for tx in transactions))
        self.assertEqual(progress, [(0, 4), (2, None), (0, 2), (2, None)])

    def test_when_a_batch_is_slow_then_the_others_are_left_for_later(self):
        transactions = self._create_open(3)
        for tx in transactions:  # Else all are done at once.
            self.world.pay(tx.btcpay_invoice_id)
        with patch.object(const, 'LIST_SECONDS', -1):
            self._reconcile()
        limit = fields.Datetime.now() - timedelta(minutes=1)
        self.assertEqual(
            transactions.filtered(lambda tx: tx.btcpay_synced_at > limit), transactions[0]
        )

    # === FAILURES OF ONE === #

    @mute_logger(*QUIET)
    def test_when_one_invoice_fails_then_the_others_are_synced(self):
        transactions = self._create_open(4)
        for tx in transactions:
            self.world.pay(tx.btcpay_invoice_id)
        self.world.mine()
        failing = transactions[1]
        self.world.fault('status', path=f'{failing.btcpay_invoice_id}/payment-methods', count=None)
        self._reconcile()
        self.assertEqual((transactions - failing).mapped('state'), ['done'] * 3)
        self.assertEqual(failing.state, 'draft')
        self.assertFalse(self.btcpay.btcpay_unreachable_since, "The server is there.")
        limit = fields.Datetime.now() - timedelta(minutes=1)
        self.assertTrue(failing.btcpay_synced_at > limit, "Others come first the next time.")

    def test_when_the_code_raises_for_one_then_the_others_are_synced(self):
        transactions = self._create_open(3)
        for tx in transactions:  # Else all are done at once.
            self.world.pay(tx.btcpay_invoice_id)
        tx_class = type(transactions)
        apply = tx_class._btcpay_apply_sync

        def broken(tx, data):
            if tx == transactions[0]:
                raise KeyError("somebody's module")
            return apply(tx, data)

        with (
            patch.object(tx_class, '_btcpay_apply_sync', broken),
            self.assertLogs(f'{MODELS}.payment_transaction.sync', 'ERROR'),
        ):
            self._reconcile()
        limit = fields.Datetime.now() - timedelta(minutes=1)
        self.assertTrue(all(tx.btcpay_synced_at > limit for tx in transactions))

    @mute_logger(*QUIET)
    def test_when_an_invoice_is_gone_then_a_person_is_told_once(self):
        tx = self._create_open()
        tx.btcpay_invoice_id = 'gone'
        self._make_due(tx)
        self._reconcile()
        self.assertIn(tx.reference, tx.btcpay_review_note)
        self._make_due(tx)
        self._reconcile()
        self.assertEqual(len(tx.btcpay_review_note.splitlines()), 1, "A person is told once.")

    # === WHAT IS WATCHED === #

    def test_when_an_invoice_is_open_then_it_is_synced_every_few_minutes(self):
        tx = self._create_open()
        self._make_due(tx, const.POLL_MINUTES - 1)
        self.assertEqual(self._reconcile(), [])
        self._make_due(tx, const.POLL_MINUTES)
        self.assertEqual(len(self._reconcile()), 1)

    def test_when_an_invoice_is_closed_then_it_is_synced_hourly_while_monitored(self):
        tx = self._create_open()
        self.world.expire(tx.btcpay_invoice_id)
        self._reconcile()
        self.assertEqual(tx.state, 'cancel')
        self._make_due(tx, const.SLOW_POLL_MINUTES - 1)
        self.assertEqual(self._reconcile(), [])
        self.world.pay(tx.btcpay_invoice_id)
        self.world.mine()
        self._make_due(tx, const.SLOW_POLL_MINUTES)
        self._reconcile()
        self.assertEqual(tx.btcpay_additional_status, 'PaidLate')
        self.assertTrue(self._is_watched(tx))

    def test_when_synced_after_the_monitoring_then_the_watching_ends(self):
        tx = self._create_open()
        self.world.expire(tx.btcpay_invoice_id)
        self._reconcile()
        tx.btcpay_monitored_until = tx.btcpay_synced_at + timedelta(minutes=1)
        self.assertTrue(self._is_watched(tx), "What came last has not been seen.")
        tx.btcpay_monitored_until = tx.btcpay_synced_at - timedelta(seconds=1)
        self.assertFalse(self._is_watched(tx))

    def test_when_money_is_to_be_decided_of_then_it_is_watched_for_weeks_after_the_monitoring(self):
        tx = self._create_open()
        self.world.expire(tx.btcpay_invoice_id)
        self.world.pay(tx.btcpay_invoice_id)
        self.world.mine()
        tx._btcpay_sync()
        self.assertEqual(tx.btcpay_decision, 'late')
        over = tx.btcpay_synced_at - timedelta(seconds=1)
        for days, is_watched in ((0, True), (29, True), (31, False)):
            tx.btcpay_monitored_until = over - timedelta(days=days)
            self.assertEqual(self._is_watched(tx), is_watched)
        tx.btcpay_monitored_until = over
        self.world.mark(tx.btcpay_invoice_id, 'Settled')  # And nobody tells.
        self._make_due(tx, const.SLOW_POLL_MINUTES)
        self._reconcile()
        self.assertEqual(tx.state, 'done')
        tx.btcpay_monitored_until = over
        self.assertFalse(self._is_watched(tx))

    def test_when_an_invoice_stays_open_then_it_is_watched_forever(self):
        tx = self._create_open()
        tx.btcpay_monitored_until = tx.btcpay_synced_at - timedelta(days=100)
        self.assertTrue(self._is_watched(tx))

    def test_when_an_invoice_is_paid_then_it_is_watched_while_monitored(self):
        """A second payment, or the merchant's taking it back, may come without a webhook."""
        again, taken_back = self._pay_order(), self._create_open()
        self.world.mark(taken_back.btcpay_invoice_id, 'Settled')
        taken_back._btcpay_sync()
        self.world.pay(again.btcpay_invoice_id)
        self.world.mine()
        self.world.mark(taken_back.btcpay_invoice_id, 'Invalid')
        for tx in (again, taken_back):
            self.assertEqual((tx.state, tx.btcpay_review_note), ('done', False))
            self._make_due(tx, const.SLOW_POLL_MINUTES)
        self._reconcile()
        for tx in (again, taken_back):
            self.assertEqual(tx.state, 'done')
            self.assertTrue(tx.btcpay_review_note)
        self.assertGreater(again.btcpay_overpaid_amount, 0)
        again.btcpay_monitored_until = again.btcpay_synced_at - timedelta(seconds=1)
        self.assertFalse(self._is_watched(again))

    def test_when_a_done_payment_is_no_longer_settled_then_it_is_watched(self):
        tx = self._create_open()
        self.world.mark(tx.btcpay_invoice_id, 'Settled')
        self._reconcile()
        self.assertEqual(tx.state, 'done')
        self.world.mark(tx.btcpay_invoice_id, 'Invalid')
        tx._btcpay_sync()
        self.assertEqual(tx.state, 'done')
        self.assertTrue(self._is_watched(tx), "It may be settled again.")

    # === UNANSWERED === #

    def _create_unanswered(self):
        tx = self._create_btcpay_transaction(make_invoice=False)
        with mute_logger(f'{MODELS}.payment_transaction.checkout_failure', *QUIET):
            self.world.fault('drop', path='/invoices$', method='POST', after=True)
            tx._get_processing_values()
        self.assertEqual(tx.state, 'error')
        self.assertFalse(tx.btcpay_invoice_id)
        return tx

    def test_when_the_making_was_not_answered_then_the_list_finds_the_invoice(self):
        tx = self._create_unanswered()
        self.assertEqual(self._reconcile(), [], "The answer may still be under way.")
        tx.btcpay_requested_at -= timedelta(minutes=5)
        tx._btcpay_schedule_sync()
        self.btcpay.sudo().btcpay_retry_at = False  # A minute later.
        self.assertEqual(self._reconcile(), [('GET', '/invoices')])
        self.assertTrue(tx.btcpay_invoice_id)
        self.world.pay(tx.btcpay_invoice_id)
        self.world.mine()
        self._make_due(tx)
        self._reconcile()
        self.assertEqual(tx.state, 'done')

    def test_when_the_invoice_was_never_made_then_it_is_looked_for_a_day_only(self):
        tx = self._create_btcpay_transaction(make_invoice=False)
        tx.btcpay_requested_at = fields.Datetime.now() - timedelta(minutes=5)
        tx._btcpay_schedule_sync()
        self.assertEqual(self._reconcile(), [('GET', '/invoices')])
        self.assertEqual(self._reconcile(), [], "It is looked for again later.")
        self.assertTrue(self._is_watched(tx))
        tx.btcpay_requested_at -= timedelta(hours=const.UNANSWERED_HOURS)
        self.assertFalse(self._is_watched(tx), "After a day it is not looked for any more.")
