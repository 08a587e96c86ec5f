from odoo.exceptions import AccessError
from odoo.fields import Command
from odoo.tests import Form, new_test_user, tagged

from odoo.addons.payment_btcpay.tests.common import BTCPayCommon
from odoo.addons.payment_btcpay.tests.money_common import MoneyMixin


@tagged('post_install', '-at_install')
class TestOrderButtons(MoneyMixin, BTCPayCommon):
    """What people see and press, each with their own rights."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.salesperson = new_test_user(
            cls.env, 'own', groups='sales_team.group_sale_salesman'
        )
        cls.accountant = new_test_user(cls.env, 'acc', groups='account.group_account_invoice')
        cls.administrator = new_test_user(
            cls.env, 'adm', groups='base.group_system,sales_team.group_sale_manager'
        )

    def setUp(self):
        super().setUp()
        self.order = self._create_order(user_id=self.salesperson.id)
        self.tx = self._create_btcpay_transaction(self.order)

    def test_when_a_salesperson_syncs_their_own_order_then_the_payment_is_found(self):
        order = self.order.with_user(self.salesperson)
        with self.assertRaises(AccessError):
            order.transaction_ids.mapped('reference')  # Hence the order's own button.
        self.assertTrue(order.btcpay_has_transactions)
        self.world.pay(self.tx.btcpay_invoice_id)
        self.world.mine()
        action = order.action_btcpay_sync()
        self.assertEqual(action['params']['type'], 'success')
        self.assertEqual(self.tx.state, 'done')

    def test_when_the_server_fails_then_the_salesperson_is_told_to_try_again(self):
        self.world.fault('status', path='/invoices/', count=None)
        with self._quiet():
            action = self.order.with_user(self.salesperson).action_btcpay_sync()
        self.assertEqual(action['params']['type'], 'warning')
        self.assertIn(self.tx.reference, action['params']['message'])
        self.assertIn("Try again in a few minutes", action['params']['message'])

    def test_when_an_order_is_synced_then_all_its_bitcoin_payments_are_synced(self):
        newer = self._create_btcpay_transaction(self.order)
        self._create_other_transaction(self.order)
        self.world.pay(self.tx.btcpay_invoice_id)
        self.world.pay(newer.btcpay_invoice_id)
        self.order.with_user(self.salesperson).action_btcpay_sync()
        self.assertEqual((self.tx.state, newer.state), ('pending', 'pending'))

    def test_when_a_user_may_not_read_the_order_then_syncing_it_is_refused(self):
        """Whoever may not read the order may not have it synced."""
        foreign = self._create_order(user_id=self.accountant.id)
        tx = self._create_btcpay_transaction(foreign)
        self.world.pay(tx.btcpay_invoice_id)
        employee = new_test_user(self.env, 'emp', groups='base.group_user')
        portal = new_test_user(self.env, 'por', groups='base.group_portal')
        for user in (self.salesperson, employee, portal):
            with self.subTest(user=user.login), self.assertRaises(AccessError):
                foreign.with_user(user).action_btcpay_sync()
            with self.subTest(user=user.login), self.assertRaises(AccessError):
                tx.with_user(user).action_btcpay_sync()
        self.assertEqual(tx.state, 'draft')

    def test_when_a_partial_payment_expired_then_only_its_accept_button_is_shown(self):
        """For accounting, as the transactions are, and for administrators."""
        self.world.pay(self.tx.btcpay_invoice_id, fraction='0.4')
        self._look(self.tx)
        for state, can_accept in [('open', False), ('expired', True), ('accepted', False)]:
            if state == 'expired':
                self.world.expire(self.tx.btcpay_invoice_id)
                self.world.mine()
                self._look(self.tx)
            elif state == 'accepted':
                self.tx.with_user(self.administrator).action_btcpay_accept_partial()
            for user in (self.accountant, self.administrator):
                with self.subTest(state=state, user=user.login):
                    tx = self.tx.with_user(user)
                    tx.invalidate_recordset()
                    form = Form(tx)
                    self.assertEqual(form.btcpay_can_accept_partial, can_accept)
                    self.assertFalse(form.btcpay_can_accept_late)
                    self.assertEqual(tx.action_btcpay_sync()['params']['type'], 'success')

    def test_when_an_accountant_accepts_a_late_payment_then_the_button_disappears(self):
        self.world.expire(self.tx.btcpay_invoice_id)
        self.world.pay(self.tx.btcpay_invoice_id)
        self.world.mine()
        self._look(self.tx)
        tx = self.tx.with_user(self.accountant)
        self.assertTrue(Form(tx).btcpay_can_accept_late)
        tx.action_btcpay_accept_late()
        tx.invalidate_recordset()
        self.assertFalse(Form(tx).btcpay_can_accept_late)
        self.assertEqual(tx.state, 'done')

    # === WHAT OTHERS DO WHO HAVE LESS RIGHTS === #

    def test_when_sales_users_change_cancel_or_delete_an_order_then_its_payment_is_canceled(self):
        """Nothing of ours stands in the way of people who cannot read transactions."""
        order = self.order.with_user(self.salesperson)
        order.order_line.price_unit = 120
        self._carry_out()
        self.assertEqual(self.tx.state, 'cancel')
        tx = self._create_btcpay_transaction(self.order)
        order._action_cancel()
        self._carry_out()
        self.assertEqual(tx.state, 'cancel')
        order.action_draft()
        order.action_confirm()
        deleted = self._create_order(user_id=self.salesperson.id)
        tx = self._create_btcpay_transaction(deleted)
        self.env['sale.order'].with_user(
            new_test_user(self.env, 'man', groups='sales_team.group_sale_manager')
        ).browse(deleted.id).unlink()
        self._carry_out()
        self.assertEqual(tx.state, 'cancel')

    def test_when_an_accountant_cancels_or_deletes_an_invoice_then_its_payment_is_canceled(self):
        accountant = new_test_user(self.env, 'man', groups='account.group_account_manager')
        for action in ('button_cancel', 'unlink'):
            move = self._create_invoice()
            tx = self._create_btcpay_transaction(
                reference=f'INV-{action}', invoice_ids=[Command.set(move.ids)]
            )
            move = move.with_user(accountant)
            move.button_draft()
            move.name = False
            getattr(move, action)()
            self._carry_out()
            self.assertEqual(tx.state, 'cancel')
