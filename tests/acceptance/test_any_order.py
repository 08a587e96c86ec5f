from odoo.fields import Command
from odoo.tests import tagged

from odoo.addons.payment_btcpay.tests.common import BTCPayCommon
from odoo.addons.payment_btcpay.tests.refund.refund_common import RefundMixin

# What came in, late, for 100.00, and the sums that can be given back of it.
CASES = {
    'exact': {'fraction': '1', 'received': 100, 'surplus': 0},
    'over': {'fraction': '2', 'received': 200, 'surplus': 100},
    'partial': {'fraction': '0.4', 'received': 40, 'surplus': 0},
}
STEPS = ('refund_surplus', 'refund_all', 'cancel_refund', 'accept', 'change_policy', 'mark')


class AnyOrderMixin(RefundMixin):
    """The steps, and what is so after each."""

    def _start(self, case):
        self.btcpay.write({'btcpay_late_policy': 'review', 'btcpay_accept_partial': False})
        self._begin()
        self.world.expire(self.tx.btcpay_invoice_id)
        self.world.pay(self.tx.btcpay_invoice_id, fraction=case['fraction'])
        self.world.mine()
        self._look(self.tx)
        self.is_vouched_for = False

    def _catch_up(self):
        self._look(self.tx)
        self._carry_out()
        self._post_process()
        self.env.invalidate_all()

    # === STEPS: EACH DOES WHAT CAN BE DONE, OR SEES THAT IT IS REFUSED; SAYS WHETHER IT DID === #

    def _refund_surplus(self):
        return self._refund('overpayment')

    def _refund_all(self):
        return self._refund('available')

    def _refund(self, which):
        amount = self.tx._btcpay_get_refund_sums()[which]
        if amount:
            self.tx._btcpay_request_refund(amount)
        return bool(amount)

    def _cancel_refund(self):
        refund = self.tx.btcpay_refund_ids.filtered(lambda tx: tx.state == 'pending')[-1:]
        if refund:
            self.world.archive_pull_payment(refund.btcpay_pull_payment_id)
            refund._btcpay_sync()
        return bool(refund)

    def _accept(self):
        if self.tx.btcpay_can_accept_late:
            self.tx.action_btcpay_accept_late()
            return True
        if self.tx.btcpay_can_accept_partial:
            self.tx.action_btcpay_accept_partial()
            return True
        status = self._status(self.tx)
        self._assert_refused(self.tx.action_btcpay_accept_late, "There is no late ")
        self.assertEqual(self._status(self.tx), status, "Marked at the server all the same.")
        return False

    def _change_policy(self):
        is_changed = self.btcpay.btcpay_late_policy == 'accept'
        self.btcpay.write({'btcpay_late_policy': 'accept', 'btcpay_accept_partial': True})
        return not is_changed

    def _mark(self):
        if self._status(self.tx)[0] == 'Settled':
            return False
        # The merchant takes less than the whole for it, of which no refund was ever made.
        self.is_vouched_for = self.tx.btcpay_paid_amount < 100 and not self.tx.btcpay_refund_ids
        self.world.mark(self.tx.btcpay_invoice_id, 'Settled')
        return True

    # === WHAT IS SO AFTERWARDS === #

    def _check_sums(self, case):
        """Check the sums of what was received, given back and booked, in Odoo and in the books."""
        receipts = self.tx._btcpay_get_receipts()
        loose = self.tx._btcpay_get_loose_receipts()
        refunds = self.tx.btcpay_refund_ids.filtered(lambda tx: tx.state != 'cancel')
        returned = -sum(refunds.mapped('amount'))
        accepted = sum((receipts - loose).mapped('amount'))
        self.assertEqual(self.tx.btcpay_paid_amount, case['received'])
        kept = case['received'] - returned
        self.assertGreaterEqual(kept, 0, "More was given back than came in.")
        # All receipts are in the books, once each, and not for more than came in.
        payments = receipts.payment_id
        booked = sum(payments.mapped('amount'))
        missing = sum(receipts.mapped('btcpay_difference_amount'))
        self.assertEqual(booked, sum(receipts.mapped('amount')) - missing)
        self.assertEqual(set(payments.mapped('state')) - {'in_process', 'paid'}, set())
        self.assertLessEqual(booked, case['received'])
        # What never came in is nowhere but with what the merchant took for the whole.
        self.assertEqual(bool(missing), self.is_vouched_for)
        # What is given back was booked, too, as far as it was not the order's.
        self.assertGreaterEqual(booked, returned)
        # Nothing is missing: what is kept is booked for the order, or can still be decided on.
        net = accepted - missing - self.tx._btcpay_get_given_back_amount()
        undecided = self.tx._btcpay_get_unbooked_amount() + self.tx._btcpay_get_surplus()
        self.assertEqual(
            net + undecided, kept,
            "What was given back, booked and left to decide is not what came in.",
        )
        self._check_paid(accepted, missing)
        return kept

    def _check(self, case):
        kept = self._check_sums(case)
        status = self._status(self.tx)
        wanted = min(kept, 100)
        net = self.tx._btcpay_get_accounted_amount()
        if status[0] == 'Settled' or self.btcpay.btcpay_late_policy == 'accept':
            # Accepted by somebody: what was kept of the price is on the order, all of it.
            if self.is_vouched_for:
                self.assertGreaterEqual(net, wanted)
            else:
                self.assertEqual(net, wanted)
            self.assertFalse(self.tx.btcpay_can_accept_late or self.tx.btcpay_can_accept_partial)
        else:
            # What was not accepted can be: the price of what was kept.
            can_accept = self.tx.btcpay_can_accept_late or self.tx.btcpay_can_accept_partial
            self.assertEqual(bool(can_accept), wanted > net)
            self.assertEqual(self.tx._btcpay_get_unbooked_amount(), max(wanted - net, 0))
        # One matter is asked of once.
        self.assertEqual(len(self.order.activity_ids), len(self.tx._btcpay_get_open_matters()))
        notes = self._activities(self.order).splitlines()
        self.assertEqual(len(notes), len(set(notes)))

    # === ALL ORDERS: EACH STEP FROM EACH STATE THAT ANY STEPS LEAD TO, ONCE === #

    def _get_state(self):
        """Return all that tells what further steps do: of what is settled, the policy does not."""
        tx, status = self.tx, self._status(self.tx)
        refunds = tx.btcpay_refund_ids.filtered(lambda refund: refund.state != 'cancel')
        return (
            status, status[0] == 'Expired' and self.btcpay.btcpay_late_policy, self.is_vouched_for,
            tx.state, bool(tx.btcpay_refund_ids),
            tuple(sorted(refunds.mapped('amount'))),
            tuple(sorted(tx._btcpay_get_receipts().mapped('amount'))),
            tuple(sorted(tx._btcpay_get_loose_receipts().mapped('amount'))),
            *self._get_document_state(),
            tuple(sorted(tx._btcpay_get_open_matters())),
        )

    def _explore(self, case, path=()):
        state = self._get_state()
        if state in self.seen:
            return
        self.seen.add(state)
        go_back = self._remember('is_vouched_for')
        for step in STEPS:
            with self.subTest(case=case, steps=(*path, step)):
                if not getattr(self, f'_{step}')():
                    continue
                self._catch_up()
                self._check(case)
                self._explore(case, (*path, step))
            go_back()

    def _walk(self, *names):
        # Mails and notes are no part of it, and take much of the time.
        Transaction = type(self.env['payment.transaction'])
        self.patch(Transaction, '_btcpay_mail_customer', lambda *_: True)
        self.patch(Transaction, '_log_message_on_linked_documents', lambda *_: None)
        for name in names:
            self.seen = set()
            with self.subTest(name):
                self._start(CASES[name])
                self._explore(CASES[name])
                self.assertGreaterEqual(len(self.seen), 10)


