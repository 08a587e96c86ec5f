from datetime import timedelta

from odoo.exceptions import UserError
from odoo.fields import Command
from odoo.tests import tagged
from odoo.tools import html2plaintext

from odoo.addons.payment_btcpay.tests.common import BTCPayCommon
from odoo.addons.payment_btcpay.tests.refund.refund_common import RefundMixin


@tagged('post_install', '-at_install')
class TestRefundClaims(RefundMixin, BTCPayCommon):
    """Claims that wait are somebody's task; and by what they can be paid out."""

    def setUp(self):
        super().setUp()
        self.addCleanup(self.world.change_store, self.store_id, methods=self.store_methods)

    # === CLAIMS THAT WAIT === #

    def _asked(self, refund):
        """Return what somebody is asked about claims, as text."""
        activity = refund.sudo().btcpay_claim_activity_id.filtered('active')
        self.assertLessEqual(activity, refund._btcpay_get_document().activity_ids)
        return str(activity.note or '').replace('&nbsp;', ' ')

    def test_when_claimed_then_the_responsible_person_is_asked_until_it_is_paid(self):
        refund = self._paid()._btcpay_request_refund(50)
        self.assertFalse(self._asked(refund))
        payout_id = self._claim(refund, pay=False)
        for _time in range(2):
            refund._btcpay_sync()
        order = refund._btcpay_get_document()
        asked = order.activity_ids.filtered(lambda activity: "was claimed" in activity.summary)
        self.assertEqual(len(asked), 1)
        self.assertEqual(asked.user_id, order.user_id or self.btcpay.btcpay_responsible_id)
        self.assertIn(f'{self.world.url}/stores/{self.store_id}/payouts', self._asked(refund))
        self.assertNotIn(refund.btcpay_refund_link, self._asked(refund))
        self.world.approve(payout_id)
        self.world.pay_payout(payout_id)
        refund._btcpay_sync()
        self.assertFalse(self._asked(refund))
        self.assertFalse(order.activity_ids)

    def test_when_claimed_in_many_parts_then_they_are_noted_by_one_message(self):
        """By Lightning the customer may claim satoshi by satoshi: each message takes its time."""
        order = self._create_order()
        refund = self._paid(order)._btcpay_request_refund(50)
        payout_ids = [self._claim(refund, amount, pay=False) for amount in ('5.00', '7.00', '9.00')]
        before = order.message_ids
        refund._btcpay_sync()
        [note] = [
            html2plaintext(message.body) for message in order.message_ids - before
            if "The customer claimed" in message.body
        ]
        self.assertEqual(note.count("It is paid out when it is approved"), 3)
        self.assertIn("$ 7.00", note.replace('\xa0', ' '))
        self.world.cancel_payout(payout_ids[0])
        for payout_id in payout_ids[1:]:
            self.world.approve(payout_id)
            self.world.pay_payout(payout_id)
        before = order.message_ids
        refund._btcpay_sync()
        [note] = [
            html2plaintext(message.body) for message in order.message_ids - before
            if "has left the wallet" in message.body
        ]
        self.assertEqual(note.count("has left the wallet"), 2)
        self.assertEqual(note.count("was canceled at the BTCPay Server"), 1)

    def test_when_canceled_then_nobody_is_asked_and_again_when_claimed_again(self):
        refund = self._paid()._btcpay_request_refund(50)
        payout_id = self._claim(refund, pay=False)
        refund._btcpay_sync()
        self.world.cancel_payout(payout_id)
        refund._btcpay_sync()
        self.assertFalse(self._asked(refund))
        self._claim(refund, pay=False)
        refund._btcpay_sync()
        self.assertIn("waits for it", self._asked(refund))

    def test_when_more_is_claimed_then_names_are_still_no_markup_in_what_is_asked(self):
        refund = self._paid(self._create_order(name="S <b>1</b>"))._btcpay_request_refund(50)
        for amount in ('20.00', '10.00'):
            self._claim(refund, amount, pay=False)
            refund._btcpay_sync()
            self.assertIn("of the refund R-S &lt;b&gt;1&lt;/b&gt;", self._asked(refund))
        self.assertIn("$ 10.00", self._asked(refund))

    def test_when_a_payout_is_stuck_for_days_then_it_is_asked_again(self):
        for state in ('AwaitingPayment', 'InProgress'):
            with self.subTest(state=state):
                refund = self._paid()._btcpay_request_refund(50)
                payout_id = self._claim(refund, pay=False)
                refund._btcpay_sync()
                self.world.approve(payout_id)
                if state == 'InProgress':
                    self.world.pay_payout(payout_id, state)
                refund._btcpay_sync()
                self.assertFalse(self._asked(refund))
                refund.btcpay_payout_ids.state_since -= timedelta(days=4)
                refund._btcpay_ask_for_claims()
                self.assertIn("was approved days ago", self._asked(refund))
                self.world.pay_payout(payout_id)
                refund._btcpay_sync()
                self.assertFalse(self._asked(refund))

    def test_when_an_old_claim_is_approved_then_it_is_not_stuck_yet(self):
        refund = self._paid()._btcpay_request_refund(50)
        payout_id = self._claim(refund, pay=False)
        refund._btcpay_sync()
        refund.btcpay_payout_ids.state_since -= timedelta(days=9)
        self.world.approve(payout_id)
        refund._btcpay_sync()
        self.assertEqual(refund.btcpay_payout_ids.state, 'AwaitingPayment')
        refund.btcpay_payout_ids.claimed_at -= timedelta(days=9)
        refund._btcpay_ask_for_claims()
        self.assertFalse(self._asked(refund))

    def test_when_claimed_again_then_the_activity_tells_of_both_claims(self):
        refund = self._paid()._btcpay_request_refund(50)
        first_id = self._claim(refund, '20.00', pay=False)
        refund._btcpay_sync()
        activity = refund.sudo().btcpay_claim_activity_id
        self._claim(refund, '30.00', pay=False)
        refund._btcpay_sync()
        self.assertEqual(refund.sudo().btcpay_claim_activity_id, activity)
        self.assertIn("$ 20.00, $ 30.00", self._asked(refund))
        # What a person has closed is asked again of new claims only.
        activity.action_feedback()
        self.world.cancel_payout(first_id)
        refund._btcpay_sync()
        self.assertFalse(self._asked(refund))
        self._claim(refund, '10.00', pay=False)
        refund._btcpay_sync()
        self.assertIn("$ 30.00, $ 10.00", self._asked(refund))

    def test_when_archived_then_nobody_is_asked_any_more(self):
        refund = self._paid()._btcpay_request_refund(50)
        self._claim(refund, pay=False)
        refund._btcpay_sync()
        self.assertTrue(self._asked(refund))
        self.world.archive_pull_payment(refund.btcpay_pull_payment_id)
        refund._btcpay_get_document().action_btcpay_sync()
        self.assertEqual(refund.state, 'cancel')
        self.assertFalse(self._asked(refund))

    # === BY WHAT IT CAN BE PAID OUT === #

    def test_when_a_method_was_switched_off_then_the_others_are_offered(self):
        tx = self._paid(method='BTC-LN')
        self.world.remove_method(self.store_id, 'BTC-LN')
        wizard = self._open_wizard(tx)
        self.assertEqual(wizard.method_ids.mapped('code'), ['BTC-CHAIN'])
        self.assertIn("Not offered: Lightning.", wizard.methods_text)
        self.assertEqual(self._refund_by(wizard).state, 'pending')

    def test_when_no_method_is_left_then_it_says_what_to_do(self):
        tx = self._paid()
        for method in self.store_methods:
            self.world.remove_method(self.store_id, method)
        wizard = self._open_wizard(tx)
        self.assertFalse(wizard.method_ids)
        self.assertIn("Enable it there", wizard.methods_text)
        with self.assertRaisesRegex(UserError, "Enable it there"):
            wizard.action_refund()
        self.assertFalse(tx.btcpay_refund_ids)

    def test_when_the_server_refuses_a_method_then_it_is_dropped_and_asked_again(self):
        tx = self._paid()
        wizard = self._open_wizard(tx)
        notes = tx.sale_order_ids.message_ids
        self.world.remove_method(self.store_id, 'BTC-LN')
        with self._quiet():
            action = wizard.action_refund()
        self.assertEqual(tx.sale_order_ids.message_ids, notes, "There was no refund to tell of.")
        self.assertEqual((action['res_model'], action['res_id']), (wizard._name, wizard.id))
        self.assertEqual(wizard.method_ids.mapped('code'), ['BTC-CHAIN'])
        self.assertIn("Not offered: Lightning.", wizard.methods_text)
        self.assertFalse(tx.btcpay_refund_ids)
        self.assertEqual(tx._btcpay_get_refund_sums()['available'], 100)
        self.assertEqual(self._refund_by(wizard).state, 'pending')
        self.assertEqual(len(self._pull_payments()), 1)

    # === BOOKS === #

    def test_when_the_booked_receipt_was_canceled_then_it_is_refused(self):
        tx = self._paid()
        tx.payment_id.action_draft()
        tx.payment_id.action_cancel()
        with self.assertRaisesRegex(UserError, "was canceled or set to draft"):
            tx._btcpay_request_refund(50)
        self.assertFalse(tx.btcpay_refund_ids)

    # === WHERE IT IS SHOWN === #

    def test_when_a_credit_note_is_refunded_then_it_shows_its_refund(self):
        invoice, _tx = self._invoiced()
        credit_note = self._credit(invoice)
        self.assertEqual(credit_note.btcpay_refund_count, 0)
        refund = self._refund_by(self._open_wizard(credit_note))
        self.assertEqual(credit_note.btcpay_refund_count, 1)
        self.assertEqual(credit_note.action_btcpay_view_refunds()['res_id'], refund.id)

    def test_when_a_credit_note_has_several_payments_then_the_one_that_is_opened_pays_it_back(self):
        invoice = self._create_invoice()
        transactions = self.env['payment.transaction']
        for number in (1, 2):
            tx = self._create_btcpay_transaction(
                amount=50, invoice_ids=[Command.set(invoice.ids)], partner_id=self.partner.id,
                reference=f'{invoice.name}-{number}',
            )
            self.world.pay(tx.btcpay_invoice_id)
            self.world.mine()
            self._look(tx)
            self._post_process()
            transactions += tx
        credit_note = self._credit(invoice)
        shown = credit_note.action_btcpay_refund()['params']
        self.assertEqual(shown['message'], (
            f"Several payments of {credit_note.name} can be refunded. Open the one to refund."
        ))
        action = shown['next']
        self.assertEqual(self.env['payment.transaction'].search(action['domain']), (
            transactions.sorted('id', reverse=True)
        ))
        chosen = transactions[1].with_context(**action['context'])
        wizard = self._open_wizard(chosen)
        self.assertEqual(
            (wizard.transaction_id, wizard.credit_note_id, wizard.amount),
            (transactions[1], credit_note, 50),
        )
        refund = self._refund_by(wizard)
        self.assertEqual((refund.btcpay_credit_note_id, refund.amount), (credit_note, -50))
        # The other one is left for the rest.
        self.assertEqual(self._open_wizard(credit_note).transaction_id, transactions[0])

    def test_when_an_order_has_several_payments_then_refund_says_why_they_are_shown(self):
        order = self._create_order()
        self._paid(order)
        self._paid(order)
        shown = order.action_btcpay_refund()['params']
        self.assertEqual(shown['next']['res_model'], 'payment.transaction')
        self.assertEqual(shown['message'], (
            f"Several payments of {order.name} can be refunded. Open the one to refund."
        ))
        self.assertTrue(shown['sticky'], "It is there as long as it takes to choose.")
