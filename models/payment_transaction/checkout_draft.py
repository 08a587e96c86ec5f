"""What the server is asked for: the invoice, as the shop wants it, and as the customer chose."""
from urllib.parse import quote, urlencode

from odoo import models
from odoo.tools import get_lang

from odoo.addons.payment_btcpay import const
from odoo.addons.payment_btcpay.greenfield import (
    InvoiceDraft,
    Money,
    format_amount,
    match_language,
    name_method,
    round_amount,
)


class PaymentTransaction(models.Model):
    _inherit = 'payment.transaction'

    def _btcpay_prepare_invoice(self):
        """Prepare the request that makes the invoice.

        Nothing about the customer leaves Odoo but the language, unless the shop wants it so. The
        metadata of ours is shown to the merchant only.

        :rtype: InvoiceDraft
        """
        self.ensure_one()
        provider = self.provider_id.sudo()
        base_url = provider._btcpay_get_return_base_url()
        money = self._btcpay_get_money(self.amount)
        methods = self._btcpay_get_asked_methods()
        return InvoiceDraft(
            amount=money.amount,
            currency=money.currency,
            order_id=self.reference,
            metadata={
                const.TOKEN_KEY: self.sudo().btcpay_invoice_token,
                **self._btcpay_get_shared_metadata(),
            },
            search_terms=self._btcpay_get_search_terms(),
            redirect_url=f'{base_url}{const.RETURN_ROUTE}?ref={quote(self.reference, safe="")}',
            is_redirected_automatically=_read_choice(provider.btcpay_redirect),
            language=self._btcpay_choose_language(),
            payment_methods=methods,
            default_method=self._btcpay_choose_default_method(methods),
            speed_policy=provider.btcpay_speed_policy or None,
            expiration_minutes=_read_minutes(provider, 'btcpay_expiration_minutes'),
            monitoring_minutes=_read_minutes(provider, 'btcpay_monitoring_minutes'),
            tolerance=provider._btcpay_get_number('btcpay_tolerance'),
            has_receipt=_read_choice(provider.btcpay_receipt),
        )

    def _btcpay_get_money(self, amount):
        """Return an amount as the server is told it.

        :param float amount: The amount, in the transaction's currency.
        :rtype: Money
        """
        self.ensure_one()
        return Money(
            round_amount(amount, self.currency_id.decimal_places),
            self.currency_id._btcpay_get_code(),
        )

    # === AS THE CUSTOMER CHOSE === #

    def _btcpay_get_asked_methods(self):
        """Return the ids of the store's methods by which the customer wants to pay.

        :rtype: list[str]
        """
        self.ensure_one()
        return self.provider_id._btcpay_get_methods(self.payment_method_id)

    def _btcpay_choose_default_method(self, methods):
        """Return which of the methods the checkout page is to show first.

        :param list[str] methods: The ids of the methods.
        :return: The id; None to leave it to the store.
        :rtype: str|None
        """
        self.ensure_one()
        wanted = self.provider_id.sudo().btcpay_default_method
        if wanted in methods:
            return wanted
        is_one_way = len(set(map(name_method, methods))) == 1
        return methods[0] if is_one_way else None

    def _btcpay_choose_language(self):
        """Return in which of its languages the server's checkout page is to speak.

        :return: The server's code; None to leave it to the store.
        :rtype: str|None
        """
        self.ensure_one()
        provider = self.provider_id.sudo()
        language = provider.btcpay_language
        if language == 'customer':
            language = self._btcpay_get_customer_language()
        return match_language(language, (provider.btcpay_languages or '').split())

    def _btcpay_get_customer_language(self):
        """Return the language in which the customer sees the shop.

        :rtype: str
        """
        self.ensure_one()
        return self.env.context.get('lang') or self.partner_lang

    # === WHAT ELSE THE SHOP WANTS THE SERVER TO KNOW === #

    def _btcpay_get_search_terms(self):
        """Return the numbers by which the merchant may look for the invoice at the server.

        :return: Those of the orders and their customer invoices.
        :rtype: list[str]
        """
        self.ensure_one()
        orders = self.sale_order_ids | self.invoice_ids._btcpay_get_orders()
        moves = self.invoice_ids | self.sale_order_ids.invoice_ids
        return [
            *orders.mapped('name'),
            *moves.filtered(lambda move: move.state == 'posted').mapped('name'),
        ]

    def _btcpay_get_shared_metadata(self):
        """Return what is told of the order and the customer: nothing, unless it is switched on.

        :return: The metadata, under the server's names.
        :rtype: dict
        """
        self.ensure_one()
        provider = self.provider_id.sudo()
        values = {}
        if description := self._btcpay_get_item_description():
            values['itemDesc'] = description
        if provider.btcpay_send_order_link:
            values['orderUrl'] = self._btcpay_get_order_url()
        if provider.btcpay_send_email:
            values['buyerEmail'] = self.partner_email
        if provider.btcpay_send_name:
            values['buyerName'] = self.partner_name
        if provider.btcpay_send_address:
            values.update({
                'buyerAddress1': self.partner_address,
                'buyerZip': self.partner_zip,
                'buyerCity': self.partner_city,
                'buyerState': self.partner_state_id.name,
            })
        if provider.btcpay_send_country:
            values['buyerCountry'] = self.partner_country_id.code
        if provider.btcpay_send_lines:
            values['posData'] = {'orderLines': self._btcpay_get_sold_lines()}
        return {name: value for name, value in values.items() if value}

    def _btcpay_get_item_description(self):
        """Return what the customer reads of the payment on the checkout page.

        :rtype: str
        """
        self.ensure_one()
        lang = get_lang(self.env, self._btcpay_get_customer_language()).code
        provider = self.provider_id.sudo().with_context(lang=lang)
        documents = self.sale_order_ids or self.invoice_ids
        text = provider.btcpay_item_description or ''
        for word, value in zip(const.DESCRIPTION_WORDS, (
            ", ".join(documents.mapped('name')) or self.reference, self.reference,
            self.company_id.name,
        ), strict=True):
            text = text.replace(word, value)
        return text.strip()

    def _btcpay_get_order_url(self):
        """Return where employees see in Odoo what is paid for.

        :rtype: str
        """
        self.ensure_one()
        document = self._btcpay_get_document()
        base_url = self.env['ir.config_parameter'].sudo().get_param('web.base.url')
        query = urlencode({'model': document._name, 'res_id': document.id})
        return f'{base_url}/mail/view?{query}'

    def _btcpay_get_sold_lines(self):
        """Return what is paid for, line by line; of what is too much for an event the sum.

        :rtype: list[dict[str, str]]
        """
        self.ensure_one()
        documents = self.sale_order_ids or self.invoice_ids
        lines = (
            self.sale_order_ids.order_line or self.invoice_ids.invoice_line_ids
        ).filtered(lambda line: line.display_type in (False, 'product'))
        quantity = 'product_uom_qty' if self.sale_order_ids else 'quantity'
        decimals = documents.currency_id[:1].decimal_places
        rows = [
            {
                'name': (line.name or line.product_id.name or '')[:const.MAX_SHARED_NAME],
                'quantity': f'{line[quantity]:g}',
                'total': format_amount(line.price_total, decimals),
            }
            for line in lines[:const.MAX_SHARED_LINES]
        ]
        if rest := lines[const.MAX_SHARED_LINES:]:
            total = format_amount(sum(rest.mapped('price_total')), decimals)
            rows.append({'name': f'… + {len(rest)}', 'quantity': '', 'total': total})
        return rows


def _read_choice(choice):
    """Return what a choice of “Yes”, “No” or neither is to the server."""
    return choice == 'yes' if choice else None


def _read_minutes(provider, name):
    """Return the minutes that a setting is; None if it is empty."""
    minutes = provider._btcpay_get_number(name)
    return None if minutes is None else int(minutes)
