"""Much of everything: transactions to be looked after, final ones, deliveries."""
import threading
import time

import psutil

from .clone import clone
from .customers import Customers
from .figures import Sample
from .peers import Ours
from .place import WITH, Odoo

RECONCILED = (1_000, 10_000, 50_000)
FINAL = 300_000
DELIVERIES = 1_000_000
#: seconds that a pass may take; a longer one is not tried with more
LONGEST = 150
TIMES = 40


class Memory:
    """The most that this process held while the block ran.

    :ivar float mb: more than in the beginning
    """

    def __enter__(self):
        self.process = psutil.Process()
        self.before = self.most = self.process.memory_info().rss
        self.over = threading.Event()
        self.watcher = threading.Thread(target=self._watch, daemon=True)
        self.watcher.start()
        return self

    def _watch(self):
        while not self.over.wait(0.05):
            self.most = max(self.most, self.process.memory_info().rss)

    def __exit__(self, *_exc):
        self.over.set()
        self.watcher.join()

    @property
    def mb(self):
        return round((self.most - self.before) / 2**20, 1)


def _sources(place):
    """Have one order paid, confirmed and watched on, and another one wait to be paid.

    :return: of both the transaction's id, and when the server made the invoice
    """
    place.leave_off()
    with Odoo(place, WITH) as odoo:
        customers = Customers(place, odoo)
        [peer] = customers.peers([Ours])
        opened, paid = payments = customers.payments(peer, 2)
        made = [place.tell('made', payment.number) for payment in payments]
        place.tell('invoices', [[paid.number, paid.reference, 'paid', made[1]]])
        odoo.send(peer.settled(paid))
    place.run_crons()
    assert customers.states(payments) == ['draft', 'done']
    [ids] = place.sql(
        'SELECT array_agg(id ORDER BY reference = %s) FROM payment_transaction '
        'WHERE reference IN (%s, %s)', paid.reference, opened.reference, paid.reference)
    return list(zip(*ids, made, strict=True))


def _copy_transactions(place, source_id, count, name, **changes):
    with place.env() as env:
        clone(env.cr, 'payment_transaction', source_id, count, reference=f"'{name}' || n",
              btcpay_invoice_id=f"'{name}' || n", btcpay_checkout_link=(
                  f"replace(t.btcpay_checkout_link, t.btcpay_invoice_id, '{name}' || n)"),
              **changes)


def _remove_transactions(place):
    with place.env() as env:
        # Nothing refers to them: for each of them PostgreSQL would look through all others.
        env.cr.execute("SET LOCAL session_replication_role = 'replica'")
        env.cr.execute("DELETE FROM payment_transaction WHERE reference LIKE 'bench%'")
    place.vacuum('payment_transaction')


