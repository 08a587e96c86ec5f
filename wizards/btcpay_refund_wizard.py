from odoo import _, api, fields, models
from odoo.exceptions import RedirectWarning, UserError
from odoo.fields import Command

from odoo.addons.payment_btcpay.utils import BTCPayError, end_transaction

PAYOUT_METHOD_NAMES = {'BTC-CHAIN': "Bitcoin", 'BTC-LN': "Lightning"}


class BTCPayRefundWizard(models.TransientModel):
    _name = 'btcpay.refund.wizard'
    _description = "Refund in Bitcoin"

    transaction_id = fields.Many2one(
        comodel_name='payment.transaction', required=True, readonly=True
    )
    credit_note_id = fields.Many2one(comodel_name='account.move', readonly=True)
    reference = fields.Char(compute='_compute_sums', compute_sudo=True)
    currency_id = fields.Many2one(
        comodel_name='res.currency', compute='_compute_sums', compute_sudo=True
    )
    received_amount = fields.Monetary(
        string="Received", compute='_compute_sums', compute_sudo=True
    )
    refunded_amount = fields.Monetary(
        string="Refunded", compute='_compute_sums', compute_sudo=True
    )
    underway_amount = fields.Monetary(
        string="Underway", compute='_compute_sums', compute_sudo=True
    )
    available_amount = fields.Monetary(
        string="Can Be Refunded", compute='_compute_sums', compute_sudo=True
    )
    surplus_amount = fields.Monetary(
        string="Surplus", compute='_compute_sums', compute_sudo=True
    )
    scope = fields.Selection(
        string="Refund",
        selection=[
            ('rest', "Everything that can be refunded"),
            ('surplus', "Only the surplus"),
            ('amount', "An amount"),
        ],
        default='rest', required=True,
    )
    amount = fields.Monetary(
        compute='_compute_amount', store=True, readonly=False, currency_field='currency_id'
    )
    variant = fields.Selection(
        string="The Customer Gets",
        selection=[
            ('fiat', "The amount, paid at the rate of the day of payout"),
            ('rate_then', "The crypto amount that was paid"),
            ('current_rate', "The crypto amount at today's rate"),
        ],
        default='fiat', required=True,
    )
    fee_percent = fields.Float(
        string="Fee Deducted (%)", digits=(5, 2),
        help="The part of the refund that is kept, e.g. for the network's fee.",
    )
    net_amount = fields.Monetary(string="Paid to the Customer", compute='_compute_net_amount')
    # What the server said when the wizard was opened.
    preview = fields.Json(readonly=True)
    preview_error = fields.Char(readonly=True)
    fiat_text = fields.Char(compute='_compute_variant_texts', compute_sudo=True)
    rate_then_text = fields.Char(compute='_compute_variant_texts', compute_sudo=True)
    current_rate_text = fields.Char(compute='_compute_variant_texts', compute_sudo=True)
    is_rate_then_possible = fields.Boolean(
        compute='_compute_variant_texts', compute_sudo=True
    )
    is_current_rate_possible = fields.Boolean(
        compute='_compute_variant_texts', compute_sudo=True
    )
    method_ids = fields.One2many(
        string="Payout Methods", comodel_name='btcpay.refund.wizard.method',
        inverse_name='wizard_id',
    )
    description = fields.Char(string="Text for the Customer")
    delivery = fields.Selection(
        string="The Link",
        selection=[('mail', "Mail it to the customer now"), ('show', "Only show it to me")],
        default='mail', required=True,
    )
    customer_email = fields.Char(compute='_compute_sums', compute_sudo=True)

    # === COMPUTE METHODS === #

    @api.depends('transaction_id')
    def _compute_sums(self):
        for wizard in self:
            tx = wizard.transaction_id
            sums = tx._btcpay_get_refund_sums()
            wizard.reference = tx.reference
            wizard.currency_id = tx.currency_id
            wizard.received_amount = sums['received']
            wizard.refunded_amount = sums['refunded']
            wizard.underway_amount = sums['underway']
            wizard.available_amount = sums['available']
            wizard.surplus_amount = sums['surplus']
            wizard.customer_email = tx.partner_id.email

    @api.depends('scope', 'available_amount', 'surplus_amount')
    def _compute_amount(self):
        for wizard in self:
            if wizard.scope == 'rest':
                wizard.amount = wizard.available_amount
            elif wizard.scope == 'surplus':
                wizard.amount = wizard.surplus_amount
            else:
                wizard.amount = wizard.amount

    @api.depends('amount', 'fee_percent')
    def _compute_net_amount(self):
        for wizard in self:
            wizard.net_amount = wizard.transaction_id.sudo()._btcpay_split_fee(
                wizard.amount, wizard.fee_percent
            )[0]

    @api.depends('amount', 'preview', 'preview_error')
    def _compute_variant_texts(self):
        for wizard in self:
            wizard.fiat_text = _(
                "%s, whatever the rate is when it is paid out",
                wizard.currency_id.format(wizard.amount),
            )
            for variant, problem in (
                ('rate_then', _("Not possible: the server does not say what was paid.")),
                ('current_rate', _("Not possible: the server has no rate at the moment.")),
            ):
                crypto_amount = wizard.preview and wizard.transaction_id._btcpay_get_crypto_amount(
                    wizard.preview, wizard.amount, variant
                )
                wizard[f'is_{variant}_possible'] = bool(crypto_amount)
                wizard[f'{variant}_text'] = (
                    f"{crypto_amount:f} {wizard.preview['paymentCurrency']}" if crypto_amount
                    else wizard.preview_error or problem
                )

    # === OPENING === #

    @api.model
    def _open(self, transaction, **values):
        """Open the wizard, with what the server says there is to refund, and how.

        :param payment.transaction transaction: The transaction that has the invoice.
        :param dict values: Other values of the wizard.
        :return: The action of the wizard.
        :rtype: dict
        """
        transaction._btcpay_check_refund_rights()
        tx_sudo = transaction.sudo()
        try:
            tx_sudo._btcpay_synchronize()
            end_transaction(self.env)
            values['preview'] = tx_sudo._btcpay_fetch_refund_preview()
        except BTCPayError as error:
            values['preview_error'] = error.args[0]
        methods = dict.fromkeys(
            # What comes in by LNURL goes out by Lightning.
            method.replace('-LNURL', '-LN')
            for method in tx_sudo.btcpay_payment_ids.mapped('method')
        )
        wizard = self.create({
            'transaction_id': transaction.id,
            'method_ids': [Command.create({'code': method}) for method in methods],
            'description': _("Refund of %s", tx_sudo.reference),
            'delivery': 'mail' if tx_sudo.partner_id.email else 'show',
            **values,
        })
        return {
            'name': _("Refund in Bitcoin"),
            'type': 'ir.actions.act_window',
            'res_model': self._name,
            'res_id': wizard.id,
            'view_mode': 'form',
            'target': 'new',
        }

    # === ACTION METHODS === #

    def action_refund(self):
        """Make the refund.

        Note: `self.ensure_one()`

        :return: The action that shows the refund with its link.
        :rtype: dict
        :raise UserError: If the refund is refused.
        """
        self.ensure_one()
        self.transaction_id._btcpay_check_refund_rights()
        methods = self.method_ids.filtered('is_selected').mapped('code')
        if self.method_ids and not methods:
            raise UserError(_("Choose at least one way in which the customer can be paid."))
        try:
            refund = self.transaction_id.sudo()._btcpay_request_refund(
                self.amount,
                variant=self.variant,
                fee_percent=str(self.fee_percent or 0),
                methods=methods,
                description=self.description,
                mail_customer=self.delivery == 'mail',
                credit_note=self.credit_note_id,
            )
        except BTCPayError as error:
            if error.code == 'missing-permission' and self.env.user.has_group('base.group_system'):
                raise RedirectWarning(
                    _(
                        "Odoo's API key must not make refunds. Authorise Odoo again at the BTCPay"
                        " Server, with all permissions it asks for."
                    ),
                    self.transaction_id.sudo().provider_id.action_btcpay_connect(),
                    _("Authorise again"),
                ) from error
            raise UserError(error.args[0]) from error
        return {
            'name': _("Refund in Bitcoin"),
            'type': 'ir.actions.act_window',
            'res_model': 'payment.transaction',
            'view_mode': 'form',
            'views': [(self.env.ref('payment_btcpay.btcpay_refund_form').id, 'form')],
            'res_id': refund.id,
            'target': 'new',
        }


class BTCPayRefundWizardMethod(models.TransientModel):
    _name = 'btcpay.refund.wizard.method'
    _description = "Payout Method of a Refund in Bitcoin"

    wizard_id = fields.Many2one(
        comodel_name='btcpay.refund.wizard', required=True, ondelete='cascade'
    )
    code = fields.Char(required=True, readonly=True)
    name = fields.Char(string="The Customer Can Be Paid by", compute='_compute_name')
    is_selected = fields.Boolean(string="Offered", default=True)

    @api.depends('code')
    def _compute_name(self):
        for method in self:
            method.name = PAYOUT_METHOD_NAMES.get(method.code, method.code)
