"""What the rest of Odoo feels of the module: sales, lists, and what a worker holds and loads."""
import json
import statistics
import subprocess
import time

from lxml import etree

from ..odoo.instance import environment
from ..setup.console import SetupError
from .clone import clone
from .customers import Customers
from .furnish import order
from .peers import Ours
from .place import WITH, WITHOUT, Odoo

SHOPS = {'without': WITHOUT, 'with': WITH}
LISTS = (80, 10_000)
WORKER = """
import gc, json, time, psutil
from odoo.orm.registry import Registry
begun = time.perf_counter()
Registry.new(env.cr.dbname)
seconds = time.perf_counter() - begun
gc.collect()
print('WORKER', json.dumps({'mb': psutil.Process().memory_full_info().uss / 2**20,
                            'seconds': seconds}))
"""


def sales(place, times=10):
    """:return: queries and CPU by step, without and with the module"""
    found = {}
    for _number in range(times):
        for shop, database in SHOPS.items():
            for step, counts in _sell(place, database).items():
                found.setdefault(step, {}).setdefault(shop, []).append(counts)
    return {step: {shop: {
        'queries': min(counts.queries for counts in by_shop),
        'cpu_ms': round(1000 * statistics.median(counts.cpu for counts in by_shop), 2),
    } for shop, by_shop in shops.items()} for step, shops in found.items()}


def _sell(place, database):
    from odoo.addons.btcpay_bench import counters

    def count(act):
        env.flush_all()
        env.invalidate_all()
        counters.begin()
        result = act()
        env.flush_all()
        counts[step] = counters.read()
        return result

    counts = {}
    with place.env(database) as env:
        step = 'create'
        made = count(lambda: order(env))
        step = 'change'
        count(lambda: made.order_line.write({'product_uom_qty': 3}))
        step = 'cancel'
        count(made._action_cancel)
        step = 'confirm'
        count(order(env).action_confirm)
    return counts


# --- lists ----------------------------------------------------------------------------------------

def lists(place, sizes=LISTS):
    """The list of orders, each paid by us; without the module, and with it, whose columns are read.

    :return: queries and milliseconds by size
    """
    place.tell('state', 'paid')
    with Odoo(place, WITH) as odoo:
        customers = Customers(place, odoo)
        [peer] = customers.peers([Ours])
        [payment] = customers.payments(peer, 1)
        odoo.send(peer.settled(payment))
        assert customers.states([payment]) == ['done']
    with place.env(WITHOUT) as env:
        source = order(env).id
    _fill(place, WITHOUT, source, max(sizes))
    _fill(place, WITH, payment.order, max(sizes), payment.reference)
    place.tell('state', 'open')
    return {size: _list(place, size) for size in sizes}


def _fill(place, database, order_id, count, reference=None):
    with place.env(database) as env:
        cr = env.cr
        orders = clone(cr, 'sale_order', order_id, count, name="'BENCH' || n",
                       access_token="'bench' || n")
        if reference:
            cr.execute('SELECT id FROM payment_transaction WHERE reference = %s', [reference])
            [source] = cr.fetchone()
            txs = clone(cr, 'payment_transaction', source, count, reference="'BENCH' || n",
                        btcpay_invoice_id="'bench' || n", btcpay_next_sync_at='NULL',
                        is_post_processed='TRUE')
            cr.execute('INSERT INTO sale_order_transaction_rel (sale_order_id, transaction_id) '
                       'SELECT unnest(%s), unnest(%s)', [orders, txs])
        cr.commit()
        for table in ('sale_order', 'payment_transaction', 'sale_order_transaction_rel'):
            cr.execute(f'ANALYZE {table}')


def _list(place, size):
    found = {}
    for _number in range(7 if size < 1000 else 3):
        for name, database, is_ours in (
            ('without', WITHOUT, True), ('left_out', WITH, False), ('with', WITH, True),
        ):
            found.setdefault(name, []).append(_read_list(place, database, size, is_ours))
    return {name: {'queries': min(q for q, _s in reads),
                   'ms': round(1000 * statistics.median(s for _q, s in reads), 1)}
            for name, reads in found.items()}


def _read_list(place, database, size, is_ours):
    from odoo.addons.btcpay_bench import counters

    with place.env(database) as env:
        orders = env['sale.order'].with_user(env.ref('base.user_admin'))
        view = orders.get_view(env.ref('sale.view_order_tree').id, 'list')
        names = {node.get('name') for node in etree.fromstring(view['arch']).iter('field')}
        fields = {
            name: {'fields': {'display_name': {}}} if orders._fields[name].relational else {}
            for name in names if is_ours or not name.startswith('btcpay_')}
        domain = [('name', '=like', 'BENCH%')]
        orders.search(domain, limit=1)
        env.invalidate_all()
        counters.begin()
        begun = time.perf_counter()
        read = orders.web_search_read(domain, fields, limit=size)
        seconds = time.perf_counter() - begun
        assert len(read['records']) == size
        return counters.read().queries, seconds


# --- a worker -------------------------------------------------------------------------------------

def worker(place, times=3):
    """:return: megabytes of a process, and seconds to load the registry, without and with us"""
    found = {}
    for _number in range(times):
        for shop, database in SHOPS.items():
            found.setdefault(shop, []).append(_load(place, database))
    return {shop: {name: round(statistics.median(load[name] for load in loads), 2)
                   for name in ('mb', 'seconds')} for shop, loads in found.items()}


def _load(place, database):
    command = place.instance.command(database, *place.options, '--no-http', subcommand='shell')
    done = subprocess.run(command, cwd=place.instance.folder, env=environment(), input=WORKER,
                          text=True, capture_output=True, check=False)
    for line in done.stdout.splitlines():
        if 'WORKER {' in line:
            return json.loads(line.partition('WORKER ')[2])
    raise SetupError(f'The shell said nothing:\n{done.stdout[-500:]}{done.stderr[-1000:]}',
                     'Look at dev/bench/sales.py')
