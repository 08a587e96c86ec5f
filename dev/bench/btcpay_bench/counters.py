"""Counts what the current thread asks of PostgreSQL."""
import threading
import time
from dataclasses import dataclass

from odoo.sql_db import Cursor

_commit = Cursor.commit


@dataclass
class Counts:
    """What was counted since :func:`begin`.

    :param int queries: statements sent, by Odoo's own counter: whatever the cursor, and whoever
        wanted it; the beginning and the end of database transactions are not among them
    :param int commits: database transactions that were stored
    :param float cpu: seconds of this thread on a core, PostgreSQL's not among them
    """

    queries: int
    commits: int
    cpu: float


def commit(self):
    thread = threading.current_thread()
    thread.bench_commits = getattr(thread, 'bench_commits', 0) + 1
    return _commit(self)


Cursor.commit = commit


def begin():
    """Begin to count in this thread."""
    thread = threading.current_thread()
    # Odoo counts where there is something to count in, and begins anew with each request.
    thread.query_count, thread.query_time = 0, 0
    thread.bench_commits, thread.bench_cpu = 0, time.thread_time()


def read():
    """:return: the Counts of this thread so far"""
    thread = threading.current_thread()
    return Counts(thread.query_count, thread.bench_commits, time.thread_time() - thread.bench_cpu)
