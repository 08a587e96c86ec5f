"""What deliveries, payments and Odoo's other work cost: queries and calls, never times."""
import re
import sys
import traceback
from datetime import timedelta
from unittest.mock import patch

from lxml import etree

from odoo.sql_db import Cursor
from odoo.tests import new_test_user, tagged
from odoo.tests.test_cursor import TestCursor
from odoo.tools import mute_logger

from odoo.addons.payment_btcpay import const
from odoo.addons.payment_btcpay.greenfield import Client
from odoo.addons.payment_btcpay.tests.common import BTCPayHttpCommon
from odoo.addons.payment_btcpay.tests.money_common import MoneyMixin

#: what tests do in place of beginning and ending a database transaction
NOT_COUNTED = re.compile(r'\s*(SAVEPOINT|RELEASE|ROLLBACK)', re.I)
#: through these each query goes, whoever wants it
FRAMEWORK = re.compile(
    r'/odoo/(orm|tools|tests|sql_db|api|fields|models)|test_costs|/odoo/http'
    r'|/btcpay_(apart|protected)_mixin'
)


class Cost:
    """:ivar list queries: of each who wanted it    :ivar list calls: those of the server
    :ivar int commits: how often what was done was stored, of a request"""

    def __init__(self):
        self.queries, self.calls, self.commits = [], [], 0

    @property
    def own(self):
        """The queries that code of ours wanted."""
        return [who for who in self.queries if '/payment_btcpay/' in who]


