import html

from odoo.tests import new_test_user, tagged

from odoo.addons.payment_btcpay.tests.common import BTCPayHttpCommon
from odoo.addons.payment_btcpay.tests.money_common import MoneyMixin


@tagged('post_install', '-at_install')
class TestRequestTour(MoneyMixin, BTCPayHttpCommon):

    def test_when_a_salesperson_requests_a_payment_then_the_order_shows_it_once_paid(self):
        """The salesperson asks, the customer pays by the link, and the order shows it."""
        user = new_test_user(
            self.env, 'request_tour', 'sales_team.group_sale_salesman',
            email='request_tour@example.com',
        )
        self.partner.email = 'customer@example.com'
        order = self._create_order(
            user_id=user.id, require_payment=True, require_signature=False, prepayment_percent=0.3,
        )
        self.env.flush_all()
        url = f'/odoo/sales/{order.id}'
        self.start_tour(url, 'btcpay_request_tour', login='request_tour')
        self.env.invalidate_all()
        self.assertFalse(order.transaction_ids)

        mail = order.message_ids.filtered(lambda message: self.partner in message.partner_ids)
        self.assertEqual(mail.author_id, user.partner_id)
        link = next(
            part for part in html.unescape(str(mail.body)).split('"') if 'btcpay=1' in part
        )
        self.authenticate(None, None)
        context = self._get_payment_context(self._make_http_get_request(link))
        values = self._portal_transaction(
            tx_route=context['transaction_route'], provider_id=self.btcpay.id,
            payment_method_id=context['payment_method_ids'][0], token_id=None,
            amount=context['amount'], flow='redirect', tokenization_requested=False,
            landing_route=context['landing_route'], access_token=context['access_token'],
        )
        tx = self._get_tx(values['reference'])
        with self._world_speaks():
            self.world.pay(tx.btcpay_invoice_id)
            self.world.mine()
        self.assertEqual(tx.state, 'done')
        self._post_process()
        self.env.flush_all()
        self.start_tour(url, 'btcpay_request_paid_tour', login='request_tour')
