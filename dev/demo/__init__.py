"""make demo: a shop, a BTCPay Server to play with, and Odoo between them.

    with running_demo() as demo: …   attaches to the one that runs, or starts one
"""
from .session import Demo, running_demo
from .state import Running
