"""What is counted is what was asked of PostgreSQL, and nothing else."""
import json
import threading

import pytest

from ..odoo import databases
from ..paths import ROOT
from .place import link_addons, load_odoo


@pytest.fixture(scope='module')
def counters():
    instance = databases.test_instance()
    instance.cluster.start()
    load_odoo(instance, link_addons(ROOT), 'postgres')
    from odoo.addons.btcpay_bench import counters

    return counters


@pytest.fixture
def cursor(counters):
    from odoo.sql_db import db_connect

    with db_connect('postgres').cursor() as cr:
        cr.execute('SELECT 1')  # What a new connection asks is not counted.
        yield cr


def test_when_queries_are_sent_then_each_is_counted_once(counters, cursor):
    counters.begin()
    for number in range(3):
        cursor.execute('SELECT %s', [number])
    assert (counters.read().queries, counters.read().commits) == (3, 0)


def test_when_another_cursor_is_asked_then_it_is_counted_too(counters, cursor):
    from odoo.sql_db import db_connect

    with db_connect('postgres').cursor() as other:
        other.execute('SELECT 1')
        counters.begin()
        other.execute('SELECT 1')
        cursor.execute('SELECT 1')
        assert counters.read().queries == 2


def test_when_it_is_stored_then_the_commit_is_counted_and_a_rollback_is_not(counters, cursor):
    counters.begin()
    cursor.execute('SELECT 1')
    cursor.commit()
    cursor.commit()
    cursor.rollback()
    assert (counters.read().queries, counters.read().commits) == (1, 2)


def test_when_it_begins_anew_then_nothing_is_counted_yet(counters, cursor):
    cursor.execute('SELECT 1')
    cursor.commit()
    counters.begin()
    assert (counters.read().queries, counters.read().commits) == (0, 0)


def test_when_others_work_meanwhile_then_theirs_is_not_counted(counters, cursor):
    counters.begin()
    other = threading.Thread(target=cursor.execute, args=['SELECT 1'])
    other.start()
    other.join()
    assert counters.read().queries == 0


def test_when_a_request_is_answered_then_its_costs_are_in_the_header(
        counters, cursor, monkeypatch):
    from odoo.addons.btcpay_bench import http

    def answer(_application, _environ, start_response):
        cursor.execute('SELECT 1')
        cursor.commit()
        start_response('200 OK', [('Content-Length', '0')])
        cursor.execute('SELECT 2')
        return []

    headers = []
    monkeypatch.setattr(http, '_call', answer)
    for _number in range(2):
        http.call(None, {}, lambda _status, found: headers.append(dict(found)))
    for found in headers:
        costs = json.loads(found[http.HEADER])
        assert (costs['queries'], costs['commits']) == (1, 1)
        assert found['Content-Length'] == '0'
