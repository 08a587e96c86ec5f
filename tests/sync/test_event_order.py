from itertools import permutations

from odoo.tests import tagged
from odoo.tools import mute_logger

from odoo.addons.payment_btcpay.tests.common import BTCPayHttpCommon


@tagged('post_install', '-at_install')
class TestEventOrder(BTCPayHttpCommon):
    """Events that come in whatever order, late, twice or not at all lead to the same end."""

    def _assert_sold(self, tx):
        """The order is confirmed, and paid once."""
        self.env.invalidate_all()
        order = tx.sale_order_ids
        for _run in range(2):  # The second has nothing to do, and nothing to say.
            self.env['payment.transaction'].sudo()._cron_post_process()
        self.assertEqual((tx.state, order.state), ('done', 'sale'))
        self.assertEqual(order.amount_paid, 100)
        self.assertEqual(len(order.transaction_ids.payment_id), 1)
        self.assertEqual(len(tx.btcpay_payment_ids), 1)
        self.assertFalse(order.activity_ids)
        confirmations = order.message_ids.filtered(lambda m: "has been confirmed" in m.body)
        mails = confirmations.filtered('subject')
        self.assertEqual((len(mails), len(confirmations - mails)), (1, 1))

    def test_when_events_come_in_any_order_then_the_order_is_confirmed_once(self):
        types = ('InvoiceReceivedPayment', 'InvoiceProcessing', 'InvoiceSettled')
        for order_of_types in permutations(types):
            with self.subTest(order=order_of_types):
                tx = self._create_btcpay_transaction(self._create_order())
                steps = iter([
                    lambda _id: None, self.world.pay, lambda _id: self.world.mine(),
                ])
                for event_type in order_of_types:  # The state read is another each time.
                    next(steps)(tx.btcpay_invoice_id)
                    response = self._post_event(self._prepare_event(tx, event_type))
                    self.assertEqual(response.status_code, 200)
                self._assert_sold(tx)

    def test_when_all_events_come_late_then_the_order_is_confirmed_once(self):
        types = ('InvoiceCreated', 'InvoiceProcessing', 'InvoiceSettled')
        for order_of_types in permutations(types):
            with self.subTest(order=order_of_types):
                tx = self._create_btcpay_transaction(self._create_order())
                self.world.pay(tx.btcpay_invoice_id)
                self.world.mine()
                for event_type in order_of_types:
                    self._post_event(self._prepare_event(tx, event_type))
                self._assert_sold(tx)

    def test_when_old_events_come_after_the_end_then_they_change_nothing(self):
        """Of an invoice that expired, and was marked settled: old events change nothing."""
        tx = self._create_btcpay_transaction(self._create_order())
        self.world.expire(tx.btcpay_invoice_id)
        self._post_event(self._prepare_event(tx, 'InvoiceExpired'))
        self.env.invalidate_all()
        self.assertEqual(tx.state, 'cancel')
        self.world.pay(tx.btcpay_invoice_id)
        self.world.mark(tx.btcpay_invoice_id, 'Settled')
        for event_type in ('InvoiceSettled', 'InvoiceExpired', 'InvoicePaidAfterExpiration'):
            self._post_event(self._prepare_event(tx, event_type))
        self._assert_sold(tx)

    def test_when_the_server_spoils_the_deliveries_then_the_order_is_confirmed_once(self):
        for kind in ('twice', 'reorder', 'late', 'never'):
            with self.subTest(kind=kind):
                tx = self._create_btcpay_transaction(self._create_order())
                self.world.webhook_fault(kind, invoice=tx.btcpay_invoice_id, seconds=1)
                with self._world_speaks() as world, mute_logger('odoo.sql_db'):
                    world.pay(tx.btcpay_invoice_id)
                    world.mine()
                self._assert_sold(tx)

    def test_when_a_paid_orders_old_invoice_expires_then_the_order_stays_paid(self):
        """The first attempt's expiry does not touch the order the second one paid."""
        order = self._create_order()
        first = self._create_btcpay_transaction(order)
        second = self._pay_order(order)
        self.env['payment.transaction'].sudo()._cron_post_process()
        self.assertEqual(order.state, 'sale')
        if self.world.invoice(first.btcpay_invoice_id)['status'] == 'New':
            self.world.expire(first.btcpay_invoice_id)
        with mute_logger('odoo.addons.payment.models.payment_transaction'):
            self._post_event(self._prepare_event(first, 'InvoiceExpired'))
        self.env.invalidate_all()
        self.assertIn(first.state, ('cancel', 'error'))
        self.assertEqual((second.state, order.state, order.amount_paid), ('done', 'sale', 100))
