"""Writes i18n/payment_btcpay.pot: `python -m dev.odoo shell DB < dev/i18n/export.py`, DB fresh.

In a database that was only updated the mail templates have their old texts.
"""
import io

from odoo.tools.translate import trans_export

from odoo.addons.payment_btcpay.tests.module.sources import MODULE, read_module_only

terms = io.BytesIO()  # The file is replaced only when all went well.
with read_module_only():
    trans_export(False, ['payment_btcpay'], terms, 'po', env)  # noqa: F821 of the shell
(MODULE / 'i18n' / 'payment_btcpay.pot').write_bytes(terms.getvalue())
