"""The payments of receipts and refunds are matched with what they pay, and with each other."""
from odoo import models


class PaymentTransaction(models.Model):
    _inherit = 'payment.transaction'

    def _btcpay_reconcile_partial(self, payment):
        """Reconcile the payment of a partial receipt with the invoices made of it.

        Those of its source, which the framework takes, are not the down payment invoice that `sale`
        makes of it by itself.

        :param account.payment payment: The payment.
        """
        self.ensure_one()
        source = self.source_transaction_id
        if self.operation != source.operation:
            return
        self._btcpay_reconcile_invoices(payment, self.invoice_ids - source.invoice_ids)

    def _btcpay_reconcile_assigned(self):
        """Reconcile the payments of receipts that were assigned to documents after they were
        booked: of a receipt, or once a refund is over of all that it may have been kept open for.
        """
        self.ensure_one()
        root = self._btcpay_get_root()
        for tx in root._btcpay_get_receipts() if self.operation == 'refund' else self:
            if (
                tx.source_transaction_id and tx.operation == tx.source_transaction_id.operation
                and tx.state == 'done' and tx.payment_id and tx.invoice_ids
                and tx._btcpay_is_enough_left_for_refunds()
            ):
                tx._btcpay_reconcile_invoices(tx.payment_id, tx.invoice_ids)

    def _btcpay_reconcile_posted(self, invoices):
        """Reconcile with invoices that were posted what is open of the payments that pay them:
        Odoo itself leaves out those that wait for no bank statement, and those by which another
        invoice is paid in full.

        :param account.move invoices: The customer invoices.
        """
        for tx in self:
            if (
                tx.state == 'done' and tx.operation != 'refund' and tx.payment_id
                and tx._btcpay_is_enough_left_for_refunds()
            ):
                tx._btcpay_reconcile_invoices(tx.payment_id, tx.invoice_ids & invoices)

    def _btcpay_is_enough_left_for_refunds(self):
        """Return whether enough of what came in stays open for the refunds that are under way,
        which are reconciled with it, where the payment is reconciled with its invoices."""
        self.ensure_one()
        root = self._btcpay_get_root()
        pending = root.btcpay_refund_ids.filtered(lambda tx: tx.state == 'pending')
        taken = self._btcpay_get_open_amount()
        if self.invoice_ids.currency_id == self.currency_id:
            invoices = self.invoice_ids.filtered(lambda move: move.state == 'posted')
            taken = min(taken, sum(invoices.mapped('amount_residual')))
        left = root._btcpay_get_receipts()._btcpay_get_open_amount() - taken
        return self.currency_id.compare_amounts(left, -sum(pending.mapped('amount'))) >= 0

    def _btcpay_filter_without_entry(self):
        """Return the transactions whose money is in no journal entry of their own, so that it may
        not be in the residual amounts of what it pays: not booked yet, taken back by an accountant,
        or where payments have no outstanding account: then it is in that of a bank statement.

        :rtype: payment.transaction
        """
        return self.filtered(lambda tx: (
            not tx.payment_id._btcpay_has_entry() if tx.payment_id
            else tx.state != 'done' or not tx.is_post_processed
        ))

    def _btcpay_get_booked_amount(self, moves):
        """Return what the transactions' payments have paid of invoices.

        Of what was paid in another way before, it is nothing.

        :param account.move moves: The customer invoices.
        :rtype: float
        """
        return sum(
            partial.debit_amount_currency
            for partial in self.payment_id.move_id.line_ids.matched_debit_ids
            if partial.debit_move_id.move_id in moves
        )

    def _btcpay_get_stated_amount(self, moves):
        """Return what of the money that is in no journal entry of its own has paid invoices by bank
        statements.

        Those are of the journals of its payments. A payment may be validated before there is a
        statement: Odoo does it by whatever of the same amount pays its invoice. And it may not be
        though there is one, which is divided among several invoices or installments.

        :param account.move moves: The customer invoices that the transactions pay.
        :rtype: float
        """
        without_move = self.filtered(lambda tx: (
            tx.payment_id.state in ('in_process', 'paid') and not tx.payment_id.move_id
        ))
        if not without_move:
            return 0
        matched = moves.line_ids.matched_credit_ids.filtered(
            lambda partial: not partial.credit_move_id.move_id.origin_payment_id
        ).grouped(lambda partial: partial.credit_move_id.journal_id)
        by_journal = without_move.grouped(lambda tx: tx.payment_id.journal_id)
        return sum(
            transactions._btcpay_get_amount_of_statements(matched[journal])
            for journal, transactions in by_journal.items() if journal in matched
        )

    def _btcpay_get_amount_of_statements(self, partials):
        """Return what of the money the statements of its journal have paid of invoices: all that
        was validated, and of what waits for a statement what is in one of the same amount.

        :param account.partial.reconcile partials: What the statements have paid.
        :rtype: float
        """
        validated = self.filtered(lambda tx: tx.payment_id.state == 'paid')
        waiting = self - validated
        own = partials.filtered(lambda partial: any(
            payment.currency_id.compare_amounts(line.amount_currency or line.amount, payment.amount)
            == 0
            for line in partial.credit_move_id.move_id.statement_line_id
            for payment in waiting.payment_id
        ))
        total = sum(partials.mapped('debit_amount_currency'))
        amount = max(min(validated._btcpay_get_net_amount(), total), 0)
        return amount + max(min(
            waiting._btcpay_get_net_amount(), sum(own.mapped('debit_amount_currency')),
            total - amount,
        ), 0)

    def _btcpay_get_amount_of_credit_notes(self, moves):
        """Return what of the refunds that are in no journal entry pays credit notes, which were not
        used for these invoices: that is not due of them again.

        :param account.move moves: The customer invoices that the transactions pay.
        :rtype: float
        """
        refunds = self._btcpay_get_roots().btcpay_refund_ids.filtered(lambda tx: (
            tx.btcpay_credit_note_id.state == 'posted' and tx.state in ('pending', 'done')
        ))._btcpay_filter_without_entry()
        return sum(
            min(-sum(of_note.mapped('amount')), note.amount_total - note._btcpay_get_used(moves))
            for note, of_note in refunds.grouped('btcpay_credit_note_id').items()
        )

    def _btcpay_get_replaced_amount(self, moves):
        """Return what of the money that is in no journal entry of its own invoices may be paid by
        all the same: by an accountant's entry in the place of one that was taken back, or by the
        bank statement.

        :param account.move moves: The customer invoices that the transactions pay.
        :rtype: float
        """
        stated = self._btcpay_get_stated_amount(moves)
        taken_back = self._btcpay_filter_without_entry().filtered(
            lambda tx: tx.payment_id.state not in (False, 'in_process')
            and not tx.payment_id._btcpay_is_validated()
        )
        if not taken_back:
            return stated
        paid = sum(move.amount_total - move.amount_residual for move in moves)
        paid -= self._btcpay_get_booked_amount(moves) + stated
        return stated + max(min(taken_back._btcpay_get_net_amount(), paid), 0)

    def _btcpay_get_unmatched_amount(self):
        """Return what came in by the transactions for documents and has paid no invoice yet, or
        does not any more, and is not to be given back.

        :rtype: float
        """
        booked = self - self._btcpay_filter_without_entry()
        refunds = booked.child_transaction_ids.filtered(lambda tx: tx.operation == 'refund')
        unbooked = refunds.filtered(
            lambda tx: tx.state in ('pending', 'done')
        )._btcpay_filter_without_entry()
        return (
            (self - booked)._btcpay_get_net_amount()
            + (booked | refunds)._btcpay_get_open_amount() + sum(unbooked.mapped('amount'))
        )

    def _btcpay_get_open_amount(self):
        """Return what of the transactions' payments is not reconciled with anything yet.

        :rtype: float
        """
        lines = self.payment_id.move_id.line_ids.filtered(
            lambda line: line.account_type == 'asset_receivable' and line.parent_state == 'posted'
        )
        return -sum(lines.mapped('amount_residual_currency'))

    def _btcpay_get_receivable_account(self):
        """Return the account on which what the payment is for is owed: on no other the two are
        matched. It may not be the customer's own, or not any more.

        :return: The account; empty where nothing is invoiced yet.
        :rtype: account.account
        """
        self.ensure_one()
        if self.operation == 'refund' and not self.btcpay_credit_note_id:
            return self.source_transaction_id.payment_id.destination_account_id
        root = self._btcpay_get_root()
        moves = self.btcpay_credit_note_id or root.invoice_ids or root.sale_order_ids.invoice_ids
        return moves.line_ids.filtered(
            lambda line: line.display_type == 'payment_term'
        ).account_id[:1]

    def _btcpay_reconcile_invoices(self, payment, invoices):
        """Reconcile a payment with posted invoices, as far as both are open.

        :param account.payment payment: The payment.
        :param account.move invoices: The customer invoices.
        """
        invoices = invoices.filtered(lambda move: move.state == 'posted')
        lines = (payment.move_id + invoices).line_ids.filtered(
            lambda line: line.account_id == payment.destination_account_id and not line.reconciled
        )
        if payment.move_id in lines.move_id and len(lines.move_id) > 1:
            lines.reconcile()

    def _btcpay_reconcile_refund(self, payment):
        """Reconcile a refund with its credit note, else with what is open of the money received,
        that which it is made of first.

        :param account.payment payment: The refund's payment.
        """
        receipts = self._btcpay_get_root()._btcpay_get_receipts()
        # Only what is open: a receipt that paid an invoice stays matched with it.
        for moves in (
            self.btcpay_credit_note_id,
            self.source_transaction_id.payment_id.move_id,
            receipts.payment_id.move_id,
        ):
            lines = (payment.move_id | moves).line_ids.filtered(
                lambda line: line.account_id == payment.destination_account_id
                and not line.reconciled and line.parent_state == 'posted'
            )
            if len(lines.move_id) > 1 and payment.move_id in lines.move_id:
                lines.reconcile()
