import json
from unittest.mock import patch

import psycopg2

from odoo.tests import tagged
from odoo.tools import SQL, mute_logger

from odoo.addons.payment_btcpay import const
from odoo.addons.payment_btcpay.greenfield import Invoice, NotUnderstood
from odoo.addons.payment_btcpay.models.payment_provider.client import BTCPayError
from odoo.addons.payment_btcpay.tests.common import BTCPayCommon

MODELS = 'odoo.addons.payment_btcpay.models'


@tagged('post_install', '-at_install')
class TestCheckout(BTCPayCommon):

    def _posts(self, since=0):
        """Return the requests that were to make an invoice."""
        return [
            r for r in self.world.requests(since)
            if r['method'] == 'POST' and r['path'].endswith('/invoices')
        ]

    def _last_request(self):
        return self.world.requests()[-1]['n'] if self.world.requests() else 0

    def _make_invoice(self, **values):
        """Have an invoice made.

        :return: The transaction and the payload that was sent.
        """
        since = self._last_request()
        tx = self._create_btcpay_transaction(**values)
        post, = self._posts(since)
        return tx, post['body']

    # === PAYLOAD === #

    def test_when_an_invoice_is_made_then_no_customer_data_is_sent(self):
        self.btcpay.sudo().btcpay_languages = 'en fr-FR'
        since = self._last_request()
        tx, payload = self._make_invoice(reference='S00001/a&b', amount=1111.1)
        base_url = self.btcpay.get_base_url()
        self.assertEqual(payload, {
            'amount': '1111.10',
            'currency': 'USD',
            'metadata': {
                'orderId': 'S00001/a&b', const.TOKEN_KEY: tx.sudo().btcpay_invoice_token,
            },
            'checkout': {
                'redirectURL': f'{base_url}{const.RETURN_ROUTE}?ref=S00001%2Fa%26b',
                'redirectAutomatically': True,
                'defaultLanguage': 'en',
                'paymentMethods': ['BTC-CHAIN', 'BTC-LN'],
            },
        })
        sent = json.dumps(self.world.requests(since))
        for field in ('name', 'email', 'phone', 'street', 'city', 'zip'):
            self.assertTrue(self.partner[field])
            self.assertNotIn(self.partner[field], sent)
        invoice = self.world.invoice(tx.btcpay_invoice_id)
        self.assertEqual((invoice['amount'], invoice['currency']), ('1111.10', 'USD'))

    def test_when_floats_are_inexact_then_the_amount_is_sent_as_an_exact_decimal_string(self):
        for currency, amount, expected in [
            ('JPY', 1234567.0, '1234567'),
            ('USD', 0.07, '0.07'),
            ('USD', 1.1 + 2.2, '3.30'),  # 3.3000000000000003 as a float
            ('USD', 1234567890.12, '1234567890.12'),
            ('KWD', 12.345, '12.345'),
        ]:
            with self.subTest(currency=currency, amount=amount):
                self.currency = self._enable_currency(currency)
                tx, payload = self._make_invoice(amount=amount)
                self.assertEqual((payload['amount'], payload['currency']), (expected, currency))
                self.assertFalse(tx._btcpay_find_discrepancy(
                    Invoice.parse(self.world.invoice(tx.btcpay_invoice_id))
                ))

    def test_when_the_page_has_a_language_then_the_servers_closest_one_is_asked_for(self):
        self.btcpay.sudo().btcpay_languages = 'da de-DE en fr-FR ja-JP no pt-BR pt-PT sr'
        tx = self._create_btcpay_transaction(make_invoice=False)
        for lang, expected in [
            ('en_US', 'en'), ('fr_FR', 'fr-FR'), ('fr_BE', 'fr-FR'), ('de_CH', 'de-DE'),
            ('nb_NO', 'no'), ('pt_BR', 'pt-BR'), ('pt_AO', 'pt-PT'), ('ja_JP', 'ja-JP'),
            ('sr@latin', 'sr'), ('da_DK', 'da'), ('zh_CN', None), ('e_XX', None),
        ]:
            with self.subTest(lang=lang):
                checkout = tx.with_context(lang=lang)._btcpay_prepare_invoice().dump()['checkout']
                self.assertEqual(checkout.get('defaultLanguage'), expected)

    def test_when_there_is_no_page_then_the_partners_language_is_asked_for(self):
        self.btcpay.sudo().btcpay_languages = 'en fr-FR'
        tx = self._create_btcpay_transaction(make_invoice=False)
        tx.partner_lang = 'fr_FR'
        payload = tx.with_context(lang=False)._btcpay_prepare_invoice().dump()
        self.assertEqual(payload['checkout']['defaultLanguage'], 'fr-FR')

    def test_when_the_servers_languages_are_unknown_then_no_language_is_asked_for(self):
        self.btcpay.sudo().btcpay_languages = False
        _tx, payload = self._make_invoice()
        self.assertNotIn('defaultLanguage', payload['checkout'])

    # === THE INVOICE === #

    def test_when_an_invoice_is_made_then_the_transaction_stores_its_data(self):
        tx, _payload = self._make_invoice()
        invoice = self.world.invoice(tx.btcpay_invoice_id)
        self.assertRecordValues(tx, [{
            'state': 'draft',
            'provider_reference': invoice['id'],
            'btcpay_store_id': self.store_id,
            'btcpay_checkout_link': invoice['checkoutLink'],
            'btcpay_status': 'New',
            'btcpay_additional_status': 'None',
            'btcpay_paid_amount': 0,
            'btcpay_due_amount': 100,
            'btcpay_overpaid_amount': 0,
        }])
        self.assertEqual(tx.btcpay_expires_at.timestamp(), invoice['expirationTime'])
        self.assertEqual(tx.btcpay_monitored_until.timestamp(), invoice['monitoringExpiration'])
        self.assertTrue(tx._btcpay_is_payable())

    def test_when_checkout_is_called_twice_then_no_second_invoice_is_made(self):
        tx, _payload = self._make_invoice()
        first = tx.btcpay_invoice_id
        since = self._last_request()
        values = tx._get_processing_values()
        self.assertFalse(self._posts(since))
        self.assertEqual(tx.btcpay_invoice_id, first)
        self.assertIn(first, values['redirect_form_html'])

    def test_when_another_transaction_claims_the_invoice_then_the_database_refuses_it(self):
        tx, _payload = self._make_invoice()
        other = self._create_btcpay_transaction(make_invoice=False, reference='other')
        with (
            self.assertRaises(psycopg2.IntegrityError), mute_logger('odoo.sql_db'),
            self.env.cr.savepoint(),
        ):
            other.btcpay_invoice_id = tx.btcpay_invoice_id
            other.flush_recordset()
        # Its parts and refunds, and what another server calls the same, are no contradiction.
        other.invalidate_recordset()
        other.source_transaction_id = tx
        other.btcpay_invoice_id = tx.btcpay_invoice_id
        third = self._create_btcpay_transaction(make_invoice=False, reference='third')
        third.provider_id = self.btcpay.copy()
        third.btcpay_invoice_id = tx.btcpay_invoice_id
        third.flush_recordset()

    def test_when_a_transaction_is_copied_then_the_copy_has_no_invoice(self):
        tx, _payload = self._make_invoice()
        copy = tx.copy({'reference': 'copy'})
        self.assertFalse(copy.btcpay_invoice_id or copy.btcpay_requested_at or copy.btcpay_status)

    def test_when_odoo_crashes_while_asking_then_the_request_is_remembered_and_synced(self):
        """A crash while waiting must not forget that an invoice was asked for."""
        tx = self._create_btcpay_transaction(make_invoice=False)
        send = type(self.btcpay)._send_api_request

        def crash(self, *args, **kwargs):
            send(self, *args, **kwargs)
            raise SystemExit

        with patch.object(type(self.btcpay), '_send_api_request', crash):
            try:  # `assertRaises` would roll back by itself.
                tx._get_processing_values()
                self.fail("The server was not asked.")
            except SystemExit:
                self.env.cr.rollback()
        self.assertTrue(tx.exists().btcpay_requested_at)
        self.assertEqual(tx.btcpay_store_id, self.store_id)
        tx._btcpay_sync()
        self.assertTrue(tx.btcpay_invoice_id)

    def test_when_an_event_precedes_the_answer_then_one_invoice_is_made_and_shown(self):
        """InvoiceCreated can come, and adopt the invoice, before our own call is answered."""
        send = type(self.btcpay)._send_api_request
        for fails in (False, True):
            with self.subTest(fails=fails):
                tx = self._create_btcpay_transaction(
                    make_invoice=False, reference=f'quick-{fails}'
                )
                since = self._last_request()

                def answer_late(self, method, *args, tx=tx, fails=fails, **kwargs):
                    answer = send(self, method, *args, **kwargs)
                    if method == 'POST':
                        tx._btcpay_sync()
                        if fails:
                            raise BTCPayError("Not understood.", NotUnderstood('invoice'))
                    return answer

                with patch.object(type(self.btcpay), '_send_api_request', answer_late):
                    values = tx._get_processing_values()
                self.assertEqual(len(self._posts(since)), 1)
                self.assertEqual(tx.state, 'draft')
                self.assertIn(tx.btcpay_invoice_id, values['redirect_form_html'])

    # === REDIRECTION === #

    def test_when_the_customer_is_redirected_then_the_form_keeps_the_links_query(self):
        tx, _payload = self._make_invoice()
        form = self._extract_values_from_html_form(
            tx._get_processing_values()['redirect_form_html']
        )
        self.assertEqual(form, {
            'action': tx.btcpay_checkout_link, 'method': 'get', 'inputs': {},
        })
        # A browser drops the query of a GET form's address: it has to be in the form's fields.
        tx.btcpay_checkout_link = 'https://btcpay.example.com/sub/i/abc?lang=en&x=1%262'
        form = self._extract_values_from_html_form(
            tx._get_processing_values()['redirect_form_html']
        )
        self.assertEqual(form, {
            'action': 'https://btcpay.example.com/sub/i/abc', 'method': 'get',
            'inputs': {'lang': 'en', 'x': '1&2'},
        })

    # === REFUSALS === #

    def _assert_refused(self, reason, **values):
        since = self._last_request()
        tx = self._create_btcpay_transaction(make_invoice=False, **values)
        with self.assertLogs(f'{MODELS}.payment_transaction.checkout', 'WARNING') as logs:
            processing_values = tx._get_processing_values()
        self.assertIn(reason, logs.output[0])
        self.assertFalse(self._posts(since), "The server was asked.")
        self.assertEqual(processing_values['state'], 'error')
        self.assertIn("Nothing was charged", processing_values['state_message'])
        self.assertNotIn('action', processing_values.get('redirect_form_html', ''))
        self.assertFalse(tx.btcpay_requested_at or tx.btcpay_invoice_id)

    def test_when_the_provider_is_disabled_then_no_invoice_is_made(self):
        self.btcpay.state = 'disabled'
        self._assert_refused("disabled or not connected")

    def test_when_the_provider_is_not_connected_then_no_invoice_is_made(self):
        # Past the constraint that an enabled provider is connected.
        for field in ('btcpay_api_key', 'btcpay_store_id', 'btcpay_server_url'):
            with self.subTest(field=field):
                value = self.btcpay.sudo()[field]
                self._set_column(field, None)
                self._assert_refused("disabled or not connected", reference=field)
                self._set_column(field, value)

    def _set_column(self, field, value):
        self.env.cr.execute(SQL(
            "UPDATE payment_provider SET %s = %s WHERE id = %s",
            SQL.identifier(field), value, self.btcpay.id,
        ))
        self.btcpay.invalidate_recordset()

    def test_when_the_payment_method_is_of_another_provider_then_no_invoice_is_made(self):
        self._assert_refused(
            "payment method unknown is not offered", payment_method_id=self.pm_unknown.id
        )

    def test_when_the_amount_is_not_positive_then_no_invoice_is_made(self):
        # The server would take 0 as settled at once.
        for amount in (0.0, 0.004, -5.0):
            with self.subTest(amount=amount):
                tx = self._create_btcpay_transaction(
                    make_invoice=False, amount=1, reference=f'amount {amount}'
                )
                tx.amount = amount
                with patch.object(
                    type(self), '_create_btcpay_transaction', lambda *_a, tx=tx, **_kw: tx
                ):
                    self._assert_refused("is not positive")

    def test_when_the_operation_is_not_a_redirect_then_no_invoice_is_made(self):
        for operation in ('online_direct', 'online_token', 'validation', 'offline'):
            with self.subTest(operation=operation):
                self._assert_refused(
                    f"operation {operation} is not supported",
                    operation=operation, reference=operation,
                )

    def test_when_the_currency_is_unsupported_then_no_invoice_is_made(self):
        self.btcpay.sudo().btcpay_unrated_currencies = 'EUR USD'
        self._assert_refused("currency USD is not supported")

    def test_when_the_provider_does_not_take_the_currency_then_no_invoice_is_made(self):
        self.btcpay.available_currency_ids = self.currency_euro
        self._assert_refused("is not offered")
