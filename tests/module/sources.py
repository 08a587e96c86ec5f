import os
from pathlib import Path
from unittest.mock import patch

from odoo.tools import file_path

MODULE = Path(file_path('payment_btcpay'))
OF_DEVELOPERS = ('dev', 'tests', '.dev')  # nothing that users see

walk = os.walk


def read_module_only():
    """Have Odoo look for terms in this module's files alone.

    It looks through all addons, and does not end where the links inside `.dev` lead round.
    """
    return patch('os.walk', _walk_module)


def _walk_module(top, **options):
    # The addons folder that is generated holds one link: the repository
    if Path(top) / MODULE.name == MODULE:
        for root, folders, files in walk(MODULE, **options):
            if Path(root) == MODULE:
                folders[:] = [name for name in folders if name not in OF_DEVELOPERS]
            yield root, folders, files
