from collections import Counter
from datetime import timedelta

from odoo import _, api, fields, models
from odoo.orm.models import NO_ACCESS
from odoo.tools import SQL

from odoo.addons.payment.logging import get_payment_logger
from odoo.addons.payment_btcpay import const
from odoo.addons.payment_btcpay.db import RowBusy, commit_and_refresh
from odoo.addons.payment_btcpay.greenfield import GreenfieldError, make_storable
from odoo.addons.payment_btcpay.utils import next_wait

_logger = get_payment_logger(__name__, sensitive_keys=const.SENSITIVE_KEYS)


class BTCPayDelivery(models.Model):
    _name = 'btcpay.delivery'
    _description = "BTCPay Server Webhook Delivery"
    _order = 'id desc'
    _rec_name = 'delivery_ref'

    provider_id = fields.Many2one(
        string="Payment Provider", comodel_name='payment.provider', required=True, readonly=True,
        ondelete='cascade',
    )
    delivery_ref = fields.Char(string="Delivery ID", required=True, readonly=True)
    original_ref = fields.Char(
        string="Original Delivery ID", help="The first delivery of the same event.", readonly=True
    )
    is_redelivery = fields.Boolean(string="Redelivery", readonly=True)
    event = fields.Char(readonly=True)
    invoice_ref = fields.Char(string="Invoice ID", readonly=True, index='btree_not_null')
    order_ref = fields.Char(string="Order ID", readonly=True)
    # Whoever has it can claim the refund.
    pull_payment_ref = fields.Char(string="Pull Payment ID", readonly=True, groups=NO_ACCESS)
    payout_ref = fields.Char(string="Payout ID", readonly=True)
    payout_state = fields.Char(readonly=True)
    transaction_id = fields.Many2one(
        comodel_name='payment.transaction', readonly=True,
        index='btree_not_null', ondelete='set null',
    )
    sent_at = fields.Datetime(string="Event Date", readonly=True)
    create_date = fields.Datetime(string="Received")
    state = fields.Selection(
        string="Status",
        selection=[
            ('pending', "Pending"),
            ('processed', "Processed"),
            ('ignored', "Ignored"),
            ('failed', "Failed"),
        ],
        default='pending', required=True, readonly=True,
    )
    reason = fields.Char(string="Result", readonly=True)
    try_count = fields.Integer(string="Tries", readonly=True)
    next_try_at = fields.Datetime(string="Next Try", readonly=True)
    body = fields.Text(
        help="The event as it came; kept in debug mode only.", readonly=True
    )

    _delivery_uniq = models.Constraint(
        'unique(provider_id, delivery_ref)', "A delivery is kept once."
    )
    _pending_idx = models.Index("(next_try_at) WHERE state = 'pending'")

    # === KEEP === #

    @api.model
    def _keep(self, provider, event, body):
        """Keep a delivery whose signature was found to be right, once.

        :param payment.provider provider: The provider it was sent to.
        :param WebhookEvent event: The event.
        :param bytes body: The event as it came.
        :return: The delivery; empty if it had been kept before.
        :rtype: btcpay.delivery
        """
        # The same delivery may come several times at once: the database decides which is first.
        rows = self.env.execute_query(SQL(
            """
            INSERT INTO btcpay_delivery (
                provider_id, delivery_ref, original_ref, is_redelivery, event, invoice_ref,
                order_ref, pull_payment_ref, payout_ref, payout_state, sent_at, state, try_count,
                next_try_at, body,
                create_uid, create_date, write_uid, write_date
            ) VALUES (
                %(provider)s, %(delivery)s, %(original)s, %(redelivery)s, %(event)s, %(invoice)s,
                %(order)s, %(pull_payment)s, %(payout)s, %(payout_state)s, %(sent)s,
                'pending', 0, %(now)s, %(body)s,
                %(uid)s, %(now)s, %(uid)s, %(now)s
            ) ON CONFLICT (provider_id, delivery_ref) DO NOTHING RETURNING id
            """,
            provider=provider.id,
            delivery=event.delivery_id,
            original=event.original_delivery_id,
            redelivery=event.is_redelivery,
            event=event.type or None,
            invoice=event.invoice_id,
            order=event.order_id or None,
            pull_payment=event.pull_payment_id,
            payout=event.payout_id,
            payout_state=event.payout_state or None,
            sent=event.sent_at,
            # Once the request has had its try, the scheduled action has it.
            now=fields.Datetime.now(),
            body=self._get_kept_body(event, body) if provider.sudo().btcpay_debug else None,
            uid=self.env.uid,
        ))
        return self.sudo().browse(rows[0][0] if rows else None)

    @api.model
    def _get_kept_body(self, event, body):
        """Return the event as it came, but for the pull payment's id, by which it is claimed.

        :param WebhookEvent event: The event.
        :param bytes body: The event as it came.
        :rtype: str
        """
        text = make_storable(body.decode(errors='replace'))
        return text.replace(event.pull_payment_id, '…') if event.pull_payment_id else text

    # === PROCESS === #

    def _process(self, timeout=const.TIMEOUT):
        """Sync the transaction that the event is about. What fails is tried again later.

        Note: `self.ensure_one()`

        :param int timeout: The number of seconds to wait for each of the server's answers.
        :return: The server's failure, if that is why it could not be processed.
        :rtype: GreenfieldError|None
        """
        self.ensure_one()
        failure = None
        commit_and_refresh(self.env)
        try:
            transaction, reason = self._find_transaction()
            if transaction and self.pull_payment_ref and transaction.operation != 'refund':
                transaction = transaction._btcpay_find_or_adopt_refund(
                    self.pull_payment_ref, timeout=timeout
                ).sudo() or transaction
            if transaction:
                transaction._btcpay_sync(
                    timeout=timeout, payout_event=(self.payout_ref, self.payout_state)
                )
                self._finish('processed', transaction=transaction)
            else:
                self._finish('ignored', reason)
        except Exception as error:
            self.env.cr.rollback()
            if isinstance(error, (GreenfieldError, RowBusy)):
                failure = error if getattr(error, 'is_of_server', False) else None
                reason = self.provider_id._btcpay_explain(error)
            else:
                _logger.exception("Delivery %s could not be processed.", self.delivery_ref)
                reason = repr(error)
            self._postpone(reason)
        commit_and_refresh(self.env)
        return failure

    def _find_transaction(self):
        """Find the transaction that the event is about: a refund for pull payments and payouts,
        or the payment it is of, where Odoo does not know the refund yet.

        :return: The transaction, in sudo mode, possibly empty, and why there is none.
        :rtype: tuple[payment.transaction, str]
        """
        self.ensure_one()
        transactions = self.env['payment.transaction'].sudo()
        if self.pull_payment_ref:
            refund = transactions.search([
                ('provider_id', '=', self.provider_id.id),
                ('btcpay_pull_payment_id', '=', self.pull_payment_ref),
            ], limit=1)
            if refund or not self.invoice_ref:  # Payouts do not name the invoice.
                return refund, _("No refund of Odoo has this pull payment.")
        if not self.invoice_ref:
            return transactions, _("The event is not about an invoice.")
        domain = [('provider_id', '=', self.provider_id.id), ('operation', '!=', 'refund')]
        found = transactions.search(
            [*domain, ('btcpay_invoice_id', '=', self.invoice_ref)], limit=1
        )
        if not found and self.order_ref:
            # The event may be quicker than the answer that has the invoice's id.
            found = transactions.search([
                *domain,
                ('btcpay_invoice_id', '=', False),
                ('btcpay_requested_at', '!=', False),
                ('reference', '=', self.order_ref),
            ], limit=1)
        return found, _("No transaction has this invoice.")

    def _finish(self, state, reason=False, transaction=None):
        self.write({
            'state': state,
            'reason': reason,
            'transaction_id': transaction and transaction.id,
            'try_count': self.try_count + 1,
            'next_try_at': False,
        })

    def _postpone(self, reason):
        """Note a failure, and when to try again; after the last try it is flagged for review.

        :param str reason: The reason.
        """
        self.ensure_one()
        reason = make_storable(reason)  # It may be the server's.
        tries = self.try_count + 1
        is_over = tries > len(const.DELIVERY_WAITS)
        self.write({
            'reason': reason[:1000],
            'try_count': tries,
            'state': 'failed' if is_over else 'pending',
            'next_try_at': False if is_over else next_wait(tries, const.DELIVERY_WAITS),
        })
        if is_over:
            transaction, _reason = self._find_transaction()
            if transaction:
                transaction._btcpay_flag_for_review(_(
                    "What the BTCPay Server reported of the payment %(reference)s could not be"
                    " processed: %(reason)s. Click “Sync with BTCPay” on the payment.",
                    reference=transaction.reference, reason=reason,
                ))

    # === SCHEDULED ACTIONS === #

    @api.model
    def _cron_process(self):
        """Process what could not be processed when it came, oldest first.

        Those of a server that does not answer wait until it is to be asked again.
        """
        due = self.sudo().search([
            ('state', '=', 'pending'),
            # What came just now is in the hands of the request that brought it.
            ('next_try_at', '<=', fields.Datetime.now() - timedelta(seconds=const.DELIVERY_GRACE)),
        ], order='next_try_at, id')
        self.env['ir.cron']._commit_progress(remaining=len(due))
        failures = Counter()
        for delivery in due:
            provider = delivery.provider_id
            if provider._btcpay_may_ask():
                failure = delivery._process()
                failures[provider] = failures[provider] + 1 if failure else 0
                if failures[provider] == const.MAX_FAILURES:
                    provider._btcpay_report_failure(failure)
            if not self.env['ir.cron']._commit_progress(1):
                break

    @api.autovacuum
    def _gc_deliveries(self):
        """Remove deliveries that are older than their provider keeps them."""
        for provider in self.env['payment.provider'].sudo().search([('code', '=', 'btcpay')]):
            self.sudo().search([
                ('provider_id', '=', provider.id),
                ('state', '!=', 'pending'),
                ('create_date', '<', fields.Datetime.now() - timedelta(
                    days=max(provider.btcpay_webhook_log_days, 1)
                )),
            ], limit=10000).unlink()
