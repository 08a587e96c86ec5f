from odoo.exceptions import AccessError, UserError
from odoo.fields import Command
from odoo.tests import new_test_user, tagged
from odoo.tools import mute_logger

from odoo.addons.payment_btcpay import const
from odoo.addons.payment_btcpay.greenfield import GreenfieldError
from odoo.addons.payment_btcpay.models.payment_provider.client import UnsafeAddress
from odoo.addons.payment_btcpay.tests.common import BTCPayCommon
from odoo.addons.payment_btcpay.tests.refund.refund_common import RefundMixin

MODELS = ('payment.provider', 'payment.transaction', 'sale.order', 'account.move')
# What an administrator decides.
SETTINGS = {
    'btcpay_responsible_id', 'btcpay_accept_partial', 'btcpay_late_policy',
    'btcpay_webhook_log_days', 'btcpay_debug', 'btcpay_debug_days', 'btcpay_poll_minutes',
    'btcpay_underpaid_policy', 'btcpay_write_off_account_id', 'btcpay_checkout_mode',
    'btcpay_speed_policy', 'btcpay_confirm_when', 'btcpay_expiration_minutes',
    'btcpay_monitoring_minutes',
    'btcpay_tolerance', 'btcpay_minimum_amount', 'btcpay_default_method', 'btcpay_language',
    'btcpay_redirect', 'btcpay_item_description', 'btcpay_receipt', 'btcpay_send_email',
    'btcpay_send_name', 'btcpay_send_address', 'btcpay_send_country', 'btcpay_send_lines',
    'btcpay_send_order_link', 'btcpay_discount_method_id', 'btcpay_discount_percent',
    'btcpay_discount_fixed', 'btcpay_print_qr', 'btcpay_explorer_url', 'btcpay_proxy',
}


