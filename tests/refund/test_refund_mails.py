import re
from contextlib import contextmanager
from smtplib import SMTPServerDisconnected
from unittest.mock import Mock, patch

from odoo.tests import tagged
from odoo.tools import html2plaintext

from odoo.addons.payment_btcpay.greenfield import PullPayment
from odoo.addons.payment_btcpay.tests.common import BTCPayCommon
from odoo.addons.payment_btcpay.tests.refund.refund_common import RefundMixin


@tagged('post_install', '-at_install')
class TestRefundMails(RefundMixin, BTCPayCommon):
    """What the customer is told."""

    def _text(self, message):
        return ' '.join(html2plaintext(message.body).split())

    def test_when_a_refund_is_made_then_its_link_is_mailed(self):
        order = self._create_order()
        refund = self._paid(order)._btcpay_request_refund(50)
        [mail] = self._refund_mails(order)
        self.assertIn(order.transaction_ids.reference, mail.subject)
        self.assertIn(refund.btcpay_refund_link, mail.body)
        self.assertIn('50.00', self._text(mail))

    def test_when_the_link_is_only_shown_then_no_mail_is_sent_until_the_refund_is_paid(self):
        order = self._create_order()
        wizard = self._open_wizard(self._paid(order), delivery='show')
        refund = self._refund_by(wizard)
        self.assertFalse(self._refund_mails(order))
        self.assertTrue(refund.btcpay_refund_link)
        # Once it is paid they are told all the same.
        self._claim(refund)
        refund._btcpay_sync()
        self.assertIn("was paid", self._refund_mails(order).subject)

    def test_when_the_link_is_sent_again_then_it_is_mailed_only_while_it_can_be_claimed(self):
        order = self._create_order()
        refund = self._paid(order)._btcpay_request_refund(50)
        action = refund.action_btcpay_send_refund_link()
        self.assertEqual(action['params']['type'], 'success')
        self.assertEqual(len(self._refund_mails(order)), 2)
        self.assertIn(refund.btcpay_refund_link, self._refund_mails(order)[0].body)
        self.partner.email = False
        self._assert_refused(refund.action_btcpay_send_refund_link, "no email address")
        self.partner.email = 'a@example.com'
        self._claim(refund)
        refund._btcpay_sync()
        self._assert_refused(refund.action_btcpay_send_refund_link, "nothing to claim")

    def test_when_the_mail_could_not_be_sent_then_the_button_says_so(self):
        order = self._create_order()
        refund = self._paid(order)._btcpay_request_refund(50)
        self.env.ref('payment_btcpay.mail_template_refund').unlink()
        action = refund.action_btcpay_send_refund_link()
        self.assertEqual(action['params']['type'], 'danger')
        self.assertIn("was not mailed", action['params']['message'])
        self.assertEqual(len(self._refund_mails(order)), 1)

    @contextmanager
    def _mail_server(self, **method):
        """Have mails sent, by a server of which one method does something else."""
        server = type(self.env['ir.mail_server'])
        with (
            patch.object(server, '_disable_send', return_value=False),
            patch.multiple(server, **{
                '_connect__': Mock(return_value=None),
                'send_email': Mock(return_value='message-id'),
                **method,
            }),
        ):
            yield

    def test_when_the_mail_does_not_leave_then_a_person_is_told_until_it_does(self):
        order = self._create_order()
        tx = self._paid(order)
        with self._mail_server(_connect__=Mock(side_effect=OSError("Connection refused"))):
            refund = tx._btcpay_request_refund(50)
        for _time in range(2):
            self._look(refund)
        self.assertEqual(refund.state, 'pending')
        self.assertEqual(len(order.activity_ids), 1)
        self.assertIn(
            f"The link to claim the refund {refund.reference} could not be mailed to"
            f" {self.partner.email}: Connection refused.", self._activities(order),
        )
        with self._mail_server():
            refund.action_btcpay_send_refund_link()
        self.assertFalse(self.env['mail.mail'].sudo().search([
            ('btcpay_refund_id', '=', refund.id),
        ]), "They have what is worth money.")
        self._look(refund)
        self.env.invalidate_all()
        self.assertFalse(order.activity_ids)

    def test_when_the_address_is_refused_then_a_person_is_told(self):
        order = self._create_order()
        tx = self._paid(order)
        self.partner.email = 'nobody'
        refused = AssertionError(self.env['ir.mail_server'].NO_VALID_RECIPIENT)
        with self._mail_server(send_email=Mock(side_effect=refused)):
            refund = tx._btcpay_request_refund(50)
        self._look(refund)
        self.assertIn("could not be mailed to nobody: ", self._activities(order))

    def test_when_the_mail_server_hangs_up_then_the_refund_is_shown_all_the_same(self):
        wizard = self._open_wizard(self._paid())
        commit, send = self.env.cr.commit, Mock()

        def commit_and_mail():
            commit()
            if send.called:  # Odoo lets this one through, after all was stored.
                send.reset_mock()
                raise SMTPServerDisconnected("Connection unexpectedly closed")

        with (
            patch.object(self.env.cr, 'commit', commit_and_mail),
            patch.object(type(self.env['mail.mail']), 'send_after_commit', send),
            self.assertLogs('odoo.addons.payment_btcpay.db', 'ERROR'),
        ):
            refund = self._refund_by(wizard)
        self.assertEqual(refund.state, 'pending')

    def test_when_the_template_was_deleted_then_a_person_is_told(self):
        self.env.ref('payment_btcpay.mail_template_refund').unlink()
        order = self._create_order()
        refund = self._paid(order)._btcpay_request_refund(50)
        self.assertEqual(refund.state, 'pending')
        self.assertFalse(self._refund_mails(order))
        self.assertIn("the mail template was deleted", self._activities(order))

    def test_when_the_refund_is_paid_out_in_full_then_a_second_mail_is_sent_once(self):
        order = self._create_order()
        refund = self._paid(order)._btcpay_request_refund(50)
        self._claim(refund, '12.00')
        refund._btcpay_sync()
        self.assertEqual(len(self._refund_mails(order)), 1)
        self._claim(refund)
        for _time in range(2):
            refund._btcpay_sync()
        mails = self._refund_mails(order)
        self.assertEqual(len(mails), 2)
        self.assertIn("was paid", mails[0].subject)
        for payout in refund.btcpay_payout_ids:
            self.assertIn(payout.destination, self._text(mails[0]))

    def test_when_the_refund_is_paid_on_chain_then_the_mail_has_the_id_of_the_transaction(self):
        order = self._create_order()
        refund = self._paid(order)._btcpay_request_refund(50)
        payout_id = self._claim(refund, pay=False)
        self.world.approve(payout_id)
        self.world.pay_payout(payout_id, proofType='Manual', id='ab' * 32)
        refund._btcpay_sync()
        self.assertIn(f'Transaction ID: {"ab" * 32}', self._text(self._refund_mails(order)[0]))
        # The proof of a Lightning payment is none.
        refund.btcpay_payout_ids.sudo().method = 'BTC-LN'
        self.assertFalse(refund.btcpay_payout_ids._get_txid())

    def test_when_a_refund_is_made_then_the_claim_page_is_titled_by_the_order(self):
        order = self._create_order()
        self._paid(order)._btcpay_request_refund(30)
        self._paid(self._create_order())._btcpay_request_refund(30)
        invoice, tx = self._invoiced()
        tx._btcpay_request_refund(30)
        number = r'^%s \([0-9a-f]{8}\)$'
        newest, _other, oldest = [each['name'] for each in self._pull_payments()]
        self.assertRegex(oldest, number % re.escape(order.name))
        self.assertRegex(newest, number % re.escape(invoice.name))

    def test_when_the_customer_has_no_email_address_then_the_link_is_shown(self):
        self.partner.email = False
        wizard = self._open_wizard(self._paid())
        self.assertEqual(wizard.delivery, 'show')
        self.assertEqual(self._refund_by(wizard).state, 'pending')

    def test_when_the_refund_can_be_claimed_by_lightning_then_the_mail_says_for_how_many_days(self):
        self.world.change_store(self.store_id, refundBOLT11Expiration=7)
        self.addCleanup(self.world.change_store, self.store_id, refundBOLT11Expiration=30)
        for methods, is_told in ((['BTC-LN'], True), (['BTC-CHAIN'], False), (None, True)):
            order = self._create_order()
            tx = self._paid(order, method='BTC-LN')
            tx._btcpay_request_refund(50, methods=methods)
            text = self._text(self._refund_mails(order)[0])
            self.assertEqual("valid for at least 7 days" in text, is_told)

    def test_when_the_days_of_lightning_come_as_a_string_then_they_are_read_all_the_same(self):
        """The server's documentation says that they are a string."""
        order = self._create_order()
        refund = self._paid(order, method='BTC-LN')._btcpay_request_refund(50, mail_customer=False)
        for days, stored in (('14', 14), (14, 14), (None, 0), ('x', 0), (True, 0)):
            refund.btcpay_pull_payment_id = False
            refund._btcpay_store_pull_payment(PullPayment.parse({
                'id': 'abc', 'amount': '50.00', 'currency': 'USD', 'BOLT11Expiration': days,
            }))
            self.assertEqual(refund.btcpay_bolt11_days, stored)

    def test_when_the_customer_has_another_language_then_the_claim_page_is_in_that_language(self):
        self.env['res.lang']._activate_lang('ja_JP')
        self.env['ir.module.module']._load_module_terms(['payment_btcpay'], ['ja_JP'])
        self.partner.lang = 'ja_JP'
        tx = self._paid()
        tx.partner_lang = 'ja_JP'
        wizard = self._open_wizard(tx)
        self.assertNotIn("Refund of", wizard.description)
        self.assertIn(tx.reference, wizard.description)
        tx._btcpay_request_refund(50)
        self.assertEqual(self._pull_payments()[0]['description'], wizard.description)

    def test_when_the_refund_is_in_bitcoin_then_the_mail_says_the_amount_in_bitcoin(self):
        order = self._create_order()
        self._paid(order)._btcpay_request_refund(100, variant='rate_then')
        self.assertIn('(0.002 BTC)', self._text(self._refund_mails(order)[0]))

    def test_when_the_mail_template_is_translated_then_the_customer_gets_the_translation(self):
        self.env['res.lang']._activate_lang('fr_FR')
        template = self.env.ref('payment_btcpay.mail_template_refund')
        template.with_context(lang='fr_FR').subject = "Remboursement: your refund {{ object.id }}"
        self.partner.lang = 'fr_FR'
        order = self._create_order()
        tx = self._paid(order)
        tx.partner_lang = 'fr_FR'
        tx._btcpay_request_refund(50)
        self.assertIn("Remboursement", self._refund_mails(order)[0].subject)

    def test_when_an_invoice_without_order_is_refunded_then_its_customer_gets_the_mail(self):
        invoice, tx = self._invoiced()
        tx._btcpay_request_refund(50)
        self.assertEqual(len(self._refund_mails(invoice)), 1)
