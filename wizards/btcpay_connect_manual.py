"""The connection is set up by hand: with a key, a store, and a webhook that were made there."""
from odoo import _, api, fields, models
from odoo.exceptions import ValidationError
from odoo.orm.models import NO_ACCESS

from odoo.addons.payment_btcpay import const
from odoo.addons.payment_btcpay.db import commit_and_refresh
from odoo.addons.payment_btcpay.greenfield import Forbidden, GreenfieldError, Unauthorized, clean
from odoo.addons.payment_btcpay.models.payment_provider.connection_check import ManualSetup
from odoo.addons.payment_btcpay.utils import notify


class BTCPayConnectWizard(models.TransientModel):
    _inherit = 'btcpay.connect.wizard'

    is_manual = fields.Boolean(string="By Hand")
    # What is typed is kept where no call of Odoo's API gets it back, and only until it was used.
    api_key = fields.Char(
        string="API Key", compute='_compute_typed', inverse='_inverse_api_key',
    )
    kept_api_key = fields.Char(groups=NO_ACCESS)
    webhook_secret = fields.Char(
        compute='_compute_typed', inverse='_inverse_webhook_secret',
        help="The secret of the webhook, as it stands on the server's page of it.",
    )
    kept_webhook_secret = fields.Char(groups=NO_ACCESS)
    store_ids = fields.One2many(
        string="Stores", comodel_name='btcpay.connect.wizard.store', inverse_name='wizard_id',
        readonly=True,
    )
    store_id = fields.Many2one(
        comodel_name='btcpay.connect.wizard.store',
        domain="[('wizard_id', '=', id)]",
    )
    excess = fields.Char(string="More Than Needed", readonly=True)
    is_excess_accepted = fields.Boolean(string="Use this key all the same")
    is_webhook_by_hand = fields.Boolean(
        string="I make the webhook at the server myself",
        help="For a key that may not make webhooks.",
    )
    webhook_url = fields.Char(string="Webhook Address", compute='_compute_webhook')
    webhook_events = fields.Char(compute='_compute_webhook')

    @api.depends('kept_api_key', 'kept_webhook_secret')
    def _compute_typed(self):
        self.api_key = self.webhook_secret = False

    def _inverse_api_key(self):
        for wizard in self.filtered('api_key'):
            # Of another key nothing is known.
            wizard.sudo().write({
                'kept_api_key': clean(wizard.api_key).strip(), 'store_id': False, 'excess': False,
                'is_excess_accepted': False,
            })
            wizard.sudo().store_ids.unlink()
            wizard.api_key = False  # What was sent is not answered with.

    def _inverse_webhook_secret(self):
        for wizard in self.filtered('webhook_secret'):
            wizard.sudo().kept_webhook_secret = clean(wizard.webhook_secret).strip()
            wizard.webhook_secret = False

    @api.depends('provider_id')
    def _compute_webhook(self):
        for wizard in self:
            wizard.webhook_url = wizard.provider_id._btcpay_get_webhook_url()
            wizard.webhook_events = ", ".join(const.WEBHOOK_EVENTS)

    def action_check_key(self):
        """Ask the server what the key is, and which stores it may see.

        :return: The action that shows the wizard again.
        :rtype: dict
        :raise ValidationError: If it is of no use.
        """
        self.ensure_one()
        self.provider_id.check_access('write')
        wizard = self.sudo()
        if not wizard.kept_api_key:
            raise ValidationError(_("Enter the API key."))
        server_url = self._resolve()
        if self._is_led_elsewhere(server_url):
            return self._ask_again(server_url)
        client = wizard.provider_id._btcpay_client(
            server_url=server_url, api_key=wizard.kept_api_key
        )
        try:
            key = client.get_current_key()
            stores = client.list_stores()
        except Unauthorized as error:
            raise ValidationError(_(
                "The BTCPay Server does not accept the API key. Copy it once more from your account"
                " there (Account > API Keys)."
            )) from error
        except Forbidden as error:
            raise ValidationError(_(
                "The API key may not see any store. Make one with these permissions in your account"
                " on the server (Account > API Keys): %s.", ", ".join(const.PERMISSIONS),
            )) from error
        except GreenfieldError as error:
            raise ValidationError(wizard.provider_id._btcpay_explain(error)) from error
        commit_and_refresh(self.env)
        wizard.store_ids.unlink()
        wizard.write({
            'server_url': server_url,
            'excess': wizard.provider_id._btcpay_describe_excess(
                wizard.provider_id._btcpay_sum_up_key(key)
            ),
        })
        records = self.env['btcpay.connect.wizard.store'].create([
            {'wizard_id': self.id, 'name': store.name, 'store_ref': store.id} for store in stores
        ])
        if not records:
            raise ValidationError(_(
                "The API key is good, but its account has no store. Make one on the server first."
            ))
        wizard.store_id = records[:1] if len(records) == 1 else False
        wizard.is_webhook_by_hand = not any(
            key.is_granted(const.WEBHOOK_PERMISSION, store.id) for store in stores
        )
        return self._reopen()

    def action_connect_by_hand(self):
        """Connect the store that was chosen, or say why not.

        :return: The action that shows what came of it.
        :rtype: dict
        :raise ValidationError: If it could not be connected.
        """
        self.ensure_one()
        self.provider_id.check_access('write')
        if not self.store_id:
            raise ValidationError(_("Check the key, then choose the store."))
        wizard = self.sudo()
        is_by_hand = self.is_webhook_by_hand and not self.no_webhook
        secret = (wizard.kept_webhook_secret or '') if is_by_hand else ''
        if is_by_hand and len(secret) < const.MIN_SECRET_LENGTH:
            raise ValidationError(_(
                "Enter the webhook's secret, of at least %s characters: whoever guesses it can make"
                " Odoo ask the server at any time. The one that the server proposes is good.",
                const.MIN_SECRET_LENGTH,
            ))
        self.provider_id._btcpay_connect(
            self.server_url, wizard.kept_api_key, use_webhook=not self.no_webhook,
            poll_minutes=self.poll_minutes,
            manual=ManualSetup(self.store_id.store_ref, secret, self.is_excess_accepted),
        )
        wizard.write({'kept_api_key': False, 'kept_webhook_secret': False})
        return notify(
            _("“%s” is connected, and customers can pay.", self.store_id.name),
            then={'type': 'ir.actions.act_window_close', 'infos': {'reload': True}},
        )

    def _reopen(self):
        """Override to show what is for the set-up by hand."""
        if not self.is_manual:
            return super()._reopen()
        return {**self.provider_id.action_btcpay_connect_by_hand(), 'res_id': self.id}


class BTCPayConnectWizardStore(models.TransientModel):
    _name = 'btcpay.connect.wizard.store'
    _description = "A Store to Connect"

    wizard_id = fields.Many2one(
        comodel_name='btcpay.connect.wizard', required=True, ondelete='cascade'
    )
    name = fields.Char(required=True)
    store_ref = fields.Char(string="Store ID", required=True)
