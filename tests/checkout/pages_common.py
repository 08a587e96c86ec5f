import json
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from unittest.mock import patch

from lxml import html

from odoo.http import request
from odoo.tools import mute_logger

from odoo.addons.payment.controllers.post_processing import PaymentPostProcessing
from odoo.addons.payment_btcpay.tests.common import BTCPayHttpCommon
from odoo.addons.payment_btcpay.tests.money_common import MoneyMixin

# Its rules are those of WCAG 2.2, levels A and AA, and what is good practice.
AXE = """
(async () => {
    while (!window.performance.getEntriesByType('resource').some(
        (entry) => entry.name.includes('%(last)s') && entry.responseEnd
    )) {
        await new Promise((resolve) => setTimeout(resolve, 100));
    }
    if (document.documentElement.scrollWidth > window.innerWidth) {
        throw new Error("The page is wider than the screen.");
    }
    const { violations } = await axe.run(%(part)s, { runOnly: [
        'wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice',
    ] });
    for (const { id, help, nodes } of violations) {
        throw new Error(`${id}: ${help}: ${nodes.map((node) => node.html).join(' ')}`);
    }
    console.log('test successful');
})().catch((error) => console.error(error.message));
"""


class PagesCommon(MoneyMixin, BTCPayHttpCommon):
    """A customer's payment in each of the ways it may stand, and the pages that show it."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.env['ir.config_parameter'].sudo().set_param(
            'account_payment.enable_portal_payment', 'True'
        )
        cls.partner.write({'email': 'customer@example.com', 'lang': 'en_US'})

    def setUp(self):
        super().setUp()
        self.authenticate(None, None)

    def _begin(self, document=None):
        """Press “Pay” on the page of an order, which is made if there is none.

        :return: The transaction, which the session has from now on.
        """
        document = document or self._create_order(require_payment=True, require_signature=False)
        context = self._get_payment_context(self._make_http_get_request(document.get_portal_url()))
        values = self._portal_transaction(
            tx_route=context['transaction_route'], provider_id=self.btcpay.id,
            payment_method_id=self.payment_method_id, token_id=None, amount=context['amount'],
            flow='redirect', tokenization_requested=False,
            landing_route=context['landing_route'], access_token=context['access_token'],
        )
        self.env.invalidate_all()
        return self._get_tx(values['reference'])

    def _bring_to(self, situation, tx):
        """Have happen at the server what makes the payment stand so, and have Odoo look."""
        invoice, world = tx.btcpay_invoice_id, self.world
        steps = {
            'open': (),
            'seen': (lambda: world.pay(invoice),),
            'partial': (lambda: world.pay(invoice, fraction='0.5'), world.mine),
            'expired': (lambda: world.expire(invoice),),
            'expired_partial': (
                lambda: world.pay(invoice, fraction='0.5'), world.mine,
                lambda: world.expire(invoice),
            ),
            'late': (
                lambda: world.expire(invoice), lambda: world.pass_time(2),
                lambda: world.pay(invoice), world.mine,
            ),
            'late_partial': (
                lambda: world.expire(invoice), lambda: world.pass_time(2),
                lambda: world.pay(invoice, fraction='0.5'), world.mine,
            ),
            'overpaid': (lambda: world.pay(invoice, fraction='2'), world.mine),
            'invalid': (lambda: world.mark(invoice, 'Invalid'),),
            'done': (lambda: world.pay(invoice), world.mine),
        }[situation]
        with mute_logger('odoo.addons.payment.models.payment_transaction'):
            for step in steps:
                step()
            tx._btcpay_sync()
        self._post_process()
        self.env.flush_all()

    def _read_page(self, url):
        """Return what a page says, and its links and buttons.

        :return: The text, and the labels.
        """
        self.env.flush_all()
        page = html.fromstring(self.url_open(url).text)
        self.env.invalidate_all()
        statuses = page.xpath('//div[@name="o_btcpay_status"]')
        labels = [
            ' '.join(link.text_content().split())
            for status in statuses for link in status.xpath('.//a | .//button')
        ]
        text = ' '.join(status.text_content() for status in statuses)
        return ' '.join(text.split()), labels

    @contextmanager
    def _in_everybodys_session(self, tx):
        """Have each session, also that of a browser yet to come, know the transaction."""
        def get_transaction(_controller):
            return request.env['payment.transaction'].sudo().browse(tx.id)

        with patch.object(
            PaymentPostProcessing, '_get_monitored_transaction', get_transaction
        ):
            yield

    def _run_axe(self, url, part='[name="o_btcpay_status"]', last='/poll'):
        """Have axe-core look for what keeps people from using a part of a page.

        :param str part: The CSS selector.
        :param str last: The end of the address that the page loads last.
        """
        found = find_spec('axe_playwright_python')
        if not found:
            self.skipTest("axe-core is not installed: it comes with `make setup`.")
        axe = (Path(found.origin).parent / 'axe.min.js').read_text()
        code = AXE % {'part': json.dumps(part), 'last': last}
        with mute_logger(f'{self._logger.name}.browser'):  # Of what Odoo would have loaded yet.
            self.browser_js(url, f'{axe};{code}', ready="document.readyState === 'complete'")
