import secrets

from odoo import _, api, fields, models
from odoo.exceptions import UserError

from odoo.addons.payment_btcpay.utils import (
    BTCPayError,
    end_transaction,
    format_crypto,
    lock_row,
)


class PaymentTransaction(models.Model):
    _inherit = 'payment.transaction'

    btcpay_pull_payment_id = fields.Char(
        string="Pull Payment", readonly=True, copy=False, index='btree_not_null'
    )
    btcpay_credit_note_id = fields.Many2one(
        string="Credit Note", comodel_name='account.move', readonly=True, copy=False,
        index='btree_not_null',
    )
    btcpay_refund_link = fields.Char(
        string="Claim Page", help="Where the customer claims the refund.", readonly=True,
        copy=False,
        # Whoever has it can claim the money.
        groups='account.group_account_invoice,payment_btcpay.group_refund,base.group_system',
    )
    # The server it is at: the provider may be connected with another one, or with none, later.
    btcpay_refund_server_url = fields.Char(readonly=True, copy=False, groups='base.group_system')
    # By which a pull payment is found whose making was never answered.
    btcpay_refund_name = fields.Char(readonly=True, copy=False)
    btcpay_refund_request = fields.Json(readonly=True, copy=False)
    btcpay_refund_variant = fields.Selection(
        string="Refunded As",
        selection=[
            ('fiat', "The amount, at the rate of the day it is paid out"),
            ('rate_then', "As much bitcoin as was paid for it"),
            ('current_rate', "As much bitcoin as it was worth when it was refunded"),
        ],
        readonly=True, copy=False,
    )
    btcpay_refund_fee_amount = fields.Monetary(
        string="Fee Deducted", currency_field='currency_id', readonly=True, copy=False
    )
    btcpay_refund_is_mailed = fields.Boolean(string="Mail the Link", readonly=True, copy=False)
    # The pull payment's own amount, a decimal string in its own currency.
    btcpay_pull_amount = fields.Char(readonly=True, copy=False)
    btcpay_pull_currency = fields.Char(readonly=True, copy=False)
    btcpay_pull_text = fields.Char(string="To Be Paid Out", compute='_compute_btcpay_pull_text')
    # Refunds are negative; people read what the customer gets.
    btcpay_refund_amount = fields.Monetary(
        string="Refund", compute='_compute_btcpay_refund_amount', currency_field='currency_id'
    )
    btcpay_pull_is_archived = fields.Boolean(string="Withdrawn", readonly=True, copy=False)
    btcpay_bolt11_days = fields.Integer(
        help="How many days the Lightning invoice of a claim must live.", readonly=True, copy=False
    )
    btcpay_paid_out_amount = fields.Monetary(
        string="Paid Out", currency_field='currency_id', readonly=True, copy=False
    )
    btcpay_payout_ids = fields.One2many(
        string="Payouts", comodel_name='btcpay.payout', inverse_name='transaction_id',
        readonly=True,
    )

    _btcpay_pull_payment_uniq = models.UniqueIndex(
        '(provider_id, btcpay_pull_payment_id) WHERE btcpay_pull_payment_id IS NOT NULL',
        "A pull payment belongs to one refund.",
    )

    # === COMPUTE METHODS === #

    @api.depends('amount')
    def _compute_btcpay_refund_amount(self):
        for tx in self:
            tx.btcpay_refund_amount = -tx.amount

    @api.depends('btcpay_pull_amount', 'btcpay_pull_currency', 'currency_id')
    def _compute_btcpay_pull_text(self):
        for tx in self:
            if not tx.btcpay_pull_amount:
                tx.btcpay_pull_text = False
            elif tx.btcpay_pull_currency == tx.currency_id.name:
                tx.btcpay_pull_text = tx.currency_id.format(float(tx.btcpay_pull_amount))
            else:
                tx.btcpay_pull_text = (
                    f'{format_crypto(tx.btcpay_pull_amount)} {tx.btcpay_pull_currency}'
                )

    # === SUMS === #

    def _btcpay_get_root(self):
        """Return the transaction that has the invoice, for it or for a part of it.

        :rtype: payment.transaction
        """
        self.ensure_one()
        tx = self
        while tx.source_transaction_id:
            tx = tx.source_transaction_id
        return tx

    def _btcpay_get_refunds(self):
        """Return all refunds of the invoice's transaction, of its parts too.

        :rtype: payment.transaction
        """
        self.ensure_one()
        family = self | self.child_transaction_ids
        return (family | family.child_transaction_ids).filtered(
            lambda tx: tx.operation == 'refund'
        )

    def _btcpay_get_receipts(self):
        """Return the transactions by which what was received for the invoice is booked.

        :rtype: payment.transaction
        """
        self.ensure_one()
        return (self | self.child_transaction_ids).filtered(
            lambda tx: tx.operation != 'refund' and tx.state == 'done'
        )

    def _btcpay_get_refund_sums(self):
        """Return what was received, given back and can still be given back.

        Refunds that are underway count: Odoo's own wizard forgets them. So does the fee that was
        deducted from one, since the customer was told that it is settled with that.

        :return: `received`, `refunded`, `underway`, `available` and `surplus`, in the currency.
        :rtype: dict
        """
        self.ensure_one()
        refunds = self._btcpay_get_refunds()

        def add_up(states):
            return refunds.filtered(lambda refund: refund.state in states)._btcpay_get_given_back()

        refunded, underway = add_up(('done',)), add_up(('draft', 'pending', 'authorized'))
        received = self.btcpay_paid_amount
        available = max(self.currency_id.round(received - refunded - underway), 0)
        return {
            'received': received,
            'refunded': refunded,
            'underway': underway,
            'available': available,
            # What is given back is taken from the surplus first.
            'surplus': max(self.currency_id.round(
                min(self.btcpay_surplus_amount - refunded - underway, available)
            ), 0),
        }

    def _btcpay_get_given_back(self):
        """Return what the refunds come to, the fees included that are deducted from them.

        :rtype: float
        """
        return sum(refund.btcpay_refund_fee_amount - refund.amount for refund in self)

    def _btcpay_is_settled_by_refunds(self):
        """Return whether nothing is left to be decided: all, or all of the surplus, is given back.

        :rtype: bool
        """
        self.ensure_one()
        sums = self._btcpay_get_refund_sums()
        return not sums['available'] or bool(
            self.btcpay_surplus_amount
            and not sums['surplus']
            and not self._btcpay_get_unbooked_amount()
        )

    # === MAKING === #

    def _btcpay_request_refund(
        self, amount, variant='fiat', fee_percent='0', methods=None, description='',
        mail_customer=True, credit_note=None, key=None,
    ):
        """Make a refund: a refund transaction in Odoo and a pull payment at the server.

        The refund transaction is stored before the server is asked, with all it is asked for, so
        that a broken network delays the refund only and never makes it twice.

        Note: `self.ensure_one()`

        :param float amount: The amount to give back, in the transaction's currency, fee included.
        :param str variant: What the customer gets, see `btcpay_refund_variant`.
        :param str|Decimal fee_percent: The part of it that is kept, in per cent.
        :param list[str] methods: The ids of the payout methods the customer can choose from; by
                                  default what fits.
        :param str description: What the customer reads on the claim page.
        :param bool mail_customer: Whether the link is mailed to the customer.
        :param account.move credit_note: The credit note that is paid back by it.
        :param str key: Eight characters of the caller's; it gets one refund by them, however often
                        it asks.
        :return: The refund transaction, pending; draft if the server did not answer.
        :rtype: payment.transaction
        :raise UserError: If the refund is refused, by Odoo or by the server.
        """
        root = self._btcpay_get_root()
        root._btcpay_look_before_decision()
        if earlier := root._btcpay_settle_unanswered_refunds(
            amount, variant, credit_note
        ) or root._btcpay_find_refund_of(key):
            return earlier
        net_amount, fee_amount = root._btcpay_split_fee(amount, fee_percent)
        what = root._btcpay_prepare_refund_amount(amount, variant, fee_percent)
        root._btcpay_book_receipts()
        end_transaction(self.env)
        lock_row(root)
        # Who began before this is stored, and gets the lock after, has to begin anew.
        root.btcpay_look_count += 1
        if credit_note:  # Likewise, where several payments are refunded for it.
            credit_note.sudo().btcpay_requested_at = fields.Datetime.now()
        if earlier := root._btcpay_find_refund_of(key):
            return earlier
        root._btcpay_check_refund(amount, credit_note)
        source = root._btcpay_book_receipt_for_refund(amount)
        refund = source._create_child_transaction(
            net_amount, is_refund=True,
            btcpay_store_id=root._btcpay_get_store_id(),
            btcpay_refund_server_url=self.provider_id.sudo().btcpay_server_url,
            btcpay_refund_variant=variant,
            btcpay_refund_fee_amount=fee_amount,
            btcpay_refund_is_mailed=mail_customer,
            btcpay_credit_note_id=credit_note and credit_note.id,
            btcpay_requested_at=fields.Datetime.now(),
        )
        # Other systems may use the same references in the same store; 50 characters at most.
        name = f'Refund {refund.reference[:32]} ({key or secrets.token_hex(4)})'
        refund.write({
            'btcpay_refund_name': name,
            'btcpay_refund_request': {
                'name': name,
                'description': description or root._btcpay_get_refund_text(),
                **what,
                **({'payoutMethods': list(methods)} if methods else {}),
            },
        })
        refund._log_sent_message()
        end_transaction(self.env)
        try:
            refund._btcpay_send_refund()
        except BTCPayError as error:
            if not error.is_temporary:
                raise
            refund._btcpay_note(_(
                "The BTCPay Server did not answer whether it made the refund %s. Odoo finds out and"
                " completes it by itself.", refund.reference,
            ))
            end_transaction(self.env)
        return refund

    def _btcpay_settle_unanswered_refunds(self, amount, variant, credit_note=None):
        """Find out what became of refunds whose making was not answered, before another is made.

        :param float amount: The amount that is to be refunded now, fee included.
        :param str variant: What the customer is to get, see `btcpay_refund_variant`.
        :param account.move credit_note: The credit note that is to be paid back by it.
        :return: The refund that was asked for before and was made; empty if there is none.
        :rtype: payment.transaction
        :raise UserError: If it is not known yet, or if it was another one that was made.
        """
        self.ensure_one()
        for refund in self._btcpay_get_refunds().filtered(lambda tx: tx.state == 'draft'):
            try:
                refund._btcpay_complete_refund()
            except BTCPayError as error:
                if refund.state == 'draft':
                    raise UserError(_(
                        "The BTCPay Server has not answered yet whether it made the refund"
                        " %(reference)s. Odoo finds out by itself; no other refund can be made"
                        " until then. %(reason)s",
                        reference=refund.reference, reason=error.args[0],
                    )) from error
            if refund.state == 'draft':
                raise UserError(_(
                    "The refund %s is just being made. Try again in half a minute.",
                    refund.reference,
                ))
            if refund.state == 'pending':
                before = refund._btcpay_get_given_back()
                if (
                    refund.btcpay_refund_variant == variant
                    and refund.btcpay_credit_note_id.ids == (credit_note.ids if credit_note else [])
                    and self.currency_id.compare_amounts(before, amount) == 0
                ):
                    return refund
                raise UserError(_(
                    "The refund %(reference)s over %(amount)s, of which the BTCPay Server had not"
                    " answered, was made after all. Look at it before you make another one.",
                    reference=refund.reference, amount=self.currency_id.format(before),
                ))
        return self.browse()

    def _btcpay_find_refund_of(self, key):
        """Return the refund that was made by a key: the person may press again, or the browser may
        have to, after the answer to the first time was lost.

        :param str|None key: The key.
        :return: The refund; empty if there is none, or if it was refused.
        :rtype: payment.transaction
        """
        self.ensure_one()
        return self._btcpay_get_refunds().filtered(
            lambda tx: key and tx.state != 'error'
            and (tx.btcpay_refund_name or '').endswith(f'({key})')
        )[:1]

    def _btcpay_check_refund(self, amount, credit_note=None):
        """Check that an amount can be given back, whatever Odoo or the server would allow.

        Note: the transaction is locked.

        :param float amount: The amount, fee included.
        :param account.move credit_note: The credit note that is paid back by it.
        :return: None
        :raise UserError: If it cannot.
        """
        self.ensure_one()
        sums = self._btcpay_get_refund_sums()
        if not sums['received']:
            raise UserError(_(
                "Nothing was received for %s at the BTCPay Server, so that there is nothing to"
                " refund. If the invoice was marked as settled, give back what was paid the way it"
                " was paid.", self.reference,
            ))
        # What is not confirmed may still vanish, whatever the server would refund.
        if (
            self.btcpay_status not in ('Settled', 'Invalid', 'Expired')
            or not self._btcpay_is_confirmed()
        ):
            raise UserError(_(
                "The payment %s is not confirmed yet. It can be refunded once it is.",
                self.reference,
            ))
        compare = self.currency_id.compare_amounts
        if compare(amount, 0) <= 0 or compare(amount, sums['available']) > 0:
            raise UserError(_(
                "The refund must be more than zero and at most %(available)s: %(received)s was"
                " received, %(refunded)s was refunded and %(underway)s is underway.",
                **{key: self.currency_id.format(value) for key, value in sums.items()},
            ))
        if credit_note:
            credit_note._btcpay_check_refund(self, amount)

    # === BOOKS === #

    def _btcpay_book_receipts(self):
        """Have what was received booked before anything of it is given back: the framework does
        not book a transaction any more that has finished children.

        :return: None
        :raise BTCPayError: If it cannot be booked now.
        """
        self.ensure_one()
        for tx in self._btcpay_get_receipts().filtered(lambda tx: not tx.is_post_processed):
            end_transaction(self.env)
            tx._btcpay_as_odoo()._btcpay_try_to_confirm()
            end_transaction(self.env)
            if not tx.is_post_processed:
                raise BTCPayError(_(
                    "The payment %(reference)s is not booked yet, so that it cannot be refunded."
                    " %(reason)s Try again when it is.",
                    reference=tx.reference, reason=tx.btcpay_confirm_error or '',
                ), code='busy')

    def _btcpay_book_receipt_for_refund(self, amount):
        """Book what is given back though its receipt is not booked: a surplus, or money of a
        payment that failed. Else the books would show money out that never came in.

        Such a receipt has no order: what is given back must not confirm it.

        Note: the transaction is locked.

        :param float amount: The amount to give back.
        :return: The transaction that the refund is made of.
        :rtype: payment.transaction
        """
        self.ensure_one()
        receipts = self._btcpay_get_receipts()
        unbooked = self.btcpay_paid_amount - sum(receipts.mapped('amount'))
        missing = self.currency_id.round(min(amount, unbooked))
        if missing > 0:
            receipt = self._create_child_transaction(
                missing, provider_reference=self.provider_reference, operation='offline'
            )
            receipt._set_done()
            receipt._btcpay_as_odoo()._post_process()
            if self.currency_id.compare_amounts(missing, amount) == 0:
                return receipt
            receipts |= receipt
        return self if self in receipts else receipts.sorted('amount')[-1:]
