import psycopg2

from odoo import _, api, fields, models
from odoo.orm.models import NO_ACCESS
from odoo.tools import SQL

from odoo.addons.payment.logging import get_payment_logger
from odoo.addons.payment_btcpay import const
from odoo.addons.payment_btcpay.db import RowBusy, Turn, commit_and_refresh
from odoo.addons.payment_btcpay.greenfield import GreenfieldError, make_storable
from odoo.addons.payment_btcpay.models.payment_transaction.sync import SYNC_FIELDS
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
    create_date = fields.Datetime(string="Received on")
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

    _delivery_uniq = models.Constraint(
        'unique(provider_id, delivery_ref)', "A delivery is kept once."
    )
    _age_idx = models.Index('(provider_id, create_date)')
    _pending_idx = models.Index("(next_try_at) WHERE state = 'pending'")

    # === RECEIVE === #

    @api.model
    def _receive(self, provider, event):
        """Keep a delivery whose signature was found to be right, and process it if that is due.

        :param payment.provider provider: The provider it was sent to, in sudo mode.
        :param WebhookEvent event: The event.
        :return: The reference of the transaction that it is about, if there is one.
        :rtype: str|bool
        """
        transaction, reason = self._find_transaction(
            provider, event.invoice_id, event.order_id, event.pull_payment_id
        )
        if transaction.btcpay_store_id not in (False, event.store_id):
            # A store, of now or of before, has nothing to tell of another's payments.
            transaction = transaction.browse()
            reason = _("The event is of another store than the payment.")
        reference = transaction.reference
        if transaction.btcpay_invoice_id and event.type in const.UNINTERESTING_EVENTS:
            reason = _("Odoo has made this invoice itself: nothing follows from the event.")
        if not transaction and event.type == const.MONEY_EVENT:
            provider._btcpay_report_forgotten(event)
        with Turn(provider, 'delivery') as turn:
            pending = self._keep(provider, event, transaction, reason, turn)
            if not pending:
                return reference
            if not turn.is_ours and not provider._btcpay_may_ask():
                # It is left to the scheduled action. The server speaks: it may answer by now.
                provider._btcpay_retry_soon(minutes=1)
            # While somebody else waits for the server for long, it is left as well. It may have
            # been answered along with another, or the server been found to be down.
            elif turn.is_ours or (
                turn.wait() and provider._btcpay_may_ask() and pending[0].state == 'pending'
            ):
                failure = pending[0]._process(const.SHORT_TIMEOUT, transaction, pending, turn)
                provider._btcpay_report_silence(failure)
        return reference

    @api.model
    def _keep(self, provider, event, transaction, reason='', turn=None):
        """Keep a delivery, once, with what is known of it already:

        - It is ignored if it is about nothing of ours, or if there is a reason.
        - It is processed already if it repeats one whose transaction was synced since, and is done,
          or tells of no more than what was read already.
        - Else it is pending.

        :param payment.provider provider: The provider it was sent to, in sudo mode.
        :param WebhookEvent event: The event.
        :param payment.transaction transaction: What it is about.
        :param str reason: Why it is ignored, if it is.
        :param Turn turn: The turn to ask the server, which is taken along if it is pending and the
                          server may be asked.
        :return: The delivery, if it is new and pending, and all others that are pending about the
                 same invoice: a sync from now on is what they ask for, too.
        :rtype: btcpay.delivery
        """
        # The same delivery may come several times at once: the database decides which is first.
        # Where that fails it is not logged as it is: it has the pull payment's id.
        query = SQL(
            """
            INSERT INTO btcpay_delivery (
                provider_id, delivery_ref, original_ref, is_redelivery, event, invoice_ref,
                order_ref, pull_payment_ref, payout_ref, payout_state, sent_at, transaction_id,
                state, reason, try_count, next_try_at,
                create_uid, create_date, write_uid, write_date
            ) VALUES (
                %(provider)s, %(delivery)s, %(original)s, %(redelivery)s, %(event)s, %(invoice)s,
                %(order)s, %(pull_payment)s, %(payout)s, %(payout_state)s, %(sent)s,
                %(transaction)s,
                CASE WHEN %(reason)s IS NOT NULL THEN 'ignored'
                     WHEN %(known)s OR %(redelivery)s AND %(done)s AND EXISTS (
                        SELECT 1 FROM btcpay_delivery
                         WHERE provider_id = %(provider)s AND delivery_ref = %(original)s
                           AND state = 'processed'
                     ) THEN 'processed'
                     ELSE 'pending' END,
                %(reason)s, 0, %(now)s,
                %(uid)s, %(now)s, %(uid)s, %(now)s
            ) ON CONFLICT (provider_id, delivery_ref) DO NOTHING
            RETURNING id, state, ARRAY(%(twins)s),
                      CASE WHEN state = 'pending' AND %(askable)s THEN %(turn)s END
            """,
            twins=self._select_pending(provider, event.invoice_id),
            turn=turn.taken if turn else False,
            askable=provider._btcpay_select_may_ask(),
            provider=provider.id,
            delivery=event.delivery_id,
            original=event.original_delivery_id,
            redelivery=event.is_redelivery,
            known=transaction._btcpay_knows(event),
            done=transaction.state == 'done',
            event=event.type or None,
            invoice=event.invoice_id,
            order=event.order_id or None,
            pull_payment=event.pull_payment_id,
            payout=event.payout_id,
            payout_state=event.payout_state or None,
            sent=event.sent_at,
            transaction=transaction.id or None,
            reason=reason or None,
            # Once the request has had its try, the scheduled action has it.
            now=fields.Datetime.now(),
            uid=self.env.uid,
        )
        try:
            self.env.cr.execute(query, log_exceptions=False)
        except psycopg2.Error:
            if turn:
                turn.is_ours = True  # It may have been taken before that failed.
            raise
        rows = self.env.cr.fetchall()
        if not rows or rows[0][1] != 'pending':
            return self.sudo()
        [(delivery_id, _state, other_ids, is_our_turn)] = rows
        if turn:
            turn.is_ours = bool(is_our_turn)
        deliveries = self.sudo().browse([delivery_id, *(
            [] if event.pull_payment_id else other_ids
        )])
        deliveries[0]._update_cache({  # It is processed right away.
            'pull_payment_ref': event.pull_payment_id,
            'payout_ref': event.payout_id,
            'payout_state': event.payout_state,
        }, validate=False)
        return deliveries

    # === PROCESS === #

    def _process(self, timeout=const.TIMEOUT, transaction=None, answered=None, turn=None):
        """Sync the transaction that the event is about. What fails is tried again later.

        :param int timeout: The number of seconds to wait for each of the server's answers.
        :param payment.transaction transaction: What it is about, if that was looked for just now.
        :param btcpay.delivery answered: All that the sync is to answer, by default all that are
                                         pending about the same invoice.
        :param Turn turn: The turn to ask the server, which ends when it was.
        :return: The server's failure, if that is why it could not be processed.
        :rtype: GreenfieldError|None
        """
        self.ensure_one()
        failure = None
        try:
            if not transaction or self.pull_payment_ref:
                commit_and_refresh(self.env)
            if not transaction:
                transaction, reason = self._find_own_transaction()
            if transaction and self.pull_payment_ref and transaction.operation != 'refund':
                transaction = transaction._btcpay_find_or_adopt_refund(
                    self.pull_payment_ref, timeout=timeout
                ).sudo() or transaction
            if transaction:
                transaction._btcpay_sync(
                    timeout=timeout, deliveries=answered or self | self._find_twins(),
                    payout_event=(self.payout_ref, self.payout_state), turn=turn,
                )
            else:
                self.write({'state': 'ignored', 'reason': reason, 'next_try_at': False})
                commit_and_refresh(self.env)
        except Exception as error:
            self.env.cr.rollback()
            if not self.exists():
                raise  # It could not be kept: the server sends it again.
            if isinstance(error, (GreenfieldError, RowBusy)):
                if error.is_of_server and transaction._btcpay_is_store_current():
                    failure = error
                reason = self.provider_id._btcpay_explain(error)
            else:
                _logger.exception("Delivery %s could not be processed.", self.delivery_ref)
                reason = repr(error)
            self._postpone(reason)
            commit_and_refresh(self.env)
        return failure

    @api.model
    def _find_transaction(self, provider, invoice_ref, order_ref, pull_payment_ref):
        """Find the transaction that an event is about: a refund for pull payments and payouts,
        or the payment it is of, where Odoo does not know the refund yet.

        :param payment.provider provider: The provider it was sent to.
        :param str|None invoice_ref: The invoice's id.
        :param str|None order_ref: The invoice's order id.
        :param str|None pull_payment_ref: The pull payment's id.
        :return: The transaction, in sudo mode, possibly empty, and why there is none.
        :rtype: tuple[payment.transaction, str]
        """
        transactions = self.env['payment.transaction'].sudo()
        if pull_payment_ref:
            refund = transactions._btcpay_find_refund(provider, pull_payment_ref)
            if refund or not invoice_ref:  # Payouts do not name the invoice.
                return refund, '' if refund else _("No refund of Odoo has this pull payment.")
        if not invoice_ref:
            return transactions, _("The event is not about an invoice.")
        # The event may be quicker than the answer that has the invoice's id.
        found = transactions.search_fetch([
            ('provider_id', '=', provider.id), ('operation', '!=', 'refund'),
            '|', ('btcpay_invoice_id', '=', invoice_ref),
            '&', '&', ('reference', '=', order_ref or False), ('btcpay_invoice_id', '=', False),
            ('btcpay_requested_at', '!=', False),
        ], SYNC_FIELDS, order='btcpay_invoice_id', limit=1)
        return found, '' if found else _("No transaction has this invoice.")

    def _find_own_transaction(self):
        """Find the transaction that the delivery is about.

        :return: See `_find_transaction`.
        :rtype: tuple[payment.transaction, str]
        """
        self.ensure_one()
        return self._find_transaction(
            self.provider_id, self.invoice_ref, self.order_ref, self.pull_payment_ref
        )

    @api.model
    def _select_pending(self, provider, invoice_ref):
        """Return the query of the deliveries that are pending about an invoice: one sync of it
        answers them all.

        :param payment.provider provider: The provider they were sent to.
        :param str|None invoice_ref: The invoice's id.
        :rtype: SQL
        """
        return SQL(
            """
            SELECT id FROM btcpay_delivery
             WHERE provider_id = %s AND invoice_ref = %s
               AND state = 'pending' AND pull_payment_ref IS NULL
            """, provider.id, invoice_ref or None,
        )

    def _find_twins(self):
        """Find the deliveries that are pending about the same invoice.

        :rtype: btcpay.delivery
        """
        self.ensure_one()
        if self.pull_payment_ref:
            return self.browse()
        self.flush_model(['state'])
        rows = self.env.execute_query(self._select_pending(self.provider_id, self.invoice_ref))
        return self.browse(row[0] for row in rows) - self

    def _finish(self, transaction):
        """Note that the transaction was synced, and with it what the deliveries ask for answered.

        :param payment.transaction transaction: The transaction.
        """
        rows = self.env.execute_query(SQL(
            """
            UPDATE btcpay_delivery
               SET state = 'processed', transaction_id = %s, try_count = try_count + 1,
                   next_try_at = NULL, reason = NULL
             WHERE id IN %s AND state = 'pending'
         RETURNING delivery_ref
            """, transaction.id, tuple(self.ids),
        ))
        self.invalidate_recordset(flush=False)
        if rows:
            _logger.info(
                "Processed of transaction %(ref)s: %(deliveries)s.", {
                    'ref': transaction.reference,
                    'deliveries': ", ".join(f'delivery {row[0]}' for row in rows),
                },
            )

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
        _logger.info(
            "Delivery %(delivery)s is %(state)s after %(tries)s tries: %(reason)s", {
                'delivery': self.delivery_ref, 'state': self.state, 'tries': tries,
                'reason': reason[:1000],
            },
        )
        if is_over:
            transaction, _reason = self._find_own_transaction()
            if transaction:
                transaction._btcpay_flag_for_review(_(
                    "What the BTCPay Server reported of the payment %(reference)s could not be"
                    " processed: %(reason)s. Click “Sync with BTCPay” on the payment.",
                    reference=transaction.reference, reason=reason,
                ))
