from odoo import _, api, fields, models
from odoo.exceptions import UserError

from odoo.addons.payment_btcpay.const import DECISIONS
from odoo.addons.payment_btcpay.utils import choose_foremost


class BTCPayDecisionMixin(models.AbstractModel):
    """What has to be decided of the Bitcoin payments of a sales order or an invoice: its banner.

    It is the shop's affair alone: customers read their documents, too, by calls of Odoo's API.
    Documents of which nothing is to be decided cost no query.
    """

    _name = 'btcpay.decision.mixin'
    _inherit = 'btcpay.document.mixin'
    _description = "Document of Whose Bitcoin Payments Something Is to Be Decided"

    # Stored by hand, see `btcpay_decision` of transactions.
    btcpay_decision = fields.Selection(
        string="Bitcoin: To Decide",
        help="What a person has to decide of the Bitcoin payments.",
        selection=DECISIONS, readonly=True, copy=False, index='btree_not_null',
        groups='base.group_user',
    )
    btcpay_decision_text = fields.Text(
        string="What Is to Be Decided", compute='_compute_btcpay_decision', compute_sudo=True,
        groups='base.group_user',
    )
    btcpay_can_accept_late = fields.Boolean(
        string="Late Payment Can Be Accepted", compute='_compute_btcpay_decision',
        compute_sudo=True, groups='base.group_user',
    )
    btcpay_can_accept_partial = fields.Boolean(
        string="Partial Payment Can Be Accepted", compute='_compute_btcpay_decision',
        compute_sudo=True, groups='base.group_user',
    )
    btcpay_can_refund_decided = fields.Boolean(
        string="What Is to Be Decided Can Be Refunded", compute='_compute_btcpay_decision',
        compute_sudo=True, groups='base.group_user',
    )

    @api.depends('btcpay_decision', 'transaction_ids.btcpay_sync_count')
    def _compute_btcpay_decision(self):
        for document in self:
            undecided = document._btcpay_get_undecided()
            document.btcpay_decision_text = undecided._btcpay_get_decision_text()
            document.btcpay_can_accept_late = any(undecided.mapped('btcpay_can_accept_late'))
            document.btcpay_can_accept_partial = any(undecided.mapped('btcpay_can_accept_partial'))
            document.btcpay_can_refund_decided = any(undecided.mapped('btcpay_can_refund'))

    # === WHAT IS TO BE DECIDED === #

    def _btcpay_note_decision(self):
        """Store what is foremost of what is to be decided of the payments and refunds."""
        for document in self.sudo():
            decision = choose_foremost(set(
                document._btcpay_get_decidable().mapped('btcpay_decision')
            ))
            if document.btcpay_decision != decision:
                document.btcpay_decision = decision

    def _btcpay_get_decidable(self):
        """Return the payments and refunds of which something may be to be decided.

        :return: The transactions, in sudo mode.
        :rtype: payment.transaction
        """
        return self._btcpay_get_invoice_transactions() | self._btcpay_get_refunds()

    def _btcpay_get_undecided(self):
        """Return the payments and refunds of which something is to be decided.

        :return: The transactions, in sudo mode.
        :rtype: payment.transaction
        """
        return self.filtered('btcpay_decision')._btcpay_get_decidable().filtered('btcpay_decision')

    # === ACTION METHODS === #

    def action_btcpay_accept_late(self):
        """Accept the late payment of the document."""
        self.ensure_one()
        self.check_access('write')
        for tx in self._btcpay_get_invoice_transactions().filtered('btcpay_can_accept_late'):
            tx.action_btcpay_accept_late()

    def action_btcpay_accept_partial(self):
        """Accept the partial payment of the document, and ask the customer for the amount due."""
        self.ensure_one()
        self.check_access('write')
        for tx in self._btcpay_get_invoice_transactions().filtered('btcpay_can_accept_partial'):
            tx.action_btcpay_accept_partial()

    def action_btcpay_accept(self):
        """Accept what came late or in part, even if nobody is asked about it any more.

        :raise UserError: If there is nothing to accept.
        """
        self.ensure_one()
        self.check_access('write')
        if not self._btcpay_get_invoice_transactions().filtered(
            lambda tx: tx.btcpay_can_accept_late or tx.btcpay_can_accept_partial
        ):
            raise UserError(_(
                "No late or partial Bitcoin payment of %s can be accepted: there is none, or it is"
                " not confirmed yet.", self.display_name,
            ))
        self.action_btcpay_accept_late()
        self.action_btcpay_accept_partial()

    def action_btcpay_refund_decided(self):
        """Open the wizard that refunds the payment of which something is to be decided.

        :return: The action: of the wizard, or of the payments to choose from.
        :rtype: dict
        """
        self.ensure_one()
        self.check_access('read')
        refundable = self._btcpay_get_undecided().filtered('btcpay_can_refund')
        if len(refundable) != 1:
            return self._btcpay_open_transactions(refundable or self._btcpay_get_undecided())
        is_overpaid = refundable.btcpay_decision == 'overpaid'
        return self.env['btcpay.refund.wizard']._open(
            refundable.sudo(self.env.su), **({'scope': 'overpayment'} if is_overpaid else {})
        )

    def action_btcpay_view_undecided(self):
        """Open the payments and refunds of which something is to be decided.

        :rtype: dict
        """
        self.ensure_one()
        self.check_access('read')
        return self._btcpay_open_transactions(self._btcpay_get_undecided())

    def action_btcpay_resolve(self):
        """Leave the payments of the document as they are: what was to be decided is."""
        self.ensure_one()
        self.check_access('write')
        self._btcpay_get_undecided()._btcpay_resolve()
