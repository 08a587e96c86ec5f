from datetime import timedelta
from unittest.mock import patch

from odoo import fields
from odoo.tests import tagged
from odoo.tools import mute_logger

from odoo.addons.payment_btcpay.tests.common import BTCPayCommon
from odoo.addons.payment_btcpay.tests.money_common import MoneyMixin

LOGS = (
    'odoo.addons.payment.models.payment_transaction',
    'odoo.addons.payment_btcpay.models.payment_transaction.confirmation',
)


@tagged('post_install', '-at_install')
class TestConfirmedByOthers(MoneyMixin, BTCPayCommon):
    """A person was asked why something is not confirmed, which then is: by Odoo or by a person."""

    def setUp(self):
        super().setUp()
        self.order = self._create_order(require_payment=True, prepayment_percent=1.0)
        self.tx = self._pay_order(self.order)

    def _try(self, times=1):
        """Run Odoo's scheduled action, each time when it is our turn as well."""
        for _time in range(times):
            self.tx.btcpay_confirm_at = fields.Datetime.now() - timedelta(minutes=1)
            self._post_process()
        self.env.invalidate_all()

    def _ask(self, confirm):
        """Have a person asked, since orders are confirmed as is given."""
        with patch.object(self.registry['sale.order'], 'action_confirm', confirm):
            self._try(3)
        self.assertIn("confirm it yourself", self._activities(self.order))
        self.assertEqual(self.order.btcpay_decision, 'unconfirmed')

    def _assert_nobody_is_asked(self):
        self.assertFalse(self.order.activity_ids, self._activities(self.order))
        self.assertRecordValues(self.tx, [{
            'btcpay_is_handled': True, 'btcpay_confirm_error': False, 'btcpay_decision': False,
        }])
        self.assertEqual(self.tx.payment_id.amount, 100)
        self.assertEqual(self._notes(self.order).count("is confirmed now"), 1)

    def test_when_odoo_confirms_it_once_it_can_then_nobody_is_asked_any_more(self):
        def fail(_order):
            raise ValueError("broken")

        with mute_logger(*LOGS):
            self._ask(fail)
        self._try()  # In the first four days Odoo's own code comes before ours.
        self.assertEqual(self.order.state, 'sale')
        self._assert_nobody_is_asked()
        self._try()
        self._assert_nobody_is_asked()

    def test_when_a_person_confirms_what_is_booked_then_nobody_is_asked_any_more(self):
        self._ask(lambda _order: True)
        self.order.action_confirm()
        self._try()
        self._assert_nobody_is_asked()

    def test_when_it_is_synced_after_a_person_confirmed_it_then_nobody_is_asked_any_more(self):
        self._ask(lambda _order: True)
        self.order.action_confirm()
        self.tx.action_btcpay_sync()
        self.assertFalse(self.order.activity_ids)
