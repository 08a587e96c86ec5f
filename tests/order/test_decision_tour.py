from odoo.tests import new_test_user, tagged

from odoo.addons.payment_btcpay.tests.common import BTCPayHttpCommon
from odoo.addons.payment_btcpay.tests.refund.refund_common import RefundMixin


@tagged('post_install', '-at_install')
class TestDecisionTour(RefundMixin, BTCPayHttpCommon):

    def test_when_a_payment_is_late_then_the_salesperson_accepts_it_from_the_banner(self):
        user = new_test_user(self.env, 'decision_tour', 'sales_team.group_sale_salesman')
        self.order = self._create_order(user_id=user.id)
        self.tx = self._create_btcpay_transaction(self.order)
        self._receive('1', late=True)
        self.env.flush_all()
        self.start_tour('/odoo/sales', 'btcpay_decision_tour', login='decision_tour')
        self.env.invalidate_all()
        self.assertEqual(self.tx.state, 'done')
        self.assertFalse(self.order.btcpay_decision)
