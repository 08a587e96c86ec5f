"""Who holds a row, and when what was done is stored.

Odoo runs in REPEATABLE READ: a database transaction sees what was stored before its first
statement. No row may be held while waiting on the network, so that each call of the server stands
between two database transactions.
"""
import time
from contextlib import contextmanager, suppress

import psycopg2

from odoo.exceptions import UserError
from odoo.tools import SQL

from odoo.addons.payment_btcpay import const

# What another database transaction can do to ours; then it begins anew.
CONCURRENCY_ERRORS = (psycopg2.errors.SerializationFailure, psycopg2.errors.LockNotAvailable)


class RowBusy(UserError):
    """Somebody else holds the record; the same may succeed in a moment.

    :param odoo.api.Environment env: The environment of who is told.
    :param str message: What is busy, where it is not the payment.
    """

    def __init__(self, env, message=''):
        super().__init__(
            message or env._("The payment is being processed. Try again in a moment.")
        )


def commit_and_refresh(env):
    """Store what was done, release all locks, and go on in a new database transaction.

    :param odoo.api.Environment env: The environment.
    """
    env.cr.commit()
    env.invalidate_all()


def lock(records):
    """Lock records against everybody else's changes and see them as they are now.

    To be called at the beginning of a database transaction, since it may have to begin it anew.

    :param recordset records: The records.
    :raise RowBusy: If somebody else holds one of them for seconds.
    """
    cr = records.env.cr
    deadline = time.monotonic() + const.LOCK_TIMEOUT
    while (seconds := deadline - time.monotonic()) > 0:
        try:
            # Odoo's own locks do not wait; this one has it as soon as it is free. The limit holds
            # for the rest of the database transaction, too.
            cr.execute(SQL(
                'SET LOCAL lock_timeout = %s;'
                ' SELECT id FROM %s WHERE id IN %s ORDER BY id FOR NO KEY UPDATE',
                int(seconds * 1000) + 1, SQL.identifier(records._table), tuple(records.ids),
            ), log_exceptions=False)
        except CONCURRENCY_ERRORS:
            cr.rollback()  # Held by somebody else, or changed since this transaction began.
        else:
            records.invalidate_recordset()
            return
    raise RowBusy(records.env)


def hold(records):
    """Lock records until the database transaction that is under way ends, waiting for who has them.

    What was done in it is kept, so that it cannot begin anew by itself.

    :param recordset records: The records.
    :raise psycopg2.OperationalError: If somebody else has changed them since it began.
    """
    records.flush_recordset()
    records.env.cr.execute(SQL(
        'SELECT id FROM %s WHERE id IN %s ORDER BY id FOR NO KEY UPDATE',
        SQL.identifier(records._table), tuple(records.ids),
    ))
    records.invalidate_recordset()


def claim(records):
    """Lock those of the records that nobody else holds, without waiting.

    :param recordset records: The records.
    :return: Those that are ours until the database transaction ends.
    :rtype: recordset
    """
    try:
        claimed = records.try_lock_for_update(allow_referencing=True)
    except psycopg2.errors.SerializationFailure:  # Changed since this transaction began.
        records.env.cr.rollback()
        return records.browse()
    claimed.invalidate_recordset()
    return claimed


@contextmanager
def one_at_a_time(record, matter):
    """Find out whether nobody else is at a matter of a record, in any of Odoo's processes.

    It holds no row, and holds across commits; should the process be killed it ends as well.

    :param recordset record: The record.
    :param str matter: The name of the matter.
    :return: Whether it is ours until the end of the block.
    :rtype: AbstractContextManager[bool]
    """
    cr, key = record.env.cr, (f'{record._name} {matter}', record.id)
    cr.execute('SELECT pg_try_advisory_lock(hashtext(%s), %s)', key)
    [is_ours] = cr.fetchone()
    try:
        yield is_ours
    except Exception:
        cr.rollback()  # It may be that nothing else can be done in it.
        raise
    finally:
        if is_ours:
            with suppress(psycopg2.Error):  # Then the connection is gone, and so is the lock.
                cr.execute('SELECT pg_advisory_unlock(hashtext(%s), %s)', key)
