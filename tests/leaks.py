"""Looks for secrets in all that a test logged, showed, mailed and stored where they can be read."""
import base64
import binascii
import logging
import re
from contextlib import suppress

from odoo import http
from odoo.orm.models import NO_ACCESS
from odoo.tools import SQL

from odoo.addons.payment_btcpay import const

# The stand-in BTCPay Server marks them, see `dev/btcpay/ids.py`: keys and webhook secrets, which
# nobody has, and the ids of pull payments, which only who may refund and the customer have.
MARKS = ('5ec7e7', 'whsecret', 'pu11pay')
SECRET = r'(?:5ec7e7[0-9a-f]{30}|whsecret[0-9A-Za-z]{8})[0-9A-Za-z]*'
PULL_PAYMENT = r'pu11pay[0-9A-Za-z]{12,}'
# In which fields they may be.
HIDDEN = {
    SECRET: {NO_ACCESS}, PULL_PAYMENT: {NO_ACCESS, const.REFUND_GROUPS, 'base.group_system'},
}
FORMATTER = logging.Formatter()


class LeakMixin:
    """Has each test fail by which a secret became known."""

    def setUp(self):
        super().setUp()
        self._logged, self._shown = [], []
        make_record = logging.getLogRecordFactory()
        serve = http.Application.__call__

        def note_record(*args, **kwargs):
            record = make_record(*args, **kwargs)
            # Who logs each query sees all; and what tests say is said in no shop.
            if (record.name, record.levelno) != ('odoo.sql_db', logging.DEBUG) and (
                '.tests.' not in record.name
            ):
                self._logged.append((f'log of {record.name}', _read_record(record)))
            return record

        def note_answer(application, environ, start_response):
            sid = http.HTTPRequest(environ).cookies.get('session_id')
            uid = http.root.session_store.get(sid).get('uid') if sid else None
            answer = serve(application, environ, start_response)
            if getattr(answer, 'direct_passthrough', False):
                return answer  # A file.
            chunks = list(answer)
            getattr(answer, 'close', lambda: None)()
            self._shown.append(
                (environ['PATH_INFO'], uid, b''.join(chunks).decode(errors='replace'))
            )
            return chunks

        logging.setLogRecordFactory(note_record)
        http.Application.__call__ = note_answer
        self.addCleanup(self._assert_nothing_leaked)  # While what was stored is still there.
        self.addCleanup(setattr, http.Application, '__call__', serve)
        self.addCleanup(logging.setLogRecordFactory, make_record)

    def _assert_nothing_leaked(self):
        self.env.cr.flush()
        stored, files = self._find_stored(), self._read_files()
        for kind, pattern in (
            (SECRET, re.compile('|'.join([SECRET, *map(re.escape, self._get_own_secrets())]))),
            (PULL_PAYMENT, re.compile(PULL_PAYMENT)),
        ):
            for place, text in self._logged + files + self._read_stored(stored, kind):
                if match := pattern.search(text):
                    self.fail(f"{match[0]} in {place}: {text[:3000]}")
            for path, uid, text in self._shown:
                for secret in set(pattern.findall(text)):
                    if kind == SECRET or not self._may_claim(uid, secret):
                        self.fail(f"{secret} on {path} for user {uid}: {text[:3000]}")

    def _get_own_secrets(self):
        """Return the webhook secrets that Odoo itself chose.

        :rtype: set[str]
        """
        rows = self.env.execute_query(SQL(
            'SELECT btcpay_webhook_secret, btcpay_old_webhook_secret FROM payment_provider UNION'
            ' SELECT webhook_secret, old_webhook_secret FROM btcpay_earlier_store'
        ))
        return {secret for row in rows for secret in row if secret}

    def _may_claim(self, uid, pull_payment_id):
        """Return whether somebody may have the link of a refund.

        :param int|None uid: The user.
        :param str pull_payment_id: The refund's pull payment.
        :rtype: bool
        """
        user = self.env['res.users'].sudo().browse(uid or []).exists()
        refund = self.env['payment.transaction'].sudo().search([
            ('btcpay_pull_payment_id', '=', pull_payment_id),
        ])
        return bool(user) and (
            user.has_groups(const.REFUND_GROUPS) or user.partner_id == refund.partner_id
        )

    def _read_stored(self, found, kind):
        """Read what is stored, in fields that somebody can read who is not to have it.

        :param list found: The models and the values of the records.
        :param str kind: What they are not to have.
        :return: The places and the texts.
        :rtype: list[tuple]
        """
        stored = []
        for model, values in found:
            if kind == PULL_PAYMENT and (
                # Administrators alone read mails; those to somebody alone are on no document.
                model == 'mail.mail' or (model == 'mail.message' and not values['model'])
            ):
                continue
            fields = self.env[model]._fields
            stored.append((f'{model} {values["id"]}', str({
                name: value for name, value in values.items()
                if name not in fields or fields[name].groups not in HIDDEN[kind]
            })))
        return stored

    def _find_stored(self):
        """Find the records that the test has written and that have any of it.

        :return: The models and the values.
        :rtype: list[tuple]
        """
        # Roughly, since regular expressions take PostgreSQL ten times as long.
        signs = [f'%{sign}%' for sign in (*MARKS, *self._get_own_secrets())]
        return self.env.execute_query(SQL(' UNION ALL ').join(SQL(
            """SELECT %s, to_jsonb(t) FROM %s t
                WHERE write_date >= date_trunc('second', now() AT TIME ZONE 'UTC')
                  AND t::text LIKE ANY (%s)""",
            model._name, SQL.identifier(model._table), signs,
        ) for model in self._find_written()))

    def _find_written(self):
        """Find the models of which the test has written records.

        :rtype: list[BaseModel]
        """
        written = {table for table, in self.env.execute_query(SQL(
            'SELECT relname FROM pg_stat_xact_user_tables WHERE n_tup_ins + n_tup_upd > 0'
        ))}
        return [
            model for name in self.registry
            if (model := self.env[name])._table in written and model._auto and model._log_access
        ]

    def _read_files(self):
        """Read the files that the test has stored, as those that are exported: in the database they
        are not to be searched as they are.

        :return: The places and the texts.
        :rtype: list[tuple]
        """
        found = []
        for model in self._find_written():
            for field in model._fields.values():
                if field.type != 'binary' or not field.store or not field.column_type:
                    continue
                for record_id, value in self.env.execute_query(SQL(
                    """SELECT id, %(column)s FROM %(table)s
                        WHERE write_date >= date_trunc('second', now() AT TIME ZONE 'UTC')
                          AND %(column)s IS NOT NULL""",
                    column=SQL.identifier(field.name), table=SQL.identifier(model._table),
                )):
                    content = bytes(value)
                    with suppress(binascii.Error):
                        content = base64.b64decode(content, validate=True)
                    found.append((
                        f'{field.name} of {model._name} {record_id}',
                        content.decode(errors='replace'),
                    ))
        return found


def _read_record(record):
    """Return all that is written of a record of the log.

    :param logging.LogRecord record: The record.
    :rtype: str
    """
    trace = FORMATTER.formatException(record.exc_info) if record.exc_info else ''
    return f'{record.msg} {record.args} {trace}'
