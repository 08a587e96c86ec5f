import psycopg2

from odoo import _, api, fields, models
from odoo.exceptions import UserError
from odoo.fields import Command

from odoo.addons.payment.logging import get_payment_logger
from odoo.addons.payment_btcpay import const
from odoo.addons.payment_btcpay.utils import notify, one_line, open_dialog

_logger = get_payment_logger(__name__, sensitive_keys=const.SENSITIVE_KEYS)


class BTCPayPaymentRequestMany(models.TransientModel):
    _name = 'btcpay.payment.request.many'
    _description = "Request Bitcoin Payments of Several Invoices"

    move_ids = fields.Many2many(string="Invoices", comodel_name='account.move', readonly=True)
    mailed_count = fields.Integer(compute='_compute_texts')
    summary = fields.Char(compute='_compute_texts')
    problems = fields.Text(string="Not Mailed", compute='_compute_texts')

    @api.depends('move_ids')
    def _compute_texts(self):
        for wizard in self:
            problems = {
                move: problem for move in wizard.move_ids
                if (problem := move._btcpay_find_asking_problem())
            }
            asked = wizard.move_ids.filtered(lambda move, problems=problems: move not in problems)
            wizard.mailed_count = len(asked)
            wizard.summary = _(
                "%(mailed)s of %(selected)s invoices will be mailed with a link to pay with"
                " Bitcoin. Customers: %(customers)s.", mailed=len(asked),
                selected=len(wizard.move_ids), customers=len(asked.partner_id),
            ) if asked else _("Nobody will be mailed.")
            wizard.problems = self._list_problems(problems)

    @api.model
    def _open(self, moves):
        """Open the wizard, which says how many it will mail to and asks.

        :param account.move moves: The invoices.
        :rtype: dict
        """
        wizard = self.create({'move_ids': [Command.set(moves.ids)]})
        for move in moves:
            move.sudo()._portal_ensure_token()  # The form is read in a read-only transaction.
        return open_dialog(wizard, _("Request Bitcoin Payments"))

    def action_send(self):
        """Mail the requests; one that fails leaves the others alone.

        :return: The notification of what was done.
        :rtype: dict
        """
        self.ensure_one()
        self.move_ids.check_access('read')
        problems = {}
        for move in self.move_ids:
            try:
                with self.env.cr.savepoint():
                    move._btcpay_ask()
            except psycopg2.OperationalError:
                raise  # All is done again.
            except UserError as error:
                problems[move] = error.args[0]
            except Exception as error:
                _logger.exception("No request for the invoice %s", move.name)
                problems[move] = _("The mail could not be made: %s", one_line(error))
        # Whether the mails arrive, each invoice says: they leave when this is stored.
        summary = _(
            "Requests on their way: %(mailed)s of %(selected)s. Each invoice shows whether its mail"
            " was sent.",
            mailed=len(self.move_ids) - len(problems), selected=len(self.move_ids),
        )
        return notify(
            "\n".join(filter(None, [summary, self._list_problems(problems)])),
            type='warning' if problems else 'success', sticky=bool(problems),
            then={'type': 'ir.actions.act_window_close'},
        )

    @api.model
    def _list_problems(self, problems):
        """Return why customers are not mailed, an invoice a line.

        :param dict problems: The reason by invoice.
        :rtype: str
        """
        return "\n".join(f'{move.display_name}: {text}' for move, text in problems.items())
