"""What the status of an invoice at the BTCPay Server means for its transaction.

The statuses are those of `InvoiceData` of the Greenfield API. A row that applies to a transaction
which is already further on does not take it back: see `_btcpay_apply_status`.
"""
from typing import NamedTuple


class Row(NamedTuple):
    """One row of the table.

    :param str|None state: The state the transaction is brought to; None leaves it as it is.
    :param str then: The name of the method that does the rest: `_btcpay_on_{then}`.
    """

    state: str | None
    then: str


ANY = '*'
# An invoice that is settled with less than its amount, by the store's tolerance.
SHORT = 'Short'

TABLE = {
    # status, additionalStatus         state      then
    ('New', 'None'):               Row(None,      'new'),
    ('New', 'PaidPartial'):        Row('pending', 'part_paid'),
    ('Processing', ANY):           Row('pending', 'processing'),
    ('Settled', 'None'):           Row('done',    'settled'),
    ('Settled', 'PaidOver'):       Row('done',    'paid_over'),
    ('Settled', SHORT):            Row('done',    'paid_short'),
    ('Settled', 'Marked'):         Row('done',    'marked_settled'),
    ('Expired', 'None'):           Row('cancel',  'expired'),
    ('Expired', 'PaidPartial'):    Row('cancel',  'expired_part_paid'),
    ('Expired', 'PaidLate'):       Row('cancel',  'paid_late'),
    ('Invalid', ANY):              Row('error',   'invalid'),
}  # fmt: skip


def find_row(status, additional_status, is_short=False):
    """Find the row of an invoice.

    :param str status: The invoice's `status`.
    :param str additional_status: The invoice's `additionalStatus`.
    :param bool is_short: Whether less than the invoice's amount was paid.
    :return: The row, or None if the table has none.
    :rtype: Row|None
    """
    if status == 'Settled' and additional_status == 'None' and is_short:
        additional_status = SHORT
    return TABLE.get((status, additional_status)) or TABLE.get((status, ANY))
