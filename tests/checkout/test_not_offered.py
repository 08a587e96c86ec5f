from lxml import etree, html

from odoo.tests import tagged

from odoo.addons.payment_btcpay.tests.checkout.pages_common import PagesCommon


@tagged('post_install', '-at_install')
class TestNotOffered(PagesCommon):
    """What BTCPay Server does not do is not on the forms; what test mode is here is."""

    def _get_fields(self, name):
        """Return the fields of that name on the provider's form."""
        arch = etree.fromstring(self.btcpay.get_view(view_type='form')['arch'])
        return arch.xpath(f'//field[@name="{name}"]')

    def test_when_the_provider_is_opened_then_tokens_capture_and_express_are_not_offered(self):
        method = self.payment_method
        for feature, setting in (
            ('support_tokenization', 'allow_tokenization'),
            ('support_manual_capture', 'capture_manually'),
            ('support_express_checkout', 'allow_express_checkout'),
        ):
            with self.subTest(feature):
                self.assertFalse(self.btcpay[feature])
                self.assertIn(method[feature], (False, 'none'))
                [field] = self._get_fields(setting)
                self.assertEqual(field.get('invisible'), f'not {feature}')

    def test_when_they_are_set_all_the_same_then_the_payment_forms_do_not_offer_them(self):
        self.btcpay.write({'allow_tokenization': True, 'allow_express_checkout': True})
        order = self._create_order(require_payment=True, require_signature=False)
        page = html.fromstring(self.url_open(order.get_portal_url()).text)
        [option] = page.xpath('//li[.//input[@data-provider-code="btcpay"]]')
        self.assertFalse(option.xpath('.//*[@name="o_payment_tokenize_checkbox"]'))
        offered = self.env['payment.provider']._get_compatible_providers
        values = self.btcpay.company_id.id, self.partner.id, 100
        self.assertIn(self.btcpay, offered(*values))
        self.assertNotIn(self.btcpay, offered(*values, is_validation=True))
        methods = self.env['payment.method']._get_compatible_payment_methods
        for only in ('is_express_checkout', 'force_tokenization'):
            self.assertNotIn(
                self.payment_method, methods(self.btcpay.ids, self.partner.id, **{only: True})
            )

    def test_when_the_provider_is_in_test_mode_then_the_form_says_what_that_is_here(self):
        frameworks_own, ours = self._get_fields('state')
        self.assertEqual(frameworks_own.get('invisible'), "code == 'btcpay'")
        self.assertEqual(ours.get('invisible'), "code != 'btcpay'")
        self.assertNotIn("fake", ours.get('help'))
        arch = etree.fromstring(self.btcpay.get_view(view_type='form')['arch'])
        [alert] = arch.xpath('//div[@name="btcpay_test_mode"]')
        for text in (ours.get('help'), ' '.join(alert.itertext())):
            self.assertIn(
                "real money, unless the server is on testnet or regtest", ' '.join(text.split())
            )
