from unittest.mock import patch

from odoo.tests import tagged

from odoo.addons.payment_btcpay import const
from odoo.addons.payment_btcpay.tests.common import BTCPayCommon
from odoo.addons.payment_btcpay.tests.refund.refund_common import RefundMixin


class Killed(BaseException):
    """Odoo's process is no more: nothing of Odoo catches it."""


@tagged('post_install', '-at_install')
class TestCrashes(RefundMixin, BTCPayCommon):
    """Odoo is killed right before or after each of its commits: what runs afterwards comes to where
    the money is, and nothing is there twice."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls._add_outstanding_account()

    def _kill_at_each_commit(self, prepare, act, check):
        """Do the same again and again, and kill Odoo at another commit each time.

        :param callable prepare: Makes what is acted on.
        :param callable act: What is interrupted.
        :param callable check: Checks what is so after Odoo has run again.
        """
        prepare()
        go_back = self._remember()
        calls = self._act(act)  # As a whole.
        self.assertTrue(calls, "Nothing was stored in between.")
        self._check_again(check)
        for number, count in enumerate(calls, start=1):
            # Where the server was not called in between, it is as it was after the last commit.
            is_called = count > (calls[number - 2] if number > 1 else 0)
            for when in ('before', 'after')[not is_called:]:
                go_back()
                with self.subTest(commit=number, when=when):
                    self._act(act, number, when)
                    self._check_again(check)

    def _act(self, act, number=0, when=''):
        """Do it, until Odoo is killed at a commit, if it is.

        :return: How often the server had been called at each commit.
        """
        cr, calls, made = self.env.cr, 0, []
        commit, providers = cr.commit, self.registry['payment.provider']
        send = providers._send_api_request

        def count(*args, **kwargs):
            nonlocal calls
            calls += 1
            return send(*args, **kwargs)

        def store():
            made.append(calls)
            if (len(made), when) == (number, 'before'):
                raise Killed
            commit()
            if (len(made), when) == (number, 'after'):
                raise Killed

        with (
            self._quiet(), patch.object(cr, 'commit', store),
            patch.object(providers, '_send_api_request', count),
        ):
            try:
                act()
            except Killed:
                cr.rollback()
            else:
                self.assertFalse(number, "It ended before that commit.")
                commit()
        self.env.invalidate_all()
        return made

    def _check_again(self, check):
        self._run_again()
        check()

    def _run_again(self):
        """Let all that was under way time out, and run what is scheduled."""
        for tx in self._family().filtered('btcpay_next_sync_at'):
            self._make_old(tx, minutes=5)
        self._reconcile()
        provider = self.btcpay.sudo()
        provider._btcpay_adopt_refunds(provider._btcpay_list_refunds())  # As it does hourly.
        self._carry_out()
        self._post_process()
        self.env.invalidate_all()

    def _family(self):
        return (
            self.tx | self.tx.child_transaction_ids
            | self.tx.child_transaction_ids.child_transaction_ids
        )

    def _assert_books(self, received, returned):
        payments = self.env['account.payment'].search([
            ('payment_transaction_id', 'in', self._family().ids),
        ])
        inbound = payments.filtered(lambda payment: payment.payment_type == 'inbound')
        self.assertEqual(
            (sum(inbound.mapped('amount')), sum((payments - inbound).mapped('amount'))),
            (received, returned),
        )

    # === CHECKOUT === #

    def test_when_killed_at_the_checkout_then_one_invoice_is_there_and_known(self):
        def prepare():
            self.order = self._create_order()
            self.tx = self._create_btcpay_transaction(self.order, make_invoice=False)

        def check():
            invoices = self.world.api(
                'GET', f'/stores/{self.store_id}/invoices', params={'orderId': self.tx.reference}
            )
            self.assertEqual(
                [invoice['id'] for invoice in invoices],
                [self.tx.btcpay_invoice_id] if self.tx.btcpay_invoice_id else [],
            )

        def act():
            self.tx._get_processing_values()

        self._kill_at_each_commit(prepare, act, check)

    # === PAYMENTS === #

    def test_when_killed_while_a_payment_is_synced_then_it_is_booked_once(self):
        def prepare():
            self.order = self._create_order()
            self.tx = self._create_btcpay_transaction(self.order)
            self.world.pay(self.tx.btcpay_invoice_id)
            self.world.mine()

        def act():
            self.tx._btcpay_sync()
            self._post_process()

        def check():
            self.assertEqual((self.tx.state, self.order.state), ('done', 'sale'))
            self._assert_books(100, 0)

        self._kill_at_each_commit(prepare, act, check)

    def _expired(self, fraction, late):
        self.order = self._create_order()
        self.tx = self._create_btcpay_transaction(self.order)
        if late:
            self.world.expire(self.tx.btcpay_invoice_id)
        self.world.pay(self.tx.btcpay_invoice_id, fraction=fraction)
        if not late:
            self.world.expire(self.tx.btcpay_invoice_id)
        self.world.mine()
        self.tx._btcpay_sync()

    def test_when_killed_while_a_late_payment_is_accepted_then_it_is_booked_once(self):
        def act():
            self.tx.action_btcpay_accept_late()
            self._post_process()

        def check():
            if self._status(self.tx)[0] == 'Settled':
                self.assertEqual((self.tx.state, self.order.state), ('done', 'sale'))
                self._assert_books(100, 0)
            else:
                self.assertTrue(self.tx.btcpay_can_accept_late)
                self._assert_books(0, 0)

        self._kill_at_each_commit(lambda: self._expired('1', True), act, check)

    def test_when_killed_while_a_part_is_accepted_then_it_is_booked_once(self):
        def act():
            self.tx.action_btcpay_accept_partial()
            self._post_process()

        def check():
            if self.tx.btcpay_can_accept_partial:
                self.tx.action_btcpay_accept_partial()
                self._post_process()
            self.assertEqual(self.tx._btcpay_get_amount_due(self.order), 60)
            self._assert_books(40, 0)

        self._kill_at_each_commit(lambda: self._expired('0.4', False), act, check)

    # === REFUNDS === #

    def _check_refund(self, received, amount):
        made = [
            pull for pull in self._pull_payments()
            if pull['id'] not in self.seen
        ]
        refunds = self.tx.btcpay_refund_ids
        self.assertEqual(
            {tx.btcpay_pull_payment_id for tx in refunds} - {False}, {pull['id'] for pull in made}
        )
        self.assertLessEqual(len(made), 1)
        self.assertEqual(len(refunds), len(made))
        self.assertEqual(self.tx.btcpay_returned_amount, amount if made else 0)
        for refund in refunds:
            self._claim(refund)
            refund._btcpay_sync()
            self._post_process()
            self.assertEqual(refund.state, 'done')
        self._assert_books(received, amount if made else 0)
        if self.tx.btcpay_refund_ids.btcpay_refund_is_mailed:
            mails = self._refund_mails(self.tx.sale_order_ids) - self.seen_mails
            self.assertEqual(len(mails), 2 * len(made))  # The link, and that it was paid out.

    def _prepare_refund(self, **values):
        self.tx = self._paid(**values)
        self.seen = {pull['id'] for pull in self._pull_payments()}
        self.seen_mails = self._refund_mails(self.tx.sale_order_ids)

    def test_when_killed_while_a_refund_is_made_then_it_is_made_once_or_not_at_all(self):
        def check():
            is_booked = self.tx.child_transaction_ids.filtered(lambda tx: tx.operation == 'offline')
            self._check_refund(200 if is_booked else 100, 100)

        self._kill_at_each_commit(
            lambda: self._prepare_refund(fraction='2'),
            lambda: self.tx._btcpay_request_refund(100, key='once'),
            check,
        )

    def test_when_killed_while_a_refund_is_canceled_then_it_is_canceled(self):
        self.btcpay.sudo().btcpay_key_may_archive = True
        self.btcpay.sudo().btcpay_api_key = self.world.new_key(self.store_id, [
            *const.PERMISSIONS, 'btcpay.store.canarchivepullpayments',
        ])

        def prepare():
            self._prepare_refund()
            self.refund = self.tx._btcpay_request_refund(40)

        def check():
            [made] = [pull for pull in self._pull_payments() if pull['id'] not in self.seen]
            self.assertEqual(self.refund.state, 'cancel' if made['archived'] else 'pending')
            self._assert_books(100, 0)

        def act():
            self.refund.action_btcpay_cancel_refund()

        self._kill_at_each_commit(prepare, act, check)

    def test_when_killed_while_a_refund_of_the_server_is_adopted_then_it_is_adopted_once(self):
        def prepare():
            self._prepare_refund()
            self.pull_payment = self._server_refund(self.tx)

        self._kill_at_each_commit(
            prepare,
            lambda: self.tx._btcpay_find_or_adopt_refund(self.pull_payment['id']),
            lambda: self._check_refund(100, 100),
        )

    def test_when_killed_while_an_invoice_is_invalidated_then_it_is_invalidated(self):
        def prepare():
            self.order = self._create_order()
            self.tx = self._create_btcpay_transaction(self.order)
            self.order._action_cancel()

        def check():
            self.assertEqual(self._status(self.tx), ('Invalid', 'Marked'))
            self.assertEqual(self.tx.state, 'cancel')

        self._kill_at_each_commit(prepare, self._run_pending, check)

    def _run_pending(self):
        self.env['payment.transaction'].sudo()._cron_btcpay_run_pending_actions()
