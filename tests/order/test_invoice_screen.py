from lxml import etree, html

from odoo.fields import Command
from odoo.tests import new_test_user, tagged
from odoo.tools import html2plaintext

from odoo.addons.payment_btcpay.tests.common import BTCPayCommon, BTCPayHttpCommon
from odoo.addons.payment_btcpay.tests.refund.refund_common import RefundMixin


@tagged('post_install', '-at_install')
class TestInvoiceScreen(RefundMixin, BTCPayCommon):
    """What is seen of the Bitcoin payments of a customer invoice, and of a credit note's refund."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls._create_people()

    def test_when_one_payment_is_for_several_invoices_then_each_says_what_it_has_of_it(self):
        first, second = self._create_invoice(100), self._create_invoice(200)
        invoices = first | second
        self.tx = self._create_btcpay_transaction(
            invoice_ids=[Command.set(invoices.ids)], partner_id=self.partner.id, amount=300,
            reference='several',
        )
        self.world.pay(self.tx.btcpay_invoice_id, fraction='0.5')
        self._look(self.tx)
        self.assertEqual(invoices.mapped('btcpay_received_amount'), [100, 50])
        self.world.pay(self.tx.btcpay_invoice_id, fraction='1')
        self._look(self.tx)
        self.env.invalidate_all()
        self.assertEqual(
            sum(invoices.mapped('btcpay_received_amount')), self.tx.btcpay_paid_amount
        )
        second.button_draft()
        second.button_cancel()
        self.env.invalidate_all()
        self.assertEqual(
            invoices.mapped('btcpay_received_amount'), [self.tx.btcpay_paid_amount, 0]
        )

    def test_when_an_order_is_invoiced_in_parts_then_each_says_what_it_has_of_the_payment(self):
        self.product.invoice_policy = 'delivery'
        order = self._create_order()
        order.order_line.product_uom_qty = 2
        self._paid(order)
        for number in (1, 2):
            order.order_line.qty_delivered = number
            order._create_invoices().action_post()
        self.env.invalidate_all()
        self.assertEqual(order.invoice_ids.mapped('btcpay_received_amount'), [100, 100])
        self.assertEqual(order.btcpay_received_amount, 200)

    def _arch(self, user):
        return etree.fromstring(self.env['account.move'].with_user(user).get_view(
            self.env.ref('account.view_move_form').id, 'form'
        )['arch'])

    # === THE STATUS === #

    def _status_of(self, invoice):
        return invoice.btcpay_status_text, invoice.btcpay_received_amount

    def test_when_one_of_a_list_was_deleted_meanwhile_then_the_others_are_read(self):
        moves = self._create_invoice() + self._create_invoice() + self._create_invoice()
        deleted = moves[1]
        self.env.flush_all()
        deleted.button_draft()
        deleted.name = False
        deleted.unlink()
        self.env.invalidate_all()
        read = moves.read(['name', 'btcpay_status_text'])
        self.assertEqual([values['id'] for values in read], [moves[0].id, moves[2].id])

    def test_when_an_invoice_is_paid_and_refunded_then_it_shows_how_the_payment_stands(self):
        invoice = self._create_invoice().with_user(self.accountant)
        self.assertFalse(invoice.btcpay_has_transactions)
        tx = self._create_btcpay_transaction(
            invoice_ids=[Command.set(invoice.ids)], partner_id=self.partner.id,
            reference=invoice.name,
        )
        self.assertTrue(invoice.btcpay_has_transactions)
        self.assertEqual(self._status_of(invoice), ("Waiting for payment", 0))
        self.world.pay(tx.btcpay_invoice_id)
        self.world.mine()
        invoice.action_btcpay_sync()
        self.assertEqual(self._status_of(invoice), ("Paid", 100))
        self.assertEqual(invoice.action_btcpay_view_transactions()['res_id'], tx.id)
        self._post_process()
        refund = tx._btcpay_request_refund(50)
        self.assertEqual(invoice.btcpay_status_text, "Paid, refund underway")
        self.world.archive_pull_payment(refund.btcpay_pull_payment_id)
        invoice.action_btcpay_sync()
        self.assertEqual((refund.state, invoice.btcpay_status_text), ('cancel', "Paid"))

    def test_when_the_order_was_paid_then_its_invoice_shows_it_as_well(self):
        order = self._create_order()
        self._paid(order)
        invoice = order._create_invoices()
        self.assertEqual(self._status_of(invoice), ("Paid", 100))

    def test_when_a_bill_is_listed_with_invoices_then_it_shows_what_it_shows_alone(self):
        bill = self._create_invoice(post=False, move_type='in_invoice')
        tx = self._paid(self._create_order())
        tx.invoice_ids = moves = bill | self._create_invoice()
        for records in (moves, bill):
            self.env.invalidate_all()
            self.assertEqual(
                records.mapped('btcpay_has_transactions'), [False, True][:len(records)]
            )
            self.assertEqual(self._status_of(bill), (False, 0))

    def test_when_the_accountant_opens_the_form_then_the_status_is_there(self):
        for user, count in ((self.accountant, 1), (self.seller, 0)):
            arch = self._arch(user)
            self.assertEqual(
                len(arch.xpath('//button[@name="action_btcpay_view_transactions"]')), count
            )

    def test_when_the_list_is_opened_then_the_bitcoin_columns_are_optional(self):
        arch = etree.fromstring(self.env['account.move'].with_user(self.accountant).get_view(
            self.env.ref('account.view_out_invoice_tree').id, 'list'
        )['arch'])
        for field in ('btcpay_received_amount', 'btcpay_status_text'):
            [column] = arch.xpath(f'//field[@name="{field}"]')
            self.assertEqual(column.get('optional'), 'hide')

    # === WHAT IT COSTS === #

    def _count_queries(self, moves):
        """Return how many queries it takes, where the form has read the moves themselves."""
        self.env.flush_all()
        self.env.invalidate_all()
        moves.mapped('currency_id.rounding')
        before = self.env.cr.sql_log_count
        for name in (
            'btcpay_has_transactions', 'btcpay_received_amount', 'btcpay_status_text',
            'btcpay_refund_count',
        ):
            moves.mapped(name)
        return self.env.cr.sql_log_count - before

    def test_when_it_is_no_customer_invoice_then_nothing_is_looked_up(self):
        bill = self._create_invoice(move_type='in_invoice', post=False)
        entry = self.env['account.move'].create({'move_type': 'entry'})
        self.assertEqual(self._count_queries(bill | entry), 0)

    def test_when_an_invoice_was_not_paid_in_bitcoin_then_one_query_says_so(self):
        invoices = self._create_invoice() | self._create_invoice()
        self.assertEqual(self._count_queries(invoices), 1)

    # === CREDIT NOTES === #

    def _pay_buttons(self, move):
        """Return which of Odoo's two buttons that register a payment are shown, by their ids."""
        move.invalidate_recordset()
        names = (
            'state', 'payment_state', 'move_type', 'invoice_has_outstanding',
            'authorized_transaction_ids', 'btcpay_returned_amount',
        )
        values = {name: move[name] for name in names}
        return [
            button.get('id') for button in self._arch(self.accountant).xpath(
                '//button[@name="action_register_payment"]'
            ) if not eval(button.get('invisible').strip(), values)  # noqa: S307 (our own view)
        ]

    def test_when_a_credit_note_is_being_refunded_then_pay_does_not_stand_out(self):
        primary, secondary = (
            f'account_invoice_payment_{name}' for name in ('btn', 'secondary_btn')
        )
        invoice, _tx = self._invoiced()
        credit_note = self._credit(invoice)
        self.assertEqual(self._pay_buttons(credit_note), [primary])
        refund = self._refund_by(
            self._open_wizard(credit_note, scope='amount', amount=60)
        )
        self.assertEqual(self._pay_buttons(credit_note), [secondary])
        self._claim(refund)
        credit_note.action_btcpay_sync()
        self._post_process()
        self.assertEqual((refund.state, credit_note.payment_state), ('done', 'partial'))
        self.assertEqual(self._pay_buttons(credit_note), [secondary])

    def test_when_the_refund_of_a_credit_note_is_canceled_then_pay_stands_out_again(self):
        invoice, _tx = self._invoiced()
        credit_note = self._credit(invoice)
        refund = self._refund_by(self._open_wizard(credit_note))
        self.world.archive_pull_payment(refund.btcpay_pull_payment_id)
        credit_note.action_btcpay_sync()
        self.assertEqual(refund.state, 'cancel')
        self.assertEqual(self._pay_buttons(credit_note), ['account_invoice_payment_btn'])

    def test_when_another_invoice_is_due_then_odoos_buttons_are_as_ever(self):
        self.assertEqual(
            self._pay_buttons(self._create_invoice()), ['account_invoice_payment_btn']
        )

    def _notes_of(self, move):
        """Return what the chatter says, as text."""
        bodies = move.message_ids.sorted('id').mapped('body')
        return ' '.join(html2plaintext(body) for body in bodies).replace('\xa0', ' ')

    def test_when_a_credit_note_is_refunded_then_its_chatter_tells_each_step(self):
        invoice, _tx = self._invoiced()
        credit_note = self._credit(invoice)
        refund = self._refund_by(self._open_wizard(credit_note))
        self.assertIn("waits for the customer to claim it", self._notes_of(credit_note))
        payout_id = self._claim(refund, pay=False)
        refund._btcpay_sync()
        self.assertIn("The customer claimed $ 100.00", self._notes_of(credit_note))
        self.world.approve(payout_id)
        self.world.pay_payout(payout_id)
        refund._btcpay_sync()
        notes = self._notes_of(credit_note)
        for sentence in ("waits for the customer", "The customer claimed", "was paid out"):
            self.assertEqual(notes.count(sentence), 1, sentence)

    def test_when_the_refund_of_a_credit_note_is_canceled_then_its_chatter_tells(self):
        invoice, _tx = self._invoiced()
        credit_note = self._credit(invoice)
        refund = self._refund_by(self._open_wizard(credit_note))
        self.world.archive_pull_payment(refund.btcpay_pull_payment_id)
        refund._btcpay_sync()
        self.assertIn("canceled", self._notes_of(credit_note))


