import threading
import time
from contextlib import closing, contextmanager
from datetime import timedelta
from unittest.mock import patch

import psycopg2

from odoo import fields
from odoo.sql_db import Cursor, db_connect
from odoo.tests import JsonRpcException, tagged
from odoo.tools import mute_logger

from odoo.addons.payment_btcpay import const
from odoo.addons.payment_btcpay.db import Turn
from odoo.addons.payment_btcpay.tests.common import BTCPayHttpCommon

MODELS = 'odoo.addons.payment_btcpay.models'
QUIET = (
    f'{MODELS}.payment_provider.client', f'{MODELS}.payment_provider.health',
    f'{MODELS}.payment_transaction.pages', f'{MODELS}.payment_transaction.checkout_failure',
)


@tagged('post_install', '-at_install')
class TestSilence(BTCPayHttpCommon):
    """The server hangs: nobody from outside has Odoo's workers wait for it."""

    def setUp(self):
        super().setUp()
        self.startPatcher(patch.object(const, 'SHORT_TIMEOUT', 0.5))
        quiet = mute_logger(*QUIET)
        quiet.__enter__()
        self.addCleanup(quiet.__exit__)
        self.orders = [
            self._create_order(partner_id=self.portal_user.partner_id.id) for _order in range(3)
        ]
        self.transactions = [self._create_btcpay_transaction(order) for order in self.orders]
        for tx in self.transactions:
            self._let_time_pass(tx)
        self.authenticate(None, None)
        self.since = self.world.requests()[-1]['n']

    def _let_time_pass(self, tx, seconds=const.SYNC_INTERVAL + 1):
        for field in ('btcpay_synced_at', 'btcpay_asked_at'):
            tx[field] = tx[field] and tx[field] - timedelta(seconds=seconds)
        self.env.cr.commit()

    def _hang(self):
        self.world.fault('hang', path='/api/', count=None, seconds=2)

    def _fail(self):
        self.world.fault('status', path='/api/', count=None)

    def _set_down(self):
        """As if that had been found out before."""
        self.btcpay.sudo().write({
            'btcpay_unreachable_since': fields.Datetime.now(),
            'btcpay_failed_tries': 2,
            'btcpay_retry_at': fields.Datetime.now() + timedelta(minutes=30),
            'btcpay_connection_state': 'unreachable',
        })
        self.env.cr.commit()

    def _count_questions(self):
        self.env.invalidate_all()
        return len(self.world.requests(self.since))

    def _return(self, tx):
        self.env.flush_all()
        self.assertEqual(self.url_open(
            const.RETURN_ROUTE, params={'ref': tx.reference}, allow_redirects=False
        ).status_code, 303)

    def _call(self, record, method):
        self.env.flush_all()
        return self.make_jsonrpc_request(f'/web/dataset/call_kw/{record._name}/{method}', {
            'model': record._name, 'method': method, 'args': [record.ids], 'kwargs': {},
        })

    # === ONE STAMP BEFORE ASKING === #

    def test_when_the_server_fails_then_one_page_asks_it_once_in_a_while(self):
        self._fail()
        [tx, *_others] = self.transactions
        for _time in range(5):
            self._return(tx)
        self.assertEqual(self._count_questions(), 1)
        self._let_time_pass(tx)
        self._return(tx)
        self.assertEqual(self._count_questions(), 1, "A failure does not count.")
        self._let_time_pass(tx, const.ANSWER_INTERVAL)
        self._return(tx)
        self.assertEqual(self._count_questions(), 2)

    def test_when_the_page_waits_for_an_answer_then_no_other_asks_the_same(self):
        [tx, *_others] = self.transactions
        asked = []
        sync = type(tx)._btcpay_sync

        def ask_meanwhile(sender, **kwargs):
            asked.append(sender)
            sender._btcpay_sync_for_browser()  # A second browser, before the answer.
            return sync(sender, **kwargs)

        with patch.object(type(tx), '_btcpay_sync', ask_meanwhile):
            self._return(tx)
        self.assertEqual(len(asked), 1)

    def test_when_somebody_holds_the_payment_then_the_page_does_not_wait_for_it(self):
        [tx, *_others] = self.transactions
        execute = Cursor.execute

        def held(cr, query, *args, **options):
            if 'btcpay_asked_at' in str(query) and 'SKIP LOCKED' in str(query):
                raise psycopg2.errors.SerializationFailure  # What SKIP LOCKED does not skip.
            return execute(cr, query, *args, **options)

        with patch.object(Cursor, 'execute', held):
            self._return(tx)
        self.assertEqual(self._count_questions(), 0)

    @contextmanager
    def _somebody_at(self, matter):
        """Another of Odoo's processes asks the server for a page or a delivery, and waits."""
        with closing(db_connect(self.env.cr.dbname).cursor()) as cr:
            with Turn(self.btcpay.with_env(self.env(cr=cr)), matter) as turn:
                self.assertTrue(turn.wait())
                # Seen once in a database transaction, which here is that of all tests.
                self.env.cr.execute('SELECT pg_stat_clear_snapshot()')
                yield

    def test_when_a_page_waits_for_the_server_then_those_of_other_payments_do_not(self):
        with self._somebody_at('page'):
            for tx in self.transactions:
                self._return(tx)
            self.assertEqual(self._count_questions(), 0)
            self._post_event(self._prepare_event(self.transactions[0]))
            self.assertEqual(self._count_questions(), 1)
        self._return(self.transactions[1])
        self.assertEqual(self._count_questions(), 2)

    def test_when_a_delivery_waits_for_the_server_then_others_do_not(self):
        with self._somebody_at('delivery'):
            for tx in self.transactions:
                self.assertEqual(self._post_event(self._prepare_event(tx)).status_code, 200)
            self.assertEqual(self._count_questions(), 0)
            deliveries = self.env['btcpay.delivery'].search([
                ('provider_id', '=', self.btcpay.id),
            ])
            self.assertEqual(deliveries.mapped('state'), ['pending'] * 3)
            self._return(self.transactions[0])
            self.assertEqual(self._count_questions(), 1)
        self._post_event(self._prepare_event(self.transactions[1]))
        self.assertEqual(self._count_questions(), 2)

    def test_when_the_other_is_answered_soon_then_a_delivery_is_processed_at_once(self):
        begun = threading.Event()

        def ask():
            with self._somebody_at('delivery'):
                begun.set()
                time.sleep(const.TURN_SECONDS / 3)

        other = threading.Thread(target=ask)
        other.start()
        begun.wait()
        self._post_event(self._prepare_event(self.transactions[0]))
        other.join()
        self.assertEqual(self._count_questions(), 1)

    def test_when_the_other_waits_for_long_already_then_fifty_deliveries_wait_no_moment(self):
        with patch.object(const, 'TURN_SECONDS', 1), self._somebody_at('delivery'):
            time.sleep(1.1)
            begun = time.monotonic()
            for number in range(50):
                self._post_event(self._prepare_event(self.transactions[number % 3]))
            # Each would wait a second, and the shop's pages behind them.
            self.assertLess(time.monotonic() - begun, 25)
        self.assertEqual(self._count_questions(), 0)

    def test_when_the_other_finds_the_server_down_then_a_delivery_does_not_ask_it_again(self):
        def wait(turn):
            turn.cr.commit()
            turn.cr.execute(
                'UPDATE payment_provider SET btcpay_retry_at = %s WHERE id = %s',
                [fields.Datetime.now() + timedelta(minutes=1), self.btcpay.id],
            )
            return True

        with self._somebody_at('delivery'), patch.object(Turn, 'wait', wait):
            self._post_event(self._prepare_event(self.transactions[0]))
        self.assertEqual(self._count_questions(), 0)
        delivery = self.env['btcpay.delivery'].search([('provider_id', '=', self.btcpay.id)])
        self.assertEqual((delivery.state, delivery.try_count), ('pending', 0))

    # === KNOWN TO BE DOWN === #

    def test_when_the_server_hangs_for_one_page_then_no_other_waits_for_it(self):
        self._hang()
        for tx in self.transactions:
            self._return(tx)
        self.assertEqual(self._count_questions(), 1)
        self.assertFalse(self.btcpay._btcpay_may_ask())

    def test_when_the_server_hangs_then_fifty_deliveries_wait_for_it_once(self):
        self._hang()
        for number in range(50):
            event = self._prepare_event(self.transactions[number % 3])
            self.assertEqual(self._post_event(event).status_code, 200)
        self.assertEqual(self._count_questions(), 1)
        deliveries = self.env['btcpay.delivery'].search([('provider_id', '=', self.btcpay.id)])
        self.assertEqual(len(deliveries), 50)
        self.assertEqual(set(deliveries.mapped('state')), {'pending'})
        self.assertEqual(sum(deliveries.mapped('try_count')), 1)
        # The scheduled action has them as soon as the server answers.
        self.world.clear_faults()
        for delivery in deliveries.sudo():
            delivery.next_try_at -= timedelta(minutes=5)
        self.btcpay.sudo().btcpay_retry_at -= timedelta(minutes=5)
        self.env['btcpay.delivery']._cron_process()
        self.assertEqual(set(deliveries.mapped('state')), {'processed'})

    def test_when_the_server_is_known_to_be_down_then_no_entrance_asks_it(self):
        [tx, *_others] = self.transactions
        values = self._portal_transaction(**{
            **self._prepare_transaction_values(self.payment_method_id, None, 'redirect'),
            'tokenization_requested': False,
        })
        watched = self._get_tx(values['reference'])
        self._let_time_pass(watched)
        self._set_down()
        for entrance in (
            lambda: self._return(tx),
            lambda: self.make_jsonrpc_request('/payment/status/poll'),
            lambda: self._post_event(self._prepare_event(tx)),
            lambda: self._create_btcpay_transaction(
                self._create_order(), make_invoice=False
            )._get_processing_values(),
        ):
            self.since = self.world.requests()[-1]['n']
            entrance()
            self.assertEqual(self._count_questions(), 0)

    def test_when_the_server_is_known_to_be_down_then_a_checkout_fails_at_once(self):
        self._set_down()
        tx = self._create_btcpay_transaction(self._create_order(), make_invoice=False)
        tx._get_processing_values()
        self.assertEqual(tx.state, 'error')
        self.assertIn("Nothing was charged. Please try again in a few minutes", tx.state_message)
        self._assert_asked_within_a_minute()

    def _assert_asked_within_a_minute(self):
        self.env.invalidate_all()
        self.assertLessEqual(
            self.btcpay.sudo().btcpay_retry_at, fields.Datetime.now() + timedelta(minutes=1)
        )
        self.assertFalse(self.btcpay._btcpay_may_ask())

    def test_when_the_server_speaks_itself_then_it_is_asked_within_a_minute(self):
        self._set_down()
        self._post_event(self._prepare_event(self.transactions[0]))
        self._assert_asked_within_a_minute()

    def test_when_the_server_did_not_answer_once_then_customers_can_still_pay(self):
        self._hang()
        self._return(self.transactions[0])
        self.world.clear_faults()
        tx = self._create_btcpay_transaction(self._create_order())
        self.assertTrue(tx.btcpay_invoice_id)
        self.assertTrue(self.btcpay._btcpay_may_ask(), "It has answered.")

    def test_when_a_checkout_waits_in_vain_then_pages_do_not(self):
        self._hang()
        tx = self._create_btcpay_transaction(self._create_order(), make_invoice=False)
        with patch.object(const, 'CHECKOUT_TIMEOUT', 0.5):
            tx._get_processing_values()
        self.assertEqual((tx.state, self._count_questions()), ('error', 1))
        self._return(self.transactions[0])
        self.assertEqual(self._count_questions(), 1)

    # === PEOPLE === #

    def test_when_an_employee_syncs_then_the_server_is_asked_though_it_was_down(self):
        self._set_down()
        self.authenticate(self.internal_user.login, self.internal_user.login)
        self.internal_user.group_ids += self.env.ref('sales_team.group_sale_salesman_all_leads')
        action = self._call(self.orders[0], 'action_btcpay_sync')
        self.assertEqual(action['params']['type'], 'success')
        self.assertEqual(self._count_questions(), 1)
        self.assertTrue(self.btcpay._btcpay_may_ask(), "It has answered.")

    @mute_logger('odoo.http')
    def test_when_a_customer_calls_the_orders_sync_then_it_is_refused(self):
        self.authenticate(self.portal_user.login, self.portal_user.login)
        [order, *_others] = self.orders
        order.with_user(self.portal_user).check_access('read')
        for record in (order, self.transactions[0]):
            with self.subTest(model=record._name), self.assertRaises(JsonRpcException) as error:
                self._call(record, 'action_btcpay_sync')
            self.assertIn('AccessError', str(error.exception))
        self.assertEqual(self._count_questions(), 0)
