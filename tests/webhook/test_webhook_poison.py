import json

from odoo.tests import tagged
from odoo.tools import mute_logger

from odoo.addons.payment_btcpay.tests.common import BTCPayHttpCommon

CONTROLLER_LOG = 'odoo.addons.payment_btcpay.controllers.main'
POISONS = (
    None, True, False, 0, -1, 2**31, 2**63, 10**400, 1.5, 1e308, '', ' ', '0', '\0', 'a\0b',
    '\ud800', 'x' * 20000, '😀' * 500, "'; DROP TABLE btcpay_delivery; --", '%s %(name)s {0}',
    '../../../etc', '\u202e', [], {}, [[]], ['a'], {'a': {}}, [None] * 1000,
)


@tagged('post_install', '-at_install')
class TestWebhookPoison(BTCPayHttpCommon):
    """Signed events that contain what an event should not.

    A 5xx would be tried again by the server for an hour, and hold back all the events behind.
    """

    def setUp(self):
        super().setUp()
        self.tx = self._create_btcpay_transaction(self._create_order())

    def _find_deliveries(self):
        self.env.invalidate_all()
        return self.env['btcpay.delivery'].search([('provider_id', '=', self.btcpay.id)])

    def _assert_still_working(self):
        """The next event is worked off."""
        before = self._find_deliveries()
        self.assertEqual(self._post_event(self._prepare_event(self.tx)).status_code, 200)
        self.assertEqual((self._find_deliveries() - before).state, 'processed')

    def test_when_the_json_is_malformed_then_the_event_is_refused_and_the_next_processed(self):
        for body in (
            b'', b'null', b'true', b'7', b'"event"', b'[]', b'[{}]', b'{', b'{"deliveryId": "a"',
            b'{}', b'\xff\xfe', b'\0', b'{"deliveryId": NaN}', b'{"deliveryId": Infinity}',
            b'[' * 60000, b'{"a":' * 10000, b'7' * 60000, b'{"deliveryId": "\\u0000"}',
            b'<xml/>', b'\xef\xbb\xbf{}',
        ):
            with self.subTest(body=body[:30]), mute_logger(CONTROLLER_LOG):
                self.assertEqual(self._post_event(body).status_code, 400)
        self.assertFalse(self._find_deliveries())
        self._assert_still_working()

    def test_when_the_delivery_id_is_poison_then_the_event_is_refused_and_the_next_processed(self):
        """Without an id of its own an event cannot be kept once."""
        for poison in POISONS:
            with self.subTest(poison=str(poison)[:30]), mute_logger(CONTROLLER_LOG):
                response = self._post_event(self._prepare_event(self.tx, deliveryId=poison))
                self.assertEqual(response.status_code, 200 if poison == '0' else 400)
        self._assert_still_working()

    def test_when_any_other_field_is_poison_then_the_event_is_kept_and_ignored(self):
        self.btcpay.btcpay_debug = True  # The body is stored as well.
        for field in (
            'originalDeliveryId', 'isRedelivery', 'type', 'timestamp', 'invoiceId', 'metadata',
            'pullPaymentId',
        ):
            for poison in POISONS:
                with self.subTest(field=field, poison=str(poison)[:30]):
                    event = self._prepare_event(**{field: poison})
                    self.assertEqual(self._post_event(event).status_code, 200)
                    delivery = self._find_deliveries()[0]
                    self.assertEqual(delivery.delivery_ref, event['deliveryId'])
                    self.assertEqual(delivery.state, 'ignored')
        self._assert_still_working()

    def test_when_the_order_id_is_poison_then_the_event_is_ignored(self):
        """By which a transaction is looked for while it has no invoice."""
        for poison in POISONS:
            with self.subTest(poison=str(poison)[:30]):
                event = self._prepare_event(metadata={'orderId': poison})
                self.assertEqual(self._post_event(event).status_code, 200)
        self.assertEqual(set(self._find_deliveries().mapped('state')), {'ignored'})
        self._assert_still_working()

    def test_when_a_field_is_missing_then_the_event_is_answered_without_a_server_error(self):
        for field in self._prepare_event(self.tx):
            event = self._prepare_event(self.tx)
            del event[field]
            expected = {'deliveryId': 400, 'storeId': 403, 'webhookId': 403}.get(field, 200)
            with self.subTest(field=field), mute_logger(CONTROLLER_LOG):
                self.assertEqual(self._post_event(event).status_code, expected)
        self._assert_still_working()

    def test_when_the_event_has_no_invoice_then_it_is_ignored(self):
        event = self._prepare_event(
            event_type='PayoutCreated', payoutId='payout', pullPaymentId='pull', payoutState='X'
        )
        del event['invoiceId'], event['metadata']
        self.assertEqual(self._post_event(event).status_code, 200)
        self.assertEqual(self._find_deliveries().state, 'ignored')

    def test_when_the_raw_json_is_poison_then_the_event_is_accepted_and_the_next_processed(self):
        """What `json.dumps` would not write."""
        event = json.dumps(self._prepare_event(self.tx))
        for field, raw in [
            ('timestamp', '1e999'), ('timestamp', '-1e999'), ('timestamp', 'NaN'),
            ('timestamp', '9' * 4000), ('timestamp', '-62135596801'), ('timestamp', '253402300800'),
            ('type', '"\\ud800\\udfff\\ud800"'), ('metadata', '{"orderId": "\\u0000"}'),
            ('metadata', '[' * 500 + ']' * 500), ('invoiceId', '"\\u0000"'),
            ('isRedelivery', '1E400'),
        ]:
            with self.subTest(field=field, raw=raw[:30]):
                event = self._prepare_event(self.tx)
                event.pop(field)
                body = json.dumps(event)[:-1] + f', "{field}": {raw}}}'
                self.assertEqual(self._post_event(body.encode()).status_code, 200)
        self._assert_still_working()

    def test_when_the_invoice_id_is_a_path_then_the_server_is_not_called(self):
        """An event must not have us call whatever it likes at the server."""
        before = len(self.world.requests())
        for invoice_id in ('../../api-keys/current', 'x?y=z', 'a/b', 'ä', 'x' * 65):
            self._post_event(self._prepare_event(self.tx, invoiceId=invoice_id, metadata=None))
        self.assertEqual(len(self.world.requests()), before)
