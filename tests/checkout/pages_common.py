import json
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from unittest.mock import patch

from lxml import html

from odoo.http import request
from odoo.tests.common import ChromeBrowser
from odoo.tools import mute_logger

from odoo.addons.payment.controllers.post_processing import PaymentPostProcessing
from odoo.addons.payment_btcpay.tests.common import BTCPayHttpCommon
from odoo.addons.payment_btcpay.tests.money_common import MoneyMixin

# Its rules are those of WCAG 2.2, levels A and AA, and what is good practice.
AXE = """
(async () => {
    const wait = async (find) => {
        for (let time = 0; time < 200; time++) {
            const found = find();
            if (found) {
                return found;
            }
            await new Promise((resolve) => setTimeout(resolve, 100));
        }
        throw new Error(`Waited in vain: ${find}`);
    };
    const waitFor = (selector) => wait(() => document.querySelector(selector));
    await wait(() => window.performance.getEntriesByType('resource').some(
        (entry) => entry.name.includes('%(last)s') && entry.responseEnd
    ));
    %(before)s
    if (document.documentElement.scrollWidth > window.innerWidth) {
        throw new Error("The page is wider than the screen.");
    }
    const look = async (context, rules) => {
        const { violations } = await axe.run(context, {
            runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'],
            rules,
        });
        if (violations.length) {
            throw new Error(violations.map(({ id, help, nodes }) =>
                `${id}: ${help}: ${nodes.map((node) => `${node.target} ${node.html}`).join(' ')}`
            ).join('\\n'));
        }
    };
    const isAll = !`%(before)s`;
    if (isAll) {
        await look({ exclude: %(exclude)s }, %(rules)s);
    }
    if ('%(ours)s') {
        await waitFor('%(ours)s');
        const ours = [...document.querySelectorAll('%(ours)s')];
        await look({ include: ours }, isAll ? {} : %(rules)s);
    }
    console.log('test successful');
})().catch((error) => console.error(error.message));
"""

# Notes what is pressed, which leads nowhere, and whether the focus is on anything, and shown.
KEYBOARD = """
window.pressed = [];
window.addEventListener('click', (event) => {
    event.preventDefault();
    event.stopPropagation();
    window.pressed.push(event.target.textContent.trim().replace(/\\s+/g, ' '));
}, true);
window.isSeen = () => {
    const style = getComputedStyle(document.activeElement);
    return document.activeElement !== document.body
        && (style.outlineStyle !== 'none' || style.boxShadow !== 'none');
};
"""
# What is ours on the pages.
OURS = ','.join(f'[name="{name}"]' for name in (
    'o_btcpay_status', 'o_btcpay_payment_failed', 'o_btcpay_discount', 'btcpay_refunds',
))
# What axe-core finds of Odoo's own on the pages, which is not ours to change.
OF_ODOO = [
    '.o_skip_to_content',  # The link leads to what cannot have the focus.
    'footer', '#sale_info_title', '#sidebar_content h6',  # Their headings skip levels.
    '#invoice_html',  # The frame with the invoice has no title.
    '[name="invoice_paid_badge"]',  # The contrast is too low.
    '#o_payment_methods img',  # Icons have their method's name once more.
]
# What it finds of Odoo's own on the documents' pages, and cannot be told by a selector.
RULES_FOR_DOCUMENTS = {rule: {'enabled': False} for rule in (
    'page-has-heading-one',  # The document's name is a heading of the second level.
    'aria-dialog-name',  # The dialog with the payment form has no name,
    'landmark-main-is-top-level', 'landmark-no-duplicate-main', 'landmark-unique',  # and is <main>.
)}
# Its dialogs are made of the parts of a page.
RULES_FOR_DIALOGS = {f'landmark-no-duplicate-{part}': {'enabled': False} for part in (
    'banner', 'contentinfo', 'main',
)}


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

    def _create_order_to_pay(self):
        return self._create_order(require_payment=True, require_signature=False)

    def _begin(self, document=None):
        """Press “Pay” on the page of an order, which is made if there is none.

        :return: The transaction, which the session has from now on.
        """
        document = document or self._create_order_to_pay()
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
            'paid_invalid': (
                lambda: world.pay(invoice), lambda: world.mark(invoice, 'Invalid'),
            ),
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

    def _run_axe(self, url, last='/poll', rules=None, ours=OURS, before=''):
        """Have axe-core look for what keeps people from using a page, but for Odoo's own.

        :param str last: A part of the address that the page loads last.
        :param dict rules: Those of axe-core that do not apply, for what is Odoo's.
        :param str ours: The selector of what is ours, to which all apply; empty for nothing.
        :param str before: What is done first, as JavaScript, to bring forth something of ours:
                           what else there is on the page is not looked at then.
        """
        found = find_spec('axe_playwright_python')
        if not found:
            self.skipTest("axe-core is not installed: it comes with `make setup`.")
        axe = (Path(found.origin).parent / 'axe.min.js').read_text()
        code = AXE % {
            'exclude': json.dumps(OF_ODOO), 'rules': json.dumps(rules or {}), 'last': last,
            'ours': ours, 'before': before,
        }
        with mute_logger(f'{self._logger.name}.browser'):  # Of what Odoo would have loaded yet.
            self.browser_js(url, f'{axe};{code}', ready="document.readyState === 'complete'")

    def _press_all(self, url):
        """Go through a page in a browser by the keyboard, and press Enter wherever one gets to.

        :return: The labels of what was pressed, in order.
        :rtype: list[str]
        """
        pressed = []
        wait = ChromeBrowser._wait_code_ok

        def evaluate(browser, code):
            return browser._websocket_request(
                'Runtime.evaluate', params={'expression': code}
            )['result'].get('value')

        def press(browser, key, number, **values):
            for kind in ('keyDown', 'keyUp'):
                browser._websocket_request('Input.dispatchKeyEvent', params={
                    'type': kind, 'key': key, 'code': key, 'windowsVirtualKeyCode': number,
                    **values,
                })

        def type_and_wait(browser, *args, **kwargs):
            evaluate(browser, KEYBOARD)
            for _time in range(100):
                press(browser, 'Tab', 9)
                if not evaluate(browser, 'isSeen()'):
                    break  # It has gone through the whole page.
                press(browser, 'Enter', 13, text='\r')
            pressed.extend(evaluate(browser, "pressed.join('\\n')").split('\n'))
            return wait(browser, *args, **kwargs)

        with (
            patch.object(ChromeBrowser, '_wait_code_ok', type_and_wait),
            mute_logger(f'{self._logger.name}.browser'),  # As in `_run_axe`.
        ):
            self.browser_js(
                url, "console.log('test successful')", ready="document.readyState === 'complete'"
            )
        return pressed
