"""What debug mode has kept of a transaction; each change of its state is logged in any case."""
from odoo import fields, models
from odoo.fields import Domain

from odoo.addons.payment.logging import get_payment_logger
from odoo.addons.payment_btcpay import const
from odoo.addons.payment_btcpay.greenfield.text import first_line

_logger = get_payment_logger(__name__, sensitive_keys=const.SENSITIVE_KEYS)


class PaymentTransaction(models.Model):
    _inherit = 'payment.transaction'

    btcpay_log_count = fields.Integer(
        string="Debug Log Entries", compute='_compute_btcpay_log_count', groups='base.group_system'
    )

    def _compute_btcpay_log_count(self):
        for tx in self:
            tx.btcpay_log_count = tx.provider_code == 'btcpay' and self.env[
                'btcpay.log.entry'
            ].search_count(tx._btcpay_get_log_domain())

    def action_btcpay_view_log(self):
        """Open what debug mode has kept of the transaction and of its refunds.

        :rtype: dict
        """
        self.ensure_one()
        return self.env['btcpay.log.entry']._open(list(self._btcpay_get_log_domain()))

    def _btcpay_get_log_domain(self):
        """Return which entries of the debug log are about the transaction or its refunds.

        :rtype: Domain
        """
        self.ensure_one()
        references = (self | self.child_transaction_ids).mapped('reference')
        return Domain('provider_id', '=', self.provider_id.id) & Domain(
            'reference', 'in', references
        )

    # === STATE CHANGES === #

    def _btcpay_log_states(self, before):
        """Log which states have changed.

        :param dict before: The states of before, by transaction.
        """
        for tx, state in before.items():
            if tx.state != state and tx.provider_code == 'btcpay':
                _logger.info(
                    "Transaction %(ref)s went from state %(before)s to state %(after)s.",
                    {'ref': tx.reference, 'before': state, 'after': tx.state},
                )

    def _btcpay_log_invoice(self, before, after):
        """Log what has changed of the invoice.

        :param tuple before: Its status, additional status and amount received of before.
        :param tuple after: The same, now.
        """
        if before != after:
            _logger.info(
                "The invoice of transaction %(ref)s went from %(before)s to %(after)s.",
                {
                    'ref': self.reference,
                    'before': first_line(self._btcpay_name_status(*before)),
                    'after': first_line(self._btcpay_name_status(*after)),
                },
            )

    @staticmethod
    def _btcpay_name_status(status, additional_status, paid_amount):
        return f'{status or "nothing"}/{additional_status or "None"}, {paid_amount} paid'
