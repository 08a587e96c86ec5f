from odoo.tests import tagged
from odoo.tools import html2plaintext, mute_logger

from odoo.addons.payment_btcpay.greenfield import Invoice
from odoo.addons.payment_btcpay.models.payment_transaction import status as status_table
from odoo.addons.payment_btcpay.tests.common import BTCPayCommon

MONITORING_TIME = 2 * 24 * 3600


@tagged('post_install', '-at_install')
class TestStatusTable(BTCPayCommon):
    """One test a row: what the stand-in makes of an invoice, and what Odoo makes of that."""

    store_settings = {'paymentTolerance': 5}

    def setUp(self):
        super().setUp()
        self.order = self._create_order()
        self.tx = self._create_btcpay_transaction(self.order)
        self.invoice_id = self.tx.btcpay_invoice_id

    def _look(self, status, additional_status):
        """Sync with the server, where the invoice has that status.

        :return: What was left on the order by that: the notes, and the activities' notes.
        """
        invoice = self.world.invoice(self.invoice_id)
        self.assertEqual(
            (invoice['status'], invoice['additionalStatus']), (status, additional_status)
        )
        messages, activities = self.order.message_ids, self.order.activity_ids
        with mute_logger('odoo.addons.payment.models.payment_transaction'):
            self.tx._btcpay_sync()
        self.assertEqual(
            (self.tx.btcpay_status, self.tx.btcpay_additional_status), (status, additional_status)
        )
        return (
            self._get_text((self.order.message_ids - messages).mapped('body')),
            self._get_text((self.order.activity_ids - activities).mapped('note')),
        )

    def _get_text(self, htmls):
        return ' '.join(' '.join(map(html2plaintext, htmls)).split())

    def test_when_the_table_has_a_row_then_the_row_has_a_test(self):
        rows = {
            f'test_row_{status}_{"any" if additional == status_table.ANY else additional}'.lower()
            for status, additional in status_table.TABLE
        }
        self.assertEqual(rows, {name for name in dir(self) if name.startswith('test_row_')})

    def test_when_the_table_has_a_row_then_its_method_and_state_exist(self):
        for row in status_table.TABLE.values():
            self.assertTrue(hasattr(self.tx, row.then), row)
            self.assertIn(row.state, (None, 'pending', 'done', 'cancel', 'error'))

    def test_when_a_status_is_looked_up_then_its_row_or_none_is_found(self):
        find = status_table.find_row
        table = status_table.TABLE
        for status, additional, is_short, key in [
            ('New', 'None', True, ('New', 'None')),
            ('Settled', 'None', False, ('Settled', 'None')),
            ('Settled', 'None', True, ('Settled', 'Underpaid')),
            ('Settled', 'Marked', True, ('Settled', 'Marked')),
            ('Settled', 'PaidOver', False, ('Settled', 'PaidOver')),
            ('Processing', 'PaidOver', True, ('Processing', '*')),
            ('Processing', 'Unheard', True, ('Processing', '*')),
            ('Invalid', 'Marked', True, ('Invalid', '*')),
        ]:
            with self.subTest(status=status, additional=additional, is_short=is_short):
                self.assertIs(find(status, additional, is_short), table[key])
        self.assertIs(find('New', 'PaidPartial', is_paid=False), table['New', 'None'])
        for status, additional in [
            ('New', 'PaidOver'), ('Settled', 'PaidLate'), ('Settled', 'Underpaid'),
            ('Expired', '*'), ('Refunded', 'None'), ('settled', 'None'), ('', ''),
        ]:
            if (status, additional) not in table:
                with self.subTest(status=status, additional=additional):
                    self.assertIsNone(find(status, additional))

    # === ROWS === #

    def test_row_new_none(self):
        notes, activities = self._look('New', 'None')
        self.assertEqual(self.tx.state, 'draft')
        self.assertFalse(notes or activities)
        self.assertTrue(self.tx._btcpay_is_payable())

    def test_row_new_paidpartial(self):
        self.world.pay(self.invoice_id, fraction='0.4')
        notes, activities = self._look('New', 'PaidPartial')
        self.assertEqual(self.tx.state, 'pending')
        self.assertIn("$ 40.00 of $ 100.00 was received", notes)
        self.assertIn("$ 60.00 is due", notes)
        self.assertFalse(activities)
        self.assertEqual(self.tx.btcpay_due_amount, 60)
        self.assertTrue(self.tx._btcpay_is_payable())
        self.assertIn(
            "pay the amount due, $\xa065.00 by Bitcoin", self.tx._btcpay_get_page_status().message
        )

    def test_when_a_partial_payment_is_replaced_then_it_is_gone_and_not_0_arrived(self):
        """The server says “PaidPartial” of it all the same."""
        txid = self.world.pay(self.invoice_id, fraction='0.4', replaceable=True)
        self._look('New', 'PaidPartial')
        self.world.replace(txid)
        self.world.mine()
        messages = self.order.message_ids
        notes, activities = self._look('New', 'PaidPartial')
        self.assertIn("is gone", activities)
        self.assertIn("Nothing is paid now", notes)
        self.assertNotIn("0.00", self._get_text((self.order.message_ids - messages).mapped('body')))
        self.assertEqual(self.tx.btcpay_status_text, "Waiting for payment")
        self.assertEqual(self.tx._btcpay_get_page_status().message, "No payment has been seen yet.")
        self.assertTrue(self.tx._btcpay_is_payable())
        self.world.expire(self.invoice_id)
        _notes, activities = self._look('Expired', 'PaidPartial')
        self.assertFalse(activities)
        self.assertFalse(self.order.activity_ids)
        self.assertEqual((self.tx.state, self.tx.btcpay_status_text), ('cancel', "Expired"))

    def test_when_a_late_payment_is_replaced_then_nothing_is_left_to_decide(self):
        self.world.expire(self.invoice_id)
        txid = self.world.pay(self.invoice_id, replaceable=True)
        self._look('Expired', 'PaidLate')
        self.world.replace(txid)
        self.world.mine()
        self._look('Expired', 'PaidLate')
        self.assertFalse(self.order.activity_ids)
        self.assertEqual(self.tx.btcpay_status_text, "Expired")

    def test_when_dust_costs_more_fees_than_was_paid_then_nothing_is_said_to_be_gone(self):
        """Nothing counts as paid any more, but all of it is in the wallet."""
        self.world.pay(self.invoice_id, fraction='0.04')
        self._look('New', 'PaidPartial')
        self.world.pay(self.invoice_id, amount='0.000006')
        _notes, activities = self._look('New', 'PaidPartial')
        self.assertEqual((self.tx.state, self.tx.btcpay_paid_amount), ('pending', 0))
        self.assertFalse(activities)
        self.assertEqual(self.tx.btcpay_status_text, "Partly paid")
        self.assertIn("Please pay the amount due", self.tx._btcpay_get_page_status().message)

    def test_row_processing_any(self):
        self.world.pay(self.invoice_id)
        notes, activities = self._look('Processing', 'None')
        self.assertEqual(self.tx.state, 'pending')
        self.assertIn(f"A payment of $ 100.00 for {self.tx.reference} was seen", notes)
        self.assertFalse(activities)
        self.assertFalse(self.tx._btcpay_is_payable())
        self.assertIn("about ten minutes", self.tx._btcpay_get_page_status().message)
        self.world.pay(self.invoice_id)
        notes, activities = self._look('Processing', 'PaidOver')
        self.assertEqual(self.tx.state, 'pending')
        self.assertFalse(activities)

    def test_row_settled_none(self):
        self.world.pay(self.invoice_id)
        self.world.mine()
        _notes, activities = self._look('Settled', 'None')
        self.assertEqual(self.tx.state, 'done')
        self.assertFalse(activities)
        self.assertEqual(len(self.tx.btcpay_payment_ids), 1)
        self.assertIsNone(self.tx._btcpay_get_page_status())

    def test_row_settled_paidover(self):
        self.world.pay(self.invoice_id, fraction='1.5')
        self.world.mine()
        _notes, activities = self._look('Settled', 'PaidOver')
        self.assertEqual((self.tx.state, self.tx.amount), ('done', 100))
        self.assertEqual(self.tx.btcpay_overpaid_amount, 50)
        self.assertIn("$ 50.00 more than the $ 100.00 requested", activities)
        self.assertIn("Refund the overpayment", activities)

    def test_when_paid_again_after_settled_then_a_refund_is_asked_for(self):
        self.world.pay(self.invoice_id)
        self.world.mine()
        self._look('Settled', 'None')
        self.world.pay(self.invoice_id)
        self.world.mine()
        _notes, activities = self._look('Settled', 'None')
        self.assertEqual((self.tx.state, self.tx.amount), ('done', 100))
        self.assertIn("Refund the overpayment", activities)

    def test_when_only_satoshi_rounding_is_over_then_no_refund_is_asked_for(self):
        self.currency = self._enable_currency('VND')
        self.world.set_rates(self.store_id, BTC_VND='1600000000')  # 16 for a satoshi.
        self.addCleanup(self.world.set_rates, self.store_id)
        self.tx = self._create_btcpay_transaction(self.order, amount=100003, reference='rounded')
        self.invoice_id = self.tx.btcpay_invoice_id
        self.world.pay(self.invoice_id)
        self.world.mine()
        _notes, activities = self._look('Settled', 'None')
        self.assertEqual(self.tx.btcpay_overpaid_amount, 13)
        self.assertNotIn("Refund the overpayment", activities)

    def test_row_settled_underpaid(self):
        self.world.pay(self.invoice_id, fraction='0.96')
        self.world.mine()
        notes, activities = self._look('Settled', 'None')
        self.assertEqual((self.tx.state, self.tx.amount), ('done', 100))
        self.assertEqual(self.tx.btcpay_due_amount, 4)
        self.assertIn("tolerance counts that as paid; $ 4.00 is missing", notes)
        self.assertFalse(activities)

    def test_row_settled_marked(self):
        self.world.pay(self.invoice_id, fraction='0.3')
        self.world.mark(self.invoice_id, 'Settled')
        notes, activities = self._look('Settled', 'Marked')
        self.assertEqual(self.tx.state, 'done')
        self.assertIn("marked as settled at the BTCPay Server by the merchant", notes)
        self.assertIn("Actually received: $ 30.00", notes)
        self.assertFalse(activities)

    def test_row_expired_none(self):
        self.world.expire(self.invoice_id)
        _notes, activities = self._look('Expired', 'None')
        self.assertEqual(self.tx.state, 'cancel')
        self.assertFalse(activities)
        self.assertFalse(self.tx._btcpay_is_payable())
        self.assertEqual(self.order.state, 'draft')

    def test_row_expired_paidpartial(self):
        self.world.pay(self.invoice_id, fraction='0.4')
        self.world.expire(self.invoice_id)
        _notes, activities = self._look('Expired', 'PaidPartial')
        self.assertEqual(self.tx.state, 'cancel')
        self.assertIn("$ 40.00 of $ 100.00 was received, and the invoice has expired", activities)

    def test_row_expired_paidlate(self):
        self.world.expire(self.invoice_id)
        self.world.pay(self.invoice_id)
        _notes, activities = self._look('Expired', 'PaidLate')
        self.assertEqual(self.tx.state, 'cancel')
        self.assertIn("$ 100.00 was received", activities)
        self.assertIn("Accept the late payment or refund it", activities)

    def test_row_invalid_any(self):
        """Paid in full, and not confirmed in the server's monitoring time."""
        self.world.pay(self.invoice_id)
        self.world.pass_time(MONITORING_TIME)
        _notes, activities = self._look('Invalid', 'None')
        self.assertEqual(self.tx.state, 'error')
        self.assertIn("is invalid at the BTCPay Server, but $ 100.00 was received", activities)

    # === FURTHER ON === #

    def test_when_an_invalid_invoice_received_nothing_then_nobody_is_asked(self):
        self.world.mark(self.invoice_id, 'Invalid')
        _notes, activities = self._look('Invalid', 'Marked')
        self.assertEqual(self.tx.state, 'error')
        self.assertFalse(activities)
        self.assertIn("contact us", self.tx.state_message)

    def test_when_invalid_after_done_then_it_stays_done_and_is_flagged_for_review_once(self):
        self.world.pay(self.invoice_id)
        self.world.mark(self.invoice_id, 'Settled')
        self._look('Settled', 'Marked')
        self.tx._post_process()
        self.world.mark(self.invoice_id, 'Invalid')
        _notes, activities = self._look('Invalid', 'Marked')
        self.assertEqual(self.tx.state, 'done')
        self.assertIn("is confirmed in Odoo, but is now “Invalid” at the BTCPay Server", activities)
        self.assertIn("with $ 100.00 received", activities)
        _notes, activities = self._look('Invalid', 'Marked')
        self.assertFalse(activities, "The same was asked again.")
        self.assertEqual((self.tx.state, self.order.state), ('done', 'sale'))
        # And back: nothing is confirmed or booked a second time.
        self.world.mark(self.invoice_id, 'Settled')
        self._look('Settled', 'Marked')
        self.assertTrue(self.tx.is_post_processed)

    def test_when_settled_after_cancel_then_the_order_is_confirmed(self):
        """The merchant decides that what came late is good."""
        self.world.expire(self.invoice_id)
        self._look('Expired', 'None')
        self.world.pay(self.invoice_id)
        self._look('Expired', 'PaidLate')
        self.world.mark(self.invoice_id, 'Settled')
        self._look('Settled', 'Marked')
        self.assertEqual(self.tx.state, 'done')
        self.tx._post_process()
        self.assertEqual(self.order.state, 'sale')

    def test_when_settled_after_error_then_the_payment_is_done(self):
        self.world.mark(self.invoice_id, 'Invalid')
        self._look('Invalid', 'Marked')
        self.world.mark(self.invoice_id, 'Settled')
        self._look('Settled', 'Marked')
        self.assertEqual(self.tx.state, 'done')

    def test_when_the_payment_is_done_then_no_later_status_changes_that(self):
        """Whatever the server says later, e.g. after its database was restored."""
        self.tx._set_done()
        for status, additional_status in status_table.TABLE:
            if additional_status in (status_table.ANY, status_table.UNDERPAID):
                additional_status = 'None'
            with self.subTest(status=status, additional_status=additional_status):
                self._apply(status, additional_status)
                self.assertEqual(self.tx.state, 'done')
                if status in ('Expired', 'Invalid'):
                    asked = self._get_text(self.order.activity_ids.mapped('note'))
                    self.assertIn(f"is confirmed in Odoo, but is now “{status}”", asked)

    def test_when_canceled_or_failed_then_only_a_settled_payment_changes_that(self):
        for state, set_state in [('cancel', '_set_canceled'), ('error', '_set_error')]:
            tx = self.tx = self._create_btcpay_transaction(self.order)
            getattr(tx, set_state)('…')
            for (status, additional_status), row in status_table.TABLE.items():
                if row.state == 'done':
                    continue
                additional_status = additional_status.replace(status_table.ANY, 'None')
                with self.subTest(state=state, status=status):
                    self._apply(status, additional_status)
                    self.assertEqual(tx.state, state)
            self._apply('Settled', 'None', paid='100.00')
            self.assertEqual(tx.state, 'done')

    def _apply(self, status, additional_status, paid='0.0'):
        self.tx._process('btcpay', {'invoice': Invoice.parse({
            **self.world.invoice(self.tx.btcpay_invoice_id),
            'status': status, 'additionalStatus': additional_status, 'paidAmount': paid,
        })})

    # === WHAT IS NOT UNDERSTOOD === #

    def test_when_the_status_is_unknown_then_it_is_flagged_for_review_once(self):
        for status, additional_status in [('Refunded', 'None'), ('Settled', 'PaidTwice')]:
            with self.subTest(status=status):
                activities = self.order.activity_ids
                for _look in range(3):
                    self._apply(status, additional_status)
                new = self.order.activity_ids - activities
                self.assertEqual(len(new), 1)
                self.assertIn(f"“{status} / {additional_status}”", new.note)
                self.assertIn(str(new.note), self.order.message_ids.mapped('body'))
                self.assertEqual(self.tx.state, 'draft')