def reconcile(place, sizes=RECONCILED):
    """Have transactions looked after of which the server says nothing new, half open, half paid.

    :return: figures by how many
    """
    from odoo.addons.btcpay_bench import counters

    sync = next(cron for cron in place.crons().values() if cron[2] == '_cron_btcpay_sync')
    sources = _sources(place)
    half = -(-max(sizes) // 2)
    invoices = []
    for (source_id, made), name, state in zip(
            sources, ('benchopen', 'benchpaid'), ('open', 'paid'), strict=True):
        _copy_transactions(place, source_id, half, name, is_post_processed='TRUE',
                           btcpay_next_sync_at='NULL')
        invoices += [(f'{name}{n}', f'{name}{n}', state, made) for n in range(1, half + 1)]
    place.tell('invoices', invoices)
    place.vacuum('payment_transaction')
    found = {}
    for size in sizes:
        _make_due(place, size)
        calls = place.calls()
        counters.begin()
        begun = time.perf_counter()
        with Memory() as memory:
            place.run_cron(sync)
        seconds, counts = time.perf_counter() - begun, counters.read()
        found[size] = {
            'seconds': round(seconds, 2), 'cpu_seconds': round(counts.cpu, 2),
            'calls': place.calls() - calls, 'queries': counts.queries,
            'commits': counts.commits, 'memory_mb': memory.mb, 'left': _count_due(place),
            'changed': _count_changed(place)}
        if seconds * 5 > LONGEST and size != sizes[-1]:
            break
    _remove_transactions(place)
    return found


def _make_due(place, size):
    place.sql(
        'UPDATE payment_transaction SET btcpay_next_sync_at = CASE WHEN id IN ('
        '(SELECT id FROM payment_transaction WHERE reference LIKE %s ORDER BY id LIMIT %s) '
        'UNION ALL '
        '(SELECT id FROM payment_transaction WHERE reference LIKE %s ORDER BY id LIMIT %s)'
        ") THEN now() AT TIME ZONE 'UTC' - interval '1 minute' END "
        'WHERE btcpay_next_sync_at IS NOT NULL OR reference LIKE %s',
        'benchopen%', size // 2, 'benchpaid%', size - size // 2, 'bench%')
    place.vacuum('payment_transaction')


def _count_due(place):
    [[count]] = place.sql("SELECT count(*) FROM payment_transaction WHERE "
                          "btcpay_next_sync_at <= now() AT TIME ZONE 'UTC'")
    return count


def _count_changed(place):
    """:return: how many are no longer what they were: none may be"""
    [[count]] = place.sql(
        "SELECT count(*) FROM payment_transaction WHERE (reference LIKE 'benchopen%%' "
        "AND state <> 'draft') OR (reference LIKE 'benchpaid%%' AND state <> 'done')")
    return count


# --- final transactions ---------------------------------------------------------------------------

def idle(place, count=FINAL, times=15):
    """What our scheduled actions cost when there is nothing to do, with few and many payments.

    :return: milliseconds and queries by scheduled action
    """
    _opened, (paid, _made) = _sources(place)
    place.sql('UPDATE payment_transaction SET btcpay_next_sync_at = NULL')
    place.run_crons()
    found = {'few': _idle(place, times)}
    _copy_transactions(place, paid, count, 'benchfinal', is_post_processed='TRUE',
                       btcpay_next_sync_at='NULL')
    place.vacuum('payment_transaction')
    found['many'] = _idle(place, times)
    _remove_transactions(place)
    return {'count': count, **found}


def _idle(place, times):
    from odoo.addons.btcpay_bench import counters

    found = {}
    for name, cron in place.crons().items():
        seconds = []
        for _number in range(times):
            counters.begin()
            begun = time.perf_counter()
            place.run_cron(cron)
            seconds.append(time.perf_counter() - begun)
        found[name] = {'ms': round(1000 * sorted(seconds)[times // 2], 1),
                       'queries': counters.read().queries}
    return found


# --- deliveries -----------------------------------------------------------------------------------

def deliveries(place, count=DELIVERIES, times=TIMES):
    """Store and process deliveries beside very many old ones, and while these are removed.

    :return: seconds, and figures of the events
    """
    place.tell('state', 'open')
    with Odoo(place, WITH) as odoo:
        customers = Customers(place, odoo)
        [peer] = customers.peers([Ours])
        payments = iter(customers.payments(peer, 3 * times + 4))
        place.tell('state', 'paid')
        for _number in range(4):
            odoo.send(peer.settled(next(payments)))
        found = {'count': count, 'few': _events(place, odoo, peer, payments, times)}
        begun = time.perf_counter()
        _fill(place, count)
        found['filled_in_s'] = round(time.perf_counter() - begun, 1)
        found['many'] = _events(place, odoo, peer, payments, times)
        cleaner = threading.Thread(target=_clean, args=(place, found))
        cleaner.start()
        found['meanwhile'] = _events(place, odoo, peer, payments, times, cleaner)
        cleaner.join()
    place.tell('state', 'open')
    return found


def _fill(place, count):
    with place.env() as env:
        env.cr.execute('SELECT max(id) FROM btcpay_delivery')
        [source] = env.cr.fetchone()
        clone(env.cr, 'btcpay_delivery', source, count, delivery_ref="'bench' || n",
              state="'processed'", invoice_ref="'bench' || n / 4", next_try_at='NULL',
              create_date="now() AT TIME ZONE 'UTC' - interval '1 year' + n * interval '1 second'")
    place.vacuum('btcpay_delivery')


def _events(place, odoo, peer, payments, times, while_alive=None):
    sample = Sample()
    for _number in range(times):
        calls = place.calls()
        answer = odoo.send(peer.settled(next(payments)))
        assert answer.status == 200
        sample.add(answer, place.calls() - calls)
        if while_alive and not while_alive.is_alive():
            break
    return sample.figures()


def _clean(place, found):
    """Do what Odoo's daily clean-up does: it asks again as long as something is left."""
    before, begun, runs = _count_old(place), time.perf_counter(), 0
    again = True
    while again and time.perf_counter() - begun < LONGEST:
        with place.env() as env:
            result = env['btcpay.delivery']._gc_deliveries()
        again = bool(isinstance(result, tuple) and result[1])
        runs += 1
    found['clean_up'] = {
        'seconds': round(time.perf_counter() - begun, 1), 'runs': runs,
        'removed': before - _count_old(place), 'left': _count_old(place)}


def _count_old(place):
    [[count]] = place.sql("SELECT count(*) FROM btcpay_delivery WHERE delivery_ref LIKE 'bench%%'")
    return count
