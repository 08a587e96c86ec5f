from datetime import timedelta

from lxml.html import fromstring

from odoo.tests import tagged
from odoo.tools import html2plaintext

from odoo.addons.payment_btcpay.tests.common import BTCPayCommon
from odoo.addons.payment_btcpay.tests.money_common import MoneyMixin


@tagged('post_install', '-at_install')
class TestOrderMails(MoneyMixin, BTCPayCommon):
    """The customer gets one mail of what became of their payment: ours, or Odoo's own."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.partner.email = 'customer@example.com'

    def setUp(self):
        super().setUp()
        self.order = self._create_order(require_payment=True, prepayment_percent=1.0)
        self.tx = self._create_btcpay_transaction(self.order)
        self.env.cr.commit()
        self.known = self.order.message_ids

    def _assert_mailed(self, *expected):
        """Check which mails the customer got since the last time, by a part of their subjects."""
        self._post_process()
        new = (self.order.message_ids - self.known).sorted('id')
        self.known |= new
        subjects = new.filtered(lambda m: self.partner in m.notified_partner_ids).mapped('subject')
        self.assertEqual(len(subjects), len(expected), subjects)
        for subject, part in zip(subjects, expected, strict=True):
            self.assertIn(part, subject)

    def _pay(self, tx=None, mine=True, **values):
        tx = tx or self.tx
        self.world.pay(tx.btcpay_invoice_id, **values)
        if mine:
            self.world.mine()
        self._look(tx)

    def test_when_a_partial_payment_is_received_then_one_mail_names_the_amount_due(self):
        self._pay(fraction='0.4')
        self._assert_mailed("60.00 by Lightning is still due")
        # All else is done that Odoo does when something is pending.
        self.assertEqual((self.tx.state, self.order.state), ('pending', 'sent'))
        self.assertTrue(self.tx.is_post_processed)
        self._pay()
        self._assert_mailed("Order (Ref")
        self.assertEqual(self.order.state, 'sale')

    def test_when_a_mail_says_until_when_then_it_is_by_the_customers_clock_without_seconds(self):
        self.partner.tz, self.order.company_id.partner_id.tz = 'Asia/Tokyo', 'Europe/Berlin'
        self._pay(fraction='0.4')
        self._post_process()
        expires_at = self.tx.btcpay_expires_at
        for zone, hours in (('Asia/Tokyo', 9), (False, None)):
            self.partner.tz = zone
            text = self.tx._btcpay_get_expiry_text()
            if hours:
                local = expires_at + timedelta(hours=hours)
                clock = f'{local:%m/%d/%Y} {local.hour % 12 or 12}:{local:%M}\u202f{local:%p}'
                self.assertEqual(text, f'{clock} (Asia/Tokyo)')
                self.assertIn(
                    ' '.join(text.split()),
                    ' '.join(html2plaintext(self._get_newest_mail().body).split()),
                )
            else:
                self.assertIn('(Europe/Berlin)', text)
        # As of a system that has newer names of time zones than another had before.
        self.partner.flush_recordset()
        self.env.cr.execute(
            "UPDATE res_partner SET tz = 'Asia/Nowhere' WHERE id = %s", [self.partner.id])
        self.partner.invalidate_recordset()
        self.assertEqual(self.tx._btcpay_get_expiry_text(), (
            f'{expires_at:%m/%d/%Y} {expires_at.hour % 12 or 12}:{expires_at:%M}'
            f'\u202f{expires_at:%p} (UTC)'
        ))

    def test_when_the_shop_has_its_own_colors_then_the_buttons_of_all_mails_have_them(self):
        self._pay()
        self._post_process()
        refund = self.tx._btcpay_request_refund(50)
        company = self.order.company_id
        company.write({'email_primary_color': '#012345', 'email_secondary_color': '#FEDCBA'})
        templates = self.env['mail.template'].search([]).filtered(
            lambda template: template.get_external_id()[template.id].startswith('payment_btcpay.')
        )
        self.assertEqual(len(templates), 8)
        buttons = 0
        for template in templates:
            record = {
                'payment.transaction': refund if 'Refund' in template.name else self.tx,
                'sale.order': self.order,
            }.get(template.model) or self._create_invoice()
            with self.subTest(template.name):
                body = template._render_field('body_html', record.ids)[record.id]
                self.assertNotIn('#875A7B', body)
                for link in fromstring(f'<div>{body}</div>').iter('a'):
                    buttons += 1
                    self.assertIn('background-color: #FEDCBA; color: #012345', link.get('style'))
                subject = template._render_field('subject', record.ids)[record.id]
                for text in (subject, html2plaintext(body)):
                    self.assertTrue(text[0].isupper() or text[0].isdigit(), text)
        self.assertGreaterEqual(buttons, 4)

    def _get_newest_mail(self):
        return self.order.message_ids.filtered(
            lambda m: self.partner in m.notified_partner_ids
        ).sorted('id')[-1]

    def test_when_the_amount_due_follows_at_once_then_the_pending_order_is_mailed_too(self):
        self._pay(fraction='0.4', mine=False)
        self._pay(mine=False)
        self._assert_mailed("60.00 by Lightning is still due", "Pending Order")

    def test_when_the_full_payment_is_unconfirmed_then_the_pending_order_is_mailed(self):
        self._pay(mine=False)
        self._assert_mailed("Pending Order")

    def test_when_the_payment_was_replaced_then_no_mail_is_sent(self):
        txid = self.world.pay(self.tx.btcpay_invoice_id, replaceable=True)
        self._look(self.tx)
        self.world.replace(txid)
        self.world.mine()
        self._look(self.tx)
        self.assertEqual(self.tx.state, 'pending')
        self._assert_mailed()

    def test_when_a_partial_payment_is_accepted_then_one_mail_says_so(self):
        self._pay(fraction='0.4')
        self.world.expire(self.tx.btcpay_invoice_id)
        self._look(self.tx)
        self._assert_mailed("is still due")
        self.tx.action_btcpay_accept_partial()
        self._assert_mailed("your partial payment was accepted")
        self.assertEqual(self.order.amount_paid, 40)

    def test_when_an_accepted_partial_payment_confirms_the_order_then_both_are_mailed(self):
        self.order.prepayment_percent = 0.4
        self._pay(fraction='0.4')
        self.world.expire(self.tx.btcpay_invoice_id)
        self._look(self.tx)
        self._assert_mailed("is still due")
        self.tx.action_btcpay_accept_partial()
        self._assert_mailed("your partial payment was accepted", "Order (Ref")
        self.assertEqual(self.order.state, 'sale')

    def test_when_the_paid_order_became_more_expensive_then_the_amount_due_is_mailed(self):
        self.world.pay(self.tx.btcpay_invoice_id)
        self.order.order_line.price_unit = 120
        self.world.mine()
        self._look(self.tx)
        self._assert_mailed("the amount due of your changed order")

    def test_when_a_requested_part_is_paid_then_only_odoos_order_mail_is_sent(self):
        tx = self._create_btcpay_transaction(self.order, amount=30)
        self._pay(tx)
        self._assert_mailed("Order (Ref")
        self.assertEqual(self.order.state, 'draft')

    def test_when_another_providers_payment_is_pending_then_odoos_own_mail_is_sent(self):
        self._create_other_transaction(self.order, amount=30)._set_pending()
        self._assert_mailed("Pending Order")
