from odoo import models


class BTCPayProtectedMixin(models.AbstractModel):
    """Fields that only our code sets can be written by nobody else.

    A field that is read-only in views can be written by any call of Odoo's API that writes the
    record: ours say where money is, and where it goes.
    """

    _name = 'btcpay.protected.mixin'
    _description = "Fields That Only the BTCPay Code Sets"

    def _has_field_access(self, field, operation):
        """Override to refuse to write what only our code sets, on creation as well."""
        return super()._has_field_access(field, operation) and (
            operation == 'read' or self.env.su or not self._btcpay_is_protected(field)
        )

    def _btcpay_is_protected(self, field):
        """Return whether only our code sets a field of the records.

        :param odoo.fields.Field field: The field.
        :rtype: bool
        """
        return field.name.startswith('btcpay_') and bool(field.readonly)
