from odoo.tests import new_test_user, tagged

from odoo.addons.payment_btcpay.tests.common import BTCPayCommon


@tagged('post_install', '-at_install')
class TestRefundGroup(BTCPayCommon):

    def test_when_a_user_is_edited_without_developer_mode_then_the_group_can_be_given(self):
        group = self.env.ref('payment_btcpay.group_refund')
        administrator = new_test_user(
            self.env, 'group_admin', 'base.group_system,base.group_erp_manager'
        )
        self.assertFalse(administrator.has_group('base.group_no_one'))
        seller = new_test_user(self.env, 'group_seller', 'sales_team.group_sale_salesman')
        hierarchy = seller.with_user(administrator).view_group_hierarchy
        # The form shows groups without a privilege in developer mode only, the others by category.
        self.assertEqual(
            hierarchy['privileges'][str(group.privilege_id.id)]['group_ids'], group.ids
        )
        self.assertIn(group.privilege_id.id, [
            privilege for category in hierarchy['categories']
            for privilege in category['privilege_ids']
        ])
        seller.with_user(administrator).group_ids += group
        self.assertTrue(seller.has_group('payment_btcpay.group_refund'))
