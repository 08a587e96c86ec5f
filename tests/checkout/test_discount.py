from odoo.exceptions import ValidationError
from odoo.fields import Command
from odoo.tests import tagged
from odoo.tools import mute_logger

from odoo.addons.payment_btcpay.tests.checkout.methods_common import TAXES, DiscountMixin
from odoo.addons.payment_btcpay.tests.common import BTCPayCommon


@tagged('post_install', '-at_install')
class TestDiscount(DiscountMixin, BTCPayCommon):

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.taxes = {
            name: cls.env['account.tax'].create({
                'name': name, 'amount': amount, 'amount_type': kind,
                'price_include_override': include, 'company_id': cls.company.id,
            })
            for name, amount, kind, include in TAXES
        }
        # By chain, so that it can be seen before it is settled.
        cls.btcpay.sudo().btcpay_discount_method_id = cls.chain

    def _begin(self, order, method=None, **values):
        return super()._begin(order, method or self.chain, **values)

    def _sell(self, *lines, **values):
        """Make a quotation of lines: a price, its taxes, and a quantity if it is not 1."""
        return self._create_order(order_line=[
            Command.create({
                'product_id': self.product.id, 'price_unit': price,
                'product_uom_qty': quantity[0] if quantity else 1,
                'tax_ids': [Command.set([self.taxes[name].id for name in names.split()])],
            })
            for price, names, *quantity in lines
        ], **values)

    # === TO THE CENT === #

    def test_when_it_is_paid_then_order_transaction_invoices_and_payment_agree_to_the_cent(self):
        for name, lines, total, asked in [
            ("without taxes", [(100, '')], 100, 95),
            ("excluded", [(100, '21e')], 121, 114.95),
            ("included", [(121, '21i')], 121, 114.95),
            ("odd cents", [(33.33, '21e'), (19.99, '6e', 3)], 103.90, 98.70),
            ("both", [(33.33, '21e'), (19.99, '6i', 3), (7.77, '')], 108.07, 102.67),
            ("one cent taxes", [(0.07, '21i', 13), (0.33, '6e', 7)], 3.36, 3.19),
            ("a coupon", [(100, '21e'), (50, '6e'), (-10, '21e'), (-5, '6e')], 156.60, 148.77),
            ("a gift card", [(100, '21e'), (-20, '')], 101, 95.95),
            ("two rates and a gift card", [(33.33, '21i'), (20, '6i'), (-7.5, '')], 45.83, 43.54),
            ("delivery", [(80, '21e'), (4.95, '21e')], 102.79, 97.65),
            ("a fixed tax", [(100, '21e 1f')], 122, 115.90),
            ("many", [(9.99, '21i', 7), (1.49, '6i', 11), (0.95, '21e', 3)], 89.78, 85.29),
        ]:
            with self.subTest(name):
                order = self._sell(*lines)
                self.assertEqual(order.amount_total, total)
                tx = self._begin(order)
                self.assertEqual((tx.amount, order.amount_total), (asked, total))
                self.assertEqual(float(self.world.invoice(tx.btcpay_invoice_id)['amount']), asked)
                self._see(tx)
                self.assertEqual((tx.state, order.state), ('pending', 'draft'))
                self.assertEqual(order.amount_total, asked)
                discount = self._discount_lines(order)
                self.assertTrue(all(line.price_total < 0 for line in discount))
                self.world.mine()
                self._look(tx)
                self._post_process()
                self.assertEqual((tx.state, order.state), ('done', 'sale'))
                self.assertEqual(self._discount_lines(order), discount)
                self.assertEqual((order.amount_total, order.amount_paid), (asked, asked))
                self.assertEqual(tx.payment_id.amount, asked)
                self.assertEqual(order._btcpay_get_amount_due(), 0)
                move = order._create_invoices()
                move.action_post()
                self.assertEqual((move.amount_total, move.amount_residual), (asked, 0))
                self.assertEqual(move.amount_tax, order.amount_tax)
                self.assertFalse(order.activity_ids or tx.btcpay_review_note)

    def test_when_it_is_granted_then_the_taxes_are_split_as_by_odoos_own_discount(self):
        for lines in (
            [(100, '21e')], [(121, '21i')], [(33.33, '21e'), (19.99, '6i', 3), (7.77, '')],
            [(9.99, '21i', 7), (1.49, '6i', 11)], [(100, '21e'), (-10, '21e')],
        ):
            with self.subTest(lines=lines):
                order, same = self._sell(*lines), self._sell(*lines)
                tx = self._begin(order)
                self._see(tx)
                self.env['sale.order.discount'].create({
                    'sale_order_id': same.id, 'discount_type': 'amount',
                    'discount_amount': tx.btcpay_discount_amount,
                }).action_apply_discount()
                self.assertEqual(order.amount_total, same.amount_total)
                self.assertEqual(order.amount_tax, same.amount_tax)
                self.assertEqual(
                    order.order_line.mapped('price_total'), same.order_line.mapped('price_total')
                )

    def _round_to_cash(self, move, strategy):
        """Have an invoice rounded to five cents, and post it."""
        move.invoice_cash_rounding_id = self.env['account.cash.rounding'].create({
            'name': "Five cents", 'rounding': 0.05, 'strategy': strategy,
            'profit_account_id': self.company_data['default_account_revenue'].id,
            'loss_account_id': self.company_data['default_account_expense'].id,
        })
        move.action_post()

    def test_when_what_was_paid_would_be_rounded_to_cash_then_all_agrees_to_the_cent(self):
        for strategy in ('add_invoice_line', 'biggest_tax'):
            for method, asked in ((self.chain, 99.77), (self.lightning, 105.02)):
                with self.subTest(strategy=strategy, asked=asked):
                    order = self._sell((86.79, '21e'))
                    tx = self._begin(order, method)
                    self.world.pay(tx.btcpay_invoice_id, method=tx._btcpay_get_asked_methods()[0])
                    self.world.mine()
                    self._look(tx)
                    self._post_process()
                    move = order._create_invoices()
                    self._round_to_cash(move, strategy)
                    self.assertEqual(
                        (order.amount_total, tx.amount, tx.payment_id.amount, move.amount_total),
                        4 * (asked,),
                    )
                    self.assertEqual(move.amount_residual, 0)
                    self.assertAlmostEqual(move.tax_totals['total_amount_currency'], asked)
                    self.assertEqual(move.amount_tax, order.amount_tax)
                    self.assertIn("was not rounded to cash", self._notes(move))

    def test_when_less_or_nothing_was_paid_before_then_the_rounded_total_is_asked_for(self):
        for paid in (0, 50):
            with self.subTest(paid=paid):
                order = self._sell((86.79, '21e'), prepayment_percent=0.2)
                if paid:
                    tx = self._begin(order, amount=paid)
                    self.world.pay(tx.btcpay_invoice_id)
                    self.world.mine()
                    self._look(tx)
                    self._post_process()
                else:
                    order.action_confirm()
                self.assertEqual((order.state, order.amount_paid), ('sale', paid))
                move = order._create_invoices()
                self._round_to_cash(move, 'add_invoice_line')
                self.assertEqual((move.amount_total, move.amount_residual), (105, 105 - paid))
                rest = self._begin(
                    None, invoice_ids=[Command.set(move.ids)], amount=move.amount_residual
                )
                self.world.pay(rest.btcpay_invoice_id)
                self.world.mine()
                self._look(rest)
                self._post_process()
                self.assertEqual((rest.amount, rest.btcpay_discount_amount), (105 - paid, 0))
                self.assertEqual(
                    (rest.payment_id.amount, move.amount_residual), (105 - paid, 0)
                )

    def test_when_the_currency_has_no_or_more_digits_then_the_discount_is_rounded_so(self):
        self.env.ref('product.decimal_price').digits = 8
        for name, total, asked, sent in [
            ('JPY', 1999, 1899, ('1899', 'JPY')), ('KWD', 12.345, 11.728, ('11.728', 'KWD')),
            ('BTC', 0.00123457, 0.00117284, ('0.00117284', 'BTC')),
            ('SAT', 123457, 117284, ('117284', 'SATS')),
        ]:
            self.currency = self._enable_currency(name)
            order = self._create_order(total)
            order.currency_id = self.currency
            tx = self._begin(order)
            body = self.world.requests()[-1]['body']
            self._see(tx)
            self.world.mine()
            self._look(tx)
            self._post_process()
            with self.subTest(currency=name):
                self.assertEqual((body['amount'], body['currency']), sent)
                self.assertEqual(
                    (tx.amount, order.amount_total, order.amount_paid, tx.payment_id.amount),
                    4 * (asked,),
                )
                self.assertEqual(order.state, 'sale')

    def test_when_a_fixed_discount_is_set_then_it_is_taken_off_in_the_orders_currency(self):
        self.btcpay.sudo().write({'btcpay_discount_percent': 0, 'btcpay_discount_fixed': 3})
        order = self._create_order()
        main = self.btcpay.company_id.currency_id
        fixed = main._convert(3, order.currency_id, self.btcpay.company_id, '2026-01-01')
        self.assertEqual(self._begin(order).amount, 100 - fixed)
        # What would leave nothing to pay is none.
        self.assertEqual(self._begin(self._create_order(1)).amount, 1)

    def test_when_a_discount_can_be_none_then_it_is_refused(self):
        for values in (
            {'btcpay_discount_percent': 100}, {'btcpay_discount_percent': -1},
            {'btcpay_discount_fixed': -1},
        ):
            with self.subTest(**values), self.assertRaises(ValidationError):
                self.btcpay.sudo().write(values)

    # === NOTHING IS LEFT BEHIND === #

    def test_when_the_invoice_expires_then_the_order_is_as_it_was(self):
        order = self._create_order()
        tx = self._begin(order)
        self.world.expire(tx.btcpay_invoice_id)
        self._look(tx)
        self.assertEqual((tx.state, order.amount_total), ('cancel', 100))
        self.assertFalse(self._discount_lines(order))

    def test_when_another_method_is_chosen_then_the_whole_is_asked_for_and_paid(self):
        order = self._create_order()
        self._begin(order)
        tx = self._begin(order, self.lightning)
        self.assertEqual((tx.amount, order.amount_total), (100, 100))
        self.world.pay(tx.btcpay_invoice_id, method='BTC-LN')
        self._look(tx)
        self._post_process()
        self.assertEqual((order.state, order.amount_total, order.amount_paid), ('sale', 100, 100))

    def test_when_another_provider_is_paid_then_the_discount_is_gone(self):
        order = self._create_order()
        tx = self._begin(order)
        other = self._create_other_transaction(order)
        self._set_done(other)
        self._post_process()
        self._carry_out()
        self.assertEqual((tx.state, order.state, order.amount_total), ('cancel', 'sale', 100))

    def test_when_two_tabs_are_open_then_it_is_granted_once(self):
        order = self._create_order()
        first, second = self._begin(order), self._begin(order)
        self.assertEqual((first.amount, second.amount), (95, 95))
        for tx in (first, second):
            self._see(tx)
        self.assertEqual(order.amount_total, 95)
        self.assertEqual(self._discount_lines(order).btcpay_discount_transaction_id, first)

    def test_when_it_is_synced_again_then_it_is_not_granted_twice(self):
        order = self._create_order()
        tx = self._begin(order)
        self._see(tx)
        line = self._discount_lines(order)
        for _time in range(2):
            self._look(tx)
        self.assertEqual((self._discount_lines(order), order.amount_total), (line, 95))

    def test_when_a_person_takes_it_off_a_confirmed_order_then_it_stays_off(self):
        order = self._create_order()
        tx = self._begin(order)
        self._see(tx)
        self.world.mine()
        self._look(tx)
        self._post_process()
        self._discount_lines(order).product_uom_qty = 0
        self._look(tx)
        self.assertEqual((order.state, order.amount_total), ('sale', 100))

    def test_when_the_payment_vanishes_then_it_is_taken_off_and_comes_again_with_the_next(self):
        order = self._create_order()
        tx = self._begin(order)
        txid = self.world.pay(tx.btcpay_invoice_id, replaceable=True)
        self._look(tx)
        self.assertEqual(order.amount_total, 95)
        self.world.replace(txid)
        self.world.mine()
        self._look(tx)
        self.assertEqual((tx.btcpay_status, order.amount_total), ('New', 100))
        self.assertFalse(self._discount_lines(order))
        self._see(tx)
        self.assertEqual(order.amount_total, 95)

    def test_when_a_part_is_paid_in_time_and_expires_then_it_is_taken_off(self):
        order = self._create_order()
        tx = self._begin(order)
        self._see(tx, fraction='0.5')
        self.assertEqual((tx.state, order.amount_total), ('pending', 95))
        self.world.expire(tx.btcpay_invoice_id)
        self.world.mine()
        self._look(tx)
        self.assertEqual((tx.state, order.amount_total), ('cancel', 100))
        tx.action_btcpay_accept_partial()
        self.env.cr.commit()
        self.assertEqual(order._btcpay_get_amount_due(), 52.5)

    def test_when_it_is_paid_late_then_it_is_granted_once_that_is_accepted(self):
        order = self._create_order()
        self.tx = self._begin(order)
        self._receive(late=True)
        self.assertEqual((self.tx.state, order.amount_total), ('cancel', 100))
        self.tx.action_btcpay_accept_late()
        self._carry_out()
        self._post_process()
        self.assertEqual((self.tx.state, order.state, order.amount_total), ('done', 'sale', 95))

    def test_when_the_merchant_marks_the_invoice_invalid_then_it_is_taken_off(self):
        order = self._create_order()
        tx = self._begin(order)
        self._see(tx)
        self.world.mark(tx.btcpay_invoice_id, 'Invalid')
        with self._quiet():
            self._look(tx)
        self.assertEqual((tx.state, order.amount_total), ('error', 100))

    def test_when_only_what_is_saved_makes_it_too_small_then_it_is_paid_as_it_was_offered(self):
        self.btcpay.btcpay_minimum_amount = 98
        self.currency = self.btcpay.main_currency_id
        order = self._create_order()
        self.assertEqual(self._begin(order).amount, 95)
        self.btcpay.btcpay_minimum_amount = 101
        with mute_logger('odoo.addons.payment_btcpay.models.payment_transaction.checkout'):
            tx = self._begin(order, make_invoice=False)
            tx._get_processing_values()
        self.assertEqual((tx.state, tx.btcpay_invoice_id), ('error', False))

    # === WHERE THERE IS NONE === #

    def test_when_the_order_is_confirmed_or_partly_paid_then_there_is_none(self):
        confirmed = self._create_order()
        confirmed.action_confirm()
        self.assertEqual(self._begin(confirmed).amount, 100)
        partly = self._create_order()
        self._set_done(self._create_other_transaction(partly, amount=40))
        self.assertEqual(self._begin(partly, amount=60).amount, 60)
        self.assertEqual(self._begin(self._create_order(), amount=40).amount, 40)  # A part of it.

    def test_when_a_part_of_an_earlier_payment_has_arrived_then_there_is_none(self):
        for late in (False, True):
            with self.subTest(late=late):
                order = self._create_order()
                self.tx = self._begin(order, self.payment_method)
                self._receive('0.5', late=late)
                self.assertEqual((self.tx.state, order.amount_paid), ('cancel', 0))
                self.assertIsNone(
                    self.btcpay.sudo()._btcpay_describe_discount(order, self.chain, 100)
                )
                self.assertEqual(self._begin(order).amount, 100)

    def test_when_a_posted_invoice_is_paid_then_there_is_none(self):
        move = self._create_invoice()
        tx = self._begin(None, invoice_ids=[Command.set(move.ids)])
        self.assertEqual((tx.amount, tx.btcpay_discount_amount), (100, 0))

    def test_when_nothing_is_paid_for_or_the_method_is_another_then_there_is_none(self):
        self.assertEqual(self._begin(None).amount, 100)
        for method in (self.lightning, self.payment_method):
            self.assertEqual(self._begin(self._create_order(), method).amount, 100)

    def test_when_the_order_was_confirmed_meanwhile_then_it_stays_and_a_person_is_asked(self):
        order = self._create_order()
        tx = self._begin(order)
        order.action_confirm()
        self._see(tx)
        self.world.mine()
        self._look(tx)
        self._post_process()
        self.assertEqual((tx.state, order.amount_total), ('done', 100))
        self.assertFalse(self._discount_lines(order))
        self.assertIn("was paid with a discount of", self._activities(order))

    def test_when_the_order_was_changed_meanwhile_then_it_is_not_granted(self):
        order = self._create_order()
        tx = self._begin(order)
        order.order_line.price_unit = 120
        self._see(tx)
        self.assertEqual(order.amount_total, 120)
        self.assertFalse(self._discount_lines(order))

    def test_when_an_order_is_duplicated_then_its_copy_has_no_discount(self):
        order = self._create_order()
        self._see(self._begin(order))
        self.assertEqual((order.amount_total, order.copy().amount_total), (95, 100))

    def test_when_the_shop_computes_taxes_anew_then_those_of_the_discount_stay(self):
        order = self._sell((100, '21e'))
        order.order_line.product_id.taxes_id = self.taxes['21e']
        self._see(self._begin(order))
        self.assertEqual(order.amount_total, 114.95)
        order._recompute_taxes()
        order._recompute_prices()
        self.assertEqual(self._discount_lines(order).tax_ids, self.taxes['21e'])

    # === WORDS === #

    def test_when_the_method_is_shown_then_it_says_what_is_saved(self):
        order = self._create_order()
        describe = self.btcpay.sudo()._btcpay_describe_discount
        self.assertEqual(describe(order, self.chain, 100), ("−5 %", "You pay $\xa095.00"))
        self.assertIsNone(describe(order, self.lightning, 100))
        self.assertIsNone(describe(order, self.chain, 40))
        self.assertIsNone(describe(None, self.chain, 100))
        self.btcpay.sudo().btcpay_discount_percent = 2.5
        self.assertEqual(describe(order, self.chain, 100), ("−2.5 %", "You pay $\xa097.50"))

    def test_when_it_is_granted_then_the_line_says_for_what_in_the_customers_language(self):
        order = self._sell((100, '21e'), (50, '6e'))
        self._see(self._begin(order))
        self.assertEqual(set(self._discount_lines(order).mapped('name')), {
            "Discount for paying with Bitcoin (21e)", "Discount for paying with Bitcoin (6e)",
        })
