"""Who holds a row, and when what was done is stored.

Odoo runs in REPEATABLE READ: a database transaction sees what was stored before its first
statement. No row may be held while waiting on the network, so that each call of the server stands
between two database transactions.
"""
import logging
import smtplib
import time
from contextlib import suppress

import psycopg2

from odoo.exceptions import UserError
from odoo.tools import SQL

from odoo.addons.payment_btcpay import const

_logger = logging.getLogger(__name__)

# What another database transaction can do to ours; then it begins anew.
CONCURRENCY_ERRORS = (psycopg2.errors.SerializationFailure, psycopg2.errors.LockNotAvailable)


class RowBusy(UserError):
    """Somebody else holds the record; the same may succeed in a moment.

    :param odoo.api.Environment env: The environment of who is told.
    :param str message: What is busy, where it is not the payment.
    """

    # As those of `GreenfieldError`, so that both can be handled alike.
    is_temporary = True
    is_of_server = False
    context = {'exception_class': 'odoo.exceptions.UserError'}  # shown in Odoo's dialog of it

    def __init__(self, env, message=''):
        super().__init__(message or env._("The payment is being processed. Try again in a moment."))


def commit(env):
    """Store what was done, and release all locks, before the network is waited for.

    :param odoo.api.Environment env: The environment.
    """
    try:
        env.cr.commit()
    except smtplib.SMTPException:
        # All is stored by then, and nobody is to think that it is not: Odoo tries again to send
        # the mails that were to leave with it.
        _logger.exception("A mail did not leave")


def commit_and_refresh(env):
    """Store what was done, release all locks, and go on in a new database transaction.

    :param odoo.api.Environment env: The environment.
    """
    commit(env)
    env.invalidate_all()


def lock(records, turn=None):
    """Lock records against everybody else's changes and read them as they are now.

    To be called at the beginning of a database transaction, since it may have to begin it anew.

    :param recordset records: The records, of a model with `btcpay.apart.mixin`.
    :param Turn turn: The turn that ends with it: the server was asked.
    :raise RowBusy: If somebody else holds one of them for seconds.
    """
    cr = records.env.cr
    names, columns = records.sudo()._btcpay_get_names(), records.sudo()._btcpay_get_columns()
    records.flush_recordset()
    leave = SQL()
    if turn and turn.is_ours:
        leave, turn.is_ours = turn.leave, False  # Once, whatever becomes of the transaction.
    deadline = time.monotonic() + const.LOCK_TIMEOUT
    while (seconds := deadline - time.monotonic()) > 0:
        try:
            # Odoo's own locks do not wait; this one has it as soon as it is free. The limit holds
            # for the rest of the database transaction, too.
            cr.execute(SQL(
                '%s SET LOCAL lock_timeout = %s;'
                ' SELECT %s FROM %s WHERE id IN %s ORDER BY id FOR NO KEY UPDATE',
                leave, int(seconds * 1000) + 1, columns, SQL.identifier(records._table),
                tuple(records.ids),
            ), log_exceptions=False)
        except CONCURRENCY_ERRORS:
            cr.rollback()  # Held by somebody else, or changed since this transaction began.
            leave = SQL()
        else:
            rows = cr.fetchall()  # None of what was deleted: whoever reads it is told.
            locked = records.browse(row[0] for row in rows)
            records.invalidate_recordset(flush=False)
            for index, name in enumerate(names, start=1):
                records._fields[name]._insert_cache(locked, [row[index] for row in rows])
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


class Turn:
    """The turn to ask a server, which one request of all of Odoo's processes has.

    While the server hangs, one of them waits for it. The turn holds no row, holds across commits,
    and ends as well should the process be killed.

    :param recordset provider: Whose server it is.
    :param str matter: Who takes turns with each other.
    """

    def __init__(self, provider, matter):
        self.env, self.cr = provider.env, provider.env.cr
        self.matter, self.provider_id = SQL('hashtext(%s)', f'btcpay {matter}'), provider.id
        self.key = SQL('%s, %s', self.matter, self.provider_id)
        #: the expression that takes it, if nobody else has it
        self.taken = SQL('pg_try_advisory_lock(%s)', self.key)
        #: the statement that lets the next one have it
        self.leave = SQL('SELECT pg_advisory_unlock(%s);', self.key)
        self.is_ours = False

    def __enter__(self):
        return self

    def wait(self):
        """Wait a moment for the turn, as long as healthy servers need for some answers; not at all
        where who has it has been waiting that long already.

        What was done is stored.

        :return: Whether it is ours now.
        :rtype: bool
        """
        commit_and_refresh(self.env)
        with suppress(psycopg2.errors.LockNotAvailable):
            self.cr.execute(SQL(
                """
                SET LOCAL lock_timeout = %(milliseconds)s;
                SELECT pg_advisory_lock(%(key)s) WHERE NOT EXISTS (
                    SELECT 1 FROM pg_locks held JOIN pg_stat_activity holder USING (pid)
                     WHERE held.locktype = 'advisory' AND held.granted AND held.objsubid = 2
                       AND (held.classid, held.objid) = (%(matter)s::oid, %(provider)s::oid)
                       AND holder.datname = current_database()
                       AND holder.state_change < clock_timestamp()
                         - %(milliseconds)s * interval '1 millisecond'
                )
                """,
                milliseconds=int(const.TURN_SECONDS * 1000), key=self.key,
                matter=self.matter, provider=self.provider_id,
            ), log_exceptions=False)
            self.is_ours = bool(self.cr.rowcount)
        self.cr.rollback()
        return self.is_ours

    def __exit__(self, error_type, *_error):
        if error_type:
            self.cr.rollback()  # It may be that nothing else can be done in it.
        if self.is_ours:
            self.is_ours = False
            with suppress(psycopg2.Error):  # Then the connection is gone, and so is the turn.
                self.cr.execute(self.leave)
