import base64
from datetime import timedelta
from functools import partial
from urllib.parse import urlsplit

import psycopg2
from markupsafe import escape
from reportlab.graphics.barcode import createBarcodeDrawing

from odoo import fields
from odoo.exceptions import ValidationError
from odoo.fields import Command
from odoo.tools import SQL

from odoo.addons.payment_btcpay import greenfield
from odoo.addons.payment_btcpay.const import DECISIONS, LOCK_TIMEOUT
from odoo.addons.payment_btcpay.db import commit


class ConnectionRefused(ValidationError):
    """A connection that was not made.

    :param str reason: What happened, as a code: the tests and the page's address know it.
    :param str message: What happened and what to do next, for the administrator.
    """

    context = {'exception_class': 'odoo.exceptions.ValidationError'}  # shown in Odoo's dialog of it

    def __init__(self, reason, message):
        super().__init__(message)
        self.reason = reason


def notify(message, *, type='success', sticky=False, reload=False, then=None):  # noqa: A002 (Odoo's word)
    """Return the action that shows a message to the user.

    :param str message: The message; each of its lines is shown as one.
    :param str type: `success`, `warning`, `danger` or `info`.
    :param bool sticky: Whether it stays until it is closed.
    :param bool reload: Whether what is on the screen is read again.
    :param dict then: The action that follows.
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


def warn(message):
    """Return the action that shows a warning to the user, with what is so now behind it.

    :param str message: What happened and what to do.
    :rtype: dict
    """
    return notify(message, type='warning', sticky=True, reload=True)


def download(exports, text, name):
    """Return the action that has the user download a text, at once.

    :param Model exports: The model that keeps it, as the `content` of a new record.
    :param str text: The text.
    :param str name: The name of the file.
    :rtype: dict
    """
    record = exports.create({'content': base64.b64encode(text.encode())})
    return {
        'type': 'ir.actions.act_url',
        'url': f'/web/content/{record._name}/{record.id}/content/{name}?download=true',
        'target': 'self',  # A window of its own is blocked where it took a while.
    }


def name_method(env, method_id):
    """Return how a method of payment or payout is called in the user's language.

    :param Environment env: The environment.
    :param str method_id: The id at the server.
    :return: E.g. `Bitcoin`, `Lightning`; what is called the same everywhere, e.g. `Monero`, or the
             id if that is not known.
    :rtype: str
    """
    name = greenfield.name_method(method_id)
    return {'Bitcoin': env._("Bitcoin"), 'Lightning': env._("Lightning")}.get(name, name)


def make_qr_code(link):
    """Make the QR code of a link, as SVG: Odoo's own barcodes need a program for bitmaps that is
    not always there.

    :param str link: The link.
    :return: The image, in base64.
    :rtype: bytes
    """
    drawing = createBarcodeDrawing('QR', value=link, width=240, height=240, barBorder=4)
    return base64.b64encode(drawing.asString('svg').encode())


def open_dialog(record, name, **values):
    """Return the action that shows a record in a dialog.

    :param recordset record: The record, e.g. a wizard; a new one where it is empty.
    :param str name: The dialog's title.
    :param values: Other values of the action.
    :rtype: dict
    """
    return {
        'name': name,
        'type': 'ir.actions.act_window',
        'res_model': record._name,
        'res_id': record.id,
        'view_mode': 'form',
        'target': 'new',
        **values,
    }


def make_local(address):
    """Return the address of a page of this site, as Odoo's redirections make it.

    :param str address: The address, of a browser's making.
    :return: Its path and query; empty if it cannot be read as one.
    :rtype: str
    """
    try:
        parts = urlsplit(address)._replace(scheme='', netloc='')
    except ValueError:
        return ''
    return '/' + parts.geturl().lstrip('/\\')


def one_line(error):
    """Return what an unexpected error says, short enough for people to be told.

    :param Exception error: The error.
    :rtype: str
    """
    return ' '.join(str(error).split())[:300]


def next_wait(tries, waits):
    """Return when to try again what failed.

    :param int tries: How often it has failed.
    :param tuple[int] waits: The minutes to wait before each new try, the last one again and again.
    :rtype: datetime
    """
    return fields.Datetime.now() + timedelta(minutes=waits[min(tries, len(waits)) - 1])


def post_template(template, record, document, author):
    """Post what a mail template says of a record on a document, for the record's customer.

    :param mail.template template: The template, of the record's model.
    :param recordset record: The record, whose `partner_id` is the customer.
    :param recordset document: The document, which may be the record itself.
    :param res.partner author: Who writes.
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


def mail_privately(template, record, author, **values):
    """Mail what a template says of a record to the record's customer, and to nobody else.

    No document has a copy: it would be read by all who see the document, and so would the
    customer's answer, which quotes it.

    :param mail.template template: The template, of the record's model, in sudo mode.
    :param recordset record: The record, whose `partner_id` is the customer.
    :param res.partner author: Who writes.
    :param values: Other values of the mail.
    """
    mail_id = template.send_mail(
        record.id,
        email_values={
            'recipient_ids': [Command.set(record.partner_id.ids)], 'email_to': False,
            'email_cc': False, 'author_id': False, 'email_from': author.email_formatted,
            'reply_to': author.email_formatted, 'model': False, 'res_id': False,
            'auto_delete': True, **values,
        },
        email_layout_xmlid='mail.mail_notification_light',
    )
    record.env['mail.mail'].sudo().browse(mail_id).send_after_commit()


