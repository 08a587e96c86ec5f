from unittest.mock import patch

from odoo import fields
from odoo.exceptions import AccessError, UserError
from odoo.fields import Command
from odoo.tests import new_test_user, tagged
from odoo.tools import html2plaintext, mute_logger

from odoo.addons.payment_btcpay.tests.common import BTCPayCommon
from odoo.addons.payment_btcpay.tests.request.request_common import RequestMixin

MOVE_LOG = 'odoo.addons.payment_btcpay.models.account_move_request'


@tagged('post_install', '-at_install')
class TestRequestGuards(RequestMixin, BTCPayCommon):
    """What is not asked for, not offered and not said when a payment is requested."""

    def test_when_all_is_due_in_advance_then_no_down_payment_is_offered(self):
        order = self._create_order(require_payment=True, prepayment_percent=1.0)
        self.assertRecordValues(self._open_request(order), [
            {'has_down_payment': False, 'due_amount': 100, 'down_payment_amount': 100}
        ])

    @mute_logger('odoo.addons.base.models.ir_rule')
    def test_when_a_document_may_not_be_read_then_nothing_of_it_is_told(self):
        """Any call can begin a request, of any document; what is due is stored, by all rights."""
        order, move = self._create_order(user_id=self.env.uid), self._create_invoice()
        theirs = self.env['res.company'].create({'name': "Another"})
        seller = new_test_user(self.env, 'guard_seller', 'sales_team.group_sale_salesman')
        other = new_test_user(
            self.env, 'guard_other', 'account.group_account_manager',
            company_id=theirs.id, company_ids=[Command.set(theirs.ids)],
        )
        for document, user in ((order, seller), (order, other), (move, other)):
            requests = self.env['btcpay.payment.request'].with_user(user)
            values = {'res_model': document._name, 'res_id': document.id}
            for name in ('amount', 'reference', 'link'):
                for call in (
                    lambda: requests.web_save(values, {name: {}}),  # noqa: B023 (called at once)
                    lambda: requests.onchange(values, [], {name: {}}),  # noqa: B023 (as well)
                ):
                    with self.subTest(document=document, user=user.login, field=name):
                        with self.assertRaises(AccessError):
                            call()

    def test_when_the_amount_is_negative_then_the_request_is_refused(self):
        wizard = self._open_request(self._create_order(), amount_type='amount', amount=-5)
        self.assertIn("more than zero", wizard.warning)
        self._assert_refused(wizard.action_send, "more than zero")

    def test_when_an_amount_is_asked_for_then_the_provider_is_looked_for_once(self):
        providers = self.registry['payment.provider']
        for document in (self._create_order(), self._create_invoice()):
            for expected in (self.btcpay, self.btcpay.browse()):
                with self.subTest(document=document), patch.object(
                    providers, '_btcpay_find_for', return_value=expected
                ) as find:
                    document._btcpay_find_request_problem(100)
                    self.assertEqual(find.call_count, 1)

    def test_when_a_figure_is_no_number_then_the_person_reads_a_message(self):
        """Calls of Odoo's API can bring what nobody can type."""
        request = self._open_request(self._create_order())
        connect = self.env['btcpay.connect.wizard'].create({
            'provider_id': self.btcpay.id, 'server_url': self.world.url,
        })
        self.env.cr.commit()
        for wizard, name, needed in (
            (request, 'amount', ('res_model', 'res_id')),
            (connect, 'poll_minutes', ('server_url',)),
        ):
            for value in (float('nan'), float('inf'), 1e300, 'many', [1]):
                values = {name: value, **{key: wizard[key] for key in needed}}
                for call in (
                    lambda: wizard.write({name: value}),  # noqa: B023 (called at once)
                    lambda: wizard.create(values),  # noqa: B023 (as above)
                    lambda: wizard.onchange(values, [name], {name: {}}),  # noqa: B023 (as above)
                ):
                    with self.subTest(name=name, value=value):
                        self._assert_refused(call, "is not a usable number")

    def test_when_no_document_is_asked_for_then_the_person_reads_a_message(self):
        requests = self.env['btcpay.payment.request']
        request = self._open_request(self._create_order())
        self.env.cr.commit()
        for model, res_id in (
            ('res.partner', self.partner.id), ('nothing.at.all', 1), ('btcpay.request.mixin', 1),
            ('sale.order', 0),
        ):
            values = {'res_model': model, 'res_id': res_id}
            for call in (
                lambda: requests.create(values).amount,  # noqa: B023 (called at once)
                lambda: requests.onchange(values, [], {'amount': {}}),  # noqa: B023 (as above)
                lambda: (request.write(values), request.read(['link'])),  # noqa: B023 (as above)
            ):
                with self.subTest(values=values):
                    self._assert_refused(call, "of a sales order or a customer invoice only")

    def test_when_the_request_is_opened_then_the_access_token_is_already_stored(self):
        """The form is read in a database transaction that is read-only."""
        for document in (self._create_order(), self._create_invoice()):
            document.action_btcpay_request()
            with self.subTest(document=document):
                self.assertTrue(document.read(['access_token'])[0]['access_token'])

    def test_when_the_provider_is_disabled_then_invoices_have_no_request_button(self):
        move = self._create_invoice()
        self.assertTrue(move.btcpay_can_request)
        self.btcpay.state = 'disabled'
        self.env.invalidate_all()
        self.assertFalse(move.btcpay_can_request)

    def test_when_an_order_is_canceled_then_it_has_no_request_button(self):
        order = self._create_order()
        self.assertTrue(order.btcpay_can_request)
        order._action_cancel()
        self.assertFalse(order.btcpay_can_request)

    def test_when_a_payment_is_confirmed_then_only_the_amount_due_is_requested(self):
        order = self._create_order()
        tx = self._create_btcpay_transaction(order, amount=40)
        self.world.pay(tx.btcpay_invoice_id)
        self.world.mine()
        self._look(tx)
        self.env.invalidate_all()
        self.assertRecordValues(self._open_request(order), [{'amount': 60, 'warning': ''}])

    def test_when_a_document_is_a_credit_note_then_nothing_is_due(self):
        self.assertEqual(self._create_invoice(move_type='out_refund')._btcpay_get_amount_due(), 0)

    def test_when_part_of_the_order_is_paid_then_the_retry_link_asks_for_the_amount_due(self):
        order = self._create_order()
        order.action_confirm()
        tx = self._create_btcpay_transaction(order, landing_route=order.get_portal_url())
        for amount, end in [(0, '&payment_amount=100.0'), (70, '&payment_amount=30.0'), (30, '')]:
            if amount:
                self._create_other_transaction(order, amount=amount)._set_done()
                self.env.invalidate_all()
            self.assertEqual(tx._btcpay_get_retry_url(), f'{order.get_portal_url()}{end}')

    def test_when_a_customer_triggers_a_mail_then_the_salesperson_is_its_sender(self):
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

    def test_when_the_salesperson_has_no_email_address_then_the_company_is_the_sender(self):
        seller = new_test_user(self.env, 'guard_mute', groups='sales_team.group_sale_salesman')
        seller.partner_id.email = False
        self.partner.btcpay_request_due = True
        move = self._create_invoice(
            invoice_date_due=fields.Date.today(), invoice_user_id=seller.id
        )
        self._run_schedule()
        [mail] = self._requests(move)
        self.assertEqual(mail.author_id, move.company_id.partner_id)

    def test_when_the_company_has_no_store_then_nobody_is_asked_or_told(self):
        self.partner.btcpay_request_due = True  # By another company, which has one.
        move = self._create_invoice(invoice_date_due=fields.Date.today())
        self.btcpay.sudo().btcpay_connection_state = 'disconnected'
        self._run_schedule()
        self.assertFalse(move.btcpay_requested_at)
        self.assertFalse(move.activity_ids, self._activities(move))

    def test_when_the_mail_template_was_deleted_then_it_is_said_how_to_bring_it_back(self):
        self.partner.btcpay_request_due = True
        order = self._create_order()
        move = self._create_invoice(invoice_date_due=fields.Date.today())
        for document in (order, move):
            wizard = self._open_request(document)
            self.env.ref(document._btcpay_request_template).sudo().unlink()
            self.env.cr.commit()
            with self.subTest(document._name):
                self.assertTrue(wizard.link)
                self._assert_refused(wizard.action_send, "was deleted")
        with mute_logger(MOVE_LOG):
            self._run_schedule()
        self.assertIn("upgrade this app", self._activities(move))

    def test_when_nothing_is_to_be_asked_for_then_the_schedule_tells_nobody(self):
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

    def test_when_the_key_is_refused_then_the_schedule_asks_once_it_is_accepted(self):
        self.partner.btcpay_request_due = True
        moves = self._create_invoice(invoice_date_due=fields.Date.today())
        moves |= self._create_invoice(invoice_date_due=fields.Date.today())
        self.btcpay.sudo().btcpay_is_key_refused = True
        with mute_logger(MOVE_LOG):
            self._run_schedule()
        self.assertFalse(moves.activity_ids, "It is told on the provider.")
        self.assertFalse(self._requests(moves))
        self.btcpay.sudo().btcpay_is_key_refused = False
        self._run_schedule()
        self.assertEqual(len(self._requests(moves)), 2)

    def test_when_an_invoice_is_partly_paid_then_the_schedule_asks_for_the_amount_due(self):
        self.partner.btcpay_request_due = True
        move = self._create_invoice(invoice_date_due=fields.Date.today())
        self.env['account.payment.register'].with_context(
            active_model='account.move', active_ids=move.ids
        ).create({'amount': 70})._create_payments()
        self.assertEqual((move.payment_state, move.amount_residual), ('partial', 30))
        self._run_schedule()
        [mail] = self._requests(move)
        self.assertIn("30.00", html2plaintext(mail.body))

    def test_when_a_scheduled_request_fails_then_its_half_done_changes_are_undone(self):
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

    def test_when_its_time_is_over_then_the_schedule_stops(self):
        self.partner.btcpay_request_due = True
        moves = self._create_invoice(invoice_date_due=fields.Date.today())
        moves |= self._create_invoice(invoice_date_due=fields.Date.today())
        with patch.object(type(self.env['ir.cron']), '_commit_progress', return_value=0):
            self._run_schedule()
        self.assertEqual(len(moves.filtered('btcpay_requested_at')), 1)

    def test_when_the_company_speaks_japanese_then_the_schedules_activity_is_in_japanese(self):
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

    def test_when_the_document_is_in_a_foreign_currency_then_the_request_is_in_it(self):
        euro = self.env.ref('base.EUR')
        euro.active = True
        pricelist = self.env['product.pricelist'].create({'name': "€", 'currency_id': euro.id})
        order = self._create_order(pricelist_id=pricelist.id, currency_id=euro.id)
        move = self._create_invoice(currency_id=euro.id)
        for document in (order, move):
            with self.subTest(document=document):
                wizard = self._open_request(document)
                self.assertEqual((wizard.amount, wizard.currency_id), (100, euro))
                self._send(wizard)
                mail = self._requests(document)[0]
                self.assertIn("100.00&nbsp;€", mail.body)
        tx = self._create_btcpay_transaction(order, currency_id=euro.id)
        self.assertEqual(self.world.invoice(tx.btcpay_invoice_id)['currency'], 'EUR')
        self.world.pay(tx.btcpay_invoice_id)
        self.world.mine()
        self._look(tx)
        self.assertEqual(order.btcpay_received_amount, 100)
