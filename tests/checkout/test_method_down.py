from dataclasses import replace
from unittest.mock import patch

from odoo.tests import tagged
from odoo.tools import html2plaintext, mute_logger

from odoo.addons.payment_btcpay.greenfield import Client
from odoo.addons.payment_btcpay.tests.checkout.methods_common import MethodsMixin
from odoo.addons.payment_btcpay.tests.common import BTCPayCommon
from odoo.addons.payment_btcpay.tests.money_common import MoneyMixin

MODELS = 'odoo.addons.payment_btcpay.models'


@tagged('post_install', '-at_install')
class TestMethodDown(MethodsMixin, MoneyMixin, BTCPayCommon):
    """One of the store's nodes does not answer: the customer pays in another way."""

    store_methods = ('BTC-CHAIN', 'BTC-LN', 'BTC-LNURL')

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.both.active = False

    def setUp(self):
        super().setUp()
        # The server believes in the chain's node again after a while only.
        self.addCleanup(self.world.pass_time, 31)
        self.addCleanup(self.world.settings, down=None)
        self.responsible = self.btcpay.btcpay_responsible_id = self.env.ref('base.user_admin')

    def _pay(self, method, order=None):
        """Choose a method on the payment page.

        :return: The transaction, and what the page gets.
        """
        tx = self._create_btcpay_transaction(
            order or self._create_order(), make_invoice=False, payment_method_id=method.id
        )
        with mute_logger(
            f'{MODELS}.payment_transaction.checkout_failure', f'{MODELS}.payment_provider.client',
        ):
            return tx, tx._get_processing_values()

    def _alerts(self):
        return self.btcpay.activity_ids.filtered(
            lambda activity: self.btcpay.name in (activity.summary or '')
        )

    def _invoices(self, tx):
        """Return the status at the server of the invoices that a transaction has caused."""
        return [
            invoice['status'] for invoice in self.world.api(
                'GET', f'/stores/{self.store_id}/invoices', params={'orderId': tx.reference}
            )
        ]

    def test_when_the_server_does_not_say_what_an_invoice_has_then_it_can_be_paid(self):
        create = Client.create_invoice
        with patch.object(Client, 'create_invoice', lambda *args: replace(
            create(*args), payment_methods=None
        )):
            tx, values = self._pay(self.lightning)
        self.assertEqual(tx.state, 'draft')
        self.assertTrue(tx.btcpay_invoice_id)
        self.assertNotIn('btcpay_other_method_id', values)
        self.assertFalse(self._alerts())

    def test_when_a_method_is_down_then_the_other_is_offered_in_the_same_step(self):
        for down, chosen, other, made in [
            # An LNURL alone, which nobody can pay.
            ('lightning', self.lightning, self.chain, ['New']),
            ('chain', self.chain, self.lightning, []),  # Refused.
        ]:
            with self.subTest(down=down):
                self.world.settings(down=down)
                self.btcpay.sudo().btcpay_down_methods = False
                tx, values = self._pay(chosen)
                self.assertEqual((tx.state, tx.btcpay_invoice_id), ('cancel', False))
                self.assertEqual(values['btcpay_other_method_id'], other.id)
                self.assertEqual(values['btcpay_other_method_name'], other.name)
                self.assertEqual(
                    values['state_message'],
                    f"{chosen.name} cannot be paid with at the moment. Nothing was charged. You can"
                    f" pay with {other.name} instead.",
                )
                self.assertEqual(self._invoices(tx), made)
                # The useless invoice is invalidated.
                self._carry_out()
                self.assertEqual(self._invoices(tx), ['Invalid'] * len(made))
                # And the other can be paid, for the same order.
                paid, values = self._pay(other, tx.sale_order_ids)
                self.assertTrue(paid.btcpay_invoice_id)
                self.assertNotIn('btcpay_other_method_id', values)

    def test_when_the_store_has_no_lnurl_then_lightning_is_refused_and_the_other_offered(self):
        self.btcpay.sudo().btcpay_store_payment_methods = 'BTC-CHAIN BTC-LN'
        self.world.settings(down='lightning')
        tx, values = self._pay(self.lightning)
        self.assertEqual((tx.state, self._invoices(tx)), ('cancel', []))
        self.assertEqual(values['btcpay_other_method_id'], self.chain.id)
        self.assertFalse(tx.btcpay_requested_at)

    def test_when_the_useless_invoices_event_is_quicker_then_it_is_not_adopted(self):
        self.world.settings(down='lightning')
        tx, _values = self._pay(self.lightning)
        tx.btcpay_pending_action = False  # As before the answer came.
        tx._btcpay_sync()
        self.assertFalse(tx.btcpay_invoice_id)

    def test_when_a_method_is_down_then_the_responsible_is_told_once_until_it_works_again(self):
        self.world.settings(down='lightning')
        for chosen in (self.lightning, self.chain, self.lightning, self.chain):
            tx, _values = self._pay(chosen)
            self.assertEqual(len(self._alerts()), 1, chosen.name)
            self.assertFalse([m for m in tx.sale_order_ids.message_ids if "started" in m.body])
        alert = self._alerts()
        self.assertEqual(alert.user_id, self.responsible)
        self.assertIn("cannot pay by Lightning", html2plaintext(alert.note))
        self.assertEqual(self.btcpay.btcpay_down_methods_text, "Lightning")
        self.assertFalse(self.btcpay.btcpay_checkout_problem)
        self.world.settings(down=None)
        self._pay(self.chain)
        self.assertTrue(alert.active)
        self._pay(self.lightning)
        self.assertFalse(alert.active)
        self.assertFalse(self._alerts() or self.btcpay.btcpay_down_methods_text)
        self.world.settings(down='lightning')
        self._pay(self.lightning)
        self.assertEqual(len(self._alerts()), 1)

    def test_when_the_server_says_why_then_the_responsible_is_told_in_its_words(self):
        self.world.settings(down='chain')
        self._pay(self.chain)
        self.assertIn("Connection refused", html2plaintext(self._alerts().note))
        self.assertIn("cannot pay by Bitcoin", html2plaintext(self._alerts().note))

    def test_when_both_were_asked_for_then_the_invoice_is_paid_by_the_one_that_works(self):
        self.both.active = True
        self.world.settings(down='lightning')
        tx, values = self._pay(self.both)
        self.assertTrue(tx.btcpay_invoice_id)
        self.assertNotIn('btcpay_other_method_id', values)
        self.assertIn("cannot pay by Lightning", html2plaintext(self._alerts().note))

    def test_when_an_amount_is_too_small_for_the_chain_then_nobody_is_told_of_a_node(self):
        self.both.active = True
        order = self._create_order(0.1)  # 200 satoshi
        tx, _values = self._pay(self.both, order)
        self.assertEqual(set(self.world.invoice(tx.btcpay_invoice_id)['checkout'][
            'paymentMethods'
        ]), {'BTC-LN', 'BTC-LNURL'})
        self.assertFalse(self._alerts())
        tx, values = self._pay(self.chain, self._create_order(0.1))
        self.assertEqual(values['btcpay_other_method_id'], self.lightning.id)

    def test_when_there_is_no_other_method_then_the_customer_is_told_to_choose_another(self):
        self.chain.active = False
        self.world.settings(down='lightning')
        tx, values = self._pay(self.lightning)
        self.assertEqual(tx.state, 'error')
        self.assertNotIn('btcpay_other_method_id', values)
        self.assertIn("Trying again will not help", tx.state_message)
        self.assertEqual(len(self._alerts()), 1)

    def test_when_the_other_is_known_to_be_down_then_it_is_not_offered(self):
        self.btcpay.sudo().btcpay_down_methods = 'BTC-CHAIN'
        self.world.settings(down='lightning')
        tx, _values = self._pay(self.lightning)
        self.assertEqual((tx.state, tx.btcpay_other_method_id.id), ('error', False))

    def test_when_the_currency_has_no_rate_then_no_other_method_is_offered(self):
        self.world.set_rates(self.store_id, BTC_USD=None)
        self.addCleanup(self.world.set_rates, self.store_id)
        tx, _values = self._pay(self.lightning)
        self.assertEqual((tx.state, tx.btcpay_other_method_id.id), ('error', False))
        self.assertTrue(self.btcpay.btcpay_checkout_problem)
        self.assertFalse(self.btcpay.btcpay_down_methods)

    def test_when_the_server_does_not_answer_then_no_other_method_is_offered(self):
        self.world.fault('status', path='/invoices$', method='POST', status=503)
        with mute_logger(f'{MODELS}.payment_provider.health'):
            tx, _values = self._pay(self.lightning)
        self.assertEqual((tx.state, tx.btcpay_other_method_id.id), ('error', False))

    def test_when_the_store_has_disabled_the_method_since_then_the_other_is_offered(self):
        self.world.change_store(self.store_id, methods=('BTC-CHAIN',))
        self.addCleanup(self.world.change_store, self.store_id, methods=self.store_methods)
        _tx, values = self._pay(self.lightning)
        self.assertEqual(values['btcpay_other_method_id'], self.chain.id)
        # And known so with the next look, which forgets what was thought of a node.
        self.btcpay._btcpay_refresh()
        self.assertEqual(self.btcpay.btcpay_store_methods_text, "Bitcoin")
        self.assertFalse(self.btcpay.btcpay_down_methods_text)
