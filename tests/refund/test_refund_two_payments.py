from decimal import Decimal

from odoo.exceptions import UserError
from odoo.tests import tagged

from odoo.addons.payment_btcpay.greenfield import Money, RefundDraft
from odoo.addons.payment_btcpay.tests.common import BTCPayCommon
from odoo.addons.payment_btcpay.tests.refund.refund_common import RefundMixin


@tagged('post_install', '-at_install')
class TestRefundOfTwoPayments(RefundMixin, BTCPayCommon):
    """The server takes a network fee off each further payment, but refunds go by all of it."""

    def _paid_by(self, *amounts):
        """Return a transaction of 100.00 that was paid in several payments, in bitcoin."""
        tx = self._create_btcpay_transaction(self._create_order())
        for amount in amounts:
            self.world.pay(tx.btcpay_invoice_id, amount=amount)
        self.world.mine()
        tx._btcpay_sync()
        self._post_process()
        return tx

    def _figures(self, refund):
        """Return what Odoo says is given back, and what the server made of it."""
        pull_payment = self._pull_payments()[0]
        return -refund.amount, Decimal(pull_payment['amount']), pull_payment['currency']

    def test_when_paid_twice_then_the_network_fee_is_shown_as_such(self):
        tx = self._paid_by('0.002', '0.002')
        self.assertEqual((tx.btcpay_paid_amount, tx.btcpay_network_fee_amount), (195, 5))
        payments = tx.btcpay_payment_ids
        self.assertEqual(sorted(payments.mapped('amount')), [100, 100])
        self.assertEqual(sorted(payments.mapped('fee_amount')), [0, 5])

    def test_when_small_payments_are_less_than_their_fees_then_nothing_counts_as_paid(self):
        """The server says -4.00: whoever pays so could stop the shop if that were not understood.
        """
        tx = self._paid_by('0.00001', '0.00001')
        self.assertEqual(
            (tx.state, tx.btcpay_additional_status, tx.btcpay_paid_amount, tx.btcpay_due_amount),
            ('pending', 'PaidPartial', 0, 100))
        self.assertEqual(sorted(tx.btcpay_payment_ids.mapped('amount')), [0.5, 0.5])
        self.assertEqual(tx._btcpay_get_gross_amount(), 1)
        self.assertEqual(self.btcpay.btcpay_connection_state, 'connected')
        self.world.pay(tx.btcpay_invoice_id)
        self.world.mine()
        tx._btcpay_sync()
        self._post_process()
        self.assertEqual((tx.state, tx.payment_id.amount), ('done', 100))
        self.assertEqual(tx._btcpay_get_gross_amount(), sum(tx.btcpay_payment_ids.mapped('amount')))

    def test_when_paid_twice_then_everything_is_what_the_wizard_says(self):
        for variant, made in (
            ('fiat', (195, Decimal('195'), 'USD')),
            ('rate_then', (195, Decimal('0.0039'), 'BTC')),
            ('current_rate', (195, Decimal('0.0039'), 'BTC')),
        ):
            with self.subTest(variant=variant):
                tx = self._paid_by('0.002', '0.002')
                wizard = self._open_wizard(tx, variant=variant)
                self.assertEqual((wizard.received_amount, wizard.amount), (195, 195))
                refund = self._refund_by(wizard)
                self.assertEqual(self._figures(refund), made)
                if variant != 'fiat':
                    self.assertEqual(wizard[f'{variant}_text'], '0.0039 BTC')
                self.assertIn('195.00', self._refund_mails(tx.sale_order_ids)[0].body)

    def test_when_paid_twice_then_what_is_paid_out_is_what_is_booked(self):
        tx = self._paid_by('0.002', '0.002')
        refund = tx._btcpay_request_refund(195)
        self._claim(refund)
        refund._btcpay_sync()
        self._post_process()
        self.assertEqual((refund.state, refund.btcpay_paid_out_amount), ('done', 195))
        self.assertEqual(sum(tx._btcpay_get_receipts().payment_id.mapped('amount')), 195)
        self.assertEqual(refund.payment_id.amount, 195)
        self.assertFalse(tx.btcpay_can_refund)

    def test_when_the_network_fee_is_given_back_too_then_it_is_booked(self):
        tx = self._paid_by('0.002', '0.002')
        with self.assertRaisesRegex(UserError, "at most \\$\xa0200.00"):
            tx._btcpay_request_refund(200.01)
        refund = tx._btcpay_request_refund(200)
        self.assertEqual(self._figures(refund), (200, Decimal('200'), 'USD'))
        self._claim(refund)
        refund._btcpay_sync()
        self._post_process()
        self.assertEqual(sum(tx._btcpay_get_receipts().payment_id.mapped('amount')), 200)
        self.assertEqual(refund.payment_id.amount, 200)

    def test_when_the_rest_is_given_back_later_then_the_network_fee_is_booked_then(self):
        tx = self._paid_by('0.002', '0.002')
        tx._btcpay_request_refund(100)
        tx._btcpay_request_refund(100)
        self._post_process()
        self.assertEqual(sum(tx._btcpay_get_receipts().payment_id.mapped('amount')), 200)

    def test_when_paid_in_two_parts_then_the_pull_payment_is_what_counts(self):
        tx = self._paid_by('0.001', '0.0011')
        self.assertEqual((tx.btcpay_paid_amount, tx.btcpay_network_fee_amount), (100, 5))
        refund = self._refund_by(self._open_wizard(tx))
        self.assertEqual(self._figures(refund), (100, Decimal('100'), 'USD'))
        self.assertFalse(tx.btcpay_can_refund)

    def test_when_a_part_is_given_back_then_it_is_that_part(self):
        tx = self._paid_by('0.001', '0.0011')
        refund = tx._btcpay_request_refund(50, variant='rate_then')
        self.assertEqual(self._figures(refund), (50, Decimal('0.001'), 'BTC'))

    def test_when_the_surplus_is_given_back_then_it_is_the_surplus(self):
        tx = self._paid_by('0.002', '0.002')
        wizard = self._open_wizard(tx, scope='overpayment', variant='rate_then')
        self.assertEqual((wizard.amount, wizard.rate_then_text), (95, '0.0019 BTC'))
        refund = self._refund_by(wizard)
        self.assertEqual(self._figures(refund), (95, Decimal('0.0019'), 'BTC'))
        self._claim(refund)
        refund._btcpay_sync()
        self._post_process()
        self.assertEqual(refund.payment_id.amount, 95)

    def test_when_the_merchant_gives_back_all_at_the_server_then_it_is_adopted(self):
        tx = self._paid_by('0.002', '0.002')
        pull_payment = self._server_refund(tx)
        self.assertEqual(Decimal(pull_payment['amount']), 200)
        refund = tx._btcpay_find_or_adopt_refund(pull_payment['id'])
        self.assertEqual((refund.state, refund.amount), ('pending', -200))
        self.assertFalse(tx.sale_order_ids.activity_ids.filtered(
            lambda activity: "can be refunded. Cancel it" in (activity.note or '')
        ))

    def test_when_the_server_makes_more_of_it_then_nobody_gets_the_link(self):
        for variant, money in (
            ('fiat', Money(Decimal('60'), 'USD')), ('rate_then', Money(Decimal('0.0012'), 'BTC')),
        ):
            with self.subTest(variant=variant):
                tx = self._paid_by('0.002')
                make = type(tx._btcpay_client()).refund_invoice

                def refund_more(client, store_id, invoice_id, draft, make=make, money=money):
                    draft = RefundDraft(
                        'Custom', money, name=draft.name, payout_methods=draft.payout_methods
                    )
                    return make(client, store_id, invoice_id, draft)

                self.patch(type(tx._btcpay_client()), 'refund_invoice', refund_more)
                refund = tx._btcpay_request_refund(50, variant=variant)
                self.patch(type(tx._btcpay_client()), 'refund_invoice', make)
                self.assertEqual((refund.state, refund.amount), ('pending', -50))
                self.assertFalse(refund.btcpay_refund_link)
                self.assertFalse(self._refund_mails(tx.sale_order_ids))
                self._assert_refused(refund.action_btcpay_send_refund_link, "nothing to claim")
                self.assertIn(f"archive “{refund.btcpay_refund_name}”", self._activities(
                    tx.sale_order_ids
                ))

    # === DUST === #

    def test_when_dust_comes_to_what_is_paid_then_it_is_not_called_underpaid(self):
        """Anybody can send it: the server takes a fee off for it, so that less counts as paid."""
        for policy in ('received', 'write_off'):
            with self.subTest(policy=policy):
                self.btcpay.btcpay_underpaid_policy = policy
                tx = self._paid()
                order = tx.sale_order_ids
                before = self._notes(order)
                self.world.pay(tx.btcpay_invoice_id, amount='0.000006')
                for _mined in range(2):
                    tx._btcpay_sync()
                    self._post_process()
                    self.assertEqual((tx.state, tx.btcpay_paid_amount), ('done', 95.3))
                    self.assertEqual(tx.btcpay_status_text, "Paid")
                    self.assertEqual(self._notes(order), before)
                    self.assertEqual(tx.payment_id.amount, 100)
                    self.world.mine()

    def test_when_dust_comes_to_a_late_payment_that_was_accepted_then_it_stays_accepted(self):
        for accept in (
            lambda tx: tx.action_btcpay_accept_late(),
            lambda tx: self.world.mark(tx.btcpay_invoice_id, 'Settled'),
        ):
            tx = self.tx = self._create_btcpay_transaction(self._create_order())
            self._receive(late=True)
            accept(tx)
            self._look(tx)
            self._post_process()
            before = self._notes(tx.sale_order_ids)
            with self.subTest(text=tx.btcpay_status_text):
                self.assertEqual((tx.state, tx.payment_id.amount), ('done', 100))
                self.assertEqual(tx.btcpay_status_text, "Paid late, accepted")
                self.world.pay(tx.btcpay_invoice_id, amount='0.000006')
                self.world.mine()
                self._look(tx)
                self._post_process()
                self.assertEqual(tx.btcpay_paid_amount, 95.3)
                self.assertEqual(tx.btcpay_status_text, "Paid late, accepted")
                self.assertEqual(self._notes(tx.sale_order_ids), before)

    def test_when_dust_is_not_confirmed_then_what_was_paid_can_be_refunded(self):
        tx = self._paid()
        self.world.pay(tx.btcpay_invoice_id, amount='0.000006')
        wizard = self._open_wizard(tx)
        self.assertEqual(wizard.available_amount, 95.3)
        self._assert_refused(lambda: tx._btcpay_request_refund(100.01), "at most $\xa0100.00")
        refund = tx._btcpay_request_refund(100)
        self.assertEqual(self._figures(refund), (100, Decimal('100'), 'USD'))
        self.assertFalse(tx.btcpay_can_refund)

    def test_when_the_surplus_is_not_confirmed_then_nothing_of_it_can_be_taken_back_twice(self):
        """Who pays again, asks for it, and then takes it back would have the goods for nothing."""
        tx = self._paid()
        self.world.pay(tx.btcpay_invoice_id, amount='0.002', replaceable=True)
        tx._btcpay_sync()
        self.assertEqual((tx.btcpay_overpaid_amount, tx.btcpay_can_refund), (95, False))
        self._assert_refused(lambda: tx._btcpay_request_refund(50), "not confirmed yet")
