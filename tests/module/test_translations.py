import re

import polib

from odoo.tests import tagged
from odoo.tools import file_path
from odoo.tools.translate import TranslationModuleReader

from odoo.addons.payment_btcpay.tests.common import BTCPayCommon
from odoo.addons.payment_btcpay.tests.module.sources import read_module_only
from odoo.addons.payment_btcpay.tests.request.request_common import RequestMixin

LANGUAGES = {  # files by what Odoo calls the language
    'ja_JP': 'ja', 'de_DE': 'de', 'fr_FR': 'fr', 'es_ES': 'es', 'it_IT': 'it', 'pt_BR': 'pt_BR',
    'nl_NL': 'nl',
}
# What is filled in, and the mark-up of mails and views.
PLACEHOLDERS = re.compile(
    r'%\([a-z_]+\)[a-z]|%[a-z%]|\$?\{.*?\}\}?|</?[a-z][^>]*>|&lt;', re.DOTALL)
FORMAT = re.compile(r'%(?:\([a-z_]+\))?[a-z]')
EDGES = re.compile(r'^(\s*).*?(\s*)$', re.DOTALL)
# What is the same in the language: names, and words that it has from English or shares with it.
SAME = {
    'BTCPay Server', 'Bitcoin', 'Bitcoin / Lightning', 'Bitcoin:', 'Blockchain', 'ID', 'Lightning',
    'Pull Payments', 'Webhook', 'Webhook ID', 'https://btcpay.example.com', 'ms',
}
SAME_IN = {
    'ja_JP': set(),
    'de_DE': {
        'Code', 'Details', 'Explorer', 'Icon', 'Name', 'Partner', 'Server', 'Status', 'Store',
        'Stores',
    },
    'fr_FR': {
        'Code', 'Confirmation', 'Confirmations', 'Contact', 'Date', 'Destination', 'Messages',
        'Total', 'Transaction', 'Type', 'min', 'minutes',
    },
    'es_ES': {'No', 'Total', 'min'},
    'it_IT': {'Database', 'No', 'Partner', 'Server', 'min'},
    'pt_BR': {'Status', 'Total', 'min'},
    'nl_NL': {
        'Code', 'Contact', 'Database', 'Details', 'Document ID', 'Explorer', 'Partner', 'Server',
        'Status', 'Wizard',
    },
}


class CodeReader(TranslationModuleReader):
    """Terms of Python, JavaScript and its templates."""

    def _export_translatable_records(self):
        """Leave out what is stored: `make one` keeps old texts of mails."""


