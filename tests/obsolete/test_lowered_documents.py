from odoo.fields import Command
from odoo.tests import tagged

from odoo.addons.payment_btcpay.tests.common import BTCPayCommon
from odoo.addons.payment_btcpay.tests.money_common import MoneyMixin


@tagged('-at_install', 'post_install')
class TestLoweredDocuments(MoneyMixin, BTCPayCommon):
    """Less is due meanwhile than the open invoice asks for, though the total is the same."""

    def _open(self, moves, amount=100.0):
        """Open the Bitcoin invoice of customer invoices."""
        return self._create_btcpay_transaction(
            reference=self._testMethodName[:40], amount=amount,
            invoice_ids=[Command.set(moves.ids)],
        )

    def _register(self, move, amount):
        """Register a payment that came by bank."""
        self.env['account.payment.register'].with_context(
            active_model='account.move', active_ids=move.ids
        ).create({'amount': amount})._create_payments()

    def _credit(self, move, amount):
        """Credit a part of an invoice, and match it with that."""
        note = move._reverse_moves()
        note.invoice_line_ids.price_unit = amount
        note.action_post()
        (move | note).line_ids.filtered(
            lambda line: line.account_type == 'asset_receivable' and not line.reconciled
        ).reconcile()

    def _assert_invalidated(self, tx):
        self._carry_out()
        self.assertEqual(self._status(tx), ('Invalid', 'Marked'))
        self.assertEqual((tx.state, tx.btcpay_status_text), ('cancel', "Invalidated"))

    def test_when_a_part_is_registered_by_bank_then_the_invoice_is_invalidated(self):
        move = self._create_invoice(100)
        tx = self._open(move)
        self._register(move, 60)
        self.assertEqual(move.amount_residual, 40)
        self._assert_invalidated(tx)

    def test_when_a_part_is_credited_then_the_invoice_is_invalidated(self):
        move = self._create_invoice(100)
        tx = self._open(move)
        self._credit(move, 30)
        self.assertEqual(move.amount_residual, 70)
        self._assert_invalidated(tx)

    def _invoice(self, order):
        """Confirm an order and invoice it."""
        self.product.invoice_policy = 'order'
        order.action_confirm()
        move = order._create_invoices()
        move.action_post()
        return move

    def test_when_a_part_of_an_orders_invoice_is_credited_then_its_invoice_is_invalidated(self):
        order = self._create_order()
        move = self._invoice(order)
        tx = self._create_btcpay_transaction(order)
        self._credit(move, 30)
        self.assertEqual((move.amount_residual, order._btcpay_get_amount_due()), (70, 70))
        [link] = tx._btcpay_get_amount_due_links()
        self.assertEqual(link['amount'], 70)
        self._assert_invalidated(tx)

    def test_when_an_orders_invoice_is_credited_and_made_anew_then_its_invoice_stays_open(self):
        order = self._create_order()
        move = self._invoice(order)
        tx = self._create_btcpay_transaction(order)
        self._credit(move, 100)
        self.assertEqual(order._btcpay_get_amount_due(), 0)
        order._create_invoices().action_post()
        self.assertEqual(order._btcpay_get_amount_due(), 100)
        self._carry_out()
        self.assertEqual(self._status(tx), ('New', 'None'))

    def test_when_an_order_invoiced_in_part_is_credited_and_invoiced_anew_then_the_due_is_right(
        self
    ):
        # What is invoiced (or credited, if it is less than 0) of hats at 10.00 and of a coat at
        # 40.00, with 5.00 off; what is to be paid after each, of 95.00.
        for documents in (
            (({'hat': 4}, 95), ({'hat': -4}, 55), ({'hat': 4}, 95), ({'hat': 2, 'coat': 1}, 95)),
            (({'hat': 4}, 95), ({'hat': -4}, 55), ({'coat': 1}, 55), ({'hat': 4}, 95)),
            (({'hat': 4}, 95), ({'hat': -3}, 65), ({'hat': 1}, 75), ({'hat': 4}, 95)),
            (({'hat': 6, 'coat': 1, 'off': 1}, 95), ({'hat': -6, 'coat': -1, 'off': -1}, 0),
             ({'hat': 6, 'off': 1}, 55), ({'coat': 1}, 95), ({'coat': -1}, 55)),
            # Beyond what was ordered.
            (({'hat': 8}, 95), ({'hat': -2}, 95), ({'hat': -1}, 85)),
        ):
            with self.subTest(documents=documents):
                order = self._create_wardrobe()
                for items, due in documents:
                    self._make_move(order, items)
                    self.assertEqual(order._btcpay_get_amount_due(), due, items)

    def test_when_an_order_is_paid_credited_and_invoiced_anew_then_only_the_rest_is_due(self):
        order = self._create_wardrobe()
        move = self._make_move(order, {'hat': 4})
        self._pay_move(move)
        self.assertEqual(order._btcpay_get_amount_due(), 55)
        self._make_move(order, {'hat': -4})
        self.assertEqual(order._btcpay_get_amount_due(), 15)
        anew = self._make_move(order, {'hat': 4})
        self.assertEqual(order._btcpay_get_amount_due(), 55)
        (order.invoice_ids - move).line_ids.filtered(
            lambda line: line.account_type == 'asset_receivable'
        ).reconcile()
        self.assertEqual(anew.amount_residual, 0)
        self.assertEqual(order._btcpay_get_amount_due(), 55)

    def _create_wardrobe(self):
        """Create a confirmed order of six hats and a coat, with a discount: 95.00."""
        order = self._create_order(order_line=[Command.create({
            'product_id': self.product.id, 'name': name, 'product_uom_qty': quantity,
            'price_unit': price,
        }) for name, quantity, price in (('hat', 6, 10), ('coat', 1, 40), ('off', 1, -5))])
        order.action_confirm()
        self.assertEqual(order.amount_total, 95)
        return order

    def _make_move(self, order, items):
        """Invoice or credit lines of an order, by their names and quantities."""
        move = self.env['account.move'].create({
            'move_type': 'out_refund' if min(items.values()) < 0 else 'out_invoice',
            'partner_id': order.partner_id.id, 'currency_id': order.currency_id.id,
            'invoice_line_ids': [Command.create(line._prepare_invoice_line(
                quantity=abs(items[line.name])
            )) for line in order.order_line if line.name in items],
        })
        move.action_post()
        return move

    def test_when_an_orders_credited_invoice_is_paid_all_the_same_then_it_is_flagged_with_the_sum(
        self
    ):
        order = self._create_order()
        move = self._invoice(order)
        tx = self._create_btcpay_transaction(order)
        self._credit(move, 30)
        self.world.pay(tx.btcpay_invoice_id)
        self.world.mine()
        self._look(tx)
        self._post_process()
        self.assertEqual(tx.state, 'done')
        self.assertIn("Refund $ 30.00", self._activities(order).replace('\xa0', ' '))
        # The request is settled with the refund.
        tx._btcpay_request_refund(30)
        self.assertFalse(order.activity_ids)
        self.assertEqual(order._btcpay_get_amount_due(), 0)

    def test_when_one_of_several_invoices_is_paid_then_the_invoice_is_invalidated(self):
        moves = self._create_invoice(40) | self._create_invoice(60)
        tx = self._open(moves)
        self._register(moves[0], 40)
        self._assert_invalidated(tx)

    def test_when_one_of_several_invoices_is_canceled_then_the_invoice_is_invalidated(self):
        moves = self._create_invoice(20) | self._create_invoice(30) | self._create_invoice(50)
        tx = self._open(moves)
        moves[1].button_draft()
        moves[1].button_cancel()
        self._assert_invalidated(tx)

    def test_when_a_down_payment_invoice_is_paid_then_the_orders_invoice_is_invalidated(self):
        for is_paid in (False, True):
            with self.subTest(is_paid=is_paid):
                order = self._create_order()
                order.action_confirm()
                tx = self._create_btcpay_transaction(order)
                down_payment = self._create_down_payment(order)
                down_payment.action_post()
                self.assertEqual(order._btcpay_get_amount_due(), 100)
                if is_paid:
                    self.world.pay(tx.btcpay_invoice_id)
                self._pay_move(down_payment)
                self.assertEqual(order._btcpay_get_amount_due(), 70)
                if not is_paid:
                    self._assert_invalidated(tx)
                    continue
                self.world.mine()
                self._look(tx)
                self._post_process()
                self.assertIn("Refund $ 30.00", self._activities(order).replace('\xa0', ' '))

    def test_when_another_link_is_paid_then_what_asks_for_more_is_invalidated(self):
        order = self._create_order()
        tx = self._create_btcpay_transaction(order, amount=60)
        self._set_done(self._create_other_transaction(order, amount=50))
        self._assert_invalidated(tx)

    def test_when_enough_is_due_then_the_invoice_stays_open(self):
        order = self._create_order()
        other = self._create_other_transaction(order, amount=40)
        tx = self._create_btcpay_transaction(order, amount=60)
        self._set_done(other)
        self._carry_out()
        self.assertEqual(self._status(tx), ('New', 'None'))

    def test_when_it_is_paid_all_the_same_then_it_is_flagged_with_the_sum(self):
        move = self._create_invoice(100)
        tx = self._open(move)
        self._register(move, 60)
        self.world.pay(tx.btcpay_invoice_id)
        self.world.mine()
        self._look(tx)
        self._post_process()
        self.assertEqual(tx.state, 'done')
        self.assertIn("Refund $ 60.00", self._activities(move).replace('\xa0', ' '))
