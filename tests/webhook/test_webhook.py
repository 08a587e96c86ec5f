import hashlib
import hmac
import json
from datetime import timedelta

from odoo import fields
from odoo.tests import tagged
from odoo.tools import mute_logger

from odoo.addons.payment_btcpay import const
from odoo.addons.payment_btcpay.tests.common import BTCPayHttpCommon

CONTROLLER_LOG = 'odoo.addons.payment_btcpay.controllers.main'


@tagged('post_install', '-at_install')
class TestWebhook(BTCPayHttpCommon):
    """Who may tell us something, and what becomes of it."""

    def setUp(self):
        super().setUp()
        self.tx = self._create_btcpay_transaction(self._create_order())
        self.world.pay(self.tx.btcpay_invoice_id)
        self.world.mine()

    def _find_deliveries(self, **values):
        self.env.invalidate_all()
        return self.env['btcpay.delivery'].search(
            [('provider_id', '=', self.btcpay.id)]
            + [(field, '=', value) for field, value in values.items()]
        )

    def _assert_refused(self, response, status=403):
        """The event was not kept, and had no effect."""
        self.assertEqual(response.status_code, status)
        if status == 403:
            self.assertEqual(response.content, b'')
        self.assertFalse(self._find_deliveries())
        self.assertEqual(self.tx.state, 'draft')

    def _sign(self, body, secret):
        return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()

    # === THE SERVER'S OWN === #

    def test_when_the_signature_is_right_then_the_event_is_kept_and_processed(self):
        event = self._prepare_event(self.tx)
        response = self._post_event(event)
        self.assertEqual((response.status_code, response.content), (200, b''))
        delivery = self._find_deliveries()
        self.assertRecordValues(delivery, [{
            'delivery_ref': event['deliveryId'],
            'original_ref': event['deliveryId'],
            'is_redelivery': False,
            'event': 'InvoiceSettled',
            'invoice_ref': self.tx.btcpay_invoice_id,
            'order_ref': self.tx.reference,
            'transaction_id': self.tx.id,
            'state': 'processed',
            'try_count': 1,
            'next_try_at': False,
            'body': False,
        }])
        self.assertEqual(delivery.sent_at.timestamp(), event['timestamp'])
        self.assertEqual(self.tx.state, 'done')

    def test_when_the_server_sends_its_events_then_the_order_is_confirmed(self):
        order = self._create_order()
        tx = self._create_btcpay_transaction(order)
        with self._world_speaks() as world:
            world.pay(tx.btcpay_invoice_id)
            world.mine()
        self.assertEqual(tx.state, 'done')
        cron = self.env.ref('payment.cron_post_process_payment_tx')
        self.assertTrue(self.env['ir.cron.trigger'].search([('cron_id', '=', cron.id)]))
        self.env['payment.transaction'].sudo()._cron_post_process()
        self.assertEqual(order.state, 'sale')
        deliveries = self._find_deliveries(transaction_id=tx.id)
        self.assertEqual(set(deliveries.mapped('state')), {'processed'})
        self.assertIn('InvoiceSettled', deliveries.mapped('event'))

    def test_when_an_event_says_that_it_is_paid_then_only_the_server_is_believed(self):
        tx = self._create_btcpay_transaction(self._create_order())
        for event_type in ('InvoiceSettled', 'InvoiceInvalid', 'InvoiceExpired', 'Anything'):
            event = self._prepare_event(tx, event_type, status='Settled', manuallyMarked=True)
            self.assertEqual(self._post_event(event).status_code, 200)
            self.env.invalidate_all()
            self.assertEqual((tx.state, tx.btcpay_status), ('draft', 'New'))

    # === SIGNATURES === #

    def test_when_the_signature_is_wrong_then_the_event_is_refused(self):
        event = self._prepare_event(self.tx)
        body = json.dumps(event, indent=2).encode()
        right = self._sign(body, self.webhook_secret)
        signed_with_others = [
            self._sign(body, secret)
            for secret in ('', 'False', 'None', self.api_key, self.webhook_secret + ' ')
        ]
        for signature in [
            '', 'sha256=', right, f'sha1={right}', f'SHA256={right}', f'sha256={right[:-1]}',
            f'sha256={right.upper()}', f'sha256={right}, sha256={right}', f'sha256= {right}',
            'sha256=' + '0' * 64, 'sha256=' + 'é' * 64, 'sha256', '=', 'x' * 5000,
            *(f'sha256={signature}' for signature in signed_with_others),
        ]:
            with self.subTest(signature=signature[:80]):
                with self.assertLogs(CONTROLLER_LOG, 'WARNING') as logs:
                    response = self._post_event(body, signature=signature.encode())
                self._assert_refused(response)
                self.assertNotIn(self.webhook_secret, logs.output[0])
        # It was the signature alone.
        self.assertEqual(self._post_event(body).status_code, 200)
        self.assertEqual(self.tx.state, 'done')

    @mute_logger(CONTROLLER_LOG)
    def test_when_there_is_no_signature_then_the_event_is_refused(self):
        body = json.dumps(self._prepare_event(self.tx)).encode()
        self._assert_refused(self.url_open(
            f'{const.WEBHOOK_ROUTE}/{self.btcpay.id}', data=body,
            headers={'Content-Type': 'application/json'},
        ))

    @mute_logger(CONTROLLER_LOG)
    def test_when_the_body_is_not_the_one_signed_then_the_event_is_refused(self):
        event = self._prepare_event(self.tx)
        signed = self._sign(json.dumps(event, indent=2).encode(), self.webhook_secret)
        signature = f'sha256={signed}'
        for body in (
            json.dumps(event).encode(),  # The same event, written otherwise.
            json.dumps(event, indent=2).encode() + b'\n',
            json.dumps({**event, 'invoiceId': 'another'}, indent=2).encode(),
            b'',
        ):
            self._assert_refused(self._post_event(body, signature=signature))

    @mute_logger(CONTROLLER_LOG)
    def test_when_there_is_no_secret_then_every_event_is_refused(self):
        """E.g. in a neutralised copy of the database."""
        for secret in (False, ''):
            self.btcpay.sudo().write({
                'btcpay_webhook_secret': secret,
                'btcpay_old_webhook_secret': secret,
                'btcpay_old_webhook_secret_until': fields.Datetime.now() + timedelta(hours=1),
            })
            for used in ('', 'False', 'None', self.webhook_secret):
                with self.subTest(secret=secret, used=used):
                    self._assert_refused(
                        self._post_event(self._prepare_event(self.tx), secret=used)
                    )

    @mute_logger(CONTROLLER_LOG)
    def test_when_the_secret_is_of_another_provider_then_the_event_has_no_effect_here(self):
        other = self.btcpay.copy()
        other.sudo().write({
            'btcpay_webhook_secret': 'another secret',
            'btcpay_webhook_id': self.btcpay.sudo().btcpay_webhook_id,
            'btcpay_store_id': self.store_id,
        })
        event = self._prepare_event(self.tx)
        self._assert_refused(self._post_event(event, secret='another secret'))
        self._assert_refused(self._post_event(event, provider=other))
        # And the other's own events are not about this one's transactions.
        response = self._post_event(event, secret='another secret', provider=other)
        self.assertEqual(response.status_code, 200)
        self.env.invalidate_all()
        self.assertEqual(self.tx.state, 'draft')
        self.assertEqual(
            self.env['btcpay.delivery'].search([('provider_id', '=', other.id)]).state, 'ignored'
        )

    def test_when_the_secret_was_changed_then_the_old_one_is_accepted_until_it_expires(self):
        self.btcpay.sudo().write({
            'btcpay_webhook_secret': 'a new secret',
            'btcpay_old_webhook_secret': self.webhook_secret,
            'btcpay_old_webhook_secret_until': fields.Datetime.now() - timedelta(seconds=1),
        })
        with mute_logger(CONTROLLER_LOG):
            self._assert_refused(self._post_event(self._prepare_event(self.tx)))
        self.btcpay.sudo().btcpay_old_webhook_secret_until = (
            fields.Datetime.now() + timedelta(minutes=1)
        )
        self.assertEqual(self._post_event(self._prepare_event(self.tx)).status_code, 200)
        response = self._post_event(self._prepare_event(self.tx), secret='a new secret')
        self.assertEqual(response.status_code, 200)

    # === FOR WHOM === #

    @mute_logger(CONTROLLER_LOG)
    def test_when_the_event_is_of_another_store_or_webhook_then_it_is_refused(self):
        for values in (
            {'storeId': 'another'}, {'webhookId': 'another'}, {'storeId': None},
            {'webhookId': None}, {'storeId': [self.store_id]}, {'webhookId': True},
        ):
            with self.subTest(**values):
                self._assert_refused(self._post_event(self._prepare_event(self.tx, **values)))

    @mute_logger(CONTROLLER_LOG)
    def test_when_the_address_has_no_provider_of_ours_then_the_event_is_refused(self):
        event = self._prepare_event(self.tx)
        for provider in (self.dummy_provider, self.env['payment.provider'].browse(2**31 - 1)):
            self._assert_refused(self._post_event(event, provider=provider))

    def test_when_the_address_has_no_valid_id_then_the_event_is_refused(self):
        body = json.dumps(self._prepare_event(self.tx)).encode()
        signature = f'sha256={self._sign(body, self.webhook_secret)}'
        for path in (
            '', '/0x1', '/-1', '/1.5', '/²', f'/{2**31}', f'/{10**30}', '/' + '9' * 5000,
        ):
            with self.subTest(path=path), mute_logger(CONTROLLER_LOG):
                response = self.url_open(
                    f'{const.WEBHOOK_ROUTE}{path}', data=body,
                    headers={'Content-Type': 'application/json', 'BTCPay-Sig': signature},
                )
                self.assertIn(response.status_code, (403, 404))

    def test_when_the_address_is_called_by_another_method_then_it_is_refused(self):
        for method in ('GET', 'PUT', 'DELETE', 'PATCH'):
            with self.subTest(method=method), mute_logger('odoo.http'):
                response = self.url_open(self.webhook_url, method=method)
                self.assertIn(response.status_code, (404, 405))

    def test_when_the_invoice_is_unknown_then_the_event_is_ignored(self):
        response = self._post_event(self._prepare_event())
        self.assertEqual(response.status_code, 200)
        self.assertRecordValues(self._find_deliveries(), [{
            'state': 'ignored', 'transaction_id': False,
            'reason': "No transaction has this invoice.",
        }])

    # === TOO MUCH === #

    @mute_logger(CONTROLLER_LOG)  # Of what has no length the beginning is read.
    def test_when_the_event_is_too_large_then_it_is_refused(self):
        event = self._prepare_event(self.tx, filler='x' * const.MAX_WEBHOOK_SIZE)
        self._assert_refused(self._post_event(event), status=413)

        def chunks():  # Without Content-Length.
            yield json.dumps(event).encode()

        response = self.opener.post(self.webhook_url, data=chunks(), headers={
            'Content-Type': 'application/json', 'BTCPay-Sig': 'sha256=0',
        })
        self.assertIn(response.status_code, (403, 411, 413))
        self._assert_refused(response, status=response.status_code)

    def test_when_the_event_has_the_largest_size_allowed_then_it_is_processed(self):
        event = self._prepare_event(self.tx)
        size = len(json.dumps({**event, 'filler': ''}, indent=2))
        event['filler'] = 'x' * (const.MAX_WEBHOOK_SIZE - size)
        self.assertEqual(self._post_event(event).status_code, 200)
        self.assertEqual(self._find_deliveries().state, 'processed')
