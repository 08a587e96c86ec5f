from odoo.tests import tagged

from odoo.addons.mail.tests.common import MockEmail
from odoo.addons.payment_btcpay.tests.common import BTCPayHttpCommon


@tagged('post_install', '-at_install')
class TestDonation(MockEmail, BTCPayHttpCommon):

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        if cls.env['ir.module.module']._get('website_payment').state != 'installed':
            cls.skipTest(cls, "There are no donations (module website_payment is not installed).")
        cls.env['website'].search([]).company_id = cls.env.company
        cls.env.company.email = 'office@example.com'

    def test_when_a_visitor_donates_then_it_is_paid_and_both_are_told(self):
        self.authenticate(None, None)
        donor = self.env['website'].get_current_website().user_id.partner_id
        with self.mock_mail_gateway():
            values = self._portal_transaction(
                tx_route='/donation/transaction/5', provider_id=self.btcpay.id,
                payment_method_id=self.payment_method_id, token_id=None, amount=25.0,
                currency_id=self.currency.id, partner_id=donor.id, flow='redirect',
                tokenization_requested=False, landing_route='/donation/confirm',
                reference_prefix='donation', is_validation=False,
                access_token=self._generate_test_access_token(donor.id, 25.0, self.currency.id),
                partner_details={
                    'name': "Donor", 'email': 'donor@example.com',
                    'country_id': self.country_belgium.id,
                },
                donation_comment="Well done", donation_recipient_email='shop@example.com',
            )
            self.env.invalidate_all()
            tx = self._get_tx(values['reference'])
            self.assertEqual((tx.amount, tx.is_donation, tx.state), (25, True, 'draft'))
            self.world.pay(tx.btcpay_invoice_id, method='BTC-LN')
            tx.btcpay_synced_at = False
            self.env.flush_all()
            self.make_jsonrpc_request('/payment/status/poll')
        self.env.invalidate_all()
        self.assertEqual((tx.state, tx.payment_id.amount), ('done', 25))
        mailed = {mail.email_to for mail in self._new_mails}
        self.assertEqual(mailed, {'shop@example.com', 'donor@example.com'})
        # Who donated is not told to the server.
        self.assertNotIn('donor@example.com', str(self.world.requests()))
