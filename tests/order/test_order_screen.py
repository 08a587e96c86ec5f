from lxml import etree

from odoo.exceptions import AccessError, UserError
from odoo.fields import Command
from odoo.tests import new_test_user, tagged

from odoo.addons.payment_btcpay.tests.common import BTCPayCommon
from odoo.addons.payment_btcpay.tests.money_common import MoneyMixin


@tagged('post_install', '-at_install')
class TestOrderScreen(MoneyMixin, BTCPayCommon):
    """What the order and its list say of the Bitcoin payments, and the buttons that act."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.seller = new_test_user(
            cls.env, 'screen_seller', groups='sales_team.group_sale_salesman'
        )

    def _order(self, order):
        """Return the order as the salesperson sees it now."""
        self.env.invalidate_all()
        return order.with_user(self.seller)

    # === STATUS AND AMOUNT === #

    def test_when_the_invoice_status_changes_then_the_order_shows_it_in_plain_words(self):
        order = self._create_order(user_id=self.seller.id)
        tx = self._create_btcpay_transaction(order)
        for status, additional, state, text in [
            ('New', 'None', 'draft', "Waiting for payment"),
            ('New', 'PaidPartial', 'pending', "Partly paid"),
            ('Processing', 'None', 'pending', "Seen, waiting for confirmation"),
            ('Processing', 'PaidOver', 'pending', "Seen, waiting for confirmation"),
            ('Settled', 'None', 'done', "Paid"),
            ('Settled', 'PaidOver', 'done', "Paid, overpaid"),
            ('Settled', 'Marked', 'done', "Marked as paid by the merchant"),
            ('Expired', 'None', 'cancel', "Expired"),
            ('Expired', 'PaidPartial', 'cancel', "Expired, partly paid"),
            ('Expired', 'PaidLate', 'cancel', "Expired, paid late"),
            ('Invalid', 'None', 'error', "Invalid"),
            ('Invalid', 'Marked', 'error', "Marked as invalid by the merchant"),
            ('New', 'None', 'error', "Checkout failed, invoice still open"),
        ]:
            with self.subTest(status=status, additional=additional, state=state):
                tx.write({
                    'btcpay_paid_amount': {
                        'None': 100 if text == "Paid" else 0, 'PaidPartial': 50, 'PaidLate': 100,
                    }.get(additional, 0),
                    'btcpay_status': status, 'btcpay_additional_status': additional,
                    'state': state,
                })
                self.assertEqual(tx.btcpay_status_text, text)
                self.assertEqual(self._order(order).btcpay_status_text, text)
        tx.write({
            'state': 'error', 'btcpay_status': 'Settled', 'btcpay_additional_status': 'None',
        })
        tx._btcpay_flag_for_review("It is for another order.", 'another')
        self.assertEqual(tx.btcpay_status_text, "Does not agree with the server")
        tx.write({'state': 'cancel', 'btcpay_invalidated_at': '2026-01-01'})
        self.assertEqual(tx.btcpay_status_text, "Invalidated")
        tx.btcpay_paid_amount = 1
        self.assertEqual(tx.btcpay_status_text, "Invalidated, but paid")

    def test_when_there_is_no_invoice_then_the_status_says_not_started_or_failed(self):
        order = self._create_order()
        self.assertEqual(order.btcpay_status_text, False)
        self.assertFalse(order.btcpay_has_transactions)
        tx = self._create_btcpay_transaction(order, make_invoice=False)
        self.assertEqual(tx.btcpay_status_text, "Not started")
        tx._set_error("No server.")
        self.assertEqual(tx.btcpay_status_text, "Failed")
        self.assertFalse(self._create_other_transaction(order).btcpay_status_text)

    def test_when_a_refund_changes_state_then_its_status_text_follows(self):
        tx = self._pay_order(self._create_order())
        self._post_process()
        refund = tx._btcpay_request_refund(50)
        payout_id = self.world.claim(refund.btcpay_pull_payment_id, '12.00')
        self.world.approve(payout_id)
        self.world.pay_payout(payout_id)
        refund._btcpay_sync()
        self.assertIn("12.00", refund.btcpay_status_text)
        self.assertIn("50.00", refund.btcpay_status_text)
        self.assertEqual(tx.btcpay_refunded_amount, 12)
        self.assertEqual(tx.btcpay_refund_ids, refund)
        for state, text in [
            ('draft', "Refund being created"), ('done', "Refund paid out"),
            ('cancel', "Refund canceled"), ('error', "Refund failed"),
        ]:
            refund.state = state
            self.assertEqual(refund.btcpay_status_text, text)

    def test_when_a_refund_proceeds_then_the_orders_status_names_it(self):
        order = self._create_order()
        tx = self._pay_order(order)
        self._post_process()
        refund = tx._btcpay_request_refund(50)
        for values, text in [
            ({'state': 'draft'}, "Paid, refund underway"),
            ({'state': 'pending'}, "Paid, refund underway"),
            ({'state': 'cancel'}, "Paid"),
            ({'state': 'error'}, "Paid"),
            ({'state': 'done'}, "Paid, partly refunded"),
            ({'amount': -99, 'btcpay_refund_fee_amount': 1}, "Paid, refunded"),
        ]:
            refund.write(values)
            self.assertEqual(tx.btcpay_status_text, text)
            self.assertEqual(self._order(order).btcpay_status_text, text)

    def test_when_one_of_several_payments_has_money_then_its_status_is_shown(self):
        order = self._create_order(user_id=self.seller.id)
        paid = self._pay_order(order)
        self._create_btcpay_transaction(order)
        self._create_other_transaction(order)
        order = self._order(order)
        self.assertEqual(order.btcpay_status_text, "Paid")
        self.assertEqual(order.btcpay_received_amount, 100)
        second = self._create_btcpay_transaction(paid.sale_order_ids)
        self.world.pay(second.btcpay_invoice_id, fraction='0.5')
        second._btcpay_sync()
        order = self._order(order)
        self.assertEqual(order.btcpay_received_amount, 150)
        self.assertEqual(order.btcpay_status_text, "Paid")

    def test_when_an_attempt_follows_a_partial_payment_then_the_partial_payment_is_shown(self):
        order = self._create_order(user_id=self.seller.id)
        expired = self._create_btcpay_transaction(order)
        self.world.expire(expired.btcpay_invoice_id)
        self._look(expired)
        tx = self._create_btcpay_transaction(order)
        self.assertEqual(self._order(order).btcpay_status_text, "Waiting for payment")
        self.world.pay(tx.btcpay_invoice_id, fraction='0.4')
        self._look(tx)
        self._create_btcpay_transaction(order)
        self.assertEqual(self._order(order).btcpay_status_text, "Partly paid")

    def test_when_paid_in_a_foreign_currency_then_received_is_in_the_orders_currency(self):
        order = self._create_order()
        tx = self._pay_order(order)
        euro = self.env.ref('base.EUR')
        euro.rate_ids.unlink()
        self.env['res.currency.rate'].create({
            'currency_id': euro.id, 'company_id': order.company_id.id,
            'name': order.date_order, 'rate': 0.5,
        })
        tx.currency_id = euro
        self.env.invalidate_all()
        self.assertEqual(order.btcpay_received_amount, 200)

    # === THE LISTS === #

    def test_when_the_order_lists_are_opened_then_the_bitcoin_columns_are_optional(self):
        names = ('view_order_tree', 'view_quotation_tree', 'view_quotation_tree_with_onboarding')
        for name in names:
            arch = etree.fromstring(self.env['sale.order'].with_user(self.seller).get_view(
                self.env.ref(f'sale.{name}').id, 'list'
            )['arch'])
            for field in ('btcpay_received_amount', 'btcpay_status_text'):
                [column] = arch.xpath(f'//field[@name="{field}"]')
                self.assertEqual(column.get('optional'), 'hide')

    def test_when_the_list_grows_then_the_number_of_queries_does_not(self):
        orders = self.env['sale.order']
        for _index in range(6):
            order = self._create_order(user_id=self.seller.id)
            self._create_btcpay_transaction(order)
            orders |= order
        counts = []
        for records in (orders[:2], orders):
            self.env.invalidate_all()
            self.env.flush_all()
            before = self.env.cr.sql_log_count
            records.with_user(self.seller).web_read(
                {'btcpay_received_amount': {}, 'btcpay_status_text': {}}
            )
            counts.append(self.env.cr.sql_log_count - before)
        self.assertGreater(counts[0], 0)
        self.assertLessEqual(counts[1], counts[0], counts)

    # === ACTIONS === #

    def test_when_a_late_payment_is_confirmed_then_the_salesperson_can_accept_it(self):
        order = self._create_order(user_id=self.seller.id)
        tx = self._create_btcpay_transaction(order)
        self.world.expire(tx.btcpay_invoice_id)
        self.world.pay(tx.btcpay_invoice_id)
        self._look(tx)
        # Unconfirmed money may still vanish.
        self.assertFalse(self._order(order).btcpay_can_accept_late)
        self.world.mine()
        self._look(tx)
        self.assertTrue(self._order(order).btcpay_can_accept_late)
        self.assertTrue(self._order(order).btcpay_can_refund)
        self._order(order).action_btcpay_accept_late()
        self._post_process()
        self.assertEqual((tx.state, order.state), ('done', 'sale'))
        self.assertFalse(self._order(order).btcpay_can_accept_late)

    def test_when_a_partial_payment_expired_then_the_salesperson_can_accept_it(self):
        order = self._create_order(user_id=self.seller.id)
        tx = self._create_btcpay_transaction(order)
        self.world.pay(tx.btcpay_invoice_id, fraction='0.4')
        self.world.mine()
        self._look(tx)
        self.assertFalse(self._order(order).btcpay_can_accept_partial)
        self.world.expire(tx.btcpay_invoice_id)
        self._look(tx)
        self.assertFalse(self._order(order).btcpay_can_accept_late)
        self.assertTrue(self._order(order).btcpay_can_accept_partial)
        self._order(order).action_btcpay_accept_partial()
        self._post_process()
        self.assertEqual(self._order(order).amount_paid, 40)
        self.assertFalse(self._order(order).btcpay_can_accept_partial)
        # What it is booked by is no payment of its own.
        self.assertEqual(len(order.transaction_ids), 2)
        self.assertEqual(self._order(order).action_btcpay_view_transactions()['res_id'], tx.id)
        self.assertEqual(self._order(order).btcpay_status_text, "Partial payment accepted")

    def test_when_the_order_is_not_the_salespersons_own_then_accepting_is_refused(self):
        order = self._create_order()
        self._create_btcpay_transaction(order)
        self.env.cr.commit()
        for action in ('action_btcpay_accept_late', 'action_btcpay_accept_partial'):
            with self.subTest(action=action), self.assertRaises(AccessError):
                getattr(order.with_user(self.seller), action)()

    def test_when_an_overpayment_is_confirmed_then_the_button_refunds_it(self):
        self.seller.group_ids += self.env.ref('payment_btcpay.group_refund')
        order = self._create_order(user_id=self.seller.id)
        self._pay_order(order)
        self._post_process()
        self.assertFalse(self._order(order).btcpay_can_refund_decided)
        over = self._create_order(user_id=self.seller.id)
        tx = self._pay_order(over, fraction='1.3', mine=False)
        self.assertFalse(self._order(over).btcpay_can_refund_decided, "It may still vanish.")
        self.world.mine()
        self._look(tx)
        self._post_process()
        self.assertTrue(self._order(over).btcpay_can_refund_decided)
        action = self._order(over).action_btcpay_refund_decided()
        wizard = self.env[action['res_model']].with_user(self.seller).browse(action['res_id'])
        self.assertEqual((wizard.scope, wizard.amount), ('overpayment', 30))
        wizard.action_refund()
        self.assertFalse(self._order(over).btcpay_can_refund_decided)
        self.assertTrue(self._order(over).btcpay_can_refund)

    def test_when_an_order_has_several_payments_then_refund_lists_them_to_choose_from(self):
        order = self._create_order()
        for _index in range(2):
            self._pay_order(order)
        self._post_process()
        action = order.action_btcpay_refund()['params']['next']
        self.assertEqual(action['res_model'], 'payment.transaction')
        self.assertEqual(
            self.env['payment.transaction'].search(action['domain']), order.transaction_ids
        )

    def test_when_an_order_has_one_payment_then_refund_opens_the_wizard_for_it(self):
        order = self._create_order()
        self._pay_order(order)
        self._post_process()
        action = order.action_btcpay_refund()
        wizard = self.env[action['res_model']].browse(action['res_id'])
        self.assertEqual(wizard.amount, 100)
        self.assertEqual(wizard.rate_then_text, '0.002 BTC')
        wizard.write({'scope': 'amount', 'amount': 50})
        refund = self.env['payment.transaction'].sudo().browse(wizard.action_refund()['res_id'])
        self.assertEqual(refund.state, 'pending')

    # === WHAT IS STILL DUE === #

    def test_when_part_is_paid_by_another_provider_then_the_amount_due_is_less(self):
        order = self._create_order()
        self.assertEqual(order._btcpay_get_amount_due(), 100)
        self._create_other_transaction(order, amount=30)._set_done()
        self.env.invalidate_all()
        self.assertEqual(order._btcpay_get_amount_due(), 70)

    def test_when_the_orders_invoice_was_paid_by_bank_then_nothing_is_due(self):
        order = self._create_order()
        order.action_confirm()
        self.product.invoice_policy = 'order'
        move = order._create_invoices()
        self.assertEqual(order._btcpay_get_amount_due(), 100)
        move.action_post()
        self.assertEqual(order._btcpay_get_amount_due(), 100)
        self.assertTrue(self._order(order).sudo().btcpay_can_request)
        self._pay_move(move)
        self.env.invalidate_all()
        self.assertEqual(order._btcpay_get_amount_due(), 0)
        self.assertFalse(order.btcpay_can_request)
        with self.assertRaises(UserError):
            order.action_btcpay_request()

    def test_when_an_order_paid_in_part_is_invoiced_then_the_payment_is_counted_once(self):
        """What was paid by a transaction and then invoiced is paid once."""
        order = self._create_order()
        self.product.invoice_policy = 'order'
        self._create_btcpay_transaction(order, amount=40)
        tx = order.transaction_ids
        self.world.pay(tx.btcpay_invoice_id)
        self.world.mine()
        self._look(tx)
        self._post_process()
        self.assertEqual(order.state, 'sale')
        order._create_invoices().action_post()
        self.env.invalidate_all()
        self.assertEqual(order._btcpay_get_amount_due(), 60)

    def test_when_a_paid_invoice_is_credited_and_paid_back_then_it_is_due_when_invoiced_anew(self):
        order = self._create_order()
        order.action_confirm()
        self.product.invoice_policy = 'order'
        move = order._create_invoices()
        move.action_post()
        self._pay_move(move)
        wizard = self.env['account.move.reversal'].with_context(
            active_model='account.move', active_ids=move.ids
        ).create({'journal_id': move.journal_id.id})
        wizard.reverse_moves()
        wizard.new_move_ids.action_post()
        self._pay_move(wizard.new_move_ids)
        self.env.invalidate_all()
        self.assertEqual(order._btcpay_get_amount_due(), 0, "Nobody owes what was credited.")
        order._create_invoices().action_post()
        self.assertEqual(order._btcpay_get_amount_due(), 100)

    def test_when_a_down_payment_is_credited_then_it_is_due_with_the_rest(self):
        order = self._create_order()
        order.action_confirm()
        down_payment = self._create_down_payment(order)
        down_payment.action_post()
        self._pay_move(down_payment)
        self.assertEqual(order._btcpay_get_amount_due(), 70)
        credit_note = down_payment._reverse_moves()
        credit_note.action_post()
        self._pay_move(credit_note)
        self.assertEqual(order._btcpay_get_amount_due(), 100)

    def test_when_there_is_no_provider_or_nothing_due_then_no_request_is_offered(self):
        order = self._create_order()
        self.assertTrue(order.btcpay_can_request)
        self.btcpay.state = 'disabled'
        self.env.invalidate_all()
        self.assertFalse(order.btcpay_can_request)
        self.assertFalse(self.env['sale.order'].create({
            'partner_id': self.partner.id,
            'order_line': [Command.create({'product_id': self.product.id, 'price_unit': 0})],
        }).btcpay_can_request)
