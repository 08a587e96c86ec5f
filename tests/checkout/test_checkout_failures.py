from datetime import timedelta
from unittest.mock import patch

from odoo import fields
from odoo.tests import tagged
from odoo.tools import mute_logger

from odoo.addons.payment_btcpay import const
from odoo.addons.payment_btcpay.tests.common import BTCPayCommon

CHECKOUT_LOG = 'odoo.addons.payment_btcpay.models.payment_transaction.checkout_failure'
REQUEST_LOG = 'odoo.addons.payment_btcpay.models.payment_provider.client'
HEALTH_LOG = 'odoo.addons.payment_btcpay.models.payment_provider.health'
INVOICES = '/invoices$'
# What the customer is told of trying again.
AGAIN = "Please try again in a few minutes"
USELESS = "Trying again will not help: please choose another payment method, or contact us."


@tagged('post_install', '-at_install')
class TestCheckoutFailures(BTCPayCommon):
    """The call that makes the invoice fails, in every way that a call can."""

    def _fail_to_make_invoice(self, reference, sentence="Nothing was charged."):
        """Have an invoice made, which fails.

        :param str sentence: What the customer is told.
        :return: The transaction and what the log tells the administrator.
        """
        tx = self._create_btcpay_transaction(make_invoice=False, reference=reference)
        with self.assertLogs(CHECKOUT_LOG, 'ERROR') as logs, mute_logger(REQUEST_LOG, HEALTH_LOG):
            values = tx._get_processing_values()
        self.assertEqual(values['state'], 'error')
        self.assertIn(sentence, values['state_message'])
        self.assertNotIn('action', values['redirect_form_html'])
        self.assertEqual(tx.state, 'error')
        self.assertFalse(tx.btcpay_invoice_id or tx.btcpay_checkout_link)
        self.assertEqual(len(logs.output), 1)
        self.assertIn(reference, logs.output[0])
        self.assertNotIn(self.api_key, logs.output[0])
        return tx, logs.output[0]

    def test_when_making_the_invoice_fails_then_the_reason_is_logged_and_no_invoice_is_found(self):
        for number, (fault, reason, sentence) in enumerate([
            ({'kind': 'status', 'status': 400}, "HTTP 400", USELESS),
            ({'kind': 'status', 'status': 401}, "HTTP 401", USELESS),
            ({'kind': 'status', 'status': 403}, "HTTP 403", USELESS),
            ({'kind': 'status', 'status': 404}, "HTTP 404", USELESS),
            ({'kind': 'status', 'status': 422}, "HTTP 422", USELESS),
            ({'kind': 'status', 'status': 429}, "HTTP 429", AGAIN),
            ({'kind': 'status', 'status': 301}, "HTTP 301", USELESS),
            ({'kind': 'status', 'status': 500}, "HTTP 500", AGAIN),
            ({'kind': 'status', 'status': 503}, "HTTP 503", AGAIN),
            ({'kind': 'drop'}, "connection: ", AGAIN),
            ({'kind': 'hang', 'seconds': 1}, "connection: ", AGAIN),
            ({'kind': 'wrong_json'}, "The answer is no JSON", AGAIN),
        ]):
            with self.subTest(**fault):
                self.world.fault(path=INVOICES, method='POST', **fault)
                tx, log = self._fail_to_make_invoice(f'failed-{number}', sentence)
                self.assertIn(reason, log)
                # Only what does not pass by itself is somebody's task.
                problem = self.btcpay.btcpay_checkout_problem
                self.assertEqual(bool(problem), sentence == USELESS)
                self.btcpay._btcpay_report_checkout(self.currency)
                # A later look finds no invoice, and is no error.
                tx._btcpay_sync()
                self.assertEqual(tx.state, 'error')
                self.assertFalse(tx.btcpay_invoice_id)

    def test_when_the_server_refuses_the_invoice_then_its_reason_is_logged(self):
        self.world.set_rates(self.store_id, BTC_USD=None)
        self.addCleanup(self.world.set_rates, self.store_id)
        _tx, log = self._fail_to_make_invoice('no-rate')
        self.assertIn("Error retrieving a matching payment method or rate.", log)

    def test_when_the_server_is_not_there_then_the_connection_failure_is_logged(self):
        self.btcpay.sudo().btcpay_server_url = 'http://127.0.0.1:9'
        _tx, log = self._fail_to_make_invoice('not-there')
        self.assertIn("connection: ", log)

    def _begin_waiting(self, seconds):
        """Have another customer wait for the server since then."""
        other = self._create_btcpay_transaction(make_invoice=False, reference=f'waits-{seconds}')
        other.btcpay_requested_at = fields.Datetime.now() - timedelta(seconds=seconds)
        other._btcpay_schedule_sync()
        return other

    def test_when_another_customer_waits_for_long_then_the_next_are_told_at_once(self):
        """The server hangs: each of them would wait for as long, and hold one of Odoo's workers."""
        asked = len(self.world.requests())
        other = self._begin_waiting(const.HANG_SECONDS + 1)
        _tx, log = self._fail_to_make_invoice('next', AGAIN)
        self.assertIn("it did not answer before", log)
        self.assertEqual(len(self.world.requests()), asked)
        # Who gave up is in nobody's way, nor is who has an answer.
        other._set_error("It failed.")
        self.assertTrue(self._create_btcpay_transaction(reference='later').btcpay_invoice_id)

    def test_when_another_customer_waits_a_moment_only_then_the_next_are_not_told_off(self):
        self._begin_waiting(const.HANG_SECONDS - 2)
        self.assertTrue(self._create_btcpay_transaction(reference='next').btcpay_invoice_id)

    def test_when_another_one_never_came_to_its_end_then_it_is_soon_in_nobodys_way(self):
        self._begin_waiting(const.CHECKOUT_TIMEOUT + 1)
        self.assertTrue(self._create_btcpay_transaction(reference='next').btcpay_invoice_id)

    def test_when_the_server_did_not_answer_just_now_then_one_customer_at_a_time_tries(self):
        self.btcpay.sudo().btcpay_retry_at = fields.Datetime.now() + timedelta(minutes=1)
        other = self._begin_waiting(1)
        self._fail_to_make_invoice('next', AGAIN)
        other._set_error("It failed.")
        self.btcpay.sudo().btcpay_retry_at = fields.Datetime.now() + timedelta(minutes=1)
        self.assertTrue(self._create_btcpay_transaction(reference='later').btcpay_invoice_id)

    def test_when_the_answer_was_lost_then_the_next_sync_finds_the_invoice(self):
        """The invoice is at the server, and we do not know: it is found by its order id."""
        for number, fault in enumerate([
            {'kind': 'status', 'status': 502, 'after': True},
            {'kind': 'status', 'status': 408, 'after': True},
            {'kind': 'drop', 'after': True},
            {'kind': 'hang', 'seconds': 1, 'after': True},
            {'kind': 'wrong_json', 'after': True},
            {'kind': 'half'},
        ]):
            with self.subTest(**fault):
                self.world.fault(path=INVOICES, method='POST', **fault)
                tx, _log = self._fail_to_make_invoice(f'unknown-{number}')
                self.assertTrue(tx.btcpay_requested_at)
                tx._btcpay_sync()
                self.assertTrue(tx.btcpay_invoice_id, "The invoice was not found.")
                self.assertEqual(tx.provider_reference, tx.btcpay_invoice_id)
                self.assertEqual(tx.state, 'error')  # The customer was told so.
                # Whoever pays it all the same does not do so in vain.
                self.world.pay(tx.btcpay_invoice_id)
                self.world.mine()
                tx._btcpay_sync()
                self.assertEqual(tx.state, 'done')

    def test_when_the_server_refused_the_invoice_then_it_is_not_looked_for(self):
        self.world.fault('status', path=INVOICES, method='POST', status=400)
        tx, _log = self._fail_to_make_invoice('refused')
        self.assertFalse(tx.btcpay_requested_at)
        before = len(self.world.requests())
        tx._btcpay_sync()
        self.assertEqual(len(self.world.requests()), before)

    def test_when_similar_invoices_exist_then_only_the_transactions_own_is_adopted(self):
        self.world.fault('drop', path=INVOICES, method='POST')
        tx, _log = self._fail_to_make_invoice('lost')
        token = {const.TOKEN_KEY: tx.sudo().btcpay_invoice_token}
        for values in (
            {'amount': '90.00', 'metadata': {'orderId': 'lost', **token}},
            {'currency': 'EUR', 'metadata': {'orderId': 'lost', **token}},
            {'metadata': {'orderId': 'lost-1', **token}},
        ):
            self.world.new_invoice(self.store_id, **values)
        tx._btcpay_sync()
        self.assertFalse(tx.btcpay_invoice_id)
        invoice = self.world.new_invoice(self.store_id, metadata={'orderId': 'lost', **token})
        tx._btcpay_sync()
        self.assertEqual(tx.btcpay_invoice_id, invoice['id'])

    def test_when_the_answer_is_another_invoice_then_the_customer_is_not_sent_to_it(self):
        """The customer is not sent to an invoice that is not the one asked for."""
        send = type(self.btcpay)._send_api_request
        for number, (change, reason) in enumerate([
            ({'amount': '90.00'}, "is for 90.00 USD, the transaction for"),
            ({'currency': 'EUR'}, "is for 100.00 EUR, the transaction for"),
            ({'storeId': 'another'}, "belongs to another store"),
            ({'metadata': {'orderId': 'another'}}, "is for “another”"),
            ({'metadata': None}, "is for “None”"),
            ({'metadata': ['orderId']}, "is for “None”"),
            ({'id': '../../users/me'}, "invoice.id is not as"),
            ({'id': None}, "invoice.id is not as"),
            ({'amount': 'much'}, "invoice.amount is not as"),
            ({'amount': None}, "invoice.amount is not as"),
            ({'amount': '1E+999'}, "invoice.amount is not as"),
            ({'amount': 'NaN'}, "invoice.amount is not as"),
            ({'paidAmount': {}}, "invoice.paidAmount is not as"),
            ({'status': 1}, "invoice.status is not as"),
            ({'checkoutLink': 'javascript:alert(1)'}, "invoice.checkoutLink is not as"),
            ({'checkoutLink': None}, "invoice.checkoutLink is not as"),
            ({'checkoutLink': 7}, "invoice.checkoutLink is not as"),
            ({'checkoutLink': 'https://['}, "invoice.checkoutLink is not as"),
        ]):
            def answer(self, method, *args, change=change, **kwargs):
                return {**send(self, method, *args, **kwargs), **change}

            with (
                self.subTest(**change),
                patch.object(type(self.btcpay), '_send_api_request', answer),
            ):
                _tx, log = self._fail_to_make_invoice(f'other-{number}')
                self.assertIn(reason, log)

    def test_when_the_answer_is_no_invoice_then_the_checkout_fails_with_a_logged_reason(self):
        for number, answer in enumerate([None, [], 'invoice', 7, {}]):
            with self.subTest(answer=answer), patch.object(
                type(self.btcpay), '_send_api_request',
                lambda *_args, answer=answer, **_kwargs: answer,
            ):
                _tx, log = self._fail_to_make_invoice(f'none-{number}')
                self.assertIn("is not as the API promises", log)

    def test_when_the_checkout_failed_then_a_new_attempt_can_be_paid(self):
        order = self._create_order()
        self.world.fault('status', path=INVOICES, method='POST')
        failed = self._create_btcpay_transaction(order, make_invoice=False)
        with mute_logger(CHECKOUT_LOG, REQUEST_LOG, HEALTH_LOG):
            failed._get_processing_values()
        tx = self._pay_order(order)
        self.assertEqual(tx.state, 'done')
        self.assertNotEqual(tx.reference, failed.reference)
