"""RESULTS.md: what was measured, for people."""
from .goals import STEPS, ratio

INTRODUCTION = """# What payments cost

Written by `make bench`; the figures for programs are in `results.json`. `before → after`: the
commit before the work on what things cost, and the newest that was measured, by the same tool on
the same machine. One figure alone: it did not change, or there is no `before`, as the list of what
was measured tells.

Mollie, Stripe and ours are measured in one database and one run, in turn (A, B, C, A, B, C …), on
Odoo with threads and without scheduled actions. Times are medians, from the first byte sent to the
last one read. Queries are Odoo's own count of the whole request, whatever the cursor. Each provider
is answered over loopback by the same small server (`dev/bench/server.py`), whose answers are
ready-made; those of the BTCPay Server are the stand-in's. Nobody's encryption, distance or own
time is in the figures.
"""

#: where the tool has not measured what was before: what was, with others, on 2026-11-25
EARLIER = {
    'lists': '80 rows: 17 queries without our columns, 99 with them; 10,000 rows: 44 and 10,065.',
    'reconcile': '18 to 22 queries, 3 commits and 9 ms of CPU for each; ten minutes for 50,000.',
    'idle': 'the sync took 61 ms beside 300,000 final ones.',
}


def render(runs):
    """:param dict runs: see `results.Results`
    :return: the whole text
    """
    parts = [INTRODUCTION, _provenance(runs)]
    for title, part, write in SECTIONS:
        found = {run: runs[run][part]['figures'] for run in ('before', 'after')
                 if part in runs.get(run, {})}
        if 'after' in found or 'before' in found:
            parts.append(f'## {title}\n\n{write(found)}')
            if part in EARLIER and 'before' not in found:
                parts.append(f'Before, by the measurement of 2026-11-25: {EARLIER[part]}\n')
    return '\n'.join(parts)


def table(head, rows):
    """:return: a table of Markdown"""
    lines = [head, ['---'] * len(head), *rows]
    return ''.join(f'| {" | ".join(str(cell) for cell in line)} |\n' for line in lines)


def change(found, read):
    """:return: `before → after` of one figure"""
    said = []
    for run in ('before', 'after'):
        try:
            value = read(found[run]) if run in found else None
        except (KeyError, TypeError):
            value = None
        if isinstance(value, dict):
            value = ', '.join(f'{count} × {what}' for what, count in value.items())
        said.append('–' if value is None else str(value))
    return said[1] if said[0] in ('–', said[1]) else ' → '.join(said)


def latest(found):
    return found.get('after') or found['before']


def _provenance(runs):
    rows = []
    for run in ('before', 'after'):
        for part, one in runs.get(run, {}).items():
            rows.append([run, part, one['date'], f'`{one["commit"]}`', one['seconds'],
                         f'{one["load"][0]} → {one["load"][1]}'])
    machines = {tuple(one['machine'].values()) for run in runs.values() for one in run.values()}
    said = '; '.join(f'{cores} cores ({cpu}), {memory} GB, {system}, Python {python}'
                     for cores, cpu, memory, system, python in sorted(machines, key=str))
    return (f'Machine: {said}.\n\n' + table(
        ['run', 'part', 'date', 'commit', 'seconds', 'load when begun → ended'], rows)
        + '\nA load far above the number of cores means that others worked on the machine: times '
        'are longer then, and their ratios less sure; counts are exact in any case.\n')


def _cell(figures):
    if not figures:
        return '–'
    low, high = figures['queries_range']
    queries = low if low == high else f'{figures["queries"]} ({low}–{high})'
    return (f'{figures["ms"]} ms, {queries} q, {figures["calls"]} calls, '
            f'{figures["commits"]} commits')


def steps(found):
    rows = []
    for step, (title, goal) in STEPS.items():
        now = latest(found).get(step)
        if not now:
            continue
        misses = goal.misses(now['btcpay'], ratio(now))
        rows.append([
            title, _cell(now.get('mollie')), _cell(now.get('stripe')),
            change(found, lambda run, s=step: _cell(run[s]['btcpay'])),
            change(found, lambda run, s=step: ratio(run[s])),
            change(found, lambda run, s=step: ratio(run[s], 'cpu_ms')),
            str(goal), f'**no: {", ".join(misses)}**' if misses else 'yes'])
    return table(['step', 'mollie', 'stripe', 'ours', 'time × better', 'CPU × better', 'goal',
                  'reached'], rows) + (
        f'\n{latest(found)["settled"]["btcpay"]["times"]} times each. q: queries.'
        ' What our settling webhook and return page leave to the'
        ' post-processing, which they trigger as the others\' do: that the order says that it is'
        ' paid, and which payments it was paid by.\n')


