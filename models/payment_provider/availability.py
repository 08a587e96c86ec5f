"""Where the provider is offered."""
from odoo import api, models

from odoo.addons.payment import utils as payment_utils
from odoo.addons.payment.const import REPORT_REASONS_MAPPING


class PaymentProvider(models.Model):
    _inherit = 'payment.provider'

    def _btcpay_filter_compatible(self, providers, is_validation, report):
        """Leave out BTCPay for validations and tests, and all else where Bitcoin was requested.

        A store of tests takes coins that are worth nothing: no customer pays with it.

        :param payment.provider providers: The providers that are compatible.
        :param bool is_validation: Whether the operation is a validation.
        :param dict report: The availability report.
        :rtype: payment.provider
        """
        if self.env.context.get('btcpay_only'):
            providers = providers.filtered(lambda p: p.code == 'btcpay')
        if not self.env.user._is_internal():
            providers = providers.filtered(lambda p: p.code != 'btcpay' or p.state != 'test')
        if not is_validation:
            return providers
        filtered = providers.filtered(lambda p: p.code != 'btcpay')
        payment_utils.add_to_report(
            report, providers - filtered, available=False,
            reason=REPORT_REASONS_MAPPING['validation_not_supported'],
        )
        return filtered

    @api.model
    def _btcpay_find_for(self, document):
        """Find the provider with which a document can be paid.

        :param sale.order|account.move document: The document.
        :return: The provider; empty if there is none.
        :rtype: payment.provider
        """
        return self.search([
            ('code', '=', 'btcpay'),
            ('state', '!=', 'disabled'),
            ('btcpay_connection_state', '!=', 'disconnected'),
            *self._check_company_domain(document.company_id),
        ]).filtered(lambda provider: (
            document.currency_id in (
                provider.available_currency_ids or provider._get_supported_currencies()
            )
        ))[:1]
