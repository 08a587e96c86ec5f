from odoo.fields import Command
from odoo.tests import Form, new_test_user, tagged

from odoo.addons.payment_btcpay.tests.common import BTCPayCommon
from odoo.addons.payment_btcpay.tests.refund.refund_common import RefundMixin

TXID = 'f' * 64


@tagged('post_install', '-at_install')
class TestInvoiceNote(RefundMixin, BTCPayCommon):
    """What the accountant needs of a payment is on the invoice, on its payment, and in one form."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls._add_outstanding_account()
        cls._create_people()
        cls.btcpay.btcpay_explorer_url = 'https://mempool.example/tx/{txid}'

    def _count_notes(self, invoice, tx):
        """Return how often each payment is noted."""
        notes = self._notes(invoice)
        return [notes.count(f"hash: {payment.txid}") for payment in tx.btcpay_payment_ids]

    def test_when_an_invoice_is_paid_then_its_chatter_has_what_accountants_need_once(self):
        invoice, tx = self._invoiced()
        payment = tx.btcpay_payment_ids
        payment.sudo().payment_ref = f'{TXID}-0'
        self.assertEqual(payment.sudo().noted_invoice_ids, invoice)
        payment.sudo().noted_invoice_ids = False
        invoice.message_ids.unlink()
        tx._btcpay_note_on_invoices()
        [note] = invoice.message_ids
        for text in (
            f"Bitcoin received for {tx.reference}", "0.002 BTC",
            "worth $ 100.00", "Exchange rate: $ 50,000.00",
            f"{payment.received_at:%Y-%m-%d %H:%M:%S} UTC", f"hash: {TXID}",
        ):
            self.assertIn(text, self._notes(invoice))
        self.assertNotIn(f'{TXID}-0', note.body)
        self.assertIn(f'href="https://mempool.example/tx/{TXID}"', note.body)
        self.assertEqual(note.subtype_id, self.env.ref('mail.mt_note'), "Customers see no notes.")

    def test_when_synced_and_posted_again_then_it_is_noted_once(self):
        invoice, tx = self._invoiced()
        self.assertEqual(self._count_notes(invoice, tx), [1])
        for _time in range(2):
            tx._btcpay_sync()
            self._post_process()
        invoice.button_draft()
        invoice.action_post()
        self.assertEqual(self._count_notes(invoice, tx), [1])

    def test_when_the_invoice_is_posted_after_the_payment_then_it_is_noted_then(self):
        order = self._create_order()
        tx = self._paid(order)
        invoice = order._create_invoices()
        self.assertEqual(self._count_notes(invoice, tx), [0])
        accountant = new_test_user(
            self.env, 'note_accountant', 'account.group_account_invoice')
        invoice.with_user(accountant).action_post()
        self.assertEqual(self._count_notes(invoice, tx), [1])

    def test_when_it_is_not_confirmed_yet_then_it_is_noted_as_soon_as_it_is(self):
        invoice = self._create_invoice()
        tx = self._create_btcpay_transaction(
            invoice_ids=[Command.set(invoice.ids)], reference=invoice.name)
        self.world.pay(tx.btcpay_invoice_id)
        tx._btcpay_sync()
        self.assertEqual(self._count_notes(invoice, tx), [0])
        self.world.mine()
        tx._btcpay_sync()
        self.assertEqual(self._count_notes(invoice, tx), [1])

    def test_when_paid_in_two_payments_then_each_is_noted_once(self):
        invoice = self._create_invoice()
        tx = self._create_btcpay_transaction(
            invoice_ids=[Command.set(invoice.ids)], reference=invoice.name)
        for _time in range(2):
            self.world.pay(tx.btcpay_invoice_id, fraction='0.5')
            self.world.mine()
            tx._btcpay_sync()
        self.assertEqual(self._count_notes(invoice, tx), [1, 1])
        self.assertIn("Network fee included", self._notes(invoice))

    def test_when_a_part_is_accepted_then_the_invoice_made_of_it_has_the_note(self):
        invoice = self._create_invoice()
        self.tx = tx = self._create_btcpay_transaction(
            invoice_ids=[Command.set(invoice.ids)], reference=invoice.name)
        self._receive('0.4')
        tx.action_btcpay_accept_partial()
        self._post_process()
        self.assertEqual(self._count_notes(invoice, tx), [1])

    def test_when_a_refund_is_paid_out_then_the_crypto_is_noted_once(self):
        invoice, tx = self._invoiced()
        refund = tx._btcpay_request_refund(40)
        self._claim(refund)
        for _time in range(2):
            refund._btcpay_sync()
        note = f"$ 40.00 of the refund {refund.reference} has left the wallet: 0.0008 BTC"
        self.assertEqual(self._notes(invoice).count(note), 1)

    # === ONE FORM === #

    def test_when_a_payment_is_opened_from_anywhere_then_it_is_in_the_same_form(self):
        invoice, tx = self._invoiced()
        receipt = self.env['btcpay.receipt'].search([('transaction_id', '=', tx.id)])
        form = self.env.ref('payment.payment_transaction_form')
        actions = [
            invoice.action_btcpay_view_transactions(), invoice.action_view_payment_transactions(),
            receipt.action_btcpay_view_payment(), tx.get_formview_action(),
            tx.payment_id.action_btcpay_view_transaction(),
            *(self.env['ir.actions.act_window']._for_xml_id(f'payment_btcpay.{name}')
              for name in ('action_btcpay_order_transactions', 'action_btcpay_decisions')),
            self.env['ir.actions.act_window']._for_xml_id('payment.action_payment_transaction'),
        ]
        for action in actions:
            with self.subTest(action=action):
                form_id = next((view for view, kind in action['views'] if kind == 'form'), False)
                view = self.env['payment.transaction'].get_view(form_id, 'form')
                self.assertEqual(view['id'], form.id)
        refund = tx._btcpay_request_refund(10)
        self.assertEqual(
            refund.get_formview_id(), self.env.ref('payment_btcpay.btcpay_refund_form').id)
        self.assertEqual(self.dummy_provider.code, 'none')
        other = self._create_other_transaction()
        self.assertFalse(other.get_formview_id())

    def test_when_an_accountant_opens_the_payment_in_odoo_then_the_crypto_is_there(self):
        _invoice, tx = self._invoiced()
        form = Form(
            tx.payment_id.with_user(self.accountant), view='account.view_account_payment_form')
        self.assertEqual(form.btcpay_payment_ids[:], tx.btcpay_payment_ids)
        self.assertEqual(
            tx.payment_id.with_user(self.accountant).action_btcpay_view_transaction()['res_id'],
            tx.id)

    # === NAMES OF MEASURES === #

    def test_when_receipts_are_pivoted_then_each_measure_has_a_name_of_its_own(self):
        for model in ('btcpay.receipt', 'btcpay.payment', 'payment.transaction'):
            fields = self.env[model].fields_get()
            named = [
                field['string'] for name, field in fields.items()
                if field['type'] in ('integer', 'float', 'monetary') and field.get('store')
                and field.get('aggregator') and name != 'id'
            ]
            self.assertTrue(named)
            with self.subTest(model=model):
                self.assertEqual(sorted(named), sorted(set(named)))
                self.assertFalse([text for text in named if text.lower().startswith('btcpay')])
                for technical in ("Syncs", "Failed Tries", "Lightning Invoice Validity (days)"):
                    self.assertNotIn(technical, named)
