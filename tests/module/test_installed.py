import logging
import re
from pathlib import Path

from lxml import etree

from odoo.modules import Manifest
from odoo.tests import HttpCase, tagged

import odoo.addons

_logger = logging.getLogger(__name__)


@tagged('post_install', '-at_install')
class TestInstalled(HttpCase):
    """What runs wherever the module is installed, without the stand-in BTCPay Server."""

    def test_when_installed_then_all_of_it_comes_from_one_folder(self):
        folder = Path(Manifest.for_addon('payment_btcpay').path)
        # `make test` compares it with where it has put the module.
        _logger.info("payment_btcpay is at %s", folder)
        module = odoo.addons.payment_btcpay
        for part in (module, module.models, module.greenfield, module.controllers):
            with self.subTest(part=part.__name__):
                self.assertTrue(Path(part.__file__).is_relative_to(folder))
        for name in ('LICENSE', 'README.rst', 'CHANGELOG.rst', 'SECURITY.md'):
            with self.subTest(file=name):
                self.assertTrue((folder / name).is_file())

    def test_when_installed_then_the_provider_is_there_with_its_methods(self):
        provider = self.env.ref('payment_btcpay.payment_provider_btcpay')
        self.assertEqual((provider.code, provider.state), ('btcpay', 'disabled'))
        self.assertTrue(provider.image_128)
        self.assertGreaterEqual(
            set(provider.with_context(active_test=False).payment_method_ids.mapped('code')),
            {'btcpay', 'btcpay_chain', 'btcpay_lightning'})

    def test_when_installed_then_its_pages_and_files_are_served(self):
        for path, status in [
            ('/payment_btcpay/static/description/icon.png', 200),
            ('/payment_btcpay/static/src/interactions/payment_form.js', 200),
            ('/payment/btcpay/back', 200),
            ('/payment/btcpay/connect', 200),
        ]:
            with self.subTest(path=path):
                self.assertEqual(self.url_open(path).status_code, status)

    def test_when_the_app_is_looked_at_then_it_says_what_it_is_with_pictures(self):
        module = self.env['ir.module.module'].search([('name', '=', 'payment_btcpay')])
        self.assertEqual(module.shortdesc, "BTCPay Server Greenfield")
        pictures = re.findall(r'<img[^>]* src="([^"]+)"', str(module.description_html))
        self.assertEqual(len(pictures), 5)
        for path in pictures:
            with self.subTest(picture=path):
                self.assertEqual(self.url_open(path).headers['Content-Type'], 'image/png')

    def test_when_a_row_leads_nowhere_then_it_has_no_link(self):
        """A link that has words of its own shows them, whether it leads somewhere or not."""
        views = self.env['ir.ui.view'].search([
            ('model_data_id.module', '=', 'payment_btcpay'), ('arch_db', 'like', 'widget="url"'),
        ])
        links = [
            link for view in views for rows in ('list', 'kanban')
            for link in etree.fromstring(view.arch).iterfind(f'.//{rows}//field[@widget="url"]')
        ]
        self.assertTrue(links)
        for link in links:
            with self.subTest(name=link.get('name'), text=link.get('text')):
                self.assertIn(f'not {link.get("name")}', link.get('invisible', ''))
