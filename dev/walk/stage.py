"""What the chapters of the story share: the people's windows, Odoo, the server and its store."""
import time
from dataclasses import dataclass, field
from functools import partial

from ..world import World
from .browser import Browser
from .rpc import Odoo
from .story import Story

SECONDS = 30  # that something may take which is not measured


@dataclass
class Stage:
    """:param str url: address of Odoo
    :param str login: the administrator's
    :param str password: the administrator's
    :ivar str store_id: the store of the server that is sold from
    :ivar str store_name: its name
    :ivar str label: of the API key, unique, so that it is found again on the server's pages
    :ivar admin: the administrator's page
    :ivar Odoo odoo: Odoo's data
    :ivar dict provider: the payment provider as last read
    :ivar dict notes: what chapters leave for others, orders for example
    :ivar dict pictures: paths of the pictures by name
    """

    story: Story
    browser: Browser
    world: World
    url: str
    login: str
    password: str
    store_id: str = ''
    store_name: str = ''
    label: str = ''
    admin: object = None
    odoo: Odoo = None
    provider: dict = field(default_factory=dict)
    notes: dict = field(default_factory=dict)
    pictures: dict = field(default_factory=dict)
    keep_connected: bool = True

    @property
    def is_stand_in(self):
        return self.world.can_fault

    @property
    def step(self):
        return self.story.step

    def picture(self, page, name, **options):
        self.pictures[name] = self.story.picture(page, name, **options)

    def odoo_of(self, page):
        return Odoo(page.request, self.url)

    def has_accounting(self):
        return bool(self.odoo.first('ir.model', [('model', '=', 'account.payment')], ['model']))

    def read_provider(self):
        """:return: the payment provider BTCPay Server as it is now"""
        self.provider = self.odoo.first('payment.provider', [('code', '=', 'btcpay')], [
            'name', 'state', 'is_published', 'btcpay_connection_state', 'btcpay_server_url',
            'btcpay_store_id', 'btcpay_store_name', 'btcpay_webhook_id', 'btcpay_webhook_url',
        ], order='id')
        return self.provider

    def webhooks(self):
        """:return: the server's webhooks that lead to this Odoo's provider"""
        path = f'/payment/btcpay/webhook/{self.provider["id"]}'
        return [hook for hook in self.world.webhooks(self.store_id) if hook['url'].endswith(path)]

    # --- orders -----------------------------------------------------------------------------------

    def transaction(self, invoice_id):
        """:return: Odoo's transaction of an invoice of the server"""
        return self.odoo.first(
            'payment.transaction', [('btcpay_invoice_id', '=', invoice_id)],
            ['reference', 'state', 'state_message', 'amount', 'sale_order_ids', 'is_post_processed',
             'btcpay_status', 'btcpay_review_note', 'partner_id'])

    def order(self, order_id):
        return self.odoo.read(
            'sale.order', order_id, ['name', 'state', 'amount_total', 'amount_paid', 'partner_id'])

    def wait_transaction(self, invoice_id, state, seconds=SECONDS):
        """Wait until the transaction of an invoice has a state.

        :return: the transaction
        """
        return self._wait(
            partial(self.transaction, invoice_id), state, seconds, 'Transaction {reference}')

    def wait_order(self, order_id, state, seconds=SECONDS):
        """Wait until an order has a state.

        :return: the order
        """
        return self._wait(partial(self.order, order_id), state, seconds, 'Order {name}')

    @staticmethod
    def _wait(read, state, seconds, what):
        end = time.monotonic() + seconds
        while True:
            found = read()
            if found and found['state'] == state:
                return found
            if time.monotonic() > end:
                name = what.format(**found) if found else 'What was looked for'
                raise AssertionError(
                    f'{name} is {found["state"] if found else "not there"}, not {state}, after '
                    f'{seconds} seconds. {(found or {}).get("state_message") or ""}')
            time.sleep(0.1)
