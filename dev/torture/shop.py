"""What customers do, over HTTP as their browsers do it, and what the shop's people do."""
from dataclasses import dataclass, field

import requests

from .office import Office

TIMEOUT = 60


@dataclass
class Attempt:
    """A customer's attempt to pay an order or a customer invoice.

    :param int order: id of the order or the invoice
    :param Session browser: the customer's
    :param dict answer: what the browser was given
    """

    order: int
    browser: requests.Session
    answer: dict = field(default_factory=dict)
    tx: int | None = None
    reference: str | None = None


class Shop:
    """:param Rig rig: the shop"""

    def __init__(self, rig):
        self.rig = rig

    def new_order(self, amount, promotion=None):
        """:param str promotion: what changes the total when it is confirmed, see `models.py`
        :return: id of a quotation that is sent to the customer
        """
        with self.rig.env() as env:
            order = env['sale.order'].create({
                'partner_id': self.rig.partner_id,
                'require_signature': False, 'require_payment': True, 'prepayment_percent': 1.0,
                'client_order_ref': promotion,
                'order_line': [(0, 0, {
                    'product_id': self.rig.product_id, 'price_unit': amount,
                    'tax_ids': [(5, 0, 0)],
                })],
            })
            order.state = 'sent'
            order._portal_ensure_token()
            return order.id

    def order(self, order_id):
        return self.rig.sql(
            'SELECT id, name, state, amount_total, access_token FROM sale_order WHERE id = %s',
            order_id)[0]

    def paid(self, order_id):
        """:return: what is paid of an order, as Odoo counts"""
        return float(self.rig.sql(
            'SELECT COALESCE(sum(t.amount), 0) AS paid FROM payment_transaction t '
            'JOIN sale_order_transaction_rel r ON r.transaction_id = t.id '
            "WHERE r.sale_order_id = %s AND t.state IN ('done', 'authorized')",
            order_id)[0]['paid'])

    # --- the customer -----------------------------------------------------------------------------

    def call(self, browser, path, **params):
        """:return: the JSON-RPC answer"""
        response = browser.post(
            self.rig.url + path, json={'jsonrpc': '2.0', 'method': 'call', 'params': params},
            timeout=TIMEOUT)
        response.raise_for_status()
        return response.json()

    def checkout(self, order_id):
        """Press "Pay" on the order's page.

        :return: the Attempt; without an invoice if the server could not be asked
        """
        order = self.order(order_id)
        return self._checkout(
            order_id, f'/my/orders/{order_id}/transaction', order['access_token'],
            float(order['amount_total']) - self.paid(order_id))

    def checkout_move(self, move_id, fraction=1):
        """Press "Pay" on the page of a customer invoice.

        :param float fraction: of what is due
        :return: the Attempt; without an invoice if the server could not be asked
        """
        move = Office(self.rig).move(move_id)
        return self._checkout(
            move_id, f'/invoice/transaction/{move_id}', move['access_token'],
            float(move['amount_residual']) * fraction)

    def _checkout(self, document, path, token, amount):
        attempt = Attempt(document, requests.Session())
        attempt.browser.trust_env = False
        attempt.answer = self.call(
            attempt.browser, path, access_token=token, provider_id=self.rig.provider_id,
            payment_method_id=self.rig.method_id, token_id=None, flow='redirect',
            amount=round(amount, 2), tokenization_requested=False, landing_route='/my')
        result = attempt.answer.get('result') or {}
        attempt.reference = result.get('reference')
        found = self.rig.sql(
            'SELECT id FROM payment_transaction WHERE reference = %s', attempt.reference)
        attempt.tx = found[0]['id'] if found else None
        return attempt

    def return_page(self, attempt):
        """:return: the HTTP status"""
        return attempt.browser.get(
            f'{self.rig.url}/payment/btcpay/back', params={'ref': attempt.reference},
            allow_redirects=False, timeout=TIMEOUT).status_code

    def poll(self, attempt):
        """:return: the JSON-RPC answer"""
        return self.call(attempt.browser, '/payment/status/poll')

    def pay_otherwise(self, order_id):
        """Pay the whole order by another provider."""
        with self.rig.env() as env:
            order = env['sale.order'].browse(order_id)
            provider = env['payment.provider'].browse(self.rig.wire_id)
            tx = env['payment.transaction'].create({
                'provider_id': provider.id, 'payment_method_id': provider.payment_method_ids[:1].id,
                'reference': env['payment.transaction']._compute_reference(
                    'custom', prefix=order.name),
                'amount': order.amount_total, 'currency_id': order.currency_id.id,
                'partner_id': order.partner_id.id, 'operation': 'online_redirect',
                'sale_order_ids': [(6, 0, order.ids)],
            })
            tx._set_pending()
            tx._set_done()
            return tx.id

    # --- the shop's people ------------------------------------------------------------------------

    def cancel(self, order_id):
        with self.rig.env() as env:
            env['sale.order'].browse(order_id)._action_cancel()

    def reopen(self, order_id):
        with self.rig.env() as env:
            order = env['sale.order'].browse(order_id)
            order.action_draft()
            order.state = 'sent'

    def change(self, order_id, amount):
        with self.rig.env() as env:
            env['sale.order'].browse(order_id).order_line.price_unit = amount

    def click(self, tx_id, button):
        """:return: what the button said, if it refused"""
        from odoo.exceptions import UserError

        with self.rig.env() as env:
            try:
                getattr(env['payment.transaction'].browse(tx_id), button)()
            except UserError as error:
                env.cr.rollback()
                return str(error)
        return None
