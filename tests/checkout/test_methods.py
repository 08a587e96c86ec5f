from unittest.mock import patch

from odoo.exceptions import ValidationError
from odoo.fields import Command
from odoo.tests import tagged
from odoo.tools import mute_logger
from odoo.tools.translate import code_translations

from odoo.addons.payment_btcpay import const
from odoo.addons.payment_btcpay.tests.checkout.methods_common import MethodsMixin
from odoo.addons.payment_btcpay.tests.common import BTCPayCommon


@tagged('post_install', '-at_install')
class TestMethods(MethodsMixin, BTCPayCommon):
    """Bitcoin, Lightning, and whatever else the store takes, as payment methods of Odoo."""

    store_methods = ('BTC-CHAIN', 'BTC-LN', 'BTC-LNURL')

    def _offered(self, report=None, provider=None):
        """Return the codes of our methods that a payment page offers."""
        methods = self.env['payment.method'].sudo()._get_compatible_payment_methods(
            (provider or self.btcpay).ids, self.partner.id, currency_id=self.currency.id,
            report=report,
        )
        return methods.sorted('sequence').mapped('code')

    def _enable(self, *methods):
        """Let the store have some methods enabled, and Odoo know of it."""
        self.world.change_store(self.store_id, methods=methods)
        self.addCleanup(self.world.change_store, self.store_id, methods=self.store_methods)
        self.btcpay._btcpay_refresh()

    # === WHAT THE SERVER IS ASKED FOR === #

    def test_when_a_method_is_chosen_then_the_server_is_asked_for_what_it_stands_for(self):
        for method, methods, default in [
            (self.chain, ['BTC-CHAIN'], 'BTC-CHAIN'),
            (self.lightning, ['BTC-LN', 'BTC-LNURL'], 'BTC-LN'),
            (self.both, ['BTC-CHAIN', 'BTC-LN', 'BTC-LNURL'], None),
        ]:
            with self.subTest(method=method.code):
                tx = self._create_btcpay_transaction(
                    payment_method_id=method.id, reference=method.code
                )
                checkout = self.world.requests()[-1]['body']['checkout']
                self.assertEqual(checkout['paymentMethods'], methods)
                self.assertEqual(checkout.get('defaultPaymentMethod'), default)
                invoice = self.world.invoice(tx.btcpay_invoice_id)
                self.assertEqual(set(invoice['checkout']['paymentMethods']), set(methods))

    def test_when_the_store_lacks_lnurl_then_lightning_is_asked_for_without_it(self):
        self._enable('BTC-CHAIN', 'BTC-LN')
        self._create_btcpay_transaction(payment_method_id=self.lightning.id)
        checkout = self.world.requests()[-1]['body']['checkout']
        self.assertEqual(checkout['paymentMethods'], ['BTC-LN'])

    def test_when_a_method_has_no_ids_then_it_stands_for_all_that_the_store_has(self):
        self.both.btcpay_methods = False
        self._create_btcpay_transaction()
        checkout = self.world.requests()[-1]['body']['checkout']
        self.assertEqual(checkout['paymentMethods'], ['BTC-CHAIN', 'BTC-LN', 'BTC-LNURL'])

    def test_when_an_id_can_be_none_then_it_is_refused(self):
        for text in ('BTC/CHAIN', 'BTC-LN,BTC-LNURL', 'BTC-LN ../x'):
            with self.subTest(text=text), self.assertRaises(ValidationError):
                self.lightning.btcpay_methods = text

    # === WHAT IS OFFERED === #

    def test_when_the_store_has_a_method_enabled_then_it_is_offered_and_else_not(self):
        for enabled, offered in [
            (('BTC-CHAIN', 'BTC-LN', 'BTC-LNURL'), ['btcpay', 'btcpay_chain', 'btcpay_lightning']),
            (('BTC-CHAIN',), ['btcpay', 'btcpay_chain']),
            (('BTC-LN',), ['btcpay', 'btcpay_lightning']),
            (('BTC-LNURL', 'BTC-LN'), ['btcpay', 'btcpay_lightning']),
            ((), []),
        ]:
            with self.subTest(enabled=enabled):
                self._enable(*enabled)
                self.assertEqual(self._offered(), offered)

    def test_when_a_method_is_not_offered_then_the_availability_report_says_why(self):
        self._enable('BTC-CHAIN')
        report = {}
        self._offered(report)
        entry = report['payment_methods'][self.lightning]
        self.assertFalse(entry['available'])
        self.assertEqual(
            str(entry['reason']), "The store at the BTCPay Server does not have it enabled."
        )

    def test_when_the_shop_switches_a_method_off_then_it_is_not_offered(self):
        self.both.active = False
        self.assertEqual(self._offered(), ['btcpay_chain', 'btcpay_lightning'])

    def test_when_what_is_not_offered_is_asked_for_then_no_invoice_is_made(self):
        self._enable('BTC-CHAIN')
        tx = self._create_btcpay_transaction(
            make_invoice=False, payment_method_id=self.lightning.id
        )
        with mute_logger('odoo.addons.payment_btcpay.models.payment_transaction.checkout'):
            tx._get_processing_values()
        self.assertEqual((tx.state, tx.btcpay_requested_at), ('error', False))

    def test_when_another_provider_has_the_method_then_its_store_does_not_matter(self):
        self.lightning.provider_ids |= self.dummy_provider
        self._enable('BTC-CHAIN')
        self.assertIn('btcpay_lightning', self._offered(provider=self.dummy_provider))

    def test_when_two_stores_differ_then_the_page_takes_the_one_that_has_the_method(self):
        store_id = self.world.new_store("Second", methods=('BTC-CHAIN',))
        other = self.btcpay.copy({'name': "Second", 'sequence': -1})
        other._btcpay_connect(
            self.world.url, self.world.new_key(store_id, const.PERMISSIONS), use_webhook=False
        )
        html = self.env['ir.qweb']._render('payment.method_form', {
            'pm_sudo': self.lightning.sudo(), 'providers_sudo': (other | self.btcpay).sudo(),
            'is_html_empty': lambda _html: True, 'mode': 'payment',
        })
        self.assertIn(f'data-provider-id="{self.btcpay.id}"', html)
        html = self.env['ir.qweb']._render('payment.method_form', {
            'pm_sudo': self.chain.sudo(), 'providers_sudo': other.sudo(),
            'is_html_empty': lambda _html: True, 'mode': 'payment',
        })
        self.assertIn(f'data-provider-id="{other.id}"', html)

    def test_when_a_store_is_connected_then_the_method_is_active_that_says_what_it_has(self):
        for methods, active in [
            (('BTC-CHAIN', 'BTC-LN'), {'btcpay'}),
            (('BTC-CHAIN',), {'btcpay_chain'}),
            (('BTC-LN', 'BTC-LNURL'), {'btcpay_lightning'}),
        ]:
            with self.subTest(methods=methods):
                (self.both | self.chain | self.lightning).active = False
                store_id = self.world.new_store(" ".join(methods), methods=methods)
                other = self.btcpay.copy()
                other._btcpay_connect(
                    self.world.url, self.world.new_key(store_id, const.PERMISSIONS),
                    use_webhook=False,
                )
                ours = other.with_context(active_test=False).payment_method_ids
                self.assertEqual(set(ours.filtered('active').mapped('code')), active)

    def test_when_the_store_has_other_coins_then_they_do_not_choose_the_method(self):
        for methods, codes in [
            ('BTC-LN LTC-CHAIN', {'btcpay_lightning'}),
            ('BTC-CHAIN LTC-LN XMR-CHAIN', {'btcpay_chain'}),
            ('BTC-CHAIN BTC-LN XMR-CHAIN', {'btcpay'}),
            ('XMR-CHAIN', {'btcpay'}),
        ]:
            with self.subTest(methods=methods):
                self.btcpay.sudo().btcpay_store_payment_methods = methods
                self.assertEqual(self.btcpay._get_default_payment_method_codes(), codes)

    # === NAMES, AND FURTHER METHODS === #

    def test_when_the_store_has_what_odoo_has_not_then_a_click_adds_it_by_its_name(self):
        self.btcpay.sudo().btcpay_store_payment_methods = 'BTC-CHAIN BTC-LN LTC-CHAIN XMR-CHAIN'
        self.assertEqual(
            self.btcpay.btcpay_store_methods_text, "Bitcoin, Lightning, Litecoin, Monero"
        )
        self.assertEqual(self.btcpay.btcpay_further_methods_text, "Litecoin, Monero")
        action = self.btcpay.action_btcpay_add_methods()
        added = self.env['payment.method'].with_context(active_test=False).search(action['domain'])
        self.assertEqual(
            [(m.name, m.btcpay_methods, m.active, m.provider_ids) for m in added.sorted('name')],
            [
                ("Litecoin", 'LTC-CHAIN', False, self.btcpay),
                ("Monero", 'XMR-CHAIN', False, self.btcpay),
            ],
        )
        self.assertFalse(self.btcpay.btcpay_further_methods_text)
        added[0].active = True
        self.assertIn('btcpay_ltc_chain', self._offered())
        tx = self._create_btcpay_transaction(make_invoice=False, payment_method_id=added[0].id)
        draft = tx._btcpay_prepare_invoice()
        self.assertEqual(
            (draft.payment_methods, draft.default_method), (['LTC-CHAIN'], 'LTC-CHAIN')
        )

    def test_when_an_administrator_makes_a_method_by_hand_then_it_works_as_ours(self):
        method = self.chain.copy({
            'name': "Lightning of ours", 'code': 'own', 'btcpay_methods': 'BTC-LN',
            'provider_ids': [Command.set(self.btcpay.ids)], 'active': True,
        })
        self.assertIn('own', self._offered())
        tx = self._create_btcpay_transaction(payment_method_id=method.id)
        invoice = self.world.invoice(tx.btcpay_invoice_id)
        self.assertEqual(invoice['checkout']['paymentMethods'], ['BTC-LN'])

    def test_when_a_method_is_named_in_a_text_then_it_is_in_the_readers_language(self):
        tx = self._create_btcpay_transaction(self._create_order())
        self.world.pay(tx.btcpay_invoice_id, fraction='0.5')
        self.world.mine()
        tx._btcpay_sync()
        self.env['res.lang']._activate_lang('ja_JP')
        words = {'Bitcoin': 'ビットコイン', 'Lightning': 'ライトニング'}
        with patch.object(code_translations, 'get_python_translations', lambda *_args: words):
            for lang, (chain, lightning) in (('en_US', words), ('ja_JP', words.values())):
                ours = tx.with_context(lang=lang)
                with self.subTest(lang=lang):
                    self.assertIn(f"by {chain} (a network fee", ours.btcpay_due_text)
                    self.assertIn(f"by {lightning}", ours.btcpay_due_text)
                    self.assertEqual(ours.btcpay_payment_ids.method_name, chain)
                    self.assertEqual(
                        ours.provider_id.btcpay_store_methods_text, f"{chain}, {lightning}"
                    )
                    ours.env.flush_all()
                    ours.env.invalidate_all()
                    receipts = ours.env['btcpay.receipt'].search([('transaction_id', '=', tx.id)])
                    self.assertEqual(receipts.mapped('method'), [chain])
