import base64
import csv
from decimal import Decimal
from io import StringIO

from odoo.exceptions import AccessError
from odoo.fields import Command
from odoo.tests import new_test_user, tagged
from odoo.tools import mute_logger

from odoo.addons.payment_btcpay.tests.common import BTCPayHttpCommon
from odoo.addons.payment_btcpay.tests.refund.refund_common import RefundMixin


@tagged('post_install', '-at_install')
class TestReceipts(RefundMixin, BTCPayHttpCommon):
    """What the accountant sums up, and hands to the tax tool."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.second = cls.env['res.company'].create({'name': "Second"})

        def create(login, group, company=cls.env.company):
            return new_test_user(
                cls.env, login, f'base.group_user,base.group_allow_export,{group}',
                company_id=company.id, company_ids=[Command.set(company.ids)],
            )

        cls.accountant = create('receipts_billing', 'account.group_account_invoice')
        cls.auditor = create('receipts_auditor', 'account.group_account_readonly')
        cls.seller = create('receipts_seller', 'sales_team.group_sale_salesman_all_leads')
        cls.foreigner = create('receipts_foreign', 'account.group_account_manager', cls.second)

    def _receipts(self, *transactions, user=None):
        return self.env['btcpay.receipt'].with_user(user or self.auditor).search([
            ('transaction_id', 'in', self.env['payment.transaction'].union(*transactions).ids),
        ])

    def _refunded(self, tx, amount, **proof):
        refund = self._refund_by(self._open_wizard(tx, scope='amount', amount=amount))
        payout_id = self._claim(refund, pay=not proof)
        if proof:
            self.world.approve(payout_id)
            self.world.pay_payout(payout_id, **proof)
        refund._btcpay_sync()
        self.assertEqual(refund.state, 'done')
        return refund

    def _read_csv(self, receipts):
        """Return the rows of the file, which the user downloads, by their headers."""
        action = receipts.action_btcpay_export()
        name, record_id = action['url'].split('/')[3:5]
        export = self.env[name].with_user(receipts.env.user).browse(int(record_id))
        return list(csv.DictReader(StringIO(base64.b64decode(export.content).decode())))

    def test_when_paid_and_refunded_then_both_are_listed_as_numbers_the_refund_negative(self):
        tx = self._paid()
        payment = tx.btcpay_payment_ids
        refund = self._refunded(tx, 40)
        received, paid_out = self._receipts(tx, refund).sorted('kind')
        self.assertRecordValues(received | paid_out, [{
            'kind': 'payment', 'amount': 100, 'crypto_amount': float(payment.crypto_amount),
            'rate': float(payment.rate), 'method': 'Bitcoin', 'crypto_currency': 'BTC',
            'store': self.btcpay.sudo().btcpay_store_name or self.store_id,
            'company_id': self.env.company.id, 'reference': tx.reference,
            'date': payment.received_at, 'tx_hash': payment.txid,
        }, {
            'kind': 'refund', 'amount': -40,
            'crypto_amount': -float(refund.btcpay_payout_ids.crypto_amount),
            'rate': float(payment.rate), 'method': 'Bitcoin', 'crypto_currency': 'BTC',
            'store': self.btcpay.sudo().btcpay_store_name or self.store_id,
            'company_id': self.env.company.id, 'reference': refund.reference,
            'date': refund.btcpay_payout_ids.state_since,
            'tx_hash': refund.btcpay_payout_ids.proof,
        }])

    def test_when_grouped_by_month_method_and_store_then_the_sums_are_net_of_refunds(self):
        tx = self._paid()
        refund = self._refunded(tx, 40)
        lightning = self._pay_order(self._create_order(), method='BTC-LN')
        receipts = self._receipts(tx, refund, lightning)
        rows = receipts._read_group(
            [('id', 'in', receipts.ids)], ['date:month', 'method', 'store'],
            ['amount:sum', 'crypto_amount:sum'],
        )
        sums = {method: (amount, crypto) for _month, method, _store, amount, crypto in rows}
        self.assertEqual(len(rows), 2)
        self.assertEqual(sums['Bitcoin'][0], 60)
        self.assertEqual(sums['Lightning'][0], 100)
        self.assertAlmostEqual(sums['Lightning'][1], 0.002, 8)

    def test_when_not_final_or_no_number_then_it_is_not_summed(self):
        tx = self._pay_order(self._create_order(), mine=False)
        self.assertFalse(self._receipts(tx), "It waits for its confirmation.")
        self.world.mine()
        tx._btcpay_sync()
        for text in ('NaN', '1E+400', '', '-1', "1'; DROP"):
            with self.subTest(text=text):
                tx.btcpay_payment_ids.sudo().crypto_amount = text
                receipt = self._receipts(tx)
                receipt.invalidate_recordset()
                self.assertRecordValues(receipt, [{'crypto_amount': 0, 'amount': 100}])

    def test_when_claimed_in_parts_of_crypto_then_each_has_its_part_of_what_was_paid_out(self):
        refund = self._refunded(self._paid(), 90)
        payout = refund.btcpay_payout_ids.sudo()
        payout.write({'claimed_amount': '0.001', 'claimed_currency': 'BTC'})
        payout.copy({'payout_ref': 'other', 'claimed_amount': '0.002', 'state': 'Completed'})
        payout.copy({'payout_ref': 'open', 'claimed_amount': '0.005', 'state': 'InProgress'})
        self.assertEqual(sorted(self._receipts(refund).mapped('amount')), [-60, -30])

    def test_when_the_server_has_paid_a_refund_then_its_transaction_or_hash_is_listed(self):
        for tx_hash, proof in (
            ('ab' * 32, {'transactionId': 'ab' * 32, 'proofType': 'PayoutTransactionOnChainBlob'}),
            ('cd' * 32, {'PaymentHash': 'cd' * 32, 'Id': 'cd' * 32, 'Preimage': '00' * 32,
                         'proofType': 'PayoutLightningBlob'}),
        ):
            with self.subTest(proof=proof):
                refund = self._refunded(self._paid(), 40, **proof)
                self.assertEqual(self._receipts(refund).tx_hash, tx_hash)

    def test_when_exported_then_tax_tools_have_each_amount_exactly(self):
        tx = self._create_btcpay_transaction(self._create_order(4321.09))
        self.world.pay(tx.btcpay_invoice_id, amount='0.08642180')
        self.world.mine()
        tx._btcpay_sync()
        self._post_process()
        refund = self._refunded(tx, 40)
        payment, payout = tx.btcpay_payment_ids, refund.btcpay_payout_ids
        self.assertEqual(  # By Odoo's own export.
            self._receipts(refund).export_data(['reference', 'method', 'amount'])['datas'],
            [[refund.reference, 'Bitcoin', -40]],
        )
        # Within the same second, too.
        payout.sudo().state_since = payment.received_at
        paid, refunded = self._read_csv(self._receipts(tx, refund))
        self.assertEqual(paid, {
            'Date': f'{payment.received_at} UTC', 'Sent Amount': '', 'Sent Currency': '',
            'Received Amount': '0.0864218', 'Received Currency': 'BTC',
            'Network Fee Included': '0', 'Net Worth Amount': '4321.09',
            'Net Worth Currency': 'USD', 'Label': 'payment', 'Description': tx.reference,
            'TxHash': payment.txid,
        })
        self.assertEqual(Decimal(refunded.pop('Sent Amount')), Decimal(payout.crypto_amount))
        self.assertEqual(refunded, {
            'Date': f'{payout.state_since} UTC', 'Sent Currency': 'BTC', 'Received Amount': '',
            'Received Currency': '', 'Network Fee Included': '', 'Net Worth Amount': '40.00',
            'Net Worth Currency': 'USD', 'Label': 'refund', 'Description': refund.reference,
            'TxHash': payout.proof or '',
        })

    def test_when_none_is_selected_then_all_of_the_list_are_exported_and_downloaded(self):
        tx, other = self._paid(), self._paid()
        receipts = self._receipts(tx, other, user=self.accountant)
        every = receipts.browse().with_context(active_domain=[('id', 'in', receipts.ids)])
        self.assertEqual(len(self._read_csv(every)), 2)
        self.assertEqual(len(self._read_csv(receipts[0])), 1)
        self.accountant.password = 'receipts_billing'
        action = every.action_btcpay_export()
        self.assertEqual(action['target'], 'self', "Browsers block windows that open late.")
        self.authenticate('receipts_billing', 'receipts_billing')
        response = self.url_open(action['url'])
        self.assertIn('attachment', response.headers['Content-Disposition'])
        self.assertIn(tx.reference, response.text)

    def test_when_a_name_is_a_formula_then_spreadsheets_take_it_for_a_text(self):
        tx = self._paid()
        for name in ('=cmd|calc', '+1', '-1', '@SUM(A1)', '\t=1', '\r=1'):
            with self.subTest(name=name):
                tx.reference = name
                receipt = self._receipts(tx)
                receipt.invalidate_recordset()
                self.assertEqual(self._read_csv(receipt)[0]['Description'], f"'{name}")
        self.assertEqual(self.env['btcpay.receipt.export']._defuse('a\0b'), 'ab')

    @mute_logger('odoo.models', 'odoo.addons.base.models.ir_rule')
    def test_when_not_an_accountant_of_the_company_then_receipts_are_out_of_reach(self):
        tx = self._paid()
        for user in (self.accountant, self.auditor):
            self.assertEqual(self._receipts(tx, user=user).amount, 100)
        self.assertFalse(self._receipts(tx, user=self.foreigner))
        receipt = self._receipts(tx)
        for user in (self.seller, self.internal_user, self.portal_user, self.foreigner):
            with self.subTest(user=user.login), self.assertRaises(AccessError):
                receipt.with_user(user).read(['amount'])
            with self.subTest(user=user.login), self.assertRaises(AccessError):
                receipt.with_user(user).action_btcpay_export()
        with self.assertRaises(AccessError):
            receipt.with_user(self.accountant).write({'amount': 1})

    @mute_logger('odoo.models', 'odoo.addons.base.models.ir_rule')
    def test_when_a_user_may_not_export_or_it_is_anothers_then_nothing_is_downloaded(self):
        receipt = self._receipts(self._paid())
        export_id = int(receipt.action_btcpay_export()['url'].split('/')[4])
        with self.assertRaises(AccessError):
            self.env['btcpay.receipt.export'].with_user(self.accountant).browse(
                export_id
            ).read(['content'])
        self.env.ref('base.group_allow_export').sudo().user_ids -= self.auditor
        with self.assertRaises(AccessError):
            receipt.action_btcpay_export()

    def test_when_opened_then_the_menu_has_list_pivot_and_graph_and_leads_to_the_payment(self):
        action = self.env.ref('payment_btcpay.action_btcpay_receipts')
        self.assertEqual(action.view_mode, 'list,kanban,pivot,graph')
        menus = self.env['ir.ui.menu']
        menu = self.env.ref('payment_btcpay.menu_btcpay_receipts')
        for user, is_shown in (
            (self.accountant, True), (self.auditor, True), (self.seller, False),
        ):
            with self.subTest(user=user.login):
                visible = menus.with_user(user)._visible_menu_ids()
                self.assertEqual(menu.id in visible, is_shown)
        tx = self._paid()
        refund = self._refunded(tx, 40)
        refund_form = self.env.ref('payment_btcpay.btcpay_refund_form')
        for transaction, form_id in ((tx, False), (refund, refund_form.id)):
            opened = self._receipts(transaction).action_btcpay_view_payment()
            self.assertEqual(opened['res_id'], transaction.id)
            self.assertEqual(opened['views'], [(form_id, 'form')])
