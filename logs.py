"""Odoo logs each statement of SQL that fails, with all that it was to store: of ours without the
secrets."""
import logging

from odoo.addons.payment_btcpay import const
from odoo.addons.payment_btcpay.greenfield import mask_pull_payment


def _hide_secrets(record):
    said = record.getMessage()
    hidden = mask_pull_payment(said)
    if any(column in said for column in const.SECRET_COLUMNS):
        # Of the error the first line: the others are about the row.
        reason = hidden.partition('\nERROR:')[2].strip().partition('\n')[0]
        hidden = f'bad query: (it has secrets)\nERROR: {reason}'
    if hidden != said:
        record.msg, record.args = hidden, ()
    return True


logging.getLogger('odoo.sql_db').addFilter(_hide_secrets)
