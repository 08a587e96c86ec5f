from datetime import timedelta
from unittest.mock import patch

from odoo import fields
from odoo.fields import Command
from odoo.tests import tagged

from odoo.addons.payment_btcpay.tests.common import BTCPayCommon
from odoo.addons.payment_btcpay.tests.money_common import MoneyMixin


@tagged('post_install', '-at_install')
class TestTotalAtConfirmation(MoneyMixin, BTCPayCommon):
    """What was paid is compared with what is due after the order was confirmed, or the invoice
    booked: a promotion or a discount may have ended since the payment was seen."""

    def _confirm_at(self, price):
        """Have the order come to another total when it is confirmed, as promotions do."""
        orders = self.registry['sale.order']
        confirm = orders._action_confirm

        def confirm_anew(order):
            order.order_line.price_unit = price
            return confirm(order)

        return patch.object(orders, '_action_confirm', confirm_anew)

    def _pay(self, total, confirmed_at, **values):
        order = self._create_order(
            total, require_payment=True, **{'prepayment_percent': 1.0, **values}
        )
        tx = self._create_btcpay_transaction(
            order, amount=order._get_prepayment_required_amount()
        )
        self.world.pay(tx.btcpay_invoice_id)
        self._look(tx)
        self.assertEqual(tx.state, 'pending')
        self.world.mine()
        self._look(tx)
        with self._confirm_at(confirmed_at):
            self._post_process()
        self.assertEqual((order.state, order.amount_total), ('sale', confirmed_at))
        return order

    def _asked(self, document):
        return self._activities(document).replace('\xa0', ' ')

    def test_when_confirming_changes_the_total_then_a_person_is_told_the_difference(self):
        for total, confirmed_at, told, mailed in (
            (90, 100, "it comes to $ 100.00 now, so that $ 10.00 is due", 'payment_amount=10.0'),
            (100, 90, "it comes to $ 90.00 now. Refund $ 10.00", ''),
            (100, 100, '', ''),
        ):
            with self.subTest(total=total, confirmed_at=confirmed_at):
                order = self._pay(total, confirmed_at)
                self.assertIn(told, self._asked(order))
                self.assertEqual(len(order.activity_ids), bool(told))
                self.assertEqual(len(self._mails(order)), bool(mailed))
                self.assertIn(mailed, ''.join(str(mail.body) for mail in self._mails(order)))

    def test_when_confirming_changes_an_order_with_a_down_payment_then_the_customer_is_not_mailed(
        self
    ):
        order = self._pay(90, 100, prepayment_percent=0.3)
        self.assertEqual(order.amount_paid, 27)
        self.assertIn("it comes to $ 100.00 now, so that $ 73.00 is due", self._asked(order))
        self.assertFalse(self._mails(order))

    def test_when_the_customer_has_no_address_then_it_is_not_said_that_the_link_was_sent(self):
        self.partner.email = False
        asked = self._asked(self._pay(90, 100))
        self.assertIn("so that $ 10.00 is due", asked)
        self.assertNotIn("is sent a link", asked)
        self.assertIn("Ask the customer for it", asked)

    # === EARLY PAYMENT DISCOUNTS === #

    def _create_discounted_invoice(self, days=10):
        today = fields.Date.today()
        return self._create_invoice(1000, invoice_date=today, invoice_payment_term_id=self.env[
            'account.payment.term'
        ].create({
            'name': "2 % early", 'early_discount': True, 'discount_percentage': 2,
            'discount_days': days, 'line_ids': [Command.create({'value_amount': 100})],
        }).id)

    def _pay_invoice(self, move, amount=980.0, booked_after=0):
        tx = self._create_btcpay_transaction(
            reference=f'early-{amount}-{booked_after}', amount=amount,
            invoice_ids=[Command.set(move.ids)],
        )
        self.world.pay(tx.btcpay_invoice_id)
        self.world.mine()
        self._look(tx)
        late = fields.Date.today() + timedelta(days=booked_after)
        context_today = fields.Date.context_today
        payment_date = self.env['account.payment']._fields['date']
        with patch.object(fields.Date, 'context_today', lambda record, timestamp=None: (
            context_today(record, timestamp) if timestamp else late
        )), patch.object(payment_date, 'default', lambda _payments: late):
            self._post_process()
        return tx

    def test_when_an_early_payment_is_booked_in_time_then_nothing_is_due_or_flagged(self):
        move = self._create_discounted_invoice()
        self._pay_invoice(move)
        self.assertEqual(move.amount_residual, 0)
        self.assertFalse(move.activity_ids)

    def test_when_an_early_payment_is_booked_a_day_late_then_a_person_is_told(self):
        move = self._create_discounted_invoice(days=10)
        tx = self._pay_invoice(move, booked_after=11)
        self.assertEqual(move.amount_residual, 20)
        asked = self._asked(move)
        self.assertIn("$ 980.00", asked)
        self.assertIn("$ 20.00 is still due", asked)
        self.assertEqual(len(move.activity_ids), 1)
        self.assertFalse(self._mails(move))
        self._pay_move(move)
        tx._btcpay_close_settled_matters()
        self.assertFalse(move.activity_ids)

    def test_when_a_part_is_paid_then_the_rest_is_no_lost_discount(self):
        move = self._create_discounted_invoice(days=10)
        self._pay_invoice(move, amount=900, booked_after=11)
        self.assertEqual(move.amount_residual, 100)
        self.assertFalse(move.activity_ids)
