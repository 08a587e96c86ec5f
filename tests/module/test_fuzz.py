import json
import logging
from contextlib import contextmanager, suppress
from functools import partial
from unittest.mock import patch

from odoo import http
from odoo.exceptions import UserError
from odoo.tests import tagged
from odoo.tools import mute_logger

from odoo.addons.payment_btcpay import const
from odoo.addons.payment_btcpay.db import RowBusy
from odoo.addons.payment_btcpay.greenfield import Answer, GreenfieldError, Session
from odoo.addons.payment_btcpay.tests.common import BTCPayCommon, BTCPayHttpCommon
from odoo.addons.payment_btcpay.tests.refund.refund_common import RefundMixin

try:
    from odoo.addons.payment_btcpay.dev import fuzz
    from odoo.addons.payment_btcpay.dev.fuzz import ANYTHING, TEXT, st
except ImportError:  # Then the stand-in is missing as well, and these tests are skipped.
    fuzz = None


class _Records(logging.Handler):
    """Keeps what is logged, and away from the log of the tests."""

    def __init__(self):
        super().__init__()
        self.records = []

    def emit(self, record):
        self.records.append(record)


class FuzzMixin:
    """Whatever comes is refused, and leaves nothing behind but a line in the log.

    Hypothesis chooses what comes; `FUZZ=20` tries twenty times as much, other things each time.
    """

    def _fuzz(self, examples, function, **strategies):
        """Call a function with whatever can come.

        :param int examples: How often.
        :param function function: The test of one.
        :param dict strategies: Its parameters.
        """
        @fuzz.fuzz(examples, **strategies)
        def try_one(**values):
            function(**values)

        try_one()

    @contextmanager
    def _only_lines(self):
        """Assert that what is logged are lines, and no error of ours or of Odoo's."""
        handler = _Records()
        loggers = [logging.getLogger(name) for name in ('odoo', 'werkzeug')]
        for logger in loggers:
            logger.addHandler(handler)
        propagated = [logger.propagate for logger in loggers]
        for logger in loggers:
            logger.propagate = False
        ours = logging.getLogger('odoo.addons.payment_btcpay')
        level = ours.level
        ours.setLevel(logging.INFO)
        try:
            yield
        finally:
            ours.setLevel(level)
            for logger, was_propagated in zip(loggers, propagated, strict=True):
                logger.removeHandler(handler)
                logger.propagate = was_propagated
        for record in handler.records:
            self.assertFalse(record.exc_info, record.getMessage())
            if record.name.startswith('odoo.addons.payment_btcpay'):
                # But for the space that Odoo itself writes behind “$”.
                text = record.getMessage().replace('\xa0', ' ')
                self.assertTrue(text.isprintable(), repr(text))
            else:
                self.assertLess(record.levelno, logging.ERROR, record.getMessage())


