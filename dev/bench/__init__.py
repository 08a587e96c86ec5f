"""Measures what payments cost, beside the providers that Odoo brings, and at scale."""
import sys

from ..paths import ODOO

if str(ODOO) not in sys.path:
    sys.path.insert(0, str(ODOO))