def schedule_activity(document, summary, message, user):
    """Ask a person something on a document.

    :param recordset document: The document.
    :param str summary: What it is about.
    :param str message: What happened and what to do, as plain text: the note is HTML, and names and
                        the server's words are not.
    :param res.users user: The person.
    :return: The activity; none where the context suppresses them.
    :rtype: mail.activity
    """
    return document.activity_schedule(
        'mail.mail_activity_data_todo', summary=summary, note=escape(message),
        user_id=user.id,
    ) or document.env['mail.activity']


def choose_foremost(decisions):
    """Return the foremost of what a person is to decide.

    :param set[str] decisions: The decisions, see `const.DECISIONS`.
    :return: The decision; False for none.
    :rtype: str|bool
    """
    return next((decision for decision, _label in DECISIONS if decision in decisions), False)


def get_salesperson(document):
    """Return the person of ours who looks after a document.

    :param sale.order|account.move|res.partner document: The document.
    :rtype: res.users
    """
    return document[{'account.move': 'invoice_user_id'}.get(document._name, 'user_id')]


def choose_assignee(users, document, leaving=None):
    """Return who can be given an activity about a document.

    :param res.users users: The persons it is for, the first of whom comes first.
    :param recordset document: The document.
    :param res.users leaving: Those who are to be asked nothing any more.
    :return: The first who works here and may see the document, else an administrator who does:
             the one that Odoo came with is archived in many shops.
    :rtype: res.users
    """
    users = users.sudo()
    leaving = leaving or users.browse()
    first = users.env.ref('base.user_admin')
    administrators = users.env.ref('base.group_system').all_user_ids.filtered('active').sorted('id')
    for user in (users | first | administrators) - leaving:
        # Of all their companies, not those that whoever causes it has chosen.
        seen = document.with_user(user).with_context(allowed_company_ids=False)
        if user.active and not user.share and seen.has_access('read'):
            return user
    return (administrators - leaving)[:1] or first


def trigger_once(env, xml_id):
    """Have a scheduled action run soon, unless it is to run soon already.

    Odoo's own adds a trigger each time, which thousands of deliveries make thousands. The one that
    waits is held until our database transaction ends: what runs because of it begins afterwards,
    and sees what was done; one that has begun is passed over. While another database transaction
    adds one, which nobody sees yet, it is seen to when both are stored.

    :param odoo.api.Environment env: The environment.
    :param str xml_id: The scheduled action's.
    """
    cron_id = env['ir.model.data']._xmlid_to_res_id(xml_id)
    is_ours = env.execute_query(SQL(
        """
        WITH looked AS MATERIALIZED (
            SELECT id, CASE WHEN EXISTS (
                       SELECT 1 FROM ir_cron_trigger
                        WHERE cron_id = %(cron)s AND call_at <= %(now)s
                          FOR KEY SHARE SKIP LOCKED
                   ) THEN NULL ELSE pg_try_advisory_xact_lock(%(key)s) END AS is_ours
              FROM ir_cron WHERE id = %(cron)s AND active
        ), added AS (
            INSERT INTO ir_cron_trigger (
                cron_id, call_at, create_uid, create_date, write_uid, write_date
            )
            SELECT id, %(now)s, %(uid)s, %(now)s, %(uid)s, %(now)s FROM looked WHERE is_ours
        )
        SELECT is_ours FROM looked
        """,
        cron=cron_id, key=_get_trigger_key(cron_id), now=fields.Datetime.now(), uid=env.uid,
    ))
    if is_ours == [(True,)]:
        env.cr.postcommit.add(env['ir.cron']._notifydb)  # As Odoo's `_trigger` does.
    elif is_ours == [(False,)]:
        env.cr.postcommit.add(partial(_trigger_after_others, env, xml_id))


def _get_trigger_key(cron_id):
    return SQL("hashtext('btcpay trigger'), %s", cron_id)


def _trigger_after_others(env, xml_id):
    """Have a scheduled action run soon, once the trigger that others were adding is stored.

    :param odoo.api.Environment env: The environment, in which all is stored.
    :param str xml_id: The scheduled action's.
    """
    with env.registry.cursor() as cr:
        env = env(cr=cr, su=True)
        cron = env['ir.cron'].browse(env['ir.model.data']._xmlid_to_res_id(xml_id))
        try:
            cr.execute(SQL(
                'SET LOCAL lock_timeout = %s; SELECT pg_advisory_xact_lock(%s)',
                int(LOCK_TIMEOUT * 1000), _get_trigger_key(cron.id),
            ), log_exceptions=False)
        except psycopg2.errors.LockNotAvailable:
            cr.rollback()
            cron._trigger()
        else:
            commit(env)  # What was stored meanwhile is seen from here on.
            trigger_once(env, xml_id)


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
