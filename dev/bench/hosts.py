"""Odoo on two hosts over one PostgreSQL, with the stand-in and the truth checks of the torture.

    python -m dev.bench.hosts RESULT.json [--module PATH] [--orders N]

In a process of its own: the torture's clock is everybody's in its process.
"""
import argparse
import contextlib
import itertools
import json
import os
import random
import shutil
import signal
import subprocess
import threading
import time
from pathlib import Path

from ..odoo import databases
from ..odoo.instance import environment, wait_until_up
from ..odoo.processes import end, free_port, run_main, start
from ..paths import ROOT
from ..setup.console import say
from ..torture import stack
from ..torture.forgery import Forger, sign
from ..torture.history import History
from ..torture.rig import Rig
from ..torture.settle import settle
from ..torture.shop import Shop
from ..torture.truth import Truth, Violation
from .peers import Request
from .place import Line
from .storm import Senders, events_of, summary

WORKERS = 2
ORDERS = 80
NAMES = ('InvoiceReceivedPayment', 'InvoiceProcessing', 'InvoicePaymentSettled', 'InvoiceSettled')


class Host:
    """Odoo's processes on one host, with ports and a data folder of its own.

    :param int crons: processes for the scheduled actions
    """

    def __init__(self, rig, number, crons):
        self.port = rig.port if number == 0 else free_port()
        self.folder = stack.FOLDER / f'{rig.name}_host{number}'
        databases.copy_files(
            rig.instance.filestore(rig.name), self.folder / 'filestore' / rig.name)
        command = rig.instance.command(
            rig.name, *stack.options(rig.instance), f'--max-cron-threads={crons}',
            '--data-dir', self.folder, '--http-port', self.port, '--gevent-port', free_port(),
            '--workers', rig.workers, '--db-filter', f'^{rig.name}$', '--log-level', 'warn')
        with open(rig.log, 'a') as log:
            self.process = start(command, cwd=rig.instance.folder, env=environment(),
                                 stdout=log, stderr=subprocess.STDOUT)

    def kill(self):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


class Hosts(Rig):
    """:ivar list hosts: those that run, of which the first has the scheduled actions"""

    hosts = ()

    def start_odoo(self):
        self.run_hosts(1, crons=0)

    def run_hosts(self, count, crons=1):
        """End those that run, and start others."""
        self.end_hosts()
        self.hosts = [Host(self, number, crons if number == 0 else 0) for number in range(count)]
        self.odoo = self.hosts[0].process
        for host in self.hosts:
            wait_until_up(host.process, host.port, 120, 'Odoo', self.log)
            for _number in range(2 * self.workers):  # each process loads its registry
                Line(host.port).send(Request('/web/login'))

    def end_hosts(self):
        for host in self.hosts:
            end(host.process)
            shutil.rmtree(host.folder, ignore_errors=True)
        self.hosts = ()

    def wait_odoo(self):
        """Override: they are up."""

    def prepare(self):
        super().prepare()
        # Those that are measured, and no others: nobody sends mails here.
        self.sql('UPDATE ir_cron SET active = FALSE WHERE id NOT IN (SELECT res_id FROM '
                 "ir_model_data WHERE model = 'ir.cron' AND (module = %s OR name = %s))",
                 stack.MODULE, 'cron_post_process_payment_tx')

    def close(self):
        self.end_hosts()
        super().close()


class Balancer:
    """Shares requests out to the hosts, and leaves out where nobody listens."""

    def __init__(self, hosts):
        self.lines = [Line(host.port) for host in hosts]
        self.turn = itertools.count()

    def send(self, request):
        first = next(self.turn)
        for number in range(len(self.lines)):
            try:
                return self.lines[(first + number) % len(self.lines)].send(request)
            except ConnectionRefusedError:
                if number == len(self.lines) - 1:
                    raise
        raise AssertionError('There is no host')


