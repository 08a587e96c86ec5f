from odoo import _, api, fields, models
from odoo.exceptions import UserError


class AccountPayment(models.Model):
    _inherit = 'account.payment'

    btcpay_decision = fields.Selection(
        string="Bitcoin: To Decide", related='payment_transaction_id.btcpay_decision',
    )

    btcpay_payment_ids = fields.Many2many(
        string="Bitcoin Received", comodel_name='btcpay.payment',
        compute='_compute_btcpay_payment_ids', compute_sudo=True,
        groups='account.group_account_invoice,base.group_system',
    )

    @api.depends('payment_transaction_id.btcpay_root_id.btcpay_payment_ids',
                 'payment_transaction_id.btcpay_payment_ids')
    def _compute_btcpay_payment_ids(self):
        for payment in self:
            tx = payment.payment_transaction_id
            is_receipt = tx.provider_code == 'btcpay' and tx.operation != 'refund'
            payment.btcpay_payment_ids = is_receipt and tx._btcpay_get_root().btcpay_payment_ids

    def action_btcpay_view_transaction(self):
        """Open the Bitcoin payment, or the refund, that is booked by it.

        :rtype: dict
        """
        self.ensure_one()
        tx = self.payment_transaction_id
        return (tx if tx.operation == 'refund' else tx._btcpay_get_root()).get_formview_action()

    # === ENTRIES === #

    @api.model_create_multi
    def create(self, vals_list):
        """Override of `account` to have an entry where something is written off, also where
        payments have none: it would be lost, and asked for when the bank statement comes."""
        if any(self._btcpay_is_entry_needed(vals) for vals in vals_list):
            forced = self.with_context(force_payment_move=True)
            return super(AccountPayment, forced).create(vals_list).with_env(self.env)
        return super().create(vals_list)

    @api.model
    def _btcpay_is_entry_needed(self, vals):
        """Return whether a payment of ours needs an entry that Odoo would not make.

        :param dict vals: The values of the payment.
        :rtype: bool
        """
        if not (vals.get('write_off_line_vals') and vals.get('payment_transaction_id')):
            return False
        tx = self.env['payment.transaction'].sudo().browse(vals['payment_transaction_id'])
        method_line = self.env['account.payment.method.line'].sudo().browse(
            vals.get('payment_method_line_id')
        )
        return tx.provider_code == 'btcpay' and not method_line.payment_account_id

    def _generate_journal_entry(self, write_off_line_vals=None, **kwargs):
        """Override of `account` to write off all that is: of an early payment discount the
        framework writes off one tax only, and nothing of a payment that was canceled, which deletes
        its entry, and is confirmed anew."""
        for payment in self:
            tx = payment.payment_transaction_id.sudo()
            if (
                tx.provider_code == 'btcpay' and tx.payment_id <= payment
                and (lines := tx._btcpay_prepare_write_off_lines(payment.date))
            ):
                super(AccountPayment, payment)._generate_journal_entry(lines, **kwargs)
                self -= payment
        if self:
            super()._generate_journal_entry(write_off_line_vals, **kwargs)

    def _btcpay_has_entry(self):
        """Return whether the payment is in the books by an entry that is neither canceled nor
        reversed; that of a draft keeps what it is matched with."""
        move = self.move_id
        return bool(move) and move.state != 'cancel' and not is_reversed(move)

    def _btcpay_is_validated(self):
        """Return whether the payment has no entry and was validated, by a person or as Odoo does
        once its invoice is paid."""
        return self.state == 'paid' and not self.move_id

    def _btcpay_is_taken_back(self):
        """Return whether an accountant has taken the payment back: canceled it, set it to draft,
        or reversed its entry."""
        self.ensure_one()
        return (
            self.state in ('draft', 'canceled', 'rejected') or self.move_id.state == 'draft'
            or is_reversed(self.move_id)
        )

    def _compute_amount_available_for_refund(self):
        """Override of `account_payment` to count what is underway: Odoo's own forgets it."""
        super()._compute_amount_available_for_refund()
        for payment in self:
            tx_sudo = payment.payment_transaction_id.sudo()
            if tx_sudo.provider_code == 'btcpay' and tx_sudo.operation != 'refund':
                available = tx_sudo._btcpay_get_root()._btcpay_get_refund_sums()['available']
                payment.amount_available_for_refund = min(payment.amount, available)

    def action_refund_wizard(self):
        """Override of `account_payment` to open the wizard that knows of Bitcoin."""
        tx = self.payment_transaction_id
        if tx.provider_code == 'btcpay':
            return tx.action_btcpay_refund()
        return super().action_refund_wizard()

    @api.ondelete(at_uninstall=False)
    def _unlink_except_btcpay_money(self):
        """Keep what books Bitcoin: without it a refund would show money out that never came in."""
        ours = not self.env.su and self.filtered(lambda payment: (
            payment.sudo().payment_transaction_id.filtered(
                lambda tx: tx.provider_code == 'btcpay' and tx.payment_id == payment
            )
        ))
        if ours:
            raise UserError(_(
                "The payment %s books Bitcoin that came in or was refunded, and cannot be deleted."
                " Cancel it instead: then it can be confirmed again.",
                ", ".join(ours.mapped('display_name')),
            ))


def is_reversed(move):
    """Return whether a journal entry is reversed, and its reversal is not.

    :param account.move move: The journal entry.
    :rtype: bool
    """
    return any(
        reversal.state == 'posted' and not is_reversed(reversal)
        for reversal in move.reversal_move_ids
    )
