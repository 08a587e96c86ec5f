from odoo.tests import new_test_user, tagged
from odoo.tools import html2plaintext

from odoo.addons.payment_btcpay.tests.common import BTCPayCommon
from odoo.addons.payment_btcpay.tests.request.request_common import RequestMixin


@tagged('post_install', '-at_install')
class TestOrderStory(RequestMixin, BTCPayCommon):
    """What the salesperson reads on the order at each step: once, and in their words."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.seller = new_test_user(
            cls.env, 'story_seller', name="Sally", email='sally@example.com',
            groups='sales_team.group_sale_salesman,payment_btcpay.group_refund',
        )
        cls.partner.email = 'customer@example.com'

    def setUp(self):
        super().setUp()
        self._begin()

    def _begin(self):
        self.order = self._create_order(user_id=self.seller.id)
        self.env.cr.commit()
        self.known = self.order.message_ids

    def _open(self):
        """Have the customer open the link and press the button."""
        self.tx = self._create_btcpay_transaction(self.order)
        self.tx._log_sent_message()

    def _look_again(self):
        """Have Odoo look, more than once, which tells nothing new."""
        self._look(self.tx, self.tx)
        self._post_process()

    def _assert_told(self, *expected):
        """Check what was told since the last time, in order: `author: text` or its beginning."""
        self.env.cr.commit()
        new = (self.order.message_ids - self.known).sorted('id')
        self.known |= new
        texts = []
        for message in new:
            text = message.subject or ' '.join(html2plaintext(message.body).split())
            text = text.replace('﻿', '').replace('\xa0', ' ')
            for mark in ('[1] #', '[2] #', '[1] ', '[2] '):
                text = text.replace(mark, '')
            texts.append(f'{message.author_id.name}: {" ".join(text.split())}')
        ours = [text for text in texts if "has been posted" not in text and " Order (" not in text]
        self.assertEqual(len(ours), len(expected), ours)
        for text, beginning in zip(ours, expected, strict=True):
            self.assertIn(
                beginning.replace('S1', self.order.name), text.replace('$ ', '$')
            )

    def test_when_a_requested_payment_comes_in_steps_then_each_step_is_told_once(self):
        action = self.order.with_user(self.seller).action_btcpay_request()
        wizard = self.env[action['res_model']].with_user(self.seller).browse(action['res_id'])
        self._send(wizard)
        self._assert_told(
            "Sally: S1: pay with Bitcoin", "Sally: A Bitcoin payment of $100.00 was requested of"
        )
        self._open()
        self._assert_told("The transaction S1 of $100.00 has been initiated.")
        self.world.pay(self.tx.btcpay_invoice_id, fraction='0.4')
        self._look_again()
        self._assert_told(
            "OdooBot: Partial payment of S1: $40.00 of $100.00 was received; $60.00 is due.",
            "Sally: S1: $65.00 by Bitcoin (a network fee of $5.00 included) or $60.00 by Lightning",
        )
        self.world.pay(self.tx.btcpay_invoice_id, fraction='0.8')
        self._look_again()
        self._assert_told("OdooBot: A payment of $115.00 for S1 was seen and waits for")
        self.world.mine()
        self._look_again()
        self._assert_told(
            "OdooBot: The payment S1 of $100.00 has been confirmed.",
            "OdooBot: Overpayment of S1: $115.00 was received, $15.00 more than the $100.00",
        )

    def test_when_a_refund_is_claimed_in_steps_then_each_step_is_told_once(self):
        self._open()
        self.world.pay(self.tx.btcpay_invoice_id)
        self.world.mine()
        self._look_again()
        self._assert_told("initiated", "OdooBot: The payment S1 of $100.00 has been confirmed.")
        action = self.order.with_user(self.seller).action_btcpay_refund()
        wizard = self.env[action['res_model']].with_user(self.seller).browse(action['res_id'])
        wizard.write({'scope': 'amount', 'amount': 50})
        refund = self.env['payment.transaction'].sudo().browse(wizard.action_refund()['res_id'])
        self._assert_told(
            "Sally: The refund R-S1 of $50.00 waits for the customer to claim it.",
            "Sally: The link to claim the refund R-S1 was mailed to customer@example.com.",
        )
        for amount, last in [('12.00', False), ('38.00', True)]:
            payout_id = self.world.claim(refund.btcpay_pull_payment_id, amount)
            self._look(refund, refund)
            self._assert_told(f"OdooBot: The customer claimed ${amount} of the refund R-S1.")
            self.world.approve(payout_id)
            self.world.pay_payout(payout_id)
            self._look(refund, refund)
            left = f"OdooBot: ${amount} of the refund R-S1 has left the wallet"
            closed = "OdooBot: To-Do done (originally assigned to Sally"
            self._assert_told(*(
                [left, "The refund R-S1 of $50.00 was paid out.", "your refund was paid", closed]
                if last else [left, "$12.00 of $50.00 paid out", closed]
            ))

    def test_when_a_late_payment_is_accepted_then_each_step_is_told_once(self):
        self._open()
        self.world.expire(self.tx.btcpay_invoice_id)
        self.world.pass_time(2)
        self._look_again()
        self._assert_told(
            "initiated",
            "OdooBot: Nothing was paid of S1 of $100.00 before its Bitcoin invoice expired.",
        )
        self.world.pay(self.tx.btcpay_invoice_id)
        self.world.mine()
        self._look_again()
        self._assert_told(
            "OdooBot: Late payment of S1: $100.00 was received after the invoice of $100.00",
            "Sally: S1: your payment arrived after the time was up",
        )
        self.order.with_user(self.seller).action_btcpay_accept_late()
        self._look_again()
        self._assert_told(
            "Sally: To-Do done : Bitcoin payment S1",
            "OdooBot: The payment S1 of $100.00 has been confirmed.",
            "OdooBot: The late payment of $100.00 for S1 was accepted.",
        )
        self.assertEqual(self.order.btcpay_status_text, "Paid late, accepted")

    def test_when_a_partial_payment_is_accepted_then_each_step_is_told_once(self):
        self._open()
        self.world.pay(self.tx.btcpay_invoice_id, fraction='0.4')
        self._look_again()
        self._assert_told("initiated", "$40.00 of $100.00 was received", "$60.00 by Lightning is")
        self.world.expire(self.tx.btcpay_invoice_id)
        self.world.mine()
        self._look_again()
        self._assert_told(
            "OdooBot: Partial payment of S1: $40.00 of $100.00 was received, and the invoice"
        )
        self.order.with_user(self.seller).action_btcpay_accept_partial()
        self._look_again()
        self._assert_told(
            "Sally: The partial payment of $40.00 of $100.00 for S1 was accepted.",
            "Sally: S1: your partial payment was accepted",
            "Sally: To-Do done : Bitcoin payment S1",
        )

    def test_when_the_order_is_canceled_then_the_invalidation_is_told_once(self):
        self._open()
        self.order.with_user(self.seller)._action_cancel()
        self._carry_out()
        self._assert_told(
            "initiated", "S1 of $100.00 has been canceled. The Bitcoin invoice was invalidated"
        )

    def test_when_the_merchant_marks_the_invoice_settled_then_it_is_told_once(self):
        self._open()
        self.world.mark(self.tx.btcpay_invoice_id, 'Settled')
        self._look_again()
        self._assert_told(
            "initiated", "The payment S1 of $100.00 has been confirmed.",
            "The payment S1 of $100.00 was marked as settled at the BTCPay Server by the",
        )
        self.assertEqual(self.order.btcpay_status_text, "Marked as paid by the merchant")

    def test_when_an_overpayment_is_refunded_then_each_step_is_told_once(self):
        self._open()
        self.world.pay(self.tx.btcpay_invoice_id, fraction='1.15')
        self.world.mine()
        self._look_again()
        self._assert_told("initiated", "has been confirmed", "$15.00 more than")
        self.tx._btcpay_request_refund(15)
        self._assert_told(
            "$15.00 that was received beyond the amount due is booked as P-S1",
            "The refund R-P-S1 of $15.00 waits for the customer to claim it.",
            "To-Do done (originally assigned to Sally ) : Bitcoin payment S1",
            "The link to claim the refund R-P-S1 was mailed to",
        )

    def test_when_another_provider_is_paid_then_only_odoos_own_words_are_told(self):
        other = self._create_other_transaction(self.order)
        other._set_done()
        self._assert_told("has been confirmed")
