"""The health of the connection at a glance: what was found, and what it means."""
from datetime import timedelta
from urllib.parse import urlsplit

from odoo import _, api, fields, models
from odoo.tools import format_datetime

from odoo.addons.payment_btcpay.greenfield import address

#: The scheduled actions without which payments are noticed late, or not at all.
ACTIONS = tuple(f'payment_btcpay.ir_cron_btcpay_{name}' for name in (
    'deliveries', 'pending_actions', 'sync', 'confirm',
))
#: They run every few minutes; a single run may take longer.
ACTION_HOURS = 1


class PaymentProvider(models.Model):
    _inherit = 'payment.provider'

    btcpay_health = fields.Selection(
        string="Health",
        selection=[
            ('disconnected', "Not connected"),
            ('healthy', "Connected"),
            ('attention', "Needs attention"),
            ('silent', "No answer"),
            ('refused', "API key refused"),
            ('gone', "Store not found"),
            ('unreachable', "No usable answer"),
        ],
        compute='_compute_btcpay_health', compute_sudo=True, groups='base.group_system',
    )
    btcpay_health_text = fields.Html(
        string="Details", compute='_compute_btcpay_health_text', compute_sudo=True, sanitize=False,
        groups='base.group_system',
    )
    btcpay_excess_text = fields.Char(
        string="More Than Needed", compute='_compute_btcpay_found', compute_sudo=True,
        groups='base.group_system',
    )
    btcpay_undelivered_count = fields.Integer(
        string="Undelivered Events", compute='_compute_btcpay_found', compute_sudo=True,
        groups='base.group_system',
    )
    btcpay_is_new = fields.Boolean(
        string="Nothing Paid Yet", compute='_compute_btcpay_is_new', compute_sudo=True,
        groups='base.group_system',
    )

    @api.depends(
        'btcpay_connection_state', 'btcpay_unreachable_since', 'btcpay_webhook_problem',
        'btcpay_checkout_problem', 'btcpay_down_methods', 'btcpay_checkup',
        'btcpay_unrated_currencies',
    )
    def _compute_btcpay_health(self):
        for provider in self:
            if provider.code != 'btcpay':
                provider.btcpay_health = False
            elif provider.btcpay_connection_state != 'connected':
                provider.btcpay_health = provider.btcpay_connection_state
            elif provider.btcpay_unreachable_since:
                provider.btcpay_health = 'silent'
            else:
                provider.btcpay_health = (
                    'attention' if provider._btcpay_needs_attention() else 'healthy'
                )

    def _btcpay_needs_attention(self):
        """Return whether anything is not as it should be, though the server can be asked."""
        self.ensure_one()
        found = self.btcpay_checkup or {}
        return bool(
            self.btcpay_webhook_problem or self.btcpay_checkout_problem or self.btcpay_down_methods
            or self.btcpay_excess_text or found.get('missing') or found.get('undelivered')
            or not found.get('is_synchronized', True) or self._btcpay_is_out_of_reach()
            or not self._btcpay_has_rate(self.company_id.currency_id)
            or not all(self._btcpay_find_actions().mapped('active'))
        )

    def _btcpay_find_actions(self):
        """Return the scheduled actions that this provider relies on.

        :rtype: ir.cron
        """
        return self.env['ir.cron'].concat(*filter(None, (
            self.env.ref(xml_id, raise_if_not_found=False) for xml_id in ACTIONS
        )))

    def _btcpay_is_out_of_reach(self):
        """Return whether customers reach this Odoo from further away than the server, to whose
        pages they are sent: its links have the address by which Odoo reaches it."""
        self.ensure_one()
        shop_url = self.env['ir.config_parameter'].sudo().get_param('web.base.url')
        server, shop = (
            urlsplit(url or '').hostname or '' for url in (self.btcpay_server_url, shop_url)
        )
        return any(
            is_near(server) and not is_near(shop)
            for is_near in (address.is_internal, address.is_loopback)
        )

    @api.depends('btcpay_checkup')
    def _compute_btcpay_found(self):
        for provider in self:
            found = provider.btcpay_checkup or {}
            provider.btcpay_excess_text = provider._btcpay_describe_excess(found)
            provider.btcpay_undelivered_count = found.get('undelivered')

    @api.depends('btcpay_connection_state')
    def _compute_btcpay_is_new(self):
        for provider in self:
            provider.btcpay_is_new = (
                provider.btcpay_health == 'healthy' and provider.state != 'disabled'
                and not self.env['payment.transaction'].search_count([
                    ('provider_id', '=', provider.id), ('state', '=', 'done'),
                ], limit=1)
            )

    @api.depends('btcpay_health')
    def _compute_btcpay_health_text(self):
        for provider in self:
            provider.btcpay_health_text = provider._btcpay_is_connected() and self.env[
                'ir.qweb'
            ]._render('payment_btcpay.health', {'rows': provider._btcpay_get_health_rows()})

    def _btcpay_get_health_rows(self):
        """Return what is to be said of the connection, one thing after another.

        :return: The level (`success`, `warning`, `danger` or `muted`), the name, and the words.
        :rtype: list[tuple[str, str, str]]
        """
        self.ensure_one()
        rows = [self._btcpay_get_server_row()]
        if self._btcpay_is_out_of_reach():
            rows.append(('warning', _("Server address"), _(
                "Customers are sent to %s to pay and to claim refunds, which only machines on your"
                " own network reach. Give the server a public https address, and connect the store"
                " again by that address.", self.btcpay_server_url,
            )))
        found = self.btcpay_checkup or {}
        state = self.btcpay_connection_state
        if 'is_synchronized' in found:
            rows.append(
                ('success', _("Blockchain"), _("The server is in step with it."))
                if found['is_synchronized'] else
                ('warning', _("Blockchain"), _(
                    "The server is still reading it: on-chain payments are seen late."
                ))
            )
        if state == 'refused':
            rows.append(('danger', _("API key"), self.btcpay_connection_problem))
        elif state != 'unreachable' and found:
            rows.append(('success', _("API key"), _("Accepted.")))
        if found:
            rows.append(self._btcpay_get_permission_row(found))
        rows.append(
            ('danger', _("Store"), self.btcpay_connection_problem) if state == 'gone'
            else ('success', _("Store"), self.btcpay_store_name)
        )
        rows += self._btcpay_get_earlier_rows()
        rows += self._btcpay_get_rival_rows()
        rows += self._btcpay_get_payment_rows()
        rows += self._btcpay_get_webhook_rows(found)
        rows += self._btcpay_get_waiting_rows()
        rows.append(self._btcpay_get_action_row())
        rows.append(('muted', _("Checked"), self._btcpay_format_time(self.btcpay_checked_at) or _(
            "Not yet: click “Check Connection”."
        )))
        return rows

    def _btcpay_get_server_row(self):
        if self.btcpay_unreachable_since and self.btcpay_connection_state != 'gone':
            since = self._btcpay_format_time(self.btcpay_unreachable_since)
            return ('danger', _("Server"), _(
                "It cannot be asked since %(time)s. Odoo tries again by itself at %(next)s.",
                time=since, next=self._btcpay_format_time(self.btcpay_retry_at),
            ))
        version = (self.btcpay_checkup or {}).get('version')
        return ('success', _("Server"), (
            _("It answers, version %s.", version.partition('+')[0]) if version
            else _("It answers.")
        ))

    def _btcpay_get_permission_row(self, found):
        if found['missing']:
            return ('danger', _("Permissions"), _("Missing: %s.", ", ".join(found['missing'])))
        if self.btcpay_excess_text:
            return ('warning', _("Permissions"), _(
                "More than needed: %s.", self.btcpay_excess_text
            ))
        return ('success', _("Permissions"), _("Those that are needed, for this store only."))

    def _btcpay_get_earlier_rows(self):
        for store in self.btcpay_earlier_store_ids:
            count = self.env['payment.transaction'].search_count(store._get_open_domain())
            yield ('muted', _("Earlier store"), _(
                "%(count)s payments and refunds of “%(store)s” are open. Odoo follows them with the"
                " key of that store, which is removed by itself when none is open.",
                count=count, store=store.store_name or store.store_id,
            ) if count else _(
                "Nothing of “%s” is open any more: its key and webhook are removed by itself.",
                store.store_name or store.store_id,
            ))

    def _btcpay_get_rival_rows(self):
        if rivals := self._btcpay_find_rivals():
            yield ('muted', _("Other stores"), _(
                "Customers see one of “%(name)s” and %(others)s only, the first in the list. Give"
                " each its own countries, website or payment method.",
                name=self.name, others=", ".join(f'“{rival.name}”' for rival in rivals),
            ))

    def _btcpay_get_payment_rows(self):
        methods = self.btcpay_store_methods_text
        yield (
            ('danger', _("Payment methods"), _("The store has none enabled.")) if not methods
            else ('warning', _("Payment methods"), _(
                "%(methods)s; out of order: %(down)s.", methods=methods,
                down=self.btcpay_down_methods_text,
            )) if self.btcpay_down_methods
            else ('success', _("Payment methods"), methods)
        )
        unrated = self.btcpay_unrated_text
        is_own = not self._btcpay_has_rate(self.company_id.currency_id)
        yield (
            ('success', _("Rates"), _("The store has one of each active currency."))
            if not unrated else
            ('danger' if is_own else 'warning', _("Rates"), _("The store has none of %s.", unrated))
        )
        if self.btcpay_checkout_problem:
            yield ('danger', _("Checkout"), self.btcpay_checkout_problem)

    def _btcpay_get_webhook_rows(self, found):
        if not self.btcpay_use_webhook:
            yield ('muted', _("Webhook"), _(
                "None: Odoo asks the server every %s minutes.", self.btcpay_poll_minutes
            ))
            return
        if self.btcpay_webhook_by_hand:
            last = self.env['btcpay.delivery'].search([('provider_id', '=', self.id)], limit=1)
            yield ('success' if last else 'warning', _("Webhook"), _(
                "Made by hand at the server; it reported last on %s.",
                self._btcpay_format_time(last.create_date),
            ) if last else _(
                "Made by hand at the server; it has not reported anything yet. Send a test event"
                " from the server's page of it."
            ))
            return
        problems = dict(self._fields['btcpay_webhook_problem']._description_selection(self.env))
        yield (
            ('danger', _("Webhook"), problems[self.btcpay_webhook_problem])
            if self.btcpay_webhook_problem else
            ('success', _("Webhook"), _("It is switched on, with the right address."))
        )
        if delivery := found.get('delivery'):
            values = {
                'time': self._btcpay_format_time(fields.Datetime.to_datetime(delivery['sent_at'])),
                'answer': delivery['answer'],
            }
            yield ('success' if delivery['is_answered'] else 'warning', _("Last delivery"), _(
                "%(time)s, answered with %(answer)s.", **values
            ) if delivery['is_answered'] else _("%(time)s, not taken: %(answer)s.", **values))
        if found.get('undelivered'):
            yield ('warning', _("Undelivered events"), _(
                "%s did not reach Odoo. Click “Send Events Again”.", found['undelivered']
            ))

    def _btcpay_get_waiting_rows(self):
        open_payments, oldest = self.env['payment.transaction']._read_group(
            self._btcpay_get_under_way_domain(), aggregates=['__count', 'create_date:min'],
        )[0]
        yield ('muted', _("Open payments"), _(
            "%(count)s, the oldest since %(time)s.",
            count=open_payments, time=self._btcpay_format_time(oldest),
        ) if open_payments else _("None."))
        pending, oldest = self.env['btcpay.delivery']._read_group(
            [('provider_id', '=', self.id), ('state', 'in', ('pending', 'failed'))],
            aggregates=['__count', 'create_date:min'],
        )[0]
        yield ('warning', _("Deliveries to be processed"), _(
            "%(count)s, the oldest since %(time)s.",
            count=pending, time=self._btcpay_format_time(oldest),
        )) if pending else ('success', _("Deliveries to be processed"), _("None."))

    def _btcpay_get_action_row(self):
        actions = self._btcpay_find_actions()
        if off := actions.filtered(lambda action: not action.active):
            return ('warning', _("Scheduled actions"), _(
                "Switched off: %s. Payments may be noticed late or not at all. Activate them in"
                " Settings > Technical > Scheduled Actions.", ", ".join(off.mapped('name')),
            ))
        since = min(actions.mapped('nextcall'), default=fields.Datetime.now())
        if since < fields.Datetime.now() - timedelta(hours=ACTION_HOURS):
            return ('warning', _("Scheduled actions"), _(
                "They have been waiting since %s. Start Odoo with the option max_cron_threads above"
                " 0, on one host at least.", self._btcpay_format_time(since),
            ))
        return ('success', _("Scheduled actions"), _("They run."))

    def _btcpay_format_time(self, time):
        return format_datetime(self.env, time, dt_format='short') if time else ''