@tagged('-at_install', 'post_install')
class TestCosts(MoneyMixin, BTCPayHttpCommon):

    def _measure(self, act, *args, is_cold=True, **kwargs):
        """Return what it costs.

        :param bool is_cold: Whether nothing was read before, as at the beginning of a request.
        :rtype: Cost
        """
        cost = Cost()
        execute, commit = Cursor.execute, TestCursor.commit
        providers = self.registry['payment.provider']
        send = providers._send_api_request

        def counted(cr, query, *others, **options):
            text = query if isinstance(query, str) else getattr(query, 'code', query)
            if not NOT_COUNTED.match(str(text)):
                who = next(
                    f'{frame.filename}:{frame.lineno} {frame.name}'
                    for frame in reversed(traceback.extract_stack())
                    if not FRAMEWORK.search(frame.filename)
                )
                cost.queries.append(f"{who}   {' '.join(str(text).split())[:150]}")
            return execute(cr, query, *others, **options)

        def called(provider, method, endpoint, **options):
            cost.calls.append(f'{method} {endpoint}')
            return send(provider, method, endpoint, **options)

        def committed(cr):
            cost.commits += 1
            return commit(cr)

        self.env.flush_all()
        if is_cold:
            self.env.invalidate_all()
        with (
            patch.object(Cursor, 'execute', counted),
            patch.object(TestCursor, 'commit', committed),
            patch.object(providers, '_send_api_request', called),
        ):
            act(*args, **kwargs)
            self.env.flush_all()
        return cost

    def _assert_cost(self, cost, queries, calls=0, commits=None):
        if commits is not None:
            self.assertEqual(cost.commits, commits)
        self.assertLessEqual(len(cost.queries), queries, '\n'.join(cost.queries))
        self.assertEqual(len(cost.calls), calls, cost.calls)

    # === WEBHOOK === #

    def _create_paid(self):
        tx = self._create_btcpay_transaction(self._create_order())
        self.world.pay(tx.btcpay_invoice_id)
        self.world.mine()
        return tx

    def _measure_event(self, *events, **kwargs):
        """Return what the last one costs: what is read once a process is not counted."""
        return [self._measure(self._post_event, event, **kwargs) for event in events][-1]

    def test_when_a_payment_settles_then_its_event_costs_one_call_and_13_queries(self):
        txs = [self._create_paid() for _time in range(2)]
        cost = self._measure_event(*map(self._prepare_event, txs))
        self._assert_cost(cost, queries=13, calls=1, commits=3)
        self.assertEqual([tx.state for tx in txs], ['done', 'done'])

    def test_when_the_same_delivery_comes_again_then_nothing_is_asked(self):
        event = self._prepare_event(self._create_paid())
        self._assert_cost(self._measure_event(event, event, event), queries=2)

    def test_when_what_is_done_is_delivered_again_then_nothing_is_asked(self):
        event = self._prepare_event(self._create_paid())
        again = [
            {**self._prepare_event(), **event, 'deliveryId': f'again{number}',
             'isRedelivery': True, 'originalDeliveryId': event['deliveryId']}
            for number in range(2)
        ]
        self._assert_cost(self._measure_event(event, *again), queries=2)
        self.assertEqual(
            self.env['btcpay.delivery'].search([('is_redelivery', '=', True)]).mapped('state'),
            ['processed', 'processed'],
        )

    def test_when_nothing_follows_from_an_event_then_nothing_is_asked(self):
        tx = self._create_btcpay_transaction(self._create_order())
        events = [self._prepare_event(tx, 'InvoiceCreated') for _time in range(2)]
        self._assert_cost(self._measure_event(*events), queries=2)

    def test_when_an_event_is_about_nothing_of_ours_then_nothing_is_asked(self):
        events = [self._prepare_event() for _time in range(2)]
        self._assert_cost(self._measure_event(*events), queries=2)

    @mute_logger('odoo.addons.payment_btcpay.controllers.main')
    def test_when_the_signature_is_wrong_then_nothing_is_read(self):
        events = [self._prepare_event() for _time in range(2)]
        self._assert_cost(self._measure_event(*events, secret='another'), queries=0)

    def test_when_many_events_are_about_one_payment_then_one_sync_answers_those_that_wait(self):
        tx = self._create_paid()
        deliveries = self.env['btcpay.delivery']
        with patch.object(self.registry['btcpay.delivery'], '_process', lambda *_args: None):
            for event_type in ('InvoiceReceivedPayment', 'InvoicePaymentSettled'):
                self._post_event(self._prepare_event(tx, event_type))
        self.assertEqual(deliveries.search_count([('state', '=', 'pending')]), 2)
        cost = self._measure_event(self._prepare_event(tx))
        self.assertEqual(len(cost.calls), 1)
        self.assertFalse(deliveries.search([('state', '!=', 'processed')]))
        self.assertEqual(len(tx.btcpay_delivery_ids), 3)

    def test_when_many_payments_settle_then_one_trigger_waits(self):
        cron = self.env.ref('payment.cron_post_process_payment_tx')
        waiting = [('cron_id', '=', cron.id)]
        self.env['ir.cron.trigger'].search(waiting).unlink()
        self._measure_event(*map(self._prepare_event, [self._create_paid() for _time in range(3)]))
        self.assertEqual(self.env['ir.cron.trigger'].search_count(waiting), 1)

    def test_when_details_did_not_come_with_the_event_then_they_come_with_the_processing(self):
        tx = self._create_paid()
        self._post_event(self._prepare_event(tx))
        self.assertEqual((tx.state, tx.btcpay_are_payments_due), ('done', True))
        self.assertFalse(tx.btcpay_payment_ids)
        cost = self._measure(self._post_process)
        self.assertEqual(len(cost.calls), 1)
        self.assertFalse(tx.btcpay_are_payments_due)
        self.assertEqual(tx.btcpay_payment_ids.mapped('status'), ['Settled'])

    def test_when_another_event_comes_while_details_are_read_then_they_are_read_again(self):
        tx = self._create_paid()
        self._post_event(self._prepare_event(tx))
        cron = self.env.ref('payment.cron_post_process_payment_tx')
        waiting = [('cron_id', '=', cron.id)]
        self.env['ir.cron.trigger'].search(waiting).unlink()
        list_methods = Client.list_invoice_payment_methods

        def list_while_an_event_comes(client, *args):
            payment_methods = list_methods(client, *args)
            tx.btcpay_sync_count += 1
            return payment_methods

        with patch.object(Client, 'list_invoice_payment_methods', list_while_an_event_comes):
            self._post_process()
        self.assertTrue(tx.btcpay_are_payments_due)
        self.assertTrue(self.env['ir.cron.trigger'].search(waiting))
        self._post_process()
        self.assertEqual(tx.btcpay_payment_ids.mapped('status'), ['Settled'])

    def test_when_details_cannot_be_read_then_the_order_is_confirmed_and_they_come_later(self):
        tx = self._create_paid()
        self._post_event(self._prepare_event(tx))
        self.world.fault('status', path='/payment-methods', count=None)
        with mute_logger('odoo.addons.payment_btcpay.models.payment_transaction.sync',
                         'odoo.addons.payment_btcpay.models.payment_provider.client'):
            self._post_process()
        self.assertEqual(tx.sale_order_ids.state, 'sale')
        self.assertTrue(tx.btcpay_are_payments_due)
        self.world.clear_faults()
        self._look(tx)
        self.assertFalse(tx.btcpay_are_payments_due)
        self.assertEqual(len(tx.btcpay_payment_ids), 1)

    def test_when_details_of_one_cannot_be_stored_then_the_action_goes_on_with_the_others(self):
        broken, other = self._create_paid(), self._create_paid()
        for tx in (broken, other):
            self._post_event(self._prepare_event(tx))
        transactions = self.registry['payment.transaction']
        store = transactions._btcpay_store_payments

        def fail_for_one(tx, payment_methods):
            if tx == broken:
                raise ValueError("no details of this one")
            return store(tx, payment_methods)

        with (
            patch.object(transactions, '_btcpay_store_payments', fail_for_one),
            mute_logger('odoo.addons.payment_btcpay.models.payment_transaction.sync'),
        ):
            self._post_process()
        self.assertTrue(broken.btcpay_are_payments_due)
        self.assertFalse(other.btcpay_are_payments_due)
        self.assertEqual(len(other.btcpay_payment_ids), 1)

    # === CHECKOUT === #

    def test_when_a_customer_pays_then_the_server_is_called_once(self):
        for _time in range(2):
            order = self._create_order()
            cost = self._measure(
                self.make_jsonrpc_request, f'/my/orders/{order.id}/transaction', {
                    'provider_id': self.btcpay.id, 'payment_method_id': self.payment_method.id,
                    'token_id': None, 'amount': order.amount_total, 'flow': 'redirect',
                    'tokenization_requested': False, 'landing_route': order.get_portal_url(),
                    'access_token': order._portal_ensure_token(),
                },
            )
        self._assert_cost(cost, queries=45, calls=1, commits=2)
        self.assertTrue(order.transaction_ids.btcpay_checkout_link)

    def test_when_a_customer_comes_back_who_paid_then_it_costs_one_call_and_14_queries(self):
        for _time in range(2):
            tx = self._create_paid()
            tx.sudo().btcpay_synced_at -= timedelta(minutes=1)
            cost = self._measure(
                self.url_open, f'{const.RETURN_ROUTE}?ref={tx.reference}', allow_redirects=False,
            )
        self.assertEqual(tx.state, 'done')
        self._assert_cost(cost, queries=14, calls=1)

    # === WHAT IS NOT OURS === #

    def test_when_another_provider_is_paid_then_we_ask_nothing(self):
        orders = [self._create_order() for _time in range(2)]
        for order in orders:
            tx = self._create_other_transaction(order)
            self.env.invalidate_all()
            tx.mapped('provider_id.code')  # Odoo has read it by then, see `_process`.
            self.assertFalse(self._measure(tx._set_done, is_cold=False).own)
        for order in orders:
            tx = order.transaction_ids
            tx.mapped('provider_id.code')  # Odoo reads it anyway, if not at first.
            own = self._measure(tx._post_process, is_cold=False).own
        self.assertFalse(own)
        self.assertEqual({order.state for order in orders}, {'sale'})

    def test_when_a_transaction_of_others_begins_then_nothing_of_ours_is_computed(self):
        self.patch(self.registry['payment.transaction'], '_compute_btcpay_returned_amount', None)
        self.assertFalse(self._create_other_transaction().btcpay_is_handled)
        self.env.flush_all()

    def test_when_transactions_and_providers_are_read_then_our_fields_are_not(self):
        tx = self._create_other_transaction(self._create_order())
        self.env.flush_all()
        for record in (tx, tx.provider_id):
            self.env.invalidate_all()
            record.reference if record == tx else record.code  # noqa: B018 (read)
            self.assertEqual({
                name for name, field in record._fields.items()
                if name.startswith('btcpay_') and record.id in field._get_cache(self.env)
            }, {'btcpay_credit_note_id', 'btcpay_root_id'} if record == tx else set())
            # Once one of ours is wanted, all are read.
            own = 'btcpay_status' if record == tx else 'btcpay_server_url'
            cost = self._measure(record.sudo().mapped, own, is_cold=False)
            self.assertEqual(len(cost.queries), 1)
            with self.assertQueryCount(0):
                record.sudo().mapped('state')

    def test_when_orders_are_made_changed_and_canceled_then_we_ask_nothing(self):
        for _time in range(2):
            created = self._measure(self._create_order).own
            order = self._create_order()
            changed = self._measure(order.order_line.write, {'product_uom_qty': 3}).own
            canceled = self._measure(order._action_cancel).own
            confirmed = self._measure(self._create_order().action_confirm).own
        self.assertFalse(created + changed + canceled + confirmed)

    def test_when_orders_of_others_are_paid_then_what_is_to_be_decided_costs_nothing(self):
        for _time in range(2):
            order = self._create_order()
            activities = order.activity_schedule('mail.mail_activity_data_todo')
            activities += order.activity_schedule('mail.mail_activity_data_todo')
            tx = self._create_other_transaction(order)
            costs = [self._measure(tx.copy, {'reference': f'{tx.reference}-again'})]
            order.action_confirm()
            costs.append(self._measure(order._create_invoices))
            activities.mapped('active')  # Odoo reads it anyway, if after us.
            costs += [
                self._measure(close, is_cold=False)
                for close in (activities[0].action_feedback, activities[1].unlink)
            ]
        self.assertFalse([who for cost in costs for who in cost.own])

    def test_when_an_order_without_bitcoin_is_opened_then_the_banner_costs_nothing(self):
        names = {
            'btcpay_decision': {}, 'btcpay_decision_text': {}, 'btcpay_can_accept_late': {},
            'btcpay_can_accept_partial': {}, 'btcpay_can_refund_decided': {},
        }
        for record in (self._create_order(), self._create_invoice()):
            for _time in range(2):
                costs = [
                    len(self._measure(record.web_read, {'name': {}, **more}).queries)
                    for more in ({}, names)
                ]
            self.assertEqual(*costs)

    def test_when_fields_of_orders_are_read_then_no_code_of_ours_runs(self):
        user = new_test_user(
            self.env, 'seller', 'sales_team.group_sale_manager,account.group_account_invoice'
        )
        orders = self._create_order() + self._create_order()
        moves = self._create_invoice()
        called = []

        def note(frame, event, _arg):
            if event == 'call' and '/payment_btcpay/models/' in frame.f_code.co_filename:
                called.append(frame.f_code.co_name)

        for records in (orders.with_user(user), moves.with_user(user), orders.order_line):
            records.mapped('display_name')  # What is not in the cache is read, and checked.
            sys.setprofile(note)
            try:
                for record in records:
                    record.name, record.company_id, record.currency_id  # noqa: B018 (read)
            finally:
                sys.setprofile(None)
        self.assertFalse(called)

    # === LISTS === #

    def _measure_list(self, records, view):
        arch = etree.fromstring(records.get_view(self.env.ref(view).id, 'list')['arch'])
        names = {node.get('name') for node in arch.iter('field')}
        self.assertLessEqual({'btcpay_status_text', 'btcpay_decision'}, names)
        others, ours = (
            {
                name: {'fields': {'display_name': {}}} if name == 'currency_id' else {}
                for name in names if is_ours or not name.startswith('btcpay_')
            } for is_ours in (False, True)
        )
        # Odoo computes fields of a thousand records at once: of three here.
        with patch('odoo.orm.fields.PREFETCH_MAX', 3):
            for _time in range(2):
                costs = [self._measure(records.web_read, fields) for fields in (others, ours)]
        return len(costs[1].queries) - len(costs[0].queries)

    def _set_paid(self, tx):
        tx.sudo().write({
            'btcpay_invoice_id': f'invoice-{tx.id}', 'btcpay_status': 'Settled',
            'btcpay_additional_status': 'None', 'btcpay_paid_amount': 100, 'state': 'done',
        })

    def test_when_orders_are_listed_then_our_columns_cost_two_queries(self):
        orders = self.env['sale.order']
        for number in range(10):
            orders += self._create_order()
            tx = self._create_btcpay_transaction(orders[-1], make_invoice=False)
            if number % 2:
                self._set_paid(tx)
        for view in ('sale.view_order_tree', 'sale.view_quotation_tree'):
            for count in (2, 10):
                self.assertLessEqual(self._measure_list(orders[:count], view), 2)
        self.assertEqual(set(orders.mapped('btcpay_status_text')), {"Paid", "Not started"})
        self.assertEqual(sum(orders.mapped('btcpay_received_amount')), 500)

    def test_when_invoices_are_listed_then_our_columns_cost_two_queries(self):
        moves = self.env['account.move']
        for _number in range(6):
            moves += self._create_invoice()
            self._set_paid(self._create_btcpay_transaction(
                make_invoice=False, reference=f'tx-{moves[-1].id}', invoice_ids=moves[-1].ids,
            ))
        for count in (2, 6):
            self.assertLessEqual(
                self._measure_list(moves[:count], 'account.view_out_invoice_tree'), 2
            )
