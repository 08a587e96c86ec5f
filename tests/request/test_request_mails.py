from unittest.mock import patch

from odoo.exceptions import AccessError
from odoo.tests import Form, new_test_user, tagged
from odoo.tools import html2plaintext

from odoo.addons.payment_btcpay.tests.common import BTCPayCommon
from odoo.addons.payment_btcpay.tests.request.request_common import RequestMixin

MANY_LOG = 'odoo.addons.payment_btcpay.wizards.btcpay_payment_request_many'


@tagged('post_install', '-at_install')
class TestRequestMails(RequestMixin, BTCPayCommon):
    """The mail is shown before it is sent, and said to be sent when it was."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.seller = new_test_user(
            cls.env, 'mail_seller', groups='sales_team.group_sale_salesman',
            email='seller@example.com',
        )

    def _set_status(self, document, status, **values):
        """Have Odoo report what became of the mail."""
        notification = document.sudo().btcpay_request_message_id.notification_ids
        self.assertEqual(notification.res_partner_id, self.partner)
        notification.write({'notification_status': status, **values})
        self.env.invalidate_all()

    # === THE COMPOSER === #

    def test_when_send_by_email_is_pressed_then_the_mail_is_shown_before_it_is_sent(self):
        for document in (
            self._create_order(user_id=self.seller.id),
            self._create_invoice(invoice_user_id=self.seller.id),
        ):
            document = document.with_user(self.seller)
            wizard = self._open_request(document)
            action = wizard.action_send()
            self.assertFalse(self._requests(document))
            self.assertFalse(document.btcpay_requested_at)
            composer = Form(self.env['mail.compose.message'].with_user(self.seller).with_context(
                **action['context']
            ))
            self.assertEqual(composer.subject, f"{document.name}: pay with Bitcoin")
            self.assertIn("100.00", html2plaintext(str(composer.body)))
            self.assertIn(wizard.link.replace('&', '&amp;'), str(composer.body))
            self.assertEqual(composer.partner_ids[:], self.partner)
            composer.subject = "Please pay"
            composer.save().action_send_mail()
            message = document.sudo().btcpay_request_message_id
            self.assertEqual(message.subject, "Please pay")
            self.assertEqual(message.author_id, self.seller.partner_id)
            self.assertEqual(document.btcpay_requested_amount, 100)
            log = document.message_ids[0]
            self.assertIn(
                f"A Bitcoin payment of $ 100.00 was requested of {self.partner.name}.",
                html2plaintext(str(log.body)).replace('\xa0', ' '),
            )
            self.assertFalse(log.partner_ids)

    def test_when_the_composer_is_closed_then_nothing_was_requested(self):
        order = self._create_order()
        self._open_request(order).action_send()
        self.assertFalse(order.btcpay_requested_at)
        self.assertFalse(order.btcpay_request_text)
        self.assertEqual(order.state, 'draft')

    def test_when_a_quotations_payment_is_requested_then_the_quotation_shows_it(self):
        order = self._create_order()
        self._send(self._open_request(order))
        self.assertEqual(order.state, 'sent')
        self._set_status(order, 'sent')
        arch = Form(order)._view['tree']
        self.assertTrue(arch.xpath('//div[@name="btcpay_requested"]'))
        self.assertIn("A Bitcoin payment of $ 100.00 was requested on", (
            order.btcpay_request_text.replace('\xa0', ' ')
        ))
        self._pay_order(order)
        self.env.invalidate_all()
        self.assertFalse(order.btcpay_request_text)

    def test_when_another_message_is_posted_then_nothing_was_requested(self):
        order = self._create_order()
        order.message_post(body="Hello", partner_ids=self.partner.ids)
        self.assertFalse(order.btcpay_requested_at)

    # === WHAT IS SAID OF THE MAIL === #

    def test_when_the_mail_is_not_sent_then_it_is_not_said_to_be(self):
        for document in (self._create_order(), self._create_invoice()):
            self._send(self._open_request(document))
            for status, values, said, is_failed in (
                ('ready', {}, "is being mailed to customer@example.com", False),
                ('sent', {}, "by mail to customer@example.com", False),
                ('exception', {'failure_type': 'mail_email_invalid'},
                 "could not be mailed to customer@example.com: Invalid email address", True),
                ('bounce', {'failure_type': 'mail_bounce'}, "could not be mailed", True),
            ):
                with self.subTest(document=document, status=status):
                    self._set_status(document, status, **values)
                    self.assertIn(said, document.btcpay_request_text)
                    self.assertEqual(document.btcpay_is_request_failed, is_failed)

    # === SEVERAL INVOICES === #

    def _open_many(self, moves):
        action = moves.action_btcpay_request_many()
        return self.env[action['res_model']].browse(action['res_id'])

    def test_when_many_invoices_are_requested_then_it_says_how_many_it_mails_to_and_asks(self):
        lost = self.env['res.partner'].create({'name': "Lost"})
        moves = (
            self._create_invoice() | self._create_invoice(50) | self._create_invoice(post=False)
            | self._create_invoice(partner_id=lost.id)
        )
        wizard = self._open_many(moves)
        self.assertEqual(
            wizard.summary,
            "2 of 4 invoices will be mailed with a link to pay with Bitcoin. Customers: 1.",
        )
        self.assertIn("This is not a posted customer invoice", wizard.problems)
        self.assertIn("Lost has no email address", wizard.problems)
        self.assertFalse(any(self._requests(move) for move in moves), "It asks first.")
        action = wizard.action_send()
        self.assertEqual(action['params']['type'], 'warning')
        self.assertIn("Requests on their way: 2 of 4.", action['params']['message'])
        for move, amount in zip(moves[:2], ("100.00", "50.00"), strict=True):
            [mail] = self._requests(move)
            self.assertIn(amount, html2plaintext(mail.body))
        self.assertFalse(self._requests(moves[2]))
        self.assertEqual(
            self._open_many(moves[:2]).action_send()['params']['type'], 'success'
        )

    def test_when_none_can_be_requested_then_there_is_nothing_to_send(self):
        wizard = self._open_many(self._create_invoice(post=False))
        self.assertRecordValues(wizard, [{
            'mailed_count': 0, 'summary': "Nobody will be mailed.",
        }])

    def test_when_one_of_many_fails_then_it_is_named_and_not_said_to_be_requested(self):
        broken, sound = self._create_invoice(), self._create_invoice()
        send = type(sound)._btcpay_send_request

        def fail(move, amount):
            move.payment_reference = "half done"
            if move == broken:
                raise KeyError("somebody's module")
            return send(move, amount)

        with (
            patch.object(type(sound), '_btcpay_send_request', fail),
            self.assertLogs(MANY_LOG, 'ERROR'),
        ):
            action = self._open_many(broken | sound).action_send()
        self.assertIn("Requests on their way: 1 of 2.", action['params']['message'])
        self.assertIn("somebody's module", action['params']['message'])
        self.assertFalse(broken.btcpay_requested_at)
        self.assertNotEqual(broken.payment_reference, "half done")
        self.assertTrue(sound.btcpay_requested_at)

    def test_when_requested_from_the_list_then_accountants_may_and_salespeople_may_not(self):
        action = self.env.ref('payment_btcpay.action_btcpay_request_many')
        accountant = new_test_user(
            self.env, 'request_accountant', groups='account.group_account_invoice'
        )
        move = self._create_invoice()
        self.env.cr.commit()
        context = {'active_model': 'account.move', 'active_id': move.id, 'active_ids': move.ids}
        result = action.with_user(accountant).with_context(**context).run()
        wizard = self.env[result['res_model']].with_user(accountant).browse(result['res_id'])
        self.assertEqual(wizard.action_send()['params']['type'], 'success')
        with self.assertRaises(AccessError):
            action.with_user(self.seller).with_context(**context).run()
