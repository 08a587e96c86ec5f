"""What a BTCPay Server does, in our own words: all that a shop's module may depend on.

Established on a real server (see ../shared/greenfield-facts.md where it is at hand), and tested
always: against the stand-in, or against a real regtest server that the environment names.
"""
from . import (
    expectations_api,
    expectations_invoices,
    expectations_nodes,
    expectations_refunds,
    expectations_webhooks,
)

TABLES = (
    expectations_api, expectations_invoices, expectations_nodes, expectations_webhooks,
    expectations_refunds,
)
STORIES = tuple(story for table in TABLES for story in table.STORIES)
