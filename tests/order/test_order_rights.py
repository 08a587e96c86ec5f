from odoo.exceptions import AccessError
from odoo.fields import Command
from odoo.tests import Form, new_test_user, tagged

from odoo.addons.payment_btcpay.tests.common import BTCPayCommon
from odoo.addons.payment_btcpay.tests.money_common import MoneyMixin


@tagged('post_install', '-at_install')
class TestOrderRights(MoneyMixin, BTCPayCommon):
    """Who sees what of the payments, and that nobody changes anything of them by hand."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()

        def create(login, groups):
            return new_test_user(cls.env, f'rights_{login}', groups=groups)

        cls.seller = create('seller', 'sales_team.group_sale_salesman')
        cls.colleague = create('colleague', 'sales_team.group_sale_salesman')
        cls.leader = create('leader', 'sales_team.group_sale_salesman_all_leads')
        cls.manager = create('manager', 'sales_team.group_sale_manager')
        cls.accountant = create('accountant', 'account.group_account_invoice')
        cls.selling_accountant = create(
            'selling_accountant', 'account.group_account_invoice,sales_team.group_sale_salesman'
        )
        cls.administrator = create('administrator', 'base.group_system')
        cls.employee = create('employee', 'base.group_user')
        cls.portal = create('portal', 'base.group_portal')
        cls.public = create('public', 'base.group_public')
        cls.nobody = cls.employee | cls.portal | cls.public

    def setUp(self):
        super().setUp()
        self.order = self._create_order(user_id=self.seller.id)
        self.tx = self._pay_order(self.order)
        self._post_process()
        self.refund = self.tx._btcpay_request_refund(50)
        self.world.claim(self.refund.btcpay_pull_payment_id, '10.00')
        self.refund._btcpay_sync()
        self.delivery = self.env['btcpay.delivery'].sudo().create({
            'provider_id': self.btcpay.id, 'delivery_ref': 'rights', 'transaction_id': self.tx.id,
        })
        self.records = self.tx | self.refund
        self.env.cr.commit()

    def _assert_reads(self, records, *users):
        for user in users:
            with self.subTest(user=user.login, model=records._name):
                found = self.env[records._name].with_user(user).search(
                    [('id', 'in', records.ids)]
                )
                self.assertEqual(found, records)
                self.assertTrue(all(values for values in found.read(['display_name'])))

    def _assert_reads_not(self, records, *users):
        for user in users:
            for record in records:
                with self.subTest(user=user.login, record=record), self.assertRaises(AccessError):
                    record.with_user(user).read(['display_name'])

    # === WHO READS WHAT === #

    def test_when_an_order_has_a_salesperson_then_colleagues_cannot_read_its_payments(self):
        readers = (
            self.seller, self.leader, self.manager, self.accountant, self.selling_accountant,
            self.administrator,
        )
        for records in (self.records, self.tx.btcpay_payment_ids, self.refund.btcpay_payout_ids):
            self.assertTrue(records)
            self._assert_reads(records, *readers)
            self._assert_reads_not(records, self.colleague, *self.nobody)

    def test_when_an_order_has_no_salesperson_then_every_salesperson_reads_its_payments(self):
        """As the orders themselves."""
        self.order.user_id = False
        for records in (self.records, self.tx.btcpay_payment_ids, self.refund.btcpay_payout_ids):
            self._assert_reads(records, self.seller, self.colleague)
            self._assert_reads_not(records, *self.nobody)

    def test_when_an_overpayment_is_refunded_then_the_orders_readers_see_that_refund(self):
        """They are made of a receipt that has no order of its own."""
        order = self._create_order(user_id=self.seller.id)
        tx = self._pay_order(order, fraction='1.3')
        self._post_process()
        refund = tx._btcpay_request_refund(30)
        self.assertEqual(refund.source_transaction_id.source_transaction_id, tx)
        self.world.claim(refund.btcpay_pull_payment_id, '10.00')
        refund._btcpay_sync()
        for records in (refund, refund.btcpay_payout_ids):
            self.assertTrue(records)
            self._assert_reads(records, self.seller, self.leader, self.accountant)
            self._assert_reads_not(records, self.colleague, *self.nobody)

    def test_when_an_administrator_also_sells_then_all_payments_stay_readable(self):
        user = new_test_user(
            self.env, 'rights_selling_administrator',
            groups='base.group_system,sales_team.group_sale_salesman',
        )
        other = self._create_other_transaction(self.order)
        for records in (
            self.records | other, self.tx.btcpay_payment_ids, self.refund.btcpay_payout_ids
        ):
            self._assert_reads(records, user)

    def test_when_a_payment_has_no_order_then_only_accounting_and_administrators_read_it(self):
        """Invoices belong to accounting."""
        move = self._create_invoice()
        tx = self._create_btcpay_transaction(
            reference='INV-rights', invoice_ids=[Command.set(move.ids)]
        )
        self._assert_reads_not(tx, self.seller, self.leader, self.manager, *self.nobody)
        self._assert_reads(tx, self.accountant, self.selling_accountant, self.administrator)

    def test_when_a_payment_is_by_another_provider_then_salespeople_cannot_read_it(self):
        other = self._create_other_transaction(self.order)
        self._assert_reads_not(other, self.seller, self.leader, self.manager, *self.nobody)
        self._assert_reads(other, self.accountant, self.selling_accountant, self.administrator)

    def test_when_a_payment_is_of_another_company_then_it_is_not_found(self):
        company = self.env['res.company'].create({'name': "Another company"})
        for user in (self.leader, self.accountant, self.administrator):
            user.company_ids |= company
            user = user.with_context(allowed_company_ids=company.ids)
            env = self.env(user=user.id, context={'allowed_company_ids': company.ids})
            for records in (
                self.records, self.tx.btcpay_payment_ids, self.refund.btcpay_payout_ids
            ):
                self.assertFalse(env[records._name].search([('id', 'in', records.ids)]))
        self.assertFalse(env['btcpay.delivery'].search([('id', '=', self.delivery.id)]))

    def test_when_a_user_is_no_administrator_then_deliveries_and_secrets_are_unreadable(self):
        self._assert_reads(self.delivery, self.administrator)
        everybody_else = (
            self.seller, self.leader, self.manager, self.accountant, self.selling_accountant,
            *self.nobody,
        )
        self._assert_reads_not(self.delivery, *everybody_else)
        for user in everybody_else:
            for field in ('btcpay_api_key', 'btcpay_webhook_secret'):
                with self.subTest(user=user.login), self.assertRaises(AccessError):
                    self.btcpay.with_user(user).read([field])
            if user.has_group('base.group_user') and not user.has_group(
                'account.group_account_invoice'
            ):
                with self.subTest(user=user.login), self.assertRaises(AccessError):
                    self.tx.with_user(user).read(['btcpay_server_link'])
        for field in ('btcpay_delivery_ids', 'btcpay_store_id', 'btcpay_refund_server_url'):
            with self.subTest(field=field), self.assertRaises(AccessError):
                self.tx.with_user(self.seller).read([field])

    def test_when_customers_read_their_documents_then_what_the_shop_is_to_decide_is_not_told(self):
        """It says what Odoo does not see, and has links into the shop's BTCPay Server."""
        told = {
            'btcpay_requested_at', 'btcpay_requested_amount', 'btcpay_requested_until',
            'btcpay_has_transactions', 'btcpay_status_text', 'btcpay_received_amount',
            'btcpay_is_paid_not_confirmed', 'btcpay_can_refund', 'btcpay_can_request',
            'btcpay_refund_count', 'btcpay_returned_amount',
        }
        self.order.partner_id = self.portal.partner_id
        move = self._create_invoice(partner_id=self.portal.partner_id.id)
        self.world.claim(self.refund.btcpay_pull_payment_id, '5.00')
        self.refund._btcpay_sync()
        self.assertIn("/payouts", self.order.with_user(self.seller).btcpay_decision_text)
        for document in (self.order, move):
            theirs = document.with_user(self.portal)
            names = {name for name in document._fields if name.startswith('btcpay_')}
            self.assertTrue(theirs.read(list(names & told)))
            for name in names - told - {'btcpay_refund_ids'}:  # Odoo checks what it leads to.
                with self.subTest(model=document._name, field=name):
                    with self.assertRaises(AccessError):
                        theirs.read([name])
                    if document._fields[name].store:
                        with self.assertRaises(AccessError):
                            theirs.search([(name, '!=', False)])

    def test_when_salespeople_write_to_payment_records_then_it_is_refused(self):
        for records, values in (
            (self.tx, {'amount': 1}), (self.refund, {'state': 'done'}),
            (self.tx.btcpay_payment_ids, {'amount': 1}),
            (self.refund.btcpay_payout_ids, {'state': 'Completed'}),
            (self.delivery, {'state': 'done'}),
        ):
            for user in (self.seller, self.leader, self.manager):
                with self.subTest(user=user.login, model=records._name):
                    for operation in ('write', 'create', 'unlink'):
                        self.assertFalse(records.with_user(user).has_access(operation))
                    with self.assertRaises(AccessError):
                        records.with_user(user).write(values)

    # === THE SCREENS, FOR A SALESPERSON === #

    def test_when_a_user_may_not_refund_then_the_order_form_shows_no_refund_buttons(self):
        order = self.order.with_user(self.seller)
        form = Form(order)
        self.assertEqual(form.btcpay_received_amount, 100)
        self.assertEqual(form.btcpay_status_text, "Paid, refund underway")
        self.assertFalse(form.btcpay_can_request)
        arch = form._view['tree']
        buttons = {node.get('name') for node in arch.iter('button')}
        self.assertLessEqual({
            'action_btcpay_request', 'action_btcpay_accept_late',
            'action_btcpay_accept_partial', 'action_btcpay_view_transactions',
        }, buttons)
        self.assertFalse({'action_btcpay_refund', 'action_btcpay_refund_decided'} & buttons)
        form.client_order_ref = "Changed"
        form.save()
        for user in (self.selling_accountant, self.manager):
            if user == self.manager:
                user.group_ids += self.env.ref('payment_btcpay.group_refund')
            self.order.user_id = user
            tree = Form(self.order.with_user(user))._view['tree']
            self.assertLessEqual(
                {'action_btcpay_refund', 'action_btcpay_refund_decided'},
                {node.get('name') for node in tree.iter('button')},
            )

    def test_when_a_colleague_searches_then_foreign_orders_are_not_found_by_payments(self):
        """Nobody finds orders by their transactions that they may not see."""
        orders = self.env['sale.order'].with_user(self.colleague)
        self.assertFalse(orders.search([('id', '=', self.order.id)]))
        self.assertFalse(orders.search([('btcpay_is_paid_not_confirmed', '=', True)]))

    def test_when_an_order_has_one_payment_then_the_smart_button_opens_it(self):
        action = self.order.with_user(self.seller).action_btcpay_view_transactions()
        self.assertEqual(action['res_id'], self.tx.id)
        [(view_id, view_type)] = action['views']
        self.assertEqual(view_type, 'form')
        for user in (self.seller, self.leader, self.accountant, self.administrator):
            form = Form(self.tx.with_user(user), view=view_id)
            self.assertEqual(form.btcpay_refunded_amount, 0)
            self.assertEqual(len(form.btcpay_payment_ids), 1)
            self.assertEqual(len(form.btcpay_refund_ids), 1)
            is_administrator = user == self.administrator
            fields = form._view['fields']
            self.assertEqual('btcpay_delivery_ids' in fields, is_administrator)
            self.assertEqual(
                'btcpay_server_link' in fields, user in (self.accountant, self.administrator)
            )

    def test_when_an_order_has_several_payments_then_the_smart_button_lists_them(self):
        newer = self._create_btcpay_transaction(self.order)
        order = self.order.with_user(self.seller)
        action = order.action_btcpay_view_transactions()
        self.assertFalse(action.get('res_id'))
        self.assertEqual([view[1] for view in action['views']], ['list', 'form'])
        transactions = self.env['payment.transaction'].with_user(self.seller)
        found = transactions.search(action['domain'])
        self.assertEqual(found, newer | self.tx)
        columns = transactions.get_view(action['views'][0][0], 'list')['models']
        values = found.web_read({
            field: {} for field in columns['payment.transaction'] if field != 'id'
        })
        self.assertEqual(len(values), 2)

    def test_when_the_order_is_a_colleagues_then_the_smart_button_is_refused(self):
        with self.assertRaises(AccessError):
            self.order.with_user(self.colleague).action_btcpay_view_transactions()

    def test_when_a_salesperson_opens_a_refund_then_its_payouts_are_shown(self):
        view = 'payment_btcpay.btcpay_refund_form'
        self.assertEqual(len(Form(self.refund.with_user(self.seller), view=view)
                             .btcpay_payout_ids), 1)

    def test_when_a_salesperson_syncs_a_payment_then_it_succeeds(self):
        action = self.tx.with_user(self.seller).action_btcpay_sync()
        self.assertEqual(action['params']['type'], 'success')
