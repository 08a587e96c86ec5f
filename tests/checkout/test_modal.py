from contextlib import contextmanager
from unittest.mock import patch
from urllib.parse import urlencode

from odoo.http import request
from odoo.tests import tagged

from odoo.addons.payment_btcpay import const
from odoo.addons.payment_btcpay.tests.common import BTCPayHttpCommon
from odoo.addons.payment_btcpay.tests.money_common import MoneyMixin

# What the pages of both kinds of servers say, and from where it is believed.
JS = """
(async () => {
    await odoo.loader.modules.get('@web/core/l10n/translation').translationIsReady;
    const { showInvoice } = odoo.loader.modules.get('@payment_btcpay/interactions/modal');
    const [server, invoice] = ['%(server)s', '%(invoice)s'];
    const { origin } = new URL(server);
    const check = (name, seen, wanted) => {
        if (seen !== wanted) {
            throw new Error(`${name}: ${seen}, not ${wanted}`);
        }
    };
    const say = (data, from) => window.dispatchEvent(
        new MessageEvent('message', { data, origin: from })
    );
    const pause = () => new Promise((resolve) => setTimeout(resolve, 50));
    const open = async () => {
        let shown;
        const isShown = new Promise((resolve) => { shown = resolve; });
        const seen = {};
        showInvoice(server, invoice, shown).then((outcome) => { seen.outcome = outcome; });
        await isShown;
        return seen;
    };
    const wrap = document.getElementById('wrapwrap');
    const listening = { message: 0 };
    for (const [name, step] of [['addEventListener', 1], ['removeEventListener', -1]]) {
        const original = window[name];
        window[name] = function (type) {
            listening[type] += step;
            return original.apply(this, arguments);
        };
    }
    await open();
    window.btcpay.hideFrame(); // The server's own script listens for ever, once.
    check("handlers", listening.message, 1);
    for (const status of [
        'Processing', 'Settled', 'Expired', 'Invalid', 'paid', 'complete', 'expired', 'invalid',
    ]) {
        const seen = await open();
        const frames = document.getElementsByName('btcpay');
        check("frames", frames.length, 1);
        check("title", frames[0].title, "Bitcoin payment");
        check("focus", document.activeElement, frames[0]);
        check("the page behind", wrap.inert, true);
        // A prefix of the server's origin is another server.
        for (const other of ['https://example.com', origin.slice(0, -1), window.origin, 'null']) {
            say({ invoiceId: invoice, status }, other);
        }
        for (const data of ['loaded', { status: 'New' }, { status: null }, status, null]) {
            say(data, origin);
        }
        await pause();
        check(status, seen.outcome, undefined);
        say({ invoiceId: invoice, status }, origin);
        await pause();
        check(status, seen.outcome, 'over');
        check("the page behind", wrap.inert, false);
        check("handlers", listening.message, 1);
        window.btcpay.setApiUrlPrefix('https://other.example.com');
        window.btcpay.hideFrame();
    }
    const seen = await open();
    say('close', origin);
    await pause();
    check('close', seen.outcome, 'closed');
    check("frames", document.getElementsByName('btcpay').length, 0);
    console.log('test successful');
})().catch((error) => console.error(error.message));
"""