def others(found):
    rows = []
    for step, title in (('settled', 'settling webhook'), ('pay', 'Pay click'),
                        ('returned', 'return page, unpaid → done')):
        for code in ('mollie', 'stripe'):
            def percent(run, name, other='with', s=step, c=code):
                return f'{100 * (run[other][s][c][name] / run["without"][s][c][name] - 1):+.1f} %'

            def queries(run, s=step, c=code):
                return f'{run["with"][s][c]["queries"] - run["without"][s][c]["queries"]:+d}'

            rows.append([f'{code}: {title}', change(found, queries), *(
                change(found, lambda run, p=percent, n=name, o=other: p(run, n, o))
                for name, other in (('cpu_ms', 'with'), ('cpu_ms', 'again'), ('ms', 'with'),
                                    ('ms', 'again')))])
    return table(['step', 'queries (goal: 0)', 'CPU of the request (goal: < 2 %)',
                  'CPU, the same again', 'time', 'time, the same again'], rows) + (
        '\n*The same again*: a second Odoo without the module, measured in turn with the two: what '
        'it differs by is what the machine does, and no less can be told apart.\n')


def sales(found):
    def queries(run, step):
        return f'{run[step]["with"]["queries"] - run[step]["without"]["queries"]:+d}'

    def cpu(run, step):
        return f'{100 * (run[step]["with"]["cpu_ms"] / run[step]["without"]["cpu_ms"] - 1):+.1f} %'

    return table(['order', 'queries (goal: 0)', 'CPU'], [
        [step, *(change(found, lambda run, s=step, r=read: r(run, s)) for read in (queries, cpu))]
        for step in latest(found)])


def lists(found):
    def said(run, size, name):
        return f'{run[size][name]["queries"]} q, {run[size][name]["ms"]} ms'

    def more(run, size):
        return f'{run[size]["with"]["queries"] - run[size]["without"]["queries"]:+d}'

    return table(
        ['rows', 'without the module', 'with it, our columns left out', 'with our columns',
         'more queries (goal: ≤ 2)'],
        [[size, *(change(found, lambda run, s=size, n=name: said(run, s, n))
                  for name in ('without', 'left_out', 'with')),
          change(found, lambda run, s=size: more(run, s))]
         for size in latest(found)])


def worker(found):
    return table(['', 'without', 'with'], [
        [title, *(change(found, lambda run, s=shop, n=name: run[s][n])
                  for shop in ('without', 'with'))]
        for name, title in (('mb', 'memory of a process, MB'),
                            ('seconds', 'loading the registry, s'))])


def storm(found):
    one = latest(found)
    rows = [
        [code, *(change(found, lambda run, c=code, n=name: run['peers'][c][n]) for name in (
            'events', 'rate', 'p50_ms', 'p99_ms', 'calls', 'triggers', 'statuses', 'states'))]
        for code in one['peers']]
    truth = change(found, lambda run: '; '.join(run['truth']) or 'all right')
    best = change(found, lambda run: round(run['peers']['btcpay']['rate'] / max(
        run['peers'][code]['rate'] for code in ('mollie', 'stripe')), 2))
    orders = change(found, lambda run: run['orders'])
    return (f'{orders} orders for each provider, {one["senders"]} senders, '
            f'{one["workers"]} workers, no scheduled actions meanwhile. A fifth of the events is '
            'doubled. In four blocks, in turn.\n\n'
            + table(['', 'events', 'events/s', 'p50 ms', 'p99 ms', 'calls',
                     'rows more in `ir_cron_trigger`', 'answers',
                     'transactions after the last answer'], rows)
            + f'\nRate as a multiple of the better peer (goal: ≥ 1.0): {best}. Truth, once the '
            'scheduled actions have run (each order is paid, confirmed, booked and told of once): '
            f'{truth}.\n')


def hang(found):
    one = latest(found)
    threads = {run: values.get('threads') for run, values in found.items()}
    return ('Odoo in threads, as the table was measured; the server accepts each call and answers'
            f' none.\n\n{_hang(threads, one["events"])}\n{one["workers"]} workers. Of new'
            f' connections {8 * one["workers"]} wait at most (8 a worker, Odoo\'s own limit); who'
            ' comes then tries again after a whole second, or is sent away.\n\n'
            + _hang(found, one["events"]))


