import json
from datetime import timedelta
from unittest.mock import patch

import psycopg2

from odoo import fields
from odoo.exceptions import AccessError
from odoo.tests import new_test_user, tagged
from odoo.tools import mute_logger

from odoo.addons.payment_btcpay import const
from odoo.addons.payment_btcpay.db import Turn, commit_and_refresh
from odoo.addons.payment_btcpay.greenfield import WebhookEvent
from odoo.addons.payment_btcpay.models import btcpay_delivery
from odoo.addons.payment_btcpay.tests.common import BTCPayHttpCommon

REQUEST_LOG = 'odoo.addons.payment_btcpay.models.payment_provider.client'
HEALTH_LOG = 'odoo.addons.payment_btcpay.models.payment_provider.health'
DELIVERY_LOG = 'odoo.addons.payment_btcpay.models.btcpay_delivery'


@tagged('post_install', '-at_install')
class TestDelivery(BTCPayHttpCommon):
    """Each delivery is kept once, and worked off, at once or later."""

    def setUp(self):
        super().setUp()
        self.order = self._create_order()
        self.tx = self._create_btcpay_transaction(self.order)

    def _find_deliveries(self):
        self.env.invalidate_all()
        return self.env['btcpay.delivery'].search([('provider_id', '=', self.btcpay.id)])

    def _post(self, event=None, **fault):
        """Send an event, which the server spoils by not answering our question.

        :return: The delivery.
        """
        if fault:
            self.world.fault(path='/invoices/', method='GET', **fault)
        before = self._find_deliveries()
        with mute_logger(REQUEST_LOG, HEALTH_LOG):
            response = self._post_event(event or self._prepare_event(self.tx))
        self.assertEqual(response.status_code, 200)
        self.world.clear_faults()
        return self._find_deliveries() - before

    def _let_time_pass(self, **delta):
        """Bring all that waits nearer."""
        for delivery in self._find_deliveries().filtered('next_try_at').sudo():
            delivery.next_try_at -= timedelta(**delta)

    # === ONCE === #

    def test_when_the_same_delivery_comes_twice_then_it_is_processed_once(self):
        event = self._prepare_event(self.tx)
        first = self._post(event)
        before = len(self.world.requests())
        self.assertFalse(self._post(event))
        self.assertEqual(len(self.world.requests()), before, "It was worked off again.")
        self.assertEqual(first.try_count, 1)

    def test_when_an_event_is_delivered_again_then_the_redelivery_is_processed(self):
        event = self._prepare_event(self.tx)
        first = self._post(event)
        self.world.pay(self.tx.btcpay_invoice_id)
        self.world.mine()
        second = self._post({
            **event, 'deliveryId': event['deliveryId'] + 'again', 'isRedelivery': True,
        })
        self.assertRecordValues(second, [{
            'original_ref': first.delivery_ref, 'is_redelivery': True, 'state': 'processed',
        }])
        self.assertEqual(self.tx.state, 'done')

    def test_when_the_server_redelivers_then_the_delivery_names_its_original(self):
        with self._world_speaks() as world:
            world.pay(self.tx.btcpay_invoice_id)
        delivery = self._find_deliveries()[0]
        with self._world_speaks() as world:
            new_ref = world.redeliver(
                self.btcpay.sudo().btcpay_webhook_id, delivery.delivery_ref
            )
        new = self._find_deliveries().filtered(lambda d: d.delivery_ref == new_ref)
        self.assertRecordValues(new, [{
            'original_ref': delivery.original_ref, 'is_redelivery': True, 'state': 'processed',
        }])

    def test_when_two_providers_get_the_same_delivery_id_then_each_keeps_it_once(self):
        other = self.btcpay.copy()
        event = self._prepare_event(self.tx)
        for provider in (self.btcpay, other):
            self.assertTrue(self._keep(provider, event))
            self.assertFalse(self._keep(provider, event))

    def _keep(self, provider, event):
        return self.env['btcpay.delivery']._keep(
            provider, WebhookEvent.parse(json.dumps(event).encode()), self.tx
        )

    def test_when_a_delivery_cannot_be_kept_then_the_next_has_its_turn(self):
        """Its transaction is deleted just then: PostgreSQL sees that after it has given the turn,
        which does not end with the database transaction."""
        event = WebhookEvent.parse(json.dumps(self._prepare_event(self.tx)).encode())
        gone = self._create_btcpay_transaction(make_invoice=False)
        self.env.cr.commit()
        self.assertEqual(gone.state, 'draft')
        self.env.cr.execute('DELETE FROM payment_transaction WHERE id = %s', [gone.id])
        try:
            with Turn(self.btcpay, 'delivery') as turn:
                self.env['btcpay.delivery']._keep(self.btcpay, event, gone, turn=turn)
        except psycopg2.errors.ForeignKeyViolation:
            pass
        else:
            self.fail("It was kept.")
        self.env.cr.execute(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()"
        )
        self.assertEqual(self.env.cr.fetchone(), (0,))

    # === NO MORE THAN IS KNOWN === #

    def _post_status(self, event_type, **values):
        """Send an event as the server does of a payment that was read.

        :return: The delivery, and how often the server was asked.
        """
        count = len(self.world.requests())
        event = self._prepare_event(self.tx, event_type, **{'overPaid': False, **values})
        delivery = self._post(event)
        return delivery, len(self.world.requests()) - count

    def test_when_an_event_tells_a_status_that_is_known_then_the_server_is_not_asked(self):
        self.world.pay(self.tx.btcpay_invoice_id)
        self._post(self._prepare_event(self.tx, 'InvoiceReceivedPayment'))
        self.assertEqual(self.tx.state, 'pending')
        self.assertEqual(self._post_status('InvoiceProcessing')[1], 0)
        self.world.mine()
        self.assertEqual(self._post_status('InvoiceSettled', manuallyMarked=False)[1], 1)
        self.assertEqual(self.tx.state, 'done')
        for event_type in ('InvoiceProcessing', 'InvoiceSettled'):
            delivery, count = self._post_status(event_type)
            self.assertEqual((delivery.state, count), ('processed', 0), event_type)

    def test_when_an_event_tells_more_than_a_known_status_then_the_server_is_asked(self):
        self.tx = self._pay_order(self._create_order())
        for event_type, values in (
            ('InvoiceSettled', {'overPaid': True}), ('InvoiceSettled', {'overPaid': None}),
            ('InvoiceSettled', {'manuallyMarked': True}), ('InvoiceReceivedPayment', {}),
            ('InvoicePaymentSettled', {}), ('InvoiceExpired', {}), ('InvoiceInvalid', {}),
            ('InvoiceOfTomorrow', {}),
        ):
            self.assertTrue(self._post_status(event_type, **values)[1], (event_type, values))

    def test_when_more_than_the_status_is_open_then_each_event_has_the_server_asked(self):
        self.tx = self._pay_order(self._create_order())
        for values in (
            {'btcpay_review_matters': {'sync': "?"}}, {'btcpay_pending_action': 'invalidate'},
            {'btcpay_additional_status': 'PaidOver'}, {'btcpay_status': 'Processing'},
            {'state': 'pending'},
        ):
            self.env.cr.commit()
            self.tx.sudo().write(values)
            self.assertFalse(self.tx._btcpay_knows(WebhookEvent.parse(json.dumps(
                self._prepare_event(self.tx, overPaid=False)).encode())), values)
            self.env.cr.rollback()

    # === BEFORE THE ANSWER === #

    def test_when_an_event_comes_before_the_answer_then_the_transaction_gets_its_invoice(self):
        tx = self._create_btcpay_transaction(make_invoice=False, reference='early')
        tx.write({
            'btcpay_requested_at': fields.Datetime.now(), 'btcpay_store_id': self.store_id,
            'btcpay_invoice_token': 'token',
        })
        invoice = self.world.new_invoice(
            self.store_id, metadata={'orderId': 'early', const.TOKEN_KEY: 'token'}
        )
        delivery = self._post(self._prepare_event(
            event_type='InvoiceCreated', invoiceId=invoice['id'], metadata={'orderId': 'early'}
        ))
        self.assertEqual((delivery.state, delivery.transaction_id), ('processed', tx))
        self.assertEqual(tx.btcpay_invoice_id, invoice['id'])

    def test_when_a_foreign_invoice_has_our_order_id_then_its_event_is_ignored(self):
        """E.g. one made by hand on the server: it does not touch the transaction."""
        invoice = self.world.new_invoice(
            self.store_id, metadata={'orderId': self.tx.reference}
        )
        own = self.tx.btcpay_invoice_id
        delivery = self._post(self._prepare_event(self.tx, invoiceId=invoice['id']))
        self.assertEqual(delivery.state, 'ignored')
        self.assertEqual(self.tx.btcpay_invoice_id, own)
        # Nor one that was never asked for at the server.
        tx = self._create_btcpay_transaction(make_invoice=False, reference='not-asked')
        delivery = self._post(self._prepare_event(
            invoiceId=invoice['id'], metadata={'orderId': 'not-asked'}
        ))
        self.assertEqual(delivery.state, 'ignored')
        self.assertFalse(tx.btcpay_invoice_id)

    # === LATER === #

    def test_when_the_server_does_not_answer_in_time_then_the_delivery_is_pending(self):
        """200 within seconds: the server waits 100 s for us, with all other shops' events."""
        timeouts = []
        send = type(self.btcpay)._send_api_request

        def record(tx, *args, **kwargs):
            timeouts.append(kwargs.get('btcpay_timeout'))
            return send(tx, *args, **kwargs)

        with patch.object(type(self.btcpay), '_send_api_request', record):
            delivery = self._post(kind='hang', seconds=2)
        self.assertEqual(timeouts, [const.SHORT_TIMEOUT])
        self.assertRecordValues(delivery, [{
            'state': 'pending', 'try_count': 1, 'transaction_id': self.tx.id,
        }])
        self.assertIn("did not answer", delivery.reason)
        self.assertGreater(delivery.next_try_at, fields.Datetime.now())

    def test_when_the_server_cannot_be_asked_at_all_then_the_delivery_is_kept(self):
        self.btcpay.sudo().btcpay_server_url = 'http://8.8.8.8'
        delivery = self._post()
        self.assertRecordValues(delivery, [{
            'state': 'pending', 'try_count': 1, 'transaction_id': self.tx.id,
        }])
        self.assertIn("cannot be used safely", delivery.reason)

    def test_when_an_event_is_about_a_refund_then_it_is_stored_before_the_server_is_asked(self):
        self.world.pay(self.tx.btcpay_invoice_id)
        self.world.mine()
        self.tx._btcpay_sync()
        pull_payment = self.world.api(
            'POST', f'/stores/{self.store_id}/invoices/{self.tx.btcpay_invoice_id}/refund',
            {'refundVariant': 'Fiat', 'payoutMethodId': 'BTC-CHAIN'},
        )
        done = []
        send = type(self.btcpay)._send_api_request

        def ask(provider, *args, **kwargs):
            done.append('asked')
            return send(provider, *args, **kwargs)

        def store(env):
            done.append('stored')
            return commit_and_refresh(env)

        with (
            patch.object(type(self.btcpay), '_send_api_request', ask),
            patch.object(btcpay_delivery, 'commit_and_refresh', store),
        ):
            self._post(self._prepare_event(
                self.tx, 'PullPaymentCreated', pullPaymentId=pull_payment['id'],
            ))
        self.assertEqual(done[0], 'stored')
        self.assertIn('asked', done)

    def test_when_the_server_fails_at_first_then_the_delivery_is_processed_later(self):
        self.world.pay(self.tx.btcpay_invoice_id)
        self.world.mine()
        delivery = self._post(kind='status', status=503)
        self.assertEqual((delivery.state, self.tx.state), ('pending', 'draft'))
        self.env['btcpay.delivery']._cron_process()
        self.assertEqual(delivery.try_count, 1, "It was tried again at once.")
        self._let_time_pass(minutes=2)
        self.env['btcpay.delivery']._cron_process()
        self.assertRecordValues(delivery, [{
            'state': 'processed', 'try_count': 2, 'transaction_id': self.tx.id, 'reason': False,
        }])
        self.assertEqual(self.tx.state, 'done')

    def test_when_each_try_fails_then_the_waits_grow_and_it_is_flagged_for_review(self):
        delivery = self._post(kind='status', status=503)
        self.world.fault('status', path='/invoices/', count=None)
        waits = []
        for _try in const.DELIVERY_WAITS:
            self.assertEqual(delivery.state, 'pending')
            waits.append(delivery.next_try_at - fields.Datetime.now())
            self.assertFalse(self.order.activity_ids)
            self._let_time_pass(days=2)
            with mute_logger(REQUEST_LOG):
                self.env['btcpay.delivery']._cron_process()
        self.assertEqual(waits, sorted(waits))
        self.assertLess(waits[0], timedelta(minutes=2))
        self.assertGreater(waits[-1], timedelta(hours=12))
        self.assertRecordValues(delivery, [{
            'state': 'failed', 'next_try_at': False,
            'try_count': len(const.DELIVERY_WAITS) + 1,
        }])
        self.assertEqual(len(self.order.activity_ids), 1)
        self.assertIn("has a problem at the moment", self.order.activity_ids.note)
        self.assertIn("Sync with BTCPay", self.order.activity_ids.note)
        before = len(self.world.requests())
        self.env['btcpay.delivery']._cron_process()
        self.assertEqual(len(self.world.requests()), before)

    def test_when_a_delivery_came_just_now_then_it_is_left_to_its_request_for_a_while(self):
        event = self._prepare_event(self.tx)
        delivery = self._keep(self.btcpay, event)
        self.env['btcpay.delivery']._cron_process()
        self.assertEqual((delivery.state, delivery.try_count), ('pending', 0))
        # Odoo was killed while working it off.
        self._let_time_pass(seconds=const.DELIVERY_GRACE + 1)
        self.env['btcpay.delivery']._cron_process()
        self.assertEqual((delivery.state, delivery.try_count), ('processed', 1))

    def test_when_our_own_code_fails_then_the_delivery_is_pending_and_others_are_processed(self):
        """An error in somebody's module is no reason for a 5xx, and blocks nothing."""
        def fail(_tx, _payment_data):
            raise ZeroDivisionError("a\0b")

        with patch.object(type(self.tx), '_apply_updates', fail), mute_logger(DELIVERY_LOG):
            delivery = self._post()
        self.assertEqual((delivery.state, delivery.try_count), ('pending', 1))
        self.assertIn("ZeroDivisionError", delivery.reason)
        other = self._create_btcpay_transaction(self._create_order())
        self.assertEqual(self._post(self._prepare_event(other)).state, 'processed')
        self._let_time_pass(minutes=2)
        self.env['btcpay.delivery']._cron_process()
        self.assertEqual(delivery.state, 'processed')

    def test_when_the_reason_cannot_be_stored_as_it_is_then_one_is_stored_all_the_same(self):
        for reason in ('a\0b', '\ud800', 'x' * 5000):
            delivery = self._keep(self.btcpay, self._prepare_event(self.tx))[:1]
            delivery._postpone(reason)
            delivery.flush_recordset()
            self.assertTrue(delivery.reason)

    def test_when_one_delivery_fails_then_the_others_are_processed(self):
        first = self._post(kind='status', status=503)
        other = self._create_btcpay_transaction(self._create_order())
        second = self._post(self._prepare_event(other), kind='status', status=503)
        self._let_time_pass(minutes=2)
        self.world.fault('status', path=self.tx.btcpay_invoice_id)
        with mute_logger(REQUEST_LOG):
            self.env['btcpay.delivery']._cron_process()
        self.assertEqual((first.state, second.state), ('pending', 'processed'))

    # === WHAT IS KEPT, HOW LONG, FOR WHOM === #

    def test_when_an_event_comes_then_its_body_is_kept_only_in_debug_mode(self):
        self.assertFalse(self._post().body)
        self.btcpay.btcpay_debug = True
        self.assertIn(self.tx.btcpay_invoice_id, self._post().body)

    def test_when_a_delivery_is_older_than_the_retention_then_it_is_removed_unless_pending(self):
        self.btcpay.btcpay_webhook_log_days = 30
        old, young, pending = (self._post() for _delivery in range(3))
        pending.sudo().state = 'pending'
        for delivery, days in ((old, 31), (young, 29), (pending, 31)):
            delivery.flush_recordset()
            self.env.cr.execute(
                "UPDATE btcpay_delivery SET create_date = %s WHERE id = %s",
                [fields.Datetime.now() - timedelta(days=days), delivery.id],
            )
        self.env.invalidate_all()
        self.env['btcpay.delivery']._gc_deliveries()
        self.assertEqual(self._find_deliveries(), pending + young)

    def test_when_deliveries_are_accessed_then_only_administrators_read_and_nobody_writes(self):
        delivery = self._post()
        admin = new_test_user(self.env, 'btcpay-admin', groups='base.group_system')
        delivery.with_user(admin).read(['reason'])
        for values in ({'state': 'processed'}, {'body': 'x'}):
            with self.assertRaises(AccessError):
                delivery.with_user(admin).write(values)
        with self.assertRaises(AccessError):
            delivery.with_user(admin).unlink()
        manager = new_test_user(
            self.env, 'btcpay-manager',
            groups='sales_team.group_sale_manager,account.group_account_manager',
        )
        for user in (manager, self.portal_user, self.public_user):
            with self.assertRaises(AccessError):
                delivery.with_user(user).read(['reason'])
