"""No process for the bus: nobody listens to it here.

Odoo starts it by the path of its own `__main__`, which cannot be run like that: begun with
`python -m odoo` and several workers it would start one after the other, for ever.
"""
from odoo.service.server import PreforkServer


def long_polling_spawn(_self):
    pass


PreforkServer.long_polling_spawn = long_polling_spawn
