import json
from decimal import Decimal

from odoo.exceptions import RedirectWarning, UserError
from odoo.tests import tagged

from odoo.addons.payment_btcpay import const
from odoo.addons.payment_btcpay.greenfield import Forbidden, Money, RefundDraft
from odoo.addons.payment_btcpay.tests.common import BTCPayCommon
from odoo.addons.payment_btcpay.tests.refund.refund_common import RefundMixin


@tagged('post_install', '-at_install')
class TestRefundVariants(RefundMixin, BTCPayCommon):
    """The wizard: what the customer gets, what it comes to, and what is not possible."""

    def setUp(self):
        super().setUp()
        self.addCleanup(self.world.set_rates, self.store_id)

    def _body(self):
        """Return the last request for a refund that reached the server."""
        body = [
            call['body'] for call in self.world.requests()
            if call['method'] == 'POST' and call['path'].endswith('/refund')
        ][-1]
        return json.loads(body) if isinstance(body, str) else body

    # === VARIANTS === #

    def test_when_the_whole_is_refunded_then_each_variant_has_its_amount_and_currency(self):
        for variant, amount, currency in (
            ('fiat', '100.00', 'USD'), ('rate_then', '0.002', 'BTC'),
            ('current_rate', '0.001', 'BTC'),
        ):
            with self.subTest(variant=variant):
                self.world.set_rates(self.store_id)
                tx = self._paid()
                self.world.set_rates(self.store_id, BTC_USD='100000')
                refund = tx._btcpay_request_refund(100, variant=variant)
                self.assertEqual(
                    (refund.btcpay_pull_amount, refund.btcpay_pull_currency), (amount, currency)
                )
                self.assertEqual(refund.amount, -100)

    def test_when_a_part_is_refunded_then_each_variant_has_its_part_of_the_amount(self):
        for variant, amount, currency in (
            ('fiat', '25.00', 'USD'), ('rate_then', '0.0005', 'BTC'),
            ('current_rate', '0.00025', 'BTC'),
        ):
            with self.subTest(variant=variant):
                self.world.set_rates(self.store_id)
                tx = self._paid()
                self.world.set_rates(self.store_id, BTC_USD='100000')
                refund = tx._btcpay_request_refund(25, variant=variant)
                self.assertEqual(
                    (refund.btcpay_pull_amount, refund.btcpay_pull_currency), (amount, currency)
                )
                # The rest is a part, too: the server's own variants would pay all of it again.
                rest = tx._btcpay_request_refund(75, variant=variant)
                self.assertEqual(
                    float(rest.btcpay_pull_amount), 3 * float(refund.btcpay_pull_amount)
                )

    def test_when_the_rate_has_changed_then_the_wizard_shows_what_each_variant_comes_to(self):
        tx = self._paid()
        self.world.set_rates(self.store_id, BTC_USD='100000')
        wizard = self._open_wizard(tx)
        self.assertEqual(wizard.rate_then_text, '0.002 BTC')
        self.assertEqual(wizard.current_rate_text, '0.001 BTC')
        self.assertEqual(wizard.fiat_text, '$\xa0100.00 (0.001 BTC today)')
        wizard.write({'scope': 'amount', 'amount': 50, 'fee_percent': 10})
        self.assertEqual(wizard.net_amount, 45)
        self.assertEqual(wizard.rate_then_text, '0.0009 BTC')
        self.assertEqual(wizard.current_rate_text, '0.00045 BTC')

    def test_when_no_amount_is_typed_yet_then_it_is_asked_for_and_no_rate_is_blamed(self):
        self._paid(order := self._create_order())
        wizard = self._open_wizard(order.transaction_ids)
        wizard.scope = 'amount'
        for amount in (0, -5):
            wizard.amount = amount
            for variant in ('fiat', 'rate_then', 'current_rate'):
                with self.subTest(amount=amount, variant=variant):
                    self.assertFalse(wizard[f'{variant}_text'])
                    wizard.variant = variant
                    with self.assertRaisesRegex(UserError, "must be more than zero"):
                        wizard.action_refund()

    def test_when_an_order_is_overpaid_then_each_scope_of_the_wizard_has_its_amount(self):
        tx = self._create_btcpay_transaction(self._create_order())
        self.world.pay(tx.btcpay_invoice_id, fraction='1.5')
        self.world.mine()
        tx._btcpay_sync()
        self._post_process()
        wizard = self._open_wizard(tx)
        self.assertEqual((wizard.received_amount, wizard.amount), (150, 150))
        wizard.scope = 'overpayment'
        self.assertEqual(wizard.amount, 50)
        self._refund_by(wizard)
        wizard = self._open_wizard(tx)
        self.assertEqual((wizard.underway_amount, wizard.amount), (50, 100))
        self.assertFalse(wizard.overpaid_amount)
        self.assertFalse(tx.sale_order_ids.btcpay_decision)
        self.assertTrue(tx.sale_order_ids.btcpay_can_refund)
        self.assertIn('100.00', wizard.all_text)

    # === FEES === #

    def test_when_a_fee_is_kept_then_the_refund_is_less_and_the_whole_counts_as_refunded(self):
        tx = self._paid()
        wizard = self._open_wizard(tx, scope='amount', amount=50, fee_percent=10)
        refund = self._refund_by(wizard)
        self.assertEqual((refund.amount, refund.btcpay_refund_fee_amount), (-45, 5))
        self.assertEqual(refund.btcpay_pull_amount, '45.00')
        # The customer was told that it is settled with that.
        self.assertEqual(tx._btcpay_get_refund_sums()['available'], 50)

    def test_when_the_whole_is_refunded_with_a_fee_then_the_server_subtracts_the_percentage(self):
        for variant, amount in (('fiat', '90.00'), ('rate_then', '0.0018')):
            tx = self._paid()
            refund = tx._btcpay_request_refund(100, variant=variant, fee_percent='10')
            self.assertEqual(refund.btcpay_pull_amount, amount)
            self.assertEqual((refund.amount, refund.btcpay_refund_fee_amount), (-90, 10))
            self.assertEqual(self._body()['subtractPercentage'], '10')

    def test_when_the_server_rounds_the_fee_otherwise_then_its_amount_is_stored(self):
        tx = self._paid(self._create_order(100.01))
        refund = tx._btcpay_request_refund(100.01, fee_percent='50')
        self.assertEqual(-refund.amount, float(refund.btcpay_pull_amount))
        self.assertAlmostEqual(refund.btcpay_refund_fee_amount - refund.amount, 100.01)

    def test_when_the_server_makes_more_of_a_refund_then_it_is_flagged_for_review(self):
        """E.g. of the whole, if the customer paid once more meanwhile."""
        tx = self._paid()
        draft = RefundDraft('Custom', Money(Decimal('60'), 'USD'))
        self.patch(type(tx), '_btcpay_draft_refund', lambda *_args: draft)
        refund = tx._btcpay_request_refund(50)
        self.assertEqual((refund.state, refund.amount), ('pending', -50))
        self.assertIn("Cancel it at the server", self._activities(tx.sale_order_ids))

    def test_when_the_fee_is_not_a_percentage_below_100_then_the_refund_is_refused(self):
        tx = self._paid()
        for fee in ('-1', '100', '150', 'x'):
            with self.assertRaisesRegex(UserError, "less than 100"):
                tx._btcpay_request_refund(50, fee_percent=fee)
        self.assertFalse(tx.btcpay_refund_ids)

    def test_when_the_fee_takes_all_then_the_refund_is_refused_for_that(self):
        tx = self._paid()
        for variant in ('fiat', 'rate_then'):
            wizard = self._open_wizard(
                tx, scope='amount', amount=0.01, fee_percent=60, variant=variant)
            with self.subTest(variant=variant):
                self.assertFalse(wizard[f'{variant}_text'], "It is no matter of a rate.")
                self._assert_refused(wizard.action_refund, "the fee takes all of $\xa00.01")
                self.assertFalse(tx.btcpay_refund_ids)

    # === PAYOUT METHODS === #

    def test_when_the_wizard_opens_then_all_methods_of_the_invoice_are_selected(self):
        wizard = self._open_wizard(self._paid())
        self.assertEqual(wizard.method_ids.mapped('code'), ['BTC-CHAIN', 'BTC-LN'])
        self.assertEqual(wizard.method_ids.mapped('name'), ["Bitcoin", "Lightning"])
        self._refund_by(wizard)
        self.assertEqual(self._body()['payoutMethods'], ['BTC-CHAIN', 'BTC-LN'])

    def test_when_the_first_method_is_deselected_then_the_others_are_sent_as_a_list(self):
        wizard = self._open_wizard(self._paid())
        wizard.method_ids[0].is_selected = False
        self._refund_by(wizard)
        # PHP plugins sent {"1": "BTC-LN"} here.
        self.assertEqual(self._body()['payoutMethods'], ['BTC-LN'])
        self.assertEqual(self._body()['payoutMethodId'], 'BTC-LN', "Older servers know no list.")

    def test_when_no_method_is_selected_then_the_refund_is_refused(self):
        wizard = self._open_wizard(self._paid())
        wizard.method_ids.is_selected = False
        with self.assertRaisesRegex(UserError, "at least one way"):
            wizard.action_refund()
        self.assertFalse(self._pull_payments())

    def test_when_paid_by_lightning_then_lightning_comes_first_in_the_wizard(self):
        tx = self._paid(method='BTC-LN')
        wizard = self._open_wizard(tx)
        self.assertEqual(wizard.method_ids.mapped('code'), ['BTC-LN', 'BTC-CHAIN'])
        self.assertEqual(wizard.rate_then_text, '0.002 BTC')
        refund = self._refund_by(wizard)
        self.assertEqual(refund.btcpay_bolt11_days, 30)

    def test_when_paid_by_lnurl_then_it_is_refunded_by_lightning(self):
        tx = self._paid(method='BTC-LN')
        tx.btcpay_payment_ids.method = 'BTC-LNURL'
        self.assertEqual(tx._btcpay_get_payout_methods(), ['BTC-LN'])
        self.assertEqual(tx._btcpay_fetch_payout_methods(), (['BTC-LN', 'BTC-CHAIN'], []))

    def test_when_a_person_makes_a_refund_then_the_notes_are_by_that_person(self):
        order = self._create_order()
        self._paid(order)
        message = order.message_ids.sorted('id')[-1:]
        self._refund_by(self._open_wizard(order, delivery='show'))
        notes = order.message_ids.filtered(lambda note: note.id > message.id)
        self.assertTrue(notes)
        self.assertEqual(notes.author_id, self.env.user.partner_id)

    def test_when_a_text_for_the_customer_is_written_then_the_claim_page_has_it(self):
        wizard = self._open_wizard(self._paid(), description="We are sorry")
        self._refund_by(wizard)
        self.assertEqual(self._pull_payments()[0]['description'], "We are sorry")

    # === WHAT IS NOT POSSIBLE === #

    def test_when_there_is_no_rate_then_the_wizard_offers_only_what_needs_none(self):
        tx = self._paid()
        self.world.set_rates(self.store_id, BTC_USD=None)
        wizard = self._open_wizard(tx)
        # The server refunds the whole without a rate.
        self.assertTrue(wizard.is_fiat_possible)
        self.assertTrue(wizard.is_rate_then_possible)
        self.assertFalse(wizard.is_current_rate_possible)
        self.assertIn("has no rate", wizard.current_rate_text)
        wizard.variant = 'current_rate'
        with self.assertRaisesRegex(UserError, "has no rate"):
            wizard.action_refund()
        # And no part of it.
        wizard.write({'scope': 'amount', 'amount': 50})
        for variant in ('fiat', 'rate_then'):
            self.assertFalse(wizard[f'is_{variant}_possible'])
            self.assertIn("has no rate", wizard[f'{variant}_text'])
            wizard.variant = variant
            with self.assertRaisesRegex(UserError, "has no rate"):
                wizard.action_refund()
        self.assertFalse(self._pull_payments())

    def test_when_there_is_no_rate_then_the_whole_can_still_be_refunded(self):
        for variant, amount in (('fiat', '100.00'), ('rate_then', '0.002')):
            self.world.set_rates(self.store_id)
            tx = self._paid()
            self.world.set_rates(self.store_id, BTC_USD=None)
            refund = self._refund_by(self._open_wizard(tx, variant=variant))
            self.assertEqual(refund.btcpay_pull_amount, amount)

    def test_when_there_is_no_rate_then_the_server_refuses_to_refund_a_part(self):
        tx = self._paid()
        self.world.set_rates(self.store_id, BTC_USD=None)
        with self._quiet():
            self._assert_refused(lambda: tx._btcpay_request_refund(50), "rate")
            self._assert_refused(
                lambda: tx._btcpay_request_refund(50, variant='current_rate'), "does not say"
            )
        self.assertFalse(self._pull_payments())

    def test_when_the_preview_fails_then_the_wizard_says_so_and_refunds_in_fiat(self):
        tx = self._paid()
        self.world.fault('status', path='/refund/', count=None)
        with self._quiet():
            wizard = self._open_wizard(tx)
        self.assertIn("503", wizard.preview_error)
        self.assertFalse(wizard.is_permission_missing)
        self.assertFalse(wizard.is_rate_then_possible)
        self.assertIn("503", wizard.rate_then_text)
        self.assertTrue(wizard.is_fiat_possible)
        wizard.write({'scope': 'amount', 'amount': 50})
        self.assertTrue(wizard.is_fiat_possible)
        self.assertEqual(self._refund_by(wizard).btcpay_pull_amount, '50.00')

    def test_when_the_server_is_down_as_the_wizard_opens_then_it_can_refund_once_it_is_back(self):
        tx = self._paid()
        self.world.fault('status', count=None)
        with self._quiet():
            wizard = self._open_wizard(tx)
        self.assertEqual(wizard.method_ids.mapped('code'), ['BTC-CHAIN'])
        self.world.clear_faults()
        self.assertEqual(self._refund_by(wizard).state, 'pending')

    # === PERMISSION === #

    def _take_permission(self):
        key = self.world.new_key(self.store_id, [
            policy for policy in const.PERMISSIONS if 'pullpayments' not in policy
        ])
        self.btcpay.sudo().btcpay_api_key = key
        self.addCleanup(self.btcpay.sudo().write, {'btcpay_api_key': self.api_key})

    def test_when_the_refund_permission_is_missing_then_an_administrator_can_authorize_again(self):
        tx = self._paid()
        self.env.user.group_ids += self.env.ref('base.group_system')
        wizard = self._open_wizard(tx)
        self._take_permission()
        try:  # What was stored before is kept, unlike in `assertRaises`.
            with self._quiet():
                wizard.action_refund()
            self.fail("It was not refused.")
        except RedirectWarning as caught:
            self.env.cr.rollback()
            message, action, button = caught.args[:3]
        self.assertIn("lacks the refund permission", message)
        self.assertEqual(action['res_model'], 'btcpay.connect.wizard')
        self.assertEqual(button, "Authorize Again")
        self.assertEqual(tx.btcpay_refund_ids.state, 'error')

    def test_when_the_permission_is_missing_as_the_wizard_opens_then_it_offers_to_authorize(self):
        tx = self._paid()
        self._take_permission()
        with self._quiet():
            wizard = self._open_wizard(tx)
        self.assertTrue(wizard.is_permission_missing)
        self.env.user.group_ids += self.env.ref('base.group_system')
        self.assertEqual(wizard.action_authorize()['res_model'], 'btcpay.connect.wizard')

    def test_when_the_refund_permission_is_missing_then_others_are_sent_to_an_administrator(self):
        tx = self._paid()
        self._create_people()
        wizard = self._open_wizard(tx, user=self.accountant)
        self._take_permission()
        with self._quiet(), self.assertRaisesRegex(UserError, "Ask an administrator"):
            wizard.action_refund()

    def test_when_the_invoice_does_not_exist_then_it_is_no_missing_permission(self):
        """The server answers the same for both."""
        tx = self._paid()
        wizard = self._open_wizard(tx)
        tx.btcpay_invoice_id = 'gone'
        with self._quiet(), self.assertRaises(Forbidden) as caught:
            tx._btcpay_fetch_refund_preview()
        self.assertTrue(caught.exception.missing_permission)
        self.assertFalse(tx._btcpay_lacks_refund_permission(caught.exception))
        self.assertFalse(wizard.is_permission_missing)
