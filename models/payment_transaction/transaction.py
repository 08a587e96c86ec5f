from functools import partial

from odoo import api, fields, models

from odoo.addons.payment_btcpay import const
from odoo.addons.payment_btcpay.greenfield import first_line


class PaymentTransaction(models.Model):
    """The fields, but for those of refunds, and all that overrides Odoo's own; each concern has a
    file of its own."""

    _name = 'payment.transaction'
    _inherit = ['payment.transaction', 'btcpay.protected.mixin', 'btcpay.apart.mixin']

    # === THE INVOICE === #

    btcpay_invoice_id = fields.Char(
        string="BTCPay Invoice", readonly=True, copy=False, index='btree_not_null'
    )
    # The store of the time of the payment: the provider may be connected with another one later.
    btcpay_store_id = fields.Char(
        string="BTCPay Store", readonly=True, copy=False, groups='base.group_system'
    )
    # By which an invoice is known to be this transaction's, of this database: others may use the
    # same store and the same references.
    btcpay_invoice_token = fields.Char(
        string="Invoice Token", readonly=True, copy=False, groups='base.group_system'
    )
    btcpay_requested_at = fields.Datetime(
        string="Requested on",
        help="When the server was asked to make the invoice, whether it answered or not.",
        readonly=True, copy=False,
    )
    btcpay_checkout_problem = fields.Char(
        string="Not Started Because",
        help="Why the store at the BTCPay Server made no invoice, in the server's own words.",
        readonly=True, copy=False,
    )
    btcpay_checkout_link = fields.Char(string="Invoice Page", readonly=True, copy=False)
    btcpay_server_link = fields.Char(
        string="Invoice at the Server", compute='_compute_btcpay_server_link', compute_sudo=True,
        groups='account.group_account_invoice,base.group_system',
    )
    btcpay_status = fields.Char(
        string="Invoice Status", help="The invoice's `status` at the BTCPay Server.",
        readonly=True, copy=False,
    )
    btcpay_additional_status = fields.Char(
        string="Additional Invoice Status",
        help="The invoice's `additionalStatus` at the BTCPay Server.",
        readonly=True, copy=False,
    )
    btcpay_status_text = fields.Char(
        string="Bitcoin Status", compute='_compute_btcpay_status_text', compute_sudo=True
    )
    btcpay_asked_amount = fields.Monetary(
        string="Requested Amount",
        help="What the server asks the customer for: it rounds amounts to digits of its own.",
        currency_field='currency_id', readonly=True, copy=False,
    )
    btcpay_paid_amount = fields.Monetary(
        string="Received", help="What the server has received for the invoice.",
        currency_field='currency_id', readonly=True, copy=False,
    )
    btcpay_due_amount = fields.Monetary(
        string="Amount Due", help="What was asked for and has not been received.",
        currency_field='currency_id', readonly=True, copy=False,
    )
    # By payment method, as decimal strings: the server deducts a network fee of further payments.
    btcpay_dues = fields.Json(string="Due by Payment Method", readonly=True, copy=False)
    btcpay_due_text = fields.Char(
        string="To Be Paid Next", help="What the customer has to send, network fees included.",
        compute='_compute_btcpay_due_text',
    )
    btcpay_overpaid_amount = fields.Monetary(
        string="Overpayment", help="What was received beyond what was asked for.",
        currency_field='currency_id', readonly=True, copy=False,
    )
    btcpay_difference_amount = fields.Monetary(
        string="Not Received",
        help="What of the amount was not received, though the transaction counts as paid.",
        currency_field='currency_id', readonly=True, copy=False,
    )
    btcpay_write_off_amount = fields.Monetary(
        string="Written Off",
        help="What of the difference was written off; taken back by a refund of the whole.",
        currency_field='currency_id', readonly=True, copy=False,
    )
    btcpay_network_fee_amount = fields.Monetary(
        string="Network Fee",
        help="What the server took off for the network's fee of further payments: it is in the"
             " wallet, but does not count for the order.",
        currency_field='currency_id', readonly=True, copy=False,
    )
    btcpay_expires_at = fields.Datetime(string="Invoice Expires", readonly=True, copy=False)
    btcpay_monitored_until = fields.Datetime(
        string="Monitored Until",
        help="Until then the server watches for payments of the invoice.",
        readonly=True, copy=False,
    )
    btcpay_payment_ids = fields.One2many(
        string="Payments Received", comodel_name='btcpay.payment', inverse_name='transaction_id',
        readonly=True,
    )
    btcpay_delivery_ids = fields.One2many(
        string="Webhook Deliveries", comodel_name='btcpay.delivery', inverse_name='transaction_id',
        readonly=True, groups='base.group_system',
    )

    # === SYNC === #

    btcpay_synced_at = fields.Datetime(string="Last Sync", readonly=True, copy=False)
    # When the server was asked last because of a page, whether it answered or not.
    btcpay_asked_at = fields.Datetime(string="Last Asked", readonly=True, copy=False)
    btcpay_next_sync_at = fields.Datetime(
        string="Next Sync", help="Empty where the server will have nothing new to say.",
        readonly=True, copy=False,
    )
    btcpay_are_payments_due = fields.Boolean(
        string="Payments to Be Read", help="What was paid is known, but not yet by which payments.",
        readonly=True, copy=False,
    )
    # The documents do not say yet that it is paid: the post-processing logs it.
    btcpay_is_confirmation_unlogged = fields.Boolean(
        string="Confirmation to Be Logged", readonly=True, copy=False
    )
    # Counts what was applied, to notice that somebody else's answer came in between.
    btcpay_sync_count = fields.Integer(string="Syncs", aggregator=None, readonly=True, copy=False)
    # What is to be done at the server is stored first, and done afterwards without holding a lock:
    # where the network fails in between, the scheduled action finishes it.
    btcpay_pending_action = fields.Selection(
        string="Pending Action",
        selection=[
            ('invalidate', "Invalidate the invoice"),
            ('discard', "Invalidate the invoice, which is not what was asked for"),
            ('accept_late', "Accept the late payment"),
            ('accept_late_unchanged', "Accept the late payment if nothing else has changed"),
        ],
        readonly=True, copy=False, index='btree_not_null',
    )
    btcpay_invalidated_at = fields.Datetime(string="Invoice Invalidated", readonly=True, copy=False)
    btcpay_accepted_at = fields.Datetime(
        string="Late Payment Accepted", help="When Odoo marked the invoice as settled.",
        readonly=True, copy=False,
    )

    # === THE DOCUMENTS === #

    # Administrators who read no orders open the form as well, which has the number of them.
    sale_order_ids_nbr = fields.Integer(compute_sudo=True)
    btcpay_documents_total = fields.Monetary(
        string="Total at Checkout",
        help="What the order or invoice came to when the transaction began.",
        currency_field='currency_id', aggregator=None, readonly=True, copy=False,
    )
    btcpay_is_repeated = fields.Boolean(
        string="Paid Again on Purpose",
        help="The customer was told of the payment that is on its way, and paid all the same.",
        readonly=True, copy=False,
    )
    btcpay_seen_transaction_id = fields.Many2one(
        string="Payment Seen Before", comodel_name='payment.transaction', readonly=True, copy=False,
    )
    btcpay_root_id = fields.Many2one(
        string="Bitcoin Payment",
        help="The transaction that has the invoice, where this one is a refund or a part of it.",
        comodel_name='payment.transaction', readonly=True, copy=False, index='btree_not_null',
    )
    btcpay_can_accept_partial = fields.Boolean(
        string="Partial Payment Can Be Accepted", compute='_compute_btcpay_can_accept'
    )
    btcpay_can_accept_late = fields.Boolean(
        string="Late Payment Can Be Accepted", compute='_compute_btcpay_can_accept'
    )
    btcpay_is_handled = fields.Boolean(
        string="Booked and Confirmed",
        help="Whether the payment was booked and the order, if there is one, confirmed.",
        readonly=True, copy=False,
    )
    btcpay_confirm_tries = fields.Integer(
        string="Failed Tries", aggregator=None, readonly=True, copy=False
    )
    btcpay_confirm_at = fields.Datetime(string="Next Try", readonly=True, copy=False)
    btcpay_confirm_error = fields.Char(string="Not Confirmed Because", readonly=True, copy=False)

    # === REVIEW === #

    btcpay_told_amount = fields.Monetary(
        string="Amount Told to the Customer",
        help="What had come in when the customer was last mailed that a part did.",
        readonly=True, copy=False,
    )
    btcpay_is_late_mailed = fields.Boolean(
        string="Customer Told of Late Payment", readonly=True, copy=False
    )
    btcpay_review_note = fields.Text(
        string="Needs Review", help="What Odoo could not settle by itself.",
        readonly=True, copy=False,
    )
    # What was asked of each matter: `message` and those `told` before, `activity_id`, and whether
    # it is `settled` by now.
    btcpay_review_matters = fields.Json(
        string="Matters to Review", readonly=True, copy=False, groups='base.group_system'
    )
    btcpay_review_activity_ids = fields.One2many(
        string="Review Activities", help="The activities by which somebody was asked.",
        comodel_name='mail.activity', inverse_name='btcpay_transaction_id',
        context={'active_test': False}, readonly=True, groups='base.group_system',
    )
    btcpay_is_resolved = fields.Boolean(
        string="Resolved", compute='_compute_btcpay_is_resolved', compute_sudo=True
    )

    _btcpay_invoice_uniq = models.UniqueIndex(
        '(provider_id, btcpay_invoice_id)'
        ' WHERE btcpay_invoice_id IS NOT NULL AND source_transaction_id IS NULL',
        "An invoice belongs to one transaction.",
    )
    _btcpay_pull_payment_uniq = models.UniqueIndex(
        '(provider_id, btcpay_pull_payment_id) WHERE btcpay_pull_payment_id IS NOT NULL',
        "A pull payment belongs to one refund.",
    )
    _btcpay_next_sync_idx = models.Index(
        '(provider_id, btcpay_next_sync_at) WHERE btcpay_next_sync_at IS NOT NULL'
    )
    _btcpay_payments_due_idx = models.Index('(id) WHERE btcpay_are_payments_due IS TRUE')
    _btcpay_unhandled_idx = models.Index(
        "(provider_id, btcpay_confirm_at) WHERE state = 'done' AND btcpay_is_handled IS NOT TRUE"
    )
    # Odoo's own, which has no index and runs each time that something is paid.
    _btcpay_post_process_idx = models.Index(
        '(last_state_change) WHERE is_post_processed IS NOT TRUE'
    )

    # === ODOO'S HOOKS === #

    @api.model_create_multi
    def create(self, vals_list):
        """Override of `payment` to have the customer's money be theirs, and to remember what the
        documents came to."""
        transactions = super().create([self._btcpay_name_customer(vals) for vals in vals_list])
        transactions.filtered(lambda tx: tx.provider_code == 'btcpay')._btcpay_begin()
        return transactions

    @api.private
    def modified(self, fnames, create=False, before=False):
        """Override to look for nothing that depends on our fields, all empty, where a transaction
        of another provider begins."""
        if create and 'btcpay' not in self.provider_id.mapped('code'):
            fnames = [name for name in fnames if name[:7] != 'btcpay_']  # No call for each.
        return super().modified(fnames, create=create, before=before)

    def write(self, vals):
        """Override of `payment` to let nobody make another provider's transaction one of ours, and
        to log each change of state."""
        before = {tx: tx.state for tx in self} if 'state' in vals else {}
        result = super().write(vals)
        self._btcpay_log_states(before)
        if 'provider_id' in vals:
            self._btcpay_check_written_by_odoo()
        return result

    def get_formview_id(self, access_uid=None):
        """Override to open refunds in Bitcoin in the form of their own."""
        if self.provider_code == 'btcpay' and self.operation == 'refund':
            return self.env.ref('payment_btcpay.btcpay_refund_form').id
        return super().get_formview_id(access_uid=access_uid)

    @api.model
    def _compute_reference(self, provider_code, prefix=None, separator='-', **kwargs):
        """Override of `payment` to keep references to one line of bounded length: the browser may
        bring what they begin with, and many invoices that are paid at once are all named."""
        compute = partial(super()._compute_reference, provider_code, separator=separator, **kwargs)
        reference = compute(prefix=prefix)
        if provider_code != 'btcpay':
            return reference
        line = first_line(reference, const.MAX_REFERENCE_LENGTH)
        if line == reference:
            return reference
        return compute(prefix=line)

    def _get_specific_processing_values(self, processing_values):
        """Override of `payment` to make the invoice before the redirect form is rendered."""
        if self.provider_code != 'btcpay':
            return super()._get_specific_processing_values(processing_values)
        self._btcpay_create_invoice()
        return {**self._btcpay_get_other_method_values(), **self._btcpay_get_modal_values()}

    def _get_specific_rendering_values(self, processing_values):
        """Override of `payment` to return the address of the invoice's page."""
        if self.provider_code != 'btcpay':
            return super()._get_specific_rendering_values(processing_values)
        return self._btcpay_get_checkout_values()

    def _extract_amount_data(self, payment_data):
        """Override of `payment` to compare amounts by ourselves, as the server rounds them."""
        if self.provider_code != 'btcpay':
            return super()._extract_amount_data(payment_data)
        return None

    def _validate_amount(self, payment_data):
        """Override of `payment` to flag an invoice that is not the transaction's for review."""
        if self.provider_code == 'btcpay' and self.operation != 'refund':
            self._btcpay_reject_invoice(payment_data['invoice'])
        return super()._validate_amount(payment_data)

    def _apply_updates(self, payment_data):
        """Override of `payment` to update the transaction based on the invoice, or the refund
        based on its pull payment."""
        if self.provider_code != 'btcpay':
            return super()._apply_updates(payment_data)
        if self.operation == 'refund':
            return self._btcpay_apply_refund(**payment_data)
        return self._btcpay_apply_invoice(**payment_data)

    def _update_source_transaction_state(self):
        """Override of `payment` to leave the source as it is: its parts never make it done."""
        others = self.filtered(lambda tx: tx.provider_code != 'btcpay')
        super(PaymentTransaction, others)._update_source_transaction_state()

    @api.model
    def _cron_post_process(self):
        """Override of `payment` to try again what is paid and not confirmed, and to read the
        payments that a webhook delivery did not wait for."""
        result = super()._cron_post_process()
        self._btcpay_confirm_due()
        self._btcpay_read_payments_due()
        return result

    def _post_process(self):
        """Override of `payment` to do once what scheduled actions and customers' pages do at once,
        and to look for payments that do not fit what they are for."""
        todo = self._btcpay_claim_post_processing()
        todo._btcpay_log_confirmation()
        told = todo.filtered(lambda tx: tx._btcpay_is_told_to_customer())
        super(PaymentTransaction, told.with_context(btcpay_is_told=True))._post_process()
        super(PaymentTransaction, todo - told)._post_process()
        todo._btcpay_finish_post_processing()

    def _create_payment(self, **extra_create_values):
        """Override of `account_payment` to book what was received, and to reconcile partial
        payments and refunds."""
        if self.provider_code != 'btcpay':
            return super()._create_payment(**extra_create_values)
        if self._btcpay_is_nothing_to_book():
            return self.env['account.payment']
        payment = super()._create_payment(
            **{**self._btcpay_get_booking_values(), **extra_create_values}
        )
        if self.operation == 'refund':
            self._btcpay_reconcile_refund(payment)
        elif self.source_transaction_id:
            self._btcpay_reconcile_partial(payment)
        if self.operation != 'refund':
            # Orders are invoiced before they are paid, too.
            invoices = self.sale_order_ids.invoice_ids._btcpay_filter_payable()
            self._btcpay_reconcile_invoices(payment, invoices)
        return payment

    def _refund(self, amount_to_refund=None):
        """Override of `payment` to cap and lock, and not to take a timeout for a failure."""
        if self.provider_code != 'btcpay':
            return super()._refund(amount_to_refund=amount_to_refund)
        return self._btcpay_refund(amount_to_refund or self.amount)

    def _get_received_message(self):
        """Override of `payment` to say everything once, in words a salesperson understands."""
        message = self._btcpay_get_received_message() if self.provider_code == 'btcpay' else None
        return super()._get_received_message() if message is None else message

    def _log_message_on_linked_documents(self, message):
        """Override of `payment` for refunds of receipts that have no document of their own, and of
        credit notes."""
        super()._log_message_on_linked_documents(message)
        if self.provider_code != 'btcpay':
            return
        if self._btcpay_is_without_document():
            self.btcpay_root_id._log_message_on_linked_documents(message)
        if self.btcpay_credit_note_id:
            self._btcpay_log_on_credit_note(message)
