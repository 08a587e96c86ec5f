from unittest.mock import patch

from odoo.exceptions import AccessError
from odoo.fields import Command
from odoo.tests import Form, new_test_user, tagged

from odoo.addons.payment_btcpay import uninstall_hook
from odoo.addons.payment_btcpay.tests.common import BTCPayCommon
from odoo.addons.payment_btcpay.tests.refund.refund_common import RefundMixin


@tagged('post_install', '-at_install')
class TestBranches(RefundMixin, BTCPayCommon):
    """A branch takes payments with its parent company's provider."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.branch, cls.sister = cls.env['res.company'].create([
            {'name': name, 'parent_id': cls.env.company.id} for name in ("Branch", "Sister")
        ])
        cls.env.user.company_ids |= cls.branch | cls.sister

        def create(login, company, groups):
            return new_test_user(
                cls.env, f'branch_{login}', groups=groups, company_id=company.id,
                company_ids=[Command.set(company.ids)], email=f'{login}@example.com',
            )

        seller = 'sales_team.group_sale_salesman'
        leader = 'sales_team.group_sale_salesman_all_leads'
        refund = 'payment_btcpay.group_refund'
        cls.seller = create('seller', cls.branch, seller)
        cls.refunder = create('refunder', cls.branch, f'{leader},{refund}')
        cls.colleague = create('colleague', cls.branch, f'{seller},{refund}')
        cls.foreigner = create('foreigner', cls.sister, f'{leader},{refund}')

    def setUp(self):
        super().setUp()
        self.order = self.env['sale.order'].with_context(
            allowed_company_ids=[self.branch.id, self.env.company.id]
        ).create({
            'partner_id': self.partner.id, 'company_id': self.branch.id,
            'user_id': self.seller.id, 'currency_id': self.currency.id, 'pricelist_id': False,
            'order_line': [Command.create({
                'product_id': self.product.id, 'price_unit': 100, 'tax_ids': [Command.clear()],
            })],
        }).with_env(self.env)
        self.tx = self._pay_order(self.order)
        self._post_process()
        self.env.cr.commit()
        self.assertEqual((self.order.state, self.tx.state), ('sale', 'done'))
        self.assertEqual((self.tx.company_id, self.order.company_id),
                         (self.env.company, self.branch))

    def _as(self, user, record):
        return record.with_user(user).with_context(allowed_company_ids=user.company_ids.ids)

    def test_when_the_order_is_of_the_branch_then_its_salesperson_sees_the_payment(self):
        for user in (self.seller, self.refunder):
            with self.subTest(user=user.login):
                order = self._as(user, self.order)
                self.assertRecordValues(order, [{
                    'btcpay_received_amount': 100, 'btcpay_status_text': "Paid",
                    'btcpay_can_refund': True,
                }])
                action = order.action_btcpay_view_transactions()
                self.assertEqual(action['res_id'], self.tx.id)
                form = Form(self._as(user, self.tx), view=action['views'][0][0])
                self.assertEqual(form.btcpay_paid_amount, 100)
                self.assertEqual(len(form.btcpay_payment_ids), 1)
                self.assertEqual(order.action_btcpay_sync()['params']['type'], 'success')

    def test_when_the_salesperson_of_the_branch_may_refund_then_the_refund_is_made_and_seen(self):
        wizard = self._open_wizard(self._as(self.refunder, self.order), self.refunder)
        refund = self._as(self.refunder, self._refund_by(wizard))
        self._claim(refund.sudo(), '100.00')
        refund.action_btcpay_sync()
        self._post_process()
        self.assertEqual((refund.state, refund.amount), ('done', -100))
        for user in (self.refunder, self.seller):
            self.assertEqual(self._as(user, refund).btcpay_payout_ids.mapped('state'), [
                'Completed'
            ])
        form = Form(self._as(self.refunder, refund), view='payment_btcpay.btcpay_refund_form')
        self.assertEqual(len(form.btcpay_payout_ids), 1)

    def test_when_the_order_is_of_the_branch_then_a_sister_and_a_colleague_see_nothing(self):
        refund = self.tx._btcpay_request_refund(50)
        self._claim(refund, '10.00')
        self._look(refund)
        self.env.cr.commit()
        for user in (self.foreigner, self.colleague):
            for records in (
                self.order, self.tx, refund, self.tx.btcpay_payment_ids, refund.btcpay_payout_ids,
            ):
                self.assertTrue(records)
                with self.subTest(user=user.login, model=records._name):
                    mine = self._as(user, records)
                    self.assertFalse(mine.search([('id', 'in', records.ids)]))
                    with self.assertRaises(AccessError):
                        mine.read(['display_name'])
            for record in (self.order, self.tx):
                with self.assertRaises(AccessError):
                    self._as(user, record).action_btcpay_refund()

    def test_when_a_payment_is_by_another_provider_then_the_branch_does_not_see_it(self):
        other = self._create_other_transaction(self.order)
        self.env.cr.commit()
        self.assertFalse(self._as(self.refunder, other).search([('id', '=', other.id)]))

    def test_when_the_module_is_uninstalled_then_the_rule_is_as_odoo_has_it(self):
        with patch('odoo.addons.payment_btcpay.reset_payment_provider'):
            uninstall_hook(self.env)
        self.assertEqual(
            self.env.ref('payment.transaction_company_rule').domain_force,
            "[('company_id', 'in', company_ids)]",
        )

    def test_when_the_order_is_of_the_branch_then_its_accountant_sees_the_receipts(self):
        refund = self._refund_by(self._open_wizard(self.tx, scope='amount', amount=40))
        self._claim(refund)
        refund._btcpay_sync()
        for company, amounts in ((self.branch, [100, -40]), (self.sister, [])):
            accountant = new_test_user(
                self.env, f'accountant of {company.name}', 'account.group_account_invoice',
                company_id=company.id, company_ids=[Command.set(company.ids)],
            )
            with self.subTest(company=company.name):
                receipts = self._as(accountant, self.env['btcpay.receipt']).search([
                    ('transaction_id', 'in', (self.tx | refund).ids),
                ])
                self.assertEqual(sorted(receipts.mapped('amount'), reverse=True), amounts)
