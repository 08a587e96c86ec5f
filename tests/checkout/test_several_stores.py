from lxml import html

from odoo.fields import Command
from odoo.tests import tagged

from odoo.addons.payment_btcpay import const
from odoo.addons.payment_btcpay.tests.checkout.pages_common import PagesCommon


@tagged('post_install', '-at_install')
class TestSeveralStores(PagesCommon):
    """One company with two stores, each with a payment provider: Odoo's own filters by country and
    by website say which of them a customer pays."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.second_store = cls.world.new_store("Second")
        cls.second_key = cls.world.new_key(cls.second_store, const.PERMISSIONS)
        cls.second = cls.btcpay.copy({'name': "Bitcoin (second store)"})
        # Odoo's form shows one of those that have a method in common.
        cls.stores = {cls.btcpay: cls.store_id, cls.second: cls.second_store}

    def setUp(self):
        super().setUp()
        self.second._btcpay_connect(self.world.url, self.second_key)
        self.addCleanup(self._forget_webhooks)

    def _forget_webhooks(self):
        for webhook in self.world.webhooks(self.second_store):
            self.world.api('DELETE', f'/stores/{self.second_store}/webhooks/{webhook["id"]}')

    def _get_offered(self, order):
        """Return the providers that the order's page offers."""
        page = html.fromstring(self._make_http_get_request(order.get_portal_url()).text)
        ids = {
            int(value) for value in page.xpath('//input[@name="o_payment_radio"]/@data-provider-id')
        }
        return self.env['payment.provider'].browse(ids).filtered(lambda p: p.code == 'btcpay')

    def _pay_page(self, order, provider):
        """Pay on the order's page, which reaches Odoo by the webhook of the provider's store."""
        context = self._get_payment_context(self._make_http_get_request(order.get_portal_url()))
        values = self._portal_transaction(
            tx_route=context['transaction_route'], provider_id=provider.id,
            payment_method_id=self.payment_method_id, token_id=None, amount=context['amount'],
            flow='redirect', tokenization_requested=False,
            landing_route=context['landing_route'], access_token=context['access_token'],
        )
        self.env.invalidate_all()
        tx = self._get_tx(values['reference'])
        with self._world_speaks() as world:
            world.pay(tx.btcpay_invoice_id)
            world.mine()
        return tx

    def _assert_paid_by(self, order, provider):
        self.assertEqual(self._get_offered(order), provider)
        tx = self._pay_page(order, provider)
        self.assertEqual((tx.provider_id, tx.state, tx.sudo().btcpay_store_id),
                         (provider, 'done', self.stores[provider]))
        self.assertEqual(self.world.invoice(tx.btcpay_invoice_id)['storeId'], self.stores[provider])
        deliveries = self.env['btcpay.delivery'].sudo().search([
            ('invoice_ref', '=', tx.btcpay_invoice_id),
        ])
        self.assertEqual((deliveries.provider_id, deliveries.transaction_id), (provider, tx))

    def test_when_stores_are_not_told_apart_then_the_health_says_so(self):
        [offered] = self._get_offered(self._create_order_to_pay())
        self.assertIn(offered, self.stores)
        for provider, other in ((self.btcpay, self.second), (self.second, self.btcpay)):
            self.assertIn(f"“{provider.name}” and “{other.name}” only", provider.btcpay_health_text)
        self.btcpay.available_country_ids = self.country_belgium
        self.assertTrue(self.second._btcpay_find_rivals())
        self.second.available_country_ids = self.country_france
        self.env.invalidate_all()
        for provider in self.stores:
            self.assertNotIn("Other stores", provider.btcpay_health_text)

    def test_when_stores_are_told_apart_by_country_then_each_customer_pays_theirs(self):
        self.btcpay.available_country_ids = self.country_belgium
        self.second.available_country_ids = self.country_france
        for country, provider in (
            (self.country_belgium, self.btcpay), (self.country_france, self.second),
        ):
            with self.subTest(country=country.name):
                partner = self.partner.copy({'country_id': country.id})
                order = self._create_order(
                    partner_id=partner.id, require_payment=True, require_signature=False)
                self._assert_paid_by(order, provider)
                another = self._create_order(partner_id=partner.id)
                self.assertEqual(
                    self.env['payment.provider'].sudo()._btcpay_find_for(another), provider)

    def test_when_stores_are_told_apart_by_website_then_each_shop_pays_its_own(self):
        if 'website_id' not in self.env['sale.order']._fields:
            self.skipTest("There are no websites (module website_sale is not installed).")
        websites = self.env['website'].create([
            {'name': name, 'company_id': self.env.company.id} for name in ("Hats", "Coats")
        ])
        for provider, website in zip(self.stores, websites, strict=True):
            provider.website_id = website
        for provider, website in zip(self.stores, websites, strict=True):
            with self.subTest(website=website.name):
                order = self._create_order(website_id=website.id)
                providers = self.env['payment.provider'].sudo()
                offered = providers._get_compatible_providers(
                    self.env.company.id, self.partner.id, 100, currency_id=self.currency.id,
                    website_id=website.id,
                )
                self.assertEqual(offered.filtered(lambda p: p.code == 'btcpay'), provider)
                self.assertEqual(providers._btcpay_find_for(order), provider)

    def test_when_an_invoice_is_opened_on_another_website_then_it_is_paid_by_what_that_offers(self):
        if 'website_id' not in self.env['sale.order']._fields:
            self.skipTest("There are no websites (module website_sale is not installed).")
        self.btcpay.website_id, self.second.website_id = websites = self.env['website'].create([
            {'name': name, 'company_id': self.env.company.id, 'domain': domain}
            for name, domain in (("Hats", self.base_url()), ("Coats", False))
        ])
        order = self._create_order(website_id=websites[1].id)
        order.action_confirm()
        invoice = order._create_invoices()
        invoice.action_post()
        self.assertEqual(invoice.website_id, websites[1])
        self._assert_paid_by(invoice, self.btcpay)

    def test_when_each_store_has_a_method_of_its_own_then_the_customer_chooses(self):
        method = self.payment_method.copy({'code': 'btcpay_second', 'name': "Bitcoin (second)"})
        method.write({'active': True, 'provider_ids': [Command.set(self.second.ids)]})
        self.second.payment_method_ids = method
        self.assertFalse(self.second._btcpay_find_rivals())
        order = self._create_order_to_pay()
        self.assertEqual(self._get_offered(order), self.btcpay | self.second)
