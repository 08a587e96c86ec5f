"""What a person has to decide of a payment, as lists search for it and banners show it."""
from odoo import api, fields, models
from odoo.fields import Domain

from odoo.addons.payment_btcpay.const import DECISIONS
from odoo.addons.payment_btcpay.utils import choose_foremost

#: what is to be decided, by the matter that is open; what is not here is `other`
BY_MATTER = {
    'invalid': 'invalid',
    'overpaid': 'overpaid',
    'double': 'double',
    'changed': 'changed',
    'canceled': 'canceled',
    'confirm': 'unconfirmed',
}


class PaymentTransaction(models.Model):
    _inherit = 'payment.transaction'

    # Stored by hand and not computed: a computed field of orders would cost the payments of other
    # providers queries.
    btcpay_decision = fields.Selection(
        string="To Decide", help="What a person has to decide of the Bitcoin payment.",
        selection=DECISIONS, readonly=True, copy=False, index='btree_not_null',
    )

    btcpay_decision_text = fields.Text(
        string="What Is to Be Decided", compute='_compute_btcpay_decision_text', compute_sudo=True
    )

    @api.depends('btcpay_decision', 'btcpay_review_matters')
    def _compute_btcpay_decision_text(self):
        for tx in self:
            tx.btcpay_decision_text = tx.btcpay_decision and tx._btcpay_get_decision_text()

    def _btcpay_note_decisions(self):
        """Store what is to be decided, on the transactions and on what they are for."""
        for tx in self.sudo():
            decision = tx._btcpay_choose_decision()
            if tx.btcpay_decision != decision:
                tx.btcpay_decision = decision
                root = tx._btcpay_get_root()
                root.sale_order_ids._btcpay_note_decision()
                (root.invoice_ids | tx.btcpay_credit_note_id)._btcpay_note_decision()

    def _btcpay_choose_decision(self):
        """Return the foremost of what is to be decided.

        :return: The decision; False for none.
        :rtype: str|bool
        """
        self.ensure_one()
        by_matter = {
            **BY_MATTER,
            'expired': 'late' if self.btcpay_additional_status == 'PaidLate' else 'partial',
        }
        decisions = {
            by_matter.get(matter, 'other') for matter in self._btcpay_get_undecided_matters()
        }
        if self.btcpay_claim_activity_id.active:
            decisions.add('claimed')
        return choose_foremost(decisions)

    def _btcpay_get_undecided_matters(self):
        """Return what was asked, is not settled, and nobody has closed.

        :return: What was asked by kind, see `btcpay_review_matters`.
        :rtype: dict[str, dict]
        """
        self.ensure_one()
        matters = self.sudo().btcpay_review_matters or {}
        return {
            matter: matters[matter] for matter in self._btcpay_get_open_matters()
            # Where activities are suppressed there is none to be closed.
            if not matters[matter]['activity_id']
            or self._btcpay_get_matter_activities(matters[matter])
        }

    def _btcpay_get_decision_text(self):
        """Return what happened and what is to be decided, a line for each.

        :rtype: str
        """
        lines = []
        for tx in self:
            lines += [asked['message'] for asked in tx._btcpay_get_undecided_matters().values()]
            if tx.btcpay_claim_activity_id.active:
                claims = tx._btcpay_find_waiting_claims()
                lines += [tx._btcpay_get_claims_note(*claims)] if claims[0] else []
        return '\n'.join(lines)

    def _btcpay_resolve(self):
        """Have nobody asked any more: a person has decided, and leaves it as it is."""
        for tx in self.sudo():
            undecided = tx._btcpay_get_undecided_matters()
            for asked in undecided.values():
                tx._btcpay_get_matter_activities(asked).action_feedback()
            tx._btcpay_settle_matters(*(
                matter for matter, asked in undecided.items() if not asked['activity_id']
            ))
            tx.btcpay_claim_activity_id.filtered('active').action_feedback()

    def action_btcpay_resolve(self):
        """Leave the payments as they are: what was to be decided is.

        The rights are those of accepting a payment.
        """
        self.check_access('write')
        self._btcpay_resolve()

    def action_btcpay_view_document(self):
        """Open the order, invoice or customer on which the payment is decided.

        :rtype: dict
        """
        self.ensure_one()
        self.check_access('read')
        document = self.sudo()._btcpay_get_document()
        return {
            'type': 'ir.actions.act_window',
            'res_model': document._name,
            'res_id': document.id,
            'views': [(False, 'form')],
        }

    def _btcpay_count_decisions(self):
        """Return of how many payments the user has something to decide, for the counter.

        :return: The number; None for those who do not see payments.
        :rtype: int|None
        """
        if not self.has_access('read') or not self.env.user._is_internal():
            return None
        return self.search_count(Domain('btcpay_decision', '!=', False))