@tagged('post_install', '-at_install')
class TestAnyOrderOfInvoice(AnyOrderMixin, BTCPayCommon):
    """The same of a customer invoice, which the payments are matched with."""

    def _begin(self):
        self.order = self._create_invoice()
        self.tx = self._create_btcpay_transaction(
            invoice_ids=[Command.set(self.order.ids)], partner_id=self.partner.id,
            reference=f'{self.order.name}-{self.order.id}',
        )

    def _check_paid(self, accepted, missing):
        due = 100 - (accepted - missing)
        self.assertEqual(self.order.amount_residual, due)
        self.assertEqual(self.tx._btcpay_get_amount_due(self.order), due)
        self.assertEqual(self.tx._btcpay_get_amount_due_without_this(), 100)

    def _get_document_state(self):
        return (self.order.amount_residual,)

    def test_when_late_money_is_decided_on_in_any_order_then_the_invoice_is_right(self):
        self._walk('over', 'partial')


@tagged('post_install', '-at_install')
class TestAnyOrder(AnyOrderMixin, BTCPayCommon):
    """Late money is refunded, accepted and marked as settled in any order, and Odoo says where all
    of it is: what was given back plus what is booked is what came in, to the cent."""

    def _begin(self):
        self.order = self._create_order(require_payment=True, prepayment_percent=1.0)
        self.tx = self._create_btcpay_transaction(self.order)

    def _check_paid(self, accepted, missing):
        self.assertEqual(self.order.amount_paid, accepted)
        if accepted >= 100:
            self.assertEqual(self.order.state, 'sale', "Enough is booked, but it is a quotation.")
        else:
            self.assertEqual(self.order.state, 'draft')
        if self.tx._btcpay_get_accounted_amount() >= 100:
            self.assertEqual(self.order.amount_paid, 100)

    def _get_document_state(self):
        return self.order.state, self.order.amount_paid

    def test_when_late_money_is_decided_on_in_any_order_then_every_sum_is_right(self):
        self._walk(*CASES)

    # === THE SAME IN FIGURES === #

    def _booked(self):
        """Return what is booked for the order, what is given back, and the order's state."""
        self._catch_up()
        return (
            self.order.amount_paid, self.tx.btcpay_returned_amount, self.order.state,
            sum(self.tx._btcpay_get_receipts().payment_id.mapped('amount')),
        )

    def test_when_surplus_was_refunded_and_late_payment_is_accepted_then_price_is_booked(self):
        for how in ('accept', 'change_policy', 'mark'):
            with self.subTest(how=how):
                self._start(CASES['over'])
                self.tx._btcpay_request_refund(100)
                getattr(self, f'_{how}')()
                self.assertEqual(self._booked(), (100, 100, 'sale', 200))
                self.assertEqual(self._status(self.tx), ('Settled', 'Marked'))
                self.assertFalse(self.order.activity_ids)

    def test_when_surplus_was_refunded_then_one_activity_asks_for_the_rest(self):
        self._start(CASES['over'])
        asked = self.order.activity_ids
        self.tx._btcpay_request_refund(100)
        self._catch_up()
        self.assertEqual(self.order.activity_ids, asked, "The same is asked of a second time.")
        self.assertIn("$ 100.00 is neither accepted nor refunded", self._activities(self.order))

    def test_when_all_was_refunded_then_nothing_can_be_accepted(self):
        for name, sums in (('exact', 100), ('over', 200), ('partial', 40)):
            with self.subTest(name):
                self._start(CASES[name])
                status = self._status(self.tx)
                self.tx._btcpay_request_refund(sums)
                self.assertFalse(self.tx.btcpay_can_accept_late)
                self.assertFalse(self.tx.btcpay_can_accept_partial)
                self.assertFalse(self.order.btcpay_can_accept_late)
                self._accept()
                self._change_policy()
                self.assertEqual(self._booked(), (0, sums, 'draft', sums))
                self.assertEqual(self._status(self.tx), status, "Marked at the server.")
                self.assertFalse(self.order.activity_ids)

    def test_when_all_was_refunded_and_merchant_marks_it_then_nothing_is_booked_and_told(self):
        self._start(CASES['exact'])
        self.tx._btcpay_request_refund(100)
        self._mark()
        self.assertEqual(self._booked(), (0, 100, 'draft', 100))
        self.assertIn("Only what was kept, $ 0.00, counts as paid", self._activities(self.order))
        self.assertEqual(len(self.order.activity_ids), 1)

    def test_when_refund_of_marked_partial_payment_is_canceled_then_what_came_in_is_booked(self):
        for steps in (('refund_all', 'mark', 'cancel_refund'),
                      ('refund_all', 'cancel_refund', 'mark')):
            with self.subTest(steps=steps):
                self._start(CASES['partial'])
                for step in steps:
                    getattr(self, f'_{step}')()
                    self._catch_up()
                self._catch_up()
                self.assertEqual(self._booked(), (40, 0, 'draft', 40))
                self.assertIn("Only what was kept, $ 40.00", self._activities(self.order))

    def test_when_refund_was_canceled_and_payment_is_accepted_then_its_receipt_is_the_orders(self):
        for name, sums, booked in (('exact', 100, 100), ('over', 200, 200), ('partial', 40, 40)):
            with self.subTest(name):
                self._start(CASES[name])
                self.tx._btcpay_request_refund(sums)
                self._cancel_refund()
                self.assertEqual(len(self.order.activity_ids), 1, "Nobody is asked again.")
                self._accept()
                paid = min(sums, 100)
                self.assertEqual(
                    self._booked(), (paid, 0, 'sale' if paid == 100 else 'draft', booked)
                )

    def test_when_part_of_refund_was_paid_out_then_the_rest_can_be_accepted(self):
        self._start(CASES['exact'])
        refund = self.tx._btcpay_request_refund(100)
        self._claim(refund, '60.00')
        refund._btcpay_sync()
        self.world.archive_pull_payment(refund.btcpay_pull_payment_id)
        refund._btcpay_sync()
        self._catch_up()
        self.assertFalse(self.tx.btcpay_can_accept_late, "It is not the whole any more.")
        self._accept()
        self.assertEqual(self._booked(), (40, 60, 'draft', 100))
        self.assertEqual(self._status(self.tx), ('Expired', 'PaidLate'))

    def test_when_refund_is_canceled_under_policy_accept_then_payment_is_accepted(self):
        self._start(CASES['exact'])
        self.tx._btcpay_request_refund(100)
        self._change_policy()
        self._catch_up()
        self._cancel_refund()
        self.assertEqual(self._booked(), (100, 0, 'sale', 100))
        self.assertEqual(self._status(self.tx), ('Settled', 'Marked'))
