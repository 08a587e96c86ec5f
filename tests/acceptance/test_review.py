from odoo.tests import tagged

from odoo.addons.payment_btcpay.tests.common import BTCPayCommon
from odoo.addons.payment_btcpay.tests.refund.refund_common import RefundMixin


@tagged('post_install', '-at_install')
class TestDecided(RefundMixin, BTCPayCommon):
    """What a person was asked is closed when it is decided, and only then."""

    def setUp(self):
        super().setUp()
        self.order = self._create_order(require_payment=True, prepayment_percent=1.0)
        self.tx = self._create_btcpay_transaction(self.order)

    def _assert_asked(self, is_asked):
        self.env.invalidate_all()
        self.assertTrue(self.tx.btcpay_review_note)
        self.assertEqual(bool(self.order.activity_ids), is_asked)
        self.assertEqual(self.tx.btcpay_is_resolved, not is_asked)

    def test_when_a_partial_payment_is_accepted_then_the_review_is_closed(self):
        self._receive('0.4')
        self._assert_asked(True)
        self.assertEqual(self.order.btcpay_status_text, "Expired, partly paid")
        self.tx.action_btcpay_accept_partial()
        self._assert_asked(False)
        self.assertEqual(self.order.btcpay_status_text, "Partial payment accepted")
        self._look(self.tx)
        self._assert_asked(False)

    def test_when_a_partial_payment_is_refunded_in_full_then_the_review_is_closed(self):
        self._receive('0.4')
        refund = self.tx._btcpay_request_refund(10)
        self._assert_asked(True)
        self.assertEqual(self.order.btcpay_status_text, "Expired, partly paid, refund underway")
        self.world.archive_pull_payment(refund.btcpay_pull_payment_id)
        refund._btcpay_sync()
        self.tx._btcpay_request_refund(40)
        self._assert_asked(False)

    def test_when_a_late_payment_is_accepted_then_the_review_is_closed(self):
        self._receive('1', late=True)
        self._assert_asked(True)
        self.tx.action_btcpay_accept_late()
        self._assert_asked(False)
        self.assertEqual(self.order.btcpay_status_text, "Paid late, accepted")

    def test_when_the_whole_overpayment_is_refunded_then_the_review_is_closed(self):
        self._receive('1.5')
        self._assert_asked(True)
        self.tx._btcpay_request_refund(20)
        self._assert_asked(True)
        self.tx._btcpay_request_refund(30)
        self._assert_asked(False)

    def test_when_an_overpaid_late_payment_is_refunded_in_full_then_the_review_is_closed(self):
        self._receive('1.5', late=True)
        self.tx._btcpay_request_refund(50)
        self._assert_asked(True)
        self.tx._btcpay_request_refund(100)
        self._assert_asked(False)

    def test_when_the_overpayment_is_refunded_at_the_server_then_the_review_is_closed(self):
        self._receive('1.5')
        pull_payment = self._server_refund(
            self.tx, refundVariant='Custom', customAmount='50', customCurrency='USD'
        )
        self.tx._btcpay_find_or_adopt_refund(pull_payment['id'])
        self._assert_asked(False)

    def test_when_a_refund_is_not_answered_then_the_review_stays_open(self):
        self._receive('1.5')
        self._lose_answer(took_effect=False)
        with self._quiet():
            self.tx._btcpay_request_refund(50)
        self._assert_asked(True)

    def test_when_the_activity_is_marked_done_then_the_review_is_closed(self):
        self._receive('0.4')
        self.order.activity_ids.action_feedback()
        self._assert_asked(False)