@tagged('post_install', '-at_install')
class TestFuzzRoutes(FuzzMixin, BTCPayHttpCommon):

    MODELS = ('btcpay.delivery', 'btcpay.authorization', 'payment.transaction', 'ir.attachment')

    def setUp(self):
        super().setUp()
        self.authenticate(None, None)
        self.tx = self._create_btcpay_transaction(self._create_order())
        self.env.flush_all()

    def _count(self):
        """Count what must not become more."""
        self.env.invalidate_all()
        return {
            **{model: self.env[model].sudo().search_count([]) for model in self.MODELS},
            'sessions': len(list(http.root.session_store.list())),
        }

    def _send(self, method, path, **kwargs):
        """Send a request as somebody without a session, and assert that nothing comes of it."""
        try:
            response = self.opener.request(
                method, f'{self.base_url()}{path}', allow_redirects=False, timeout=30,
                cookies={}, **kwargs,
            )
        except UnicodeError:
            return None  # It cannot be sent at all.
        self.assertLess(response.status_code, 500, (method, path, kwargs))
        return response

    def _send_content(self, method, path, place, content):
        self._send(method, path, **{place: content})

    def _assert_nothing_comes_of(self, examples, send, **strategies):
        before = self._count()
        requests = len(self.world.requests())
        with self._only_lines():
            self._fuzz(examples, send, **strategies)
        self.assertEqual(self._count(), before)
        self.assertEqual(len(self.world.requests()), requests, "The server was asked.")

    def test_whatever_comes_to_the_webhook_without_signature_is_refused(self):
        def send(body, signature, path, kind):
            self._send('POST', f'{const.WEBHOOK_ROUTE}/{path}', data=body, headers={
                'BTCPay-Sig': signature, 'Content-Type': kind,
            })

        self._assert_nothing_comes_of(
            80, send,
            body=st.one_of(
                st.binary(max_size=80), ANYTHING.map(lambda data: json.dumps(data).encode()),
                st.dictionaries(st.sampled_from(sorted(self._prepare_event())), ANYTHING).map(
                    lambda data: json.dumps({**self._prepare_event(self.tx), **data}).encode()
                ),
            ),
            signature=st.one_of(
                st.just(''), st.just(f'sha256={"0" * 64}'),
                st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=80),
            ),
            path=st.sampled_from((str(self.btcpay.id), '0', str(2 ** 31), '9' * 40, 'a', '1%202')),
            kind=st.sampled_from((
                'application/json', 'application/x-www-form-urlencoded', 'text/plain',
                'multipart/form-data; boundary=x', 'multipart/form-data', 'a\u00e9'.encode(),
            )),
        )

    def test_whatever_comes_to_the_webhook_with_a_signature_is_answered(self):
        """The server tries 5xx again, and holds back all events behind."""
        good = self._prepare_event(self.tx)

        def send(wrong, refund):
            delivery = {'deliveryId': self._prepare_event()['deliveryId']}
            event = {**good, **delivery, **refund, **wrong}
            response = self._post_event(event)
            self.assertIn(response.status_code, (200, 400, 403), event)

        self.btcpay.btcpay_debug = True
        self.env.cr.commit()
        with self._only_lines():
            self._fuzz(
                120, send,
                wrong=st.dictionaries(
                    st.sampled_from((*good, 'pullPaymentId', 'payoutId', 'payoutState')),
                    TEXT | ANYTHING | st.fixed_dictionaries({'orderId': TEXT | ANYTHING}),
                    max_size=3,
                ),
                refund=st.sampled_from(({}, {
                    'type': 'PayoutUpdated', 'pullPaymentId': 'unknown', 'payoutId': 'payout',
                    'payoutState': 'Completed',
                })),
            )
        self.env.invalidate_all()
        self.assertEqual((self.tx.state, self.tx.btcpay_status), ('draft', 'New'))

    def test_whatever_comes_to_callback_return_and_connect_page_without_state_is_refused(self):
        for method, path in (
            ('GET', const.RETURN_ROUTE), ('POST', const.RETURN_ROUTE),
            ('GET', const.CALLBACK_ROUTE), ('POST', const.CALLBACK_ROUTE),
            ('GET', const.CONNECT_ROUTE), ('POST', const.PAY_AGAIN_ROUTE),
        ):
            for place in ('params', 'data', 'files'):  # Address, form, and form with files.
                self._assert_nothing_comes_of(
                    6, partial(self._send_content, method, path, place),
                    content=st.dictionaries(
                        st.sampled_from(('ref', 'state', 'apiKey')),
                        TEXT.map(lambda text: text.encode(errors='replace')), min_size=2,
                    ),
                )

    def test_whatever_comes_to_the_pages_of_documents_is_refused(self):
        order = self.tx.sale_order_ids

        def send(path, params):
            self._send('GET', path, params=params)

        self._assert_nothing_comes_of(
            80, send,
            path=st.sampled_from((f'/my/orders/{order.id}', '/my/orders/0', '/my/invoices/0')),
            params=st.dictionaries(
                st.sampled_from(('btcpay', 'payment_amount', 'message', 'access_token')),
                TEXT.map(lambda text: text.encode(errors='replace')),
            ),
        )

    def test_whatever_comes_to_the_waiting_page_is_refused(self):
        def send(params):
            body = json.dumps({'jsonrpc': '2.0', 'id': 1, 'params': params})
            answer = self._send('POST', '/payment/status/poll', data=body, headers={
                'Content-Type': 'application/json',
            }).json()
            name = answer.get('error', {'data': {'name': ''}})['data']['name']
            self.assertTrue(not name or name.startswith(('odoo.', 'werkzeug.')), answer)

        with mute_logger('odoo.http'):  # By Odoo: there is no transaction in this session.
            self._assert_nothing_comes_of(40, send, params=st.dictionaries(
                st.sampled_from(('provider_id', 'access_token', 'amount', 'x')), ANYTHING,
            ))


