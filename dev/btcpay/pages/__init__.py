"""The pages of the stand-in: what merchants and their customers see in a browser.

Paths and element ids are the real server's where they are known, so that one browser script drives
both. What the real one does not have is in a panel of its own that says so.
"""
from . import account, authorize, checkout, claim, invoices, payouts, webhooks

MODULES = (account, authorize, checkout, claim, invoices, payouts, webhooks)


def rules():
    """:return: the pages' werkzeug Rules"""
    return [rule for module in MODULES for rule in module.pages.rules()]
