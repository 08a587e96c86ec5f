"""Time: what falls due by itself, and putting the clock forward."""
import threading
import time

from . import lifecycle

#: the server looks at an invoice a second after it falls due
SLACK = 1.0


def due_invoices(server, until):
    """:return: [(time, invoice)] that fall due up to a time, earliest first"""
    found = [
        (due, invoice.number, invoice)
        for invoice in server.invoices.values()
        for due in [lifecycle.due_time(invoice)]
        if due is not None and due < until
    ]
    return [(due, invoice) for due, _number, invoice in sorted(found, key=lambda item: item[:2])]


def advance(server, seconds):
    """Put the clock forward; what falls due meanwhile happens in order, each at its time."""
    with server.lock:
        end = server.now() + float(seconds)
        while True:
            due = due_invoices(server, end)
            if not due:
                break
            at, invoice = due[0]
            server.offset += max(0.0, at - server.now() + 0.001)
            lifecycle.update(server, invoice)
        server.offset += max(0.0, end - server.now())
        server.changed()


class Ticker(threading.Thread):
    """Expires invoices when their time has come."""

    def __init__(self, server):
        super().__init__(name='ticker', daemon=True)
        self.server = server
        self.stopped = False

    def run(self):
        server = self.server
        while not self.stopped:
            with server.lock:
                for _due, invoice in due_invoices(server, server.now() - SLACK):
                    lifecycle.update(server, invoice)
            time.sleep(0.2)

    def stop(self):
        self.stopped = True
