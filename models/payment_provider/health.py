"""Whether the server can be asked: alerts, and when to try again."""
from datetime import timedelta

from markupsafe import escape

from odoo import SUPERUSER_ID, _, api, fields, models
from odoo.tools import SQL

from odoo.addons.payment.logging import get_payment_logger
from odoo.addons.payment_btcpay import const
from odoo.addons.payment_btcpay.db import RowBusy, claim, commit_and_refresh, lock
from odoo.addons.payment_btcpay.greenfield import (
    Forbidden,
    GreenfieldError,
    Refused,
    ServerFault,
    Unauthorized,
    Unreachable,
)
from odoo.addons.payment_btcpay.models.payment_provider.client import NothingEnabled
from odoo.addons.payment_btcpay.utils import choose_assignee, next_wait, schedule_activity

#: The fields that remember the activities about a provider.
ALERT_FIELDS = (
    'btcpay_connection_activity_id', 'btcpay_webhook_activity_id', 'btcpay_checkout_activity_id',
    'btcpay_method_activity_id',
)

_logger = get_payment_logger(__name__, sensitive_keys=const.SENSITIVE_KEYS)


class PaymentProvider(models.Model):
    _inherit = 'payment.provider'

    def _btcpay_may_ask(self):
        """Return whether the server may be asked by scheduled actions, pages and deliveries: it is
        not known to be down. Employees always may."""
        self.ensure_one()
        retry_at = self.sudo().btcpay_retry_at
        return not retry_at or retry_at <= fields.Datetime.now()

    def _btcpay_select_may_ask(self):
        """Return the expression that is true where the server may be asked, as above.

        :rtype: SQL
        """
        return SQL(
            'EXISTS (SELECT 1 FROM payment_provider WHERE id = %s'
            ' AND (btcpay_retry_at IS NULL OR btcpay_retry_at <= %s))',
            self.id, fields.Datetime.now(),
        )

    def _btcpay_is_known_down(self):
        """Return whether not even a customer who wants to pay is to wait for the server: it failed
        more than once, and is not to be asked yet."""
        self.ensure_one()
        return self.btcpay_connection_state == 'unreachable' and not self._btcpay_may_ask()

    def _btcpay_report_failure(self, error):
        """Wait longer each time the server cannot be asked, and raise an alert once.

        What may be a restart of the server raises it when the second try fails too.

        :param GreenfieldError error: The server's failure.
        """
        self.ensure_one()
        provider = self.sudo()._btcpay_in_company_language()
        state, problem = provider._btcpay_diagnose(error)
        commit_and_refresh(provider.env)
        try:
            lock(provider)
        except RowBusy:
            return  # Somebody else is on it; if not, the next failure is reported.
        now = fields.Datetime.now()
        if not provider._btcpay_may_ask() or not provider._btcpay_is_connected():
            commit_and_refresh(provider.env)
            return
        is_first = not provider.btcpay_unreachable_since
        tries = provider.btcpay_failed_tries + 1
        provider.write({
            'btcpay_unreachable_since': provider.btcpay_unreachable_since or now,
            'btcpay_failed_tries': tries,
            'btcpay_retry_at': next_wait(tries, const.RETRY_WAITS),
            'btcpay_is_key_refused': isinstance(error, Unauthorized),
        })
        if state != provider.btcpay_connection_state and not (state == 'unreachable' and is_first):
            _logger.info(
                "The connection of provider %(provider)s went from %(before)s to %(after)s.", {
                    'provider': provider.id, 'before': provider.btcpay_connection_state,
                    'after': state,
                },
            )
            provider.write({'btcpay_connection_state': state, 'btcpay_connection_problem': problem})
            provider._btcpay_raise_alert('btcpay_connection_activity_id', _(
                "“%(provider)s” cannot be used: %(problem)s Payments made meanwhile are not lost:"
                " Odoo keeps trying, catches up, and closes this activity by itself.",
                provider=provider.name, problem=problem,
            ))
        if is_first:
            _logger.warning(
                "Provider %(provider)s cannot ask its BTCPay Server and waits: %(problem)s",
                {'provider': provider.id, 'problem': problem},
            )
        commit_and_refresh(provider.env)

    def _btcpay_report_success(self):
        """Note that the server can be asked, and clear the alert if there was one."""
        self.ensure_one()
        provider = self.sudo()
        is_connected = provider.btcpay_connection_state == 'connected'
        if is_connected and not provider.btcpay_unreachable_since:
            return
        provider = provider._btcpay_in_company_language()
        commit_and_refresh(provider.env)
        if provider.btcpay_connection_state == 'gone' and not provider._btcpay_has_store():
            return  # The payments of a store that was deleted can be read all the same.
        try:
            lock(provider)
        except RowBusy:
            return  # The next success is reported.
        if provider._btcpay_is_connected():
            provider.write(provider._btcpay_get_healthy_values())
            provider._btcpay_clear_alert(
                'btcpay_connection_activity_id', _("The BTCPay Server can be asked again.")
            )
            _logger.info("Provider %s can ask its BTCPay Server again.", provider.id)
        commit_and_refresh(provider.env)

    def _btcpay_has_store(self):
        """Return whether the server is known to have the store."""
        try:
            self._btcpay_find_store(self._btcpay_client(), self.btcpay_store_id)
        except GreenfieldError:
            return False
        return True

    def _btcpay_report_checkout(self, currency, error=None):
        """Raise an alert when the store makes no invoice, once; clear it when it made one.

        What may pass by itself says nothing about the store, but something about the server; what
        works in one currency says nothing about others.

        :param res.currency currency: What was to be paid in; none if it is a matter of the store.
        :param GreenfieldError|None error: Why no invoice was made; None if it was.
        """
        self.ensure_one()
        if error and error.is_temporary:
            if isinstance(error, (ServerFault, Unreachable)):
                self._btcpay_report_failure(error)
            return
        if not error and not self.sudo().btcpay_checkout_problems:
            return
        provider = self.sudo().with_user(SUPERUSER_ID)._btcpay_in_company_language()
        if not provider._btcpay_find_checkout_change(currency, error):
            return
        commit_and_refresh(provider.env)
        # Of customers who pay at once one is enough, and none is to wait for the others.
        if claim(provider) and (change := provider._btcpay_find_checkout_change(currency, error)):
            before, problems = change
            provider.btcpay_checkout_problems = problems or False
            if isinstance(error, (Forbidden, Unauthorized)):
                provider.btcpay_webhook_checked_at = False  # The connection is checked at once.
            provider._btcpay_update_checkout_alert(
                is_new=bool(set(problems.values()) - set(before.values()))
            )
        commit_and_refresh(provider.env)

    def _btcpay_find_checkout_change(self, currency, error):
        """Return what a checkout says that was not known of the store.

        :return: The problems of before and now, see `btcpay_checkout_problems`; None without news.
        :rtype: tuple[dict, dict]|None
        """
        before = self.btcpay_checkout_problems or {}
        if not error:
            problems = {
                key: value for key, value in before.items() if key not in ('', currency.name)
            }
        else:
            is_of_store = isinstance(error, (Forbidden, NothingEnabled, Unauthorized))
            key = '' if is_of_store else currency.name
            problems = {**before, key: self._btcpay_explain(error)}
        return (before, problems) if problems != before else None

    def _btcpay_update_checkout_alert(self, is_new):
        """Have the alert say why customers cannot pay.

        :param bool is_new: Whether anything is to be told that was not.
        """
        self.ensure_one()
        if not self.btcpay_checkout_problem:
            self._btcpay_clear_alert(
                'btcpay_checkout_activity_id', _("A payment could be started again.")
            )
            return
        message = _(
            "Customers cannot pay with “%(provider)s”: %(problem)s Check the store at the"
            " BTCPay Server. This activity is closed by itself as soon as a payment can be"
            " started again.", provider=self.name, problem=self.btcpay_checkout_problem,
        )
        if is_new:
            self._btcpay_raise_alert('btcpay_checkout_activity_id', message)
        else:
            self.btcpay_checkout_activity_id.filtered('active').note = escape(message)

    @api.depends('btcpay_checkout_problems')
    def _compute_btcpay_checkout_problem(self):
        for provider in self:
            problems = dict.fromkeys((provider.btcpay_checkout_problems or {}).values())
            provider.btcpay_checkout_problem = ' '.join(
                f'{problem.rstrip(".")}.' for problem in problems
            )

    def _btcpay_report_methods(self, down=(), works=(), error=None):
        """Raise an alert when the store makes no invoices by some of its methods, once; clear it
        when all work again.

        :param Collection[str] down: The ids of the methods that do not work.
        :param Collection[str] works: The ids of those that do.
        :param GreenfieldError|None error: What the server said, if it did.
        """
        self.ensure_one()
        provider = self.sudo().with_user(SUPERUSER_ID)

        def combine():
            known = (provider.btcpay_down_methods or '').split()
            return known, sorted((set(known) | set(down)) - set(works))

        known, now = combine()
        if known == now:
            return
        provider = provider._btcpay_in_company_language()
        commit_and_refresh(provider.env)
        if claim(provider):
            known, now = combine()
            provider.btcpay_down_methods = " ".join(now) or False
            if set(now) - set(known):
                methods = provider.btcpay_down_methods_text
                problem = provider._btcpay_explain(error) if isinstance(error, Refused) else _(
                    "The store at the BTCPay Server has it enabled, but makes no invoices for it,"
                    " as when the node behind it does not answer."
                )
                provider._btcpay_raise_alert('btcpay_method_activity_id', _(
                    "Customers of “%(provider)s” cannot pay by %(methods)s: %(problem)s They are"
                    " offered other methods meanwhile. Check the node and the store at the BTCPay"
                    " Server. This activity is closed by itself as soon as a payment by %(methods)s"
                    " can be started again.",
                    provider=provider.name, methods=methods,
                    problem=f'{problem.rstrip(".")}.',
                ))
            elif not now:
                provider._btcpay_clear_alert(
                    'btcpay_method_activity_id', _("A payment could be started again.")
                )
        commit_and_refresh(provider.env)

    def _btcpay_get_healthy_values(self):
        """Return the values of a connection that works.

        :rtype: dict
        """
        return {
            'btcpay_connection_state': 'connected',
            'btcpay_connection_problem': False,
            'btcpay_unreachable_since': False,
            'btcpay_failed_tries': 0,
            'btcpay_is_key_refused': False,
            'btcpay_retry_at': False,
        }

    def _btcpay_report_silence(self, error):
        """Report what a page or a delivery waited for in vain, so that no other does.

        What was refused may be a matter of the one call.

        :param Exception|None error: What failed, if anything.
        """
        if isinstance(error, Unreachable):
            self._btcpay_report_failure(error)

    def _btcpay_retry_soon(self, minutes=0):
        """Have the server asked again before long: somebody got an answer, or it spoke itself, or a
        customer wants to pay.

        :param int minutes: The number of minutes that it may take at most.
        """
        self.ensure_one()
        soon = fields.Datetime.now() + timedelta(minutes=minutes)
        retry_at = self.sudo().btcpay_retry_at
        if not retry_at or retry_at <= soon:
            return
        commit_and_refresh(self.env)
        claim(self.sudo()).btcpay_retry_at = soon
        commit_and_refresh(self.env)

    def _btcpay_diagnose(self, error):
        """Find out what a failure means.

        The server answers a store that does not exist as it does a missing permission.

        :param GreenfieldError error: The failure.
        :return: The state of the connection, and what it means and what to do.
        :rtype: tuple[str, str]
        """
        self.ensure_one()
        if isinstance(error, Forbidden):
            try:
                key = self._btcpay_client().get_current_key()
            except GreenfieldError as key_error:
                error = key_error
            else:
                return self._btcpay_diagnose_permissions(key)
        state = 'refused' if isinstance(error, Unauthorized) else 'unreachable'
        return state, self._btcpay_explain(error)

    def _btcpay_diagnose_permissions(self, key):
        if missing := key.get_missing(self._btcpay_get_permissions(), self.btcpay_store_id):
            return 'refused', _(
                "The API key now lacks permissions: %s. Connect the store again in the settings of"
                " the payment provider.", ", ".join(missing),
            )
        return 'gone', _(
            "The store “%s” no longer exists at the BTCPay Server, or the account that approved the"
            " connection no longer has access to it. Give it access again there, or connect another"
            " store in the settings of the payment provider.",
            self.btcpay_store_name or self.btcpay_store_id,
        )

    # === ALERTS === #

    def _btcpay_in_company_language(self):
        """Return the provider, speaking to its company's people.

        :rtype: payment.provider
        """
        return self.with_context(lang=self.company_id.partner_id.lang)

    def _btcpay_raise_alert(self, field, message):
        """Leave something about the provider to a person who may set it right.

        :param str field: The field that remembers the activity, in the place of the one before.
        :param str message: What happened and what to do.
        """
        self.ensure_one()
        self[field].filtered('active').unlink()
        self[field] = self._btcpay_schedule_alert(message)

    def _btcpay_schedule_alert(self, message):
        """Ask the person who may set it right.

        :param str message: What happened and what to do.
        :rtype: mail.activity
        """
        responsible = self.btcpay_responsible_id
        if responsible and not self.with_user(responsible).has_access('write'):
            responsible = responsible.browse()
        return schedule_activity(
            self, _("Payment provider %s", self.name), message, choose_assignee(responsible, self)
        )

    def _btcpay_clear_alert(self, field, message):
        """Close the activity, if it is still open.

        :param str field: The field that remembers it.
        :param str message: What happened.
        """
        self.ensure_one()
        activity = self[field]
        if activity.exists() and activity.active:
            activity.action_feedback(feedback=message)
        self[field] = False

    def _btcpay_clear_alerts(self, message):
        """Close all activities about the connection.

        :param str message: What happened.
        """
        self.btcpay_checkout_problems = False
        for field in ALERT_FIELDS:
            self._btcpay_clear_alert(field, message)
