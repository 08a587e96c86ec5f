from odoo.tests import new_test_user, tagged

from odoo.addons.payment_btcpay.tests.common import BTCPayHttpCommon
from odoo.addons.payment_btcpay.tests.refund.refund_common import RefundMixin

CLAIM = """
    const form = document.querySelector("#Destination").form;
    form.querySelector("#Destination").value = "ADDRESS";
    form.querySelector("#ClaimedAmount").value = "AMOUNT";
    fetch(form.action, { method: "POST", body: new URLSearchParams(new FormData(form)) }).then(
        async (answer) => {
            const isClaimed = (await answer.text()).includes("has been submitted");
            console[isClaimed ? "log" : "error"](isClaimed ? "test successful" : "Not claimed");
        }
    );
"""


@tagged('post_install', '-at_install')
class TestRefundTour(RefundMixin, BTCPayHttpCommon):

    def _claim_on_page(self, refund, amount):
        """Claim a part on the server's claim page, in the browser."""
        code = CLAIM.replace('ADDRESS', self.world.new_address()).replace('AMOUNT', amount)
        ready = '!!document.querySelector("#Destination")'
        self.browser_js(refund.btcpay_refund_link, code, ready=ready)

    def test_when_half_is_refunded_and_claimed_in_the_browser_then_the_books_balance(self):
        lines = self.btcpay.journal_id.inbound_payment_method_line_ids
        lines |= self.btcpay.journal_id.outbound_payment_method_line_ids
        lines.payment_account_id = self.env['account.account'].create({
            'name': "Bitcoin underway", 'code': 'BTCUW', 'account_type': 'asset_current',
            'reconcile': True,
        })
        user = new_test_user(
            self.env, 'refund_tour',
            'sales_team.group_sale_salesman,payment_btcpay.group_refund',
        )
        order = self._create_order(user_id=user.id)
        tx = self._paid(order)
        self.env.flush_all()
        url = f'/odoo/sales/{order.id}'
        self.start_tour(url, 'btcpay_refund_tour', login='refund_tour')
        self.env.invalidate_all()
        refund = tx.btcpay_refund_ids
        self.assertEqual((refund.state, refund.amount), ('pending', -50))

        # The customer has the link, claims in two parts, and the merchant approves and pays.
        self.assertIn(refund.btcpay_refund_link, self._refund_mails(order).body)
        for amount in ('20.00', '30.00'):
            self._claim_on_page(refund, amount)
        with self._world_speaks():
            for payout in self.world.api(
                'GET', f'/pull-payments/{refund.btcpay_pull_payment_id}/payouts', key=''
            ):
                self.world.approve(payout['id'])
                self.world.pay_payout(payout['id'])
        self.assertEqual(refund.state, 'done')
        self._post_process()
        self.env.flush_all()
        self.start_tour(url, 'btcpay_refund_done_tour', login='refund_tour')

        # The books balance, and the payments are matched with each other.
        self.env.invalidate_all()
        payments = tx.payment_id | refund.payment_id
        self.assertEqual(payments.mapped('move_id.state'), ['posted', 'posted'])
        self.assertEqual(sum(payments.move_id.line_ids.mapped('balance')), 0)
        receivable = payments.move_id.line_ids.filtered(
            lambda line: line.account_type == 'asset_receivable'
        )
        self.assertEqual(sum(receivable.mapped('amount_residual')), -50)
        self.assertTrue(receivable.matched_debit_ids)
