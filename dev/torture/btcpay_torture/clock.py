"""Time that can be put forward, together with that of the stand-in BTCPay Server.

All of Odoo's processes read how far it is ahead from one file, whose path is in the environment.
"""
import json
import os
from datetime import datetime, timedelta
from pathlib import Path

from odoo.orm.fields_temporal import Datetime
from odoo.sql_db import BaseCursor

_cursor_now = BaseCursor.now


def state():
    """:return: what is out of the ordinary: ``offset`` in seconds, ``broken`` modules"""
    return json.loads(Path(os.environ['TORTURE_STATE']).read_text())


def now(*_args):
    return (datetime.now() + timedelta(seconds=state()['offset'])).replace(microsecond=0)


def cursor_now(self):
    return _cursor_now(self) + timedelta(seconds=state()['offset'])


Datetime.now = staticmethod(now)
BaseCursor.now = cursor_now
