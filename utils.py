import re
from datetime import datetime, timedelta, timezone
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from urllib.parse import urlsplit

from odoo import fields
from odoo.exceptions import ValidationError


class BTCPayError(ValidationError):
    """A call to the BTCPay Server that did not bring the answer asked for.

    A `ValidationError`, since that is what callers of `_send_api_request` expect; it also tells
    what the framework's own loses.

    :param str message: The explanation for a person.
    :param int|None status: The HTTP status; None if no usable answer came at all.
    :param str code: The server's error code, e.g. `missing-permission`.
    :param list details: The server's list of refused fields (HTTP 422).
    """

    def __init__(self, message, *, status=None, code='', details=()):
        super().__init__(message)
        self.status = status
        self.code = code
        self.details = list(details)

    @property
    def is_temporary(self):
        """Whether the same call may succeed later: no answer, half an answer, or a server error."""
        return self.status is None or self.status in (408, 429) or self.status >= 500

    @property
    def is_of_server(self):
        """Whether the server is the reason, so that other calls will not succeed either."""
        return self.code != 'busy' and (self.is_temporary or self.status == 401)


class BTCPayConnectionRefused(ValidationError):
    """A connection that was not made.

    :param str reason: What happened, as a code: the tests and the page's address know it.
    :param str message: What happened and what to do next, for the administrator.
    """

    def __init__(self, reason, message):
        super().__init__(message)
        self.reason = reason


def notify(message, *, type='success', sticky=False, reload=False, then=None):  # noqa: A002
    """Return the action that shows a message to the user.

    :param str message: The message; each of its lines is shown as one.
    :param str type: `success`, `warning`, `danger` or `info`.
    :param bool sticky: Whether it stays until it is closed.
    :param bool reload: Whether what is on the screen is read again.
    :param dict then: The action that follows.
    :return: The action.
    :rtype: dict
    """
    if reload:
        then = {'type': 'ir.actions.client', 'tag': 'soft_reload'}
    return {
        'type': 'ir.actions.client',
        'tag': 'display_notification',
        'params': {
            'type': type,
            'sticky': sticky,
            'className': 'text-prewrap',
            'message': message,
            **({'next': then} if then else {}),
        },
    }


def next_wait(tries, waits):
    """Return when to try again what failed.

    :param int tries: How often it has failed.
    :param tuple[int] waits: The minutes to wait before each new try, the last one again and again.
    :return: The time.
    :rtype: datetime
    """
    return fields.Datetime.now() + timedelta(minutes=waits[min(tries, len(waits)) - 1])


def post_template(template, record, document, author):
    """Post what a mail template says of a record on a document, for the record's customer.

    :param mail.template template: The template, of the record's model.
    :param recordset record: The record, whose `partner_id` is the customer.
    :param recordset document: The document, which may be the record itself.
    :param res.partner author: Who writes.
    :return: None
    """
    values = {
        field: template._render_field(field, record.ids, compute_lang=True)[record.id]
        for field in ('subject', 'body_html')
    }
    # Odoo would call an invoice a journal entry.
    customer_document = document.with_context(lang=record.partner_id.lang)
    description = document._name == 'account.move' and customer_document.type_name
    document.message_post(
        subject=values['subject'],
        body=values['body_html'],
        author_id=author.id,
        partner_ids=record.partner_id.ids,
        message_type='comment',
        subtype_xmlid='mail.mt_comment',
        email_layout_xmlid='mail.mail_notification_light',
        model_description=description,
    )


def get_salesperson(document):
    """Return the person of ours who looks after a document.

    :param sale.order|account.move|res.partner document: The document.
    :rtype: res.users
    """
    return document[{'account.move': 'invoice_user_id'}.get(document._name, 'user_id')]


def choose_assignee(user):
    """Return who can be given an activity.

    :param res.users user: The person it is for, if there is one.
    :return: The user if he works here, else the administrator.
    :rtype: res.users
    """
    return user if user.active and not user.share else user.env.ref('base.user_admin')


