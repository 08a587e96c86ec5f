from unittest.mock import patch

from odoo import fields
from odoo.exceptions import UserError
from odoo.fields import Command
from odoo.tests import new_test_user, tagged
from odoo.tools import html2plaintext, mute_logger

from odoo.addons.payment_btcpay.tests.common import BTCPayCommon
from odoo.addons.payment_btcpay.tests.request.request_common import RequestMixin

MOVE_LOG = 'odoo.addons.payment_btcpay.models.account_move'


@tagged('post_install', '-at_install')
class TestRequestGuards(RequestMixin, BTCPayCommon):
    """What is not asked for, not offered and not said when a payment is requested."""

    def test_all_in_advance_is_no_down_payment(self):
        order = self._create_order(require_payment=True, prepayment_percent=1.0)
        self.assertRecordValues(self._open_request(order), [
            {'has_down_payment': False, 'due_amount': 100, 'down_payment_amount': 100}
        ])

    def test_negative_amount(self):
        wizard = self._open_request(self._create_order(), amount_type='amount', amount=-5)
        self.assertIn("more than zero", wizard.warning)
        self._assert_refused(wizard.action_send, "more than zero")

    def test_form_is_opened_without_writing(self):
        """The form is read in a database transaction that is read-only."""
        for document in (self._create_order(), self._create_invoice()):
            document.action_btcpay_request()
            with self.subTest(document=document):
                self.assertTrue(document.read(['access_token'])[0]['access_token'])

    def test_providers_that_are_not_published_offer_nothing(self):
        order = self._create_order()
        self.btcpay.maximum_amount = 50
        other = self.btcpay.sudo().copy({'name': "Not published"})
        other.write({
            'btcpay_server_url': self.world.url, 'btcpay_api_key': self.api_key,
            'btcpay_store_id': self.store_id, 'btcpay_connection_state': 'connected',
            'maximum_amount': 0, 'is_published': False, 'sequence': self.btcpay.sequence + 1,
            'payment_method_ids': [Command.set(self.payment_method.ids)],
        })
        other.state = self.btcpay.state
        self.assertEqual(order._btcpay_get_provider(), self.btcpay)
        self.assertIn("would not offer Bitcoin", self._open_request(order).warning)
        other.is_published = True
        self.env.invalidate_all()
        self.assertFalse(self._open_request(order).warning)

    def test_invoices_are_not_asked_for_without_a_provider(self):
        move = self._create_invoice()
        self.assertTrue(move.btcpay_can_request)
        self.btcpay.state = 'disabled'
        self.env.invalidate_all()
        self.assertFalse(move.btcpay_can_request)

    def test_cancelled_orders_have_no_button(self):
        order = self._create_order()
        self.assertTrue(order.btcpay_can_request)
        order._action_cancel()
        self.assertFalse(order.btcpay_can_request)

    def test_what_is_confirmed_is_not_on_its_way(self):
        order = self._create_order()
        tx = self._create_btcpay_transaction(order, amount=40)
        self.world.pay(tx.btcpay_invoice_id)
        self.world.mine()
        self._look(tx)
        self.env.invalidate_all()
        self.assertRecordValues(self._open_request(order), [{'amount': 60, 'warning': ''}])

    def test_nothing_is_due_of_a_credit_note(self):
        self.assertEqual(self._create_invoice(move_type='out_refund')._btcpay_get_amount_due(), 0)

    def test_way_back_asks_for_the_rest(self):
        order = self._create_order()
        order.action_confirm()
        tx = self._create_btcpay_transaction(order, landing_route=order.get_portal_url())
        for amount, end in [(0, '&payment_amount=100.0'), (70, '&payment_amount=30.0'), (30, '')]:
            if amount:
                self._create_other_transaction(order, amount=amount)._set_done()
                self.env.invalidate_all()
            self.assertEqual(tx._btcpay_get_retry_url(), f'{order.get_portal_url()}{end}')

    def test_customers_write_nothing_to_themselves(self):
        seller = new_test_user(
            self.env, 'guard_seller', groups='sales_team.group_sale_salesman', email='s@example.com'
        )
        order = self._create_order(user_id=seller.id)
        for user in (self.portal_user, self.public_user):
            self.assertEqual(
                order.with_user(user).sudo()._btcpay_get_sender(), seller.partner_id
            )
        self.assertEqual(
            order.with_user(self.internal_user)._btcpay_get_sender(), self.internal_user.partner_id
        )

    def test_salespeople_without_an_address_write_nothing(self):
        seller = new_test_user(self.env, 'guard_mute', groups='sales_team.group_sale_salesman')
        seller.partner_id.email = False
        self.partner.btcpay_request_due = True
        move = self._create_invoice(
            invoice_date_due=fields.Date.today(), invoice_user_id=seller.id
        )
        self._run_schedule()
        [mail] = self._requests(move)
        self.assertEqual(mail.author_id, move.company_id.partner_id)

    def test_schedule_troubles_nobody_about_what_is_not_to_be_asked_for(self):
        self.partner.btcpay_request_due = True
        today = fields.Date.today()
        paid = self._create_invoice(invoice_date_due=today)
        self._pay_move(paid)
        moves = (
            paid
            | self._create_invoice(invoice_date_due=today, post=False)
            | self._create_invoice(invoice_date_due=today, move_type='out_refund')
            | self._create_invoice(
                invoice_date=today, invoice_date_due=today, move_type='in_invoice'
            )
        )
        self._run_schedule()
        self.assertFalse(moves.activity_ids)
        self.assertFalse(self._requests(moves))

    def test_schedule_asks_for_the_rest(self):
        self.partner.btcpay_request_due = True
        move = self._create_invoice(invoice_date_due=fields.Date.today())
        self.env['account.payment.register'].with_context(
            active_model='account.move', active_ids=move.ids
        ).create({'amount': 70})._create_payments()
        self.assertEqual((move.payment_state, move.amount_residual), ('partial', 30))
        self._run_schedule()
        [mail] = self._requests(move)
        self.assertIn("30.00", html2plaintext(mail.body))

    def test_schedule_forgets_what_it_could_not_finish(self):
        self.partner.btcpay_request_due = True
        for error in (UserError("refused"), KeyError("somebody's module")):
            move = self._create_invoice(invoice_date_due=fields.Date.today())

            def fail(move, amount, error=error):
                move.payment_reference = "half done"
                raise error

            with (
                self.subTest(error=error), mute_logger(MOVE_LOG),
                patch.object(type(move), '_btcpay_send_request', fail),
            ):
                self._run_schedule()
                self.assertNotEqual(move.payment_reference, "half done")

    def test_schedule_stops_when_its_time_is_over(self):
        self.partner.btcpay_request_due = True
        moves = self._create_invoice(invoice_date_due=fields.Date.today())
        moves |= self._create_invoice(invoice_date_due=fields.Date.today())
        with patch.object(type(self.env['ir.cron']), '_commit_progress', return_value=0):
            self._run_schedule()
        self.assertEqual(len(moves.filtered('btcpay_requested_at')), 1)

    def test_schedule_speaks_the_companys_language(self):
        self.env['res.lang']._activate_lang('ja_JP')
        self.env.company.partner_id.lang = 'ja_JP'
        self.partner.btcpay_request_due = True
        self.partner.email = False
        move = self._create_invoice(invoice_date_due=fields.Date.today())
        with mute_logger(MOVE_LOG):
            self._run_schedule()
        [activity] = move.activity_ids
        self.assertRegex(activity.summary, r'[\u3040-\u30ff]')
        self.assertRegex(html2plaintext(activity.note), r'[\u3040-\u30ff]')

    def test_foreign_currency(self):
        euro = self.env.ref('base.EUR')
        euro.active = True
        pricelist = self.env['product.pricelist'].create({'name': "€", 'currency_id': euro.id})
        order = self._create_order(pricelist_id=pricelist.id, currency_id=euro.id)
        move = self._create_invoice(currency_id=euro.id)
        for document in (order, move):
            with self.subTest(document=document):
                wizard = self._open_request(document)
                self.assertEqual((wizard.amount, wizard.currency_id), (100, euro))
                wizard.action_send()
                mail = self._requests(document)[0]
                self.assertIn("100.00&nbsp;€", mail.body)
        tx = self._create_btcpay_transaction(order, currency_id=euro.id)
        self.assertEqual(self.world.invoice(tx.btcpay_invoice_id)['currency'], 'EUR')
        self.world.pay(tx.btcpay_invoice_id)
        self.world.mine()
        self._look(tx)
        self.assertEqual(order.btcpay_received_amount, 100)
