import base64
import re

from lxml import html

from odoo.tests import tagged

from odoo.addons.payment_btcpay.tests.common import BTCPayCommon
from odoo.addons.payment_btcpay.tests.request.request_common import RequestMixin


@tagged('post_install', '-at_install')
class TestPrintedQRCode(RequestMixin, BTCPayCommon):
    """Quotations and customer invoices carry a QR code to their Bitcoin payment page, on demand."""

    def _print(self, document):
        """Return the link and the image of the code on the document's PDF, None if it has none."""
        report = {
            'sale.order': 'sale.report_saleorder', 'account.move': 'account.report_invoice',
        }[document._name]
        content, _type = self.env['ir.actions.report']._render_qweb_html(report, document.ids)
        codes = html.fromstring(content).xpath('//div[@name="btcpay_qr_code"]')
        if not codes:
            return None
        self.assertIn("is not for a wallet", codes[0].text_content())
        [link], [image] = codes[0].xpath('.//a/@href'), codes[0].xpath('.//img/@src')
        return link, image

    def test_when_the_setting_is_off_then_nothing_is_printed(self):
        self.assertFalse(self.btcpay.btcpay_print_qr)
        self.assertIsNone(self._print(self._create_order()))
        self.assertIsNone(self._print(self._create_invoice()))

    def test_when_the_setting_is_on_then_the_code_leads_to_the_page_for_what_is_due(self):
        self.btcpay.btcpay_print_qr = True
        for document in (self._create_order(), self._create_invoice(250)):
            with self.subTest(document=document._name):
                link, image = self._print(document)
                self.assertEqual(link, document._btcpay_make_link(document.amount_total))
                self.assertIn('btcpay=1', link)
                start, _comma, data = image.partition(',')
                self.assertEqual(start, 'data:image/svg+xml;base64')
                self.assertIn(b'<svg', base64.b64decode(data))

    def test_when_nothing_can_be_paid_with_it_then_no_code_is_printed(self):
        self.btcpay.btcpay_print_qr = True
        paid = self._create_order()
        self._pay_order(paid)
        self._post_process()
        canceled = self._create_order()
        canceled._action_cancel()
        for document in (
            paid, canceled, self._create_invoice(post=False),
            self._create_invoice(move_type='in_invoice', invoice_date='2026-01-01'),
        ):
            self.assertIsNone(self._print(document))
        order = self._create_order()
        self.btcpay.state = 'disabled'
        self.assertIsNone(self._print(order))

    def test_when_the_customer_speaks_another_language_then_so_does_the_caption(self):
        self.btcpay.btcpay_print_qr = True
        self.env['res.lang']._activate_lang('fr_FR')
        view = self.env.ref('payment_btcpay.printed_qr_code')
        view.update_field_translations('arch_db', {'fr_FR': {
            "Pay with Bitcoin or Lightning": "Payer en Bitcoin ou Lightning",
        }})
        self.partner.lang = 'fr_FR'
        content, _type = self.env['ir.actions.report']._render_qweb_html(
            'sale.report_saleorder', self._create_order().ids
        )
        self.assertTrue(re.search("Payer en Bitcoin ou Lightning", content.decode()))

    def test_when_a_payment_is_requested_then_its_code_says_what_it_is_for(self):
        arch = self.env['btcpay.payment.request'].get_view()['arch']
        caption = html.fromstring(arch).xpath('//p[@name="qr_caption"]')[0].text_content()
        self.assertIn("opens a page to pay on", caption)
        self.assertIn("not for a wallet", caption)
