from unittest.mock import patch

from odoo.tests import tagged
from odoo.tools import html2plaintext, mute_logger

from odoo.addons.payment_btcpay import const
from odoo.addons.payment_btcpay.tests.common import BTCPayCommon
from odoo.addons.payment_btcpay.tests.money_common import MoneyMixin

MODELS = 'odoo.addons.payment_btcpay.models'
NO_RATE = (
    "The BTCPay Server refused the request: Error retrieving a matching payment method or rate."
    " Rate for BTC_USD: ERR_RATE_UNAVAILABLE(BTC_USD)"
)


@tagged('post_install', '-at_install')
class TestCheckoutAlert(MoneyMixin, BTCPayCommon):
    """A checkout that failed because of the store is somebody's task."""

    def setUp(self):
        super().setUp()
        self.addCleanup(self.world.set_rates, self.store_id)
        self.responsible = self.btcpay.btcpay_responsible_id = self.env.ref('base.user_admin')

    def _pay(self, order):
        tx = self._create_btcpay_transaction(order, make_invoice=False)
        with mute_logger(
            f'{MODELS}.payment_transaction.checkout_failure', f'{MODELS}.payment_provider.client',
            f'{MODELS}.payment_provider.health',
        ):
            tx._get_processing_values()
        return tx

    def _refuse(self):
        self.world.set_rates(self.store_id, BTC_USD=None)

    def _alerts(self):
        return self.btcpay.activity_ids.filtered(
            lambda activity: self.btcpay.name in (activity.summary or '')
        )

    def _notes(self, order):
        return [
            note for message in order.message_ids
            if "could not be started" in (note := html2plaintext(message.body))
        ]

    def test_when_the_store_refuses_then_the_responsible_is_told_once_in_the_servers_words(self):
        self._refuse()
        order, other = self._create_order(), self._create_order()
        for number in (1, 2, 3):
            tx = self._pay(order)
            self.assertEqual((tx.state, len(self._alerts())), ('error', 1), number)
        self._pay(other)
        alert = self._alerts()
        self.assertEqual((len(alert), alert.user_id), (1, self.responsible))
        self.assertIn(NO_RATE, html2plaintext(alert.note).replace('\n', ' '))
        self.assertIn(NO_RATE, self.btcpay.btcpay_checkout_problem)
        # On each order once, not with each click; and nothing is said of it by Odoo besides.
        for document in (order, other):
            self.assertEqual(len(self._notes(document)), 1)
            self.assertIn(NO_RATE, self._notes(document)[0])
        self.assertFalse([m for m in order.message_ids if "encountered an error" in m.body])

    def test_when_a_checkout_works_again_then_the_alert_is_closed_by_itself(self):
        self._refuse()
        self._pay(self._create_order())
        alert = self._alerts()
        self.world.set_rates(self.store_id)
        self.assertTrue(self._pay(self._create_order()).btcpay_invoice_id)
        self.assertFalse(alert.active)
        self.assertFalse(self._alerts() or self.btcpay.btcpay_checkout_problem)
        # What comes up again is told again.
        self._refuse()
        self._pay(self._create_order())
        self.assertEqual(len(self._alerts()), 1)

    def test_when_a_person_closed_the_alert_then_the_same_is_not_told_again(self):
        self._refuse()
        self._pay(self._create_order())
        self._alerts().action_feedback()
        self._pay(self._create_order())
        self.assertFalse(self._alerts())

    def test_when_there_is_another_reason_then_it_takes_the_place_of_the_one_before(self):
        self._refuse()
        self._pay(self._create_order())
        self.world.set_rates(self.store_id)
        self.world.fault('status', path='/invoices$', method='POST', status=422)
        order = self._create_order()
        self._pay(order)
        self.assertEqual(len(self._alerts()), 1)
        self.assertIn("HTTP 422", self._alerts().note)
        self.assertIn("HTTP 422", self._notes(order)[0])

    def test_when_one_currency_fails_and_another_works_then_the_alert_stays_one(self):
        euro = self.env.ref('base.EUR')
        euro.active = True
        self._refuse()

        def pay(currency):
            order = self._create_order(currency_id=currency.id)
            tx = self._create_btcpay_transaction(
                order, make_invoice=False, currency_id=currency.id
            )
            with mute_logger(
                f'{MODELS}.payment_transaction.checkout_failure',
                f'{MODELS}.payment_provider.client',
            ):
                tx._get_processing_values()
            return tx

        pay(self.currency)
        alert = self._alerts()
        for _time in range(2):
            self.assertTrue(pay(euro).btcpay_invoice_id)
            self.assertEqual(self._alerts(), alert)
            pay(self.currency)
            self.assertEqual(self._alerts(), alert)
        # Of another currency it is told, too, and taken back where that works again.
        self.world.set_rates(self.store_id, BTC_USD=None, BTC_EUR=None)
        pay(euro)
        alert = self._alerts()
        self.assertIn("BTC_USD", alert.note)
        self.assertIn("BTC_EUR", alert.note)
        self._refuse()
        pay(euro)
        self.assertEqual(self._alerts(), alert)
        self.assertNotIn("BTC_EUR", alert.note)
        self.world.set_rates(self.store_id)
        pay(self.currency)
        self.assertFalse(self._alerts())

    def test_when_the_server_is_down_then_no_store_is_blamed(self):
        for fault in ({'kind': 'status', 'status': 503}, {'kind': 'drop'}):
            self.world.fault(path='/invoices$', method='POST', **fault)
            order = self._create_order()
            self._pay(order)
            self.assertFalse(self._alerts() or self.btcpay.btcpay_checkout_problem)
        # Nor does it say that what was wrong before is right.
        self._refuse()
        self._pay(order)
        self.world.fault('drop', path='/invoices$', method='POST')
        self._pay(order)
        self.assertEqual(len(self._alerts()), 1)

    def test_when_the_store_is_disconnected_then_the_alert_is_closed(self):
        self._refuse()
        self._pay(self._create_order())
        self.btcpay.sudo()._btcpay_clear_alerts("The store was disconnected.")
        self.assertFalse(self._alerts() or self.btcpay.btcpay_checkout_problem)

    def test_when_the_company_speaks_another_language_then_its_people_are_told_in_it(self):
        self.env['res.lang']._activate_lang('ja_JP')
        self.env['ir.module.module']._load_module_terms(['payment_btcpay'], ['ja_JP'])
        self.btcpay.company_id.partner_id.lang = 'ja_JP'
        self._refuse()
        order = self._create_order()
        tx = self._pay(order.with_context(lang='en_US'))
        self.assertIn("Trying again will not help", tx.state_message)
        self.assertIn("BTCPay Serverが要求を拒否しました", self._alerts().note)

    def test_when_the_server_makes_another_invoice_then_it_is_invalidated_and_told_once(self):
        """What is made and refused by us is not left open at the server."""
        order = self._create_order()
        with self._answer(amount='90.00'):
            transactions = self._pay(order) | self._pay(order)
        self.assertEqual(set(transactions.mapped('state')), {'error'})
        self.assertFalse(any(transactions.mapped('btcpay_invoice_id')))
        self.assertEqual(len(self._alerts()), 1)
        self.assertEqual(len(self._notes(order)), 1)
        self.assertEqual(self._states(transactions), {('New', 'None')})
        self._carry_out()
        self.assertEqual(self._states(transactions), {('Invalid', 'Marked')})
        self.assertFalse(any(transactions.mapped('btcpay_pending_action')))
        self.assertEqual(set(transactions.mapped('btcpay_status_text')), {"Failed"})

    def test_when_the_refused_invoice_cannot_be_invalidated_now_then_it_is_later(self):
        with self._answer(amount='90.00'):
            tx = self._pay(self._create_order())
        self.world.fault('status', path='/status$', method='POST', status=503)
        with self._quiet():
            self._carry_out()
        self.assertEqual(self._states(tx), {('New', 'None')})
        self._carry_out()
        self.assertEqual(self._states(tx), {('Invalid', 'Marked')})

    def test_when_the_answer_is_somebody_elses_invoice_then_that_is_left_alone(self):
        foreign = self.world.new_invoice(self.store_id, metadata={'orderId': 'S00001'})
        with self._answer(**foreign):
            tx = self._pay(self._create_order())
        self.assertEqual(tx.state, 'error')
        self._carry_out()
        self.assertEqual(self.world.invoice(foreign['id'])['status'], 'New')

    def _answer(self, **change):
        """Return the context in which the server's answer to what makes an invoice is another."""
        send = type(self.btcpay)._send_api_request

        def answer(provider, method, endpoint, **kwargs):
            content = send(provider, method, endpoint, **kwargs)
            if method == 'POST' and endpoint.endswith('/invoices'):
                return {**content, **change}
            return content

        return patch.object(type(self.btcpay), '_send_api_request', answer)

    def _states(self, transactions):
        return {
            (invoice['status'], invoice['additionalStatus'])
            for tx in transactions
            for invoice in self.world.api('GET', f'/stores/{self.store_id}/invoices')
            if invoice['metadata'].get(const.TOKEN_KEY) == tx.sudo().btcpay_invoice_token
        }
