"""Writes i18n/payment_btcpay.pot: `python -m dev.odoo shell DB < dev/i18n/export.py`, DB fresh.

In a database that was only updated the mail templates have their old texts. Odoo's own export does
not end here, since it follows the links inside `.dev`.
"""
import io
import os
from pathlib import Path
from unittest.mock import patch

from odoo.tools import file_path
from odoo.tools.translate import trans_export

MODULE = Path(file_path('payment_btcpay'))
walk = os.walk


def walk_module(top, **options):
    """Walk the module alone, without what serves developers only."""
    # The addons folder that is generated holds one link: the repository
    if Path(top) / MODULE.name == MODULE:
        for root, folders, files in walk(MODULE, **options):
            if Path(root) == MODULE:
                folders[:] = [name for name in folders if name not in ('dev', 'tests', '.dev')]
            yield root, folders, files


terms = io.BytesIO()  # The file is replaced only when all went well.
with patch('os.walk', walk_module):
    trans_export(False, ['payment_btcpay'], terms, 'po', env)  # noqa: F821 of the shell
(MODULE / 'i18n' / 'payment_btcpay.pot').write_bytes(terms.getvalue())