class Payments:
    """Orders whose invoices are paid, of which Odoo was told nothing: what :func:`events_of` needs.

    :ivar list attempts: of the customers
    """

    def __init__(self, rig, history, orders):
        self.rig, self.forger = rig, Forger(rig)
        shop = Shop(rig)
        self.attempts, self.invoices = [], {}
        for number in range(orders):
            order_id = shop.new_order(100.0 + number)
            history.orders.add(order_id)
            self.attempts.append(shop.checkout(order_id))
        rig.world.wait_deliveries(60)
        rig.gate.mode = 'proxy'
        for attempt in self.attempts:
            [row] = rig.sql('SELECT btcpay_invoice_id AS id FROM payment_transaction WHERE id = %s',
                            attempt.tx)
            self.invoices[attempt.tx] = row['id']
            rig.world.pay(row['id'])
        rig.world.mine()
        rig.world.wait_deliveries(60)
        rig.world.restart()
        rig.gate.mode = 'open'

    def story(self, attempt, is_long):
        """:return: the events of a payment"""
        return [self._event(attempt, name) for name in NAMES
                if is_long or name != 'InvoicePaymentSettled']

    def _event(self, attempt, event_type):
        body = json.dumps(self.forger.event(
            self.invoices[attempt.tx], attempt.reference, type=event_type)).encode()
        return Request(f'/payment/btcpay/webhook/{self.rig.provider_id}', body, {
            'Content-Type': 'application/json', 'BTCPay-Sig': sign(body, self.rig.secret)})


def play(rig, count, orders, kill=None):
    """A storm, then the truth.

    :param int count: how many hosts there are
    :param int kill: which of them is killed in the middle; None for none
    :return: figures
    """
    rig.begin()
    # The hosts of the play before were ended in the middle of what they did, which is an error to
    # Odoo when it comes to the same scheduled action three times in a row.
    rig.sql('DELETE FROM ir_cron_progress')
    history = History(log_begin=rig.log.stat().st_size)
    payments = Payments(rig, history, orders)
    rig.run_hosts(count)
    events = events_of(payments, payments.attempts, random.Random(16))
    senders = Senders(Balancer(rig.hosts))
    calls = _calls(rig)
    killer = threading.Thread(target=_kill, args=(rig.hosts[kill], senders, len(events))) \
        if kill is not None else None
    if killer:
        killer.start()
    seconds = senders.send(events)
    if killer:
        killer.join()
    found = {'hosts': count, 'workers': rig.workers, 'orders': orders, 'killed': kill,
             **summary(senders, seconds), 'calls': _calls(rig) - calls}
    rig.run_hosts(1, crons=0)
    return {**found, 'truth': _check(rig, history, payments)}


def _kill(host, senders, count):
    while len(senders.seconds) < count / 2:
        time.sleep(0.01)
    host.kill()


def _calls(rig):
    return max((request['n'] for request in rig.world.requests()), default=0)


def _check(rig, history, payments):
    """:return: what is not as it has to be"""
    try:
        settle(rig, history)
        Truth(rig, history).check()
    except Violation as violation:
        return str(violation).splitlines()
    wrong = []
    shop = Shop(rig)
    for attempt in payments.attempts:
        [booked] = rig.sql('SELECT count(*) AS n FROM account_payment '
                           'WHERE payment_transaction_id = %s', attempt.tx)
        if shop.order(attempt.order)['state'] != 'sale' or booked['n'] != 1:
            wrong.append(f'{attempt.reference} is booked {booked["n"]} times')
    return wrong


def main():
    parser = argparse.ArgumentParser(prog='python -m dev.bench.hosts')
    parser.add_argument('result', type=Path)
    parser.add_argument('--module', default=str(ROOT))
    parser.add_argument('--orders', type=int, default=ORDERS)
    options = parser.parse_args()
    with stack.alone():
        instance = stack.prepare_base(options.module)
        try:
            with Hosts(instance, 'hosts', WORKERS) as rig:
                found = {}
                for name, count, kill in (
                    ('one', 1, None), ('two', 2, None),
                    ('killed', 2, 1), ('killed_with_crons', 2, 0),
                ):
                    say(f'  {name}')
                    found[name] = play(rig, count, options.orders, kill)
        finally:
            databases.remove_database(instance, stack.BASE)
    options.result.write_text(json.dumps(found))
    return 0


if __name__ == '__main__':
    run_main(main)
