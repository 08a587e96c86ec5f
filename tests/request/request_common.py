from odoo.addons.payment_btcpay.tests.money_common import MoneyMixin


class RequestMixin(MoneyMixin):
    """What tests of requested payments need; for `BTCPayCommon`."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.env['ir.config_parameter'].sudo().set_param(
            'account_payment.enable_portal_payment', 'True'
        )
        cls.partner.email = 'customer@example.com'

    def _open_request(self, document, **values):
        """Return the wizard that asks for a payment of the document."""
        action = document.action_btcpay_request()
        wizard = document.env[action['res_model']].browse(action['res_id'])
        if values:
            wizard.write(values)
        return wizard

    def _send(self, wizard):
        """Press “Send by Email”, and “Send” in the composer that shows the mail."""
        action = wizard.action_send()
        composer = wizard.env[action['res_model']].with_context(**action['context']).create({})
        composer.action_send_mail()
        self.env.invalidate_all()

    def _requests(self, document):
        """Return the mailed requests, newest first."""
        return document.message_ids.filtered(
            lambda message: self.partner in message.partner_ids
            and "pay with Bitcoin" in (message.subject or '')
        )

    def _run_schedule(self):
        """Ask for what is due, as the scheduled action does."""
        self.env.cr.commit()
        self.env['account.move'].with_user(
            self.env.ref('base.user_root')
        )._cron_btcpay_request_due()
        self.env.invalidate_all()
