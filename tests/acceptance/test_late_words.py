from odoo.tests import tagged
from odoo.tools import html2plaintext

from odoo.addons.payment_btcpay.tests.common import BTCPayCommon
from odoo.addons.payment_btcpay.tests.money_common import MoneyMixin


def flat(text):
    """Return a text with plain spaces only."""
    return ' '.join(text.split())


@tagged('post_install', '-at_install')
class TestLateWords(MoneyMixin, BTCPayCommon):
    """What is said of late and partial payments, and asked for, is what is so."""

    def setUp(self):
        super().setUp()
        self._begin()

    def _begin(self):
        self.order = self._create_order(require_payment=True, prepayment_percent=1.0)
        self.tx = self._create_btcpay_transaction(self.order)

    def _pay(self, in_time=None, late=None):
        """Have parts of the invoice paid in time and late."""
        if in_time:
            self.world.pay(self.tx.btcpay_invoice_id, fraction=in_time)
            self.world.pass_time(2)
        self.world.expire(self.tx.btcpay_invoice_id)
        if late:
            self.world.pass_time(2)
            self.world.pay(self.tx.btcpay_invoice_id, fraction=late)
        self.world.mine()
        self._look(self.tx)

    def _notes(self):
        return '\n'.join(
            flat(html2plaintext(body)) for body in self.order.message_ids.mapped('body')
        )

    # === LATE, IN PART OR ALL OF IT === #

    def test_when_payments_came_late_then_what_was_late_is_said(self):
        for in_time, late, words in (
            (None, '1', "$ 100.00 was received after the invoice of $ 100.00 had expired."),
            (None, '2', "$ 200.00 was received after the invoice of $ 100.00 had expired,"),
            ('0.4', '0.8', "$ 115.00 was received, in part after the invoice of $ 100.00 had"),
            ('0.4', '0.65', "$ 100.00 was received, in part after the invoice of $ 100.00 had"),
            (None, '0.4', "Late partial payment of"),
            ('0.4', None, "$ 40.00 of $ 100.00 was received, and the invoice has expired."),
            ('0.4', '0.2', "$ 55.00 of $ 100.00 was received, and the invoice has expired."),
        ):
            with self.subTest(in_time=in_time, late=late):
                self._begin()
                self._pay(in_time, late)
                self.assertIn(words, self._activities(self.order))
                self.assertEqual(len(self.order.activity_ids), 1)

    def test_when_money_came_late_then_the_customer_is_told_what_is_so(self):
        for in_time, late, words in (
            (None, '2', "$ 200.00 has arrived, but not before the time for this payment was over."),
            (None, '1', "$ 100.00 has arrived, but not before the time for this payment was over."),
            (None, '0.4', "$ 40.00 of $ 100.00 has arrived after the time for this payment was"),
            ('0.4', None, "$ 40.00 of $ 100.00 has arrived, but the rest did not before the time"),
        ):
            with self.subTest(in_time=in_time, late=late):
                self._begin()
                self._pay(in_time, late)
                message = flat(self.tx._btcpay_get_failure_message())
                self.assertTrue(message.startswith(words), message)
                self.assertNotIn("in full", message)

    def test_when_more_comes_late_again_and_again_then_the_customer_gets_one_mail(self):
        self.btcpay.btcpay_late_policy = 'review'
        self._pay(None, '0.96')
        for fraction in ('1', '0.5'):
            self.world.pay(self.tx.btcpay_invoice_id, fraction=fraction)
            self.world.mine()
            self._look(self.tx)
        mails = self.order.message_ids.filtered(
            lambda message: "arrived after the time was up" in (message.subject or '')
        )
        self.assertEqual(len(mails), 1)

    # === THE STORE'S TOLERANCE === #

    def test_when_late_payment_is_short_within_tolerance_then_it_is_what_the_server_takes(self):
        self.world.change_store(self.store_id, paymentTolerance=5)
        self.addCleanup(self.world.change_store, self.store_id, paymentTolerance=0)
        for policy in ('accept', 'review'):
            for in_time, late, paid in ((None, '0.96', '96.00'), ('0.5', '0.5', '95.00')):
                with self.subTest(policy=policy, late=late):
                    self.btcpay.btcpay_late_policy = policy
                    self._begin()
                    self._pay(in_time, late)
                    self.assertEqual(self._status(self.tx), ('Expired', 'PaidLate'))
                    if policy == 'review':
                        self.assertIn("Accept the late payment", self._activities(self.order))
                        self.tx.action_btcpay_accept_late()
                    self._carry_out()
                    self._post_process()
                    self.assertEqual(self._status(self.tx), ('Settled', 'Marked'))
                    self.assertEqual((self.tx.state, self.order.state), ('done', 'sale'))
                    self.assertFalse(self.order.activity_ids)
                    self.assertIn(f"The late payment of $ {paid} for", self._notes())
                    self.assertIn("tolerance counts that as paid", self._notes())
                    self.assertNotIn("by the merchant", self._notes())

    def test_when_late_payment_is_short_beyond_tolerance_then_it_is_a_partial_payment(self):
        self.world.change_store(self.store_id, paymentTolerance=5)
        self.addCleanup(self.world.change_store, self.store_id, paymentTolerance=0)
        self.btcpay.btcpay_late_policy = 'accept'
        self._pay(None, '0.94')
        self._carry_out()
        self.assertEqual(self._status(self.tx), ('Expired', 'PaidPartial'))
        self.assertFalse(self.tx.btcpay_can_accept_late)
        self.assertTrue(self.tx.btcpay_can_accept_partial)

    # === WHAT IS ASKED FOR NEXT === #

    def test_when_part_is_paid_on_chain_then_the_network_fee_is_asked_for_too(self):
        self.world.pay(self.tx.btcpay_invoice_id, fraction='0.4')
        self._look(self.tx)
        asked = "$ 65.00 by Bitcoin (a network fee of $ 5.00 included) or $ 60.00 by Lightning"
        self.assertEqual(flat(self.tx.btcpay_due_text), asked)
        self.assertEqual(self.tx.btcpay_due_amount, 60)
        self.assertIn(
            f"Please pay the amount due, {asked},", flat(self.tx._btcpay_get_page_status().message)
        )
        mail = self._mails(self.order)
        self.assertEqual(flat(mail.subject), f"{self.tx.reference}: {asked} is still due")
        self.assertIn(f"*{asked}* is still due", flat(html2plaintext(mail.body)))
        self.world.pay(self.tx.btcpay_invoice_id, fraction='0.65')
        self.world.mine()
        self._look(self.tx)
        self.assertEqual(self._status(self.tx), ('Settled', 'None'))
        self.assertEqual(flat(self.tx.btcpay_due_text), "$ 0.00")

    def test_when_two_parts_are_paid_on_chain_then_the_fee_of_the_next_is_asked_for(self):
        self.world.pay(self.tx.btcpay_invoice_id, fraction='0.4')
        self.world.pay(self.tx.btcpay_invoice_id, fraction='0.2')
        self._look(self.tx)
        self.assertEqual(self.tx.btcpay_due_amount, 45)
        self.assertEqual(
            flat(self.tx.btcpay_due_text),
            "$ 50.00 by Bitcoin (a network fee of $ 5.00 included) or $ 45.00 by Lightning",
        )
