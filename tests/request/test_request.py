import base64
import re
from datetime import timedelta

import psycopg2
from reportlab.graphics.barcode import createBarcodeDrawing

from odoo import fields
from odoo.exceptions import AccessError, UserError
from odoo.tests import Form, new_test_user, tagged
from odoo.tools import html2plaintext, mute_logger

from odoo.addons.payment_btcpay.tests.common import BTCPayCommon
from odoo.addons.payment_btcpay.tests.request.request_common import RequestMixin

MOVE_LOG = 'odoo.addons.payment_btcpay.models.account_move_request'


@tagged('post_install', '-at_install')
class TestRequest(RequestMixin, BTCPayCommon):
    """Asking for a Bitcoin payment of an order or an invoice."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.seller = new_test_user(
            cls.env, 'request_seller', groups='sales_team.group_sale_salesman',
            email='seller@example.com',
        )

    def _assert_not_asked(self, document, reason, **values):
        """Check that nobody can be asked, in any way, and what people read of it."""
        with self.assertRaises(UserError) as refusal:
            self._open_request(document, **values)
        self.assertIn(reason, refusal.exception.args[0])
        self.assertFalse(self._requests(document))

    # === THE WIZARD === #

    def test_when_a_quotations_payment_is_requested_then_the_link_is_mailed(self):
        order = self._create_order(user_id=self.seller.id).with_user(self.seller)
        wizard = self._open_request(order)
        self.assertRecordValues(wizard, [{
            'amount': 100, 'due_amount': 100, 'has_down_payment': False, 'warning': '',
            'partner_id': self.partner.id, 'reference': order.display_name,
        }])
        self.assertTrue(wizard.link.startswith(
            f'{order.get_base_url()}/my/orders/{order.id}?access_token={order.access_token}'
        ))
        self.assertIn('&payment_amount=100.0&btcpay=1', wizard.link)
        # Nothing is made at the server until the customer opens the link.
        self.assertFalse(order.sudo().transaction_ids)
        self._send(wizard)
        [mail] = self._requests(order)
        self.assertIn(wizard.link.replace('&', '&amp;'), mail.body)
        self.assertIn("100.00", html2plaintext(mail.body))
        self.assertEqual(mail.author_id, self.seller.partner_id)
        self.assertIn(self.partner, mail.notified_partner_ids)
        self.assertFalse(order.sudo().transaction_ids)

    def test_when_the_amount_choice_changes_then_amount_link_and_warning_follow(self):
        """The amount follows the choice, and the link the amount."""
        order = self._create_order(require_payment=True, prepayment_percent=0.3)
        action = order.action_btcpay_request()
        wizard = self.env[action['res_model']].browse(action['res_id'])
        with Form(wizard) as form:
            self.assertEqual((form.amount, form.has_down_payment), (100, True))
            form.amount_type = 'down_payment'
            self.assertEqual(form.amount, 30)
            self.assertIn('payment_amount=30.0', form.link)
            form.amount_type = 'amount'
            form.amount = 45.5
            self.assertIn('payment_amount=45.5', form.link)
            form.amount = 20
            self.assertIn("at least", form.warning)
            self.assertFalse(form.link)
            self.assertFalse(form.qr_code)
            form.amount = 100.01
            self.assertIn("At most", form.warning)
            form.amount = 0
            self.assertIn("more than zero", form.warning)
            form.amount_type = 'full'
            self.assertEqual(form.amount, 100)
            self.assertFalse(form.warning)

    def test_when_the_request_is_opened_then_the_qr_code_is_the_link(self):
        wizard = self._open_request(self._create_order())
        shown = base64.b64decode(wizard.qr_code).decode()
        for text, is_same in [(wizard.link, True), (f'{wizard.link}0', False)]:
            expected = createBarcodeDrawing('QR', value=text, width=240, height=240)
            self.assertEqual(self._get_rectangles(shown) == self._get_rectangles(
                expected.asString('svg')
            ), is_same)

    def _get_rectangles(self, svg):
        rectangles = re.findall(r'<rect [^>]*fill: rgb[^>]*>', svg)
        self.assertGreater(len(rectangles), 100)
        return rectangles

    def test_when_part_of_the_down_payment_is_paid_then_only_its_remainder_is_offered(self):
        order = self._create_order(require_payment=True, prepayment_percent=0.5)
        self._create_other_transaction(order, amount=20)._set_done()
        self.env.invalidate_all()
        wizard = self._open_request(order)
        self.assertRecordValues(wizard, [{'due_amount': 80, 'down_payment_amount': 30}])

    def test_when_an_order_is_confirmed_then_any_amount_can_be_requested(self):
        order = self._create_order(require_payment=True, prepayment_percent=1.0)
        order.action_confirm()
        self.assertFalse(self._open_request(order, amount_type='amount', amount=5).warning)

    def test_when_a_user_may_not_access_the_order_then_requesting_is_refused(self):
        order = self._create_order()
        self.env.cr.commit()
        for user in (self.seller, self.internal_user, self.portal_user):
            with self.subTest(user=user.login), self.assertRaises(AccessError):
                order.with_user(user).action_btcpay_request()
        with self.assertRaises(AccessError):  # By hand: the link would give access.
            self.env['btcpay.payment.request'].with_user(self.seller).create({
                'res_model': 'sale.order', 'res_id': order.id,
            }).read(['link'])

    # === WHAT IS IN THE WAY === #

    def test_when_the_order_is_canceled_then_no_payment_is_requested(self):
        order = self._create_order()
        order._action_cancel()
        self._assert_not_asked(order, "is canceled")

    def test_when_the_quotation_has_expired_then_no_payment_is_requested(self):
        order = self._create_order(validity_date=fields.Date.today() - timedelta(days=1))
        self._assert_not_asked(order, "has expired")

    def test_when_nothing_is_due_then_no_payment_is_requested(self):
        order = self._create_order()
        self._pay_order(order)
        self._assert_not_asked(order, "Nothing is due")

    def test_when_the_customer_has_no_email_address_then_sending_is_refused(self):
        order = self._create_order()
        wizard = self._open_request(order)
        self.partner.email = False
        self.assertTrue(wizard.link)
        with self.assertRaises(UserError) as refusal:
            wizard.action_send()
        self.assertIn("has no email address", refusal.exception.args[0])

    def test_when_no_provider_is_connected_then_no_payment_is_requested(self):
        order = self._create_order()
        self.btcpay.sudo().btcpay_connection_state = 'disconnected'
        self._assert_not_asked(order, "No BTCPay Server is connected for")

    def test_when_the_provider_is_disabled_then_no_payment_is_requested(self):
        self.btcpay.state = 'disabled'
        self._assert_not_asked(self._create_order(), "is disabled")

    def test_when_the_provider_is_not_published_then_sending_is_refused(self):
        order = self._create_order()
        wizard = self._open_request(order)
        self.btcpay.is_published = False
        self.env.invalidate_all()
        self.assertIn("is not published", wizard.warning)
        self._assert_refused(wizard.action_send, "is not published")

    def test_when_the_provider_does_not_take_the_currency_then_no_payment_is_requested(self):
        self.btcpay.available_currency_ids = self.env.ref('base.EUR')
        self._assert_not_asked(self._create_order(), f"does not take {self.currency.name}")

    def test_when_the_provider_is_of_another_company_then_no_payment_is_requested(self):
        company = self.env['res.company'].create({'name': "Branch office elsewhere"})
        self.env.user.company_ids |= company
        order = self.env['sale.order'].with_company(company).create({
            'partner_id': self.partner.id, 'company_id': company.id,
            'order_line': self._create_order().order_line.copy_data() and [
                (0, 0, {'product_id': self.product.id, 'price_unit': 10})
            ],
        })
        self.env['payment.provider'].sudo().search(
            [('company_id', '=', company.id)]
        ).state = 'disabled'
        self._assert_not_asked(order, f"No BTCPay Server is connected for {company.name}")

    def test_when_the_payment_page_would_not_offer_bitcoin_then_the_wizard_warns(self):
        order = self._create_order()
        wizard = self._open_request(order)
        for undo, values in [({'maximum_amount': 0}, {'maximum_amount': 50})]:
            self.btcpay.write(values)
            self.env.invalidate_all()
            self.assertIn("would not offer Bitcoin", wizard.warning)
            self.btcpay.write(undo)
        self.payment_method.active = False
        self.env.invalidate_all()
        self.assertIn("would not offer Bitcoin", wizard.warning)

    def test_when_an_unconfirmed_payment_is_underway_then_the_wizard_warns(self):
        order = self._create_order()
        tx = self._create_btcpay_transaction(order, amount=40)
        wizard = self._open_request(order)
        self.world.pay(tx.btcpay_invoice_id)
        self._look(tx)
        self.env.invalidate_all()
        self.assertIn("is not confirmed yet", wizard.warning)
        wizard.write({'amount_type': 'amount', 'amount': 60})
        self.assertFalse(wizard.warning)

    # === INVOICES === #

    def test_when_an_invoices_payment_is_requested_then_the_link_is_mailed(self):
        move = self._create_invoice(invoice_user_id=self.seller.id)
        self.assertTrue(move.btcpay_can_request)
        for user in (self.env.user, self.seller):
            wizard = self._open_request(move.with_user(user))
            self.assertFalse(wizard.has_down_payment)
            self.assertIn('btcpay=1#portal_pay', wizard.link)
            self._send(wizard)
            self.assertEqual(self._requests(move)[0].author_id, user.partner_id)
            self.assertTrue(move.btcpay_requested_at)
        self.assertFalse(move.transaction_ids)
        sent = str(self._requests(move)[0].mail_ids[:1].body_html)
        self.assertIn("Your Invoice", ' '.join(html2plaintext(sent).split()))

    def test_when_a_document_is_no_open_customer_invoice_then_no_payment_is_requested(self):
        draft = self._create_invoice(post=False)
        self.assertFalse(draft.btcpay_can_request)
        self._assert_not_asked(draft, "This is not a posted customer invoice")
        bill = self._create_invoice(move_type='out_refund')
        self.assertFalse(bill.btcpay_can_request)
        self._assert_not_asked(bill, "This is not a posted customer invoice")
        paid = self._create_invoice()
        self._pay_move(paid)
        self.assertFalse(paid.btcpay_can_request)
        self._assert_not_asked(paid, "Nothing is due")

    def test_when_an_invoices_payment_is_pending_then_no_other_is_requested(self):
        move = self._create_invoice()
        tx = self._create_btcpay_transaction(
            reference='INV-pending', invoice_ids=[(6, 0, move.ids)]
        )
        self.world.pay(tx.btcpay_invoice_id)
        self._look(tx)
        self._assert_not_asked(move, "is underway")

    def test_when_online_payment_of_invoices_is_off_then_no_payment_is_requested(self):
        move = self._create_invoice()
        for value in ('False', False):
            self.env['ir.config_parameter'].sudo().set_param(
                'account_payment.enable_portal_payment', value
            )
            self._assert_not_asked(move, "Invoice Online Payment")

    # === WHAT IS DUE, BY ITSELF === #

    def test_when_the_schedule_runs_twice_then_a_due_invoice_is_requested_once(self):
        today = fields.Date.today()
        self.partner.btcpay_request_due = True
        due = self._create_invoice(invoice_date_due=today, invoice_user_id=self.seller.id)
        later = self._create_invoice(invoice_date_due=today + timedelta(days=1))
        draft = self._create_invoice(invoice_date_due=today, post=False)
        paid = self._create_invoice(invoice_date_due=today)
        self._pay_move(paid)
        other = self._create_invoice(
            invoice_date_due=today,
            partner_id=self.env['res.partner'].create({'name': "X", 'email': 'x@example.com'}).id,
        )
        for _time in range(2):
            self._run_schedule()
            [mail] = self._requests(due)
            self.assertEqual(mail.author_id, self.seller.partner_id)
            for move in later | draft | paid | other:
                self.assertFalse(move.btcpay_requested_at)
                self.assertFalse(self._requests(move))

    def test_when_a_customer_is_asked_when_due_then_invoices_of_its_contacts_are_requested(self):
        """The customer's contacts need no flag of their own."""
        self.partner.btcpay_request_due = True
        contact = self.env['res.partner'].create({
            'name': "Contact", 'email': 'contact@example.com', 'parent_id': self.partner.id,
        })
        move = self._create_invoice(
            partner_id=contact.id, invoice_date_due=fields.Date.today(), invoice_user_id=False,
        )
        self._run_schedule()
        mail = move.message_ids.filtered(lambda message: contact in message.partner_ids)
        self.assertEqual(mail.author_id, move.company_id.partner_id)

    def test_when_a_due_invoice_cannot_be_requested_then_a_person_is_told_once(self):
        """A person is told once; the others are asked all the same; it is tried again."""
        self.partner.btcpay_request_due = True
        lost = self.env['res.partner'].create({'name': "Lost", 'btcpay_request_due': True})
        moves = self._create_invoice(
            partner_id=lost.id, invoice_date_due=fields.Date.today(),
            invoice_user_id=self.seller.id,
        ) | self._create_invoice(invoice_date_due=fields.Date.today())
        for _time in range(2):
            with mute_logger(MOVE_LOG):
                self._run_schedule()
        self.assertEqual(len(self._requests(moves[1])), 1)
        self.assertEqual(len(moves[0].activity_ids), 1)
        self.assertEqual(moves[0].activity_ids.user_id, self.seller)
        self.assertIn("has no email address", self._activities(moves[0]))
        lost.email = 'found@example.com'
        self._run_schedule()
        self.assertTrue(moves[0].btcpay_requested_at)

    def _schedule_one_that_raises(self, error, check_logs):
        """Have two invoices asked for, one of which raises, on two days.

        :param check_logs: Makes a context manager that checks what each day logs.
        :return: The one that raises.
        """
        self.partner.btcpay_request_due = True
        broken = self._create_invoice(invoice_date_due=fields.Date.today())
        sound = self._create_invoice(invoice_date_due=fields.Date.today())
        send = type(sound)._btcpay_send_request

        def fail(move, amount):
            if move == broken:
                raise error
            return send(move, amount)

        self.patch(type(sound), '_btcpay_send_request', fail)
        for _time in range(2):
            with check_logs():
                self._run_schedule()
        self.patch(type(sound), '_btcpay_send_request', send)
        self.assertFalse(broken.btcpay_requested_at)
        self.assertTrue(sound.btcpay_requested_at)
        return broken

    def test_when_one_scheduled_request_raises_then_a_person_is_told_and_others_are_asked(self):
        broken = self._schedule_one_that_raises(
            KeyError("somebody's module"), lambda: self.assertLogs(MOVE_LOG, 'ERROR')
        )
        self.assertEqual(
            self._activities(broken), "The mail could not be made: \"somebody's module\""
        )

    def test_when_a_scheduled_request_raises_then_it_is_told_in_the_companys_language(self):
        self.env['res.lang']._activate_lang('de_DE')
        self.env.company.partner_id.lang = 'de_DE'
        broken = self._schedule_one_that_raises(
            KeyError("somebody's module"), lambda: self.assertLogs(MOVE_LOG, 'ERROR')
        )
        self.assertEqual(
            self._activities(broken),
            "Die E-Mail konnte nicht erstellt werden: \"somebody's module\"",
        )

    def test_when_a_scheduled_request_meets_a_conflict_then_the_next_run_asks_and_nobody_is_told(
        self,
    ):
        broken = self._schedule_one_that_raises(
            psycopg2.errors.SerializationFailure(),
            lambda: self.assertNoLogs(MOVE_LOG, 'WARNING'),
        )
        self.assertFalse(broken.activity_ids)
        self._run_schedule()
        self.assertTrue(broken.btcpay_requested_at)

    def test_when_invoices_are_not_paid_online_then_the_schedule_requests_nothing(self):
        self.partner.btcpay_request_due = True
        move = self._create_invoice(invoice_date_due=fields.Date.today())
        self.env['ir.config_parameter'].sudo().set_param(
            'account_payment.enable_portal_payment', 'False'
        )
        self._run_schedule()
        self.assertFalse(move.btcpay_requested_at)
        self.assertFalse(move.activity_ids)
