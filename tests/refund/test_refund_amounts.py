from dataclasses import replace
from decimal import Decimal
from unittest.mock import patch

from odoo.tests import tagged

from odoo.addons.payment_btcpay.greenfield import Client
from odoo.addons.payment_btcpay.tests.common import BTCPayCommon
from odoo.addons.payment_btcpay.tests.refund.refund_common import RefundMixin


@tagged('post_install', '-at_install')
class TestRefundAmounts(RefundMixin, BTCPayCommon):
    """What a refund comes to where the figures are not round, or the answers are none."""

    def setUp(self):
        super().setUp()
        self.addCleanup(self.world.set_rates, self.store_id)

    def _patch_answer(self, end, value):
        """Have calls whose path ends like this answered with something else."""
        send = type(self.btcpay)._send_api_request

        def answer(provider, method, endpoint, **kwargs):
            answered = send(provider, method, endpoint, **kwargs)
            return value if endpoint.endswith(end) else answered

        self.startPatcher(patch.object(type(self.btcpay), '_send_api_request', answer))

    # === ANOTHER AMOUNT THAN WAS ASKED FOR === #

    def _refund_as(self, made, variant='fiat', amount=50, **values):
        """Refund some of what was paid, of which the server makes another amount."""
        self.tx, self.made = self._paid(), Decimal(made)
        return self.tx._btcpay_request_refund(amount, variant=variant, **values)

    def _make_another_amount(self):
        for name in ('refund_invoice', 'get_pull_payment'):
            ask = getattr(Client, name)

            def answer(client, *args, ask=ask):
                return replace(ask(client, *args), amount=self.made)

            self.startPatcher(patch.object(Client, name, answer))

    def test_when_the_server_makes_another_amount_then_it_is_flagged_and_can_be_made_anew(self):
        self._make_another_amount()
        for made, variant in (
            ('0', 'fiat'), ('0.00', 'fiat'), ('0', 'rate_then'), ('30', 'fiat'),
            ('49.98', 'fiat'), ('50.01', 'fiat'),
        ):
            with self.subTest(made=made, variant=variant):
                refund = self._refund_as(made, variant)
                self.assertEqual((refund.state, refund.amount), ('pending', -50))
                self.assertFalse(refund.btcpay_refund_link)
                self.assertEqual(self.tx.btcpay_returned_amount, 50)
                self.assertIn("instead of $ 50.00", self._activities(self.tx.sale_order_ids))
                refund._btcpay_sync()
                self.assertEqual(refund.state, 'pending', "Nothing was paid out.")
                self.world.archive_pull_payment(refund.btcpay_pull_payment_id)
                refund._btcpay_sync()
                self.assertEqual(refund.state, 'cancel')
                self.assertEqual(self.tx.btcpay_returned_amount, 0)

    def test_when_the_server_makes_all_of_it_in_another_currency_then_it_is_flagged(self):
        refund_invoice = Client.refund_invoice

        def answer(client, *args):
            return replace(refund_invoice(client, *args), currency='EUR')

        self.startPatcher(patch.object(Client, 'refund_invoice', answer))
        for variant in ('fiat', 'rate_then'):
            with self.subTest(variant=variant):
                refund = self._refund_as(0, variant, amount=100)
                self.assertEqual((refund.state, refund.amount), ('pending', -100))
                self.assertFalse(refund.btcpay_refund_link)
                self.assertIn(
                    "EUR instead of $ 100.00", self._activities(self.tx.sale_order_ids)
                )

    def test_when_the_server_rounds_the_last_digit_then_the_refund_is_what_it_made(self):
        self._make_another_amount()
        for made in ('50', '49.99', '50.00'):
            with self.subTest(made=made):
                refund = self._refund_as(made)
                self.assertEqual((refund.state, refund.amount), ('pending', -float(made)))
                self.assertTrue(refund.btcpay_refund_link)

    def test_when_the_server_says_in_fewer_digits_what_was_received_then_it_is_what_it_made(self):
        self._make_another_amount()
        for made, fee, is_wrong in (
            ('99.82', 0, False), ('89.838', 10, False), ('101', 0, True),
            ('82', 0, True), ('60', 10, True),
        ):
            with self.subTest(made=made, fee=fee):
                refund = self._refund_as(made, amount=100, fee_percent=fee)
                self.assertEqual(bool(refund.btcpay_refund_link), not is_wrong)
                self.assertEqual(self.tx.btcpay_returned_amount, 100)

    # === FIGURES === #

    def test_when_a_part_is_refunded_in_bitcoin_with_a_fee_then_the_fee_is_subtracted(self):
        for variant, amount in (('rate_then', '0.0009'), ('current_rate', '0.00045')):
            self.world.set_rates(self.store_id)
            tx = self._paid()
            self.world.set_rates(self.store_id, BTC_USD='100000')
            refund = tx._btcpay_request_refund(50, variant=variant, fee_percent='10')
            self.assertEqual(refund.btcpay_pull_amount, amount)

    def test_when_a_part_of_an_overpayment_is_refunded_then_it_is_of_what_was_received(self):
        """A part of what was received, not of what the invoice was over."""
        tx = self._paid(fraction='1.5')
        self.assertEqual(tx.btcpay_paid_amount, 150)
        refund = tx._btcpay_request_refund(50, variant='rate_then')
        self.assertEqual(refund.btcpay_pull_amount, '0.001')

    def test_when_a_part_is_refunded_in_bitcoin_then_it_is_rounded_down_to_satoshis(self):
        """Also where the server counts in parts of them, as for Lightning."""
        for method in ('BTC-LN', 'BTC-CHAIN'):
            self.world.set_rates(self.store_id, BTC_USD='63123.45')
            tx = self._paid(method=method)
            received = tx._btcpay_fetch_refund_preview().payment_amount_then
            refund = tx._btcpay_request_refund(99.99, variant='rate_then')
            made = Decimal(refund.btcpay_pull_amount)
            self.assertEqual(made, round(made, 8))
            self.assertTrue(0 <= received * Decimal('0.9999') - made < Decimal('0.00000001'))

    def test_when_a_fee_is_split_off_then_fee_and_refund_add_up_to_the_amount(self):
        tx = self._paid()
        for amount, percent in ((0.05, '10'), (33.33, '10'), (99.99, '0.05'), (0.01, '50')):
            net, fee = tx._btcpay_split_fee(amount, percent)
            self.assertEqual(self.currency.compare_amounts(net + fee, amount), 0)
            self.assertEqual((net, fee), (self.currency.round(net), self.currency.round(fee)))

    def test_when_the_reference_is_long_then_the_name_of_the_refund_fits_the_server(self):
        """It takes 50 characters; the refund is found by the name it was made with."""
        order = self._create_order()
        tx = self._create_btcpay_transaction(order, reference='A-long-reference-' * 4)
        self.world.pay(tx.btcpay_invoice_id)
        self.world.mine()
        tx._btcpay_sync()
        self._post_process()
        refund = tx._btcpay_request_refund(50)
        self.assertLessEqual(len(refund.btcpay_refund_name), 50)
        self.assertEqual(self._pull_payments()[0]['name'], refund.btcpay_refund_name)

    # === THE WIZARD === #

    def test_when_the_wizard_opens_then_the_payment_is_synced_first(self):
        """The customer may have paid once more since."""
        tx = self._paid()
        self.world.pay(tx.btcpay_invoice_id, amount='0.001')
        self.world.mine()
        self.assertEqual(tx.btcpay_paid_amount, 100)
        self.assertGreater(self._open_wizard(tx).received_amount, 100)

    def test_when_everything_is_chosen_again_after_an_amount_then_the_amount_is_all_of_it(self):
        wizard = self._open_wizard(self._paid(), scope='amount', amount=30)
        self.assertEqual(wizard.amount, 30)
        wizard.scope = 'all'
        self.assertEqual(wizard.amount, 100)

    def test_when_the_preview_says_nothing_then_only_the_fiat_variant_is_possible(self):
        tx = self._paid()
        for answer in ([], {}, {'paymentCurrency': None}):
            self._patch_answer('/refund/BTC-CHAIN', answer)
            wizard = self._open_wizard(tx)
            self.assertTrue(wizard.preview_error)
            self.assertFalse(wizard.is_rate_then_possible)
            self.assertTrue(wizard.is_fiat_possible)

    def test_when_the_payment_methods_say_nothing_then_the_wizard_offers_what_is_known(self):
        tx = self._paid()
        for answer, methods in (
            (None, ['BTC-CHAIN']),
            (
                [None, 'x', {}, {'paymentMethodId': 'BTC-LNURL', 'payments': []}],
                ['BTC-CHAIN', 'BTC-LN'],
            ),
        ):
            self._patch_answer(f'{tx.btcpay_invoice_id}/payment-methods', answer)
            self.patch(type(tx), '_btcpay_sync', lambda tx: None)
            self.assertEqual(self._open_wizard(tx).method_ids.mapped('code'), methods)
