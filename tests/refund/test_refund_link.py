import logging
from unittest.mock import patch

from odoo import SUPERUSER_ID
from odoo.exceptions import AccessError
from odoo.tests import new_test_user, tagged
from odoo.tools import mute_logger

from odoo.addons.payment_btcpay.tests.common import BTCPayHttpCommon
from odoo.addons.payment_btcpay.tests.refund.refund_common import RefundMixin


@tagged('post_install', '-at_install')
class TestRefundLink(RefundMixin, BTCPayHttpCommon):
    """Whoever has the link, or the pull payment's id it is made of, can claim the money."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls._create_people()
        cls.follower = new_test_user(cls.env, 'link_follower', 'sales_team.group_sale_manager')
        cls.customer = new_test_user(cls.env, 'link_customer', 'base.group_portal')
        cls.stranger = new_test_user(cls.env, 'link_stranger', 'base.group_portal')
        cls.colleague = new_test_user(cls.env, 'link_colleague', 'base.group_portal')
        company = cls.env['res.partner'].create({'name': "Customers Inc.", 'is_company': True})
        (cls.customer | cls.colleague).partner_id.parent_id = company
        cls.customer.partner_id.email = 'customer@example.com'
        cls.customers = cls.customer | cls.stranger | cls.colleague

    def setUp(self):
        super().setUp()
        self.partner = self.customer.partner_id
        self.order = self._create_order(user_id=self.seller.id)
        self.order.message_subscribe(self.follower.partner_id.ids)
        with self.assertLogs(level=logging.INFO) as self.logs:
            self.refund = self._paid(self.order)._btcpay_request_refund(50)
            self.refund._btcpay_sync()
        self.secret = self.refund.btcpay_pull_payment_id
        self.assertIn(self.secret, self.refund.btcpay_refund_link)
        self.env.cr.commit()

    def _page(self, user=None):
        self.env.flush_all()
        self.authenticate(user and user.login, user and user.login)
        response = self.url_open(self.order.get_portal_url())
        self.assertIn("Refunds in Bitcoin", response.text)
        return response.text

    # === WHO READS IT IN ODOO === #

    @mute_logger('odoo.models')
    def test_when_a_user_may_not_refund_then_the_id_can_be_read_nowhere(self):
        refund = self.refund.with_user(self.seller)
        self.assertTrue(refund.read(['amount']))
        for name in ('btcpay_pull_payment_id', 'btcpay_refund_link'):
            for call in (
                lambda: refund.read([name]),  # noqa: B023 (called at once)
                lambda: refund.search([(name, '=like', 'a%')]),  # noqa: B023 (called at once)
                lambda: refund.web_read({name: {}}),  # noqa: B023 (called at once)
            ):
                with self.subTest(field=name), self.assertRaises(AccessError):
                    call()
            self.assertTrue(self.refund.with_user(self.accountant)[name])
        for record in (refund, refund.btcpay_payout_ids, self.order.with_user(self.seller)):
            self.assertNotIn(self.secret, str(record.read()))

    def test_when_a_refund_is_paid_out_then_no_name_reference_or_memo_has_the_id(self):
        self._claim(self.refund)
        self.refund._btcpay_sync()
        self._post_process()
        payment = self.refund.payment_id
        self.assertTrue(payment)
        for text in (
            self.refund.provider_reference, self.refund.btcpay_refund_name, payment.memo,
            self.refund.btcpay_refund_request, payment.move_id.line_ids.mapped('name'),
            self.refund.display_name, self.refund.state_message,
        ):
            self.assertNotIn(self.secret, str(text))

    @mute_logger('odoo.addons.base.models.ir_rule')
    def test_when_the_link_is_mailed_then_the_customer_alone_has_it(self):
        mail = self.env['mail.mail'].sudo().search([('body_html', 'like', self.secret)])
        self.assertEqual(mail.recipient_ids, self.customer.partner_id)
        self.assertFalse(mail.email_to or mail.email_cc)
        self.assertTrue(mail.auto_delete)
        # The customer's answer quotes it: it goes to the person, not onto the document.
        self.assertNotIn('catchall', mail.reply_to or '')
        self.assertIn(self.env.user.email, mail.reply_to)
        self.assertFalse(self.env['mail.message'].sudo().search([
            ('body', 'like', self.secret), ('id', '!=', mail.mail_message_id.id),
        ]))
        for user in (self.seller, self.follower):
            self.assertFalse(self.env['mail.message'].with_user(user).search([
                ('body', 'like', self.secret),
            ]))
        noted = ' '.join(self.order.message_ids.mapped('body'))
        self.assertIn("was mailed to customer@example.com", noted)

    def test_when_odoo_mails_the_link_by_itself_then_who_may_not_refund_gets_no_answer(self):
        seller, company = self.seller.partner_id, self.order.company_id.partner_id
        company.email = 'shop@example.com'
        for partner in (company, seller):
            if partner == seller:
                self.seller.group_ids |= self.env.ref('payment_btcpay.group_refund')
            self.refund.with_user(SUPERUSER_ID)._btcpay_mail_customer('mail_template_refund')
            mail = self.env['mail.mail'].sudo().search([
                ('body_html', 'like', self.secret),
            ], order='id desc', limit=1)
            self.assertEqual(
                (mail.email_from, mail.reply_to), (partner.email_formatted, partner.email_formatted)
            )

    @mute_logger('odoo.addons.mail.models.mail_mail')
    def test_when_the_mail_has_left_then_nothing_of_it_is_kept(self):
        for name, answer in (
            ('_disable_send', False), ('_connect__', None), ('send_email', '<message@example.com>')
        ):
            self.startPatcher(patch.object(
                self.registry['ir.mail_server'], name, lambda *_args, _answer=answer, **_kw: _answer
            ))
        mail = self.env['mail.mail'].sudo().search([('body_html', 'like', self.secret)])
        mail.send()
        self.assertFalse(mail.exists(), mail.exists() and mail.failure_reason)
        self.assertFalse(self.env['mail.message'].sudo().search([
            ('body', 'like', self.secret),
        ]))

    # === ON THE ORDER'S PAGE === #

    def test_when_the_page_is_read_then_the_logged_in_customer_alone_has_the_link(self):
        self.assertIn(self.secret, self._page(self.customer))
        for user in (
            None, self.stranger, self.colleague, self.seller, self.follower, self.accountant
        ):
            with self.subTest(user=user and user.login):
                page = self._page(user)
                self.assertNotIn(self.secret, page)
                self.assertIn("log in as the customer", page)

    def test_when_the_public_user_is_the_partner_then_a_guest_has_no_link(self):
        self.refund.partner_id = self.env.ref('base.public_partner')
        self.env.cr.commit()
        self.assertNotIn(self.secret, self._page())

    def test_when_an_employee_begins_the_payment_then_the_customer_alone_has_the_link(self):
        for document, route in (
            (self._create_order(user_id=self.seller.id), '/my/orders/%s/transaction'),
            (self._create_invoice(), '/invoice/transaction/%s'),
        ):
            self.env.flush_all()
            self.authenticate(self.seller.login, self.seller.login)
            tx = self._get_tx(self._press_pay(route % document.id, document)['reference'])
            self.assertEqual(tx.partner_id, self.partner)
            self.assertEqual(tx.partner_email, self.partner.email)
            self.world.pay(tx.btcpay_invoice_id)
            self.world.mine()
            tx._btcpay_sync()
            self._post_process()
            refund = tx._btcpay_request_refund(50)
            mail = self.env['mail.mail'].sudo().search([
                ('body_html', 'like', refund.btcpay_pull_payment_id),
            ])
            self.assertEqual(mail.recipient_ids, self.partner)
            self.assertFalse(refund._btcpay_get_claim_link(self.seller))

    def test_when_an_employee_is_the_customer_then_their_own_payment_is_theirs(self):
        employee = self.seller.partner_id
        address = self.env['res.partner'].create({'parent_id': employee.id, 'type': 'invoice'})
        order = self._create_order(partner_id=employee.id, partner_invoice_id=address.id)
        self.env.flush_all()
        self.authenticate(self.seller.login, self.seller.login)
        values = self._press_pay(f'/my/orders/{order.id}/transaction', order)
        self.assertEqual(self._get_tx(values['reference']).partner_id, employee)

    # === DELIVERIES, LOGS === #

    def test_when_events_are_kept_whole_then_they_are_without_the_id(self):
        self.btcpay.sudo().btcpay_debug = True
        admin = new_test_user(self.env, 'link_admin', 'base.group_system')
        with self._world_speaks():
            self._claim(self.refund)
        deliveries = self.env['btcpay.delivery'].sudo().search([
            ('pull_payment_ref', '=', self.secret),
        ])
        self.assertIn('Completed', deliveries.mapped('payout_state'))
        self.assertTrue(all(deliveries.mapped('body')))
        self.assertNotIn(self.secret, str(deliveries.with_user(admin).read()))

    def test_when_the_server_is_asked_for_a_refund_then_the_log_has_no_id(self):
        said = ' '.join(self.logs.output)
        self.assertIn('/pull-payments/…', said)
        self.assertNotIn(self.secret, said)

    def test_when_too_much_is_refunded_at_the_server_then_nobody_is_told_the_link(self):
        pull_payment = self._server_refund(
            self.order.transaction_ids, refundVariant='Custom', customAmount='500',
            customCurrency='USD',
        )
        self.order.transaction_ids._btcpay_find_or_adopt_refund(pull_payment['id'])
        asked = self._activities(self.order)
        self.assertIn(pull_payment['name'], asked)
        self.assertNotIn(pull_payment['id'], asked)
        self.assertNotIn(pull_payment['id'], ' '.join(self.order.message_ids.mapped('body')))
