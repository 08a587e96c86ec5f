"""No process for the bus, as in `dev/torture/btcpay_torture/bus.py`: nobody listens to it here."""
from odoo.service.server import PreforkServer


def long_polling_spawn(_self):
    pass


PreforkServer.long_polling_spawn = long_polling_spawn
