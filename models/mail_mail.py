from odoo import fields, models


class MailMail(models.Model):
    """The mail that has the link of a refund is on no document that shows whether it was sent."""

    _inherit = 'mail.mail'

    # Who could write it, administrators, may do anything with mails.
    btcpay_refund_id = fields.Many2one(
        string="Bitcoin Refund", comodel_name='payment.transaction', readonly=True, copy=False,
        index='btree_not_null',
    )

    def _postprocess_sent_message(
        self, success_pids, success_emails, failure_reason=False, failure_type=None
    ):
        """Override of `mail` to keep what failed, also by its address, until the refund tells."""
        self.sudo().filtered('btcpay_refund_id').auto_delete = not failure_type
        return super()._postprocess_sent_message(
            success_pids, success_emails, failure_reason=failure_reason, failure_type=failure_type
        )
