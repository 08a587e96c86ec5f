import re

import polib

from odoo.tests import tagged
from odoo.tools import file_path

from odoo.addons.payment_btcpay.tests.common import BTCPayCommon
from odoo.addons.payment_btcpay.tests.request.request_common import RequestMixin

# What is filled in, and the mark-up of mails and views.
PLACEHOLDERS = re.compile(r'%\([a-z_]+\)[a-z]|%[a-z]|\{\{.*?\}\}|<[^>]+>')


@tagged('post_install', '-at_install')
class TestTranslations(RequestMixin, BTCPayCommon):

    def _read(self, name):
        return polib.pofile(file_path(f'payment_btcpay/i18n/{name}'))

    def test_when_a_term_is_in_the_template_then_its_japanese_is_complete(self):
        japanese = {entry.msgid: entry for entry in self._read('ja.po')}
        template = self._read('payment_btcpay.pot')
        self.assertGreater(len(template), 400)
        for term in template:
            with self.subTest(term=term.msgid):
                self.assertIn(term.msgid, japanese)
                entry = japanese[term.msgid]
                self.assertTrue(entry.msgstr)
                self.assertFalse(entry.fuzzy)
                self.assertEqual(
                    sorted(PLACEHOLDERS.findall(entry.msgstr)),
                    sorted(PLACEHOLDERS.findall(term.msgid)),
                )

    def test_when_a_term_is_translated_then_it_is_in_the_template(self):
        terms = {entry.msgid for entry in self._read('payment_btcpay.pot')}
        self.assertLessEqual({entry.msgid for entry in self._read('ja.po')}, terms)

    def test_when_the_language_is_japanese_then_screens_code_and_mails_are_japanese(self):
        """In the screens, in the code and in the mail to the customer, whoever sends it."""
        self.env['res.lang']._activate_lang('ja_JP')
        self.env['ir.module.module'].search(
            [('name', '=', 'payment_btcpay')]
        )._update_translations(['ja_JP'])
        order = self._create_order()
        self._pay_order(order)
        order = order.with_context(lang='ja_JP')
        order.invalidate_recordset()
        self.assertEqual(order.btcpay_status_text, "支払済み")
        arch = order.get_view(self.env.ref('sale.view_order_form').id, 'form')['arch']
        self.assertIn("ビットコイン支払を依頼", arch)
        self.partner.write({'lang': 'ja_JP', 'email': 'yamada@example.com'})
        asked = self._create_order()
        action = asked.action_btcpay_request()
        self._send(self.env[action['res_model']].browse(action['res_id']))
        [mail] = asked.message_ids.filtered(lambda message: self.partner in message.partner_ids)
        self.assertEqual(mail.subject, f"{asked.name}: ビットコインでのお支払いのお願い")
        self.assertIn("お支払いくださいますようお願いいたします", mail.body)
