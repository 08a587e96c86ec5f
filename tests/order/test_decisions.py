from lxml import etree

from odoo.exceptions import AccessError, UserError
from odoo.fields import Command
from odoo.tests import Form, new_test_user, tagged
from odoo.tools.safe_eval import safe_eval

from odoo.addons.payment_btcpay.tests.common import BTCPayCommon
from odoo.addons.payment_btcpay.tests.refund.refund_common import RefundMixin


@tagged('post_install', '-at_install')
class TestDecisions(RefundMixin, BTCPayCommon):
    """What a person has to decide is found in one place: stored, listed, counted, and decided from
    the banner."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls._create_people()
        cls.seller.group_ids += cls.env.ref('payment_btcpay.group_refund')

    def setUp(self):
        super().setUp()
        self._begin()

    def _begin(self):
        self.order = self._create_order(
            require_payment=True, prepayment_percent=1.0, user_id=self.seller.id
        )
        self.tx = self._create_btcpay_transaction(self.order)

    def _found(self, model='sale.order', user=None):
        self.env.flush_all()
        return self.env[model].with_user(user or self.env.user).search(
            [('btcpay_decision', '!=', False)]
        )

    def _buttons(self, document, user):
        """Return the buttons that the banner shows, in their order."""
        self.env.invalidate_all()
        form = Form(document.with_user(user))
        [banner] = form._view['tree'].xpath('//div[@name="btcpay_decision"]')
        return [
            button.get('string') for button in banner.iter('button')
            if not safe_eval(button.get('invisible'), {
                name: form[name] for name in (
                    'btcpay_decision', 'btcpay_can_accept_late', 'btcpay_can_accept_partial',
                    'btcpay_can_refund_decided', 'btcpay_can_request',
                )
            })
        ]

    # === EACH KIND === #

    def _make_late(self):
        self._receive('1', late=True)

    def _make_partial(self):
        self._receive('0.4')

    def _make_overpaid(self):
        self._receive('1.3')
        self._post_process()

    def _make_double(self):
        again = self._create_btcpay_transaction(self.order)
        for tx in (self.tx, again):
            self.world.pay(tx.btcpay_invoice_id)
            self.world.mine()
            self._look(tx)
        self._post_process()

    def _make_changed(self):
        self.order.order_line.price_unit = 150
        self.env.cr.commit()
        self._receive('1')
        self._post_process()

    def _make_canceled(self):
        self.order._action_cancel()
        self.env.cr.commit()
        self._receive('1')
        self._post_process()

    def _make_claimed(self):
        self._receive('1')
        self._post_process()
        refund = self.tx._btcpay_request_refund(40)
        self._claim(refund, pay=False)
        refund._btcpay_sync()

    def _make_unconfirmed(self):
        self.world.pay(self.tx.btcpay_invoice_id)
        self.world.mine()
        self._look(self.tx)
        for _time in range(2):
            self.tx._btcpay_note_failed_confirmation("No stock.")

    def _make_other(self):
        self.tx._btcpay_flag_for_review("Look at it.")

    def test_when_something_is_to_be_decided_then_it_is_found_and_has_its_one_or_two_buttons(self):
        for decision, buttons in (
            ('late', ["Accept Late Payment", "Refund"]),
            ('partial', ["Accept Partial Payment", "Refund"]),
            ('overpaid', ["Refund", "Leave as It Is"]),
            ('double', ["Refund", "Leave as It Is"]),
            ('changed', ["Request the Difference", "Leave as It Is"]),
            ('canceled', ["Refund", "Leave as It Is"]),
            ('claimed', ["View Payment"]),
            ('unconfirmed', ["View Payment"]),
            ('other', ["View Payment", "Leave as It Is"]),
        ):
            with self.subTest(decision=decision):
                self._begin()
                self.assertFalse(self.order.btcpay_decision)
                self.assertNotIn(self.order, self._found())
                getattr(self, f'_make_{decision}')()
                self.assertEqual(self.order.btcpay_decision, decision)
                self.assertIn(self.order, self._found(user=self.seller))
                self.assertEqual(self._buttons(self.order, self.seller), buttons)
                self.assertTrue(self.order.with_user(self.seller).btcpay_decision_text)

    def test_when_it_is_decided_then_it_is_found_no_more(self):
        for decision, decide in (
            ('late', self._accept_late), ('partial', self._accept_partial),
            ('partial', self._close), ('partial', self._delete), ('late', self._refund_all),
            ('overpaid', self._leave), ('overpaid', self._refund_surplus),
            ('other', self._leave), ('claimed', self._pay_claim),
        ):
            with self.subTest(decision=decision, decide=decide.__name__):
                self._begin()
                getattr(self, f'_make_{decision}')()
                self.assertEqual(self.order.btcpay_decision, decision)
                decide()
                self.assertFalse(self.order.btcpay_decision)
                self.assertFalse(self.order.btcpay_decision_text)
                self.assertFalse((self.tx | self.tx.btcpay_refund_ids).filtered('btcpay_decision'))
                self.assertFalse(self.order.activity_ids)

    def _accept_late(self):
        self.order.with_user(self.seller).action_btcpay_accept_late()

    def _accept_partial(self):
        self.order.with_user(self.seller).action_btcpay_accept_partial()

    def _close(self):
        self.order.activity_ids.with_user(self.seller).action_feedback()

    def _delete(self):
        self.order.activity_ids.with_user(self.seller).unlink()

    def _leave(self):
        self.order.with_user(self.seller).action_btcpay_resolve()

    def _refund_all(self):
        self.tx._btcpay_request_refund(100)

    def _refund_surplus(self):
        action = self.order.with_user(self.seller).action_btcpay_refund_decided()
        wizard = self.env[action['res_model']].with_user(self.seller).browse(action['res_id'])
        self.assertEqual((wizard.scope, wizard.amount), ('overpayment', 30))
        wizard.action_refund()

    def _pay_claim(self):
        refund = self.tx.btcpay_refund_ids
        payout = refund.btcpay_payout_ids.payout_ref
        self.world.approve(payout)
        self.world.pay_payout(payout)
        refund._btcpay_sync()

    def test_when_a_person_left_it_and_more_comes_then_it_is_to_be_decided_again(self):
        self._make_partial()
        self._close()
        self._look(self.tx)
        self.assertFalse(self.order.btcpay_decision)
        self.world.pay(self.tx.btcpay_invoice_id, fraction='0.3')
        self.world.mine()
        self._look(self.tx)
        self.assertEqual(self.order.btcpay_decision, 'partial')
        self.assertIn(
            "$ 65.00 of $ 100.00", self.order.btcpay_decision_text.replace("\xa0", " ")
        )

    def test_when_two_things_are_to_be_decided_then_the_foremost_is_said_and_both_are_told(self):
        self._make_late()
        self.tx._btcpay_flag_for_review("Look at it.")
        self.assertEqual(self.order.btcpay_decision, 'late')
        self.assertIn("Look at it.", self.order.btcpay_decision_text)
        self.assertIn("Accept the late payment or refund it", self.order.btcpay_decision_text)
        self._accept_late()
        self.assertEqual(self.order.btcpay_decision, 'other')

    # === INVOICES === #

    def test_when_an_invoice_is_paid_late_then_it_is_decided_from_its_banner(self):
        invoice = self._create_invoice()
        self.tx = self._create_btcpay_transaction(
            invoice_ids=[Command.set(invoice.ids)], partner_id=self.partner.id,
            reference=invoice.name,
        )
        self._receive('1', late=True)
        self.assertEqual(invoice.btcpay_decision, 'late')
        self.assertIn(invoice, self._found('account.move', self.accountant))
        self.assertEqual(
            self._buttons(invoice, self.accountant), ["Accept Late Payment", "Refund"]
        )
        invoice.with_user(self.accountant).action_btcpay_accept_late()
        self._post_process()
        self.assertFalse(invoice.btcpay_decision)
        self.assertEqual(invoice.amount_residual, 0)

    def test_when_an_order_to_decide_is_invoiced_then_its_invoice_says_it_too(self):
        self._make_overpaid()
        self.assertEqual(self.order._create_invoices().btcpay_decision, 'overpaid')
        self._leave()
        self.assertFalse(self.order.invoice_ids.btcpay_decision)

    # === LISTS === #

    def test_when_lists_are_grouped_then_each_decision_is_a_group(self):
        self._make_overpaid()
        self._begin()
        self._make_late()
        for model, known in (
            ('sale.order', {'late', 'overpaid'}), ('payment.transaction', {'late', 'overpaid'}),
            ('account.payment', {'overpaid'}), ('account.move', set()),
        ):
            with self.subTest(model=model):
                groups = self.env[model].formatted_read_group(
                    [('btcpay_decision', '!=', False)], ['btcpay_decision'], ['__count']
                )
                self.assertEqual({group['btcpay_decision'] for group in groups}, known)
                self.assertEqual({group['__count'] for group in groups}, {1} if known else set())

    def test_when_a_search_is_opened_then_filter_and_group_are_there(self):
        for view in (
            'sale.view_sales_order_filter', 'sale.sale_order_view_search_inherit_quotation',
            'account.view_account_invoice_filter', 'account.view_account_payment_search',
            'payment.payment_transaction_search',
        ):
            view = self.env.ref(view)
            with self.subTest(view=view.name):
                arch = etree.fromstring(self.env[view.model].get_view(view.id, 'search')['arch'])
                for name in ('btcpay_decision', 'group_btcpay_decision'):
                    self.assertEqual(len(arch.xpath(f'//filter[@name="{name}"]')), 1)

    def test_when_the_list_of_its_own_is_opened_then_each_sees_what_they_may(self):
        self._make_late()
        domain = self.env.ref('payment_btcpay.action_btcpay_decisions').domain
        self.assertEqual(domain, "[('btcpay_decision', '!=', False)]")
        stranger = new_test_user(self.env, 'decide_other', 'sales_team.group_sale_salesman')
        employee = new_test_user(self.env, 'decide_emp', 'base.group_user')
        for user, count in (
            (self.seller, 1), (self.accountant, 1), (stranger, 0), (employee, None),
        ):
            with self.subTest(user=user.login):
                info = self.env['ir.http'].with_user(user).lazy_session_info()
                self.assertEqual(info.get('btcpay_decisions'), count)
        self._accept_late()
        info = self.env['ir.http'].with_user(self.seller).lazy_session_info()
        self.assertEqual(info['btcpay_decisions'], 0)

    def test_when_nobody_is_asked_any_more_then_it_can_be_accepted_from_the_gear_menu(self):
        self._make_late()
        self._close()
        self.assertFalse(self.order.with_user(self.seller).btcpay_can_accept_late)
        action = self.env.ref('payment_btcpay.action_btcpay_order_accept').with_user(self.seller)
        action = action.with_context(active_model='sale.order', active_id=self.order.id)
        action.run()
        self._post_process()
        self.assertEqual((self.tx.state, self.order.state), ('done', 'sale'))
        with self.assertRaisesRegex(UserError, "No late or partial Bitcoin payment"):
            action.run()

    def test_when_a_payment_is_decided_from_its_list_then_its_document_opens(self):
        self._make_late()
        action = self.tx.with_user(self.seller).action_btcpay_view_document()
        self.assertEqual((action['res_model'], action['res_id']), ('sale.order', self.order.id))

    # === RIGHTS === #

    def test_when_the_order_is_a_colleagues_then_nothing_of_it_can_be_decided(self):
        self._make_late()
        stranger = new_test_user(self.env, 'decide_other', 'sales_team.group_sale_salesman')
        for action in (
            'accept', 'accept_late', 'accept_partial', 'refund_decided', 'view_undecided',
            'resolve',
        ):
            with self.subTest(action=action), self.assertRaises(AccessError):
                getattr(self.order.with_user(stranger), f'action_btcpay_{action}')()
        with self.assertRaises(AccessError):
            self.tx.with_user(stranger).action_btcpay_view_document()
        for user in (stranger, self.seller):
            with self.assertRaises(AccessError):
                self.tx.with_user(user).action_btcpay_resolve()
        with self.assertRaises(AccessError):
            self.order.activity_ids.with_user(self.seller).btcpay_transaction_id = False

    # === THE HEADER === #

    def test_when_an_order_or_invoice_is_opened_then_its_header_has_refund_and_request_only(self):
        user = new_test_user(self.env, 'decide_all', (
            'account.group_account_manager,sales_team.group_sale_manager,base.group_system,'
            'payment_btcpay.group_refund'
        ))
        for model, view in (
            ('sale.order', 'sale.view_order_form'), ('account.move', 'account.view_move_form'),
        ):
            with self.subTest(model=model):
                records = self.env[model].with_user(user)
                arch = etree.fromstring(records.get_view(self.env.ref(view).id, 'form')['arch'])
                names = [
                    button.get('name') for button in arch.xpath('//header//button')
                    if 'btcpay' in (button.get('name') or '')
                ]
                self.assertEqual(sorted(names), ['action_btcpay_refund', 'action_btcpay_request'])
                bound = self.env['ir.actions.actions'].with_user(user)._get_bindings(model)
                self.assertIn("Sync with BTCPay", [
                    action['name'] for action in bound['action']
                ])

    def test_when_sync_is_chosen_for_an_order_without_bitcoin_then_it_says_so(self):
        order = self._create_order(user_id=self.seller.id)
        action = self.env.ref('payment_btcpay.action_btcpay_order_sync').with_user(self.seller)
        result = action.with_context(
            active_model='sale.order', active_id=order.id, active_ids=order.ids
        ).run()
        self.assertIn("has no Bitcoin payments", result['params']['message'])
        result = action.with_context(
            active_model='sale.order', active_id=self.order.id, active_ids=self.order.ids
        ).run()
        self.assertEqual(result['params']['type'], 'success')
