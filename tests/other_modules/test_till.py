from odoo.fields import Command
from odoo.tests import tagged

from odoo.addons.payment_btcpay.tests.common import BTCPayHttpCommon
from odoo.addons.payment_btcpay.tests.money_common import MoneyMixin


@tagged('post_install', '-at_install')
class TestTill(MoneyMixin, BTCPayHttpCommon):
    """Odoo's till: the customer scans a code on its display, and pays on the phone."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        if cls.env['ir.module.module']._get('pos_online_payment').state != 'installed':
            cls.skipTest(cls, "The till (module pos_online_payment) is not installed.")
        cls.env.user.group_ids += cls.env.ref('point_of_sale.group_pos_manager')
        online = cls.env['pos.payment.method'].create({
            'name': "Online", 'is_online_payment': True,
            'online_payment_provider_ids': [Command.set(cls.btcpay.ids)],
        })
        cls.cash = cls.env['pos.payment.method'].create({
            'name': "Cash", 'journal_id': cls.company_data['default_journal_cash'].id,
        })
        cls.config = cls.env['pos.config'].create({
            'name': "Till", 'payment_method_ids': [Command.set((online | cls.cash).ids)],
        })
        cls.currency = cls.config.currency_id
        cls.product.available_in_pos = True

    def setUp(self):
        super().setUp()
        self.config.open_ui()
        self.till_session = self.config.current_session_id
        self.till_session.set_opening_control(0, None)
        self.authenticate(None, None)

    def _sell(self, **values):
        """Enter an order at the till, whose customer wants to pay on the phone."""
        order = self.env['pos.order'].create({
            'session_id': self.till_session.id, 'company_id': self.company.id, 'amount_tax': 0,
            'amount_total': 100, 'amount_paid': 0, 'amount_return': 0,
            'lines': [Command.create({
                'name': "Hat", 'product_id': self.product.id, 'price_unit': 100, 'qty': 1,
                'price_subtotal': 100, 'price_subtotal_incl': 100, 'tax_ids': [Command.clear()],
            })],
            **values,
        })
        order.next_online_payment_amount = 100
        return order

    def _scan(self, order):
        """Open the page behind the code on the phone, and press “Pay”.

        :return: The transaction.
        """
        self.env.flush_all()
        token = order._portal_ensure_token()
        self.env.flush_all()
        page = self._make_http_get_request(
            self._build_url(f'/pos/pay/{order.id}?access_token={token}')
        )
        context = self._get_payment_context(page)
        values = self.make_jsonrpc_request(
            f'/pos/pay/transaction/{order.id}?access_token={token}', {
                'provider_id': self.btcpay.id, 'payment_method_id': self.payment_method_id,
                'token_id': None, 'amount': context['amount'], 'flow': 'redirect',
                'tokenization_requested': False, 'landing_route': context['landing_route'],
                'is_validation': False, 'access_token': token,
            },
        )
        self.env.invalidate_all()
        return self._get_tx(values['reference'])

    def _close_session(self):
        self.till_session.action_pos_session_closing_control()
        self.assertEqual(self.till_session.state, 'closed')

    def _assert_paid(self, order, tx):
        self.assertEqual((tx.state, order.state, order.amount_paid), ('done', 'paid', 100))
        self.assertEqual(order.payment_ids.online_account_payment_id, tx.payment_id)
        self.assertEqual(tx.payment_id.amount, 100)

    def test_when_lightning_is_paid_at_once_then_the_till_knows_with_no_page_open(self):
        """The customer has no email address, and closes the page."""
        order = self._sell()
        tx = self._scan(order)
        self.assertTrue(tx.btcpay_invoice_id)
        self.assertEqual((tx.amount, tx.partner_id.email), (100, False))
        with self._world_speaks():
            self.world.pay(tx.btcpay_invoice_id, method='BTC-LN')
        self.assertEqual(tx.state, 'done')
        self._post_process()
        self._assert_paid(order, tx)
        self._close_session()

    def test_when_the_phone_comes_back_then_the_confirmation_page_is_shown(self):
        order = self._sell()
        tx = self._scan(order)
        self.world.pay(tx.btcpay_invoice_id, method='BTC-LN')
        self._look(tx)
        self._post_process()
        page = self._make_http_get_request(self._build_url(tx.landing_route))
        self.assertEqual(page.status_code, 200)
        self._assert_paid(order, tx)

    def test_when_an_onchain_payment_settles_in_the_session_then_the_order_is_paid(self):
        order = self._sell()
        tx = self._scan(order)
        self.world.pay(tx.btcpay_invoice_id)
        self._look(tx)
        self._post_process()
        self.assertEqual((tx.state, order.state), ('pending', 'draft'))
        self.world.mine()
        self._look(tx)
        self._post_process()
        self._assert_paid(order, tx)

    def test_when_an_onchain_payment_settles_after_the_session_then_a_person_is_asked(self):
        order = self._sell()
        tx = self._scan(order)
        self.world.pay(tx.btcpay_invoice_id)
        self._look(tx)
        order.action_pos_order_cancel()  # Else Odoo does not close the session.
        self._close_session()
        self.world.mine()
        self._look(tx)
        self._post_process()
        self.assertEqual((tx.state, order.state), ('done', 'cancel'))
        self.assertEqual(tx.payment_id.amount, 100)
        self.assertIn("for what had been canceled", self._activities(self.company.partner_id))

    def test_when_the_order_is_paid_in_cash_or_canceled_then_the_invoice_is_invalidated(self):
        for pay in (True, False):
            order = self._sell()
            tx = self._scan(order)
            if pay:
                order.add_payment({
                    'pos_order_id': order.id, 'amount': 100, 'payment_method_id': self.cash.id,
                })
                order.action_pos_order_paid()
            else:
                order.action_pos_order_cancel()
            self._carry_out()
            with self.subTest(pay=pay):
                self.assertEqual(self._status(tx), ('Invalid', 'Marked'))
                self.assertEqual(tx.state, 'cancel')

    def test_when_a_part_is_accepted_then_the_till_asks_for_the_rest_only(self):
        self.btcpay.btcpay_accept_partial = True
        order = self._sell()
        tx = self.tx = self._scan(order)
        self._receive('0.4')
        self.assertEqual((order.amount_paid, order.get_amount_unpaid()), (40, 60))
        [receipt] = tx.child_transaction_ids
        self.assertEqual(order.payment_ids.online_account_payment_id, receipt.payment_id)
        order.next_online_payment_amount = 60  # As the till does.
        rest = self._scan(order)
        self.assertEqual(rest.amount, 60)
        self.world.pay(rest.btcpay_invoice_id, method='BTC-LN')
        self._look(rest)
        self._post_process()
        self.assertEqual((order.state, order.amount_paid), ('paid', 100))
        self.assertFalse(self._activities(self.company.partner_id))
        self._close_session()

    def test_when_the_code_is_scanned_twice_then_the_older_invoice_is_invalidated(self):
        order = self._sell()
        first, second = self._scan(order), self._scan(order)
        self._carry_out()
        self.assertEqual(self._status(first), ('Invalid', 'Marked'))
        self.world.pay(second.btcpay_invoice_id)
        self._look(second)
        self.assertEqual(self._scan(order).btcpay_seen_transaction_id, second)
        self.world.mine()
        self._look(second)
        self._post_process()
        self._assert_paid(order, second)

    def test_when_it_is_paid_twice_all_the_same_then_a_person_is_asked(self):
        for late in (False, True):
            with self.subTest(late=late):
                order = self._sell()
                first = self.tx = self._scan(order)
                if late:
                    self.world.expire(first.btcpay_invoice_id)
                    self._look(first)
                    order.add_payment({
                        'pos_order_id': order.id, 'amount': 100, 'payment_method_id': self.cash.id,
                    })
                    order.action_pos_order_paid()
                    self.world.pay(first.btcpay_invoice_id)
                    self.world.mine()
                    self._look(first)
                    first.action_btcpay_accept_late()
                    self._carry_out()
                else:
                    second = self._scan(order)
                    for tx in (first, second):
                        self.world.pay(tx.btcpay_invoice_id, method='BTC-LN')
                        self._look(tx)
                self._post_process()
                activities = self._activities(self.company.partner_id)
                self.assertIn("in another way" if late else "paid twice", activities)
                (first if late else second)._btcpay_request_refund(100)
                self.assertFalse(self._activities(self.company.partner_id))

    # === ORDERS THAT ARE SETTLED AT THE TILL === #

    def _settle(self, sale, amount=100):
        """Have a sales order, or a part of it, paid in cash at the till (module `pos_sale`)."""
        order = self._sell(partner_id=self.partner.id, amount_total=amount)
        order.lines.write({
            'sale_order_origin_id': sale.id, 'sale_order_line_id': sale.order_line.id,
            'price_unit': amount, 'price_subtotal': amount, 'price_subtotal_incl': amount,
        })
        order.add_payment({
            'pos_order_id': order.id, 'amount': amount, 'payment_method_id': self.cash.id,
        })
        self.assertEqual(sale._btcpay_get_amount_due(), 100, "It is not paid yet.")
        order.action_pos_order_paid()
        self.env.cr.commit()

    def test_when_a_sales_order_is_settled_then_its_invoice_is_invalidated(self):
        for amount in (100, 40):
            with self.subTest(amount=amount):
                sale = self._create_order()
                tx = self._create_btcpay_transaction(sale)
                self._settle(sale, amount)
                self.assertEqual(sale._btcpay_get_amount_due(), 100 - amount)
                self._carry_out()
                self.assertEqual(self._status(tx), ('Invalid', 'Marked'))

    def test_when_a_settled_sales_order_is_paid_all_the_same_then_a_person_is_asked(self):
        sale = self._create_order()
        tx = self._create_btcpay_transaction(sale)
        self.world.pay(tx.btcpay_invoice_id, method='BTC-LN')
        self._settle(sale)
        self._look(tx)
        self._post_process()
        self.assertIn("what had been paid in another way", self._activities(sale))
        tx._btcpay_request_refund(100)
        self.assertFalse(sale.activity_ids)
