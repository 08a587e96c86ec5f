from odoo import _, api, models
from odoo.exceptions import AccessError


class BTCPayProtectedMixin(models.AbstractModel):
    """Fields that only our code sets can be written by nobody else.

    A field that is read-only in views can be written by any call of Odoo's API that writes the
    record: ours say where money is, and where it goes.
    """

    _name = 'btcpay.protected.mixin'
    _description = "Fields That Only the BTCPay Code Sets"

    def _check_field_access(self, field, operation):
        """Override to refuse to write what only our code sets, on creation as well.

        Not `_has_field_access`: that is called with each reading of any field of the records.
        """
        super()._check_field_access(field, operation)
        if operation != 'read' and not self.env.su and self._btcpay_is_protected(field):
            raise AccessError(_(
                "Only Odoo itself sets the field “%(field)s” (%(model)s): it says where money is.",
                field=field.name, model=self._name,
            ))

    @api.model
    def default_get(self, fields):
        """Override to have what our code creates begin as our code has it: every employee can have
        defaults of their own, and every call can bring some."""
        if not self.env.su:
            return super().default_get(fields)  # They are refused, see `_check_field_access`.
        fixed = {
            name for name in fields
            if name in self._fields and self._btcpay_is_default_fixed(self._fields[name])
        }
        defaults = super().default_get([name for name in fields if name not in fixed])
        for name in fixed:
            if default := self._fields[name].default:
                defaults[name] = default(self)
        return defaults

    @api.model
    def _btcpay_is_default_fixed(self, field):
        """Return whether nobody can set the default of a field, for what our code creates.

        :param odoo.fields.Field field: The field.
        :rtype: bool
        """
        return self._btcpay_is_protected(field)

    def _btcpay_is_protected(self, field):
        """Return whether only our code sets a field of the records.

        :param odoo.fields.Field field: The field.
        :rtype: bool
        """
        return field.name.startswith('btcpay_') and bool(field.readonly)