@tagged('post_install', '-at_install')
class TestTranslations(RequestMixin, BTCPayCommon):

    def _read(self, name):
        return polib.pofile(file_path(f'payment_btcpay/i18n/{name}'))

    def _activate(self, *languages):
        for language in languages:
            self.env['res.lang']._activate_lang(language)
        self.env['ir.module.module'].search(
            [('name', '=', 'payment_btcpay')]
        )._update_translations(list(languages))

    def _find_faults(self, language, term, entry):
        """Say what is wrong with the translation of a term of the template."""
        if not entry or not entry.msgstr:
            return "missing"
        if entry.fuzzy or entry.obsolete:
            return "not confirmed"
        told = [sorted(PLACEHOLDERS.findall(text)) for text in (term, entry.msgstr)]
        if told[0] != told[1]:
            return f"placeholders: {told[1]}"
        if FORMAT.search(term) and term.count('%') != entry.msgstr.count('%'):
            return "a per cent sign that is taken for a placeholder"
        # Japanese has no spaces between words.
        if language != 'ja_JP' and EDGES.match(term).groups() != EDGES.match(entry.msgstr).groups():
            return "white space at its ends"
        if self._is_english(language, term, entry.msgstr):
            return "English"
        return None

    def _is_english(self, language, term, translation):
        has_words = re.search(r'[a-zA-Z]{2}', PLACEHOLDERS.sub('', term))
        same = ' '.join(term.split()) == ' '.join(translation.split())
        return bool(has_words and same and term not in SAME | SAME_IN[language])

    def test_when_a_term_is_in_the_template_then_each_language_has_it(self):
        template = {entry.msgid for entry in self._read('payment_btcpay.pot')}
        self.assertGreater(len(template), 400)
        for language, name in LANGUAGES.items():
            with self.subTest(language=language):
                entries = {entry.msgid: entry for entry in self._read(f'{name}.po')}
                faults = {
                    term: fault for term in template
                    if (fault := self._find_faults(language, term, entries.get(term)))
                }
                self.assertFalse(faults)

    def test_when_the_code_has_a_term_then_the_template_has_it(self):
        """And none that is gone. Whoever changes terms runs `dev/i18n/export.py`."""
        with read_module_only():
            terms = {source for _m, _t, _n, _r, source, *_ in CodeReader(
                self.env.cr, ['payment_btcpay'])}
        template = self._read('payment_btcpay.pot')
        self.assertFalse(terms - {entry.msgid for entry in template})
        self.assertFalse({
            entry.msgid for entry in template
            if all(name.startswith('code:') for name, _line in entry.occurrences)
        } - terms)

    def test_when_a_term_is_translated_then_it_is_in_the_template(self):
        terms = {entry.msgid for entry in self._read('payment_btcpay.pot')}
        for name in LANGUAGES.values():
            with self.subTest(file=name):
                self.assertLessEqual({entry.msgid for entry in self._read(f'{name}.po')}, terms)

    def test_when_a_translation_is_faulty_then_it_is_found(self):
        """What the test above looks for."""
        for term, translation, fault in [
            ("%(amount)s paid", "", "missing"),
            ("%(amount)s paid", "%(amount)s payé", None),
            ("%(amount)s paid", "%(montant)s payé", "placeholders: ['%(montant)s']"),
            ("%s per cent paid", "%s % payé",
             "a per cent sign that is taken for a placeholder"),
            ("100 per cent paid", "100 % payé", None),
            ("100 % paid", "%s payé", "placeholders: ['%s']"),
            ("Pay <b>now</b>", "Payer <b>maintenant</b>", None),
            ("Pay <b>now</b>", "Payer <b>maintenant<b>", "placeholders: ['<b>', '<b>']"),
            ("${this.amount} paid", "${this.montant} payé", "placeholders: ['${this.montant}']"),
            ("{{ object.name }}: paid", "{{ objet.name }}: payé",
             "placeholders: ['{{ objet.name }}']"),
            (" or ", "ou", "white space at its ends"),
            ("Paid", "Paid", "English"),
            ("Paid\n  now", "Paid now", "English"),
            ("Webhook", "Webhook", None),
            ("%(amount)s (%(crypto)s)", "%(amount)s (%(crypto)s)", None),
        ]:
            with self.subTest(translation=translation):
                entry = polib.POEntry(msgid=term, msgstr=translation)
                self.assertEqual(self._find_faults('fr_FR', term, entry), fault)
        entry = polib.POEntry(msgid="Paid", msgstr="Payé", flags=['fuzzy'])
        self.assertEqual(self._find_faults('fr_FR', "Paid", entry), "not confirmed")

    def test_when_a_language_is_chosen_then_no_screen_page_or_mail_has_english(self):
        """In whatever the module stores: views, pages, mails, menus, labels, help."""
        self._activate(*LANGUAGES)
        owned = self.env['ir.model.data'].search([('module', '=', 'payment_btcpay')])
        seen = set()
        for language in LANGUAGES:
            english = {}
            for model, data in owned.grouped('model').items():
                records = self.env[model].sudo().browse(data.mapped('res_id')).exists()
                for field in records._fields.values():
                    if not field.translate or not field.store:
                        continue
                    seen.add(f'{model}.{field.name}')
                    for source, record in zip(
                        records.with_context(lang='en_US'),
                        records.with_context(lang=language), strict=True,
                    ):
                        for term, translation in zip(
                            field.get_trans_terms(source[field.name]),
                            field.get_trans_terms(record[field.name]), strict=True,
                        ):
                            if self._is_english(language, term, translation):
                                english[term] = f'{model}.{field.name} {record.id}'
            with self.subTest(language=language):
                self.assertFalse(english)
        self.assertLess(
            {'ir.ui.view.arch_db', 'mail.template.subject', 'mail.template.body_html'}, seen)

    def test_when_the_language_is_japanese_then_screens_code_and_mails_are_japanese(self):
        """In the screens, in the code and in the mail to the customer, whoever sends it."""
        self._activate('ja_JP')
        order = self._create_order()
        self._pay_order(order)
        order = order.with_context(lang='ja_JP')
        order.invalidate_recordset()
        self.assertEqual(order.btcpay_status_text, "支払済")
        arch = order.get_view(self.env.ref('sale.view_order_form').id, 'form')['arch']
        self.assertIn("ビットコイン支払を依頼", arch)
        self.partner.write({'lang': 'ja_JP', 'email': 'yamada@example.com'})
        asked = self._create_order()
        action = asked.action_btcpay_request()
        self._send(self.env[action['res_model']].browse(action['res_id']))
        [mail] = asked.message_ids.filtered(lambda message: self.partner in message.partner_ids)
        self.assertEqual(mail.subject, f"{asked.name}: ビットコインでのお支払いのお願い")
        self.assertIn("お支払いくださいますようお願いいたします", mail.body)
