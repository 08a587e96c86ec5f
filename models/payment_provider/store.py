"""What is known of the store: its methods, the languages of its server, and its rates."""
import base64
from datetime import timedelta

from odoo import _, api, fields, models
from odoo.fields import Command
from odoo.tools import file_open, split_every

from odoo.addons.payment_btcpay import const
from odoo.addons.payment_btcpay.db import commit_and_refresh, lock
from odoo.addons.payment_btcpay.greenfield import GreenfieldError, Refused, is_lightning
from odoo.addons.payment_btcpay.models.payment_provider.client import NothingEnabled, StoreGone
from odoo.addons.payment_btcpay.utils import name_method, notify, warn


class PaymentProvider(models.Model):
    _inherit = 'payment.provider'

    btcpay_store_methods_text = fields.Char(
        string="Methods of the Store",
        help="What the store has enabled. It is read when the store is connected, daily, and when"
             " you click “Refresh”.",
        compute='_compute_btcpay_methods_text', groups='base.group_system',
    )
    btcpay_further_methods_text = fields.Char(
        string="Not in Odoo Yet", help="Methods of the store for which Odoo has no payment method.",
        compute='_compute_btcpay_methods_text', groups='base.group_system',
    )
    btcpay_unrated_text = fields.Char(
        string="Currencies Without Rate",
        help="The store's rate sources have no price of these currencies, so that it makes no"
             " invoices in them, and customers are not offered Bitcoin for them. Add a source in"
             " the store's settings at the BTCPay Server, then click “Refresh”.",
        compute='_compute_btcpay_unrated_text', groups='base.group_system',
    )
    btcpay_down_methods_text = fields.Char(
        string="Out of Order", compute='_compute_btcpay_methods_text', groups='base.group_system',
    )

    # === ACTION METHODS === #

    def action_btcpay_refresh(self):
        """Read anew what is to be known of the store.

        :return: The notification of what came of it.
        :rtype: dict
        """
        self.ensure_one()
        self.check_access('write')
        try:
            self._btcpay_refresh()
        except GreenfieldError as error:
            return warn(self._btcpay_explain(error))
        return notify(_("What the store has was read from the BTCPay Server."), reload=True)

    def action_btcpay_add_methods(self):
        """Create payment methods for what the store has and Odoo has not, inactive.

        :return: The action that shows them.
        :rtype: dict
        """
        self.ensure_one()
        self.check_access('write')
        with file_open('payment_btcpay/static/img/coin.png', 'rb') as file:
            image = base64.b64encode(file.read())
        methods = self.env['payment.method'].create([
            {
                'name': name_method(self.env, method_id),
                'code': f'btcpay_{method_id.lower().replace("-", "_")}',
                'sequence': 910,
                'active': False,
                'image': image,
                'support_refund': 'partial',
                'btcpay_methods': method_id,
                'provider_ids': [Command.link(self.id)],
            }
            for method_id in self._btcpay_find_further_methods()
        ])
        return {
            **self.env['ir.actions.actions']._for_xml_id('payment.action_payment_method'),
            'domain': [('id', 'in', methods.ids)],
        }

    # === READING === #

    def _btcpay_refresh(self):
        """Read anew what is to be known of the store, and raise an alert if it takes nothing.

        :raise GreenfieldError: If the server did not say.
        """
        self.ensure_one()
        provider = self.sudo()
        store_id = provider.btcpay_store_id
        commit_and_refresh(provider.env)
        values = provider._btcpay_read_store(provider._btcpay_client(), store_id)
        commit_and_refresh(provider.env)
        lock(provider)
        if provider.btcpay_store_id != store_id:
            return  # Another one was connected meanwhile.
        provider.write(values)
        commit_and_refresh(provider.env)
        down = (provider.btcpay_down_methods or '').split()
        provider._btcpay_report_methods(  # What is not enabled any more need not work.
            works=[method for method in down if method not in provider._btcpay_get_store_methods()]
        )
        nothing, no_currency = NothingEnabled(), self.env['res.currency']
        if not values['btcpay_store_payment_methods']:
            provider._btcpay_report_checkout(no_currency, nothing)
        elif (provider.btcpay_checkout_problems or {}).get('') == (
            provider._btcpay_in_company_language()._btcpay_explain(nothing)
        ):
            provider._btcpay_report_checkout(no_currency)

    def _btcpay_read_store(self, client, store_id):
        """Read what is to be known of a store.

        :param Client client: The client to call with.
        :param str store_id: The id of the store.
        :return: The values to write on the provider.
        :rtype: dict
        :raise GreenfieldError: If the server did not say.
        """
        store = self._btcpay_find_store(client, store_id)
        methods = sorted(
            method.id for method in client.list_payment_methods(store_id) if method.is_enabled
        )
        try:
            languages = client.list_languages()
        except GreenfieldError:  # Without them the checkout page picks one by itself.
            languages = []
        unrated = self._btcpay_find_unrated(client, store_id, methods)
        return {
            'btcpay_store_name': store.name,
            'btcpay_store_payment_methods': " ".join(methods) or False,
            'btcpay_languages': " ".join(languages) or False,
            'btcpay_unrated_currencies': " ".join(unrated.mapped('name')) or False,
            'btcpay_store_read_at': fields.Datetime.now(),
        }

    def _btcpay_find_store(self, client, store_id):
        """Find a store among those that the key may see: one that was deleted is not, though the
        server may let it be read all the same.

        :param Client client: The client to call with.
        :param str store_id: The id of the store.
        :rtype: Store
        :raise GreenfieldError: If the server did not say, or it is not there.
        """
        stores = client.list_stores()
        for store in stores:
            if store.id == store_id:
                return store
        if stores.is_complete:
            raise StoreGone
        return client.get_store(store_id)

    def _btcpay_find_unrated(self, client, store_id, methods):
        """Find the currencies in which the store cannot make invoices now.

        All are asked for, also those that are not active: they may be before the next time.

        :param Client client: The client to call with.
        :param str store_id: The id of the store.
        :param list[str] methods: The ids of its methods.
        :rtype: res.currency
        :raise GreenfieldError: If the server did not say.
        """
        # All that there are: those that are not active may be some day.
        # pylint: disable-next=no-search-all
        currencies = self.env['res.currency'].with_context(active_test=False).search([])
        # Plugins call theirs as they like, e.g. `CASHU`: of those nothing is known.
        cryptos = {
            method_id.partition('-')[0].upper()  # As it answers.
            for method_id in methods if '-' in method_id
        }
        rated, is_any_known = self.env['res.currency'], False
        for crypto in sorted(cryptos):
            pairs = {f'{crypto}_{currency._btcpay_get_code()}': currency for currency in currencies}
            try:
                for some in split_every(const.RATES_SIZE, pairs):
                    for rate in client.list_rates(store_id, some):
                        if rate.rate:
                            rated |= pairs.get(rate.pair, rated)
            except Refused:
                continue  # It has another name than its currency.
            is_any_known = True
        return currencies - rated if is_any_known else rated.browse()

    @api.depends('btcpay_unrated_currencies')
    def _compute_btcpay_unrated_text(self):
        # Of those that are not active nobody wants to know.
        currencies = self.env['res.currency'].search([])  # pylint: disable=no-search-all
        for provider in self:
            unrated = currencies - currencies.filtered(provider._btcpay_has_rate)
            provider.btcpay_unrated_text = ", ".join(unrated.sorted('name').mapped('name'))

    def _btcpay_has_rate(self, currency):
        """Return whether the store is not known to have no rate of a currency.

        :param res.currency currency: The currency.
        """
        self.ensure_one()
        return currency.name not in (self.sudo().btcpay_unrated_currencies or '').split()

    def _btcpay_is_refresh_due(self):
        """Return whether the store was not read for a day; with each check while it is said to have
        no rate of a currency that is used here: its source may have failed for a moment, and until
        it is read again nobody is offered to pay in it."""
        self.ensure_one()
        limit = fields.Datetime.now() - timedelta(minutes=const.STORE_MINUTES)
        return (
            not self.btcpay_store_read_at or self.btcpay_store_read_at <= limit
            or bool(self.btcpay_unrated_text)
        )

    # === METHODS === #

    @api.depends('btcpay_store_payment_methods', 'btcpay_down_methods', 'payment_method_ids')
    @api.depends_context('lang')
    def _compute_btcpay_methods_text(self):
        for provider in self:
            for name, method_ids in (
                ('store', provider._btcpay_get_store_methods()),
                ('further', provider._btcpay_find_further_methods()),
                ('down', (provider.btcpay_down_methods or '').split()),
            ):
                provider[f'btcpay_{name}_methods_text'] = ", ".join(dict.fromkeys(
                    name_method(self.env, method_id) for method_id in method_ids
                ))

    def _btcpay_get_store_methods(self):
        """Return the ids of the methods that the store has enabled.

        :rtype: list[str]
        """
        self.ensure_one()
        return (self.sudo().btcpay_store_payment_methods or '').split()

    def _btcpay_get_methods(self, payment_method):
        """Return the store's methods by which a payment method can be paid.

        :param payment.method payment_method: The payment method.
        :return: The ids, in the payment method's order; empty if the store has none of them.
        :rtype: list[str]
        """
        self.ensure_one()
        enabled = self._btcpay_get_store_methods()
        wanted = payment_method._btcpay_get_ids()
        return [method_id for method_id in wanted if method_id in enabled] if wanted else enabled

    def _btcpay_takes(self, payment_method):
        """Return whether a payment method of the provider can be paid now, whichever provider."""
        self.ensure_one()
        return self.code != 'btcpay' or bool(self._btcpay_get_methods(payment_method))

    def _btcpay_find_further_methods(self):
        """Return the ids of the store's methods for which there is no payment method.

        :rtype: list[str]
        """
        self.ensure_one()
        known = {
            method_id
            for method in self.with_context(active_test=False).payment_method_ids
            for method_id in method._btcpay_get_ids()
        }
        return [method for method in self._btcpay_get_store_methods() if method not in known]

    def _btcpay_get_default_codes(self):
        """Return the codes of the payment methods that are active when the provider is enabled.

        :return: That which says what the store has, and no more.
        :rtype: set
        """
        self.ensure_one()
        kinds = {
            is_lightning(method_id) for method_id in self._btcpay_get_store_methods()
            if method_id.startswith('BTC-')  # Of other coins none of these methods takes any.
        }
        if len(kinds) != 1:
            return const.DEFAULT_PAYMENT_METHOD_CODES
        return {'btcpay_lightning'} if kinds.pop() else {'btcpay_chain'}
