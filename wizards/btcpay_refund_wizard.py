import secrets

from odoo import _, api, fields, models
from odoo.exceptions import RedirectWarning, UserError
from odoo.fields import Command

from odoo.addons.payment_btcpay.db import RowBusy, commit_and_refresh
from odoo.addons.payment_btcpay.greenfield import (
    GreenfieldError,
    RefundPreview,
    find_unsupported_methods,
)
from odoo.addons.payment_btcpay.utils import name_method, open_dialog


class BTCPayRefundWizard(models.TransientModel):
    _name = 'btcpay.refund.wizard'
    _inherit = 'btcpay.figures.mixin'
    _description = "Refund in Bitcoin"

    transaction_id = fields.Many2one(
        string="Bitcoin Payment", comodel_name='payment.transaction', required=True, readonly=True
    )
    credit_note_id = fields.Many2one(comodel_name='account.move', readonly=True)
    # However often the button is pressed, it makes one refund.
    key = fields.Char(
        string="Refund Key", default=lambda _self: secrets.token_hex(8), required=True,
        readonly=True,
    )
    reference = fields.Char(compute='_compute_sums', compute_sudo=True)
    currency_id = fields.Many2one(
        comodel_name='res.currency', compute='_compute_sums', compute_sudo=True
    )
    received_amount = fields.Monetary(string="Received", compute='_compute_sums', compute_sudo=True)
    refunded_amount = fields.Monetary(string="Refunded", compute='_compute_sums', compute_sudo=True)
    underway_amount = fields.Monetary(string="Underway", compute='_compute_sums', compute_sudo=True)
    available_amount = fields.Monetary(
        string="Can Be Refunded", compute='_compute_sums', compute_sudo=True
    )
    overpaid_amount = fields.Monetary(
        string="Overpayment", compute='_compute_sums', compute_sudo=True
    )
    scope = fields.Selection(
        string="Refund",
        selection=[
            ('all', "Everything that can be refunded"),
            ('overpayment', "Only the overpayment"),
            ('amount', "An amount"),
        ],
        default='all', required=True,
    )
    amount = fields.Monetary(compute='_compute_amount', store=True, readonly=False)
    variant = fields.Selection(
        string="The Customer Gets",
        selection=[
            ('fiat', "The amount, at the rate of the day it is paid out"),
            ('rate_then', "As much bitcoin as was paid for it"),
            ('current_rate', "As much bitcoin as it is worth today"),
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
    preview_error = fields.Char(string="Why There Is No Preview", readonly=True)
    is_permission_missing = fields.Boolean(string="Lacks the Refund Permission", readonly=True)
    # What stands beside the choices: the figure, or why it cannot be chosen.
    all_text = fields.Char(string="Refundable", compute='_compute_sums', compute_sudo=True)
    overpaid_text = fields.Char(
        string="Overpayment (text)", compute='_compute_sums', compute_sudo=True
    )
    fiat_text = fields.Char(
        string="At the Rate of the Payout", compute='_compute_variant_texts', compute_sudo=True
    )
    rate_then_text = fields.Char(
        string="At the Rate of the Payment", compute='_compute_variant_texts', compute_sudo=True
    )
    current_rate_text = fields.Char(
        string="At the Rate of Today", compute='_compute_variant_texts', compute_sudo=True
    )
    is_fiat_possible = fields.Boolean(
        string="Payout Rate Is Possible", compute='_compute_variant_texts', compute_sudo=True
    )
    is_rate_then_possible = fields.Boolean(
        string="Payment Rate Is Possible", compute='_compute_variant_texts', compute_sudo=True
    )
    is_current_rate_possible = fields.Boolean(
        string="Rate of Today Is Possible", compute='_compute_variant_texts', compute_sudo=True
    )
    method_ids = fields.One2many(
        string="Payout Methods", comodel_name='btcpay.refund.wizard.method',
        inverse_name='wizard_id',
    )
    methods_text = fields.Char(string="Why Others Are Not Offered", readonly=True)
    description = fields.Char(string="Text for the Customer")
    delivery = fields.Selection(
        string="The Link",
        selection=[('mail', "Mail it to the customer now"), ('show', "Only show it to me")],
        default='mail', required=True,
    )
    customer_email = fields.Char(
        string="Customer's Email", compute='_compute_sums', compute_sudo=True
    )

    # === COMPUTE METHODS === #

    @api.depends('transaction_id')
    def _compute_sums(self):
        for wizard in self:
            tx = wizard.transaction_id
            # Whoever may make wizards could make them of what others may refund only.
            tx.sudo(False)._btcpay_check_refund_rights()
            sums = tx._btcpay_get_refund_sums()
            wizard.reference = tx.reference
            wizard.currency_id = tx.currency_id
            wizard.received_amount = sums['received']
            wizard.refunded_amount = sums['refunded']
            wizard.underway_amount = sums['underway']
            wizard.available_amount = sums['available']
            wizard.overpaid_amount = sums['overpayment']
            wizard.all_text = tx.currency_id.format(sums['available'])
            wizard.overpaid_text = tx.currency_id.format(sums['overpayment'])
            wizard.customer_email = tx.partner_id.email

    @api.depends('scope', 'available_amount', 'overpaid_amount')
    def _compute_amount(self):
        for wizard in self:
            wizard.amount = {
                'all': wizard.available_amount, 'overpayment': wizard.overpaid_amount,
            }.get(wizard.scope, wizard.amount)

    @api.depends('amount', 'fee_percent')
    def _compute_net_amount(self):
        for wizard in self:
            wizard.net_amount = wizard.transaction_id.sudo()._btcpay_split_fee(
                wizard.amount, wizard.fee_percent
            )[0]

    @api.depends('amount', 'net_amount', 'preview', 'preview_error')
    def _compute_variant_texts(self):
        for wizard in self:
            if not wizard._is_amount_typed():
                wizard.fiat_text = wizard.rate_then_text = wizard.current_rate_text = ''
                wizard.is_fiat_possible = wizard.is_rate_then_possible = True
                wizard.is_current_rate_possible = True
                continue
            today = wizard._get_crypto_text('current_rate')
            then = wizard._get_crypto_text('rate_then')
            # Without a rate the server refunds all that was paid, but no partial amount.
            no_rate = '' if today else wizard.preview_error or _(
                "Not possible at the moment: the server has no rate for it. Check the store's"
                " rates on the BTCPay Server, or try again later."
            )
            not_partially = no_rate and (wizard.preview_error or _(
                "Not possible at the moment: the server has no rate, and without one it refunds"
                " nothing but the whole payment."
            ))
            is_whole = wizard.transaction_id._btcpay_is_whole_refund(wizard.amount)
            # The server may have a rate, if it did not say so.
            wizard.is_fiat_possible = bool(is_whole or today or wizard.preview_error)
            wizard.is_rate_then_possible = bool(then and (is_whole or today))
            wizard.is_current_rate_possible = bool(today)
            net = wizard.currency_id.format(wizard.net_amount)
            wizard.fiat_text = (
                _("%(amount)s (%(crypto)s today)", amount=net, crypto=today) if today
                else net if wizard.is_fiat_possible else not_partially
            )
            wizard.rate_then_text = then if wizard.is_rate_then_possible else not_partially or _(
                "Not possible: the server does not say how much was paid."
            )
            wizard.current_rate_text = today or no_rate

    def _is_amount_typed(self):
        """Return whether there is an amount yet that the variants can be told for."""
        self.ensure_one()
        return self.currency_id.compare_amounts(self.net_amount, 0) > 0

    def _get_crypto_text(self, variant):
        """Return what a variant comes to, without the fee.

        :param str variant: `rate_then` or `current_rate`.
        :return: E.g. `0.002 BTC`; empty if the server does not say.
        :rtype: str
        """
        self.ensure_one()
        if not self.preview:
            return ''
        return str(self.transaction_id._btcpay_get_crypto_amount(
            RefundPreview.parse(self.preview), self.net_amount, variant
        ) or '')

    # === OPENING === #

    @api.model
    def _open(self, transaction, **values):
        """Open the wizard, with what the server says there is to refund, and how.

        :param payment.transaction transaction: The transaction that has the invoice.
        :param dict values: Other values of the wizard.
        :rtype: dict
        """
        transaction._btcpay_check_refund_rights()
        tx_sudo = transaction.sudo()
        if not tx_sudo.btcpay_invoice_id:
            tx_sudo._btcpay_check_refund(0)  # Says that nothing was received.
        methods, others = [], []
        try:
            tx_sudo._btcpay_sync()
            commit_and_refresh(self.env)
            methods, others = tx_sudo._btcpay_fetch_payout_methods()
            if preview := tx_sudo._btcpay_fetch_refund_preview():
                values['preview'] = preview.dump()
        except (GreenfieldError, RowBusy) as error:
            values['preview_error'] = tx_sudo.provider_id._btcpay_explain(error)
            values['is_permission_missing'] = tx_sudo._btcpay_lacks_refund_permission(error)
        commit_and_refresh(self.env)
        wizard = self.create({
            'transaction_id': transaction.id,
            'method_ids': [
                Command.create({'code': method})
                for method in methods or ([] if others else tx_sudo._btcpay_get_payout_methods())
            ],
            'methods_text': self._explain_methods(others, is_any_left=bool(methods)),
            'description': tx_sudo._btcpay_get_refund_text(),
            'delivery': 'mail' if tx_sudo.partner_id.email else 'show',
            **values,
        })
        return open_dialog(wizard, _("Refund in Bitcoin"))

    # === ACTION METHODS === #

    def action_refund(self):
        """Make the refund.

        :return: The action that shows the refund with its link.
        :rtype: dict
        :raise UserError: If the refund is refused.
        """
        self.ensure_one()
        self.transaction_id._btcpay_check_refund_rights()
        methods = self.method_ids.filtered('is_selected').mapped('code')
        if not self.method_ids and self.methods_text:
            raise UserError(self.methods_text)
        if self.method_ids and not methods:
            raise UserError(_("Choose at least one way in which the customer can be paid."))
        tx_sudo = self.transaction_id.sudo().with_context(
            payment_backend_action=True  # Notes of the person.
        )
        if not self._is_amount_typed():
            tx_sudo._btcpay_check_refund(self.amount)  # Says how much it can be.
        if not self[f'is_{self.variant}_possible']:
            raise UserError(self[f'{self.variant}_text'])
        try:
            refund = tx_sudo._btcpay_request_refund(
                self.amount,
                variant=self.variant,
                fee_percent=str(self.fee_percent or 0),
                methods=methods,
                description=self.description,
                mail_customer=self.delivery == 'mail',
                credit_note=self.credit_note_id,
                key=self.key,
            )
        except (GreenfieldError, RowBusy) as error:
            if tx_sudo._btcpay_lacks_refund_permission(error):
                raise self._make_permission_warning() from error
            if unsupported := find_unsupported_methods(error):
                return self._drop_methods(unsupported)
            raise UserError(tx_sudo.provider_id._btcpay_explain(error)) from error
        form = self.env.ref('payment_btcpay.btcpay_refund_form')
        return open_dialog(refund, _("Refund in Bitcoin"), views=[(form.id, 'form')])

    @api.model
    def _explain_methods(self, codes, is_any_left):
        """Return why the customer cannot be paid by methods, and what to do.

        :param list[str] codes: The methods.
        :param bool is_any_left: Whether the customer can be paid by others.
        :rtype: str
        """
        if not codes:
            return ''
        names = ", ".join(name_method(self.env, code) for code in codes)
        if is_any_left:
            return _(
                "Not offered: %s. The store on the BTCPay Server has not enabled it any more, or"
                " cannot pay out by it.", names,
            )
        return _(
            "The customer cannot be paid: the store on the BTCPay Server has not enabled %s any"
            " more, or cannot pay out by it. Enable it there, or give the money back in another"
            " way.", names,
        )

    def _drop_methods(self, codes):
        """Ask again without methods that the server refused; no refund was made.

        :param list[str] codes: The methods.
        :return: The action that shows the wizard.
        :rtype: dict
        """
        self.ensure_one()
        # Nobody deletes wizards, nor what is in them.
        self.sudo().method_ids.filtered(lambda method: method.code in codes).unlink()
        self.methods_text = self._explain_methods(codes, is_any_left=bool(self.method_ids))
        return open_dialog(self, _("Refund in Bitcoin"))

    def action_authorize(self):
        """Let the administrator give Odoo a key with the permission it lacks.

        :return: The action of the wizard that connects.
        :rtype: dict
        """
        return self.transaction_id.sudo().provider_id.with_env(self.env).action_btcpay_connect()

    def _make_permission_warning(self):
        """Return the refusal for a key that lacks the refund permission.

        :return: For administrators, with a button to authorize again.
        :rtype: UserError|RedirectWarning
        """
        if not self.env.user.has_group('base.group_system'):
            return UserError(_(
                "Odoo's API key lacks the refund permission. Ask an administrator to authorize Odoo"
                " again at the BTCPay Server: “Connect to BTCPay Server” at the payment provider."
            ))
        return RedirectWarning(
            _(
                "Odoo's API key lacks the refund permission. Authorize Odoo again at the BTCPay"
                " Server, with all permissions it asks for."
            ),
            self.action_authorize(),
            _("Authorize Again"),
        )


class BTCPayRefundWizardMethod(models.TransientModel):
    _name = 'btcpay.refund.wizard.method'
    _description = "Payout Method of a Refund in Bitcoin"

    wizard_id = fields.Many2one(
        string="Refund", comodel_name='btcpay.refund.wizard', required=True, ondelete='cascade'
    )
    code = fields.Char(string="Payout Method", required=True, readonly=True)
    name = fields.Char(string="The Customer Can Be Paid by", compute='_compute_name')
    is_selected = fields.Boolean(string="Offered", default=True)

    @api.depends('code')
    @api.depends_context('lang')
    def _compute_name(self):
        for method in self:
            method.name = name_method(self.env, method.code)
