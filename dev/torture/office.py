"""What the accountants of the shop do: invoices, payments by bank, credit notes, refunds."""


class Office:
    """:param Rig rig: the shop"""

    def __init__(self, rig):
        self.rig = rig

    # --- customer invoices ------------------------------------------------------------------------

    def new_move(self, amount):
        """:return: id of a posted customer invoice"""
        with self.rig.env() as env:
            move = env['account.move'].create({
                'move_type': 'out_invoice', 'partner_id': self.rig.partner_id,
                'invoice_line_ids': [(0, 0, {
                    'product_id': self.rig.product_id, 'price_unit': amount,
                    'tax_ids': [(5, 0, 0)],
                })],
            })
            move.action_post()
            move._portal_ensure_token()
            return move.id

    def move(self, move_id):
        return self.rig.sql(
            'SELECT id, name, state, amount_total::float, amount_residual::float, access_token '
            'FROM account_move WHERE id = %s', move_id)[0]

    def confirm(self, order_id):
        with self.rig.env() as env:
            env['sale.order'].browse(order_id).action_confirm()

    def invoice_order(self, order_id):
        """:return: id of the posted invoice; None if there is nothing to be invoiced"""
        with self.rig.env() as env:
            order = env['sale.order'].browse(order_id)
            if order.invoice_status != 'to invoice' or order.invoice_ids:
                return None
            move = order._create_invoices()
            move.action_post()
            move._portal_ensure_token()
            return move.id

    def register(self, move_id, fraction):
        """Register a payment that came by bank.

        :param float fraction: of what is due
        :return: the amount
        """
        with self.rig.env() as env:
            move = env['account.move'].browse(move_id)
            amount = move.currency_id.round(move.amount_residual * fraction)
            env['account.payment.register'].with_context(
                active_model='account.move', active_ids=move.ids,
            ).create({'amount': amount})._create_payments()
            return amount

    def credit(self, move_id, fraction):
        """Make a credit note, and match it with the invoice as far as that is open.

        :param float fraction: of the invoice's total
        :return: the credit note's id, and the amount
        """
        with self.rig.env() as env:
            move = env['account.move'].browse(move_id)
            amount = move.currency_id.round(move.amount_total * fraction)
            note = move._reverse_moves()
            note.invoice_line_ids.price_unit = amount
            note.action_post()
            lines = (move | note).line_ids.filtered(
                lambda line: line.account_id.account_type == 'asset_receivable'
                and not line.reconciled)
            if len(lines.move_id) > 1:
                lines.reconcile()
            return note.id, amount

    def change_note(self, note_id, to):
        """:param str to: `draft`, `cancel` or `posted`
        :return: what was said if it was refused
        """
        with self.rig.env() as env:
            note = env['account.move'].browse(note_id)
            return self._set(note, to, note.button_draft, note.button_cancel)

    def invoice_together(self, order_ids):
        """:return: id of the one posted invoice of several orders; None if that is not possible"""
        with self.rig.env() as env:
            orders = env['sale.order'].browse(order_ids).filtered(
                lambda order: order.invoice_status == 'to invoice' and not order.invoice_ids)
            if len(orders) < 2:
                return None, []
            move = orders._create_invoices()
            move.action_post()
            move._portal_ensure_token()
            return move.id, orders.ids

    def rewrite(self, move_id, amount):
        """Set an invoice to draft, change its price, and confirm it again.

        :param float amount: None to cancel it instead
        :return: what was said if it was refused
        """
        with self.rig.env() as env:
            move = env['account.move'].browse(move_id)
            return self._try(
                env, move.button_draft, *([move.button_cancel] if amount is None else [
                    lambda: move.invoice_line_ids.write({'price_unit': amount}),
                    move.action_post]))

    def take_place(self, move_id):
        """Reverse an invoice, and make another one that takes its place.

        :return: id of the one that is posted then
        """
        with self.rig.env() as env:
            wizard = env['account.move.reversal'].with_context(
                active_model='account.move', active_ids=[move_id],
            ).create({'journal_id': env['account.move'].browse(move_id).journal_id.id})
            move = env['account.move'].browse(wizard.modify_moves()['res_id'])
            move.action_post()
            move._portal_ensure_token()
            return move.id

    def unmatch(self, move_id):
        with self.rig.env() as env:
            env['account.move'].browse(move_id).line_ids.remove_move_reconcile()

    def payments(self, tx_id):
        """:return: the payments by which what came in for a transaction is booked, with the state
        """
        return self.rig.sql(
            'SELECT p.id, p.state FROM account_payment p JOIN payment_transaction t'
            ' ON t.payment_id = p.id WHERE (t.id = %s OR t.source_transaction_id = %s)'
            " AND t.operation <> 'refund' ORDER BY p.id", tx_id, tx_id)

    def take_back(self, payment_id, to):
        """:param str to: `draft`, `canceled` or `paid`
        :return: what was said if it was refused
        """
        with self.rig.env() as env:
            payment = env['account.payment'].browse(payment_id)
            return self._set(payment, to, payment.action_draft, payment.action_cancel)

    def _set(self, record, to, draft, cancel):
        """Set to draft what is no draft, and go on from there."""
        then = {'draft': [], 'cancel': [cancel], 'canceled': [cancel]}.get(to, [record.action_post])
        return self._try(record.env, *([draft] if record.state != 'draft' else []), *then)

    @staticmethod
    def _try(env, *steps):
        from odoo.exceptions import UserError

        try:
            for step in steps:
                step()
            env.flush_all()
        except UserError as error:
            env.cr.rollback()
            return str(error)
        return None

    # --- refunds ----------------------------------------------------------------------------------

    def refund(self, tx_id, scope, variant='fiat', fee=0):
        """:param str scope: `all`, `part` or `surplus`
        :param str variant: see the field
        :param int fee: in per cent
        :return: the amount and what was said if it was refused; None if nothing is there
        """
        with self.rig.env() as env:
            tx = env['payment.transaction'].browse(tx_id)
            sums = tx._btcpay_get_refund_sums()
            amount = sums['overpayment'] if scope == 'surplus' else sums['available']
            if scope == 'part':
                amount = tx.currency_id.round(amount / 3)
            return self._refund(env, tx, amount, variant=variant, fee_percent=str(fee))

    def refund_note(self, note_id):
        """Pay a credit note back; returns what `refund` does."""
        with self.rig.env() as env:
            note = env['account.move'].browse(note_id)
            tx = note._btcpay_get_refundable_transactions()[:1]
            available = tx and tx._btcpay_get_refund_sums()['available']
            return self._refund(
                env, tx, min(note._btcpay_get_refund_amount_due(), available or 0), note)

    @staticmethod
    def _refund(env, tx, amount, note=None, **options):
        from odoo.exceptions import UserError

        from odoo.addons.payment_btcpay.greenfield import GreenfieldError

        if not tx or amount <= 0:
            return None
        try:
            tx._btcpay_request_refund(amount, credit_note=note, **options)
        except (UserError, GreenfieldError) as error:
            env.cr.rollback()
            return amount, str(error)
        return amount, None

    def set_policy(self, accept_part, late):
        with self.rig.env() as env:
            env['payment.provider'].browse(self.rig.provider_id).write({
                'btcpay_accept_partial': accept_part, 'btcpay_late_policy': late})
