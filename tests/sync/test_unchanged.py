from datetime import timedelta
from unittest.mock import patch

import psycopg2

from odoo import fields
from odoo.sql_db import Cursor
from odoo.tests import tagged

from odoo.addons.payment_btcpay.tests.sync.test_sync_in_batches import ReconcileCommon


@tagged('-at_install', 'post_install')
class TestUnchanged(ReconcileCommon):
    """Of most payments that are polled the server has nothing new to say: all at once, then."""

    def _count_queries(self, transactions):
        """Return what syncing them costs in one batch, all of whose invoices are as they were."""
        self.env.flush_all()
        self.env.invalidate_all()
        synced = []
        with patch.object(
            type(transactions), '_btcpay_sync', lambda tx, **_kwargs: synced.append(tx)
        ):
            before = self.env.cr.sql_log_count
            self.btcpay._btcpay_sync_payments(transactions.ids)
            count = self.env.cr.sql_log_count - before
        self.assertFalse(synced)
        return count

    def test_when_nothing_is_new_then_ten_cost_no_more_than_two(self):
        transactions = self._create_open(10)
        settled = transactions[5:]
        for tx in settled:
            self.world.pay(tx.btcpay_invoice_id)
        self.world.mine()
        for tx in settled:
            tx._btcpay_sync()
        self.env['payment.transaction'].sudo()._cron_post_process()
        self._count_queries(transactions)
        few = self._count_queries(transactions[4:6])
        self.assertEqual(self._count_queries(transactions), few)
        now = fields.Datetime.now()
        for tx in transactions:
            self.assertGreater(tx.btcpay_synced_at, now - timedelta(minutes=1))
            self.assertGreater(tx.btcpay_next_sync_at, now)

    def test_when_one_of_many_has_news_then_it_is_synced(self):
        transactions = self._create_open(3)
        self.world.pay(transactions[1].btcpay_invoice_id)
        self._reconcile()
        self.assertEqual(transactions.mapped('state'), ['draft', 'pending', 'draft'])

    def test_when_one_was_changed_meanwhile_then_it_is_due_as_was_written_then(self):
        transactions = self._create_open(3)
        changed, soon = transactions[1], fields.Datetime.now() - timedelta(minutes=7)
        listing = type(self.btcpay)._btcpay_read_invoices

        def slow_list(provider, *args):
            answer = listing(provider, *args)
            self.env.cr.execute(
                "UPDATE payment_transaction SET write_date = write_date + interval '1 second',"
                " btcpay_next_sync_at = %s WHERE id = %s", [soon, changed.id],
            )
            return answer

        with patch.object(type(self.btcpay), '_btcpay_read_invoices', slow_list):
            self._reconcile()
        self.assertEqual(changed.btcpay_next_sync_at, soon.replace(microsecond=0))
        for tx in transactions - changed:
            self.assertGreater(tx.btcpay_next_sync_at, fields.Datetime.now())
        self.assertEqual(transactions.mapped('btcpay_sync_count'), [0, 0, 0])

    def test_when_somebody_holds_one_then_the_others_do_not_wait_for_it(self):
        transactions = self._create_open(2)
        conflict = psycopg2.errors.SerializationFailure
        execute = Cursor.execute

        def failing(cr, query, *args, **kwargs):
            if 'SKIP LOCKED' in getattr(query, 'code', query):
                raise conflict
            return execute(cr, query, *args, **kwargs)

        with patch.object(Cursor, 'execute', failing):
            self._reconcile()
        self.assertEqual(transactions.mapped('btcpay_sync_count'), [0, 0], "In the next run.")
        self.assertEqual(len(self._reconcile()), 1)
        self.assertGreater(min(transactions.mapped('btcpay_next_sync_at')), fields.Datetime.now())
