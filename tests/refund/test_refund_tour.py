import re
from decimal import Decimal

import requests

from odoo.tests import new_test_user, tagged
from odoo.tools import html2plaintext

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
        self._claim_on_page(refund, '20.00')
        self.world.claim(refund.btcpay_pull_payment_id, '30.00')
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

    def _text(self, html):
        """Return what people read, as one line."""
        return ' '.join(html2plaintext(html).replace('\xa0', ' ').split())

    def test_when_two_payments_are_refunded_then_all_figures_are_one(self):
        self._refund_with_network_fee('two_payments', 195, '195', 'USD')

    def test_when_the_surplus_of_two_payments_is_refunded_then_all_figures_are_one(self):
        self._refund_with_network_fee('surplus', 95, '0.0019', 'BTC')

    def _refund_with_network_fee(self, name, *figures):
        """Refund an order of 100.00 that was paid twice: the server takes a network fee off each
        further payment, and refunds by all of it.

        :param str name: The name of the tour of the wizard.
        :param tuple figures: See `_assert_figures_are`.
        """
        user = new_test_user(
            self.env, 'refund_tour',
            'sales_team.group_sale_salesman,payment_btcpay.group_refund',
        )
        order = self._create_order(user_id=user.id)
        tx = self._create_btcpay_transaction(order)
        for _time in range(2):
            self.world.pay(tx.btcpay_invoice_id, amount='0.002')
        self.world.mine()
        self._look(tx)
        self._post_process()
        self.env.flush_all()
        self.start_tour(
            f'/odoo/sales/{order.id}', f'btcpay_refund_{name}_tour', login='refund_tour'
        )
        self.env.invalidate_all()
        self._assert_figures_are(tx.btcpay_refund_ids, *figures)

    def _assert_figures_are(self, refund, amount, pulled, currency):
        """Check all that is seen of a refund until it is paid out and booked.

        :param float amount: What the order gives back.
        :param str pulled: What the customer can claim.
        :param str currency: Its currency's code.
        """
        order = refund._btcpay_get_document()
        self.assertEqual(-refund.amount, amount)
        shown = f'$ {amount:.2f}'
        # The mail.
        mail = self._refund_mails(order)[0]
        self.assertIn(f"your refund of {shown}", self._text(mail.subject))
        self.assertIn(f"We refund you *{shown}*", self._text(mail.body))
        self.assertEqual(f'({pulled} BTC)' in self._text(mail.body), currency == 'BTC')
        # The customer's page of the order.
        page = self._text(self.url_open(order.get_portal_url()).text)
        self.assertIn(f"{shown} $ 0.00 of {shown} paid out, not claimed yet", page)
        # The pull payment and its claim page.
        [made] = [
            made for made in self._pull_payments() if made['id'] == refund.btcpay_pull_payment_id
        ]
        self.assertEqual((Decimal(made['amount']), made['currency']), (Decimal(pulled), currency))
        page = self._text(requests.get(refund.btcpay_refund_link, timeout=30).text)
        [limit] = re.findall(r'([\d.]+)\*? (?:USD|BTC)\*? Claim limit', page)
        self.assertEqual(Decimal(limit), Decimal(pulled))
        # The payout.
        self.world.claim(refund.btcpay_pull_payment_id, limit)
        with self._world_speaks():
            [payout] = self.world.api(
                'GET', f'/pull-payments/{refund.btcpay_pull_payment_id}/payouts', key=''
            )
            self.world.approve(payout['id'])
            self.world.pay_payout(payout['id'])
        self.assertEqual(
            (Decimal(payout['originalAmount']), payout['originalCurrency']),
            (Decimal(pulled), currency),
        )
        self.assertEqual((refund.state, refund.btcpay_paid_out_amount), ('done', amount))
        self.assertIn(
            f"Your refund of *{shown}*", self._text(self._refund_mails(order)[0].body)
        )
        # The books.
        self._post_process()
        self.assertEqual(refund.payment_id.amount, amount)
        self.assertEqual(refund._btcpay_get_root().btcpay_refunded_amount, amount)
        self.env.flush_all()
        self.assertIn(
            f"{shown} Refund paid out", self._text(self.url_open(order.get_portal_url()).text)
        )
