"""Each of Odoo's answers says in a header what it cost."""
import json
from dataclasses import asdict

from odoo.http import Application

from . import counters

HEADER = 'X-Bench'
_call = Application.__call__


def call(self, environ, start_response):
    def start(status, headers, *others):
        # By now all is stored: Odoo answers when the database transaction is over.
        costs = json.dumps(asdict(counters.read()))
        return start_response(status, [*headers, (HEADER, costs)], *others)

    counters.begin()
    return _call(self, environ, start)


Application.__call__ = call