@tagged('post_install', '-at_install')
class TestInvoicePage(RefundMixin, BTCPayHttpCommon):
    """The customer's page of an invoice, and of a credit note."""

    def setUp(self):
        super().setUp()
        self.customer = new_test_user(
            self.env, 'invoice_customer', groups='base.group_portal', partner_id=self.partner.id
        )

    def _page(self, move):
        self.env.flush_all()
        self.authenticate(self.customer.login, self.customer.login)
        return self.url_open(move.get_portal_url()).text

    def test_when_an_invoice_is_refunded_then_its_page_shows_each_step(self):
        invoice, tx = self._invoiced()
        self.assertNotIn("Refunds in Bitcoin", self._page(invoice))
        refund = tx._btcpay_request_refund(50)
        page = self._page(invoice)
        self.assertIn("Refunds in Bitcoin", page)
        self.assertIn(f'href="{refund.btcpay_refund_link}"', page)
        self._claim(refund)
        refund._btcpay_sync()
        page = self._page(invoice)
        self.assertIn("Refund paid out", page)
        self.assertNotIn(refund.btcpay_refund_link, page)

    def test_when_the_order_of_an_invoice_is_refunded_then_its_page_shows_it(self):
        order = self._create_order()
        refund = self._paid(order)._btcpay_request_refund(50)
        invoice = order._create_invoices()
        invoice.action_post()
        self.assertIn(f'href="{refund.btcpay_refund_link}"', self._page(invoice))

    def test_when_a_credit_note_is_refunded_then_its_page_shows_it(self):
        invoice, _tx = self._invoiced()
        credit_note = self._credit(invoice)
        refund = self._refund_by(self._open_wizard(credit_note))
        self.assertIn(f'href="{refund.btcpay_refund_link}"', self._page(credit_note))

    def test_when_somebody_else_opens_the_page_then_the_link_is_not_shown(self):
        invoice, tx = self._invoiced()
        refund = tx._btcpay_request_refund(50)
        page = self.url_open(f'/my/invoices/{invoice.id}?access_token=wrong').text
        self.assertNotIn(refund.btcpay_refund_link, page)

    def test_when_a_part_has_no_entry_then_the_page_asks_for_the_rest_and_takes_it(self):
        self.btcpay.btcpay_accept_partial = True
        for has_entries in (True, False):
            with self.subTest(has_entries=has_entries):
                self._book_as(has_entries)
                invoice = self._create_invoice()
                self.tx = self._create_btcpay_transaction(
                    invoice_ids=[Command.set(invoice.ids)], partner_id=self.partner.id,
                    reference=invoice.name,
                )
                self._receive('0.4')
                self.env.flush_all()
                self.authenticate(self.customer.login, self.customer.login)
                page = self._make_http_get_request(self._build_url(invoice.get_portal_url()))
                context = self._get_payment_context(page)
                self.assertEqual(float(context['amount']), 60)
                self.assertNotIn('100.00', html.fromstring(page.text).xpath(
                    'string(//*[@id="pay_with"])'
                ))
                values = self._press_pay(
                    context['transaction_route'], invoice, amount=float(context['amount'])
                )
                self.env.invalidate_all()
                self.assertEqual(self._get_tx(values['reference']).state, 'draft')
                self.assertIn(self.world.url, values['redirect_form_html'])
