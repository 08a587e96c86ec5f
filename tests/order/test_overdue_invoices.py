from datetime import timedelta

from odoo import fields
from odoo.tests import tagged

from odoo.addons.payment_btcpay.tests.checkout.pages_common import PagesCommon
from odoo.addons.payment_btcpay.tests.refund.refund_common import RefundMixin


@tagged('post_install', '-at_install')
class TestOverdueInvoices(RefundMixin, PagesCommon):
    """The customer pays all overdue invoices at once, on Odoo's page for that."""

    def test_when_a_part_of_one_was_paid_then_the_rest_of_all_is_paid_at_once(self):
        self.partner = self.portal_user.partner_id
        date = fields.Date.today() - timedelta(days=40)
        first, second = invoices = self.env['account.move'].union(*(
            self._create_invoice(
                amount, invoice_date=date, invoice_payment_term_id=False, invoice_date_due=date,
            ) for amount in (100, 50)
        ))
        self.env['account.payment.register'].with_context(
            active_model='account.move', active_ids=first.ids
        ).create({'amount': 40})._create_payments()
        self.assertEqual(first.amount_residual, 60)
        self.authenticate(self.portal_user.login, self.portal_user.login)
        page = self._make_http_get_request('/my/invoices/overdue')
        context = self._get_payment_context(page)
        self.assertEqual(context['amount'], 110)
        self.assertIn('110.00', page.text)
        values = self._portal_transaction(
            tx_route=context['transaction_route'], provider_id=self.btcpay.id,
            payment_method_id=self.payment_method_id, token_id=None, amount=context['amount'],
            flow='redirect', tokenization_requested=False,
            landing_route=context['landing_route'],
            payment_reference=context['payment_reference'],
        )
        self.env.invalidate_all()
        tx = self._get_tx(values['reference'])
        self.assertEqual(tx.invoice_ids, invoices)
        self._bring_to('done', tx)
        self.assertEqual(invoices.mapped('amount_residual'), [0, 0])
        self.assertFalse(second.activity_ids, self._activities(second))

    def test_when_the_orders_payment_has_no_entry_then_its_overdue_invoice_is_not_asked_for(self):
        self._book_without_entries()
        self.partner = self.portal_user.partner_id
        order = self._create_order()
        self._bring_to('done', self._create_btcpay_transaction(order))
        invoice = order._create_invoices()
        date = fields.Date.today() - timedelta(days=40)
        invoice.write({
            'invoice_date': date, 'invoice_payment_term_id': False, 'invoice_date_due': date,
        })
        invoice.action_post()
        self.assertEqual((invoice.amount_residual, invoice.payment_state), (100, 'not_paid'))
        self.authenticate(self.portal_user.login, self.portal_user.login)
        self.env.flush_all()
        page = self._make_http_get_request('/my/invoices/overdue')
        self.assertTrue(page.url.endswith('/my/invoices'), page.url)
