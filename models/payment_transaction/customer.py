"""What the customer is told by mail."""
import psycopg2

from odoo import _, api, models
from odoo.tools import format_date, format_time

from odoo.addons.payment.logging import get_payment_logger
from odoo.addons.payment_btcpay import const
from odoo.addons.payment_btcpay.utils import mail_privately, name_method, one_line, post_template

# Whoever has the link can claim the money: only the customer gets it.
REFUND_LINK_TEMPLATE = 'mail_template_refund'

_logger = get_payment_logger(__name__, sensitive_keys=const.SENSITIVE_KEYS)


class PaymentTransaction(models.Model):
    _inherit = 'payment.transaction'

    # === MAILS === #

    def _btcpay_mail_customer(self, template_name):
        """Mail the customer, in their language, on the document of the payment.

        The link of a refund is mailed to the customer alone, with a note on the document.

        The mail leaves when the database transaction is committed, together with what it is about.

        :param str template_name: The name of the mail template in this module.
        :return: Whether the customer was mailed.
        :rtype: bool
        """
        self.ensure_one()
        template = self.env.ref(f'payment_btcpay.{template_name}', raise_if_not_found=False)
        if not self.partner_id.email:
            return False
        if not template:
            self._btcpay_flag_for_review(_(
                "The customer could not be mailed about the payment %s: the mail template was"
                " deleted. Write to the customer, and have an administrator upgrade this app, which"
                " brings it back.", self.reference,
            ), 'mail')
            return False
        document = self._btcpay_get_document().sudo()
        try:
            with self.env.cr.savepoint():
                author = self._btcpay_get_sender(document)
                if template_name == REFUND_LINK_TEMPLATE:
                    # Not by the record: whoever sees that could have Odoo's composer mail it to
                    # them, which renders what a template says with all rights.
                    link = self.sudo().btcpay_refund_link
                    template = template.sudo().with_context(btcpay_refund_link=link)
                    users = author.user_ids
                    if not any(self.with_user(user)._btcpay_may_refund() for user in users):
                        author = self.company_id.partner_id  # The answer quotes the link.
                    self._btcpay_find_failed_link_mails().unlink()  # The new one takes their place.
                    mail_privately(template, self, author, btcpay_refund_id=self.id)
                    self._btcpay_post_note(_(
                        "The link to claim the refund %(reference)s was mailed to %(email)s.",
                        reference=self.reference, email=self.partner_id.email,
                    ))
                else:
                    post_template(template.sudo(), self, document, author)
        except psycopg2.OperationalError:
            raise  # All is done again.
        except Exception as error:
            # What became of the money does not depend on a mail template.
            _logger.exception("No mail to the customer of transaction %s", self.reference)
            self._btcpay_flag_for_review(_(
                "The customer could not be mailed about the payment %(reference)s: the template"
                " “%(template)s” fails (%(error)s). Write to the customer, and correct it.",
                reference=self.reference, template=template.name,
                error=one_line(error),
            ), 'mail')
            return False
        return True

    def _btcpay_find_failed_link_mails(self):
        """Return the mails with the link of the refund that did not leave.

        :rtype: mail.mail
        """
        self.ensure_one()
        return self.env['mail.mail'].sudo().search([
            ('btcpay_refund_id', '=', self.id), ('state', '=', 'exception'),
        ])

    def _btcpay_report_unsent_link(self):
        """Have a person told if the mail with the link of the refund did not leave, until it does.

        Note: the refund is locked, which who sends the mail cannot do.
        """
        self.ensure_one()
        failed = self._btcpay_find_failed_link_mails()
        if failed and self._btcpay_is_claimable():
            self._btcpay_flag_for_review(_(
                "The link to claim the refund %(reference)s could not be mailed to %(email)s:"
                " %(reason)s. Correct that and send the link again, or hand it on.",
                reference=self.reference, email=self.partner_id.email,
                reason=one_line(failed[0].failure_reason).rstrip('.'),
            ), 'link')
        else:
            self._btcpay_settle_matters('link')

    def _btcpay_get_sender(self, document):
        """Return who writes to the customer: Odoo itself has no address to be answered at.

        :param sale.order|account.move|res.partner document: The document.
        :return: The document's salesperson, else the company.
        :rtype: res.partner
        """
        if document._name == 'res.partner':
            return self.company_id.partner_id
        return document._btcpay_get_sender()

    def _btcpay_is_told_to_customer(self):
        """Return whether a mail of ours tells how the payment stands, in place of Odoo's: that
        takes a partial payment for the whole, and has no link to pay the amount due."""
        self.ensure_one()
        if self.provider_code != 'btcpay':
            return False
        match self.state:
            case 'pending':
                # In part, or with nothing any more: the wallet replaced it. Or by the confirmation.
                return self.btcpay_status == 'New' or self._btcpay_is_confirmed_when_seen()
            case 'done':
                is_partial = self.source_transaction_id.btcpay_status in ('Expired', 'Invalid')
                return is_partial or self._btcpay_is_difference_due()
        return False

    def _btcpay_mail_late(self, is_new):
        """Tell the customer that somebody looks at what came after the time was up, once, however
        much comes after it.

        :param bool is_new: Whether anything is new.
        """
        if is_new and not self.btcpay_is_late_mailed:
            self.btcpay_is_late_mailed = True
            self._btcpay_mail_customer('mail_template_late')

    def _btcpay_mail_partial(self):
        """Tell the customer that a part came in, but not of dust, which anybody can send as often
        as they like."""
        self.ensure_one()
        gross = self._btcpay_get_gross_amount()
        if abs(gross - self.btcpay_told_amount) > self._btcpay_get_dust_amount():
            self.btcpay_told_amount = gross
            self._btcpay_mail_customer('mail_template_partial_paid')

    # === WHAT IS ASKED FOR NEXT === #

    @api.depends('btcpay_dues', 'btcpay_due_amount', 'currency_id')
    @api.depends_context('lang')
    def _compute_btcpay_due_text(self):
        for tx in self:
            tx.btcpay_due_text = tx._btcpay_get_due_text()

    def _btcpay_get_due_text(self):
        """Return what the customer has to send of what is due, by each method.

        The server deducts a network fee of each further on-chain payment, so that more is to be
        sent than is due.

        :return: E.g. `$ 65.00 by Bitcoin (a network fee of $ 5.00 included)`.
        :rtype: str
        """
        self.ensure_one()
        shown = self.currency_id.format
        due = self.btcpay_due_amount
        amounts = {
            method: self.currency_id.round(float(amount))
            for method, amount in (self.btcpay_dues or {}).items()
        }
        texts = []
        for method, amount in sorted(amounts.items(), key=lambda item: -item[1]):
            fee = self.currency_id.round(amount - due)
            values = {
                'amount': shown(amount), 'method': name_method(self.env, method),
                'fee': shown(fee),
            }
            texts.append(_(
                "%(amount)s by %(method)s (a network fee of %(fee)s included)", **values
            ) if fee > 0 else _("%(amount)s by %(method)s", **values))
        if not any(self.currency_id.compare_amounts(amount, due) for amount in amounts.values()):
            return shown(due)
        return _(" or ").join(dict.fromkeys(texts))

    def _btcpay_get_expiry_text(self):
        """Return until when the invoice can be paid, on the customer's clock.

        :return: E.g. `11/28/2026 6:05 PM (Europe/Berlin)`.
        :rtype: str
        """
        self.ensure_one()
        zone = self.partner_id.tz or self.company_id.partner_id.tz or 'UTC'
        env, time = self.with_context(tz=zone).env, self.btcpay_expires_at
        zone = str(env.tz)  # UTC if this system knows no such zone, as it is shown then.
        clock = format_time(env, time, tz=zone, time_format='short')
        return f'{format_date(env, time)} {clock} ({zone})'

    # === THE ORDER'S PAGE === #

    def _btcpay_get_claim_link(self, user):
        """Return where the refund is claimed, if whoever reads the page is the customer.

        Pages are opened by their link as well, by salespeople and by whoever was sent it: who is
        not logged in as the customer has the link by the mail, or not at all.

        :param res.users user: The user who reads; the records are in sudo mode.
        :return: The link; False if the reader is not to have it, or there is nothing to claim.
        :rtype: str|bool
        """
        self.ensure_one()
        is_theirs = not user._is_public() and user.partner_id == self.partner_id
        return is_theirs and self._btcpay_is_claimable() and self.btcpay_refund_link
