from odoo.exceptions import AccessError, UserError
from odoo.tests import new_test_user, tagged

from odoo.addons.payment_btcpay.tests.common import BTCPayCommon
from odoo.addons.payment_btcpay.tests.money_common import MoneyMixin


@tagged('post_install', '-at_install')
class TestParts(MoneyMixin, BTCPayCommon):
    """A part is paid: accepted by the provider's setting, by a person, or not at all."""

    def setUp(self):
        super().setUp()
        self.order = self._create_order(require_payment=True, prepayment_percent=1.0)
        self.tx = self._create_btcpay_transaction(self.order)

    def _pay_part_and_expire(self, fraction='0.4', mine=True):
        self.world.pay(self.tx.btcpay_invoice_id, fraction=fraction)
        self.world.expire(self.tx.btcpay_invoice_id)
        if mine:
            self.world.mine()
        self._look(self.tx)

    def _check_part_is_booked(self, order_state='draft'):
        part = self.tx._btcpay_get_partial_receipts()
        self.assertRecordValues(part, [{
            'state': 'done', 'amount': 40, 'provider_id': self.btcpay.id,
            'provider_reference': self.tx.btcpay_invoice_id,
            'sale_order_ids': self.order.ids, 'btcpay_invoice_id': False,
        }])
        self.assertEqual(self.tx.state, 'cancel')
        self.assertEqual(self.order.amount_paid, 40)
        self._post_process()
        self.assertRecordValues(part.payment_id, [{
            'amount': 40, 'payment_type': 'inbound', 'partner_id': self.partner.id,
        }])
        self.assertFalse(self.tx.payment_id)
        self.assertEqual(self.order.state, order_state)
        return part

    # === BY SETTING === #

    def test_when_the_setting_accepts_partial_payments_then_the_partial_payment_is_booked(self):
        self.btcpay.btcpay_accept_partial = True
        self._pay_part_and_expire()
        self._check_part_is_booked()
        self.assertFalse(self.order.activity_ids)

    def test_when_defaults_come_with_the_call_that_books_it_then_it_is_booked_as_ever(self):
        """Whoever may read the order can call the sync, with any context."""
        self.btcpay.btcpay_accept_partial = True
        other = self._pay_order(self._create_order())
        self._post_process()
        self.order.user_id = new_test_user(self.env, 'seller', 'sales_team.group_sale_salesman')
        self.world.pay(self.tx.btcpay_invoice_id, fraction='0.4')
        self.world.expire(self.tx.btcpay_invoice_id)
        self.world.mine()
        self.tx.with_user(self.order.user_id).with_context(
            default_payment_id=other.payment_id.id, default_partner_name="Another",
        ).action_btcpay_sync()
        part = self._check_part_is_booked()
        self.assertNotEqual(part.payment_id, other.payment_id)
        self.assertEqual(part.partner_name, self.tx.partner_name)

    def test_when_an_accepted_partial_payment_is_synced_again_then_it_is_booked_only_once(self):
        self.btcpay.btcpay_accept_partial = True
        self._pay_part_and_expire()
        for _look in range(3):
            self._look(self.tx)
        self.assertEqual(len(self.tx.child_transaction_ids), 1)
        self.assertEqual(len(self._mails(self.order)), 1)
        self.assertFalse(self.tx.btcpay_can_accept_partial)
        with self.assertRaises(UserError):
            self.tx.action_btcpay_accept_partial()

    def test_when_a_partial_payment_is_unconfirmed_then_acceptance_waits_for_confirmation(self):
        self.btcpay.btcpay_accept_partial = True
        self._pay_part_and_expire(mine=False)
        self.assertFalse(self.tx.child_transaction_ids, "Unconfirmed money was taken as paid.")
        self.assertIn("as soon as it is confirmed", str(self.order.message_ids.mapped('body')))
        self.assertFalse(self.order.activity_ids)
        self.world.mine()
        self._look(self.tx)
        self._check_part_is_booked()

    def test_when_a_partial_payment_covers_the_prepayment_then_it_confirms_the_order(self):
        self.order.prepayment_percent = 0.3
        self.btcpay.btcpay_accept_partial = True
        self._pay_part_and_expire()
        self._check_part_is_booked(order_state='sale')

    def test_when_more_is_paid_after_expiry_then_each_further_partial_payment_is_booked(self):
        """The server still says PaidPartial."""
        self.btcpay.btcpay_accept_partial = True
        self._pay_part_and_expire()
        for fraction, paid in [('0.2', 55), ('0.3', 80)]:
            self.world.pay(self.tx.btcpay_invoice_id, fraction=fraction)
            self.world.mine()
            self._look(self.tx)
            self.assertEqual(self._status(self.tx), ('Expired', 'PaidPartial'))
            # The server takes off 5 for the network's fee.
            self.assertEqual(self.order.amount_paid, paid)
        self.assertEqual(len(self.tx._btcpay_get_partial_receipts()), 3)

    def test_when_an_order_is_no_longer_payable_then_a_partial_payment_is_flagged_for_review(self):
        """A person decides, though the provider accepts parts."""
        def cancel():
            self.order._action_cancel()

        def pay_otherwise():
            self._create_other_transaction(self.order)._set_done()

        def begin_anew():
            self._create_btcpay_transaction(self.order)

        self.btcpay.btcpay_accept_partial = True
        for what in (cancel, pay_otherwise, begin_anew):
            with self.subTest(what=what.__name__):
                self.order = self._create_order(require_payment=True, prepayment_percent=1.0)
                self.tx = self._create_btcpay_transaction(self.order)
                self.world.pay(self.tx.btcpay_invoice_id, fraction='0.4')
                self._look(self.tx)
                what()
                self.world.mine()
                self.world.expire(self.tx.btcpay_invoice_id)
                self._look(self.tx)
                self.assertFalse(self.tx._btcpay_get_partial_receipts())
                self.assertIn(
                    "Accept the partial payment or refund it", self._activities(self.order)
                )
                self.assertEqual(len(self._mails(self.order)), 1, "Mailed of an accepted part.")

    # === BY A PERSON === #

    def test_when_an_accountant_accepts_a_partial_payment_then_it_is_booked_and_mailed(self):
        self._pay_part_and_expire()
        self.assertFalse(self.tx.child_transaction_ids)
        self.assertIn("Accept the partial payment or refund it", self._activities(self.order))
        self.assertTrue(self.tx.btcpay_can_accept_partial)
        self.assertFalse(self.tx.btcpay_can_accept_late)
        self.assertFalse(self._mails(self.order))
        accountant = new_test_user(self.env, 'acc', groups='account.group_account_invoice')
        self.tx.with_user(accountant).action_btcpay_accept_partial()
        self._check_part_is_booked()
        self.assertFalse(self.tx.btcpay_can_accept_partial)
        note = self.order.message_ids.filtered(lambda m: "was accepted" in (m.body or ''))
        self.assertEqual(note.author_id, accountant.partner_id)
        self.assertEqual(len(self._mails(self.order)), 1)

    def test_when_the_merchant_marked_it_settled_then_there_is_no_partial_payment_to_accept(self):
        """The merchant has marked the invoice since, so that there is no part any more."""
        self._pay_part_and_expire()
        self.world.mark(self.tx.btcpay_invoice_id, 'Settled')
        self._assert_refused(
            self.tx.action_btcpay_accept_partial, "There is no partial payment to accept"
        )
        self.assertEqual(self.tx.state, 'done')
        self.assertFalse(self.tx.child_transaction_ids)

    def test_when_a_partial_payment_is_unconfirmed_then_the_accept_button_refuses_it(self):
        self._pay_part_and_expire(mine=False)
        self.assertFalse(self.tx.btcpay_can_accept_partial)
        with self.assertRaises(UserError):
            self.tx.action_btcpay_accept_partial()
        self.assertFalse(self.tx.child_transaction_ids)

    def test_when_the_server_does_not_answer_then_the_accept_button_books_nothing(self):
        self._pay_part_and_expire()
        self.world.fault('status', path='/invoices/', count=None)
        with self._quiet(), self.assertRaises(UserError):
            self.tx.action_btcpay_accept_partial()
        self.assertFalse(self.tx.child_transaction_ids)

    def test_when_the_user_lacks_accounting_rights_then_accepting_is_refused(self):
        self._pay_part_and_expire()
        for groups in ('base.group_user', 'sales_team.group_sale_manager'):
            user = new_test_user(self.env, groups, groups=groups)
            for action in ('action_btcpay_accept_partial', 'action_btcpay_accept_late'):
                with self.subTest(groups=groups, action=action), self.assertRaises(AccessError):
                    getattr(self.tx.with_user(user), action)()
        self.assertFalse(self.tx.child_transaction_ids)

    # === WHAT COMES AFTER === #

    def test_when_settled_after_an_accepted_partial_payment_then_the_difference_is_booked(self):
        """The rest came late and the merchant took it, or decided to forgo it."""
        for pay_rest in (True, False):
            with self.subTest(pay_rest=pay_rest):
                self.order = self._create_order(require_payment=True, prepayment_percent=1.0)
                self.tx = self._create_btcpay_transaction(self.order)
                self._pay_part_and_expire()
                self.tx.action_btcpay_accept_partial()
                self._post_process()
                if pay_rest:
                    self.world.pay(self.tx.btcpay_invoice_id)
                    self.world.mine()
                self.world.mark(self.tx.btcpay_invoice_id, 'Settled')
                self._look(self.tx, self.tx)
                self._post_process()
                self.assertEqual(self.order.state, 'sale')
                self.assertEqual(self.order.amount_paid, 100, "The whole was booked beside a part.")
                parts = self.tx._btcpay_get_partial_receipts()
                # What never came in is in no books, whatever the merchant says.
                self.assertEqual(
                    sorted(parts.mapped('payment_id.amount')), [40, 60] if pay_rest else [40]
                )

    def test_when_an_accepted_partial_payment_is_refunded_then_the_whole_is_to_be_paid_again(self):
        """Odoo's `amount_paid` forgets the refund: 60 more would confirm an order of 100."""
        for paid, state in ((60, 'draft'), (100, 'sale')):
            with self.subTest(paid=paid):
                self.order = self._create_order(require_payment=True, prepayment_percent=1.0)
                self.tx = self._create_btcpay_transaction(self.order)
                self._pay_part_and_expire()
                self.tx.action_btcpay_accept_partial()
                self._post_process()
                self.assertEqual(self.order._btcpay_get_amount_due(), 60)
                self.tx._btcpay_request_refund(40)
                self.assertEqual(self.order.amount_paid, 40)
                self.assertEqual(self.order._btcpay_get_amount_due(), 100)
                self.assertEqual(self.order._btcpay_get_down_payment(), 100)
                [link] = self.tx._btcpay_get_amount_due_links()
                self.assertEqual(link['amount'], 100)
                self.assertIn('amount=100.0', link['url'])
                again = self._create_btcpay_transaction(self.order, amount=paid)
                self.world.pay(again.btcpay_invoice_id)
                self.world.mine()
                self._look(again)
                self._post_process()
                self.assertEqual(self.order.state, state)
                self.assertEqual(self.order._btcpay_get_paid_amount(), paid)

    def test_when_an_invalid_invoice_has_confirmed_money_then_it_can_be_accepted(self):
        """Confirmed after the server gave up on it: there it stays invalid for ever."""
        self.world.pay(self.tx.btcpay_invoice_id)
        self.world.pass_time(3 * 24 * 3600)
        self._look(self.tx)
        self.assertEqual((self.tx.state, self.tx.btcpay_status), ('error', 'Invalid'))
        self.assertFalse(self.tx.btcpay_can_accept_partial)
        self.world.mine()
        self._look(self.tx)
        self.assertTrue(self.tx.btcpay_can_accept_partial)
        self.tx.action_btcpay_accept_partial()
        self._post_process()
        self.assertEqual((self.order.state, self.order.amount_paid), ('sale', 100))
        self.assertEqual(self.tx.state, 'error', "The source must not be done beside its part.")

    def test_when_a_customer_invoice_is_partly_paid_then_the_amount_due_is_mailed(self):
        move = self._create_invoice()
        self.btcpay.btcpay_accept_partial = True
        self.tx = self._create_btcpay_transaction(
            reference='INV-part', invoice_ids=[(6, 0, move.ids)]
        )
        self._pay_part_and_expire()
        self._post_process()
        self.assertEqual(move.amount_residual, 60)
        self.assertEqual(move.payment_state, 'partial')
        mail = self._mails(move)
        self.assertEqual(len(mail), 1)
        self.assertIn('amount=60.0', str(mail.body))

    def test_when_a_partial_payment_confirms_the_order_then_its_automatic_invoice_is_paid(self):
        """The down payment invoice that Odoo makes of a part is paid by it."""
        self.env['ir.config_parameter'].sudo().set_param('sale.automatic_invoice', 'True')
        self.product.invoice_policy = 'order'
        self.order.prepayment_percent = 0.3
        self.btcpay.btcpay_accept_partial = True
        self._pay_part_and_expire()
        part = self._check_part_is_booked(order_state='sale')
        down_payment = self.order.invoice_ids
        self.assertRecordValues(down_payment, [{'amount_total': 40, 'state': 'posted'}])
        self.assertRecordValues(down_payment, [{
            'amount_residual': 0, 'btcpay_received_amount': 40,
            'btcpay_status_text': "Accepted part of a payment",
        }])
        self.assertEqual(part.invoice_ids, down_payment)
        self.assertTrue(part.btcpay_is_handled)
        # The rest.
        rest = self._create_btcpay_transaction(self.order, amount=60)
        self.world.pay(rest.btcpay_invoice_id)
        self.world.mine()
        self._look(rest)
        self._post_process()
        self.assertEqual(self.order.amount_paid, 100)
        self.assertEqual(sum(self.order.invoice_ids.mapped('amount_residual')), 0)
        self.assertEqual(sum(self.order.invoice_ids.mapped('amount_total')), 100)
        self.assertFalse(self.order.activity_ids)

    def test_when_an_order_is_paid_in_parts_then_its_automatic_invoice_is_paid_in_full(self):
        self.env['ir.config_parameter'].sudo().set_param('sale.automatic_invoice', 'True')
        self.product.invoice_policy = 'order'
        self.btcpay.btcpay_accept_partial = True
        self._pay_part_and_expire()
        self._check_part_is_booked()
        rest = self._create_btcpay_transaction(self.order, amount=60)
        self.world.pay(rest.btcpay_invoice_id)
        self.world.mine()
        self._look(rest)
        self._post_process()
        self.assertEqual(self.order.state, 'sale')
        self.assertRecordValues(self.order.invoice_ids, [
            {'amount_total': 100, 'amount_residual': 0, 'state': 'posted'},
        ])
        self.assertFalse(self.order.activity_ids)

    def test_when_the_order_is_in_a_foreign_currency_then_the_partial_payment_is_booked_in_it(self):
        self.currency = self._enable_currency('EUR')
        self.btcpay.btcpay_accept_partial = True
        self.order = self._create_order(require_payment=True, prepayment_percent=1.0)
        self.tx = self._create_btcpay_transaction(self.order)
        self._pay_part_and_expire()
        part = self._check_part_is_booked()
        self.assertEqual(part.payment_id.currency_id, self.currency)