@tagged('post_install', '-at_install')
class TestModal(MoneyMixin, BTCPayHttpCommon):
    """The invoice is opened over the shop's page, with the server's own script."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.env['ir.config_parameter'].sudo().set_param(
            'account_payment.enable_portal_payment', 'True'
        )
        cls.btcpay.btcpay_checkout_mode = 'modal'
        cls.dummy_provider.state = 'enabled'

    def _get_pay_url(self):
        """Return the address of a page to pay without a document."""
        values = self._prepare_pay_values(reference='link')
        return f'/payment/pay?{urlencode({**values, "company_id": self.env.company.id})}'

    def _create_order(self, **values):
        return super()._create_order(require_payment=True, require_signature=False, **values)

    def _begin(self, order):
        """Press “Pay” on the order's page.

        :return: The processing values.
        """
        context = self._get_payment_context(self._make_http_get_request(order.get_portal_url()))
        return self._portal_transaction(
            tx_route=context['transaction_route'], provider_id=self.btcpay.id,
            payment_method_id=self.payment_method_id, token_id=None, amount=context['amount'],
            flow='redirect', tokenization_requested=False,
            landing_route=context['landing_route'], access_token=context['access_token'],
        )

    def _reopen(self, reference):
        """Press it again, on the same page."""
        self.env.flush_all()
        values = self.make_jsonrpc_request('/payment/btcpay/reopen', {'reference': reference})
        self.env.invalidate_all()
        return values

    def _count_requests(self, path, method='GET'):
        return len([r for r in self.world.requests()
                    if (r['method'], r['path']) == (method, path)])

    # === WHAT THE BROWSER IS TOLD === #

    def test_when_the_modal_is_not_chosen_then_the_customer_is_redirected(self):
        self.assertEqual(
            self.env['payment.provider'].new({'code': 'btcpay'}).btcpay_checkout_mode, 'redirect'
        )
        self.btcpay.btcpay_checkout_mode = 'redirect'
        self.assertNotIn('btcpay_modal', self._begin(self._create_order()))

    def test_when_the_modal_is_chosen_then_its_script_is_the_connected_servers(self):
        values = self._begin(self._create_order())
        tx = self._get_tx(values['reference'])
        self.assertEqual(values['btcpay_modal'], {
            'server_url': self.world.url,
            'invoice_id': tx.btcpay_invoice_id,
            'reference': tx.reference,
            'return_url': f'/payment/btcpay/back?ref={tx.reference}',
        })
        self.assertIn(f'action="{self.world.url}/i/', values['redirect_form_html'])
        tx.sudo().btcpay_checkout_link = 'https://other.example.com/i/abc'
        self.assertEqual(tx._btcpay_get_modal_values(), {})

    def test_when_a_site_restricts_its_pages_then_the_settings_say_what_to_allow(self):
        self.assertEqual(
            self.btcpay.sudo().btcpay_modal_policy,
            f'script-src {self.world.url}; frame-src {self.world.url};'
            f' form-action {self.world.url}',
        )
        self.btcpay.sudo().btcpay_server_url = 'https://pay.example.com:8443/btcpay'
        self.assertIn(
            'frame-src https://pay.example.com:8443;', self.btcpay.sudo().btcpay_modal_policy
        )

    def test_when_the_closed_invoice_is_still_due_then_the_same_is_opened_again(self):
        values = self._begin(self._create_order())
        for fraction in (None, '0.25'):  # The rest of a partial payment is paid there, too.
            with self.subTest(fraction=fraction):
                if fraction:
                    self.world.pay(values['btcpay_modal']['invoice_id'], fraction=fraction)
                    self._get_tx(values['reference']).btcpay_synced_at = False
                self.assertEqual(
                    self._reopen(values['reference']), {'btcpay_modal': values['btcpay_modal']}
                )

    def test_when_the_closed_invoice_is_no_longer_due_then_what_happened_decides(self):
        def pay(tx):
            self.world.pay(tx.btcpay_invoice_id)

        def pay_late(tx):
            self.world.expire(tx.btcpay_invoice_id)
            self.world.pay(tx.btcpay_invoice_id)

        def expire(tx):
            self.world.expire(tx.btcpay_invoice_id)

        def change(tx):
            tx.sale_order_ids.order_line.price_unit = 120

        for happen, wanted in [
            (pay, {'return_url': '/payment/status'}),
            (pay_late, {'return_url': '/payment/status'}),
            (expire, {}),
            (change, {}),
        ]:
            with self.subTest(happen.__name__):
                values = self._begin(self._create_order())
                tx = self._get_tx(values['reference'])
                happen(tx)
                tx.btcpay_synced_at = False
                self.assertEqual(self._reopen(values['reference']), wanted)

    def test_when_another_payment_was_begun_since_then_the_closed_one_is_not_opened(self):
        values = self._begin(self._create_order())
        self._begin(self._create_order())
        self.assertEqual(self._reopen(values['reference']), {})
        self.authenticate(None, None)  # Somebody who has no payment at all.
        self.assertEqual(self._reopen(values['reference']), {})

    # === IN A BROWSER === #

    def test_when_the_page_in_the_frame_speaks_then_it_is_believed_from_its_origin_only(self):
        tx = self._create_btcpay_transaction()
        self.browser_js(
            self._get_pay_url(),
            JS % {'server': self.world.url, 'invoice': tx.btcpay_invoice_id},
            ready="odoo.loader.modules.has('@payment_btcpay/interactions/modal')"
                  " && document.readyState === 'complete'",
        )

    def test_when_it_is_closed_unpaid_then_the_same_is_opened_again_or_another_way_chosen(self):
        """On the pages of orders and invoices, and where a link leads without a document."""
        self.world.settings(auto_close=True)
        self.addCleanup(self.world.settings, auto_close=False)
        order = self._create_order()
        invoice = self._create_invoice()
        for page, url, get_transactions in [
            ('order', order.get_portal_url(), lambda: order.transaction_ids),
            ('invoice', invoice.get_portal_url(), lambda: invoice.transaction_ids),
            ('page', self._get_pay_url(), lambda: self.env['payment.transaction'].sudo().search(
                [('reference', '=like', 'link%')]
            )),
        ]:
            with self.subTest(page):
                path = f'/api/v1/stores/{self.store_id}/invoices'
                made = self._count_requests(path, 'POST')
                opened = self._count_requests('/invoice')
                self.start_tour(url, f'payment_btcpay.modal_closed_on_{page}')
                self.env.invalidate_all()
                tx = get_transactions()
                self.assertEqual((len(tx), tx.state), (1, 'draft'))
                self.assertEqual(self._count_requests(path, 'POST'), made + 1)
                # The server's script puts its frame back before it is told the address: a slow
                # browser begins to load the one of before, which is the same.
                self.assertIn(self._count_requests('/invoice') - opened, (2, 3))

    def test_when_the_connection_breaks_then_the_next_click_works(self):
        self.world.settings(auto_pay='lightning')
        self.addCleanup(self.world.settings, auto_pay=None)
        self.start_tour(self._get_pay_url(), 'payment_btcpay.modal_aborted')
        self.env.invalidate_all()
        tx = self.env['payment.transaction'].sudo().search([('reference', '=like', 'link%')])
        self.assertEqual((len(tx), tx.state), (1, 'done'))

    @contextmanager
    def _restricted(self, policy):
        """Have all pages come with a Content-Security-Policy."""
        http = self.registry['ir.http']
        post_dispatch = http._post_dispatch

        def restrict(response):
            post_dispatch(response)
            if policy and request.httprequest.path == '/payment/pay':
                response.headers['Content-Security-Policy'] = policy

        with patch.object(http, '_post_dispatch', restrict):
            yield

    def test_when_it_cannot_be_opened_then_the_same_click_leads_to_the_servers_page(self):
        self.startPatcher(patch.object(const, 'SYNC_INTERVAL', 0))  # Who comes back waits less.
        self.world.settings(auto_pay='lightning')
        self.addCleanup(self.world.settings, auto_pay=None)
        fault = self.world.fault
        for name, begin in [
            ('nothing is wrong', None),
            ('missing', lambda: fault('status', '^/modal/btcpay.js$', status=404)),
            ('silent', lambda: fault('hang', '^/modal/btcpay.js$', seconds=12)),
            ('no script', lambda: fault('wrong_json', '^/modal/btcpay.js$')),
            ('no frame', lambda: fault('status', '^/invoice$', status=500)),
            ('script blocked', "script-src 'self' 'unsafe-inline' 'unsafe-eval'"),
            ('frame blocked', "frame-src 'self'"),
        ]:
            console = self._logger.getChild('browser')
            told = self.assertLogs if begin else self.assertNoLogs
            with (
                self.subTest(name),
                self._restricted(begin if isinstance(begin, str) else ''),
                told(console, 'WARNING') as said,
            ):
                if callable(begin):
                    begin()
                self.start_tour(self._get_pay_url(), 'payment_btcpay.modal_paid')
                if begin:  # Whoever looks for the reason is told what to allow.
                    self.assertEqual(len(said.records), 1)
                    self.assertIn(
                        f'script-src {self.world.url}; frame-src {self.world.url}',
                        said.output[0],
                    )
                self.world.clear_faults()
                self.env.invalidate_all()
                tx = self.env['payment.transaction'].sudo().search(
                    [('reference', '=like', 'link%')], order='id desc', limit=1
                )
                self.assertEqual((tx.state, tx.amount), ('done', 100.0))
                self.assertEqual(
                    self._count_requests(f'/i/{tx.btcpay_invoice_id}'), 1 if begin else 0
                )
