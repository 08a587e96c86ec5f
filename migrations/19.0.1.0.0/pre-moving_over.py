"""BTCPay Server's plugin for Odoo 16 had the same name and code, and another protocol.

Nothing of it can be used on: its credentials are dropped, its transactions stay readable, and the
provider is to be connected anew.
"""
from odoo.tools import SQL
from odoo.tools.sql import column_exists

# Its columns, those of its credentials included.
PROVIDER_COLUMNS = (
    'btcpay_location', 'btcpay_pairingCode', 'btcpay_token', 'btcpay_privateKey', 'btcpay_facade',
    'btcpay_confirmationURL',
)


def migrate(cr, version):
    """Take over what the plugin has left, if it was there.

    :param Cursor cr: The database cursor.
    :param str version: The version that was installed.
    """
    if column_exists(cr, 'payment_transaction', 'btcpay_invoiceId'):
        # Our code knows other values of the status; the invoice is told where people look for it.
        cr.execute("""
            UPDATE payment_transaction
               SET state_message = concat_ws(
                       E'\\n', state_message,
                       'BTCPay Server: ' || concat_ws(
                           ', ', "btcpay_invoiceId", btcpay_status, btcpay_txid
                       )
                   ),
                   btcpay_status = NULL
             WHERE "btcpay_invoiceId" IS NOT NULL OR btcpay_status IS NOT NULL
        """)
        cr.execute("""
            ALTER TABLE payment_transaction
             DROP COLUMN "btcpay_invoiceId", DROP COLUMN IF EXISTS btcpay_txid
        """)
    if not column_exists(cr, 'payment_provider', 'btcpay_privateKey'):
        return
    cr.execute("""
        UPDATE payment_provider SET state = 'disabled', is_published = FALSE WHERE code = 'btcpay'
    """)
    for column in PROVIDER_COLUMNS:
        cr.execute(SQL(
            "ALTER TABLE payment_provider DROP COLUMN IF EXISTS %s", SQL.identifier(column)
        ))
