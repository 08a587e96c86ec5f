"""Where the provider is offered."""
from odoo import _, api, fields, models

from odoo.addons.payment import utils as payment_utils
from odoo.addons.payment.const import REPORT_REASONS_MAPPING
from odoo.addons.payment_btcpay.greenfield import Unauthorized


class PaymentProvider(models.Model):
    _inherit = 'payment.provider'

    def _btcpay_filter_compatible(
        self, providers, company_id, amount, currency_id, is_validation, report
    ):
        """Leave out BTCPay for validations and tests, for what it cannot be paid with, and all else
        where Bitcoin was requested.

        A store of tests takes coins that are worth nothing: no customer pays with it.

        :param payment.provider providers: The providers that are compatible.
        :param int company_id: The company whose documents are paid.
        :param float amount: The amount.
        :param int currency_id: Its currency, if it is known.
        :param bool is_validation: Whether the operation is a validation.
        :param dict report: The availability report.
        :rtype: payment.provider
        """
        if self.env.context.get('btcpay_only'):
            # The page would take the first of a method, a test one too.
            providers = providers.filtered(lambda p: p.code == 'btcpay' and p.state == 'enabled')
        if not self.env.user._is_internal():
            providers = providers.filtered(lambda p: p.code != 'btcpay' or p.state != 'test')
        ours = providers.filtered(lambda p: p.code == 'btcpay')
        if not ours:
            return providers
        unfit = [(
            _("The BTCPay Server does not accept the API key."),
            ours.filtered(lambda p: p.sudo().btcpay_is_key_refused),
        )]
        if is_validation:
            unfit += [(REPORT_REASONS_MAPPING['validation_not_supported'], ours)]
        elif currency_id:
            currency = self.env['res.currency'].browse(currency_id)
            company = self.env['res.company'].browse(company_id)
            unfit += [
                (_("The amount is lower than the minimum amount."), ours.filtered(
                    lambda p: p._btcpay_is_below_minimum(amount, currency, company)
                )),
                (_("The store at the BTCPay Server has no rate of the currency."), ours.filtered(
                    lambda p: not p._btcpay_has_rate(currency)
                )),
            ]
        for reason, some in unfit:
            payment_utils.add_to_report(report, some, available=False, reason=reason)
            providers -= some
        return providers

    def _btcpay_is_below_minimum(self, amount, currency, company):
        """Return whether an amount is lower than what the provider takes.

        :param float amount: The amount.
        :param res.currency currency: Its currency.
        :param res.company company: The company whose documents are paid.
        """
        self.ensure_one()
        if not self.btcpay_minimum_amount:
            return False
        converted = currency._convert(
            amount, self.main_currency_id, company, fields.Date.context_today(self)
        )
        return self.main_currency_id.compare_amounts(converted, self.btcpay_minimum_amount) < 0

    def _btcpay_find_rivals(self):
        """Find those of the company by which the same customers could pay in the same way: Odoo's
        payment form shows one provider of each payment method.

        :rtype: payment.provider
        """
        self.ensure_one()
        if self.state != 'enabled':
            return self.browse()
        others = self.search([
            ('code', '=', 'btcpay'), ('state', '=', 'enabled'), ('is_published', '=', True),
            ('company_id', '=', self.company_id.id), ('id', '!=', self.id),
        ])
        # Websites are optional.
        filters = [name for name in ('available_country_ids', 'website_id') if name in self._fields]
        return others.filtered(lambda other: (
            other.payment_method_ids & self.payment_method_ids
            and all(
                not self[name] or not other[name] or self[name] & other[name] for name in filters
            )
        ))

    @api.model
    def _btcpay_find_for(self, document):
        """Find the provider with which the customer can pay a document.

        :param sale.order|account.move document: The document.
        :return: The provider: where there are several, one that takes the customer's country and
                 the amount due is preferred; empty if there is none.
        :rtype: payment.provider
        """
        usable = self._btcpay_find_connected(document).filtered(
            lambda provider: not provider._btcpay_explain_unusable(document)
        )
        if len(usable) > 1:
            amount = document._btcpay_get_amount_due()
            usable = usable._btcpay_filter_offered(document, amount) or usable
        return usable[:1]

    @api.model
    def _btcpay_find_connected(self, document):
        """Find the providers that are connected for a document's company: its own before those of
        its parents, and enabled ones before others.

        :param sale.order|account.move document: The document.
        :rtype: payment.provider
        """
        return self.search([
            ('code', '=', 'btcpay'),
            ('btcpay_connection_state', '!=', 'disconnected'),
            *self._check_company_domain(document.company_id),
        ]).sorted(lambda provider: (
            provider.state == 'disabled', provider.state == 'test',
            provider.company_id != document.company_id,
        ))

    def _btcpay_explain_unusable(self, document):
        """Return why the customer could not pay a document with the provider, whatever the amount.

        :param sale.order|account.move document: The document.
        :return: The reason, for the user; empty if there is none.
        :rtype: str
        """
        self.ensure_one()
        if self.state == 'disabled':
            return _(
                "The payment provider “%s” is disabled. An administrator can enable it in the"
                " settings of the payment providers.", self.name,
            )
        if self.state == 'test':
            return _(
                "The payment provider “%s” is in test mode: no customer is asked to pay with it. An"
                " administrator can enable it in the settings of the payment providers.", self.name,
            )
        if not self.is_published:
            return _(
                "The payment provider “%s” is not published, so that customers cannot pay with it."
                " An administrator can publish it.", self.name,
            )
        if self.sudo().btcpay_is_key_refused:
            return self._btcpay_explain(Unauthorized())
        # Websites are optional.
        website = 'website_id' in self._fields and self.website_id
        if website and website.id != self._btcpay_get_page_values(document).get('website_id'):
            return _(
                "The payment provider “%(provider)s” is for the website %(website)s only. An"
                " administrator can change that.", provider=self.name, website=website.name,
            )
        currencies = self._get_supported_currencies()
        if self.available_currency_ids:
            currencies &= self.available_currency_ids
        if document.currency_id not in currencies:
            return _(
                "The payment provider “%(provider)s” does not take %(currency)s. An administrator"
                " can change its currencies.", provider=self.name,
                currency=document.currency_id.name,
            )
        return ''

    def _btcpay_filter_offered(self, document, amount):
        """Return those which the page behind a document's link would offer, by whichever method.

        :param sale.order|account.move document: The document.
        :param float amount: The amount.
        :rtype: payment.provider
        """
        values = self._btcpay_get_page_values(document)
        partner_id = document.partner_id.id
        providers = self & self.with_context(btcpay_only=True)._get_compatible_providers(
            document.company_id.id, partner_id, amount, **values
        )
        methods = self.env['payment.method'].sudo()._get_compatible_payment_methods(
            providers.ids, partner_id, **values
        )
        return providers.filtered(lambda provider: any(
            provider in method.provider_ids and provider._btcpay_takes(method)
            for method in methods
        ))

    @api.model
    def _btcpay_get_page_values(self, document):
        """Return what the page behind a document's link asks for providers with.

        :param sale.order|account.move document: The document.
        :rtype: dict
        """
        values = {'currency_id': document.currency_id.id}
        if document._name == 'sale.order':
            values['sale_order_id'] = document.id
        company = document.sudo().company_id
        if 'website_id' in company._fields:  # Where the link leads, see `get_base_url`.
            own = 'website_id' in document._fields and document.sudo().website_id
            values['website_id'] = (own or company.website_id).id
        return values
