from dataclasses import replace
from decimal import Decimal
from unittest.mock import patch

from odoo.exceptions import AccessError, ValidationError
from odoo.tests import new_test_user, tagged

from odoo.addons.payment_btcpay.greenfield import Client
from odoo.addons.payment_btcpay.tests.common import BTCPayCommon


@tagged('post_install', '-at_install')
class TestPayments(BTCPayCommon):
    """The payments an invoice consists of."""

    def test_when_a_payment_is_synced_then_its_satoshis_are_stored_exactly(self):
        """Satoshis do not survive binary floats: they stay decimal strings."""
        tx = self._create_btcpay_transaction(self._create_order(4321.09))
        txid = self.world.pay(tx.btcpay_invoice_id, amount='0.08642180')
        tx._btcpay_sync()
        payment = tx.btcpay_payment_ids
        self.assertRecordValues(payment, [{
            'method': 'BTC-CHAIN',
            'crypto_currency': 'BTC',
            'amount': 4321.09,
            'status': 'Processing',
        }])
        self.assertEqual(Decimal(payment.crypto_amount), Decimal('0.08642180'))
        self.assertEqual(Decimal(payment.rate), 50000)
        self.assertNotIn('E', (payment.crypto_amount + payment.crypto_fee + payment.rate).upper())
        self.assertTrue(payment.payment_ref.startswith(txid))
        at_server = self.world.payment_methods(tx.btcpay_invoice_id)['BTC-CHAIN']['payments'][0]
        self.assertEqual(payment.payment_ref, at_server['id'])
        self.assertEqual(payment.destination, at_server['destination'])
        self.assertEqual(payment.received_at.timestamp(), at_server['receivedDate'])
        self.world.mine()
        tx._btcpay_sync()
        self.assertEqual(tx.btcpay_payment_ids, payment)
        self.assertEqual(payment.status, 'Settled')

    def test_when_the_amount_is_tiny_then_no_exponent_is_stored(self):
        tx = self._create_btcpay_transaction(self._create_order())
        self.world.pay(tx.btcpay_invoice_id, method='BTC-CHAIN', amount='0.00000600')
        tx._btcpay_sync()
        self.assertEqual(Decimal(tx.btcpay_payment_ids.crypto_amount), Decimal('0.000006'))
        self.assertNotIn('E', tx.btcpay_payment_ids.crypto_amount.upper())
        self.assertEqual(tx.btcpay_payment_ids.amount, 0.3)

    def test_when_an_invoice_is_paid_in_two_payments_then_both_are_stored_and_it_is_done(self):
        tx = self._create_btcpay_transaction(self._create_order())
        self.world.pay(tx.btcpay_invoice_id, fraction='0.5')
        tx._btcpay_sync()
        self.assertEqual((tx.state, tx.btcpay_paid_amount), ('pending', 50))
        self.world.pay(tx.btcpay_invoice_id)  # What is due now, with the fee of a second payment.
        self.world.mine()
        tx._btcpay_sync()
        self.assertEqual((tx.state, tx.btcpay_paid_amount), ('done', 100))
        self.assertEqual(tx.btcpay_payment_ids.mapped('status'), ['Settled', 'Settled'])
        second = tx.btcpay_payment_ids.filtered(lambda p: Decimal(p.crypto_fee))
        self.assertEqual(len(second), 1)
        self.assertGreater(second.amount, 50)

    def test_when_paid_by_lightning_then_the_order_is_confirmed_at_once(self):
        order = self._create_order()
        tx = self._create_btcpay_transaction(order)
        payment_hash = self.world.pay(tx.btcpay_invoice_id, method='BTC-LN')
        tx._btcpay_sync()
        self.assertEqual(tx.state, 'done')
        self.assertEqual(tx.btcpay_payment_ids.method, 'BTC-LN')
        self.assertIn(payment_hash, tx.btcpay_payment_ids.payment_ref)
        self.assertEqual(tx.btcpay_payment_ids.status, 'Settled')
        tx._post_process()
        self.assertEqual(order.state, 'sale')

    def test_when_a_payment_is_replaced_then_a_person_is_told_and_it_can_be_paid_again(self):
        """The customer's wallet takes the payment back: the server sends no event at all."""
        order = self._create_order()
        tx = self._create_btcpay_transaction(order)
        txid = self.world.pay(tx.btcpay_invoice_id, replaceable=True)
        tx._btcpay_sync()
        self.assertEqual(tx.state, 'pending')
        self.world.replace(txid)
        self.world.mine()
        self.assertEqual(self.world.invoice(tx.btcpay_invoice_id)['status'], 'New')
        activities, messages = order.activity_ids, order.message_ids
        for _look in range(3):
            tx._btcpay_sync()
        self.assertEqual((tx.state, tx.btcpay_paid_amount), ('pending', 0))
        activity = order.activity_ids - activities
        self.assertEqual(len(activity), 1)
        self.assertIn("Nothing is paid now", activity.note)
        self.assertIn(activity.note, (order.message_ids - messages).mapped('body'))
        self.assertFalse(tx.btcpay_payment_ids.filtered(lambda p: p.status == 'Settled'))
        # The customer's page offers the invoice again, and it can still be paid.
        self.assertTrue(tx._btcpay_is_payable())
        self.assertEqual(tx._btcpay_get_page_status().message, "No payment has been seen yet.")
        self.world.pay(tx.btcpay_invoice_id)
        self.world.mine()
        tx._btcpay_sync()
        self.assertEqual((tx.state, tx.btcpay_paid_amount), ('done', 100))
        settled = tx.btcpay_payment_ids.filtered(lambda p: p.status == 'Settled')
        self.assertEqual(len(settled), 1)
        fee = Decimal(settled.crypto_fee) * Decimal(settled.rate)  # Of a further payment.
        self.assertEqual(Decimal(str(settled.amount)) - fee, 100)

    def test_when_a_user_is_not_in_accounting_then_payments_are_unreadable(self):
        tx = self._pay_order(self._create_order())
        payment = tx.btcpay_payment_ids
        accountant = new_test_user(
            self.env, 'btcpay-accountant', groups='account.group_account_invoice'
        )
        payment.with_user(accountant).read(['crypto_amount'])
        with self.assertRaises(AccessError):
            payment.with_user(accountant).write({'crypto_amount': '1'})
        for name in ('internal_user', 'portal_user', 'public_user'):
            user = getattr(self, name)
            with self.subTest(user=name), self.assertRaises(AccessError):
                payment.with_user(user).read(['crypto_amount'])

    def test_when_the_server_lists_malformed_payments_then_the_sync_skips_them(self):
        """Nothing the server lists as a payment stops the sync."""
        tx = self._create_btcpay_transaction(self._create_order())
        good = {'id': 'good', 'value': '0.001', 'fee': '0', 'status': 'Settled'}
        answer = [
            None, 'BTC-CHAIN', {}, {'payments': 'none'}, {'payments': None},
            {'paymentMethodId': 'BTC-CHAIN', 'currency': 'BTC', 'rate': '?', 'payments': [good]},
            {'paymentMethodId': 'BTC-LN', 'currency': None, 'rate': None, 'payments': [
                None, 7, {}, {'id': 'x'}, {'id': 3, 'value': '1'}, {'id': 'y', 'value': 'NaN'},
                {'id': 'z', 'value': '1E+400'}, {'id': 'odd', 'value': '0.002', 'fee': [],
                                                 'status': 'Odd', 'receivedDate': 'now'},
            ]},
        ]
        tx._btcpay_store_payments(
            Client(lambda *_args, **_kwargs: answer).list_invoice_payment_methods('store', 'id')
        )
        self.assertEqual(tx.btcpay_payment_ids.mapped('payment_ref'), ['good', 'odd'])
        self.assertRecordValues(tx.btcpay_payment_ids, [
            {'crypto_amount': '0.001', 'amount': 0, 'status': 'Settled', 'rate': False},
            {'crypto_amount': '0.002', 'amount': 0, 'status': False, 'rate': False},
        ])

    def test_when_the_server_says_that_it_is_paid_without_measure_then_what_is_due_is_booked(self):
        """Floats have fewer digits than the difference, and booked something else for ever."""
        tx = self._create_btcpay_transaction(self._create_order())
        self.world.pay(tx.btcpay_invoice_id)
        self.world.mine()
        fetch = Client.get_invoice
        with patch.object(Client, 'get_invoice', lambda *args: replace(
            fetch(*args), paid_amount=Decimal('1e22')
        )):
            tx._btcpay_sync()
        tx._post_process()
        self.assertEqual((tx.sale_order_ids.state, tx.payment_id.amount), ('sale', 100))
        tx._btcpay_sync()
        self.assertEqual((tx.btcpay_paid_amount, tx.btcpay_difference_amount), (100, 0))

    # === WHERE A PAYMENT IS LOOKED UP === #

    def test_when_a_payment_came_then_its_id_is_as_an_explorer_takes_it(self):
        self.btcpay.btcpay_explorer_url = 'https://explorer.example/{currency}/tx/{txid}'
        tx = self._create_btcpay_transaction(self._create_order())
        txid = self.world.pay(tx.btcpay_invoice_id, fraction='0.5')
        self.world.pay(tx.btcpay_invoice_id, method='BTC-LN')
        tx._btcpay_sync()
        chain, lightning = tx.btcpay_payment_ids.sorted('method')
        self.assertEqual(chain.txid, txid)
        self.assertRegex(chain.payment_ref, rf'^{txid}-\d+$')
        self.assertEqual(chain.explorer_link, f'https://explorer.example/BTC/tx/{txid}')
        self.assertEqual(lightning.txid, lightning.payment_ref)
        self.assertFalse(lightning.explorer_link)
        self.assertEqual(self.env['btcpay.payment'].search([('txid', '=', txid)]), chain)
        self.btcpay.btcpay_explorer_url = False
        self.assertFalse(chain.explorer_link)

    def test_when_an_explorer_is_no_page_of_a_transaction_then_it_is_refused(self):
        for address in (
            'javascript:alert({txid})', 'mempool.space/tx/{txid}', 'https://mempool.space/tx/',
            'https:///{txid}', 'https://[/{txid}', 'data:text/html,{txid}',
        ):
            with self.subTest(address=address), self.assertRaises(ValidationError):
                self.btcpay.btcpay_explorer_url = address


@tagged('post_install', '-at_install')
class TestHighSpeed(BTCPayCommon):
    """A store that takes unconfirmed payments as settled."""

    store_settings = {'speedPolicy': 'HighSpeed'}

    def test_when_the_store_takes_unconfirmed_payments_then_the_order_is_confirmed_at_once(self):
        order = self._create_order()
        tx = self._pay_order(order, mine=False)
        self.assertEqual((tx.state, tx.btcpay_status), ('done', 'Settled'))
        tx._post_process()
        self.assertEqual(order.state, 'sale')

    def test_when_an_unconfirmed_payment_is_replaceable_then_it_waits_for_a_block(self):
        order = self._create_order()
        tx = self._pay_order(order, mine=False, replaceable=True)
        self.assertEqual((tx.state, tx.btcpay_status), ('pending', 'Processing'))
        tx._post_process()
        self.assertNotEqual(order.state, 'sale')
        self.world.mine()
        tx._btcpay_sync()
        self.assertEqual(tx.state, 'done')