@tagged('post_install', '-at_install')
class TestFuzzAnswers(FuzzMixin, RefundMixin, BTCPayCommon):

    def _answer(self, wrong, status):
        """Have the server answer as it does, but for some fields.

        :param dict wrong: What the fields have instead, wherever they are; without a name, what
                           there is instead of all.
        :param int status: The status of the answers.
        :rtype: AbstractContextManager
        """
        send = Session.send

        def change(data):
            if isinstance(data, list):
                return [change(item) for item in data]
            if isinstance(data, dict):
                return {
                    name: wrong[name] if name in wrong else change(value)
                    for name, value in data.items()
                }
            return data

        def answer(session, *args, **kwargs):
            told = send(session, *args, **kwargs)
            content = wrong if status != 200 else change(json.loads(told.body))
            return Answer(
                status if told.status == 200 else told.status, told.headers,
                json.dumps(wrong.get('', content)).encode(),
            )

        return patch.object(Session, 'send', answer)

    def _assert_applied_or_refused(self, examples, names, function):
        """Assert that whatever is answered, a function goes on or ends with an error for people.

        :param int examples: How often it is tried.
        :param tuple[str] names: The fields that may be wrong.
        :param function function: What asks the server.
        """
        cr = self.env.cr

        def apply(wrong, status):
            savepoint = cr.savepoint()
            cr.commit()  # No further back than to here.
            try:
                with (
                    self._only_lines(), self._answer(wrong, status),
                    suppress(GreenfieldError, RowBusy, UserError),
                ):
                    function()
            finally:
                cr.clear()
                savepoint.close()

        self._fuzz(
            examples, apply, status=st.just(200), wrong=st.dictionaries(
                st.sampled_from(('', *names)), TEXT | ANYTHING, min_size=1, max_size=4,
            ),
        )
        self._fuzz(
            examples // 3, apply, status=st.sampled_from((400, 403, 422, 500)),
            wrong=st.fixed_dictionaries(
                dict.fromkeys(('code', 'message', 'missingPermission'), TEXT)
            ),
        )

    def test_whatever_is_answered_of_an_invoice_is_applied_or_refused(self):
        tx = self._create_btcpay_transaction(self._create_order())
        self.world.pay(tx.btcpay_invoice_id)
        self._assert_applied_or_refused(60, (
            'id', 'status', 'additionalStatus', 'amount', 'paidAmount', 'currency', 'metadata',
            'orderId', 'expirationTime', 'monitoringExpiration', 'createdTime', 'checkoutLink',
            'paymentMethodId', 'rate', 'due', 'payments', 'value', 'fee', 'destination',
            'receivedDate', 'storeId', 'archived',
        ), tx._btcpay_sync)

    def test_whatever_is_answered_of_a_new_invoice_is_applied_or_refused(self):
        tx = self._create_btcpay_transaction(self._create_order(), make_invoice=False)
        self._assert_applied_or_refused(25, (
            'id', 'status', 'additionalStatus', 'amount', 'paidAmount', 'currency', 'metadata',
            'expirationTime', 'checkoutLink', 'storeId',
        ), tx._btcpay_create_invoice)

    def test_whatever_is_answered_of_a_refund_is_applied_or_refused(self):
        tx = self._paid()
        refund = self._refund_by(self._open_wizard(tx))
        self._claim(refund, '20.00')
        self._assert_applied_or_refused(40, (
            'id', 'amount', 'currency', 'name', 'description', 'archived', 'viewLink', 'state',
            'originalAmount', 'originalCurrency', 'payoutAmount', 'payoutCurrency', 'date',
            'destination', 'paymentProof', 'pullPaymentId', 'payoutMethodId', 'BOLT11Expiration',
        ), refund._btcpay_sync)

    def test_whatever_is_answered_of_key_store_and_webhook_is_applied_or_refused(self):
        self._assert_applied_or_refused(40, (
            'permissions', 'label', 'id', 'name', 'defaultCurrency', 'paymentMethodId', 'enabled',
            'url', 'secret', 'authorizedEvents', 'specificEvents',
        ), lambda: self.btcpay._btcpay_connect(self.world.url, self.api_key))
