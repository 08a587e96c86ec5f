"""What the shop decides about its invoices; what is empty is as the store has it."""
import re

from babel import Locale, UnknownLocaleError

from odoo import _, api, fields, models
from odoo.exceptions import ValidationError

from odoo.addons.payment_btcpay import const
from odoo.addons.payment_btcpay.greenfield import parse_decimal

YES_NO = [('yes', "Yes"), ('no', "No")]


class PaymentProvider(models.Model):
    _inherit = 'payment.provider'

    # === THE INVOICE === #

    btcpay_speed_policy = fields.Selection(
        string="Confirmations",
        help="How many blocks of the Bitcoin network it takes until the server settles an invoice"
             " that was paid on-chain; a block comes every ten minutes or so. With none, a payment"
             " counts as soon as it is seen, and a customer may take it back: for small amounts"
             " only. Lightning is always settled at once.",
        selection=[
            ('HighSpeed', "None: as soon as it is seen"),
            ('MediumSpeed', "1 block"),
            ('LowMediumSpeed', "2 blocks"),
            ('LowSpeed', "6 blocks"),
        ],
    )
    btcpay_confirm_when = fields.Selection(
        string="Confirm Orders",
        help="Odoo reserves stock for confirmed orders only. “When the payment is seen” reserves at"
             " once, though an on-chain payment may still vanish before a block has it: then a"
             " person is asked, and the deliveries are marked as not paid. Lightning makes no"
             " difference. The server is not told of it.",
        selection=[
            ('settled', "When the payment is settled"),
            ('seen', "When the payment is seen"),
        ],
        default='settled', required=True,
    )
    # Numbers as text, since a number cannot be empty.
    btcpay_expiration_minutes = fields.Char(
        string="Time to Pay (minutes)",
        help="How long the customer has to pay an invoice: the rate of the bitcoin is fixed for"
             " that time. The order itself does not expire with it.",
    )
    btcpay_monitoring_minutes = fields.Char(
        string="Monitoring (minutes)",
        help="How long the server goes on watching for payments after an invoice has expired: what"
             " comes later than that is seen by nobody.",
    )
    btcpay_tolerance = fields.Char(
        string="Payment Tolerance (%)",
        help="How many per cent of an invoice may be missing so that the server takes it as paid"
             " all the same, e.g. because a wallet deducted its fee. What is booked then is decided"
             " by “Underpayment Within Tolerance”.",
    )
    btcpay_minimum_amount = fields.Monetary(
        string="Minimum Amount",
        help="The smallest amount for which customers are offered this provider; 0 for any."
             " On-chain payments of small amounts cost more in fees than they are worth. The server"
             " is not told of it.",
        currency_field='main_currency_id',
    )

    # === THE CHECKOUT PAGE === #

    btcpay_default_method = fields.Selection(
        string="Shown First",
        help="Which way to pay the server's checkout page shows first where the customer has chosen"
             " “Bitcoin / Lightning” and can take either.",
        selection=[('BTC-CHAIN', "Bitcoin"), ('BTC-LN', "Lightning")],
    )
    btcpay_language = fields.Selection(
        string="Checkout Language",
        help="The language of the server's checkout page: that in which the customer sees your"
             " shop, or always the same. Left empty, the store's own setting holds, which may go by"
             " the customer's browser.",
        selection='_get_btcpay_languages',
        default='customer',
    )
    btcpay_redirect = fields.Selection(
        string="Return Automatically",
        help="Whether the server's checkout page brings the customer back to Odoo by itself once"
             " the invoice is settled, or waits for a click on “Return to …”.",
        selection=YES_NO, default='yes',
    )
    btcpay_item_description = fields.Char(
        string="Description on the Invoice",
        help="What the customer reads on the server's checkout page, and some wallets keep:"
             " {documents} stands for the numbers of the order or invoices, {reference} for that of"
             " the payment, {company} for your name. Nothing is shown if it is empty.",
        translate=True,
    )
    btcpay_receipt = fields.Selection(
        string="Receipt at the Server",
        help="Whether the server has a receipt for the customer once an invoice is settled. It is"
             " a page that everybody can open who has its link, and no invoice of yours.",
        selection=YES_NO,
    )

    # === WHAT IS SENT ABOUT THE CUSTOMER === #

    btcpay_send_email = fields.Boolean(
        string="Customer's Email Address",
        help="The server keeps the customer's email address with the invoice. Everybody with access"
             " to the store can read it there, and the server may write to it where its store sends"
             " emails. You are responsible for deleting it there as well.",
    )
    btcpay_send_name = fields.Boolean(
        string="Customer's Name",
        help="The server keeps the customer's name with the invoice: with the payment's transaction"
             " beside it, everybody with access to the store sees who owns which bitcoin.",
    )
    btcpay_send_address = fields.Boolean(
        string="Customer's Address",
        help="The server keeps the customer's street, postcode, city and state with the invoice:"
             " everybody with access to the store sees where somebody lives who owns bitcoin.",
    )
    btcpay_send_country = fields.Boolean(
        string="Customer's Country",
        help="The server keeps the customer's country with the invoice, e.g. for reports.",
    )
    btcpay_send_lines = fields.Boolean(
        string="Order Lines",
        help="The server keeps what was bought with the invoice: everybody with access to the store"
             " sees products, quantities and prices.",
    )
    btcpay_send_order_link = fields.Boolean(
        string="Link to the Order",
        help="The server shows the merchant a link to the order, or the invoice, in Odoo. It says"
             " nothing about the customer, but where your Odoo is; to open it one has to log in.",
    )

    # === VALUES === #

    @api.model
    def _get_btcpay_languages(self):
        """Return the languages that can be chosen: those of the servers, by their names.

        :rtype: list[tuple[str, str]]
        """
        codes = set()
        if self.pool.ready:  # Else there may be no such column yet.
            for provider in self.env['payment.provider']._btcpay_find_all():
                codes.update((provider.btcpay_languages or '').split())
        return [('customer', _("The customer's")), *sorted(
            ((code, self._btcpay_name_language(code)) for code in codes), key=lambda item: item[1]
        )]

    @api.model
    def _btcpay_name_language(self, code):
        """Return how a language of the server's is called, in the user's language.

        :param str code: The server's code, e.g. `fr-FR`.
        :rtype: str
        """
        try:
            name = Locale.parse(code, sep='-').get_display_name(self.env.lang or 'en_US')
        except (ValueError, UnknownLocaleError):
            name = None
        return f'{name[:1].upper()}{name[1:]}' if name else code

    @api.constrains(*const.NUMBER_SETTINGS)
    def _check_btcpay_numbers(self):
        """Check what the server would refuse, or take in silence.

        :raise ValidationError: If something is no number, or out of range.
        """
        for provider in self:
            for name, (lowest, highest, decimals) in const.NUMBER_SETTINGS.items():
                number = provider._btcpay_get_number(name)
                if not provider[name] or (
                    number is not None and lowest <= number <= highest
                    and round(number, decimals) == number
                ):
                    continue
                raise ValidationError(_(
                    "%(setting)s: enter a number from %(lowest)s to %(highest)s, or nothing for"
                    " what the store has.",
                    setting=provider._fields[name]._description_string(provider.env),
                    lowest=lowest, highest=highest,
                ))

    @api.constrains('btcpay_item_description')
    def _check_btcpay_item_description(self):
        """Check that what is in braces stands for something.

        :raise ValidationError: If not.
        """
        for provider in self:
            text = provider.btcpay_item_description or ''
            unknown = set(re.findall(r'{[^{}]*}', text)) - set(const.DESCRIPTION_WORDS)
            if unknown:
                raise ValidationError(_(
                    "%(unknown)s stands for nothing in a description. You can use: %(known)s",
                    unknown=" ".join(sorted(unknown)), known=" ".join(const.DESCRIPTION_WORDS),
                ))

    def _btcpay_get_number(self, name):
        """Return the number that a setting is.

        :param str name: The field.
        :return: The number; None if the setting is empty, or no number.
        :rtype: Decimal|None
        """
        self.ensure_one()
        return parse_decimal((self[name] or '').strip())
