from datetime import timedelta

from odoo import fields
from odoo.fields import Command
from odoo.http import Request
from odoo.tests import tagged

from odoo.addons.payment_btcpay.tests.checkout.shop_common import ShopCommon
from odoo.addons.payment_btcpay.tests.money_common import MoneyMixin


@tagged('post_install', '-at_install')
class TestEventTickets(MoneyMixin, ShopCommon):
    """Tickets that visitors buy on the page of an event."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        if cls.env['ir.module.module']._get('website_event_sale').state != 'installed':
            cls.skipTest(cls, "There are no tickets (module website_event_sale is not installed).")
        cls.env.user.group_ids += cls.env.ref('event.group_event_manager')
        tomorrow = fields.Datetime.now() + timedelta(days=1)
        cls.event = cls.env['event.event'].create({
            'name': "Fair", 'date_begin': tomorrow, 'date_end': tomorrow + timedelta(hours=8),
            'website_published': True, 'event_ticket_ids': [Command.create({
                'name': "Entry", 'price': 50, 'product_id': cls.env['product.product'].create({
                    'name': "Ticket", 'type': 'service', 'service_tracking': 'event',
                    'taxes_id': [Command.clear()],
                }).id,
            })],
        })

    def _buy_two_tickets(self):
        """Order tickets for two people on the page of the event, and press “Pay”.

        :return: The transaction, and the registrations.
        """
        ticket, attendees = self.event.event_ticket_ids, {}
        questions = {question.question_type: question.id for question in self.event.question_ids}
        for number in (1, 2):
            attendees |= {
                f'{number}-event_ticket_id': ticket.id,
                f'{number}-name-{questions["name"]}': f"Visitor {number}",
                f'{number}-email-{questions["email"]}': f'visitor{number}@example.com',
            }
        self.url_open(
            f'/event/{self.event.id}/registration/confirm',
            data={'csrf_token': Request.csrf_token(self), **attendees}, allow_redirects=False,
        )
        self.env.invalidate_all()
        registrations = self.event.registration_ids
        self.assertEqual(registrations.mapped('name'), ["Visitor 2", "Visitor 1"])
        self.assertRecordValues(
            registrations, 2 * [{'state': 'draft', 'sale_status': 'to_pay'}]
        )
        tx = self._pay(registrations.sale_order_id)
        self.assertEqual(tx.amount, 100)
        return tx, registrations

    def test_when_tickets_are_paid_with_bitcoin_then_the_visitors_are_registered(self):
        for method, while_unconfirmed in (('BTC-LN', 'open'), ('BTC-CHAIN', 'draft')):
            with self.subTest(method=method):
                tx, registrations = self._buy_two_tickets()
                self.world.pay(tx.btcpay_invoice_id, method=method)
                self._look(tx)
                self._post_process()
                self.assertEqual(registrations.mapped('state'), 2 * [while_unconfirmed])
                self.world.mine()
                self._look(tx)
                self._post_process()
                self.assertRecordValues(
                    registrations, 2 * [{'state': 'open', 'sale_status': 'sold'}]
                )
                order = registrations.sale_order_id
                self.assertEqual((order.state, order.amount_paid), ('sale', 100))
                registrations.unlink()

    def test_when_tickets_are_not_paid_then_nobody_is_registered_and_they_can_be_paid_again(self):
        tx, registrations = self._buy_two_tickets()
        self.world.expire(tx.btcpay_invoice_id)
        self._look(tx)
        self._post_process()
        self.assertEqual((tx.state, registrations.sale_order_id.state), ('cancel', 'draft'))
        self.assertRecordValues(
            registrations, 2 * [{'state': 'draft', 'sale_status': 'to_pay'}]
        )
        again = self._pay(registrations.sale_order_id)
        self.world.pay(again.btcpay_invoice_id, method='BTC-LN')
        self._look(again)
        self._post_process()
        self.assertEqual(set(registrations.mapped('state')), {'open'})
