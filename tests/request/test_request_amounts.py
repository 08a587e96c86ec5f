from datetime import timedelta
from unittest.mock import patch

from odoo import fields
from odoo.fields import Command
from odoo.tests import tagged
from odoo.tools import html2plaintext

from odoo.addons.payment_btcpay.tests.common import BTCPayHttpCommon
from odoo.addons.payment_btcpay.tests.request.request_common import RequestMixin


@tagged('post_install', '-at_install')
class TestRequestAmounts(RequestMixin, BTCPayHttpCommon):
    """What is asked for is what is due, and by when."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        terms = cls.env['account.payment.term']
        cls.early = terms.create({
            'name': "2 % early", 'early_discount': True, 'discount_percentage': 2,
            'discount_days': 10, 'line_ids': [Command.create({'value_amount': 100})],
        })
        cls.installments = terms.create({
            'name': "30 now, 30 and 40 later", 'line_ids': [
                Command.create({'value_amount': percent, 'nb_days': days})
                for percent, days in ((30, 0), (30, 30), (40, 60))
            ],
        })

    def _create_termed(self, amount, terms, days_ago=0):
        return self._create_invoice(
            amount, invoice_payment_term_id=terms.id,
            invoice_date=fields.Date.today() - timedelta(days=days_ago),
        )

    def _text(self, mail):
        return html2plaintext(str(mail.body)).replace('\xa0', ' ')

    # === EARLY PAYMENT DISCOUNTS === #

    def test_when_there_is_an_early_payment_discount_then_mail_and_page_ask_for_the_same(self):
        for days_ago, amount in ((0, 980), (10, 980), (11, 1000)):
            with self.subTest(days_ago=days_ago):
                move = self._create_termed(1000, self.early, days_ago)
                wizard = self._open_request(move)
                self.assertRecordValues(wizard, [{
                    'amount': amount, 'due_amount': amount, 'has_installment': False,
                }])
                self._send(wizard)
                shown = f'$ {amount:,}.00'
                [mail] = self._requests(move)
                self.assertIn(shown, self._text(mail))
                self.env.flush_all()
                page = self._make_http_get_request(wizard.link)
                self.assertEqual(self._get_payment_context(page)['amount'], amount)
                modal = page.text.split('id="pay_with"')[1].split('o_payment_form')[0]
                self.assertIn(shown, ' '.join(html2plaintext(modal).split()))

    def test_when_more_than_the_discounted_amount_is_requested_then_it_is_refused(self):
        wizard = self._open_request(
            self._create_termed(1000, self.early), amount_type='amount', amount=1000
        )
        self.assertIn("At most $ 980.00", wizard.warning.replace('\xa0', ' '))

    # === INSTALLMENTS === #

    def test_when_an_invoice_has_installments_then_the_wizard_asks_for_what_is_due_of_them(self):
        for days_ago, amount in ((0, 300), (29, 300), (30, 600), (60, 1000)):
            with self.subTest(days_ago=days_ago):
                move = self._create_termed(1000, self.installments, days_ago)
                self.assertRecordValues(self._open_request(move), [{
                    'amount': amount, 'due_amount': 1000, 'has_installment': amount < 1000,
                    'amount_type': 'installment' if amount < 1000 else 'full',
                }])

    def test_when_a_part_of_an_installment_is_paid_then_its_rest_is_asked_for(self):
        move = self._create_termed(1000, self.installments)
        self.env['account.payment.register'].with_context(
            active_model='account.move', active_ids=move.ids
        ).create({'amount': 100})._create_payments()
        self.assertRecordValues(self._open_request(move), [{'amount': 200, 'due_amount': 900}])

    def test_when_installments_come_due_then_the_schedule_asks_for_each_once(self):
        self.partner.btcpay_request_due = True
        move = self._create_termed(1000, self.installments)
        start = fields.Date.today()
        asked = []
        for days in (0, 1, 29, 30, 31, 60, 61):
            today = start + timedelta(days=days)
            with (
                patch.object(fields.Date, 'today', lambda *_args, today=today: today),
                patch.object(fields.Date, 'context_today', lambda *_args, today=today: today),
            ):
                before = len(self._requests(move))
                self._run_schedule()
            new = self._requests(move)[:len(self._requests(move)) - before]
            asked += [(days, self._text(mail).split('$ ')[1].split('*')[0]) for mail in new]
            if days == 1:  # The first is paid, the others are not.
                self.env['account.payment.register'].with_context(
                    active_model='account.move', active_ids=move.ids
                ).create({'amount': 300})._create_payments()
        self.assertEqual(asked, [(0, '300.00'), (30, '300.00'), (60, '700.00')])

    def test_when_all_was_requested_before_then_the_schedule_asks_for_no_installment_again(self):
        self.partner.btcpay_request_due = True
        move = self._create_termed(1000, self.installments)
        self._send(self._open_request(move, amount_type='full'))
        self.assertEqual(move.btcpay_requested_until, move.invoice_date_due)
        self._run_schedule()
        self.assertEqual(len(self._requests(move)), 1)

    # === PAID BY OTHER LINKS === #

    def _create_invoiced_order(self):
        """Return an order with an invoice that was made before the order is paid."""
        self.product.invoice_policy = 'order'
        order = self._create_order()
        order.action_confirm()
        move = order._create_invoices()
        move.action_post()
        self.assertEqual(move.amount_residual, 100)
        return order, move

    def _pay(self, amount=100, **values):
        tx = self._create_btcpay_transaction(
            reference=f'{self._testMethodName[-30:]}-{amount}', amount=amount, **values
        )
        self.world.pay(tx.btcpay_invoice_id)
        self.world.mine()
        self._look(tx)
        self._post_process()
        self.env.invalidate_all()

    def test_when_the_order_is_paid_by_its_link_then_nothing_is_asked_for_its_invoice(self):
        order, move = self._create_invoiced_order()
        self._pay(sale_order_ids=[Command.set(order.ids)])
        move.line_ids.remove_move_reconcile()
        self.assertEqual(move.amount_residual, 100, "An accountant has unmatched it.")
        for document in (order, move):
            self.assertEqual(document._btcpay_get_amount_due(), 0)
            self.assertEqual(document._btcpay_find_request_obstacle(), "Nothing is due.")
        self.partner.btcpay_request_due = True
        move.invoice_date_due = fields.Date.today()
        self._run_schedule()
        self.assertFalse(self._requests(move))

    def test_when_a_part_is_paid_by_the_orders_link_then_the_rest_is_asked_for(self):
        order, move = self._create_invoiced_order()
        self._pay(40, sale_order_ids=[Command.set(order.ids)])
        for document in (order, move):
            self.assertEqual(self._open_request(document).amount, 60)

    def test_when_a_part_of_the_orders_invoice_is_credited_then_the_rest_is_asked_for(self):
        order, move = self._create_invoiced_order()
        credit_note = move._reverse_moves()
        credit_note.invoice_line_ids.price_unit = 30
        credit_note.action_post()
        (move | credit_note).line_ids.filtered(
            lambda line: line.account_type == 'asset_receivable'
        ).reconcile()
        for document in (order, move):
            self.assertEqual(self._open_request(document).amount, 70)

    def test_when_another_provider_was_paid_for_the_order_then_nothing_is_asked_for_its_invoice(
        self
    ):
        order, move = self._create_invoiced_order()
        self._set_done(self._create_other_transaction(order))
        for document in (order, move):
            self.assertEqual(document._btcpay_get_amount_due(), 0)

    def test_when_the_invoice_is_paid_by_its_link_then_nothing_is_asked_for_the_order(self):
        order, move = self._create_invoiced_order()
        self._pay(invoice_ids=[Command.set(move.ids)])
        self.assertEqual(move.amount_residual, 0)
        self.assertEqual(order._btcpay_get_amount_due(), 0)
        self.assertFalse(order.activity_ids | move.activity_ids)

    def test_when_a_payment_by_another_link_is_seen_then_nothing_is_asked_for_meanwhile(self):
        for paid_by in ('sale_order_ids', 'invoice_ids'):
            order, move = self._create_invoiced_order()
            documents = {'sale_order_ids': order, 'invoice_ids': move}
            other = move if paid_by == 'sale_order_ids' else order
            tx = self._create_btcpay_transaction(
                reference=f'seen-{paid_by}', **{paid_by: [Command.set(documents[paid_by].ids)]}
            )
            self.world.pay(tx.btcpay_invoice_id)
            self._look(tx)
            self.env.invalidate_all()
            with self.subTest(paid_by=paid_by):
                self.assertIn("already received and is not confirmed", (
                    other._btcpay_find_request_problem(100)
                ))

    # === THE PROVIDER === #

    def _create_second(self, **values):
        second = self.btcpay.sudo().copy({'name': "Second"})
        second.write({
            'btcpay_server_url': self.world.url, 'btcpay_api_key': self.api_key,
            'btcpay_store_id': self.store_id, 'btcpay_connection_state': 'connected',
            'btcpay_store_payment_methods': self.btcpay.sudo().btcpay_store_payment_methods,
            'sequence': self.btcpay.sequence + 1,
            'payment_method_ids': [Command.set(self.payment_method.ids)],
        })
        second.write({'state': 'enabled', 'is_published': True, **values})
        return second

    def test_when_a_provider_cannot_be_used_then_it_is_not_taken_and_the_reason_is_named(self):
        for document in (self._create_order(), self._create_invoice()):
            for values, reason in (
                ({'state': 'test'}, "is in test mode"),
                ({'is_published': False}, "is not published"),
                ({'state': 'disabled'}, "is disabled"),
                ({'available_currency_ids': [Command.set(self.env.ref('base.EUR').ids)]},
                 "does not take USD"),
            ):
                with self.subTest(document=document, values=values):
                    self.btcpay.write({
                        'state': 'enabled', 'is_published': True,
                        'available_currency_ids': [Command.clear()],
                    })
                    self.btcpay.write(values)
                    self.env.invalidate_all()
                    self.assertFalse(document._btcpay_get_provider())
                    self.assertFalse(document.btcpay_can_request)
                    self.assertIn(reason, document._btcpay_find_request_obstacle())

    def test_when_a_provider_is_of_another_website_then_it_is_not_taken(self):
        if 'website_id' not in self.btcpay._fields:
            self.skipTest("There are no websites.")
        company = self.env.company
        own, other = self.env['website'].create([
            {'name': name, 'company_id': company.id} for name in ("Own", "Other")
        ])
        order = self._create_order()
        order.website_id = own
        for website, is_taken in ((own, True), (other, False), (self.env['website'], True)):
            self.btcpay.website_id = website
            self.env.invalidate_all()
            self.assertEqual(bool(order._btcpay_get_provider()), is_taken)
        self.btcpay.website_id = other
        self.assertIn("is for the website Other only", order._btcpay_find_request_obstacle())

    def test_when_there_are_several_providers_then_one_the_customer_can_use_is_taken(self):
        order = self._create_order()
        second = self._create_second()
        self.assertEqual(order._btcpay_get_provider(), self.btcpay)
        france, spain = self.env.ref('base.fr'), self.env.ref('base.es')
        self.partner.country_id = france
        for values in (
            {'maximum_amount': 50}, {'available_country_ids': [Command.set(spain.ids)]},
            {'state': 'test'}, {'is_published': False},
            {'payment_method_ids': [Command.clear()]},
            {'btcpay_store_payment_methods': False}, {'btcpay_store_payment_methods': 'LTC-CHAIN'},
        ):
            with self.subTest(values=values):
                self.btcpay.sudo().write({
                    'maximum_amount': 0, 'available_country_ids': [Command.clear()],
                    'state': 'enabled', 'is_published': True,
                    'payment_method_ids': [Command.set(self.payment_method.ids)],
                    'btcpay_store_payment_methods': 'BTC-CHAIN BTC-LN', **values,
                })
                self.env.invalidate_all()
                self.assertEqual(order._btcpay_get_provider(), second)
                self.assertFalse(self._open_request(order).warning)
