from odoo.exceptions import AccessError
from odoo.tests import new_test_user, tagged
from odoo.tools import mute_logger

from odoo.addons.payment_btcpay.tests.common import BTCPayCommon
from odoo.addons.payment_btcpay.tests.refund.refund_common import RefundMixin


@tagged('post_install', '-at_install')
class TestRefundRights(RefundMixin, BTCPayCommon):
    """Who may refund: whom Odoo lets, and the group for it."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls._create_people()

    def _order_of(self, user):
        order = self._create_order(user_id=user.id)
        self._paid(order)
        self.env.cr.commit()
        return order

    def test_when_the_user_is_an_accountant_then_any_payment_can_be_refunded(self):
        wizard = self._open_wizard(self._order_of(self.seller).transaction_ids, self.accountant)
        refund = self._refund_by(wizard)
        self.assertEqual(refund.state, 'pending')
        self.assertTrue(refund.with_user(self.accountant).btcpay_refund_link)

    def test_when_the_user_has_the_refund_group_then_their_own_orders_can_be_refunded(self):
        order = self._order_of(self.refunder)
        wizard = self._open_wizard(order, self.refunder)
        refund = self._refund_by(wizard)
        self._claim(refund, '10.00')
        refund = refund.with_user(self.refunder)
        refund.action_btcpay_sync()
        refund.action_btcpay_send_refund_link()
        self.assertEqual(refund.read(['btcpay_status_text', 'amount'])[0]['amount'], -100)
        self.assertEqual(refund.btcpay_payout_ids.mapped('state'), ['Completed'])

    def test_when_the_order_is_of_a_colleague_then_the_refund_group_may_not_refund_it(self):
        order = self._order_of(self.seller)
        with self.assertRaises(AccessError):
            order.with_user(self.refunder).action_btcpay_refund()
        with self.assertRaises(AccessError):
            order.transaction_ids.with_user(self.refunder).action_btcpay_refund()
        self.assertFalse(self._pull_payments())

    def test_when_the_refund_group_is_all_that_a_user_has_then_no_claim_is_shown(self):
        """They see no order, so they refund nothing; who claimed, and where to, is not theirs."""
        self._claim(self._order_of(self.seller).transaction_ids._btcpay_request_refund(
            50, mail_customer=False), '20.00')
        user = new_test_user(
            self.env, 'refund_only', 'base.group_user,payment_btcpay.group_refund'
        )
        with self.assertRaises(AccessError):
            self.env['btcpay.payout'].with_user(user).search([])

    def test_when_a_salesperson_composes_the_mail_of_a_refund_then_its_link_is_not_in_it(self):
        """Odoo renders a template with all rights for whoever sees the record, and has them read
        the mail that they sent."""
        order = self._order_of(self.seller)
        refund = order.transaction_ids._btcpay_request_refund(50, mail_customer=False)
        template = self.env.ref('payment_btcpay.mail_template_refund')
        composer = self.env['mail.compose.message'].with_user(self.seller).create({
            'model': 'payment.transaction', 'res_ids': str(refund.ids),
            'template_id': template.id, 'composition_mode': 'mass_mail', 'auto_delete': False,
        })
        self.env.flush_all()
        self.env.invalidate_all()
        composer.action_send_mail()
        self.env.invalidate_all()
        sent = self.env['mail.message'].with_user(self.seller).search([
            ('model', '=', 'payment.transaction'), ('res_id', '=', refund.id),
        ])
        self.assertIn("We refund you", sent.body)
        self.assertNotIn(refund.btcpay_pull_payment_id, sent.body)

    def test_when_a_salesperson_lacks_the_refund_group_then_refunds_can_only_be_seen(self):
        order = self._order_of(self.seller)
        tx = order.transaction_ids.with_user(self.seller)
        for action in (
            order.with_user(self.seller).action_btcpay_refund,
            tx.action_btcpay_refund,
            tx.action_refund,
        ):
            with self.assertRaises(AccessError):
                action()
        with self.assertRaises(AccessError):
            self.env['btcpay.refund.wizard'].with_user(self.seller).create({
                'transaction_id': tx.id,
            })
        self.assertFalse(self._pull_payments())
        # They see the refunds of others, and may do nothing with those.
        refund = order.transaction_ids._btcpay_request_refund(50).with_user(self.seller)
        self.assertTrue(refund.read(['btcpay_status_text', 'amount']))
        for action in (
            refund.action_btcpay_send_refund_link, refund.action_btcpay_cancel_refund
        ):
            with self.assertRaises(AccessError):
                action()

    def test_when_the_user_is_anybody_else_then_refunds_are_denied(self):
        order = self._order_of(self.seller)
        for user in (self.portal_user, self.internal_user):
            for record in (order, order.transaction_ids):
                with self.assertRaises(AccessError):
                    record.with_user(user).action_btcpay_refund()

    def test_when_the_wizard_is_of_the_order_of_a_colleague_then_it_is_denied(self):
        """Who has the right for their own orders cannot use it for those of others by hand."""
        order = self._order_of(self.seller)
        wizard = self._open_wizard(order)
        with self.assertRaises(AccessError):
            wizard.with_user(self.refunder).action_refund()
        self.assertFalse(self._pull_payments())

    def test_when_a_wizard_is_made_by_hand_for_the_order_of_a_colleague_then_it_is_denied(self):
        """It tells what was received of whom."""
        order = self._order_of(self.seller)
        wizards = self.env['btcpay.refund.wizard'].with_user(self.refunder)
        for values in ({}, {'scope': 'amount', 'amount': 1}):
            with self.assertRaises(AccessError):
                wizards.create({
                    'transaction_id': order.transaction_ids.id, **values,
                }).read(['received_amount', 'customer_email'])
        with self.assertRaises(AccessError):
            wizards.onchange(
                {'transaction_id': order.transaction_ids.id}, [],
                {'transaction_id': {}, 'received_amount': {}, 'customer_email': {}},
            )
        self.assertFalse(self._pull_payments())

    def test_when_a_user_may_not_refund_then_the_claim_link_cannot_be_read(self):
        """Whoever has it can claim the money."""
        order = self._order_of(self.seller)
        refund = order.transaction_ids._btcpay_request_refund(50, mail_customer=False)
        self.env.cr.commit()
        with self.assertRaises(AccessError):
            refund.with_user(self.seller).read(['btcpay_refund_link'])
        order.user_id = self.refunder
        for user in (self.refunder, self.accountant):
            self.assertTrue(refund.with_user(user).btcpay_refund_link)
        for user, is_shown in ((self.refunder, True), (self.seller, False)):
            for view in ('payment_btcpay.btcpay_refund_form', 'payment.payment_transaction_form'):
                arch = self.env['payment.transaction'].with_user(user).get_view(
                    self.env.ref(view).id
                )['arch']
                self.assertEqual('btcpay_refund_link' in arch, is_shown)

    @mute_logger('odoo.addons.base.models.ir_rule')
    def test_when_a_credit_note_cannot_be_read_then_nothing_is_told_of_it(self):
        invoice, _tx = self._invoiced()
        credit_note = self._credit(invoice)
        other_company = self.env['res.company'].sudo().create({'name': "Another"})
        stranger = new_test_user(
            self.env, 'refund_stranger', 'account.group_account_invoice',
            company_id=other_company.id, company_ids=other_company.ids,
        )
        for user in (stranger, self.internal_user, self.portal_user):
            for name in ('action_btcpay_refund', 'action_btcpay_view_refunds'):
                for move in (credit_note, invoice):
                    with self.subTest(user=user.login, name=name), self.assertRaises(AccessError):
                        getattr(move.with_user(user), name)()
        self.assertTrue(credit_note.with_user(self.accountant).action_btcpay_refund())

    def test_when_a_user_may_not_refund_then_the_refund_buttons_are_not_shown(self):
        for user, is_shown in (
            (self.accountant, True), (self.refunder, True), (self.seller, False),
        ):
            arch = self.env['payment.transaction'].with_user(user).get_view(
                self.env.ref('payment_btcpay.btcpay_refund_form').id
            )['arch']
            self.assertEqual('action_btcpay_cancel_refund' in arch, is_shown)
            arch = self.env['sale.order'].with_user(user).get_view(
                self.env.ref('sale.view_order_form').id
            )['arch']
            self.assertEqual('action_btcpay_refund"' in arch, is_shown)
