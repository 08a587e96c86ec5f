"""The Greenfield API, as far as a shop's module and its tests use it."""
from . import invoices, keys, lightning, misc, payouts, refunds, stores, webhooks
from .http import HEADERS as HEADERS

MODULES = (misc, keys, stores, invoices, lightning, webhooks, payouts, refunds)


def rules():
    """:return: the API's werkzeug Rules"""
    return [rule for module in MODULES for rule in module.api.rules()]
