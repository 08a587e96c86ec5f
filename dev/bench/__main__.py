"""Measures what payments cost, and writes it to dev/bench/RESULTS.md and results.json.

    python -m dev.bench                  all of it
    python -m dev.bench table storm      some parts; what was measured of others stays
    python -m dev.bench --commit COMMIT  another commit than what is here
    python -m dev.bench --before COMMIT  another commit, kept as what it was before
    python -m dev.bench --small          small numbers, kept below .dev/ only: to work on the tool
"""
import argparse
import contextlib
import datetime
import json
import os
import subprocess
import sys
import time
import traceback

from ..odoo.instance import environment
from ..odoo.postgres import locked
from ..odoo.processes import run_main, running
from ..paths import DOT, ROOT
from ..setup.console import SetupError, say
from . import hosts, place, results, sales, scale, storm, table

#: each gets the Place and the options
PARTS = {
    'table': lambda at, chosen: table.table(at, 5 if chosen.small else table.TIMES),
    'others': lambda at, chosen: table.others(at, 5 if chosen.small else table.TIMES),
    'sales': lambda at, chosen: sales.sales(at, 3 if chosen.small else 20),
    'worker': lambda at, chosen: sales.worker(at, 1 if chosen.small else 3),
    'storm': lambda at, chosen: storm.storm(
        at, chosen.orders or (20 if chosen.small else storm.ORDERS)),
    'hang': lambda at, chosen: storm.hang(at, 10 if chosen.small else 50),
    'lists': lambda at, chosen: sales.lists(at, (20, 200) if chosen.small else sales.LISTS),
    'reconcile': lambda at, chosen: scale.reconcile(
        at, (100, 1000) if chosen.small else scale.RECONCILED),
    'idle': lambda at, chosen: scale.idle(at, 2000 if chosen.small else scale.FINAL),
    'deliveries': lambda at, chosen: scale.deliveries(
        at, *((20_000, 8) if chosen.small else (scale.DELIVERIES, scale.TIMES))),
    # In a process of its own, see there.
    'hosts': lambda at, chosen: _hosts(
        at.module, chosen.orders or (8 if chosen.small else hosts.ORDERS)),
}


def _hosts(module, orders):
    result = place.FOLDER / 'hosts.json'
    command = [sys.executable, '-m', 'dev.bench.hosts', result, '--module', module,
               '--orders', str(orders)]
    with running(command, cwd=ROOT, env=environment()) as process:
        if process.wait():
            raise SetupError('The hosts could not be measured.', 'Look at what was printed.')
    return json.loads(result.read_text())


def _source(commit):
    """:return: the source of a commit, beside ours"""
    folder = DOT / 'bench' / commit
    if not folder.exists():
        subprocess.run(['git', 'worktree', 'add', '--detach', folder, commit], cwd=ROOT, check=True)
    return folder


def _load():
    return round(os.getloadavg()[0], 1)


def _measure(at, kept, run, part, options):
    say(f'* {part} …')
    begun, load = time.monotonic(), _load()
    found = PARTS[part](at, options)
    seconds = round(time.monotonic() - begun)
    kept.add(run, part, figures=found, seconds=seconds, load=[load, _load()],
             date=datetime.datetime.now(datetime.timezone.utc).strftime('%Y-%m-%d %H:%M UTC'),
             commit=results.commit_of(at.module), machine=results.machine())
    kept.write()
    say(f'  {seconds} s')


def main():
    parser = argparse.ArgumentParser(
        prog='python -m dev.bench', description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('parts', nargs='*', metavar='PART', help=', '.join(PARTS))
    other = parser.add_mutually_exclusive_group()
    other.add_argument('--commit', help='measure this one')
    other.add_argument('--before', metavar='COMMIT', help='measure this one, as before')
    parser.add_argument('--small', action='store_true', help='small numbers')
    parser.add_argument('--orders', type=int, help='of the storms, fewer where time is short')
    options = parser.parse_args()
    if unknown := set(options.parts) - set(PARTS):
        parser.error(f'no such part: {", ".join(unknown)}; there are {", ".join(PARTS)}')
    kept = results.Results(place.FOLDER / 'small' if options.small else results.FOLDER)
    run = 'before' if options.before else 'after'
    commit = options.before or options.commit
    module = _source(commit) if commit else ROOT
    failed = []
    with contextlib.ExitStack() as stack:
        stack.enter_context(locked(place.FOLDER / 'bench.lock'))
        at = stack.enter_context(place.Place(module))
        for part in options.parts or PARTS:
            try:
                _measure(at, kept, run, part, options)
            except Exception:
                traceback.print_exc()
                failed.append(part)
    say(f'{kept.text}' + (f'; failed: {", ".join(failed)}' if failed else ''))
    return 1 if failed else 0


if __name__ == '__main__':
    run_main(main)
