from odoo import _, api, models
from odoo.exceptions import AccessError
from odoo.tools import ormcache


class BTCPayProtectedMixin(models.AbstractModel):
    """Fields that only our code sets can be written by nobody else.

    A field that is read-only in views can be written by any call of Odoo's API that writes the
    record: ours say where money is, and where it goes.
    """

    _name = 'btcpay.protected.mixin'
    _description = "Fields That Only the BTCPay Code Sets"

    @api.model_create_multi
    def create(self, vals_list):
        """Override to refuse to set what only our code sets, by defaults of the call as well."""
        self.browse()._btcpay_check_protected({
            *set().union(*vals_list),
            *(key.removeprefix('default_') for key in self.env.context),
        })
        return super().create(vals_list)

    def write(self, vals):
        """Override to refuse to write what only our code sets."""
        self._btcpay_check_protected(vals)
        return super().write(vals)

    def _btcpay_check_protected(self, names):
        """Check that the fields are not ours to set.

        Not in `_check_field_access`: that is called for each field with each reading.

        :param Collection[str] names: The names, some of which may be of no field.
        :raise AccessError: If a user sets one of them.
        """
        if self.env.su:
            return
        if protected := next(filter(self._btcpay_is_protected, names), None):
            raise AccessError(_(
                "Only Odoo itself sets the field “%(field)s” (%(model)s): it says where money is.",
                field=protected, model=self._name,
            ))

    @api.model
    def default_get(self, fields):
        """Override to have what our code creates begin as our code has it: every employee can have
        defaults of their own, and every call can bring some."""
        fixed = self._btcpay_get_fixed_names().intersection(fields)
        defaults = super().default_get([name for name in fields if name not in fixed])
        for name in fixed:
            if default := self._fields[name].default:
                defaults[name] = default(self)
        return defaults

    @api.model
    @ormcache()
    def _btcpay_get_fixed_names(self):
        """Return the names of the fields whose default nobody can set.

        :rtype: frozenset[str]
        """
        return frozenset(
            name for name, field in self._fields.items()
            if name.startswith('btcpay_') and field.readonly
        )

    def _btcpay_is_protected(self, name):
        """Return whether only our code sets a field of the records.

        :param str name: The name, possibly of no field.
        :rtype: bool
        """
        return name.startswith('btcpay_') and name in self._btcpay_get_fixed_names()
