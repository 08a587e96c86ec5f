from unittest.mock import patch

from odoo.exceptions import UserError
from odoo.tests import tagged
from odoo.tools import mute_logger

from odoo.addons.payment_btcpay import const
from odoo.addons.payment_btcpay.greenfield import NotUnderstood, WebhookEvent
from odoo.addons.payment_btcpay.tests.common import BTCPayCommon
from odoo.addons.payment_btcpay.tests.refund.refund_common import RefundMixin

WEBHOOK_LOG = 'odoo.addons.payment_btcpay.models.payment_provider.webhook'


@tagged('post_install', '-at_install')
class TestRefundAdopted(RefundMixin, BTCPayCommon):
    """Refunds that were made at the server itself: each is adopted once, and none too much."""

    def _look_for_others(self):
        """Have the scheduled action look, with the hourly look for other refunds due."""
        self.btcpay.sudo().btcpay_webhook_checked_at = False
        with self._quiet(), mute_logger(WEBHOOK_LOG):
            self._reconcile()

    def test_when_two_events_of_one_refund_are_processed_at_once_then_it_is_adopted_once(self):
        tx = self._paid()
        pull_payment = self._server_refund(tx)
        book = type(tx)._btcpay_book_receipts

        def book_and_be_overtaken(root):
            with patch.object(type(tx), '_btcpay_book_receipts', book):
                root._btcpay_find_or_adopt_refund(pull_payment['id'])
            return book(root)

        with patch.object(type(tx), '_btcpay_book_receipts', book_and_be_overtaken):
            refund = tx._btcpay_find_or_adopt_refund(pull_payment['id'])
        self.assertEqual(tx.btcpay_refund_ids, refund)
        self.assertFalse(tx.sale_order_ids.activity_ids)

    def test_when_a_refund_is_adopted_then_whoever_waits_for_the_lock_begins_anew(self):
        """As where a refund is made in Odoo: what is adopted is not overlooked."""
        tx = self._paid()
        pull_payment = self._server_refund(tx)
        self.patch(type(tx), '_btcpay_sync', lambda tx, **kwargs: None)
        before = self._row_version(tx)
        tx._btcpay_find_or_adopt_refund(pull_payment['id'])
        self.assertNotEqual(self._row_version(tx), before)
        self.assertEqual(tx.btcpay_returned_amount, 100)

    def test_when_odoo_was_restored_then_its_refund_of_before_is_adopted_and_not_made_again(self):
        tx, other = self._paid(), self._paid()
        for paid in (tx, other):
            paid._btcpay_request_refund(60)
        tx.flush_recordset()
        self.env.cr.execute('DELETE FROM payment_transaction WHERE id IN %s', [
            tuple((tx | other).btcpay_refund_ids.ids)
        ])
        self.env.invalidate_all()
        (tx | other).modified(['btcpay_refund_ids'])
        # By now its number is that of another order, which was not refunded.
        order = other.sale_order_ids
        another = self._paid()
        another.sale_order_ids.name, order.name = order.name, "S99999"
        number, other.reference = other.reference, 'restored-' + another.reference
        other.flush_recordset()  # before another takes it, as references are unique
        another.reference = number
        self.env.cr.commit()
        self._look_for_others()
        self.assertRecordValues(tx.btcpay_refund_ids, [{'state': 'pending', 'amount': -60}])
        self.assertFalse(another.btcpay_refund_ids)
        with self.assertRaises(UserError):
            tx._btcpay_request_refund(60)
        self.env.cr.rollback()
        self._look_for_others()
        self.assertEqual(len(tx.btcpay_refund_ids), 1)

    def test_when_all_is_given_back_before_it_is_confirmed_then_the_network_fee_is_of_it(self):
        tx = self._create_btcpay_transaction(self._create_order())
        self.world.pay(tx.btcpay_invoice_id, method='BTC-LN')
        for _time in range(2):
            self.world.pay(tx.btcpay_invoice_id, amount='0.002')
        self._look(tx)
        self.assertEqual((tx.btcpay_paid_amount, tx.btcpay_network_fee_amount), (295, 5))
        pull_payment = self._server_refund(tx)
        self.assertEqual(pull_payment['amount'], '300.00')
        refund = tx._btcpay_find_or_adopt_refund(pull_payment['id'])
        self.assertEqual((refund.amount, tx.btcpay_returned_amount), (-300, 300))
        self.assertNotIn("made at the BTCPay Server itself", self._activities(tx.sale_order_ids))

    def test_when_a_refund_of_the_server_comes_to_nothing_then_it_is_flagged_for_review(self):
        tx = self._paid()
        pull_payment = self._server_refund(
            tx, refundVariant='Custom', customAmount='0.00000001', customCurrency='BTC'
        )
        self.assertFalse(tx._btcpay_find_or_adopt_refund(pull_payment['id']))
        self.assertFalse(tx.btcpay_refund_ids)
        self.assertIn("made at the BTCPay Server itself", self._activities(tx.sale_order_ids))

    def test_when_nothing_is_given_back_of_nothing_then_nothing_follows(self):
        tx = self._create_btcpay_transaction(self._create_order())
        self.world.expire(tx.btcpay_invoice_id)
        self.world.mark(tx.btcpay_invoice_id, 'Invalid')
        self._look(tx)
        pull_payment = self._server_refund(tx)
        self.assertEqual(pull_payment['amount'], '0')
        self.assertFalse(tx._btcpay_find_or_adopt_refund(pull_payment['id']))
        self._look_for_others()
        self.assertFalse(tx.btcpay_refund_ids)
        self.assertFalse(self._activities(tx.sale_order_ids))

    def test_when_a_refund_is_in_a_currency_not_paid_in_then_it_is_flagged_for_review(self):
        tx = self._paid()
        pull_payment = self._server_refund(
            tx, refundVariant='Custom', customAmount='50', customCurrency='EUR'
        )
        self.assertFalse(tx._btcpay_find_or_adopt_refund(pull_payment['id']))
        self.assertIn("50 EUR", self._activities(tx.sale_order_ids))

    def test_when_the_answer_is_about_another_refund_then_nothing_is_adopted(self):
        tx = self._paid()
        pull_payment, other = self._server_refund(tx), self._server_refund(tx)
        send = type(self.btcpay)._send_api_request

        def answer(provider, method, endpoint, **kwargs):
            endpoint = endpoint.replace(pull_payment['id'], other['id'])
            return send(provider, method, endpoint, **kwargs)

        self.patch(type(self.btcpay), '_send_api_request', answer)
        with self.assertRaises(NotUnderstood):
            tx._btcpay_find_or_adopt_refund(pull_payment['id'])
        self.assertFalse(tx.btcpay_refund_ids)

    def test_when_a_sync_is_answered_about_another_refund_then_the_refund_stays_pending(self):
        tx = self._paid()
        refund = tx._btcpay_request_refund(50)
        other = self._server_refund(tx, refundVariant='Custom', customAmount='1',
                                    customCurrency='USD')
        self._claim(refund, '1.00')
        send = type(self.btcpay)._send_api_request

        def answer(provider, method, endpoint, **kwargs):
            if not endpoint.endswith('/payouts'):
                endpoint = endpoint.replace(refund.btcpay_pull_payment_id, other['id'])
            return send(provider, method, endpoint, **kwargs)

        self.patch(type(self.btcpay), '_send_api_request', answer)
        with self.assertRaises(NotUnderstood):
            refund._btcpay_sync()
        self.assertEqual(refund.state, 'pending')

    def test_when_the_pull_payment_id_is_a_path_then_the_server_is_not_asked(self):
        tx = self._paid()
        self._call_count('', '')
        self.assertFalse(tx._btcpay_find_or_adopt_refund('../api-keys/current'))
        self.assertFalse(self.world.requests(since=self.last_call))

    def test_when_a_refund_was_archived_before_odoo_knew_of_it_then_a_person_is_asked_once(self):
        """The server does not tell any more whether anything of it was paid out."""
        tx = self._paid()
        pull_payment = self._server_refund(tx)
        payout_id = self.world.claim(pull_payment['id'])
        self.world.approve(payout_id)
        self.world.pay_payout(payout_id)
        self.world.archive_pull_payment(pull_payment['id'])
        for _time in range(2):
            self._look_for_others()
            self.assertFalse(tx.btcpay_refund_ids)
            asked = tx.sale_order_ids.activity_ids
            self.assertEqual(len(asked), 1)
            self.assertIn(
                "Up to $ 100.00 may have been paid out", self._activities(tx.sale_order_ids)
            )
        asked.action_feedback()
        self._look_for_others()
        self.assertFalse(tx.sale_order_ids.activity_ids)

    def test_when_an_event_tells_of_a_refund_that_was_archived_since_then_a_person_is_asked(self):
        tx = self._paid()
        pull_payment = self._server_refund(tx, refundVariant='RateThen')
        self.world.archive_pull_payment(pull_payment['id'])
        self.assertFalse(tx._btcpay_find_or_adopt_refund(pull_payment['id']))
        self.assertFalse(tx.btcpay_refund_ids)
        self.assertIn("Up to 0.002 BTC may have been paid out", self._activities(
            tx.sale_order_ids
        ))
        self.assertEqual(tx._btcpay_get_refund_sums()['available'], 100)

    def test_when_a_refund_was_paid_out_before_odoo_knew_of_it_then_it_is_adopted_and_booked(self):
        tx = self._paid()
        pull_payment = self._server_refund(tx)
        payout_id = self.world.claim(pull_payment['id'], '20.00')
        self.world.approve(payout_id)
        self.world.pay_payout(payout_id)
        self._look_for_others()
        refund = tx.btcpay_refund_ids
        # Afterwards the server does not list it any more.
        self.world.archive_pull_payment(pull_payment['id'])
        refund._btcpay_sync()
        self._post_process()
        self.assertEqual((refund.state, refund.amount), ('done', -20))
        self.assertEqual(refund.payment_id.amount, 20)

    def test_when_the_last_try_of_an_event_fails_then_the_server_was_asked_once(self):
        """What is said of a failure must not fail for the same reason."""
        tx = self._paid()
        pull_payment = self._server_refund(tx)
        delivery = self.env['btcpay.delivery']._keep(self.btcpay, WebhookEvent(
            'given-up', 'PullPaymentCreated', invoice_id=tx.btcpay_invoice_id,
            pull_payment_id=pull_payment['id'],
        ), tx)
        delivery.try_count = len(const.DELIVERY_WAITS)
        self.world.fault('status', path='/v1/pull-payments/', count=None)
        self._call_count('', '')
        with self._quiet():
            delivery._process()
        self.assertEqual(self._call_count('GET', '/v1/pull-payments/'), 1)
        self.assertEqual(delivery.state, 'failed')
        self.assertIn("could not be processed", self._activities(tx.sale_order_ids))
