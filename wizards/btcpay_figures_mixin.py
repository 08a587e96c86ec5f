from odoo import _, api, models
from odoo.exceptions import UserError

from odoo.addons.payment_btcpay.greenfield import parse_decimal

MAX_INTEGER = 2 ** 31 - 1  # Of the database.


class BTCPayFiguresMixin(models.AbstractModel):
    """Figures that calls of Odoo's API bring and nobody types: Odoo would fail to round them."""

    _name = 'btcpay.figures.mixin'
    _description = "Wizard Whose Figures Are Numbers"

    @api.model_create_multi
    def create(self, vals_list):
        """Override to refuse what is no number."""
        for vals in vals_list:
            self._check_figures(vals)
        return super().create(vals_list)

    def write(self, vals):
        """Override to refuse what is no number."""
        self._check_figures(vals)
        return super().write(vals)

    def onchange(self, values, field_names, fields_spec):
        """Override to refuse what is no number."""
        self._check_figures(values)
        return super().onchange(values, field_names, fields_spec)

    @api.model
    def _check_figures(self, vals):
        """Check the figures among values.

        :param dict vals: The values, by the names of their fields.
        :raise UserError: If a figure is no number, or one that nothing here is.
        """
        for name, value in vals.items():
            kind = name in self._fields and self._fields[name].type
            if kind not in ('float', 'integer', 'monetary'):
                continue
            number = parse_decimal(str(value or 0))
            if number is None or (kind == 'integer' and abs(number) > MAX_INTEGER):
                raise UserError(_("“%s” is not a usable number.", value))
