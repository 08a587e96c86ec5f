from odoo import _, api, fields, models
from odoo.exceptions import ValidationError
from odoo.orm.models import NO_ACCESS

from odoo.addons.payment_btcpay import const
from odoo.addons.payment_btcpay.greenfield import address, make_headers, make_url, parse_answer
from odoo.addons.payment_btcpay.models.payment_provider import senders
from odoo.addons.payment_btcpay.models.payment_provider.client import NotConnected, UnsafeAddress


class PaymentProvider(models.Model):
    _name = 'payment.provider'
    # Activities are told of, and closed, on the thread of their record.
    _inherit = [
        'payment.provider', 'mail.thread', 'mail.activity.mixin', 'btcpay.protected.mixin',
        'btcpay.apart.mixin',
    ]
    code = fields.Selection(
        selection_add=[('btcpay', "BTCPay Server")], ondelete={'btcpay': 'set default'}
    )
    btcpay_server_url = fields.Char(
        string="BTCPay Server",
        help="The address of the server, set by “Connect to BTCPay Server”.",
        readonly=True, copy=False, groups='base.group_system',
    )
    # The secrets are for the code alone: no call of Odoo's API gets them back.
    btcpay_api_key = fields.Char(string="BTCPay API Key", copy=False, groups=NO_ACCESS)
    # By which the connection is known to be this database's: a copy has all the rest as well.
    btcpay_database = fields.Char(string="Connected by", copy=False, groups=NO_ACCESS)
    btcpay_webhook_secret = fields.Char(
        string="BTCPay Webhook Secret", copy=False, groups=NO_ACCESS
    )
    btcpay_old_webhook_secret = fields.Char(
        string="Previous Webhook Secret", copy=False, groups=NO_ACCESS
    )
    btcpay_old_webhook_secret_until = fields.Datetime(
        string="Previous Webhook Secret Valid Until", copy=False, groups=NO_ACCESS
    )
    btcpay_key_may_archive = fields.Boolean(
        string="Key May Cancel Refunds",
        help="Whether the API key has the permission to archive pull payments.",
        readonly=True, copy=False, groups='base.group_system',
    )
    btcpay_store_id = fields.Char(
        string="Store ID", readonly=True, copy=False, groups='base.group_system'
    )
    btcpay_store_name = fields.Char(
        string="Store", readonly=True, copy=False, groups='base.group_system'
    )
    # Their ids, separated by spaces: people read `btcpay_store_methods_text`.
    btcpay_store_payment_methods = fields.Char(
        string="Payment Methods of the Store", readonly=True, copy=False, groups='base.group_system'
    )
    # Their codes, separated by spaces: people read `btcpay_unrated_text`.
    btcpay_unrated_currencies = fields.Char(
        string="Unrated Currencies", readonly=True, copy=False, groups='base.group_system'
    )
    btcpay_store_read_at = fields.Datetime(
        string="Store Read", help="When it was last read what the store has.", readonly=True,
        copy=False, groups='base.group_system',
    )
    btcpay_languages = fields.Char(
        string="Checkout Languages",
        help="The codes of the languages the server's checkout page speaks, separated by spaces.",
        readonly=True, copy=False, groups='base.group_system',
    )
    btcpay_webhook_id = fields.Char(
        string="Webhook ID", readonly=True, copy=False, groups='base.group_system'
    )
    btcpay_webhook_url = fields.Char(
        string="Webhook Address",
        help="The address at which the server reports payments to Odoo. It stays as it was when the"
             " store was connected, whichever domain an administrator comes by later.",
        readonly=True, copy=False, groups='base.group_system',
    )
    btcpay_connection_state = fields.Selection(
        string="Connection",
        selection=[
            ('disconnected', "Not connected"),
            ('connected', "Connected"),
            ('refused', "API key refused"),
            ('gone', "Store not found"),
            ('unreachable', "No usable answer"),
        ],
        default='disconnected', required=True, readonly=True, copy=False,
    )
    btcpay_responsible_id = fields.Many2one(
        string="Responsible",
        help="Who is asked what Odoo cannot settle by itself, where an order has no salesperson.",
        comodel_name='res.users', domain=[('share', '=', False)], copy=False,
    )
    btcpay_checkout_mode = fields.Selection(
        string="Checkout Page",
        help="Where the customer pays. “On the server's page” sends the browser there, and back"
             " once it is paid. “Over the shop's page” opens the same page over the shop's, with a"
             " script of the server's: where a browser does not load it, the customer is sent to"
             " the server's page all the same.",
        selection=[
            ('redirect', "On the server's page"),
            ('modal', "Over the shop's page"),
        ],
        default='redirect', required=True,
    )
    btcpay_modal_policy = fields.Char(
        string="Content Security Policy",
        help="What a website that restricts what its pages may load has to allow.",
        compute='_compute_btcpay_modal_policy', groups='base.group_system',
    )
    btcpay_print_qr = fields.Boolean(
        string="QR Code on Documents",
        help="Print a QR code that opens the Bitcoin payment page on quotations, orders and"
             " customer invoices of which something is due.",
    )
    btcpay_accept_partial = fields.Boolean(
        string="Accept Partial Payments",
        help="Book the partial payment of an invoice that expires; the customer is asked for the"
             " amount due.",
    )
    btcpay_late_policy = fields.Selection(
        string="Late Payments",
        help="What happens to a payment that is made after its invoice has expired.",
        selection=[
            ('review', "Manual review"),
            ('accept', "Accept once confirmed"),
        ],
        default='review', required=True,
    )
    btcpay_underpaid_policy = fields.Selection(
        string="Underpayment Within Tolerance",
        help="What is booked where less was paid than asked for and the store's payment tolerance"
             " takes it as paid. The order is confirmed either way. “Book what was received” leaves"
             " the rest open on the customer's account. “Write off the difference” books the rest"
             " as a loss, so that invoices are paid in full; where all is refunded later, the"
             " write-off is taken back.",
        selection=[
            ('received', "Book what was received"),
            ('write_off', "Write off the difference"),
        ],
        default='received', required=True, copy=False,
    )
    btcpay_write_off_account_id = fields.Many2one(
        string="Write-Off Account",
        help="The account to which what is missing of a payment is written off.",
        comodel_name='account.account',
        domain=[('account_type', 'not in', (
            'asset_receivable', 'liability_payable', 'asset_cash', 'liability_credit_card',
        ))],
        compute='_compute_btcpay_write_off_account_id',
        store=True, readonly=False, copy=False, check_company=True, ondelete='restrict',
    )
    btcpay_webhook_log_days = fields.Integer(
        string="Webhook Log Retention (days)",
        help="The number of days after which webhook deliveries are removed from the log.",
        default=90,
    )
    _btcpay_webhook_log_days_positive = models.Constraint(
        'CHECK(btcpay_webhook_log_days > 0)', "Webhook deliveries are kept for at least one day."
    )
    btcpay_connection_problem = fields.Char(
        string="Connection Problem",
        help="Why the server cannot be asked, and what to do.",
        readonly=True, copy=False, groups='base.group_system',
    )
    btcpay_unreachable_since = fields.Datetime(
        string="Unreachable Since", readonly=True, copy=False, groups='base.group_system'
    )
    btcpay_failed_tries = fields.Integer(
        string="Failed Tries", readonly=True, copy=False, groups='base.group_system'
    )
    btcpay_retry_at = fields.Datetime(
        string="Next Try", help="The scheduled actions leave the server alone until then.",
        readonly=True, copy=False, groups='base.group_system',
    )
    btcpay_is_key_refused = fields.Boolean(
        string="Key Is Refused",
        help="Whether the server said last that it does not accept the API key: customers are not"
             " offered what it would refuse.",
        readonly=True, copy=False, groups='base.group_system',
    )
    btcpay_connection_activity_id = fields.Many2one(
        string="Connection Alert", comodel_name='mail.activity', readonly=True, copy=False,
        groups='base.group_system',
    )
    btcpay_rounding_text = fields.Char(
        string="Rounding", help="How the server is likely to round amounts of your currencies.",
        compute='_compute_btcpay_rounding_text', groups='base.group_system',
    )
    # By currency; those of the whole store by none. What works in one may fail in another.
    btcpay_checkout_problems = fields.Json(
        string="Checkout Problems by Currency", readonly=True, copy=False,
        groups='base.group_system',
    )
    btcpay_checkout_problem = fields.Char(
        string="Checkout Problem",
        help="Why the store made no invoice when a customer wanted to pay.",
        compute='_compute_btcpay_checkout_problem', groups='base.group_system',
    )
    btcpay_checkout_activity_id = fields.Many2one(
        string="Checkout Alert", comodel_name='mail.activity', readonly=True, copy=False,
        groups='base.group_system',
    )
    # The ids of those by which the store made no invoice, though it has them enabled.
    btcpay_down_methods = fields.Char(
        string="Methods Out of Order", readonly=True, copy=False, groups='base.group_system'
    )
    btcpay_method_activity_id = fields.Many2one(
        string="Method Alert", comodel_name='mail.activity', readonly=True, copy=False,
        groups='base.group_system',
    )
    btcpay_poll_minutes = fields.Integer(
        string="Polling Interval",
        help="The number of minutes after which the server is asked about an open invoice, where"
             " there is no webhook.",
        default=const.POLL_MINUTES,
    )
    _btcpay_poll_minutes_positive = models.Constraint(
        'CHECK(btcpay_poll_minutes > 0)', "The polling interval is at least one minute."
    )
    btcpay_use_webhook = fields.Boolean(
        string="Webhook",
        help="Whether the server reports payments to Odoo. Where it cannot, Odoo polls the server.",
        default=True, readonly=True, copy=False,
    )
    btcpay_webhook_problem = fields.Selection(
        string="Webhook Problem",
        selection=[
            ('missing', "it was deleted at the server"),
            ('disabled', "it is switched off at the server"),
            ('moved', "it points to another address"),
            ('events', "it does not report all events"),
        ],
        readonly=True, copy=False,
    )
    btcpay_webhook_checked_at = fields.Datetime(
        string="Webhook Checked", readonly=True, copy=False, groups='base.group_system'
    )
    btcpay_webhook_activity_id = fields.Many2one(
        string="Webhook Alert", comodel_name='mail.activity', readonly=True, copy=False,
        groups='base.group_system',
    )

    # === ODOO'S HOOKS === #

    def write(self, vals):
        """Override to forget who may send events where that is changed."""
        result = super().write(vals)  # Which whoever may not write is refused.
        if not senders.FIELDS.isdisjoint(vals):
            self._btcpay_forget_senders()
        return result

    @api.constrains('state', 'code', 'btcpay_api_key', 'btcpay_store_id', 'btcpay_server_url')
    def _check_btcpay_is_connected_before_enabling(self):
        """Check that a store is connected when the provider is enabled.

        :raise ValidationError: If the provider is enabled without a store.
        """
        for provider in self.sudo().filtered(lambda p: p.code == 'btcpay'):
            if provider.state != 'disabled' and not provider._btcpay_is_connected():
                raise ValidationError(_(
                    "Connect your store before enabling the provider: save, then click “Connect to"
                    " BTCPay Server”."
                ))

    def _compute_feature_support_fields(self):
        """Override of `payment` to enable additional features."""
        super()._compute_feature_support_fields()
        self.filtered(lambda p: p.code == 'btcpay').support_refund = 'partial'

    def _get_supported_currencies(self):
        """Override of `payment` to return the supported currencies."""
        currencies = super()._get_supported_currencies()
        if self.code == 'btcpay':
            currencies = currencies.filtered(self._btcpay_has_rate)
        return currencies

    def _get_default_payment_method_codes(self):
        """Override of `payment` to return the default payment method codes."""
        self.ensure_one()
        if self.code != 'btcpay':
            return super()._get_default_payment_method_codes()
        return self._btcpay_get_default_codes()

    @api.model
    def _get_compatible_providers(
        self, company_id, partner_id, amount, currency_id=None, is_validation=False, report=None,
        **kwargs
    ):
        """Override of `payment` to filter out BTCPay providers that cannot be paid with."""
        providers = super()._get_compatible_providers(
            company_id, partner_id, amount, currency_id=currency_id, is_validation=is_validation,
            report=report, **kwargs
        )
        return self._btcpay_filter_compatible(
            providers, company_id, amount, currency_id, is_validation, report
        )

    def action_start_onboarding(self, menu_id=None):
        """Override of `payment` to open the connection wizard."""
        self.ensure_one()
        if self.code != 'btcpay':
            return super().action_start_onboarding(menu_id=menu_id)
        return self.action_btcpay_connect()

    def action_reset_credentials(self):
        """Override of `payment` to leave nothing behind at the server: no webhook and no key."""
        self.ensure_one()
        if self.code != 'btcpay':
            return super().action_reset_credentials()
        # Nobody may write the secrets, not even to forget them.
        return self._btcpay_disconnect(super(PaymentProvider, self.sudo()).action_reset_credentials)

    def _get_reset_values(self):
        """Override of `payment` to supply the provider-specific credential values to reset."""
        if self.code != 'btcpay':
            return super()._get_reset_values()
        return self._btcpay_get_empty_connection()

    def _get_removal_values(self):
        """Override of `payment` to forget the credentials when the module is uninstalled."""
        return {**super()._get_removal_values(), **self._btcpay_get_empty_connection()}

    @api.model
    def _remove_provider(self, provider_code, **kwargs):
        """Override of `payment` to leave nothing behind at the server on uninstallation."""
        if provider_code != 'btcpay':
            return super()._remove_provider(provider_code, **kwargs)
        providers = self.search(self._get_provider_domain(provider_code, **kwargs))
        return self._btcpay_remove(providers, super()._remove_provider, provider_code, **kwargs)

    def _send_api_request(
        self, method, endpoint, *, params=None, data=None, json=None, reference=None, **kwargs
    ):
        """Override of `payment` to send a request to the Greenfield API.

        :param dict kwargs: `btcpay_server_url` and `btcpay_api_key` to use instead of the stored
                            ones (an empty key sends none); `btcpay_timeout`, in seconds;
                            `btcpay_session`, the `greenfield.Session` to send it with.
        """
        if self.code != 'btcpay':
            return super()._send_api_request(
                method, endpoint, params=params, data=data, json=json, reference=reference, **kwargs
            )
        return self._btcpay_send_request(
            method, endpoint, params=params, json=json, reference=reference, **kwargs
        )

    def _build_request_url(self, endpoint, **kwargs):
        """Override of `payment` to build the request URL."""
        if self.code != 'btcpay':
            return super()._build_request_url(endpoint, **kwargs)
        server_url = kwargs.get('btcpay_server_url') or self.sudo().btcpay_server_url
        if not server_url:
            raise NotConnected
        try:
            server_url = address.normalize(server_url, has_proxy=True)
            address.check_scheme(server_url)
        except address.AddressRefused as error:
            raise UnsafeAddress from error
        return make_url(server_url, endpoint)

    def _build_request_headers(self, method, endpoint, payload, **kwargs):
        """Override of `payment` to build the request headers."""
        if self.code != 'btcpay':
            return super()._build_request_headers(method, endpoint, payload, **kwargs)
        api_key = kwargs.get('btcpay_api_key')
        if api_key is None:
            api_key = self.sudo().btcpay_api_key
        return make_headers(api_key or '', user_agent='Odoo/19.0 payment_btcpay')

    def _parse_response_content(self, response, **kwargs):
        """Override of `payment` to parse the response content, or raise what it says."""
        if self.code != 'btcpay':
            return super()._parse_response_content(response, **kwargs)
        return parse_answer(response)
