from odoo.fields import Command
from odoo.tests import tagged

from odoo.addons.payment_btcpay.tests.checkout.methods_common import DiscountMixin
from odoo.addons.payment_btcpay.tests.common import BTCPayCommon


@tagged('post_install', '-at_install')
class TestDiscountCoupons(DiscountMixin, BTCPayCommon):
    """Coupons and gift cards of Odoo's own, which are computed anew on confirmation."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        if cls.env['ir.module.module']._get('sale_loyalty').state != 'installed':
            cls.skipTest(cls, "Coupons and gift cards (module sale_loyalty) are not installed.")

    def _apply(self, program, order, points):
        self.env['loyalty.generate.wizard'].with_context(active_id=program.id).create({
            'coupon_qty': 1, 'points_granted': points,
        }).generate_coupons()
        coupon = program.coupon_ids[-1]
        status = order._try_apply_code(coupon.code)
        order._apply_program_reward(coupon.program_id.reward_ids, coupon)
        self.assertNotIn('error', status)

    def test_when_a_coupon_or_gift_card_is_applied_then_all_agrees_after_confirmation(self):
        coupons = self.env['loyalty.program'].create({
            'name': "Ten", 'program_type': 'coupons', 'trigger': 'with_code',
            'applies_on': 'current', 'reward_ids': [Command.create({
                'reward_type': 'discount', 'discount': 10, 'discount_mode': 'percent',
                'discount_applicability': 'order',
            })],
        })
        cards = self.env['loyalty.program'].create({
            'name': "Cards", 'program_type': 'gift_card', 'trigger': 'auto', 'applies_on': 'future',
            'reward_ids': [Command.create({
                'reward_type': 'discount', 'discount': 1, 'discount_mode': 'per_point',
                'discount_applicability': 'order', 'required_points': 1,
            })],
        })
        for program, points, total, asked in [(coupons, 1, 90, 85.5), (cards, 20, 80, 76)]:
            with self.subTest(program=program.name):
                order = self._create_order()
                self._apply(program, order, points)
                self.assertEqual(order.amount_total, total)
                tx = self._begin(order)
                self.world.pay(tx.btcpay_invoice_id, method='BTC-LN')
                self._look(tx)
                self._post_process()
                self.assertEqual((order.state, order.amount_total), ('sale', asked))
                rewards = order.order_line.filtered('reward_id')
                self.assertEqual(rewards.price_total, total - 100)
                self.assertEqual((tx.amount, tx.payment_id.amount), (asked, asked))
                self.assertFalse(order.activity_ids)