@tagged('post_install', '-at_install')
class TestProtectedFields(RefundMixin, BTCPayCommon):
    """What our code alone sets nobody else writes, whichever rights they have."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        groups = (
            'base.group_system,account.group_account_manager,sales_team.group_sale_manager,'
            'base.group_allow_export'
        )
        cls.administrator = new_test_user(cls.env, 'protected_admin', groups)
        cls.accountant = new_test_user(
            cls.env, 'protected_acc', 'account.group_account_manager,sales_team.group_sale_manager'
        )

    def _names(self, model, is_writable=False):
        return {
            name for name, field in self.env[model]._fields.items()
            if name.startswith('btcpay_') and bool(field.readonly) is not is_writable
        }

    @mute_logger('odoo.models')
    def test_when_anybody_writes_or_creates_what_our_code_sets_then_it_is_refused(self):
        tx = self._paid(self._create_order())
        records = {
            'payment.provider': self.btcpay, 'payment.transaction': tx,
            'sale.order': tx.sale_order_ids, 'account.move': self._create_invoice(),
        }
        made = {
            'payment.provider': {'name': "Made"},
            'payment.transaction': {
                'provider_id': self.dummy_provider.id, 'currency_id': self.currency.id,
                'payment_method_id': self.dummy_provider.payment_method_ids[:1].id,
                'amount': 1, 'partner_id': self.partner.id, 'reference': 'made',
            },
            'sale.order': {'partner_id': self.partner.id},
            'account.move': {'move_type': 'out_invoice', 'partner_id': self.partner.id},
        }
        for model in MODELS:
            for user in (self.administrator, self.accountant):
                record = records[model].with_user(user)
                for name in self._names(model):
                    with self.subTest(model=model, field=name, user=user.login):
                        with self.assertRaises(AccessError):
                            record.write({name: False})
                        with self.assertRaises(AccessError):
                            record.create({**made[model], name: False})
                        with self.assertRaises(AccessError):
                            record.with_context(**{f'default_{name}': False}).create(made[model])

    def test_when_fields_are_counted_then_only_settings_can_be_written(self):
        self.assertEqual(self._names('payment.provider', is_writable=True) - {
            'btcpay_api_key', 'btcpay_database', 'btcpay_webhook_secret',
            # Nobody may write them, see `TestSecrets`.
            'btcpay_old_webhook_secret', 'btcpay_old_webhook_secret_until',
        }, SETTINGS)
        for model in MODELS[1:]:
            self.assertEqual(self._names(model, is_writable=True), set())

    def test_when_an_administrator_changes_settings_or_duplicates_then_it_is_done(self):
        provider = self.btcpay.with_user(self.administrator)
        values = {
            'btcpay_responsible_id': self.administrator.id, 'btcpay_accept_partial': True,
            'btcpay_late_policy': 'accept', 'btcpay_webhook_log_days': 7, 'btcpay_debug': True,
            'btcpay_debug_days': 5,
            'btcpay_poll_minutes': 3, 'state': 'enabled', 'name': "Bitcoin",
            'btcpay_underpaid_policy': 'received', 'btcpay_checkout_mode': 'modal',
            'btcpay_print_qr': True,
            'btcpay_write_off_account_id': self.company_data['default_account_expense'].id,
            'btcpay_speed_policy': 'LowSpeed', 'btcpay_confirm_when': 'seen',
            'btcpay_expiration_minutes': '30',
            'btcpay_monitoring_minutes': '60', 'btcpay_tolerance': '1.5',
            'btcpay_minimum_amount': 5, 'btcpay_default_method': 'BTC-LN',
            'btcpay_language': 'customer', 'btcpay_redirect': 'no',
            'btcpay_discount_method_id': self.payment_method.id, 'btcpay_discount_percent': 5,
            'btcpay_discount_fixed': 1, 'btcpay_item_description': "Order {documents}",
            'btcpay_receipt': 'no', 'btcpay_explorer_url': 'https://mempool.space/tx/{txid}',
            'btcpay_proxy': 'socks5h://127.0.0.1:9050',
            **{name: True for name in SETTINGS if name.startswith('btcpay_send_')},
        }
        self.assertLess(SETTINGS, set(values))
        provider.web_save(values, {'btcpay_poll_minutes': {}})
        self.assertEqual(provider.btcpay_poll_minutes, 3)
        copied = provider.copy()
        self.assertEqual(copied.btcpay_connection_state, 'disconnected')
        self.assertFalse(copied.sudo().btcpay_api_key or copied.btcpay_server_url)
        self.assertEqual(copied.btcpay_poll_minutes, 3)

    @mute_logger('odoo.models')
    def test_when_the_server_address_is_written_or_imported_then_the_key_stays_here(self):
        provider = self.btcpay.with_user(self.administrator)
        for call in (
            lambda: provider.write({'btcpay_server_url': 'https://thief.example'}),
            lambda: provider.web_save({'btcpay_server_url': 'https://thief.example'}, {}),
        ):
            with self.assertRaises(AccessError):
                call()
        result = provider.load(
            ['.id', 'btcpay_server_url'], [[str(provider.id), 'https://thief.example']]
        )
        self.assertFalse(result['ids'])
        self.assertEqual(self.btcpay.sudo().btcpay_server_url, self.world.url)

    def test_when_a_stored_address_cannot_be_used_safely_then_nothing_is_sent_to_it(self):
        for url in ('http://8.8.8.8', 'ftp://127.0.0.1', 'https://user:word@127.0.0.1', 'x y'):
            self.btcpay.sudo().btcpay_server_url = url
            with self._quiet(), self.subTest(url=url), self.assertRaises(UnsafeAddress) as caught:
                self.btcpay._btcpay_client().get_current_key()
            self.assertIsInstance(caught.exception, GreenfieldError)
            self.assertIn("cannot be used safely", self.btcpay._btcpay_explain(caught.exception))

    @mute_logger('odoo.models')
    def test_when_an_accountant_resets_a_refund_then_it_is_refused_and_nothing_more_is_paid(self):
        tx = self._paid(self._create_order())
        refund = tx._btcpay_request_refund(100, mail_customer=False)
        self.env.cr.commit()
        for user in (self.accountant, self.administrator):
            for record in (tx, refund):
                for values in (
                    {'state': 'error'}, {'amount': 100000}, {'currency_id': self.currency_euro.id},
                    {'provider_reference': 'x'}, {'source_transaction_id': False},
                    {'provider_id': self.dummy_provider.id}, {'operation': 'offline'},
                    {'child_transaction_ids': [Command.update(refund.id, {'amount': -1})]},
                    {'child_transaction_ids': [Command.clear()]},
                ):
                    if 'child_transaction_ids' in values and record == refund:
                        continue
                    with self.subTest(user=user.login, values=values), \
                            self.assertRaises(UserError):
                        record.with_user(user).write(values)
                        self.env.flush_all()
            with self.assertRaises(UserError):
                refund.with_user(user).unlink()
        self.env.invalidate_all()
        self.assertEqual((refund.state, refund.amount), ('pending', -100))
        self.assertEqual(tx._btcpay_get_refund_sums()['available'], 0)

    def test_when_an_accountant_has_defaults_of_their_own_then_a_refund_begins_as_ours_do(self):
        """Every employee can set some, for any model: one that is canceled would not count."""
        defaults = self.env['ir.default'].with_user(self.accountant)
        for name, value in (
            ('state', 'cancel'), ('provider_reference', 'theirs'), ('btcpay_paid_out_amount', 100),
            ('btcpay_pull_is_archived', True), ('btcpay_pull_payment_id', 'theirs'),
        ):
            with self.subTest(default=name):
                tx = self._paid(self._create_order())
                defaults.set('payment.transaction', name, value, user_id=True)
                refund = self._refund_by(self._open_wizard(tx, self.accountant))
                defaults.discard_values('payment.transaction', name, [value])
                self.env.invalidate_all()
                self.assertRecordValues(refund, [{
                    'state': 'pending', 'amount': -100, 'provider_reference': False,
                    'btcpay_paid_out_amount': 0, 'btcpay_pull_is_archived': False,
                }])
                self.assertIn(refund.btcpay_pull_payment_id, refund.btcpay_refund_link)
                self.assertEqual(tx._btcpay_get_refund_sums()['available'], 0)

    @mute_logger('odoo.models')
    def test_when_a_transaction_of_ours_is_made_by_hand_then_it_is_refused(self):
        values = {
            'provider_id': self.btcpay.id, 'payment_method_id': self.payment_method_id,
            'amount': 100000, 'currency_id': self.currency.id, 'partner_id': self.partner.id,
            'reference': 'by-hand', 'state': 'done',
        }
        other = self._create_transaction(
            'redirect', reference='other', provider_id=self.dummy_provider.id, state='done',
            payment_method_id=self.dummy_provider.payment_method_ids[:1].id,
        )
        for user in (self.accountant, self.administrator):
            with self.assertRaises(AccessError):
                self.env['payment.transaction'].with_user(user).create(values)
            with self.assertRaises(AccessError):
                other.with_user(user).write({'provider_id': self.btcpay.id})

    def test_when_another_providers_transaction_is_written_or_made_then_it_is_as_without_us(self):
        other = self._create_transaction(
            'redirect', reference='other', provider_id=self.dummy_provider.id,
            payment_method_id=self.dummy_provider.payment_method_ids[:1].id,
        ).with_user(self.administrator)
        other.write({'provider_reference': 'x', 'amount': 5})
        self.assertEqual((other.provider_reference, other.amount), ('x', 5))
        other.unlink()
        made = other.with_context(default_provider_reference='y', default_amount=7).create({
            'provider_id': self.dummy_provider.id, 'currency_id': self.currency.id,
            'payment_method_id': self.dummy_provider.payment_method_ids[:1].id,
            'partner_id': self.partner.id, 'reference': 'made',
        })
        self.assertEqual((made.provider_reference, made.amount), ('y', 7))

    def test_when_every_field_is_named_then_those_of_the_framework_exist(self):
        self.assertLessEqual(
            const.PROTECTED_TRANSACTION_FIELDS, set(self.env['payment.transaction']._fields)
        )
