import re
from datetime import timedelta

from odoo import api, fields, models
from odoo.fields import Domain
from odoo.tools import SQL

from odoo.addons.payment.logging import get_payment_logger
from odoo.addons.payment_btcpay import const
from odoo.addons.payment_btcpay.greenfield import make_storable

_logger = get_payment_logger(__name__, sensitive_keys=const.SENSITIVE_KEYS)


class BTCPayLogEntry(models.Model):
    """What debug mode keeps of a call of the server, or of a delivery from it.

    Nothing secret and nothing about a customer comes in here, see `greenfield/redact.py`: the log
    is made to be shown to others. So it outlasts a disconnection, which it may be to explain.
    """

    _name = 'btcpay.log.entry'
    _description = "BTCPay Debug Log Entry"
    _order = 'id desc'
    _rec_name = 'path'

    provider_id = fields.Many2one(
        string="Payment Provider", comodel_name='payment.provider', required=True, readonly=True,
        ondelete='cascade',
    )
    kind = fields.Selection(
        selection=[
            ('call', "Call"), ('delivery', "Webhook delivery"), ('refused', "Refused delivery"),
        ],
        required=True, readonly=True,
    )
    create_date = fields.Datetime(string="Date", readonly=True)
    method = fields.Char(string="HTTP Method", readonly=True)
    path = fields.Char(readonly=True)
    status = fields.Integer(
        string="HTTP Status", help="0 if there was no answer.", aggregator=None, readonly=True
    )
    result = fields.Char(help="What came of it, in the server's own words.", readonly=True)
    milliseconds = fields.Integer(aggregator='avg', readonly=True)
    # No foreign key: what is paid may be locked for long by whoever confirms its order.
    reference = fields.Char(string="Transaction Reference", readonly=True, index='btree_not_null')
    transaction_id = fields.Many2one(
        comodel_name='payment.transaction', compute='_compute_transaction_id',
        search='_search_transaction_id',
    )
    delivery_ref = fields.Char(string="Delivery ID", readonly=True, index='btree_not_null')
    sent = fields.Text(string="Sent Body", readonly=True)
    received = fields.Text(string="Received Body", readonly=True)

    _provider_idx = models.Index("(provider_id, kind, create_date)")
    _create_date_idx = models.Index("(create_date)")

    @api.depends('path')
    def _compute_display_name(self):
        """Override to leave out the store: of one store all paths begin alike, and what tells them
        apart would be out of sight."""
        for entry in self:
            entry.display_name = re.sub('^/stores/[^/?]+', '/stores/…', entry.path or '')

    @api.depends('reference')
    def _compute_transaction_id(self):
        transactions = self.env['payment.transaction'].search_fetch(
            [('reference', 'in', self.mapped('reference'))], ['reference']
        ).grouped('reference')
        for entry in self:
            entry.transaction_id = transactions.get(entry.reference)

    @api.model
    def _search_transaction_id(self, operator, value):
        if operator in Domain.NEGATIVE_OPERATORS:
            return NotImplemented
        domain = value if operator == 'any' else [('id', operator, value)]
        if operator in ('like', 'ilike', '=like', '=ilike'):
            return [('reference', operator, value)]
        transactions = self.env['payment.transaction'].search_fetch(domain, ['reference'])
        return [('reference', 'in', transactions.mapped('reference'))]

    def action_btcpay_export(self):
        """Have the entries, or the newest of all that the list shows, downloaded as one file.

        :rtype: dict
        """
        return self.env['btcpay.log.export']._download(self or self.search(
            self.env.context.get('active_domain') or [], limit=const.LOG_EXPORT_SIZE
        ))

    @api.model
    def _open(self, domain):
        """Return the action that shows entries.

        :param list domain: Which.
        :rtype: dict
        """
        action = self.env['ir.actions.act_window']._for_xml_id(
            'payment_btcpay.action_btcpay_log_entry'
        )
        return {**action, 'domain': domain}

    # === WRITING === #

    @api.model
    def _note(self, provider_id, kind, get_values):
        """Keep an entry now and for good, whatever becomes of the database transaction under way.

        It has a database transaction of its own, so that it lasts where that is rolled back, and
        waits for nobody. What fails is left out: no payment is to fail for its log.

        :param int provider_id: The provider.
        :param str kind: See the field.
        :param callable get_values: Returns the values of the other fields.
        """
        try:
            values = {
                name: (make_storable(value) or None) if isinstance(value, str) else value
                for name, value in get_values().items()
            }
            now = fields.Datetime.now()
            # Who created it is left out: that would be one row more to share.
            values.update(provider_id=provider_id, kind=kind, create_date=now, write_date=now)
            with self.env.registry.cursor() as cr:
                cr.execute(SQL(
                    """
                    SET LOCAL lock_timeout = '200ms';
                    INSERT INTO btcpay_log_entry (%(columns)s)
                    SELECT %(values)s
                     WHERE (SELECT count(*) FROM (
                        SELECT 1 FROM btcpay_log_entry
                         WHERE provider_id = %(provider)s AND kind = %(kind)s
                           AND create_date > %(since)s
                         LIMIT %(limit)s
                     ) AS entry) < %(limit)s
                    """,
                    columns=SQL(', ').join(map(SQL.identifier, values)),
                    values=SQL(', ').join(SQL('%s', value) for value in values.values()),
                    provider=provider_id, kind=kind, since=now - timedelta(days=1),
                    limit=const.LOG_LIMITS[kind],
                ), log_exceptions=False)
        except Exception as error:
            _logger.warning("Left out of the debug log: %s", type(error).__name__)

    # === SCHEDULED ACTIONS === #

    @api.autovacuum
    def _gc_log_entries(self):
        """Remove entries that are older than their provider keeps them, a batch at a time.

        :return: How many were removed, and whether more are to be.
        :rtype: tuple[int, bool]
        """
        rows = self.env.execute_query(SQL(
            """
            DELETE FROM btcpay_log_entry WHERE id IN (
                SELECT entry.id FROM payment_provider AS provider
                  JOIN btcpay_log_entry AS entry ON entry.provider_id = provider.id
                 WHERE entry.create_date
                     < %s - LEAST(provider.btcpay_debug_days, %s) * interval '1 day'
                 LIMIT %s
            ) RETURNING id
            """, fields.Datetime.now(), const.MAX_LOG_DAYS, const.LOG_BATCH,
        ))
        self.invalidate_model()
        return len(rows), len(rows) == const.LOG_BATCH


class BTCPayDelivery(models.Model):
    _inherit = 'btcpay.delivery'

    body = fields.Text(help="The event; kept in debug mode only.", compute='_compute_body')

    def _compute_body(self):
        entries = self.env['btcpay.log.entry'].search([
            ('kind', '=', 'delivery'), ('delivery_ref', 'in', self.mapped('delivery_ref')),
        ])
        bodies = {(entry.provider_id, entry.delivery_ref): entry.received for entry in entries}
        for delivery in self:
            delivery.body = bodies.get((delivery.provider_id, delivery.delivery_ref))
