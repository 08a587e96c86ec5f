from odoo import _, api, fields, models
from odoo.exceptions import UserError

from odoo.addons.payment_btcpay.utils import make_qr_code, open_dialog

DOCUMENTS = ('sale.order', 'account.move')


class BTCPayPaymentRequest(models.TransientModel):
    _name = 'btcpay.payment.request'
    _inherit = 'btcpay.figures.mixin'
    _description = "Request a Bitcoin Payment"

    res_model = fields.Char(string="Document Model", required=True, readonly=True)
    res_id = fields.Many2oneReference(
        string="Document ID", model_field='res_model', required=True, readonly=True
    )
    reference = fields.Char(compute='_compute_document')
    currency_id = fields.Many2one(comodel_name='res.currency', compute='_compute_document')
    partner_id = fields.Many2one(comodel_name='res.partner', compute='_compute_document')
    due_amount = fields.Monetary(string="Amount Due", compute='_compute_document')
    down_payment_amount = fields.Monetary(string="Down Payment", compute='_compute_document')
    installment_amount = fields.Monetary(string="Installment", compute='_compute_document')
    has_installment = fields.Boolean(compute='_compute_document')
    has_down_payment = fields.Boolean(compute='_compute_document')
    due_text = fields.Char(string="Amount Due (text)", compute='_compute_document')
    down_payment_text = fields.Char(string="Down Payment (text)", compute='_compute_document')
    installment_text = fields.Char(string="Installment (text)", compute='_compute_document')
    amount_type = fields.Selection(
        string="Amount Requested",
        selection=[
            ('full', "Amount due"),
            ('down_payment', "Down payment"),
            ('installment', "Installment"),
            ('amount', "Other amount"),
        ],
        default='full', required=True,
    )
    amount = fields.Monetary(compute='_compute_amount', store=True, readonly=False)
    warning = fields.Char(compute='_compute_link')
    link = fields.Char(string="Payment Link", compute='_compute_link')
    qr_code = fields.Binary(string="QR Code", compute='_compute_qr_code')

    # === COMPUTE METHODS === #

    @api.depends('res_model', 'res_id')
    def _compute_document(self):
        for wizard in self:
            document = wizard._get_document()
            wizard.reference = document.display_name
            wizard.currency_id = document.currency_id
            wizard.partner_id = document.partner_id
            wizard.due_amount = document._btcpay_get_amount_due()
            wizard.down_payment_amount = document._btcpay_get_down_payment()
            wizard.has_down_payment = 0 < wizard.down_payment_amount < wizard.due_amount
            wizard.installment_amount = document._btcpay_get_amount_asked()
            wizard.has_installment = 0 < wizard.installment_amount < wizard.due_amount
            wizard.installment_text = wizard.currency_id.format(wizard.installment_amount)
            wizard.due_text = wizard.currency_id.format(wizard.due_amount)
            wizard.down_payment_text = wizard.currency_id.format(wizard.down_payment_amount)

    @api.depends('amount_type', 'due_amount', 'down_payment_amount', 'installment_amount')
    def _compute_amount(self):
        for wizard in self:
            wizard.amount = {
                'full': wizard.due_amount, 'down_payment': wizard.down_payment_amount,
                'installment': wizard.installment_amount,
            }.get(wizard.amount_type, wizard.amount)

    @api.depends('amount')
    def _compute_link(self):
        for wizard in self:
            document = wizard._get_document()
            wizard.warning = document._btcpay_find_request_problem(wizard.amount)
            wizard.link = not wizard.warning and document._btcpay_make_link(wizard.amount)

    @api.depends('link')
    def _compute_qr_code(self):
        for wizard in self:
            wizard.qr_code = wizard.link and make_qr_code(wizard.link)

    # === ACTION METHODS === #

    @api.model
    def _open(self, document):
        """Open the wizard for a document.

        :param sale.order|account.move document: The document.
        :rtype: dict
        :raise UserError: If nothing is to be paid, or not with Bitcoin.
        """
        document.check_access('read')
        if obstacle := document._btcpay_find_request_obstacle():
            raise UserError(obstacle)
        document.sudo()._portal_ensure_token()  # The form is read in a read-only transaction.
        wizard = self.create({'res_model': document._name, 'res_id': document.id})
        if wizard.has_installment:
            wizard.amount_type = 'installment'
        return open_dialog(wizard, _("Request Bitcoin Payment"))

    def action_send(self):
        """Show the mail that asks the customer, to be sent from there.

        :rtype: dict
        :raise UserError: If it cannot be sent.
        """
        self.ensure_one()
        document = self._get_document()
        if problem := document._btcpay_find_request_problem(self.amount):
            raise UserError(problem)
        document.check_access(document._mail_post_access)
        return document._btcpay_compose_request(self.amount)

    # === HELPERS === #

    def _get_document(self):
        """Return the document that is to be paid.

        :rtype: sale.order|account.move
        :raise UserError: If there is none, as calls of Odoo's API can have it.
        """
        self.ensure_one()
        if self.res_model not in DOCUMENTS or not self.res_id:
            raise UserError(_(
                "A Bitcoin payment is requested of a sales order or a customer invoice only: open"
                " one, and click “Request Bitcoin Payment” there."
            ))
        document = self.env[self.res_model].browse(self.res_id)
        # Links give access to whoever has them; and what is stored is computed with all rights.
        document.sudo(False).check_access('read')
        return document