def parse_decimal(value):
    """Read an amount of the API.

    :param str|int|Decimal value: The amount; the API sends decimal strings.
    :return: The amount, or None if it is not a number that an amount can be.
    :rtype: Decimal|None
    """
    if isinstance(value, bool) or not isinstance(value, (str, int, Decimal)):
        return None
    try:
        number = Decimal(value)
    except InvalidOperation:
        return None
    if not number.is_finite():
        return None
    # No amount of money has more digits; they would not survive being computed with and stored.
    return number if not number or abs(number.adjusted()) < 24 else None


def format_amount(amount, currency):
    """Write an amount of Odoo as the API wants it: an exact decimal string.

    :param float amount: The amount, in units of the currency.
    :param res.currency currency: The currency, whose number of decimals is used.
    :return: The amount, e.g. `'100.00'`.
    :rtype: str
    """
    exponent = Decimal(1).scaleb(-currency.decimal_places)
    return str(Decimal(str(amount)).quantize(exponent, rounding=ROUND_HALF_UP))


def format_crypto(amount):
    """Write an amount of a crypto currency without decimals that say nothing.

    :param str|Decimal amount: The amount.
    :return: The amount, e.g. `'0.002'`; as it is, if it is none.
    :rtype: str
    """
    number = parse_decimal(amount)
    return format(number.normalize(), 'f') if number is not None else str(amount or '')


def parse_timestamp(value):
    """Read a time of the API.

    :param int value: The time, in seconds since the epoch.
    :return: The naive UTC datetime Odoo stores, or False if it is none.
    :rtype: datetime|bool
    """
    try:
        return datetime.fromtimestamp(int(value), timezone.utc).replace(tzinfo=None)
    except (TypeError, ValueError, OverflowError, OSError):
        return False


# Languages of Odoo whose code at the server cannot be told from theirs.
_SERVER_LANGUAGES = {
    'nb_NO': 'no',
    'nn_NO': 'no',
    'ne_NP': 'np-NP',
    'zh_CN': 'zh-SG',  # Simplified characters.
    'zh_HK': 'zh-TW',  # Traditional characters.
}


def match_language(lang, available):
    """Find the server's code for a language of Odoo.

    :param str lang: The language code of Odoo, e.g. `fr_BE`.
    :param list[str] available: The server's language codes, e.g. `fr-FR`, `no`.
    :return: The code of the same country's variant, else of the same language, else None.
    :rtype: str|None
    """
    if not lang:
        return None
    wanted = lang.split('@')[0].replace('_', '-')
    language = wanted.split('-')[0]
    for code in (wanted, _SERVER_LANGUAGES.get(lang), language, f'{language}-{language.upper()}'):
        if code in available:
            return code
    # Variants of one language, none of which is that of the language's own country.
    return min((code for code in available if code.split('-')[0] == language), default=None)


def make_storable(text):
    """Return a text from outside without what PostgreSQL does not take: half characters and NUL.

    :param str text: The text.
    :rtype: str
    """
    return text.encode(errors='replace').decode().replace('\0', '')


def is_web_link(value):
    """Return whether a value from outside may be used as the address of a page.

    :param value: The value, of any type.
    :rtype: bool
    """
    try:
        parts = urlsplit(value) if isinstance(value, str) else None
    except ValueError:
        return False
    return bool(parts and parts.scheme in ('http', 'https') and parts.hostname)


def is_api_id(value):
    """Return whether a value from outside may be used as an id of the API in a path.

    :param value: The value, of any type.
    :rtype: bool
    """
    return isinstance(value, str) and bool(re.fullmatch(r'[A-Za-z0-9_-]{1,64}', value))


def upsert(records, key_fields, rows, **new_values):
    """Bring records up to date with what the server lists: nothing that is known is deleted.

    :param recordset records: The records that are known.
    :param tuple[str] key_fields: The fields by which one of them is told from the others.
    :param list[dict] rows: The values that are listed, those of the key fields included.
    :param new_values: Other values of those that are not known yet, e.g. whose they are.
    """
    known = {tuple(record[name] for name in key_fields): record for record in records}
    for row in rows:
        key = tuple(row[name] for name in key_fields)
        if key in known:
            known[key].write(row)
        else:
            known[key] = records.create({**new_values, **row})
