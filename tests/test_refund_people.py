from odoo.exceptions import AccessError
from odoo.fields import Command
from odoo.tests import tagged
from odoo.tools import html2plaintext

from odoo.addons.payment_btcpay.tests.common import BTCPayCommon, BTCPayHttpCommon
from odoo.addons.payment_btcpay.tests.refund_common import RefundMixin


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

    def test_accountant(self):
        wizard = self._open_wizard(self._order_of(self.seller).transaction_ids, self.accountant)
        refund = self._refund_by(wizard)
        self.assertEqual(refund.state, 'pending')
        self.assertTrue(refund.with_user(self.accountant).btcpay_refund_link)

    def test_group(self):
        order = self._order_of(self.refunder)
        wizard = self._open_wizard(order, self.refunder)
        refund = self._refund_by(wizard)
        self._claim(refund, '10.00')
        refund = refund.with_user(self.refunder)
        refund.action_btcpay_check()
        refund.action_btcpay_send_refund_link()
        self.assertEqual(refund.read(['btcpay_status_text', 'amount'])[0]['amount'], -100)
        self.assertEqual(refund.btcpay_payout_ids.mapped('state'), ['Completed'])

    def test_group_but_not_his_order(self):
        order = self._order_of(self.seller)
        with self.assertRaises(AccessError):
            order.with_user(self.refunder).action_btcpay_refund()
        with self.assertRaises(AccessError):
            order.transaction_ids.with_user(self.refunder).action_btcpay_refund()
        self.assertFalse(self._pull_payments())

    def test_salesperson_without_the_right(self):
        order = self._order_of(self.seller)
        tx = order.transaction_ids.with_user(self.seller)
        for action in (
            order.with_user(self.seller).action_btcpay_refund,
            order.with_user(self.seller).action_btcpay_refund_surplus,
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
        # He sees the refunds of others, and may do nothing with them.
        refund = order.transaction_ids._btcpay_request_refund(50).with_user(self.seller)
        self.assertTrue(refund.read(['btcpay_status_text', 'amount']))
        for action in (
            refund.action_btcpay_send_refund_link, refund.action_btcpay_withdraw_refund
        ):
            with self.assertRaises(AccessError):
                action()

    def test_nobody_else(self):
        order = self._order_of(self.seller)
        for user in (self.portal_user, self.internal_user):
            for record in (order, order.transaction_ids):
                with self.assertRaises(AccessError):
                    record.with_user(user).action_btcpay_refund()

    def test_wizard_of_a_colleague(self):
        """Who has the right for his own orders cannot use it for those of others by hand."""
        order = self._order_of(self.seller)
        wizard = self._open_wizard(order)
        with self.assertRaises(AccessError):
            wizard.with_user(self.refunder).action_refund()
        self.assertFalse(self._pull_payments())

    def test_buttons(self):
        for user, is_shown in (
            (self.accountant, True), (self.refunder, True), (self.seller, False),
        ):
            arch = self.env['payment.transaction'].with_user(user).get_view(
                self.env.ref('payment_btcpay.btcpay_refund_form').id
            )['arch']
            self.assertEqual('action_btcpay_withdraw_refund' in arch, is_shown)
            arch = self.env['sale.order'].with_user(user).get_view(
                self.env.ref('sale.view_order_form').id
            )['arch']
            self.assertEqual('action_btcpay_refund"' in arch, is_shown)


@tagged('post_install', '-at_install')
class TestRefundCustomer(RefundMixin, BTCPayHttpCommon):
    """What the customer is told, and what the server tells us."""

    def _text(self, message):
        return ' '.join(html2plaintext(message.body).split())

    # === MAILS === #

    def test_link_is_mailed(self):
        order = self._create_order()
        refund = self._paid(order)._btcpay_request_refund(50)
        [mail] = self._refund_mails(order)
        self.assertIn(order.transaction_ids.reference, mail.subject)
        self.assertIn(refund.btcpay_refund_link, mail.body)
        self.assertIn('50.00', self._text(mail))

    def test_link_is_only_shown(self):
        order = self._create_order()
        wizard = self._open_wizard(self._paid(order), delivery='show')
        refund = self._refund_by(wizard)
        self.assertFalse(self._refund_mails(order))
        self.assertTrue(refund.btcpay_refund_link)
        # Once it is paid he is told all the same.
        self._claim(refund)
        refund._btcpay_synchronize()
        self.assertIn("was paid", self._refund_mails(order).subject)

    def test_link_is_sent_again(self):
        order = self._create_order()
        refund = self._paid(order)._btcpay_request_refund(50)
        refund.action_btcpay_send_refund_link()
        self.assertEqual(len(self._refund_mails(order)), 2)
        self.assertIn(refund.btcpay_refund_link, self._refund_mails(order)[0].body)
        self.partner.email = False
        self._assert_refused(refund.action_btcpay_send_refund_link, "no email address")
        self.partner.email = 'a@example.com'
        self._claim(refund)
        refund._btcpay_synchronize()
        self._assert_refused(refund.action_btcpay_send_refund_link, "nothing to claim")

    def test_second_mail(self):
        order = self._create_order()
        refund = self._paid(order)._btcpay_request_refund(50)
        self._claim(refund, '12.00')
        refund._btcpay_synchronize()
        self.assertEqual(len(self._refund_mails(order)), 1)
        self._claim(refund)
        for _time in range(2):
            refund._btcpay_synchronize()
        mails = self._refund_mails(order)
        self.assertEqual(len(mails), 2)
        self.assertIn("was paid", mails[0].subject)
        for payout in refund.btcpay_payout_ids:
            self.assertIn(payout.destination, self._text(mails[0]))

    def test_no_address(self):
        self.partner.email = False
        wizard = self._open_wizard(self._paid())
        self.assertEqual(wizard.delivery, 'show')
        self.assertEqual(self._refund_by(wizard).state, 'pending')

    def test_lightning_sentence(self):
        self.world.change_store(self.store_id, refundBOLT11Expiration=7)
        self.addCleanup(self.world.change_store, self.store_id, refundBOLT11Expiration=30)
        for methods, is_told in ((['BTC-LN'], True), (['BTC-CHAIN'], False), (None, True)):
            order = self._create_order()
            tx = self._paid(order, method='BTC-LN')
            tx._btcpay_request_refund(50, methods=methods)
            text = self._text(self._refund_mails(order)[0])
            self.assertEqual("valid for at least 7 days" in text, is_told)

    def test_crypto_amount_in_the_mail(self):
        order = self._create_order()
        self._paid(order)._btcpay_request_refund(100, variant='rate_then')
        self.assertIn('(0.002 BTC)', self._text(self._refund_mails(order)[0]))

    # === THE CUSTOMER'S PAGE === #

    def _page(self, order):
        self.env.flush_all()
        return self.url_open(order.get_portal_url()).text

    def test_order_page(self):
        order = self._create_order()
        tx = self._paid(order)
        self.assertNotIn("Refunds in Bitcoin", self._page(order))
        refund = tx._btcpay_request_refund(50)
        page = self._page(order)
        self.assertIn("Refunds in Bitcoin", page)
        self.assertIn(f'href="{refund.btcpay_refund_link}"', page)
        self._claim(refund, '12.00')
        refund._btcpay_synchronize()
        self.assertRegex(self._page(order), r'12\.00 of \S*50\.00 paid out')
        self._claim(refund)
        refund._btcpay_synchronize()
        page = self._page(order)
        self.assertIn("Refund paid out", page)
        self.assertNotIn(refund.btcpay_refund_link, page)

    def test_order_page_of_withdrawn(self):
        order = self._create_order()
        refund = self._paid(order)._btcpay_request_refund(50)
        self.world.archive_pull_payment(refund.btcpay_pull_payment_id)
        refund._btcpay_synchronize()
        self.assertNotIn(refund.btcpay_refund_link, self._page(order))

    # === WEBHOOKS === #

    def test_followed_by_webhooks(self):
        order = self._create_order()
        tx = self._paid(order)
        with self._world_speaks():
            refund = tx._btcpay_request_refund(50)
            payout_id = self._claim(refund, '12.00', pay=False)
        self.assertEqual(refund.btcpay_payout_ids.state, 'AwaitingApproval')
        with self._world_speaks():
            self.world.approve(payout_id)
            self.world.pay_payout(payout_id)
        self.assertEqual(refund.btcpay_paid_out_amount, 12)
        with self._world_speaks():
            self._claim(refund)
        self.assertEqual(refund.state, 'done')
        self.assertEqual(len(self._refund_mails(order)), 2)
        self.assertEqual(len(tx._btcpay_get_refunds()), 1)

    def test_event_overtakes_the_answer(self):
        order = self._create_order()
        tx = self._paid(order)
        self._lose_answer()
        with self._quiet(), self._world_speaks():
            refund = tx._btcpay_request_refund(50)
        self.assertEqual(refund.state, 'pending')
        self.assertEqual(tx._btcpay_get_refunds(), refund)
        self.assertEqual(refund.btcpay_pull_payment_id, self._pull_payments()[0]['id'])
        self.assertEqual(len(self._refund_mails(order)), 1)
        # And then the answer comes.
        refund._btcpay_keep_pull_payment(self._pull_payments()[0])
        self.assertEqual(len(self._refund_mails(order)), 1)

    def test_made_at_the_server(self):
        tx = self._paid()
        with self._world_speaks():
            pull_payment = self._server_refund(tx)
        refund = tx._btcpay_get_refunds()
        self.assertEqual(refund.btcpay_pull_payment_id, pull_payment['id'])
        self.assertEqual(refund.state, 'pending')
        with self._world_speaks():
            self.world.archive_pull_payment(pull_payment['id'])
        refund._btcpay_synchronize()
        self.assertEqual(refund.state, 'cancel')

    def test_event_of_unknown_payout(self):
        event = self._prepare_event(None, 'PayoutCreated', pullPaymentId='unknown', payoutId='x')
        del event['invoiceId']
        self.assertEqual(self._post_event(event).status_code, 200)
        delivery = self.env['btcpay.delivery'].search([], limit=1)
        self.assertEqual(delivery.state, 'ignored')
        self.assertIn("No refund", delivery.reason)

    def test_translated(self):
        self.env['res.lang']._activate_lang('fr_FR')
        template = self.env.ref('payment_btcpay.mail_template_refund')
        template.with_context(lang='fr_FR').subject = "Remboursement: your refund {{ object.id }}"
        self.partner.lang = 'fr_FR'
        order = self._create_order()
        tx = self._paid(order)
        tx.partner_lang = 'fr_FR'
        tx._btcpay_request_refund(50)
        self.assertIn("Remboursement", self._refund_mails(order)[0].subject)

    def test_invoice_without_order(self):
        invoice = self._create_invoice()
        tx = self._create_btcpay_transaction(
            invoice_ids=[Command.set(invoice.ids)], partner_id=self.partner.id,
            reference=invoice.name,
        )
        self.world.pay(tx.btcpay_invoice_id)
        self.world.mine()
        tx._btcpay_synchronize()
        self._post_process()
        tx._btcpay_request_refund(50)
        self.assertEqual(len(self._refund_mails(invoice)), 1)
