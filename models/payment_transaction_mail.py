import psycopg2

from odoo import _, models

from odoo.addons.payment.logging import get_payment_logger
from odoo.addons.payment_btcpay import const
from odoo.addons.payment_btcpay.utils import post_template

_logger = get_payment_logger(__name__, sensitive_keys=const.SENSITIVE_KEYS)


class PaymentTransaction(models.Model):
    _inherit = 'payment.transaction'

    def _btcpay_mail_customer(self, template_name):
        """Mail the customer, in his language, on the document of the payment.

        The mail leaves when the database transaction is committed, together with what it is about.

        Note: `self.ensure_one()`

        :param str template_name: The name of the mail template in this module.
        :return: Whether he was mailed.
        :rtype: bool
        """
        self.ensure_one()
        template = self.env.ref(f'payment_btcpay.{template_name}', raise_if_not_found=False)
        if not template or not self.partner_id.email:
            return False
        try:
            with self.env.cr.savepoint():
                self._btcpay_post_mail(template.sudo())
        except psycopg2.OperationalError:
            raise  # All is done again.
        except Exception as error:
            # What became of the money does not depend on a mail template.
            _logger.exception("No mail to the customer of transaction %s", self.reference)
            self._btcpay_ask_person(_(
                "The customer could not be mailed about the payment %(reference)s: the template"
                " “%(template)s” fails (%(error)s). Write to the customer, and correct it.",
                reference=self.reference, template=template.name,
                error=' '.join(str(error).split())[:300],
            ))
            return False
        return True

    def _btcpay_post_mail(self, template):
        """Post what a template says on the document of the payment, for the customer.

        :param mail.template template: The template.
        :return: None
        """
        self.ensure_one()
        document = self._btcpay_get_document().sudo()
        post_template(template, self, document, author=self._btcpay_get_sender(document))

    def _btcpay_is_told_to_customer(self):
        """Return whether a mail of ours tells how the payment stands, in place of Odoo's own.

        Odoo's takes a part for the whole, and has no link at which the rest is paid.

        :rtype: bool
        """
        self.ensure_one()
        match self.state:
            case 'pending':  # With a part, or with nothing any more: the wallet replaced it.
                return self.btcpay_status == 'New'
            case 'done':
                is_part = self.source_transaction_id.btcpay_status in ('Expired', 'Invalid')
                return is_part or self._btcpay_is_difference_due()
        return False

    def _btcpay_get_sender(self, document):
        """Return who writes to the customer: Odoo itself has no address to be answered at.

        :param sale.order|account.move|res.partner document: The document.
        :return: The document's salesperson, else the company.
        :rtype: res.partner
        """
        if document._name == 'res.partner':
            return self.company_id.partner_id
        return document._btcpay_get_sender()

    def _btcpay_get_rest_url(self):
        """Return the link by which the customer pays what is still due of the document.

        :return: The address, Odoo's own payment link for the rest; empty if nothing is due.
        :rtype: str
        """
        self.ensure_one()
        document = (self.source_transaction_id or self)._btcpay_get_document().sudo()
        if document._name == 'res.partner':
            return ''
        document.invalidate_recordset(['amount_paid'])
        # What came in is booked on the customer's invoice only when this database transaction ends.
        unbooked = document.transaction_ids.filtered(
            lambda tx: document._name == 'sale.order' or not tx.payment_id
        )._btcpay_get_net_amount()
        rest = document.currency_id.round((
            document.amount_total if document._name == 'sale.order' else document.amount_residual
        ) - unbooked)
        if document.state == 'cancel' or rest <= 0:
            return ''
        return document._btcpay_make_payment_link(rest)
