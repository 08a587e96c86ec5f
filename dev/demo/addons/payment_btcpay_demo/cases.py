"""What does not go as planned, played with an order of the demo's customer and the stand-in.

``CASES`` has for each what is done at the server once the order's invoice is there, and what has
then to be so in Odoo. ``play`` does it all with the code that the shop has.
"""
import time
from typing import NamedTuple

from odoo import _
from odoo.exceptions import UserError
from odoo.fields import Command

from odoo.addons.payment_btcpay import const
from odoo.addons.payment_btcpay.dev.world.stand_in import StandIn

CUSTOMER = 'customer@example.com'
PRODUCT = 'Halving T-Shirt'
ORIGIN = 'Demo: %s'
SECONDS = 30  # that Odoo may take until it knows


class Case(NamedTuple):
    """:param play: what happens, called with the :class:`Stage`
    :param is_there: whether Odoo shows it by now, called with the :class:`Stage`
    """

    play: callable
    is_there: callable


class Stage:
    """An order whose customer has just come to the checkout page."""

    def __init__(self, env, world, order, tx):
        self.env = env
        self.world = world
        self.order = order
        self.tx = tx
        self.invoice_id = tx.btcpay_invoice_id

    def wait(self, is_there):
        """Wait until Odoo, which the server tells, has come to something.

        :raise UserError: If it does not.
        """
        end = time.monotonic() + SECONDS
        self.env.cr.commit()
        while not is_there(self):
            if time.monotonic() > end:
                raise UserError(_(
                    "Odoo has not heard of it from the BTCPay Server within %s seconds.", SECONDS))
            time.sleep(0.2)
            self.env.cr.commit()  # what others have written since is seen
            self.env.invalidate_all()


def _partial(stage):
    stage.world.pay(stage.invoice_id, fraction='0.5')
    stage.world.mine()
    stage.wait(lambda stage: stage.tx.state == 'pending')
    stage.world.expire(stage.invoice_id)


def _late(stage):
    stage.world.expire(stage.invoice_id)
    stage.wait(lambda stage: stage.tx.state == 'cancel')
    time.sleep(1)  # in the second in which it expires a payment is in time
    stage.world.pay(stage.invoice_id)
    stage.world.mine()


def _over(stage):
    stage.world.pay(stage.invoice_id, fraction='2')
    stage.world.mine()


def _refunded(stage):
    stage.world.pay(stage.invoice_id, method='BTC-LN')
    stage.wait(lambda stage: stage.order.state == 'sale' and stage.tx.btcpay_can_refund)
    wizards = stage.env['btcpay.refund.wizard']
    wizards.browse(wizards._open(stage.tx)['res_id']).action_refund()
    refund = _find_refund(stage)
    payout = stage.world.claim(refund.btcpay_pull_payment_id)
    stage.world.approve(payout)
    stage.world.pay_payout(payout)


def _find_refund(stage):
    return stage.tx.child_transaction_ids.filtered(lambda tx: tx.operation == 'refund')


def _replaced(stage):
    paid = stage.world.pay(stage.invoice_id, replaceable=True)
    stage.wait(lambda stage: stage.tx.state == 'pending')
    stage.world.replace(paid)
    stage.world.mine()
    stage.tx._btcpay_sync()  # the server sends no event of it: Odoo looks, sooner or later


CASES = {
    'partial': Case(_partial, lambda stage: stage.order.btcpay_decision == 'partial'),
    'late': Case(_late, lambda stage: stage.order.btcpay_decision == 'late'),
    'over': Case(_over, lambda stage: stage.order.state == 'sale'
                 and stage.order.btcpay_decision == 'overpaid'),
    'refunded': Case(_refunded, lambda stage: _find_refund(stage).state == 'done'),
    'replaced': Case(_replaced, lambda stage: stage.tx.btcpay_review_note),
}


def play(env, name):
    """Play a case; who has not connected the store yet has it connected.

    :param str name: of ``CASES``
    :return: the order on which it is to be seen
    """
    case = CASES[name]
    provider = find_provider(env)
    world = StandIn(env['ir.config_parameter'].get_param('payment_btcpay_demo.server_url'))
    if provider.btcpay_connection_state != 'connected':
        _connect(provider, world)
    order = _make_order(env, name)
    stage = Stage(env, world, order, _begin_payment(provider, order))
    case.play(stage)
    stage.wait(case.is_there)
    return order


def find_provider(env):
    """:return: the provider that the shop offers"""
    return env['payment.provider'].search([('code', '=', 'btcpay')], order='id', limit=1)


def find_order(env, name):
    """:return: the order on which a case was played last"""
    return env['sale.order'].search([('origin', '=', ORIGIN % name)], order='id desc', limit=1)


def _connect(provider, world):
    """As if somebody had been led to the server and back."""
    [store] = world.api('GET', '/stores')[:1]
    key = world.new_key(store['id'], const.PERMISSIONS, label='Odoo')
    provider._btcpay_connect(world.url, key)


def _make_order(env, name):
    customer = env['res.users'].search([('login', '=', CUSTOMER)]).partner_id
    product = env['product.product'].search([('name', '=', PRODUCT)], limit=1)
    order = env['sale.order'].create({
        'partner_id': customer.id, 'origin': ORIGIN % name,
        'order_line': [Command.create({'product_id': product.id})],
    })
    order.action_quotation_sent()
    return order


def _begin_payment(provider, order):
    """Press “Pay”.

    :return: the transaction, whose invoice is at the server
    """
    transactions = order.env['payment.transaction']
    tx = transactions.create({
        'provider_id': provider.id,
        'payment_method_id': provider.payment_method_ids[:1].id,
        'reference': transactions._compute_reference(provider.code, prefix=order.name),
        'amount': order.amount_total, 'currency_id': order.currency_id.id,
        'partner_id': order.partner_id.id, 'operation': 'online_redirect',
        'sale_order_ids': [Command.set(order.ids)], 'landing_route': order.get_portal_url(),
    })
    tx._get_processing_values()
    return tx
