from datetime import timedelta
from unittest.mock import patch

from odoo import fields
from odoo.exceptions import UserError
from odoo.fields import Command
from odoo.tests import new_test_user
from odoo.tools import SQL

from odoo.addons.payment_btcpay.greenfield import GreenfieldError
from odoo.addons.payment_btcpay.tests.money_common import MoneyMixin


class RefundMixin(MoneyMixin):
    """What tests of refunds need; for `BTCPayCommon`."""

    def setUp(self):
        super().setUp()
        # Odoo's own mail of each order is no part of what is refunded, and takes long.
        self.patch(
            self.registry['sale.order'], '_send_order_notification_mail', lambda *_args: None
        )
        # The hourly look is not due, which finds no webhook.
        self.btcpay.sudo().btcpay_webhook_checked_at = fields.Datetime.now()
        self.env.cr.commit()
        self.earlier_ids = set()
        self.earlier_ids = {pull_payment['id'] for pull_payment in self._pull_payments()}

    @classmethod
    def _add_outstanding_account(cls):
        """Have payments make entries: only where their journal's methods have accounts."""
        journal = cls.btcpay.journal_id
        cls.outstanding = cls.env['account.account'].create({
            'name': "Bitcoin underway", 'code': 'BTCUW', 'account_type': 'asset_current',
            'reconcile': True,
        })
        lines = journal.inbound_payment_method_line_ids | journal.outbound_payment_method_line_ids
        lines.payment_account_id = cls.outstanding

    def _book_as(self, has_entries):
        """Have payments make entries of their own, or none."""
        if has_entries:
            self._add_outstanding_account()
        else:
            self._book_without_entries()

    def _book_without_entries(self):
        """As with Odoo's accounting app, where the journal's methods have no outstanding account:
        the entry is made by the bank statement."""
        journal = self.btcpay.journal_id
        (
            journal.inbound_payment_method_line_ids | journal.outbound_payment_method_line_ids
        ).payment_account_id = False
        self.startPatcher(patch.object(
            self.registry['account.move'], '_get_invoice_in_payment_state',
            lambda _move: 'in_payment',
        ))

    def _paid(self, order=None, **pay_values):
        """Return a transaction that is paid and booked."""
        tx = self._pay_order(order or self._create_order(), **pay_values)
        self._post_process()
        return tx

    def _invoiced(self, invoice=None):
        """Return an invoice and the transaction that paid it."""
        invoice = invoice or self._create_invoice()
        tx = self._create_btcpay_transaction(
            invoice_ids=[Command.set(invoice.ids)], partner_id=self.partner.id,
            reference=invoice.name,
        )
        self.world.pay(tx.btcpay_invoice_id)
        self.world.mine()
        tx._btcpay_sync()
        self._post_process()
        self.assertEqual(invoice.amount_residual, 0)
        return invoice, tx

    def _credit(self, invoice, amount=None, **values):
        """Return a posted credit note of an invoice."""
        credit_note = invoice._reverse_moves()
        if amount:
            credit_note.invoice_line_ids.price_unit = amount
        credit_note.write(values)
        credit_note.action_post()
        self.env.cr.commit()
        return credit_note

    def _cancel_while_being_paid(self, refund):
        """Have the merchant cancel a refund of which a part is on its way.

        :return: The payout's id.
        :rtype: str
        """
        payout_id = self._claim(refund, '20.00', pay=False)
        self.world.approve(payout_id)
        self.world.pay_payout(payout_id, 'InProgress')
        refund._btcpay_sync()
        self.world.archive_pull_payment(refund.btcpay_pull_payment_id)
        refund._btcpay_sync()
        return payout_id

    def _tell_payout(self, refund, payout_id, state):
        """Have the webhook tell of a payout, which an archived pull payment does not list."""
        refund._btcpay_sync(payout_event=(payout_id, state))

    def _claim(self, refund, amount=None, pay=True, **values):
        """Have the customer claim (a part of) a refund, and the merchant approve and pay it.

        :return: The payout's id.
        :rtype: str
        """
        payout_id = self.world.claim(refund.btcpay_pull_payment_id, amount, **values)
        if pay:
            self.world.approve(payout_id)
            self.world.pay_payout(payout_id)
        return payout_id

    def _pull_payments(self):
        """Return the pull payments that were made in the test, newest first."""
        return [
            pull_payment for pull_payment in self.world.api(
                'GET', f'/stores/{self.store_id}/pull-payments', params={'includeArchived': 'true'}
            ) if pull_payment['id'] not in self.earlier_ids
        ]

    def _server_refund(self, tx, **values):
        """Have the merchant refund at the server itself."""
        values.setdefault('refundVariant', 'Fiat')
        return self.world.api(
            'POST', f'/stores/{self.store_id}/invoices/{tx.btcpay_invoice_id}/refund', values
        )

    def _refund_mails(self, document):
        """Return the mails about refunds to the customer of a document, newest first.

        The link is mailed to the customer alone; that it was paid is on the document, too.
        """
        private = self.env['mail.mail'].sudo().search([
            ('recipient_ids', '=', document.partner_id.id), ('model', '=', False),
        ]).mail_message_id
        return (private | document.sudo().message_ids.filtered(
            lambda message: self.partner in message.partner_ids
        )).filtered(
            lambda message: "your refund" in (message.subject or '')
            or "Remboursement" in (message.subject or '')
        ).sorted('id', reverse=True)

    def _call_count(self, method, path):
        """Return how many calls of a kind reached the server since the last time."""
        calls = self.world.requests(since=getattr(self, 'last_call', 0))
        if calls:
            self.last_call = calls[-1]['n']
        return sum(call['method'] == method and path in call['path'] for call in calls)

    def _make_old(self, refund, minutes=10):
        """Let a refund have been requested, and synced, some time ago, so that it is due."""
        before = fields.Datetime.now() - timedelta(minutes=minutes)
        refund.write({
            'btcpay_requested_at': before, 'btcpay_synced_at': before,
            'btcpay_next_sync_at': before,
        })
        self.env.cr.commit()

    def _row_version(self, record):
        """Return what is another with each change of the record's row: who waits for the row in
        PostgreSQL begins anew by it, and so sees what else was stored."""
        self.env.flush_all()
        self.env.cr.execute(SQL(
            'SELECT ctid::text FROM %s WHERE id = %s', SQL.identifier(record._table), record.id
        ))
        return self.env.cr.fetchone()[0]

    def _assert_refused(self, action, message=''):
        """Override for refusals of the server: they are told as the wizard does."""
        def act():
            try:
                action()
            except GreenfieldError as error:
                raise UserError(self.btcpay._btcpay_explain(error)) from error

        super()._assert_refused(act, message)

    def _reconcile(self):
        """Run the scheduled action."""
        self.env.cr.commit()
        self.env['payment.provider']._cron_btcpay_sync()

    def _open_wizard(self, record, user=None, **values):
        """Open the refund wizard.

        :param recordset record: What has the button.
        """
        action = record.with_user(user or self.env.user).action_btcpay_refund()
        wizard = self.env[action['res_model']].with_user(
            user or self.env.user
        ).browse(action['res_id'])
        if values:
            wizard.write(values)
        return wizard

    def _refund_by(self, wizard):
        """Press the wizard's button.

        :return: The refund.
        """
        action = wizard.action_refund()
        return self.env['payment.transaction'].sudo().browse(action['res_id'])

    def _lose_answer(self, took_effect=True, kind='drop', **kwargs):
        """Let the answer to the next call that makes a refund get lost."""
        self.world.fault(kind, path=r'/refund$', method='POST', after=took_effect, **kwargs)

    @classmethod
    def _create_people(cls):
        """Create an accountant, salespeople with and without the right to refund."""
        sale = 'sales_team.group_sale_salesman'
        cls.accountant = new_test_user(cls.env, 'refund_acc', 'account.group_account_invoice')
        cls.seller = new_test_user(cls.env, 'refund_seller', sale)
        cls.refunder = new_test_user(
            cls.env, 'refund_refunder', f'{sale},payment_btcpay.group_refund'
        )
