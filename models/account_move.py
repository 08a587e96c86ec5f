from datetime import date

from odoo import _, api, fields, models
from odoo.exceptions import UserError
from odoo.tools.sql import column_exists, create_column

from odoo.addons.payment_btcpay.db import hold
from odoo.addons.payment_btcpay.utils import notify


class AccountMove(models.Model):
    """Customer invoices that were paid in Bitcoin, and credit notes that are paid back so."""

    _name = 'account.move'
    _inherit = ['account.move', 'btcpay.decision.mixin']

    _btcpay_link_field = 'invoice_ids'
    _btcpay_date_field = 'invoice_date'

    btcpay_received_amount = fields.Monetary(
        string="Bitcoin Received", compute='_compute_btcpay_summary', compute_sudo=True
    )

    # === TRANSACTIONS === #

    def _btcpay_filter_payable(self):
        """Override to leave bills and entries alone."""
        invoices = self.filtered(lambda move: move.move_type == 'out_invoice')
        return invoices.with_prefetch(self._prefetch_ids)

    def _btcpay_get_share(self, received, documents):
        """Override to divide what came in for several invoices, as an order's: those that are due
        first are paid first, as Odoo matches it, and the last has what is left."""
        invoices = documents._btcpay_filter_payable().filtered(
            lambda move: move.state != 'cancel' and move.payment_state != 'reversed'
        ).sorted(lambda move: (move.state != 'posted', move.invoice_date_due or date.max, move.id))
        for invoice in invoices:
            share = received if invoice == invoices[-1] else min(received, invoice.amount_total)
            if invoice == self._origin:
                return share
            received = self.currency_id.round(received - share)
        return 0

    def _btcpay_filter_posted(self, currency):
        """Return the customer invoices of a currency that are posted.

        :param res.currency currency: The currency.
        :rtype: account.move
        """
        return self._btcpay_filter_payable().filtered(
            lambda move: move.state == 'posted' and move.currency_id == currency
        )

    def _btcpay_get_refunds(self):
        """Override to add those by which credit notes are paid back."""
        credit_notes = self.filtered(lambda move: move.move_type == 'out_refund')
        return super()._btcpay_get_refunds() | credit_notes.sudo().btcpay_refund_ids

    def _btcpay_get_orders(self):
        """Return the orders that are invoiced or credited.

        :rtype: sale.order
        """
        return self.line_ids.sale_line_ids.order_id

    def _post(self, soft=True):
        """Override of `account` to note what came in before the invoice was posted, and to match
        the two; and credit notes with their refunds."""
        posted = super()._post(soft)
        transactions = posted._btcpay_filter_payable().sudo().transaction_ids.filtered(
            lambda tx: tx.provider_code == 'btcpay'
        )
        if transactions:
            hold(transactions._btcpay_get_roots())  # What is confirmed just now is noted, too.
            transactions._btcpay_note_on_invoices()
            transactions._btcpay_reconcile_posted(posted)
            transactions._btcpay_report_lowered()
        for refund in posted.filtered('btcpay_returned_amount').sudo().btcpay_refund_ids:
            if refund.payment_id:  # It was paid out while the credit note was a draft.
                refund._btcpay_reconcile_refund(refund.payment_id)
        return posted

    def _has_to_be_paid(self):
        """Override of `account_payment` to ask for nothing that has arrived: late, by the link of
        an order, or by a payment that is in no entry yet."""
        return super()._has_to_be_paid() and not (
            self._btcpay_is_late_in_review() or self._btcpay_is_all_paid()
        )

    def _btcpay_is_all_paid(self):
        """Return whether what is open was paid in Bitcoin, whether it is matched or not."""
        self.ensure_one()
        return (
            any(
                tx.provider_code == 'btcpay' and tx.state == 'done'
                for tx in self._btcpay_get_related_transactions()
            ) and self._btcpay_get_amount_due() <= 0
        )

    # === CREDIT NOTES === #

    btcpay_can_refund = fields.Boolean(
        string="Can Be Refunded in Bitcoin", compute='_compute_btcpay_can_refund',
        compute_sudo=True,
    )
    btcpay_refund_ids = fields.One2many(
        string="Refunds in Bitcoin", comodel_name='payment.transaction',
        inverse_name='btcpay_credit_note_id', readonly=True,
    )
    btcpay_refund_count = fields.Integer(
        string="Number of Refunds in Bitcoin", compute='_compute_btcpay_refund_count',
        compute_sudo=True,
    )
    # Stored, as at the payment: several payments may be refunded for one credit note at once.
    btcpay_returned_amount = fields.Monetary(
        string="Refunded in Bitcoin", help="What was given back or is underway, fees included.",
        compute='_compute_btcpay_returned_amount', store=True, currency_field='currency_id',
    )

    def _auto_init(self):
        """Override to add an empty column: there are no refunds yet, but many journal entries."""
        if not column_exists(self.env.cr, self._table, 'btcpay_returned_amount'):
            create_column(self.env.cr, self._table, 'btcpay_returned_amount', 'numeric')
        return super()._auto_init()

    @api.depends(
        'btcpay_refund_ids.state', 'btcpay_refund_ids.amount',
        'btcpay_refund_ids.btcpay_refund_fee_amount',
    )
    def _compute_btcpay_returned_amount(self):
        for move in self:
            move.btcpay_returned_amount = move.btcpay_refund_ids._btcpay_get_returned_amount()

    @api.depends(
        'state', 'move_type', 'amount_residual', 'reversed_entry_id', 'btcpay_returned_amount'
    )
    def _compute_btcpay_can_refund(self):
        for move in self:
            move.btcpay_can_refund = (
                move.move_type == 'out_refund'
                and move.state == 'posted'
                and move._btcpay_get_refund_amount_due() > 0
                and bool(move._btcpay_get_refundable_transactions())
            )

    @api.depends('btcpay_refund_ids')
    def _compute_btcpay_refund_count(self):
        self.btcpay_refund_count = 0
        for move in self.filtered(lambda move: move.move_type == 'out_refund'):
            move.btcpay_refund_count = len(move.btcpay_refund_ids)

    def action_btcpay_view_refunds(self):
        """Open the refunds by which the credit note is paid back.

        :rtype: dict
        """
        self.ensure_one()
        self.check_access('read')
        form = self.env.ref('payment_btcpay.btcpay_refund_form')
        action = {
            'name': _("Refunds in Bitcoin"),
            'type': 'ir.actions.act_window',
            'res_model': 'payment.transaction',
            'views': [(False, 'list'), (form.id, 'form')],
            'domain': [('btcpay_credit_note_id', '=', self.id)],
        }
        if len(self.btcpay_refund_ids) == 1:
            action.update(res_id=self.btcpay_refund_ids.id, views=[(form.id, 'form')])
        return action

    def action_btcpay_refund(self):
        """Open the wizard that pays the credit note back in Bitcoin.

        :return: The action: of the wizard, or of the payments to choose from.
        :rtype: dict
        :raise UserError: If there is nothing to pay it back from.
        """
        self.ensure_one()
        self.check_access('read')
        refundable = self._btcpay_get_refundable_transactions()
        if len(refundable) > 1 and self._btcpay_get_refund_amount_due() > 0:
            action = self._btcpay_open_transactions(refundable)
            # What is refunded from there pays the credit note back.
            action['context'] = {'create': False, 'btcpay_credit_note_id': self.id}
            return notify(
                _("Several payments of %s can be refunded. Open the one to refund.", self.name),
                type='info', sticky=True, then=action,
            )
        return self._btcpay_open_refund(refundable)

    def _btcpay_open_refund(self, transaction):
        """Open the wizard that pays the credit note back from a payment.

        :param payment.transaction transaction: The transaction that has the invoice.
        :rtype: dict
        :raise UserError: If it cannot be paid back from that.
        """
        self.ensure_one()
        self.check_access('read')
        transaction = transaction.sudo()
        self._btcpay_check_refund(transaction)
        available = transaction._btcpay_get_refund_sums()['available']
        return self.env['btcpay.refund.wizard']._open(
            transaction.sudo(self.env.su),
            scope='amount',
            amount=min(self._btcpay_get_refund_amount_due(), available),
            credit_note_id=self.id,
        )

    def _btcpay_check_refund(self, transaction, amount=0):
        """Check that the credit note can be paid back by a refund.

        :param payment.transaction transaction: The transaction that is refunded, if there is one.
        :param float amount: The amount, fee included.
        :raise UserError: If it cannot.
        """
        self.ensure_one()
        if self.move_type != 'out_refund' or self.state != 'posted':
            raise UserError(_("This is not a posted credit note."))
        if not transaction or transaction not in self._btcpay_get_refundable_transactions():
            raise UserError(_(
                "No Bitcoin payment of the credited invoice has anything left to refund."
            ))
        due = self._btcpay_get_refund_amount_due()
        if self.currency_id.compare_amounts(amount, due) > 0:
            uncredited = self._btcpay_get_uncredited_amount()
            values = {'credit_note': self.display_name, 'due': self.currency_id.format(due)}
            raise UserError(_(
                "Only %(due)s of the credit note %(credit_note)s is left to be refunded:"
                " %(refunded)s was refunded before there was a credit note. If that was for"
                " something else, refund the payment itself.",
                refunded=self.currency_id.format(uncredited), **values,
            ) if uncredited > 0 else _(
                "Only %(due)s of the credit note %(credit_note)s is left to be refunded.", **values
            ))

    def _btcpay_get_refundable_transactions(self):
        """Return the Bitcoin transactions of the credited invoice, or of its sales orders.

        :return: The transactions that have something left to refund, in sudo mode.
        :rtype: payment.transaction
        """
        self.ensure_one()
        return self._btcpay_get_credited_transactions().filtered('btcpay_can_refund')

    def _btcpay_get_credited_transactions(self):
        """Return the Bitcoin transactions of the credited invoice, or of its sales orders.

        :return: The transactions that have the invoices at the server, in sudo mode.
        :rtype: payment.transaction
        """
        self.ensure_one()
        invoice = self.sudo().reversed_entry_id
        orders = (self.sudo() | invoice)._btcpay_get_orders()
        return (invoice.transaction_ids | orders.transaction_ids).filtered(lambda tx: (
            tx.btcpay_invoice_id and not tx.source_transaction_id
            and tx.currency_id == self.currency_id
        ))

    def _btcpay_get_refund_amount_due(self):
        """Return what of the credit note is still to be refunded.

        What was refunded before there was a credit note is for any of those there are now.

        :rtype: float
        """
        self.ensure_one()
        due = self._btcpay_get_credit_left()
        if due > 0 and (uncredited := self._btcpay_get_uncredited_amount()) > 0:
            others = self._btcpay_get_related_moves('out_refund') - self
            due = min(due, due + sum(
                max(other._btcpay_get_credit_left(), 0) for other in others
            ) - uncredited)
        return max(due, 0)

    def _btcpay_get_credit_left(self):
        """Return what of the credit note is neither used nor refunded by refunds of its own.

        :return: The amount; negative if it was used for something else than the refunds it has.
        :rtype: float
        """
        self.ensure_one()
        partials = self.sudo().line_ids.matched_debit_ids
        # Those underway are not in the residual amount, nor are those without entries, but for what
        # bank statements have paid of them.
        unmatched = self.sudo().btcpay_refund_ids.filtered(
            lambda tx: not tx.payment_id.move_id & partials.debit_move_id.move_id
        )
        done = unmatched.filtered(lambda tx: tx.state == 'done' and not tx.payment_id.move_id)
        left = self.amount_residual - unmatched._btcpay_get_returned_amount()
        statements = partials.debit_move_id.move_id.filtered('statement_line_id')
        left += min(-sum(done.mapped('amount')), self._btcpay_get_used(statements))
        invoices = self._btcpay_get_related_moves('out_invoice')
        if used := self._btcpay_get_used(invoices):
            # They were open, though paid: by payments that have no entry yet. What was given back
            # of these is due again, and is subtracted here, or for all credit notes together.
            due = unmatched._btcpay_get_amount_due(invoices)
            refunds = (unmatched | self._btcpay_get_uncredited_refunds()).filtered(lambda tx: (
                tx.state in ('pending', 'done')
                and tx._btcpay_get_root()._btcpay_get_receipts()._btcpay_filter_without_entry()
            ))
            # What it was not used for is not due again by its refunds.
            own = min(-sum((refunds & unmatched).mapped('amount')), self.amount_total - used)
            left += min(used, max(-sum(refunds.mapped('amount')) - own - due, 0))
        return self.currency_id.round(min(self.amount_total - self.btcpay_returned_amount, left))

    def _btcpay_get_used(self, moves):
        """Return what of the credit note is matched with other entries.

        :param account.move moves: The entries.
        :rtype: float
        """
        return sum(self.sudo().line_ids.matched_debit_ids.filtered(
            lambda partial: partial.debit_move_id.move_id in moves
        ).mapped('credit_amount_currency'))

    def _btcpay_get_related_moves(self, move_type):
        """Return what is posted of what the credited invoice, and the others that its Bitcoin
        transactions are for, were invoiced or credited by.

        :param str move_type: The kind of invoices.
        :rtype: account.move
        """
        self.ensure_one()
        transactions = self._btcpay_get_credited_transactions()
        invoices = self.sudo().reversed_entry_id | transactions.invoice_ids
        moves = invoices | invoices.reversal_move_ids | transactions.sale_order_ids.invoice_ids
        return moves.filtered(lambda move: (
            move.move_type == move_type and move.state == 'posted'
            and move.currency_id == self.currency_id
        ))

    def _btcpay_get_uncredited_amount(self):
        """Return what was given back of what the invoice was paid with, or is underway, and is for
        no credit note yet, or for one that was taken back.

        :rtype: float
        """
        self.ensure_one()
        transactions = self._btcpay_get_credited_transactions()
        receipts = transactions.browse().union(*(tx._btcpay_get_receipts() for tx in transactions))
        refunds = self._btcpay_get_uncredited_refunds()
        booked = refunds.filtered(lambda tx: tx.payment_id._btcpay_has_entry())
        loose = receipts._btcpay_filter_without_entry().filtered(
            lambda tx: tx.operation == 'offline'
        )
        # Of what paid no invoice a refund needs no credit note: it is matched with that.
        return self.currency_id.round(
            (refunds - booked)._btcpay_get_returned_amount() - sum(loose.mapped('amount'))
            - (receipts | booked)._btcpay_get_open_amount()
        )

    def _btcpay_get_uncredited_refunds(self):
        """Return the refunds of the credited transactions that are for no posted credit note.

        :rtype: payment.transaction
        """
        self.ensure_one()
        return self._btcpay_get_credited_transactions().btcpay_refund_ids.filtered(lambda tx: (
            tx.btcpay_credit_note_id.state != 'posted' and tx.state not in ('cancel', 'error')
        ))
