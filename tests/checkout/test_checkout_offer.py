from lxml import html

from odoo.fields import Command
from odoo.tests import tagged

from odoo.addons.payment_btcpay import const
from odoo.addons.payment_btcpay.tests.common import BTCPayHttpCommon
from odoo.addons.payment_btcpay.tests.money_common import MoneyMixin

GUARD_LOG = 'odoo.addons.payment_btcpay.models.payment_transaction.checkout'


@tagged('post_install', '-at_install')
class TestCheckoutOffer(MoneyMixin, BTCPayHttpCommon):
    """The browser names a provider and a method: what the page does not offer is not taken."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.country = cls.env.ref('base.fr')
        cls.partner.country_id = cls.country
        cls.portal_partner = cls.portal_user.partner_id
        cls.portal_partner.country_id = cls.country
        cls.env['ir.config_parameter'].sudo().set_param(
            'account_payment.enable_portal_payment', 'True'
        )

    def setUp(self):
        super().setUp()
        self.order = self._create_order(require_payment=True)
        self.authenticate(None, None)

    def _copy_provider(self, **values):
        """Return a second provider, which is connected with a store of its own."""
        store_id = self.world.new_store("Second")
        other = self.btcpay.copy({'name': "Second"})
        other.sudo().write({
            'btcpay_server_url': self.world.url,
            'btcpay_api_key': self.world.new_key(store_id, const.PERMISSIONS),
            'btcpay_store_id': store_id,
            'btcpay_store_payment_methods': self.btcpay.sudo().btcpay_store_payment_methods,
            'btcpay_connection_state': 'connected',
            'payment_method_ids': [Command.set(self.payment_method.ids)],
        })
        other.sudo().write({'state': 'enabled', 'is_published': True, **values})
        return other

    def _pay(self, document=None, provider=None, amount=100.0, method=None):
        """Press “Pay” on the document's page, naming a provider.

        :return: The transaction, and how many invoices were made.
        """
        document = document or self.order
        route = {
            'sale.order': f'/my/orders/{document.id}/transaction',
            'account.move': f'/invoice/transaction/{document.id}',
        }[document._name]
        before = len(self._get_new_invoices())
        self.env.cr.commit()
        values = self._press_pay(
            route, document, provider_id=(provider or self.btcpay).id,
            payment_method_id=(method or self.payment_method).id, amount=amount,
        )
        self.env.invalidate_all()
        return self._get_tx(values['reference']), len(self._get_new_invoices()) - before

    def _get_new_invoices(self):
        return [
            r for r in self.world.requests()
            if r['method'] == 'POST' and r['path'].endswith('/invoices')
        ]

    def _assert_taken(self, *args, **kwargs):
        tx, made = self._pay(*args, **kwargs)
        self.assertEqual((tx.state, made), ('draft', 1))

    def _assert_refused(self, *args, **kwargs):
        with self.assertLogs(GUARD_LOG, 'WARNING') as logs:
            tx, made = self._pay(*args, **kwargs)
        self.assertIn("is not offered", logs.output[0])
        self.assertEqual((tx.state, made), ('error', 0))
        self.assertIn("Nothing was charged", tx.state_message)

    def test_when_what_the_page_offers_is_chosen_then_the_invoice_is_made(self):
        self._assert_taken()
        self._assert_taken(self._create_invoice())
        self._assert_taken(provider=self._copy_provider())

    def test_when_the_provider_is_not_for_this_payment_then_no_invoice_is_made(self):
        euro = self.env.ref('base.EUR')
        euro.active = True
        for values in (
            {'is_published': False},
            {'state': 'test', 'is_published': True},
            {'state': 'test', 'is_published': False},
            {'maximum_amount': 50},
            {'available_country_ids': [Command.set(self.env.ref('base.jp').ids)]},
            {'available_currency_ids': [Command.set(euro.ids)]},
        ):
            for document in (self.order, self._create_invoice()):
                with self.subTest(values=values, document=document._name):
                    self._assert_refused(document, self._copy_provider(**values))

    def test_when_the_provider_is_another_companys_then_no_invoice_is_made(self):
        company = self.env['res.company'].create({'name': "Another company"})
        for document in (self.order, self._create_invoice()):
            with self.subTest(document=document._name):
                self._assert_refused(document, self._copy_provider(company_id=company.id))

    def test_when_the_provider_is_the_parent_companys_then_the_branch_is_paid_with_it(self):
        branch = self.env['res.company'].create({
            'name': "Branch", 'parent_id': self.btcpay.company_id.id,
        })
        self.order.company_id = branch
        self._assert_taken()

    def test_when_the_amount_is_below_the_maximum_then_the_invoice_is_made(self):
        self._assert_taken(provider=self._copy_provider(maximum_amount=100))

    def test_when_the_customer_is_logged_in_then_their_country_counts_as_on_the_page(self):
        self.order.partner_id = self.portal_partner
        japan = self.env.ref('base.jp')
        other = self._copy_provider(available_country_ids=[Command.set(self.country.ids)])
        self.order.partner_invoice_id = self.env['res.partner'].create({
            'name': "Tokyo", 'parent_id': self.portal_partner.id, 'type': 'invoice',
            'country_id': japan.id,
        })
        self.authenticate(self.portal_user.login, self.portal_user.login)
        self._assert_taken(provider=other)
        self.portal_partner.country_id = japan
        self._assert_refused(provider=other)

    def test_when_an_internal_user_pays_then_a_test_provider_is_taken(self):
        other = self._copy_provider(state='test', is_published=False)
        self.authenticate(self.internal_user.login, self.internal_user.login)
        self._assert_taken(provider=other)

    def test_when_the_method_is_not_offered_then_no_invoice_is_made(self):
        for values in (
            {'active': False},
            {'supported_country_ids': [Command.set(self.env.ref('base.jp').ids)]},
            {'supported_currency_ids': [Command.set(self.env.ref('base.EUR').ids)]},
        ):
            method = self.payment_method.copy({'code': 'btcpay_second', 'active': True})
            self.btcpay.sudo().payment_method_ids |= method
            method.write(values)
            with self.subTest(values=values):
                self._assert_refused(method=method)

    def test_when_the_provider_is_of_another_website_then_no_invoice_is_made(self):
        if 'website_id' not in self.order._fields:
            self.skipTest("There are no websites (module website_sale is not installed).")
        shop, other_shop = self.env['website'].create([
            {'name': name, 'company_id': self.btcpay.company_id.id} for name in ("A", "B")
        ])
        provider = self._copy_provider(website_id=other_shop.id)
        self._assert_taken(provider=provider)
        self.order.website_id = shop
        self._assert_refused(provider=provider)
        self.order.website_id = other_shop
        self._assert_taken(provider=provider)

    def test_when_each_website_has_a_provider_then_its_orders_are_paid_at_its_store(self):
        if 'website_id' not in self.order._fields:
            self.skipTest("There are no websites (module website_sale is not installed).")
        first, second = self.env['website'].create([
            {'name': name, 'company_id': self.btcpay.company_id.id} for name in ("A", "B")
        ])
        other = self._copy_provider(website_id=second.id)
        self.btcpay.website_id = first
        for website, provider, wrong in (
            (first, self.btcpay, other), (second, other, self.btcpay),
        ):
            with self.subTest(website=website.name):
                order = self._create_order(require_payment=True, website_id=website.id)
                self.env.flush_all()
                page = html.fromstring(self.url_open(order.get_portal_url()).text)
                self.assertEqual(
                    set(page.xpath('//input[@data-provider-code="btcpay"]/@data-provider-id')),
                    {str(provider.id)},
                )
                self.assertEqual(order._btcpay_get_provider(), provider)
                self._assert_refused(order, wrong)
                tx, _made = self._pay(order, provider)
                store_id = provider.sudo().btcpay_store_id
                self.assertIn(f'/stores/{store_id}/', self.world.requests()[-1]['path'])
                self.world.pay(tx.btcpay_invoice_id, method='BTC-LN')
                self._look(tx)
                self._post_process()
                self.assertEqual((tx.state, order.state, order.amount_paid), ('done', 'sale', 100))

    def test_when_a_provider_is_in_test_mode_then_only_internal_users_are_offered_it(self):
        self.btcpay.sudo().write({'state': 'test', 'is_published': True})
        for user, is_offered in (
            (self.public_user, False), (self.portal_user, False), (self.internal_user, True),
        ):
            offered = self.env['payment.provider'].with_user(user).sudo()._get_compatible_providers(
                self.btcpay.company_id.id, self.partner.id, 100
            )
            with self.subTest(is_offered=is_offered, user=user.id):
                self.assertEqual(self.btcpay in offered, is_offered)
