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

    # --- refunds ----------------------------------------------------------------------------------

    def refund(self, tx_id, scope):
        """:param str scope: `all`, `part` or `surplus`
        :return: the amount and what was said if it was refused; None if nothing is there
        """
        with self.rig.env() as env:
            tx = env['payment.transaction'].browse(tx_id)
            sums = tx._btcpay_get_refund_sums()
            amount = sums['overpayment'] if scope == 'surplus' else sums['available']
            if scope == 'part':
                amount = tx.currency_id.round(amount / 3)
            return self._refund(env, tx, amount)

    def refund_note(self, note_id):
        """Pay a credit note back; returns what `refund` does."""
        with self.rig.env() as env:
            note = env['account.move'].browse(note_id)
            tx = note._btcpay_get_refundable_transactions()[:1]
            available = tx and tx._btcpay_get_refund_sums()['available']
            return self._refund(
                env, tx, min(note._btcpay_get_refund_amount_due(), available or 0), note)

    @staticmethod
    def _refund(env, tx, amount, note=None):
        from odoo.exceptions import UserError

        from odoo.addons.payment_btcpay.greenfield import GreenfieldError

        if not tx or amount <= 0:
            return None
        try:
            tx._btcpay_request_refund(amount, credit_note=note)
        except (UserError, GreenfieldError) as error:
            env.cr.rollback()
            return amount, str(error)
        return amount, None

    def set_policy(self, accept_part, late):
        with self.rig.env() as env:
            env['payment.provider'].browse(self.rig.provider_id).write({
                'btcpay_accept_partial': accept_part, 'btcpay_late_policy': late})
