from odoo import api, models
from odoo.tools import SQL, ormcache


class BTCPayApartMixin(models.AbstractModel):
    """Fields of ours are read when one of them is wanted, not along with each record of others."""

    _name = 'btcpay.apart.mixin'
    _description = "BTCPay Fields That Are Read Apart"

    def _register_hook(self):
        """Override to make a prefetch group of our fields; without those through which Odoo finds
        what to compute anew, whichever record has changed."""
        super()._register_hook()
        for name, field in self._fields.items():
            is_way = self.pool.field_inverses[field]
            if name.startswith('btcpay_') and field.prefetch is True and not is_way:
                field.prefetch = 'btcpay'

    def _fetch_field(self, field):
        """Override to read all at once where one of our fields is wanted first."""
        if field.prefetch != 'btcpay' or not self.env.context.get('prefetch_fields', True):
            return super()._fetch_field(field)
        return self.fetch(self._btcpay_get_names())

    @api.model
    def _btcpay_search(self, domain, **kwargs):
        """Search records, and read them as a whole, by one query.

        :param list domain: Which ones.
        :param dict kwargs: As those of `search`.
        :rtype: recordset
        """
        return self.search_fetch(domain, self._btcpay_get_names(), **kwargs)

    @api.model
    @ormcache('self.env.uid', 'self.env.su')
    def _btcpay_get_names(self):
        """Return the names of the fields that are read at once of a record of ours.

        :rtype: tuple[str]
        """
        return tuple(
            name for name, field in self._fields.items()
            if field.prefetch in (True, 'btcpay') and self._has_field_access(field, 'read')
        )

    @api.model
    @ormcache('self.env.uid', 'self.env.su', 'self.env.lang')
    def _btcpay_get_columns(self):
        """Return the columns of these fields, that of the id first.

        :rtype: SQL
        """
        return SQL(', ').join(
            self._field_to_sql(self._table, name) for name in ('id', *self._btcpay_get_names())
        )
