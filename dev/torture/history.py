"""What was done on purpose in a sequence, as far as it excuses what is found in the end."""
from collections import Counter
from dataclasses import dataclass, field


@dataclass
class History:
    """:ivar set orders: all orders
    :ivar dict moves: customer invoices, with the orders that each is of
    :ivar dict places: invoices that took the place of others, with these
    :ivar dict notes: credit notes, with the invoice and the amount of each
    :ivar set unmatched: invoices of which an accountant unmatched what paid them
    :ivar set taken_back: transactions of which an accountant canceled payments, or confirmed them
    :ivar Counter banked: what came by bank, by customer invoice
    :ivar Counter credited: what was credited, by customer invoice
    :ivar set credited_though_paid: invoices of which a person saw that something was paid
    :ivar set confirmed: orders that a person confirmed
    :ivar int refunds_asked: how often the button was pressed
    :ivar set amounts_asked: of refunds, without fees and with them
    :ivar int refunds_at_the_server: how often the merchant refunded without Odoo
    :ivar Counter paid_out: what was paid out, by pull payment
    :ivar dict payouts: claims that are not final: pull payment, amount and state of each
    :ivar set hidden: pull payments that were archived with a payout whose end Odoo had not seen
    :ivar set cancelled: orders that the shop cancelled
    :ivar set cancelled_though_paid: those of them of which a person saw that they were paid
    :ivar set changed: orders that the shop changed
    :ivar set paid_otherwise: orders that were paid by another provider as well
    :ivar set foreign: invoices at the server that Odoo did not make
    :ivar set was_settled: invoices that were settled at a time
    :ivar set paid_while_open: invoices that got money before they were marked invalid
    :ivar set marked_invalid: invoices that the merchant marked
    :ivar int turns: how often something was taken back that may be told of once more
    :ivar set seen_done: transactions that were done at a time
    :ivar set forged: ids of deliveries that are not the server's
    :ivar list forged_answers: what Odoo may answer to one, and what it did
    :ivar bool broken: whether somebody's module keeps orders from being confirmed, till the end
    :ivar bool ever_broken: whether it did at a time
    :ivar bool accepts: whether parts or late payments are accepted by a setting
    :ivar int log_begin: where in Odoo's log the sequence begins
    """

    orders: set = field(default_factory=set)
    moves: dict = field(default_factory=dict)
    places: dict = field(default_factory=dict)
    notes: dict = field(default_factory=dict)
    unmatched: set = field(default_factory=set)
    taken_back: set = field(default_factory=set)
    banked: Counter = field(default_factory=Counter)
    credited: Counter = field(default_factory=Counter)
    credited_though_paid: set = field(default_factory=set)
    confirmed: set = field(default_factory=set)
    refunds_asked: int = 0
    amounts_asked: set = field(default_factory=set)
    refunds_at_the_server: int = 0
    paid_out: Counter = field(default_factory=Counter)
    payouts: dict = field(default_factory=dict)
    hidden: set = field(default_factory=set)
    cancelled: set = field(default_factory=set)
    cancelled_though_paid: set = field(default_factory=set)
    changed: set = field(default_factory=set)
    paid_otherwise: set = field(default_factory=set)
    foreign: set = field(default_factory=set)
    was_settled: set = field(default_factory=set)
    paid_while_open: set = field(default_factory=set)
    marked_invalid: set = field(default_factory=set)
    turns: int = 0
    seen_done: set = field(default_factory=set)
    forged: set = field(default_factory=set)
    forged_answers: list = field(default_factory=list)
    broken: bool = False
    ever_broken: bool = False
    accepts: bool = False
    log_begin: int = 0
