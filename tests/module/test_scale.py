"""What is final costs the scheduled actions nothing, however much of it there is."""
import json
import re
from contextlib import contextmanager
from datetime import timedelta
from unittest.mock import patch

import psycopg2

from odoo import fields
from odoo.sql_db import Cursor
from odoo.tests import tagged

from odoo.addons.payment_btcpay import const
from odoo.addons.payment_btcpay.tests.sync.test_sync_in_batches import ReconcileCommon

FINAL = 6000  # Enough for a scan of all of them to be what PostgreSQL would rather not do.


@tagged('post_install', '-at_install')
class TestScale(ReconcileCommon):

    def _fill(self, table, count, **columns):
        """Insert rows by SQL, whose `n` counts from 1.

        :param dict columns: The SQL expression of each column.
        """
        names = ', '.join(columns)
        values = ', '.join(columns.values())
        self.env.cr.execute(f"""
            INSERT INTO {table} ({names}) SELECT {values} FROM generate_series(1, {count}) n;
            ANALYZE {table}
        """)  # noqa: S608 (ours)

    def _fill_transactions(self, provider, **columns):
        self._fill('payment_transaction', FINAL, **{
            'provider_id': str(provider.id),
            'company_id': str(provider.company_id.id),
            'payment_method_id': str(self.payment_method.id),
            'reference': f"'final-{provider.id}-' || n",
            'amount': '100',
            'currency_id': str(self.currency.id),
            'partner_id': str(self.partner.id),
            'operation': "'online_redirect'",
            'state': "'done'",
            'is_post_processed': 'TRUE',
            'last_state_change': "now() - interval '1 day'",
            **columns,
        })

    @contextmanager
    def _watched(self, table):
        """Collect how PostgreSQL carries out what is asked of a table meanwhile."""
        plans = []
        execute = Cursor.execute

        def explained(cr, query, params=None, **options):
            text = getattr(query, 'code', query)
            if re.match(r'\s*(SELECT|UPDATE|DELETE)', text) and f'{table}' in text:
                execute(cr, f'EXPLAIN (FORMAT JSON) {text}', getattr(query, 'params', params))
                plans.append((text, json.dumps(cr.fetchone()[0])))
            return execute(cr, query, params, **options)

        with patch.object(Cursor, 'execute', explained):
            yield plans

    def _assert_no_scan(self, table, plans):
        self.assertTrue(plans)
        for query, plan in plans:
            scans = re.findall(r'"Node Type": "Seq Scan", [^{}]*"Relation Name": "(\w+)"', plan)
            self.assertNotIn(table, scans, f'{query}\n{plan}')

    def test_when_nothing_is_to_be_done_then_no_final_transaction_is_looked_at(self):
        self._fill_transactions(self.btcpay, btcpay_is_handled='TRUE', btcpay_invoice_id="'f' || n")
        self._fill_transactions(self.dummy_provider)  # Others' are none of ours.
        transactions = self.env['payment.transaction'].sudo()
        for action in (
            self.env['payment.provider']._cron_btcpay_sync,
            transactions._cron_btcpay_run_pending_actions,
            transactions._cron_btcpay_confirm,
            transactions._cron_post_process,
        ):
            with self.subTest(action=action.__name__):
                with self._watched('payment_transaction') as plans:
                    action()
                self._assert_no_scan('payment_transaction', plans)

    def _fill_deliveries(self, count, **columns):
        self._fill('btcpay_delivery', count, **{
            'provider_id': str(self.btcpay.id),
            'delivery_ref': "'old' || n",
            'invoice_ref': "'invoice' || n",
            'state': "'processed'",
            'create_date': "now() - interval '1 year' + n * interval '1 minute'",
            **columns,
        })

    def test_when_deliveries_are_final_then_no_scan_goes_through_them(self):
        self._fill_deliveries(FINAL)
        deliveries = self.env['btcpay.delivery']
        with self._watched('btcpay_delivery') as plans:
            deliveries._cron_process()
            self.env.execute_query(deliveries._select_pending(self.btcpay, 'invoice7'))
            with patch.object(const, 'REMOVAL_SIZE', 10):
                deliveries._gc_deliveries()
        self._assert_no_scan('btcpay_delivery', plans)

    def test_when_many_deliveries_are_old_then_the_oldest_are_removed_until_none_is_left(self):
        self.btcpay.btcpay_webhook_log_days = 30
        self._fill_deliveries(25)
        self._fill_deliveries(
            2, delivery_ref="'pending' || n", state="'pending'", next_try_at='now()'
        )
        self._fill_deliveries(3, delivery_ref="'young' || n", create_date='now()')
        deliveries = self.env['btcpay.delivery'].search([('provider_id', '=', self.btcpay.id)])
        old = deliveries.filtered(lambda d: d.delivery_ref.startswith('old')).sorted('create_date')
        with patch.object(const, 'REMOVAL_SIZE', 10):
            self.assertEqual(self.env['btcpay.delivery']._gc_deliveries(), (10, True))
            self.assertEqual(old.exists(), old[10:])
            self.assertEqual(self.env['btcpay.delivery']._gc_deliveries(), (10, True))
            self.assertEqual(self.env['btcpay.delivery']._gc_deliveries(), (5, False))
        self.assertEqual(deliveries.exists(), deliveries - old)

    def test_when_payments_are_polled_that_have_no_news_then_it_costs_a_tenth_of_a_query_each(self):
        transactions = self._create_open(100)
        with (
            patch.object(const, 'BATCH_SIZE', 100),
            patch.object(type(transactions), '_btcpay_sync', lambda tx, **_kw: self.fail(tx)),
        ):
            commits, before = [], self.env.cr.sql_log_count
            commit = self.env.cr.commit
            with patch.object(self.env.cr, 'commit', lambda: commits.append(commit())):
                calls = self._reconcile()
            queries = self.env.cr.sql_log_count - before - len(commits)
        self.assertEqual(calls, [('GET', '/invoices')] * 2)
        self.assertLessEqual(queries, 10 + 10, "10 of them are those of an idle action.")
        self.assertLessEqual(len(commits), 6)
        self.assertGreater(
            min(transactions.mapped('btcpay_next_sync_at')),
            fields.Datetime.now() + timedelta(minutes=const.POLL_MINUTES - 1),
        )

    def test_when_more_invoices_are_open_then_comparing_them_with_their_orders_costs_no_more(self):
        transactions = self.env['payment.transaction'].sudo()
        for _number in range(12):
            transactions += self._create_btcpay_transaction(self._create_order())
        self.env.cr.commit()
        costs = []
        for some in (transactions[:12], transactions[:3], transactions[:12]):
            self.env.invalidate_all()
            before = self.env.cr.sql_log_count
            some._btcpay_invalidate_obsolete()
            self.env.flush_all()
            costs.append(self.env.cr.sql_log_count - before)
        self.assertLessEqual(costs[2], costs[1] + 1, costs)

    def test_when_too_many_invoices_are_open_then_those_that_are_polled_next_are_compared(self):
        orders = self.env['sale.order']
        for number in (2, 1):
            orders += self._create_order()
            tx = self._create_btcpay_transaction(orders[-1])
            tx.btcpay_next_sync_at = fields.Datetime.now() + timedelta(minutes=number)
        orders.order_line.price_unit = 120
        self.env.cr.commit()
        action = self.env['payment.transaction'].sudo()._cron_btcpay_run_pending_actions
        with patch.object(const, 'BATCH_SIZE', 1), patch.object(const, 'LIST_SECONDS', -1):
            action()
            self.assertEqual(orders.transaction_ids.sorted('id').mapped('state'),
                             ['draft', 'cancel'])
            action()
        self.assertEqual(set(orders.transaction_ids.mapped('state')), {'cancel'})

    def test_when_one_is_changed_meanwhile_then_the_others_are_compared_all_the_same(self):
        orders = self._create_order() + self._create_order()
        for order in orders:
            self._create_btcpay_transaction(order)
        orders.order_line.price_unit = 120
        self.env.cr.commit()
        transactions = self.env['payment.transaction'].sudo()
        invalidate = type(transactions)._btcpay_invalidate_obsolete
        first = orders.transaction_ids.sorted('btcpay_next_sync_at, id')[:1]

        def conflict(some):
            if some == first:
                raise psycopg2.errors.SerializationFailure
            return invalidate(some)

        with (
            patch.object(const, 'BATCH_SIZE', 1),
            patch.object(type(transactions), '_btcpay_invalidate_obsolete', conflict),
        ):
            transactions._cron_btcpay_run_pending_actions()
        self.assertEqual((orders.transaction_ids - first).state, 'cancel')
        self.assertEqual(first.state, 'draft')
