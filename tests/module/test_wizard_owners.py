from odoo.exceptions import AccessError
from odoo.tests import new_test_user, tagged
from odoo.tools import mute_logger

from odoo.addons.payment_btcpay.tests.common import BTCPayCommon
from odoo.addons.payment_btcpay.tests.refund.refund_common import RefundMixin


@tagged('post_install', '-at_install')
class TestWizardOwners(RefundMixin, BTCPayCommon):
    """A wizard is its creator's alone."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        groups = (
            'base.group_system,account.group_account_manager,sales_team.group_sale_manager,'
            'payment_btcpay.group_refund'
        )
        cls.owner = new_test_user(cls.env, 'wizard_owner', groups)
        cls.other = new_test_user(cls.env, 'wizard_other', groups)

    def _wizards(self):
        """Return an open wizard of each kind that the owner has made."""
        self._paid(order := self._create_order(user_id=self.owner.id))
        refund = self._open_wizard(order.transaction_ids, self.owner)
        asked = self._create_order(user_id=self.owner.id).with_user(self.owner)
        request = self.env['btcpay.payment.request'].with_user(self.owner).browse(
            asked.action_btcpay_request()['res_id']
        )
        connect = self.env['btcpay.connect.wizard'].with_user(self.owner).create({
            'provider_id': self.btcpay.id, 'server_url': self.world.url,
        })
        self.env.cr.commit()
        return [refund, refund.method_ids, request, connect]

    @mute_logger('odoo.models', 'odoo.addons.base.models.ir_rule')
    def test_when_a_wizard_is_anothers_then_it_can_neither_be_read_nor_changed_nor_deleted(self):
        for wizard in self._wizards():
            theirs = wizard.with_user(self.other)
            name = next(n for n in ('fee_percent', 'is_selected', 'amount', 'server_url')
                        if n in wizard._fields)
            with self.subTest(model=wizard._name):
                self.assertFalse(theirs.search([('id', 'in', wizard.ids)]))
                for call in (
                    lambda: theirs.read([name]),  # noqa: B023 (called at once)
                    lambda: theirs.write({name: wizard[:1][name]}),  # noqa: B023 (called at once)
                    theirs.unlink, wizard.unlink,
                ):
                    with self.assertRaises(AccessError):
                        call()
                wizard.read([name])
                wizard.write({name: wizard[:1][name]})

    def test_when_wizards_are_counted_then_each_has_its_rule_and_nobody_deletes(self):
        models = [
            name for name, model in self.registry.items()
            if model._transient and name.startswith('btcpay.')
        ]
        self.assertGreaterEqual(len(models), 4)
        for name in models:
            rules = self.env['ir.rule'].sudo().search([
                ('model_id.model', '=', name), ('groups', '=', False),
            ])
            self.assertIn("('create_uid', '=', user.id)", ' '.join(rules.mapped('domain_force')))
            self.assertFalse(any(
                self.env['ir.model.access'].sudo().search([('model_id.model', '=', name)])
                .mapped('perm_unlink')
            ))