def _hang(found, events):
    waits = ('median_s', 'longest_s', 'longest_answering_s')
    rows = [['nothing'] + [
        change(found, lambda run, n=name: run['usual'][n]) for name in waits
    ] + ['', '', '']]
    for name, title in (('stripe', f'{events} webhooks of Stripe, which asks nobody'),
                        ('webhooks', f'{events} webhooks at once'),
                        ('return_pages', f'{events} return pages at once')):
        rows.append([title] + [change(found, lambda run, n=name, f=figure: run[n][f])
                               for figure in (*waits, 'calls', 'seconds', 'statuses')])
    return table(['meanwhile', 'page, median s', 'page, longest s (goal: < 1)',
                  'after it was connected', 'calls', 'all answered after s', 'answers'], rows)


def reconcile(found):
    reads = (
        lambda run: run['seconds'], lambda run: run['calls'],
        lambda run: f'{run["queries"]} ({run["queries"] / run["size"]:.2f} each)',
        lambda run: run['commits'], lambda run: run['memory_mb'],
        lambda run: f'{run["left"]}, {run["changed"]}')
    rows = [
        [size, *(change({name: {**run[size], 'size': int(size)}
                         for name, run in found.items() if size in run}, read) for read in reads)]
        for size in sorted({size for run in found.values() for size in run}, key=int)]
    return ('Half are open, half paid, confirmed and still watched; the server says nothing new.'
            '\n\n' + table(
                ['transactions', 's (goal: 50,000 in ≤ 60)', 'calls (goal: 1,000)',
                 'queries (goal: ≤ 0.1 each)', 'commits', 'memory more, MB',
                 'still due, changed'], rows))


def idle(found):
    def said(one):
        return f'{one["ms"]} ms, {one["queries"]} q'

    rows = [
        [name, *(change(found, lambda run, k=kind, n=name: said(run[k][n]))
                 for kind in ('few', 'many'))]
        for name in latest(found)['few']]
    count = latest(found)['count']
    return table(['scheduled action with nothing to do', 'few transactions',
                  f'{count:,} final ones'], rows)


def deliveries(found):
    one = latest(found)
    rows = [[title, change(found, lambda run, n=name: _cell(run[n])),
             change(found, lambda run, n=name: run[n]['times'])]
            for name, title in (('few', 'few deliveries'), ('many', f'{one["count"]:,} old ones'),
                                ('meanwhile', 'while these are removed'))]
    clean = change(found, lambda run: (
        f'{run["clean_up"]["removed"]:,} removed in {run["clean_up"]["seconds"]} s '
        f'({run["clean_up"]["runs"]} runs), {run["clean_up"]["left"]:,} left'))
    return table(['settling webhook beside', 'ours', 'times'], rows) + f'\nClean-up: {clean}.\n'


def hosts(found):
    rows = []
    for name, title in (
        ('one', 'one host'), ('two', 'two hosts'), ('killed', 'two, one killed'),
        ('killed_with_crons', 'two, the one with the scheduled actions killed'),
    ):
        rows.append([title] + [change(found, lambda run, n=name, f=figure: run[n][f]) for figure in
                               ('events', 'rate', 'p50_ms', 'p99_ms', 'calls', 'statuses')] + [
            change(found, lambda run, n=name: '; '.join(run[n]['truth']) or 'all right')])
    one = latest(found)['one']
    times = change(found, lambda run: round(run['two']['rate'] / run['one']['rate'], 2))
    orders = change(found, lambda run: run['one']['orders'])
    return (f'{orders} orders; {one["workers"]} workers on each host, own ports and data '
            'folders, one PostgreSQL; the first host has the scheduled actions, which run '
            'meanwhile. The server is the stand-in. Killed: SIGKILL when half of the events were '
            'answered, and not started again before the end; the balancer leaves it out, the '
            'server sends again what was not answered.\n\n'
            + table(['', 'events', 'events/s', 'p50 ms', 'p99 ms', 'calls', 'answers',
                     'truth (as `make torture`)'], rows)
            + f'\nTwo hosts have {times} × the rate of one (goal: ≥ 1.7 where cores allow). '
            'Hosts, PostgreSQL, the stand-in and the senders share the cores named above: two '
            'hosts on one machine add no cores, so that this does not say what a second machine '
            'brings. The rows were measured one after the other: where others used the machine, '
            'their rates differ by what these did, too.\n')


SECTIONS = (
    ('The table', 'table', steps),
    ('What our being installed costs the others', 'others', others),
    ('Sales', 'sales', sales),
    ('Lists of orders', 'lists', lists),
    ('A worker', 'worker', worker),
    ('A storm', 'storm', storm),
    ('A server that hangs', 'hang', hang),
    ('Reconciliation', 'reconcile', reconcile),
    ('Final transactions', 'idle', idle),
    ('Deliveries', 'deliveries', deliveries),
    ('Two hosts', 'hosts', hosts),
)
