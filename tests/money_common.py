from odoo.exceptions import UserError
from odoo.fields import Command
from odoo.tools import html2plaintext, mute_logger

TRANSACTION_LOG = 'odoo.addons.payment.models.payment_transaction'
REQUEST_LOG = 'odoo.addons.payment_btcpay.models.payment_provider.client'
HEALTH_LOG = 'odoo.addons.payment_btcpay.models.payment_provider.health'
OBSOLETE_LOG = 'odoo.addons.payment_btcpay.models.payment_transaction.obsolete'


class MoneyMixin:
    """What tests need that follow the money of an order; for `BTCPayCommon`."""

    def _look(self, *transactions):
        """Sync each transaction with the server."""
        for tx in transactions:
            tx._btcpay_sync()

    def _receive(self, fraction='1', late=False):
        """Have a part of what `tx` asks for paid, in time or late, and booked."""
        if late:
            self.world.expire(self.tx.btcpay_invoice_id)
        self.world.pay(self.tx.btcpay_invoice_id, fraction=fraction)
        if not late and float(fraction) < 1:
            self.world.expire(self.tx.btcpay_invoice_id)
        self.world.mine()
        self._look(self.tx)
        self._post_process()

    def _carry_out(self):
        """Store what was done, and have Odoo do at the server what it intends to."""
        self.env.cr.commit()
        self.env['payment.transaction'].sudo()._cron_btcpay_run_pending_actions()

    def _post_process(self):
        self.env.cr.commit()
        self.env['payment.transaction'].sudo()._cron_post_process()

    def _set_done(self, tx):
        """Have another provider's transaction paid."""
        tx._set_done()
        self.env.cr.commit()

    def _create_other_transaction(self, order=None, **values):
        """Create a transaction of another provider, for the same order."""
        if order:
            values.setdefault('sale_order_ids', [Command.set(order.ids)])
            values.setdefault('amount', order.amount_total)
        reference = self.env['payment.transaction']._compute_reference(
            self.dummy_provider.code, prefix=values.pop('reference', 'other')
        )
        return self._create_transaction(
            'redirect', reference=reference, provider_id=self.dummy_provider.id,
            payment_method_id=self.dummy_provider.payment_method_ids[:1].id, **values,
        )

    def _create_down_payment(self, order, **values):
        """Create the invoice of a down payment, a draft.

        :param sale.order order: The order.
        :param dict values: How much it is, as Odoo's wizard has it; by default 30.00.
        :rtype: account.move
        """
        return self.env['sale.advance.payment.inv'].create({
            'sale_order_ids': order.ids,
            **(values or {'advance_payment_method': 'fixed', 'fixed_amount': 30}),
        })._create_invoices(order)

    def _create_invoice(self, amount=100.0, post=True, **values):
        """Create a customer invoice.

        :rtype: account.move
        """
        move = self.env['account.move'].create({
            'move_type': 'out_invoice',
            'partner_id': self.partner.id,
            'currency_id': self.currency.id,
            'invoice_line_ids': [Command.create({
                'product_id': self.product.id, 'price_unit': amount, 'tax_ids': [Command.clear()],
            })],
            **values,
        })
        if post:
            move.action_post()
        return move

    def _pay_move(self, move):
        """Register a payment of an invoice that came by bank."""
        self.env['account.payment.register'].with_context(
            active_model='account.move', active_ids=move.ids
        ).create({})._create_payments()

    def _activities(self, document):
        """Return what people are asked on a document, as text, one a line."""
        return '\n'.join(
            ' '.join(html2plaintext(note).split()) for note in document.activity_ids.mapped('note')
        )

    def _mails(self, document):
        """Return this module's mails to the customer on a document, newest first."""
        return document.message_ids.filtered(
            lambda message: self.partner in message.partner_ids
            and "Pay the amount due" in (message.body or '')
        ).sorted('id', reverse=True)

    def _status(self, tx):
        """Return the status of a transaction's invoice at the server."""
        invoice = self.world.invoice(tx.btcpay_invoice_id)
        return invoice['status'], invoice['additionalStatus']

    def _assert_refused(self, action, message=''):
        """Check that an action is refused; what it stored before is kept, unlike in `assertRaises`.

        :param callable action: The action.
        :param str message: A part of the refusal.
        """
        try:
            action()
        except UserError as error:
            self.env.cr.rollback()
            self.assertIn(message, error.args[0])
        else:
            self.fail("It was not refused.")

    def _notes(self, document):
        """Return what was posted on a document, as text, one message a line."""
        return '\n'.join(
            ' '.join(html2plaintext(body).split()) for body in document.message_ids.mapped('body')
        )

    def _quiet(self):
        """Return the context in which expected warnings stay out of the log."""
        return mute_logger(TRANSACTION_LOG, REQUEST_LOG, HEALTH_LOG, OBSOLETE_LOG)
